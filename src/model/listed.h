/*
 * model/listed: what the kernel knows of the names of one directory, whatever
 * its provider: which listing was brought last and who reads which
 * (listed_open), what the kernel's copy of it may be of (model/listed_copy),
 * which cookie each name has (listed_book), and which list the kernel was last
 * told of, and whose turn it is to tell (listed_tell_begin). model/tell tells.
 *
 * Racing openers share one listing; a newer one replaces it for later openers,
 * and each opener finishes its own. A listing that nobody has open is kept
 * while it is the newest one and there is room: so a directory that did not
 * change is opened again without asking anybody.
 *
 * Three bounds for the mount: bytes of open listings, of kept ones, and of the
 * pins of kept ones. One lock, a leaf. Must never know what the names mean.
 */
#ifndef MODEL_LISTED_H
#define MODEL_LISTED_H

#include "model/dirbook.h"
#include "model/dirlist.h"
#include "model/listed_copy.h"

struct listed_all; /* all of a mount */
/* In bytes; 0: the defaults. */
struct listed_all *listed_all_new(size_t most_open, size_t most_kept);
/* Lets go of the pins that nobody used for a minute. True: some are left. */
bool listed_all_expire(struct listed_all *);
/* Frees also what was still open when the kernel went away. */
struct listed_all *listed_all_free(struct listed_all *);

/* Of one directory; node->listed. */
struct listed;
struct listed *listed_new(struct listed_all *);
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
/* The same for somebody who looks because the directory is being read, and
 * brings nothing. */
struct dirlist *listed_read_now(struct listed *);
/* The newest listing is no longer good: the next opener asks the provider. */
void listed_forget(struct listed *);
/* Whether a program has opened the directory, or tried to. */
bool listed_was_opened(struct listed *);

/* The directory's cookies; made at the first call with make, else NULL. */
struct dirbook *listed_book(struct listed *, bool make);

/*
 * The list that the kernel was told of: whoever brings a newer one compares
 * with it, tells the difference, and leaves the newer one here.
 *
 * 1. A is told list 1 by the server, and is delayed.
 * 2. The list becomes 2, with a name x. B is told 2, and shows it.
 * 3. A shows list 1.
 * 4. The list becomes 3, without x. C compares 3 with 1: x is in neither, and
 *    the kernel goes on believing in x for as long as it was promised.
 *
 * So one thread tells of a directory at a time, and reads which list is the
 * newest only when it is its turn, not before. No lock is held meanwhile.
 */
/* Waits for the turn of the calling thread, which holds no lock. The list that
 * the kernel was told of last, borrowed until listed_tell_end; NULL: none, or
 * it was dropped. */
const void *listed_tell_begin(struct listed *);
/* In its turn: `list` is what the kernel is told of; it is taken, and freed by
 * free_list when another one follows. */
void listed_tell_keep(struct listed *, void *list,
		      void (*free_list)(void *list));
/* In its turn: nothing is remembered any more. The list that was, or NULL, is
 * the caller's to free: without the lock that he may hold. */
void *listed_tell_take(struct listed *);
void listed_tell_end(struct listed *);
/* The list that the kernel was told of last: to be compared, never followed. */
const void *listed_told(struct listed *);

/* A directory that is open. */
struct opened;
/* Opens the directory with the listing that was brought (the reference is
 * taken). If another opener was first with an equal one, that one is shared. A
 * listing that was forgotten (listed_forget) while it was being brought may
 * have names of before: this opener is served from it, but it never becomes the
 * newest. -ENOMEM over the bound. */
int listed_open(struct listed *, struct node *, struct dirlist *,
		const struct listed_look *, struct opened **ret_opened,
		enum listed_copy_reply *ret_reply);
struct node *listed_opened_node(const struct opened *);
struct dirlist *listed_opened_listing(const struct opened *);
/* A READDIR from cookie 0. */
void listed_opened_read(struct opened *);
/* Whether it is served from the newest listing. If not, its names may be shown,
 * but no node may be made of them: see model_readdir. */
bool listed_opened_is_newest(const struct opened *);
/* The node's reference, which the caller drops. */
struct node *listed_close(struct opened *);

/* For status and tests. */
void listed_all_bytes(struct listed_all *, size_t *ret_open, size_t *ret_kept);
size_t listed_all_pins(struct listed_all *); /* bytes, of kept listings */

#endif
