/*
 * Folding: many small packs become one. Each fetch of a few blobs leaves a
 * pack; whoever looks for an object looks into one after the other, and has all
 * of them open. What goes round is what fetches left that took a part alone
 * (promisor packs, as in objects_evict.c).
 *
 * Which: from the smallest on, each at most twice as large as all before it, as
 * git-repack(1) --geometric does: so a byte is written again some times only,
 * however many packs come. And no more at a time than some seconds take.
 *
 * The order, in which a process may be killed anywhere:
 * 1. the new pack, synced: its objects are here twice;
 * 2. the old ones go, each with its index first.
 *
 * evict.lock is held shared while the new pack is written, as a fetch holds it,
 * so that fetches go on and nothing is evicted. And exclusively while the old
 * ones go, which takes milliseconds: otherwise a fetch that is under way would
 * find the bases of its deltas gone. Between the two an eviction may come, and
 * choose that the old packs stay and the new one goes: then they stay.
 *
 * Who reads meanwhile: as in objects_evict.c.
 */
#include "objects_fold_private.h"

#include "base/file.h"

#include <sys/file.h>
#include <unistd.h>

/* A pack over it is large enough. */
#define PACK_MOST (32 * MIB)
/* Of a run; some seconds. */
#define BYTES_MOST (64 * MIB)
#define PACKS_MOST 512
/* Fewer are not worth it. */
#define PACKS_LEAST 8
#define AGAIN_MS 20

static void add_pack(struct fold *f, const char *name)
{
	mem_grow(f->packs, f->n_packs, f->room_packs);
	f->packs[f->n_packs++] = (struct fold_pack){.name = mem_strdup(name)};
}

/* All up to the last one that is not too large for those before it. */
static void choose_of(struct fold *f, const struct evict_pack *packs, size_t n)
{
	uint64_t sum = 0;
	size_t n_good = 0;

	while (n && f->n_packs < PACKS_MOST) {
		const struct evict_pack *p = &packs[--n];

		if (!objects_pack_is_promisor(f->o->path, p->name))
			continue;
		if (p->size > PACK_MOST || sum + p->size > BYTES_MOST)
			break;
		add_pack(f, p->name);
		if (p->size <= 2 * sum)
			n_good = f->n_packs;
		sum += p->size;
	}
	while (f->n_packs > n_good)
		free(f->packs[--f->n_packs].name);
	for (size_t i = 0; i < f->n_packs; i++)
		f->has_blobs = f->has_blobs ||
			       !objects_pack_has_no_blobs(f->o->path,
							  f->packs[i].name);
}

/* The largest first: what several have is written as the first has it, as a
 * delta perhaps. */
static void turn_round(struct fold *f)
{
	for (size_t i = 0; i < f->n_packs / 2; i++) {
		struct fold_pack p = f->packs[i];

		f->packs[i] = f->packs[f->n_packs - 1 - i];
		f->packs[f->n_packs - 1 - i] = p;
	}
}

static int choose(struct fold *f)
{
	struct evict_pack *packs = NULL;
	size_t n = 0;
	int r = objects_packs_list(f->o->path, &packs, &n);

	if (r == 0)
		choose_of(f, packs, n);
	turn_round(f);
	objects_packs_free(packs, n);
	return r;
}

static void fold_done(struct fold *f)
{
	objects_fold_forget(f);
	for (size_t i = 0; i < f->n_packs; i++)
		free(f->packs[i].name);
	free(f->packs);
}

/* ---- the old packs go ---- */

static int take_alone(struct ctx *ctx, const struct objects *o, int *ret_fd)
{
	int r;

	while ((r = objects_evict_lock(o->path, LOCK_EX, ret_fd)) == -EBUSY) {
		r = ctx_sleep(ctx, AGAIN_MS);
		if (r < 0)
			return r;
	}
	return r;
}

static int remove_old(struct fold *f, const char *name, unsigned *ret_n)
{
	cleanup(free) char *index =
		mem_asprintf("%s/objects/pack/%s.idx", f->o->path, name);
	cleanup(fd) int lock = -1;
	uint64_t freed = 0;
	int r = objects_lock(f->o->path, LOCK_EX, &lock);

	if (r < 0 || access(index, F_OK) < 0)
		return r < 0 ? r : -EBUSY;
	for (size_t i = 0; r == 0 && i < f->n_packs; i++) {
		if (strcmp(f->packs[i].name, name) == 0)
			continue;
		r = objects_pack_remove(f->o, f->packs[i].name, &freed);
		*ret_n += r == 0;
	}
	return r;
}

static int replace(struct fold *f, const char *name, unsigned *ret_n)
{
	cleanup(fd) int alone = -1;
	int r = take_alone(f->ctx, f->o, &alone);

	if (r < 0)
		return r;
	objects_warm_replaced(f->o);
	r = remove_old(f, name, ret_n);
	objects_packs_replaced(f->o);
	objects_warm_replaced(f->o);
	objects_warm_shrank(f->o, *ret_n);
	return r;
}

/* ---- all of it ---- */

static int fold_steps(struct fold *f, unsigned *ret_n)
{
	cleanup(free) char *name = NULL;
	cleanup(fd) int held = -1;
	int r = objects_evict_lock(f->o->path, LOCK_SH, &held);

	if (r == 0)
		r = choose(f);
	do {
		if (r < 0 || f->n_packs < PACKS_LEAST)
			return r;
		r = objects_fold_read(f);
	} while (r > 0);
	if (r < 0 || f->n_packs < PACKS_LEAST)
		return r;
	r = objects_fold_write(f, &name);
	if (r < 0)
		return r;
	file_close(held);
	held = -1;
	return replace(f, name, ret_n);
}

int objects_fold(struct ctx *ctx, struct objects *o, unsigned *ret_n)
{
	struct fold f = {.ctx = ctx, .o = o};
	int r;

	*ret_n = 0;
	r = fold_steps(&f, ret_n);
	fold_done(&f);
	mem_give_back();
	return r;
}
