/*
 * Many blobs at a time. Each file that is read and not here is a job, which
 * those join who read the same one. When the first of them has its turn, all of
 * its repository that are in the queue go with it, in a batch: a job of its own
 * whose members they are. What the readers will want next comes along (struct
 * clone_need: also).
 *
 * A batch is broken off when nobody wants any member of it: it has entered its
 * own flight's work once, for all of them (`entered`), and gives that up.
 *
 * If the server refuses a batch, it may be for one object: the one that it
 * names is asked for alone, and the others together again.
 */
#include "clone/clone_private.h"

#include "store/flight.h"

/* 50 bytes of a request each. */
#define WANTS_MOST 1024

/* ---- gathering ---- */

static bool fits(const struct clone_job *batch, const struct clone_job *j)
{
	const struct clone_job *first = batch->members[0];

	if (j->clone != first->clone || j->need.kind != CLONE_NEED_BLOB ||
	    j->is_slow != first->is_slow || j->alone || first->alone)
		return false;
	/* A large file holds up no other. */
	if (first->is_slow || batch->n_wants >= WANTS_MOST)
		return false;
	return oid_equal(&j->commit, &first->commit) ||
	       (j->n_sources == 0 && first->n_sources == 0);
}

static void add_want(struct clone_job *batch, const struct oid *oid)
{
	if (batch->n_wants < WANTS_MOST && !clone_blobs_bring(batch, oid))
		batch->wants[batch->n_wants++] = *oid;
}

static void add_member(struct clone_set *cs, struct clone_job *batch,
		       struct clone_job *j) requires_lock(cs->lock)
{
	DL_DELETE(cs->fetches, j);
	DL_APPEND(cs->running, j);
	j->is_running = true;
	j->abandoned = false;
	j->batch = batch;
	batch->members[batch->n_members++] = j;
	batch->n_wanted++;
	add_want(batch, &j->need.oid);
	if (j->who < batch->who)
		batch->who = j->who;
}

static bool is_under_way(struct clone_set *cs, const struct clone *c,
			 const struct oid *oid) requires_lock(cs->lock)
{
	const struct clone_job *j;

	DL_FOREACH (cs->running, j)
		if (j->members && j->clone == c && clone_blobs_bring(j, oid))
			return true;
	return false;
}

/* Of the first member alone: those who read at once read the same directory. */
static void add_also(struct clone_set *cs, struct clone_job *batch,
		     const struct clone_job *first) requires_lock(cs->lock)
{
	for (size_t i = 0; i < first->need.n_also; i++)
		if (!is_under_way(cs, first->clone, &first->also[i]))
			add_want(batch, &first->also[i]);
}

struct clone_job *clone_blobs_gather(struct clone_set *cs,
				     struct clone_job *first)
{
	struct clone_job *batch, *j, *next;
	struct flight_work *work;
	unsigned n;
	char key[32];

	snprintf(key, sizeof(key), "batch %llu",
		 (unsigned long long)++cs->n_batches);
	(void)flight_enter(first->clone->jobs, key, &work);
	batch = clone_job_new(cs, first->clone, first, work);
	batch->entered = work;
	DL_COUNT(cs->fetches, j, n);
	batch->members = mem_calloc(n, sizeof(struct clone_job *));
	batch->wants = mem_calloc(WANTS_MOST, sizeof(*batch->wants));
	batch->who = first->who;
	add_member(cs, batch, first);
	DL_FOREACH_SAFE (cs->fetches, j, next)
		if (fits(batch, j) && !is_under_way(cs, j->clone, &j->need.oid))
			add_member(cs, batch, j);
	add_also(cs, batch, first);
	batch->ctx->who = batch->who;
	batch->is_running = true;
	DL_APPEND(cs->running, batch);
	return batch;
}

bool clone_blobs_bring(const struct clone_job *batch, const struct oid *oid)
{
	for (size_t i = 0; i < batch->n_wants; i++)
		if (oid_equal(&batch->wants[i], oid))
			return true;
	return false;
}

struct flight_work *clone_blobs_abandon(struct clone_set *,
					struct clone_job *member)
{
	struct clone_job *batch = member->batch;

	if (member->abandoned)
		return NULL;
	member->abandoned = true;
	return --batch->n_wanted ? NULL : steal(&batch->entered);
}

/* ---- what is here ---- */

bool clone_blobs_are_here(struct clone_job *batch)
{
	struct clone_set *cs = batch->clones;
	struct oid *lacking = mem_calloc(batch->n_wants, sizeof(*lacking));
	struct oid *before = batch->wants;
	size_t n = 0;

	for (size_t i = 0; i < batch->n_wants; i++)
		if (!objects_has(batch->objects, &batch->wants[i]))
			lacking[n++] = batch->wants[i];
	mutex_lock(&cs->lock);
	batch->wants = lacking;
	batch->n_wants = n;
	mutex_unlock(&cs->lock);
	free(before);
	for (size_t i = 0; i < batch->n_members; i++)
		if (!objects_has(batch->objects, &batch->members[i]->need.oid))
			return false;
	return true;
}

bool clone_blobs_is_large(struct clone *c, const struct oid *oid)
{
	uint64_t size;

	return clone_blob_size(NULL, c, oid, &size) == 0 && size > CLONE_BIG;
}

/* "PACK", version, number of objects; of the object its type and size: four
 * bits in the first byte, seven in each that follows (gitformat-pack(5)). */
static bool size_in(const unsigned char *head, size_t n, uint64_t *ret_size)
{
	static const unsigned char begin[] = "PACK\0\0\0\2\0\0\0\1";
	const size_t n_begin = sizeof(begin) - 1;
	uint64_t size = head[n_begin] & 15;

	if (memcmp(head, begin, n_begin) != 0 || (head[n_begin] >> 4 & 7) != 3)
		return false;
	for (size_t i = n_begin, shift = 4; head[i] & 128; shift += 7) {
		if (++i == n || shift > 55)
			return false;
		size |= (uint64_t)(head[i] & 127) << shift;
	}
	*ret_size = size;
	return true;
}

void clone_blobs_hear(struct clone_job *batch, const void *data, size_t n)
{
	size_t room = sizeof(batch->heard) - batch->n_heard;
	struct objects_size size;

	if (batch->n_wants != 1 || batch->whole || room == 0)
		return;
	memcpy(batch->heard + batch->n_heard, data, n < room ? n : room);
	batch->n_heard += n < room ? n : room;
	if (n < room)
		return;
	size.oid = batch->wants[0];
	/* A small one is here before anybody has looked. */
	if (size_in(batch->heard, sizeof(batch->heard), &size.size) &&
	    size.size > 64 * KIB)
		(void)objects_note_sizes(batch->objects, &size, 1);
}

/* ---- how it ended ---- */

/* The failures that may be of one object alone. */
static bool may_be_one(int r)
{
	return r == -EIO || r == -ENODATA || r == -ENOENT || r == -EACCES ||
	       r == -EFBIG;
}

static bool is_named(const struct clone_job *batch, const struct oid *oid)
{
	char hex[41];

	return strstr(batch->ctx->sentence, oid_hex(oid, hex));
}

static bool names_any(const struct clone_job *batch)
{
	for (size_t i = 0; i < batch->n_wants; i++)
		if (is_named(batch, &batch->wants[i]))
			return true;
	return false;
}

/* Whether the member is to be tried again, after a batch that ended with r. */
static bool is_again(const struct clone_job *batch, struct clone_job *m, int r)
{
	bool fits_whole = !batch->whole ||
			  oid_equal(&m->commit, &batch->commit);

	if (r >= 0)
		return !fits_whole &&
		       !objects_has(batch->objects, &m->need.oid);
	return may_be_one(r) && batch->n_wants > 1;
}

/* False: the mount ends. */
static bool put_back(struct clone_job *batch, struct clone_job *m, int r)
{
	struct clone_set *cs = batch->clones;
	bool alone = r < 0 &&
		     (is_named(batch, &m->need.oid) || !names_any(batch));
	bool is_back;

	mutex_lock(&cs->lock);
	is_back = !cs->cancelled && !m->abandoned;
	if (is_back) {
		m->need.n_also = 0;
		m->alone = alone;
		m->batch = NULL;
		m->is_running = false;
		DL_DELETE(cs->running, m);
		DL_APPEND(cs->fetches, m);
		cond_broadcast(&cs->work);
	}
	mutex_unlock(&cs->lock);
	return is_back;
}

static void end_member(struct clone_job *batch, struct clone_job *m, int r)
{
	char hex[41];

	memcpy(m->ctx->sentence, batch->ctx->sentence,
	       sizeof(m->ctx->sentence));
	if (r >= 0 && !objects_has(batch->objects, &m->need.oid))
		r = ctx_fail(m->ctx, -EIO,
			     "%s/%s: the server's pack lacks the object %.12s "
			     "that was asked for",
			     batch->workspace, batch->slug,
			     oid_hex(&m->need.oid, hex));
	clone_job_end(m, r);
}

void clone_blobs_end(struct clone_job *batch, int r)
{
	struct clone_set *cs = batch->clones;
	struct flight_work *entered;

	for (size_t i = 0; i < batch->n_members; i++) {
		struct clone_job *m = batch->members[i];

		if (!is_again(batch, m, r))
			end_member(batch, m, r);
		else if (!put_back(batch, m, r))
			end_member(batch, m, -EINTR);
	}
	mutex_lock(&cs->lock);
	entered = steal(&batch->entered);
	mutex_unlock(&cs->lock);
	if (entered)
		(void)flight_give_up(entered);
	clone_job_end(batch, r);
}
