/*
 * model/dirlist: the names of a directory as its provider brought them at
 * OPENDIR, and who has the directory open. Private to model/.
 *
 * A listing is immutable and counted. It holds whatever its provider needs to
 * say the names again (the pin), so that READDIR is served from it and cannot
 * fail, even when the cache has lost the names meanwhile. Racing openers share
 * one listing; a newer one replaces it for later openers, and each opener
 * finishes its own. A listing that nobody has open is kept while it is the
 * newest one and there is room: so a directory that did not change is opened
 * again without asking anybody.
 *
 * Two bounds for the mount: bytes of open listings, and bytes of kept ones. One
 * lock, a leaf. Must never know what the names mean.
 */
#ifndef MODEL_DIRLIST_H
#define MODEL_DIRLIST_H

#include "base/ctx.h"
#include "model/dirbook.h"
#include "model/shown.h"

#include <sys/stat.h>

/* How long the kernel may believe an answer where the answer does not say. An
 * hour: the longest that the kernel is promised anything. */
#define FOREVER_MS (INT64_C(3600) * 1000)
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
	const struct dirlist *listing;
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
};

struct dirlist {
	const struct dirlist_ops *ops;
	void *data; /* the pin */
	struct dirlist_name *names;
	size_t n_names;
	uint64_t version; /* equal versions: equal names and types */
	int64_t left_ms;  /* true for so long without asking, from … */
	int64_t made_ms;  /* … this moment on (clock_mono_ms) */
	size_t n_bytes;   /* in memory, with the pin */
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
/* dirlist_add borrows the name, from the pin or from a constant;
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
void dirlist_at(const struct dirlist *, size_t i, struct dirlist_name *ret);
/* The position of the first name with a cookie larger than `after`. */
size_t dirlist_seek(const struct dirlist *, uint64_t after);

struct dirlists; /* all of a mount */
/* In bytes; 0: the defaults. */
struct dirlists *dirlists_new(size_t most_open, size_t most_kept);
/* Frees also what was still open when the kernel went away. */
struct dirlists *dirlists_free(struct dirlists *);

/* A directory that was opened at least once; node->listed. */
struct listed;
struct listed *listed_new(struct dirlists *);
struct listed *listed_free(struct listed *);
/* What listed_newest saw before the provider was asked for names; listed_open
 * compares. */
struct listed_look {
	bool fresh;                   /* the newest listing is still good */
	const struct dirlist *newest; /* compared, never followed */
	uint64_t n_forgets;
};
/* A reference to the newest listing, or NULL. */
struct dirlist *listed_newest(struct listed *, struct listed_look *ret_look);
/* The newest listing is no longer good: the next opener asks the provider. */
void listed_forget(struct listed *);

/* A directory that is open. */
struct opened;
/* Opens the directory with the listing that was brought (the reference is
 * taken). If another opener was first with an equal one, that one is shared. A
 * listing that was forgotten (listed_forget) while it was being brought may
 * have names of before: this opener is served from it, but it never becomes the
 * newest. -ENOMEM over the bound. */
int listed_open(struct listed *, struct node *, struct dirlist *,
		const struct listed_look *, struct opened **ret_opened,
		enum shown_reply *ret_reply);
struct node *opened_node(const struct opened *);
const struct dirlist *opened_listing(const struct opened *);
/* A READDIR from cookie 0. */
void opened_read(struct opened *);
/* Whether it is served from the newest listing. If not, its names may be shown,
 * but no node may be made of them: see model_readdir. */
bool opened_is_newest(const struct opened *);
/* The node's reference, which the caller drops. */
struct node *opened_close(struct opened *);

/* For status and tests. */
void dirlists_bytes(struct dirlists *, size_t *ret_open, size_t *ret_kept);

#endif
