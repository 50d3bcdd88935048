/*
 * wire/upload_pack, what a server says of itself: the capability advertisement
 * of v2 (gitprotocol-v2(5)), the reference discovery of v0
 * (gitprotocol-pack(5)), and the line by which a host's abilities are
 * remembered.
 */
#include "upload_pack_private.h"

#define REFS_MAX 1000000
#define NAMES_MAX (64 * MIB)

/* ---- Capabilities as a line ---------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list; *s; s += strspn(s, " ")) {
		size_t length = strcspn(s, " ");

		if (length == n && !memcmp(s, word, n))
			return true;
		s += length;
	}
	return false;
}

struct ability {
	const char *name;
	size_t offset;
};
#define ABILITY(member)                                            \
	{                                                          \
#member, offsetof(struct upload_pack_caps, member) \
	}
static const struct ability abilities[] = {
	ABILITY(shallow), ABILITY(filter),        ABILITY(unborn),
	ABILITY(agent),   ABILITY(object_format), ABILITY(object_info),
};

int upload_pack_caps_format(const struct upload_pack_caps *caps,
			    struct buf *out)
{
	if (!caps->known)
		return -EINVAL;
	buf_puts(out, "v2");
	for (size_t i = 0; i < ARRAY_SIZE(abilities); i++)
		if (*(const bool *)((const char *)caps + abilities[i].offset))
			buf_printf(out, " %s", abilities[i].name);
	return out->failed;
}

bool upload_pack_caps_parse(const char *line, struct upload_pack_caps *ret)
{
	struct upload_pack_caps caps = {.known = true, .v2 = true};
	cleanup(buf_done) struct buf again = BUF_INIT(256);

	for (size_t i = 0; i < ARRAY_SIZE(abilities); i++)
		*(bool *)((char *)&caps + abilities[i].offset) =
			has_word(line, abilities[i].name);
	/* A line that this program would not write itself is not believed: the
	 * cache may be damaged. */
	if (upload_pack_caps_format(&caps, &again) || strcmp(again.data, line))
		return false;
	*ret = caps;
	return true;
}

/* ---- Lists of refs ------------------------------------------------------- */

void upload_pack_ref_list_init(struct ref_list *list)
{
	memset(list, 0, sizeof(*list));
	list->refs.names.max = NAMES_MAX;
}

void upload_pack_ref_list_done(struct ref_list *list)
{
	upload_pack_refs_done(&list->refs);
	free(list->places);
	list->places = NULL;
	list->n_size = 0;
}

void upload_pack_refs_done(struct upload_pack_refs *refs)
{
	free(refs->refs);
	refs->refs = NULL;
	refs->n_refs = 0;
	buf_done(&refs->names);
}

int upload_pack_ref_list_add(struct ref_list *list, const char *oid,
			     const char *name, size_t n_name,
			     const char *target, size_t n_target,
			     const char *peeled)
{
	struct upload_pack_refs *refs = &list->refs;
	struct upload_pack_ref *ref;
	struct ref_place place = {.name = refs->names.len, .target = SIZE_MAX};

	if (refs->n_refs >= REFS_MAX)
		return -EMSGSIZE;
	buf_add(&refs->names, name, n_name);
	buf_putc(&refs->names, '\0');
	if (target) {
		place.target = refs->names.len;
		buf_add(&refs->names, target, n_target);
		buf_putc(&refs->names, '\0');
	}
	if (refs->names.failed)
		return refs->names.failed;
	if (refs->n_refs == list->n_size) {
		list->n_size = list->n_size ? list->n_size * 2 : 16;
		refs->refs = mem_realloc(refs->refs,
					 list->n_size * sizeof(*refs->refs));
		list->places = mem_realloc(
			list->places, list->n_size * sizeof(*list->places));
	}
	list->places[refs->n_refs] = place;
	ref = &refs->refs[refs->n_refs++];
	memset(ref, 0, sizeof(*ref));
	snprintf(ref->oid, sizeof(ref->oid), "%s", oid);
	snprintf(ref->peeled, sizeof(ref->peeled), "%s", peeled);
	return 0;
}

void upload_pack_ref_list_finish(struct ref_list *list,
				 struct upload_pack_refs *ret_refs)
{
	for (size_t i = 0; i < list->refs.n_refs; i++) {
		const char *names = list->refs.names.data;
		struct upload_pack_ref *ref = &list->refs.refs[i];
		struct ref_place place = list->places[i];

		ref->name = names + place.name;
		ref->target = place.target == SIZE_MAX ? NULL
						       : names + place.target;
	}
	*ret_refs = list->refs;
	free(list->places);
	memset(list, 0, sizeof(*list));
}

bool upload_pack_ref_wanted(const char *name, const char *const *prefixes)
{
	if (!prefixes || !prefixes[0])
		return true;
	for (; *prefixes; prefixes++)
		if (!strncmp(name, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

/* ---- The advertisement --------------------------------------------------- */

enum advert_state {
	ADVERT_START,   /* "# service" may come, over HTTP */
	ADVERT_SERVICE, /* "# service" came, and a flush must follow */
	ADVERT_BEGIN,   /* the first packet says which protocol */
	ADVERT_V2,
	ADVERT_V0,
	ADVERT_ENDED,
};

struct advert {
	struct upload_pack *up;
	enum advert_state state;
	struct upload_pack_caps caps;
	bool ls_refs, fetch, sha1; /* v2: the server offers these */
	struct ref_list list;      /* v0 */
	bool capable;              /* v0: the first line was there */
	char *head;                /* v0: where HEAD points, or NULL */
};

static int v2_line(struct advert *advert, const char *line)
{
	struct upload_pack_caps *caps = &advert->caps;
	size_t n_key = strcspn(line, "=");
	const char *value = line[n_key] ? line + n_key + 1 : "";

	if (upload_pack_line_is(line, n_key, "agent")) {
		caps->agent = true;
	} else if (upload_pack_line_is(line, n_key, "ls-refs")) {
		advert->ls_refs = true;
		caps->unborn = has_word(value, "unborn");
	} else if (upload_pack_line_is(line, n_key, "fetch")) {
		advert->fetch = true;
		caps->shallow = has_word(value, "shallow");
		caps->filter = has_word(value, "filter");
	} else if (upload_pack_line_is(line, n_key, "object-info")) {
		caps->object_info = true;
	} else if (upload_pack_line_is(line, n_key, "object-format")) {
		caps->object_format = true;
		if (!strcmp(value, "sha1"))
			advert->sha1 = true;
		else if (!strcmp(value, "sha256"))
			caps->sha256 = true;
	}
	return 0;
}

static void v0_capabilities(struct advert *advert, const char *list)
{
	static const char head[] = "symref=HEAD:";
	struct upload_pack_caps *caps = &advert->caps;
	const char *symref;

	caps->shallow = has_word(list, "shallow");
	caps->filter = has_word(list, "filter");
	caps->side_band = has_word(list, "side-band-64k");
	caps->ofs_delta = has_word(list, "ofs-delta");
	caps->any_want = has_word(list, "allow-tip-sha1-in-want") ||
			 has_word(list, "allow-reachable-sha1-in-want") ||
			 has_word(list, "allow-any-sha1-in-want");
	caps->any_object = has_word(list, "allow-any-sha1-in-want") ||
			   (has_word(list, "allow-tip-sha1-in-want") &&
			    has_word(list, "allow-reachable-sha1-in-want"));
	caps->sha256 = has_word(list, "object-format=sha256");
	symref = strstr(list, head);
	if (symref && (symref == list || symref[-1] == ' ')) {
		symref += sizeof(head) - 1;
		free(advert->head);
		advert->head = mem_dup0(symref, strcspn(symref, " "));
	}
}

/* "oid SP name", the peeled value of an annotated tag right after it as
 * "name^{}"; "shallow SP oid" when the repository is shallow itself. */
static int v0_line(struct advert *advert, const char *line, size_t n)
{
	struct upload_pack_refs *refs = &advert->list.refs;
	const char *name, *target = NULL;
	char oid[41];
	int r;

	if (!advert->capable) {
		size_t n_ref = strlen(line);

		advert->capable = true;
		if (n_ref < n)
			v0_capabilities(advert, line + n_ref + 1);
		n = n_ref;
		if (advert->caps.sha256)
			return 0;
	}
	if (strlen(line) != n)
		return upload_pack_conversation_broken(advert->up,
						       "a NUL in a ref");
	if (upload_pack_line_begins(line, n, "shallow "))
		return 0;
	if (advert->caps.sha256)
		return 0;
	if (!upload_pack_take_oid(line, n, oid) || n < 42 || line[40] != ' ')
		return upload_pack_conversation_broken(advert->up,
						       "a line that is no ref");
	name = line + 41;
	n -= 41;
	if (upload_pack_line_is(name, n, "capabilities^{}"))
		return 0;
	if (n > 3 && !memcmp(name + n - 3, "^{}", 3)) {
		const char *last;

		if (!refs->n_refs)
			return 0;
		last = refs->names.data +
		       advert->list.places[refs->n_refs - 1].name;
		if (strlen(last) == n - 3 && !memcmp(last, name, n - 3))
			memcpy(refs->refs[refs->n_refs - 1].peeled, oid,
			       sizeof(oid));
		return 0;
	}
	if (advert->head && upload_pack_line_is(name, n, "HEAD"))
		target = advert->head;
	r = upload_pack_ref_list_add(&advert->list, oid, name, n, target,
				     target ? strlen(target) : 0, "");
	if (r < 0)
		return ctx_fail(advert->up->ctx, r,
				"the server has too many refs");
	return 0;
}

static int advert_data(struct advert *advert, const char *data, size_t n)
{
	cleanup(free) char *line = NULL;
	int r;

	r = upload_pack_err_packet(advert->up, data, n);
	if (r < 0)
		return r;
	n = upload_pack_line_length(data, n);
	switch (advert->state) {
	case ADVERT_START:
		if (upload_pack_line_begins(data, n, "# service=")) {
			if (!upload_pack_line_is(data, n,
						 "# service=git-upload-pack"))
				break;
			advert->state = ADVERT_SERVICE;
			return 0;
		}
		__attribute__((fallthrough));
	case ADVERT_BEGIN:
		if (upload_pack_line_is(data, n, "version 2")) {
			advert->state = ADVERT_V2;
			advert->caps.v2 = true;
			return 0;
		}
		advert->state = ADVERT_V0;
		if (upload_pack_line_is(data, n, "version 1"))
			return 0;
		__attribute__((fallthrough));
	case ADVERT_V0:
		line = mem_dup0(data, n);
		return v0_line(advert, line, n);
	case ADVERT_V2:
		line = mem_dup0(data, n);
		return v2_line(advert, line);
	case ADVERT_SERVICE:
	case ADVERT_ENDED:
		break;
	}
	return upload_pack_conversation_broken(advert->up,
					       "the advertisement is none");
}

static int advert_packet(void *arg, enum pktline_kind kind, const char *data,
			 size_t n)
{
	struct advert *advert = arg;

	switch (kind) {
	case PKTLINE_DATA:
		return advert_data(advert, data, n);
	case PKTLINE_FLUSH:
		if (advert->state == ADVERT_ENDED)
			break;
		advert->state = advert->state == ADVERT_SERVICE ? ADVERT_BEGIN
								: ADVERT_ENDED;
		advert->up->link->ended = advert->state == ADVERT_ENDED;
		return 0;
	case PKTLINE_RESPONSE_END:
		return 0;
	case PKTLINE_DELIM:
		break;
	}
	return upload_pack_conversation_broken(advert->up,
					       "the advertisement is none");
}

static void advert_done(struct advert *advert)
{
	upload_pack_ref_list_done(&advert->list);
	free(advert->head);
}
DEFINE_CLEANUP_DONE(struct advert, advert_done);

int upload_pack_advertise(struct upload_pack *up)
{
	cleanup(advert_done) struct advert advert = {.up = up};
	int r;

	upload_pack_ref_list_init(&advert.list);
	r = upload_pack_conversation_advertise(up, advert_packet, &advert);
	if (r < 0)
		return r;
	if (advert.state != ADVERT_ENDED)
		return upload_pack_conversation_broken(
			up, "the advertisement was cut");
	if (advert.caps.v2 && !(advert.ls_refs && advert.fetch))
		return upload_pack_conversation_broken(
			up, "no ls-refs, or no fetch");
	/* A server may offer both, in any order: then SHA-1 is asked for. */
	if (advert.sha1)
		advert.caps.sha256 = false;
	advert.caps.known = advert.caps.v2 && !advert.caps.sha256;
	*up->caps = advert.caps;
	up->advertised = true;
	upload_pack_refs_done(&up->v0_refs);
	upload_pack_ref_list_finish(&advert.list, &up->v0_refs);
	return 0;
}
