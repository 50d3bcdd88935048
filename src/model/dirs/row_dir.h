/*
 * model/dirs/row_dir: directories made from rows of the resource table.
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
	/* Of the row or the item itself. A workspace's has its name alone,
	 * which may come to mean another one. */
	struct scope *scope;
	/* Of an item: its collection's scope, and its id. NULL: a row's node.
	 */
	struct scope *collection;
	char *id;
};
static inline struct row_dir *row_dir_of(const struct node *node)
{
	return node_data(node);
}

/* The rows below a row directory, and its files. */
const struct resource *row_dir_rows(const struct row_dir *);
const struct resource_file *row_dir_files(const struct row_dir *);

/* What a row's name in a directory is: a directory of this provider, a text
 * file, or what its special makes of it. scope is the row's own and is taken.
 * May wait for the network, but not with READ_CACHED. */
int row_dir_found_row(struct ctx *, struct model *, struct node *dir,
		      const struct resource *, struct scope *scope,
		      enum read_through_mode, struct found *ret_found);
/* Adds the rows that exist to a listing, with cookies base + position + 1 and
 * tags tag + position. repository: the document that says which of those with
 * `needs` exist; NULL: it is not known, and none of them does. Asks nobody. */
void row_dir_add_rows(struct ctx *, struct model *, const struct resource *rows,
		      const struct scope *scope,
		      const struct answer_document *repository, uint64_t base,
		      unsigned tag, struct dirlist *);
/* Each list and object of the rows, and of the rows below them, that a walk
 * through a directory would ask for: by its path, which begins with `path`.
 * object is the document of the directory, as `repository` above. Asks nobody.
 */
typedef void row_dir_visit(void *arg, const struct resource *row,
			   struct scope *scope, const char *path);
void row_dir_each(const struct resource *rows, const struct scope *scope,
		  const struct answer_document *object, const char *path,
		  row_dir_visit *visit, void *arg);
/* The age of what such a row has at hand; false: nothing. Asks nobody. */
bool row_dir_age_at_hand(struct ctx *, struct model *, const struct resource *,
			 struct scope *, struct answer_age *ret_age);
/* Such a name's node, for READDIRPLUS. False: its attributes are not at hand.
 */
bool row_dir_row_found(struct dirlist_piece *, const struct resource *row,
		       const struct scope *, struct found *ret_found);
/* What a directory is. scope is taken. */
void row_dir_found_dir(const struct resource *, struct scope *,
		       int64_t mtime_ms, int64_t left_ms, bool ask_attr,
		       struct found *ret_found);
/* What a symbolic link is. */
void row_dir_found_link(const char *target, int64_t mtime_ms, int64_t left_ms,
			struct found *ret_found);
/* What a stored file is. */
void row_dir_found_file(struct model *, const struct document_file *,
			int64_t mtime_ms, struct found *ret_found);

/* The document that the files of an item (or of an object row) are made of. */
int row_dir_document(struct ctx *, struct model *, struct node *dir,
		     enum read_through_mode,
		     struct answer_document *ret_document);
/* The collection of a row's node; a stale one is served, and its refresh
 * queued. */
int row_dir_collection(struct ctx *, struct model *, struct node *dir,
		       enum read_through_mode,
		       struct collection **ret_collection,
		       struct answer_age *ret_age);
/* An item of a collection's node by its name; an unknown name is not an error.
 */
int row_dir_lookup_item(struct ctx *, struct model *, struct node *dir,
			const char *name, struct found *ret_found);
/* Whether the item's directory lists it, as far as the cache knows: then a
 * refresh of the collection renews the item. Other items are renewed one by
 * one. */
bool row_dir_is_listed(struct ctx *, struct model *,
		       const struct row_dir *item);
/* How long the kernel may believe an answer of this age. */
int64_t row_dir_believe_ms(const struct answer_age *);
/* The pin of a row directory's listing. */
struct row_dir_names {
	const struct row_dir_special *special; /* NULL: it has none */
	void *special_data;
	struct collection
		*collection;   /* NULL: not a collection's, or not cached */
	struct answer_age age; /* the collection's, when it was listed */
	int64_t left_ms;       /* for how long the names are true */
};
/* The collection's age now: it may have been listed long ago. */
struct answer_age row_dir_age(const struct dirlist_piece *,
			      const struct row_dir_names *);
/* Cookies below this are those of files and rows: no row has as many. */
#define ROW_DIR_FIRST_ITEM 256
#define ROW_DIR_TAG_SPECIAL 0x40000000u

/* What a row itself is; scope is borrowed. */
typedef int row_dir_special_found(struct ctx *, struct model *,
				  struct node *dir, const struct resource *,
				  const struct scope *scope,
				  enum read_through_mode,
				  struct found *ret_found);
/* A name of the row directory that is not a file's nor a row's. */
typedef int row_dir_special_lookup(struct ctx *, struct model *,
				   struct node *dir, const char *name,
				   struct found *ret_found);
/* The same names in a listing: keeps what they are made of in
 * names->special_data, and adds them with cookies above ROW_DIR_FIRST_ITEM and
 * tags from ROW_DIR_TAG_SPECIAL on. 1: nothing was added, the names are those
 * of `newest` (may be NULL). */
typedef int row_dir_special_open(struct ctx *, struct model *, struct node *dir,
				 struct row_dir_names *names,
				 const struct row_dir_names *newest,
				 struct dirlist *);
typedef bool row_dir_special_name(struct dirlist_piece *,
				  const struct row_dir_names *, size_t i,
				  struct found *ret_found);
/* As the provider's. */
typedef int row_dir_special_refresh(struct ctx *, struct model *,
				    struct node *dir, struct buf *said);
/* The collection that the row is below has changed; dir: the row's. */
typedef void row_dir_special_outdated(struct model *, struct node *dir);
struct row_dir_special {
	row_dir_special_found *found;     /* NULL: a row directory */
	row_dir_special_lookup *lookup;   /* NULL: its items */
	row_dir_special_open *open;       /* NULL: items */
	row_dir_special_name *name_found; /* of those; without open, of items */
	void (*free_names)(void *special);
	row_dir_special_refresh *refresh;   /* NULL: as the row says */
	row_dir_special_outdated *outdated; /* NULL: that is nothing to it */
};
/* What the root is. */
struct row_dir *row_dir_new(const struct resource *, struct scope *);
/* Functions of a special, from model/specials.c. NULL: it has none. */
const struct row_dir_special *row_dir_special(const struct model *,
					      enum resource_special);
#define ROW_DIR_SPECIALS (RESOURCE_PROJECT_VIEW + 1)
/* Of each special: model/specials.c, for model/wiring.c alone. */
extern const struct row_dir_special specials_all[ROW_DIR_SPECIALS];

#endif
