/*
 * model/git/checkout, what is read next: whoever reads file after file of a
 * directory is brought those that follow along with the one that he needs.
 */
#include "model/git/checkout.h"

/* About as long as the round trip that they spare. */
#define BYTES_MOST (4 * MIB)
/* Of a file whose size is not known. */
#define BYTES_GUESS (16 * KIB)

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

/* The place after that of the file; at the end, if it is not in the list. */
static size_t place_after(const struct tree_list *list, const struct oid *file)
{
	size_t i = 0;

	while (i < list->n_entries &&
	       !oid_equal(&tree_list_entry(list, i)->oid, file))
		i++;
	return i < list->n_entries ? i + 1 : i;
}

size_t checkout_next(struct ctx *ctx, struct model *model, struct node *dir,
		     const struct oid *file,
		     struct oid next[static CHECKOUT_NEXT])
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct clone *clone = node_checkout(dir)->clone;
	struct oid oid = node_oid(model->nodes, dir);
	uint64_t n_bytes = 0;
	size_t n = 0;

	if (oid_is_none(&oid) || clone_read_tree(ctx, clone, &oid, &list) < 0)
		return 0;
	for (size_t i = place_after(list, file);
	     i < list->n_entries && n < CHECKOUT_NEXT; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);
		uint64_t size = BYTES_GUESS;

		if (!is_file(e) || clone_has(clone, &e->oid))
			continue;
		(void)clone_blob_size(ctx, clone, &e->oid, &size);
		if (n_bytes + size > BYTES_MOST)
			continue;
		n_bytes += size;
		next[n++] = e->oid;
	}
	return n;
}
