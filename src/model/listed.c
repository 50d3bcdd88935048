/*
 * model/listed: one lock over the memories of all directories. References are
 * dropped outside of it, because freeing a listing calls its provider.
 *
 * Invariants, under the lock: n_open counts a listing that is open once,
 * however many openers it has; a listing that is the newest of its directory
 * and that nobody has open is in the list of kept ones, and counts in n_kept;
 * its pin, if it is here, in n_pins.
 */
#include "model/listed.h"

#include "base/clock.h"
#include "base/map.h"

#define MOST_OPEN ((size_t)256 * MIB)
#define MOST_KEPT ((size_t)16 * MIB)
/* A warm walk over fewer than some 70,000 files parses no tree again. */
#define MOST_PINS ((size_t)6 * MIB)
#define PIN_MS INT64_C(60000)

struct listed_all {
	struct mutex lock;
	struct cond turn; /* is_telling of some directory became false */
	size_t most_open, most_kept;
	/* Under lock: */
	size_t n_open, n_kept; /* bytes */
	struct listed *kept;   /* the longest unused first */
	size_t n_pins;         /* bytes, of kept listings */
	struct listed *pinned; /* those of kept that have a pin, likewise */
	struct opened *opened;
};

struct listed {
	struct listed_all *all;
	/* Under all->lock: */
	struct dirlist *newest; /* NULL: none at hand */
	struct listed_copy shown;
	uint64_t n_forgets;   /* how often the newest was forgotten */
	bool was_opened;      /* or a program tried to */
	bool is_kept;         /* in all->kept */
	bool is_telling;      /* a thread has its turn */
	struct dirbook *book; /* NULL: no name has come or gone yet */
	void *told;           /* changed by who has the turn */
	void (*free_told)(void *told);
	struct listed *prev, *next; /* in all->kept */
	bool is_pinned;             /* in all->pinned, since then: */
	int64_t kept_ms;
	struct listed *prev_pinned, *next_pinned;
};

struct opened {
	struct listed *listed;
	struct node *node;       /* a reference */
	struct dirlist *listing; /* a reference */
	/* Under listed->all->lock: */
	struct listed_copy_opened shown;
	struct opened *prev, *next;
};

struct listed_all *listed_all_new(size_t most_open, size_t most_kept)
{
	struct listed_all *all = mem_calloc(1, sizeof(*all));

	mutex_init(&all->lock);
	cond_init(&all->turn);
	all->most_open = most_open ? most_open : MOST_OPEN;
	all->most_kept = most_kept ? most_kept : MOST_KEPT;
	return all;
}

struct listed_all *listed_all_free(struct listed_all *all)
{
	struct opened *o, *next;

	if (!all)
		return NULL;
	DL_FOREACH_SAFE (all->opened, o, next) {
		o->listing->n_open_private = 0;
		dirlist_unref(o->listing);
		free(o);
	}
	cond_done(&all->turn);
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

size_t listed_all_pins(struct listed_all *all)
{
	return mutex_with(&all->lock, all->n_pins);
}

void listed_all_bytes(struct listed_all *all, size_t *ret_open,
		      size_t *ret_kept)
{
	mutex_lock(&all->lock);
	*ret_open = all->n_open;
	*ret_kept = all->n_kept;
	mutex_unlock(&all->lock);
}

/* Its pin no longer counts. */
static void leave_pinned(struct listed_all *all, struct listed *d)
	requires_lock(all->lock)
{
	if (!d->is_pinned)
		return;
	DL_DELETE2(all->pinned, d, prev_pinned, next_pinned);
	d->is_pinned = false;
	all->n_pins -= d->newest->n_pin;
}

static void unkeep(struct listed_all *all, struct listed *d)
	requires_lock(all->lock)
{
	if (!d->is_kept)
		return;
	leave_pinned(all, d);
	DL_DELETE(all->kept, d);
	d->is_kept = false;
	all->n_kept -= d->newest->n_bytes;
}

/* Takes the newest listing away from its directory; openers keep theirs. The
 * caller drops the returned reference, outside the lock. */
static struct dirlist *forget(struct listed_all *all, struct listed *d)
	requires_lock(all->lock)
{
	unkeep(all, d);
	return steal(&d->newest);
}

/* Nobody has the newest listing open any more: it is kept, until evict needs
 * the room. */
static void keep(struct listed_all *all, struct listed *d)
	requires_lock(all->lock)
{
	check(!d->is_kept && d->newest->n_open_private == 0);
	DL_APPEND(all->kept, d);
	d->is_kept = true;
	all->n_kept += d->newest->n_bytes;
	if (!atomic_load(&d->newest->pin))
		return;
	DL_APPEND2(all->pinned, d, prev_pinned, next_pinned);
	d->is_pinned = true;
	d->kept_ms = clock_mono_ms();
	all->n_pins += d->newest->n_pin;
}

/* Takes the pin of the longest unused of the kept listings that have one and
 * that nobody has a reference to, for references are taken under the lock
 * alone. The last pin stays, however large: it is of the directory whose files
 * are being read. */
static void *take_pin(struct listed_all *all, int64_t before_ms,
		      const struct dirlist_ops **ret_ops)
	requires_lock(all->lock)
{
	struct listed *d;

	DL_FOREACH2 (all->pinned, d, next_pinned) {
		bool over = all->n_pins > MOST_PINS && d->next_pinned;

		if (!over && d->kept_ms > before_ms)
			return NULL;
		if (!refcount_is_one(&d->newest->refcount_private))
			continue;
		leave_pinned(all, d);
		*ret_ops = d->newest->ops;
		return atomic_exchange(&d->newest->pin, NULL);
	}
	return NULL;
}

/* Lets go of pins until they are within their bound and younger than that. */
static void unpin(struct listed_all *all, int64_t before_ms)
{
	const struct dirlist_ops *ops;
	void *pin;

	do {
		pin = mutex_with(&all->lock, take_pin(all, before_ms, &ops));
		if (pin)
			ops->unpin(pin);
	} while (pin);
}

/* Frees kept listings, the longest unused first, until they are within the
 * bound. */
static void evict(struct listed_all *all)
{
	struct dirlist *gone;

	do {
		gone = NULL;
		mutex_lock(&all->lock);
		if (all->n_kept > all->most_kept)
			gone = forget(all, all->kept);
		mutex_unlock(&all->lock);
		dirlist_unref(gone);
	} while (gone);
	unpin(all, INT64_MIN);
}

bool listed_all_expire(struct listed_all *all)
{
	unpin(all, clock_mono_ms() - PIN_MS);
	return mutex_with(&all->lock, all->pinned != NULL);
}

struct listed *listed_new(struct listed_all *all)
{
	struct listed *d = mem_calloc(1, sizeof(*d));

	d->all = all;
	return d;
}

struct listed *listed_free(struct listed *d)
{
	struct listed_all *all = d ? d->all : NULL;

	if (!d)
		return NULL;
	dirlist_unref(mutex_with(&all->lock, forget(all, d)));
	dirbook_free(d->book);
	if (d->told)
		d->free_told(d->told);
	free(d);
	return NULL;
}

struct dirlist *listed_newest(struct listed *d, struct listed_look *ret_look)
{
	struct dirlist *l;

	mutex_lock(&d->all->lock);
	l = d->newest ? dirlist_ref(d->newest) : NULL;
	ret_look->n_forgets = d->n_forgets;
	d->was_opened = true;
	if (d->is_kept) {
		unkeep(d->all, d);
		keep(d->all, d);
	}
	mutex_unlock(&d->all->lock);
	ret_look->newest = l;
	ret_look->fresh = l && l->left_ms > 0 &&
			  clock_mono_ms() < l->made_ms + l->left_ms;
	return l;
}

struct dirlist *listed_read_now(struct listed *d)
{
	return mutex_with(&d->all->lock,
			  d->newest ? dirlist_ref(d->newest) : NULL);
}

void listed_forget(struct listed *d)
{
	struct listed_all *all = d->all;
	struct dirlist *gone;

	mutex_lock(&all->lock);
	gone = forget(all, d);
	d->n_forgets++;
	mutex_unlock(&all->lock);
	dirlist_unref(gone);
}

bool listed_was_opened(struct listed *d)
{
	return mutex_with(&d->all->lock, d->was_opened);
}

/* ---- what the kernel was told ---- */

struct dirbook *listed_book(struct listed *d, bool make)
{
	struct dirbook *fresh = make ? dirbook_new() : NULL, *book;

	mutex_lock(&d->all->lock);
	if (!d->book)
		d->book = steal(&fresh);
	book = d->book;
	mutex_unlock(&d->all->lock);
	dirbook_free(fresh);
	return book;
}

const void *listed_tell_begin(struct listed *d)
{
	const void *told;

	mutex_lock(&d->all->lock);
	while (d->is_telling)
		cond_wait(&d->all->turn, &d->all->lock);
	d->is_telling = true;
	told = d->told;
	mutex_unlock(&d->all->lock);
	return told;
}

void listed_tell_keep(struct listed *d, void *list,
		      void (*free_list)(void *list))
{
	void *gone;
	void (*free_gone)(void *);

	mutex_lock(&d->all->lock);
	check(d->is_telling);
	gone = d->told;
	free_gone = d->free_told;
	d->told = list;
	d->free_told = free_list;
	mutex_unlock(&d->all->lock);
	if (gone)
		free_gone(gone);
}

void *listed_tell_take(struct listed *d)
{
	void *told;

	mutex_lock(&d->all->lock);
	check(d->is_telling);
	told = steal(&d->told);
	mutex_unlock(&d->all->lock);
	return told;
}

void listed_tell_end(struct listed *d)
{
	mutex_lock(&d->all->lock);
	d->is_telling = false;
	cond_broadcast(&d->all->turn);
	mutex_unlock(&d->all->lock);
}

const void *listed_told(struct listed *d)
{
	return mutex_with(&d->all->lock, d->told);
}

/* ---- who reads which ---- */

/* One more opener. False: over the bound. */
static bool one_more(struct listed_all *all, struct dirlist *l)
	requires_lock(all->lock)
{
	size_t n = l->n_bytes + l->n_pin;

	if (l->n_open_private == 0) {
		/* A listing that is larger than the bound can be opened when
		 * nothing else is: otherwise it never could. */
		if (all->n_open > 0 && all->n_open + n > all->most_open)
			return false;
		all->n_open += n;
	}
	l->n_open_private++;
	return true;
}

int listed_open(struct listed *d, struct node *node, struct dirlist *l,
		const struct listed_look *look, struct opened **ret_opened,
		enum listed_copy_reply *ret_reply)
{
	struct listed_all *all = d->all;
	struct opened *o = mem_calloc(1, sizeof(*o));
	struct dirlist *gone = NULL;
	bool fits, aside;

	mutex_lock(&all->lock);
	/*
	 * 1. A begins to bring the names.
	 * 2. They change; the refresh stores the new names and forgets the
	 *    listing (n_forgets).
	 * 3. A comes here with the old names. As the newest listing they would
	 *    be shown to everybody for all of their lifetime: they are served
	 *    to A alone.
	 */
	aside = l->is_aside ||
		(l != d->newest && d->n_forgets != look->n_forgets);
	if (!aside && l != d->newest && d->newest &&
	    d->newest != look->newest && d->newest->version == l->version &&
	    d->newest->dir == l->dir) {
		gone = l;
		l = dirlist_ref(d->newest);
	}
	fits = one_more(all, l);
	if (fits && aside) {
		check(l != d->newest);
	} else if (fits && l != d->newest) {
		check(!gone);
		gone = forget(all, d);
		d->newest = dirlist_ref(l);
	} else if (fits) {
		unkeep(all, d);
	}
	if (fits) {
		o->listed = d;
		o->node = node;
		o->listing = l;
		*ret_reply = listed_copy_open(&d->shown, l->version, &o->shown);
		DL_APPEND(all->opened, o);
	}
	mutex_unlock(&all->lock);
	dirlist_unref(gone);
	if (!fits) {
		dirlist_unref(l);
		free(o);
		return -ENOMEM;
	}
	*ret_opened = o;
	return 0;
}

struct node *listed_opened_node(const struct opened *o)
{
	return o->node;
}

struct dirlist *listed_opened_listing(const struct opened *o)
{
	return o->listing;
}

void listed_opened_read(struct opened *o)
{
	mutex_lock(&o->listed->all->lock);
	listed_copy_read(&o->listed->shown, &o->shown);
	mutex_unlock(&o->listed->all->lock);
}

bool listed_opened_is_newest(const struct opened *o)
{
	return mutex_with(&o->listed->all->lock,
			  o->listed->newest == o->listing);
}

struct node *listed_close(struct opened *o)
{
	struct listed *d = o->listed;
	struct listed_all *all = d->all;
	struct node *node = o->node;
	bool full;

	mutex_lock(&all->lock);
	DL_DELETE(all->opened, o);
	listed_copy_close(&d->shown, &o->shown);
	if (--o->listing->n_open_private == 0) {
		all->n_open -= o->listing->n_bytes + o->listing->n_pin;
		if (d->newest == o->listing)
			keep(all, d);
	}
	full = all->n_kept > all->most_kept || all->n_pins > MOST_PINS;
	mutex_unlock(&all->lock);
	dirlist_unref(o->listing);
	free(o);
	if (full)
		evict(all);
	return node;
}
