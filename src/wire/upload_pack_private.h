/*
 * What the files of wire/upload_pack share: upload_pack.c (the conversation,
 * protocol v2), upload_pack_advert.c (what a server says of itself),
 * upload_pack_v0.c.
 */
#ifndef WIRE_UPLOAD_PACK_PRIVATE_H
#define WIRE_UPLOAD_PACK_PRIVATE_H

#include "wire/pktline.h"
#include "wire/upload_pack.h"

#define UPLOAD_PACK_AGENT "git/2.0-bitbucketfs-" VERSION

struct upload_pack {
	struct link *link;
	struct upload_pack_caps *caps; /* the caller's */
	int64_t ask_ms;
	bool advertised; /* *caps came from the server in this conversation */
	/* refs that came with the advertisement (v0) */
	struct upload_pack_refs v0_refs;

	/* Of the call that is under way: */
	struct ctx *ctx;
	bool surprised;  /* the answer contradicts *caps: see upload_pack.c */
	bool filtered;   /* a filter is in the request */
	bool handed_out; /* the caller has seen bytes of a pack */
	bool ended_by_caller; /* by a failure of the caller's callback */
	/* ctx's own deadline, which holds once the pack has begun */
	int64_t deadline_ms;
	uint64_t n_pack; /* bytes of the pack */
	struct pktline_reader reader;
};

/* ---- Refs as they come ---- */

struct ref_list {
	struct upload_pack_refs refs;
	/* Offsets of names and targets in refs.names, not pointers: the buffer
	 * moves as it grows. */
	struct ref_place {
		size_t name, target; /* target: SIZE_MAX without one */
	} * places;
	size_t n_size;
};
void upload_pack_ref_list_init(struct ref_list *);
void upload_pack_ref_list_done(struct ref_list *);
/* name and target (may be NULL) are n bytes each. -EMSGSIZE over a maximum. */
int upload_pack_ref_list_add(struct ref_list *, const char *oid,
			     const char *name, size_t n_name,
			     const char *target, size_t n_target,
			     const char *peeled);
/* The list is empty after it. */
void upload_pack_ref_list_finish(struct ref_list *,
				 struct upload_pack_refs *ret_refs);
DEFINE_CLEANUP_DONE(struct ref_list, upload_pack_ref_list_done);

bool upload_pack_ref_wanted(const char *name, const char *const *prefixes);

/* ---- The conversation (upload_pack.c) ---- */

typedef int packet_fn(void *arg, enum pktline_kind, const char *data, size_t n);

/* One request (advertise: none); each packet of the answer goes to the
 * callback, which has to find out whether the answer is complete. */
int upload_pack_conversation_advertise(struct upload_pack *, packet_fn *,
				       void *arg);
int upload_pack_conversation_exchange(struct upload_pack *, bool v2,
				      const struct buf *request, packet_fn *,
				      void *arg);
/* A command, with the advertisement before it where it is needed, and once more
 * where what was remembered of the server does not fit. */
int upload_pack_in_conversation(struct ctx *, struct upload_pack *,
				int (*command)(struct upload_pack *, void *arg),
				void *arg);
/* v2: the packets with which a request begins, to its arguments. */
void upload_pack_begin_command(const struct upload_pack *, const char *command,
			       struct buf *out);
/* -EPROTO, with the sentence "the answer is not git's protocol: what". */
int upload_pack_conversation_broken(struct upload_pack *, const char *what);
/* The packet without its final LF. */
size_t upload_pack_line_length(const char *data, size_t n);
bool upload_pack_line_is(const char *data, size_t n, const char *text);
bool upload_pack_line_begins(const char *data, size_t n, const char *text);
/* 0, or of an ERR packet -EIO (-ENOENT: the server does not have the object)
 * with the server's sentence. */
int upload_pack_err_packet(struct upload_pack *, const char *data, size_t n);
/* The 40 digits with which s begins. */
bool upload_pack_take_oid(const char *s, size_t n, char ret_oid[static 41]);

/* ---- What a server says of itself (upload_pack_advert.c) ---- */

/* Asks for the advertisement; *up->caps (and, v0, v0_refs) are set only if it
 * came to its end. */
int upload_pack_advertise(struct upload_pack *);

/* ---- A pack, multiplexed: the same in v0 and v2 (upload_pack.c) ---- */

struct fetching {
	struct upload_pack *up;
	const struct upload_pack_fetch *fetch;
	int state;  /* of v0 or v2 */
	bool ended; /* the final flush was there */
	bool pack_began;
	struct buf shallows; /* oids, each with its NUL */
};
int upload_pack_fetching_shallow(struct fetching *, const char *data, size_t n);
int upload_pack_fetching_side_band(struct fetching *, const char *data,
				   size_t n);
/* 0: the pack came to its end. */
int upload_pack_fetching_end(const struct fetching *);

/* ---- v0 (upload_pack_v0.c) ---- */

int upload_pack_v0_ls_refs(struct upload_pack *, const char *const *prefixes,
			   struct upload_pack_refs *ret_refs);
int upload_pack_v0_fetch(struct upload_pack *,
			 const struct upload_pack_fetch *);

#endif
