/*
 * api/bitbucket, any list: page after page, each item handed on as its page
 * comes, so that memory holds one page.
 *
 * Page numbers shift while items come and go, so nothing is trusted twice:
 * items are told apart by their id, and what `size` promised and no page had is
 * looked for in a second walk. The newest-first walk does not number at all: a
 * page's q begins below the last item of the one before. Should several items
 * have been made in that very microsecond, the `size` of the next page is too
 * small, and it is asked for again with that moment included.
 */
#include "api/bitbucket_private.h"

#include "base/map.h"
#include "base/text.h"

#define MOST_ITEMS 100000
/* Pages in a row without anything new: it goes round in circles. */
#define MOST_IDLE 20

struct seen {
	UT_hash_handle hh;
	char id[];
};

struct pages {
	struct ctx *ctx;
	struct bitbucket *bitbucket;
	struct bitbucket_list *list;
	struct seen *seen;
	size_t n_items;   /* handed on */
	size_t n_odd;     /* values that are not items: passed over */
	size_t n_page;    /* of the last page, seen before or not */
	int64_t size;     /* as the last page said; -1: it did not */
	int64_t largest;  /* of the sizes */
	int64_t at_least; /* a page with a smaller size is not taken */
	bool is_short;    /* the last page was smaller than that */
	int64_t pagelen;  /* -1 */
	char *last;       /* created_on of the last item */
	bool full;        /* `most` reached, and there was another item */
	bool again;       /* the second walk: little of it is new */
	unsigned n_idle;  /* pages since there was anything new */
};

static void forget_seen(struct pages *p)
{
	struct seen *seen, *next;

	HASH_ITER (hh, p->seen, seen, next) {
		HASH_DEL(p->seen, seen);
		free(seen);
	}
}

static void pages_done(struct pages *p)
{
	forget_seen(p);
	free(p->last);
}
DEFINE_CLEANUP_DONE(struct pages, pages_done);

static bool are_told_apart(const struct bitbucket_list *list)
{
	return list->identify || list->id;
}

/* What tells the item apart, to be freed; NULL: nothing does. */
static char *identity_of(const struct bitbucket_list *list,
			 const struct json *item)
{
	const struct json *at = list->id ? json_at(item, list->id) : NULL;
	struct buf id = BUF_INIT(64 * KIB);

	if (list->identify)
		return list->identify(item);
	if (at && json_compact(at, &id) == 0 && id.len &&
	    strcmp(id.data, "null") != 0 && strcmp(id.data, "\"\"") != 0)
		return buf_steal(&id, NULL);
	buf_done(&id);
	return NULL;
}

/* False: an earlier page had the item. */
static bool is_new(struct pages *p, const struct json *item)
{
	cleanup(free) char *id = identity_of(p->list, item);
	size_t n = id ? strlen(id) : 0;
	struct seen *seen;

	if (!id)
		return true;
	HASH_FIND(hh, p->seen, id, n, seen);
	if (seen)
		return false;
	seen = mem_calloc(1, sizeof(*seen) + n + 1);
	memcpy(seen->id, id, n);
	HASH_ADD_KEYPTR(hh, p->seen, seen->id, n, seen);
	return true;
}

static int does_not_end(const struct pages *p)
{
	return ctx_fail(p->ctx, -EIO, "Bitbucket's list at %s does not end.",
			p->list->path);
}

static int take_item(struct pages *p, const struct json *item)
{
	size_t most = p->list->most ? p->list->most : MOST_ITEMS;
	const char *created = json_str(item, "created_on");

	p->n_page++;
	if (created) {
		free(p->last);
		p->last = mem_strdup(created);
	}
	if (!json_is_object(item)) {
		p->n_odd++;
		return 0;
	}
	if (!is_new(p, item))
		return 0;
	if (p->n_items == most) {
		p->full = true;
		return p->list->most ? 0 : does_not_end(p);
	}
	p->n_items++;
	return p->list->each(p->list->arg, item);
}

static int take_values(struct pages *p, const struct json *page)
{
	bool bare = json_is_array(page) && p->list->paging != BITBUCKET_ABREAST;
	const struct json *values = bare ? page : json_at(page, "values");
	int r = 0;

	if (!json_is_array(values))
		return ctx_fail(p->ctx, -EIO,
				"Bitbucket's answer to %s is not a listing.",
				p->list->path);
	p->size = json_int(page, "size", -1);
	if (p->size < 0)
		p->size = -1;
	p->is_short = p->size < p->at_least;
	if (p->is_short)
		return 0;
	p->n_page = 0;
	if (p->size > p->largest)
		p->largest = p->size;
	p->pagelen = json_int(page, "pagelen", -1);
	for (const struct json *i = json_first(values); i && r == 0;
	     i = json_next(i))
		r = take_item(p, i);
	return r;
}

int bitbucket_get_page(struct ctx *ctx, struct bitbucket *b,
		       const struct bitbucket_list *list, const char *url,
		       long *ret_status, struct json **ret_page)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r = bitbucket_get_as(ctx, b, url,
				 list->patient ? BITBUCKET_SLOW_JSON
					       : BITBUCKET_JSON,
				 NULL, &reply);

	*ret_status = reply.status;
	return r < 0 ? r : bitbucket_parse(ctx, &reply, list->path, ret_page);
}

static int take_page(struct pages *p, const char *url, char **ret_next)
{
	cleanup(json_free) struct json *page = NULL;
	size_t had = p->n_items;
	int r = bitbucket_get_page(p->ctx, p->bitbucket, p->list, url,
				   &p->list->status, &page);

	if (r >= 0)
		r = take_values(p, page);
	if (r < 0)
		return r;
	p->n_idle = p->n_items > had ? 0 : p->n_idle + 1;
	if (p->n_idle > MOST_IDLE && !p->again)
		return does_not_end(p);
	return bitbucket_next_url(p->ctx, p->bitbucket, page, ret_next);
}

static bool has_more(const struct pages *p, size_t n_pages)
{
	int64_t pagelen = p->pagelen > 0 ? p->pagelen : (int64_t)p->n_page;

	return p->n_page > 0 && p->size > (int64_t)n_pages * pagelen;
}

static char *first_url(const struct pages *p)
{
	return mem_asprintf("%s%s", p->bitbucket->api_url, p->list->path);
}

char *bitbucket_numbered_url(const char *url, size_t number)
{
	return mem_asprintf("%s%cpage=%zu", url, strchr(url, '?') ? '&' : '?',
			    number);
}

/* ---- side by side ---- */

#define PAGELEN_MOST 100

struct others {
	struct pages *pages;
	char *next; /* of the last page; NULL: it is not there any more */
};

/* The `next` of the page before one that went is that one's number: followed,
 * it would be a 404 that fails the list, where the count only says that some
 * are missing. */
static int take_other(void *arg, const struct json *page)
{
	struct others *o = arg;
	int r;

	free(o->next);
	o->next = NULL;
	if (!page)
		return 0;
	r = take_values(o->pages, page);
	return r < 0 ? r
		     : bitbucket_next_url(o->pages->ctx, o->pages->bitbucket,
					  page, &o->next);
}

/* The first page said how many there are. *n: the page's number; *url: what
 * follows it. */
static int take_others(struct pages *p, size_t *n, char **url)
{
	cleanup(free) char *first = first_url(p);
	struct others others = {.pages = p};
	int64_t pagelen = p->pagelen;
	int r;

	if (p->size <= (int64_t)p->n_page)
		return 0;
	if (pagelen < 1 || pagelen > PAGELEN_MOST)
		pagelen = PAGELEN_MOST;
	if (p->size > BITBUCKET_MOST_PAGES * pagelen)
		return ctx_fail(p->ctx, -EIO,
				"Bitbucket says that %s has %lld items; that "
				"is more than is believed.",
				p->list->path, (long long)p->size);
	*n = (size_t)((p->size + pagelen - 1) / pagelen);
	if (*n == 1)
		return 0;
	r = bitbucket_get_abreast(p->ctx, p->bitbucket, p->list, first, *n,
				  take_other, &others);
	free(*url);
	*url = others.next;
	return r;
}

/* ---- by numbers, or `next` ---- */

static int walk_numbers(struct pages *p)
{
	cleanup(free) char *url = first_url(p);

	for (size_t n = 1; url; n++) {
		char *next = NULL;
		int r;

		if (n > BITBUCKET_MOST_PAGES)
			return does_not_end(p);
		r = take_page(p, url, &next);
		free(url);
		url = next;
		if (r == 0 && n == 1 && p->list->paging == BITBUCKET_ABREAST)
			r = take_others(p, &n, &url);
		if (r < 0)
			return r;
		if (!url && p->list->paging == BITBUCKET_NUMBERED &&
		    has_more(p, n)) {
			cleanup(free) char *first = first_url(p);

			url = bitbucket_numbered_url(first, n + 1);
		}
		if (p->list->most && url && p->n_items == p->list->most)
			/* As many as are wanted, and there is a next page. */
			p->full = true;
		if (p->full || p->list->paging == BITBUCKET_WHOLE) {
			free(url);
			url = NULL;
		}
	}
	return 0;
}

/* ---- the newest first ---- */

static char *newest_url(const struct pages *p, const char *below, bool with)
{
	const char *filter = p->list->q ? p->list->q : "";
	cleanup(free) char *bound =
		below ? mem_asprintf("%screated_on%s%s", *filter ? " AND " : "",
				     with ? "<=" : "<", below)
		      : mem_strdup("");
	cleanup(free) char *q = mem_asprintf("%s%s", filter, bound);
	struct buf url = BUF_INIT(0);

	buf_printf(&url, "%s%s%csort=-created_on", p->bitbucket->api_url,
		   p->list->path, strchr(p->list->path, '?') ? '&' : '?');
	if (*q) {
		buf_puts(&url, "&q=");
		text_percent_encode(&url, q, "");
	}
	return buf_steal(&url, NULL);
}

static int walk_newest(struct pages *p)
{
	cleanup(free) char *below = NULL;
	bool more = true, with = false;
	int64_t left = 0;

	for (size_t n = 1; more; n++) {
		cleanup(free) char *url = newest_url(p, below, with),
				   *next = NULL;
		size_t had = p->n_items;
		int r;

		if (n > BITBUCKET_MOST_PAGES)
			return does_not_end(p);
		/* Without some of that very moment it is not taken. */
		p->at_least = !below || with ? -1 : left > 0 ? left : 0;
		r = take_page(p, url, &next);
		if (r < 0)
			return r;
		if (p->is_short) {
			with = true;
			continue;
		}
		left = p->size - (int64_t)p->n_page;
		more = next != NULL && p->last;
		if (with && p->n_items == had && more &&
		    !strcmp(below, p->last))
			return ctx_fail(p->ctx, -EIO,
					"More items of %s were made in one "
					"moment than a page holds.",
					p->list->path);
		with = false;
		if (p->list->most && p->n_items >= p->list->most) {
			p->full = p->full || more;
			more = false;
		}
		if (more) {
			free(below);
			below = mem_strdup(p->last);
		}
	}
	return 0;
}

/* ---- one GET, its pages merged ---- */

#define MOST_MERGED 200

/* The values of a page, after those that are there. */
static void merge_values(const struct json *page, size_t *n, struct buf *values)
{
	const struct json *array = json_at(page, "values");

	for (const struct json *i = json_first(array); i; i = json_next(i)) {
		buf_puts(values, (*n)++ ? ",\n    " : "\n    ");
		json_pretty_inside(i, 2, values);
	}
}

/* The first page's other members, and the values of all. */
static void write_merged(const struct json *first, const struct buf *values,
			 size_t n, struct buf *out)
{
	static const char *const paging[] = {"next",    "previous", "page",
					     "pagelen", "size",     "values"};

	buf_printf(out, "{\n  \"size\": %zu", n);
	for (const struct json *i = json_first(first); i; i = json_next(i)) {
		bool ours = false;

		for (size_t k = 0; k < ARRAY_SIZE(paging); k++)
			ours = ours || strcmp(json_key(i), paging[k]) == 0;
		if (ours)
			continue;
		buf_puts(out, ",\n  ");
		json_pretty_key(json_key(i), out);
		json_pretty_inside(i, 1, out);
	}
	buf_puts(out, ",\n  \"values\": [");
	buf_add(out, values->data ? values->data : "", values->len);
	buf_puts(out, n ? "\n  ]\n}\n" : "]\n}\n");
}

static int get_json(struct ctx *ctx, struct bitbucket *b, const char *url,
		    const char *path, long *ret_status, struct json **ret_json)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r = bitbucket_get_url(ctx, b, url, NULL, &reply);

	*ret_status = reply.status;
	return r < 0 ? r : bitbucket_parse(ctx, &reply, path, ret_json);
}

int bitbucket_get_merged(struct ctx *ctx, struct bitbucket *b, const char *path,
			 struct buf *out, long *ret_status)
{
	cleanup(json_free) struct json *first = NULL;
	cleanup(buf_done) struct buf values = BUF_INIT(0);
	cleanup(free) char *url = mem_asprintf("%s%s", b->api_url, path);
	size_t n = 0;
	int r = get_json(ctx, b, url, path, ret_status, &first);

	if (r < 0)
		return r;
	if (!json_is_array(json_at(first, "values")))
		return json_pretty(first, out);
	merge_values(first, &n, &values);
	free(url);
	url = NULL;
	r = bitbucket_next_url(ctx, b, first, &url);
	for (unsigned pages = 1; r == 0 && url; pages++) {
		cleanup(json_free) struct json *page = NULL;
		cleanup(free) char *this = NULL;

		if (pages == MOST_MERGED || values.failed)
			return ctx_fail(ctx, -EFBIG,
					"%s has more than 64 MiB or %d pages: "
					"ask for one of them with page=.",
					path, MOST_MERGED);
		r = get_json(ctx, b, url, path, ret_status, &page);
		this = steal(&url);
		if (r < 0)
			return r;
		merge_values(page, &n, &values);
		r = bitbucket_next_url(ctx, b, page, &url);
		if (r == 0 && url && !strcmp(url, this))
			return ctx_fail(ctx, -EIO,
					"Bitbucket's list at %s does not end.",
					path);
	}
	if (r < 0)
		return r;
	write_merged(first, &values, n, out);
	if (values.failed || out->failed)
		return ctx_fail(ctx, -EFBIG, "%s has more than 64 MiB.", path);
	return 0;
}

static bool is_missing(const struct pages *p)
{
	return !p->full && are_told_apart(p->list) &&
	       p->list->paging != BITBUCKET_WHOLE &&
	       (int64_t)(p->n_items + p->n_odd) < p->largest;
}

/* Page numbers shift when an item goes while they are walked: what came in the
 * wrong moment is missed, and there the second time. */
static int walk_again(struct pages *p)
{
	p->again = !p->list->restart;
	if (p->list->restart) {
		forget_seen(p);
		p->n_items = p->n_odd = 0;
		p->largest = -1;
		p->list->restart(p->list->arg);
	}
	return walk_numbers(p);
}

int bitbucket_list(struct ctx *ctx, struct bitbucket *b,
		   struct bitbucket_list *list, bool *ret_more)
{
	cleanup(pages_done) struct pages p = {
		.ctx = ctx,
		.bitbucket = b,
		.list = list,
		.size = -1,
		.largest = -1,
		.at_least = -1,
		.pagelen = -1,
	};
	int r;

	if (list->paging == BITBUCKET_NEWEST) {
		r = walk_newest(&p);
	} else {
		r = walk_numbers(&p);
		if (r == 0 && is_missing(&p))
			r = walk_again(&p);
		if (r == 0 && list->restart && is_missing(&p))
			r = ctx_fail(ctx, -EIO,
				     "Bitbucket says that %s has %lld items "
				     "and lists %zu.",
				     list->path, (long long)p.largest,
				     p.n_items + p.n_odd);
	}
	if (r == 0 && p.n_odd && !p.n_items)
		r = ctx_fail(ctx, -EIO,
			     "What Bitbucket lists at %s are no objects.",
			     list->path);
	list->n_odd = p.n_odd;
	if (r == 0)
		*ret_more = p.full;
	return r;
}
