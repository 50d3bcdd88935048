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

/* Data of a node of provider_refs: the directory that a slash in names makes.
 */
struct refs_dir {
	enum clone_ref_kind kind;
	char *prefix; /* "feature/" */
};

/* The directory of all names of that kind: dir itself or above it. */
struct node *refs_top(struct node *dir);
/* The names of all refs, at most ttl old; the first look waits for them. */
int refs_ensure(struct ctx *, struct model *, struct node *top,
		enum clone_ref_kind kind, struct clone_refs **ret_refs);
/* The names that are known, without asking; -ENOENT. */
int refs_known(struct model *, struct node *top, struct clone_refs **ret_refs);
/* Whether a program has looked inside since the kernel knows the directory. */
bool refs_is_shown(struct model *, struct node *top);

/* A part of a ref's name as a file name; top: it is the first part. */
void refs_file_name(struct buf *out, const char *part, size_t n, bool top);

enum refs_is {
	REFS_NOTHING,
	REFS_LEAF,      /* a ref */
	REFS_DIRECTORY, /* refs begin with it and a slash */
};
/* What the name "feature/x" (n bytes) is; *ret_index: the ref, or of a
 * directory its first ref. */
enum refs_is refs_find(const struct clone_refs *, enum clone_ref_kind kind,
		       const char *name, size_t n, size_t *ret_index);

/* Iterates over the names that follow a prefix in a directory, each once. refs
 * and prefix are borrowed. */
struct refs_iter {
	const struct clone_refs *refs;
	enum clone_ref_kind kind;
	const char *prefix;
	size_t n_prefix, next;
	/* parts that can be shown neither as a ref nor as a directory */
	size_t n_skipped;
	const char *skipped;
	/* The current part: */
	enum refs_is is;
	size_t index, n; /* length of the name up to its end, with the prefix */
};
void refs_iter_begin(struct refs_iter *, const struct clone_refs *,
		     enum clone_ref_kind kind, const char *prefix);
bool refs_iter_step(struct refs_iter *);
const char *refs_iter_name(const struct refs_iter *);
/* The file name of the part; false: another part has that name. */
bool refs_iter_file_name(const struct refs_iter *, struct buf *out);
/* The prefix of all names in dir. */
const char *refs_prefix(const struct node *dir);
/* Whether a tag leads to a file, and so cannot be shown. Known only of tags
 * that somebody has looked into. */
bool refs_is_no_tree(struct model *, struct node *dir,
		     const struct refs_iter *);
/* Brings the names of dir: what a listing keeps of them, and the names, added
 * to the listing with that tag and cookies above base. 1: nothing was added,
 * the names are those of `newest`. What a name leads to is told when it is
 * looked up: a node and a checkout for each of 20,000 that are only listed
 * would be nine tenths of their memory. */
struct refs_names;
int refs_open(struct ctx *, struct model *, struct node *dir,
	      enum clone_ref_kind kind, const struct refs_names *newest,
	      unsigned tag, uint64_t base, struct dirlist *listing,
	      struct refs_names **ret_names);
void refs_names_free(void *names);
/* The `end` of provider_refs. */
void refs_end(struct model *);
/* Asks again for the names, if a program looks at them, and tells the kernel.
 */
int refs_check(struct ctx *, struct model *, struct node *top,
	       int64_t max_age_ms, struct buf *said);

/* How many parts of a path ("acme/widgets/branches/feature/x/src") lead to a
 * ref (5), and its commit; -ENOENT: they lead to none. */
int refs_place(struct ctx *, struct model *, const char *path,
	       size_t *ret_parts, char hex[static 41]);

/* A ref's path in the mount: "refs/heads/feature/x" is "branches/feature/x";
 * any other name part by part. Adds to out. */
void refs_path(struct buf *out, const char *ref);
/* A name in branches/ or tags/, as provider->lookup. At most one ls-refs (none
 * within ttl), never a fetch. */
int refs_lookup(struct ctx *, struct model *, struct node *dir,
		enum clone_ref_kind kind, const char *name,
		struct found *ret_found);

#endif
