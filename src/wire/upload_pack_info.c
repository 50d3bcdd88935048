/*
 * wire/upload_pack, what a server knows of objects without sending them: the
 * command object-info of v2 (gitprotocol-v2(5)).
 *
 * A server answers with the word "size", then a line an object, its id and its
 * size; of one that it does not have the id alone. A few versions of git leave
 * out what was not asked for properly, so an answer that lacks objects is no
 * failure: their sizes are not known by it.
 */
#include "upload_pack_private.h"

#define OIDS_MOST 20000

struct asking {
	struct upload_pack *up;
	const char *const *oids;
	size_t n_oids;
	size_t n_lines; /* that came */
	bool began, ended;
	void (*each)(void *arg, const char *oid, uint64_t size);
	void *arg;
};

static int no_size(struct asking *asking)
{
	return upload_pack_conversation_broken(asking->up,
					       "a line that is no size");
}

/* obj-id SP [obj-size] */
static int size_line(struct asking *asking, const char *line, size_t n)
{
	char oid[41];
	uint64_t size = 0;

	if (++asking->n_lines > asking->n_oids ||
	    !upload_pack_take_oid(line, n, oid) ||
	    (n > 40 && line[40] != ' ') || n > 41 + 19)
		return no_size(asking);
	if (n <= 41)
		return 0;
	for (size_t i = 41; i < n; i++) {
		if (line[i] < '0' || line[i] > '9')
			return no_size(asking);
		size = size * 10 + (uint64_t)(line[i] - '0');
	}
	if (size > INT64_MAX)
		return no_size(asking);
	asking->each(asking->arg, oid, size);
	return 0;
}

static int info_packet(void *arg, enum pktline_kind kind, const char *data,
		       size_t n)
{
	struct asking *asking = arg;
	int r;

	if (kind == PKTLINE_RESPONSE_END && asking->ended)
		return 0;
	if (kind == PKTLINE_FLUSH && !asking->ended) {
		asking->ended = asking->up->link->ended = true;
		return 0;
	}
	if (kind != PKTLINE_DATA || asking->ended)
		return upload_pack_conversation_broken(asking->up,
						       "a packet out of place");
	r = upload_pack_err_packet(asking->up, data, n);
	if (r < 0)
		return r;
	n = upload_pack_line_length(data, n);
	if (asking->began)
		return size_line(asking, data, n);
	asking->began = upload_pack_line_is(data, n, "size");
	return asking->began ? 0 : no_size(asking);
}

static int ask(struct upload_pack *up, void *arg)
{
	struct asking *asking = arg;
	cleanup(buf_done) struct buf request = BUF_INIT(0);
	int r;

	if (!up->caps->object_info)
		return -EOPNOTSUPP;
	asking->up = up;
	asking->n_lines = 0;
	asking->began = asking->ended = false;
	upload_pack_begin_command(up, "object-info", &request);
	pktline_put(&request, "size\n");
	for (size_t i = 0; i < asking->n_oids; i++)
		pktline_put(&request, "oid %s\n", asking->oids[i]);
	pktline_flush(&request);
	r = upload_pack_conversation_exchange(up, true, &request, info_packet,
					      asking);
	if (r >= 0 && !asking->ended)
		r = upload_pack_conversation_broken(
			up, "the list of sizes was cut");
	return r;
}

int upload_pack_object_info(struct ctx *ctx, struct upload_pack *up,
			    const char *const *oids, size_t n_oids,
			    void (*each)(void *arg, const char *oid,
					 uint64_t size),
			    void *arg)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < n_oids; at += OIDS_MOST) {
		size_t n = n_oids - at < OIDS_MOST ? n_oids - at : OIDS_MOST;
		struct asking asking = {
			.oids = oids + at,
			.n_oids = n,
			.each = each,
			.arg = arg,
		};

		r = upload_pack_in_conversation(ctx, up, ask, &asking);
	}
	return r;
}
