/*
 * model/dirlist: one lock over the open directories and the kept listings.
 * References are dropped outside of it, because freeing a listing calls its
 * provider.
 *
 * Invariants, under the lock: n_open counts a listing that is open once,
 * however many openers it has; a listing that is the newest of its directory
 * and that nobody has open is in the list of kept ones, and counts in n_kept.
 */
#include "model/dirlist.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/search.h"

#define MOST_OPEN ((size_t)256 * MIB)
#define MOST_KEPT ((size_t)16 * MIB)

/* ---- one ---- */

struct dirlist *dirlist_new(const struct dirlist_ops *ops, void *data,
			    size_t n_bytes)
{
	struct dirlist *l = xcalloc(1, sizeof(*l));

	l->ops = ops;
	l->data = data;
	l->n_bytes = sizeof(*l) + n_bytes;
	refcount_init(&l->refcount_private);
	return l;
}

struct dirlist *dirlist_ref(struct dirlist *l)
{
	refcount_take(&l->refcount_private);
	return l;
}

struct dirlist *dirlist_unref(struct dirlist *l)
{
	if (!l || !refcount_drop(&l->refcount_private))
		return NULL;
	check(l->n_open_private == 0);
	if (l->ops->free_data)
		l->ops->free_data(l->data);
	for (size_t i = 0; i < l->n_texts_private; i++)
		free(l->texts_private[i]);
	free(l->texts_private);
	free(l->names);
	free(l);
	return NULL;
}

void dirlist_add(struct dirlist *l, const char *name, uint64_t cookie,
		 mode_t type, unsigned tag)
{
	if (l->n_names == l->n_room_private) {
		l->n_room_private = l->n_names ? 2 * l->n_names : 16;
		l->names = xrealloc(l->names,
				    l->n_room_private * sizeof(*l->names));
	}
	l->names[l->n_names++] = (struct dirlist_name){
		.name = name,
		.cookie = cookie,
		.type = type,
		.tag = tag,
	};
}

void dirlist_add_taken(struct dirlist *l, char *name, uint64_t cookie,
		       mode_t type, unsigned tag)
{
	size_t n = l->n_texts_private;

	/* The array doubles whenever it is full: n is a power of two then. */
	if ((n & (n - 1)) == 0)
		l->texts_private =
			xrealloc(l->texts_private,
				 (n ? 2 * n : 1) * sizeof(*l->texts_private));
	l->texts_private[l->n_texts_private++] = name;
	l->n_bytes += sizeof(*l->texts_private) + strlen(name) + 1;
	dirlist_add(l, name, cookie, type, tag);
}

struct names {
	const struct dirlist_name *first;
};

static const char *name_at(const void *names, size_t i)
{
	return ((const struct names *)names)->first[i].name;
}

void dirlist_number(struct dirlist *l, size_t first, struct dirbook *book,
		    uint64_t base)
{
	cleanup(free) struct dirbook_entry *entries = NULL;
	const struct names names = {l->names + first};
	size_t n;

	dirbook_order(book, l->n_names - first, name_at, &names, 0, &entries,
		      &n);
	for (size_t i = 0; i < n; i++)
		l->names[first + entries[i].index].cookie = base +
							    entries[i].cookie;
}

static int by_cookie(const void *a, const void *b)
{
	uint64_t x = ((const struct dirlist_name *)a)->cookie;
	uint64_t y = ((const struct dirlist_name *)b)->cookie;

	return (x > y) - (x < y);
}

struct dirlist *dirlist_seal(struct dirlist *l, int64_t left_ms)
{
	uint64_t h = HASH_INIT;

	if (l->n_names)
		qsort(l->names, l->n_names, sizeof(*l->names), by_cookie);
	for (size_t i = 0; i < l->n_names; i++) {
		const struct dirlist_name *name = &l->names[i];

		h = hash_bytes(h, name->name, strlen(name->name) + 1);
		h = hash_bytes(h, &name->type, sizeof(name->type));
	}
	l->version = h;
	l->left_ms = left_ms;
	l->made_ms = clock_mono_ms();
	l->n_bytes += l->n_room_private * sizeof(*l->names);
	return l;
}

int64_t dirlist_left_ms(const struct dirlist *l)
{
	int64_t left = l->made_ms + l->left_ms - clock_mono_ms();

	return left > MOMENT_MS ? left : MOMENT_MS;
}

void dirlist_at(const struct dirlist *l, size_t i, struct dirlist_name *ret)
{
	if (l->ops->at)
		l->ops->at(l, i, ret);
	else
		*ret = l->names[i];
}

static bool is_up_to(const void *l, size_t i, const void *cookie)
{
	struct dirlist_name name;

	dirlist_at(l, i, &name);
	return name.cookie <= *(const uint64_t *)cookie;
}

size_t dirlist_seek(const struct dirlist *l, uint64_t after)
{
	return search_first(l, l->n_names, &after, is_up_to);
}

/* ---- all ---- */

struct dirlists {
	struct mutex lock;
	size_t most_open, most_kept;
	/* Under lock: */
	size_t n_open, n_kept; /* bytes */
	struct listed *kept;   /* the longest unused first */
	struct opened *opened;
};

struct listed {
	struct dirlists *all;
	/* Under all->lock: */
	struct dirlist *newest; /* NULL: none at hand */
	struct shown shown;
	uint64_t n_forgets;         /* how often the newest was forgotten */
	bool is_kept;               /* in all->kept */
	struct listed *prev, *next; /* in all->kept */
};

struct opened {
	struct listed *listed;
	struct node *node;       /* a reference */
	struct dirlist *listing; /* a reference */
	/* Under listed->all->lock: */
	struct shown_opened shown;
	struct opened *prev, *next;
};

struct dirlists *dirlists_new(size_t most_open, size_t most_kept)
{
	struct dirlists *all = xcalloc(1, sizeof(*all));

	mutex_init(&all->lock);
	all->most_open = most_open ? most_open : MOST_OPEN;
	all->most_kept = most_kept ? most_kept : MOST_KEPT;
	return all;
}

struct dirlists *dirlists_free(struct dirlists *all)
{
	struct opened *o, *next;

	if (!all)
		return NULL;
	DL_FOREACH_SAFE (all->opened, o, next) {
		o->listing->n_open_private = 0;
		dirlist_unref(o->listing);
		free(o);
	}
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

void dirlists_bytes(struct dirlists *all, size_t *ret_open, size_t *ret_kept)
{
	mutex_lock(&all->lock);
	*ret_open = all->n_open;
	*ret_kept = all->n_kept;
	mutex_unlock(&all->lock);
}

/* Takes the newest listing away from its directory; openers keep theirs. The
 * caller drops the returned reference, outside the lock. */
static struct dirlist *forget(struct dirlists *all, struct listed *d)
	requires_lock(all->lock)
{
	if (d->is_kept) {
		DL_DELETE(all->kept, d);
		all->n_kept -= d->newest->n_bytes;
		d->is_kept = false;
	}
	return steal(&d->newest);
}

/* Nobody has the newest listing open any more: it is kept, until evict needs
 * the room. */
static void keep(struct dirlists *all, struct listed *d)
	requires_lock(all->lock)
{
	check(!d->is_kept && d->newest->n_open_private == 0);
	DL_APPEND(all->kept, d);
	d->is_kept = true;
	all->n_kept += d->newest->n_bytes;
}

static void unkeep(struct dirlists *all, struct listed *d)
	requires_lock(all->lock)
{
	if (!d->is_kept)
		return;
	DL_DELETE(all->kept, d);
	d->is_kept = false;
	all->n_kept -= d->newest->n_bytes;
}

/* Frees kept listings, the longest unused first, until they are within the
 * bound. */
static void evict(struct dirlists *all)
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
}

struct listed *listed_new(struct dirlists *all)
{
	struct listed *d = xcalloc(1, sizeof(*d));

	d->all = all;
	return d;
}

struct listed *listed_free(struct listed *d)
{
	struct dirlists *all = d ? d->all : NULL;
	struct dirlist *gone;

	if (!d)
		return NULL;
	mutex_lock(&all->lock);
	gone = forget(all, d);
	mutex_unlock(&all->lock);
	dirlist_unref(gone);
	free(d);
	return NULL;
}

struct dirlist *listed_newest(struct listed *d, struct listed_look *ret_look)
{
	struct dirlist *l;

	mutex_lock(&d->all->lock);
	l = d->newest ? dirlist_ref(d->newest) : NULL;
	ret_look->n_forgets = d->n_forgets;
	if (d->is_kept) {
		DL_DELETE(d->all->kept, d);
		DL_APPEND(d->all->kept, d);
	}
	mutex_unlock(&d->all->lock);
	ret_look->newest = l;
	ret_look->fresh = l && l->left_ms > 0 &&
			  clock_mono_ms() < l->made_ms + l->left_ms;
	return l;
}

void listed_forget(struct listed *d)
{
	struct dirlists *all = d->all;
	struct dirlist *gone;

	mutex_lock(&all->lock);
	gone = forget(all, d);
	d->n_forgets++;
	mutex_unlock(&all->lock);
	dirlist_unref(gone);
}

/* One more opener. False: over the bound. */
static bool pin(struct dirlists *all, struct dirlist *l)
	requires_lock(all->lock)
{
	if (l->n_open_private == 0) {
		/* A listing that is larger than the bound can be opened when
		 * nothing else is: otherwise it never could. */
		if (all->n_open > 0 &&
		    all->n_open + l->n_bytes > all->most_open)
			return false;
		all->n_open += l->n_bytes;
	}
	l->n_open_private++;
	return true;
}

int listed_open(struct listed *d, struct node *node, struct dirlist *l,
		const struct listed_look *look, struct opened **ret_opened,
		enum shown_reply *ret_reply)
{
	struct dirlists *all = d->all;
	struct opened *o = xcalloc(1, sizeof(*o));
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
	fits = pin(all, l);
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
		*ret_reply = shown_open(&d->shown, l->version, &o->shown);
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

struct node *opened_node(const struct opened *o)
{
	return o->node;
}

const struct dirlist *opened_listing(const struct opened *o)
{
	return o->listing;
}

void opened_read(struct opened *o)
{
	mutex_lock(&o->listed->all->lock);
	shown_read(&o->listed->shown, &o->shown);
	mutex_unlock(&o->listed->all->lock);
}

bool opened_is_newest(const struct opened *o)
{
	bool is;

	mutex_lock(&o->listed->all->lock);
	is = o->listed->newest == o->listing;
	mutex_unlock(&o->listed->all->lock);
	return is;
}

struct node *opened_close(struct opened *o)
{
	struct listed *d = o->listed;
	struct dirlists *all = d->all;
	struct node *node = o->node;
	bool full;

	mutex_lock(&all->lock);
	DL_DELETE(all->opened, o);
	shown_close(&d->shown, &o->shown);
	if (--o->listing->n_open_private == 0) {
		all->n_open -= o->listing->n_bytes;
		if (d->newest == o->listing)
			keep(all, d);
	}
	full = all->n_kept > all->most_kept;
	mutex_unlock(&all->lock);
	dirlist_unref(o->listing);
	free(o);
	if (full)
		evict(all);
	return node;
}
