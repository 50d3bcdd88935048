/*
 * model/dirlist: the names of a directory as they were brought at OPENDIR, and
 * who has them open. Private to tree/.
 *
 * A listing is immutable and counted, and holds whatever its provider needs to
 * say the names again (the pin): READDIR serves it and cannot fail, also when
 * the cache has lost it meanwhile. Racing openers share one; a newer one
 * replaces it for later openers, each finishes its own. What nobody has open is
 * kept while it is the newest and there is room for it, so that a directory
 * that did not change is opened again without a question to anybody.
 *
 * Bytes that are open are bounded for the mount, and so are those that are
 * kept. One lock, a leaf. Must never know what the names mean.
 */
#ifndef MODEL_DIRLIST_H
#define MODEL_DIRLIST_H

#include "base/ctx.h"
#include "model/dirbook.h"
#include "model/shown.h"

#include <sys/stat.h>

struct ctx;
struct model;
struct node;
struct found;
struct dirlist;

struct dirlist_name {
	const char *name;
	uint64_t cookie; /* > 0 */
	mode_t type;
	unsigned tag; /* the provider's own word for it */
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
	/* What it is, with attributes: false where they are not at hand. Never
	 * waits for the network. NULL: names alone. */
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
	uint64_t version; /* equal ones are equal names */
	int64_t left_ms;  /* unasked for so long, since … */
	int64_t made_ms;  /* … then (clock_mono_ms) */
	size_t n_bytes;   /* in memory, with the pin */
	/* The node that brought it (compared, never followed): a directory
	 * that is found elsewhere may have other names there. */
	const struct node *dir;
	bool is_aside; /* nobody but its opener is to have it */
	struct refcount refcount_private;
	unsigned n_open_private;
	size_t n_room_private;
	char **texts_private;
	size_t n_texts_private;
};

/* Making one: names are added, then it is sealed. data is taken; n_bytes is
 * what it takes in memory, about. */
struct dirlist *dirlist_new(const struct dirlist_ops *, void *data,
			    size_t n_bytes);
struct dirlist *dirlist_ref(struct dirlist *);
struct dirlist *dirlist_unref(struct dirlist *);
DEFINE_CLEANUP(struct dirlist *, dirlist_unref);
/* The name is borrowed from the pin, or a constant; or the listing takes it. */
void dirlist_add(struct dirlist *, const char *name, uint64_t cookie,
		 mode_t type, unsigned tag);
void dirlist_add_taken(struct dirlist *, char *name, uint64_t cookie,
		       mode_t type, unsigned tag);
/* Names from the first-th on come and go: their cookies are base and the
 * book's. */
void dirlist_number(struct dirlist *, size_t first, struct dirbook *,
		    uint64_t base);
/* Orders by cookie, and makes the version of the names. left_ms as above. */
struct dirlist *dirlist_seal(struct dirlist *, int64_t left_ms);
/* What is left of left_ms; at least a second, for the kernel's sake. */
int64_t dirlist_left_ms(const struct dirlist *);
void dirlist_at(const struct dirlist *, size_t i, struct dirlist_name *ret);
/* The position of the first name behind a cookie. */
size_t dirlist_seek(const struct dirlist *, uint64_t after);

struct dirlists; /* a mount's */
/* In bytes; 0: the defaults. */
struct dirlists *dirlists_new(size_t most_open, size_t most_kept);
/* Also what was left open when the kernel went away. */
struct dirlists *dirlists_free(struct dirlists *);

/* What a node has once it was opened; node->listed. */
struct listed;
struct listed *listed_new(struct dirlists *);
struct listed *listed_free(struct listed *);
/* What there was when a bringing began; for listed_open. */
struct listed_look {
	bool fresh; /* nobody need be asked for another listing */
	const struct dirlist *newest; /* compared, never followed */
	uint64_t n_forgets;
};
/* The newest one, a reference, if it is at hand. */
struct dirlist *listed_newest(struct listed *, struct listed_look *ret_look);
/* Whoever opens it next asks. */
void listed_forget(struct listed *);

/* A directory that is open. */
struct opened;
/*
 * Opens what was brought (the reference is taken). Of two who raced the second
 * takes the first one's, if it says the same. What was brought while the newest
 * was forgotten (listed_forget) may be of before: it is shown to this opener
 * and never becomes the newest. -ENOMEM over the bound.
 */
int listed_open(struct listed *, struct node *, struct dirlist *,
		const struct listed_look *, struct opened **ret_opened,
		enum shown_reply *ret_reply);
struct node *opened_node(const struct opened *);
const struct dirlist *opened_listing(const struct opened *);
/* It is read from the start. */
void opened_read(struct opened *);
/* It is the newest; else only its names are good for anything. */
bool opened_is_newest(const struct opened *);
/* The node's reference is the caller's again. */
struct node *opened_close(struct opened *);

/* For status and tests. */
void dirlists_bytes(struct dirlists *, size_t *ret_open, size_t *ret_kept);

#endif
