/*
 * fs/inval: a queue of notes and the thread that tells them to the kernel; a
 * queue of replies that wait for notes to be told, and the thread that sends
 * them. The header says why.
 */
#include "fs/inval.h"

#include "fs/ops.h"

#include "base/clock.h"
#include "base/map.h"

struct note {
	struct note *prev, *next;
	uint64_t ino; /* the parent's, with a name */
	bool content;
	char name[];
};

/* A reply that waits until the notes up to `goal` were told. */
struct later {
	struct later *prev, *next;
	uint64_t goal; /* sent once n_said is as large */
	int64_t until_ms;
	void (*then)(void *arg);
	void *arg;
};

struct inval {
	struct fuse_session *session;
	struct thread *thread, *answers;
	struct mutex lock;
	struct cond work, said, asked;
	/* Under lock: */
	struct note *notes; /* the next to be told first */
	uint64_t n_queued, n_said;
	struct later *later; /* in the order of goals, and of ends */
	bool stopping;
};

static void tell(struct inval *inval, const struct note *note)
{
	if (note->name[0])
		fuse_lowlevel_notify_inval_entry(inval->session, note->ino,
						 note->name,
						 strlen(note->name));
	else
		/* Offset 0, to the end: the kernel drops pages, listings and
		 * attributes; a negative offset: the attributes alone. */
		fuse_lowlevel_notify_inval_inode(inval->session, note->ino,
						 note->content ? 0 : -1, 0);
}

static struct note *take(struct inval *inval)
{
	struct note *note;

	mutex_lock(&inval->lock);
	while (!inval->notes && !inval->stopping)
		cond_wait(&inval->work, &inval->lock);
	note = inval->stopping ? NULL : inval->notes;
	if (note)
		DL_DELETE(inval->notes, note);
	mutex_unlock(&inval->lock);
	return note;
}

static void inval_main(void *arg)
{
	struct inval *inval = arg;
	struct note *note;

	while ((note = take(inval))) {
		tell(inval, note);
		free(note);
		mutex_lock(&inval->lock);
		inval->n_said++;
		cond_broadcast(&inval->said);
		mutex_unlock(&inval->lock);
	}
}

/* The next reply, when it may be sent; NULL: the mount ends, and none is left.
 * Replies that still wait at the end are sent all the same. */
static struct later *take_later(struct inval *inval)
{
	struct later *later;

	mutex_lock(&inval->lock);
	while (!inval->later && !inval->stopping)
		cond_wait(&inval->asked, &inval->lock);
	later = inval->later;
	while (later && inval->n_said < later->goal && !inval->stopping &&
	       cond_wait_until(&inval->said, &inval->lock, later->until_ms))
		;
	if (later)
		DL_DELETE(inval->later, later);
	mutex_unlock(&inval->lock);
	return later;
}

static void answers_main(void *arg)
{
	struct later *later;

	while ((later = take_later(arg))) {
		later->then(later->arg);
		free(later);
	}
}

int inval_start(struct fuse_session *session, struct inval **ret_inval)
{
	struct inval *inval = mem_calloc(1, sizeof(*inval));
	int r;

	inval->session = session;
	mutex_init(&inval->lock);
	cond_init(&inval->work);
	cond_init(&inval->said);
	cond_init(&inval->asked);
	r = thread_start("inval", inval_main, inval, &inval->thread);
	if (r == 0)
		r = thread_start("answers", answers_main, inval,
				 &inval->answers);
	if (r < 0) {
		inval_stop(inval);
		return r;
	}
	*ret_inval = inval;
	return 0;
}

void inval_end(struct inval *inval)
{
	mutex_lock(&inval->lock);
	inval->stopping = true;
	cond_broadcast(&inval->work);
	cond_broadcast(&inval->said);
	cond_broadcast(&inval->asked);
	mutex_unlock(&inval->lock);
	/* 1. A reply waits for a note that is not told any more.
	 * 2. The session ends, and libfuse frees its requests.
	 * 3. The reply would use a request that is freed.
	 * So the replies are sent before this returns. */
	inval->answers = thread_join(inval->answers);
}

void inval_finish(struct inval *inval)
{
	inval_end(inval);
	inval->thread = thread_join(inval->thread);
}

struct inval *inval_stop(struct inval *inval)
{
	struct note *note, *next;

	if (!inval)
		return NULL;
	inval_finish(inval);
	DL_FOREACH_SAFE (inval->notes, note, next)
		free(note);
	cond_done(&inval->asked);
	cond_done(&inval->said);
	cond_done(&inval->work);
	mutex_done(&inval->lock);
	free(inval);
	return NULL;
}

static bool same(const struct note *a, const struct note *b)
{
	return a->ino == b->ino && a->content == b->content &&
	       strcmp(a->name, b->name) == 0;
}

static void queue(struct inval *inval, uint64_t ino, const char *name,
		  bool content)
{
	size_t n = strlen(name);
	struct note *note = mem_calloc(1, sizeof(*note) + n + 1);

	note->ino = ino;
	note->content = content;
	memcpy(note->name, name, n + 1);
	mutex_lock(&inval->lock);
	/* The last note, which is not told yet, may say the same. (utlist's
	 * head has the last one as prev.) */
	if (inval->stopping ||
	    (inval->notes && same(inval->notes->prev, note))) {
		mutex_unlock(&inval->lock);
		free(note);
		return;
	}
	DL_APPEND(inval->notes, note);
	inval->n_queued++;
	cond_signal(&inval->work);
	mutex_unlock(&inval->lock);
}

void inval_entry(void *inval, uint64_t parent_ino, const char *name)
{
	queue(inval, parent_ino, name, false);
}

void inval_inode(void *inval, uint64_t ino, bool content)
{
	queue(inval, ino, "", content);
}

void inval_await(struct inval *inval, int64_t until_ms)
{
	uint64_t goal;

	mutex_lock(&inval->lock);
	goal = inval->n_queued;
	while (inval->n_said < goal && !inval->stopping &&
	       cond_wait_until(&inval->said, &inval->lock, until_ms))
		;
	mutex_unlock(&inval->lock);
}

void inval_after(struct inval *inval, int64_t timeout_ms,
		 void (*then)(void *arg), void *arg)
{
	struct later *later = mem_calloc(1, sizeof(*later));
	bool stopping;

	later->then = then;
	later->arg = arg;
	later->until_ms = clock_mono_ms() + timeout_ms;
	mutex_lock(&inval->lock);
	stopping = inval->stopping;
	later->goal = inval->n_queued;
	if (!stopping) {
		DL_APPEND(inval->later, later);
		cond_signal(&inval->asked);
	}
	mutex_unlock(&inval->lock);
	if (stopping) {
		then(arg);
		free(later);
	}
}
