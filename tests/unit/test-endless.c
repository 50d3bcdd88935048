/*
 * wire/http, wire/link, wire/upload_pack: a server that is lively for ever and
 * brings nothing holds nobody for ever.
 */
#include "wire/link.h"
#include "wire/upload_pack.h"

#include "base/clock.h"
#include "tiny-server.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OID "ae6c2973974ac0a041d604152d21182fc51e28c3"
/* Short for who waits here; a byte comes in a fraction of each. */
#define DRIP_MS 40
#define STALL_MS 600
#define ASK_MS 1500

struct endless {
	const char *status, *type;
	const char *once;       /* comes at first */
	const char *again;      /* comes for ever */
	size_t n_once, n_again; /* they have NULs */
	unsigned most;          /* so often; 0: for ever */
	const char *end;
};
#define ONCE(literal) .once = (literal), .n_once = sizeof(literal) - 1
#define AGAIN(literal) .again = (literal), .n_again = sizeof(literal) - 1

static bool answer(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	const struct endless *e = *(const struct endless **)arg;
	char head[256];

	(void)request;
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: %s\r\n",
		 e->status ? e->status : "200 OK", e->type);
	tiny_say(c, head);
	if (e->once)
		tiny_say(c, "\r\n");
	tiny_send(c, e->once, e->n_once);
	for (unsigned i = 0; !e->most || i < e->most; i++) {
		struct pollfd gone = {.fd = c->fd, .events = POLLIN};

		if (poll(&gone, 1, DRIP_MS) > 0)
			return false;
		tiny_send(c, e->again, e->n_again);
	}
	tiny_say(c, e->end);
	return false;
}

struct scene {
	const struct endless *endless;
	struct tiny *tiny;
	struct http *http;
	struct link *link;
	struct upload_pack_caps caps;
	struct upload_pack *up;
	struct ctx ctx;
	unsigned n_pack;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));
	struct http_config config = {.stall_timeout_ms = STALL_MS};

	s->tiny = tiny_new(answer, &s->endless);
	assert_int_equal(http_new(&config, &s->http), 0);
	assert_int_equal(link_http_new(s->http, s->tiny->url, NULL, &s->link),
			 0);
	assert_int_equal(upload_pack_new(s->link, &s->caps, &s->up), 0);
	upload_pack_patience(s->up, ASK_MS);
	ctx_init(&s->ctx, NULL, -1);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	ctx_done(&s->ctx);
	upload_pack_free(s->up);
	link_free(s->link);
	http_free(s->http);
	tiny_free(s->tiny);
	free(s);
	return 0;
}

static int take_pack(void *arg, const void *data, size_t n)
{
	(void)data;
	((struct scene *)arg)->n_pack += (unsigned)n;
	return 0;
}

static int ls_refs(struct scene *s)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};

	return upload_pack_ls_refs(&s->ctx, s->up, NULL, &refs);
}

static int fetch(struct scene *s)
{
	static const char *const wants[] = {OID, NULL};
	const struct upload_pack_fetch what = {
		.wants = wants, .depth = 1, .pack = take_pack, .arg = s};

	s->n_pack = 0;
	return upload_pack_fetch(&s->ctx, s->up, &what);
}

/* Ends after about so long, whatever still comes. */
static void assert_ends(struct scene *s, const struct endless *endless,
			int (*talk)(struct scene *), int64_t after_ms)
{
	int64_t began = clock_mono_ms(), took;
	int r;

	s->endless = endless;
	r = talk(s);
	took = clock_mono_ms() - began;
	if (r != -ETIMEDOUT || took < after_ms - 100 || took > after_ms + 5000)
		fail_msg("%d (%s) after %lld ms", r, s->ctx.sentence,
			 (long long)took);
	assert_non_null(strstr(s->ctx.sentence, "127.0.0.1"));
	/* The ctx has its own deadline again: none. */
	assert_true(s->ctx.deadline_ms == INT64_MAX);
	/* And the server is told. */
	tiny_await_idle(s->tiny);
}

#define ADVERTISEMENT "application/x-git-upload-pack-advertisement"
#define RESULT "application/x-git-upload-pack-result"

static void an_advertisement_that_never_ends(void **state)
{
	static const struct endless e = {
		.type = ADVERTISEMENT,
		ONCE("000eversion 2\n"),
		AGAIN("0011some=ability\n"),
	};

	assert_ends(*state, &e, ls_refs, ASK_MS);
}

static void a_list_of_refs_that_never_ends(void **state)
{
	static const struct endless e = {
		.type = RESULT,
		ONCE(""),
		AGAIN("003e" OID " refs/heads/again\n"),
	};
	struct scene *s = *state;

	assert_true(upload_pack_caps_parse("v2 shallow", &s->caps));
	assert_ends(s, &e, ls_refs, ASK_MS);
}

static void chatter_instead_of_a_pack(void **state)
{
	static const struct endless cases[] = {
		{.type = RESULT,
		 ONCE("000dpackfile\n"),
		 AGAIN("000b\2Coun\r\n")},
		/* What git says when it has nothing to say. */
		{.type = RESULT, ONCE("000dpackfile\n"), AGAIN("0005\1")},
		{.type = RESULT,
		 ONCE("0011shallow-info\n"),
		 AGAIN("0034shallow " OID)},
		{.type = RESULT,
		 ONCE("0014acknowledgments\n"),
		 AGAIN("0008NAK\n")},
	};
	struct scene *s = *state;

	assert_true(upload_pack_caps_parse("v2 shallow", &s->caps));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_ends(s, &cases[i], fetch, ASK_MS);
}

static void chatter_in_the_middle_of_a_pack(void **state)
{
	static const struct endless cases[] = {
		{.type = RESULT,
		 ONCE("000dpackfile\n0009\1PACK"),
		 AGAIN("000b\2Coun\r\n")},
		{.type = RESULT,
		 ONCE("000dpackfile\n0009\1PACK"),
		 AGAIN("0005\1")},
	};
	struct scene *s = *state;

	assert_true(upload_pack_caps_parse("v2 shallow", &s->caps));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ends(s, &cases[i], fetch, STALL_MS);
		assert_int_equal(s->n_pack, 4);
	}
}

/* A slow line is not a hostile one: the bytes of a pack take as long as they
 * come. */
static void a_pack_that_drips_goes_on(void **state)
{
	static const struct endless e = {
		.type = RESULT,
		ONCE("000dpackfile\n0009\1PACK"),
		AGAIN("0006\1x"),
		.most = ASK_MS * 2 / DRIP_MS,
		.end = "0000",
	};
	struct scene *s = *state;

	assert_true(upload_pack_caps_parse("v2 shallow", &s->caps));
	s->endless = &e;
	assert_int_equal(fetch(s), 0);
	assert_int_equal(s->n_pack, 4 + e.most);
}

static int get(struct scene *s)
{
	cleanup(http_response_done) struct http_response response = {0};
	struct http_request request = {.url = s->tiny->url};

	return http_perform(&s->ctx, s->http, &request, NULL, &response);
}

/* Nobody's content: of any exchange. */
static void heads_and_errors_that_drip(void **state)
{
	static const struct endless cases[] = {
		{.type = "text/plain", AGAIN("X-Filler: x\r\n")},
		{.status = "500 No",
		 .type = "text/plain",
		 ONCE(""),
		 AGAIN("sorry ")},
	};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_ends(s, &cases[i], get, 2 * STALL_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_advertisement_that_never_ends),
		TEST(a_list_of_refs_that_never_ends),
		TEST(chatter_instead_of_a_pack),
		TEST(chatter_in_the_middle_of_a_pack),
		TEST(a_pack_that_drips_goes_on),
		TEST(heads_and_errors_that_drip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
