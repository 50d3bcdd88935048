/*
 * clone/clone: a repository's lazily filled copy: its refs, what they lead to,
 * any commit, fetched when it is wanted; trees and blobs to read.
 *
 * Owns materialisation (two at a time, at most so many in ten minutes,
 * src/model/README.md, 13), what the refs were when they were last asked for,
 * and the times of files (src/model/README.md, 4). Must never know nodes or
 * FUSE.
 */
#ifndef CLONE_CLONE_H
#define CLONE_CLONE_H

#include "base/ctx.h"
#include "api/budget.h"
#include "api/credential.h"
#include "store/cache.h"
#include "store/objects.h"
#include "wire/http.h"

struct ssh;       /* wire/ssh.h */
struct clone_set; /* all of a mount's */
struct clone;     /* one repository's; counted */

/* Who knows what repositories are called: content/documents. From any thread.
 */
struct clone_naming {
	/* What the repository of that uuid, called so until now, is called, by
	 * its own object; an answer of the last 60 s will do, and when it was
	 * asked for (wall clock). -ENOENT: it is
	 * not there; else: that cannot be asked now. */
	int (*now)(void *arg, struct ctx *, const char *uuid,
		   const char *workspace, const char *slug,
		   char **ret_workspace, char **ret_slug,
		   int64_t *ret_asked_ms);
	/* The listing that gave the name has it and is within its lifetime.
	 * Never waits. */
	bool (*is_listed)(void *arg, const char *uuid, const char *workspace,
			  const char *slug);
	/* How many bytes the service says that it has, with its history: an
	 * upper bound of what a commit takes. -1: not told. Never waits. NULL:
	 * nobody is told. */
	int64_t (*size)(void *arg, const char *uuid, const char *workspace);
	void *arg;
};

struct clone_set_config {
	const char *dir;     /* of the stores: dir/<uuid without braces>.git */
	const char *git_url; /* "https://bitbucket.org", "ssh://git@host" */
	bool is_mirror;      /* git_url is not the service's own */
	/* Asked for the repositories and commits that git_url lacks; NULL:
	 * nobody is. */
	const char *git_fallback;
	/* It is the service's own, and may see the credential. */
	bool fallback_is_own;
	/* Where the service itself has them by HTTPS, as the addresses of
	 * submodules say it; NULL: only what git_url says. */
	const char *own_url;
	struct credential *credential;
	struct http *http;     /* git's own client, not the API's */
	struct ssh *ssh;       /* NULL: neither URL is one of SSH */
	struct cache *cache;   /* facts: heads, times, capabilities per host */
	struct budget *budget; /* counts its requests; NULL: nobody does */
	unsigned max_trees;    /* in ten minutes; 0: 100 */
	struct clone_naming names; /* now is NULL: names are believed */
	uint64_t big_file; /* bytes of a file at most; 0: OBJECTS_BIG_FILE */
};
/* Starts its threads. clone_set_free stops them (running fetches are cancelled)
 * and may be called only when no call is under way and no clone is held. */
int clone_set_new(const struct clone_set_config *,
		  struct clone_set **ret_clones);
/* Requests to git by HTTP and sessions by SSH, since the start. */
uint64_t clone_set_requests(const struct clone_set *);
const char *clone_set_server(const struct clone_set *); /* git_url */
/* The credential is another one: no failure is remembered. */
void clone_set_renewed(struct clone_set *);
void clone_set_cancel(struct clone_set *); /* every wait ends now: unmounting */
struct clone_set *clone_set_free(struct clone_set *);
DEFINE_CLEANUP(struct clone_set *, clone_set_free);

/* Find or make; the store on disk is opened at the first need. main_branch is
 * REST's word for it, or NULL. A rename: call again with the new names. */
int clone_open(struct clone_set *, const char *uuid, const char *workspace,
	       const char *slug, const char *main_branch,
	       struct clone **ret_clone);
/* It has (still, or by what it told itself since) that name. */
bool clone_is_named(struct clone *, const char *workspace, const char *slug);
struct clone *clone_ref(struct clone *);
struct clone *clone_unref(struct clone *);
DEFINE_CLEANUP(struct clone *, clone_unref);

/* There is no connection with its server: none was used in the last half
 * minute. By SSH none is kept. Never waits. */
bool clone_is_cold(struct clone *);
/* Somebody is about to look into it: a connection is made, by one request for
 * what the server can do, so that the first look is shorter by two round trips
 * or more. Never waits. */
void clone_warm(struct ctx *, struct clone *);

/* The names that a repository has. Immutable, counted. */
enum clone_ref_kind {
	CLONE_BRANCHES,
	CLONE_TAGS,
};
#define CLONE_REF_KINDS 2
struct clone_refs {
	/* Without refs/heads/ or refs/tags/, in the order of strcmp. */
	const char *const *names[CLONE_REF_KINDS];
	size_t n_names[CLONE_REF_KINDS];
	uint64_t version;   /* equal versions are equal names and objects */
	size_t n_left_out;  /* that no file system can show, or too many */
	char left_out[256]; /* "" or the first one */
	/* private from here */
	struct refcount refcount_private;
	const char **names_private[CLONE_REF_KINDS];
	char *bytes_private;
	size_t n_bytes_private;
};
struct clone_tracking;
struct clone_refs *clone_refs_ref(struct clone_refs *);
struct clone_refs *clone_refs_unref(struct clone_refs *);
DEFINE_CLEANUP(struct clone_refs *, clone_refs_unref);
/* The first name that is not below `name`; n_names when there is none. */
size_t clone_refs_seek(const struct clone_refs *, enum clone_ref_kind,
		       const char *name);
/* The commit of names[kind][i] (an annotated tag's is what it leads to). */
struct oid clone_refs_commit(const struct clone_refs *, enum clone_ref_kind,
			     size_t i);
/*
 * All branches and tags, by one ls-refs when the last one is older than
 * max_age_ms (as in clone_tracking_get); never by REST. The same question says
 * what the default branch is, and while names are wanted (within the hour) it
 * is asked for both at once. Remembered across mounts.
 */
int clone_get_refs(struct ctx *, struct clone *, int64_t max_age_ms,
		   struct clone_refs **ret_refs);
int clone_known_refs(struct clone *, struct clone_refs **ret_refs);
int64_t clone_refs_checked_ms(struct clone *); /* wall clock; 0: never */
/* An object that a ref leads to is known to be no commit and no tree. */
bool clone_is_no_tree(struct clone *, const struct oid *);
bool clone_tracking_is_no_tree(struct clone_tracking *);

/* A ref that is followed: the default branch (ref NULL), or "refs/heads/…",
 * "refs/tags/…". Find or make; the clone owns it. */
struct clone_tracking *clone_tracking(struct clone *, const char *ref);

/* A commit that can be shown. */
struct clone_head {
	struct oid commit, tree; /* a tag of a tree: both are the tree's */
	int64_t time_s;          /* the commit's */
	int64_t checked_ms;      /* wall clock; 0: of no ref */
	bool empty;              /* no commit: an empty tree */
	char branch[256];        /* "main"; "" when unknown, and of a tag */
};
/*
 * What the ref leads to, so much of its commit in the store that it is shown
 * (clone_bring has the rest). If the last check is
 * at most max_age_ms old (wall clock) nothing is asked (INT64_MAX: never,
 * when there is a head at all); else one ls-refs (with the capabilities'
 * request before it on a host never seen), and one fetch if the commit is not
 * here, of what differs from the commits that are, without blobs where the
 * server can leave them out and the repository is not small. All callers at
 * once are one job (an ls-refs never waits for fetches); a job whose last
 * waiter gave up is cancelled, unless it is to go on (src/clone/way.c). -EINTR,
 * -ETIMEDOUT as ctx says; -EDQUOT beyond max_trees; -ENOENT when the ref is
 * gone; -ENODATA when the default branch is a name alone while there are other
 * refs; -EACCES, -EIO, -EOPNOTSUPP (SHA-256) … with sentences; failures are
 * remembered for 2 s. A failure changes nothing that is there.
 */
int clone_tracking_get(struct ctx *, struct clone_tracking *,
		       int64_t max_age_ms, struct clone_head *ret_head);
/* What is known without waiting for the network: memory's, or an earlier
 * mount's if the store still has it. -ENOENT; the store's errors. */
int clone_tracking_known(struct clone_tracking *, struct clone_head *ret_head);
/* When it was last asked for (wall clock); 0: never. */
int64_t clone_tracking_checked_ms(struct clone_tracking *);
bool clone_tracking_is_gone(struct clone_tracking *); /* the answer lacks it */

/* Any commit by its id, in the order of sources (a fork's names; copied; what
 * cannot be a name is passed over), then in the repository itself. One fetch,
 * or nothing at all when it is here. */
struct clone_source {
	const char *workspace, *slug;
	const char *uuid; /* NULL: not told. Not for git, which knows names only
			   */
};
int clone_get_commit(struct ctx *, struct clone *, const struct oid *commit,
		     const struct clone_source *sources, size_t n_sources,
		     struct clone_head *ret_head);
/* What a commit that is shown may lack here: a filter left it out, or it was
 * evicted. */
enum clone_need_kind {
	CLONE_NEED_COMMIT, /* so much that it is shown; not for clone_bring */
	CLONE_NEED_TREES,  /* all trees of it; not for clone_bring */
	CLONE_NEED_TREE,   /* the tree oid */
	CLONE_NEED_BLOB,   /* the blob oid */
	CLONE_NEED_DIRECTORY, /* of the tree oid the small blobs, so that their
			       * sizes are known */
	CLONE_NEED_ALL,       /* everything: OBJECTS_COMPLETE */
};
struct clone_need {
	enum clone_need_kind kind;
	struct oid oid; /* of CLONE_NEED_ALL none, or the tree to go below */
	/* Of CLONE_NEED_ALL: when more bytes than that have come it is enough,
	 * though not all; in the background (CTX_REFRESH) those of earlier ones
	 * count, too. 0: all. */
	uint64_t most;
	/* Of CLONE_NEED_BLOB: blobs that come along, for nobody waits for them
	 * yet; of CLONE_NEED_DIRECTORY if anything of it comes. Borrowed for
	 * the call. */
	const struct oid *also;
	size_t n_also;
	/* Of CLONE_NEED_BLOB: its size is what is needed. That of a large one
	 * is known before all of it is here, and then it is 1, too. */
	bool size_will_do;
	/* Of CLONE_NEED_TREE: for its names, and so those below it may be next;
	 * not for one name on the way to another. */
	bool lists;
};
/* Brings what is -ENOENT of a commit that is shown. 1: it came, or as much of
 * it as the server could be asked for; 0: by the marks it is not lacking, so
 * clone_check is next. Of a repository that is fetched whole (it is small, or
 * its server cannot filter) all comes, whatever the need. Sources and failures
 * as above; nothing of it counts as a tree that was brought (max_trees). */
int clone_bring(struct ctx *, struct clone *, const struct oid *commit,
		const struct clone_need *, const struct clone_source *sources,
		size_t n_sources);
/* Of a directory (a tree) sizes are lacking that the server does not tell.
 * True, once: whoever knows them from elsewhere may look for them there, and
 * note them. */
bool clone_sizes_elsewhere(struct clone *, const struct oid *tree);
int clone_note_sizes(struct clone *, const struct objects_size *, size_t n);
/* A file of the commit was read: it is among the last to be evicted. */
void clone_note_read(struct clone *, const struct oid *commit);
/* Blobs were evicted, and not all brought again since. Local. */
bool clone_was_evicted(struct clone *);
/* Of how many bytes the service says that the repository is, with its history;
 * -1: it has not. Never waits. */
int64_t clone_said_size(struct clone *);
/* Below that tree, one in root, more than half of the blobs of root are not
 * here. Local; reads all trees. */
bool clone_is_most(struct ctx *, struct clone *, const struct oid *root,
		   const struct oid *tree);
/* All of it is here, as its mark says. Local. */
bool clone_is_complete(struct clone *, const struct oid *commit);
int clone_known_commit(struct clone *, const struct oid *commit,
		       struct clone_head *ret_head); /* -ENOENT */
/* The one commit here whose id begins with n digits (4 to 40). -ENOENT none;
 * -EEXIST several objects; -EINVAL. Local. */
int clone_resolve_short(struct clone *, const char *hex, size_t n,
			struct oid *ret_commit);
/* Whether there is a store, so that asking makes none. Local. */
bool clone_has_store(struct clone *);

/* What a commit says of the places in it that are commits of others. */
struct clone_submodule {
	char *path;
	/* As git would clone it, absolute; "": none is said. A stranger's text.
	 */
	char *url;
	/* Of a repository of this very service, in small letters; NULL: of
	 * another host, or of none. */
	char *workspace, *slug;
	size_t nth; /* in the file */
};
/* Immutable, counted; in the order of strcmp of their paths, each of which is
 * there once: the last that the file has of it, as git reads it. */
struct clone_submodules {
	struct clone_submodule *items;
	size_t n_items;
	/* private from here */
	struct refcount refcount_private;
};
struct clone_submodules *clone_submodules_ref(struct clone_submodules *);
struct clone_submodules *clone_submodules_unref(struct clone_submodules *);
DEFINE_CLEANUP(struct clone_submodules *, clone_submodules_unref);
/* NULL: it is none that they name. */
const struct clone_submodule *
clone_submodules_find(const struct clone_submodules *, const char *path);
/* The .gitmodules of a commit, by the commit's tree; oid_none: it has none.
 * Local; -ENOENT: that tree is not here. */
int clone_gitmodules(struct ctx *, struct clone *, const struct oid *root,
		     struct oid *ret_blob);
/* What it says. Local; -ENOENT: the blob is not here; -EBADMSG, -EFBIG with the
 * sentence. */
int clone_read_submodules(struct ctx *, struct clone *, const struct oid *blob,
			  struct clone_submodules **ret);

/* Reading what is here: local, never waits for the network; quick, unless a
 * damaged pack is found out or a big file is made: cancelling ctx (NULL: nobody
 * does) breaks that off, -EINTR. -ENOENT is something to be fetched (again):
 * see clone_check. */
int clone_read_tree(struct ctx *, struct clone *, const struct oid *,
		    struct tree_list **ret_list);
int clone_blob_size(struct ctx *, struct clone *, const struct oid *,
		    uint64_t *ret_size);
#define CLONE_BIG                                                  \
	(8 * MIB) /* over it: clone_blob_file, not clone_read_blob \
		   */
int clone_read_blob(struct ctx *, struct clone *, const struct oid *,
		    struct blob **ret_blob);
/* Of n blobs those that are here, whole and at most max bytes long; ret_blobs
 * is NULL for the others: what is missing or damaged is left as it is. */
void clone_peek_blobs(struct clone *, const struct oid *, size_t n, size_t max,
		      struct blob **ret_blobs);
/* The object is here. */
bool clone_has(struct clone *, const struct oid *);
/* For these bytes of it: see objects_blob_file. -EFBIG: over big_file, or
 * stored as too many changes upon one another. */
int clone_blob_file(struct ctx *, struct clone *, const struct oid *,
		    uint64_t offset, uint64_t n, int *ret_fd,
		    uint64_t *ret_size);
/* Something of a commit that is here is -ENOENT: what is damaged is set aside,
 * and the next clone_tracking_get, clone_get_commit fetch what is missing. 0,
 * or -errno of the machine. */
int clone_check(struct ctx *, struct clone *);
/* The time (s) at which this cache saw this path of the ref get this content,
 * always after what was shown there before (src/model/README.md, 4). path "" is
 * the root. Cheap. */
int64_t clone_path_time(struct clone_tracking *, const char *path,
			const struct oid *oid);
/* False while no path has a time of its own: then every path has the time that
 * clone_path_time gives for any, and nobody needs to compose paths. */
bool clone_has_path_times(struct clone_tracking *, int64_t *ret_time_s);

/* For `status`: running fetches, and the trees that are there. A false from
 * each ends it. Strings are borrowed for the call. */
struct clone_progress {
	const char *workspace, *slug;
	uint64_t n_bytes;
	unsigned n_objects, n_objects_total; /* 0: not known yet */
	bool is_rest; /* of a commit that is shown; the objects are all of it */
	int64_t since_ms; /* clock_mono_ms */
	bool waiting;     /* for one of the two places, or another mount */
};
void clone_set_running(struct clone_set *,
		       bool (*each)(void *arg, const struct clone_progress *),
		       void *arg);
/* Tree objects that were parsed since the start, by all clones. */
uint64_t clone_trees_parsed(void);
/* Gives back what was kept for speed and is not used: call it now and then. */
bool clone_expire_all(void); /* as objects_expire_all */
struct clone_shown {
	const char *workspace, *slug;
	const char *ref; /* "" for the default branch */
	bool held;       /* it has moved, but perhaps under another's name */
	const char *git; /* whose answer it is: git_url or git_fallback */
	bool git_is_own; /* that is the service itself */
	struct clone_head head;
};
void clone_set_shown(struct clone_set *,
		     bool (*each)(void *arg, const struct clone_shown *),
		     void *arg);

#endif
