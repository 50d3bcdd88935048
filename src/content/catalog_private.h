/*
 * content/catalog, inside: what its files share.
 *
 * Keys in the cache:
 *   workspaces              the account's, as catalog_codec writes them
 *   workspace/<slug>        its uuid ("" when not told), or negative
 *   repositories/<ws>       a complete listing, as catalog_codec writes it
 *   slug/<ws>/<slug>        a repository's uuid, or negative
 *   repo/<uuid>             a repository's whole object
 *   user                    the account's object
 * where <ws> is the workspace's uuid, or its slug where nobody told the uuid.
 */
#ifndef CONTENT_CATALOG_PRIVATE_H
#define CONTENT_CATALOG_PRIVATE_H

#include "content/answer_private.h"
#include "content/catalog.h"

#include "base/ctx.h"
#include "base/lru.h"
#include "base/text.h"
#include "store/cache.h"

#define N_LISTINGS 8  /* listings kept decoded */
#define MOST_ASKED 20 /* what vanished from a listing is asked for itself */
#define KEY_WORKSPACES "workspaces"

/* ---- catalog_codec: lists as they are stored ---- */

/* A workspace of the stored list; name is the file name of its slug. */
struct catalog_ws {
	char *name, *slug, *uuid;
};
struct catalog_ws_list {
	struct catalog_ws *items;
	size_t n_items;
};
void catalog_ws_list_done(struct catalog_ws_list *);
DEFINE_CLEANUP_DONE(struct catalog_ws_list, catalog_ws_list_done);
/* Makes the name and adds; uuid may be NULL. */
void catalog_ws_add(struct catalog_ws_list *, const char *slug,
		    const char *uuid);
int catalog_encode_workspaces(const struct catalog_ws_list *, struct buf *out);
int catalog_decode_workspaces(const char *text, size_t n,
			      struct catalog_ws_list *ret);

/* A listing, sorted by name; immutable and counted. */
struct listing {
	struct refcount refcount;
	uint64_t version;
	struct catalog_repository *items;
	size_t n_items;
};
struct listing *catalog_listing_new(size_t n_most);
struct listing *catalog_listing_unref(struct listing *);
DEFINE_CLEANUP(struct listing *, catalog_listing_unref);
/* Makes name and key and adds; there must be room. */
void catalog_listing_add(struct listing *, const char *slug, const char *uuid,
			 const char *project, int64_t updated_ms);
/* Sorts by name; of two with the same name (or uuid) the later by uuid is
 * taken out, and each told to drop. */
void catalog_listing_sort(struct listing *,
			  void (*drop)(void *arg,
				       const struct catalog_repository *),
			  void *arg);
const struct catalog_repository *catalog_listing_find(const struct listing *,
						      const char *name);
int catalog_encode_listing(const struct listing *, struct buf *out);
int catalog_decode_listing(const char *text, size_t n,
			   struct listing **ret_listing);
void catalog_repository_copy(const struct catalog_repository *from,
			     struct catalog_repository *ret);
/* name and key from slug and uuid. */
void catalog_repository_make(const char *slug, const char *uuid,
			     const char *project, int64_t updated_ms,
			     struct catalog_repository *ret);

/* ---- catalog: shared state ---- */

struct catalog {
	struct catalog_config config; /* workspaces: not used */
	char **workspaces;            /* configured; NULL-terminated */
	struct lru listings;          /* decoded ones, by key */
	struct mutex lock;
	/* All below: under lock. */
	char **entered; /* by name since the start */
	size_t n_entered;
	struct confirmed *confirmed; /* catalog_names.c */
	struct catalog_known *known; /* of KEY_WORKSPACES */
};

void catalog_say(struct catalog *, int errnum, const char *path,
		 const char *fmt, ...) printf_like(4, 5);

/* What the mount calls name: its true slug, its uuid, and the key that its
 * things have. Reads the cache alone, never fails. */
struct workspace_ref {
	char *name, *slug, *uuid, *key;
};
void catalog_workspace_ref_done(struct workspace_ref *);
DEFINE_CLEANUP_DONE(struct workspace_ref, catalog_workspace_ref_done);
void catalog_resolve(struct catalog *, const char *name,
		     struct workspace_ref *ret);
/* The same for what a repository is in: its own workspace, also when that name
 * is another one's by now. */
void catalog_resolve_for(struct catalog *, const char *name,
			 const struct catalog_repository *,
			 struct workspace_ref *ret);

struct fetch {
	struct catalog *catalog;
	const struct workspace_ref *workspace;
	const char *slug; /* of a repository or workspace */
	const struct catalog_repository *repository;
	const char *name; /* of the repository's workspace, in the mount */
	bool anew;        /* READ_ANEW */
};

/* -ENOENT, and for how long. */
int catalog_unknown(struct ctx *, const char *name, struct answer_age *,
		    int64_t left_ms, bool stale);
/* read_through_get for us. */
int catalog_get(struct ctx *, struct catalog *, const char *key,
		enum read_through_mode, read_through_fetch *fetch,
		struct fetch *, struct cache_entry **ret_entry,
		bool *ret_stale);
/* The stored list of workspaces, decoded once for each version of it; immutable
 * and counted. NULL: there is none. ret_age may be NULL. */
struct catalog_known {
	struct refcount refcount;
	uint64_t version;
	struct catalog_ws_list list;
};
struct catalog_known *catalog_known_get(struct catalog *,
					struct answer_age *ret_age);
struct catalog_known *catalog_known_unref(struct catalog_known *);
DEFINE_CLEANUP(struct catalog_known *, catalog_known_unref);
/* False: it is no list. */
bool catalog_workspaces_of(const struct cache_entry *,
			   struct catalog_ws_list *ret);
const struct catalog_ws *catalog_ws_find(const struct catalog_ws_list *,
					 const char *name);
/* The uuid that `workspace/<slug>` tells; NULL when it is none, "" when the
 * workspace is there and has none. Free it. */
char *catalog_alias_uuid(struct catalog *, const char *slug);

/* The decoded listing of an entry (which is its key's), from memory if it is
 * there. -EIO: the stored bytes are none; they were removed. */
int catalog_listing_of(struct catalog *, const char *key,
		       const struct cache_entry *, struct listing **ret);
char *catalog_listing_key(const struct workspace_ref *);
char *catalog_alias_key(const struct workspace_ref *, const char *slug);
bool catalog_is_uuid(const char *uuid); /* really one, not "name:…" */
/* Both are uuids, and not the same: what came is about another one. */
bool catalog_is_other(const char *expected, const char *got);

/* ---- catalog_names: what repositories are called ---- */

void catalog_names_done(struct catalog *);

/* ---- catalog_fetch: what read_through_get calls ---- */

read_through_fetch catalog_fetch_workspaces, catalog_fetch_workspace,
	catalog_fetch_listing, catalog_fetch_repository, catalog_fetch_document,
	catalog_fetch_user;

/* A repository has another name now: remembers when a whole listing last had
 * the former one (the fact "name-until", for clone/name.c). */
void catalog_note_renamed(struct catalog *, const char *listing_key,
			  const char *uuid);
/* A repository's document, under repo/<key_uuid>, and the alias of its slug. */
void catalog_batch_repository(struct answer_batch *, const struct catalog *,
			      const struct workspace_ref *,
			      const char *key_uuid,
			      const struct bitbucket_repository *,
			      const char *etag);

#endif
