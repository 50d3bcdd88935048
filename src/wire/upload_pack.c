/*
 * wire/upload_pack: the conversation, and protocol v2 (gitprotocol-v2(5)).
 *
 * An answer is a stream of packets that drives a small state machine; it is
 * complete only if the flush that ends it was seen: a connection that ends
 * early looks as if it had ended well, and refs would be missing from the list.
 *
 * The abilities that are remembered of a server may be out of date, or those of
 * another of its repositories. So an answer that does not fit them is a
 * surprise: the advertisement is asked for and the request repeated, once (as
 * it is after the end of a connection that was kept too long), and only while
 * the caller has seen no byte of a pack: it would get the pack's beginning
 * twice.
 *
 * A question ends after a minute in all, however lively the server is:
 * otherwise a list of refs that drips, progress on side band 2 and keep-alives
 * (an empty side band 1) would hold the caller as long as the server likes.
 * Once a pack has begun, only bytes of the pack are progress.
 */
#include "upload_pack_private.h"

#include "base/text.h"

#define ERR_TEXT_MAX 300
#define SHALLOWS_MAX (16 * MIB)
#define ASK_MS 60000

int upload_pack_new(struct link *link, struct upload_pack_caps *caps,
		    struct upload_pack **ret_up)
{
	struct upload_pack *up = mem_calloc(1, sizeof(*up));

	up->link = link;
	up->caps = caps;
	up->ask_ms = ASK_MS;
	*ret_up = up;
	return 0;
}

void upload_pack_patience(struct upload_pack *up, int64_t ask_ms)
{
	up->ask_ms = ask_ms;
}

struct upload_pack *upload_pack_free(struct upload_pack *up)
{
	if (!up)
		return NULL;
	upload_pack_refs_done(&up->v0_refs);
	free(up);
	return NULL;
}

/* ---- Packets ------------------------------------------------------------- */

int upload_pack_conversation_broken(struct upload_pack *up, const char *what)
{
	up->surprised = true;
	return ctx_fail(up->ctx, -EPROTO,
			"the git server's answer is not git's protocol: %s",
			what);
}

static int feed(void *arg, const void *data, size_t n)
{
	struct upload_pack *up = arg;
	int r = pktline_feed(&up->reader, data, n);

	if (r == -EPROTO && !up->surprised && !up->ended_by_caller)
		return upload_pack_conversation_broken(
			up, "a packet's length cannot be");
	return r;
}

static int conversation_end(struct upload_pack *up, int r)
{
	if (r < 0) {
		/* The link says -EPROTO for a content type that is not git's
		 * and for a strange status: the server may not have what is
		 * remembered of it. */
		if (r == -EPROTO && !up->ended_by_caller)
			up->surprised = true;
		return r;
	}
	if (pktline_end(&up->reader) < 0)
		return upload_pack_conversation_broken(
			up, "it was cut inside a packet");
	return 0;
}

int upload_pack_conversation_advertise(struct upload_pack *up,
				       packet_fn *packet, void *arg)
{
	struct http_sink sink = {.write = feed, .arg = up};

	pktline_reader_init(&up->reader, packet, arg);
	return conversation_end(
		up, up->link->ops->advertise(up->ctx, up->link, &sink));
}

int upload_pack_conversation_exchange(struct upload_pack *up, bool v2,
				      const struct buf *request,
				      packet_fn *packet, void *arg)
{
	struct http_sink sink = {
		.write = feed, .arg = up, .progress = &up->n_pack};

	if (request->failed)
		return ctx_fail(up->ctx, request->failed,
				"a request too long for the git server");
	pktline_reader_init(&up->reader, packet, arg);
	return conversation_end(up,
				up->link->ops->exchange(up->ctx, up->link, v2,
							request->data,
							request->len, &sink));
}

size_t upload_pack_line_length(const char *data, size_t n)
{
	return n && data[n - 1] == '\n' ? n - 1 : n;
}

bool upload_pack_line_is(const char *data, size_t n, const char *text)
{
	return n == strlen(text) && !memcmp(data, text, n);
}

bool upload_pack_line_begins(const char *data, size_t n, const char *text)
{
	size_t length = strlen(text);

	return n >= length && !memcmp(data, text, length);
}

bool upload_pack_take_oid(const char *s, size_t n, char ret_oid[static 41])
{
	char oid[41];

	if (n < 40)
		return false;
	memcpy(oid, s, 40);
	oid[40] = '\0';
	if (!text_is_oid(oid))
		return false;
	memcpy(ret_oid, oid, sizeof(oid));
	return true;
}

/* A stranger's text as one line for people: without control characters, which
 * would command their terminal. */
static void clean_text(const char *data, size_t n,
		       char out[static ERR_TEXT_MAX + 1])
{
	size_t length = 0;

	for (size_t i = 0; i < n && length < ERR_TEXT_MAX; i++) {
		unsigned char c = (unsigned char)data[i];

		out[length++] = c < ' ' || c == 127 ? ' ' : (char)c;
	}
	while (length && out[length - 1] == ' ')
		length--;
	out[length] = '\0';
}

int upload_pack_err_packet(struct upload_pack *up, const char *data, size_t n)
{
	char text[ERR_TEXT_MAX + 1];

	if (!upload_pack_line_begins(data, n, "ERR "))
		return 0;
	clean_text(data + 4, n - 4, text);
	/* "not our ref" is about the object. It does not mean that the server
	 * has other abilities than are remembered, so nothing is asked again.
	 */
	if (strstr(text, "not our ref"))
		return ctx_fail(up->ctx, -ENOENT, "the git server says: %s",
				text);
	/* This server knows filters, though not this one: git's "filter 'tree'
	 * not supported", "tree filter allows max depth 0". One without any
	 * says "unexpected line: 'filter …'". */
	if (up->filtered && strstr(text, "filter") &&
	    !strstr(text, "unexpected"))
		return ctx_fail(up->ctx, -EBADRQC, "the git server says: %s",
				text);
	up->surprised = true;
	return ctx_fail(up->ctx, -EIO, "the git server says: %s", text);
}

static int refuse_sha256(struct upload_pack *up)
{
	return ctx_fail(up->ctx, -EOPNOTSUPP,
			"this repository names its objects by SHA-256, which "
			"is not supported; only SHA-1 is");
}

/* ---- Memory and surprise ------------------------------------------------- */

int upload_pack_in_conversation(struct ctx *ctx, struct upload_pack *up,
				int (*command)(struct upload_pack *, void *arg),
				void *arg)
{
	bool remembered = !up->advertised && up->caps->known;
	int r = 0;

	up->ctx = ctx;
	up->surprised = up->handed_out = up->ended_by_caller = false;
	up->n_pack = 0;
	up->deadline_ms = ctx_narrow(ctx, up->ask_ms);
	if (!up->advertised && !remembered)
		r = upload_pack_advertise(up);
	if (r >= 0)
		r = up->caps->sha256 ? refuse_sha256(up) : command(up, arg);
	if (r < 0 && !up->handed_out &&
	    ((remembered && up->surprised) || up->link->stale)) {
		up->surprised = up->ended_by_caller = false;
		r = upload_pack_advertise(up);
		if (r >= 0)
			r = up->caps->sha256 ? refuse_sha256(up)
					     : command(up, arg);
	}
	ctx_widen(ctx, up->deadline_ms);
	up->ctx = NULL;
	return r;
}

static int nothing(struct upload_pack *, void *)
{
	return 0;
}

int upload_pack_greet(struct ctx *ctx, struct upload_pack *up)
{
	return upload_pack_in_conversation(ctx, up, nothing, NULL);
}

bool upload_pack_can_filter(const struct upload_pack_caps *caps)
{
	return caps->filter && (caps->v2 || caps->any_object);
}

void upload_pack_begin_command(const struct upload_pack *up,
			       const char *command, struct buf *out)
{
	pktline_put(out, "command=%s\n", command);
	if (up->caps->agent)
		pktline_put(out, "agent=" UPLOAD_PACK_AGENT "\n");
	if (up->caps->object_format)
		pktline_put(out, "object-format=sha1\n");
	pktline_delim(out);
}

/* ---- ls-refs ------------------------------------------------------------- */

struct listing {
	struct upload_pack *up;
	const char *const *prefixes;
	struct ref_list list;
	bool ended;
	struct upload_pack_refs *ret_refs;
};

/* obj-id-or-unborn SP refname *(SP ref-attribute) */
static int listing_line(struct listing *listing, const char *line, size_t n)
{
	static const char symref[] = "symref-target:", peel[] = "peeled:";
	struct upload_pack *up = listing->up;
	const char *end = line + n;
	size_t n_oid = strcspn(line, " ");
	const char *name, *s, *target = NULL;
	size_t n_name, n_target = 0;
	char oid[41] = "", peeled[41] = "";
	int r;

	if (strlen(line) != n || n_oid == n)
		return upload_pack_conversation_broken(up,
						       "a line that is no ref");
	if (n_oid == 64)
		return refuse_sha256(up);
	if (!upload_pack_line_is(line, n_oid, "unborn") &&
	    (n_oid != 40 || !upload_pack_take_oid(line, n_oid, oid)))
		return upload_pack_conversation_broken(up,
						       "a line that is no ref");
	name = line + n_oid + 1;
	n_name = strcspn(name, " ");
	if (!n_name)
		return upload_pack_conversation_broken(up,
						       "a ref without a name");
	for (s = name + n_name; s < end; s += strcspn(s, " ")) {
		size_t length = strcspn(++s, " ");

		if (upload_pack_line_begins(s, length, symref)) {
			target = s + sizeof(symref) - 1;
			n_target = length - (sizeof(symref) - 1);
		} else if (upload_pack_line_begins(s, length, peel)) {
			if (!upload_pack_take_oid(s + sizeof(peel) - 1,
						  length - (sizeof(peel) - 1),
						  peeled))
				return upload_pack_conversation_broken(
					up, "a peeled value that is none");
		}
	}
	if (!upload_pack_ref_wanted(name, listing->prefixes))
		return 0;
	r = upload_pack_ref_list_add(&listing->list, oid, name, n_name, target,
				     n_target, peeled);
	if (r < 0)
		return ctx_fail(up->ctx, r, "the server has too many refs");
	return 0;
}

static int listing_packet(void *arg, enum pktline_kind kind, const char *data,
			  size_t n)
{
	struct listing *listing = arg;
	cleanup(free) char *line = NULL;
	int r;

	if (kind == PKTLINE_RESPONSE_END && listing->ended)
		return 0;
	if (kind == PKTLINE_FLUSH && !listing->ended) {
		listing->ended = listing->up->link->ended = true;
		return 0;
	}
	if (kind != PKTLINE_DATA || listing->ended)
		return upload_pack_conversation_broken(listing->up,
						       "a packet out of place");
	r = upload_pack_err_packet(listing->up, data, n);
	if (r < 0)
		return r;
	n = upload_pack_line_length(data, n);
	line = mem_dup0(data, n);
	return listing_line(listing, line, n);
}

static int v2_ls_refs(struct listing *listing)
{
	struct upload_pack *up = listing->up;
	cleanup(buf_done) struct buf request = BUF_INIT(0);
	int r;

	upload_pack_begin_command(up, "ls-refs", &request);
	pktline_put(&request, "peel\n");
	pktline_put(&request, "symrefs\n");
	if (up->caps->unborn)
		pktline_put(&request, "unborn\n");
	for (const char *const *p = listing->prefixes; p && *p; p++)
		pktline_put(&request, "ref-prefix %s\n", *p);
	pktline_flush(&request);
	r = upload_pack_conversation_exchange(up, true, &request,
					      listing_packet, listing);
	if (r < 0)
		return r;
	if (!listing->ended)
		return upload_pack_conversation_broken(
			up, "the list of refs was cut");
	upload_pack_ref_list_finish(&listing->list, listing->ret_refs);
	return 0;
}

static int ls_refs(struct upload_pack *up, void *arg)
{
	struct listing *listing = arg;
	int r;

	if (!up->caps->v2)
		return upload_pack_v0_ls_refs(up, listing->prefixes,
					      listing->ret_refs);
	listing->up = up;
	listing->ended = false;
	upload_pack_ref_list_init(&listing->list);
	r = v2_ls_refs(listing);
	upload_pack_ref_list_done(&listing->list);
	return r;
}

int upload_pack_ls_refs(struct ctx *ctx, struct upload_pack *up,
			const char *const *prefixes,
			struct upload_pack_refs *ret_refs)
{
	struct listing listing = {.prefixes = prefixes, .ret_refs = ret_refs};

	return upload_pack_in_conversation(ctx, up, ls_refs, &listing);
}

/* ---- A pack, multiplexed ------------------------------------------------- */

int upload_pack_fetching_shallow(struct fetching *fetching, const char *data,
				 size_t n)
{
	struct upload_pack *up = fetching->up;
	char oid[41];

	n = upload_pack_line_length(data, n);
	if (upload_pack_line_begins(data, n, "unshallow "))
		return 0;
	if (!upload_pack_line_begins(data, n, "shallow ") || n != 48 ||
	    !upload_pack_take_oid(data + 8, n - 8, oid))
		return upload_pack_conversation_broken(up, "no shallow line");
	if (buf_add(&fetching->shallows, oid, sizeof(oid)) < 0)
		return ctx_fail(up->ctx, -EMSGSIZE,
				"the git server sent endless shallow lines");
	return 0;
}

/* From here on the request cannot be repeated: the caller has begun to take in
 * the pack. */
static void fetching_begin_pack(struct fetching *fetching)
{
	const struct upload_pack_fetch *fetch = fetching->fetch;

	fetching->pack_began = true;
	fetching->up->handed_out = true;
	/* The answer has begun within its minute; the pack itself may take
	 * as long as the caller allows. */
	ctx_widen(fetching->up->ctx, fetching->up->deadline_ms);
	if (fetch->shallow)
		for (size_t at = 0; at < fetching->shallows.len; at += 41)
			fetch->shallow(fetch->arg,
				       fetching->shallows.data + at);
}

int upload_pack_fetching_side_band(struct fetching *fetching, const char *data,
				   size_t n)
{
	const struct upload_pack_fetch *fetch = fetching->fetch;
	struct upload_pack *up = fetching->up;
	char text[ERR_TEXT_MAX + 1];
	int r;

	switch (n ? data[0] : 0) {
	case 1:
		if (n == 1)
			return 0;
		if (!fetching->pack_began)
			fetching_begin_pack(fetching);
		up->n_pack += n - 1;
		r = fetch->pack(fetch->arg, data + 1, n - 1);
		if (r < 0)
			up->ended_by_caller = true;
		return r;
	case 2:
		if (n > 1 && fetch->progress)
			fetch->progress(fetch->arg, data + 1, n - 1);
		return 0;
	case 3:
		clean_text(data + 1, n - 1, text);
		return ctx_fail(up->ctx, -EIO, "the git server says: %s", text);
	}
	r = upload_pack_err_packet(up, data, n);
	return r < 0 ? r
		     : upload_pack_conversation_broken(up, "no such side band");
}

int upload_pack_fetching_end(const struct fetching *fetching)
{
	if (!fetching->ended)
		return upload_pack_conversation_broken(fetching->up,
						       "the pack was cut");
	if (!fetching->pack_began)
		return upload_pack_conversation_broken(fetching->up,
						       "there is no pack");
	return 0;
}

/* ---- fetch --------------------------------------------------------------- */

enum section {
	SECTION_NONE, /* a section's header comes next */
	SECTION_ACKS,
	SECTION_SHALLOW,
	SECTION_OTHER, /* a section that was not asked for: passed over */
	SECTION_PACK,
};

static int section_begin(struct fetching *fetching, const char *data, size_t n)
{
	int r = upload_pack_err_packet(fetching->up, data, n);

	if (r < 0)
		return r;
	n = upload_pack_line_length(data, n);
	if (upload_pack_line_is(data, n, "packfile"))
		fetching->state = SECTION_PACK;
	else if (upload_pack_line_is(data, n, "shallow-info"))
		fetching->state = SECTION_SHALLOW;
	else if (upload_pack_line_is(data, n, "acknowledgments"))
		fetching->state = SECTION_ACKS;
	else if (upload_pack_line_is(data, n, "wanted-refs"))
		fetching->state = SECTION_OTHER;
	else
		return upload_pack_conversation_broken(fetching->up,
						       "no known section");
	return 0;
}

static int fetch_data(struct fetching *fetching, const char *data, size_t n)
{
	switch ((enum section)fetching->state) {
	case SECTION_NONE:
		return section_begin(fetching, data, n);
	case SECTION_SHALLOW:
		if (!upload_pack_line_begins(data, n, "ERR "))
			return upload_pack_fetching_shallow(fetching, data, n);
		__attribute__((fallthrough));
	case SECTION_ACKS:
	case SECTION_OTHER:
		return upload_pack_err_packet(fetching->up, data, n);
	case SECTION_PACK:
		return upload_pack_fetching_side_band(fetching, data, n);
	}
	return -EPROTO;
}

static int fetch_packet(void *arg, enum pktline_kind kind, const char *data,
			size_t n)
{
	struct fetching *fetching = arg;

	switch (kind) {
	case PKTLINE_DATA:
		if (fetching->ended)
			break;
		return fetch_data(fetching, data, n);
	case PKTLINE_DELIM:
		if (fetching->ended || fetching->state == SECTION_NONE ||
		    fetching->state == SECTION_PACK)
			break;
		fetching->state = SECTION_NONE;
		return 0;
	case PKTLINE_FLUSH:
		if (fetching->ended || fetching->state != SECTION_PACK)
			break;
		fetching->ended = fetching->up->link->ended = true;
		return 0;
	case PKTLINE_RESPONSE_END:
		if (!fetching->ended)
			break;
		return 0;
	}
	return upload_pack_conversation_broken(fetching->up,
					       "a packet out of place");
}

static int v2_fetch(struct upload_pack *up,
		    const struct upload_pack_fetch *fetch)
{
	cleanup(buf_done) struct buf request = BUF_INIT(0);
	struct fetching fetching = {
		.up = up, .fetch = fetch, .shallows = BUF_INIT(SHALLOWS_MAX)};
	int r;

	upload_pack_begin_command(up, "fetch", &request);
	if (!fetch->progress)
		pktline_put(&request, "no-progress\n");
	pktline_put(&request, "ofs-delta\n");
	if (fetch->thin)
		pktline_put(&request, "thin-pack\n");
	if (up->caps->shallow) {
		for (const char *const *s = fetch->shallows; s && *s; s++)
			pktline_put(&request, "shallow %s\n", *s);
		if (fetch->depth)
			pktline_put(&request, "deepen %u\n", fetch->depth);
	}
	if (fetch->filter && up->caps->filter)
		pktline_put(&request, "filter %s\n", fetch->filter);
	for (const char *const *want = fetch->wants; *want; want++)
		pktline_put(&request, "want %s\n", *want);
	for (const char *const *have = fetch->haves; have && *have; have++)
		pktline_put(&request, "have %s\n", *have);
	pktline_put(&request, "done\n");
	pktline_flush(&request);

	r = upload_pack_conversation_exchange(up, true, &request, fetch_packet,
					      &fetching);
	if (r >= 0)
		r = upload_pack_fetching_end(&fetching);
	buf_done(&fetching.shallows);
	return r;
}

static int fetch_either(struct upload_pack *up, void *arg)
{
	const struct upload_pack_fetch *fetch = *(void **)arg;

	up->filtered = fetch->filter && up->caps->filter;
	return up->caps->v2 ? v2_fetch(up, fetch)
			    : upload_pack_v0_fetch(up, fetch);
}

static bool are_oids(const char *const *oids)
{
	for (; oids && *oids; oids++)
		if (!text_is_oid(*oids))
			return false;
	return true;
}

int upload_pack_fetch(struct ctx *ctx, struct upload_pack *up,
		      const struct upload_pack_fetch *fetch)
{
	if (!fetch->wants || !fetch->wants[0] || !are_oids(fetch->wants) ||
	    !are_oids(fetch->haves) || !are_oids(fetch->shallows) ||
	    (fetch->filter && fetch->filter[strcspn(fetch->filter, "\n")]))
		return ctx_fail(ctx, -EINVAL, "no object id to fetch");
	return upload_pack_in_conversation(ctx, up, fetch_either, &fetch);
}
