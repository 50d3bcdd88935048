/*
 * The bytes of files that are LFS content.
 *
 * One object is one file of the spool, whichever trees, refs, repositories and
 * forks have it; who asks for it is each repository by itself, for a fork may
 * lack what its parent has. A stream is kept as long as it is among those that
 * were read last: a read of the next piece goes on with what is hashed so far.
 *
 * A reader is given bytes before anybody knows that they are true. So it is
 * noted which inodes were: when the last chunk says that all were something
 * else, the kernel drops what it has of them.
 */
#include "model/git/large.h"
#include "model/git/checkout.h"
#include "model/git/lfs.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/lru.h"
#include "base/text.h"
#include "content/stream.h"

#include <inttypes.h>
#include <unistd.h>

#define STREAMS_MOST 64
#define UNSEEN_MOST 512
#define GRANTS_MOST 32
#define LARGE_KEY "lfs#" /* of the spool's file, before its oid */
#define GRANT_MS (INT64_C(60) * 1000)
#define CONFIGS_MOST 64

/* An inode that has bytes of which nobody knows yet whether they are true. */
struct unseen {
	unsigned char oid[DIGEST_SHA256_SIZE];
	uint64_t ino;
};
/* A group of processes (a pipeline) that reads that object, however large it
 * is. */
struct grant {
	unsigned char oid[DIGEST_SHA256_SIZE];
	int32_t group;
	int64_t until_ms;
};

struct large {
	struct lru streams; /* by key */
	struct mutex lock;
	/* Under lock: rings. */
	struct unseen unseen[UNSEEN_MOST];
	struct grant grants[GRANTS_MOST];
	/* Repositories of whose .lfsconfig people were told. */
	const struct clone *configs[CONFIGS_MOST];
	size_t n_unseen, n_grants, n_configs; /* ever */
};

static void *ref(void *stream)
{
	return stream_ref(stream);
}

static void unref(void *stream)
{
	stream_unref(stream);
}

static const struct lru_values values = {ref, unref};

struct large *large_new(void)
{
	struct large *b = mem_calloc(1, sizeof(*b));

	lru_init(&b->streams, STREAMS_MOST, &values);
	mutex_init(&b->lock);
	return b;
}

struct large *large_free(struct large *b)
{
	if (!b)
		return NULL;
	lru_done(&b->streams);
	mutex_done(&b->lock);
	free(b);
	return NULL;
}

/* ---- where they are ---- */

struct asker {
	struct clone *clone; /* a reference */
	struct lfs_pointer pointer;
	struct lfs_beside *beside;
};

static int find_place(void *arg, struct ctx *ctx, const char *refused,
		      struct http_place *ret)
{
	const struct asker *asker = arg;
	cleanup(free) struct lfs_pointer *also = NULL;
	size_t n = 0;

	if (!refused && !clone_lfs_is_placed(asker->clone, &asker->pointer)) {
		also = mem_calloc(LFS_BATCH, sizeof(*also));
		n = lfs_beside_find(ctx, asker->beside, also, LFS_BATCH - 1);
	}
	return clone_lfs_place(ctx, asker->clone, &asker->pointer, also, n,
			       refused, ret);
}

static void asker_free(void *arg)
{
	struct asker *asker = arg;

	lfs_beside_free(asker->beside);
	clone_unref(asker->clone);
	free(asker);
}

static struct stream *stream_new_of(struct ctx *ctx, struct model *model,
				    const struct node *node,
				    const struct lfs_pointer *pointer,
				    const char *key)
{
	struct clone *clone = node_checkout(node->parent)->clone;
	struct asker *asker = mem_calloc(1, sizeof(*asker));
	const struct stream_places places = {find_place, asker_free, asker};
	const struct stream_truth truth = {
		.file_key = strchr(key, ' ') + 1,
		.size = pointer->size,
		.sha256 = pointer->oid,
	};
	cleanup(free) char *name =
		mem_asprintf("the LFS content of %s", node->name);

	asker->clone = clone_ref(clone);
	asker->pointer = *pointer;
	asker->beside = lfs_beside_new(ctx, model, node);
	return stream_get_true(
		model->config.streams, key,
		stream_source_place(stream_set_http(model->config.streams),
				    name, &places),
		&truth);
}

static struct stream *stream_of(struct ctx *ctx, struct model *model,
				const struct node *node,
				const struct lfs_pointer *pointer)
{
	struct lru *streams = &model->large->streams;
	struct stream *s;
	char key[128], hex[65];

	snprintf(key, sizeof(key), "%p " LARGE_KEY "%s",
		 (void *)node_checkout(node->parent)->clone,
		 lfs_oid_hex(pointer, hex));
	s = lru_get(streams, key, strlen(key));
	if (s)
		return s;
	s = stream_new_of(ctx, model, node, pointer, key);
	lru_put(streams, key, strlen(key), s, 1);
	return s;
}

/* ---- who may have them ---- */

static bool is_granted(struct large *b, const struct grant *wanted)
	requires_lock(b->lock)
{
	for (size_t i = 0; i < GRANTS_MOST; i++) {
		struct grant *g = &b->grants[i];

		/* One that has ended may lie before one that has not. */
		if (g->group != wanted->group ||
		    g->until_ms < clock_mono_ms() ||
		    memcmp(g->oid, wanted->oid, sizeof(g->oid)) != 0)
			continue;
		g->until_ms = wanted->until_ms;
		return true;
	}
	return false;
}

static int refuse(struct ctx *ctx, const struct model *model,
		  const struct lfs_pointer *pointer)
{
	char size[16], most[16];

	ctx->refused = true;
	return ctx_fail(ctx, -EDQUOT,
			"This file has %s in LFS: more than the %s of the "
			"option lfs come for a program that goes through a "
			"tree. Opened by itself it comes.",
			text_bytes(pointer->size, size),
			text_bytes(model->config.lfs, most));
}

/* Bytes of it are not here: whether they may be brought for who reads. A person
 * is asked about once a file, not once a piece of it. */
static int admit(struct ctx *ctx, struct model *model, struct node *node,
		 const struct lfs_pointer *pointer)
{
	struct large *b = model->large;
	struct grant grant = {.until_ms = clock_mono_ms() + GRANT_MS};
	struct budget_who who;
	struct oid top;

	if (pointer->size <= model->config.lfs)
		return 0;
	if (ctx->walks)
		return refuse(ctx, model, pointer);
	budget_identify(model->config.budget, ctx->caller, &who);
	memcpy(grant.oid, pointer->oid, sizeof(grant.oid));
	grant.group = who.group;
	if (mutex_with(&b->lock, is_granted(b, &grant)))
		return 0;
	if (checkout_needs(ctx, model, node->parent, &top) != WALK_NONE)
		return refuse(ctx, model, pointer);
	mutex_lock(&b->lock);
	b->grants[b->n_grants++ % GRANTS_MOST] = grant;
	mutex_unlock(&b->lock);
	return 0;
}

/* ---- what people are told once ---- */

static bool is_told(struct large *b, const struct clone *clone)
{
	bool told = false;

	mutex_lock(&b->lock);
	for (size_t i = 0; !told && i < CONFIGS_MOST; i++)
		told = b->configs[i] == clone;
	if (!told)
		b->configs[b->n_configs++ % CONFIGS_MOST] = clone;
	mutex_unlock(&b->lock);
	return told;
}

/* Local; no ctx: who gives up must not be the one who was told. */
static void tell_of_config(struct model *model, const struct node *node)
{
	const struct node *tree = node->parent;
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct clone *clone = node_checkout(tree)->clone;
	struct oid root;

	while (tree->provider != &provider_tree)
		tree = tree->parent;
	root = node_oid(model->nodes, tree);
	if (oid_is_none(&root) || is_told(model->large, clone) ||
	    clone_read_tree(NULL, clone, &root, &list) < 0 ||
	    !tree_list_find(list, ".lfsconfig"))
		return;
	node_path(tree, &path);
	buf_puts(&path, "/.lfsconfig");
	model_say(model, path.data, 0,
		  "What this file says of an LFS server is not followed: "
		  "objects are asked for at the repository's own address.");
}

/* ---- something else came ---- */

static void note_unseen(struct large *b, const struct node *node,
			const struct lfs_pointer *pointer)
{
	struct unseen unseen = {.ino = node->ino};
	bool known = false;

	memcpy(unseen.oid, pointer->oid, sizeof(unseen.oid));
	mutex_lock(&b->lock);
	for (size_t i = 0; !known && i < UNSEEN_MOST; i++)
		known = b->unseen[i].ino == unseen.ino &&
			!memcmp(b->unseen[i].oid, unseen.oid,
				sizeof(unseen.oid));
	if (!known)
		b->unseen[b->n_unseen++ % UNSEEN_MOST] = unseen;
	mutex_unlock(&b->lock);
}

static void drop_pages(struct model *model, uint64_t ino, const char *sentence)
{
	struct node *node = node_get(model->nodes, ino);
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	if (!node)
		return;
	node_path(node, &path);
	model_changed_inode(model, node, true);
	model_say(model, path.data ? path.data : "/", EIO, sentence);
	node_unref(model->nodes, node);
}

void large_untrue(struct model *model, const char *key, const char *sentence)
{
	struct large *b = model->large;
	struct lfs_pointer pointer;
	char hex[65];

	for (size_t i = 0; i < UNSEEN_MOST; i++) {
		struct unseen one;

		mutex_lock(&b->lock);
		one = b->unseen[i];
		memcpy(pointer.oid, one.oid, sizeof(pointer.oid));
		if (one.ino && strstr(key, lfs_oid_hex(&pointer, hex)))
			b->unseen[i] = (struct unseen){.ino = 0};
		else
			one.ino = 0;
		mutex_unlock(&b->lock);
		if (one.ino)
			drop_pages(model, one.ino, sentence);
	}
}

/* ---- reading ---- */

/* A file that is listed: that its content cannot be had is an I/O error,
 * whatever is said of the place where it should be. */
static int promised(int r)
{
	return r == -ENOENT || r == -EBADMSG || r == -EPERM || r == -EFBIG ||
			       r == -ENODATA || r == -EINVAL
		       ? -EIO
		       : r;
}

int large_read(struct ctx *ctx, struct model *model, struct node *node,
	       const struct lfs_pointer *pointer, off_t offset, size_t n,
	       struct model_data *ret_data)
{
	cleanup(stream_unref) struct stream *s =
		stream_of(ctx, model, node, pointer);
	bool here = stream_has(s, (uint64_t)offset, n);
	size_t got = 0;
	int fd = -1, r = 0;

	if (!here) {
		tell_of_config(model, node);
		r = admit(ctx, model, node, pointer);
	}
	/* Before they are given: else a read that is answered while all of it
	 * is found to be something else would be kept by the kernel. */
	if (r == 0 && !stream_is_whole(s))
		note_unseen(model->large, node, pointer);
	if (r == 0)
		r = stream_read(ctx, s, (uint64_t)offset, n, &fd, &got);
	if (r < 0)
		return promised(r);
	*ret_data =
		(struct model_data){.fd = fd, .fd_offset = offset, .n = got};
	return 0;
}

bool large_is_here(struct ctx *ctx, struct model *model,
		   const struct node *node, const struct lfs_pointer *pointer)
{
	cleanup(stream_unref) struct stream *s =
		stream_of(ctx, model, node, pointer);

	return stream_is_whole(s);
}

bool large_is_kept(const struct model *model, const struct lfs_pointer *pointer)
{
	char key[72], hex[65];

	snprintf(key, sizeof(key), LARGE_KEY "%s", lfs_oid_hex(pointer, hex));
	return !pointer->size ||
	       stream_set_is_kept(model->config.streams, key, pointer->size);
}

int large_bring(struct ctx *ctx, struct model *model, struct node *node,
		const struct lfs_pointer *pointer,
		void (*came)(void *arg, size_t n), void *arg)
{
	cleanup(stream_unref) struct stream *s =
		stream_of(ctx, model, node, pointer);
	size_t got = 1;
	int r = 0;

	if (!stream_is_whole(s))
		tell_of_config(model, node);
	for (uint64_t at = 0; r == 0 && got && at < pointer->size; at += got) {
		int fd = -1;

		r = stream_read(ctx, s, at, SPOOL_CHUNK, &fd, &got);
		if (r == 0)
			close(fd);
		if (r == 0)
			came(arg, got);
	}
	return promised(r);
}
