/*
 * model/git/large_count: a thread looks through a tree once, and is kept what
 * it found; what of that is here is counted each time that somebody asks, but
 * by the disk's time: not again before nine times as long as it took.
 */
#include "model/git/large_count.h"
#include "model/git/large.h"
#include "model/git/large_look.h"
#include "model/repository.h"

#include "base/clock.h"
#include "base/map.h"

#define WAIT_MS 40
#define KEPT 8
/* More are not counted: 40 bytes of memory are kept of each. */
#define MOST 100000
/* What was not here may have come. */
#define AGAIN_MS 2000

/* Of one tree. */
struct count {
	struct oid root; /* none: free */
	enum large_known known;
	struct large_sum sum;
	/* The thread's alone while it runs for this one: */
	struct lfs_pointer *items;
	/* monotonic */
	int64_t next_ms; /* not counted again before */
	int64_t used_ms;
};

struct large_counts {
	struct mutex lock;
	struct cond ended;
	/* Under lock: */
	bool stopping;
	bool running;
	struct thread *thread; /* the last one, to be joined */
	struct count counts[KEPT];
	/* Of the one that runs: */
	struct count *now;
	struct clone *clone; /* a reference */
	struct model *model;
};

struct large_counts *large_counts_new(void)
{
	struct large_counts *c = mem_calloc(1, sizeof(*c));

	mutex_init(&c->lock);
	cond_init(&c->ended);
	return c;
}

struct large_counts *large_counts_free(struct large_counts *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < KEPT; i++)
		free(c->counts[i].items);
	cond_done(&c->ended);
	mutex_done(&c->lock);
	free(c);
	return NULL;
}

void large_counts_stop(struct model *model)
{
	struct large_counts *c = model->counts;
	struct thread *thread;

	mutex_lock(&c->lock);
	c->stopping = true;
	thread = c->thread;
	c->thread = NULL;
	mutex_unlock(&c->lock);
	thread_join(thread);
}

/* ---- which there are ---- */

struct counted {
	unsigned char oid[32];
	UT_hash_handle hh;
};
struct dir {
	struct oid oid;
	char *path;
};
struct looking {
	struct counted *seen;
	struct lfs_pointer *items;
	size_t n, size;
	struct dir *dirs;
	size_t n_dirs, size_dirs;
	const char *path; /* of the one that is looked at */
};

static int add_dir(void *arg, const char *name, const struct oid *oid)
{
	struct looking *l = arg;

	mem_grow(l->dirs, l->n_dirs, l->size_dirs);
	l->dirs[l->n_dirs++] = (struct dir){
		*oid,
		mem_asprintf("%s%s%s", l->path, *l->path ? "/" : "", name)};
	return 0;
}

static int add_file(void *arg, const char *, const struct lfs_pointer *pointer)
{
	struct looking *l = arg;
	struct counted *seen;

	HASH_FIND(hh, l->seen, pointer->oid, sizeof(pointer->oid), seen);
	if (seen)
		return 0;
	if (l->n == MOST)
		return -E2BIG;
	seen = mem_calloc(1, sizeof(*seen));
	memcpy(seen->oid, pointer->oid, sizeof(seen->oid));
	HASH_ADD(hh, l->seen, oid, sizeof(seen->oid), seen);
	mem_grow(l->items, l->n, l->size);
	l->items[l->n++] = *pointer;
	return 0;
}

static void looking_done(struct looking *l)
{
	struct counted *seen, *next;

	HASH_ITER (hh, l->seen, seen, next) {
		HASH_DEL(l->seen, seen);
		free(seen);
	}
	while (l->n_dirs)
		free(l->dirs[--l->n_dirs].path);
	free(l->dirs);
	free(l->items);
}
DEFINE_CLEANUP_DONE(struct looking, looking_done);

static enum large_known look_through(struct ctx *ctx, struct clone *clone,
				     struct count *count, struct large_sum *sum)
{
	cleanup(looking_done) struct looking l = {.path = ""};
	const struct large_look look = {
		.ctx = ctx,
		.clone = clone,
		.root = &count->root,
		.dir = add_dir,
		.file = add_file,
		.arg = &l,
	};
	int r = large_look(&look, &count->root, "");

	while (r >= 0 && l.n_dirs) {
		struct dir dir = l.dirs[--l.n_dirs];

		l.path = dir.path;
		r = large_look(&look, &dir.oid, dir.path);
		free(dir.path);
	}
	if (r < 0)
		return r == -E2BIG ? LARGE_TOO_MANY : LARGE_UNKNOWN;
	sum->n = l.n;
	for (size_t i = 0; i < l.n; i++)
		sum->n_bytes += l.items[i].size;
	free(count->items);
	count->items = steal(&l.items);
	return LARGE_COUNTED;
}

/* ---- what is here ---- */

static int look_here(struct ctx *ctx, const struct model *model,
		     const struct count *count, struct large_sum *sum)
{
	sum->n_here = 0;
	sum->n_bytes_here = 0;
	for (size_t i = 0; i < sum->n; i++) {
		if (ctx_is_cancelled(ctx))
			return -EINTR;
		if (!large_is_kept(model, &count->items[i]))
			continue;
		sum->n_here++;
		sum->n_bytes_here += count->items[i].size;
	}
	return 0;
}

static void run(void *arg)
{
	struct large_counts *c = arg;
	struct model *model = c->model;
	struct count *count = c->now;
	enum large_known known = LARGE_COUNTED;
	struct large_sum sum = count->sum;
	int64_t began_ms = clock_mono_ms(), end_ms;
	struct ctx ctx;

	ctx_init(&ctx, model->config.group, -1);
	if (count->known != LARGE_COUNTED)
		known = look_through(&ctx, c->clone, count, &sum);
	if (known == LARGE_COUNTED)
		began_ms = clock_mono_ms();
	if (known == LARGE_COUNTED && look_here(&ctx, model, count, &sum) < 0)
		known = LARGE_UNKNOWN;
	ctx_done(&ctx);
	clone_unref(c->clone);
	mutex_lock(&c->lock);
	end_ms = clock_mono_ms();
	count->known = known;
	count->sum = sum;
	count->next_ms = end_ms + 9 * (end_ms - began_ms) +
			 (known == LARGE_UNKNOWN ? AGAIN_MS : 0);
	c->running = false;
	cond_broadcast(&c->ended);
	mutex_unlock(&c->lock);
}

/* ---- who asks ---- */

/* That of the tree, or the one used longest ago begun anew; not one that is
 * being counted. */
static struct count *find(struct large_counts *c, const struct oid *root)
{
	struct count *oldest = NULL;

	for (size_t i = 0; i < KEPT; i++) {
		struct count *count = &c->counts[i];

		if (oid_equal(&count->root, root))
			return count;
		if (!(c->running && count == c->now) &&
		    (!oldest || count->used_ms < oldest->used_ms))
			oldest = count;
	}
	free(oldest->items);
	*oldest = (struct count){.root = *root, .known = LARGE_COUNTING};
	return oldest;
}

static void begin(struct large_counts *c, struct model *model,
		  struct count *count, struct clone *clone)
{
	/* It has ended, but for its last lines. */
	c->thread = thread_join(c->thread);
	c->now = count;
	c->model = model;
	c->clone = clone_ref(clone);
	c->running = thread_start("count", run, c, &c->thread) == 0;
	if (!c->running)
		clone_unref(c->clone);
}

static enum large_known count_tree(struct model *model, struct clone *clone,
				   const struct oid *root,
				   struct large_sum *ret)
{
	struct large_counts *c = model->counts;
	int64_t now_ms = clock_mono_ms();
	enum large_known known;
	struct count *count;

	mutex_lock(&c->lock);
	count = find(c, root);
	count->used_ms = now_ms;
	if (!c->stopping && !c->running && now_ms >= count->next_ms &&
	    count->known != LARGE_TOO_MANY)
		begin(c, model, count, clone);
	while (c->running && c->now == count &&
	       cond_wait_until(&c->ended, &c->lock, now_ms + WAIT_MS))
		;
	/* Another may have taken its place meanwhile. */
	known = oid_equal(&count->root, root) ? count->known : LARGE_COUNTING;
	*ret = count->sum;
	mutex_unlock(&c->lock);
	return known;
}

enum large_known large_count(struct model *model, struct node *repository,
			     struct large_sum *ret)
{
	cleanup(clone_unref) struct clone *clone = NULL;
	struct clone_head head;

	*ret = (struct large_sum){0};
	if (!model->config.lfs ||
	    repository_clone(model, repository, &clone) < 0 ||
	    !clone_has_store(clone) ||
	    clone_tracking_known(clone_tracking(clone, NULL), &head) < 0)
		return LARGE_UNKNOWN;
	return head.empty ? LARGE_COUNTED
			  : count_tree(model, clone, &head.tree, ret);
}
