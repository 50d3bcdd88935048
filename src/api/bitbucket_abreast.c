/*
 * api/bitbucket, numbered pages of a list side by side, handed on in their
 * order as they come.
 *
 * Each page is written by the one worker that took its number. The workers have
 * ctxs of their own: all of them are cancelled when one fails, and the caller's
 * is not ours to cancel.
 */
#include "api/bitbucket_private.h"

#define WORKERS 4   /* as many as the client has connections */
#define GONE_MOST 8 /* pages that are 404: no more are asked for */

struct page {
	struct json *json; /* NULL: beyond the end by now */
	bool done;         /* under lock */
};

struct abreast;
struct worker {
	struct abreast *abreast;
	struct ctx ctx;
	struct thread *thread;
};

struct abreast {
	struct bitbucket *bitbucket;
	const struct bitbucket_list *list;
	const char *url;    /* of the first page */
	struct page *pages; /* by number; those from 2 on are asked for */
	size_t n_pages;
	struct worker workers[WORKERS];
	struct mutex lock;
	struct cond done;
	/* Under lock: */
	size_t n_taken;
	size_t n_wanted;    /* fewer than n_pages where the size was a lie */
	size_t n_gone;      /* pages that were 404 */
	bool unnumbered;    /* the server takes no numbers */
	int failed;         /* the first failure */
	bool refused;       /* of the first failure, as in struct ctx */
	long status;        /* of its answer */
	char sentence[512]; /* of the first failure */
};

static void wake_workers(void *arg)
{
	struct abreast *a = arg;

	for (size_t i = 0; i < WORKERS; i++)
		ctx_cancel(&a->workers[i].ctx);
}

static bool take_number(struct abreast *a, size_t *ret_index)
{
	bool any;

	mutex_lock(&a->lock);
	any = !a->failed && !a->unnumbered && a->n_taken < a->n_wanted;
	if (any)
		*ret_index = a->n_taken++;
	mutex_unlock(&a->lock);
	return any;
}

static void fail(struct abreast *a, int r, long status, const struct ctx *ctx)
{
	bool first;

	mutex_lock(&a->lock);
	first = !a->failed;
	if (first) {
		a->failed = r;
		a->refused = ctx->refused;
		a->status = status;
		snprintf(a->sentence, sizeof(a->sentence), "%s", ctx->sentence);
		cond_broadcast(&a->done);
	}
	mutex_unlock(&a->lock);
	/* Out of requests: those that were spent shall bring their pages. */
	if (first && r != -EDQUOT)
		wake_workers(a);
}

/* A 400 is a number that is none; a server that does not know the parameter
 * gives its first page again. */
static bool is_unnumbered(int r, long status, const struct json *json, size_t n)
{
	return r < 0 ? status == 400
		     : json_int(json, "page", (int64_t)n) != (int64_t)n;
}

/* The page i has come. What is empty and has no `next` is beyond the end, and
 * so are many 404: of a size that says too much not all pages are asked for. */
static void see_end(struct abreast *a, size_t i, const struct json *json)
	requires_lock(a->lock)
{
	bool is_end = json && !json_n_items(json_at(json, "values")) &&
		      !json_str(json, "next");

	a->n_gone += !json;
	if ((is_end || a->n_gone >= GONE_MOST) && i < a->n_wanted)
		a->n_wanted = i + 1;
}

static void work(void *arg)
{
	struct worker *worker = arg;
	struct abreast *a = worker->abreast;
	size_t i;

	while (take_number(a, &i)) {
		cleanup(free) char *url = bitbucket_numbered_url(a->url, i + 1);
		struct json *json = NULL;
		long status = 0;
		int r = bitbucket_get_page(&worker->ctx, a->bitbucket, a->list,
					   url, &status, &json);
		bool unnumbered = is_unnumbered(r, status, json, i + 1);

		/* A page that was there when the first said how many there are
		 * may be beyond the end by now: the count says the rest. */
		if (r < 0 && status != 404 && !unnumbered) {
			fail(a, r, status, &worker->ctx);
			return;
		}
		worker->ctx.sentence[0] = '\0';
		mutex_lock(&a->lock);
		a->pages[i].json = json;
		a->pages[i].done = !unnumbered;
		a->unnumbered = a->unnumbered || unnumbered;
		see_end(a, i, json);
		cond_broadcast(&a->done);
		mutex_unlock(&a->lock);
	}
}

/* False: it does not come. */
static bool await_page(struct abreast *a, size_t i)
{
	bool came;

	mutex_lock(&a->lock);
	while (!a->pages[i].done && !a->failed && !a->unnumbered &&
	       (i < a->n_taken || i < a->n_wanted))
		cond_wait(&a->done, &a->lock);
	came = a->pages[i].done && !a->failed;
	mutex_unlock(&a->lock);
	return came;
}

static int hand_on(struct abreast *a, bitbucket_take_page *take, void *arg)
{
	for (size_t i = 1; i < a->n_pages && await_page(a, i); i++) {
		int r = take(arg, i + 1, a->pages[i].json);

		a->pages[i].json = json_free(a->pages[i].json);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct ctx *ctx, struct abreast *a, bitbucket_take_page *take,
	       void *arg)
{
	struct ctx_waker waker = {.wake = wake_workers, .arg = a};
	size_t n_started = 0;
	int r;

	for (size_t i = 0; i < WORKERS; i++) {
		a->workers[i].abreast = a;
		ctx_init_like(&a->workers[i].ctx, ctx);
	}
	ctx_watch(ctx, &waker);
	/* A thread that cannot be started is one less. */
	for (size_t i = 0; i < WORKERS && i + 1 < a->n_pages; i++)
		n_started += thread_start("listing", work, &a->workers[i],
					  &a->workers[i].thread) == 0;
	if (!n_started)
		work(&a->workers[0]);
	r = hand_on(a, take, arg);
	if (r < 0)
		fail(a, r, 0, ctx);
	for (size_t i = 0; i < WORKERS; i++)
		a->workers[i].thread = thread_join(a->workers[i].thread);
	ctx_unwatch(ctx, &waker);
	for (size_t i = 0; i < WORKERS; i++)
		ctx_done(&a->workers[i].ctx);
	if (ctx_is_cancelled(ctx))
		return -EINTR;
	if (!a->failed)
		return a->unnumbered;
	ctx->refused = a->refused;
	return ctx_fail(ctx, a->failed, "%s", a->sentence);
}

int bitbucket_get_abreast(struct ctx *ctx, struct bitbucket *b,
			  struct bitbucket_list *list, const char *url,
			  size_t n_pages, bitbucket_take_page *take, void *arg)
{
	struct abreast a = {
		.bitbucket = b,
		.list = list,
		.url = url,
		.n_pages = n_pages,
		.n_wanted = n_pages,
		.n_taken = 1,
	};
	int r;

	a.pages = mem_calloc(n_pages, sizeof(*a.pages));
	mutex_init(&a.lock);
	cond_init(&a.done);
	r = run(ctx, &a, take, arg);
	if (r < 0)
		list->status = a.status;
	for (size_t i = 0; i < n_pages; i++)
		json_free(a.pages[i].json);
	free(a.pages);
	cond_done(&a.done);
	mutex_done(&a.lock);
	return r;
}
