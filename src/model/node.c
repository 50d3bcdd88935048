/*
 * model/node: nodes, in the two tables of model/node_index, under one lock.
 *
 * Invariants: nlookup > 0 holds exactly one of refcount; a child holds a
 * reference on its parent; a linked node is found by name, every node with
 * refcount > 0 by number. A node is freed by whoever drops the last reference,
 * outside the lock, and its parent's reference after it (a loop, not a
 * recursion: trees can be deep).
 *
 * A directory that roams and is found at another place (7 among the open pull
 * requests, merged/7 later) becomes a new node, because a node's parent and
 * name are read without the lock. The new node takes the number, the kernel's
 * count and a reference on the old one, its former; the old one is retired: out
 * of the tables, and alive as long as its children, its openers or the new node
 * need it. The kernel moves its dentry when it sees the number under the new
 * name: a shell that stands there goes on, and its getcwd is right again. All
 * nodes of such a row share the first one's memory of what the kernel was told
 * of the listing (node_listed).
 */
#include "model/node.h"

#include "model/node_form.h"
#include "model/node_index.h"
#include "model/provider.h"

#include "base/hash.h"

#define MANY_NODES 1000

struct node_table {
	atomic_size_t n_went; /* nodes freed since node_many_went was true */
	struct listed_all *listings; /* borrowed */
	uint64_t generation;         /* fixed */
	struct mutex lock;
	/* Under lock: */
	struct node_index index;
	struct node *retired;
};

/*
 * Version = inode
 *
 * OPEN is answered with ENOSYS (fs/ops): the kernel opens files by itself, we
 * hear neither of an open(2) nor of a close(2), and the kernel keeps pages of
 * an inode for as long as it likes. What a reader gets is therefore decided
 * once, at LOOKUP, by the number that is answered. The rule that everything
 * else lives by:
 *
 *     one inode number is one version of one file
 *
 * The number is a hash of the parent's number, the name, the mode and what the
 * bytes are: a git object's id and the time at which its path got it; the
 * version of a document (store/cache: other bytes, a larger version); a link's
 * target; the bytes of a status text; the key of a stream. A directory has no
 * version: parent, name, mode and identity make its number.
 *
 * These CANNOT happen:
 *
 * - Bytes of two versions in one page cache. Other bytes are another number,
 *   so another node, which takes the name. A program that has the old one open
 *   reads the old bytes to their end, a program that opens now the new ones.
 * - A file of a length that its bytes do not have. The length is told with the
 *   number; of a growing file it only rises.
 * - A number that is two things. While the kernel knows it, a newcomer whose
 *   hash is the same takes the next free one (insert).
 * - A directory that gets another number because names in it changed: it keeps
 *   its node (node_move), and whoever stands in it stays.
 *
 * These CAN happen, and callers have to be ready for them:
 *
 * - The bytes of an old version are gone from the cache. The read fails, and
 *   the name is dropped, so that the next lookup finds the version of now.
 * - The kernel forgets a file and looks it up again: it comes back under its
 *   old number (rsync and tar remember numbers), unless that is taken.
 * - Bytes that were there before come back. They get a number of their own: a
 *   document has a larger version, a path of a tree a later time, a link or a
 *   text the next free number. With the old number their mtime would go back,
 *   and make and rsync -u would not see them.
 * - A file grows (provider->grows: the log of a step that runs, errors). The
 *   one exception: bytes that were told stay, more follow, under one number.
 *   Its attributes have a short lifetime, and the kernel drops its pages when
 *   it hears of another length or time.
 * - A directory roams (provider->roams): parent and name are not in its hash.
 *   It is found elsewhere under its number, and taken over there (take_over).
 */

/* Mixed, so that neighbours scatter. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	h = hash_mix(hash_bytes(h, data, n));
	return h ^ (h >> 29);
}

static bool roams(const struct node_what *what)
{
	return what->provider->roams && what->provider->roams(what);
}

static uint64_t number_for(const struct node_table *table,
			   const struct node *parent, const char *name,
			   const struct node_what *what)
{
	uint64_t h = HASH_INIT;

	if (table->generation)
		h = mix(h, &table->generation, sizeof(table->generation));
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
	struct node_what is;

	if (node->provider != what->provider || node->mode != what->mode)
		return false;
	if (!S_ISDIR(node->mode) && (node_version(node) != what->version ||
				     !oid_equal(&node->oid, &what->oid)))
		return false;
	if (!node->provider->same_data)
		return true;
	is = node_form_what(node);
	return node->provider->same_data(&is, what);
}

struct node_table *node_table_new(const struct node_what *root,
				  struct listed_all *listings)
{
	struct node_table *table = mem_calloc(1, sizeof(*table));
	struct node *node = node_form_new("", root);

	table->listings = listings;
	table->generation = root->version;
	mutex_init(&table->lock);
	node->ino = NODE_ROOT_INO;
	node->refcount = 1;
	node_index_init(&table->index);
	node_index_add_ino(&table->index, node);
	return table;
}

struct node_table *node_table_free(struct node_table *table)
{
	struct node *node, *next;
	size_t at = 0;

	if (!table)
		return NULL;
	/* The kernel is gone: its counts do not matter any more. */
	DL_FOREACH_SAFE2 (table->retired, node, next, next_by_name)
		node_form_free(node);
	for (node = node_index_next(&table->index, &at, NULL); node;
	     node = next) {
		next = node_index_next(&table->index, &at, node);
		node_form_free(node);
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
		node->refcount++;
	mutex_unlock(&table->lock);
	return node;
}

struct node *node_ref(struct node_table *table, struct node *node)
{
	mutex_lock(&table->lock);
	check(node->refcount > 0);
	node->refcount++;
	mutex_unlock(&table->lock);
	return node;
}

static void grow(struct node *node, uint64_t size, int64_t mtime_ms)
{
	if (size > node->size)
		node->size = size;
	if (mtime_ms > node->mtime_ms)
		node->mtime_ms = mtime_ms;
}

static struct node *former_of(struct node *node)
{
	return node->is_tree_file ? NULL : node_form_more(node)->former;
}

/* Drops one reference. Returns the node if that was its last one: the caller
 * destroys it outside the lock. */
static struct node *drop(struct node_table *table, struct node *node)
	requires_lock(table->lock)
{
	check(node->refcount > 0);
	if (--node->refcount > 0)
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

		dead = mutex_with(&table->lock, drop(table, node));
		if (dead) {
			atomic_fetch_add(&table->n_went, 1);
			/* A recursion, but a short one: one step for each time
			 * that the directory was found elsewhere. */
			node_unref(table, former_of(dead));
			parent = dead->parent;
			node_form_free(dead);
		}
		node = parent;
	}
}

static struct node *child(struct node_table *table, struct node *parent,
			  const char *name, uint64_t nlookup_least)
{
	uint32_t hash = node_index_hash(parent->ino, name);
	struct node *node;

	mutex_lock(&table->lock);
	node = node_index_name(&table->index, parent->ino, name, hash);
	if (node && node->nlookup < nlookup_least)
		node = NULL;
	if (node)
		node->refcount++;
	mutex_unlock(&table->lock);
	return node;
}

struct node *node_child(struct node_table *table, struct node *parent,
			const char *name)
{
	return child(table, parent, name, 0);
}

struct node *node_known_child(struct node_table *table, struct node *parent,
			      const char *name)
{
	return child(table, parent, name, 1);
}

static void count_lookup(struct node *node)
{
	if (node->nlookup++ == 0)
		node->refcount++;
}

/* fresh takes former's number, and what the kernel counted under it. *ret_gone
 * is the former if nobody else holds it: to be freed outside the lock.
 * Otherwise a directory that is found at two places in turn would leave a node
 * behind at each look. */
static void take_over(struct node_table *table, struct node *fresh,
		      struct node *former, struct node **ret_gone)
	requires_lock(table->lock)
{
	unlink_name(table, former);
	node_index_remove_ino(&table->index, former);
	fresh->nlookup = former->nlookup;
	former->nlookup = 0;
	/* The kernel's reference moves from former to fresh; fresh holds one on
	 * former. With a count > 0 the two balance on former. */
	if (fresh->nlookup > 0)
		fresh->refcount++;
	else
		former->refcount++;
	if (former->refcount > 1) {
		former->retired = true;
		DL_APPEND2(table->retired, former, next_by_ino, next_by_name);
		node_form_more(fresh)->former = former;
		return;
	}
	node_form_more(fresh)->former = steal(&node_form_more(former)->former);
	node_form_more(fresh)->listed = steal(&node_form_more(former)->listed);
	*ret_gone = former;
}

static struct node *insert(struct node_table *table, struct node *parent,
			   struct node *fresh, const struct node_what *what,
			   struct node **ret_gone) requires_lock(table->lock)
{
	struct node *other = NULL;

	while (fresh->ino <= NODE_ROOT_INO ||
	       (other = find_ino(table, fresh->ino))) {
		/* A node that lost its name is found to be what it was: it gets
		 * its name back, and the kernel sees one number. A file only if
		 * nothing younger was shown in its place since: otherwise its
		 * mtime would go back. */
		if (fresh->ino > NODE_ROOT_INO && !other->linked &&
		    other->parent->ino == parent->ino &&
		    strcmp(other->name, fresh->name) == 0 &&
		    same(other, what) &&
		    (S_ISDIR(other->mode) ||
		     other->mtime_ms >= fresh->mtime_ms) &&
		    oid_equal(&other->oid, &what->oid)) {
			link_name(table, other);
			return other;
		}
		/* A directory that roams, known at another place. It moves here
		 * unless that place was told by a younger answer: otherwise an
		 * outdated list, which still has it, would move it back. */
		if (fresh->ino > NODE_ROOT_INO && roams(what) &&
		    same(other, what) &&
		    (!other->linked || other->mtime_ms < fresh->mtime_ms)) {
			take_over(table, fresh, other, ret_gone);
			break;
		}
		fresh->ino++;
	}
	check(parent->refcount > 0);
	parent->refcount++;
	fresh->parent = parent;
	node_index_add_ino(&table->index, fresh);
	link_name(table, fresh);
	return fresh;
}

/* A file that takes the place of another one is younger by a second at least
 * (src/model/README.md, 4): a status or a link, whose times no cache remembers.
 * Files of trees are left alone: their times come from git's history and do not
 * go back.
 */
static void be_younger(struct node *fresh, const struct node *old)
{
	int64_t least_ms = old->mtime_ms + 1000;

	if (!S_ISDIR(fresh->mode) && !S_ISDIR(old->mode) &&
	    !fresh->is_tree_file && fresh->mtime_ms < least_ms)
		fresh->mtime_ms = least_ms;
}

static struct node *fresh_node(const struct node_table *table,
			       const struct node *parent, const char *name,
			       const struct node_what *what)
{
	struct node *fresh = node_form_new(name, what);

	fresh->ino = number_for(table, parent, name, what);
	check(!fresh->is_tree_file || node_checkout(parent) == what->checkout);
	return fresh;
}

static void told_of(const struct node *node, struct node_told *ret_told)
{
	*ret_told = (struct node_told){
		.ino = node->ino,
		.mode = node->mode,
		.size = node->size,
		.mtime_ms = node->mtime_ms,
	};
}

/*
 * node_make and node_tell: ret_node or ret_told is NULL; with ret_told the
 * kernel's count is raised.
 *
 * expect closes this race:
 * 1. A reads a directory's tree object and finds a file in it.
 * 2. The ref moves: the directory gets its new object, and the nodes of names
 *    that changed are unlinked (model/git/checkout: move_dir).
 * 3. A makes a node of the file of the old object: the kernel would believe it
 *    for an hour, and nobody would tell of it again. With expect, 3. finds that
 *    the directory has another object by now and fails; A looks again. If 3.
 *    comes before 2., the move finds the node and unlinks it.
 */
static bool make(struct node_table *table, struct node *parent,
		 const char *name, const struct node_what *what,
		 const struct oid *expect, bool kernel, struct node **ret_node,
		 struct node_told *ret_told)
{
	/* Made before the lock is taken, so that finding and inserting are one
	 * short critical section: otherwise two lookups would make two nodes.
	 */
	struct node *fresh = fresh_node(table, parent, name, what);
	struct node *node = NULL, *gone = NULL;
	uint32_t hash = node_index_hash(parent->ino, name);

	mutex_lock(&table->lock);
	if (!expect || oid_equal(&parent->oid, expect)) {
		node = node_index_name(&table->index, parent->ino, name, hash);
		if (node && !same(node, what)) {
			be_younger(fresh, node);
			unlink_name(table, node);
			node = NULL;
		}
		if (!node)
			node = insert(table, parent, fresh, what, &gone);
		if (node == fresh)
			fresh = NULL;
		else if (what->provider->grows)
			grow(node, what->size, what->mtime_ms);
		else if (S_ISDIR(what->mode) && !what->checkout)
			node->mtime_ms = what->mtime_ms;
		if (kernel)
			count_lookup(node);
		if (ret_node) {
			node->refcount++;
			*ret_node = node;
		} else {
			told_of(node, ret_told);
		}
	}
	mutex_unlock(&table->lock);
	if (fresh)
		node_form_free(fresh);
	if (gone) {
		node_unref(table, gone->parent);
		node_form_free(gone);
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
	/*
	 * Finding and counting are one critical section. Otherwise:
	 * 1. A finds the node.
	 * 2. B finds the directory elsewhere: the count goes to a new node,
	 *    with the same number (take_over).
	 * 3. A gives back a count that the old node no longer has.
	 */
	node = find_ino(table, ino);
	if (node) {
		check(n <= node->nlookup);
		node->nlookup -= n;
		last = n > 0 && node->nlookup == 0;
	}
	mutex_unlock(&table->lock);
	/* The reference that stood for all of the kernel's count. */
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
	return mutex_with(&table->lock, node->oid);
}

bool node_move(struct node_table *table, struct node *node,
	       const struct oid *from, const struct oid *to, int64_t mtime_ms)
{
	bool moved = false;

	mutex_lock(&table->lock);
	if (oid_equal(&node->oid, from)) {
		node->oid = *to;
		node->mtime_ms = mtime_ms;
		moved = true;
	}
	mutex_unlock(&table->lock);
	return moved;
}

int64_t node_mtime_ms(struct node_table *table, const struct node *node)
{
	return mutex_with(&table->lock, node->mtime_ms);
}

void node_set_mtime_ms(struct node_table *table, struct node *node,
		       int64_t mtime_ms)
{
	mutex_lock(&table->lock);
	node->mtime_ms = mtime_ms;
	mutex_unlock(&table->lock);
}

uint64_t node_size(struct node_table *table, const struct node *node)
{
	return mutex_with(&table->lock, node->size);
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
	return mutex_with(&table->lock, node->linked || !node->parent);
}

/* The node that has the cookies and the listings of a directory that roams: the
 * first one. Otherwise a reader in the middle of a listing would be given new
 * cookies when the directory moves. */
static struct node *first(struct node *node)
{
	while (former_of(node))
		node = former_of(node);
	return node;
}

struct listed *node_listed(struct node_table *table, struct node *node,
			   bool make)
{
	struct listed *fresh = NULL, *listed;

	node = first(node);
	listed = mutex_with(&table->lock, node_form_more(node)->listed);
	if (listed || !make)
		return listed;
	fresh = listed_new(table->listings);
	mutex_lock(&table->lock);
	if (!node_form_more(node)->listed)
		node_form_more(node)->listed = steal(&fresh);
	listed = node_form_more(node)->listed;
	mutex_unlock(&table->lock);
	listed_free(fresh);
	return listed;
}

struct dirbook *node_book(struct node_table *table, struct node *node,
			  bool make)
{
	struct listed *listed = node_listed(table, node, make);

	return listed ? listed_book(listed, make) : NULL;
}

void node_each(struct node_table *table, const struct provider *provider,
	       void (*each)(void *arg, struct node *), void *arg)
{
	struct node **nodes, *node = NULL;
	size_t n = 0, at = 0;

	mutex_lock(&table->lock);
	nodes = mem_calloc(table->index.by_ino.n_nodes + 1, sizeof(*nodes));
	while ((node = node_index_next(&table->index, &at, node))) {
		if (provider ? node->provider == provider
			     : node->provider->expiry != PROVIDER_KEEPS) {
			node->refcount++;
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

void node_each_known(struct node_table *table,
		     void (*each)(void *arg, const struct node *), void *arg)
{
	struct node *node = NULL;
	size_t at = 0;

	while ((node = node_index_next(&table->index, &at, node)))
		if (node->nlookup || node->ino == NODE_ROOT_INO)
			each(arg, node);
}

void node_path(const struct node *node, struct buf *out)
{
	node_path_below(node, NULL, out);
}

size_t node_count(struct node_table *table)
{
	return mutex_with(&table->lock, table->index.by_ino.n_nodes);
}

bool node_many_went(struct node_table *table)
{
	if (atomic_load(&table->n_went) < MANY_NODES)
		return false;
	atomic_store(&table->n_went, 0);
	return true;
}
