/*
 * content/catalog: which workspaces and repositories there are, and their
 * documents, read through the cache.
 *
 * Owns their identity: both are keyed by uuid, so that a rename fetches nothing
 * again and a re-created slug does not show old content. Must never know nodes
 * or FUSE.
 *
 * Every call that may wait takes a ctx; with CATALOG_CACHED none waits. Results
 * are immutable and the caller's.
 */
#ifndef CONTENT_CATALOG_H
#define CONTENT_CATALOG_H

#include "api/bitbucket.h"
#include "content/answer.h"
#include "content/read_through.h"

struct catalog_config {
	struct bitbucket *bitbucket; /* borrowed, as all here */
	struct read_through *source;
	struct cache *cache;
	const struct credential *credential;
	const char *const
		*workspaces; /* configured, NULL-terminated, or NULL */
	/* Lifetimes; 0: the defaults, workspaces 10 min, listings and
	 * repository documents 10 min, unknown names 5 min, user 1 day. */
	int64_t ttl_workspaces_ms, ttl_repositories_ms, ttl_unknown_ms;
	/* Told of what an operator should know (an object that names no
	 * repository, a vanished workspace): errnum positive, path below the
	 * mount. May be NULL. From any thread. */
	void (*say)(void *arg, const char *path, int errnum,
		    const char *sentence);
	void *say_arg;
};
struct catalog;
int catalog_new(const struct catalog_config *, struct catalog **ret_catalog);
struct catalog *catalog_free(struct catalog *);
DEFINE_CLEANUP(struct catalog *, catalog_free);

struct catalog_workspace {
	char *slug; /* its name in the mount */
	char *uuid; /* "" while nobody told it */
};
struct catalog_workspaces {
	struct catalog_workspace *items; /* sorted by slug */
	size_t n_items;
	struct answer_age age;
};
struct catalog_workspaces *catalog_workspaces_free(struct catalog_workspaces *);
DEFINE_CLEANUP(struct catalog_workspaces *, catalog_workspaces_free);
/*
 * Those of the account (GET /user/workspaces, one request; with an access token
 * or anonymously: the configured ones, none), the configured ones, and those
 * entered by name since the start (src/model/README.md, 6).
 */
int catalog_workspaces(struct ctx *, struct catalog *, enum read_through_mode,
		       struct catalog_workspaces **ret_workspaces);
/*
 * One by name. What the list has costs nothing more than the list; a legal name
 * that it lacks one request (GET /workspaces/{ws}), and it is then among the
 * entered ones. -ENOENT (remembered; *ret_age says how long) · -EACCES … An
 * illegal name is -ENOENT without a request. ret_workspace: slug and uuid to
 * free with catalog_workspace_done.
 */
int catalog_workspace(struct ctx *, struct catalog *, const char *slug,
		      struct catalog_workspace *ret_workspace,
		      struct answer_age *ret_age);
/* What is known of it without asking: the uuid is "" when nobody told it. */
void catalog_known_workspace(struct catalog *, const char *name,
			     struct catalog_workspace *ret_workspace);
void catalog_workspace_done(struct catalog_workspace *);
DEFINE_CLEANUP_DONE(struct catalog_workspace, catalog_workspace_done);

struct catalog_repository {
	char *name; /* file name in the mount: the slug, made safe */
	char *slug; /* as the service says */
	char *uuid;
	char *project;      /* its key; "" when not told */
	char *key;          /* of its document in the cache: "repo/{uuid}" */
	char *workspace;    /* what paths call it: its uuid, or its slug where
			     * nobody told the uuid */
	int64_t updated_ms; /* wall clock: the directory's mtime */
};
void catalog_repository_done(struct catalog_repository *);
DEFINE_CLEANUP_DONE(struct catalog_repository, catalog_repository_done);
struct catalog_repositories {
	const struct catalog_repository *items; /* sorted by name; shared */
	size_t n_items;
	struct answer_age age;
	uint64_t version; /* equal versions are equal listings */
	struct listing *listing_private;
};
struct catalog_repositories *
catalog_repositories_free(struct catalog_repositories *);
DEFINE_CLEANUP(struct catalog_repositories *, catalog_repositories_free);
/*
 * The complete listing of a workspace; ceil(n/100) requests when it is fetched.
 * Storing it stores every repository's document too. One that an earlier
 * listing had and the new one lacks is asked for itself (at most 20 of them a
 * refresh; the rest stay until the next): it stays unless that says 403 or 404
 * or has another name by now (src/model/README.md, 8). 403, 404, 410 of the
 * workspace itself are errors; what is cached stays served.
 */
int catalog_repositories(struct ctx *, struct catalog *, const char *workspace,
			 enum read_through_mode,
			 struct catalog_repositories **ret_repositories);
/*
 * One by its name in the mount. With a listing at hand (also a stale one) from
 * there, an unknown name -ENOENT without a request; without one: one request
 * for this repository alone. Negative answers are remembered.
 */
int catalog_repository(struct ctx *, struct catalog *, const char *workspace,
		       const char *name,
		       struct catalog_repository *ret_repository,
		       struct answer_age *ret_age);

/* The document of a repository known by the calls above (its workspace and
 * slug say where to ask). */
int catalog_document(struct ctx *, struct catalog *, const char *workspace,
		     const struct catalog_repository *, enum read_through_mode,
		     struct answer_document *ret_document);
/* As struct clone_naming wants it (clone/clone.h); catalog is the catalogue.
 * Not asked anonymously, whose quota is nobody's alone. */
int catalog_name_now(void *catalog, struct ctx *, const char *uuid,
		     const char *workspace, const char *slug,
		     char **ret_workspace, char **ret_slug,
		     int64_t *ret_asked_ms);
bool catalog_is_listed(void *catalog, const char *uuid, const char *workspace,
		       const char *slug);
/* The time of a file made of a stored version: cache_mtime_ms. */
int64_t catalog_mtime_ms(struct catalog *, uint64_t version, int64_t time_ms);
/* Whether somebody is signed in as a user: not anonymously, nor with an access
 * token, which is nobody's. */
bool catalog_has_user(const struct catalog *);
/* The whole id of a commit of which the first digits are known, in a repository
 * by its uuid, for its name may be another's by now; by its slug (either may be
 * NULL) where that is not known, or the server may know no uuids: the digits
 * tell the commit anyway. One request (GET …/commit/{id}), remembered for ever.
 * The answer is 40 hex digits that begin with those. */
int catalog_commit_id(struct ctx *, struct catalog *, const char *workspace,
		      const char *uuid, const char *slug, const char *hash,
		      char ret_id[static 41]);
/* For how long a name that the service does not have is unknown. */
int64_t catalog_unknown_ms(struct catalog *);
/* Whether an access token is still taken, which has no /user: GET of the first
 * configured workspace. 0 also where that says nothing of the token. */
int catalog_check_token(struct ctx *, struct catalog *);
/* GET /user; -ENOENT anonymously and for access tokens, without a request. */
int catalog_user(struct ctx *, struct catalog *, enum read_through_mode,
		 struct answer_document *ret_document);
/* Bytes of a version that a file of the mount was made of; -ESTALE. */
int catalog_version(struct catalog *, uint64_t version, struct blob **ret_body);

#endif
