/*
 * content/documents: the answers behind the rows of the resource table, read
 * through the cache: objects, collections and their items, texts.
 *
 * A collection is stored, in one transaction, as a short list of its items'
 * names, as the files that the mount shows of it (index.tsv, index.json, what
 * its row makes) and as one document per item: so neither a look at one item
 * nor a read of an index holds the whole of it in memory.
 *
 * Must never know nodes or FUSE. Every call that may wait takes a ctx; with
 * READ_CACHED none waits. Results are immutable and the caller's.
 */
#ifndef CONTENT_DOCUMENTS_H
#define CONTENT_DOCUMENTS_H

#include "base/ctx.h"
#include "content/catalog.h"
#include "table/resource.h"

struct documents;
struct documents_config {
	struct bitbucket *bitbucket; /* borrowed, as all here */
	struct read_through *source;
	struct cache *cache;
	struct catalog *catalog; /* the listings, and whether there is a user */
	unsigned history;        /* items of a history at first; 0: 500 */
};
struct documents *documents_new(const struct documents_config *);
struct documents *documents_free(struct documents *);
DEFINE_CLEANUP(struct documents *, documents_free);

/* Where a row is meant: what its endpoint's placeholders stand for, and the
 * key that its things have in the cache. Immutable, counted. */
#define SCOPE_IDS 3
struct scope {
	struct refcount refcount;
	char *workspace; /* its name in the mount; "" outside of one */
	/* What paths call them: uuids, or slugs where nobody told these. */
	char *workspace_id, *repository_id;
	char *key;
	char *ids[SCOPE_IDS]; /* of items, outermost first */
	unsigned n_ids;
};
struct scope *scope_new(const char *key, const char *workspace,
			const char *workspace_id, const char *repository_id);
struct scope *scope_below(const struct scope *, const char *row_name);
/* Of an item of that row's collection, whose scope this is. */
struct scope *scope_item(const struct scope *, const struct resource *row,
			 const char *id);
struct scope *scope_ref(struct scope *);
struct scope *scope_unref(struct scope *);
DEFINE_CLEANUP(struct scope *, scope_unref);

/* The one object of a RESOURCE_OBJECT row. -ENOENT, -EACCES … are remembered
 * for some minutes where nothing better is known. */
int documents_object(struct ctx *, struct documents *, const struct resource *,
		     const struct scope *, enum read_through_mode,
		     struct answer_document *ret_document);

struct collection_item {
	const char *name; /* file name, safe and unique in the collection */
	const char *id;   /* for endpoints */
	const char *hash; /* of its document */
	int64_t time_ms;
};
struct collection {
	struct refcount refcount_private;
	struct collection_item *items; /* sorted by name */
	size_t n_items;
	bool more;    /* bounded: there are older ones … */
	int64_t most; /* … than so many */
	uint64_t version;
	char *bytes_private;
};
struct collection *collection_unref(struct collection *);
DEFINE_CLEANUP(struct collection *, collection_unref);
const struct collection_item *collection_find(const struct collection *,
					      const char *name);
const struct collection_item *collection_find_id(const struct collection *,
						 const char *id);
/* ceil(n/pagelen) requests when it is fetched, one at least. */
int documents_collection(struct ctx *, struct documents *,
			 const struct resource *, const struct scope *,
			 enum read_through_mode,
			 struct collection **ret_collection,
			 struct answer_age *ret_age);

/* A file as it is stored: read with documents_read. */
struct document_file {
	uint64_t version, size;
	struct answer_age age;
};
/* A file of a collection ("index.tsv", "index.json", "more", those of its row),
 * after documents_collection. Never waits. -ENOENT: there is none. */
int documents_file(struct documents *, const struct scope *, const char *name,
		   struct document_file *ret_file);
/* The bytes of a RESOURCE_TEXT row. */
int documents_text(struct ctx *, struct documents *, const struct resource *,
		   const struct scope *, enum read_through_mode,
		   struct document_file *ret_file);

/*
 * The document of an item. One that the collection has is as fresh as that;
 * another is asked for by itself, where the row has an endpoint for it:
 * -ENOENT (remembered) when there is none.
 */
int documents_item(struct ctx *, struct documents *, const struct resource *,
		   const struct scope *collection, const char *id,
		   enum read_through_mode,
		   struct answer_document *ret_document);

/*
 * The id of the item with that number, of a row whose items have numbers, when
 * the collection does not have it: asked for with the number in the id's place,
 * else the page is looked for where it has to be. Its document is stored with
 * it. -ENOENT (remembered) when there is none.
 */
int documents_numbered(struct ctx *, struct documents *,
		       const struct resource *, const struct scope *collection,
		       const char *number, enum read_through_mode,
		       char **ret_id);

/*
 * repositories.tsv and repositories.json of a workspace, made of its listing
 * and of the documents that came with it: no request beyond the listing's own.
 * name is one of documents_repositories_files. With READ_CACHED it is what
 * was made of the listing at hand before, else -ENOENT.
 */
extern const char *const documents_repositories_files[]; /* NULL-terminated */
int documents_repositories(struct ctx *, struct documents *,
			   const char *workspace, const char *name,
			   enum read_through_mode,
			   struct document_file *ret_file);

/* Any GET below api_url, by its percent-encoded path (with a query): JSON
 * pretty-printed with all pages merged, or, as text, its bytes. Believed for a
 * minute. */
int documents_mirror(struct ctx *, struct documents *, const char *path,
		     bool text, enum read_through_mode,
		     struct document_file *ret_file);

/* A piece of a stored version; -ESTALE when it is gone. */
int documents_read(struct documents *, uint64_t version, uint64_t offset,
		   size_t n, struct blob **ret_piece);
/* The endpoint with its placeholders filled in; free it. -errno: {me} is not
 * known. May wait (for /user). */
int documents_path(struct ctx *, struct documents *, const char *endpoint,
		   const struct scope *, char **ret_path);

#endif
