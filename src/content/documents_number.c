/*
 * content/documents, items whose names are numbers and none of their ids:
 * pipelines and deployments, which endpoints call by their uuid.
 *
 * An old one is not in the list, which is bounded to the newest. Its number is
 * tried in the uuid's place, where the service is known to take it though its
 * document does not say so; else the page that has it is looked for: numbers
 * are given in turn, so `size` and the newest number say about where it is.
 */
#include "content/documents_private.h"

#include "base/text.h"

#include <inttypes.h>

#define PAGES_MOST 6

static char *number_key(const struct scope *scope, const char *number)
{
	return mem_asprintf("%s/#%s", scope->key, number);
}

static int64_t number_of(const struct resource *row, const struct json *item)
{
	return json_int(resource_at(item, row->items->name_path), "", -1);
}

/* The item's document, and which id that number has. */
static int store(struct ctx *ctx, const struct documents_fetch *f,
		 const struct json *item)
{
	const struct resource_items *items = f->row->items;
	const char *id = json_str(item, items->id_path);
	cleanup(free) char *key = number_key(f->scope, f->id);
	cleanup(free) char *item_key = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	if (!id || json_compact(item, &text) < 0)
		return ctx_fail(ctx, -EIO,
				"Bitbucket does not say the id of "
				"what it calls %s.",
				f->id);
	item_key = scope_item_key(f->row, f->scope, id);
	return answer_put(
		ctx, f->documents->config.cache,
		(struct cache_put[]){
			{
				.key = key,
				.body = id,
				.n_body = strlen(id),
				.ttl_ms = FINAL_MS,
			},
			{
				.key = item_key,
				.body = text.data,
				.n_body = text.len,
				.ttl_ms = items->is_final &&
							  items->is_final(item)
						  ? FINAL_MS
						  : f->row->ttl_s * 1000,
				.time_ms =
					resource_time(item, items->time_path),
			},
		},
		2);
}

/* 0: the item is stored; 1: it cannot be had in this way. */
static int try_number(struct ctx *ctx, const struct documents_fetch *f,
		      int64_t number)
{
	struct documents *d = f->documents;
	cleanup(scope_unref) struct scope *scope =
		scope_item(f->scope, f->row, f->id);
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = NULL;
	int r = documents_path(ctx, d, f->row->items->endpoint, scope, &path);

	if (r == 0)
		r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);
	if (r < 0)
		return reply.status == 404 || reply.status == 400 ? 1 : r;
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	return number_of(f->row, json) == number ? store(ctx, f, json) : 1;
}

/* ---- the page that has it ---- */

struct page {
	struct ctx *ctx;
	const struct documents_fetch *fetch;
	int64_t number; /* of the item that is looked for */
	int64_t size, pagelen;
	int64_t newest, oldest; /* numbers on it; -1: it is empty */
	bool found;
};

static int take_item(void *arg, const struct json *item)
{
	struct page *page = arg;
	int64_t this = number_of(page->fetch->row, item);

	if (this == page->number) {
		page->found = true;
		return store(page->ctx, page->fetch, item);
	}
	if (this < 0)
		return 0;
	if (page->newest < 0)
		page->newest = this;
	page->oldest = this;
	return 0;
}

/* 0: it is stored; 1: it is not on this page. */
static int try_page(struct ctx *ctx, const struct documents_fetch *f,
		    int64_t number, int64_t at, struct page *ret)
{
	struct documents *d = f->documents;
	cleanup(free) char *path = NULL;
	struct bitbucket_known known =
		documents_known_list(d, f->row->endpoint, "");
	struct bitbucket_list list = {
		.paging = BITBUCKET_NUMBERED,
		.page = (size_t)at,
		.each = take_item,
		.arg = ret,
		.known = &known,
	};
	bool more;
	int r = documents_path(ctx, d, f->row->endpoint, f->scope, &path);

	if (r < 0)
		return r;
	*ret = (struct page){
		.ctx = ctx,
		.fetch = f,
		.number = number,
		.newest = -1,
		.oldest = -1,
	};
	list.path = path;
	r = bitbucket_list(ctx, d->config.bitbucket, &list, &more);
	if (r < 0)
		return r;
	documents_learn_list(d, f->row->endpoint, "", &known);
	ret->size = list.size;
	ret->pagelen = list.pagelen;
	return !ret->found;
}

static int look_for_page(struct ctx *ctx, const struct documents_fetch *f,
			 int64_t number)
{
	struct page page;
	int64_t at = 1, before = 0;
	int r = try_page(ctx, f, number, at, &page);

	for (unsigned i = 1; r == 1 && i < PAGES_MOST; i++) {
		int64_t step;

		if (page.newest < 0 || page.pagelen <= 0 || page.size < 0)
			break;
		/* So many pages on, were there no gaps. */
		if (number < page.oldest)
			step = (page.oldest - number - 1) / page.pagelen + 1;
		else if (number > page.newest)
			step = -((number - page.newest - 1) / page.pagelen + 1);
		else
			break;
		if (at + step < 1)
			step = 1 - at;
		if ((at + step - 1) * page.pagelen >= page.size)
			step = (page.size - 1) / page.pagelen + 1 - at;
		/* Between two neighbours it is not. */
		if (step == 0 || at + step == before)
			break;
		before = at;
		at += step;
		r = try_page(ctx, f, number, at, &page);
	}
	return r;
}

static int fetch_number(struct ctx *ctx, void *arg,
			const struct cache_entry *old)
{
	const struct documents_fetch *f = arg;
	cleanup(free) char *key = number_key(f->scope, f->id);
	uint64_t number = 0;
	int r = text_parse_u64(f->id, INT64_MAX, &number);

	if (r == 0)
		r = try_number(ctx, f, (int64_t)number);
	if (r == 1)
		r = look_for_page(ctx, f, (int64_t)number);
	if (r != 1)
		return r;
	ctx_fail(ctx, -ENOENT, "Bitbucket has no %s with the number %s.",
		 f->row->name, f->id);
	return documents_refused(ctx, f->documents, key, old, -ENOENT, 404);
}

int documents_numbered(struct ctx *ctx, struct documents *d,
		       const struct resource *row, const struct scope *scope,
		       const char *number, enum read_through_mode mode,
		       char **ret_id)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(free) char *key = number_key(scope, number);
	struct documents_fetch f = {d, row, scope, number};
	bool stale = false;
	int r = read_through_get(ctx, d->config.source, key, mode, fetch_number,
				 &f, &e, &stale);

	if (r < 0)
		return r;
	if (!e->body)
		return answer_failed(ctx, e);
	*ret_id = mem_dup0(blob_data(e->body), e->n_body);
	return 0;
}
