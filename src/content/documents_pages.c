/*
 * content/documents, the pages of a list that is being fetched: kept, so that a
 * list that was broken off (no network, no budget, the end of the mount) goes
 * on where it ended, and each page is asked for once.
 *
 * They are documents that pass (store/cache.h), under the list's key and the
 * hash of the page's URL; they go in the transaction that stores the list. Of a
 * list that comes within a moment none is written: what would be lost is asked
 * for again as quickly.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/digest.h"

#define QUICK_MS 500 /* for so long nothing is written */
#define WRITE_MS 50  /* then at most once in so long */
#define WAITING_MOST (16 * MIB)

static char *prefix_of(const char *key)
{
	return mem_asprintf(CACHE_PASSING "%s#", key);
}

static char *page_key(const struct documents_pages *p, const char *url)
{
	cleanup(free) char *prefix = prefix_of(p->key);
	char hex[41];

	digest_sha1_hex(url, strlen(url), hex);
	return mem_asprintf("%s%s", prefix, hex);
}

static struct blob *look(void *arg, const char *url)
{
	struct documents_pages *p = arg;
	cleanup(free) char *key = page_key(p, url);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(p->documents->config.cache, key);
	int64_t now = clock_wall_ms();

	if (!e || !e->body || e->left_ms < 0 ||
	    now - e->fetched_ms > p->most_age_ms)
		return NULL;
	mutex_lock(&p->lock);
	if (e->fetched_ms < p->oldest_ms)
		p->oldest_ms = e->fetched_ms;
	mutex_unlock(&p->lock);
	return blob_ref(e->body);
}

static void write_batch(struct documents_pages *p, struct answer_batch *batch)
{
	/* What is not kept is asked for again: no more than that. */
	if (batch->n)
		(void)cache_put(p->documents->config.cache, batch->puts,
				batch->n, NULL);
	answer_batch_done(batch);
}

static struct answer_batch take_waiting(struct documents_pages *p)
	requires_lock(p->lock)
{
	struct answer_batch batch = p->waiting;

	p->waiting = (struct answer_batch){0};
	p->n_waiting = 0;
	return batch;
}

/* On a thread of its own: what came is written also while the next page does
 * not come, and whoever gets pages does not wait for the disk. */
static void write_main(void *arg)
{
	struct documents_pages *p = arg;
	int64_t next_ms = p->began_ms + QUICK_MS;

	mutex_lock(&p->lock);
	while (!p->ending) {
		struct answer_batch batch;

		if (!p->waiting.n) {
			cond_wait(&p->changed, &p->lock);
			continue;
		}
		if (p->n_waiting <= WAITING_MOST &&
		    cond_wait_until(&p->changed, &p->lock, next_ms))
			continue;
		batch = take_waiting(p);
		mutex_unlock(&p->lock);
		write_batch(p, &batch);
		next_ms = clock_mono_ms() + WRITE_MS;
		mutex_lock(&p->lock);
	}
	mutex_unlock(&p->lock);
}

/* The only page of a list is stored as the list. */
static bool is_of_several(const struct bitbucket_kept_page *page)
{
	return page->has_next ||
	       (page->pagelen > 0 && page->size > page->pagelen);
}

/* True: it is the first that is. */
static bool keep(struct documents_pages *p,
		 const struct bitbucket_kept_page *page) requires_lock(p->lock)
{
	bool first = !p->is_writing;
	size_t n;
	char *text = buf_steal(page->body, &n);

	answer_batch_own(&p->waiting, page_key(p, page->url), text, n,
			 DOCUMENTS_PAGES_MS);
	p->n_waiting += n;
	p->is_writing = true;
	cond_broadcast(&p->changed);
	return first;
}

static void count(struct documents_pages *p,
		  const struct bitbucket_kept_page *page) requires_lock(p->lock)
{
	size_t all = page->size > 0 && page->pagelen > 0
			     ? (size_t)((page->size - 1) / page->pagelen + 1)
			     : 0;

	p->n_pages++;
	if (all > p->n_pages_all)
		p->n_pages_all = all;
	if (p->n_pages_all && p->n_pages > p->n_pages_all)
		p->n_pages_all = p->n_pages;
}

static void came(void *arg, const struct bitbucket_kept_page *page)
{
	struct documents_pages *p = arg;
	bool first = false;
	size_t n, all;

	mutex_lock(&p->lock);
	count(p, page);
	if (page->body && is_of_several(page))
		first = keep(p, page);
	n = p->n_pages;
	all = p->n_pages_all;
	mutex_unlock(&p->lock);
	/* Without it they are written at the end, if that is told. */
	if (first)
		(void)thread_start("pages", write_main, p, &p->writer);
	read_through_came(p->documents->config.source, p->key, n, all);
}

void documents_pages_init(struct documents_pages *p, struct documents *d,
			  const char *key, int64_t most_age_ms)
{
	*p = (struct documents_pages){
		.kept = {look, came, p},
		.documents = d,
		.key = key,
		.most_age_ms = most_age_ms,
		.began_ms = clock_mono_ms(),
		.oldest_ms = clock_wall_ms(),
	};
	mutex_init(&p->lock);
	cond_init(&p->changed);
}

void documents_pages_end(struct documents_pages *p, int r)
{
	struct answer_batch batch;

	mutex_lock(&p->lock);
	p->ending = true;
	cond_broadcast(&p->changed);
	mutex_unlock(&p->lock);
	p->writer = thread_join(p->writer);
	batch = mutex_with(&p->lock, take_waiting(p));
	if (r < 0)
		write_batch(p, &batch);
	else
		answer_batch_done(&batch);
}

int documents_pages_refused(struct ctx *ctx, struct documents_pages *p,
			    const struct cache_entry *old, int r, long status)
{
	return mutex_with(&p->lock, p->n_pages > 0)
		       ? r
		       : documents_refused(ctx, p->documents, p->key, old, r,
					   status);
}

int64_t documents_pages_since_ms(struct documents_pages *p)
{
	return mutex_with(&p->lock, p->oldest_ms);
}

void documents_pages_done(struct documents_pages *p)
{
	documents_pages_end(p, 0);
	cond_done(&p->changed);
	mutex_done(&p->lock);
}

void documents_pages_drop(const char *key, struct answer_batch *batch)
{
	answer_batch_drop(batch, prefix_of(key));
}
