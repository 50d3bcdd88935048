/*
 * table/resource: the table. One row per name that the mount makes of the
 * API's answers: which endpoint answers, how it is paged, how long an answer
 * is believed, which files are made of it, which columns its index has. Adding
 * a resource is adding a row.
 *
 * The rows of a place are in src/table/, a file a place. Must never know
 * FUSE, nodes, the cache or the network.
 */
#ifndef TABLE_RESOURCE_H
#define TABLE_RESOURCE_H

#include "base/json.h"

/* A value of an item: a column of index.tsv, a line of `info`. */
struct resource_column {
	const char *name; /* NULL ends the columns */
	/* Where it is; alternatives between '|', the first that is there, not
	 * empty if possible. Numbers and booleans as JSON writes them. */
	const char *path;
	/* Instead, if not NULL: adds the value (one line). */
	void (*render)(const struct json *item, struct buf *out);
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
};
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

/* Which of a collection's items its directory lists. Every one of them can be
 * entered by its name, and the indexes have them all: a walk that enters what
 * is listed is not to cost more the older a repository grows. */
enum resource_listing {
	RESOURCE_LISTS_ALL,
	RESOURCE_LISTS_NEWEST, /* the newest few: `-o listed=N` */
	RESOURCE_LISTS_NONE,   /* the indexes alone */
};

/* What is in a directory beside what a row can say; tree/ knows how. */
enum resource_special {
	RESOURCE_PLAIN,
	RESOURCE_DEFAULT_TREE, /* the files of the default branch */
	RESOURCE_BRANCHES,     /* one tree per branch */
	RESOURCE_TAGS,
	RESOURCE_COMMIT_TREE,  /* the files at the item's commit */
	RESOURCE_COMMITS,      /* any commit by lookup */
	RESOURCE_LOG,          /* a step's log, which may grow */
	RESOURCE_SERVICE_LOGS, /* those of a step's services, likewise */
	RESOURCE_DOWNLOADS,    /* items are files, streamed */
	RESOURCE_REPOSITORIES, /* repositories.tsv and .json: the workspace's
				* listing */
	RESOURCE_PROJECT_VIEW, /* symlinks to the project's repositories */
};

struct resource;

/* The items of a collection as directories. */
struct resource_items {
	/* Adds the file name (made safe by others) and what endpoints call
	 * it; NULL: the value at *_path. */
	void (*name)(const struct json *item, struct buf *out);
	const char *name_path, *id_path;
	bool is_numbered; /* names begin with the place in the list: "1-build"
			   */
	const char *time_path; /* alternatives; its directory's mtime */
	/* It is in another place: the text of a symbolic link to it. NULL: it
	 * is a directory here. */
	void (*link)(const char *id, struct buf *target);
	/* One by its id, when the collection does not have it; NULL: those of
	 * the collection are all. Placeholders as in a row's. */
	const char *endpoint;
	/* Names that may be asked for with it; NULL: none but those listed. An
	 * answer whose id is another one (a short commit id) is that item. */
	bool (*is_name)(const char *name);
	/* The names are numbers, and none of them is an id: the endpoint is
	 * tried with the number, then the page where it has to be is looked
	 * for. Of RESOURCE_NUMBERED, the newest first. */
	bool has_numbers;
	/* The name of the row beside the items where this one belongs
	 * ("merged"), "" for among them; NULL: always among them. */
	const char *(*where)(const struct json *item);
	/* The answer is final: it is never asked for again. */
	bool (*is_final)(const struct json *item);
	/* Of items that are files (endpoint has their bytes): what another
	 * content has another of; NULL: the whole item. */
	void (*content)(const struct json *item, struct buf *out);
	const struct resource_file *files;
	const struct resource *rows;
	enum resource_special special; /* in the directory of each */
};

/* Where the endpoint is known to redirect to: the item that the row is in has
 * a link to it. */
struct resource_direct {
	const char *link;     /* where the link is: "links.diff.href" */
	const char *endpoint; /* what it begins with, without a query: what
			       * follows after it is taken from the link */
};

struct resource {
	const char *name; /* in its directory; NULL ends the rows */
	enum resource_kind kind;
	/*
	 * Below api_url, percent-encoded, with a query. {ws} {repo} are uuids
	 * (slugs where nobody told these: a slug may be another's by now), {1}
	 * {2} the ids of the items on the way, outermost first, {me} the
	 * account's uuid.
	 */
	const char *endpoint;
	const struct resource_direct *direct; /* or NULL */
	const char *q;  /* RESOURCE_NEWEST: the filter, not encoded; or NULL */
	const char *id; /* what tells the items apart; NULL: those of items, or
			 * "uuid" */
	enum resource_paging paging;
	enum resource_special special;
	enum resource_listing listing;
	int64_t ttl_s; /* how long an answer is believed */
	/* The answer is final when the item that the row is below is. */
	bool (*is_final_below)(const struct json *above);
	bool may_lack;    /* 404: there is nothing, which is no error */
	bool is_dated;    /* what was changed since can be asked for alone
			   * (q=updated_on>=…) */
	bool is_history;  /* grows for ever: bounded to the newest */
	bool is_lazy;     /* what is in it is known otherwise (special): only
			   * its index is asked for, when it is looked at */
	bool is_computed; /* when it is asked for, which takes long or times
			   * out (555): asked with patience */
	bool is_beside;   /* its items are those of the row above, in another
			   * state: merged/ in pullrequests/ */
	bool is_shy;      /* listed only while it is at hand: in .bitbucketfs/
			   * nothing is listed that costs anything
			   * (src/model/README.md, 13) */
	bool is_unlisted; /* found by its name alone */
	/* There only where the object of the directory, the repository's or an
	 * item's, has this member and not false; or NULL. */
	const char *needs;
	const struct resource_column *columns; /* of index.tsv */
	/* Made of the whole answer; of a collection: an array of its items. */
	const struct resource_file *files;
	const struct resource *rows;
	const struct resource_items *items; /* NULL: lines of the index alone */
};

/* The places where rows begin. Their own answer is got by others. */
extern const struct resource resource_repository; /* <ws>/<repo>/ */
extern const struct resource resource_workspace;  /* <ws>/.workspace/ */
extern const struct resource resource_account;    /* .bitbucketfs/account/ */
/* Of <ws>/.workspace/repositories.tsv. */
extern const struct resource_column resource_repository_columns[];
/* .bitbucketfs/user.json, made of /user. */
extern const struct resource_file resource_user[];

size_t resource_n_files(const struct resource_file *files); /* NULL: 0 */
const struct resource_file *resource_find_file(const struct resource_file *,
					       const char *name);
const struct resource *resource_find_row(const struct resource *rows,
					 const char *name);

/* Parses and renders. -EBADMSG when body is no JSON object; -EMSGSIZE over
 * 64 MiB. */
int resource_render(const struct resource_file *, const char *body, size_t n,
		    struct buf *out);
/* The value of a column, one line; nothing when it has none. */
void resource_value(const struct resource_column *, const struct json *item,
		    struct buf *out);
/* The first of the alternatives that is there, not empty if possible; or
 * NULL. */
const struct json *resource_at(const struct json *, const char *path);
/* index.tsv: its first line; one line. */
void resource_tsv_header(const struct resource_column *, struct buf *out);
void resource_tsv_line(const struct resource_column *, const struct json *item,
		       struct buf *out);

#endif
