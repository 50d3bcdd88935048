/*
 * model/git/refs: where the name of a ref ends in a path. Names are looked up
 * as the kernel does it, so at most one ls-refs is asked, and nothing fetched.
 */
#include "model/git/checkout.h"
#include "model/git/refs.h"

/* The refs's commit by the names that are known. */
static int commit_of(struct model *model, struct node *tree,
		     char hex[static 41])
{
	static const char *const prefixes[CLONE_REF_KINDS] = {
		[CLONE_BRANCHES] = "refs/heads/",
		[CLONE_TAGS] = "refs/tags/",
	};
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	const struct checkout *checkout = node_data(tree);
	const char *ref = checkout->ref;
	size_t index;
	int r = ref ? refs_known(model, refs_top(tree->parent), &refs)
		    : -ENOENT;

	for (unsigned i = 0; r == 0 && i < CLONE_REF_KINDS; i++) {
		size_t n = strlen(prefixes[i]);
		struct oid commit;

		if (strncmp(ref, prefixes[i], n) != 0 ||
		    refs_find(refs, i, ref + n, strlen(ref + n), &index) !=
			    REFS_LEAF)
			continue;
		commit = clone_refs_commit(refs, i, index);
		oid_hex(&commit, hex);
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

int refs_place(struct ctx *ctx, struct model *model, const char *path,
	       size_t *ret_parts, char hex[static 41])
{
	cleanup(free) char *copy = mem_strdup(path);
	struct node *node = node_get(model->nodes, NODE_ROOT_INO), *next;
	size_t n = 0;
	int r = 0;

	for (char *rest = copy, *part; r == 0 && (part = strsep(&rest, "/"));
	     n++) {
		if (node->provider->kind == PROVIDER_CHECKOUT)
			break;
		next = NULL;
		r = model_resolve(ctx, model, node, part, &next);
		if (r == 0) {
			node_unref(model->nodes, node);
			node = next;
		}
	}
	if (r == 0)
		r = node->provider->kind == PROVIDER_CHECKOUT
			    ? commit_of(model, node, hex)
			    : -ENOENT;
	node_unref(model->nodes, node);
	if (r == 0)
		*ret_parts = n;
	return r;
}
