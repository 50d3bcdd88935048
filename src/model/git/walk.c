/*
 * model/git/walk: of each program, process group and session what it did last
 * in a tree. A program is seen three times, as itself, as one of its group and
 * as one of its session; each has thresholds of its own.
 *
 * A file manager or an editor is one process for a day, and its person goes
 * down a tree as a walk does, but not within PAUSE_MS. A walk over a slow
 * network waits longer than that for each directory: the time until something
 * was brought is not counted (walk_brought).
 */
#include "model/git/walk.h"

#include "base/sync.h"

#define SEEN 96
#define LISTED 32
#define PAUSE_MS 300
/* So long what was seen counts. */
#define WINDOW_MS 10000

enum kind {
	PROCESS,
	GROUP,
	SESSION,
};
#define KINDS 3
/* Directories in which a walk needed something, by kind. */
static const unsigned walk_begins[] = {
	[PROCESS] = 6,
	[GROUP] = 6,
	[SESSION] = 10,
};

struct seen {
	int32_t id; /* 0: nobody */
	enum kind kind;
	const void *tree;
	int64_t since_ms; /* the first need that counts */
	int64_t at_ms;    /* the last thing that it did, or was brought */
	uint64_t listed[LISTED]; /* directories, a ring; 0: none */
	unsigned n_listed;
	uint64_t top;    /* the first of those that it went down */
	uint64_t needed; /* the last directory in which it needed something */
	unsigned n_in_a_row; /* needs in that one */
	unsigned n_needed;   /* how often that was another one */
	bool goes_down, is_walk;
};

struct walk_all {
	struct mutex lock;
	struct seen seen[SEEN] under_lock;
};

struct walk_all *walk_all_new(void)
{
	struct walk_all *all = mem_calloc(1, sizeof(*all));

	mutex_init(&all->lock);
	return all;
}

struct walk_all *walk_all_free(struct walk_all *all)
{
	if (!all)
		return NULL;
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

static int32_t id_of(const struct budget_who *who, enum kind kind)
{
	const int32_t ids[] = {
		[PROCESS] = who->process,
		[GROUP] = who->group,
		[SESSION] = who->session,
	};

	return ids[kind];
}

/* What was seen of it in that tree; of nobody for WINDOW_MS, begun anew, in
 * place of what did nothing for the longest time. */
static struct seen *seen_of(struct walk_all *all, const struct walk_step *step,
			    enum kind kind) requires_lock(all->lock)
{
	struct seen *oldest = &all->seen[0];
	int32_t id = id_of(&step->who, kind);

	for (size_t i = 0; i < SEEN; i++) {
		struct seen *s = &all->seen[i];

		if (s->id == id && s->kind == kind && s->tree == step->tree &&
		    step->now_ms - s->at_ms < WINDOW_MS)
			return s;
		if (!s->id || s->at_ms < oldest->at_ms)
			oldest = s;
		if (!s->id)
			break;
	}
	*oldest = (struct seen){
		.id = id,
		.kind = kind,
		.tree = step->tree,
		.since_ms = step->now_ms,
		.at_ms = step->now_ms,
	};
	return oldest;
}

static bool has_listed(const struct seen *s, uint64_t dir)
{
	for (size_t i = 0; dir && i < LISTED; i++)
		if (s->listed[i] == dir)
			return true;
	return false;
}

static void list(struct seen *s, const struct walk_step *step)
{
	bool paused = step->now_ms - s->at_ms > PAUSE_MS;

	s->goes_down = !paused && has_listed(s, step->parent);
	if (!has_listed(s, step->parent))
		s->top = step->dir;
	if (!has_listed(s, step->dir))
		s->listed[s->n_listed++ % LISTED] = step->dir;
	s->at_ms = step->now_ms;
}

void walk_opened(struct walk_all *all, const struct walk_step *step)
{
	mutex_lock(&all->lock);
	list(seen_of(all, step, PROCESS), step);
	list(seen_of(all, step, GROUP), step);
	mutex_unlock(&all->lock);
}

static void need(struct seen *s, const struct walk_step *step)
{
	if (step->now_ms - s->since_ms > WINDOW_MS) {
		s->n_needed = 0;
		s->since_ms = step->now_ms;
	}
	s->n_in_a_row = s->needed == step->dir ? s->n_in_a_row + 1 : 1;
	s->n_needed += s->n_in_a_row == 1;
	s->needed = step->dir;
	s->at_ms = step->now_ms;
	if (s->n_needed >= walk_begins[s->kind] ||
	    (s->kind == PROCESS && s->goes_down && has_listed(s, step->dir)))
		s->is_walk = true;
}

/* From file to file of the directory, or about to. A program that did not list
 * it itself may want one file alone (ls; cat README in a script), which must
 * not wait for those beside it. */
static bool goes_on(const struct seen *s, uint64_t dir)
{
	return s->kind != SESSION &&
	       (s->n_in_a_row > 1 ||
		(s->kind == PROCESS && has_listed(s, dir)));
}

/* The processes that share a top are one walk. A process goes first. */
static void reach_tree(const struct seen *s, enum walk_reach *reach,
		       uint64_t *ret_top)
{
	if (*reach != WALK_TREE)
		*ret_top = s->top;
	*reach = WALK_TREE;
}

enum walk_reach walk_needs(struct walk_all *all, const struct walk_step *step,
			   uint64_t *ret_top)
{
	enum walk_reach reach = WALK_NONE;

	*ret_top = 0;
	mutex_lock(&all->lock);
	for (enum kind kind = PROCESS; kind < KINDS; kind++) {
		struct seen *s = seen_of(all, step, kind);

		need(s, step);
		if (s->is_walk)
			reach_tree(s, &reach, ret_top);
		else if (reach == WALK_NONE && goes_on(s, step->dir))
			reach = WALK_DIRECTORY;
	}
	mutex_unlock(&all->lock);
	return reach;
}

void walk_brought(struct walk_all *all, const struct walk_step *step)
{
	mutex_lock(&all->lock);
	for (enum kind kind = PROCESS; kind < KINDS; kind++)
		seen_of(all, step, kind)->at_ms = step->now_ms;
	mutex_unlock(&all->lock);
}
