/*
 * content/stream: each chunk asked for once, however it comes; bytes that grow.
 *
 * The API sends who asks for /big to another host of this test, or, where the
 * test says so, has the bytes itself.
 */
#include "../../src/content/stream_private.h"
#include "../../src/store/spool_private.h"
#include "base/clock.h"
#include "base/file.h"
#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BIG (5 * SPOOL_CHUNK + 7)

struct world {
	struct tiny *api, *storage;
	struct http *api_http, *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	char dir[64];
	struct spool *spool;
	struct stream_set *streams;
	/* What the servers do; changed between requests. */
	atomic_uint expired;  /* so many answers of the storage are 403 */
	atomic_uint breaks;   /* so many answers break off in the middle */
	atomic_bool no_range; /* the whole, whatever is asked for */
	atomic_bool stall;
	atomic_bool slow_log; /* no answer to /log until it is false again */
	atomic_uint tag;
	atomic_uint credentials;   /* that the storage host saw */
	atomic_uint_fast64_t sent; /* bytes of bodies */
	_Atomic uint64_t length;   /* of /log */
	_Atomic char fill;
};

static char byte_of(uint64_t offset)
{
	return (char)('a' + offset / 4096 % 26);
}

/* ---- the servers ---- */

static void send_bytes(struct tiny_connection *c, struct world *w,
		       uint64_t first, uint64_t end, uint64_t total,
		       bool partial, char fill)
{
	cleanup(free) char *head = NULL, *chunk = mem_alloc(64 * KIB);
	uint64_t stop = end;

	if (partial)
		head = mem_asprintf(
			"HTTP/1.1 206 P\r\nETag: \"%u\"\r\n"
			"Content-Range: bytes %llu-%llu/%llu\r\n"
			"Content-Length: %llu\r\n\r\n",
			atomic_load(&w->tag), (unsigned long long)first,
			(unsigned long long)end - 1, (unsigned long long)total,
			(unsigned long long)(end - first));
	else
		head = mem_asprintf("HTTP/1.1 200 OK\r\nETag: \"%u\"\r\n"
				    "Content-Length: %llu\r\n\r\n",
				    atomic_load(&w->tag),
				    (unsigned long long)total);
	tiny_say(c, head);
	if (end - first > 1 && atomic_load(&w->breaks)) {
		atomic_fetch_sub(&w->breaks, 1);
		stop = first + (end - first) / 2;
	}
	while (first < stop) {
		size_t n = stop - first < 64 * KIB ? (size_t)(stop - first)
						   : 64 * KIB;

		for (size_t i = 0; i < n; i++)
			chunk[i] = fill ? fill : byte_of(first + i);
		atomic_fetch_add(&w->sent, n);
		tiny_send(c, chunk, n);
		first += n;
	}
}

/* True: the connection is good for more. */
static bool send_range(struct tiny_connection *c,
		       const struct tiny_request *request, struct world *w,
		       uint64_t total, char fill)
{
	const char *range = tiny_header(request, "Range");
	unsigned long long first = 0, last = total ? total - 1 : 0;
	unsigned breaks = atomic_load(&w->breaks);

	if (!range || atomic_load(&w->no_range)) {
		send_bytes(c, w, 0, total, total, false, fill);
		return breaks == atomic_load(&w->breaks);
	}
	if (sscanf(range, "bytes=%llu-%llu", &first, &last) < 1)
		return false;
	if (last >= total)
		last = total ? total - 1 : 0;
	if (first >= total) {
		cleanup(free) char *head = mem_asprintf(
			"HTTP/1.1 416 N\r\nContent-Range: bytes */%llu\r\n"
			"Content-Length: 0\r\n\r\n",
			(unsigned long long)total);

		tiny_say(c, head);
		return true;
	}
	send_bytes(c, w, first, last + 1, total, true, fill);
	return breaks == atomic_load(&w->breaks);
}

static bool serve_storage(struct tiny_connection *c,
			  const struct tiny_request *request, void *arg)
{
	struct world *w = arg;

	if (tiny_header(request, "Authorization"))
		atomic_fetch_add(&w->credentials, 1);
	if (atomic_load(&w->stall)) {
		tiny_await_gone(c);
		return false;
	}
	if (atomic_load(&w->expired)) {
		atomic_fetch_sub(&w->expired, 1);
		tiny_say(c, "HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	return send_range(c, request, w, BIG, '\0');
}

static bool serve_api(struct tiny_connection *c,
		      const struct tiny_request *request, void *arg)
{
	struct world *w = arg;
	cleanup(free) char *head = NULL;

	while (!strcmp(request->path, "/log") && atomic_load(&w->slow_log))
		usleep(1000);
	if (!strncmp(request->path, "/log", 4) && atomic_load(&w->length))
		return send_range(c, request, w, atomic_load(&w->length),
				  atomic_load(&w->fill));
	if (!strcmp(request->path, "/big")) {
		head = mem_asprintf(
			"HTTP/1.1 302 Found\r\nLocation: %s/x?sig=%u\r\n"
			"Content-Length: 0\r\n\r\n",
			w->storage->url, tiny_n_requests(w->api));
		tiny_say(c, head);
		return true;
	}
	tiny_say(c, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	return true;
}

/* ---- the world ---- */

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	const struct http_config http = {.user_agent = "test"};
	struct stream_set_config config = {.grow_ms = 50};
	const char *why;

	snprintf(w->dir, sizeof(w->dir), "/tmp/stream-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->api = tiny_new(serve_api, w);
	w->storage = tiny_new(serve_storage, w);
	assert_int_equal(http_new(&http, &w->api_http), 0);
	assert_int_equal(http_new(&http, &w->http), 0);
	w->budget = budget_new(NULL);
	assert_int_equal(credential_new("ada@example.com", NULL, "ATATsecret",
					&w->credential, &why),
			 0);
	assert_int_equal(bitbucket_new(w->api->url, w->credential, w->api_http,
				       w->budget, &w->bitbucket),
			 0);
	assert_int_equal(spool_open(w->dir, 0, &w->spool), 0);
	config.bitbucket = w->bitbucket;
	config.http = w->http;
	config.spool = w->spool;
	w->streams = stream_set_new(&config);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	clock_real();
	stream_set_free(w->streams);
	spool_close(w->spool);
	bitbucket_free(w->bitbucket);
	http_free(w->http);
	http_free(w->api_http);
	tiny_free(w->storage);
	tiny_free(w->api);
	budget_free(w->budget);
	credential_free(w->credential);
	assert_int_equal(file_remove_tree(w->dir), 0);
	free(w);
	return 0;
}

/* The errno, or how many bytes came, which are right. */
static int64_t read_at(struct stream *s, uint64_t offset, size_t n, char fill)
{
	cleanup(fd) int fd = -1;
	cleanup(free) char *data = mem_alloc(n + 1);
	cleanup(ctx_done) struct ctx ctx;
	size_t got = 0;
	int r;

	ctx_init(&ctx, NULL, 20000);
	r = stream_read(&ctx, s, offset, n, &fd, &got);
	if (r < 0) {
		assert_true(r == -EINTR || *ctx.sentence);
		return r;
	}
	assert_int_equal(pread(fd, data, got, (off_t)offset), got);
	for (size_t i = 0; i < got; i++)
		if (data[i] != (fill ? fill : byte_of(offset + i)))
			fail_msg("byte %llu is another",
				 (unsigned long long)(offset + i));
	return (int64_t)got;
}

static struct stream *big(struct world *w, int64_t size)
{
	return stream_get(w->streams, "big", "/big", size);
}

static void read_all(struct stream *s)
{
	uint64_t at = 0;
	int64_t n;

	while ((n = read_at(s, at, 128 * KIB, '\0')) > 0)
		at += (uint64_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, BIG);
}

/* ---- what is sized ---- */

static void each_byte_comes_once(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);

	assert_int_equal(read_at(s, BIG - 7, 100, '\0'), 7);
	assert_int_equal(read_at(s, BIG, 100, '\0'), 0);
	read_all(s);
	read_all(s);
	assert_true(atomic_load(&w->sent) == BIG);
	/* The link is good for all of it, and nobody else saw the credential.
	 */
	assert_int_equal(tiny_n_requests(w->api), 1);
	assert_int_equal(atomic_load(&w->credentials), 0);
	stream_unref(s);
	/* Another stream of that key finds it on the disk. */
	s = big(w, BIG);
	read_all(s);
	assert_true(atomic_load(&w->sent) == BIG);
	stream_unref(s);
}

/* The client gives 16 KiB at a time; a write costs its locks and its looks at
 * the file's time, however small it is. */
static void pieces_are_written_together(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);
	cleanup(ctx_done) struct ctx ctx;
	struct spool_file *file;
	uint64_t n_writes;

	ctx_init(&ctx, NULL, 20000);
	/* One file for all of it, which counts its writes. */
	assert_int_equal(read_at(s, 0, 1, '\0'), 1);
	assert_int_equal(stream_use(&ctx, s, &file), 0);
	read_all(s);
	n_writes = mutex_with(&file->lock, file->n_writes);
	stream_unuse(s);
	stream_unref(s);
	assert_in_range(n_writes, 1, spool_n_chunks(BIG) * 10);
}

static void a_size_that_nobody_told(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, -1);

	read_all(s);
	assert_true(atomic_load(&w->sent) == BIG);
	stream_unref(s);
}

static void a_size_that_is_not_true(void **state)
{
	static const int64_t lies[] = {BIG - 1, BIG + 1, 3, 1 << 30};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		cleanup(free) char *key = mem_asprintf("lie%zu", i);
		struct stream *s = stream_get(w->streams, key, "/big", lies[i]);

		assert_int_equal(read_at(s, 0, 1, '\0'), -EIO);
		stream_unref(s);
	}
}

static void a_link_that_has_had_its_time(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);

	assert_int_equal(read_at(s, 0, 10, '\0'), 10);
	tiny_await_idle(w->storage);
	atomic_store(&w->expired, 1);
	assert_int_equal(read_at(s, 4 * SPOOL_CHUNK, 10, '\0'), 10);
	assert_int_equal(tiny_n_requests(w->api), 2);
	/* Refused again and again it is an error. */
	atomic_store(&w->expired, 100);
	assert_int_equal(read_at(s, 2 * SPOOL_CHUNK, 10, '\0'), -EIO);
	stream_unref(s);
}

static void what_breaks_off_goes_on(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);

	atomic_store(&w->breaks, 3);
	read_all(s);
	assert_true(atomic_load(&w->sent) < BIG + SPOOL_CHUNK);
	stream_unref(s);
}

static void a_server_that_gives_the_whole_alone(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);

	atomic_store(&w->no_range, true);
	read_all(s);
	assert_true(atomic_load(&w->sent) == BIG);
	stream_unref(s);
}

static void another_one_while_it_is_read(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);

	assert_int_equal(read_at(s, 0, 10, '\0'), 10);
	tiny_await_idle(w->storage);
	atomic_store(&w->tag, 7);
	assert_int_equal(read_at(s, 4 * SPOOL_CHUNK, 10, '\0'), -EIO);
	/* What was there is there. */
	assert_int_equal(read_at(s, 0, 10, '\0'), 10);
	stream_unref(s);
}

static void what_is_not_there(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "no", "/nothing", 10);
	unsigned n;

	assert_int_equal(read_at(s, 0, 1, '\0'), -ENOENT);
	n = tiny_n_requests(w->api);
	assert_int_equal(read_at(s, 0, 1, '\0'), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), n); /* remembered */
	stream_unref(s);
}

/* ---- many ---- */

struct reader {
	struct stream *stream;
	struct thread *thread;
	struct ctx ctx;
	uint64_t offset;
	int result;
};

static void read_on(void *arg)
{
	struct reader *reader = arg;

	read_all(reader->stream);
	reader->result = 1;
}

static void many_readers(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);
	struct reader readers[8];

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = (struct reader){.stream = s};
		assert_int_equal(thread_start("reader", read_on, &readers[i],
					      &readers[i].thread),
				 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		thread_join(readers[i].thread);
		assert_int_equal(readers[i].result, 1);
	}
	assert_true(atomic_load(&w->sent) == BIG);
	assert_int_equal(tiny_n_requests(w->api), 1);
	stream_unref(s);
}

static void read_once(void *arg)
{
	struct reader *reader = arg;
	cleanup(fd) int fd = -1;
	size_t got;

	reader->result = stream_read(&reader->ctx, reader->stream,
				     reader->offset, 10, &fd, &got);
}

static void whoever_waits_may_leave(void **state)
{
	struct world *w = *state;
	struct stream *s = big(w, BIG);
	struct reader one = {.stream = s}, two = {.stream = s};

	atomic_store(&w->stall, true);
	ctx_init(&one.ctx, NULL, -1);
	ctx_init(&two.ctx, NULL, -1);
	assert_int_equal(thread_start("one", read_once, &one, &one.thread), 0);
	assert_int_equal(thread_start("two", read_once, &two, &two.thread), 0);
	tiny_await(w->storage, 1);
	ctx_cancel(&one.ctx);
	thread_join(one.thread);
	assert_int_equal(one.result, -EINTR);
	/* The mount ends. */
	stream_set_cancel(w->streams);
	thread_join(two.thread);
	assert_int_equal(two.result, -EINTR);
	ctx_done(&one.ctx);
	ctx_done(&two.ctx);
	stream_unref(s);
}

/* ---- what grows ---- */

static void grow(struct stream *s, bool has_ended, uint64_t want)
{
	struct stream_growth growth = {0};
	cleanup(ctx_done) struct ctx ctx;
	int failure = 0;

	ctx_init(&ctx, NULL, 10000);
	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(
			stream_grow(&ctx, s, has_ended, &growth, &failure), 0);
		assert_int_equal(failure, 0);
		if (growth.size == want && growth.ended == has_ended)
			return;
		assert_int_equal(ctx_sleep(&ctx, 10), 0);
	}
	fail_msg("%llu, not %llu", (unsigned long long)growth.size,
		 (unsigned long long)want);
}

static void only_what_was_appended(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	grow(s, false, 1000);
	assert_int_equal(read_at(s, 0, 5000, 'x'), 1000);
	atomic_store(&w->length, 1500);
	grow(s, false, 1500);
	assert_int_equal(read_at(s, 900, 5000, 'x'), 600);
	assert_true(atomic_load(&w->sent) == 1500);
	atomic_store(&w->length, 1700);
	grow(s, true, 1700);
	assert_int_equal(read_at(s, 0, 5000, 'x'), 1700);
	assert_true(atomic_load(&w->sent) == 1700);
	stream_unref(s);
	/* It has ended: nothing is asked for any more. */
	s = stream_get(w->streams, "log", "/log", -1);
	grow(s, true, 1700);
	assert_int_equal(read_at(s, 0, 5000, 'x'), 1700);
	assert_true(atomic_load(&w->sent) == 1700);
	stream_unref(s);
}

static void nothing_was_appended_twice(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);

	/* Without ranges all of it comes each time, and is compared. */
	atomic_store(&w->no_range, true);
	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	grow(s, false, 1000);
	atomic_store(&w->length, 1200);
	grow(s, false, 1200);
	assert_int_equal(read_at(s, 0, 5000, 'x'), 1200);
	stream_unref(s);
}

static void less_than_there_was(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct stream *fresh;
	struct stream_growth growth = {0};
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	grow(s, false, 1000);
	atomic_store(&w->length, 10);
	ctx_init(&ctx, NULL, 10000);
	while (!growth.dead) {
		assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure),
				 0);
		assert_int_equal(ctx_sleep(&ctx, 10), 0);
	}
	/* Who reads it finishes; who comes now gets another one. */
	assert_int_equal(read_at(s, 0, 5000, 'x'), 1000);
	fresh = stream_get(w->streams, "log", "/log", -1);
	assert_ptr_not_equal(fresh, s);
	grow(fresh, false, 10);
	stream_unref(s);
	stream_unref(fresh);
}

static void no_log_at_all(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct stream_growth growth;
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	ctx_init(&ctx, NULL, 10000);
	assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure),
			 -ENOENT);
	assert_true(*ctx.sentence);
	stream_unref(s);
}

static int grow_now(struct stream *s, bool has_ended)
{
	struct stream_growth growth;
	cleanup(ctx_done) struct ctx ctx;
	int failure, r;

	ctx_init(&ctx, NULL, 10000);
	r = stream_grow(&ctx, s, has_ended, &growth, &failure);
	assert_true(r == 0 || *ctx.sentence);
	return r;
}

/* Whether it grows or is sized, it is the same thing of the service: what was
 * refused to one who asked is remembered for both. */
static void a_failure_is_remembered_for_both(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);

	assert_int_equal(grow_now(s, false), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 1);
	assert_int_equal(grow_now(s, true), -ENOENT);
	assert_int_equal(read_at(s, 0, 1, '\0'), -ENOENT);
	assert_int_equal(grow_now(s, false), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 1);
	stream_unref(s);
	s = stream_get(w->streams, "other", "/log", -1);
	assert_int_equal(grow_now(s, true), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 2);
	assert_int_equal(grow_now(s, false), -ENOENT);
	assert_int_equal(grow_now(s, true), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 2);
	stream_unref(s);
}

/* It is remembered from the failure on, not from whoever was told of it. */
static void a_failure_is_forgotten_in_its_time(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);

	clock_fake(1000000, INT64_C(1700000000000));
	assert_int_equal(grow_now(s, false), -ENOENT);
	clock_advance(STREAM_FAILED_MS - 1);
	assert_int_equal(grow_now(s, false), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 1);
	clock_advance(2);
	assert_int_equal(grow_now(s, false), -ENOENT);
	assert_int_equal(tiny_n_requests(w->api), 2);
	stream_unref(s);
}

/* Who leaves before he has asked holds up nobody who comes after him. */
static void whoever_left_before_he_asked(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct stream_growth growth;
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	assert_int_equal(stream_grow(&ctx, s, false, &growth, &failure),
			 -EINTR);
	assert_int_equal(tiny_n_requests(w->api), 0);
	grow(s, false, 1000);
	assert_int_equal(tiny_n_requests(w->api), 1);
	stream_unref(s);
}

static void grow_once(void *arg)
{
	struct reader *reader = arg;
	struct stream_growth growth = {0};
	int failure = 0;

	reader->result = stream_grow(&reader->ctx, reader->stream, false,
				     &growth, &failure);
	reader->offset = growth.size;
}

/* While nothing is there, others wait for the one who asks. */
static void nobody_sees_less_than_was_asked_for(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct reader readers[4];

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	atomic_store(&w->slow_log, true);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = (struct reader){.stream = s};
		ctx_init(&readers[i].ctx, NULL, 10000);
		assert_int_equal(thread_start("grower", grow_once, &readers[i],
					      &readers[i].thread),
				 0);
		tiny_await(w->api, 1);
	}
	/* Time enough for who does not wait. */
	usleep(100000);
	atomic_store(&w->slow_log, false);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		thread_join(readers[i].thread);
		assert_int_equal(readers[i].result, 0);
		assert_int_equal(readers[i].offset, 1000);
		ctx_done(&readers[i].ctx);
	}
	stream_unref(s);
}

/* The mount ends: nothing begins any more, whoever still asks. */
static void nothing_is_asked_at_the_end(void **state)
{
	struct world *w = *state;
	struct stream *log = stream_get(w->streams, "log", "/log", -1);
	struct stream *s = big(w, BIG);
	struct stream_growth growth;
	cleanup(ctx_done) struct ctx ctx;
	int failure;

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	stream_set_cancel(w->streams);
	ctx_init(&ctx, NULL, 10000);
	assert_int_equal(stream_grow(&ctx, log, false, &growth, &failure),
			 -EINTR);
	assert_int_equal(stream_grow(&ctx, log, true, &growth, &failure),
			 -EINTR);
	assert_int_equal(read_at(s, 0, 1, '\0'), -EINTR);
	assert_int_equal(tiny_n_requests(w->api), 0);
	stream_unref(log);
	stream_unref(s);
}

/* A file that grows has no size: whoever wants a sized one is told so, and does
 * not get it as if it were one. */
static void what_grows_is_not_used_as_sized(void **state)
{
	struct world *w = *state;
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct spool_file *file = NULL;
	cleanup(ctx_done) struct ctx ctx;

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	grow(s, false, 1000);
	ctx_init(&ctx, NULL, 10000);
	assert_int_equal(stream_use(&ctx, s, &file), -EINPROGRESS);
	assert_int_equal(stream_use_sized(&ctx, s, &file), -EINPROGRESS);
	grow(s, true, 1000);
	assert_int_equal(stream_use(&ctx, s, &file), 0);
	assert_int_equal(spool_file_size(file), 1000);
	stream_unuse(s);
	stream_unref(s);
}

/* 1. A asks for a log; B waits for A. 2. Another mount finds its end, and
 * publishes it in the cache that both share. 3. A is cancelled, B is to ask: it
 * looks into the cache first. */
static void somebody_else_had_the_end_of_it(void **state)
{
	struct world *w = *state;
	struct stream_set_config config = w->streams->config;
	struct stream_set *others = stream_set_new(&config);
	struct stream *s = stream_get(w->streams, "log", "/log", -1);
	struct stream *other = stream_get(others, "log", "/log2", -1);
	struct reader a = {.stream = s}, b = {.stream = s};

	atomic_store(&w->fill, 'x');
	atomic_store(&w->length, 1000);
	atomic_store(&w->slow_log, true);
	ctx_init(&a.ctx, NULL, 10000);
	ctx_init(&b.ctx, NULL, 10000);
	assert_int_equal(thread_start("a", grow_once, &a, &a.thread), 0);
	tiny_await(w->api, 1);
	assert_int_equal(thread_start("b", grow_once, &b, &b.thread), 0);
	grow(other, true, 1000);
	assert_int_equal(tiny_n_requests(w->api), 2);
	ctx_cancel(&a.ctx);
	thread_join(a.thread);
	assert_int_equal(a.result, -EINTR);
	thread_join(b.thread);
	assert_int_equal(b.result, 0);
	assert_int_equal(b.offset, 1000);
	assert_int_equal(tiny_n_requests(w->api), 2);
	atomic_store(&w->slow_log, false);
	ctx_done(&a.ctx);
	ctx_done(&b.ctx);
	stream_unref(s);
	stream_unref(other);
	stream_set_free(others);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_byte_comes_once),
		T(pieces_are_written_together),
		T(a_size_that_nobody_told),
		T(a_size_that_is_not_true),
		T(a_link_that_has_had_its_time),
		T(what_breaks_off_goes_on),
		T(a_server_that_gives_the_whole_alone),
		T(another_one_while_it_is_read),
		T(what_is_not_there),
		T(many_readers),
		T(whoever_waits_may_leave),
		T(only_what_was_appended),
		T(nothing_was_appended_twice),
		T(less_than_there_was),
		T(no_log_at_all),
		T(a_failure_is_remembered_for_both),
		T(a_failure_is_forgotten_in_its_time),
		T(whoever_left_before_he_asked),
		T(nobody_sees_less_than_was_asked_for),
		T(nothing_is_asked_at_the_end),
		T(what_grows_is_not_used_as_sized),
		T(somebody_else_had_the_end_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
