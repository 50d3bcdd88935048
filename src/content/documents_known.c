/*
 * content/documents, what is remembered of a list from one time to the next:
 * that its endpoint refuses `pagelen`, and by how much the service counts more
 * than it lists, so that this is looked for once and not at each refresh.
 */
#include "content/documents_private.h"

#include "base/clock.h"

#define COUNTS "list-count"
#define REFUSALS "no-pagelen"
/* Then the endpoint is asked with one again: it may have been mended. */
#define REFUSED_MS_MOST (INT64_C(30) * 24 * 3600 * 1000)

struct count {
	int64_t size, n;
};

static bool read_fact(struct documents *d, const char *space, const char *key,
		      void *ret, size_t n)
{
	cleanup(blob_unref) struct blob *value = NULL;

	if (cache_fact_get(d->config.cache, space, key, strlen(key), &value) <
		    0 ||
	    blob_len(value) != n)
		return false;
	memcpy(ret, blob_data(value), n);
	return true;
}

/* Not kept, it is asked again: no more than that. */
static void write_fact(struct documents *d, const char *space, const char *key,
		       const void *value, size_t n)
{
	(void)cache_fact_put(d->config.cache, space, key, strlen(key), value,
			     n);
}

static bool is_refused(struct documents *d, const char *endpoint)
{
	int64_t at, now = clock_wall_ms();

	return read_fact(d, REFUSALS, endpoint, &at, sizeof(at)) && now >= at &&
	       now - at < REFUSED_MS_MOST;
}

struct bitbucket_known
documents_known_list(struct documents *d, const char *endpoint, const char *key)
{
	struct bitbucket_known known = BITBUCKET_UNKNOWN;
	struct count count;

	known.no_pagelen = is_refused(d, endpoint);
	if (read_fact(d, COUNTS, key, &count, sizeof(count))) {
		known.size = count.size;
		known.n = count.n;
	}
	return known;
}

/* ---- saying it ---- */

/* "repo/{uuid}/pullrequests/@7/comments" without its beginning and "@". */
static void add_below(const char *key, struct buf *place)
{
	for (; *key; key++)
		if (*key != '@' || key[-1] != '/')
			buf_putc(place, *key);
}

char *documents_place(struct documents *d, const struct scope *scope)
{
	static const char repositories[] = "repo/";
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *key = NULL;
	struct buf place = BUF_INIT(64 * KIB);
	size_t n;

	buf_puts(&place, scope->workspace);
	if (strncmp(scope->key, repositories, strlen(repositories)) != 0)
		return buf_steal(&place, NULL);
	n = strlen(repositories);
	n += strcspn(scope->key + n, "/");
	key = mem_dup0(scope->key, n);
	e = answer_peek(d->config.cache, key);
	json = answer_json(e);
	if (json_str(json, "slug"))
		buf_printf(&place, "/%s", json_str(json, "slug"));
	add_below(scope->key + n, &place);
	return buf_steal(&place, NULL);
}

void documents_say_list(struct documents *d, const char *place,
			enum bitbucket_came came,
			const struct bitbucket_known *known)
{
	switch (came) {
	case BITBUCKET_CAME_WHOLE:
	case BITBUCKET_CAME_AS_BEFORE:
		break;
	case BITBUCKET_CAME_SHORT:
		documents_say(d, EBADMSG, place,
			      "Bitbucket says that there are %lld and lists "
			      "%lld, also when it is asked again. These are "
			      "shown; nothing is taken for deleted because of "
			      "that.",
			      (long long)known->size, (long long)known->n);
		break;
	case BITBUCKET_CAME_CUT:
		documents_say(d, EBADMSG, place,
			      "Bitbucket's list goes on at another host or "
			      "in circles; that is not followed, and the first "
			      "%lld are shown.",
			      (long long)known->n);
		break;
	}
}

void documents_learn_list(struct documents *d, const char *endpoint,
			  const char *key, const struct bitbucket_known *now)
{
	const struct bitbucket_known before =
		documents_known_list(d, endpoint, key);
	const struct count count = {now->size, now->n};
	int64_t at = clock_wall_ms();

	if (now->no_pagelen && !before.no_pagelen)
		write_fact(d, REFUSALS, endpoint, &at, sizeof(at));
	if (now->size != before.size || (now->size >= 0 && now->n != before.n))
		write_fact(d, COUNTS, key, &count,
			   now->size < 0 ? 0 : sizeof(count));
}
