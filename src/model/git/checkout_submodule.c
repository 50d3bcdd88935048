/*
 * model/git/checkout_submodule: a submodule as a directory of its files.
 *
 * Its node is one of provider_tree in the tree around it, so that all that is
 * below is as in any tree at a commit. Whose commit it is, is found out when
 * somebody looks inside, so that a listing of a thousand submodules asks for
 * none.
 *
 * A circle of submodules there cannot be, for a commit's id is a hash of what
 * it names; a repository may well be a submodule of itself at an older commit
 * (its pages, often), and is shown as git shows it. How deep they may lie in
 * one another is bounded.
 */
#include "model/git/checkout_submodule.h"

#include "model/dirs/row_dir.h"
#include "model/dirs/row_file.h"
#include "model/git/checkout.h"
#include "model/git/checkout_submodule_table.h"

/* ---- what a commit says of them ---- */

static struct clone_submodules *kept(struct checkout *checkout,
				     const struct oid *blob)
{
	struct clone_submodules *all = NULL;

	mutex_lock(&checkout->lock);
	if (checkout->submodules && oid_equal(&checkout->submodules_blob, blob))
		all = clone_submodules_ref(checkout->submodules);
	mutex_unlock(&checkout->lock);
	return all;
}

static void keep(struct checkout *checkout, const struct oid *blob,
		 struct clone_submodules *all)
{
	struct clone_submodules *former;

	mutex_lock(&checkout->lock);
	former = checkout->submodules;
	checkout->submodules = clone_submodules_ref(all);
	checkout->submodules_blob = *blob;
	mutex_unlock(&checkout->lock);
	clone_submodules_unref(former);
}

static int bring(struct ctx *ctx, struct model *model, struct node *tree,
		 enum clone_need_kind kind, const struct oid *oid)
{
	const struct clone_need need = {.kind = kind, .oid = *oid};

	return checkout_bring(ctx, model, tree, &need);
}

static int find_blob(struct ctx *ctx, struct model *model, struct node *tree,
		     bool local, struct oid *ret_blob)
{
	struct clone *clone = node_checkout(tree)->clone;
	struct oid root = node_oid(model->nodes, tree);
	int r = clone_gitmodules(ctx, clone, &root, ret_blob);

	if (r == -ENOENT && !local) {
		r = bring(ctx, model, tree, CLONE_NEED_TREE, &root);
		if (r >= 0)
			r = clone_gitmodules(ctx, clone, &root, ret_blob);
	}
	return r;
}

static int read_all(struct ctx *ctx, struct model *model, struct node *tree,
		    bool local, const struct oid *blob,
		    struct clone_submodules **ret)
{
	struct clone *clone = node_checkout(tree)->clone;
	int r = clone_read_submodules(ctx, clone, blob, ret);

	if (r == -ENOENT && !local) {
		r = bring(ctx, model, tree, CLONE_NEED_BLOB, blob);
		if (r >= 0)
			r = clone_read_submodules(ctx, clone, blob, ret);
	}
	return r;
}

int checkout_submodule_all(struct ctx *ctx, struct model *model,
			   struct node *tree, bool local,
			   struct clone_submodules **ret)
{
	struct checkout *checkout = node_checkout(tree);
	struct clone_submodules *all;
	struct oid blob;
	int r = checkout_is_shown(tree) && checkout->clone ? 0 : -ENOENT;

	if (r == 0)
		r = find_blob(ctx, model, tree, local, &blob);
	if (r < 0)
		return r;
	all = kept(checkout, &blob);
	if (!all) {
		r = read_all(ctx, model, tree, local, &blob, &all);
		if (r < 0)
			return r;
		keep(checkout, &blob, all);
	}
	*ret = all;
	return 0;
}

/* ---- a directory ---- */

void checkout_submodule_found(const struct model *model,
			      const struct oid *commit, const char *link,
			      int64_t mtime_ms, struct found *ret_found)
{
	/* It becomes a link when its repository becomes known. */
	int64_t left_ms = model->config.submodules == MODEL_SUBMODULES_LINK
				  ? UNKNOWN_MS
				  : LONGEST_MS;

	if (link)
		row_dir_found_link(link, mtime_ms, LONGEST_MS, ret_found);
	else if (model->config.submodules == MODEL_SUBMODULES_TREE)
		checkout_found(checkout_new_submodule(commit, mtime_ms),
			       mtime_ms, LONGEST_MS, ret_found);
	else
		provider_found_dir(ret_found, &provider_git, mtime_ms, left_ms,
				   NULL);
}

static struct node *tree_around(const struct node *tree)
{
	struct node *node = tree->parent;

	while (node->provider != &provider_tree)
		node = node->parent;
	return node;
}

static bool is_too_deep(const struct node *tree)
{
	unsigned depth = 0;

	while (node_checkout(tree)->is_submodule) {
		tree = tree_around(tree);
		depth++;
	}
	return depth > SUBMODULE_DEPTH;
}

static void say(struct model *model, const struct node *tree,
		const char *sentence)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	node_path(tree, &path);
	if (!path.failed)
		model_say(model, path.data, 0, sentence);
}

/* Why there are no files to show; NULL: there are, or an error will say. */
static char *why_nothing(const struct node *tree,
			 const struct clone_submodule *s)
{
	if (is_too_deep(tree))
		return mem_asprintf("More than %u submodules lie in one "
				    "another here: this directory is shown "
				    "empty.",
				    SUBMODULE_DEPTH);
	if (!s)
		return mem_strdup("The commit's .gitmodules does not say where "
				  "this submodule is: its directory is empty.");
	if (!s->slug)
		return mem_asprintf("This submodule is no repository of this "
				    "service (%.200s): its directory is "
				    "empty.",
				    s->url);
	return NULL;
}

static void set(struct checkout *checkout, struct clone *clone)
{
	struct clone *other = NULL;

	mutex_lock(&checkout->lock);
	if (!clone)
		checkout->is_nothing = true;
	else if (!checkout->clone)
		checkout->clone = clone;
	else
		other = clone;
	mutex_unlock(&checkout->lock);
	clone_unref(other);
}

static int open_repository(struct ctx *ctx, struct model *model,
			   struct checkout *checkout,
			   const struct clone_submodule *s)
{
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	struct answer_age age = {0};
	struct clone *clone = NULL;
	int r = documents_find_repository(ctx, model->config.documents,
					  s->workspace, s->slug, &found, &age);

	/* The service says the same of one that may not be read. */
	if (r == -ENOENT)
		return ctx_fail(ctx, -EACCES,
				"This submodule is %s/%s, which does not "
				"exist, or is not for this account to read.",
				s->workspace, s->slug);
	if (r < 0)
		return r;
	r = clone_open(model->config.clones, found.uuid, s->workspace,
		       found.slug, NULL, &clone);
	if (r == 0)
		set(checkout, clone);
	return r;
}

int checkout_submodule_enter(struct ctx *ctx, struct model *model,
			     struct node *tree)
{
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct checkout *checkout = node_checkout(tree);
	struct node *around = tree_around(tree);
	const struct clone_submodule *s;
	cleanup(free) char *why = NULL;
	int r;

	if (mutex_with(&checkout->lock,
		       checkout->clone || checkout->is_nothing))
		return 0;
	r = checkout_submodule_all(ctx, model, around, false, &all);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	node_path_below(tree, around, &path);
	s = path.failed ? NULL : clone_submodules_find(all, path.data);
	why = why_nothing(tree, s);
	if (!why)
		return open_repository(ctx, model, checkout, s);
	say(model, tree, why);
	set(checkout, NULL);
	return 0;
}

int checkout_submodule_get(struct ctx *ctx, struct model *model,
			   struct node *tree, struct clone_head *ret_head)
{
	struct checkout *checkout = node_checkout(tree);
	int r = checkout_submodule_enter(ctx, model, tree);

	if (r < 0)
		return r;
	if (mutex_with(&checkout->lock, checkout->is_nothing)) {
		*ret_head = (struct clone_head){.empty = true};
		return 0;
	}
	return checkout_fixed_get(ctx, model, checkout, ret_head);
}

/* All of it has the time at which the tree around it got that commit: with the
 * commit's own, a submodule that goes back would have files that are older than
 * those before (src/model/README.md, 4). */
int checkout_submodule_known(struct checkout *checkout, struct clone_head *head)
{
	struct clone *clone;
	struct oid id;
	bool is_nothing;
	int r = 0;

	mutex_lock(&checkout->lock);
	clone = checkout->clone;
	is_nothing = checkout->is_nothing;
	mutex_unlock(&checkout->lock);
	if (is_nothing)
		*head = (struct clone_head){.empty = true};
	else if (clone && checkout_fixed_known_id(checkout, &id))
		r = clone_known_commit(clone, &id, head);
	else
		r = -ENOENT;
	head->time_s = atomic_load(&checkout->time_s);
	return r;
}

/* ---- another commit ---- */

struct moved {
	struct model *model;
	struct checkout *checkout;
};

/* Directories and links; an empty directory of -o submodules=link is looked up
 * again soon. */
static void drop(void *arg, struct node *node)
{
	const struct moved *moved = arg;

	if (!node->parent || node_checkout(node->parent) != moved->checkout ||
	    !node_is_linked(moved->model->nodes, node))
		return;
	model_drop_child(moved->model, node->parent, node->name);
	/* In the kernel's copy it may have another type. */
	model_changed_inode(moved->model, node->parent, true);
}

/* An address may lead elsewhere now, where one led nowhere before. */
static void drop_all(struct model *model, struct node *tree)
{
	struct moved moved = {model, node_checkout(tree)};

	node_each(model->nodes, &provider_tree, drop, &moved);
	node_each(model->nodes, &provider_link, drop, &moved);
}

void checkout_submodule_moved(struct model *model, struct node *tree,
			      const struct oid *from, const struct oid *to)
{
	struct checkout *checkout = node_checkout(tree);
	struct oid was = oid_none, is = oid_none;

	if (!checkout->clone)
		return;
	if (from)
		(void)clone_gitmodules(NULL, checkout->clone, from, &was);
	(void)clone_gitmodules(NULL, checkout->clone, to, &is);
	if (oid_is_none(&was) && oid_is_none(&is))
		return;
	if (from && !oid_equal(&was, &is) &&
	    model->config.submodules != MODEL_SUBMODULES_OFF)
		drop_all(model, tree);
	checkout_submodule_table_moved(
		model, tree, !from || oid_is_none(&was) != oid_is_none(&is));
}

/* ---- for people ---- */

void checkout_submodule_place(const struct clone_submodule *s,
			      const struct oid *commit, struct buf *out)
{
	char hex[41];

	if (s->slug)
		buf_printf(out, "%s/%s/commits/%s/tree", s->workspace, s->slug,
			   oid_hex(commit, hex));
}
