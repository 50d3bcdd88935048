/*
 * How many files the stores of the process hold open. A store that was looked
 * at keeps its handles (with their packs) and the lock of its temporary
 * directory, so that the next look is quick; beyond a quarter of what the
 * process may open, those used longest ago close theirs. A store in use is
 * never closed. One that nobody used for a minute closes its handles, for
 * libgit2 keeps what deltas are made of with them, up to 16 MB a pack.
 *
 * Lock order: warm.lock, then a store's lock.
 */
#include "objects_private.h"

#include "base/clock.h"
#include "base/map.h"

#include <sys/resource.h>

#define FDS_MOST 512
#define FDS_LEAST 8

static struct {
	struct mutex lock;
	struct cond cooled;
	struct objects *list; /* under lock; used last first */
	unsigned n_fds;       /* under lock; about */
	_Atomic(struct objects *) newest;
} warm = {.lock = MUTEX_INITIALIZER};

void objects_warm_init(void)
{
	cond_init(&warm.cooled);
}

static unsigned fds_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur / 4 > FDS_MOST)
		return FDS_MOST;
	return limit.rlim_cur / 4 < FDS_LEAST ? FDS_LEAST
					      : (unsigned)limit.rlim_cur / 4;
}

static bool is_busy(struct objects *o)
{
	return mutex_with(&o->lock, o->n_busy > 0 || o->n_tmp_users > 0);
}

/* The files that a store has open: its packs, and the lock of its temporary
 * directory. */
static unsigned count_fds(struct objects *o)
{
	return mutex_with(&o->lock, o->n_packs + 1);
}

static void take_out(struct objects *o) requires_lock(warm.lock)
{
	DL_DELETE(warm.list, o);
	warm.n_fds -= o->n_fds;
	o->warm = false;
	if (atomic_load(&warm.newest) == o)
		atomic_store(&warm.newest, NULL);
}

/* Of the stores that nobody uses the one that was used longest ago; NULL. */
static struct objects *oldest(const struct objects *but)
	requires_lock(warm.lock)
{
	struct objects *o = warm.list ? warm.list->prev : NULL;

	while (o && (o == but || o->cooling || is_busy(o)))
		o = o == warm.list ? NULL : o->prev;
	return o;
}

/*
 * A store whose files are to be closed, for there are too many; NULL. They are
 * closed without warm.lock:
 * 1. A takes a store out of the list, and closes its files.
 * 2. B closes the store: objects_close frees it.
 * 3. A would read what is freed.
 * So A sets `cooling`, and B waits for A in objects_warm_forget.
 */
static struct objects *one_too_many(const struct objects *but)
{
	struct objects *o = NULL;
	unsigned most = fds_most();

	mutex_lock(&warm.lock);
	if (warm.n_fds > most)
		o = oldest(but);
	if (o) {
		take_out(o);
		o->cooling = true;
	}
	mutex_unlock(&warm.lock);
	return o;
}

static void cooled(struct objects *o)
{
	mutex_lock(&warm.lock);
	o->cooling = false;
	cond_broadcast(&warm.cooled);
	mutex_unlock(&warm.lock);
}

static void cool(struct objects *o)
{
	objects_close_idle(o);
	objects_sizes_forget(o);
	objects_tmp_cool(o);
	cooled(o);
}

static bool is_unused(struct objects *o, int64_t before_ms)
{
	return mutex_with(&o->lock, o->idle && o->used_ms <= before_ms);
}

bool objects_warm_expire(int64_t unused_ms)
{
	int64_t before_ms = clock_mono_ms() - unused_ms;
	struct objects *o;
	bool any = false;

	do {
		mutex_lock(&warm.lock);
		DL_FOREACH (warm.list, o)
			if (!o->cooling && is_unused(o, before_ms))
				break;
		if (o)
			o->cooling = true;
		mutex_unlock(&warm.lock);
		if (!o)
			break;
		any = true;
		objects_close_idle(o);
		objects_sizes_forget(o);
		cooled(o);
	} while (true);
	return any;
}

void objects_warm_use(struct objects *o)
{
	struct objects *other;
	unsigned n_fds;
	bool is_new;

	/* Most uses are of the store used last, and need no lock. It may be
	 * taken out right after this look, but not now: the caller has a
	 * handle, and a store with a busy one is passed over (is_busy). */
	if (atomic_load(&warm.newest) == o)
		return;
	n_fds = count_fds(o);
	mutex_lock(&warm.lock);
	is_new = !o->warm;
	if (!is_new)
		take_out(o);
	o->warm = true;
	o->n_fds = n_fds;
	warm.n_fds += n_fds;
	DL_PREPEND(warm.list, o);
	atomic_store(&warm.newest, o);
	mutex_unlock(&warm.lock);
	while (is_new && (other = one_too_many(o)))
		cool(other);
}

void objects_warm_grew(struct objects *o)
{
	mutex_lock(&o->lock);
	o->n_packs++;
	mutex_unlock(&o->lock);
	mutex_lock(&warm.lock);
	if (o->warm) {
		o->n_fds++;
		warm.n_fds++;
	}
	mutex_unlock(&warm.lock);
}

void objects_warm_shrank(struct objects *o, unsigned n)
{
	mutex_lock(&o->lock);
	o->n_packs -= n < o->n_packs ? n : o->n_packs;
	mutex_unlock(&o->lock);
	mutex_lock(&warm.lock);
	if (o->warm && n < o->n_fds) {
		o->n_fds -= n;
		warm.n_fds -= n;
	}
	mutex_unlock(&warm.lock);
}

/* The handles themselves are closed by who takes or gives them next: nothing is
 * closed under warm.lock. */
void objects_warm_replaced(const struct objects *of)
{
	struct objects *o;

	mutex_lock(&warm.lock);
	DL_FOREACH (warm.list, o) {
		if (strcmp(o->path, of->path) != 0)
			continue;
		mutex_lock(&o->lock);
		o->generation++;
		o->epoch++;
		mutex_unlock(&o->lock);
	}
	mutex_unlock(&warm.lock);
}

void objects_warm_forget(struct objects *o)
{
	mutex_lock(&warm.lock);
	if (o->warm)
		take_out(o);
	while (o->cooling)
		cond_wait(&warm.cooled, &warm.lock);
	mutex_unlock(&warm.lock);
}
