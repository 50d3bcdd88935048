/*
 * wire/upload_pack: the client side of git-upload-pack: refs and packs.
 *
 * Speaks protocol v2 (gitprotocol-v2(5)) and, to a server without it, v0
 * (gitprotocol-pack(5)); decides from what the server advertises and never
 * sends what it did not offer. Must never know where packs go.
 */
#ifndef WIRE_UPLOAD_PACK_H
#define WIRE_UPLOAD_PACK_H

#include "wire/link.h"

/* What a server can do. Plain data: it may be remembered per host (as text,
 * below) and spares the advertisement's request; v0 cannot be remembered, its
 * refs come with the advertisement, nor can a SHA-256 repository, which says
 * nothing of its neighbours: both leave known false. */
struct upload_pack_caps {
	bool known;
	bool v2;
	bool shallow;   /* fetch may say deepen */
	bool filter;    /* fetch may say filter */
	bool unborn;    /* ls-refs may say unborn */
	bool side_band; /* v0: side-band-64k */
	bool ofs_delta; /* v0 */
	bool any_want;  /* v0: allow-*-sha1-in-want, any commit may be wanted */
	bool sha256;    /* object-format=sha256 */
	bool agent;     /* requests may say agent */
	bool object_format; /* requests may say object-format */
};
/* One line, without newline, for remembering; -EINVAL when not known. The
 * other way, false: not a line of ours. */
int upload_pack_caps_format(const struct upload_pack_caps *, struct buf *out);
bool upload_pack_caps_parse(const char *line, struct upload_pack_caps *ret);

struct upload_pack_ref {
	char oid[41];       /* "" for an unborn HEAD */
	const char *name;   /* "HEAD", "refs/heads/main" */
	const char *target; /* symref target or NULL */
	char peeled[41];    /* "" when not an annotated tag */
};
struct upload_pack_refs {
	struct upload_pack_ref *refs;
	size_t n_refs;
	struct buf names; /* what the pointers above point into */
};
void upload_pack_refs_done(struct upload_pack_refs *);
DEFINE_CLEANUP_DONE(struct upload_pack_refs, upload_pack_refs_done);

/*
 * One conversation with one repository. With caps->known (v2, remembered) no
 * advertisement is asked for; when the server then answers otherwise than the
 * memory says, it is asked for once and the request repeated; *caps then says
 * the new truth (compare, remember). link and caps are borrowed.
 */
struct upload_pack;
int upload_pack_new(struct link *, struct upload_pack_caps *caps,
		    struct upload_pack **ret_up);
struct upload_pack *upload_pack_free(struct upload_pack *);
/* A call has ask_ms (60 s, unless this says otherwise) until its list of refs
 * is there, or the first byte of its pack; beyond that -ETIMEDOUT. From then on
 * only bytes of the pack are progress to the link. */
void upload_pack_patience(struct upload_pack *, int64_t ask_ms);
DEFINE_CLEANUP(struct upload_pack *, upload_pack_free);

/*
 * Refs whose names begin with one of prefixes (NULL-terminated; v2 leaves
 * others out on the server, v0 here), at most 1,000,000 and 64 MiB. An empty
 * repository has none (or HEAD unborn, with its target). -EOPNOTSUPP for a
 * SHA-256 repository, with the sentence.
 */
int upload_pack_ls_refs(struct ctx *, struct upload_pack *,
			const char *const *prefixes,
			struct upload_pack_refs *ret_refs);

struct upload_pack_fetch {
	const char *const *wants;    /* 40 hex digits each, NULL-terminated */
	const char *const *haves;    /* commits the store has whole, or NULL */
	const char *const *shallows; /* which of them are shallow, or NULL */
	unsigned depth;              /* 0: all history; also if not offered */
	const char *filter; /* "blob:none" or NULL; dropped if not offered */
	/* v2: deltas against what the haves have; at a depth it is this that
	 * keeps their objects out of the pack. */
	bool thin;
	/* The pack, in pieces. A negative errno ends the fetch with it. */
	int (*pack)(void *arg, const void *data, size_t n);
	/* Commits at the depth's edge, before the first byte of the pack. */
	void (*shallow)(void *arg, const char *oid);
	/* What the server says on side band 2, may be NULL. */
	void (*progress)(void *arg, const char *text, size_t n);
	void *arg;
};
/*
 * -EIO with the server's ERR sentence (also when a v0 server does not let one
 * want what is no tip), -EPROTO for an answer that is none, link's errors.
 */
int upload_pack_fetch(struct ctx *, struct upload_pack *,
		      const struct upload_pack_fetch *);

#endif
