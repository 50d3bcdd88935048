/*
 * model/dirs/row_dir, inside: what its files share.
 */
#ifndef MODEL_DIRS_ROW_DIR_PRIVATE_H
#define MODEL_DIRS_ROW_DIR_PRIVATE_H

#include "model/dirs/row_dir.h"

/* The files that every collection has, in the order of their names. */
#define ROW_DIR_MORE 2
/* The tag of a name of a listing that is a row's, with its position. */
#define ROW_DIR_TAG_ROW 0x20000000u
extern const struct resource_file row_dir_index[];

static inline bool row_dir_is_collection(const struct row_dir *p)
{
	return !p->collection && p->row->kind == RESOURCE_COLLECTION;
}

/* The root or a workspace: a collection without an index. */
static inline bool row_dir_is_listing(const struct row_dir *p)
{
	return !p->collection && (p->row->special == RESOURCE_WORKSPACES ||
				  p->row->special == RESOURCE_REPOSITORIES);
}

/* The scope of the collection: what a workspace's name means now; free it. */
struct scope *row_dir_collection_scope(const struct model *,
				       const struct row_dir *);

/* A repository: its workspace's listing has it, and its rows exist as its
 * document says. */
static inline bool row_dir_is_repository(const struct row_dir *p)
{
	return p->collection && p->row->special == RESOURCE_REPOSITORIES;
}

/* A collection whose items are files; it has no index. */
static inline bool row_dir_is_parts(const struct row_dir *p)
{
	return row_dir_is_collection(p) && p->row->paging == RESOURCE_PARTS;
}

static inline const struct row_dir_special *
row_dir_special_of(const struct model *model, const struct row_dir *p)
{
	return row_dir_special(model, p->collection ? p->row->items->special
						    : p->row->special);
}

/* The document is outdated, and nobody waits for it. */
void row_dir_refresh_document(struct ctx *, struct model *, struct node *dir,
			      const struct answer_age *);
/* The kernel is told of what is made of the collection in directories below it,
 * which is outdated, or another one by now. */
void row_dir_rows_outdated(struct model *, struct node *dir);
/* What an item in its collection's directory is. */
void row_dir_found_item(struct model *, struct node *dir, const char *id,
			int64_t time_ms, int64_t left_ms,
			struct found *ret_found);
/* A file that is made of more than the directory's document (documents_made);
 * and any file of that document. */
static inline bool row_dir_is_made(const struct resource_file *file)
{
	return file->with || file->commits || file->is_named;
}
int row_dir_document_file(struct ctx *, struct model *, struct node *dir,
			  const struct resource_file *,
			  const struct answer_document *,
			  struct found *ret_found);
/* The directory's collection may have come, or changed: files above it that are
 * made with it are told to be others. */
void row_dir_tell_made(struct ctx *, struct model *, struct node *dir);
/* A file of a cached collection. 1: the collection lacks the file. */
int row_dir_stored_file(struct model *, struct node *dir,
			const struct collection *, const struct answer_age *,
			const char *name, struct found *ret_found);
/* Whether the row's collection is cached and fresh: it could be listed without
 * asking. */
bool row_dir_is_at_hand(struct ctx *, struct model *, const struct resource *,
			const struct scope *parent);
/* The items that the directory of a collection lists; the caller frees the
 * array, the items belong to the collection. */
size_t row_dir_listed(const struct model *, const struct resource *,
		      const struct collection *,
		      const struct collection_item ***ret_items);
/* Whether the item with that id is among them. */
bool row_dir_lists(const struct model *, const struct resource *,
		   const struct collection *, const char *id);
/* Members of the provider. */
int row_dir_lookup(struct ctx *, struct model *, struct node *dir,
		   const char *name, struct found *ret_found);
int row_dir_open(struct ctx *, struct model *, struct node *dir,
		 struct dirlist *newest, struct dirlist **ret_listing);
int row_dir_refresh(struct ctx *, struct model *, struct node *node,
		    struct node *file, struct buf *said);

#endif
