/*
 * content/documents, a collection: written into its files as the items come,
 * stored in one transaction. documents_fetch.c brings the items.
 */
#include "content/documents_collecting.h"

#include "base/digest.h"
#include "base/map.h"
#include "base/text.h"

#include "api/multipart.h"

#include <inttypes.h>

/* Names of ours in every collection's directory. */
static const char *const own_names[] = {"index.tsv", "index.json", "more",
					NULL};

static void collecting_done(struct collecting *c)
{
	struct taken *t, *next;

	HASH_ITER (hh, c->taken, t, next) {
		HASH_DEL(c->taken, t);
		free(t);
	}
	answer_batch_done(&c->batch);
	json_free(c->names);
	json_free(c->whole);
	json_free(c->beside);
	free(c->mark);
	free(c->builds_mark);
	documents_builds_done(&c->builds);
	documents_index_done(&c->index);
}

/* ---- names ---- */

static void value_at(const struct json *item, const char *path, struct buf *out)
{
	const struct resource_column column = {"", path, NULL};

	resource_value(&column, item, out);
}

static bool is_own(const struct resource *row, const char *name)
{
	for (size_t i = 0; own_names[i]; i++)
		if (!strcmp(own_names[i], name))
			return true;
	return resource_find_file(row->files, name) ||
	       resource_find_row(row->rows, name);
}

/* The first byte written %XX, when the whole name is one of ours. */
static void dodge(const struct resource *row, struct buf *name)
{
	cleanup(free) char *old = NULL;

	if (!is_own(row, name->data))
		return;
	old = buf_steal(name, NULL);
	buf_printf(name, "%%%02X%s", (unsigned char)old[0], old + 1);
}

static bool is_taken(const struct collecting *c, const struct buf *name)
{
	struct taken *t;

	HASH_FIND(hh, c->taken, name->data, name->len, t);
	return t != NULL;
}

/* Two with the same name: the later one is told apart by its id; should that be
 * the same, too, by how many there were. */
static void make_unique(struct collecting *c, const char *id, struct buf *name)
{
	cleanup(free) char *plain = mem_strdup(name->data);
	size_t n = strnlen(plain, 255 - 9);
	unsigned n_taken = HASH_COUNT(c->taken);
	struct taken *t;

	/* Not in the middle of a character. */
	while (plain[n] && n > 0 && ((unsigned char)plain[n] & 0xc0) == 0x80)
		n--;
	for (unsigned i = 0; is_taken(c, name); i++) {
		cleanup(free) char *text =
			i ? mem_asprintf("%s#%u", id, n_taken + i)
			  : mem_strdup(id);
		char hex[41];

		digest_sha1_hex(text, strlen(text), hex);
		buf_clear(name);
		buf_printf(name, "%.*s~%.8s", (int)n, plain, hex);
	}
	t = mem_calloc(1, sizeof(*t) + name->len + 1);
	memcpy(t->name, name->data, name->len);
	HASH_ADD_KEYPTR(hh, c->taken, t->name, name->len, t);
}

/* ---- one item ---- */

/* Two listings are compared by it: an item with another hash has changed. */
static void hash_of(const struct resource_items *items, const struct json *item,
		    const struct buf *text, char out[static 41])
{
	cleanup(buf_done) struct buf content = BUF_INIT(0);

	if (items->content)
		items->content(item, &content);
	if (content.len)
		digest_sha1_hex(content.data, content.len, out);
	else
		digest_sha1_hex(text->data, text->len, out);
	out[16] = '\0';
}

static void take_named(struct collecting *c, const struct json *item)
{
	const struct resource_items *items = c->row->items;
	cleanup(buf_done) struct buf raw = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf name = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf id = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	bool final = items->is_final && items->is_final(item);
	int64_t time_ms = resource_time(item, items->time_path);
	struct json *entry;
	size_t n;
	char hash[41];

	value_at(item, items->id_path, &id);
	if (items->is_numbered)
		buf_printf(&raw, "%zu-", c->n_items);
	if (items->name)
		items->name(item, &raw);
	else
		value_at(item, items->name_path, &raw);
	/* Without an id nothing can be asked of it: a line of the index. */
	if (!id.len || id.failed || raw.failed || json_compact(item, &text) < 0)
		return;
	text_file_name(&name, raw.data ? raw.data : "", NULL);
	dodge(c->row, &name);
	make_unique(c, id.data, &name);
	hash_of(items, item, &text, hash);
	entry = json_append_object(c->names);
	json_add_str(entry, "name", name.data);
	json_add_str(entry, "id", id.data);
	json_add_str(entry, "hash", hash);
	json_add_int(entry, "time", time_ms);
	if (time_ms > c->newest_ms)
		c->newest_ms = time_ms;
	if (c->again)
		return;
	n = text.len;
	answer_batch_own(&c->batch, scope_item_key(c->row, c->scope, id.data),
			 buf_steal(&text, NULL), n,
			 final ? FINAL_MS : c->ttl_ms);
	answer_batch_time(&c->batch, time_ms);
}

/* A file as it is, named as it is called. */
int documents_collect_part(void *arg, const struct multipart_part *part)
{
	struct collecting *c = arg;
	cleanup(buf_done) struct buf name = BUF_INIT(64 * KIB);
	struct json *entry;
	char hash[41];

	if (!part->name)
		return 0;
	text_file_name(&name, part->name, NULL);
	make_unique(c, part->name, &name);
	digest_sha1_hex(part->data, part->n, hash);
	hash[16] = '\0';
	entry = json_append_object(c->names);
	json_add_str(entry, "name", name.data);
	json_add_str(entry, "id", part->name);
	json_add_str(entry, "hash", hash);
	answer_batch_own(&c->batch,
			 mem_asprintf("%s#%s", c->scope->key, name.data),
			 mem_dup0(part->data, part->n), part->n, c->ttl_ms);
	return 0;
}

int documents_collect_item(struct collecting *c, const struct json *item)
{
	cleanup(json_free) struct json *named =
		documents_named_beside(c->row->beside, c->beside, item);

	if (!named && c->builds_mark)
		named = documents_builds_of(&c->builds, c->row, c->scope, item);
	if (c->is_full)
		return -EFBIG;
	if (documents_index_add(&c->index, item, named ? named : item) < 0) {
		c->is_full = true;
		c->most = (int64_t)c->n_items;
		return -EFBIG;
	}
	c->n_items++;
	if (c->whole)
		json_append_copy(c->whole, item);
	if (c->row->items)
		take_named(c, item);
	return 0;
}

void documents_collect_other(struct collecting *c, const struct json *item)
{
	cleanup(buf_done) struct buf id = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	size_t n;

	value_at(item, c->row->items->id_path, &id);
	if (!id.len || id.failed || json_compact(item, &text) < 0)
		return;
	n = text.len;
	answer_batch_own(&c->batch, scope_item_key(c->row, c->scope, id.data),
			 buf_steal(&text, NULL), n, c->row->ttl_s * 1000);
	answer_batch_time(&c->batch,
			  resource_time(item, c->row->items->time_path));
}

/* ---- all of it ---- */

static void add_file(struct collecting *c, const char *name, struct buf *text)
{
	size_t n = text->len;

	answer_batch_own(&c->batch, mem_asprintf("%s#%s", c->scope->key, name),
			 buf_steal(text, NULL), n, c->ttl_ms);
	answer_batch_time(&c->batch, c->newest_ms);
}

static int add_row_files(struct collecting *c)
{
	const struct resource_file *f = c->row->files;

	for (; f && f->name; f++) {
		struct buf text = BUF_INIT(0);
		int r = f->render(f, c->whole, &text);

		if (r < 0) {
			buf_done(&text);
			return r;
		}
		add_file(c, f->name, &text);
	}
	return 0;
}

static void add_more(struct collecting *c)
{
	struct buf text = BUF_INIT(0);

	if (c->row->is_history)
		buf_printf(&text,
			   "These are the newest %" PRId64
			   "; there are older ones.\n",
			   c->most);
	else
		buf_printf(&text,
			   "These are the first %zu; an index has no room for "
			   "more.\n",
			   c->n_items);
	if (c->row->items && c->row->items->endpoint)
		buf_puts(&text, "Each can be entered by its name, though it is "
				"not listed.\n");
	if (c->row->is_history)
		buf_puts(&text, "To list more, mount with -o history=N.\n");
	add_file(c, "more", &text);
}

/* Another reader may have asked since index.json was read: then nothing is put,
 * for what is made of the answer of before must not take the place of what
 * came. */
static void replace(struct collecting *c)
{
	cleanup(free) char *json = mem_asprintf("%s#index.json", c->scope->key);

	for (size_t i = 0; i < c->batch.n; i++) {
		struct cache_put *put = &c->batch.puts[i];
		cleanup(cache_entry_free) struct cache_entry *e =
			answer_peek_version(c->documents->config.cache,
					    put->key);

		put->instead_of = e ? e->version : 0;
		if (!strcmp(put->key, json))
			put->instead_of = c->again;
	}
}

/*
 * Stores the names, and with them all that was made of the collection, in one
 * transaction after the last page:
 * 1. A walks the pages, for seconds. The cache has the listing of before.
 * 2. B lists the directory, and reads index.tsv.
 * 3. A's walk fails.
 * If A stored each page, B would see the names of one listing and the index of
 * another, and after 3 half a collection would count as all of it.
 */
int documents_collecting_store_names(struct ctx *ctx, struct collecting *c,
				     bool more)
{
	cleanup(json_free) struct json *top = json_new_object();
	struct buf names = BUF_INIT(0);
	struct json *items;
	size_t n;
	int r;

	json_add_bool(top, "more", more);
	json_add_int(top, "most", c->most);
	if (c->is_cut)
		json_add_bool(top, "cut", true);
	items = json_add_array(top, "items");
	JSON_EACH (i, c->names)
		json_append_copy(items, i);
	r = json_compact(top, &names);
	if (r < 0) {
		buf_done(&names);
		return r;
	}
	n = names.len;
	answer_batch_own(&c->batch, mem_strdup(c->scope->key),
			 buf_steal(&names, NULL), n, c->ttl_ms);
	c->batch.puts[c->batch.n - 1].etag = c->mark;
	if (c->again)
		replace(c);
	else
		documents_pages_drop(c->scope->key, &c->batch);
	return answer_put(ctx, c->documents->config.cache, c->batch.puts,
			  c->batch.n);
}

int documents_collecting_store(struct ctx *ctx, struct collecting *c, bool more)
{
	int r;

	documents_index_end(&c->index);
	if (c->row->is_builds && !c->row->items)
		documents_builds_came(c->scope, &c->index.json, &c->batch);
	add_file(c, "index.tsv", &c->index.tsv);
	c->batch.puts[c->batch.n - 1].etag = c->builds_mark;
	add_file(c, "index.json", &c->index.json);
	r = c->whole ? add_row_files(c) : 0;
	if (r < 0)
		return ctx_fail(ctx, r, "The list at %s cannot be written.",
				c->scope->key);
	if (more)
		add_more(c);
	return documents_collecting_store_names(ctx, c, more);
}

void documents_collecting_init(struct collecting *c, struct documents *d,
			       const struct resource *row,
			       const struct scope *scope)
{
	*c = (struct collecting){
		.documents = d,
		.row = row,
		.scope = scope,
		.names = json_new_array(),
		.most = d->config.history,
		/* Before the list: what comes meanwhile is news. */
		.mark = documents_mark(d, row, scope),
		.beside = documents_beside(d, row, scope),
	};
	documents_index_begin(&c->index, row->columns, row->newest,
			      d->config.index_bytes);
	if (row->builds) {
		c->builds_mark = documents_builds_mark(d, scope->key);
		documents_builds_init(&c->builds, d, scope->key);
	}
	if (resource_n_files(row->files))
		c->whole = json_new_array();
}

void documents_collecting_end(struct collecting *c)
{
	bool big = c->batch.n > MANY_ITEMS || c->index.json.size > 128 * KIB;

	collecting_done(c);
	/* Megabytes that were needed once, on a heap that would keep them. */
	if (big)
		mem_give_back();
}

/* ---- again, of what is kept ---- */

/* index.json has all items, in the order in which they came. NULL: it is not
 * kept. */
static struct json *kept_items(struct documents *d, const struct scope *scope,
			       uint64_t *ret_version)
{
	cleanup(free) char *key = mem_asprintf("%s#index.json", scope->key);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(d->config.cache, key);
	cleanup(json_free) struct json *items = answer_json(e);

	if (!json_is_array(items))
		return NULL;
	*ret_version = e->version;
	return steal(&items);
}

/* 1: too little is kept. */
static int collect_kept(struct ctx *ctx, struct collecting *c)
{
	cleanup(json_free) struct json *items =
		kept_items(c->documents, c->scope, &c->again);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(c->documents->config.cache, c->scope->key);
	cleanup(collection_unref) struct collection *before = NULL;

	if (!items || !e || !e->body ||
	    collection_decode(c->row, blob_data(e->body), e->n_body, &before))
		return 1;
	c->most = before->most;
	c->is_cut = before->is_cut;
	JSON_EACH (i, items)
		if (documents_collect_item(c, i) < 0)
			return 1;
	return documents_collecting_store(ctx, c, before->more);
}

void documents_collect_again(struct documents *d, const struct resource *row,
			     const struct scope *scope,
			     const struct cache_entry *names)
{
	cleanup(ctx_done) struct ctx ctx;
	struct collecting c;

	ctx_init(&ctx, NULL, -1);
	documents_collecting_init(&c, d, row, scope);
	c.ttl_ms = names->left_ms > 0 ? names->left_ms : 0;
	/* Of parts the names of before are all that there is. */
	if (row->paging == RESOURCE_PARTS || collect_kept(&ctx, &c) > 0)
		if (names->left_ms >= -names->ttl_ms)
			(void)cache_expire(d->config.cache, scope->key);
	documents_collecting_end(&c);
}
