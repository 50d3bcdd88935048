/*
 * wire/upload_pack: conversations played from corpora, whole, in pieces, cut
 * and damaged.
 */
#include "corpora.h"
#include "upload-pack-world.h"

/* ---- The corpora --------------------------------------------------------- */

enum kind {
	KIND_ADVERT,
	KIND_REFS,
	KIND_SIZES,
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

	talk_begin(&talk,
		   kind == KIND_REFS || kind == KIND_SIZES || kind == KIND_FETCH
			   ? "v2 shallow filter unborn object_format "
			     "object_info"
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
	case KIND_SIZES:
		talk.played.advert = BYTES(sizes_advert);
		r = talk_sizes(&talk);
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
		if (talk.got.sizes.len)
			buf_puts(ret_heard, talk.got.sizes.data);
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
		[KIND_ADVERT] = ".advert", [KIND_REFS] = ".refs",
		[KIND_SIZES] = ".sizes",   [KIND_FETCH] = ".fetch",
		[KIND_FETCH0] = ".fetch0", [KIND_FETCH0_DEEPEN] = ".fetch0d",
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
		"v2 shallow filter unborn agent object_format",
		"v2 object_info"};
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

/* A server that does not offer sizes is not asked for them, nor one that speaks
 * the old protocol. */
static void test_sizes(void **state)
{
	static const struct bytes adverts[] = {BYTES(v2_advert),
					       BYTES(v0_advert)};
	struct talk talk;

	(void)state;
	talk_begin(&talk, NULL);
	talk.played.advert = BYTES(sizes_advert);
	talk.played.answers[0] =
		BYTES("0008size0032" OID " 12345002f" OTHER_OID " 6\n0000");
	assert_int_equal(talk_sizes(&talk), 0);
	assert_request(&talk, "command=object-info|--|size|oid " OID
			      "|oid " OTHER_OID "|oid " OID "|==|");
	assert_string_equal(talk.got.sizes.data,
			    OID " 12345\n" OTHER_OID " 6\n");
	talk_end(&talk);
	for (size_t i = 0; i < ARRAY_SIZE(adverts); i++) {
		talk_begin(&talk, NULL);
		talk.played.advert = adverts[i];
		assert_int_equal(talk_sizes(&talk), -EOPNOTSUPP);
		assert_int_equal(talk.played.n_exchanges, 0);
		talk_end(&talk);
	}
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
		cmocka_unit_test(test_sizes),
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
