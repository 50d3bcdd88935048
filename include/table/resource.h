/*
 * table/resource: the table. One row per name that the mount makes of the API's
 * answers: which endpoint answers, how it is paged, how long an answer is
 * believed, which files are made of it, which columns its index has. Adding a
 * resource is adding a row.
 *
 * The rows of a place are in src/table/, a file a place. Must never know FUSE,
 * nodes, the cache or the network.
 */
#ifndef TABLE_RESOURCE_H
#define TABLE_RESOURCE_H

#include "base/json.h"

enum resource_form {
	RESOURCE_AS_IT_IS, /* but a list is "a,b,c" */
	RESOURCE_TIME,     /* 2026-10-31T09:01:00Z, however the service writes
			    * it; what is no time as it is */
	RESOURCE_TRUTH,    /* true or false, else nothing is said */
	RESOURCE_LINE,     /* the first line of a text */
	RESOURCE_JIRA,     /* "WID-12,WID-7": the distinct Jira keys in all the
			    * texts at the alternatives, in order */
	RESOURCE_LIST,     /* "ada,grace": of path "ARRAY:PATH" the text at PATH
			    * in each */
};

/* A value of an item: a column of index.tsv, a line of `info`. */
struct resource_column {
	const char *name; /* NULL ends the columns */
	/* Path of the value; alternatives are separated by '|': the first that
	 * exists and is not empty is taken. Numbers and booleans as JSON writes
	 * them. */
	const char *path;
	/* If not NULL, used instead of path: adds the value (one line). */
	void (*render)(const struct json *item, struct buf *out);
	enum resource_form form;
};

/* A plain file made of a JSON answer. */
struct resource_file {
	const char *name; /* NULL ends the files */
	/* Adds the file's bytes. Deterministic: the same answer gives the same
	 * bytes. Odd or missing members leave lines out, never fail. */
	int (*render)(const struct resource_file *, const struct json *answer,
		      struct buf *out);
	const char *path;                      /* for resource_text */
	const struct resource_column *columns; /* for resource_info */
	/* Of an item: rows below it whose lists the file shows, when they are
	 * at hand; NULL ends them. The answer is then {"item": …} with a
	 * member for each of these rows, an array. */
	const char *const *with;
	/* Of an item: where it names commits, mostly by their first digits. In
	 * the answer a member with the column's name is the whole id of each
	 * that is known to git without asking. At most RESOURCE_COMMITS_MOST.
	 */
	const struct resource_column *commits;
	/* Of an item of a collection with names beside (resource.beside): in
	 * the answer RESOURCE_NAME_BESIDE is the name, when it is at hand. */
	bool is_named;
};
#define RESOURCE_COMMITS_MOST 3
/* Renderers: the answer pretty-printed; a line for each column that has a
 * value; the text at path (alternatives as above), ended by a newline. */
int resource_json(const struct resource_file *, const struct json *,
		  struct buf *out);
int resource_info(const struct resource_file *, const struct json *,
		  struct buf *out);
int resource_text(const struct resource_file *, const struct json *,
		  struct buf *out);

enum resource_kind {
	RESOURCE_GROUP,      /* a directory of other rows: costs nothing */
	RESOURCE_OBJECT,     /* a directory; its files are one object's */
	RESOURCE_COLLECTION, /* a directory of one paged set */
	RESOURCE_TEXT,       /* a plain file: the bytes of one answer */
};

enum resource_paging {
	RESOURCE_NEXT,     /* the page says where the next one is */
	RESOURCE_NUMBERED, /* page=2, 3 … while `size` says that there are */
	RESOURCE_NEWEST,   /* by created_on, each page below the last item of
			    * the one before (`q`): page numbers would shift */
	RESOURCE_WHOLE,    /* an array, or an object whose `values` are all */
	RESOURCE_PARTS,    /* one multipart answer: its parts that have names
			    * are the files of the directory, which has no
			    * index */
};

/* Which of a collection's items its directory lists. All of them are in the
 * indexes and can be entered by name; but a walk that enters every listed
 * directory must not cost more and more as a repository grows older. */
enum resource_listing {
	RESOURCE_LISTS_ALL,
	RESOURCE_LISTS_NEWEST, /* the newest few: `-o listed=N` */
	RESOURCE_LISTS_NONE,   /* the indexes alone */
};

/* What a directory has that a row cannot say; model/ knows how. */
enum resource_special {
	RESOURCE_PLAIN,
	RESOURCE_DEFAULT_TREE, /* the files of the default branch */
	RESOURCE_BRANCHES,     /* one tree per branch */
	RESOURCE_TAGS,
	RESOURCE_COMMIT_TREE,  /* the files at the item's commit */
	RESOURCE_COMMITS,      /* any commit by lookup */
	RESOURCE_LOG,          /* a step's log, which may grow */
	RESOURCE_SERVICE_LOGS, /* the logs of a step's services, likewise */
	RESOURCE_DOWNLOADS,    /* items are files, streamed */
	RESOURCE_CONTROL,      /* .bitbucketfs */
	/* The items have an identity beside their names, and are kept by their
	 * uuids: workspaces, and the repositories of one. content/ knows how.
	 */
	RESOURCE_WORKSPACES,
	RESOURCE_REPOSITORIES,
	RESOURCE_REPOSITORY,       /* in the directory of each */
	RESOURCE_ABOUT_WORKSPACE,  /* kept by the workspace's uuid, too */
	RESOURCE_REPOSITORY_FILES, /* the indexes of all repositories of the
				    * workspace */
	RESOURCE_REVIEW,           /* what waits for the account's review */
	RESOURCE_RED,              /* the main branches that fail */
	RESOURCE_BY_BRANCH,        /* symlinks to each branch's newest run */
	RESOURCE_PROJECT_VIEW,     /* symlinks to the project's repositories */
};

struct resource;

/* An item, beside the list before. */
enum resource_event {
	RESOURCE_ITEM_NEW,
	RESOURCE_ITEM_UPDATED,
	RESOURCE_ITEM_GONE,
};
/* The items of a collection as directories. */
struct resource_items {
	/* Adds the item's file name (others escape it), and the id that
	 * endpoints take; NULL: the value at *_path. */
	void (*name)(const struct json *item, struct buf *out);
	const char *name_path, *id_path;
	/* Their documents are kept under this and the id, wherever the
	 * collection is; NULL: under the collection's key. */
	const char *key;
	/* names begin with the position in the list: "1-build" */
	bool is_numbered;
	const char *time_path; /* alternatives; its directory's mtime */
	/* The item's directory is elsewhere: adds the target of a symbolic link
	 * to it. NULL: the item is a directory here. */
	void (*link)(const char *id, struct buf *target);
	/* Endpoint of one item by its id, for items that the collection does
	 * not have; NULL: the collection has all. Placeholders as in a row's.
	 */
	const char *endpoint;
	/* Whether a name may be asked for at that endpoint; NULL: only names
	 * that are listed. An answer with another id (of a short commit id) is
	 * the item with that id. */
	bool (*is_name)(const char *name);
	/* Names are numbers, but ids are not: the endpoint is tried with the
	 * number, then the page that must have it is looked for. Of
	 * RESOURCE_NUMBERED lists, the newest first. */
	bool has_numbers;
	/* The row in which the item is found: a sibling row ("merged"), or ""
	 * for this collection; NULL: always this one. */
	const char *(*where)(const struct json *item);
	/* Whether the answer is final: it is never asked for again. */
	bool (*is_final)(const struct json *item);
	/* What is told of an item that is new in the list, or has another
	 * answer now (or, gone from it, may have one by now): for people, one
	 * line; nothing is added: nothing is told. NULL: of none. */
	void (*event)(const struct json *item, enum resource_event,
		      struct buf *what);
	/* Not of one with the same time: of an open pull request the answer is
	 * another one after each push to where it goes. */
	bool is_event_later;
	/* Of items that are files (endpoint has their bytes): adds what differs
	 * when the bytes differ; NULL: the whole item. */
	void (*content)(const struct json *item, struct buf *out);
	const struct resource_file *files;
	const struct resource *rows;
	enum resource_special special; /* in the directory of each */
};

/* The URL that the endpoint redirects to, known beforehand: the item above the
 * row has a link to it. Saves the request that would be redirected. */
struct resource_direct {
	const char *link; /* where the link is: "links.diff.href" */
	/* how the link begins, without a query; what follows is taken from the
	 * link */
	const char *endpoint;
	/* The item's commits are its last, so that the link is, too. NULL: it
	 * is as old as the item. */
	bool (*is_final)(const struct json *item);
};

/* Items name another thing by its id, and the list of those, in the directory
 * beside, has its name: the lines of the index are made of items that have it
 * as RESOURCE_NAME_BESIDE, when that list is at hand. */
struct resource_beside {
	const char *at;  /* of an item: the id */
	const char *row; /* the list's */
	const char *id, *name;
};
#define RESOURCE_NAME_BESIDE "name_beside"
/* FAILED, INPROGRESS, STOPPED or SUCCESSFUL, the worst of all. */
#define RESOURCE_BUILDS "builds_at_hand"

struct resource {
	const char *name; /* in its directory; NULL ends the rows */
	enum resource_kind kind;
	/* Below api_url, percent-encoded, with a query. {ws} {repo} are uuids
	 * (slugs while a uuid is not known: a slug may be another repository's
	 * later), {1} {2} the ids of the items on the way, outermost first,
	 * {me} the account's uuid. */
	const char *endpoint;
	const struct resource_direct *direct; /* or NULL */
	const char *q; /* RESOURCE_NEWEST: the filter, not encoded; or NULL */
	/* path of what tells items apart; NULL: id of `items`, or "uuid" */
	const char *id;
	enum resource_paging paging;
	enum resource_special special;
	enum resource_listing listing;
	int64_t ttl_s; /* how long an answer is believed */
	/* Whether the answer is final, by the item that the row is below. */
	bool (*is_final_below)(const struct json *above);
	bool may_lack; /* 404 and 204 mean that there is nothing: no error */
	/* items changed since a time can be asked for alone (q=updated_on>=…)
	 */
	bool is_dated;
	const struct resource_beside *beside; /* or NULL */
	/* Path of the commit of an item: the lines of the index are made of
	 * items that have as RESOURCE_BUILDS what is at hand of its builds.
	 * NULL: items are of no commit. */
	const char *builds;
	bool is_builds; /* its items tell of them */
	/* The order of its indexes: by the time at these paths, the newest
	 * first. NULL: as the items come. */
	const char *newest;
	bool is_history; /* grows for ever: bounded to the newest */
	/* its names come from elsewhere (special); only its index is asked for,
	 * when somebody looks at it */
	bool is_lazy;
	/* computed by the service when asked for, which takes long or times out
	 * (555): asked with patience */
	bool is_computed;
	/* its items are items of the row above in another state: merged/ in
	 * pullrequests/ */
	bool is_beside;
	bool is_shy;      /* listed only while it is at hand: in .bitbucketfs/
			   * nothing is listed that costs anything
			   * (src/model/README.md, 13) */
	bool is_unlisted; /* found by its name alone */
	/* The row exists only if the directory's object (the repository's or an
	 * item's) has this member and it is not false. NULL: always. */
	const char *needs;
	const struct resource_column *columns; /* of index.tsv */
	/* Files made of the whole answer; of a collection: of an array of its
	 * items. */
	const struct resource_file *files;
	const struct resource *rows;
	const struct resource_items *items; /* NULL: lines of the index alone */
};

/* The places where rows begin. */
extern const struct resource resource_workspaces;   /* the root */
extern const struct resource resource_repositories; /* <ws>/ */
extern const struct resource resource_repository;   /* <ws>/<repo>/ */
extern const struct resource resource_workspace[];  /* <ws>/.workspace/ */
extern const struct resource resource_account;      /* .bitbucketfs/account/ */
/* Of <ws>/.workspace/repositories/index.tsv. */
extern const struct resource_column workspace_repository_columns[];
/* Of <ws>/.workspace/review-requested/index.tsv. */
extern const struct resource_column pullrequest_review_columns[];
extern const char pullrequest_review_newest[]; /* as resource.newest */
/* Of <ws>/.workspace/red.tsv, whose items content/documents_red.c makes. */
extern const struct resource_column pipelines_red_columns[];
/* Of a run: the branch that it is of, also of a pull request's; NULL. That it
 * has ended, and did not do well. */
const char *pipelines_branch(const struct json *run);
bool pipelines_has_ended(const struct json *run);
bool pipelines_has_failed(const struct json *run);
extern const struct resource resource_user; /* .bitbucketfs/user.json */

size_t resource_n_files(const struct resource_file *files); /* NULL: 0 */
const struct resource_file *resource_find_file(const struct resource_file *,
					       const char *name);
const struct resource *resource_find_row(const struct resource *rows,
					 const char *name);

/* Parses and renders. -EBADMSG: body is not a JSON object; -EMSGSIZE over 64
 * MiB. */
int resource_render(const struct resource_file *, const char *body, size_t n,
		    struct buf *out);
/* Adds the value of a column, one line; adds nothing if there is none. */
void resource_value(const struct resource_column *, const struct json *item,
		    struct buf *out);
/* The first of the alternatives that exists and is not empty; else one that
 * exists; else NULL. */
const struct json *resource_at(const struct json *, const char *path);
/* The first of the alternatives that is a time (clock_parse_iso8601), wall
 * clock in ms; 0: none is, or path is NULL. */
int64_t resource_time(const struct json *, const char *path);
/* index.tsv: its first line; one line. */
void resource_tsv_header(const struct resource_column *, struct buf *out);
void resource_tsv_line(const struct resource_column *, const struct json *item,
		       struct buf *out);

#endif
