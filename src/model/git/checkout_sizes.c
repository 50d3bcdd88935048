/*
 * model/git/checkout, sizes of files that git left out and does not tell: as
 * the service says them.
 */
#include "model/git/checkout.h"
#include "model/repository.h"

struct told {
	const struct tree_list *list;
	struct objects_size *sizes;
	size_t n, room;
};

static void take_size(void *arg, const char *name, uint64_t size)
{
	struct told *told = arg;
	const struct tree_entry *e = tree_list_find(told->list, name);

	if (!e || (e->kind != TREE_FILE && e->kind != TREE_EXECUTABLE))
		return;
	mem_grow(told->sizes, told->n, told->room);
	told->sizes[told->n++] = (struct objects_size){e->oid, size};
}

static int ask(struct ctx *ctx, struct model *model, const struct node *dir,
	       struct node *tree, const struct tree_list *list)
{
	const struct repository_data *repository =
		repository_of(repository_above(tree));
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct told told = {.list = list};
	struct oid commit;
	char hex[41];
	int r;

	if (!checkout_commit(tree, &commit))
		return -ENOENT;
	node_path_below(dir, tree, &path);
	r = documents_sizes(
		ctx, model->config.documents,
		&(struct documents_directory){
			.workspace = repository->dir.scope->workspace,
			.repository = repository_id(repository),
			.commit = oid_hex(&commit, hex),
			.path = path.data ? path.data : "",
		},
		take_size, &told);
	if (r == 0 && told.n)
		r = clone_note_sizes(node_checkout(dir)->clone, told.sizes,
				     told.n);
	free(told.sizes);
	return r;
}

int checkout_ask_sizes(struct ctx *ctx, struct model *model, struct node *dir,
		       struct node *tree, const struct oid *oid)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct clone *clone = node_checkout(dir)->clone;
	int r;

	/* The repository that it is in is another one's. */
	if (node_checkout(dir)->is_submodule ||
	    !clone_sizes_elsewhere(clone, oid))
		return 0;
	r = clone_read_tree(ctx, clone, oid, &list);
	if (r == 0)
		r = ask(ctx, model, dir, tree, list);
	if (r < 0 && ctx_is_cancelled(ctx))
		return r;
	/* Then the file itself tells. */
	ctx->sentence[0] = '\0';
	return 0;
}
