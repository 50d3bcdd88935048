/*
 * api/budget, walks: which session asks, and how many requests each session
 * caused in the last ten minutes.
 *
 * FUSE names a thread; /proc says which session that is of. /proc is read only
 * when a request is about to be made, and the answer remembered for a second.
 * Minutes are of the clock that does not jump.
 *
 * Counted by session. By process group, each turn of a shell's loop and each
 * program that xargs starts would begin at nothing. By common ancestor, a
 * person at one terminal would be refused for the walk at another, for below a
 * desktop or in a container everything has the same ancestor.
 */
#include "api/budget_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/text.h"

#include <limits.h>

#define N_KNOWN 64
#define KNOWN_MS 1000
#define GROUPS_MOST 1024
#define WALK_MINUTES 10
/* Sessions without a terminal and with no more requests than this count as one
 * (cron starts a new session each minute). */
#define FLEETING_MOST 10
/* So many programs of a session are told apart: those that asked most. */
#define PROGRAMS_MOST 4

struct known {
	int32_t thread; /* 0: nothing */
	int64_t until_ms;
	struct walker walker;
};

struct counts {
	struct {
		int64_t minute;
		unsigned n;
	} slots[WALK_MINUTES];
};

struct program {
	char name[16]; /* printable */
	struct counts counts;
};

struct group {
	struct walker walker; /* the process that asked last */
	struct counts counts;
	struct program programs[PROGRAMS_MOST];
	int64_t last_minute, refused_minute; /* the last request, refusal */
	UT_hash_handle hh;
};

struct walks {
	budget_who_of *who_of;
	void *arg;
	struct mutex lock;
	struct known known[N_KNOWN] under_lock; /* by the thread's number */
	struct group *groups under_lock;        /* by walker.session */
	int64_t fleeting_refused under_lock;    /* the minute */
};

struct walks *budget_walks_new(budget_who_of *who_of, void *arg)
{
	struct walks *w = mem_alloc(sizeof(*w));

	*w = (struct walks){
		.who_of = who_of,
		.arg = arg,
		.fleeting_refused = INT64_MIN / 2,
	};
	mutex_init(&w->lock);
	return w;
}

struct walks *budget_walks_free(struct walks *w)
{
	struct group *g, *next;

	if (!w)
		return NULL;
	mutex_lock(&w->lock);
	HASH_ITER (hh, w->groups, g, next) {
		HASH_DEL(w->groups, g);
		free(g);
	}
	mutex_unlock(&w->lock);
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

/* proc_pid_status(5) has "Tgid:"; proc_pid_stat(5), which has no such thing, is
 * of the thread. 0: the thread has ended. */
static int32_t process_of(int32_t thread)
{
	cleanup(buf_done) struct buf text = BUF_INIT(8 * KIB);
	cleanup(free) char *path = mem_asprintf("/proc/%d/status", (int)thread);
	const char *at;

	if (file_read(path, 8 * KIB, &text) < 0 || !text.len)
		return 0;
	at = strstr(text.data, "\nTgid:");
	return at ? (int32_t)strtol(at + strlen("\nTgid:"), NULL, 10) : 0;
}

/* proc_pid_stat(5): "pid (name) state ppid pgrp session tty …"; the name may
 * have anything in it, ") R 1 1" as well. */
int budget_who_from_proc(void *, int32_t thread, struct budget_who *ret)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(free) char *path = mem_asprintf("/proc/%d/stat", (int)thread);
	const char *name, *end, *at;
	char word[16];
	uint64_t group, session;
	size_t n;
	int r = file_read(path, 4 * KIB, &text);

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
	at = next_word(at, word, sizeof(word));
	if (!at || text_parse_u64(word, INT32_MAX, &session))
		return -EBADMSG;
	at = next_word(at, word, sizeof(word));
	if (!at)
		return -EBADMSG;
	n = (size_t)(end - ++name);
	if (n > 15)
		n = 15;
	*ret = (struct budget_who){
		.session = (int32_t)session,
		.group = (int32_t)group,
		.process = process_of(thread),
		.terminal = strcmp(word, "0") != 0,
	};
	memcpy(ret->name, name, n);
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

void budget_walks_identify(struct walks *w, int32_t thread, struct walker *ret)
{
	/* If the process has ended before /proc was read: a session of its own
	 * without a terminal, which counts together with its like. */
	struct walker walker = {
		.session = thread,
		.group = thread,
		.process = thread,
		.terminal = !thread,
	};
	int64_t now = clock_boot_ms();
	struct budget_who who = {0};
	struct known *k;
	bool is_known;

	mutex_lock(&w->lock);
	k = known_of(w, thread);
	is_known = k->thread == thread && k->until_ms > now;
	/* Of a process that has ended meanwhile it is what there is to know:
	 * the lists that it began go on. */
	if (k->thread == thread)
		walker = k->walker;
	mutex_unlock(&w->lock);
	if (!is_known && thread && w->who_of(w->arg, thread, &who) == 0) {
		if (who.session)
			walker.session = who.session;
		if (who.group)
			walker.group = who.group;
		if (who.process)
			walker.process = who.process;
		walker.terminal = who.terminal;
		memcpy(walker.name, who.name, sizeof(walker.name));
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

static unsigned count_of(const struct counts *c)
{
	int64_t now = this_minute();
	unsigned n = 0;

	for (size_t i = 0; i < WALK_MINUTES; i++)
		if (c->slots[i].minute > now - WALK_MINUTES)
			n += c->slots[i].n;
	return n;
}

static bool is_recent(int64_t minute)
{
	return minute > this_minute() - WALK_MINUTES;
}

/* The requests of the last ten minutes, each a tenth less for every minute
 * since. */
static unsigned faded_count_of(const struct counts *c)
{
	int64_t now = this_minute();
	uint64_t n = 0;

	for (size_t i = 0; i < WALK_MINUTES; i++)
		if (c->slots[i].minute > now - WALK_MINUTES)
			n += c->slots[i].n * (uint64_t)(WALK_MINUTES - now +
							c->slots[i].minute);
	return (unsigned)(n / WALK_MINUTES);
}

static void count_one(struct counts *c)
{
	int64_t minute = this_minute();
	size_t at = (uint64_t)minute % WALK_MINUTES;

	if (c->slots[at].minute != minute) {
		c->slots[at].minute = minute;
		c->slots[at].n = 0;
	}
	c->slots[at].n++;
}

/* The program that asked most: a refusal names what has walked, not the `df`
 * that somebody runs in the same session afterwards. */
static const struct program *busiest(const struct group *g)
{
	const struct program *most = &g->programs[0];

	for (size_t i = 1; i < PROGRAMS_MOST; i++)
		if (count_of(&g->programs[i].counts) > count_of(&most->counts))
			most = &g->programs[i];
	return most;
}

static void count_program(struct group *g, const char *name)
{
	struct program *at = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < PROGRAMS_MOST; i++) {
		struct program *p = &g->programs[i];
		unsigned n = count_of(&p->counts);

		if (n && strcmp(p->name, name) == 0) {
			at = p;
			break;
		}
		if (n < least) {
			at = p;
			least = n;
		}
	}
	/* A new program, in an empty slot or that of who asked least. */
	if (strcmp(at->name, name) != 0) {
		*at = (struct program){0};
		snprintf(at->name, sizeof(at->name), "%s", name);
	}
	count_one(&at->counts);
}

/* Forgets the sessions without a request for ten minutes; if there are none,
 * the one whose last request is the oldest. */
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

	HASH_FIND(hh, w->groups, &walker->session, sizeof(walker->session), g);
	if (g)
		return g;
	if (HASH_COUNT(w->groups) >= GROUPS_MOST)
		make_room(w);
	g = mem_calloc(1, sizeof(*g));
	g->walker = *walker;
	g->refused_minute = INT64_MIN / 2;
	HASH_ADD(hh, w->groups, walker.session, sizeof(g->walker.session), g);
	return g;
}

static bool is_fleeting(const struct walker *walker, unsigned n)
{
	return !walker->terminal && n <= FLEETING_MOST;
}

void budget_walks_weigh(struct walks *w, const struct walker *walker,
			unsigned most, struct walk_weight *ret)
{
	static const struct counts none;
	struct walk_weight weight = {0};
	struct group *own, *g, *next;
	unsigned fleeting = 0;

	mutex_lock(&w->lock);
	HASH_FIND(hh, w->groups, &walker->session, sizeof(walker->session),
		  own);
	weight.caused = count_of(own ? &own->counts : &none);
	memcpy(weight.name, walker->name, sizeof(weight.name));
	if (own && weight.caused)
		memcpy(weight.name, busiest(own)->name, sizeof(weight.name));
	weight.weight = 1 + (walker->terminal && own
				     ? faded_count_of(&own->counts)
				     : weight.caused);
	if (own && is_recent(own->refused_minute))
		weight.weight = UINT_MAX;
	HASH_ITER (hh, w->groups, g, next) {
		unsigned n = count_of(&g->counts);

		if (n <= most)
			weight.people += n;
		if (is_fleeting(&g->walker, n))
			fleeting += n;
	}
	if (is_fleeting(walker, weight.caused + 1) &&
	    (fleeting >= most || is_recent(w->fleeting_refused))) {
		weight.caused = fleeting;
		weight.together = true;
		memcpy(weight.name, walker->name, sizeof(weight.name));
		weight.weight = UINT_MAX;
	}
	mutex_unlock(&w->lock);
	*ret = weight;
}

void budget_walks_count(struct walks *w, const struct walker *walker)
{
	struct group *g;

	mutex_lock(&w->lock);
	g = find_or_make(w, walker);
	g->walker = *walker;
	g->last_minute = this_minute();
	count_one(&g->counts);
	count_program(g, walker->name);
	mutex_unlock(&w->lock);
}

void budget_walks_refused(struct walks *w, const struct walker *walker,
			  bool together)
{
	struct group *g;

	mutex_lock(&w->lock);
	if (together) {
		w->fleeting_refused = this_minute();
	} else {
		g = find_or_make(w, walker);
		g->last_minute = g->refused_minute = this_minute();
	}
	mutex_unlock(&w->lock);
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

size_t budget_walks_list(struct walks *w, unsigned threshold,
			 struct budget_walk *ret, size_t n)
{
	struct group *g, *next;
	size_t n_found = 0;

	mutex_lock(&w->lock);
	HASH_ITER (hh, w->groups, g, next) {
		struct budget_walk one = {.session = g->walker.session,
					  .n_requests = count_of(&g->counts)};

		memcpy(one.name, busiest(g)->name, sizeof(one.name));
		if (one.n_requests > threshold)
			n_found = insert(ret, n_found, n, &one);
	}
	mutex_unlock(&w->lock);
	return n_found;
}
