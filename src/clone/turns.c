/*
 * Whose turn it is: which of the jobs that wait is begun next.
 *
 * With a repository's server two of them are at a time at most, each on a
 * connection of its own, and one of the two at most is slow: all of a commit,
 * all of its trees, a large file. So whoever wants something small never waits
 * for something large. The rest of a commit that nobody waits for is a third
 * beside them: while somebody waits it does not read (rest.c), so whoever had
 * to wait for its end would wait for ever.
 *
 * In all, two commits are brought at a time, the trees of two behind what is
 * shown of them, two times all of one (once, if nobody waits for it), and two
 * large files; two workers are left for what is quick, and one of those for
 * questions.
 *
 * First come those for whom a person waits, then walks, then what is done in
 * the background; of the same class who came first.
 *
 * The trees behind what is shown begin when nobody waits for anything of their
 * repository: those of 400,000 files are a second of a line on which the file
 * that is read first is one of 80 bytes. They do not wait for that when
 * somebody waits for them.
 *
 * A blob goes at once when nothing else of its repository is under way. If
 * something is, it waits for a few milliseconds: whoever reads fifty files at
 * once sends the second of few requests, with 49 wants, and not fifty.
 */
#include "clone/clone_private.h"

#include "base/clock.h"

#define CONNECTIONS 2
#define COMMITS_MOST 2
#define BEHIND_MOST 2
#define WHOLE_MOST 2
#define LARGE_MOST 2
_Static_assert(COMMITS_MOST + BEHIND_MOST + WHOLE_MOST + LARGE_MOST + 2 <=
		       CLONE_WORKERS,
	       "otherwise what is quick waits for what is long");
#define GATHER_MS 3
/* What asked for a tree has begun to ask for what is in it by then. */
#define QUIET_MS 150

static bool same_work(const struct clone_job *a, const struct clone_job *b)
{
	return a->clone == b->clone && a->kind == b->kind &&
	       (a->kind != CLONE_JOB_FETCH ||
		(a->need.kind == b->need.kind &&
		 oid_equal(&a->need.oid, &b->need.oid) &&
		 oid_equal(&a->commit, &b->commit)));
}

/* What runs, members of batches left out. */
struct running {
	unsigned n_fetches, n_commits, n_behind, n_whole, n_large;
	unsigned n_own, n_own_slow; /* of the job's clone */
	bool is_under_way;          /* what the job is about */
	bool is_greeting;           /* which tells what others have to know */
};

/* It makes room for j: rest.c. */
static bool gives_way(const struct clone_job *other, const struct clone_job *j)
{
	return other->need.kind == CLONE_NEED_ALL &&
	       other->who == CTX_REFRESH && j->who != CTX_REFRESH;
}

static void count_running(struct clone_set *cs, const struct clone_job *j,
			  struct running *r) requires_lock(cs->lock)
{
	struct clone_job *other;

	*r = (struct running){0};
	DL_FOREACH (cs->running, other) {
		r->is_under_way = r->is_under_way ||
				  (!other->members && same_work(j, other)) ||
				  (other->members && other->clone == j->clone &&
				   j->need.kind == CLONE_NEED_BLOB &&
				   clone_blobs_bring(other, &j->need.oid));
		r->is_greeting =
			r->is_greeting ||
			(other->kind == CLONE_JOB_GREET && other->is_slow);
		if (other->batch || other->kind != CLONE_JOB_FETCH)
			continue;
		r->n_fetches++;
		r->n_commits += !other->behind &&
				(other->need.kind == CLONE_NEED_COMMIT ||
				 other->need.kind == CLONE_NEED_TREES);
		r->n_behind += other->behind;
		r->n_whole += other->need.kind == CLONE_NEED_ALL;
		r->n_large += other->need.kind == CLONE_NEED_BLOB &&
			      other->is_slow;
		if (other->clone != j->clone || gives_way(other, j))
			continue;
		r->n_own++;
		r->n_own_slow += other->is_slow;
	}
}

static bool has_room(const struct clone_job *j, const struct running *r)
{
	if (r->n_fetches >= CLONE_WORKERS - 1 || r->n_own >= CONNECTIONS ||
	    (j->is_slow && r->n_own_slow > 0))
		return false;
	switch (j->need.kind) {
	case CLONE_NEED_COMMIT:
	case CLONE_NEED_TREES:
		return j->behind ? r->n_behind < BEHIND_MOST
				 : r->n_commits < COMMITS_MOST;
	case CLONE_NEED_ALL:
		return r->n_whole < (j->who == CTX_REFRESH ? 1 : WHOLE_MOST);
	case CLONE_NEED_BLOB:
		return !j->is_slow || r->n_large < LARGE_MOST;
	case CLONE_NEED_TREE:
	case CLONE_NEED_DIRECTORY:
		break;
	}
	return true;
}

static bool is_awaited(const struct clone_job *queue, const struct clone *c)
{
	const struct clone_job *j;

	DL_FOREACH (queue, j)
		if (j->clone == c && !j->behind && j->kind == CLONE_JOB_FETCH &&
		    j->who != CTX_REFRESH)
			return true;
	return false;
}

/* For what is behind: whether others wait, or have not had the time to. */
static int64_t quiet_ms(struct clone_set *cs, const struct clone_job *j)
	requires_lock(cs->lock)
{
	return is_awaited(cs->fetches, j->clone) ||
			       is_awaited(cs->running, j->clone)
		       ? INT64_MAX
		       : j->since_ms + QUIET_MS;
}

/* When it may begin (clock_mono_ms), if nothing happens before; INT64_MAX: not
 * before something does. */
static int64_t begin_ms(struct clone_set *cs, const struct clone_job *j)
	requires_lock(cs->lock)
{
	struct running r;

	count_running(cs, j, &r);
	if (r.is_under_way || (j->kind != CLONE_JOB_GREET && r.is_greeting))
		return INT64_MAX;
	if (j->kind != CLONE_JOB_FETCH)
		return 0;
	if (!has_room(j, &r))
		return INT64_MAX;
	if (j->behind && !j->hurry)
		return quiet_ms(cs, j);
	return j->need.kind == CLONE_NEED_BLOB && r.n_own > 0
		       ? j->since_ms + GATHER_MS
		       : 0;
}

static struct clone_job *best_of(struct clone_set *cs, struct clone_job *queue,
				 int64_t *until_ms) requires_lock(cs->lock)
{
	struct clone_job *j, *best = NULL;
	int64_t now = clock_mono_ms();

	DL_FOREACH (queue, j) {
		int64_t at;

		if (best && j->who >= best->who)
			continue;
		at = begin_ms(cs, j);
		if (at <= now)
			best = j;
		else if (at < *until_ms)
			*until_ms = at;
	}
	return best;
}

struct clone_job *clone_turns_next(struct clone_set *cs, int64_t *ret_until_ms)
{
	struct clone_job *j;

	*ret_until_ms = INT64_MAX;
	j = best_of(cs, cs->fetches, ret_until_ms);
	if (j && j->need.kind == CLONE_NEED_BLOB)
		return clone_blobs_gather(cs, j);
	if (j) {
		DL_DELETE(cs->fetches, j);
	} else {
		j = best_of(cs, cs->ls_refs, ret_until_ms);
		if (!j)
			return NULL;
		DL_DELETE(cs->ls_refs, j);
	}
	j->is_running = true;
	DL_APPEND(cs->running, j);
	return j;
}
