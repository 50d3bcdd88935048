/*
 * A tiny server that pages, refuses, stalls and lies, and a client of it.
 */
#ifndef TESTS_BITBUCKET_WORLD_H
#define TESTS_BITBUCKET_WORLD_H

#include "api/bitbucket.h"

#include "base/clock.h"
#include "recorded.h"
#include "tiny-server.h"

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	/* What the server does. */
	unsigned n_repositories, n_announced; /* of /repositories/many */
	unsigned fail_page;                   /* of it; 0: none */
	/* Texts below: under lock, copied before they are said. */
	struct mutex lock;
	char *fail_with; /* an answer's head and body */
	bool sizeless;   /* pages without size */
	bool shrinks;    /* the first walk misses one, the second does not */
	bool last_goes;  /* deleted before page 3 is asked for */
	bool coded;      /* a page is code=N: numbers are refused */
	bool unnumbered; /* the same, and numbers are not heard of */
	unsigned hidden; /* so many are on their pages, and not shown */
	atomic_uint n_walks, n_faults;
	unsigned n_faulty; /* answers of /faulty before a good one */
	char *fault;
	bool stall; /* pages after the first do not come */
	char *body;
	/* What is let in, the rest gets 401; NULL: everybody. Under lock. */
	char *only;
	unsigned n_refuse_at_once; /* 401 come together, for so many requests */
};

__attribute__((unused)) static void world_say(struct world *w, char **place,
					      const char *text)
{
	mutex_lock(&w->lock);
	free(*place);
	*place = mem_strdup(text);
	mutex_unlock(&w->lock);
}

__attribute__((unused)) static char *world_text(struct world *w,
						char *const *place)
{
	char *text;

	mutex_lock(&w->lock);
	text = mem_strdup(*place);
	mutex_unlock(&w->lock);
	return text;
}

/* ---- the server ---- */

__attribute__((unused)) static void say_json(struct tiny_connection *c,
					     const char *status,
					     const char *headers,
					     const char *body)
{
	cleanup(free) char *head =
		mem_asprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
			     "%sContent-Length: %zu\r\n\r\n",
			     status, headers, strlen(body));

	tiny_say(c, head);
	tiny_say(c, body);
}

/* An answer of a test, which it frees: its length is told, unless it tells one
 * itself. */
__attribute__((unused)) static bool say_fault(struct tiny_connection *c,
					      char *answer)
{
	cleanup(free) char *text = answer;
	const char *body = strstr(text, "\r\n\r\n");

	if (!body || strstr(text, "Content-Length")) {
		tiny_say(c, text);
		return false;
	}
	body += 4;
	{
		cleanup(free) char *length = mem_asprintf(
			"Content-Length: %zu\r\n\r\n", strlen(body));

		tiny_send(c, text, (size_t)(body - text) - 2);
		tiny_say(c, length);
		tiny_say(c, body);
	}
	return true;
}

__attribute__((unused)) static void add_repository(struct buf *out, unsigned i)
{
	buf_printf(out,
		   "{\"slug\":\"r%u\",\"full_name\":\"many/r%u\","
		   "\"uuid\":\"{00000000-0000-4000-8000-%012u}\","
		   "\"workspace\":{\"slug\":\"many\",\"uuid\":\"{aa}\"}}",
		   i, i, i);
}

/* Repositories first to last - 1 of the world. */
__attribute__((unused)) static void say_page(struct tiny_connection *c,
					     struct world *w, unsigned page,
					     unsigned first, unsigned last)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	bool gone = w->last_goes && atomic_load(&w->n_walks) > 1;

	buf_printf(&body, "{\"pagelen\":100,\"page\":%u,", page);
	if (!w->sizeless)
		buf_printf(&body, "\"size\":%u,", w->n_announced - gone);
	if (last < w->n_repositories - gone)
		buf_printf(&body,
			   "\"next\":\"%s/2.0/repositories/many?"
			   "sort=created_on&pagelen=100&%s=%u\",",
			   w->tiny->url,
			   w->coded || w->unnumbered ? "code" : "page",
			   page + 1);
	buf_puts(&body, "\"values\":[");
	if (first < w->hidden)
		first = w->hidden < last ? w->hidden : last;
	for (unsigned i = first, began = first; i < last; i++) {
		if (i > began)
			buf_putc(&body, ',');
		add_repository(&body, i);
	}
	buf_puts(&body, "]}");
	say_json(c, "200 OK", "", body.data);
}

__attribute__((unused)) static bool many(struct tiny_connection *c,
					 struct world *w, const char *path)
{
	bool codes = w->coded || w->unnumbered;
	const char *number = strstr(path, codes ? "&code=" : "&page=");
	unsigned page = number ? (unsigned)strtoul(number + 6, NULL, 10) : 1;
	unsigned first = (page - 1) * 100, last = page * 100;

	if (w->coded && strstr(path, "&page=")) {
		say_json(c, "400 Bad Request", "",
			 "{\"error\":{\"message\":\"Invalid page\"}}");
		return true;
	}
	if (page == 1)
		atomic_fetch_add(&w->n_walks, 1);
	if (page == w->fail_page) {
		atomic_fetch_add(&w->n_faults, 1);
		return say_fault(c, world_text(w, &w->fail_with));
	}
	if (page > 1 && w->stall) {
		tiny_await_gone(c);
		return false;
	}
	if (last > w->n_repositories)
		last = w->n_repositories;
	if (first > last || (w->last_goes && page == 3)) {
		say_json(c, "404 Not Found", "", "{}");
		return true;
	}
	/* One was deleted from page 1 after that was read: all move up. */
	if (w->shrinks && page > 1 && atomic_load(&w->n_walks) == 1)
		first++;
	say_page(c, w, page, first, last);
	return true;
}

/* Says 401 where not. */
__attribute__((unused)) static bool
is_let_in(struct tiny_connection *c, struct world *w,
	  const struct tiny_request *request)
{
	cleanup(free) char *only = NULL;
	const char *given = tiny_header(request, "Authorization");

	mutex_lock(&w->lock);
	only = w->only ? mem_strdup(w->only) : NULL;
	mutex_unlock(&w->lock);
	if (!only || (given && !strcmp(given, only)))
		return true;
	tiny_await(w->tiny, w->n_refuse_at_once);
	say_json(c, "401 Unauthorized", "", "{}");
	return false;
}

__attribute__((unused)) static bool
serve(struct tiny_connection *c, const struct tiny_request *request, void *arg)
{
	struct world *w = arg;
	const char *path = request->path;

	if (!is_let_in(c, w, request))
		return true;
	if (!strncmp(path, "/2.0/repositories/many?", 23))
		return many(c, w, path);
	if (!strncmp(path, "/2.0/body", 9) ||
	    !strncmp(path, "/2.0/repositories/body?", 23) ||
	    (!strncmp(path, "/2.0/user/workspaces", 20) &&
	     !strstr(path, "page=2"))) {
		cleanup(free) char *body = world_text(w, &w->body);

		say_json(c, "200 OK", "ETag: \"e1\"\r\n", body);
	} else if (!strncmp(path, "/2.0/faulty", 11)) {
		if (atomic_fetch_add(&w->n_faults, 1) >= w->n_faulty) {
			say_json(c, "200 OK", "", "{}");
			return true;
		}
		return say_fault(c, world_text(w, &w->fault));
	} else if (!strcmp(path, "/2.0/etag")) {
		const char *given = tiny_header(request, "If-None-Match");

		if (given && !strcmp(given, "\"e1\""))
			tiny_say(c, "HTTP/1.1 304 Not Modified\r\n"
				    "ETag: \"e1\"\r\n\r\n");
		else
			say_json(c, "200 OK", "ETag: \"e1\"\r\n", "{\"a\":1}");
	} else if (!strcmp(path, "/2.0/workspaces/acme")) {
		say_json(c, "200 OK", "",
			 "{\"slug\":\"acme\",\"uuid\":\"{ab-12}\"}");
	} else if (strstr(path, "page=2")) {
		const char *page = "{\"values\":[{\"workspace\":{\"slug\":"
				   "\"second\",\"uuid\":null}}]}";

		say_json(c, "200 OK", "", page);
	} else {
		say_json(c, "404 Not Found", "",
			 "{\"type\":\"error\",\"error\":{\"message\":\"No "
			 "such thing.\"}}");
	}
	return true;
}

__attribute__((unused)) static void
world_sign_in(struct world *w, const char *email, const char *token)
{
	cleanup(free) char *url = mem_asprintf("%s/2.0/", w->tiny->url);
	const char *why;

	bitbucket_free(w->bitbucket);
	credential_free(w->credential);
	w->bitbucket = NULL;
	w->credential = NULL;
	assert_int_equal(
		credential_new(email, NULL, token, &w->credential, &why), 0);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
}

__attribute__((unused)) static void
world_sign_in_from(struct world *w, const struct credential_source *source)
{
	cleanup(free) char *url = mem_asprintf("%s/2.0/", w->tiny->url);
	cleanup(ctx_done) struct ctx ctx;

	w->bitbucket = bitbucket_free(w->bitbucket);
	w->credential = credential_free(w->credential);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(credential_new_from(&ctx, source, &w->credential), 0);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
}

__attribute__((unused)) static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	const struct http_config config = {.user_agent = "test",
					   .n_connections = 4};

	mutex_init(&w->lock);
	w->tiny = tiny_new(serve, w);
	assert_int_equal(http_new(&config, &w->http), 0);
	w->budget = budget_new(NULL);
	world_sign_in(w, "ada@example.com", "ATATsecret");
	*state = w;
	return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
	struct world *w = *state;

	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	free(w->fail_with);
	free(w->fault);
	free(w->body);
	free(w->only);
	mutex_done(&w->lock);
	free(w);
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
