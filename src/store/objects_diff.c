/*
 * Two trees side by side, name by name. Where the object ids are equal nothing
 * below can differ, so the cost is that of what changed.
 *
 * Somebody may have crafted the trees: nested ever deeper, or the same subtree
 * ten times on each of ten levels. Depth and the number of entries are bounded.
 */
#include "objects_private.h"

/* A recursion on a thread's small stack. */
#define DEPTH_MOST 512
#define ENTRIES_MOST (2 * 1000 * 1000)

struct diff {
	struct ctx *ctx;
	struct objects *objects;
	int (*each)(void *arg, const char *path,
		    const struct tree_entry *before,
		    const struct tree_entry *after);
	void *arg;
	struct buf path;
	unsigned depth;
	size_t n_entries;
};

static int diff_trees(struct diff *d, const struct oid *before,
		      const struct oid *after);

static const struct tree_entry *entry_at(const struct tree_list *l, size_t i)
{
	if (!l || i >= l->n_entries)
		return NULL;
	return tree_list_by_name(l, i);
}

static const struct oid *directory(const struct tree_entry *e)
{
	return e && e->kind == TREE_DIRECTORY ? &e->oid : NULL;
}

/* One name; one of the two may be NULL. */
static int diff_entry(struct diff *d, const struct tree_entry *before,
		      const struct tree_entry *after)
{
	const struct oid *below_before = directory(before);
	const struct oid *below_after = directory(after);
	size_t len = d->path.len;
	int r;

	if (before && after && before->kind == after->kind &&
	    oid_equal(&before->oid, &after->oid))
		return 0;
	if (++d->n_entries > ENTRIES_MOST)
		return -EFBIG;
	if (len)
		buf_putc(&d->path, '/');
	r = buf_puts(&d->path, after ? after->name : before->name);
	if (r == 0)
		r = d->each(d->arg, d->path.data, before, after);
	if (r >= 0 && (below_before || below_after))
		r = diff_trees(d, below_before, below_after);
	if (!d->path.failed) {
		d->path.len = len;
		d->path.data[len] = '\0';
	}
	return r < 0 ? r : 0;
}

static int diff_lists(struct diff *d, const struct tree_list *before,
		      const struct tree_list *after)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0) {
		const struct tree_entry *b = entry_at(before, i);
		const struct tree_entry *a = entry_at(after, j);
		int order;

		if (!b && !a)
			break;
		order = !b ? 1 : !a ? -1 : strcmp(b->name, a->name);
		i += order <= 0;
		j += order >= 0;
		r = diff_entry(d, order <= 0 ? b : NULL, order >= 0 ? a : NULL);
	}
	return r;
}

static int diff_trees(struct diff *d, const struct oid *before,
		      const struct oid *after)
{
	cleanup(tree_list_unref) struct tree_list *b = NULL, *a = NULL;
	int r = 0;

	if (before && after && oid_equal(before, after))
		return 0;
	if (d->depth == DEPTH_MOST)
		return -ELOOP;
	if (before)
		r = objects_read_tree(d->ctx, d->objects, before, &b);
	if (r == 0 && after)
		r = objects_read_tree(d->ctx, d->objects, after, &a);
	if (r < 0)
		return r;
	d->depth++;
	r = diff_lists(d, b, a);
	d->depth--;
	return r;
}

int objects_diff_trees(struct ctx *ctx, struct objects *o,
		       const struct oid *before, const struct oid *after,
		       int (*each)(void *arg, const char *path,
				   const struct tree_entry *before,
				   const struct tree_entry *after),
		       void *arg)
{
	struct diff d = {
		.ctx = ctx,
		.objects = o,
		.each = each,
		.arg = arg,
		.path = BUF_INIT((size_t)DEPTH_MOST * 257),
	};
	int r = diff_trees(&d, before, after);

	buf_done(&d.path);
	return r;
}
