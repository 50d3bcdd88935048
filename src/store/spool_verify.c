/*
 * store/spool, a file as a whole: that its bytes are what they should be, as
 * somebody found who knows what that is, and that they are not.
 */
#include "spool_private.h"

#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

bool spool_is_whole(struct spool_file *f)
{
	return mutex_with(&f->lock, f->published && f->n_has == f->n_chunks);
}

uint64_t spool_n_dropped(struct spool_file *f)
{
	return mutex_with(&f->lock, f->n_dropped);
}

bool spool_is_verified(struct spool_file *f)
{
	return mutex_with(&f->lock, f->published && f->verified &&
					    f->n_has == f->n_chunks);
}

int spool_verify(struct spool_file *f, uint64_t n_dropped)
{
	bool same;

	(void)spool_map_keep(f);
	mutex_lock(&f->lock);
	same = f->n_dropped == n_dropped && f->n_has == f->n_chunks;
	f->verified |= same;
	mutex_unlock(&f->lock);
	/* Not kept, it is found out again by another mount: no more than that.
	 */
	if (same)
		(void)spool_head_note(f, true);
	return same ? 0 : -EAGAIN;
}

void spool_clear(struct spool_file *f)
{
	size_t n = (size_t)spool_map_size(f->size, f->is_old);
	cleanup(free) char *none = mem_calloc(1, n + 1);

	mutex_lock(&f->lock);
	memset(f->chunks, 0, f->n_chunks * sizeof(*f->chunks));
	f->n_has = 0;
	f->n_unkept = 0;
	f->n_dropped++;
	f->verified = false;
	mutex_unlock(&f->lock);
	(void)spool_head_note(f, false);
	spool_write_begin(f);
	(void)file_write_at(f->fd, spool_map_offset(f->size), none, n);
	/* Where the file system cannot, the bytes go when others take their
	 * place. */
	(void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			(off_t)spool_map_offset(f->size));
	spool_write_end(f);
}
