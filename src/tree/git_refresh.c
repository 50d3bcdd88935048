/*
 * tree/git_refresh: refresh/PATH/.now for what git answers: trees that somebody
 * has looked into, and the names of branches and tags.
 */
#include "tree/git_view.h"
#include "tree/refs.h"

static void say_nobody(const char *label, struct buf *said)
{
	buf_printf(said, "%s: nobody has looked inside yet\n", label);
}

static int refresh_tree(struct ctx *ctx, struct model *model, struct node *tree,
			const char *label, struct buf *said)
{
	struct oid before, after;
	char a[41], b[41];
	bool had, has, moved = false;
	int r;

	if (!git_view_is_shown(tree)) {
		say_nobody(label, said);
		return 0;
	}
	had = git_view_commit(tree, &before);
	r = git_view_check(ctx, model, tree, 0, &moved);
	has = git_view_commit(tree, &after);
	if (r == 0 && moved)
		buf_printf(said, "%s: %.12s -> %.12s\n", label,
			   had ? oid_hex(&before, a) : "empty",
			   has ? oid_hex(&after, b) : "empty");
	else if (r == 0)
		buf_printf(said, "%s: unchanged, commit %.12s\n", label,
			   has ? oid_hex(&after, b) : "none");
	return r;
}

/* The node of the path, as far as the kernel knows it, or the tree on the way;
 * *ret_rest: what of the path is left. */
static struct node *walk(struct model *model, struct node *from, char *path,
			 char **ret_rest)
{
	struct node *node = node_ref(model->nodes, from), *child;

	while (*path && node->what.provider != &provider_tree) {
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

static bool begins(const char *path, const char *part)
{
	size_t n = strlen(part);

	return strncmp(path, part, n) == 0 && (!path[n] || path[n] == '/');
}

bool git_is_path(const char *path)
{
	return begins(path, "tree") || begins(path, "branches") ||
	       begins(path, "tags");
}

int git_refresh_path(struct ctx *ctx, struct model *model,
		     struct node *repository, const char *path,
		     struct buf *said)
{
	cleanup(free) char *label = xstrdup(path);
	struct node *node, *top;
	char *rest;
	int r = 0;

	if (!repository) {
		say_nobody(path, said);
		return 0;
	}
	node = walk(model, repository, label, &rest);
	/* An index is beside the names. */
	top = refs_top(S_ISDIR(node->what.mode) ? node : node->parent);
	if (node->what.provider == &provider_tree) {
		if (*rest && rest > label)
			rest[-1] = '\0';
		r = refresh_tree(ctx, model, node, label, said);
	} else if (top != repository && refs_is_shown(model, top)) {
		r = refs_check(ctx, model, top, 0, said);
	} else {
		say_nobody(path, said);
	}
	node_unref(model->nodes, node);
	return r;
}
