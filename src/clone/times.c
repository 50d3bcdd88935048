/*
 * What time a path of a ref has (src/model/README.md, 4): that at which this
 * cache saw the path get the content that it has: the commit's, or now, should
 * the commit be dated in the future; but at least a second after what was shown
 * there before. So a change always moves forward, also one back to older
 * content, and `make`, `rsync -u` and incremental backups see it.
 *
 * There is a base, the time of the first commit that was seen; every path has
 * it until the head moves. Then what differs between the two trees is written
 * down, under the path and the object's id: what was there with the time it
 * had, what is there now with its new one. What went has its last time under
 * the id of zeros, in case that the path comes back. What never changed costs
 * nothing.
 *
 * The cache is the truth, memory a copy of it. Another mount may write at the
 * same time; but the time of a key never falls, so both take the greater one.
 */
#include "clone/clone_private.h"

#include "base/clock.h"

/* A move that changes more paths than this counts as a new beginning. */
#define MOVE_BYTES_MOST ((size_t)128 * MIB)

struct change {
	size_t offset, n_key; /* in move.keys */
	int64_t time_s;
	bool was; /* shown before: what the cache has of it stays */
};
struct move {
	struct clone_tracking *tracking;
	int64_t to_s; /* the new commit's, or now */
	struct buf keys;
	struct change *changes;
	size_t n_changes, n_room;
};

void clone_times_init(struct clone_times *t)
{
	mutex_init(&t->lock);
}

static void forget_paths(struct clone_times *t) requires_lock(t->lock)
{
	struct path_time *p, *next;

	HASH_ITER (hh, t->paths, p, next) {
		HASH_DEL(t->paths, p);
		free(p);
	}
	t->n_paths = 0;
}

void clone_times_done(struct clone_times *t)
{
	mutex_lock(&t->lock);
	forget_paths(t);
	mutex_unlock(&t->lock);
	mutex_done(&t->lock);
}

static char *space_name(const struct clone_tracking *tracking)
{
	return mem_asprintf("times:%s%s%s", tracking->clone->uuid,
			    tracking->ref[0] ? "/" : "", tracking->ref);
}

static struct cache *cache_of(const struct clone_tracking *tracking)
{
	return tracking->clone->clones->cache;
}

static void add(struct clone_times *t, const void *key, size_t n_key,
		int64_t time_s) requires_lock(t->lock)
{
	struct path_time *p;

	if (time_s > t->last_s)
		t->last_s = time_s;
	HASH_FIND(hh, t->paths, key, n_key, p);
	if (p) {
		if (time_s > p->time_s)
			p->time_s = time_s;
		return;
	}
	p = mem_alloc(sizeof(*p) + n_key);
	p->time_s = time_s;
	p->n_key = n_key;
	memcpy(p->key, key, n_key);
	HASH_ADD_KEYPTR(hh, t->paths, p->key, n_key, p);
	t->n_paths++;
}

static void set_base(struct clone_times *t, int64_t base_s)
	requires_lock(t->lock)
{
	t->has_base = true;
	t->base_s = base_s;
	if (base_s > t->last_s)
		t->last_s = base_s;
}

static int load_one(void *arg, const struct cache_fact *f)
{
	struct clone_times *t = arg;
	int64_t time_s;

	if (f->n_value != sizeof(time_s))
		return 0;
	memcpy(&time_s, f->value, sizeof(time_s));
	mutex_lock(&t->lock);
	if (f->n_key == 0) {
		if (!t->has_base)
			set_base(t, time_s);
	} else if (f->n_key > OID_BYTES) {
		add(t, f->key, f->n_key, time_s);
	}
	mutex_unlock(&t->lock);
	return 0;
}

void clone_times_load(struct clone_tracking *tracking)
{
	cleanup(free) char *space = space_name(tracking);

	/* Without the stored times paths are younger than they could be, which
	 * is no reason to fail. */
	(void)cache_fact_each(cache_of(tracking), space, load_one,
			      &tracking->times);
}

bool clone_times_has_base(struct clone_tracking *tracking)
{
	return mutex_with(&tracking->times.lock, tracking->times.has_base);
}

/* A commit may say that it is of next year. */
static int64_t not_after_now(int64_t time_s)
{
	int64_t now_s = clock_wall_ms() / 1000;

	return time_s < now_s ? time_s : now_s;
}

int clone_times_begin(struct clone_tracking *tracking, int64_t base_s,
		      const struct clone_head *from)
{
	cleanup(free) char *space = space_name(tracking);
	struct cache *cache = cache_of(tracking);
	struct clone_times *t = &tracking->times;
	const struct cache_fact base = {
		.key = "",
		.value = &base_s,
		.n_value = sizeof(base_s),
	};

	base_s = not_after_now(base_s);
	mutex_lock(&t->lock);
	/* Which paths changed is no longer known: each gets a later time than
	 * any path was shown with. */
	if (from && from->time_s > t->last_s)
		t->last_s = from->time_s;
	if ((from || t->has_base) && base_s <= t->last_s)
		base_s = t->last_s + 1;
	forget_paths(t);
	set_base(t, base_s);
	mutex_unlock(&t->lock);
	/* In one transaction: a process that was killed after the old base was
	 * deleted would leave none, and the next mount would begin from the
	 * commit's own time, earlier than what was shown. */
	return cache_fact_replace(cache, space, &base, 1);
}

/* What memory says of a key; otherwise_s, if it says nothing. */
static int64_t time_or(struct clone_times *t, const void *key, size_t n_key,
		       int64_t otherwise_s)
{
	struct path_time *p;

	mutex_lock(&t->lock);
	HASH_FIND(hh, t->paths, key, n_key, p);
	if (p)
		otherwise_s = p->time_s;
	mutex_unlock(&t->lock);
	return otherwise_s;
}

static int64_t time_of(struct clone_times *t, const void *key, size_t n_key)
{
	int64_t base_s;

	mutex_lock(&t->lock);
	base_s = t->base_s;
	mutex_unlock(&t->lock);
	return time_or(t, key, n_key, base_s);
}

/* Adds a change with its key; the caller fills in its time. */
static int note(struct move *m, const char *path, const struct oid *oid,
		struct change **ret_change)
{
	size_t offset = m->keys.len, n_key = strlen(path) + 1 + OID_BYTES;
	int r = buf_add(&m->keys, path, n_key - OID_BYTES);

	if (r >= 0)
		r = buf_add(&m->keys, oid->bytes, OID_BYTES);
	if (r < 0)
		return r;
	if (m->n_changes == 2 * CLONE_TIMES_MOST)
		return -EMSGSIZE;
	mem_grow(m->changes, m->n_changes, m->n_room);
	*ret_change = &m->changes[m->n_changes++];
	**ret_change = (struct change){.offset = offset, .n_key = n_key};
	return 0;
}

/* What was there had its time; *ret_s: that. */
static int note_before(struct move *m, const char *path, const struct oid *oid,
		       int64_t *ret_s)
{
	struct change *c;
	int r = note(m, path, oid, &c);

	if (r < 0)
		return r;
	c->time_s = time_of(&m->tracking->times, m->keys.data + c->offset,
			    c->n_key);
	c->was = true;
	*ret_s = c->time_s;
	return 0;
}

/* What is there now, after something of that time (NO_TIME: after nothing that
 * is known). */
#define NO_TIME INT64_MIN
static int note_after(struct move *m, const char *path, const struct oid *oid,
		      int64_t before_s)
{
	struct change *c;
	int64_t known_s;
	int r = note(m, path, oid, &c);

	if (r < 0)
		return r;
	c->time_s = m->to_s > before_s ? m->to_s : before_s + 1;
	/* A known time after before_s was recorded by another mount, for this
	 * same move: both show the same. */
	known_s = time_or(&m->tracking->times, m->keys.data + c->offset,
			  c->n_key, NO_TIME);
	if (before_s != NO_TIME && known_s > before_s)
		c->time_s = known_s;
	return 0;
}

/* When a path that is not there was last shown. */
static int64_t time_gone(struct move *m, const char *path)
{
	struct change *c;
	int64_t time_s;

	/* Its key is made like the others, and taken back. */
	if (note(m, path, &oid_none, &c) < 0)
		return NO_TIME;
	time_s = time_or(&m->tracking->times, m->keys.data + c->offset,
			 c->n_key, NO_TIME);
	m->keys.len = c->offset;
	m->n_changes--;
	return time_s;
}

static int note_gone(struct move *m, const char *path, int64_t before_s)
{
	struct change *c;
	int r = note(m, path, &oid_none, &c);

	if (r == 0)
		c->time_s = before_s;
	return r;
}

static int note_both(struct move *m, const char *path, const struct oid *before,
		     const struct oid *after)
{
	int64_t before_s = NO_TIME;
	int r = 0;

	if (before)
		r = note_before(m, path, before, &before_s);
	else
		before_s = time_gone(m, path);
	if (r == 0 && after)
		r = note_after(m, path, after, before_s);
	else if (r == 0)
		r = note_gone(m, path, before_s);
	return r;
}

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

static int note_path(void *arg, const char *path,
		     const struct tree_entry *before,
		     const struct tree_entry *after)
{
	/* A mode alone is no other content; but a file and a link that leads
	 * where the file's text says are not the same. */
	if (before && after && oid_equal(&before->oid, &after->oid) &&
	    (before->kind == after->kind ||
	     (is_file(before) && is_file(after))))
		return 0;
	return note_both(arg, path, before ? &before->oid : NULL,
			 after ? &after->oid : NULL);
}

/* It is shown as something else from now on, though git has the same. */
static int note_flip(void *arg, const char *path, const struct oid *oid)
{
	struct move *m = arg;
	struct change *c;
	int64_t before_s;
	int r = note(m, path, oid, &c);

	if (r < 0)
		return r;
	before_s = time_of(&m->tracking->times, m->keys.data + c->offset,
			   c->n_key);
	c->time_s = m->to_s > before_s ? m->to_s : before_s + 1;
	return 0;
}

/* All of it in one transaction. */
static int store_move(struct move *m)
{
	cleanup(free) char *space = space_name(m->tracking);
	cleanup(free) struct cache_fact *facts =
		mem_calloc(m->n_changes + 1, sizeof(*facts));

	for (size_t i = 0; i < m->n_changes; i++)
		facts[i] = (struct cache_fact){
			.key = m->keys.data + m->changes[i].offset,
			.n_key = m->changes[i].n_key,
			.value = &m->changes[i].time_s,
			.n_value = sizeof(m->changes[i].time_s),
			.keep = m->changes[i].was,
		};
	return cache_fact_put_many(cache_of(m->tracking), space, facts,
				   m->n_changes);
}

static int list_move(struct move *m, struct objects *objects,
		     const struct clone_head *from, const struct clone_head *to)
{
	int r = note_both(m, "", from->empty ? NULL : &from->tree,
			  to->empty ? NULL : &to->tree);

	if (r >= 0)
		r = objects_diff_trees(
			NULL, objects, from->empty ? NULL : &from->tree,
			to->empty ? NULL : &to->tree, note_path, m);
	if (r >= 0 && !from->empty && !to->empty)
		r = clone_lfs_flips(m->tracking->clone, &from->tree, &to->tree,
				    note_flip, m);
	return r;
}

/* It became empty, and that was too much to write down path by path. A path
 * that comes now may have been there, with any time up to the base; a move that
 * is written down leaves the root's last time at least. */
static bool was_forgotten(struct clone_times *t, const struct clone_head *from)
{
	return mutex_with(&t->lock,
			  from->empty && t->has_base && t->n_paths == 0);
}

int clone_times_move(struct clone_tracking *tracking, struct objects *objects,
		     const struct clone_head *from, const struct clone_head *to)
{
	struct move m = {
		.tracking = tracking,
		.to_s = not_after_now(to->time_s),
		.keys = BUF_INIT(MOVE_BYTES_MOST),
	};
	struct clone_times *t = &tracking->times;
	int r;

	/* What another mount has recorded since. */
	clone_times_load(tracking);
	if (was_forgotten(t, from))
		return clone_times_begin(tracking, to->time_s, from);
	r = list_move(&m, objects, from, to);
	mutex_lock(&t->lock);
	if (r >= 0 && t->n_paths + m.n_changes > CLONE_TIMES_MOST)
		r = -EMSGSIZE;
	mutex_unlock(&t->lock);
	if (r < 0) {
		/* Too much, or what was there cannot be read. */
		r = clone_times_begin(tracking, to->time_s, from);
	} else {
		r = store_move(&m);
		mutex_lock(&t->lock);
		for (size_t i = 0; i < m.n_changes; i++)
			add(t, m.keys.data + m.changes[i].offset,
			    m.changes[i].n_key, m.changes[i].time_s);
		mutex_unlock(&t->lock);
	}
	free(m.changes);
	buf_done(&m.keys);
	return r;
}

int64_t clone_path_time(struct clone_tracking *tracking, const char *path,
			const struct oid *oid)
{
	size_t n_path = strlen(path) + 1, n_key = n_path + OID_BYTES;
	char here[1024], *key = here;
	int64_t time_s;

	if (clone_has_path_times(tracking, &time_s)) {
		if (n_key > sizeof(here))
			key = mem_alloc(n_key);
		memcpy(key, path, n_path);
		memcpy(key + n_path, oid->bytes, OID_BYTES);
		time_s = time_of(&tracking->times, key, n_key);
		if (key != here)
			free(key);
	}
	return time_s;
}

bool clone_has_path_times(struct clone_tracking *tracking, int64_t *ret_time_s)
{
	bool has, has_base;

	mutex_lock(&tracking->times.lock);
	has = tracking->times.n_paths > 0;
	has_base = tracking->times.has_base;
	*ret_time_s = tracking->times.base_s;
	mutex_unlock(&tracking->times.lock);
	if (!has_base) {
		mutex_lock(&tracking->clone->clones->lock);
		*ret_time_s = tracking->has_head ? tracking->head.time_s : 0;
		mutex_unlock(&tracking->clone->clones->lock);
	}
	return has;
}
