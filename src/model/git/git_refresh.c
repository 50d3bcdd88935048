/*
 * model/git/git_refresh: refresh/PATH/.now for what git answers: trees that
 * somebody has looked into, and the names of branches and tags.
 */
#include "model/git/git_refresh.h"

#include "model/git/checkout.h"
#include "model/git/refs.h"

static bool begins(const char *path, const char *part)
{
	size_t n = strlen(part);

	return strncmp(path, part, n) == 0 && (!path[n] || path[n] == '/');
}

static void say_nobody(const char *label, struct buf *said)
{
	buf_printf(said, "%s: nobody has looked inside yet\n", label);
}

static void say_moved(const char *label, const struct oid *before,
		      const struct oid *after, struct buf *said)
{
	char a[41], b[41];

	buf_printf(said, "%s: %.12s -> %.12s\n", label,
		   before ? oid_hex(before, a) : "empty",
		   after ? oid_hex(after, b) : "empty");
}

/* Nobody has looked inside in this mount, but an earlier one left a head: the
 * next look would show that as long as it is young enough, so it is asked for.
 */
static int refresh_head(struct ctx *ctx, struct clone *clone, const char *label,
			struct buf *said)
{
	struct clone_tracking *tracking = clone_tracking(clone, NULL);
	struct clone_head before, after;
	char hex[41];
	int r;

	if (clone_tracking_known(tracking, &before) < 0) {
		say_nobody(label, said);
		return 0;
	}
	r = clone_tracking_get(ctx, tracking, 0, &after);
	if (r < 0)
		return r;
	if (before.empty != after.empty ||
	    !oid_equal(&before.commit, &after.commit))
		say_moved(label, before.empty ? NULL : &before.commit,
			  after.empty ? NULL : &after.commit, said);
	else
		buf_printf(said, "%s: unchanged, commit %.12s\n", label,
			   after.empty ? "none" : oid_hex(&after.commit, hex));
	return 0;
}

/* The same for branches and tags. One question brings the tips of all refs. */
static int refresh_names(struct ctx *ctx, struct clone *clone,
			 const char *label, struct buf *said)
{
	cleanup(clone_refs_unref) struct clone_refs *before = NULL,
						    *after = NULL;
	int r;

	if (clone_known_refs(clone, &before) < 0) {
		say_nobody(label, said);
		return 0;
	}
	r = clone_get_refs(ctx, clone, 0, &after);
	if (r < 0)
		return r;
	buf_printf(said, "%s: %s\n", label,
		   before->version == after->version ? "unchanged" : "updated");
	return 0;
}

/* The kernel knows no node of the path, but the cache may have an answer. */
static int refresh_unseen(struct ctx *ctx, struct model *model,
			  const char *workspace, const char *name,
			  const char *path, struct buf *said)
{
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	cleanup(clone_unref) struct clone *clone = NULL;
	struct answer_age age = {0};
	int r = documents_find_repository(ctx, model->config.documents,
					  workspace, name, &found, &age);

	if (r < 0)
		return r;
	r = clone_open(model->config.clones, found.uuid, workspace, found.slug,
		       NULL, &clone);
	if (r < 0)
		return r;
	return begins(path, "tree") ? refresh_head(ctx, clone, "tree", said)
				    : refresh_names(ctx, clone, path, said);
}

static int refresh_tree(struct ctx *ctx, struct model *model, struct node *tree,
			const char *label, struct buf *said)
{
	struct oid before, after;
	char hex[41];
	bool had, has, moved = false;
	int r;

	had = checkout_commit(tree, &before);
	r = checkout_check(ctx, model, tree, 0, &moved);
	has = checkout_commit(tree, &after);
	if (r == 0 && moved)
		say_moved(label, had ? &before : NULL, has ? &after : NULL,
			  said);
	else if (r == 0)
		buf_printf(said, "%s: unchanged, commit %.12s\n", label,
			   has ? oid_hex(&after, hex) : "none");
	return r;
}

/* The node of the path, or as far down as the kernel knows it, or the tree on
 * the way; *ret_rest: the part of the path that is left. */
static struct node *walk(struct model *model, struct node *from, char *path,
			 char **ret_rest)
{
	struct node *node = node_ref(model->nodes, from), *child;

	while (*path && node->provider->kind != PROVIDER_CHECKOUT) {
		size_t n = strcspn(path, "/");
		char end = path[n];

		path[n] = '\0';
		child = node_child(model->nodes, node, path);
		path[n] = end;
		if (!child)
			break;
		node_unref(model->nodes, node);
		node = child;
		path += n + (end == '/');
	}
	*ret_rest = path;
	return node;
}

bool git_refresh_is_path(const char *path)
{
	return begins(path, "tree") || begins(path, "branches") ||
	       begins(path, "tags");
}

int git_refresh_path(struct ctx *ctx, struct model *model,
		     struct node *repository, const char *workspace,
		     const char *name, const char *path, struct buf *said)
{
	cleanup(free) char *label = mem_strdup(path);
	struct node *node, *top;
	char *rest;
	int r = 0;

	if (!repository)
		return refresh_unseen(ctx, model, workspace, name, path, said);
	node = walk(model, repository, label, &rest);
	/* A file among the names is the collection's index. */
	top = refs_top(S_ISDIR(node->mode) ? node : node->parent);
	if (node->provider->kind == PROVIDER_CHECKOUT &&
	    checkout_is_shown(node)) {
		if (*rest && rest > label)
			rest[-1] = '\0';
		r = refresh_tree(ctx, model, node, label, said);
	} else if (top != repository && refs_is_shown(model, top)) {
		r = refs_check(ctx, model, top, 0, said);
	} else {
		r = refresh_unseen(ctx, model, workspace, name, path, said);
	}
	node_unref(model->nodes, node);
	return r;
}
