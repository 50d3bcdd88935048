/*
 * model/git/checkout_submodule_table: submodules.tsv, and the same of one
 * place.
 *
 * Only what .gitmodules names is looked for in the tree: to find what it does
 * not name all trees would have to be read.
 */
#include "model/git/checkout_submodule_table.h"

#include "model/dirs/snapshot.h"
#include "model/git/checkout.h"
#include "model/git/checkout_submodule.h"
#include "model/repository.h"

#include "base/text.h"

#define FILE_NAME "submodules.tsv"
#define COOKIE (ROW_DIR_FIRST_ITEM + 1)
#define TEXT_MAX (16 * MIB)

/* A commit whose submodules are told. */
struct telling {
	struct ctx *ctx;
	struct clone *clone;
	struct clone_head head;
	bool local; /* nothing is brought */
};

static bool may_bring(const struct telling *t, int r, enum clone_need_kind kind,
		      const struct oid *oid)
{
	const struct clone_need need = {.kind = kind, .oid = *oid};

	return r == -ENOENT && !t->local &&
	       clone_bring(t->ctx, t->clone, &t->head.commit, &need, NULL, 0) >=
		       0;
}

static int read_tree(const struct telling *t, const struct oid *oid,
		     struct tree_list **ret)
{
	int r = clone_read_tree(t->ctx, t->clone, oid, ret);

	return may_bring(t, r, CLONE_NEED_TREE, oid)
		       ? clone_read_tree(t->ctx, t->clone, oid, ret)
		       : r;
}

/* The commit at that path; oid_none: there is no submodule. */
static int find_commit(const struct telling *t, const char *path,
		       struct oid *ret_commit)
{
	struct oid dir = t->head.tree;
	char name[256];

	*ret_commit = oid_none;
	for (;;) {
		cleanup(tree_list_unref) struct tree_list *list = NULL;
		const struct tree_entry *e;
		size_t n = strcspn(path, "/");
		int r = read_tree(t, &dir, &list);

		if (r < 0)
			return r;
		if (n >= sizeof(name))
			return 0;
		memcpy(name, path, n);
		name[n] = '\0';
		e = tree_list_find(list, name);
		if (!path[n] && e && e->kind == TREE_SUBMODULE)
			*ret_commit = e->oid;
		if (!path[n] || !e || e->kind != TREE_DIRECTORY)
			return 0;
		dir = e->oid;
		path += n + 1;
	}
}

static void add_line(const struct clone_submodule *s, const struct oid *commit,
		     struct buf *out)
{
	cleanup(buf_done) struct buf place = BUF_INIT(4 * KIB);
	char hex[41];

	checkout_submodule_place(s, commit, &place);
	text_tsv_value(out, s->path);
	buf_putc(out, '\t');
	text_tsv_value(out, s->url);
	buf_printf(out, "\t%s\t%s\n", oid_hex(commit, hex),
		   place.len ? place.data : "");
}

/* How many there are, or -errno. */
static int tell(const struct telling *t, struct buf *out)
{
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;
	struct oid blob, commit;
	int n = 0, r;

	r = t->head.empty
		    ? -ENOENT
		    : clone_gitmodules(t->ctx, t->clone, &t->head.tree, &blob);
	if (may_bring(t, r, CLONE_NEED_TREE, &t->head.tree))
		r = clone_gitmodules(t->ctx, t->clone, &t->head.tree, &blob);
	if (r == 0)
		r = clone_read_submodules(t->ctx, t->clone, &blob, &all);
	if (may_bring(t, r, CLONE_NEED_BLOB, &blob))
		r = clone_read_submodules(t->ctx, t->clone, &blob, &all);
	buf_puts(out, "path\turl\tcommit\tplace\n");
	for (size_t i = 0; r == 0 && i < all->n_items; i++) {
		r = find_commit(t, all->items[i].path, &commit);
		if (r < 0 || oid_is_none(&commit))
			continue;
		add_line(&all->items[i], &commit, out);
		n++;
	}
	if (r == 0 && out->failed)
		r = -EFBIG;
	return r < 0 ? r : n;
}

/* ---- of a repository's default branch ---- */

/* What is known of it, of an earlier mount perhaps. Nothing is asked, and no
 * store made. */
static int known(struct model *model, struct node *dir, struct telling *t,
		 struct clone **ret_clone)
{
	int r = repository_clone(model, dir, ret_clone);

	if (r < 0)
		return r;
	t->clone = *ret_clone;
	if (!clone_has_store(t->clone))
		return -ENOENT;
	return clone_tracking_known(clone_tracking(t->clone, NULL), &t->head);
}

/* The default branch is brought, as by a look into tree/. */
static int look_inside(struct ctx *ctx, struct model *model, struct node *dir)
{
	struct node *tree;
	int r = model_resolve(ctx, model, dir, "tree", &tree);

	if (r < 0)
		return r;
	r = checkout_ensure(ctx, model, tree);
	node_unref(model->nodes, tree);
	return r;
}

static bool is_followed(struct model *model, struct node *dir)
{
	struct node *tree = node_child(model->nodes, dir, "tree");
	bool is = tree && checkout_is_shown(tree);

	node_unref(model->nodes, tree);
	return is;
}

static int64_t time_of(const struct telling *t)
{
	struct clone_tracking *tracking = clone_tracking(t->clone, NULL);
	int64_t time_s;

	if (clone_has_path_times(tracking, &time_s))
		time_s = clone_path_time(tracking, "", &t->head.tree);
	return time_s * 1000;
}

int checkout_submodule_table_lookup(struct ctx *ctx, struct model *model,
				    struct node *dir, const char *name,
				    struct found *ret_found)
{
	cleanup(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	cleanup(clone_unref) struct clone *clone = NULL;
	struct telling t = {.ctx = ctx};
	int r;

	if (strcmp(name, FILE_NAME) != 0)
		return 0;
	r = known(model, dir, &t, &clone);
	if (r == -ENOENT) {
		clone_unref(clone);
		clone = NULL;
		r = look_inside(ctx, model, dir);
		if (r == 0)
			r = known(model, dir, &t, &clone);
	}
	if (r == 0)
		r = tell(&t, &text);
	if (r < 0 && r != -ENOENT)
		return r;
	ret_found->left_ms = is_followed(model, dir) ? LONGEST_MS : UNKNOWN_MS;
	if (r <= 0)
		return 0;
	snapshot_found(model, blob_new(text.data, text.len), ret_found->left_ms,
		       ret_found);
	ret_found->what.mtime_ms = time_of(&t);
	return 0;
}

int checkout_submodule_table_open(struct ctx *ctx, struct model *model,
				  struct node *dir, struct row_dir_names *,
				  const struct row_dir_names *,
				  struct dirlist *l)
{
	cleanup(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	cleanup(clone_unref) struct clone *clone = NULL;
	struct telling t = {.ctx = ctx, .local = true};

	if (known(model, dir, &t, &clone) == 0 && tell(&t, &text) > 0)
		dirlist_add(l, FILE_NAME, COOKIE, S_IFREG, ROW_DIR_TAG_SPECIAL);
	ctx->sentence[0] = '\0';
	return 0;
}

void checkout_submodule_table_moved(struct model *model, struct node *tree,
				    bool appears)
{
	const struct checkout *checkout = node_checkout(tree);

	if (checkout->ref || checkout->fixed)
		return;
	model_drop_child(model, tree->parent, FILE_NAME);
	if (appears)
		model_changed_inode(model, tree->parent, true);
}

/* ---- of a path ---- */

/* A submodule on the way of a path: the tree that has it, and its entry. */
struct passed {
	struct node *tree; /* a reference; NULL: there was none */
	char *path;
	struct oid commit;
};

static void passed_done(struct model *model, struct passed *passed)
{
	node_unref(model->nodes, passed->tree);
	free(passed->path);
}

static void pass(struct ctx *ctx, struct model *model, struct node *dir,
		 const char *name, struct passed *passed)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct oid oid = node_oid(model->nodes, dir);
	const struct tree_entry *e;
	struct node *tree = dir;

	if (dir->provider != &provider_tree && dir->provider != &provider_git)
		return;
	if (oid_is_none(&oid) ||
	    clone_read_tree(ctx, node_checkout(dir)->clone, &oid, &list) < 0)
		return;
	e = tree_list_find(list, name);
	if (!e || e->kind != TREE_SUBMODULE)
		return;
	while (tree->provider != &provider_tree)
		tree = tree->parent;
	node_path_below(dir, tree, &path);
	buf_printf(&path, "%s%s", path.len ? "/" : "", name);
	passed_done(model, passed);
	*passed = (struct passed){
		.tree = node_ref(model->nodes, tree),
		.path = buf_steal(&path, NULL),
		.commit = e->oid,
	};
}

static int go(struct ctx *ctx, struct model *model, const char *path,
	      struct passed *passed)
{
	cleanup(free) char *copy = mem_strdup(path);
	struct node *node = node_get(model->nodes, NODE_ROOT_INO), *next;
	int r = 0;

	for (char *rest = copy, *part; r == 0 && (part = strsep(&rest, "/"));) {
		if (!*part)
			continue;
		r = model_resolve(ctx, model, node, part, &next);
		if (r < 0)
			break;
		pass(ctx, model, node, part, passed);
		node_unref(model->nodes, node);
		node = next;
	}
	node_unref(model->nodes, node);
	return r;
}

static int say(struct ctx *ctx, struct model *model,
	       const struct passed *passed, struct buf *out)
{
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;
	cleanup(buf_done) struct buf place = BUF_INIT(4 * KIB);
	const struct clone_submodule *s;
	char hex[41];
	int r = checkout_submodule_all(ctx, model, passed->tree, false, &all);

	if (r < 0)
		return r;
	s = clone_submodules_find(all, passed->path);
	if (s)
		checkout_submodule_place(s, &passed->commit, &place);
	text_info_line(out, "url", s && *s->url ? s->url : NULL);
	text_info_line(out, "commit", oid_hex(&passed->commit, hex));
	if (place.len)
		buf_printf(out, "place: %s/%s\n", model->config.mountpoint,
			   place.data);
	return 0;
}

int checkout_submodule_table_say(struct ctx *ctx, struct model *model,
				 const char *path, struct buf *out)
{
	struct passed passed = {0};
	int r = go(ctx, model, path, &passed);

	if (r == 0 && !passed.tree)
		r = ctx_fail(ctx, -EINVAL, "This is in no submodule.");
	if (r == 0)
		r = say(ctx, model, &passed, out);
	passed_done(model, &passed);
	return r;
}
