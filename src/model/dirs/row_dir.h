/*
 * model/dirs/row_dir: directories of the resource table's rows.
 *
 * Two kinds of nodes have this provider: a row (a group, an object, a
 * collection), and an item of a collection. What a row cannot say is in
 * specials: functions for the names of a directory beyond its files and rows.
 */
#ifndef MODEL_DIRS_ROW_DIR_H
#define MODEL_DIRS_ROW_DIR_H

#include "model/provider.h"

#include "content/documents.h"

extern const struct provider provider_row_dir;

struct row_dir {
	const struct resource *row; /* of an item: its collection's */
	struct scope *scope;        /* its own */
	/* Of an item; NULL: the row itself. */
	struct scope *collection;
	char *id;
};
static inline struct row_dir *row_dir_of(const struct node *node)
{
	return node->what.data;
}

/* The rows that a place directory has, and its files. */
const struct resource *row_dir_rows(const struct row_dir *);
const struct resource_file *row_dir_files(const struct row_dir *);

/*
 * The name of a row in a directory: a directory of this provider, a text file,
 * or what its special makes of it. scope is the row's own and is taken. May
 * wait for the network, but not with READ_CACHED.
 */
int row_dir_found_row(struct ctx *, struct model *, struct node *dir,
		      const struct resource *, struct scope *scope,
		      enum read_through_mode, struct found *ret_found);
/* Whether a row is there, by the document of the repository (NULL: not known,
 * then what needs something of it is not there). */
bool row_dir_is_there(const struct resource *,
		      const struct catalog_document *repository);
/* A name among rows: *ret_found's provider stays NULL when it is none. scope
 * is the directory's. */
int row_dir_lookup_row(struct ctx *, struct model *, struct node *dir,
		       const struct resource *rows, const struct scope *scope,
		       const char *name, struct found *ret_found);
/* Adds the rows that are there to a listing, with cookies base + position + 1
 * and tags tag + position. repository as above. Asks nobody. */
void row_dir_add_rows(struct ctx *, struct model *, const struct resource *rows,
		      const struct scope *scope,
		      const struct catalog_document *repository, uint64_t base,
		      unsigned tag, struct dirlist *);
/* Of such a name: false where its attributes are known by asking alone. */
bool row_dir_row_found(struct dirlist_piece *, const struct resource *row,
		       const struct scope *, struct found *ret_found);
/* A symbolic link. */
void row_dir_found_link(const char *target, int64_t mtime_ms, int64_t left_ms,
			struct found *ret_found);
/* A file as it is stored. */
void row_dir_found_file(struct model *, const struct document_file *,
			int64_t mtime_ms, struct found *ret_found);

/* The document behind an item's (or an object row's) files. */
int row_dir_document(struct ctx *, struct model *, struct node *dir,
		     enum read_through_mode,
		     struct catalog_document *ret_document);
/* The collection of a row's node; queues a refresh when it is stale. */
int row_dir_collection(struct ctx *, struct model *, struct node *dir,
		       enum read_through_mode,
		       struct collection **ret_collection,
		       struct catalog_age *ret_age);
/* An item of a collection's node by its name; an unknown one is no error. */
int row_dir_lookup_item(struct ctx *, struct model *, struct node *dir,
			const char *name, struct found *ret_found);
/* An item that its directory lists, as far as that is at hand: then it is the
 * listing that brings it up to date. Any other lives by itself. */
bool row_dir_is_listed(struct ctx *, struct model *,
		       const struct row_dir *item);
/* How long the kernel may believe what is this old. */
int64_t row_dir_believe_ms(const struct catalog_age *);
/* The pin of a place's listing. */
struct row_dir_names {
	const struct row_dir_special *special; /* NULL: it has none */
	void *special_data;
	struct collection *collection; /* NULL: none, or not at hand */
	struct catalog_age age;        /* of that, when it was listed */
	int64_t left_ms;               /* the names are true for so long */
};
/* More fixed names than any row has: cookies below are theirs. */
#define ROW_DIR_FIRST_ITEM 256
#define ROW_DIR_TAG_SPECIAL 0x40000000u

struct row_dir_special {
	/* Makes the row's own node; NULL: a place directory. scope is
	 * borrowed. */
	int (*found)(struct ctx *, struct model *, struct node *dir,
		     const struct resource *, const struct scope *scope,
		     enum read_through_mode, struct found *ret_found);
	/* Names of the place directory beyond files and rows; NULL: items. */
	int (*lookup)(struct ctx *, struct model *, struct node *dir,
		      const char *name, struct found *ret_found);
	/* The same names in a listing: brings what they are of into
	 * names->special, and adds them with cookies above ROW_DIR_FIRST_ITEM
	 * and tags from ROW_DIR_TAG_SPECIAL on. 1: they are those of `newest`
	 * (NULL: none). NULL: items. */
	int (*open)(struct ctx *, struct model *, struct node *dir,
		    struct row_dir_names *names,
		    const struct row_dir_names *newest, struct dirlist *);
	bool (*name_found)(struct dirlist_piece *, const struct row_dir_names *,
			   size_t i, struct found *ret_found);
	void (*free_names)(void *special);
};
/* The table is model/specials.c. NULL: none. */
const struct row_dir_special *row_dir_special(const struct model *,
					      enum resource_special);
#define ROW_DIR_SPECIALS (RESOURCE_PROJECT_VIEW + 1)

#endif
