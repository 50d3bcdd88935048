/*
 * A service of one list: things with an id, a state, a time when they were made
 * and one when they were changed, newest first, paged by five, filtered by q as
 * the real one does; and rows of a table that read it.
 */
#ifndef TESTS_DOCUMENTS_WORLD_H
#define TESTS_DOCUMENTS_WORLD_H

#include "content/documents.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MINUTE (INT64_C(60) * 1000)
#define WALL INT64_C(1790000000000)
#define PAGE 5
#define MOST 400

struct thing {
	unsigned id;
	const char *state;
	char created[64], updated[64];
	bool gone;
};

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	char dir[64];
	struct cache *cache;
	struct read_through *source;
	struct documents *documents;
	struct scope *scope;
	unsigned asked; /* requests seen by expect_requests */
	/* The test's, but while it asks: then the service's. */
	struct mutex lock;
	/* The service; under lock. */
	struct thing things[MOST];
	size_t n_things;
	long status;         /* not 0: of every answer */
	unsigned goes_after; /* after the first page this one is gone */
	unsigned good_pages; /* not 0: after so many all answers are … */
	long then_status;    /* … this one; 0: 400 */
	bool sizeless, odd, in_circles;
	bool is_unsorted; /* as they were added */
	bool no_pagelen;  /* `pagelen` is refused */
	bool no_q;        /* `q` is refused */
	struct buf said;  /* "PATH ERRNO SENTENCE\n" */
	int size_lies;    /* added to the size, if there is one */
	const char *name; /* of every thing, instead of "thing N" */
};

/* The service's turn, the test's turn. */
static void give(struct world *w) no_lock_analysis;
static void give(struct world *w)
{
	mutex_unlock(&w->lock);
}

static void take_back(struct world *w) no_lock_analysis;
static void take_back(struct world *w)
{
	mutex_lock(&w->lock);
}

/* Made minute `at`, changed with it. */
__attribute__((unused)) static void add(struct world *w, unsigned id,
					const char *state, unsigned at)
{
	struct thing *t = &w->things[w->n_things++];

	assert_true(w->n_things < MOST);
	t->id = id;
	t->state = state;
	snprintf(t->created, sizeof(t->created),
		 "2026-01-%02uT%02u:%02u:00.123456+00:00", 1 + at / 1440,
		 at / 60 % 24, at % 60);
	memcpy(t->updated, t->created, sizeof(t->updated));
}

__attribute__((unused)) static struct thing *thing(struct world *w, unsigned id)
{
	for (size_t i = 0; i < w->n_things; i++)
		if (w->things[i].id == id)
			return &w->things[i];
	fail_msg("no %u", id);
	return NULL;
}

/* ---- the service ---- */

static void answer(struct tiny_connection *c, long status, const char *body)
{
	cleanup(free) char *head = mem_asprintf(
		"HTTP/1.1 %ld X\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		status, strlen(body));

	tiny_say(c, head);
	tiny_say(c, body);
}

static char *decoded(const char *path)
{
	char *text = mem_calloc(1, strlen(path) + 1), *to = text;
	unsigned byte;

	while (*path) {
		if (*path == '%' && sscanf(path + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			path += 3;
		} else {
			*to++ = *path++;
		}
	}
	return text;
}

/* `key` is followed by a time in the query; NULL: it is not there. */
static const char *bound(const char *query, const char *key)
{
	const char *at = strstr(query, key);

	return at ? at + strlen(key) : NULL;
}

static bool is_wanted(const struct thing *t, const char *query)
{
	const char *below = bound(query, "created_on<");
	const char *since = bound(query, "updated_on>=");
	const char *from = bound(query, "created_on>=");
	char state[32];

	snprintf(state, sizeof(state), "state=\"%s\"", t->state);
	if (t->gone || (strstr(query, "state=") && !strstr(query, state)))
		return false;
	if (below && *below == '='
		    ? strncmp(t->created, below + 1, strlen(t->created)) > 0
		    : below && strncmp(t->created, below, strlen(t->created)) >=
				       0)
		return false;
	if (from && strncmp(t->created, from, 26) < 0)
		return false;
	return !since || strncmp(t->updated, since, 26) >= 0;
}

static void add_json(const struct world *w, const struct thing *t,
		     struct buf *out)
{
	buf_printf(out,
		   "{\"id\":%u,\"state\":\"%s\",\"created_on\":\"%s\","
		   "\"updated_on\":\"%s\",\"title\":\"",
		   t->id, t->state, t->created, t->updated);
	if (w->name)
		buf_puts(out, w->name);
	else
		buf_printf(out, "thing %u", t->id);
	buf_puts(out, "\"}");
}

static int newest_first(const void *a, const void *b)
{
	const struct thing *x = *(struct thing *const *)a;
	const struct thing *y = *(struct thing *const *)b;
	int order = strcmp(y->created, x->created);

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static int oldest_first(const void *a, const void *b)
{
	const struct thing *x = *(struct thing *const *)a;
	const struct thing *y = *(struct thing *const *)b;
	int order = strcmp(x->created, y->created);

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* The same query, encoded as it may be, with that page. */
static void say_next(const struct world *w, const char *query, size_t page,
		     struct buf *body)
{
	const char *old = strstr(query, "&page=");
	cleanup(free) char *rest =
		mem_dup0(query, old ? (size_t)(old - query) : strlen(query));

	buf_printf(body, ",\"next\":\"%s/things?", w->tiny->url);
	text_percent_encode(body, rest, "=&:");
	buf_printf(body, "&page=%zu\"", page);
}

static void serve_list(struct tiny_connection *c, struct world *w,
		       const char *query)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	struct thing *wanted[MOST];
	const char *page_text = strstr(query, "&page=");
	size_t page = page_text ? strtoul(page_text + 6, NULL, 10) : 1, n = 0;

	for (size_t i = 0; i < w->n_things; i++)
		if (is_wanted(&w->things[i], query))
			wanted[n++] = &w->things[i];
	if (!w->is_unsorted)
		qsort(wanted, n, sizeof(wanted[0]),
		      strstr(query, "sort=created_on") ? oldest_first
						       : newest_first);
	buf_puts(&body, "{");
	if (!w->sizeless)
		buf_printf(&body, "\"size\":%d,", (int)n + w->size_lies);
	buf_printf(&body, "\"pagelen\":%d,\"values\":[%s", PAGE,
		   w->odd ? "\"odd\",7" : "");
	if (w->odd)
		n = 0;
	for (size_t i = (page - 1) * PAGE; i < n && i < page * PAGE; i++) {
		if (i > (page - 1) * PAGE)
			buf_putc(&body, ',');
		add_json(w, wanted[i], &body);
	}
	buf_putc(&body, ']');
	if (w->in_circles)
		buf_printf(&body, ",\"next\":\"%s/things?a=b\"", w->tiny->url);
	else if (n > page * PAGE)
		say_next(w, query, page + 1, &body);
	buf_putc(&body, '}');
	answer(c, 200, body.data);
	if (w->good_pages && !--w->good_pages)
		w->status = w->then_status ? w->then_status : 400;
	if (w->goes_after)
		thing(w, w->goes_after)->gone = true;
	w->goes_after = 0;
}

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	struct world *w = arg;
	cleanup(free) char *path = decoded(request->path);
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	unsigned id;

	mutex_lock(&w->lock);
	if (w->status == 204) {
		tiny_say(c, "HTTP/1.1 204 Nothing\r\n\r\n");
	} else if (w->status) {
		answer(c, w->status,
		       "{\"type\":\"error\",\"error\":{\"message\":\"No\"}}");
	} else if (w->no_pagelen && strstr(path, "pagelen=")) {
		answer(c, 400,
		       "{\"type\":\"error\",\"error\":{\"message\":"
		       "\"Invalid pagelen\"}}");
	} else if (w->no_q && strstr(path, "&q=")) {
		answer(c, 400,
		       "{\"type\":\"error\",\"error\":{\"message\":"
		       "\"Invalid q\"}}");
	} else if (!strncmp(path, "/things?", 8)) {
		serve_list(c, w, path + 8);
	} else if (sscanf(path, "/things/%u", &id) == 1) {
		for (size_t i = 0; i < w->n_things; i++)
			if (w->things[i].id == id && !w->things[i].gone)
				add_json(w, &w->things[i], &body);
		answer(c, body.len ? 200 : 404, body.len ? body.data : "{}");
	} else {
		answer(c, 404, "{}");
	}
	mutex_unlock(&w->lock);
	return true;
}

/* ---- the table ---- */

static const struct resource_column columns[] = {
	{"id", "id", NULL},
	{"state", "state", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

static const char *where(const struct json *item)
{
	const char *state = json_str(item, "state");

	return state && !strcmp(state, "OPEN") ? "" : "closed";
}

static bool is_final(const struct json *item)
{
	const char *state = json_str(item, "state");

	return state && !strcmp(state, "FINAL");
}

static const struct resource_items items = {
	.name_path = "title",
	.id_path = "id",
	.time_path = "updated_on",
	.endpoint = "/things/{1}",
	.where = where,
	.is_final = is_final,
};

__attribute__((unused)) static const struct resource open_things = {
	.name = "things",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b",
	.q = "state=\"OPEN\"",
	.paging = RESOURCE_NEWEST,
	.ttl_s = 600,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource dated_things = {
	.name = "things",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b",
	.q = "state=\"OPEN\"",
	.paging = RESOURCE_NEWEST,
	.is_dated = true,
	.ttl_s = 600,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource closed_things = {
	.name = "closed",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b",
	.q = "state=\"CLOSED\"",
	.paging = RESOURCE_NEWEST,
	.is_history = true,
	.is_beside = true,
	.ttl_s = 600,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource numbered_things = {
	.name = "numbered",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b",
	.paging = RESOURCE_NUMBERED,
	.ttl_s = 600,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource lacking_things = {
	.name = "lacking",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b",
	.paging = RESOURCE_NUMBERED,
	.ttl_s = 600,
	.may_lack = true,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource long_things = {
	.name = "long",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/things?a=b&pagelen=100",
	.paging = RESOURCE_NUMBERED,
	.ttl_s = 600,
	.columns = columns,
	.items = &items,
};
__attribute__((unused)) static const struct resource one_thing = {
	.name = "one",
	.kind = RESOURCE_OBJECT,
	.endpoint = "/things/7",
	.ttl_s = 600,
};

/* ---- the world ---- */

static void say(void *arg, const char *path, int errnum, const char *sentence)
{
	struct world *w = arg;

	buf_printf(&w->said, "%s %s %s\n", path, strerrorname_np(errnum),
		   sentence);
}

static void mount(struct world *w)
{
	struct documents_config config = {
		.history = 12,
		.bitbucket = w->bitbucket,
		.credential = w->credential,
		.say = say,
		.say_arg = w,
	};

	assert_int_equal(cache_open(w->dir, &w->cache), 0);
	w->source = read_through_new(w->cache);
	config.source = w->source;
	config.cache = w->cache;
	w->documents = documents_new(&config);
}

static void unmount(struct world *w)
{
	documents_free(w->documents);
	read_through_free(w->source);
	cache_close(w->cache);
}

__attribute__((unused)) static void remount(struct world *w)
{
	unmount(w);
	mount(w);
}

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	const struct http_config http = {.user_agent = "test"};
	const char *why;

	clock_fake(1000000, WALL);
	mutex_init(&w->lock);
	snprintf(w->dir, sizeof(w->dir), "/tmp/documents-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->tiny = tiny_new(serve, w);
	assert_int_equal(http_new(&http, &w->http), 0);
	w->budget = budget_new(NULL);
	assert_int_equal(credential_new("ada@example.com", NULL, "ATATsecret",
					&w->credential, &why),
			 0);
	assert_int_equal(bitbucket_new(w->tiny->url, w->credential, w->http,
				       w->budget, &w->bitbucket),
			 0);
	mount(w);
	w->scope = scope_new("place/things", "acme", "acme", "acme", "widgets");
	*state = w;
	take_back(w);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	give(w);
	scope_unref(w->scope);
	unmount(w);
	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	assert_int_equal(file_remove_tree(w->dir), 0);
	mutex_done(&w->lock);
	buf_done(&w->said);
	free(w);
	clock_real();
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- what is expected ---- */

/* What asks the service. */
#define ASK(w, call)             \
	__extension__({          \
		int asked_;      \
		give(w);         \
		asked_ = (call); \
		take_back(w);    \
		asked_;          \
	})

__attribute__((unused)) static void expect_requests_at(struct world *w,
						       unsigned n, int line)
{
	unsigned all = tiny_n_requests(w->tiny);

	if (all - w->asked != n) {
		for (unsigned i = w->asked; i < all; i++)
			print_message("%s\n", tiny_got(w->tiny, i)->path);
		fail_msg("line %d: %u requests, not %u", line, all - w->asked,
			 n);
	}
	w->asked = all;
}
#define expect_requests(w, n) expect_requests_at(w, n, __LINE__)

/* One line that begins so, since the last time; "": nothing. */
__attribute__((unused)) static void expect_said_at(struct world *w,
						   const char *want, int line)
{
	const char *said = w->said.len ? w->said.data : "";

	if (strncmp(said, want, strlen(want)) || (!*want && *said))
		fail_msg("line %d: %s", line, said);
	buf_clear(&w->said);
}
#define expect_said(w, want) expect_said_at(w, want, __LINE__)

/* The ids of index.tsv in its order, and that the names are as many. Or the
 * errno. */
__attribute__((unused)) static uint64_t
expect_list_at(struct world *w, const struct resource *row,
	       enum read_through_mode mode, const char *want, int line)
{
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(buf_done) struct buf ids = BUF_INIT(0);
	cleanup(blob_unref) struct blob *tsv = NULL;
	cleanup(ctx_done) struct ctx ctx;
	struct document_file file;
	struct answer_age age;
	size_t n = 0;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = ASK(w, documents_collection(&ctx, w->documents, row, w->scope, mode,
					&c, &age));
	if (r < 0) {
		buf_printf(&ids, "%d", r);
		if (strcmp(ids.data, want))
			fail_msg("line %d: %s (%s), not %s", line, ids.data,
				 ctx.sentence, want);
		return 0;
	}
	assert_int_equal(
		documents_file(w->documents, w->scope, "index.tsv", &file), 0);
	assert_int_equal(
		documents_read(w->documents, file.version, 0, SIZE_MAX, &tsv),
		0);
	assert_int_equal(blob_len(tsv), file.size);
	for (const char *s = strchr(blob_data(tsv), '\n') + 1; *s;
	     s = strchr(s, '\n') + 1, n++)
		buf_printf(&ids, "%s%.*s", n ? " " : "", (int)strcspn(s, "\t"),
			   s);
	if (strcmp(ids.len ? ids.data : "", want))
		fail_msg("line %d: %s, not %s", line, ids.data, want);
	assert_int_equal(n, c->n_items);
	return c->version;
}
#define expect_list(w, row, mode, want) \
	expect_list_at(w, row, mode, want, __LINE__)

/* A word of the document of an item. */
__attribute__((unused)) static void
expect_item_at(struct world *w, const struct resource *row, const char *id,
	       enum read_through_mode mode, int want, const char *word,
	       int line)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = ASK(w, documents_item(&ctx, w->documents, row, w->scope, id, mode,
				  &document));
	if (r != want)
		fail_msg("line %d: %d, not %d (%s)", line, r, want,
			 ctx.sentence);
	if (r == 0 && !strstr(blob_data(document.body), word))
		fail_msg("line %d: no '%s' in %s", line, word,
			 blob_data(document.body));
	/* As a look at a file of it. */
	if (r == 0 && document.updated_ms)
		assert_int_equal(documents_rendered_ms(w->documents,
						       document.version,
						       document.updated_ms),
				 document.updated_ms);
}
#define expect_item(w, row, id, mode, want, word) \
	expect_item_at(w, row, id, mode, want, word, __LINE__)

#endif
