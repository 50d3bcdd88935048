/*
 * model/git/checkout, what a look at a file needs and is not here: its size, or
 * what says whether it is LFS content; and its bytes, for who reads it.
 */
#include "model/git/checkout.h"
#include "model/git/lfs.h"

/* The server has lost a commit that a branch led to before; most of its files
 * are those of other commits, too. After so many that are not, the repository
 * is gone rather, and a walk would ask in vain for each of its files. */
#define LOST_MOST 16

static bool is_gone_but_for_files(struct ctx *ctx, const struct node *dir,
				  int r)
{
	if (r != -ENODATA ||
	    atomic_load(&node_checkout(dir)->n_lost) >= LOST_MOST)
		return false;
	ctx->sentence[0] = '\0';
	return true;
}

/* How asking for a file by itself ended. */
static int note_lost(const struct node *dir, int r)
{
	if (r == -ENODATA)
		atomic_fetch_add(&node_checkout(dir)->n_lost, 1);
	else if (r >= 0)
		atomic_store(&node_checkout(dir)->n_lost, 0);
	return r;
}

/* One file; and those after it, for who reads file after file. */
static int bring_files(struct ctx *ctx, struct model *model, struct node *dir,
		       struct node *tree, struct clone_need *need,
		       bool reads_on)
{
	cleanup(free) struct oid *next = NULL;

	if (reads_on) {
		next = mem_calloc(CHECKOUT_NEXT, sizeof(*next));
		need->n_also = checkout_next(ctx, model, dir, &need->oid, next);
		need->also = next;
	}
	return note_lost(dir, checkout_bring(ctx, model, tree, need));
}

int checkout_look_read(struct ctx *ctx, struct model *model, struct node *tree,
		       struct node *file)
{
	struct clone_need need = {.kind = CLONE_NEED_BLOB, .oid = file->oid};
	struct node *dir = file->parent;
	struct oid top;
	enum walk_reach reach = checkout_needs(ctx, model, dir, &top);
	int r = 0;

	if (reach == WALK_TREE)
		r = checkout_bring_all(ctx, model, tree, &top);
	/* The part that the program walks may be another one than this file's,
	 * or it was as much as there is room for. */
	if (r == 0 || is_gone_but_for_files(ctx, dir, r) ||
	    (r > 0 && !clone_has(node_checkout(dir)->clone, &need.oid)))
		r = bring_files(ctx, model, dir, tree, &need,
				reach != WALK_NONE);
	checkout_brought(ctx, model, dir);
	return r < 0 ? r : 0;
}

/* Ways to a file's size that is not known: all of a tree; with the file itself,
 * as soon as that tells it; with its neighbours; from the service, which tells
 * sizes without files. */
enum size_from {
	SIZE_FROM_WALK,
	SIZE_FROM_FILE,
	SIZE_FROM_DIRECTORY,
	SIZE_FROM_SERVICE,
	N_SIZE_FROM,
};
/* Who looks at one file alone will read it: the whole directory would take
 * longer. Who has listed it, or goes on from file to file, wants all sizes. */
static const enum size_from ways[][3] = {
	[WALK_NONE] = {SIZE_FROM_FILE, N_SIZE_FROM},
	[WALK_DIRECTORY] = {SIZE_FROM_DIRECTORY, SIZE_FROM_SERVICE,
			    SIZE_FROM_FILE},
	[WALK_TREE] = {SIZE_FROM_WALK, SIZE_FROM_DIRECTORY, SIZE_FROM_FILE},
};

static int bring_size(struct ctx *ctx, struct model *model, struct node *dir,
		      struct node *tree, enum size_from from,
		      const struct checkout_lost *lost, const struct oid *top)
{
	struct clone_need need = {.kind = CLONE_NEED_DIRECTORY,
				  .oid = lost->dir};
	struct clone_lfs_needs needs;
	int r;

	switch (from) {
	case SIZE_FROM_WALK:
		return checkout_bring_all(ctx, model, tree, top);
	case SIZE_FROM_SERVICE:
		return checkout_ask_sizes(ctx, model, dir, tree, &lost->dir);
	case SIZE_FROM_FILE:
		need = (struct clone_need){.kind = CLONE_NEED_BLOB,
					   .oid = lost->oid,
					   .size_will_do = true};
		break;
	case SIZE_FROM_DIRECTORY:
		lfs_look_ahead(ctx, model, dir, tree, &needs);
		need.also = needs.oids;
		need.n_also = needs.n;
		break;
	case N_SIZE_FROM:
		break;
	}
	r = checkout_bring(ctx, model, tree, &need);
	return from == SIZE_FROM_FILE || r >= 0 ? note_lost(dir, r) : r;
}

/* Texts of .gitattributes from the root down, some at a time, then a pointer.
 */
#define NEEDS_ROUNDS 8

/* With a blob that may be a pointer come the others of the directory. */
static int bring_needs(struct ctx *ctx, struct model *model, struct node *dir,
		       struct node *tree, const struct clone_lfs_needs *needs)
{
	cleanup(free) struct oid *also =
		mem_calloc(CHECKOUT_NEXT, sizeof(*also));
	struct clone_need need = {.kind = CLONE_NEED_BLOB,
				  .oid = needs->oids[0]};

	if (needs->n > 1) {
		need.also = needs->oids + 1;
		need.n_also = needs->n - 1;
	} else {
		need.also = also;
		need.n_also =
			lfs_lacking(ctx, model, dir, tree, also, CHECKOUT_NEXT);
	}
	return note_lost(dir, checkout_bring(ctx, model, tree, &need));
}

/* What is brought next, of what is lost. */
struct bringing {
	enum walk_reach reach;
	struct oid top;
	size_t next_way;
	unsigned n_rounds;
};

/* 1: it came, or it is to be had another way; 0: no way is left. */
static int bring_next(struct ctx *ctx, struct model *model, struct node *dir,
		      struct node *tree, const struct checkout_lost *lost,
		      struct bringing *b)
{
	enum size_from from;
	int r;

	if (lost->needs.n) {
		if (b->n_rounds++ == NEEDS_ROUNDS)
			return 0;
		r = bring_needs(ctx, model, dir, tree, &lost->needs);
		return r < 0 ? r : 1;
	}
	if (b->next_way == ARRAY_SIZE(ways[b->reach]))
		return 0;
	from = ways[b->reach][b->next_way++];
	if (from == N_SIZE_FROM)
		return 0;
	r = bring_size(ctx, model, dir, tree, from, lost, &b->top);
	if (from != SIZE_FROM_FILE && is_gone_but_for_files(ctx, dir, r))
		return 1;
	return r < 0 ? r : 1;
}

int checkout_look(struct ctx *ctx, struct model *model, struct node *dir,
		  struct node *tree, const char *name, checkout_find *find,
		  struct found *ret_found, struct checkout_lost *lost)
{
	struct bringing b = {.next_way = 0};
	int r = -ENOENT, came = 1;

	b.reach = checkout_needs(ctx, model, dir, &b.top);
	while (!oid_is_none(&lost->oid)) {
		came = bring_next(ctx, model, dir, tree, lost, &b);
		if (came <= 0)
			break;
		ctx->sentence[0] = '\0';
		r = find(ctx, model, dir, name, ret_found, lost);
	}
	checkout_brought(ctx, model, dir);
	return came < 0 ? came : r;
}
