/*
 * api/bitbucket, any list: page after page, each item handed on as its page
 * comes, so that memory holds one page. Where a list goes on is decided in
 * bitbucket_page.c.
 *
 * Page numbers shift while items come and go, so nothing is trusted twice:
 * items are told apart by their id, and what `size` promised and no page had is
 * looked for in a second walk, unless it was looked for in vain the last time.
 * The newest-first walk does not number at all: a page's q begins below the
 * last item of the one before. Should several items have been made in that very
 * microsecond, the `size` of the next page is too small, and it is asked for
 * again with that moment included.
 */
#include "bitbucket_pages_private.h"

#include "base/text.h"

#include <strings.h>

#define MOST_ITEMS 100000

static void forget(struct seen **set)
{
	struct seen *seen, *next;

	HASH_ITER (hh, *set, seen, next) {
		HASH_DEL(*set, seen);
		free(seen);
	}
}

/* False: the set had it. */
static bool add_new(struct seen **set, const char *text)
{
	size_t n = strlen(text);
	struct seen *seen;

	HASH_FIND(hh, *set, text, n, seen);
	if (seen)
		return false;
	seen = mem_calloc(1, sizeof(*seen) + n + 1);
	memcpy(seen->text, text, n);
	HASH_ADD_KEYPTR(hh, *set, seen->text, n, seen);
	return true;
}

static void pages_done(struct pages *p)
{
	forget(&p->seen);
	forget(&p->asked);
	bitbucket_page_done(&p->page);
	free(p->path);
	free(p->first);
	free(p->last);
	free(p->segment);
}
DEFINE_CLEANUP_DONE(struct pages, pages_done);

/* ---- items ---- */

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

	return !id || add_new(&p->seen, id);
}

int bitbucket_pages_do_not_end(const struct pages *p)
{
	return ctx_fail(p->ctx, -EIO, "Bitbucket's list at %s does not end.",
			p->list->path);
}

/* Without a fraction of the second, or equal to the one before: others may have
 * been made in that moment. */
static void take_moment(struct pages *p, const struct json *item)
{
	const char *created = json_str(item, "created_on");

	if (!created)
		return;
	p->is_tie = !strchr(created, '.') ||
		    (p->last && !strcmp(p->last, created));
	p->is_unsorted = p->is_unsorted ||
			 (p->last && strcmp(p->last, created) > 0);
	free(p->last);
	p->last = mem_strdup(created);
}

static int take_item(struct pages *p, const struct json *item)
{
	size_t most = p->list->most ? p->list->most : MOST_ITEMS;

	take_moment(p, item);
	if (!json_is_object(item)) {
		p->n_odd++;
		return 0;
	}
	if (!is_new(p, item))
		return 0;
	if (p->n_items == most) {
		p->full = true;
		return p->list->most ? 0 : bitbucket_pages_do_not_end(p);
	}
	p->n_items++;
	return p->list->each(p->list->arg, item);
}

/* ---- pages ---- */

static int take_values(struct pages *p, const struct json *values)
{
	size_t had = p->n_items;
	int r = 0;

	if (p->page.size > p->promised)
		p->promised = p->page.size;
	for (const struct json *i = json_first(values); i && r == 0;
	     i = json_next(i))
		r = take_item(p, i);
	p->walked.n_came = p->n_items + p->n_odd - p->n_before;
	p->walked.n_empty = p->page.n_values ? 0 : p->walked.n_empty + 1;
	/* The second walk has little that is new, an empty page nothing old. */
	if (p->n_items > had || p->again)
		p->walked.n_idle = 0;
	else if (p->page.n_values)
		p->walked.n_idle++;
	return r;
}

/* url: what was asked for the answer. */
static int take_whole(struct pages *p, const char *url, struct json **json)
{
	bitbucket_page_read(p->bitbucket->api_url, url, *json, &p->page);
	(void)add_new(&p->asked, url);
	p->walked.n_came += p->page.n_values;
	p->walked.n_empty = p->page.n_values ? 0 : p->walked.n_empty + 1;
	return p->list->each_page(p->list->arg, json);
}

int bitbucket_pages_take_json(struct pages *p, const char *url,
			      const struct json *json)
{
	bool bare = json_is_array(json) && p->list->paging != BITBUCKET_ABREAST;
	const struct json *values = bare ? json : json_at(json, "values");

	if (!json_is_array(values))
		return ctx_fail(p->ctx, -EIO,
				"Bitbucket's answer to %s is not a listing.",
				p->list->path);
	bitbucket_page_read(p->bitbucket->api_url, url, json, &p->page);
	(void)add_new(&p->asked, url);
	p->is_short = p->page.size >= 0 && p->page.size < p->at_least;
	return p->is_short ? 0 : take_values(p, values);
}

int bitbucket_pages_take(struct pages *p, const char *url)
{
	cleanup(json_free) struct json *page = NULL;
	int r = bitbucket_get_page(p->ctx, p->bitbucket, p->list, url,
				   &p->list->status, &page);

	if (r < 0)
		return r;
	return p->list->each_page ? take_whole(p, url, &page)
				  : bitbucket_pages_take_json(p, url, page);
}

/* ---- side by side ---- */

static int take_other(void *arg, size_t number, const struct json *page)
{
	struct pages *p = arg;
	cleanup(free) char *url = bitbucket_numbered_url(p->first, number);

	p->walked.n_pages = number;
	if (page)
		return bitbucket_pages_take_json(p, url, page);
	/* The `next` of the page before one that went is that one's number:
	 * followed, it would be a 404 that fails the list, where the count only
	 * says that some are missing. */
	p->page.goes = BITBUCKET_GOES_NOWHERE;
	return 0;
}

/* The first page said how many there are. */
static int take_others(struct pages *p)
{
	size_t n_pages;
	int r;

	if (p->page.goes == BITBUCKET_GOES_NOWHERE || p->page.n_values == 0 ||
	    p->page.size <= (int64_t)p->page.n_values)
		return 0;
	n_pages = (size_t)((p->page.size + p->page.pagelen - 1) /
			   p->page.pagelen);
	if (n_pages < 2)
		return 0;
	r = bitbucket_get_abreast(p->ctx, p->bitbucket, p->list, p->first,
				  n_pages, take_other, p);
	p->gap = p->walked.numbers_refused = r == 1;
	return r < 0 ? r : 0;
}

/* ---- by numbers, or `next` ---- */

/* Where the list goes on; NULL: nowhere. */
static char *turn(struct pages *p, enum bitbucket_turn *ret_turn)
{
	char *url;

	/* It goes round in circles: the count says whether that was all. */
	if (p->page.goes == BITBUCKET_GOES_ON &&
	    !add_new(&p->asked, p->page.next)) {
		bitbucket_page_done(&p->page);
		p->page.goes = BITBUCKET_GOES_ELSEWHERE;
	}
	*ret_turn = bitbucket_turn(&p->page, &p->walked, p->list->paging);
	switch (*ret_turn) {
	case BITBUCKET_TURN_NEXT:
		return mem_strdup(p->page.next);
	case BITBUCKET_TURN_NUMBER:
		return bitbucket_numbered_url(p->first, p->walked.n_pages + 1);
	case BITBUCKET_TURN_CODE:
		url = bitbucket_coded_url(p->first, p->page.next);
		if (add_new(&p->asked, url))
			return url;
		free(url);
		p->cut = true;
		break;
	case BITBUCKET_TURN_CUT:
		p->cut = true;
		break;
	case BITBUCKET_TURN_END:
		break;
	}
	return NULL;
}

/* The page was not there where nobody promised it: the list goes on in another
 * way, or ends. */
static bool was_a_guess(struct pages *p, enum bitbucket_turn turned)
{
	if (p->list->status != 400 && p->list->status != 404)
		return false;
	switch (turned) {
	case BITBUCKET_TURN_NUMBER:
		p->walked.numbers_refused = true;
		break;
	case BITBUCKET_TURN_CODE:
		p->walked.codes_refused = true;
		break;
	case BITBUCKET_TURN_NEXT:
		if (!p->gap)
			return false;
		p->page.goes = BITBUCKET_GOES_NOWHERE;
		break;
	case BITBUCKET_TURN_CUT:
	case BITBUCKET_TURN_END:
		return false;
	}
	p->ctx->sentence[0] = '\0';
	return true;
}

int bitbucket_pages_walk_on(struct pages *p)
{
	enum bitbucket_turn turned;
	char *url;

	while ((url = turn(p, &turned))) {
		cleanup(free) char *this = url;
		int r;

		/* As many as are wanted, and there is a next page. */
		p->full = p->full ||
			  (p->list->most && p->n_items == p->list->most);
		if (p->full)
			return 0;
		if (p->walked.n_pages >= BITBUCKET_MOST_PAGES)
			return bitbucket_pages_do_not_end(p);
		r = bitbucket_pages_take(p, this);
		if (r < 0 && !was_a_guess(p, turned))
			return r;
		if (r < 0)
			continue;
		p->gap = false;
		p->walked.n_pages++;
	}
	return 0;
}

static int walk_numbers(struct pages *p)
{
	bool resumes = p->list->by_created && p->list->kept && !p->segment;
	int r;

	free(p->first);
	p->first = p->segment ? mem_strdup(p->segment)
			      : mem_asprintf("%s%s", p->bitbucket->api_url,
					     p->path);
	r = resumes ? bitbucket_pages_replay(p) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	/* Whoever asked for a page by its number asked for those from there. */
	p->walked.numbers_refused = strstr(p->path, "page=") &&
				    p->list->each_page;
	r = bitbucket_pages_take(p, p->first);
	p->walked.n_pages = 1;
	if (r == 0 && resumes && p->segment)
		bitbucket_pages_count_before(p);
	if (r == 0 && p->list->paging == BITBUCKET_ABREAST)
		r = take_others(p);
	return r < 0 ? r : bitbucket_pages_walk_on(p);
}

/* ---- the newest first ---- */

char *bitbucket_pages_newest_url(const struct pages *p, const char *moment,
				 const char *sign)
{
	const char *filter = p->list->q ? p->list->q : "";
	cleanup(free) char *bound =
		moment ? mem_asprintf("%screated_on%s%s",
				      *filter ? " AND " : "", sign, moment)
		       : mem_strdup("");
	cleanup(free) char *q = mem_asprintf("%s%s", filter, bound);
	struct buf url = BUF_INIT(0);

	buf_printf(&url, "%s%s%csort=-created_on", p->bitbucket->api_url,
		   p->path, strchr(p->path, '?') ? '&' : '?');
	if (*q) {
		buf_puts(&url, "&q=");
		text_percent_encode(&url, q, "");
	}
	return buf_steal(&url, NULL);
}

/* Whether the next page can begin below the last item of this one. had: items
 * before it; below: where it began, that moment included or not. */
static bool can_go_below(const struct pages *p, size_t had, const char *below,
			 bool with)
{
	if (p->page.n_values == 0 || !p->last)
		return false;
	/* All that came is of one moment and was there before. */
	return !(with && p->n_items == had && !strcmp(below, p->last));
}

static int walk_newest(struct pages *p)
{
	cleanup(free) char *below = NULL;
	int64_t left = -1;
	bool with = false;
	int taken = bitbucket_pages_take_newer(p);

	if (taken < 0 || p->full)
		return taken;
	for (size_t n = 1;; n++) {
		size_t had = p->n_items;
		int r;

		if (n > BITBUCKET_MOST_PAGES)
			return bitbucket_pages_do_not_end(p);
		free(p->first);
		p->first =
			bitbucket_pages_newest_url(p, below, with ? "<=" : "<");
		/* Without some of that very moment it is not taken. */
		p->at_least = with ? -1 : left;
		r = bitbucket_pages_take(p, p->first);
		if (r < 0)
			return r;
		if (p->is_short) {
			with = true;
			continue;
		}
		left = p->page.size < 0
			       ? -1
			       : p->page.size - (int64_t)p->page.n_values;
		p->promised = left > 0 ? (int64_t)p->walked.n_came + left : -1;
		if (p->page.goes == BITBUCKET_GOES_NOWHERE)
			return 0;
		if (p->list->most && p->n_items >= p->list->most) {
			p->full = true;
			return 0;
		}
		if (!can_go_below(p, had, below, with)) {
			p->at_least = -1;
			p->walked.n_pages = 1;
			return bitbucket_pages_walk_on(p);
		}
		/* No size tells whether some of that moment are missing. */
		with = left < 0 && p->is_tie;
		free(below);
		below = mem_strdup(p->last);
	}
}

/* ---- all of it ---- */

static bool is_missing(const struct pages *p)
{
	return !p->full && !p->cut && are_told_apart(p->list) &&
	       p->list->paging != BITBUCKET_WHOLE &&
	       (int64_t)p->walked.n_came < p->promised;
}

/* They were looked for the last time, in vain. */
static bool is_agreed(const struct pages *p)
{
	const struct bitbucket_known *known = p->list->known;

	return known && known->size == p->promised + (int64_t)p->n_before &&
	       known->n == (int64_t)(p->walked.n_came + p->n_before);
}

/* The kept pages led to a question that the server refuses: they would do so
 * until they are too old. */
static bool is_dead_end(const struct pages *p, int r)
{
	return r < 0 && p->segment && p->list->status == 400 &&
	       !p->walked.n_came && p->list->restart;
}

/* Page numbers shift when an item goes while they are walked: what came in the
 * wrong moment is missed, and there the second time. */
static int walk_again(struct pages *p)
{
	/* Asked anew: those that are kept lack it. */
	p->list->kept = NULL;
	p->again = !p->list->restart || p->segment;
	p->walked = (struct bitbucket_walked){.n_came = p->walked.n_came};
	forget(&p->asked);
	if (!p->again) {
		forget(&p->seen);
		p->n_items = p->n_odd = p->walked.n_came = 0;
		p->promised = -1;
		p->list->restart(p->list->arg);
	}
	return walk_numbers(p);
}

static int take_one(struct pages *p)
{
	cleanup(free) char *url =
		mem_asprintf("%s%s", p->bitbucket->api_url, p->path);
	int r;

	p->first = bitbucket_numbered_url(url, p->list->page);
	r = bitbucket_pages_take(p, p->first);
	p->full = true;
	return r;
}

static int walk(struct pages *p)
{
	int r;

	if (p->list->page)
		return take_one(p);
	if (p->list->paging == BITBUCKET_NEWEST)
		return walk_newest(p);
	r = walk_numbers(p);
	if (is_dead_end(p, r)) {
		free(p->segment);
		p->segment = NULL;
		p->n_before = 0;
		p->ctx->sentence[0] = '\0';
		return walk_again(p);
	}
	return r == 0 && is_missing(p) && !is_agreed(p) ? walk_again(p) : r;
}

/* Once: the endpoint refuses the length of the pages that was asked for, so it
 * is asked without one. */
static bool can_do_without(struct pages *p, int r)
{
	char *bare;

	if (r >= 0 || p->list->status != 400 || p->walked.n_came ||
	    !strcasestr(p->ctx->sentence, "invalid pagelen"))
		return false;
	bare = bitbucket_url_without(p->path, "pagelen");
	if (!strcmp(bare, p->path)) {
		free(bare);
		return false;
	}
	free(p->path);
	p->path = bare;
	p->ctx->sentence[0] = '\0';
	return true;
}

static void tell(const struct pages *p, bool no_pagelen)
{
	struct bitbucket_list *list = p->list;
	struct bitbucket_known *known = list->known;
	int64_t lacks = p->promised - (int64_t)p->walked.n_came;

	list->n_odd = p->n_odd;
	list->size = p->page.size;
	list->pagelen = p->page.pagelen;
	list->came = BITBUCKET_CAME_WHOLE;
	if (p->cut)
		list->came = BITBUCKET_CAME_CUT;
	else if (is_missing(p))
		list->came = known && known->size >= 0 &&
					     known->size - known->n == lacks
				     ? BITBUCKET_CAME_AS_BEFORE
				     : BITBUCKET_CAME_SHORT;
	if (!known)
		return;
	*known = BITBUCKET_UNKNOWN;
	known->no_pagelen = no_pagelen;
	known->n = (int64_t)(p->walked.n_came + p->n_before);
	if (is_missing(p))
		known->size = p->promised + (int64_t)p->n_before;
}

int bitbucket_list(struct ctx *ctx, struct bitbucket *b,
		   struct bitbucket_list *list, bool *ret_more)
{
	bool bare = list->known && list->known->no_pagelen;
	cleanup(pages_done) struct pages p = {
		.ctx = ctx,
		.bitbucket = b,
		.list = list,
		.path = bare ? bitbucket_url_without(list->path, "pagelen")
			     : mem_strdup(list->path),
		.promised = -1,
		.at_least = -1,
	};
	int r = walk(&p);

	if (can_do_without(&p, r)) {
		bare = true;
		r = walk(&p);
	}
	/* An error is never an empty list. */
	if (r == 0 && p.cut && !p.walked.n_came)
		r = ctx_fail(
			ctx, -EIO,
			"Bitbucket's list at %s goes on at another host or "
			"in circles; that is not followed.",
			list->path);
	if (r == 0 && p.n_odd && !p.n_items)
		r = ctx_fail(ctx, -EIO,
			     "What Bitbucket lists at %s are no objects.",
			     list->path);
	if (r < 0)
		return r;
	tell(&p, bare);
	*ret_more = p.full;
	return 0;
}
