/*
 * content/stream_source: streams read from a source of the test's own, which
 * has its bytes in memory, and from a URL with headers.
 */
#include "content/stream.h"

#include "base/clock.h"
#include "base/file.h"
#include "tiny-server.h"
#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BIG (3 * SPOOL_CHUNK + 5)

struct world {
	char dir[64];
	struct spool *spool;
	struct stream_set *streams; /* without API and without HTTP */
};

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	struct stream_set_config config = {.grow_ms = 1};

	snprintf(w->dir, sizeof(w->dir), "/tmp/source-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(spool_open(w->dir, 0, &w->spool), 0);
	config.spool = w->spool;
	w->streams = stream_set_new(&config);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	stream_set_free(w->streams);
	spool_close(w->spool);
	assert_int_equal(file_remove_tree(w->dir), 0);
	free(w);
	return 0;
}

/* ---- a source in memory ---- */

struct memory {
	struct stream_source base;
	_Atomic uint64_t n;
	atomic_bool whole_alone, tells_no_total;
	atomic_uint breaks; /* so many answers break off in the middle */
	atomic_uint tag, n_asked;
	atomic_uint_fast64_t sent;
	atomic_uint *n_done;
};

static char byte_of(uint64_t offset)
{
	return (char)('a' + offset / 4096 % 26);
}

static int send_some(struct memory *m, uint64_t at, uint64_t end,
		     const struct stream_sink *sink)
{
	cleanup(free) char *data = mem_alloc(64 * KIB);
	int r = 0;

	while (r == 0 && at < end) {
		size_t n = end - at < 64 * KIB ? (size_t)(end - at) : 64 * KIB;

		for (size_t i = 0; i < n; i++)
			data[i] = byte_of(at + i);
		atomic_fetch_add(&m->sent, n);
		r = sink->take(sink->arg, data, n);
		at += n;
	}
	return r;
}

static int memory_get(struct ctx *ctx, struct stream_source *source,
		      const struct stream_range *range,
		      const struct stream_sink *sink)
{
	struct memory *m = (struct memory *)source;
	uint64_t n = atomic_load(&m->n), at = range->first, end = n, stop;
	struct stream_head head = {
		.total = atomic_load(&m->tells_no_total) ? -1 : (int64_t)n};
	int r;

	atomic_fetch_add(&m->n_asked, 1);
	snprintf(head.tag, sizeof(head.tag), "%u", atomic_load(&m->tag));
	if (atomic_load(&m->whole_alone)) {
		head.span = STREAM_SPAN_WHOLE;
		at = 0;
	} else if (at >= n) {
		head.span = STREAM_SPAN_NONE;
	} else if (range->n && range->n < n - at) {
		end = at + range->n;
	}
	stop = end;
	if (atomic_load(&m->breaks) && end > at + 1) {
		atomic_fetch_sub(&m->breaks, 1);
		stop = at + (end - at) / 2;
	}
	r = sink->begin(sink->arg, &head);
	if (r == 0 && head.span != STREAM_SPAN_NONE)
		r = send_some(m, at, stop, sink);
	return r < 0         ? r
	       : stop == end ? 0
			     : ctx_fail(ctx, -ECONNRESET, "It broke off.");
}

static void memory_done(struct stream_source *source)
{
	struct memory *m = (struct memory *)source;

	if (m->n_done)
		atomic_fetch_add(m->n_done, 1);
}

static const struct stream_source_ops memory_ops = {memory_get, memory_done};

static struct memory *memory_new(uint64_t n)
{
	struct memory *m = mem_calloc(1, sizeof(*m));

	m->base = (struct stream_source){&memory_ops, mem_strdup("memory")};
	atomic_store(&m->n, n);
	return m;
}

/* ---- reading ---- */

static int64_t read_at(struct stream *s, uint64_t offset, size_t n)
{
	cleanup(fd) int fd = -1;
	cleanup(free) char *data = mem_alloc(n + 1);
	cleanup(ctx_done) struct ctx ctx;
	size_t got = 0;
	int r;

	ctx_init(&ctx, NULL, 20000);
	r = stream_read(&ctx, s, offset, n, &fd, &got);
	if (r < 0) {
		assert_true(*ctx.sentence);
		return r;
	}
	assert_int_equal(pread(fd, data, got, (off_t)offset), got);
	for (size_t i = 0; i < got; i++)
		assert_int_equal(data[i], byte_of(offset + i));
	return (int64_t)got;
}

static void read_all(struct stream *s)
{
	uint64_t at = 0;
	int64_t n;

	while ((n = read_at(s, at, 128 * KIB)) > 0)
		at += (uint64_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, BIG);
}

static void a_source_of_ones_own(void **state)
{
	struct world *w = *state;
	atomic_uint n_done = 0;
	struct memory *m = memory_new(BIG), *second = memory_new(BIG);
	struct stream *s, *same;
	cleanup(ctx_done) struct ctx ctx;

	m->n_done = second->n_done = &n_done;
	s = stream_get_from(w->streams, "m", &m->base, -1);
	/* One stream a key: the second source is not needed, and gone. */
	same = stream_get_from(w->streams, "m", &second->base, -1);
	assert_ptr_equal(s, same);
	assert_int_equal(atomic_load(&n_done), 1);
	stream_unref(same);
	assert_int_equal(read_at(s, BIG - 5, 100), 5);
	read_all(s);
	read_all(s);
	assert_true(atomic_load(&m->sent) == BIG);
	stream_unref(s);
	/* The thread that brought the last bytes may hold it, too. */
	ctx_init(&ctx, NULL, 20000);
	while (atomic_load(&n_done) < 2)
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
}

static void it_breaks_off(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, BIG);

	atomic_store(&m->breaks, 3);
	read_all(s);
	assert_true(atomic_load(&m->sent) == BIG);
	stream_unref(s);
}

static void it_gives_the_whole_alone(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, -1);

	atomic_store(&m->whole_alone, true);
	atomic_store(&m->tells_no_total, true);
	read_all(s);
	assert_int_equal(atomic_load(&m->n_asked), 1);
	stream_unref(s);
}

static void nothing_and_too_little(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(0), *less = memory_new(5);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, -1);

	assert_int_equal(read_at(s, 0, 10), 0);
	stream_unref(s);
	s = stream_get_from(w->streams, "less", &less->base, 2 * SPOOL_CHUNK);
	assert_int_equal(read_at(s, SPOOL_CHUNK, 10), -EIO);
	stream_unref(s);
}

static void it_is_replaced(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, BIG);

	assert_int_equal(read_at(s, 0, 10), 10);
	atomic_store(&m->tag, 1);
	assert_int_equal(read_at(s, 3 * SPOOL_CHUNK, 5), -EIO);
	stream_unref(s);
}

static void it_grows(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(1000);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, -1);
	struct stream_growth growth = {0};
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	ctx_init(&ctx, NULL, 10000);
	assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure), 0);
	assert_int_equal(growth.size, 1000);
	atomic_store(&m->n, 1500);
	while (growth.size < 1500) {
		assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure),
				 0);
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	}
	assert_int_equal(read_at(s, 0, 5000), 1500);
	while (!growth.ended) {
		assert_int_equal(stream_grow(&ctx, s, true, &growth, &failure),
				 0);
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	}
	assert_true(atomic_load(&m->sent) == 1500);
	assert_int_equal(read_at(s, 1400, 5000), 100);
	stream_unref(s);
}

static void what_grew_is_another_one(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(1000);
	struct stream *s = stream_get_from(w->streams, "m", &m->base, -1);
	struct stream_growth growth = {0};
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	ctx_init(&ctx, NULL, 10000);
	/* Nothing said how long it is, and it comes as a whole: it is shorter
	 * than before only when all of it has come. */
	atomic_store(&m->whole_alone, true);
	atomic_store(&m->tells_no_total, true);
	assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure), 0);
	atomic_store(&m->n, 900);
	while (!growth.dead) {
		assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure),
				 0);
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	}
	assert_int_equal(growth.size, 1000);
	assert_int_equal(read_at(s, 0, 5000), 1000);
	stream_unref(s);
}

/* ---- a URL ---- */

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	const char *key = tiny_header(request, "X-Key");
	bool may = key && !strcmp(key, "open");

	(void)arg;
	if (!may)
		tiny_say(c, "HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n");
	else if (!strcmp(request->path, "/gone"))
		tiny_say(c, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	else if (!strcmp(request->path, "/later"))
		tiny_say(c, "HTTP/1.1 202 A\r\nContent-Length: 4\r\n\r\nwait");
	else if (!strcmp(request->path, "/nothing"))
		tiny_say(c, "HTTP/1.1 204 N\r\n\r\n");
	else
		tiny_say(c, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-3/4\r\n"
			    "Content-Length: 4\r\n\r\naaaa");
	return true;
}

static int64_t read_url(struct world *w, struct http *http, const char *base,
			const char *path, const char *header)
{
	cleanup(free) char *url = mem_asprintf("%s%s", base, path);
	cleanup(free) char *key = mem_asprintf("%s %s", path, header);
	const char *headers[] = {header, NULL};
	struct stream *s = stream_get_from(
		w->streams, key,
		stream_source_url(http, "a file", url, headers), 4);
	int64_t r = read_at(s, 0, 10);

	stream_unref(s);
	return r;
}

static void a_url_with_headers(void **state)
{
	struct world *w = *state;
	struct tiny *tiny = tiny_new(serve, NULL);
	const struct http_config config = {.user_agent = "test"};
	struct http *http;

	assert_int_equal(http_new(&config, &http), 0);
	assert_int_equal(read_url(w, http, tiny->url, "/x", "X-Key: no"), -EIO);
	assert_int_equal(read_url(w, http, tiny->url, "/gone", "X-Key: open"),
			 -ENOENT);
	assert_int_equal(read_url(w, http, tiny->url, "/x", "X-Key: open"), 4);
	assert_int_equal(tiny_n_requests(tiny), 3);
	assert_non_null(tiny_header(tiny_got(tiny, 2), "Range"));
	assert_null(tiny_header(tiny_got(tiny, 2), "Authorization"));
	assert_int_equal(read_url(w, http, tiny->url, "/later", "X-Key: open"),
			 -EBUSY);
	assert_int_equal(
		read_url(w, http, tiny->url, "/nothing", "X-Key: open"),
		-ENODATA);
	/* Ends the runs, which may still hold a connection. */
	w->streams = stream_set_free(w->streams);
	http_free(http);
	tiny_free(tiny);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_source_of_ones_own),     T(it_breaks_off),
		T(it_gives_the_whole_alone), T(nothing_and_too_little),
		T(it_is_replaced),           T(it_grows),
		T(what_grew_is_another_one), T(a_url_with_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
