/*
 * content/documents, what is derived: indexes, conversations and the names of
 * items are made of an answer by the rules of this program, and are kept as
 * long as the answer, which may be ten years. A later program has other rules,
 * and shows what it would have made.
 *
 * What was derived is marked with documents_derivation, a digest of the
 * sources that derive, computed when the program is built (src/content/
 * derivation). It differs too often rather than too seldom: a digest of what a
 * renderer makes of some sample would miss what the sample does not have. Made
 * anew in vain, bytes are the same, and so are their version, inode and time.
 *
 * What is stored is made anew by documents_collect_again when somebody looks.
 * What is rendered at each look (info, title) has no bytes to compare: of all
 * documents that another program left it is as young as the first start of this
 * one.
 */
#include "content/documents_private.h"

#include "base/clock.h"

#define SPACE "derived"

/* The program that last used the cache, as a fact. */
struct last {
	char derivation[40];
	int64_t since_ms;
	uint64_t below; /* versions of before it */
};

bool documents_is_of_today(struct documents *d, const struct resource *row,
			   const struct scope *scope,
			   const struct cache_entry *e)
{
	cleanup(free) char *mark = documents_mark(d, row, scope);

	return strcmp(e->etag, mark) == 0;
}

/* A version that is larger than all that there are, and of no document. */
static uint64_t next_version(struct cache *cache)
{
	uint64_t version = 0;
	char now[24];

	snprintf(now, sizeof(now), "%lld", (long long)clock_wall_ms());
	if (cache_put(cache,
		      &(struct cache_put){
			      .key = SPACE,
			      .body = now,
			      .n_body = strlen(now),
			      .ttl_ms = FINAL_MS,
		      },
		      1, &version) < 0)
		return 0;
	(void)cache_remove(cache, SPACE);
	return version;
}

void documents_derived_init(struct documents *d)
{
	struct cache *cache = d->config.cache;
	cleanup(blob_unref) struct blob *value = NULL;
	struct last last = {.since_ms = 0};

	if (cache_fact_get(cache, SPACE, "", 0, &value) == 0 &&
	    blob_len(value) == sizeof(last))
		memcpy(&last, blob_data(value), sizeof(last));
	if (memcmp(last.derivation, documents_derivation,
		   sizeof(last.derivation)) != 0) {
		memcpy(last.derivation, documents_derivation,
		       sizeof(last.derivation));
		last.since_ms = clock_wall_ms();
		last.below = next_version(cache);
		/* Not kept, the next start is taken for the first one. */
		(void)cache_fact_put(cache, SPACE, "", 0, &last, sizeof(last));
	}
	d->derived_since_ms = last.since_ms;
	d->derived_below = last.below;
}

int64_t documents_rendered_ms(struct documents *d, uint64_t version,
			      int64_t time_ms)
{
	return cache_mtime_ms(d->config.cache, version, time_ms,
			      version < d->derived_below ? d->derived_since_ms
							 : 0);
}
