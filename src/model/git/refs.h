/*
 * model/git/refs: the directories of branches and of tags.
 *
 * refs.c: what names there are and what they lead to. refs_list.c: listing
 * them. refs_watch.c: bringing them up to date and telling the kernel.
 */
#ifndef MODEL_GIT_REFS_H
#define MODEL_GIT_REFS_H

#include "model/provider.h"

extern const struct provider provider_refs;

/* Of a node of provider_refs: a directory that names have by their slashes. */
struct refs_dir {
	enum clone_ref_kind kind;
	char *prefix; /* "feature/" */
};

/* The directory of all names of its kind, above or at this one. */
struct node *refs_top(struct node *dir);
/* The names, at most ttl old; the first look waits for them. */
int refs_ensure(struct ctx *, struct model *, struct node *top,
		enum clone_ref_kind kind, struct clone_refs **ret_refs);
/* Without a question; -ENOENT. */
int refs_known(struct model *, struct node *top, struct clone_refs **ret_refs);
/* Somebody has looked inside since the kernel knows it. */
bool refs_is_shown(struct model *, struct node *top);

/* A part of a name as a file name; top: in the directory of all. */
void refs_file_name(struct buf *out, const char *part, size_t n, bool top);

enum refs_is {
	REFS_NOTHING,
	REFS_LEAF,      /* a ref */
	REFS_DIRECTORY, /* refs begin with it and a slash */
};
/* What "feature/x" (n bytes) is; index of the ref, or of the first one. */
enum refs_is refs_find(const struct clone_refs *, enum clone_ref_kind kind,
		       const char *name, size_t n, size_t *ret_index);

/* The parts of names that follow a prefix, one after the other. refs and prefix
 * are borrowed. */
struct refs_iter {
	const struct clone_refs *refs;
	enum clone_ref_kind kind;
	const char *prefix;
	size_t n_prefix, next;
	size_t n_skipped; /* that can be neither */
	const char *skipped;
	/* The one we are at. */
	enum refs_is is;
	size_t index, n; /* the name's bytes, with the prefix */
};
void refs_iter_begin(struct refs_iter *, const struct clone_refs *,
		     enum clone_ref_kind kind, const char *prefix);
bool refs_iter_step(struct refs_iter *);
const char *refs_iter_name(const struct refs_iter *);
/* What the part is called here; false: another one is called so. */
bool refs_iter_file_name(const struct refs_iter *, struct buf *out);
/* The names in dir begin with it. */
const char *refs_prefix(const struct node *dir);
/* What is there. */
int refs_found(struct model *, struct node *dir, const struct refs_iter *,
	       struct found *ret_found);
/* A tag of a file, which cannot be shown: that is known of those that somebody
 * has looked into. */
bool refs_is_no_tree(struct model *, const struct node *dir,
		     const struct refs_iter *);
/* The pin of a listing of them, and the names themselves, added to it with the
 * tags from `tag` on and cookies above base. 1: they are those of `newest`. */
struct refs_names;
int refs_open(struct ctx *, struct model *, struct node *dir,
	      enum clone_ref_kind kind, const struct refs_names *newest,
	      unsigned tag, uint64_t base, struct dirlist *listing,
	      struct refs_names **ret_names);
bool refs_names_found(struct dirlist_piece *, const struct refs_names *,
		      size_t i, struct found *ret_found);
void refs_names_free(void *names);
/* provider_refs' end. */
void refs_end(struct model *);
/* Asks again for the names that are shown. */
int refs_check(struct ctx *, struct model *, struct node *top,
	       int64_t max_age_ms, struct buf *said);

/* "refs/heads/feature/x" as the mount calls it: "branches/feature/x"; any other
 * name part by part. Adds to out. */
void refs_path(struct buf *out, const char *ref);
/* The names in branches/ or tags/, whatever the directory is otherwise,
 * as provider's members. One ls-refs (none within ttl), never a fetch. */
int refs_lookup(struct ctx *, struct model *, struct node *dir,
		enum clone_ref_kind kind, const char *name,
		struct found *ret_found);

#endif
