/*
 * content/usage: what the stores have is told apart by the uuid of a
 * repository: it names the stores of git, and the keys of its answers, its
 * downloads and its logs begin with "repo/{uuid}". Its own answer has its name.
 */
#include "content/usage.h"

#include "base/ctx.h"
#include "base/json.h"
#include "store/cache.h"
#include "store/evict.h"
#include "store/spool.h"

#include <unistd.h>

#define PREFIX "repo/{"

static struct usage_repository *find(struct usage *usage, const char *uuid,
				     size_t n)
{
	struct usage_repository *r;

	HASH_FIND(hh, usage->all, uuid, n, r);
	if (r)
		return r;
	r = mem_calloc(1, sizeof(*r));
	r->uuid = mem_dup0(uuid, n);
	HASH_ADD_KEYPTR(hh, usage->all, r->uuid, n, r);
	return r;
}

/* The uuid in a key, and what follows it; NULL: it is of no repository. */
static const char *uuid_in(const char *key, size_t *ret_n, const char **ret_end)
{
	const char *uuid = key + strlen(PREFIX);

	if (strncmp(key, PREFIX, strlen(PREFIX)) != 0)
		return NULL;
	*ret_n = strcspn(uuid, "}");
	*ret_end = uuid + *ret_n + 1;
	return uuid[*ret_n] && *ret_n ? uuid : NULL;
}

static struct usage_repository *of_key(struct usage *usage, const char *key,
				       const char **ret_end)
{
	size_t n;
	const char *uuid = uuid_in(key, &n, ret_end);

	return uuid ? find(usage, uuid, n) : NULL;
}

static void note_use(struct usage_repository *r, int64_t used_ms)
{
	if (r->used_ms < used_ms)
		r->used_ms = used_ms;
}

/* ---- the stores ---- */

static int add_store(void *arg, const struct evict_repository *store)
{
	struct usage_repository *r =
		find(arg, store->uuid, strlen(store->uuid));

	r->n_git = store->n_packs + store->n_other;
	r->n_big = store->n_big;
	r->kept = store->kept;
	r->has_store = true;
	note_use(r, store->used_ms);
	return 0;
}

static int add_spool(void *arg, const struct spool_seen *seen)
{
	const char *end;
	struct usage_repository *r = of_key(arg, seen->key, &end);

	if (!r)
		return 0;
	r->n_files += seen->n_bytes;
	note_use(r, seen->used_ms);
	return 0;
}

static void take_name(struct usage_repository *r, const struct cache_seen *seen)
{
	cleanup(json_free) struct json *json = NULL;
	const void *body = seen->body(seen);

	if (!body || json_parse(body, seen->n_bytes, &json) < 0)
		return;
	if (json_str(json, "full_name") && !r->name)
		r->name = mem_strdup(json_str(json, "full_name"));
}

/* The row of a listing alone says nothing of whether anybody has looked. */
static int add_answer(void *arg, const struct cache_seen *seen)
{
	const char *end;
	struct usage_repository *r = of_key(arg, seen->key, &end);

	if (!r)
		return 0;
	if (!*end) {
		take_name(r, seen);
		return 0;
	}
	r->n_answers += seen->n_bytes;
	note_use(r, seen->fetched_ms);
	return 0;
}

/* ---- the whole ---- */

static int most_first(const void *a, const void *b)
{
	const struct usage_repository *x = *(struct usage_repository *const *)a;
	const struct usage_repository *y = *(struct usage_repository *const *)b;
	uint64_t n = usage_bytes(x), m = usage_bytes(y);

	if (n != m)
		return n < m ? 1 : -1;
	return strcmp(x->name ? x->name : x->uuid, y->name ? y->name : y->uuid);
}

static void sum_up(struct usage *usage)
{
	struct usage_repository *r, *next;
	uint64_t n_items = 0;

	usage->items = mem_calloc(HASH_COUNT(usage->all) + 1,
				  sizeof(struct usage_repository *));
	HASH_ITER (hh, usage->all, r, next) {
		if (!usage_bytes(r))
			continue;
		usage->items[usage->n_items++] = r;
		n_items += usage_bytes(r);
	}
	if (usage->n_items)
		qsort(usage->items, usage->n_items,
		      sizeof(struct usage_repository *), most_first);
	/* Answers are counted by their bytes, the rest by blocks of the disk.
	 */
	usage->n_rest = usage->n_bytes > n_items ? usage->n_bytes - n_items : 0;
}

static int fail(struct ctx *ctx, const char *dir, int r)
{
	switch (r) {
	case -EPROTO:
		return ctx_fail(ctx, r,
				"%s/cache.db is of a later version of "
				"bitbucketfs: take that one",
				dir);
	case -EBADMSG:
		return ctx_fail(ctx, r,
				"%s/cache.db is damaged: the next mount sets "
				"it aside and fetches anew",
				dir);
	case -EBUSY:
		return ctx_fail(ctx, r,
				"%s/cache.db is locked by another program: try "
				"again in a moment",
				dir);
	default:
		return ctx_fail(ctx, r, "the cache in %s cannot be read: %s",
				dir, strerror(-r));
	}
}

int usage_read(struct ctx *ctx, const char *dir, struct usage *ret)
{
	cleanup(usage_done) struct usage usage = {0};
	cleanup(free) char *spools = mem_asprintf("%s/spool", dir);
	struct evict_use use = {0};
	int r = evict_measure(dir, &use, add_store, &usage);

	if (r == 0)
		r = spool_each(spools, add_spool, &usage);
	if (r == 0)
		r = cache_each(dir, add_answer, &usage);
	if (r < 0 && r != -ENOENT)
		return fail(ctx, dir, r);
	usage.n_bytes = use.n_bytes;
	usage.n_kept = use.n_kept;
	sum_up(&usage);
	*ret = usage;
	usage = (struct usage){0};
	return 0;
}

void usage_done(struct usage *usage)
{
	struct usage_repository *r, *next;

	HASH_ITER (hh, usage->all, r, next) {
		HASH_DEL(usage->all, r);
		free(r->uuid);
		free(r->name);
		free(r);
	}
	free(usage->items);
	*usage = (struct usage){0};
}

bool usage_is_of(const struct usage_repository *r, const char *name)
{
	size_t n = strlen(name);

	return r->name && !strncmp(r->name, name, n) &&
	       (!r->name[n] || (r->name[n] == '/' && !strchr(name, '/')));
}

/* ---- dropping ---- */

struct dropping {
	const struct usage_repository *of;
	uint64_t n_freed;
	int first;
};

static int drop(void *arg, const struct spool_seen *seen)
{
	struct dropping *d = arg;
	const char *end, *uuid;
	size_t n;

	uuid = uuid_in(seen->key, &n, &end);
	if (!uuid || strlen(d->of->uuid) != n || strncmp(uuid, d->of->uuid, n))
		return 0;
	if (unlink(seen->path) == 0)
		d->n_freed += seen->n_bytes;
	else if (errno != ENOENT && !d->first)
		d->first = -errno;
	return 0;
}

int usage_drop_files(const char *dir, const struct usage_repository *of,
		     uint64_t *ret_freed)
{
	cleanup(free) char *spools = mem_asprintf("%s/spool", dir);
	struct dropping dropping = {.of = of};
	int r = spool_each(spools, drop, &dropping);

	*ret_freed = dropping.n_freed;
	return r < 0 ? r : dropping.first;
}
