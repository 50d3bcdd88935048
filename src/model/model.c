/*
 * model/model: every request is the same few steps: find the node, ask its
 * provider, make nodes of what it found, fill in attributes. Whatever failed is
 * recorded among the problems here, where the path is known and the sentence
 * has just come up with the ctx.
 */
#include "model/absent.h"
#include "model/provider.h"

#include "base/clock.h"
#include "base/text.h"

void model_event(struct model *model, const char *path, const char *what)
{
	events_add(model->events, path, what);
}

void model_say(struct model *model, const char *path, int errnum,
	       const char *sentence)
{
	problems_add(model->problems, path, errnum, sentence);
}

void model_untrue(struct model *model, const char *key, const char *sentence)
{
	model->untrue(model, key, sentence);
}

int model_promised(int r)
{
	return r == -EPROTO || r == -EBADMSG || r == -ECONNRESET ? -EIO : r;
}

const char *model_why(int r)
{
	return r == -EBADMSG ? "it is no object that this program can read"
			     : strerror(-r);
}

static int say_failure(struct model *model, struct ctx *ctx,
		       const struct node *node, const char *name, int r)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	node_path(node, &path);
	if (name)
		buf_printf(&path, "%s%s", path.len ? "/" : "", name);
	problems_add(model->problems, path.len ? path.data : "/", -r,
		     ctx->sentence[0] ? ctx->sentence : strerror(-r));
	return r;
}

/* Whether a failure is recorded as a problem. Not: names that do not exist, and
 * calls that were interrupted. But ENOENT with a sentence is one: the service
 * has not got what the layout promises. */
static int failed(struct model *model, struct ctx *ctx, const struct node *node,
		  const char *name, int r)
{
	if (r == -EINTR || r == -ENAMETOOLONG || r == -ESTALE ||
	    r == -ENOTDIR || r == -EISDIR ||
	    (r == -ENOENT && !ctx->sentence[0]))
		return r;
	return say_failure(model, ctx, node, name, model_promised(r));
}

/* What was said of a place below the root, from an offset on; a failure is
 * told. */
static int end_saying(struct ctx *ctx, struct model *model, const char *place,
		      struct buf *said, size_t from, int r)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);

	if (r < 0)
		r = failed(model, ctx, root, place, r);
	else
		text_clean_buf(said, from, "\n\t");
	node_unref(model->nodes, root);
	return r;
}

int model_refresh(struct ctx *ctx, struct model *model, const char *path,
		  struct buf *said)
{
	size_t from = said->len;
	int r = model->refresh_place(ctx, model, path, said);

	return end_saying(ctx, model, path, said, from, r);
}

int model_heard(struct ctx *ctx, struct model *model,
		const struct model_news *news, struct buf *said)
{
	cleanup(free) char *place =
		mem_asprintf("%s/%s%s%s", news->workspace, news->slug,
			     *news->path ? "/" : "", news->path);
	size_t from = said->len;
	int r = model->heard(ctx, model, news, said);

	return end_saying(ctx, model, place, said, from, r);
}

int model_failed(struct model *model, struct ctx *ctx, const struct node *node,
		 int r)
{
	return failed(model, ctx, node, NULL, r);
}

static double seconds(int64_t ms)
{
	return ms <= 0 ? 0 : (double)ms / 1000;
}

static void fill(struct model *model, const struct node_told *told,
		 int64_t left_ms, uint64_t size, struct model_attr *attr)
{
	*attr = (struct model_attr){.attr_timeout = seconds(left_ms)};
	attr->st.st_ino = told->ino;
	attr->st.st_mode = told->mode;
	/* A symlink is 0777 on every system: umask does not apply. */
	if (!S_ISLNK(told->mode))
		attr->st.st_mode &= ~(model->config.umask & 0777);
	attr->st.st_nlink = 1;
	attr->st.st_uid = model->config.uid;
	attr->st.st_gid = model->config.gid;
	attr->st.st_size = (off_t)size;
	attr->st.st_blksize = 4096;
	attr->st.st_blocks = (blkcnt_t)((size + 511) / 512);
	attr->st.st_mtim.tv_sec = told->mtime_ms / 1000;
	attr->st.st_mtim.tv_nsec = told->mtime_ms % 1000 * 1000000;
	attr->st.st_ctim = attr->st.st_atim = attr->st.st_mtim;
}

void model_fill_entry(struct model *model, const struct node_told *told,
		      const struct found *found, struct model_entry *entry)
{
	/* told->size, not found->what.size: of a growing file another thread
	 * may have told the kernel a larger size since. */
	fill(model, told, found->ask_attr ? 0 : found->left_ms, told->size,
	     &entry->attr);
	entry->ino = told->ino;
	entry->entry_timeout = seconds(found->left_ms);
}

/* Whoever looks a name up is told its size, also where that has to be asked
 * for. */
static int ask_size(struct ctx *ctx, struct model *model, struct node *dir,
		    const char *name, struct found *found)
{
	int r = found->what.provider->size(ctx, model, dir, name, found);

	found->no_size = false;
	if (r != 0)
		provider_found_nothing(found);
	return r < 0 ? r : 0;
}

/* *ret_node is a reference; NULL: there is no such name, and found->left_ms
 * says for how long. */
static int look_up(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, bool kernel, struct found *found,
		   struct node **ret_node)
{
	struct node *node = NULL;
	int r = 0;

	while (!node) {
		*found = (struct found){0};
		r = dir->provider->lookup
			    ? dir->provider->lookup(ctx, model, dir, name,
						    found)
			    : -ENOTDIR;
		if (r == 0 && found->no_size)
			r = ask_size(ctx, model, dir, name, found);
		if (r < 0 || !found->what.provider)
			break;
		/* NULL: the directory has another git object since it was
		 * asked. The name of the old one must not come back: look
		 * again. */
		node = node_make(model->nodes, dir, name, &found->what,
				 found->checked ? &found->expect : NULL,
				 kernel);
	}
	/* Nobody asks whether it is still true. */
	if (ctx->barred)
		found->left_ms = 0;
	*ret_node = node;
	return r;
}

/* A query is part of a name there, and somebody may have put a secret into it
 * (wire/asked). */
static void cut_query(struct buf *path)
{
	static const char api[] = ".bitbucketfs/api/";

	if (path->len && !strncmp(path->data, api, sizeof(api) - 1))
		buf_cut(path, strcspn(path->data, "?"));
}

void model_because(struct ctx *ctx, const char *operation,
		   const struct node *node, const char *name)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	if (!ctx_tells())
		return;
	node_path(node, &path);
	if (name)
		buf_printf(&path, "%s%s", path.len ? "/" : "", name);
	cut_query(&path);
	ctx_because(ctx, "%s %s", operation, path.len ? path.data : "/");
}

int model_lookup(struct ctx *ctx, struct model *model, uint64_t parent,
		 const char *name, struct model_entry *ret_entry)
{
	struct node *dir, *node = NULL;
	struct found found = {0};
	struct model_entry entry = {0};
	struct node_told told;
	int r;

	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	dir = node_get(model->nodes, parent);
	if (!dir)
		return -ESTALE;
	model_because(ctx, "lookup", dir, name);
	r = look_up(ctx, model, dir, name, true, &found, &node);
	if (r < 0)
		r = failed(model, ctx, dir, name, r);
	else if (node)
		node_now(model->nodes, node, &told);
	if (r == 0 && node)
		model_fill_entry(model, &told, &found, &entry);
	else if (r == 0)
		entry.entry_timeout = seconds(found.left_ms);
	if (r == 0 && node && node->provider->looked_up)
		node->provider->looked_up(model, node);
	if (r == 0 && !node && found.left_ms < LONGEST_MS && found.left_ms > 0)
		absent_add(model->absent, parent, name);
	node_unref(model->nodes, node);
	node_unref(model->nodes, dir);
	if (r < 0)
		return r;
	*ret_entry = entry;
	return 0;
}

int model_resolve(struct ctx *ctx, struct model *model, struct node *dir,
		  const char *path, struct node **ret_node)
{
	struct node *node = node_ref(model->nodes, dir), *child = NULL;
	char name[256];
	int r = 0;

	while (r == 0 && *path) {
		size_t n = strcspn(path, "/");
		struct found found;

		if (n >= sizeof(name)) {
			r = -ENAMETOOLONG;
			break;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		path += n + (path[n] == '/');
		r = look_up(ctx, model, node, name, false, &found, &child);
		if (r == 0 && !child)
			r = -ENOENT;
		node_unref(model->nodes, node);
		node = child;
	}
	if (r < 0)
		node_unref(model->nodes, node);
	else
		*ret_node = node;
	return r;
}

void model_forget(struct model *model, uint64_t ino, uint64_t n)
{
	node_forget(model->nodes, ino, n);
}

int model_getattr(struct ctx *ctx, struct model *model, uint64_t ino,
		  struct model_attr *ret_attr)
{
	struct node *node = node_get(model->nodes, ino);
	int64_t left_ms = LONGEST_MS;
	struct node_told told;
	uint64_t size;
	int r = 0;

	if (!node)
		return -ESTALE;
	model_because(ctx, "getattr", node, NULL);
	size = node_size(model->nodes, node);
	if (node->provider->attr)
		r = node->provider->attr(ctx, model, node, &left_ms, &size);
	if (r < 0) {
		r = failed(model, ctx, node, NULL, r);
	} else {
		node_now(model->nodes, node, &told);
		fill(model, &told, ctx->barred ? 0 : left_ms, size, ret_attr);
	}
	node_unref(model->nodes, node);
	return r;
}

int model_readlink(struct ctx *ctx, struct model *model, uint64_t ino,
		   struct blob **ret_target)
{
	struct node *node = node_get(model->nodes, ino);
	int r = -EINVAL;

	if (!node)
		return -ESTALE;
	model_because(ctx, "readlink", node, NULL);
	if (node->provider->readlink)
		r = node->provider->readlink(ctx, model, node, ret_target);
	if (r < 0)
		r = failed(model, ctx, node, NULL, r);
	node_unref(model->nodes, node);
	return r;
}

int model_read(struct ctx *ctx, struct model *model, uint64_t ino, off_t offset,
	       size_t n, struct model_data *ret_data)
{
	struct node *node = node_get(model->nodes, ino);
	int r = -EISDIR;

	if (!node)
		return -ESTALE;
	model_because(ctx, "read", node, NULL);
	*ret_data = (struct model_data){.fd = -1};
	if (node->provider->read)
		r = node->provider->read(ctx, model, node, offset, n, ret_data);
	if (r < 0)
		r = failed(model, ctx, node, NULL, r);
	node_unref(model->nodes, node);
	return r;
}

void model_ahead(struct ctx *ctx, struct model *model, uint64_t ino,
		 model_give *give, void *arg)
{
	struct node *node = node_get(model->nodes, ino);

	if (node && node->provider->ahead)
		node->provider->ahead(ctx, model, node, give, arg);
	node_unref(model->nodes, node);
}

int model_slice(struct blob *blob, off_t offset, size_t n,
		struct model_data *ret_data)
{
	size_t len = blob_len(blob), from = (size_t)offset;

	if (offset < 0 || from > len)
		from = len;
	*ret_data = (struct model_data){
		.blob = blob,
		.offset = from,
		.n = n < len - from ? n : len - from,
		.fd = -1,
	};
	return 0;
}

void model_statfs(struct model *model, struct model_statfs *ret_statfs)
{
	*ret_statfs = (struct model_statfs){
		.n_files = node_count(model->nodes),
	};
}

void model_signed_out(struct model *model, bool signed_out)
{
	atomic_store(&model->signed_out, signed_out);
	if (signed_out)
		return;
	atomic_store(&model->renewed_ms, clock_mono_ms());
	if (model->started)
		absent_take(model->absent, model->kernel.entry,
			    model->kernel.arg);
}

struct known {
	void (*each)(void *arg, const struct model_known *);
	void *arg;
};

static void known_of(void *arg, const struct node *node)
{
	const struct known *k = arg;

	k->each(k->arg,
		&(struct model_known){
			.ino = node->ino,
			.parent = node->parent ? node->parent->ino : 0,
			.name = node->linked && node->parent ? node->name
							     : NULL,
		});
}

static void absent_of(void *arg, uint64_t parent, const char *name)
{
	const struct known *k = arg;

	k->each(k->arg, &(struct model_known){.parent = parent, .name = name});
}

void model_each_known(struct model *model,
		      void (*each)(void *arg, const struct model_known *),
		      void *arg)
{
	struct known k = {each, arg};

	node_each_known(model->nodes, known_of, &k);
	absent_take(model->absent, absent_of, &k);
}

void model_changed_entry(struct model *model, const struct node *parent,
			 const char *name)
{
	if (model->started)
		model->kernel.entry(model->kernel.arg, parent->ino, name);
}

void model_changed_inode(struct model *model, struct node *node, bool content)
{
	if (content && S_ISDIR(node->mode))
		model_outdated(model, node);
	if (model->started)
		model->kernel.inode(model->kernel.arg, node->ino, content);
}

void model_drop_child(struct model *model, struct node *parent,
		      const char *name)
{
	struct node *child = node_child(model->nodes, parent, name);

	if (child)
		node_unlink(model->nodes, child);
	node_unref(model->nodes, child);
	model_changed_entry(model, parent, name);
}
