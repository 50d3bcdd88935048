/*
 * store/cache, its ledger: how much of something was used in the last hour, by
 * the minute and by class, and what was last said about it; shared by all who
 * have the cache open, and remembered.
 *
 * Several accounts ("books") are apart. Must never know what is counted, nor
 * what the numbers of a note mean.
 */
#ifndef STORE_CACHE_LEDGER_H
#define STORE_CACHE_LEDGER_H

#include "store/cache.h"

#define CACHE_LEDGER_MINUTE_MS INT64_C(60000)
#define CACHE_LEDGER_MINUTES 61 /* an hour, wherever in a minute it began */
#define CACHE_LEDGER_CLASSES 3
#define CACHE_LEDGER_NOTES 2
#define CACHE_LEDGER_NUMBERS 5

struct cache_ledger_use {
	int64_t minute; /* of the wall clock, since the epoch */
	unsigned n[CACHE_LEDGER_CLASSES];
};
struct cache_ledger_note {
	int64_t noted_ms; /* wall clock; 0: none */
	int64_t numbers[CACHE_LEDGER_NUMBERS];
};
struct cache_ledger {
	int64_t total; /* ever */
	/* Each minute at most once; when read, those of the last hour. */
	struct cache_ledger_use uses[CACHE_LEDGER_MINUTES];
	size_t n_uses;
	struct cache_ledger_note notes[CACHE_LEDGER_NOTES];
};

/* What is there. Rows from the future (a clock went back) are not. */
int cache_ledger_read(struct cache *, const char *book,
		      struct cache_ledger *ret_ledger);
/*
 * Adds the uses (their sum to the total as well; add->total is not looked at)
 * and puts the notes, in one transaction, and reads. The note of later date
 * stays, unless it is from the future. Unless wait, -EBUSY when somebody else
 * is writing. A failure changed nothing.
 */
int cache_ledger_add(struct cache *, const char *book,
		     const struct cache_ledger *add, bool wait,
		     struct cache_ledger *ret_ledger);

#endif
