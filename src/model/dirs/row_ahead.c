/*
 * model/dirs/row_ahead: a shell that is to give a command the `info` of each
 * repository looks up all the names first. The files are then read in that
 * order, which is known from there on. So from the second file on those that
 * follow are given to the kernel: 16, then twice as many at each READ that
 * comes all the same, up to 256.
 *
 * A READ of another file than one of the next few says that the files are read
 * in another order, or that another program reads: then all begins anew.
 */
#include "model/dirs/row_ahead.h"

#include "base/mem.h"

#define WINDOW_LEAST 16
/* So many may be passed over: whoever looked them up does not want all. */
#define GAP_MOST 4

void row_ahead_init(struct row_ahead *a)
{
	mutex_init(&a->lock);
	/* No file follows it. */
	a->last = a->next = SIZE_MAX;
}

void row_ahead_done(struct row_ahead *a)
{
	mutex_done(&a->lock);
}

static uint64_t *place_of(struct row_ahead *a, size_t at) requires_lock(a->lock)
{
	return &a->files[at % ROW_AHEAD_FILES];
}

void row_ahead_looked_up(struct row_ahead *a, uint64_t ino)
{
	mutex_lock(&a->lock);
	*place_of(a, a->n_looked_up++) = ino;
	mutex_unlock(&a->lock);
}

/* False: it was not looked up lately. */
static bool find(struct row_ahead *a, uint64_t ino, size_t *ret_at)
	requires_lock(a->lock)
{
	size_t n = a->n_looked_up < ROW_AHEAD_FILES ? a->n_looked_up
						    : ROW_AHEAD_FILES;

	/* While the reading goes on. */
	if (a->next < a->n_looked_up && a->n_looked_up - a->next <= n &&
	    *place_of(a, a->next) == ino) {
		*ret_at = a->next;
		return true;
	}
	for (size_t i = 1; i <= n; i++)
		if (*place_of(a, a->n_looked_up - i) == ino) {
			*ret_at = a->n_looked_up - i;
			return true;
		}
	return false;
}

/* What was given is not read again while the kernel has it: the file after it
 * is what comes next. */
static bool goes_on(const struct row_ahead *a, size_t at) requires_lock(a->lock)
{
	return at > a->last && at >= a->next && at - a->next < GAP_MOST;
}

size_t row_ahead_read(struct row_ahead *a, uint64_t ino,
		      uint64_t inos[static ROW_AHEAD_MOST])
{
	size_t n = 0, at;

	mutex_lock(&a->lock);
	if (!find(a, ino, &at)) {
		mutex_unlock(&a->lock);
		return 0;
	}
	if (goes_on(a, at))
		a->window = a->window ? 2 * a->window : WINDOW_LEAST;
	else
		a->window = 0;
	if (a->window > ROW_AHEAD_MOST)
		a->window = ROW_AHEAD_MOST;
	a->last = at;
	a->next = at + 1;
	while (n < a->window && a->next < a->n_looked_up)
		inos[n++] = *place_of(a, a->next++);
	mutex_unlock(&a->lock);
	return n;
}
