/*
 * model/git/checkout, bringing: what of a tree that is shown is not here.
 */
#include "model/git/checkout.h"

#include "base/clock.h"

/* A ref that leads where it did is not asked for again for each file. */
#define LOST_EVERY_MS (60 * 1000)

static int ask(struct ctx *ctx, struct model *model,
	       const struct refresh_item *item)
{
	return checkout_check(ctx, model, item->node, 0, NULL);
}

/* The server has lost what the ref led to, so it leads elsewhere by now. */
static void ask_for_ref(struct ctx *ctx, struct model *model, struct node *tree)
{
	static const struct refresh_work work = {"lost", ask};
	struct checkout *checkout = node_checkout(tree);
	int64_t now = clock_mono_ms(), before = atomic_load(&checkout->lost_ms);

	if ((before && now - before < LOST_EVERY_MS) || ctx_is_barred(ctx))
		return;
	atomic_store(&checkout->lost_ms, now);
	refresh_queue(model->refresh, &work, NULL, NULL, tree);
}

int checkout_bring_lacking(struct ctx *ctx, struct model *model,
			   struct node *tree, const struct clone_need *need)
{
	struct checkout *checkout = node_checkout(tree);
	struct oid commit;
	int r;

	if (!checkout_commit(tree, &commit))
		return 0;
	if (checkout->fixed)
		return checkout_fixed_bring(ctx, checkout, &commit, need);
	r = clone_bring(ctx, checkout->clone, &commit, need, NULL, 0);
	if (r == -ENODATA)
		ask_for_ref(ctx, model, tree);
	return r;
}

uint64_t checkout_room(struct model *model)
{
	uint64_t used, most = UINT64_MAX;

	if (model->config.cache_use)
		model->config.cache_use(model->config.cache_use_arg, &used,
					&most);
	return most == UINT64_MAX ? 0 : most / 4 * 3;
}

int checkout_bring_all(struct ctx *ctx, struct model *model, struct node *tree,
		       const struct oid *top)
{
	struct checkout *checkout = node_checkout(tree);
	struct clone_need need = {.kind = CLONE_NEED_ALL,
				  .most = checkout_room(model)};
	struct oid commit, root = node_oid(model->nodes, tree);
	int r;

	if (atomic_load(&checkout->too_large) ||
	    !checkout_commit(tree, &commit))
		return 0;
	if (!oid_is_none(top) && !oid_equal(top, &root) &&
	    !clone_is_most(ctx, checkout->clone, &root, top))
		need.oid = *top;
	if (need.most &&
	    clone_said_size(checkout->clone) > (int64_t)need.most) {
		atomic_store(&checkout->too_large, true);
		return 0;
	}
	r = checkout_bring_lacking(ctx, model, tree, &need);
	if (r <= 0 || !oid_is_none(&need.oid))
		return r;
	if (!clone_is_complete(checkout->clone, &commit)) {
		atomic_store(&checkout->too_large, true);
		return 0;
	}
	atomic_store(&checkout->lacks, false);
	return 1;
}

int checkout_fetch(struct ctx *ctx, struct model *model, struct node *in_tree)
{
	const struct clone_need need = {.kind = CLONE_NEED_ALL};
	int r;

	while (in_tree->provider != &provider_tree)
		in_tree = in_tree->parent;
	r = checkout_bring_lacking(ctx, model, in_tree, &need);
	return r < 0 ? r : 0;
}

int checkout_bring(struct ctx *ctx, struct model *model, struct node *tree,
		   const struct clone_need *need)
{
	int r = checkout_bring_lacking(ctx, model, tree, need);

	if (r != 0)
		return r < 0 ? r : 0;
	r = clone_check(ctx, node_checkout(tree)->clone);
	if (r < 0)
		return ctx_fail(ctx, r, "The cache cannot be read: %s.",
				strerror(-r));
	r = checkout_check(ctx, model, tree, 0, NULL);
	if (r < 0)
		return r;
	/* Its blobs may have been what was damaged. */
	r = checkout_bring_lacking(ctx, model, tree, need);
	return r < 0 ? r : 0;
}
