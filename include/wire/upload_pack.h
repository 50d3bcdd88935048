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
 * below), which saves the advertisement's request. known stays false where it
 * cannot be remembered: v0 (its refs come with the advertisement) and a SHA-256
 * repository (its neighbours may be SHA-1). */
struct upload_pack_caps {
	bool known;
	bool v2;
	bool shallow;   /* fetch may say deepen */
	bool filter;    /* fetch may say filter */
	bool unborn;    /* ls-refs may say unborn */
	bool side_band; /* v0: side-band-64k */
	bool ofs_delta; /* v0 */
	bool any_want;  /* v0: allow-*-sha1-in-want, any commit may be wanted */
	bool any_object;    /* v0: trees and blobs, too */
	bool sha256;        /* object-format=sha256 */
	bool agent;         /* requests may say agent */
	bool object_format; /* requests may say object-format */
	bool object_info;   /* v2: object-info may be asked */
};
/* As one line, without newline; -EINVAL when not known. And back; false: not a
 * line of ours. */
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

/* One conversation with one repository. With caps->known (v2, remembered) no
 * advertisement is asked for; if the server's answer does not fit, the
 * advertisement is asked for once and the request repeated, and *caps is what
 * the server says now (compare, remember). link and caps are borrowed. */
struct upload_pack;
int upload_pack_new(struct link *, struct upload_pack_caps *caps,
		    struct upload_pack **ret_up);
struct upload_pack *upload_pack_free(struct upload_pack *);
/* A call has ask_ms (default 60 s) until its list of refs is complete, or until
 * the first byte of its pack; then -ETIMEDOUT. After that byte only bytes of
 * the pack are progress. */
void upload_pack_patience(struct upload_pack *, int64_t ask_ms);
DEFINE_CLEANUP(struct upload_pack *, upload_pack_free);
/* Asks for the advertisement if neither it nor anything remembered has said
 * yet what the server can do: then *caps is filled in. */
int upload_pack_greet(struct ctx *, struct upload_pack *);
/* A filter would be sent, and what it leaves out can be wanted later. */
bool upload_pack_can_filter(const struct upload_pack_caps *);

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
	const char *const *wants; /* 40 hex digits each, NULL-terminated */
	/* commits that the store has completely, or NULL */
	const char *const *haves;
	const char *const *shallows; /* which of them are shallow, or NULL */
	unsigned depth;              /* 0: all history; also if not offered */
	const char *filter; /* "blob:none" or NULL; dropped if not offered */
	/* v2: deltas against objects of the haves; at a depth only this keeps
	 * their objects out of the pack. */
	bool thin;
	/* The pack, in pieces. A negative errno ends the fetch with it. */
	int (*pack)(void *arg, const void *data, size_t n);
	/* Commits at the depth's edge, before the first byte of the pack. */
	void (*shallow)(void *arg, const char *oid);
	/* What the server says on side band 2, may be NULL. */
	void (*progress)(void *arg, const char *text, size_t n);
	void *arg;
};
/* -EBADRQC with the server's ERR sentence when it refuses this filter; -EIO
 * with any other (also when a v0 server refuses a want that is not a tip),
 * -EPROTO for an answer that is not git's protocol, the link's errors. */
int upload_pack_fetch(struct ctx *, struct upload_pack *,
		      const struct upload_pack_fetch *);

/*
 * The sizes of objects, without the objects: of each that the server has (and
 * of none twice) each(oid, size), in no order. 20,000 a request. -EOPNOTSUPP
 * without a sentence: the server does not offer it. The rest as in a fetch.
 */
int upload_pack_object_info(struct ctx *, struct upload_pack *,
			    const char *const *oids, size_t n_oids,
			    void (*each)(void *arg, const char *oid,
					 uint64_t size),
			    void *arg);

#endif
