/*
 * content/documents: the answers behind the rows of the resource table, read
 * through the cache: objects, collections and their items, texts. And which
 * workspace or repository a name means: both are kept by their uuids, so that a
 * rename fetches nothing again and a re-created slug shows nothing old.
 *
 * A collection is stored, in one transaction, as a short list of its items'
 * names, as the files that the mount shows of it (index.tsv, index.json, what
 * its row makes) and as one document per item: so neither a look at one item
 * nor a read of an index holds the whole of it in memory.
 *
 * Must never know nodes or FUSE. Every call that may wait takes a ctx; with
 * READ_CACHED none waits. Results are immutable and the caller's.
 */
#ifndef CONTENT_DOCUMENTS_H
#define CONTENT_DOCUMENTS_H

#include "base/ctx.h"
#include "api/bitbucket.h"
#include "content/answer.h"
#include "content/collection.h"
#include "content/read_through.h"
#include "content/scope.h"
#include "table/resource.h"

struct documents;
struct documents_config {
	struct bitbucket *bitbucket; /* borrowed, as all here */
	struct read_through *source;
	struct cache *cache;
	struct credential *credential;
	const char *const
		*workspaces; /* configured, NULL-terminated, or NULL */
	unsigned history;    /* items of a history at first; 0: 500 */
	size_t index_bytes;  /* of an index at most; 0: 64 MiB */
	/* Where the names of workspaces and repositories that were listed are
	 * written for completions; NULL: nowhere. */
	const char *names_dir;
	/* Told of what an operator should know (an object that names no
	 * repository, a vanished workspace): errnum positive, path below the
	 * mount. May be NULL. From any thread. */
	void (*say)(void *arg, const char *path, int errnum,
		    const char *sentence);
	/* Told of what a list that came has otherwise than the one before: a
	 * path below the mount, and what of it. May be NULL. From any thread.
	 */
	void (*changed)(void *arg, const char *path, const char *what);
	void *say_arg; /* of both */
};
struct documents *documents_new(const struct documents_config *);
struct documents *documents_free(struct documents *);
/* Whether the service has refused the credential itself (401) ever since it
 * took it last: then -EACCES says nothing of what was asked for. */
bool documents_is_refused(struct ctx *, struct documents *);
DEFINE_CLEANUP(struct documents *, documents_free);

/* Of resource_workspaces; of resource_repositories, by the workspace's name:
 * from the cache alone, never fails. */
struct scope *documents_root_scope(void);
struct scope *documents_listing_scope(struct documents *,
				      const char *workspace);

/* The one object of a RESOURCE_OBJECT row. -ENOENT, -EACCES … are remembered
 * for some minutes where nothing better is known. */
int documents_object(struct ctx *, struct documents *, const struct resource *,
		     const struct scope *, enum read_through_mode,
		     struct answer_document *ret_document);

/*
 * ceil(n/pagelen) requests when it is fetched, one at least.
 *
 * Of repositories, storing the listing stores every document too. One that an
 * earlier listing had and the new one lacks is asked for itself (at most 20 of
 * them a refresh; the rest stay until the next): it stays unless that says 403
 * or 404 or has another name by now (src/model/README.md, 8).
 *
 * Workspaces are those of the account (one request; with an access token or
 * anonymously: none), the configured ones, and those entered by name since the
 * start (src/model/README.md, 6).
 */
int documents_collection(struct ctx *, struct documents *,
			 const struct resource *, const struct scope *,
			 enum read_through_mode,
			 struct collection **ret_collection,
			 struct answer_age *ret_age);

/* What is at hand of the row there, or (id not NULL) of an item of the
 * collection, is outdated: who looks next asks. False: nothing is. */
bool documents_outdated(struct documents *, const struct resource *,
			const struct scope *, const char *id);

/* A file as it is stored: read with documents_read. */
struct document_file {
	uint64_t version, size;
	struct answer_age age;
};
/* A file of a collection ("index.tsv", "index.json", "more", those of its row),
 * after documents_collection. Never waits. -ENOENT: there is none. */
int documents_file(struct documents *, const struct scope *, const char *name,
		   struct document_file *ret_file);
/* The same; of a row with builds, index.tsv with what is at hand of them by
 * now, for which the disk may be waited for. */
int documents_index_file(struct documents *, const struct resource *,
			 const struct scope *, const char *name,
			 struct document_file *ret_file);
/* The bytes of a RESOURCE_TEXT row. */
int documents_text(struct ctx *, struct documents *, const struct resource *,
		   const struct scope *, enum read_through_mode,
		   struct document_file *ret_file);

/* ---- names of workspaces and repositories ---- */

/*
 * Whether there is a workspace of that name. What the list has costs nothing
 * more than the list; a legal name that it lacks one request
 * (GET /workspaces/{ws}), and it is then among the entered ones. -ENOENT
 * (remembered; *ret_age says how long) · -EACCES … An illegal name is -ENOENT
 * without a request.
 */
int documents_find_workspace(struct ctx *, struct documents *, const char *name,
			     struct answer_age *ret_age);

struct documents_repository {
	/* The listing that it is of: its own workspace's, also when that name
	 * is another one's by now. */
	struct scope *listing;
	char *name; /* file name in the mount: the slug, made safe */
	char *slug; /* as the service says */
	char *uuid;
	int64_t updated_ms; /* wall clock: the directory's mtime */
};
void documents_repository_done(struct documents_repository *);
DEFINE_CLEANUP_DONE(struct documents_repository, documents_repository_done);
/*
 * The repository that has this name in the mount. While the workspace's listing
 * is at hand (also a stale one) it is taken from there, and a name that it
 * lacks is -ENOENT without a request; else one request asks for this repository
 * alone. Negative answers are remembered.
 */
int documents_find_repository(struct ctx *, struct documents *,
			      const char *workspace, const char *name,
			      struct documents_repository *ret_repository,
			      struct answer_age *ret_age);
/* Whether it would be found by what is at hand, however old. Asks nobody. */
bool documents_knows_repository(struct documents *, const char *workspace,
				const char *name);
/* As struct clone_naming wants it (clone/clone.h). Not asked anonymously, whose
 * quota is nobody's alone. */
int documents_name_now(void *documents, struct ctx *, const char *uuid,
		       const char *workspace, const char *slug,
		       char **ret_workspace, char **ret_slug,
		       int64_t *ret_asked_ms);
bool documents_is_listed(void *documents, const char *uuid,
			 const char *workspace, const char *slug);
int64_t documents_repository_size(void *documents, const char *uuid,
				  const char *workspace);
/* The whole id of a commit of which the first digits are known, in a repository
 * by its uuid, for its name may be another's by now; by its slug (either may be
 * NULL) where that is not known, or the server may know no uuids: the digits
 * tell the commit anyway. One request (GET …/commit/{id}), remembered for ever.
 * The answer is 40 hex digits that begin with those. */
int documents_commit_id(struct ctx *, struct documents *, const char *workspace,
			const char *uuid, const char *slug, const char *hash,
			char ret_id[static 41]);

/* Where files are: a directory ("" the root, without slashes at its ends) of a
 * repository (its slug or uuid) at a whole commit id. */
struct documents_directory {
	const char *workspace, *repository, *commit, *path;
};
/* The sizes of a directory's largest files, 100 at most, as git has them: each
 * is called with a name as it is in the tree. One request that is not repeated;
 * nothing is kept. Failures as of bitbucket_get; -ENAMETOOLONG. */
int documents_sizes(struct ctx *, struct documents *,
		    const struct documents_directory *,
		    void (*each)(void *arg, const char *name, uint64_t size),
		    void *arg);

/* ---- the account ---- */

/* Whether somebody is signed in as a user: not anonymously, nor with an access
 * token, which is nobody's. */
bool documents_has_user(const struct documents *);
/* GET /user; -ENOENT anonymously and for access tokens, without a request. */
int documents_user(struct ctx *, struct documents *, enum read_through_mode,
		   struct answer_document *ret_document);
/* Whether an access token is still taken, which has no /user: GET of the first
 * configured workspace. 0 also where that says nothing of the token. */
int documents_check_token(struct ctx *, struct documents *);

/* ---- items and files ---- */

/*
 * The document of an item. One that the collection has is as fresh as that;
 * another is asked for by itself, where the row has an endpoint for it:
 * -ENOENT (remembered) when there is none.
 */
int documents_item(struct ctx *, struct documents *, const struct resource *,
		   const struct scope *collection, const char *id,
		   enum read_through_mode,
		   struct answer_document *ret_document);

/*
 * The id of the item with that number, of a row whose items have numbers, when
 * the collection does not have it: asked for with the number in the id's place,
 * else the page is looked for where it has to be. Its document is stored with
 * it. -ENOENT (remembered) when there is none.
 */
int documents_numbered(struct ctx *, struct documents *,
		       const struct resource *, const struct scope *collection,
		       const char *number, enum read_through_mode,
		       char **ret_id);

/*
 * index.tsv and index.json of a workspace's repositories, made of its listing
 * and of the documents that came with it: no request beyond the listing's own.
 * name is one of documents_repositories_files. With READ_CACHED it is what
 * was made of the listing at hand before, else -ENOENT.
 */
extern const char *const documents_repositories_files[]; /* NULL-terminated */
int documents_repositories(struct ctx *, struct documents *,
			   const char *workspace, const char *name,
			   enum read_through_mode,
			   struct document_file *ret_file);

struct documents_with {
	/* The whole ids of commits that a file names (resource_file.commits),
	 * in that order; "": not known. */
	char commits[RESOURCE_COMMITS_MOST][41];
	/* Of an item of a collection: its row, and its collection's scope. */
	const struct resource *row;
	const struct scope *collection;
};
/* A file that is made with these, and with lists (resource_file.with and
 * is_named) of an item, whose scope and document these are: no request. The
 * same until one of them changes. */
int documents_made(struct ctx *, struct documents *, const struct scope *,
		   const struct resource_file *, const struct answer_document *,
		   const struct documents_with *,
		   struct document_file *ret_file);

/*
 * What waits in a workspace for the account's review, of the lists of pull
 * requests that are at hand: no request. name is one of documents_review_files.
 * -ENOENT: nobody is signed in as a user, or it is not known who.
 */
extern const char *const documents_review_files[]; /* NULL-terminated */
int documents_review(struct ctx *, struct documents *, const char *workspace,
		     const char *name, struct document_file *ret_file);
/* The repositories of a workspace whose newest run on the main branch that has
 * ended failed, of the lists of pipelines that are at hand: no request. */
int documents_red(struct ctx *, struct documents *, const char *workspace,
		  struct document_file *ret_file);
/* Of a list of pipelines that is at hand (documents_collection) the newest run
 * of each branch, as items: name, the branch as a path of file names; id, the
 * run's number; its time. Of two branches of which one would have to be the
 * other's directory the one with the newer run. -ENOENT. */
int documents_branch_runs(struct documents *, const struct scope *,
			  struct collection **ret_runs);

/* Any GET below api_url, by its percent-encoded path (with a query): JSON
 * pretty-printed with all pages merged, or, as text, its bytes. Believed for a
 * minute. */
int documents_mirror(struct ctx *, struct documents *, const char *path,
		     bool text, enum read_through_mode,
		     struct document_file *ret_file);

/* For how long a name that the service does not have is unknown. */
int64_t documents_unknown_ms(struct documents *);
/* The time of a file that is stored as it is shown: cache_mtime_ms. And of one
 * that is rendered of a stored version: also younger than what another program
 * rendered of that. */
int64_t documents_mtime_ms(struct documents *, uint64_t version,
			   int64_t time_ms);
int64_t documents_rendered_ms(struct documents *, uint64_t version,
			      int64_t time_ms);
/* By which rules this program derives: a text. */
extern const char documents_derivation[];
/* Bytes of a version that a file of the mount was made of; a piece of it.
 * -ESTALE when it is gone. */
int documents_version(struct documents *, uint64_t version,
		      struct blob **ret_body);
int documents_read(struct documents *, uint64_t version, uint64_t offset,
		   size_t n, struct blob **ret_piece);
/* The endpoint with its placeholders filled in; free it. -errno: {me} is not
 * known. May wait (for /user). */
int documents_path(struct ctx *, struct documents *, const char *endpoint,
		   const struct scope *, char **ret_path);

#endif
