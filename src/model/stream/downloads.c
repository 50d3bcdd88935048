/*
 * model/stream/downloads: the files under Downloads. The list has their sizes
 * and dates, so looking at them costs no request, and a file that was replaced
 * is another inode.
 */
#include "model/dirs/row_dir.h"
#include "model/probe.h"
#include "model/stream/streams.h"

#include "content/stream.h"

static const struct provider provider_download;

/* Where the list has no size the download is asked for it when somebody looks
 * (download_size). */
static int found_download(struct ctx *ctx, struct model *model,
			  struct node *dir, const struct collection_item *item,
			  const struct answer_age *age, struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(stream_unref) struct stream *stream = NULL;
	cleanup(scope_unref) struct scope *scope = NULL;
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = NULL, *key = NULL;
	const struct row_dir *p = row_dir_of(dir);
	struct documents *documents = model->config.documents;
	int64_t size;
	int r;

	r = documents_item(ctx, documents, p->row, p->scope, item->id,
			   READ_CACHED, &document);
	if (r == 0 && !(json = json_of(document.body)))
		r = -EBADMSG;
	scope = scope_item(p->scope, p->row, item->id);
	if (r == 0)
		r = documents_path(ctx, documents, p->row->items->endpoint,
				   scope, &path);
	if (r < 0)
		return r;
	size = json_int(json, "size", -1);
	key = mem_asprintf("%s#%lld#%s", scope->key, (long long)size,
			   json_str(json, "created_on")
				   ? json_str(json, "created_on")
				   : "");
	stream = stream_get(model->config.streams, key, path, size);
	provider_found(ret_found, &provider_download, NODE_FILE, item->time_ms,
		       row_dir_believe_ms(age), steal(&stream));
	ret_found->what.size = size < 0 ? 0 : (uint64_t)size;
	ret_found->no_size = size < 0;
	return 0;
}

/* A download that is gone is no name any more if the list, brought again, has
 * not got it either. */
static int download_size(struct ctx *ctx, struct model *model, struct node *dir,
			 const char *name, struct found *found)
{
	cleanup(collection_unref) struct collection *c = NULL;
	struct stream_growth growth = {0};
	struct answer_age age;
	int failure;
	int r = stream_grow(ctx, found->what.data, true, &growth, &failure);

	found->what.size = growth.size;
	if (r != -ENOENT)
		return r;
	if (row_dir_collection(ctx, model, dir, READ_REFRESH, &c, &age) < 0 ||
	    collection_find(c, name))
		return r;
	found->left_ms = row_dir_believe_ms(&age);
	return 1;
}

int downloads_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		     const char *name, struct found *ret_found)
{
	enum read_through_mode mode = READ_THROUGH;
	int r = 0;

	if (probe_matches(name))
		return 0;
	/* Twice: the cache may have dropped the item's document, and kept the
	 * collection that names it. Then the collection is brought again. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(collection_unref) struct collection *c = NULL;
		const struct collection_item *item;
		struct answer_age age;

		r = row_dir_collection(ctx, model, dir, mode, &c, &age);
		if (r < 0)
			return r;
		ret_found->left_ms = row_dir_believe_ms(&age);
		item = collection_find(c, name);
		if (!item)
			return 0;
		r = found_download(ctx, model, dir, item, &age, ret_found);
		if (r != -ENOENT)
			return r;
		mode = READ_REFRESH;
	}
	return 0;
}

bool downloads_found(struct dirlist_piece *chunk,
		     const struct row_dir_names *names, size_t i,
		     struct found *ret_found)
{
	struct answer_age age = row_dir_age(chunk, names);

	return found_download(chunk->ctx, chunk->model, chunk->dir,
			      &names->collection->items[i], &age,
			      ret_found) == 0;
}

static int download_read(struct ctx *ctx, struct model *, struct node *node,
			 off_t offset, size_t n, struct model_data *ret_data)
{
	return stream_node_read(ctx, node_data(node), offset, n, ret_data);
}

static bool download_same(const struct node_what *a, const struct node_what *b)
{
	return a->data == b->data;
}

static uint64_t download_hash(const struct node_what *what, uint64_t seed)
{
	return stream_node_hash(what->data, seed);
}

static void download_free(void *data)
{
	stream_unref(data);
}

static const struct provider provider_download = {
	.name = "download",
	.size = download_size,
	.read = download_read,
	.same_data = download_same,
	.hash_data = download_hash,
	.free_data = download_free,
};
