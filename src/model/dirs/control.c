/*
 * model/dirs/control: .bitbucketfs/: texts about the mount, and names that ask
 * again.
 *
 * A text is a snapshot: each lookup makes its bytes anew, and other bytes are
 * another inode. Only `errors` and `events` grow under their inodes.
 */
#include "model/dirs/control.h"

#include "base/clock.h"
#include "base/text.h"
#include "table/resource.h"
#include "model/dirs/api.h"
#include "model/dirs/hierarchy.h"
#include "model/dirs/row_file.h"
#include "model/dirs/row_dir.h"
#include "model/dirs/snapshot.h"
#include "model/dirs/status.h"
#include "model/git/git_refresh.h"

static const struct provider provider_errors, provider_events, provider_refresh;

enum control_name {
	CONTROL_ACCOUNT,
	CONTROL_API,
	CONTROL_README,
	CONTROL_ERRORS,
	CONTROL_EVENTS,
	CONTROL_REFRESH,
	CONTROL_STATUS,
	CONTROL_STATUS_JSON,
	CONTROL_USER,
	N_CONTROL_NAMES,
};

/* In the order of a listing. */
static const struct {
	const char *name;
	mode_t type;
} names[N_CONTROL_NAMES] = {
	[CONTROL_ACCOUNT] = {"account", S_IFDIR},
	[CONTROL_API] = {"api", S_IFDIR},
	[CONTROL_README] = {"README", S_IFREG},
	[CONTROL_ERRORS] = {"errors", S_IFREG},
	[CONTROL_EVENTS] = {"events", S_IFREG},
	[CONTROL_REFRESH] = {"refresh", S_IFDIR},
	[CONTROL_STATUS] = {"status", S_IFREG},
	[CONTROL_STATUS_JSON] = {"status.json", S_IFREG},
	[CONTROL_USER] = {"user.json", S_IFREG},
};

static void found_text(struct model *model, struct buf *text, int64_t left_ms,
		       struct found *found)
{
	size_t n = text->len;

	snapshot_found(model, blob_take(buf_steal(text, NULL), n), left_ms,
		       found);
}

/* Of a text that grows, by its provider. */
static int growing_stat_of(struct model *model, const struct provider *provider,
			   uint64_t generation, struct growing_stat *ret)
{
	return provider == &provider_events
		       ? events_stat(model->events, generation, ret)
		       : problems_stat(model->problems, generation, ret);
}

static void found_growing(struct model *model, const struct provider *provider,
			  struct found *found)
{
	struct growing_stat stat = {0};

	(void)growing_stat_of(model, provider, 0, &stat);
	provider_found(found, provider, NODE_FILE,
		       stat.mtime_ms ? stat.mtime_ms : model->started_ms, 0,
		       NULL);
	found->what.size = stat.size;
	found->what.version = stat.generation;
	found->ask_attr = true;
}

static void found_refresh(struct model *model, struct found *found)
{
	provider_found_dir(found, &provider_refresh, model->started_ms,
			   LONGEST_MS, NULL);
}

static int found_user(struct ctx *ctx, struct model *model,
		      enum read_through_mode mode, struct found *found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	int r;

	r = documents_user(ctx, model->config.documents, mode, &document);
	if (r < 0)
		return r;
	if (document.age.stale)
		control_refresh_user(model);
	document.updated_ms = model->started_ms;
	return row_file_found(model, resource_user.files, &document, found);
}

static void add_status_json(struct model *model, struct buf *out)
{
	cleanup(json_free) struct json *root = status_json(model);

	json_pretty(root, out);
}

static int find(struct ctx *ctx, struct model *model, struct node *dir,
		enum control_name name, enum read_through_mode mode,
		struct found *found)
{
	struct buf text = BUF_INIT(0);

	switch (name) {
	case CONTROL_ACCOUNT:
		if (!documents_has_user(model->config.documents))
			return -ENOENT;
		return row_dir_found_row(ctx, model, dir, &resource_account,
					 scope_new("account", "", "", "", ""),
					 mode, found);
	case CONTROL_API:
		api_found(model, found);
		return 0;
	case CONTROL_README:
		buf_puts(&text, status_readme);
		found_text(model, &text, LONGEST_MS, found);
		return 0;
	case CONTROL_ERRORS:
		found_growing(model, &provider_errors, found);
		return 0;
	case CONTROL_EVENTS:
		found_growing(model, &provider_events, found);
		return 0;
	case CONTROL_REFRESH:
		found_refresh(model, found);
		return 0;
	case CONTROL_STATUS:
		status_text(model, &text);
		found_text(model, &text, MOMENT_MS, found);
		return 0;
	case CONTROL_STATUS_JSON:
		add_status_json(model, &text);
		found_text(model, &text, MOMENT_MS, found);
		return 0;
	case CONTROL_USER:
		return found_user(ctx, model, mode, found);
	case N_CONTROL_NAMES:
		break;
	}
	return -ENOENT;
}

/* Whether the name exists only if somebody is signed in as a user. */
static bool is_somebodys(enum control_name name)
{
	return name == CONTROL_ACCOUNT || name == CONTROL_USER;
}

static bool is_known(struct ctx *ctx, struct model *model, struct node *dir,
		     enum control_name name)
{
	struct found found = {0};
	bool known = find(ctx, model, dir, name, READ_CACHED, &found) == 0;

	if (known)
		provider_found_nothing(&found);
	return known;
}

static int control_lookup(struct ctx *ctx, struct model *model,
			  struct node *dir, const char *name,
			  struct found *ret_found)
{
	int r;

	for (size_t i = 0; i < N_CONTROL_NAMES; i++) {
		if (strcmp(name, names[i].name) != 0)
			continue;
		r = find(ctx, model, dir, (enum control_name)i, READ_THROUGH,
			 ret_found);
		if (r != -ENOENT)
			return r;
	}
	ret_found->left_ms = LONGEST_MS;
	return 0;
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	return find(piece->ctx, piece->model, piece->dir,
		    (enum control_name)name->tag, READ_CACHED, ret_found) == 0;
}

static const struct dirlist_ops ops_names = {.found = name_found};

static int control_open(struct ctx *ctx, struct model *model, struct node *dir,
			struct dirlist *, struct dirlist **ret_listing)
{
	struct dirlist *l = dirlist_new(&ops_names, NULL, 0);

	for (unsigned i = 0; i < N_CONTROL_NAMES; i++) {
		/* Names of a user are listed once it is known that there is
		 * one. */
		if (!is_somebodys((enum control_name)i) ||
		    is_known(ctx, model, dir, (enum control_name)i))
			dirlist_add(l, names[i].name, i + 1, names[i].type, i);
	}
	*ret_listing = dirlist_seal(l, MOMENT_MS);
	return 0;
}

static int control_attr(struct ctx *, struct model *, struct node *,
			int64_t *ret_left_ms, uint64_t *)
{
	*ret_left_ms = MOMENT_MS;
	return 0;
}

static int growing_attr(struct ctx *, struct model *model, struct node *node,
			int64_t *ret_left_ms, uint64_t *ret_size)
{
	struct growing_stat stat;

	*ret_left_ms = 0;
	/* An old generation that is forgotten keeps the length it had. */
	if (growing_stat_of(model, node->provider, node_version(node), &stat) ==
	    0)
		node_grow(model->nodes, node, stat.size, stat.mtime_ms);
	*ret_size = node_size(model->nodes, node);
	return 0;
}

static int growing_read_of(struct ctx *, struct model *model, struct node *node,
			   off_t offset, size_t n, struct model_data *ret_data)
{
	struct blob *blob = NULL;
	int r;

	r = node->provider == &provider_events
		    ? events_read(model->events, node_version(node), offset, n,
				  &blob)
		    : problems_read(model->problems, node_version(node), offset,
				    n, &blob);
	return r < 0 ? r : model_slice(blob, 0, n, ret_data);
}

/* ---- who the user is, in the background ---- */

static int ask_user(struct ctx *ctx, struct model *model)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	int r;

	if (!documents_has_user(model->config.documents))
		return documents_check_token(ctx, model->config.documents);
	r = documents_user(ctx, model->config.documents, READ_REFRESH,
			   &document);
	return r == -ENOENT ? 0 : r;
}

static int run_user(struct ctx *ctx, struct model *model,
		    const struct refresh_item *)
{
	const struct model_config *c = &model->config;
	int r = ask_user(ctx, model), told = model_promised(r);
	bool failed = r < 0 && r != -EINTR && !ctx->refused;

	/* The credential, which mount(8) did not wait for, is checked now. */
	if (c->check_behind && c->checked)
		c->checked(c->checked_arg, failed ? -told : 0,
			   ctx->sentence[0] ? ctx->sentence : strerror(-told));
	return r;
}

void control_refresh_user(struct model *model)
{
	static const struct refresh_work work = {"user", run_user};

	refresh_queue(model->refresh, &work, NULL, NULL, NULL);
}

/* ---- refresh/PATH/.now ---- */

static int refresh_git(struct ctx *ctx, struct model *model,
		       const char *workspace, const char *name,
		       const char *path, struct buf *said)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);
	struct node *ws = node_child(model->nodes, root, workspace);
	struct node *repo = ws ? node_child(model->nodes, ws, name) : NULL;
	int r = git_refresh_path(ctx, model, repo, workspace, name, path, said);

	node_unref(model->nodes, repo);
	node_unref(model->nodes, ws);
	node_unref(model->nodes, root);
	return r;
}

/* Of the files here only user.json can be asked for again. */
static int control_refresh(struct ctx *ctx, struct model *model, struct node *,
			   struct node *file, struct buf *said)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	bool other;
	int r;

	if (!file || strcmp(file->name, names[CONTROL_USER].name) != 0)
		return -ENOENT;
	r = documents_user(ctx, model->config.documents, READ_REFRESH,
			   &document);
	if (r < 0)
		return r;
	other = document.version != node_version(file);
	if (other)
		model_changed_entry(model, file->parent, file->name);
	buf_printf(said, "%s: %s\n", file->name,
		   other ? "updated" : "unchanged");
	return 0;
}

/* A path that is a row's directory or file, in a repository or elsewhere. */
static int refresh_place_now(struct ctx *ctx, struct model *model,
			     const char *path, struct buf *said)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);
	struct node *node = NULL, *dir;
	int r = model_resolve(ctx, model, root, path, &node);

	node_unref(model->nodes, root);
	if (r < 0)
		return r;
	/* A file is made of its directory's answer. */
	dir = S_ISDIR(node->mode) ? node : node->parent;
	r = dir->provider->refresh
		    ? dir->provider->refresh(ctx, model, dir,
					     dir == node ? NULL : node, said)
		    : -ENOENT;
	node_unref(model->nodes, node);
	return r;
}

/* Whether a path that git answers has also an index from REST: branches, tags,
 * or the index itself. */
static bool has_index(const char *rest)
{
	const struct resource *row =
		resource_find_row(resource_repository.rows, rest);
	const char *file = strchr(rest, '/');

	return row ? row->is_lazy
		   : file && (!strcmp(file, "/index.tsv") ||
			      !strcmp(file, "/index.json"));
}

int control_refresh_place(struct ctx *ctx, struct model *model,
			  const char *whole, struct buf *said)
{
	cleanup(free) char *workspace = mem_strdup(whole);
	char *name, *rest;
	int r;

	ctx->urgent = true;
	if (!*workspace)
		return hierarchy_refresh_root(ctx, model, said);
	name = strchr(workspace, '/');
	if (!name)
		return hierarchy_refresh_workspace(ctx, model, workspace, said);
	*name++ = '\0';
	if (workspace[0] == '.' || name[0] == '.')
		return refresh_place_now(ctx, model, whole, said);
	rest = strchr(name, '/');
	if (rest)
		*rest++ = '\0';
	if (rest && git_refresh_is_path(rest)) {
		r = refresh_git(ctx, model, workspace, name, rest, said);
		return r == 0 && has_index(rest)
			       ? refresh_place_now(ctx, model, whole, said)
			       : r;
	}
	if (rest && !resource_find_file(resource_repository.files, rest))
		return refresh_place_now(ctx, model, whole, said);
	r = hierarchy_refresh_repository(ctx, model, workspace, name, said);
	if (r < 0 || rest)
		return r;
	r = refresh_git(ctx, model, workspace, name, "tree", said);
	/* Of one that said just now that it has another name (or is gone) there
	 * is no tree: otherwise that word of it would not be heard. */
	return r == -ENOENT && hierarchy_is_gone(ctx, model, workspace, name)
		       ? 0
		       : r;
}

static int refresh_now(struct ctx *ctx, struct model *model, struct node *dir,
		       struct buf *said)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const struct node *top = dir;

	while (top->parent->provider == &provider_refresh)
		top = top->parent;
	node_path_below(dir, top, &path);
	return control_refresh_place(ctx, model, path.data ? path.data : "",
				     said);
}

static int refresh_lookup(struct ctx *ctx, struct model *model,
			  struct node *dir, const char *name,
			  struct found *ret_found)
{
	struct buf said = BUF_INIT(0);
	int r;

	if (strcmp(name, ".now") != 0) {
		found_refresh(model, ret_found);
		return 0;
	}
	r = refresh_now(ctx, model, dir, &said);
	if (r < 0) {
		buf_done(&said);
		return r;
	}
	/*
	 * The kernel must not keep the entry, although its lifetime is 0:
	 * 1. `cat .now`: the LOOKUP asks the service; the kernel keeps a
	 *    dentry.
	 * 2. `cat .now` again: the kernel revalidates its dentry by a LOOKUP,
	 *    which asks again. The answer has other bytes, so another inode,
	 *    and the kernel drops the dentry.
	 * 3. It then looks the name up anew: the service is asked a third time,
	 *    and the program reads that answer, "unchanged". Dropped now, the
	 *    dentry is not there in 2.: one LOOKUP, one question. The READ of
	 *    the text waits for that (model/dirs/snapshot).
	 */
	model_changed_entry(model, dir, ".now");
	text_clean_buf(&said, 0, "\n\t");
	found_text(model, &said, 0, ret_found);
	return 0;
}

const struct provider provider_control = {
	.name = "control",
	.refresh = control_refresh,
	.lookup = control_lookup,
	.open = control_open,
	.attr = control_attr,
};

static const struct provider provider_errors = {
	.name = "errors",
	.grows = true,
	.attr = growing_attr,
	.read = growing_read_of,
};

static const struct provider provider_events = {
	.name = "events",
	.grows = true,
	.attr = growing_attr,
	.read = growing_read_of,
};

static const struct provider provider_refresh = {
	.name = "refresh",
	.lookup = refresh_lookup,
	.open = provider_open_nothing,
};
