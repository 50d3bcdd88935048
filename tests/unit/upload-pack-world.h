/*
 * A git server that says what it is told to, and what came of it.
 */
#ifndef TESTS_UPLOAD_PACK_WORLD_H
#define TESTS_UPLOAD_PACK_WORLD_H

#include "wire/upload_pack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
static const char sizes_advert[] = "000eversion 2\n"
				   "000cls-refs\n"
				   "000afetch\n"
				   "0010object-info\n"
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
	struct buf pack, shallows, progress, sizes;
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
	buf_done(&got->sizes);
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

static void got_size(void *arg, const char *oid, uint64_t size)
{
	buf_printf(&((struct got *)arg)->sizes, "%s %llu\n", oid,
		   (unsigned long long)size);
}

static int talk_sizes(struct talk *talk)
{
	static const char *const oids[] = {OID, OTHER_OID, OID};

	return upload_pack_object_info(&talk->ctx, talk->up, oids,
				       ARRAY_SIZE(oids), got_size, &talk->got);
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

#endif
