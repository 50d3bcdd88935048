/*
 * api/bitbucket, one walk through a workspace's repositories: the first page
 * alone, then, since it says how many there are, the others side by side; what
 * the last of them calls `next` (repositories made meanwhile) one by one.
 *
 * The caller works like the others, but with a ctx of its own making: all of
 * them are cancelled when one fails, and the caller's is not ours to cancel.
 * Each page is written by the one worker that took its number; the numbers and
 * the first failure are under the lock.
 */
#include "api/bitbucket_private.h"

#include "base/map.h"
#include "base/text.h"

#define WORKERS 4 /* as many as the client has connections */
#define PAGELEN 100

struct page {
	struct bitbucket_repositories items;
	int64_t size;    /* -1: not said */
	int64_t pagelen; /* -1: not said */
	char *next;      /* NULL: the last */
};

struct walk;
struct worker {
	struct walk *walk;
	struct ctx ctx;
	struct thread *thread; /* NULL: the caller */
};

struct walk {
	struct bitbucket *bitbucket;
	char *url;          /* of the first page */
	struct page *pages; /* each its worker's until all have ended */
	size_t n_pages;
	struct worker workers[WORKERS];
	struct mutex lock;
	/* Under lock: */
	size_t n_taken;
	int failed;         /* the first failure */
	bool refused;       /* of the first failure, as in struct ctx */
	char sentence[512]; /* of the first failure */
};

static void page_done(struct page *page)
{
	bitbucket_repositories_done(&page->items);
	free(page->next);
	page->next = NULL;
}

/* numbered: a page that was there when the first said how many there are may be
 * beyond the end by now. It is then empty, and the count says the rest. */
static int get_page(struct ctx *ctx, struct bitbucket *b, const char *url,
		    bool numbered, struct page *page)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	int r = bitbucket_get_url(ctx, b, url, NULL, &reply);

	if (numbered && (reply.status == 404 || reply.status == 400))
		return 0;
	if (r < 0)
		return r;
	r = bitbucket_parse(ctx, &reply, "a listing of repositories", &json);
	if (r < 0)
		return r;
	if (bitbucket_read_repositories(json, &page->items))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to a listing of "
				"repositories is not a listing.");
	page->size = json_int(json, "size", -1);
	page->pagelen = json_int(json, "pagelen", -1);
	return bitbucket_next_url(ctx, b, json, &page->next);
}

/* ---- side by side ---- */

static void wake_workers(void *arg)
{
	struct walk *walk = arg;

	for (size_t i = 0; i < WORKERS; i++)
		ctx_cancel(&walk->workers[i].ctx);
}

static bool take_page(struct walk *walk, size_t *ret_index)
{
	bool any;

	mutex_lock(&walk->lock);
	any = !walk->failed && walk->n_taken < walk->n_pages;
	if (any)
		*ret_index = walk->n_taken++;
	mutex_unlock(&walk->lock);
	return any;
}

static void fail(struct walk *walk, int r, const struct ctx *ctx)
{
	bool first;

	mutex_lock(&walk->lock);
	first = !walk->failed;
	if (first) {
		walk->failed = r;
		walk->refused = ctx->refused;
		snprintf(walk->sentence, sizeof(walk->sentence), "%s",
			 ctx->sentence);
	}
	mutex_unlock(&walk->lock);
	if (first)
		wake_workers(walk);
}

static void work(void *arg)
{
	struct worker *worker = arg;
	struct walk *walk = worker->walk;
	size_t index;

	while (take_page(walk, &index)) {
		cleanup(free) char *url =
			xasprintf("%s&page=%zu", walk->url, index + 1);
		int r = get_page(&worker->ctx, walk->bitbucket, url, true,
				 &walk->pages[index]);

		if (r < 0) {
			fail(walk, r, &worker->ctx);
			return;
		}
	}
}

static int get_others(struct ctx *ctx, struct walk *walk)
{
	struct ctx_waker waker = {.wake = wake_workers, .arg = walk};
	size_t n_helpers = walk->n_pages - walk->n_taken;

	if (n_helpers > WORKERS)
		n_helpers = WORKERS;
	for (size_t i = 0; i < WORKERS; i++) {
		struct worker *worker = &walk->workers[i];

		worker->walk = walk;
		ctx_init_like(&worker->ctx, ctx);
	}
	ctx_watch(ctx, &waker);
	/* A thread that cannot be started is one less. */
	for (size_t i = 1; i < n_helpers; i++)
		(void)thread_start("listing", work, &walk->workers[i],
				   &walk->workers[i].thread);
	work(&walk->workers[0]);
	for (size_t i = 1; i < WORKERS; i++)
		walk->workers[i].thread = thread_join(walk->workers[i].thread);
	ctx_unwatch(ctx, &waker);
	for (size_t i = 0; i < WORKERS; i++)
		ctx_done(&walk->workers[i].ctx);
	if (atomic_load(&ctx->cancelled))
		return -EINTR;
	if (!walk->failed)
		return 0;
	ctx->refused = walk->refused;
	return ctx_fail(ctx, walk->failed, "%s", walk->sentence);
}

/* ---- all of it ---- */

static int count_pages(struct ctx *ctx, const struct page *first, size_t *ret_n)
{
	int64_t pagelen = first->pagelen;
	size_t n_here = first->items.n_items + first->items.n_odd;

	*ret_n = 1;
	if (first->size <= (int64_t)n_here)
		return 0;
	if (pagelen < 1 || pagelen > PAGELEN)
		pagelen = PAGELEN;
	if (first->size > BITBUCKET_MOST_PAGES * pagelen)
		return ctx_fail(ctx, -EIO,
				"Bitbucket says that there are %lld "
				"repositories; that is more than is believed.",
				(long long)first->size);
	*ret_n = (size_t)((first->size + pagelen - 1) / pagelen);
	return 0;
}

struct seen {
	const char *uuid;
	UT_hash_handle hh;
};

/* Moves the items of all pages into one listing, each repository once. */
static void merge(struct page *pages, size_t n_pages,
		  struct bitbucket_repositories *ret)
{
	struct bitbucket_repositories all = {0};
	struct seen *seen = NULL, *places, *found;
	size_t n = 0, n_seen = 0;

	for (size_t p = 0; p < n_pages; p++)
		n += pages[p].items.n_items;
	all.items = xcalloc(n + 1, sizeof(*all.items));
	places = xcalloc(n + 1, sizeof(*places));
	for (size_t p = 0; p < n_pages; p++) {
		struct bitbucket_repositories *from = &pages[p].items;

		all.n_odd += from->n_odd;
		for (size_t i = 0; i < from->n_items; i++) {
			struct bitbucket_repository *item = &from->items[i];

			HASH_FIND_STR(seen, item->uuid, found);
			if (found)
				continue;
			all.items[all.n_items] = *item;
			*item = (struct bitbucket_repository){0};
			places[n_seen].uuid = all.items[all.n_items++].uuid;
			HASH_ADD_KEYPTR(hh, seen, places[n_seen].uuid,
					strlen(places[n_seen].uuid),
					&places[n_seen]);
			n_seen++;
		}
	}
	HASH_CLEAR(hh, seen);
	free(places);
	*ret = all;
}

/* From the last page on by `next`; pages grows. */
static int follow(struct ctx *ctx, struct walk *walk)
{
	while (walk->pages[walk->n_pages - 1].next) {
		struct page *pages;
		int r;

		if (walk->n_pages >= BITBUCKET_MOST_PAGES)
			return ctx_fail(ctx, -EIO,
					"Bitbucket's listing of repositories "
					"does not end.");
		pages = xrealloc(walk->pages,
				 (walk->n_pages + 1) * sizeof(*pages));
		walk->pages = pages;
		pages[walk->n_pages] = (struct page){.size = -1, .pagelen = -1};
		r = get_page(ctx, walk->bitbucket,
			     pages[walk->n_pages - 1].next, false,
			     &pages[walk->n_pages]);
		walk->n_pages++;
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_pages(struct ctx *ctx, struct walk *walk)
{
	size_t n;
	int r = get_page(ctx, walk->bitbucket, walk->url, false,
			 &walk->pages[0]);

	if (r < 0)
		return r;
	r = count_pages(ctx, &walk->pages[0], &n);
	if (r < 0)
		return r;
	if (n > 1) {
		walk->pages = xrealloc(walk->pages, n * sizeof(*walk->pages));
		for (size_t i = 1; i < n; i++)
			walk->pages[i] =
				(struct page){.size = -1, .pagelen = -1};
		walk->n_pages = n;
		walk->n_taken = 1;
		r = get_others(ctx, walk);
		if (r < 0)
			return r;
	}
	return follow(ctx, walk);
}

int bitbucket_page_repositories(struct ctx *ctx, struct bitbucket *b,
				const char *workspace,
				struct bitbucket_repositories *ret,
				int64_t *ret_size)
{
	cleanup(buf_done) struct buf url = BUF_INIT(0);
	struct walk walk = {.bitbucket = b};
	int64_t size = -1;
	int r;

	buf_printf(&url, "%s/repositories/", b->api_url);
	text_percent_encode(&url, workspace, "");
	buf_printf(&url, "?sort=created_on&pagelen=%d", PAGELEN);
	walk.url = url.data;
	walk.pages = xcalloc(1, sizeof(*walk.pages));
	walk.n_pages = 1;
	mutex_init(&walk.lock);
	r = walk_pages(ctx, &walk);
	for (size_t i = 0; i < walk.n_pages; i++)
		if (walk.pages[i].size > size)
			size = walk.pages[i].size;
	if (r == 0) {
		merge(walk.pages, walk.n_pages, ret);
		*ret_size = size;
	}
	for (size_t i = 0; i < walk.n_pages; i++)
		page_done(&walk.pages[i]);
	free(walk.pages);
	mutex_done(&walk.lock);
	return r;
}
