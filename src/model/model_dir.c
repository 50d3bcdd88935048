/*
 * model/model, directories: opening, reading, closing one.
 *
 * The names are brought at OPENDIR, which may wait and fail, and are held until
 * RELEASEDIR: half of the programs take an error of readdir(3) for the end of
 * the directory, and some repeat the call for ever. The exception: of a tree
 * that the kernel has a copy of, they are brought when the kernel asks all the
 * same, from the store, where they are; only a damaged store is an error then.
 */
#include "model/provider.h"

#include "base/file.h"

/* Cookies 1 and 2 are "." and "..": a provider's are shifted by two. */
#define N_DOTS 2

/* ---- opening ---- */

bool model_opens_with(int r)
{
	switch (r) {
	case 0:
	case -EINTR:
	case -EACCES:
	case -ENODATA:
	case -EBUSY:
	case -EDQUOT:
	case -ENETUNREACH:
	case -ETIMEDOUT:
	case -EIO:
	case -ENOSPC:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -EAGAIN:
	case -EFBIG:
	case -EOPNOTSUPP:
	case -ENOTDIR:
		return true;
	default:
		return false;
	}
}

/* ENOENT would say that the directory was deleted, and ESTALE make the kernel
 * repeat the call: see model_opendir in the header. */
static int as_opened(int r)
{
	if (r == -ENOENT || r == -ESTALE)
		return -ENODATA;
	return model_opens_with(r) ? r : -EIO;
}

/* df opens the directory that it is asked about, so that an automounter mounts
 * it, and reads nothing of it: df wants to hear of the mount, not to wait for a
 * network (src/model/README.md, 9). */
static bool is_df(const struct ctx *ctx)
{
	char path[32];
	cleanup(buf_done) struct buf name = BUF_INIT(64);

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)ctx->caller);
	return ctx->caller > 0 && file_read(path, 64, &name) == 0 &&
	       name.data && strcmp(name.data, "df\n") == 0;
}

static const struct dirlist_ops ops_unread;

/* What READDIR will say is here before the opener is told that he may read,
 * also where the kernel has a copy: it may lose that at any time, and then
 * asks. */
static int pin(struct ctx *ctx, struct model *model, struct node *dir,
	       struct opened *opened)
{
	struct dirlist_piece piece = {.ctx = ctx,
				      .model = model,
				      .dir = dir,
				      .listing = listed_opened_listing(opened)};
	int r = dirlist_pin(&piece);

	if (r < 0)
		(void)listed_close(opened);
	return r;
}

static int bring(struct ctx *ctx, struct model *model, struct node *dir,
		 struct model_opened *ret)
{
	struct listed *listed = node_listed(model->nodes, dir, true);
	cleanup(dirlist_unref) struct dirlist *newest = NULL;
	struct dirlist *brought = NULL;
	enum listed_copy_reply reply;
	struct listed_look look;
	bool aside;
	int r = 0;

	newest = listed_newest(listed, &look);
	if (newest && newest->dir != dir) {
		newest = dirlist_unref(newest);
		look.fresh = false;
	}
	aside = !newest && is_df(ctx);
	if (look.fresh) {
		brought = dirlist_ref(newest);
	} else if (aside) {
		brought = dirlist_seal(dirlist_new(&ops_unread, NULL, 0), 0);
		brought->is_aside = true;
	} else {
		r = dir->provider->open(ctx, model, dir, newest, &brought);
	}
	if (r < 0)
		return r;
	if (brought != newest)
		brought->dir = dir;
	r = listed_open(listed, dir, brought, &look, &ret->opened, &reply);
	if (r < 0)
		return ctx_fail(ctx, r,
				"The directories that are open hold as many "
				"names as this mount may keep in memory: close "
				"some.");
	r = pin(ctx, model, dir, ret->opened);
	if (r < 0)
		return r;
	ret->fill_copy = reply != LISTED_COPY_PASS && !aside;
	ret->keep_copy = reply == LISTED_COPY_KEEP;
	return 0;
}

int model_opendir(struct ctx *ctx, struct model *model, uint64_t ino,
		  struct model_opened *ret_opened)
{
	struct node *dir = node_get(model->nodes, ino);
	int r = -ENOTDIR;

	if (!dir)
		return -ENODATA;
	*ret_opened = (struct model_opened){0};
	model_because(ctx, "opendir", dir, NULL);
	if (dir->provider->open)
		r = bring(ctx, model, dir, ret_opened);
	if (r >= 0 && dir->provider->entered)
		dir->provider->entered(ctx, model, dir);
	if (r < 0) {
		r = model_failed(model, ctx, dir, as_opened(r));
		node_unref(model->nodes, dir);
	}
	return r;
}

void model_closedir(struct model *model, struct opened *opened)
{
	node_unref(model->nodes, listed_close(opened));
}

/* ---- reading ---- */

struct reader {
	struct model *model;
	struct node *dir;
	model_emit *emit;
	void *arg;
};

static bool emit_name(struct reader *reader, const struct dirlist_name *name,
		      const struct found *found)
{
	struct node_table *nodes = reader->model->nodes;
	struct model_entry entry = {0};
	struct node_told told;
	bool took, is_told;

	is_told = found &&
		  node_tell(nodes, reader->dir, name->name, &found->what,
			    found->checked ? &found->expect : NULL, &told);
	if (is_told)
		model_fill_entry(reader->model, &told, found, &entry);
	took = reader->emit(reader->arg, name->name, name->cookie + N_DOTS,
			    name->type, &entry);
	if (is_told && !took)
		node_forget(nodes, told.ino, 1);
	return took;
}

static bool emit_dots(struct reader *reader, uint64_t cookie)
{
	static const char *const dots[N_DOTS] = {".", ".."};
	const struct model_entry none = {0};

	for (uint64_t i = cookie; i < N_DOTS; i++)
		if (!reader->emit(reader->arg, dots[i], i + 1, S_IFDIR, &none))
			return false;
	return true;
}

void model_readdir(struct ctx *ctx, struct model *model, struct opened *opened,
		   uint64_t cookie, bool plus, model_emit *emit, void *arg)
{
	struct dirlist *l = listed_opened_listing(opened);
	struct reader reader = {model, listed_opened_node(opened), emit, arg};
	struct dirlist_piece piece = {
		.ctx = ctx, .model = model, .dir = reader.dir, .listing = l};
	uint64_t after = cookie > N_DOTS ? cookie - N_DOTS : 0;
	/* The kernel would be promised what nobody asks for again. */
	bool barred = plus && ctx_is_barred(ctx);

	if (cookie == 0)
		listed_opened_read(opened);
	if (!emit_dots(&reader, cookie))
		return;
	for (size_t i = dirlist_seek(l, after); i < l->n_names; i++) {
		struct dirlist_name name;
		struct found found = {0};
		bool known;

		dirlist_at(l, i, &name);
		/*
		 * 1. A has an older listing open, which has the name x.
		 * 2. A newer listing is brought; in it x is another thing, and
		 *    a lookup makes a node of that.
		 * 3. A's READDIRPLUS makes a node of the x that it has: the
		 *    newer node would lose its name, and the kernel would be
		 *    shown the older thing.
		 * So an older listing tells names alone.
		 */
		known = plus && l->ops->found && !barred &&
			listed_opened_is_newest(opened) &&
			l->ops->found(&piece, &name, &found);
		if (known && found.no_size) {
			provider_found_nothing(&found);
			known = false;
		}
		if (!emit_name(&reader, &name, known ? &found : NULL))
			break;
	}
	if (l->ops->piece_done)
		l->ops->piece_done(&piece);
}

void model_ahead_listed(struct ctx *ctx, struct model *model,
			struct opened *opened, model_give *give, void *arg)
{
	struct node *dir = listed_opened_node(opened);

	if (dir->provider->ahead_listed)
		dir->provider->ahead_listed(ctx, model, dir, give, arg);
}

/* ---- outdated ---- */

void model_outdated(struct model *model, struct node *dir)
{
	struct listed *listed = node_listed(model->nodes, dir, false);

	if (listed)
		listed_forget(listed);
}

bool model_was_opened(struct model *model, struct node *dir)
{
	struct listed *listed = node_listed(model->nodes, dir, false);

	return listed && listed_was_opened(listed);
}
