/*
 * wire/upload_pack, protocol v0 (gitprotocol-pack(5)), stateless: the refs
 * came with the advertisement, and one request holds wants, haves and done.
 *
 * No multi_ack is asked for: with everything said in one request there is
 * exactly one ACK or NAK to read, and nothing to negotiate.
 */
#include "upload_pack_private.h"

#define SHALLOWS_MAX (16 * MIB)

int upload_pack_v0_ls_refs(struct upload_pack *up, const char *const *prefixes,
			   struct upload_pack_refs *ret_refs)
{
	cleanup(upload_pack_ref_list_done) struct ref_list list;
	int r;

	upload_pack_ref_list_init(&list);
	for (size_t i = 0; i < up->v0_refs.n_refs; i++) {
		const struct upload_pack_ref *ref = &up->v0_refs.refs[i];

		if (!upload_pack_ref_wanted(ref->name, prefixes))
			continue;
		r = upload_pack_ref_list_add(
			&list, ref->oid, ref->name, strlen(ref->name),
			ref->target, ref->target ? strlen(ref->target) : 0,
			ref->peeled);
		if (r < 0)
			return ctx_fail(up->ctx, r,
					"the server has too many refs");
	}
	upload_pack_ref_list_finish(&list, ret_refs);
	return 0;
}

/* ---- Whether the server offers what is wanted -----------------------------
 */

static int compare_oids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_wants(struct upload_pack *up, const char *const *wants)
{
	const struct upload_pack_refs *refs = &up->v0_refs;
	cleanup(free) const char **tips = NULL;
	size_t n_tips = 0;

	if (up->caps->any_want)
		return 0;
	tips = mem_calloc(refs->n_refs * 2 + 1, sizeof(*tips));
	for (size_t i = 0; i < refs->n_refs; i++) {
		tips[n_tips++] = refs->refs[i].oid;
		if (refs->refs[i].peeled[0])
			tips[n_tips++] = refs->refs[i].peeled;
	}
	qsort(tips, n_tips, sizeof(*tips), compare_oids);
	for (; *wants; wants++)
		if (!bsearch(wants, tips, n_tips, sizeof(*tips), compare_oids))
			return ctx_fail(up->ctx, -EIO,
					"%.12s cannot be fetched: the server "
					"offers only its branch and tag tips "
					"by the old protocol, and this is none",
					*wants);
	return 0;
}

/* ---- The request --------------------------------------------------------- */

static void write_request(const struct upload_pack *up,
			  const struct upload_pack_fetch *fetch,
			  struct buf *out)
{
	const struct upload_pack_caps *caps = up->caps;
	bool filter = fetch->filter && caps->filter;
	const char *first = " side-band-64k";

	for (const char *const *want = fetch->wants; *want; want++) {
		if (first)
			pktline_put(out, "want %s%s%s%s%s\n", *want, first,
				    caps->ofs_delta ? " ofs-delta" : "",
				    fetch->progress ? "" : " no-progress",
				    filter ? " filter" : "");
		else
			pktline_put(out, "want %s\n", *want);
		first = NULL;
	}
	if (caps->shallow) {
		for (const char *const *s = fetch->shallows; s && *s; s++)
			pktline_put(out, "shallow %s\n", *s);
		if (fetch->depth)
			pktline_put(out, "deepen %u\n", fetch->depth);
	}
	if (filter)
		pktline_put(out, "filter %s\n", fetch->filter);
	pktline_flush(out);
	for (const char *const *have = fetch->haves; have && *have; have++)
		pktline_put(out, "have %s\n", *have);
	pktline_put(out, "done\n");
}

/* ---- The answer ---------------------------------------------------------- */

enum v0_state {
	V0_SHALLOW, /* the update that answers deepen, up to a flush */
	V0_ACK,     /* one line */
	V0_PACK,
};

static int v0_data(struct fetching *fetching, const char *data, size_t n)
{
	struct upload_pack *up = fetching->up;
	size_t length = upload_pack_line_length(data, n);
	int r;

	if (fetching->state == V0_PACK)
		return upload_pack_fetching_side_band(fetching, data, n);
	r = upload_pack_err_packet(up, data, n);
	if (r < 0)
		return r;
	if (fetching->state == V0_SHALLOW)
		return upload_pack_fetching_shallow(fetching, data, n);
	if (!upload_pack_line_is(data, length, "NAK") &&
	    !upload_pack_line_begins(data, length, "ACK "))
		return upload_pack_conversation_broken(up,
						       "neither ACK nor NAK");
	fetching->state = V0_PACK;
	return 0;
}

static int v0_packet(void *arg, enum pktline_kind kind, const char *data,
		     size_t n)
{
	struct fetching *fetching = arg;

	if (!fetching->ended && kind == PKTLINE_DATA)
		return v0_data(fetching, data, n);
	if (!fetching->ended && kind == PKTLINE_FLUSH) {
		if (fetching->state == V0_SHALLOW) {
			fetching->state = V0_ACK;
			return 0;
		}
		if (fetching->state == V0_PACK) {
			fetching->ended = fetching->up->link->ended = true;
			return 0;
		}
	}
	return upload_pack_conversation_broken(fetching->up,
					       "a packet out of place");
}

int upload_pack_v0_fetch(struct upload_pack *up,
			 const struct upload_pack_fetch *fetch)
{
	cleanup(buf_done) struct buf request = BUF_INIT(0);
	struct fetching fetching = {
		.up = up, .fetch = fetch, .shallows = BUF_INIT(SHALLOWS_MAX)};
	int r;

	if (!up->caps->side_band)
		return ctx_fail(up->ctx, -EIO,
				"the git server is too old: it does not offer "
				"side-band-64k");
	r = check_wants(up, fetch->wants);
	if (r < 0)
		return r;
	write_request(up, fetch, &request);
	fetching.state = fetch->depth && up->caps->shallow ? V0_SHALLOW
							   : V0_ACK;
	r = upload_pack_conversation_exchange(up, false, &request, v0_packet,
					      &fetching);
	if (r >= 0)
		r = upload_pack_fetching_end(&fetching);
	buf_done(&fetching.shallows);
	return r;
}
