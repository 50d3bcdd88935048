/*
 * model/git/checkout_submodule, links: to the place of the submodule's files in
 * the mount, if that is known by what is at hand.
 *
 * One level deep: such a link leads into commits/ID/tree, and in a tree that is
 * named by a commit there are none, so whoever follows links meets no chain
 * (src/model/README.md, 1).
 */
#include "model/git/checkout_submodule.h"

#include "model/git/checkout.h"

#include "base/hash.h"

struct submodule_links *
checkout_submodule_links_free(struct submodule_links *all)
{
	if (!all)
		return NULL;
	for (size_t i = 0; i < all->n; i++)
		free(all->links[i].target);
	free(all->links);
	free(all);
	return NULL;
}

/* By way of the mount's root. */
static char *target_of(const struct node *dir, const struct clone_submodule *s,
		       const struct oid *commit)
{
	struct buf target = BUF_INIT(4 * KIB);

	for (; dir->parent; dir = dir->parent)
		buf_puts(&target, "../");
	checkout_submodule_place(s, commit, &target);
	return target.failed ? (buf_done(&target), NULL)
			     : buf_steal(&target, NULL);
}

static void add(struct model *model, struct node *dir, struct node *tree,
		const struct clone_submodules *all, const struct tree_entry *e,
		size_t index, struct submodule_links *links, size_t *room)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const struct clone_submodule *s;
	char *target;

	node_path_below(dir, tree, &path);
	buf_printf(&path, "%s%s", path.len ? "/" : "", e->name);
	s = path.failed ? NULL : clone_submodules_find(all, path.data);
	if (!s || !s->slug ||
	    !documents_knows_repository(model->config.documents, s->workspace,
					s->slug))
		return;
	target = target_of(dir, s, &e->oid);
	if (!target)
		return;
	mem_grow(links->links, links->n, *room);
	links->links[links->n++] = (struct submodule_link){index, target};
}

bool checkout_submodule_is_any(const struct tree_list *list)
{
	for (size_t i = 0; i < list->n_entries; i++)
		if (tree_list_entry(list, i)->kind == TREE_SUBMODULE)
			return true;
	return false;
}

struct submodule_links *
checkout_submodule_links(struct ctx *ctx, struct model *model, struct node *dir,
			 struct node *tree, const struct tree_list *list,
			 const struct tree_entry *only)
{
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;
	cleanup(checkout_submodule_links_free) struct submodule_links *links =
		NULL;
	size_t room = 0;

	if (model->config.submodules != MODEL_SUBMODULES_LINK ||
	    node_checkout(tree)->fixed || !checkout_submodule_is_any(list))
		return NULL;
	if (checkout_submodule_all(ctx, model, tree, false, &all) < 0) {
		ctx->sentence[0] = '\0';
		return NULL;
	}
	links = mem_calloc(1, sizeof(*links));
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if (e->kind == TREE_SUBMODULE && (!only || e == only))
			add(model, dir, tree, all, e, i, links, &room);
	}
	return links->n ? steal(&links) : NULL;
}

bool checkout_submodule_links_same(const struct submodule_links *a,
				   const struct submodule_links *b)
{
	if (!a || !b || a->n != b->n)
		return a == b;
	for (size_t i = 0; i < a->n; i++)
		if (a->links[i].index != b->links[i].index ||
		    strcmp(a->links[i].target, b->links[i].target) != 0)
			return false;
	return true;
}

uint64_t checkout_submodule_links_version(const struct submodule_links *all,
					  uint64_t version)
{
	for (size_t i = 0; all && i < all->n; i++)
		version = hash_text(version, all->links[i].target);
	return version;
}

static int by_index(const void *a, const void *b)
{
	const struct submodule_link *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

const char *checkout_submodule_link_at(const struct submodule_links *all,
				       size_t index)
{
	const struct submodule_link key = {.index = index}, *found = NULL;

	if (all)
		found = bsearch(&key, all->links, all->n, sizeof(key),
				by_index);
	return found ? found->target : NULL;
}
