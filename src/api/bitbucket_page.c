/*
 * api/bitbucket, what a page says of its list, and where the list goes on: the
 * one place that reads `next`, `size`, `page` and `pagelen`, and that decides
 * what an empty page, a number that is refused and a `next` that leads away
 * mean.
 *
 * The order of belief: `next` at our own host; numbers, where `size` says that
 * there is more; the `page` of a `next` that names another host, asked of ours.
 * `size` is a hint for the number of pages, never a reason to refuse a list.
 */
#include "api/bitbucket_private.h"

#include "base/text.h"

/* Pages in a row without a value, each with another `next`: the service leaves
 * out what the account may not see. */
#define MOST_EMPTY 200
/* Pages in a row with nothing but what came before: it goes round in circles.
 */
#define MOST_IDLE 20
/* No page is longer; a `size` beyond so many pages is none. */
#define PAGELEN_MOST 100
#define CODE_MOST 300

void bitbucket_page_done(struct bitbucket_page *page)
{
	free(page->next);
	page->next = NULL;
}

/* ---- where `next` leads ---- */

/* The names under which the service writes a `next` (src/api/README.md, 10). */
static const struct {
	const char *host, *path;
} doors[] = {
	{"api.bitbucket.org", "/2.0"},
	{"bitbucket.org", "/!api/2.0"},
};

/* What is behind the beginning of a path; NULL: it begins otherwise. */
static const char *behind(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && strchr("/?", path[n]) ? path + n
							       : NULL;
}

/* What follows the host. */
static const char *path_in(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + strlen("://") : url;
	return host + strcspn(host, "/?");
}

char *bitbucket_under_api(const char *api_url, const char *text)
{
	cleanup(http_url_done) struct http_url api = {0}, at = {0};
	const char *top = path_in(api_url), *rest = NULL;
	bool own, same;

	if (http_url_parse(api_url, &api) || http_url_parse(text, &at))
		return NULL;
	own = !strcmp(api.host, at.host);
	same = !strcmp(api.origin, at.origin);
	/* Whoever is behind a proxy may not see its scheme and port, but then
	 * the path has to tell: another port may be a storage host. */
	if (same || (own && *top))
		rest = behind(path_in(at.text), top);
	for (size_t i = 0; !rest && i < ARRAY_SIZE(doors); i++)
		if (own || !strcmp(at.host, doors[i].host))
			rest = behind(path_in(at.text), doors[i].path);
	if (rest)
		return mem_asprintf("%s%s", api_url, rest);
	return same ? mem_strdup(at.text) : NULL;
}

/* The value of `page` in a URL's query, encoded as it is; NULL. */
static char *code_of(const char *url)
{
	const char *at = strchr(url, '?');

	while (at && strncmp(at + 1, "page=", 5) != 0)
		at = strchr(at + 1, '&');
	if (at) {
		size_t n = strcspn(at += 6, "&#");

		if (n > 0 && n < CODE_MOST)
			return mem_dup0(at, n);
	}
	return NULL;
}

/* Absolute, without bytes that no URL has, and with the "?" for which the
 * service once sent "&". NULL: it is no URL. */
static char *mend(const char *asked, const char *next)
{
	cleanup(buf_done) struct buf text = BUF_INIT(64 * KIB);
	char *amp;

	if (!strstr(next, "://") && !strchr("/?", *next))
		return NULL;
	if (text_percent_encode(&text, next, ":/?#[]@!$&'()*+,;=%") < 0)
		return NULL;
	amp = strchr(text.data, '?') ? NULL : strchr(text.data, '&');
	if (amp)
		*amp = '?';
	return http_url_join(asked, text.data);
}

static void read_next(const char *api_url, const char *asked, const char *next,
		      struct bitbucket_page *ret)
{
	cleanup(free) char *url = NULL;

	if (!next || !*next)
		return;
	ret->goes = BITBUCKET_GOES_ELSEWHERE;
	url = mend(asked, next);
	if (!url)
		return;
	ret->next = bitbucket_under_api(api_url, url);
	if (ret->next)
		ret->goes = BITBUCKET_GOES_ON;
	else
		ret->next = code_of(url);
}

static int64_t count_at(const struct json *json, const char *key, int64_t most)
{
	int64_t n = json_int(json, key, -1);

	return n < 0 || n > most ? -1 : n;
}

void bitbucket_page_read(const char *api_url, const char *asked,
			 const struct json *json, struct bitbucket_page *ret)
{
	bitbucket_page_done(ret);
	*ret = (struct bitbucket_page){
		.size = count_at(json, "size",
				 BITBUCKET_MOST_PAGES * PAGELEN_MOST),
		.pagelen = count_at(json, "pagelen", INT32_MAX),
		.number = count_at(json, "page", INT32_MAX),
		.n_values = json_n_items(
			json_is_array(json) ? json : json_at(json, "values")),
	};
	if (ret->pagelen < 1)
		ret->pagelen = (int64_t)ret->n_values;
	if (!json_is_array(json))
		read_next(api_url, asked, json_str(json, "next"), ret);
}

/* ---- where the list goes on ---- */

/* By the count: beyond the pages so far, or it is too small for a full page
 * more than it says. */
static bool says_more(const struct bitbucket_page *page,
		      const struct bitbucket_walked *walked)
{
	if (page->n_values == 0 || page->size < 0)
		return false;
	if (page->size > (int64_t)walked->n_pages * page->pagelen)
		return true;
	return (int64_t)walked->n_came > page->size &&
	       (int64_t)page->n_values >= page->pagelen;
}

enum bitbucket_turn bitbucket_turn(const struct bitbucket_page *page,
				   const struct bitbucket_walked *walked,
				   enum bitbucket_paging paging)
{
	bool numbers = !walked->numbers_refused && says_more(page, walked);

	if (paging == BITBUCKET_WHOLE)
		return BITBUCKET_TURN_END;
	switch (page->goes) {
	case BITBUCKET_GOES_ON:
		return walked->n_empty > MOST_EMPTY ||
				       walked->n_idle > MOST_IDLE
			       ? BITBUCKET_TURN_CUT
			       : BITBUCKET_TURN_NEXT;
	case BITBUCKET_GOES_ELSEWHERE:
		if (numbers)
			return BITBUCKET_TURN_NUMBER;
		/* All that there are have come. */
		if (page->size >= 0 && (int64_t)walked->n_came >= page->size)
			return BITBUCKET_TURN_END;
		return page->next && !walked->codes_refused &&
				       walked->n_idle <= MOST_IDLE
			       ? BITBUCKET_TURN_CODE
			       : BITBUCKET_TURN_CUT;
	case BITBUCKET_GOES_NOWHERE:
		break;
	}
	return numbers && paging == BITBUCKET_NUMBERED ? BITBUCKET_TURN_NUMBER
						       : BITBUCKET_TURN_END;
}

/* ---- the URL of another page ---- */

/* Without that parameter; free it. */
char *bitbucket_url_without(const char *url, const char *parameter)
{
	const char *at = strchr(url, '?');
	size_t n = strlen(parameter);
	struct buf out = BUF_INIT(0);
	char with = '?';

	if (!at)
		return mem_strdup(url);
	buf_add(&out, url, (size_t)(at - url));
	while (*at) {
		size_t n_part = strcspn(++at, "&");

		if (strncmp(at, parameter, n) || at[n] != '=') {
			buf_putc(&out, with);
			buf_add(&out, at, n_part);
			with = '&';
		}
		at += n_part;
	}
	return buf_steal(&out, NULL);
}

char *bitbucket_coded_url(const char *url, const char *code)
{
	cleanup(free) char *bare = bitbucket_url_without(url, "page");

	return mem_asprintf("%s%cpage=%s", bare, strchr(bare, '?') ? '&' : '?',
			    code);
}

char *bitbucket_numbered_url(const char *url, size_t number)
{
	char code[24];

	snprintf(code, sizeof(code), "%zu", number);
	return bitbucket_coded_url(url, code);
}
