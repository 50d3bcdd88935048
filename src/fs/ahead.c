/*
 * fs/ahead: who reads what, who gives, and giving. The header says why.
 */
#include "fs/ahead.h"

#include "fs/ops.h"

/* Of libfuse's threads: so few that the others always answer. */
#define MOST_GIVERS 4

void ahead_init(struct ahead_stores *s)
{
	mutex_init(&s->lock);
	cond_init(&s->done);
}

void ahead_done(struct ahead_stores *s)
{
	cond_done(&s->done);
	mutex_done(&s->lock);
}

void ahead_start(struct ahead_stores *s, struct fuse_session *session)
{
	s->session = session;
}

void ahead_finish(struct ahead_stores *s)
{
	mutex_lock(&s->lock);
	s->stopping = true;
	while (s->n_givers > 0)
		cond_wait(&s->done, &s->lock);
	mutex_unlock(&s->lock);
}

/* Inode numbers are hashes. Two files that share a place are given less often,
 * no more. */
static atomic_uint *reads_of(struct ahead_stores *s, uint64_t ino)
{
	return &s->reads[ino % AHEAD_FILES];
}

void ahead_begin(struct ahead_stores *s, uint64_t ino)
{
	atomic_fetch_add(reads_of(s, ino), 1);
}

void ahead_end(struct ahead_stores *s, uint64_t ino)
{
	unsigned before = atomic_fetch_sub(reads_of(s, ino), 1);

	check(before > 0);
}

bool ahead_may_give(struct ahead_stores *s)
{
	bool may;

	mutex_lock(&s->lock);
	may = s->session && !s->stopping && s->n_givers < MOST_GIVERS;
	if (may)
		s->n_givers++;
	mutex_unlock(&s->lock);
	return may;
}

void ahead_given(struct ahead_stores *s)
{
	mutex_lock(&s->lock);
	if (--s->n_givers == 0)
		cond_broadcast(&s->done);
	mutex_unlock(&s->lock);
}

bool ahead_give(struct ahead_stores *s, uint64_t ino, const struct blob *blob)
{
	struct fuse_bufvec piece = FUSE_BUFVEC_INIT(blob_len(blob));
	int r;

	if (mutex_with(&s->lock, s->stopping))
		return false;
	if (atomic_load(reads_of(s, ino)) > 0)
		return true;
	/* libfuse only reads. */
	piece.buf[0].mem = (void *)(uintptr_t)blob_data(blob);
	r = fuse_lowlevel_notify_store(s->session, ino, 0, &piece,
				       FUSE_BUF_NO_SPLICE);
	/* The kernel has forgotten the file, and its word of that is on the
	 * way. */
	return r == 0 || r == -ENOENT;
}
