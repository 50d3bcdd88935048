/*
 * content/documents, builds at a glance: whether a commit was built, in a
 * column of the indexes that name commits. Of what is at hand: the
 * repository's list of pipelines, and what was said of the item's commit
 * (statuses/), which other build servers tell, too. Nothing is asked for.
 *
 * Those two come much more often than a list is looked at, so index.tsv is
 * made again only for who looks it up, and is marked with what it was made of.
 * The lists of statuses are many: `<repository>#statuses` stands for all of
 * them, and is another version once one of them has come or changed.
 */
#include "content/documents_builds.h"

#include "base/digest.h"
#include "base/map.h"

#include <inttypes.h>

#define DIGITS 12 /* of a commit's id, as pull requests name theirs */
#define TRIES 3

struct run {
	UT_hash_handle hh;
	char commit[DIGITS + 1];
	const char *state;
	int64_t number, time_ms;
};

/* The worst is what one has to know: the last that applies. */
static const char *const states[] = {
	"SUCCESSFUL",
	"STOPPED",
	"INPROGRESS",
	"FAILED",
};

static const char *worse(const char *a, const char *b)
{
	const char *worst = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if ((a && !strcmp(a, states[i])) ||
		    (b && !strcmp(b, states[i])))
			worst = states[i];
	return worst;
}

/* ---- what is at hand ---- */

/* The repository in which the scope of that key is; free it. */
static char *repository_of(const char *key)
{
	size_t n = strlen(resource_repositories.items->key);

	/* One without a uuid: "name:<workspace>/<slug>". */
	if (!strncmp(key + n, "name:", 5))
		n += strcspn(key + n, "/") + 1;
	return mem_asprintf("%.*s", (int)(n + strcspn(key + n, "/#")), key);
}

static uint64_t version_of(struct documents *d, const char *repository,
			   const char *name)
{
	cleanup(free) char *key = mem_asprintf("%s%s", repository, name);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_at_hand(d->config.cache, key, false);

	return e ? e->version : 0;
}

char *documents_builds_mark(struct documents *d, const char *key)
{
	cleanup(free) char *repository = repository_of(key);
	uint64_t runs = version_of(d, repository, "/pipelines#index.json");
	uint64_t statuses = version_of(d, repository, "#statuses");

	return runs || statuses
		       ? mem_asprintf("%s %" PRIu64 " %" PRIu64,
				      documents_derivation, runs, statuses)
		       : mem_strdup("");
}

void documents_builds_came(const struct scope *scope, const struct buf *list,
			   struct answer_batch *batch)
{
	cleanup(free) char *repository = repository_of(scope->key);
	char digest[41];
	char *text;

	digest_sha1_hex(list->data, list->len, digest);
	text = mem_asprintf("%s %s", scope->key, digest);
	answer_batch_own(batch, mem_asprintf("%s#statuses", repository), text,
			 strlen(text), FINAL_MS);
}

/* ---- the runs ---- */

static const char *state_of(const struct json *run)
{
	const char *stage = json_str(run, "state.name");
	const char *result = json_str(run, "state.result.name");

	if (!stage || strcmp(stage, "COMPLETED") != 0 || !result)
		return "INPROGRESS";
	return !strcmp(result, "SUCCESSFUL") || !strcmp(result, "STOPPED")
		       ? worse(result, NULL)
		       : "FAILED"; /* ERROR and EXPIRED, too */
}

static void add_run(struct documents_builds *b, const struct json *json)
{
	const char *hash = json_str(json, "target.commit.hash");
	int64_t number = json_int(json, "build_number", 0);
	struct run *run;

	if (!hash || strlen(hash) < DIGITS)
		return;
	HASH_FIND(hh, b->runs, hash, DIGITS, run);
	if (!run) {
		run = mem_calloc(1, sizeof(*run));
		memcpy(run->commit, hash, DIGITS);
		HASH_ADD(hh, b->runs, commit, DIGITS, run);
	} else if (number < run->number) {
		return;
	}
	run->number = number;
	run->state = state_of(json);
	run->time_ms = resource_time(json, "completed_on|created_on");
}

void documents_builds_init(struct documents_builds *b, struct documents *d,
			   const char *key)
{
	cleanup(free) char *repository = repository_of(key);
	cleanup(free) char *runs =
		mem_asprintf("%s/pipelines#index.json", repository);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_at_hand(d->config.cache, runs, true);
	cleanup(json_free) struct json *list = answer_json(e);

	*b = (struct documents_builds){
		.documents = d,
		.repository = steal(&repository),
	};
	b->has_statuses = version_of(d, b->repository, "#statuses") != 0;
	if (json_is_array(list))
		JSON_EACH (run, list)
			add_run(b, run);
}

void documents_builds_done(struct documents_builds *b)
{
	struct run *run, *next;

	HASH_ITER (hh, b->runs, run, next) {
		HASH_DEL(b->runs, run);
		free(run);
	}
	free(b->repository);
}

/* ---- of a commit ---- */

/* A pull request's statuses may be those of the commit that it had before. */
static bool is_of(const struct json *status, const char *hash)
{
	const char *of = json_str(status, "commit.hash");
	const char *link = json_str(status, "links.commit.href");
	size_t n;

	if (!of && link && strrchr(link, '/'))
		of = strrchr(link, '/') + 1;
	n = of ? strlen(of) : 0;
	return !of || !strncmp(of, hash, n < strlen(hash) ? n : strlen(hash));
}

/* The statuses at hand of the item's commit; NULL. */
static struct json *statuses_of(const struct documents_builds *b,
				const struct resource *row,
				const struct scope *scope,
				const struct json *item, const char *hash)
{
	cleanup(free) char *of = NULL;
	cleanup(free) char *key = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct buf id = BUF_INIT(64 * KIB);

	/* Those of a commit are with the commit. */
	if (row->items && !row->items->link) {
		const struct resource_column own = {"", row->items->id_path,
						    NULL};

		resource_value(&own, item, &id);
		of = scope_item_key(row, scope, id.data ? id.data : "");
		buf_done(&id);
	} else {
		of = mem_asprintf("%s/commits/@%s", b->repository, hash);
	}
	key = mem_asprintf("%s/statuses#index.json", of);
	e = answer_at_hand(b->documents->config.cache, key, true);
	return answer_json(e);
}

/* A run is told of by both: as it is, and by the service as a status of its
 * commit. What is younger is true. */
static const char *state_with(const struct run *run, const struct json *list,
			      const char *hash)
{
	const char *others = NULL, *own = run ? run->state : NULL;

	JSON_EACH (status, list) {
		const char *url = json_str(status, "url");
		const char *state = json_str(status, "state");

		if (!is_of(status, hash))
			continue;
		if (!run || !url || !strstr(url, "/pipelines/"))
			others = worse(others, state);
		else if (resource_time(status, "updated_on") > run->time_ms)
			own = state;
	}
	return worse(others, own);
}

struct json *documents_builds_of(const struct documents_builds *b,
				 const struct resource *row,
				 const struct scope *scope,
				 const struct json *item)
{
	const char *hash = json_str(item, row->builds), *state;
	cleanup(json_free) struct json *list = NULL;
	struct run *run = NULL;
	struct json *with;

	if (!hash || !*hash)
		return NULL;
	if (strlen(hash) >= DIGITS)
		HASH_FIND(hh, b->runs, hash, DIGITS, run);
	if (b->has_statuses)
		list = statuses_of(b, row, scope, item, hash);
	state = state_with(run, list, hash);
	if (!state)
		return NULL;
	with = json_copy(item);
	json_add_str(with, RESOURCE_BUILDS, state);
	return with;
}

/* ---- index.tsv ---- */

static void write_lines(struct documents *d, const struct resource *row,
			const struct scope *scope, const struct json *items,
			struct buf *out)
{
	struct documents_builds b;

	documents_builds_init(&b, d, scope->key);
	resource_tsv_header(row->columns, out);
	JSON_EACH (item, items) {
		cleanup(json_free) struct json *with =
			documents_builds_of(&b, row, scope, item);

		resource_tsv_line(row->columns, with ? with : item, out);
	}
	documents_builds_done(&b);
}

/*
 * 1. A reads index.json, to make index.tsv again.
 * 2. B has asked for the list, and stores both files.
 * 3. A would put what it made of the older list beside the newer index.json.
 * So it is put instead of the index.tsv that was there before 1, or not at
 * all: -ESTALE.
 */
static int make(struct documents *d, const struct resource *row,
		const struct scope *scope, const char *key, const char *mark)
{
	cleanup(free) char *json = mem_asprintf("%s#index.json", scope->key);
	cleanup(cache_entry_free) struct cache_entry *tsv =
		answer_at_hand(d->config.cache, key, false);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_at_hand(d->config.cache, json, true);
	cleanup(json_free) struct json *items = answer_json(e);
	cleanup(buf_done) struct buf text = BUF_INIT(CACHE_MAX_BODY);

	if (!tsv || !json_is_array(items))
		return -ENOENT;
	write_lines(d, row, scope, items, &text);
	if (text.failed)
		return -EFBIG;
	return cache_put(d->config.cache,
			 &(struct cache_put){
				 .key = key,
				 .body = text.data,
				 .n_body = text.len,
				 .etag = mark,
				 .ttl_ms = tsv->left_ms > 0 ? tsv->left_ms : 0,
				 .instead_of = tsv->version,
			 },
			 1, NULL);
}

/* One of those who look makes it. */
static int make_once(struct documents *d, const struct resource *row,
		     const struct scope *scope, const char *key,
		     const char *mark)
{
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = flight_join(&ctx, d->making, key);
	if (r != FLIGHT_LEAD)
		return r < 0 ? r : 0;
	r = make(d, row, scope, key, mark);
	/* Who waited looks again, whatever came of it. */
	flight_land(d->making, key, 0, NULL);
	return r;
}

int documents_index_file(struct documents *d, const struct resource *row,
			 const struct scope *scope, const char *name,
			 struct document_file *ret_file)
{
	cleanup(free) char *key = NULL;

	if (!row->builds || strcmp(name, "index.tsv") != 0)
		return documents_file(d, scope, name, ret_file);
	key = mem_asprintf("%s#index.tsv", scope->key);
	for (unsigned i = 0; i < TRIES; i++) {
		cleanup(free) char *mark = documents_builds_mark(d, scope->key);
		int r;

		if (documents_stored(d, key, mark, ret_file))
			return 0;
		r = make_once(d, row, scope, key, mark);
		if (r < 0 && r != -ESTALE)
			break;
	}
	/* As it is: without the builds, or with those of a moment ago. */
	return documents_file(d, scope, name, ret_file);
}
