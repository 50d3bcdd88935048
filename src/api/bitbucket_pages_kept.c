/*
 * api/bitbucket, where each page of a list comes from (bitbucket_get_page): it
 * is asked for, or was kept, when a list that was broken off goes on where it
 * was. A page that is kept is taken where it would be asked for, by its URL.
 * But by then numbers have shifted:
 * 1. A walks the repositories, the oldest first, and is broken off after its
 *    page 40.
 * 2. Somebody deletes one that page 7 had: all that follow move up by one.
 * 3. B takes 40 kept pages, and asks for page 41. What was the first of that is
 *    the last of page 40 by now, and B never sees it.
 * So where a list has the order of created_on, B goes on by
 * q=created_on>=TIME, the time of the last item of page 40: a segment, which
 * has pages of its own. Of the newest first B asks for what was made since,
 * too.
 */
#include "bitbucket_pages_private.h"

#include "base/text.h"

/* body NULL: it was kept. What is no page is not. */
static void tell_of_page(const struct bitbucket_list *list, const char *url,
			 const struct json *page, struct buf *body)
{
	if (!list->kept || !json_is_array(json_at(page, "values")))
		return;
	list->kept->came(list->kept->arg,
			 &(struct bitbucket_kept_page){
				 .url = url,
				 .body = body,
				 .size = json_int(page, "size", -1),
				 .pagelen = json_int(page, "pagelen", -1),
				 .has_next = json_str(page, "next") != NULL,
			 });
}

/* The page that is kept of that URL; NULL. */
static struct json *kept_page(const struct bitbucket_list *list,
			      const char *url)
{
	cleanup(blob_unref) struct blob *bytes =
		list->kept ? list->kept->look(list->kept->arg, url) : NULL;

	return json_of(bytes);
}

int bitbucket_get_page(struct ctx *ctx, struct bitbucket *b,
		       const struct bitbucket_list *list, const char *url,
		       long *ret_status, struct json **ret_page)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	struct json *page = kept_page(list, url);
	int r = 0;

	*ret_status = 200;
	if (!page) {
		r = bitbucket_get_url(ctx, b, url,
				      list->patient ? BITBUCKET_SLOW_JSON
						    : BITBUCKET_JSON,
				      NULL, &reply);
		*ret_status = reply.status;
	}
	if (r == 0 && !page)
		r = bitbucket_parse(ctx, &reply, list->path, &page);
	if (r < 0)
		return r;
	tell_of_page(list, url, page, reply.body.data ? &reply.body : NULL);
	*ret_page = page;
	return 0;
}

/* ---- from where it was broken off ---- */

/* Side by side, so many pages may have come before an earlier one. */
#define EARLY_MOST 3

/* Of the list's items, those that were made from then to then (NULL: now). */
static char *segment_url(const struct pages *p, const char *from,
			 const char *to)
{
	cleanup(free) char *end = to ? mem_asprintf(" AND created_on<=%s", to)
				     : mem_strdup("");
	cleanup(free) char *q = mem_asprintf("created_on>=%s%s", from, end);
	struct buf url = BUF_INIT(0);

	buf_printf(&url, "%s%s%cq=", p->bitbucket->api_url, p->path,
		   strchr(p->path, '?') ? '&' : '?');
	text_percent_encode(&url, q, "");
	return buf_steal(&url, NULL);
}

static const char *first_moment(const struct json *page)
{
	return json_str(json_first(json_at(page, "values")), "created_on");
}

static char *nth_url(const struct pages *p, size_t n)
{
	return n == 1 ? mem_strdup(p->first)
		      : bitbucket_numbered_url(p->first, n);
}

/* With a smaller size than that of the page before, something went between the
 * two, and what was first of this one is on the other. */
static bool has_shifted(const struct json *page, int64_t size)
{
	return json_int(page, "size", -1) < size;
}

/* 1: the page was kept, and is taken; 0; -errno. *size: of the page before. */
static int take_kept(struct pages *p, const char *url, int64_t *size)
{
	cleanup(json_free) struct json *page = kept_page(p->list, url);
	int r;

	if (!page || has_shifted(page, *size))
		return 0;
	*size = json_int(page, "size", -1);
	tell_of_page(p->list, url, page, NULL);
	r = bitbucket_pages_take_json(p, url, page);
	return r < 0 ? r : 1;
}

/* From the page on that came last, by `next` alone, to the end. */
static int walk_nexts(struct pages *p)
{
	for (size_t n = 1; p->page.goes == BITBUCKET_GOES_ON && !p->full; n++) {
		cleanup(free) char *url = mem_strdup(p->page.next);
		int r;

		if (n > BITBUCKET_MOST_PAGES)
			return bitbucket_pages_do_not_end(p);
		r = bitbucket_pages_take(p, url);
		if (r < 0)
			return r;
	}
	return 0;
}

/* It lies between the two times: of another one that went or came, numbers have
 * shifted, and some are missing at one of its ends. */
static bool is_between(const struct json *page, const char *from,
		       const char *to)
{
	const char *first = first_moment(page), *last = NULL;

	JSON_EACH (i, json_at(page, "values"))
		last = json_str(i, "created_on");
	return first && last && strcmp(from, first) < 0 && strcmp(last, to) < 0;
}

/* Pages first to last, by their numbers, before the one that begins with that
 * time. size: of the page before. 1: they came; 0: not all of them. */
static int take_by_numbers(struct pages *p, size_t first, size_t last,
			   const char *to, int64_t size)
{
	for (size_t i = first; i <= last; i++) {
		cleanup(free) char *url = nth_url(p, i);
		cleanup(json_free) struct json *page = NULL;
		const struct bitbucket_kept *kept = p->list->kept;
		int r;

		/* Not kept: if it has shifted, whoever goes on the next time
		 * would take it for the one that was there. */
		p->list->kept = NULL;
		r = bitbucket_get_page(p->ctx, p->bitbucket, p->list, url,
				       &p->list->status, &page);
		p->list->kept = kept;
		if (r < 0)
			return p->list->status == 404 ? 0 : r;
		if (has_shifted(page, size) || !is_between(page, p->last, to))
			return 0;
		r = bitbucket_pages_take_json(p, url, page);
		if (r < 0)
			return r;
	}
	return 1;
}

/* What lies between two times. */
static int take_between(struct pages *p, const char *from, const char *to)
{
	cleanup(free) char *url = segment_url(p, from, to);
	int r;

	/* It begins there again: that is not out of order. */
	free(p->last);
	p->last = mem_strdup(from);
	r = bitbucket_pages_take(p, url);
	return r < 0 ? r : walk_nexts(p);
}

/* The pages from n on before one that is kept, *ret_n. 1: they came. */
static int fill_hole(struct pages *p, size_t n, int64_t size, size_t *ret_n)
{
	cleanup(free) char *from = p->last ? mem_strdup(p->last) : NULL;

	for (size_t k = n + 1; from && k <= n + EARLY_MOST; k++) {
		cleanup(free) char *later = nth_url(p, k);
		cleanup(json_free) struct json *page =
			kept_page(p->list, later);
		const char *to = page ? first_moment(page) : NULL;
		int r;

		if (!to || has_shifted(page, size))
			continue;
		r = take_by_numbers(p, n, k - 1, to, size);
		if (r == 0)
			r = take_between(p, from, to);
		*ret_n = k;
		return r < 0 ? r : 1;
	}
	return 0;
}

/* The pages of p->first that are kept; *n of them, with those that are not and
 * come before one that is. */
static int take_all_kept(struct pages *p, size_t *n)
{
	int64_t size = -1;
	int r = 1;

	for (*n = 0; r > 0; *n += r > 0) {
		cleanup(free) char *url = nth_url(p, *n + 1);
		cleanup(free) char *next =
			*n && p->page.next ? mem_strdup(p->page.next) : NULL;
		size_t later;

		r = take_kept(p, url, &size);
		if (r == 0 && next)
			r = take_kept(p, next, &size);
		if (r == 0 && *n && !p->is_unsorted) {
			r = fill_hole(p, *n + 1, size, &later);
			if (r > 0)
				*n = later - 2;
		}
	}
	return r;
}

static void begin_segment(struct pages *p, char *url)
{
	free(p->segment);
	p->segment = url;
	free(p->first);
	p->first = mem_strdup(url);
	p->n_before = p->n_items + p->n_odd;
	p->promised = -1;
	p->walked = (struct bitbucket_walked){.n_pages = 0};
}

void bitbucket_pages_count_before(struct pages *p)
{
	p->n_before -= p->page.n_values - p->walked.n_came;
	p->walked.n_came = p->page.n_values;
}

int bitbucket_pages_replay(struct pages *p)
{
	for (;;) {
		char *url;
		size_t n = 0;
		int r = take_all_kept(p, &n);

		if (r < 0 || !n)
			return r;
		/* There is no time to go on by: by number, then. */
		if (!p->last || p->is_unsorted) {
			p->walked.n_pages = n;
			r = bitbucket_pages_walk_on(p);
			return r < 0 ? r : 1;
		}
		url = segment_url(p, p->last, NULL);
		if (!strcmp(url, p->first)) {
			free(url);
			p->promised = -1;
			return 1;
		}
		begin_segment(p, url);
	}
}

int bitbucket_pages_take_newer(struct pages *p)
{
	const struct bitbucket_kept *kept = p->list->kept;
	cleanup(free) char *first = bitbucket_pages_newest_url(p, NULL, NULL),
			   *url = NULL;
	cleanup(json_free) struct json *page = kept_page(p->list, first);
	const char *moment = page ? first_moment(page) : NULL;
	int r;

	if (!moment)
		return 0;
	url = bitbucket_pages_newest_url(p, moment, ">=");
	p->list->kept = NULL;
	r = bitbucket_pages_take(p, url);
	if (r == 0)
		r = walk_nexts(p);
	p->list->kept = kept;
	free(p->last);
	p->last = NULL;
	return r;
}
