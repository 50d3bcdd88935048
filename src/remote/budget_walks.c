/*
 * remote/budget, walks: who asks, and how often each of them did in the last
 * ten minutes.
 *
 * FUSE names a thread, and a shell's job is a process group: /proc tells one
 * from the other. That is asked only when a request is about to be made, and
 * remembered for a second. Times are of the clock that does not jump.
 */
#include "budget_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/text.h"

#define N_KNOWN 64
#define KNOWN_MS 1000
#define GROUPS_MOST 1024
#define WALK_MINUTES 10

struct known {
	int32_t thread; /* 0: nothing */
	int64_t until_ms;
	struct walker walker;
};

struct group {
	struct walker walker;
	struct {
		int64_t minute;
		unsigned n;
	} slots[WALK_MINUTES];
	int64_t last_minute;
	UT_hash_handle hh;
};

struct walks {
	budget_group_of *group_of;
	void *arg;
	struct mutex lock;
	struct known known[N_KNOWN]; /* under lock, by the thread's number */
	struct group *groups;        /* under lock, by walker.group */
};

struct walks *walks_new(budget_group_of *group_of, void *arg)
{
	struct walks *w = xcalloc(1, sizeof(*w));

	w->group_of = group_of;
	w->arg = arg;
	mutex_init(&w->lock);
	return w;
}

struct walks *walks_free(struct walks *w)
{
	struct group *g, *next;

	if (!w)
		return NULL;
	HASH_ITER (hh, w->groups, g, next) {
		HASH_DEL(w->groups, g);
		free(g);
	}
	mutex_done(&w->lock);
	free(w);
	return NULL;
}

/* ---- who ---- */

/* The next word, which n bytes have room for with their NUL. */
static const char *next_word(const char *at, char *word, size_t n)
{
	size_t len;

	at += strspn(at, " ");
	len = strcspn(at, " \n");
	if (!len || len >= n)
		return NULL;
	memcpy(word, at, len);
	word[len] = '\0';
	return at + len;
}

/* proc_pid_stat(5): "pid (name) state ppid pgrp …"; the name may have anything
 * in it, ") R 1 1" as well. */
int budget_group_from_proc(void *arg, int32_t thread, int32_t *ret_group,
			   char ret_name[static 16])
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(free) char *path = xasprintf("/proc/%d/stat", (int)thread);
	const char *name, *end, *at;
	char word[16];
	uint64_t group;
	size_t n;
	int r = file_read(path, 4 * KIB, &text);

	(void)arg;
	if (r < 0)
		return r;
	name = text.len ? memchr(text.data, '(', text.len) : NULL;
	end = name ? memrchr(text.data, ')', text.len) : NULL;
	if (!end || end < name)
		return -EBADMSG;
	at = end + 1;
	for (int i = 0; at && i < 3; i++)
		at = next_word(at, word, sizeof(word));
	if (!at || text_parse_u64(word, INT32_MAX, &group))
		return -EBADMSG;
	n = (size_t)(end - ++name);
	if (n > 15)
		n = 15;
	memcpy(ret_name, name, n);
	ret_name[n] = '\0';
	*ret_group = (int32_t)group;
	return 0;
}

static void make_printable(char name[static 16])
{
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static struct known *known_of(struct walks *w, int32_t thread)
	requires_lock(w->lock)
{
	return &w->known[(uint32_t)thread % N_KNOWN];
}

void walks_identify(struct walks *w, int32_t thread, struct walker *ret)
{
	struct walker walker = {.group = thread};
	int64_t now = clock_boot_ms();
	struct known *k;
	int32_t group;
	bool is_known;

	mutex_lock(&w->lock);
	k = known_of(w, thread);
	is_known = k->thread == thread && k->until_ms > now;
	if (is_known)
		walker = k->walker;
	mutex_unlock(&w->lock);
	if (!is_known && thread &&
	    w->group_of(w->arg, thread, &group, walker.name) == 0) {
		/* 0: the group is not to be seen from here. */
		if (group)
			walker.group = group;
		make_printable(walker.name);
		mutex_lock(&w->lock);
		*known_of(w, thread) =
			(struct known){thread, now + KNOWN_MS, walker};
		mutex_unlock(&w->lock);
	}
	*ret = walker;
}

/* ---- how often ---- */

static int64_t this_minute(void)
{
	return clock_boot_ms() / MINUTE_MS;
}

static unsigned count_of(const struct group *g)
{
	int64_t now = this_minute();
	unsigned n = 0;

	for (size_t i = 0; i < WALK_MINUTES; i++)
		if (g->slots[i].minute > now - WALK_MINUTES)
			n += g->slots[i].n;
	return n;
}

/* Those that are quiet for ten minutes go, and when all are busy the one that
 * was quiet for longest. */
static void make_room(struct walks *w) requires_lock(w->lock)
{
	struct group *g, *next, *oldest = NULL;
	int64_t now = this_minute();

	HASH_ITER (hh, w->groups, g, next) {
		if (g->last_minute <= now - WALK_MINUTES) {
			HASH_DEL(w->groups, g);
			free(g);
		} else if (!oldest || g->last_minute < oldest->last_minute) {
			oldest = g;
		}
	}
	if (HASH_COUNT(w->groups) >= GROUPS_MOST) {
		HASH_DEL(w->groups, oldest);
		free(oldest);
	}
}

static struct group *find_or_make(struct walks *w, const struct walker *walker)
	requires_lock(w->lock)
{
	struct group *g;

	HASH_FIND(hh, w->groups, &walker->group, sizeof(walker->group), g);
	if (g)
		return g;
	if (HASH_COUNT(w->groups) >= GROUPS_MOST)
		make_room(w);
	g = xcalloc(1, sizeof(*g));
	g->walker = *walker;
	HASH_ADD(hh, w->groups, walker.group, sizeof(g->walker.group), g);
	return g;
}

unsigned walks_count(struct walks *w, const struct walker *walker)
{
	int64_t minute = this_minute();
	size_t at = (uint64_t)minute % WALK_MINUTES;
	struct group *g;
	unsigned n;

	mutex_lock(&w->lock);
	g = find_or_make(w, walker);
	memcpy(g->walker.name, walker->name, sizeof(g->walker.name));
	if (g->slots[at].minute != minute) {
		g->slots[at].minute = minute;
		g->slots[at].n = 0;
	}
	g->slots[at].n++;
	g->last_minute = minute;
	n = count_of(g);
	mutex_unlock(&w->lock);
	return n;
}

/* Keeps the n largest, most first. */
static size_t insert(struct budget_walk *all, size_t n_all, size_t n,
		     const struct budget_walk *one)
{
	size_t at = n_all;

	while (at > 0 && all[at - 1].n_requests < one->n_requests)
		at--;
	if (at == n)
		return n_all;
	if (n_all < n)
		n_all++;
	memmove(&all[at + 1], &all[at], (n_all - at - 1) * sizeof(*all));
	all[at] = *one;
	return n_all;
}

size_t walks_list(struct walks *w, unsigned threshold, struct budget_walk *ret,
		  size_t n)
{
	struct group *g, *next;
	size_t n_found = 0;

	mutex_lock(&w->lock);
	HASH_ITER (hh, w->groups, g, next) {
		struct budget_walk one = {.group = g->walker.group,
					  .n_requests = count_of(g)};

		memcpy(one.name, g->walker.name, sizeof(one.name));
		if (one.n_requests > threshold)
			n_found = insert(ret, n_found, n, &one);
	}
	mutex_unlock(&w->lock);
	for (size_t i = 0; i < n_found; i++) {
		char name[16] = "";
		int32_t group;

		/* The leader has the group's number, while it lives. */
		if (ret[i].group &&
		    w->group_of(w->arg, ret[i].group, &group, name) == 0 &&
		    group == ret[i].group) {
			make_printable(name);
			memcpy(ret[i].name, name, sizeof(name));
		}
	}
	return n_found;
}
