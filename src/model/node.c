/*
 * model/node: nodes, in the two tables of model/node_index, under one lock.
 *
 * Invariants: nlookup > 0 holds exactly one of refs; a child holds a reference
 * on its parent; a linked node is found by name, every node with refs > 0
 * by number. A node is freed by whoever drops the last reference, outside the
 * lock, and its parent's reference after it (a loop, not a recursion: trees
 * can be deep).
 *
 * A directory that roams and is found at another place (7 among the open pull
 * requests, merged/7 later) becomes a new node, because a node's parent and
 * name are read without the lock. The new node takes the number, the kernel's
 * count and a reference on the old one, its former; the old one is retired: out
 * of the tables, and alive as long as its children, whoever has it open, or the
 * new one. The kernel moves its dentry when it sees the number under the new
 * name: a shell that stands there goes on, and its getcwd is right again. What
 * the kernel was told of the listing is the first one's, for all of them.
 */
#include "model/node.h"

#include "model/node_index.h"
#include "model/provider.h"

#define MANY_NODES 10000

struct node_table {
	atomic_size_t n_went; /* since node_many_went was true */
	struct mutex lock;
	struct node_index index; /* under lock */
	struct node *retired;    /* under lock */
};

/* FNV-1a, finished by a mixer, so that neighbours scatter. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	return h ^ (h >> 29);
}

static bool roams(const struct node_what *what)
{
	return what->provider->roams && what->provider->roams(what);
}

static uint64_t number_for(const struct node *parent, const char *name,
			   const struct node_what *what)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	if (!roams(what)) {
		h = mix(h, &parent->ino, sizeof(parent->ino));
		h = mix(h, name, strlen(name));
	}
	h = mix(h, &what->mode, sizeof(what->mode));
	h = what->provider->hash_data ? what->provider->hash_data(what, h) : h;
	if (!S_ISDIR(what->mode)) {
		h = mix(h, &what->version, sizeof(what->version));
		h = mix(h, &what->oid, sizeof(what->oid));
	}
	/* 63 bits: some tools print inode numbers as signed. */
	return h >> 1;
}

static bool same(const struct node *node, const struct node_what *what)
{
	const struct node_what *is = &node->what;

	if (is->provider != what->provider || is->mode != what->mode)
		return false;
	if (!S_ISDIR(is->mode) &&
	    (is->version != what->version || !oid_equal(&is->oid, &what->oid)))
		return false;
	return !is->provider->same_data || is->provider->same_data(is, what);
}

struct node_table *node_table_new(const struct node_what *root)
{
	struct node_table *table = xcalloc(1, sizeof(*table));
	struct node *node = xcalloc(1, sizeof(*node) + 1);

	mutex_init(&table->lock);
	node->ino = NODE_ROOT_INO;
	node->what = *root;
	node->refs = 1;
	node_index_init(&table->index);
	node_index_add_ino(&table->index, node);
	return table;
}

static void node_destroy(struct node *node)
{
	if (node->what.provider->free_data && node->what.data)
		node->what.provider->free_data(node->what.data);
	dirbook_free(node->book);
	listed_free(node->listed);
	free(node);
}

struct node_table *node_table_free(struct node_table *table)
{
	struct node *node, *next;
	size_t at = 0;

	if (!table)
		return NULL;
	/* The kernel is gone: its counts do not matter any more. */
	DL_FOREACH_SAFE2 (table->retired, node, next, next_by_name)
		node_destroy(node);
	for (node = node_index_next(&table->index, &at, NULL); node;
	     node = next) {
		next = node_index_next(&table->index, &at, node);
		node_destroy(node);
	}
	node_index_done(&table->index);
	mutex_done(&table->lock);
	free(table);
	return NULL;
}

static struct node *find_ino(struct node_table *table, uint64_t ino)
	requires_lock(table->lock)
{
	return node_index_ino(&table->index, ino);
}

static void link_name(struct node_table *table, struct node *node)
	requires_lock(table->lock)
{
	node->linked = true;
	node_index_add_name(&table->index, node);
}

static void unlink_name(struct node_table *table, struct node *node)
	requires_lock(table->lock)
{
	if (!node->linked)
		return;
	node->linked = false;
	node_index_remove_name(&table->index, node);
}

struct node *node_get(struct node_table *table, uint64_t ino)
{
	struct node *node;

	mutex_lock(&table->lock);
	node = find_ino(table, ino);
	if (node)
		node->refs++;
	mutex_unlock(&table->lock);
	return node;
}

struct node *node_ref(struct node_table *table, struct node *node)
{
	mutex_lock(&table->lock);
	check(node->refs > 0);
	node->refs++;
	mutex_unlock(&table->lock);
	return node;
}

static void grow(struct node *node, uint64_t size, int64_t mtime_ms)
{
	if (size > node->what.size)
		node->what.size = size;
	if (mtime_ms > node->what.mtime_ms)
		node->what.mtime_ms = mtime_ms;
}

/* Drops n references; the node when it was its last, to be destroyed outside
 * the lock. */
static struct node *drop(struct node_table *table, struct node *node)
	requires_lock(table->lock)
{
	check(node->refs > 0);
	if (--node->refs > 0)
		return NULL;
	check(node->nlookup == 0);
	unlink_name(table, node);
	if (node->retired)
		DL_DELETE2(table->retired, node, next_by_ino, next_by_name);
	else
		node_index_remove_ino(&table->index, node);
	return node;
}

void node_unref(struct node_table *table, struct node *node)
{
	while (node) {
		struct node *dead, *parent = NULL;

		mutex_lock(&table->lock);
		dead = drop(table, node);
		mutex_unlock(&table->lock);
		if (dead) {
			atomic_fetch_add(&table->n_went, 1);
			/* Short: as often as it was found elsewhere. */
			node_unref(table, dead->former);
			parent = dead->parent;
			node_destroy(dead);
		}
		node = parent;
	}
}

struct node *node_child(struct node_table *table, struct node *parent,
			const char *name)
{
	uint32_t hash = node_index_hash(parent->ino, name);
	struct node *node;

	mutex_lock(&table->lock);
	node = node_index_name(&table->index, parent->ino, name, hash);
	if (node)
		node->refs++;
	mutex_unlock(&table->lock);
	return node;
}

static void count_lookup(struct node *node)
{
	if (node->nlookup++ == 0)
		node->refs++;
}

/* fresh has the number now, and what the kernel counted under it. *ret_gone:
 * the former, if nobody else holds it, to be freed outside the lock: otherwise
 * who is found at two places in turn would leave one a look. */
static void take_over(struct node_table *table, struct node *fresh,
		      struct node *former, struct node **ret_gone)
	requires_lock(table->lock)
{
	unlink_name(table, former);
	node_index_remove_ino(&table->index, former);
	fresh->nlookup = former->nlookup;
	former->nlookup = 0;
	/* The kernel's reference goes to fresh, fresh's is former's. */
	if (fresh->nlookup > 0)
		fresh->refs++;
	else
		former->refs++;
	if (former->refs > 1) {
		former->retired = true;
		DL_APPEND2(table->retired, former, next_by_ino, next_by_name);
		fresh->former = former;
		return;
	}
	fresh->former = steal(&former->former);
	fresh->book = steal(&former->book);
	fresh->listed = steal(&former->listed);
	*ret_gone = former;
}

static struct node *insert(struct node_table *table, struct node *parent,
			   struct node *fresh, struct node **ret_gone)
	requires_lock(table->lock)
{
	struct node *other = NULL;

	while (fresh->ino <= NODE_ROOT_INO ||
	       (other = find_ino(table, fresh->ino))) {
		/* What it was before it lost its name: the same again. A
		 * directory that lost it was not moved since; in the place of
		 * a file nothing else was shown since. */
		if (fresh->ino > NODE_ROOT_INO && !other->linked &&
		    other->parent->ino == parent->ino &&
		    strcmp(other->name, fresh->name) == 0 &&
		    same(other, &fresh->what) &&
		    (S_ISDIR(other->what.mode) ||
		     other->what.mtime_ms >= fresh->what.mtime_ms) &&
		    oid_equal(&other->what.oid, &fresh->what.oid)) {
			link_name(table, other);
			return other;
		}
		/* A list that is outdated still has it at its old place: it
		 * stays where the younger answer found it. */
		if (fresh->ino > NODE_ROOT_INO && roams(&fresh->what) &&
		    same(other, &fresh->what) &&
		    (!other->linked ||
		     other->what.mtime_ms < fresh->what.mtime_ms)) {
			take_over(table, fresh, other, ret_gone);
			break;
		}
		fresh->ino++;
	}
	check(parent->refs > 0);
	parent->refs++;
	fresh->parent = parent;
	node_index_add_ino(&table->index, fresh);
	link_name(table, fresh);
	return fresh;
}

/* A file that takes the place of another one is younger by a second at least
 * (layout rule 4): for what no cache remembers the times of, a status, a link.
 * Trees have a memory of their own, and go back nowhere. */
static void be_younger(struct node *fresh, const struct node *old)
{
	int64_t least_ms = old->what.mtime_ms + 1000;

	if (!S_ISDIR(fresh->what.mode) && !S_ISDIR(old->what.mode) &&
	    !fresh->what.view && fresh->what.mtime_ms < least_ms)
		fresh->what.mtime_ms = least_ms;
}

static struct node *fresh_node(const struct node *parent, const char *name,
			       const struct node_what *what)
{
	size_t n = strlen(name);
	struct node *fresh = xcalloc(1, sizeof(*fresh) + n + 1);

	fresh->what = *what;
	fresh->name_hash = node_index_hash(parent->ino, name);
	memcpy(fresh->name, name, n + 1);
	fresh->ino = number_for(parent, name, what);
	return fresh;
}

static void told_of(const struct node *node, struct node_told *ret_told)
{
	*ret_told = (struct node_told){
		.ino = node->ino,
		.mode = node->what.mode,
		.size = node->what.size,
		.mtime_ms = node->what.mtime_ms,
	};
}

/* ret_node or ret_told is NULL; with the latter the kernel counts. */
static bool make(struct node_table *table, struct node *parent,
		 const char *name, const struct node_what *what,
		 const struct oid *expect, bool kernel, struct node **ret_node,
		 struct node_told *ret_told)
{
	/* Made before the lock is taken, so that finding and creating are one
	 * short critical section. */
	struct node *fresh = fresh_node(parent, name, what);
	struct node *node = NULL, *gone = NULL;

	mutex_lock(&table->lock);
	if (!expect || oid_equal(&parent->what.oid, expect)) {
		node = node_index_name(&table->index, parent->ino, name,
				       fresh->name_hash);
		if (node && !same(node, what)) {
			be_younger(fresh, node);
			unlink_name(table, node);
			node = NULL;
		}
		if (!node)
			node = insert(table, parent, fresh, &gone);
		if (node == fresh)
			fresh = NULL;
		else if (what->provider->grows)
			grow(node, what->size, what->mtime_ms);
		else if (S_ISDIR(what->mode) && !what->view)
			node->what.mtime_ms = what->mtime_ms;
		if (kernel)
			count_lookup(node);
		if (ret_node) {
			node->refs++;
			*ret_node = node;
		} else {
			told_of(node, ret_told);
		}
	}
	mutex_unlock(&table->lock);
	if (fresh)
		node_destroy(fresh);
	if (gone) {
		node_unref(table, gone->parent);
		node_destroy(gone);
	}
	return node != NULL;
}

struct node *node_make(struct node_table *table, struct node *parent,
		       const char *name, const struct node_what *what,
		       const struct oid *expect, bool kernel)
{
	struct node *node = NULL;

	(void)make(table, parent, name, what, expect, kernel, &node, NULL);
	return node;
}

bool node_tell(struct node_table *table, struct node *parent, const char *name,
	       const struct node_what *what, const struct oid *expect,
	       struct node_told *ret_told)
{
	return make(table, parent, name, what, expect, true, NULL, ret_told);
}

void node_now(struct node_table *table, const struct node *node,
	      struct node_told *ret_told)
{
	mutex_lock(&table->lock);
	told_of(node, ret_told);
	mutex_unlock(&table->lock);
}

void node_forget(struct node_table *table, uint64_t ino, uint64_t n)
{
	struct node *node;
	bool last = false;

	if (ino == NODE_ROOT_INO)
		return;
	mutex_lock(&table->lock);
	/* One critical section: 1. A finds the node. 2. B finds it elsewhere,
	 * and the count goes to a new one (take_over). 3. A would give back
	 * what the old one has no more. */
	node = find_ino(table, ino);
	if (node) {
		check(n <= node->nlookup);
		node->nlookup -= n;
		last = n > 0 && node->nlookup == 0;
	}
	mutex_unlock(&table->lock);
	/* The reference that the count held. */
	if (last)
		node_unref(table, node);
}

void node_unlink(struct node_table *table, struct node *node)
{
	mutex_lock(&table->lock);
	unlink_name(table, node);
	mutex_unlock(&table->lock);
}

struct oid node_oid(struct node_table *table, const struct node *node)
{
	struct oid oid;

	mutex_lock(&table->lock);
	oid = node->what.oid;
	mutex_unlock(&table->lock);
	return oid;
}

bool node_move(struct node_table *table, struct node *node,
	       const struct oid *from, const struct oid *to, int64_t mtime_ms)
{
	bool moved = false;

	mutex_lock(&table->lock);
	if (oid_equal(&node->what.oid, from)) {
		node->what.oid = *to;
		node->what.mtime_ms = mtime_ms;
		moved = true;
	}
	mutex_unlock(&table->lock);
	return moved;
}

int64_t node_mtime_ms(struct node_table *table, const struct node *node)
{
	int64_t mtime_ms;

	mutex_lock(&table->lock);
	mtime_ms = node->what.mtime_ms;
	mutex_unlock(&table->lock);
	return mtime_ms;
}

void node_set_mtime_ms(struct node_table *table, struct node *node,
		       int64_t mtime_ms)
{
	mutex_lock(&table->lock);
	node->what.mtime_ms = mtime_ms;
	mutex_unlock(&table->lock);
}

uint64_t node_size(struct node_table *table, const struct node *node)
{
	uint64_t size;

	mutex_lock(&table->lock);
	size = node->what.size;
	mutex_unlock(&table->lock);
	return size;
}

void node_grow(struct node_table *table, struct node *node, uint64_t size,
	       int64_t mtime_ms)
{
	mutex_lock(&table->lock);
	grow(node, size, mtime_ms);
	mutex_unlock(&table->lock);
}

bool node_is_linked(struct node_table *table, const struct node *node)
{
	bool linked;

	mutex_lock(&table->lock);
	linked = node->linked || !node->parent;
	mutex_unlock(&table->lock);
	return linked;
}

/* Cookies and listings go on from place to place. */
static struct node *first(struct node *node)
{
	while (node->former)
		node = node->former;
	return node;
}

struct dirbook *node_book(struct node_table *table, struct node *node,
			  bool make)
{
	struct dirbook *fresh = make ? dirbook_new() : NULL, *book;

	node = first(node);
	mutex_lock(&table->lock);
	if (!node->book)
		node->book = steal(&fresh);
	book = node->book;
	mutex_unlock(&table->lock);
	dirbook_free(fresh);
	return book;
}

struct listed *node_listed(struct node_table *table, struct node *node,
			   struct dirlists *listings)
{
	struct listed *fresh = NULL, *listed;

	node = first(node);
	mutex_lock(&table->lock);
	listed = node->listed;
	mutex_unlock(&table->lock);
	if (listed || !listings)
		return listed;
	fresh = listed_new(listings);
	mutex_lock(&table->lock);
	if (!node->listed)
		node->listed = steal(&fresh);
	listed = node->listed;
	mutex_unlock(&table->lock);
	listed_free(fresh);
	return listed;
}

void node_each(struct node_table *table, const struct provider *provider,
	       void (*each)(void *arg, struct node *), void *arg)
{
	struct node **nodes, *node = NULL;
	size_t n = 0, at = 0;

	mutex_lock(&table->lock);
	nodes = xcalloc(table->index.by_ino.n_nodes + 1, sizeof(*nodes));
	while ((node = node_index_next(&table->index, &at, node))) {
		if (!provider || node->what.provider == provider) {
			node->refs++;
			nodes[n++] = node;
		}
	}
	mutex_unlock(&table->lock);
	for (size_t i = 0; i < n; i++) {
		each(arg, nodes[i]);
		node_unref(table, nodes[i]);
	}
	free(nodes);
}

void node_path_below(const struct node *node, const struct node *ancestor,
		     struct buf *out)
{
	const struct node *steps[4096];
	size_t n = 0;

	while (node && node != ancestor && node->parent &&
	       n < ARRAY_SIZE(steps)) {
		steps[n++] = node;
		node = node->parent;
	}
	while (n > 0) {
		buf_puts(out, steps[--n]->name);
		if (n > 0)
			buf_putc(out, '/');
	}
}

void node_path(const struct node *node, struct buf *out)
{
	node_path_below(node, NULL, out);
}

size_t node_count(struct node_table *table)
{
	size_t n;

	mutex_lock(&table->lock);
	n = table->index.by_ino.n_nodes;
	mutex_unlock(&table->lock);
	return n;
}

bool node_many_went(struct node_table *table)
{
	if (atomic_load(&table->n_went) < MANY_NODES)
		return false;
	atomic_store(&table->n_went, 0);
	return true;
}
