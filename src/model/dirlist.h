/*
 * model/dirlist: one listing: the names of a directory as its provider brought
 * them at OPENDIR.
 *
 * A listing is immutable and counted. It holds whatever its provider needs to
 * say the names again, so that READDIR is served from it and does not fail,
 * even when the cache has lost the names meanwhile. Must never know what the
 * names mean. Who has a listing open, and which one the kernel was told of, is
 * in model/listed.
 *
 * A tree's names are in the store, and its directories are many: what their
 * listings say the names from (the pin) is let go when nobody has had the
 * listing open for a while. OPENDIR, which may wait and fail, brings it again.
 */
#ifndef MODEL_DIRLIST_H
#define MODEL_DIRLIST_H

#include "base/ctx.h"
#include "model/dirbook.h"

#include <sys/stat.h>

/* How long the kernel may believe an answer where the answer does not say. An
 * hour: the longest that the kernel is promised anything. */
#define LONGEST_MS (INT64_C(3600) * 1000)
#define MOMENT_MS INT64_C(1000) /* it may change at any time */
/* That a name is not there; and attributes of a directory that was never
 * listed: with a shorter lifetime every path through it would be a request. */
#define UNKNOWN_MS (INT64_C(60) * 1000)

struct ctx;
struct model;
struct node;
struct found;
struct dirlist;

struct dirlist_name {
	const char *name;
	uint64_t cookie; /* > 0 */
	mode_t type;
	unsigned tag; /* the provider's own, to find the name's object again */
};
/* One READDIR. */
struct dirlist_piece {
	struct ctx *ctx;
	struct model *model;
	struct node *dir;
	struct dirlist *listing;
	void *own; /* what `found` wants to keep for the next name */
};
struct dirlist_ops {
	/* The i-th name by cookie; NULL: it is in the listing's names. */
	void (*at)(const struct dirlist *, size_t i, struct dirlist_name *ret);
	/* What the name is, with attributes. False: they are not at hand. Never
	 * waits for the network. NULL: names without attributes. */
	bool (*found)(struct dirlist_piece *, const struct dirlist_name *,
		      struct found *ret_found);
	void (*piece_done)(struct dirlist_piece *); /* of `own`; may be NULL */
	void (*free_data)(void *data);              /* may be NULL */
	/* Brings what `pin` was; -errno. NULL: the listing has no pin. */
	int (*pin)(struct dirlist_piece *, void **ret_pin);
	void (*unpin)(void *pin);
};

struct dirlist {
	const struct dirlist_ops *ops;
	void *data;
	/* NULL: gone, or there is none. While somebody has the listing open, or
	 * a reference to it, the pin that is here stays. */
	_Atomic(void *) pin;
	struct dirlist_name *names;
	size_t n_names;
	uint64_t version; /* equal versions: equal names and types */
	int64_t left_ms;  /* true for so long without asking, from … */
	int64_t made_ms;  /* … this moment on (clock_mono_ms) */
	size_t n_bytes;   /* in memory, without the pin */
	size_t n_pin;     /* bytes of the pin */
	/* The node for which it was brought (compared, never followed): a
	 * directory that roams may have other names at another place. */
	const struct node *dir;
	bool is_aside; /* served to its opener alone, never the newest */
	struct refcount refcount_private;
	unsigned n_open_private;
	size_t n_room_private;
	char **texts_private;
	size_t n_texts_private;
};

/* Making a listing: names are added, then it is sealed. data is taken; n_bytes
 * is about what data takes in memory. */
struct dirlist *dirlist_new(const struct dirlist_ops *, void *data,
			    size_t n_bytes);
struct dirlist *dirlist_ref(struct dirlist *);
struct dirlist *dirlist_unref(struct dirlist *);
DEFINE_CLEANUP(struct dirlist *, dirlist_unref);
/* dirlist_add borrows the name, from data or from a constant;
 * dirlist_add_taken takes it. */
void dirlist_add(struct dirlist *, const char *name, uint64_t cookie,
		 mode_t type, unsigned tag);
void dirlist_add_taken(struct dirlist *, char *name, uint64_t cookie,
		       mode_t type, unsigned tag);
/* Names from the first-th on come and go: each gets the cookie that the book
 * has for it, plus base. */
void dirlist_number(struct dirlist *, size_t first, struct dirbook *,
		    uint64_t base);
/* Sorts by cookie, and computes the version. left_ms as in struct dirlist. */
struct dirlist *dirlist_seal(struct dirlist *, int64_t left_ms);
/* What is left of left_ms; at least a second, for the kernel's sake. */
int64_t dirlist_left_ms(const struct dirlist *);
/* At OPENDIR: brings the pin if it is gone. -errno. For who has the listing
 * open. */
int dirlist_pin(struct dirlist_piece *);
void dirlist_at(const struct dirlist *, size_t i, struct dirlist_name *ret);
/* The position of the first name with a cookie larger than `after`. */
size_t dirlist_seek(const struct dirlist *, uint64_t after);

#endif
