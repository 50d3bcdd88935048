/*
 * model/model: the mount as a model: what the kernel may ask of it, and what it
 * tells of changes. fs/ translates, this answers.
 *
 * Must never know FUSE, HTTP, SQLite, git objects.
 *
 * Every call that may wait takes a ctx. Outcomes are 0 or -errno (a sentence in
 * ctx; the failure is recorded among the problems here, not by the caller).
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/ctx.h"
#include "base/mem.h"

#include <sys/stat.h>

struct budget;
struct clone_set;
struct documents;
struct http;
struct model;
struct node;
struct read_through;
struct stream_set;

/* How the kernel hears of changes: queued, never blocking, from any thread.
 * Whoever implements it calls the kernel from a thread of its own. */
struct model_kernel {
	/* The name means something else now (or nothing, or something). */
	void (*entry)(void *arg, uint64_t parent_ino, const char *name);
	/* Attributes and, with content, pages or the listing are outdated. */
	void (*inode)(void *arg, uint64_t ino, bool content);
	void *arg;
};

#define MODEL_TTL_MS (60 * 1000)

struct model_config {
	struct documents *documents; /* all borrowed */
	struct stream_set *streams;
	struct read_through *source;
	struct clone_set *clones;
	struct budget *budget;
	struct http *api_http;
	struct ctx_group *group; /* of all requests; background work joins it */
	const char *account;     /* credential_label */
	const char *api_url;
	const char *cache_dir;
	/* For status: what the cache takes of the disk, and may take
	 * (UINT64_MAX: there is no end). NULL: that is not known. */
	void (*cache_use)(void *arg, uint64_t *ret_used, uint64_t *ret_most);
	void *cache_use_arg;
	const char *mountpoint;
	const char *profile; /* NULL: none */
	uid_t uid;           /* whose everything is, as stat(2) says */
	gid_t gid;
	mode_t umask;   /* bits that no mode has */
	int64_t ttl_ms; /* of git refs; 0: MODEL_TTL_MS */
	/* Bytes of a tree that come in the background; 0: none, UINT64_MAX:
	 * all of them. */
	uint64_t hydrate;
	/* Bytes of one object of LFS that a walk may bring; 0: files whose
	 * content it is are shown as git has them; UINT64_MAX: any number. */
	uint64_t lfs;
	unsigned listed; /* items of what grows for ever; 0: 10 */
	/* What a submodule is in the tree that has it. */
	enum model_submodules {
		MODEL_SUBMODULES_OFF,  /* an empty directory */
		MODEL_SUBMODULES_LINK, /* a link to its files elsewhere */
		MODEL_SUBMODULES_TREE, /* its files */
	} submodules;
	/* Bytes of listings: that are open, that are kept beside; 0: the
	 * defaults. */
	size_t most_open, most_kept;
	/* Of the models of one mount: each has inode numbers of its own, so
	 * that nothing that the kernel has of the one before is taken for
	 * something of this one. */
	uint64_t generation;
	/* The credential was not checked yet: do it behind, once. */
	bool check_behind;
	/* Told once how that went: 0, or an errno and why. May be NULL. */
	void (*checked)(void *arg, int errnum, const char *sentence);
	void *checked_arg;
};
/* These four are in src/model/wiring.c, the one that knows all providers. */
int model_new(const struct model_config *, struct model **ret_model);
/* Starts the background worker; kernel is copied. Before it, changes are not
 * told. */
int model_start(struct model *, const struct model_kernel *kernel);
/* Ends background work (its ctxs are of the group, which was cancelled). */
void model_stop(struct model *);
struct model *model_free(struct model *);
DEFINE_CLEANUP(struct model *, model_free);

/* Somebody has signed out, which status says, or in again: what was refused
 * before is asked for, and names that were not there are looked up anew. */
void model_signed_out(struct model *, bool signed_out);

/* As refs_place (src/model/git/refs.h), of a path below the root. */
int model_find_ref(struct ctx *, struct model *, const char *path,
		   size_t *ret_parts, char hex[static 41]);

/* Of the submodule that a path below the root is, or is in: adds lines "url:",
 * "commit:" and "place:", the last where it has one in the mount. May bring the
 * trees on the way. -EINVAL: it is in none. */
int model_submodule(struct ctx *, struct model *, const char *path,
		    struct buf *out);

/* What the kernel knows. */
struct model_known {
	uint64_t ino; /* 0: it was told that there is no such name */
	uint64_t parent;
	const char *name; /* NULL: no lookup finds it any more */
};
/* All of it, the root too; of names that are not there the last ones. The model
 * was stopped, and nobody uses it. */
void model_each_known(struct model *,
		      void (*each)(void *arg, const struct model_known *),
		      void *arg);

/*
 * Asks the service again for a place of the mount ("": its root), as looking up
 * .bitbucketfs/refresh/PATH/.now does, and tells the kernel what changed. What
 * changed, in words for people, a line each, is added to said. -ENOENT: there
 * is no such place, or nothing of it can be asked for.
 */
int model_refresh(struct ctx *, struct model *, const char *path,
		  struct buf *said);

/* What status.json has, and, where path names a repository or something in one,
 * what is at hand of that repository. Asks nobody. */
void model_status(struct ctx *, struct model *, const char *path,
		  struct buf *out);

/* What somebody says has changed in a repository: a place below it, by
 * table/webhook.h. */
struct model_news {
	const char *uuid; /* the repository's; "": not told */
	const char *workspace, *slug;
	const char *path; /* "": the repository itself; "..": the listing */
	bool ask;         /* else it is outdated */
};
/* Asks again for the place, or makes it outdated, so that who looks next asks;
 * of what nobody has looked at nothing is done. What was done, a line each, is
 * added to said. */
int model_heard(struct ctx *, struct model *, const struct model_news *,
		struct buf *said);

/*
 * Brings all of a place: the lists of a repository, or of all repositories of a
 * workspace; the files of a tree. What is at hand and fresh is not asked for;
 * of a workspace nothing that was asked for within a day, so that one that was
 * broken off goes on where it was. It spends as a walk, and waits for the quota
 * when that has had its share. What came of it, in words, is added to said.
 * -EINTR: it was stopped.
 */
int model_fetch(struct ctx *, struct model *, const char *path,
		struct buf *said);
/* The same of the LFS objects of the files in a tree below that path, or of a
 * repository's tree/, however large they are, and those alone. -ENOSPC, with
 * the sentence, before anything comes of them: the cache has no room for them.
 */
int model_fetch_lfs(struct ctx *, struct model *, const char *path,
		    struct buf *said);
/* What that would cost: adds {"kind", "repositories", "requests"}, with the
 * kinds "workspace", "place", "tree"; requests are the least, for a list may
 * have many pages. A workspace's listing is asked for. */
int model_fetch_cost(struct ctx *, struct model *, const char *path,
		     struct buf *out);
/* Stops those of that place, and below it ("": all); a line for each. */
void model_fetch_stop(struct model *, const char *path, struct buf *said);

/* Something that documents want said (documents_config.say). */
void model_say(struct model *, const char *path, int errnum,
	       const char *sentence);

/* Of a stream (stream_set_config.untrue). */
void model_untrue(struct model *, const char *key, const char *sentence);

/* Something that documents want told (documents_config.changed). */
void model_event(struct model *, const char *path, const char *what);

struct model_attr {
	struct stat st;
	double attr_timeout; /* seconds */
};
struct model_entry {
	uint64_t ino; /* 0: no such name, for entry_timeout */
	struct model_attr attr;
	double entry_timeout;
};
/* Adds one to the kernel's count of ret_entry->ino, unless that is 0. */
int model_lookup(struct ctx *, struct model *, uint64_t parent,
		 const char *name, struct model_entry *ret_entry);
void model_forget(struct model *, uint64_t ino, uint64_t n);
int model_getattr(struct ctx *, struct model *, uint64_t ino,
		  struct model_attr *ret_attr);
/* The target, NUL-terminated; the caller's reference. */
int model_readlink(struct ctx *, struct model *, uint64_t ino,
		   struct blob **ret_target);
/* Either bytes (a blob, offset and length in it) or a piece of an open file,
 * which the caller closes. */
struct model_data {
	struct blob *blob;
	size_t offset, n;
	int fd; /* -1: blob */
	off_t fd_offset;
	/* Who reads it looks at once at what it says: it is to be answered
	 * when the kernel has heard of what was told before. */
	bool after_told;
};
int model_read(struct ctx *, struct model *, uint64_t ino, off_t offset,
	       size_t n, struct model_data *ret_data);
/*
 * After a READ from the start of a file: files that will probably be read next,
 * of which the kernel knows by inode and all bytes are at hand, are given one
 * after the other, until there are no more or give returns false. Never asks
 * anybody for bytes, and holds nothing while it calls give.
 */
typedef bool model_give(void *arg, uint64_t ino, const struct blob *);
void model_ahead(struct ctx *, struct model *, uint64_t ino, model_give *give,
		 void *arg);
/* The same after the kernel has been told all names of an open directory, with
 * attributes, if who lists it has read file after file in those before. */
struct opened;
void model_ahead_listed(struct ctx *, struct model *, struct opened *,
			model_give *give, void *arg);

/*
 * Brings the names of a directory and holds them until it is closed. What can
 * come out of it is model_opens_with(); the kernel takes some errnos for a word
 * about the whole mount (ENOSYS) or repeats the call (ESTALE), and programs
 * take ENOENT for a directory that was deleted: rsync --delete deletes it, too.
 */
struct model_opened {
	struct opened *opened;
	/* What the kernel may do with its copy of the listing. */
	bool fill_copy, keep_copy;
};
int model_opendir(struct ctx *, struct model *, uint64_t ino,
		  struct model_opened *ret_opened);
bool model_opens_with(int r);
void model_closedir(struct model *, struct opened *);
/*
 * Names of an open directory after a cookie (0: from the start). Cannot fail
 * and never waits for the network. With plus, an entry whose attributes are at
 * hand has been looked up (entry->ino > 0, counted); others have ino 0 and only
 * a type and a number for d_ino. emit returns false when there was no room: the
 * name is then not taken (its count is undone here) and the listing ends.
 */
typedef bool model_emit(void *arg, const char *name, uint64_t cookie,
			mode_t type, const struct model_entry *entry);
void model_readdir(struct ctx *, struct model *, struct opened *,
		   uint64_t cookie, bool plus, model_emit *emit, void *arg);

/* df: never waits. */
struct model_statfs {
	uint64_t n_bytes, n_files;
};
void model_statfs(struct model *, struct model_statfs *ret_statfs);

#endif
