/*
 * content/documents, inside: what its files share.
 *
 * Keys in the cache, with K a scope's key ("repo/{uuid}/pullrequests"):
 *   K            an object, a text, or a collection's names
 *   K#<file>     a file of a collection, as the mount shows it
 *   ~K#<hash>    a page of it, while it is being fetched
 *   K/@<id>      an item of it, compact; of rows beside the items (merged/)
 *                under the key of the row above, so that an item has one
 * Those of workspaces and repositories are in documents_identity.c.
 */
#ifndef CONTENT_DOCUMENTS_PRIVATE_H
#define CONTENT_DOCUMENTS_PRIVATE_H

#include "content/answer_private.h"
#include "content/collection_private.h"
#include "content/documents.h"
#include "store/flight.h"

#include "base/lru.h"

#define N_COLLECTIONS 16 /* kept decoded */
#define MANY_ITEMS 20    /* more leave a heap behind that is worth trimming */
#define FINAL_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)
#define REFUSED_MS (INT64_C(5) * 60 * 1000)

#define MOST_ASKED 20 /* what vanished from a list is asked for itself */
#define UNKNOWN_NAME_MS (INT64_C(5) * 60 * 1000)
#define REPOSITORIES_MS (resource_repositories.ttl_s * 1000)

struct documents {
	/* workspaces, names_dir: not used */
	struct documents_config config;
	char **workspaces;     /* configured; NULL-terminated */
	char *names_dir;       /* or NULL */
	struct flight *making; /* of what is made without the network */
	struct lru kept;       /* decoded collections, by key */
	struct lru confirmed;  /* documents_names.c */
	struct mutex lock;
	/* Under lock: more of a history could not be had; clock_mono_ms. */
	int64_t no_more_until_ms;
	char **entered; /* workspaces, by name since the start */
	size_t n_entered;
	/* Of what another program derived: documents_derived.c. */
	int64_t derived_since_ms;
	uint64_t derived_below;
};

void documents_say(struct documents *, int errnum, const char *path,
		   const char *fmt, ...) printf_like(4, 5);

struct documents_fetch {
	struct documents *documents;
	const struct resource *row;
	const struct scope *scope;
	const char *id;          /* of an item; or the name that is asked for */
	bool anew;               /* READ_ANEW */
	struct scope *own_scope; /* of a copy for another thread: scope */
};

/* After a failure with that status: remembered as the answer (0) where nothing
 * better is known and asking again soon is of no use, else r. */
int documents_refused(struct ctx *, struct documents *, const char *key,
		      const struct cache_entry *old, int r, long status);
/* By that status the service says that there is nothing of what may lack. */
static inline bool documents_is_nothing(const struct resource *row, long status)
{
	return row->may_lack && (status == 404 || status == 204);
}
int64_t documents_most_ms(const struct resource *);
/* What was read through, as a file; a remembered failure is one again. */
int documents_file_of(struct ctx *, const struct cache_entry *, bool stale,
		      struct document_file *ret_file);
/* What is stored under the key, as it is shown, and sound. mark: of what it was
 * made; NULL: whatever. */
bool documents_stored(struct documents *, const char *key, const char *mark,
		      struct document_file *ret_file);
/* The account's uuid, from the document of /user; free it. */
int documents_me(struct ctx *, struct documents *, enum read_through_mode,
		 char **ret_uuid);

/* ---- documents_items ---- */

/* The collection that the cache has, of any age, from memory if it is there;
 * NULL. Unreadable bytes are removed. */
struct collection *documents_known(struct documents *, const struct resource *,
				   const char *key, struct answer_age *ret_age);
/* documents_collection, of what is stored as one. */
int documents_collection_stored(struct ctx *, struct documents *,
				const struct resource *, const struct scope *,
				enum read_through_mode,
				struct collection **ret_collection,
				struct answer_age *ret_age);

/* ---- documents_workspaces ---- */

read_through_fetch documents_fetch_workspaces;
/* The account's, the configured and the entered ones. */
int documents_workspaces(struct ctx *, struct documents *,
			 enum read_through_mode, struct collection **ret,
			 struct answer_age *ret_age);

/* ---- documents_completion ---- */

/* Listings that came, for the shells. They write files, and never fail. */
void documents_tell_workspaces(struct documents *,
			       const struct collection_lines *);
void documents_tell_repositories(struct documents *, const char *workspace,
				 const struct collection_lines *);

/* ---- documents_identity ---- */

bool documents_is_uuid(const char *id); /* really one, not "name:…" */
/* Both are uuids, and not the same: what came is about another one. */
bool documents_is_other(const char *expected, const char *got);
char *documents_listing_key(const char *workspace_id);
char *documents_alias_key(const struct scope *workspace, const char *slug);
/* -ENOENT, and for how long. */
int documents_unknown(struct ctx *, const char *name, struct answer_age *,
		      int64_t left_ms, bool stale);
/* The failure r and its sentence, remembered as the answer. */
int documents_put_unknown(struct ctx *, struct documents *, const char *key,
			  int r);
/* The answer is about a workspace that has the name by now: -EIO. */
int documents_other_workspace(struct ctx *, struct documents *,
			      const struct scope *workspace);
/* A repository's document, and the alias of its slug. */
void documents_batch_repository(struct answer_batch *,
				const struct scope *workspace,
				const char *key_uuid,
				const struct bitbucket_repository *,
				const char *etag);
/* A repository has another name now: remembers when a whole listing last had
 * the former one (the fact "name-until", for clone/name.c). */
void documents_note_renamed(struct documents *, const char *listing_key,
			    const char *uuid);
read_through_fetch documents_fetch_repository, documents_fetch_repositories;
void documents_names_init(struct documents *);

/* ---- */

/* documents_direct: the path to which the row's endpoint would redirect, from
 * the item that it is in, and how long that can be believed. NULL: the endpoint
 * itself has to be asked; likewise after an answer that _failed. */
char *documents_direct(struct ctx *, const struct documents_fetch *,
		       const struct cache_entry *old, int64_t *ret_left_ms);
bool documents_direct_failed(struct ctx *, long status);

/* documents_known: what is remembered of a list, by its endpoint as in the
 * table and its key. */
struct bitbucket_known
documents_known_list(struct documents *, const char *endpoint, const char *key);
/* The list has come: remembers what changed of that. */
void documents_learn_list(struct documents *, const char *endpoint,
			  const char *key, const struct bitbucket_known *);
/* As complete as it ever is: what it lacks may be gone. */
static inline bool documents_is_complete(enum bitbucket_came came)
{
	return came == BITBUCKET_CAME_WHOLE || came == BITBUCKET_CAME_AS_BEFORE;
}
/* Says what it lacks, unless that is as before. */
void documents_say_list(struct documents *, const char *place,
			enum bitbucket_came, const struct bitbucket_known *);
/* Where the scope's directory is in the mount; free it. */
char *documents_place(struct documents *, const struct scope *);

/* ---- documents_changed ---- */

/* Of a collection that was stored: tells what is otherwise than in the old
 * one. */
void documents_changed_items(const struct documents_fetch *,
			     const struct cache_entry *old);
/* The same of a workspace's repositories; text: as they are stored now. before
 * may be NULL. */
void documents_changed_repositories(const struct documents_fetch *,
				    const struct collection *before,
				    const struct buf *text);

/* ---- documents_derived ---- */

/* Whether what is stored was derived by the rules of today:
 * documents_derivation is the etag of a collection. */
bool documents_is_of_today(struct documents *, const struct resource *,
			   const struct scope *, const struct cache_entry *);
void documents_derived_init(struct documents *);
/* documents_beside: the mark of what is derived for that row now; free it. The
 * list that its items take names from, and an item that has one: NULL, if
 * there is none. */
char *documents_mark(struct documents *, const struct resource *,
		     const struct scope *);
struct json *documents_beside(struct documents *, const struct resource *,
			      const struct scope *);
struct json *documents_named_beside(const struct resource_beside *,
				    const struct json *list,
				    const struct json *item);

/* ---- documents_pages: those of a list that is being fetched ---- */

#define DOCUMENTS_PAGES_MS (INT64_C(3600) * 1000)
/* Where page numbers may have shifted meanwhile. */
#define DOCUMENTS_PAGES_YOUNG_MS (INT64_C(10) * 60 * 1000)
struct documents_pages {
	struct bitbucket_kept kept; /* for bitbucket_list */
	struct documents *documents;
	const char *key; /* the list's, borrowed */
	int64_t most_age_ms, began_ms;
	struct thread *writer; /* fixed once all pages have come */
	struct mutex lock;
	struct cond changed;
	/* Under lock: */
	struct answer_batch waiting; /* to be written */
	size_t n_waiting;            /* bytes */
	bool is_writing, ending;
	int64_t oldest_ms; /* of the pages, wall clock */
	size_t n_pages, n_pages_all;
};
/* How old a page may be: of a list that goes on by time, or of any. Whoever
 * asks for all of it anew wants none of an hour ago. */
static inline int64_t documents_pages_age_ms(const struct documents_fetch *f,
					     bool by_time)
{
	return by_time && !f->anew ? DOCUMENTS_PAGES_MS
				   : DOCUMENTS_PAGES_YOUNG_MS;
}
/* Older pages than most_age_ms are asked for again. */
void documents_pages_init(struct documents_pages *, struct documents *,
			  const char *key, int64_t most_age_ms);
void documents_pages_done(struct documents_pages *);
DEFINE_CLEANUP_DONE(struct documents_pages, documents_pages_done);
/* All pages have come, before what is made of them is stored; or, with r < 0,
 * the list is broken off, and what came of it is written. */
void documents_pages_end(struct documents_pages *, int r);
/* What a failure of the list is, with the status of the last answer: of the
 * first page as documents_refused; that one of several is refused, or not
 * there, says nothing of the list. */
int documents_pages_refused(struct ctx *, struct documents_pages *,
			    const struct cache_entry *old, int r, long status);
/* When the oldest page came, wall clock; or before. */
int64_t documents_pages_since_ms(struct documents_pages *);
/* The batch stores the list: they go. */
void documents_pages_drop(const char *key, struct answer_batch *);

/* documents_fetch: what read_through calls for a collection. */
read_through_fetch documents_fetch_collection;
/* documents_collect: what is made of its items. */
struct collecting;
/* One item, in the order of the index. -EFBIG: there is no room for it, nor for
 * any that follows. */
int documents_collect_item(struct collecting *, const struct json *item);
/* One that is not of this collection (any more): its document alone. */
void documents_collect_other(struct collecting *, const struct json *item);
/* What another program derived of the answer (names is the collection's entry)
 * is made anew of what is kept: no request, and it is as fresh as it was. Where
 * too little is kept, it is outdated. */
void documents_collect_again(struct documents *, const struct resource *,
			     const struct scope *,
			     const struct cache_entry *names);
/* documents_index: index.tsv and index.json. */
struct documents_place;
struct documents_index {
	const struct resource_column *columns;
	const char *newest; /* their order: resource.newest */
	struct buf tsv, json;
	struct documents_place *places;
	size_t n_places, n_room;
};
void documents_index_begin(struct documents_index *,
			   const struct resource_column *, const char *newest,
			   size_t max_bytes);
/* line: of what the line is made. -EFBIG: there is no room for the item. */
int documents_index_add(struct documents_index *, const struct json *item,
			const struct json *line);
/* After the last item: both are whole. */
void documents_index_end(struct documents_index *);
void documents_index_done(struct documents_index *);
DEFINE_CLEANUP_DONE(struct documents_index, documents_index_done);

/* documents_update: the items of a dated collection from what is stored and
 * what was changed since. 1: it has to be walked whole; 0; -errno. */
int documents_update(struct ctx *, struct documents_fetch *, const char *path,
		     const struct cache_entry *old, struct collecting *,
		     bool *ret_more);
/* Whether a list can be brought up to date from the old one: it was walked
 * whole within every_ms, because what was deleted tells nobody. */
bool documents_may_update(const struct documents_fetch *,
			  const struct cache_entry *old, int64_t every_ms);
/* bitbucket_list of what was changed since, whatever its path. 1: there is more
 * than list->most. */
int documents_list_changed(struct ctx *, const struct documents_fetch *,
			   const char *path, const char *since,
			   struct bitbucket_list *);

#endif
