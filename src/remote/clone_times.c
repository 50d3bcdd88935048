/*
 * What time a path of a ref has (layout rule 4): that of the first
 * commit at which this cache saw it with its content.
 *
 * There is a base, the time of the first commit that was seen; every path has
 * it until the head moves. Then what differs between the two trees is written
 * down: what was there with the time it had, what is there now with the new
 * commit's, unless it has one already (it came back). So a time never changes
 * once it was shown, and what never changed costs nothing.
 *
 * The cache is the truth, memory a copy of it. Another mount may write at the
 * same time: the first wins in the cache, and memory takes in what is there.
 */
#include "remote/clone_private.h"

/* One move that lists more than this is no change but a new beginning. */
#define MOVE_BYTES_MOST ((size_t)128 * MIB)
#define OID_BYTES sizeof(((struct oid *)NULL)->bytes)

struct change {
	size_t offset, n_key; /* in move.keys */
	int64_t time_s;
};
struct move {
	struct clone_line *line;
	int64_t to_s; /* the new commit's */
	struct buf keys;
	struct change *changes;
	size_t n_changes, n_room;
};

void times_init(struct clone_times *t)
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

void times_done(struct clone_times *t)
{
	mutex_lock(&t->lock);
	forget_paths(t);
	mutex_unlock(&t->lock);
	mutex_done(&t->lock);
}

static char *space_name(const struct clone_line *line)
{
	return xasprintf("times:%s%s%s", line->clone->uuid,
			 line->ref[0] ? "/" : "", line->ref);
}

static struct cache *cache_of(const struct clone_line *line)
{
	return line->clone->clones->cache;
}

static void add(struct clone_times *t, const void *key, size_t n_key,
		int64_t time_s) requires_lock(t->lock)
{
	struct path_time *p;

	HASH_FIND(hh, t->paths, key, n_key, p);
	if (p)
		return;
	p = xmalloc(sizeof(*p) + n_key);
	p->time_s = time_s;
	p->n_key = n_key;
	memcpy(p->key, key, n_key);
	HASH_ADD_KEYPTR(hh, t->paths, p->key, n_key, p);
	t->n_paths++;
}

static int load_one(void *arg, const struct cache_fact *f)
{
	struct clone_times *t = arg;
	int64_t time_s;

	if (f->n_value != sizeof(time_s))
		return 0;
	memcpy(&time_s, f->value, sizeof(time_s));
	mutex_lock(&t->lock);
	if (f->n_key == 0 && !t->has_base) {
		t->has_base = true;
		t->base_s = time_s;
	} else if (f->n_key > OID_BYTES) {
		add(t, f->key, f->n_key, time_s);
	}
	mutex_unlock(&t->lock);
	return 0;
}

void times_load(struct clone_line *line)
{
	cleanup(free) char *space = space_name(line);

	/* Without them times are younger than they could be: no failure. */
	(void)cache_fact_each(cache_of(line), space, load_one, &line->times);
}

bool times_has_base(struct clone_line *line)
{
	bool has;

	mutex_lock(&line->times.lock);
	has = line->times.has_base;
	mutex_unlock(&line->times.lock);
	return has;
}

void times_begin(struct clone_line *line, int64_t base_s)
{
	cleanup(free) char *space = space_name(line);
	struct cache *cache = cache_of(line);

	(void)cache_fact_clear(cache, space);
	(void)cache_fact_put(cache, space, "", 0, &base_s, sizeof(base_s));
	mutex_lock(&line->times.lock);
	forget_paths(&line->times);
	line->times.has_base = true;
	line->times.base_s = base_s;
	mutex_unlock(&line->times.lock);
}

/* What memory says of a key; the base, if it says nothing. */
static int64_t time_of(struct clone_times *t, const void *key, size_t n_key)
{
	struct path_time *p;
	int64_t time_s;

	mutex_lock(&t->lock);
	HASH_FIND(hh, t->paths, key, n_key, p);
	time_s = p ? p->time_s : t->base_s;
	mutex_unlock(&t->lock);
	return time_s;
}

static int note(struct move *m, const char *path, const struct oid *oid,
		bool before)
{
	size_t offset = m->keys.len, n_key = strlen(path) + 1 + OID_BYTES;
	int r = buf_add(&m->keys, path, n_key - OID_BYTES);

	if (r >= 0)
		r = buf_add(&m->keys, oid->bytes, OID_BYTES);
	if (r < 0)
		return r;
	if (m->n_changes == 2 * CLONE_TIMES_MOST)
		return -EMSGSIZE;
	if (m->n_changes == m->n_room) {
		m->n_room = m->n_room ? m->n_room * 2 : 64;
		m->changes =
			xrealloc(m->changes, m->n_room * sizeof(*m->changes));
	}
	m->changes[m->n_changes++] = (struct change){
		.offset = offset,
		.n_key = n_key,
		.time_s = before ? time_of(&m->line->times,
					   m->keys.data + offset, n_key)
				 : m->to_s,
	};
	return 0;
}

static int note_path(void *arg, const char *path,
		     const struct tree_entry *before,
		     const struct tree_entry *after)
{
	struct move *m = arg;
	int r = 0;

	/* A mode alone is no other content. */
	if (before && after && oid_equal(&before->oid, &after->oid))
		return 0;
	if (before)
		r = note(m, path, &before->oid, true);
	if (r >= 0 && after)
		r = note(m, path, &after->oid, false);
	return r;
}

/* All of it in one transaction; what is there stays. */
static int store_move(struct move *m)
{
	cleanup(free) char *space = space_name(m->line);
	cleanup(free) struct cache_fact *facts =
		xcalloc(m->n_changes + 1, sizeof(*facts));

	for (size_t i = 0; i < m->n_changes; i++)
		facts[i] = (struct cache_fact){
			.key = m->keys.data + m->changes[i].offset,
			.n_key = m->changes[i].n_key,
			.value = &m->changes[i].time_s,
			.n_value = sizeof(m->changes[i].time_s),
			.keep = true,
		};
	return cache_fact_put_many(cache_of(m->line), space, facts,
				   m->n_changes);
}

static int list_move(struct move *m, struct objects *objects,
		     const struct clone_head *from, const struct clone_head *to)
{
	int r = 0;

	if (!from->empty)
		r = note(m, "", &from->tree, true);
	if (r >= 0 && !to->empty)
		r = note(m, "", &to->tree, false);
	if (r >= 0)
		r = objects_diff_trees(
			objects, from->empty ? NULL : &from->tree,
			to->empty ? NULL : &to->tree, note_path, m);
	return r;
}

int times_move(struct clone_line *line, struct objects *objects,
	       const struct clone_head *from, const struct clone_head *to)
{
	struct move m = {
		.line = line,
		.to_s = to->time_s,
		.keys = BUF_INIT(MOVE_BYTES_MOST),
	};
	struct clone_times *t = &line->times;
	int r = list_move(&m, objects, from, to);

	mutex_lock(&t->lock);
	if (r >= 0 && t->n_paths + m.n_changes > CLONE_TIMES_MOST)
		r = -EMSGSIZE;
	mutex_unlock(&t->lock);
	if (r == -EMSGSIZE && !to->empty) {
		times_begin(line, to->time_s);
		r = 0;
	} else if (r >= 0) {
		r = store_move(&m);
		times_load(line);
		/* Those that the cache could not take. */
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

int64_t clone_path_time(struct clone_line *line, const char *path,
			const struct oid *oid)
{
	size_t n_path = strlen(path) + 1, n_key = n_path + OID_BYTES;
	char here[1024], *key = here;
	int64_t time_s;

	if (clone_has_path_times(line, &time_s)) {
		if (n_key > sizeof(here))
			key = xmalloc(n_key);
		memcpy(key, path, n_path);
		memcpy(key + n_path, oid->bytes, OID_BYTES);
		time_s = time_of(&line->times, key, n_key);
		if (key != here)
			free(key);
	}
	return time_s;
}

bool clone_has_path_times(struct clone_line *line, int64_t *ret_time_s)
{
	bool has, has_base;

	mutex_lock(&line->times.lock);
	has = line->times.n_paths > 0;
	has_base = line->times.has_base;
	*ret_time_s = line->times.base_s;
	mutex_unlock(&line->times.lock);
	if (!has_base) {
		mutex_lock(&line->clone->clones->lock);
		*ret_time_s = line->has_head ? line->head.time_s : 0;
		mutex_unlock(&line->clone->clones->lock);
	}
	return has;
}
