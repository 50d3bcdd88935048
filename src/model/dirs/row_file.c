/*
 * model/dirs/row_file: `info` and other files made of documents. A file's inode
 * is one version of the document seen through one file of the resource table
 * (struct resource_file): the bytes are rendered for the size and again for a
 * read, and a few recent ones are kept so that `cat` renders once. Files that
 * are stored as they are shown (provider_stored: index.tsv) are read piece by
 * piece.
 */
#include "model/dirs/row_file.h"

#include "model/dirs/row_ahead.h"

#include "content/documents.h"

#include "base/hash.h"
#include "base/lru.h"

#define MAX_RENDERED (2 * MIB)
/* Whoever waits for a READ waits for what is given before it, too. */
#define GIVEN_MOST (2 * MIB)
#define GIVEN_LONGEST (128 * KIB)

struct rendered {
	struct lru files; /* struct blob */
	struct row_ahead ahead;
};

/* A version seen through one file of the table. */
struct rendered_key {
	uint64_t version;
	const struct resource_file *file;
};

static void *ref_blob(void *value)
{
	return blob_ref(value);
}

static void unref_blob(void *value)
{
	blob_unref(value);
}

static const struct lru_values blobs = {.ref = ref_blob, .unref = unref_blob};

/* Made at the first use: most models of tests render nothing. */
static struct rendered *rendered(struct model *model)
{
	struct rendered *of;

	mutex_lock(&model->lock);
	if (!model->rendered) {
		model->rendered = mem_calloc(1, sizeof(*model->rendered));
		lru_init(&model->rendered->files, MAX_RENDERED, &blobs);
		row_ahead_init(&model->rendered->ahead);
	}
	of = model->rendered;
	mutex_unlock(&model->lock);
	return of;
}

static void forget_rendered(struct model *model)
{
	if (model->rendered) {
		lru_done(&model->rendered->files);
		row_ahead_done(&model->rendered->ahead);
	}
	free(model->rendered);
	model->rendered = NULL;
}

/* body NULL: the document is fetched from the cache if it is needed. */
static int render(struct model *model, uint64_t version,
		  const struct resource_file *file, struct blob *body,
		  struct blob **ret_blob)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	cleanup(blob_unref) struct blob *source = NULL, *blob = NULL;
	const struct rendered_key key = {version, file};
	struct lru *lru = &rendered(model)->files;
	size_t n;
	int r = 0;

	blob = lru_get(lru, &key, sizeof(key));
	if (!blob) {
		if (body)
			source = blob_ref(body);
		else
			r = documents_version(model->config.documents, version,
					      &source);
		if (!source)
			return r;
		r = resource_render(file, blob_data(source), blob_len(source),
				    &out);
		if (r < 0)
			return r;
		n = out.len;
		blob = blob_take(buf_steal(&out, NULL), n);
		lru_put(lru, &key, sizeof(key), blob, blob_len(blob));
	}
	*ret_blob = steal(&blob);
	return 0;
}

int row_file_found(struct model *model, const struct resource_file *file,
		   const struct answer_document *document,
		   struct found *ret_found)
{
	cleanup(blob_unref) struct blob *blob = NULL;
	int r;

	r = render(model, document->version, file, document->body, &blob);
	if (r < 0)
		return r;
	provider_found(ret_found, &provider_row_file, NODE_FILE,
		       documents_rendered_ms(model->config.documents,
					     document->version,
					     document->updated_ms),
		       document->age.left_ms, NULL);
	ret_found->what.size = blob_len(blob);
	ret_found->what.version = document->version;
	ret_found->what.file = file;
	return 0;
}

/* The name goes, so that the next lookup finds the version of now. */
static int be_outdated(struct ctx *ctx, struct model *model, struct node *node,
		       int r)
{
	if (node_is_linked(model->nodes, node))
		model_drop_child(model, node->parent, node->name);
	return ctx_fail(ctx, r,
			"This version of the file is no longer in the cache; "
			"open it again.");
}

static int row_file_read(struct ctx *ctx, struct model *model,
			 struct node *node, off_t offset, size_t n,
			 struct model_data *ret_data)
{
	struct blob *blob = NULL;
	int r = render(model, node_version(node), node_resource_file(node),
		       NULL, &blob);

	return r < 0 ? be_outdated(ctx, model, node, r)
		     : model_slice(blob, offset, n, ret_data);
}

static void row_file_looked_up(struct model *model, const struct node *node)
{
	row_ahead_looked_up(&rendered(model)->ahead, node->ino);
}

/* False: no more. Equal numbers are equal bytes, so what the kernel knows by
 * this number by now is the same file. */
static bool give_one(struct model *model, uint64_t ino, size_t *n_bytes,
		     model_give *give, void *arg)
{
	struct node *node = node_get(model->nodes, ino);
	cleanup(blob_unref) struct blob *blob = NULL;
	bool more = true;

	if (node && node->provider == &provider_row_file &&
	    node->size <= GIVEN_LONGEST &&
	    render(model, node_version(node), node_resource_file(node), NULL,
		   &blob) == 0 &&
	    blob_len(blob) > 0 && blob_len(blob) == node->size) {
		*n_bytes += blob_len(blob);
		more = give(arg, ino, blob) && *n_bytes < GIVEN_MOST;
	}
	node_unref(model->nodes, node);
	return more;
}

static void row_file_ahead(struct ctx *ctx, struct model *model,
			   struct node *node, model_give *give, void *arg)
{
	uint64_t inos[ROW_AHEAD_MOST];
	size_t n = row_ahead_read(&rendered(model)->ahead, node->ino, inos);
	size_t n_bytes = 0;

	for (size_t i = 0; i < n && !ctx_is_cancelled(ctx); i++)
		if (!give_one(model, inos[i], &n_bytes, give, arg))
			break;
}

static int stored_read(struct ctx *ctx, struct model *model, struct node *node,
		       off_t offset, size_t n, struct model_data *ret_data)
{
	struct blob *piece = NULL;
	int r = documents_read(model->config.documents, node_version(node),
			       (uint64_t)offset, n, &piece);

	return r < 0 ? be_outdated(ctx, model, node, r)
		     : model_slice(piece, 0, n, ret_data);
}

/* ---- links: their target is their data ---- */

static int link_readlink(struct ctx *, struct model *, struct node *node,
			 struct blob **ret_target)
{
	*ret_target = blob_ref(node_data(node));
	return 0;
}

static bool link_same(const struct node_what *a, const struct node_what *b)
{
	return strcmp(blob_data(a->data), blob_data(b->data)) == 0;
}

static uint64_t link_hash(const struct node_what *what, uint64_t seed)
{
	return hash_text(seed, blob_data(what->data));
}

static void link_free(void *data)
{
	blob_unref(data);
}

const struct provider provider_link = {
	.expiry = PROVIDER_EXPIRES_NAME,
	.name = "link",
	.readlink = link_readlink,
	.same_data = link_same,
	.hash_data = link_hash,
	.free_data = link_free,
};

const struct provider provider_stored = {
	.expiry = PROVIDER_EXPIRES_NAME,
	.name = "stored",
	.read = stored_read,
};

/* What another program made of the same version is another file. */
static uint64_t row_file_hash(const struct node_what *, uint64_t seed)
{
	return hash_text(seed, documents_derivation);
}

const struct provider provider_row_file = {
	.end = forget_rendered,
	.expiry = PROVIDER_EXPIRES_NAME,
	.name = "row_file",
	.looked_up = row_file_looked_up,
	.read = row_file_read,
	.ahead = row_file_ahead,
	.hash_data = row_file_hash,
};
