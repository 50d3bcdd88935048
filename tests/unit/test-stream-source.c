/*
 * content/stream_source: streams read from a source of the test's own, which
 * has its bytes in memory, and from a place that somebody names.
 */
#include "content/stream.h"

#include "../../src/store/spool_private.h"
#include "base/clock.h"
#include "base/digest.h"
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
	atomic_uint n_untrue;
};

static void await_untrue(struct world *w)
{
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, 20000);
	while (!atomic_load(&w->n_untrue))
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	assert_int_equal(atomic_load(&w->n_untrue), 1);
}

static void note_untrue(void *arg, const char *key, const char *sentence)
{
	struct world *w = arg;

	assert_string_equal(key, "m");
	assert_non_null(strstr(sentence, "memory"));
	atomic_fetch_add(&w->n_untrue, 1);
}

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
	_Atomic uint64_t n, wrong_at; /* 0: no byte is wrong */
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
			data[i] = (char)(byte_of(at + i) ^
					 (at + i && at + i == m->wrong_at));
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

/* ---- bytes that are known ---- */

static void sha256_of(uint64_t n, unsigned char ret[DIGEST_SHA256_SIZE])
{
	struct digest_sha256 *d = digest_sha256_new();
	char page[4096];

	for (uint64_t at = 0; at < n; at += sizeof(page)) {
		memset(page, byte_of(at), sizeof(page));
		digest_sha256_add(d, page,
				  n - at < sizeof(page) ? (size_t)(n - at)
							: sizeof(page));
	}
	digest_sha256_end(d, ret);
	digest_sha256_free(d);
}

/* A stream of BIG bytes that are known, under a file's key of their own. */
static struct stream *known(struct world *w, const char *key, struct memory *m)
{
	unsigned char sha256[DIGEST_SHA256_SIZE];
	const struct stream_truth truth = {"bytes", BIG, sha256};

	sha256_of(BIG, sha256);
	return stream_get_true(w->streams, key, &m->base, &truth);
}

/* The streams of another mount, of the same cache. */
static void another_mount(struct world *w)
{
	const struct stream_set_config config = {
		.spool = w->spool,
		.untrue = note_untrue,
		.untrue_arg = w,
	};

	stream_set_free(w->streams);
	w->streams = stream_set_new(&config);
}

static void what_is_known_is_true(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG), *second = memory_new(BIG);
	struct stream *s = known(w, "m", m);

	/* The end first; that it is called otherwise each time is nothing. */
	assert_int_equal(read_at(s, BIG - 5, 100), 5);
	atomic_store(&m->tag, 1);
	assert_true(stream_has(s, BIG - 5, 100));
	assert_false(stream_has(s, 0, 10));
	assert_false(stream_is_whole(s));
	read_all(s);
	assert_true(stream_is_whole(s));
	assert_true(atomic_load(&m->sent) == BIG);
	stream_unref(s);
	/* Neither another mount asks again, nor another key of the same. */
	another_mount(w);
	s = known(w, "other", second);
	assert_true(stream_is_whole(s));
	read_all(s);
	assert_int_equal(atomic_load(&second->n_asked), 0);
	stream_unref(s);
}

/* The last mount was ended when all had come, and nobody had looked at it. */
static void nobody_has_looked(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = known(w, "m", m);
	struct spool_file *file;

	read_all(s);
	stream_unref(s);
	another_mount(w);
	assert_int_equal(spool_find(w->spool, "bytes", &file), 0);
	assert_int_equal(spool_head_note(file, false), 0);
	spool_file_unref(file);
	m = memory_new(BIG);
	s = known(w, "m", m);
	assert_false(stream_is_whole(s));
	assert_int_equal(read_at(s, 0, 10), 10);
	assert_true(stream_is_whole(s));
	assert_int_equal(atomic_load(&m->n_asked), 0);
	stream_unref(s);
}

static void what_comes_is_something_else(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s;
	unsigned n_asked;
	int64_t r = 1;

	another_mount(w);
	atomic_store(&m->wrong_at, BIG - 1);
	s = known(w, "m", m);
	/* What comes first is given as it comes. */
	assert_int_equal(read_at(s, 0, 10), 10);
	assert_int_equal(atomic_load(&w->n_untrue), 0);
	/* The others come, too, and the end is not given. */
	for (uint64_t at = 0; r > 0; at += (uint64_t)r) {
		r = read_at(s, at, 128 * KIB);
		assert_true(r > 0 || r == -EBADMSG);
	}
	assert_int_equal(r, -EBADMSG);
	await_untrue(w);
	assert_false(stream_has(s, 0, 10));
	n_asked = atomic_load(&m->n_asked);
	assert_int_equal(read_at(s, 0, 10), -EBADMSG);
	assert_int_equal(atomic_load(&m->n_asked), n_asked);
	assert_true(spool_disk_bytes(w->spool) < 64 * KIB);
	stream_unref(s);
	/* What comes next is asked for in another mount, and right. */
	another_mount(w);
	m = memory_new(BIG);
	s = known(w, "m", m);
	read_all(s);
	assert_true(atomic_load(&m->sent) == BIG);
	assert_true(stream_is_whole(s));
	stream_unref(s);
}

/* The end is here before what is before it: the run that finds out comes to
 * it, and would bring it again. */
static void nothing_comes_after_it(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s;
	int64_t r = 1;

	another_mount(w);
	atomic_store(&m->wrong_at, BIG - 1);
	s = known(w, "m", m);
	assert_int_equal(read_at(s, 3 * SPOOL_CHUNK, 1), 1);
	for (uint64_t at = 0; r > 0; at += (uint64_t)r)
		r = read_at(s, at, 128 * KIB);
	assert_int_equal(r, -EBADMSG);
	await_untrue(w);
	stream_unref(s);
	another_mount(w);
	m = memory_new(BIG);
	s = known(w, "m", m);
	read_all(s);
	assert_true(atomic_load(&m->sent) == BIG);
	stream_unref(s);
}

/* The disk damages a chunk of what was found true, and what comes for it is
 * something else. */
static void it_is_found_out_again(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = known(w, "m", m);
	struct spool_file *file;

	read_all(s);
	stream_unref(s);
	another_mount(w);
	assert_int_equal(spool_find(w->spool, "bytes", &file), 0);
	assert_true(spool_is_verified(file));
	assert_true(spool_is_kept(w->spool, "bytes", BIG));
	assert_false(spool_is_kept(w->spool, "bytes", BIG + 1));
	assert_false(spool_is_kept(w->spool, "others", BIG));
	assert_int_equal(pwrite(file->fd, "x", 1, 5), 1);
	assert_false(spool_check(file, 0));
	assert_false(spool_is_verified(file));
	spool_file_unref(file);
	assert_false(spool_is_kept(w->spool, "bytes", BIG));
	m = memory_new(BIG);
	atomic_store(&m->wrong_at, 6);
	s = known(w, "m", m);
	assert_false(stream_is_whole(s));
	assert_int_equal(read_at(s, 0, 4), -EBADMSG);
	stream_unref(s);
}

/* Another mount, which opened it before that, is brought something else for a
 * piece of what was found true, and never sees the whole. */
static void another_mount_writes_to_what_is_true(void **state)
{
	struct world *w = *state;
	struct memory *m = memory_new(BIG);
	struct stream *s = known(w, "m", m);
	struct spool_file *other;

	assert_int_equal(read_at(s, 0, 4), 4);
	assert_int_equal(spool_find(w->spool, "bytes", &other), 0);
	read_all(s);
	assert_true(stream_is_whole(s));
	stream_unref(s);
	assert_false(spool_has(other, 1));
	assert_int_equal(spool_write(other, SPOOL_CHUNK, "x", 1), 0);
	spool_mark(other, 1);
	spool_file_unref(other);
	assert_int_equal(spool_find(w->spool, "bytes", &other), 0);
	assert_true(spool_has(other, 1));
	assert_false(spool_is_verified(other));
	spool_file_unref(other);
}

static void more_and_less_than_is_known(void **state)
{
	struct world *w = *state;
	static const uint64_t lengths[] = {BIG + 1, BIG - 1, 7};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct memory *m = memory_new(lengths[i]);
		cleanup(free) char *key = mem_asprintf("m%zu", i);
		struct stream *s = known(w, key, m);

		assert_int_equal(read_at(s, 0, 10), -EIO);
		assert_false(stream_has(s, 0, 1));
		stream_unref(s);
	}
}

/* ---- a place ---- */

struct host {
	struct tiny *tiny;
	char *elsewhere;       /* of /away and /to-file */
	const char *path;      /* that is found */
	atomic_uint n_found;   /* of it */
	bool fresh, is_abroad; /* told of the place */
	char refused[100];
};

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	const struct host *host = arg;
	const char *key = tiny_header(request, "X-Key");
	bool may = key && !strcmp(key, "open");
	cleanup(free) char *away = mem_asprintf(
		"HTTP/1.1 302 F\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
		host->elsewhere ? host->elsewhere : "/");

	if (!strcmp(request->path, "/bare"))
		may = !key && !tiny_header(request, "Authorization");
	if (!may)
		tiny_say(c, "HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n");
	else if (!strcmp(request->path, "/gone"))
		tiny_say(c, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	else if (!strcmp(request->path, "/away"))
		tiny_say(c, away);
	else if (!strcmp(request->path, "/later"))
		tiny_say(c, "HTTP/1.1 202 A\r\nContent-Length: 4\r\n\r\nwait");
	else if (!strcmp(request->path, "/nothing"))
		tiny_say(c, "HTTP/1.1 204 N\r\n\r\n");
	else
		tiny_say(c, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-3/4\r\n"
			    "Content-Length: 4\r\n\r\naaaa");
	return true;
}

/* The first place is refused, unless it is fresh; the second one is open. */
static int find(void *arg, struct ctx *ctx, const char *refused,
		struct http_place *ret)
{
	struct host *host = arg;
	bool is_open = host->fresh || refused;

	(void)ctx;
	atomic_fetch_add(&host->n_found, 1);
	snprintf(host->refused, sizeof(host->refused), "%s",
		 refused ? refused : "");
	*ret = (struct http_place){
		.url = host->path[0] == '/'
			       ? mem_asprintf("%s%s", host->tiny->url,
					      host->path)
			       : mem_strdup(host->path),
		.headers = mem_calloc(2, sizeof(char *)),
		.authorization = mem_strdup("Its own"),
		.may_be_here = !host->is_abroad,
		.fresh = host->fresh,
	};
	ret->headers[0] = mem_strdup(is_open ? "X-Key: open" : "X-Key: no");
	return 0;
}

static int64_t read_place(struct world *w, struct http *http, struct host *host,
			  const char *path)
{
	cleanup(free) char *key = mem_asprintf("%s %d", path, host->fresh);
	const struct stream_places places = {.find = find, .arg = host};
	struct stream *s;
	int64_t r;

	host->path = path;
	atomic_store(&host->n_found, 0);
	s = stream_get_from(w->streams, key,
			    stream_source_place(http, "a file", &places), 4);
	r = read_at(s, 0, 10);
	stream_unref(s);
	return r;
}

static void a_place(void **state)
{
	struct world *w = *state;
	const struct http_config config = {.user_agent = "test"};
	struct host host = {.fresh = true}, other = {0};
	struct http *http;
	unsigned n;

	host.tiny = tiny_new(serve, &host);
	other.tiny = tiny_new(serve, &other);
	assert_int_equal(http_new(&config, &http), 0);
	assert_int_equal(read_place(w, http, &host, "/gone"), -ENOENT);
	assert_int_equal(read_place(w, http, &host, "/x"), 4);
	assert_int_equal(atomic_load(&host.n_found), 1);
	assert_int_equal(tiny_n_requests(host.tiny), 2);
	assert_non_null(tiny_header(tiny_got(host.tiny, 1), "Range"));
	assert_string_equal(
		tiny_header(tiny_got(host.tiny, 1), "Authorization"),
		"Its own");
	assert_int_equal(read_place(w, http, &host, "/later"), -EBUSY);
	assert_int_equal(read_place(w, http, &host, "/nothing"), -ENODATA);
	/* One that had its time: another one is asked for, once. */
	host.fresh = false;
	assert_int_equal(read_place(w, http, &host, "/x"), 4);
	assert_int_equal(atomic_load(&host.n_found), 2);
	assert_non_null(strstr(host.refused, "/x"));
	assert_int_equal(read_place(w, http, &host, "/gone"), -ENOENT);
	assert_int_equal(atomic_load(&host.n_found), 2);
	/* Elsewhere nothing of what it was asked with is sent. */
	host.fresh = true;
	host.elsewhere = mem_asprintf("%s/bare", other.tiny->url);
	assert_int_equal(read_place(w, http, &host, "/away"), 4);
	assert_int_equal(tiny_n_requests(other.tiny), 1);
	n = tiny_n_requests(host.tiny);
	host.is_abroad = true;
	assert_int_equal(read_place(w, http, &host, "/here"), -EPERM);
	assert_int_equal(read_place(w, http, &host, "file:///etc/passwd"),
			 -EPERM);
	assert_int_equal(read_place(w, http, &host, "http://192.0.2.1/x"),
			 -EPERM);
	assert_int_equal(read_place(w, http, &host, "https://127.0.0.1:1/x"),
			 -EPERM);
	assert_int_equal(tiny_n_requests(host.tiny), n);
	/* Ends the runs, which may still hold a connection. */
	w->streams = stream_set_free(w->streams);
	http_free(http);
	tiny_free(host.tiny);
	tiny_free(other.tiny);
	free(host.elsewhere);
}

static void redirects_that_are_not_followed(void **state)
{
	static const char *const places[] = {"file:///etc/passwd",
					     "http://192.0.2.1/x", "/away",
					     "gopher://example.org/"};
	struct world *w = *state;
	const struct http_config config = {.user_agent = "test"};
	struct host host = {.fresh = true};
	struct http *http;

	host.tiny = tiny_new(serve, &host);
	assert_int_equal(http_new(&config, &http), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup(free) char *path = mem_asprintf("/away");
		unsigned n = tiny_n_requests(host.tiny);

		host.elsewhere = mem_strdup(places[i]);
		assert_int_equal(read_place(w, http, &host, path),
				 i == 2 ? -EIO : -EPERM);
		assert_int_equal(tiny_n_requests(host.tiny) - n,
				 i == 2 ? 6 : 1);
		free(host.elsewhere);
		/* The failure is remembered for a moment. */
		another_mount(w);
	}
	w->streams = stream_set_free(w->streams);
	http_free(http);
	tiny_free(host.tiny);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_source_of_ones_own),
		T(it_breaks_off),
		T(it_gives_the_whole_alone),
		T(nothing_and_too_little),
		T(it_is_replaced),
		T(it_grows),
		T(what_grew_is_another_one),
		T(what_is_known_is_true),
		T(nobody_has_looked),
		T(what_comes_is_something_else),
		T(nothing_comes_after_it),
		T(it_is_found_out_again),
		T(another_mount_writes_to_what_is_true),
		T(more_and_less_than_is_known),
		T(a_place),
		T(redirects_that_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
