/*
 * content/documents, runs of branches: the newest run of each, of a list of
 * pipelines that is at hand. Decoded like a collection, and kept like one while
 * the list is of the same version.
 */
#include "content/documents_private.h"

#include "base/map.h"
#include "base/text.h"

struct branch {
	UT_hash_handle hh;
	int64_t number, time_ms;
	char name[]; /* as a path of file names */
};

/* A slash is a directory; each part is safe as a file's name. */
static void path_of(const char *branch, struct buf *out)
{
	for (;; branch++) {
		size_t n = strcspn(branch, "/");
		cleanup(free) char *part = mem_dup0(branch, n);
		cleanup(buf_done) struct buf name = BUF_INIT(0);

		text_file_name(&name, part, NULL);
		buf_puts(out, name.data);
		branch += n;
		if (!*branch)
			return;
		buf_putc(out, '/');
	}
}

static void add_run(struct branch **branches, const struct json *run)
{
	const char *name = pipelines_branch(run);
	int64_t number = json_int(run, "build_number", 0);
	cleanup(buf_done) struct buf path = BUF_INIT(4 * KIB);
	struct branch *b;

	if (!name || number <= 0)
		return;
	path_of(name, &path);
	if (path.failed)
		return;
	HASH_FIND(hh, *branches, path.data, path.len, b);
	if (!b) {
		b = mem_calloc(1, sizeof(*b) + path.len + 1);
		memcpy(b->name, path.data, path.len);
		HASH_ADD_KEYPTR(hh, *branches, b->name, path.len, b);
	} else if (number < b->number) {
		return;
	}
	b->number = number;
	b->time_ms = resource_time(run, "completed_on|created_on");
}

/* A branch, and later one below its name, may both have run: one gives way. */
static bool gives_way(struct branch *branches, const struct branch *b)
{
	const struct branch *other;

	for (other = branches; other; other = other->hh.next) {
		size_t n = strlen(b->name), m = strlen(other->name);

		if (n != m && other->number > b->number &&
		    !strncmp(b->name, other->name, n < m ? n : m) &&
		    (n < m ? other->name[n] : b->name[m]) == '/')
			return true;
	}
	return false;
}

/* As content/collection.c decodes it. */
static void encode(struct branch *branches, struct buf *out)
{
	cleanup(json_free) struct json *top = json_new_object();
	struct json *items = json_add_array(top, "items");

	for (struct branch *b = branches; b; b = b->hh.next) {
		char id[24];
		struct json *item;

		if (gives_way(branches, b))
			continue;
		snprintf(id, sizeof(id), "%lld", (long long)b->number);
		item = json_append_object(items);
		json_add_str(item, "name", b->name);
		json_add_str(item, "id", id);
		json_add_str(item, "hash", id);
		json_add_int(item, "time", b->time_ms);
	}
	(void)json_compact(top, out);
}

static int decode(const struct cache_entry *list, struct collection **ret)
{
	cleanup(json_free) struct json *runs = answer_json(list);
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	struct branch *branches = NULL, *b, *next;

	JSON_EACH (run, runs)
		add_run(&branches, run);
	encode(branches, &text);
	HASH_ITER (hh, branches, b, next) {
		HASH_DEL(branches, b);
		free(b);
	}
	return collection_decode(&resource_repository, text.data, text.len,
				 ret);
}

int documents_branch_runs(struct documents *d, const struct scope *scope,
			  struct collection **ret_runs)
{
	cleanup(free) char *json = mem_asprintf("%s#index.json", scope->key);
	cleanup(free) char *key = mem_asprintf("%s#by-branch", scope->key);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_at_hand(d->config.cache, json, false);
	struct collection *c;
	int r;

	if (!e)
		return -ENOENT;
	c = lru_get(&d->kept, key, strlen(key));
	if (c && c->version == e->version) {
		*ret_runs = c;
		return 0;
	}
	collection_unref(c);
	cache_entry_free(e);
	e = answer_at_hand(d->config.cache, json, true);
	r = e ? decode(e, &c) : -ENOENT;
	if (r < 0)
		return r;
	c->version = e->version;
	lru_put(&d->kept, key, strlen(key), c, 1);
	*ret_runs = c;
	return 0;
}
