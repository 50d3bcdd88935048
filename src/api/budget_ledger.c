/*
 * api/budget, the ledger: one transaction adds what this process has counted
 * and reads what all mounts that share the cache have.
 *
 * Requests do not wait for it: while one thread is at the ledger, or another
 * process writes to it, the counts of other threads stay in memory for the next
 * transaction. They count all the same.
 *
 * The budget's lock is not held during the transaction, so others count
 * meanwhile. That is what a quota's `writing` is for:
 *
 *   1. A moves `unwritten` into `writing` and lets go of the lock.
 *   2. B counts a request: it is in `unwritten`, which A does not write. B
 *      reckons what is left: `writing` has what A is at. Without it, A's
 *      requests would be missing until 4., and B be admitted on them.
 *   3. A's transaction adds `writing` to the ledger and reads the whole.
 *   4. A has the lock again: `ledger` is what was read, `writing` is empty. B's
 *      request is in `unwritten` still. Where the transaction failed, `writing`
 *      goes back to what is `unwritten`.
 *
 * One thread at a time does that (in_ledger): the transaction of a second one
 * would add the `writing` of the first once more.
 */
#include "api/budget_private.h"

#include "base/clock.h"

#define LOOK_MS 1000
#define ROUNDS 16
/* In the note of a pause, in the place of its end: there is no pause now. */
#define PAUSE_ENDED 0

enum note {
	NOTE_SAID,
	NOTE_PAUSE,
};

/* ---- what is written ---- */

static void write_said(const struct said *said, struct cache_ledger_note *note)
{
	*note = (struct cache_ledger_note){
		said->noted_ms,
		{said->limit, said->remaining, said->at_total, said->reset_ms,
		 said->near_ms},
	};
}

static void write_pause(const struct budget *b, struct cache_ledger_note *note)
	requires_lock(b->lock)
{
	int64_t left = b->paused_until_ms - clock_boot_ms();

	*note = (struct cache_ledger_note){
		b->pause_noted_ms,
		{left > 0 ? clock_wall_ms() + left : PAUSE_ENDED,
		 b->backoff_ms},
	};
}

/* Moves what is unwritten into `writing` and into the transaction. False: there
 * is nothing to write. */
static bool begin(struct budget *b, struct quota *q, struct cache_ledger *add)
	requires_lock(b->lock)
{
	bool any = q->n_unwritten > 0 || q->said_unwritten;

	memset(add, 0, sizeof(*add));
	budget_window_add_all(&q->writing, &q->unwritten);
	budget_window_clear(&q->unwritten);
	q->n_writing += q->n_unwritten;
	q->n_unwritten = 0;
	for (size_t i = 0; i < HOUR_MINUTES; i++) {
		const struct slot *slot = &q->writing.slots[i];
		struct cache_ledger_use *use = &add->uses[add->n_uses];

		use->minute = slot->minute;
		memcpy(use->n, slot->n, sizeof(use->n));
		if (use->n[CTX_PERSON] || use->n[CTX_WALK] ||
		    use->n[CTX_REFRESH])
			add->n_uses++;
	}
	if (q->said_unwritten)
		write_said(&q->said, &add->notes[NOTE_SAID]);
	q->said_unwritten = false;
	if (q == &b->api && b->pause_unwritten) {
		write_pause(b, &add->notes[NOTE_PAUSE]);
		b->pause_unwritten = false;
		any = true;
	}
	return any;
}

/* ---- what is read ---- */

static void read_said(struct quota *q, const struct cache_ledger_note *note)
{
	/* This process has heard later, or wrote the note itself. */
	if (note->noted_ms <= q->said.noted_ms)
		return;
	q->said = (struct said){
		.noted_ms = note->noted_ms,
		.limit = note->numbers[0],
		.remaining = note->numbers[1],
		.at_total = note->numbers[2],
		.reset_ms = note->numbers[3],
		.near_ms = note->numbers[4],
	};
}

static void read_pause(struct budget *b, const struct cache_ledger_note *note)
	requires_lock(b->lock)
{
	int64_t now = clock_wall_ms(), boot = clock_boot_ms();
	int64_t until = note->numbers[0], left;

	/* Read before; or about to be replaced by a newer one of our own. */
	if (note->noted_ms == b->pause_noted_ms || b->pause_unwritten)
		return;
	b->pause_noted_ms = note->noted_ms;
	/* The note may be of another version of this program, or of a moment
	 * at which the clock was wrong. */
	if (until > note->noted_ms + LONGEST_PAUSE_MS)
		until = note->noted_ms + LONGEST_PAUSE_MS;
	left = until - now < LONGEST_PAUSE_MS ? until - now : LONGEST_PAUSE_MS;
	if (left <= 0) {
		/* The service has answered another mount: go on at once. */
		if (note->numbers[0] == PAUSE_ENDED)
			b->paused_until_ms = boot;
		return;
	}
	if (b->paused_until_ms < boot + left)
		b->paused_until_ms = boot + left;
	if (b->backoff_ms < note->numbers[1])
		b->backoff_ms = note->numbers[1] < LONGEST_BACKOFF_MS
					? note->numbers[1]
					: LONGEST_BACKOFF_MS;
}

/*
 * Takes over what was read; n_written of its total are what this process has
 * just added. said.at_total is a moment in the quota's total, so where the
 * total begins somewhere else it moves along:
 *
 *   1. The service says "100 are left" at a total of 5, counted since the
 * start.
 *   2. The ledger is opened: its total is 5,000.
 *   3. Unmoved, 4,995 requests would seem to have been made since 1., and
 *      nothing to be left.
 *
 * So at the first time, and when the database was lost (its total is smaller
 * than what was read before).
 */
static void load(struct budget *b, struct quota *q,
		 const struct cache_ledger *found, int64_t n_written,
		 bool first) requires_lock(b->lock)
{
	int64_t others = found->total - q->ledger_total - n_written;

	if (first || others < 0)
		q->said.at_total += others;
	q->ledger_total = found->total;
	budget_window_clear(&q->ledger);
	for (size_t i = 0; i < found->n_uses; i++)
		for (int who = 0; who < CTX_CLASSES; who++)
			budget_window_add(&q->ledger, found->uses[i].minute,
					  (enum ctx_class)who,
					  found->uses[i].n[who]);
	read_said(q, &found->notes[NOTE_SAID]);
	if (q == &b->api)
		read_pause(b, &found->notes[NOTE_PAUSE]);
}

/* ---- both ---- */

/* One transaction of one quota. The lock is released while it lasts; in_ledger
 * is this thread's. */
static int sync_quota(struct budget *b, struct quota *q, bool wait)
	requires_lock(b->lock)
{
	struct cache *cache = b->cache;
	struct cache_ledger add, found;
	bool any = begin(b, q, &add);
	int r;

	mutex_unlock(&b->lock);
	r = any ? cache_ledger_add(cache, q->book, &add, wait, &found)
		: cache_ledger_read(cache, q->book, &found);
	mutex_lock(&b->lock);
	if (r == 0) {
		load(b, q, &found, q->n_writing, false);
	} else {
		budget_window_add_all(&q->unwritten, &q->writing);
		q->n_unwritten += q->n_writing;
		q->said_unwritten |= add.notes[NOTE_SAID].noted_ms != 0;
		b->pause_unwritten |= add.notes[NOTE_PAUSE].noted_ms != 0;
	}
	budget_window_clear(&q->writing);
	q->n_writing = 0;
	return r;
}

/* False: another thread is at the ledger, or there is no ledger. */
static bool take_ledger(struct budget *b, bool wait) requires_lock(b->lock)
{
	while (b->in_ledger && wait)
		cond_wait(&b->ledger_free, &b->lock);
	if (b->in_ledger || !b->cache)
		return false;
	b->in_ledger = true;
	return true;
}

static void give_ledger(struct budget *b) requires_lock(b->lock)
{
	b->in_ledger = false;
	cond_broadcast(&b->ledger_free);
}

/* Again while others count during the transaction: whoever waits for the ledger
 * (a pause, the end) wants everything to be written. The rounds have an end,
 * for others may go on counting. */
static void sync_all(struct budget *b, bool wait) requires_lock(b->lock)
{
	bool look = clock_mono_ms() - b->synced_ms >= LOOK_MS;
	int r = 0;

	b->synced_ms = clock_mono_ms();
	if (look || b->git.n_unwritten)
		r = sync_quota(b, &b->git, wait);
	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = sync_quota(b, &b->api, wait);
		if (!b->api.n_unwritten)
			break;
	}
}

void budget_sync(struct budget *b, bool wait)
{
	mutex_lock(&b->lock);
	if (take_ledger(b, wait)) {
		sync_all(b, wait);
		give_ledger(b);
	}
	mutex_unlock(&b->lock);
}

void budget_look(struct budget *b)
{
	if (mutex_with(&b->lock,
		       b->cache && clock_mono_ms() - b->synced_ms >= LOOK_MS))
		budget_sync(b, false);
}

/* Reads where the ledger's total begins, before anything is added to it. */
static void open_book(struct budget *b, struct quota *q) requires_lock(b->lock)
{
	struct cache *cache = b->cache;
	struct cache_ledger found;
	int r;

	mutex_unlock(&b->lock);
	r = cache_ledger_read(cache, q->book, &found);
	mutex_lock(&b->lock);
	if (r == 0)
		load(b, q, &found, 0, true);
}

void budget_attach(struct budget *b, struct cache *cache)
{
	mutex_lock(&b->lock);
	if (take_ledger(b, true)) {
		sync_all(b, true);
		give_ledger(b);
	}
	b->cache = cache;
	if (take_ledger(b, true)) {
		open_book(b, &b->api);
		open_book(b, &b->git);
		sync_all(b, true);
		give_ledger(b);
	}
	mutex_unlock(&b->lock);
}
