/*
 * wire/upload_pack: conversations played from corpora, whole, in pieces, cut
 * and damaged.
 */
#include "wire/upload_pack.h"

#include "corpora.h"

#define OID "ae6c2973974ac0a041d604152d21182fc51e28c3"
#define OTHER_OID "259ae177f9f667bfc2b0ee070b0d85e7fb7f0129"

/* What a server without the old protocol's restraint says first, and one
 * with it. */
static const char v2_advert[] = "000eversion 2\n"
				"0015agent=git/2.39.5\n"
				"0013ls-refs=unborn\n"
				"0019fetch=shallow filter\n"
				"0017object-format=sha1\n"
				"0000";
static const char v0_advert[] =
	"001e# service=git-upload-pack\n0000"
	"0059" OID " HEAD\0side-band-64k shallow filter ofs-delta\n"
	"003d" OID " refs/heads/main\n0000";

/* ---- A server that says what it is told to ------------------------------- */

struct bytes {
	const char *data;
	size_t n;
};
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

struct played {
	struct link link;
	struct bytes advert, answers[4];
	int advert_errno, answer_errno;
	size_t step; /* how many bytes at once */
	unsigned n_adverts, n_exchanges;
	bool v2;            /* of the last exchange */
	struct buf request; /* the last one */
};

static int play(const struct played *played, struct bytes bytes,
		const struct http_sink *sink)
{
	size_t step = played->step ? played->step : bytes.n;

	for (size_t at = 0; at < bytes.n; at += step) {
		size_t n = bytes.n - at < step ? bytes.n - at : step;
		int r = sink->write(sink->arg, bytes.data + at, n);

		if (r < 0)
			return r;
	}
	return 0;
}

static int played_advertise(struct ctx *ctx, struct link *link,
			    const struct http_sink *sink)
{
	struct played *played = (struct played *)link;

	played->n_adverts++;
	if (played->advert_errno)
		return ctx_fail(ctx, played->advert_errno, "as told");
	return play(played, played->advert, sink);
}

static int played_exchange(struct ctx *ctx, struct link *link, bool v2,
			   const void *request, size_t n,
			   const struct http_sink *sink)
{
	struct played *played = (struct played *)link;
	unsigned i = played->n_exchanges++;

	buf_clear(&played->request);
	buf_add(&played->request, request, n);
	played->v2 = v2;
	assert_true(i < ARRAY_SIZE(played->answers));
	if (played->answer_errno)
		return ctx_fail(ctx, played->answer_errno, "as told");
	return play(played, played->answers[i], sink);
}

static struct link *played_free(struct link *link)
{
	buf_done(&((struct played *)link)->request);
	return NULL;
}

static const struct link_ops played_ops = {.advertise = played_advertise,
					   .exchange = played_exchange,
					   .free = played_free};

/* ---- What came of it ----------------------------------------------------- */

struct got {
	struct buf pack, shallows, progress;
	int answer; /* of the pack callback */
	unsigned n_packs;
};

static int got_pack(void *arg, const void *data, size_t n)
{
	struct got *got = arg;

	got->n_packs++;
	buf_add(&got->pack, data, n);
	return got->answer;
}

static void got_shallow(void *arg, const char *oid)
{
	struct got *got = arg;

	assert_int_equal(got->pack.len, 0);
	buf_printf(&got->shallows, "%s ", oid);
}

static void got_progress(void *arg, const char *text, size_t n)
{
	buf_add(&((struct got *)arg)->progress, text, n);
}

static void got_done(struct got *got)
{
	buf_done(&got->pack);
	buf_done(&got->shallows);
	buf_done(&got->progress);
}

struct talk {
	struct played played;
	struct ctx ctx;
	struct upload_pack_caps caps;
	struct upload_pack *up;
	struct upload_pack_refs refs;
	struct got got;
};

static void talk_begin(struct talk *talk, const char *remembered)
{
	memset(talk, 0, sizeof(*talk));
	talk->played.link.ops = &played_ops;
	ctx_init(&talk->ctx, NULL, -1);
	if (remembered)
		assert_true(upload_pack_caps_parse(remembered, &talk->caps));
	assert_int_equal(
		upload_pack_new(&talk->played.link, &talk->caps, &talk->up), 0);
}

static void talk_end(struct talk *talk)
{
	upload_pack_free(talk->up);
	upload_pack_refs_done(&talk->refs);
	link_free(&talk->played.link);
	got_done(&talk->got);
	ctx_done(&talk->ctx);
}

static int talk_refs(struct talk *talk, const char *const *prefixes)
{
	return upload_pack_ls_refs(&talk->ctx, talk->up, prefixes, &talk->refs);
}

static int talk_fetch(struct talk *talk, unsigned depth, const char *filter)
{
	static const char *const wants[] = {OID, NULL};
	struct upload_pack_fetch fetch = {
		.wants = wants,
		.depth = depth,
		.filter = filter,
		.pack = got_pack,
		.shallow = got_shallow,
		.progress = got_progress,
		.arg = &talk->got,
	};

	return upload_pack_fetch(&talk->ctx, talk->up, &fetch);
}

/* The packets of a request, joined by '|'. */
static void assert_request(const struct talk *talk, const char *expected)
{
	cleanup(buf_done) struct buf lines = BUF_INIT(0);
	const struct buf *request = &talk->played.request;

	for (size_t at = 0; at + 4 <= request->len;) {
		char digits[5];
		unsigned long n;

		snprintf(digits, sizeof(digits), "%s", request->data + at);
		n = strtoul(digits, NULL, 16);
		if (n < 4) {
			buf_puts(&lines, n ? "--|" : "==|");
			n = 4;
		} else {
			buf_add(&lines, request->data + at + 4, n - 5);
			buf_putc(&lines, '|');
			assert_int_equal(request->data[at + n - 1], '\n');
		}
		at += n;
	}
	assert_string_equal(lines.data, expected);
}

/* ---- The corpora --------------------------------------------------------- */

enum kind {
	KIND_ADVERT,
	KIND_REFS,
	KIND_FETCH,
	KIND_FETCH0,
	KIND_FETCH0_DEEPEN,
};

/* One conversation with these bytes in their place; the pack and the refs that
 * came of it, as text. */
static int converse(enum kind kind, struct bytes bytes, size_t step,
		    struct buf *ret_heard)
{
	struct talk talk;
	int r = 0;

	talk_begin(&talk, kind == KIND_REFS || kind == KIND_FETCH
				  ? "v2 shallow filter unborn object_format"
				  : NULL);
	talk.played.step = step;
	talk.played.answers[0] = talk.played.answers[1] = bytes;
	switch (kind) {
	case KIND_ADVERT:
		talk.played.advert = bytes;
		talk.played.answers[0] = BYTES("0000");
		r = talk_refs(&talk, NULL);
		break;
	case KIND_REFS:
		talk.played.advert = BYTES(v2_advert);
		r = talk_refs(&talk, NULL);
		break;
	case KIND_FETCH:
		talk.played.advert = BYTES(v2_advert);
		r = talk_fetch(&talk, 1, "blob:none");
		break;
	case KIND_FETCH0:
	case KIND_FETCH0_DEEPEN:
		talk.played.advert = BYTES(v0_advert);
		r = talk_fetch(&talk, kind == KIND_FETCH0_DEEPEN, NULL);
		break;
	}
	assert_true(talk.played.n_adverts <= 1);
	assert_true(talk.played.n_exchanges <= 2);
	assert_true(r <= 0);
	if (r < 0)
		assert_true(talk.ctx.sentence[0]);
	if (r == 0 && kind >= KIND_FETCH)
		assert_true(talk.got.pack.len > 0);
	if (ret_heard) {
		buf_printf(ret_heard, "%d %zu ", r, talk.got.pack.len);
		if (talk.got.pack.len)
			buf_add(ret_heard, talk.got.pack.data,
				talk.got.pack.len);
		if (talk.got.shallows.len)
			buf_puts(ret_heard, talk.got.shallows.data);
		for (size_t i = 0; i < talk.refs.n_refs; i++)
			buf_printf(ret_heard, "%s %s %s %s\n",
				   talk.refs.refs[i].oid,
				   talk.refs.refs[i].name,
				   talk.refs.refs[i].target
					   ? talk.refs.refs[i].target
					   : "-",
				   talk.refs.refs[i].peeled);
	}
	talk_end(&talk);
	return r;
}

static enum kind corpus_kind;

static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	struct bytes bytes = {data, n};
	cleanup(buf_done) struct buf whole = BUF_INIT(0);
	int r = converse(corpus_kind, bytes, 0, &whole);

	if (ok != (r == 0))
		fail_msg("%s: %d", name, r);
	for (size_t step = 1; step < n; step = step * 3 + 1) {
		cleanup(buf_done) struct buf parts = BUF_INIT(0);

		converse(corpus_kind, bytes, step, &parts);
		if (parts.len != whole.len ||
		    memcmp(parts.data, whole.data, whole.len))
			fail_msg("%s: other by %zu bytes at once", name, step);
	}
}

/* No part of a good answer is one, but where the protocol allows an end. */
static void corpus_cut(const char *name, const char *data, size_t n, bool ok)
{
	size_t n_needed = n;

	(void)ok;
	if (n > 4 && !memcmp(data + n - 4, "0002", 4))
		n_needed -= 4;
	for (size_t cut = 0; cut < n_needed; cut++) {
		cleanup(free) char *part = mem_dup0(data, cut);

		if (converse(corpus_kind, (struct bytes){part, cut}, 0, NULL) >=
		    0)
			fail_msg("%s: its first %zu bytes are taken", name,
				 cut);
	}
}

/* Whatever is damaged, nothing worse comes of it than an error. */
static void corpus_damaged(const char *name, const char *data, size_t n,
			   bool ok)
{
	static const unsigned char damages[] = {0x01, 0x20, 0x80, 0xff};

	(void)name;
	(void)ok;
	for (size_t at = 0; at < n; at++)
		for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
			cleanup(free) char *damaged = mem_dup0(data, n);

			damaged[at] = (char)(damaged[at] ^ damages[i]);
			converse(corpus_kind, (struct bytes){damaged, n}, 0,
				 NULL);
			damaged[at] = '0';
			converse(corpus_kind, (struct bytes){damaged, n}, 7,
				 NULL);
		}
}

static void test_corpora(void **state)
{
	static const char *const suffixes[] = {
		[KIND_ADVERT] = ".advert",         [KIND_REFS] = ".refs",
		[KIND_FETCH] = ".fetch",           [KIND_FETCH0] = ".fetch0",
		[KIND_FETCH0_DEEPEN] = ".fetch0d",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		corpus_kind = (enum kind)i;
		assert_true(corpora_each("upload-pack/ok", suffixes[i],
					 corpus_file, true) > 0);
		assert_true(corpora_each("upload-pack/should-fail", suffixes[i],
					 corpus_file, false) > 0);
		corpora_each("upload-pack/ok", suffixes[i], corpus_cut, true);
		corpora_each("upload-pack/ok", suffixes[i], corpus_damaged,
			     true);
	}
}

/* ---- Capabilities -------------------------------------------------------- */

static void test_caps_are_remembered_as_a_line(void **state)
{
	static const char *const lines[] = {
		"v2", "v2 shallow", "v2 shallow filter unborn",
		"v2 shallow filter unborn agent object_format"};
	static const char *const wrong[] = {
		"",           "v0",         "v1 shallow",      "v22",
		"v2 ",        "v2  filter", "v2 wormhole",     "V2",
		"v2 filter ", "v2\n",       "v2 filter filter"};
	struct upload_pack_caps caps = {.any_want = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cleanup(buf_done) struct buf out = BUF_INIT(0);

		assert_true(upload_pack_caps_parse(lines[i], &caps));
		assert_true(caps.known && caps.v2 && !caps.any_want);
		assert_int_equal(upload_pack_caps_format(&caps, &out), 0);
		assert_string_equal(out.data, lines[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		caps.v2 = false;
		assert_false(upload_pack_caps_parse(wrong[i], &caps));
		assert_false(caps.v2);
	}
	caps.known = false;
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	assert_int_equal(upload_pack_caps_format(&caps, &out), -EINVAL);
}

static void test_only_what_is_offered_is_said(void **state)
{
	static const char *const prefixes[] = {"HEAD", "refs/heads/", NULL};
	struct talk talk;

	(void)state;
	talk_begin(&talk, NULL);
	talk.played.advert = BYTES("000eversion 2\n"
				   "000cls-refs\n"
				   "000afetch\n"
				   "0000");
	talk.played.answers[0] = BYTES("0000");
	assert_int_equal(talk_refs(&talk, prefixes), 0);
	assert_int_equal(talk.refs.n_refs, 0);
	assert_request(&talk, "command=ls-refs|--|peel|symrefs|ref-prefix HEAD|"
			      "ref-prefix refs/heads/|==|");
	assert_true(talk.played.v2);
	assert_true(talk_fetch(&talk, 1, "blob:none") < 0);
	assert_request(&talk, "command=fetch|--|ofs-delta|want " OID "|done|"
			      "==|");
	talk_end(&talk);
}

static void test_what_is_offered_is_used(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, NULL);
	talk.played.advert = BYTES(v2_advert);
	talk.played.answers[0] = BYTES("0000");
	assert_int_equal(talk_refs(&talk, NULL), 0);
	assert_request(&talk, "command=ls-refs|"
			      "agent=git/2.0-bitbucketfs-" VERSION "|"
			      "object-format=sha1|--|peel|symrefs|unborn|==|");
	assert_true(talk_fetch(&talk, 7, "blob:none") < 0);
	assert_request(&talk, "command=fetch|"
			      "agent=git/2.0-bitbucketfs-" VERSION "|"
			      "object-format=sha1|--|ofs-delta|deepen 7|"
			      "filter blob:none|want " OID "|done|==|");
	talk_end(&talk);
}

static void test_haves_and_shallows(void **state)
{
	static const char *const wants[] = {OID, OTHER_OID, NULL};
	static const char *const haves[] = {OTHER_OID, NULL};
	struct got got = {.answer = 0};
	struct upload_pack_fetch fetch = {.wants = wants,
					  .haves = haves,
					  .shallows = haves,
					  .pack = got_pack,
					  .arg = &got};
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.advert = BYTES(v2_advert);
	talk.played.answers[0] = BYTES("000dpackfile\n0006\1P0000");
	assert_int_equal(upload_pack_fetch(&talk.ctx, talk.up, &fetch), 0);
	assert_request(&talk,
		       "command=fetch|--|no-progress|ofs-delta|"
		       "shallow " OTHER_OID "|want " OID "|want " OTHER_OID "|"
		       "have " OTHER_OID "|done|==|");
	assert_string_equal(got.pack.data, "P");
	talk_end(&talk);

	talk_begin(&talk, NULL);
	talk.played.advert = BYTES(v0_advert);
	fetch.wants = haves;
	assert_int_equal(upload_pack_fetch(&talk.ctx, talk.up, &fetch), -EIO);
	assert_non_null(strstr(talk.ctx.sentence, "only its branch and tag"));
	assert_int_equal(talk.played.n_exchanges, 0);
	fetch.wants = (const char *const[]){OID, OID, NULL};
	talk.played.answers[0] = BYTES("0008NAK\n0006\1Q0000");
	assert_int_equal(upload_pack_fetch(&talk.ctx, talk.up, &fetch), 0);
	assert_false(talk.played.v2);
	assert_request(&talk,
		       "want " OID " side-band-64k ofs-delta no-progress|"
		       "want " OID "|shallow " OTHER_OID "|==|"
		       "have " OTHER_OID "|done|");
	assert_string_equal(got.pack.data, "PQ");
	got_done(&got);
	talk_end(&talk);
}

static void test_only_oids_are_wanted(void **state)
{
	static const char *const wrong[][3] = {
		{NULL}, {"HEAD", NULL}, {OID, "", NULL}, {OID "\n", NULL}};
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct upload_pack_fetch fetch = {
			.wants = wrong[i], .pack = got_pack, .arg = &talk.got};

		assert_int_equal(upload_pack_fetch(&talk.ctx, talk.up, &fetch),
				 -EINVAL);
	}
	assert_int_equal(talk.played.n_exchanges, 0);
	talk_end(&talk);
}

/* ---- Refs ---------------------------------------------------------------- */

static void test_refs(void **state)
{
	static const char *const prefixes[] = {"HEAD", "refs/tags/", NULL};
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 unborn");
	talk.played.answers[0] =
		BYTES("0050" OID " HEAD symref-target:refs/heads/main\n"
		      "003d" OID " refs/heads/main\n"
		      "006a" OTHER_OID " refs/tags/v1 peeled:" OID "\n"
		      "0000");
	assert_int_equal(talk_refs(&talk, prefixes), 0);
	assert_int_equal(talk.played.n_adverts, 0);
	assert_int_equal(talk.refs.n_refs, 2);
	assert_string_equal(talk.refs.refs[0].name, "HEAD");
	assert_string_equal(talk.refs.refs[0].oid, OID);
	assert_string_equal(talk.refs.refs[0].target, "refs/heads/main");
	assert_string_equal(talk.refs.refs[0].peeled, "");
	assert_string_equal(talk.refs.refs[1].name, "refs/tags/v1");
	assert_string_equal(talk.refs.refs[1].peeled, OID);
	assert_null(talk.refs.refs[1].target);
	talk_end(&talk);
}

static void test_many_refs(void **state)
{
	enum {
		N = 20000
	};
	cleanup(buf_done) struct buf answer = BUF_INIT(0);
	struct talk talk;

	(void)state;
	for (int i = 0; i < N; i++)
		buf_printf(&answer, "003d" OID " refs/tags/%05d\n", i);
	buf_puts(&answer, "0000");
	talk_begin(&talk, "v2");
	talk.played.answers[0] = (struct bytes){answer.data, answer.len};
	assert_int_equal(talk_refs(&talk, NULL), 0);
	assert_int_equal(talk.refs.n_refs, N);
	assert_string_equal(talk.refs.refs[0].name, "refs/tags/00000");
	assert_string_equal(talk.refs.refs[N - 1].name, "refs/tags/19999");
	talk_end(&talk);
}

/* ---- Memory and surprise ------------------------------------------------- */

static void test_a_wrong_memory_is_mended(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow filter unborn");
	talk.played.advert = BYTES("000eversion 2\n"
				   "000cls-refs\n"
				   "0012fetch=shallow\n"
				   "0000");
	talk.played.answers[0] =
		BYTES("0027ERR upload-pack: unexpected line: f");
	talk.played.answers[1] = BYTES("000dpackfile\n0006\1P0000");
	assert_int_equal(talk_fetch(&talk, 1, "blob:none"), 0);
	assert_int_equal(talk.played.n_adverts, 1);
	assert_int_equal(talk.played.n_exchanges, 2);
	assert_request(&talk, "command=fetch|--|ofs-delta|deepen 1|want " OID
			      "|done|==|");
	assert_true(talk.caps.known && talk.caps.shallow);
	assert_false(talk.caps.filter || talk.caps.unborn);
	talk_end(&talk);
}

static void test_the_server_went_back_to_v0(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow filter unborn");
	talk.played.advert = BYTES(v0_advert);
	talk.played.answer_errno = -EPROTO; /* as a 400 is */
	assert_int_equal(talk_refs(&talk, NULL), 0);
	assert_int_equal(talk.refs.n_refs, 2);
	assert_false(talk.caps.known || talk.caps.v2);
	assert_int_equal(talk.played.n_adverts, 1);
	talk_end(&talk);
}

static void test_an_error_of_the_network_is_no_surprise(void **state)
{
	static const int errnos[] = {-EACCES,     -ENOENT,     -EDQUOT,
				     -ECONNRESET, -ETIMEDOUT,  -EINTR,
				     -EIO,        -ENETUNREACH};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		struct talk talk;

		talk_begin(&talk, "v2 shallow");
		talk.played.answer_errno = errnos[i];
		assert_int_equal(talk_refs(&talk, NULL), errnos[i]);
		assert_int_equal(talk.played.n_adverts, 0);
		assert_true(talk.caps.known);
		talk_end(&talk);
	}
}

static void test_an_unknown_object_is_no_surprise(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.answers[0] = BYTES("0049ERR upload-pack: not our ref " OID);
	assert_int_equal(talk_fetch(&talk, 1, NULL), -ENOENT);
	assert_non_null(strstr(talk.ctx.sentence, "not our ref " OID));
	assert_int_equal(talk.played.n_adverts, 0);
	talk_end(&talk);
}

static void test_a_surprise_comes_once(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.advert = BYTES(v2_advert);
	talk.played.answers[0] = talk.played.answers[1] = BYTES("nonsense");
	assert_int_equal(talk_refs(&talk, NULL), -EPROTO);
	assert_int_equal(talk.played.n_adverts, 1);
	assert_int_equal(talk.played.n_exchanges, 2);
	/* Now the server itself has said it: it is not asked for again. */
	talk.played.answers[2] = BYTES("nonsense");
	assert_int_equal(talk_refs(&talk, NULL), -EPROTO);
	assert_int_equal(talk.played.n_adverts, 1);
	assert_int_equal(talk.played.n_exchanges, 3);
	talk_end(&talk);
}

static void test_nothing_is_repeated_after_a_byte_of_a_pack(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.advert = BYTES(v2_advert);
	talk.played.answers[0] = BYTES("000dpackfile\n0006\1P");
	assert_int_equal(talk_fetch(&talk, 1, NULL), -EPROTO);
	assert_int_equal(talk.played.n_adverts, 0);
	assert_int_equal(talk.got.n_packs, 1);
	talk_end(&talk);
}

static void test_the_caller_can_end_it(void **state)
{
	static const int errnos[] = {-ENOSPC, -EPROTO, -EINTR};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		struct talk talk;

		talk_begin(&talk, "v2 shallow");
		talk.got.answer = errnos[i];
		talk.played.answers[0] =
			BYTES("000dpackfile\n0006\1P0006\1Q0000");
		assert_int_equal(talk_fetch(&talk, 1, NULL), errnos[i]);
		assert_int_equal(talk.got.n_packs, 1);
		assert_int_equal(talk.played.n_adverts, 0);
		assert_null(strstr(talk.ctx.sentence, "protocol"));
		talk_end(&talk);
	}
}

static void test_a_failed_advertisement_forgets_nothing(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.advert_errno = -ETIMEDOUT;
	talk.played.answer_errno = -EPROTO;
	assert_int_equal(talk_refs(&talk, NULL), -ETIMEDOUT);
	assert_true(talk.caps.known && talk.caps.shallow);
	talk_end(&talk);
}

/* ---- What the server says ------------------------------------------------ */

static void test_its_words_are_cleaned(void **state)
{
	struct talk talk;
	cleanup(buf_done) struct buf answer = BUF_INIT(0);

	(void)state;
	buf_puts(&answer, "fff0ERR \033[31mred\a\ttext\n");
	while (answer.len < 65520)
		buf_putc(&answer, 'x');
	talk_begin(&talk, "v2");
	talk.played.advert = BYTES(v2_advert);
	talk.played.answers[0] = talk.played.answers[1] =
		(struct bytes){answer.data, answer.len};
	assert_int_equal(talk_refs(&talk, NULL), -EIO);
	assert_non_null(strstr(talk.ctx.sentence, " [31mred  text x"));
	assert_true(strlen(talk.ctx.sentence) < 350);
	talk_end(&talk);
}

static void test_sha256_is_refused(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 object_format");
	talk.played.advert = BYTES("000eversion 2\n"
				   "000cls-refs\n"
				   "000afetch\n"
				   "0019object-format=sha256\n"
				   "0000");
	talk.played.answers[0] =
		BYTES("0051ERR mismatched object format: "
		      "server sha256; client sha1, or so it was said..");
	assert_int_equal(talk_refs(&talk, NULL), -EOPNOTSUPP);
	assert_non_null(strstr(talk.ctx.sentence, "SHA-256"));
	assert_int_equal(talk.played.n_adverts, 1);
	assert_false(talk.caps.known);
	assert_int_equal(talk_fetch(&talk, 1, NULL), -EOPNOTSUPP);
	assert_int_equal(talk.played.n_adverts, 1);
	talk_end(&talk);
}

static void test_progress_and_shallows(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "v2 shallow");
	talk.played.answers[0] = BYTES("0011shallow-info\n"
				       "0035shallow " OID "\n"
				       "0035shallow " OTHER_OID "\n"
				       "0001000dpackfile\n"
				       "000f\2counting\r\n"
				       "0007\1PA"
				       "0007\1CK0000");
	assert_int_equal(talk_fetch(&talk, 1, NULL), 0);
	assert_string_equal(talk.got.progress.data, "counting\r\n");
	assert_string_equal(talk.got.shallows.data, OID " " OTHER_OID " ");
	assert_string_equal(talk.got.pack.data, "PACK");
	talk_end(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps_are_remembered_as_a_line),
		cmocka_unit_test(test_only_what_is_offered_is_said),
		cmocka_unit_test(test_what_is_offered_is_used),
		cmocka_unit_test(test_haves_and_shallows),
		cmocka_unit_test(test_only_oids_are_wanted),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_many_refs),
		cmocka_unit_test(test_a_wrong_memory_is_mended),
		cmocka_unit_test(test_the_server_went_back_to_v0),
		cmocka_unit_test(test_an_error_of_the_network_is_no_surprise),
		cmocka_unit_test(test_an_unknown_object_is_no_surprise),
		cmocka_unit_test(test_a_surprise_comes_once),
		cmocka_unit_test(
			test_nothing_is_repeated_after_a_byte_of_a_pack),
		cmocka_unit_test(test_the_caller_can_end_it),
		cmocka_unit_test(test_a_failed_advertisement_forgets_nothing),
		cmocka_unit_test(test_its_words_are_cleaned),
		cmocka_unit_test(test_sha256_is_refused),
		cmocka_unit_test(test_progress_and_shallows),
		cmocka_unit_test(test_corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
