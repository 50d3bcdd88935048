/*
 * The names of a repository's branches and tags, as its git server gave them.
 *
 * A list is one run of bytes, the same in memory and among the facts: for each
 * ref a letter of its kind, its own object, the commit that it leads to, the
 * name with its NUL. An answer with the same bytes is the same list.
 */
#include "clone/clone_private.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/search.h"
#include "base/text.h"

#include <inttypes.h>

/* Far more than any repository that can be worked with; the others are left
 * out. */
#define NAMES_MOST 250000
/* A path that can be opened is no longer. */
#define NAME_MOST 4000
#define BYTES_MOST (64 * MIB)
#define NO_TREES_MOST 10000

static const struct {
	const char *prefix;
	char letter;
} kinds[CLONE_REF_KINDS] = {
	[CLONE_BRANCHES] = {"refs/heads/", 'h'},
	[CLONE_TAGS] = {"refs/tags/", 't'},
};

/* ---- lists ---- */

struct clone_refs *clone_refs_ref(struct clone_refs *refs)
{
	refcount_take(&refs->refcount_private);
	return refs;
}

struct clone_refs *clone_refs_unref(struct clone_refs *refs)
{
	if (!refs || !refcount_drop(&refs->refcount_private))
		return NULL;
	for (size_t i = 0; i < CLONE_REF_KINDS; i++)
		free(refs->names_private[i]);
	free(refs->bytes_private);
	free(refs);
	return NULL;
}

static struct oid oid_before(const char *name, size_t n)
{
	struct oid oid;

	memcpy(oid.bytes, name - n * OID_BYTES, OID_BYTES);
	return oid;
}

struct oid clone_refs_commit(const struct clone_refs *refs,
			     enum clone_ref_kind kind, size_t i)
{
	return oid_before(refs->names[kind][i], 1);
}

struct oid clone_refs_want(const struct clone_refs *refs,
			   enum clone_ref_kind kind, size_t i)
{
	return oid_before(refs->names[kind][i], 2);
}

static bool is_before(const void *names, size_t i, const void *name)
{
	return strcmp(((const char *const *)names)[i], name) < 0;
}

size_t clone_refs_seek(const struct clone_refs *refs, enum clone_ref_kind kind,
		       const char *name)
{
	return search_first(refs->names[kind], refs->n_names[kind], name,
			    is_before);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each name once. */
static size_t order(const char **names, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(names[i], names[kept - 1]) != 0)
			names[kept++] = names[i];
	return kept;
}

/* The length of the first record; 0: none, or it is cut. */
static size_t record_length(const char *p, size_t n, enum clone_ref_kind *kind)
{
	size_t n_head = 1 + 2 * OID_BYTES, n_name;

	if (n <= n_head)
		return 0;
	for (*kind = 0; *kind < CLONE_REF_KINDS; (*kind)++)
		if (kinds[*kind].letter == *p)
			break;
	n_name = strnlen(p + n_head, n - n_head);
	if (*kind == CLONE_REF_KINDS || !n_name || n_head + n_name == n)
		return 0;
	return n_head + n_name + 1;
}

/* Takes the bytes; NULL: this program did not write them. */
static struct clone_refs *names_of(char *bytes, size_t n)
{
	cleanup(clone_refs_unref) struct clone_refs *refs =
		mem_calloc(1, sizeof(*refs));
	const char **names[CLONE_REF_KINDS];
	size_t counts[CLONE_REF_KINDS] = {0}, step;
	enum clone_ref_kind kind;

	refcount_init(&refs->refcount_private);
	refs->bytes_private = bytes;
	refs->n_bytes_private = n;
	for (size_t at = 0; at < n; at += step) {
		step = record_length(bytes + at, n - at, &kind);
		if (!step)
			return NULL;
		counts[kind]++;
	}
	for (kind = 0; kind < CLONE_REF_KINDS; kind++) {
		names[kind] = mem_calloc(counts[kind] + 1, sizeof(**names));
		refs->names_private[kind] = names[kind];
		refs->names[kind] = names[kind];
		counts[kind] = 0;
	}
	for (size_t at = 0; at < n; at += step) {
		step = record_length(bytes + at, n - at, &kind);
		names[kind][counts[kind]++] = bytes + at + 1 + 2 * OID_BYTES;
	}
	for (kind = 0; kind < CLONE_REF_KINDS; kind++)
		refs->n_names[kind] = order(names[kind], counts[kind]);
	refs->version = hash_bytes(HASH_INIT, bytes, n);
	return steal(&refs);
}

static void leave_out(struct clone_refs *left, const char *name)
{
	if (!left->n_left_out++)
		snprintf(left->left_out, sizeof(left->left_out), "%.200s",
			 name);
}

static bool add_record(struct buf *out, char letter, const char *name,
		       const struct upload_pack_ref *ref)
{
	char record[1 + 2 * OID_BYTES + NAME_MOST + 1] = {letter};
	struct oid own, commit;
	size_t n = strlen(name);

	if (oid_parse(ref->oid, &own) < 0 ||
	    (ref->peeled[0] && oid_parse(ref->peeled, &commit) < 0) || !n ||
	    n > NAME_MOST)
		return false;
	if (!ref->peeled[0])
		commit = own;
	memcpy(record + 1, own.bytes, OID_BYTES);
	memcpy(record + 1 + OID_BYTES, commit.bytes, OID_BYTES);
	memcpy(record + 1 + 2 * OID_BYTES, name, n + 1);
	/* Wholly, or not at all. */
	return buf_add(out, record, 1 + 2 * OID_BYTES + n + 1) == 0;
}

struct clone_refs *clone_refs_new(const struct upload_pack_refs *from)
{
	struct buf bytes = BUF_INIT(BYTES_MOST);
	struct clone_refs left = {0}, *refs;
	size_t n = 0, n_bytes;
	char *data;

	for (size_t i = 0; i < from->n_refs; i++) {
		const struct upload_pack_ref *ref = &from->refs[i];

		for (enum clone_ref_kind k = 0; k < CLONE_REF_KINDS; k++) {
			size_t n_prefix = strlen(kinds[k].prefix);

			if (strncmp(ref->name, kinds[k].prefix, n_prefix) != 0)
				continue;
			if (n == NAMES_MOST ||
			    !add_record(&bytes, kinds[k].letter,
					ref->name + n_prefix, ref))
				leave_out(&left, ref->name);
			else
				n++;
		}
	}
	data = buf_steal(&bytes, &n_bytes);
	refs = names_of(data, n_bytes);
	check(refs);
	refs->n_left_out = left.n_left_out;
	memcpy(refs->left_out, left.left_out, sizeof(refs->left_out));
	return refs;
}

/* ---- what a clone knows ---- */

static char *no_tree_space(const struct clone *c)
{
	return mem_asprintf("no-tree:%s", c->uuid);
}

struct no_trees {
	struct oid *oids;
	size_t n;
};

static int load_no_tree(void *arg, const struct cache_fact *f)
{
	struct no_trees *list = arg;

	if (f->n_key != OID_BYTES || list->n == NO_TREES_MOST)
		return 0;
	list->oids =
		mem_realloc(list->oids, (list->n + 1) * sizeof(*list->oids));
	memcpy(list->oids[list->n++].bytes, f->key, OID_BYTES);
	return 0;
}

void clone_refs_load(struct clone *c)
{
	struct clone_set *cs = c->clones;
	cleanup(blob_unref) struct blob *bytes = NULL, *checked = NULL;
	cleanup(clone_refs_unref) struct clone_refs *names = NULL;
	cleanup(free) char *space = NULL;
	struct no_trees list = {0};
	size_t n_uuid = strlen(c->uuid);
	uint64_t ms = 0, n_forgotten;
	bool recalled;

	mutex_lock(&cs->lock);
	n_forgotten = c->n_forgotten;
	recalled = c->recalled;
	mutex_unlock(&cs->lock);
	if (recalled)
		return;
	if (cache_fact_get(cs->cache, "refs", c->uuid, n_uuid, &bytes) >= 0)
		names = names_of(mem_dup0(blob_data(bytes), blob_len(bytes)),
				 blob_len(bytes));
	if (cache_fact_get(cs->cache, "refs-checked", c->uuid, n_uuid,
			   &checked) >= 0)
		(void)text_parse_u64(blob_data(checked), INT64_MAX, &ms);
	space = no_tree_space(c);
	(void)cache_fact_each(cs->cache, space, load_no_tree, &list);
	mutex_lock(&cs->lock);
	if (!c->recalled) {
		c->recalled = true;
		/* Forgotten since they were read: another repository's. */
		if (!c->names && names && c->n_forgotten == n_forgotten) {
			c->names = steal(&names);
			c->names_ms = (int64_t)ms;
		}
		free(c->no_trees);
		c->no_trees = steal(&list.oids);
		c->n_no_trees = list.n;
	}
	mutex_unlock(&cs->lock);
	free(list.oids);
}

static void store_names(struct clone *c, const struct clone_refs *names,
			bool changed, int64_t checked_ms)
{
	struct cache *cache = c->clones->cache;
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, checked_ms);

	if (changed)
		(void)cache_fact_put(cache, "refs", c->uuid, strlen(c->uuid),
				     names->bytes_private,
				     names->n_bytes_private);
	(void)cache_fact_put(cache, "refs-checked", c->uuid, strlen(c->uuid),
			     text, (size_t)n);
}

bool clone_refs_same(const struct clone_refs *a, const struct clone_refs *b)
{
	return a->version == b->version &&
	       a->n_bytes_private == b->n_bytes_private &&
	       a->n_left_out == b->n_left_out &&
	       memcmp(a->bytes_private, b->bytes_private, a->n_bytes_private) ==
		       0;
}

void clone_refs_learn(struct clone *c, const struct clone_tip *tip,
		      struct clone_refs *names)
{
	cleanup(clone_refs_unref) struct clone_refs *now = NULL, *old = NULL;
	struct clone_set *cs = c->clones;
	bool newer, changed = false, kept = true;

	clone_refs_load(c);
	mutex_lock(&cs->lock);
	/* A question that was abandoned may be answered after a later one. */
	if (!c->has_tip || c->tip.serial <= tip->serial) {
		c->has_tip = true;
		c->tip = *tip;
		c->unsure = tip->unsure;
	}
	newer = names && (!c->names || c->names_serial <= tip->serial);
	if (newer) {
		c->names_ms = tip->checked_ms;
		c->names_serial = tip->serial;
		/* What was not kept so far is to be kept now. */
		kept = !c->names_unsure;
		c->names_unsure = tip->unsure;
		changed = !c->names || !clone_refs_same(c->names, names);
		if (changed) {
			old = c->names;
			c->names = steal(&names);
		}
		now = clone_refs_ref(c->names);
	}
	mutex_unlock(&cs->lock);
	clone_refs_unref(names);
	if (newer && !tip->unsure)
		store_names(c, now, changed || !kept, tip->checked_ms);
}

int clone_known_refs(struct clone *c, struct clone_refs **ret_refs)
{
	struct clone_refs *names;

	clone_refs_load(c);
	mutex_lock(&c->clones->lock);
	names = c->names;
	if (names)
		clone_refs_ref(names);
	mutex_unlock(&c->clones->lock);
	if (!names)
		return -ENOENT;
	*ret_refs = names;
	return 0;
}

int64_t clone_refs_checked_ms(struct clone *c)
{
	int64_t checked_ms;

	clone_refs_load(c);
	mutex_lock(&c->clones->lock);
	checked_ms = c->names ? c->names_ms : 0;
	mutex_unlock(&c->clones->lock);
	return checked_ms;
}

int clone_get_refs(struct ctx *ctx, struct clone *c, int64_t max_age_ms,
		   struct clone_refs **ret_refs)
{
	int64_t now_ms = clock_wall_ms(), age_ms;
	bool recent;
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	clone_refs_load(c);
	mutex_lock(&c->clones->lock);
	c->wanted_ms = clock_mono_ms();
	age_ms = now_ms - c->names_ms;
	recent = c->names && (max_age_ms == INT64_MAX ||
			      (age_ms >= 0 && age_ms <= max_age_ms));
	mutex_unlock(&c->clones->lock);
	if (!recent) {
		r = ctx_wait_begin(ctx);
		if (r < 0)
			return r;
		r = clone_queue_ls_refs(ctx, c, true);
		ctx_wait_end(ctx);
		if (r < 0)
			return r;
	}
	return clone_known_refs(c, ret_refs);
}

/* ---- refs that do not lead to a tree ---- */

void clone_refs_no_tree(struct clone *c, const struct oid *oid)
{
	cleanup(free) char *space = no_tree_space(c);
	struct clone_set *cs = c->clones;

	clone_refs_load(c);
	(void)cache_fact_put(cs->cache, space, oid->bytes, OID_BYTES, "", 0);
	mutex_lock(&cs->lock);
	if (c->n_no_trees < NO_TREES_MOST) {
		c->no_trees = mem_realloc(c->no_trees,
					  (c->n_no_trees + 1) * sizeof(*oid));
		c->no_trees[c->n_no_trees++] = *oid;
	}
	mutex_unlock(&cs->lock);
}

bool clone_is_no_tree(struct clone *c, const struct oid *oid)
{
	bool found = false;

	clone_refs_load(c);
	mutex_lock(&c->clones->lock);
	for (size_t i = 0; i < c->n_no_trees && !found; i++)
		found = oid_equal(&c->no_trees[i], oid);
	mutex_unlock(&c->clones->lock);
	return found;
}
