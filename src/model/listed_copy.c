/*
 * model/listed_copy: the kernel makes a copy of a listing while it is read from
 * the start, and answers later openers from the copy, if the reply to OPENDIR
 * allows it (keep_cache). The kernel knows no versions: notify_inval_inode, or
 * a reply without keep_cache, drops the copy as it is at that moment. Without
 * this module:
 *
 * 1. A opens the directory and reads it; the reply to its READDIR, of version
 *    1, is on its way: the kernel has not parsed it yet.
 * 2. The listing becomes version 2. The kernel is told, and drops its copy; or
 *    B opens, without keep_cache, and the kernel drops it.
 * 3. A's reply is parsed: the copy is made of version 1.
 * 4. C opens, with keep_cache, and is shown version 1. So is everybody after C,
 *    because the mtime of a directory does not tell the kernel.
 *
 * Nothing tells us when a reply has been parsed, but a directory is closed only
 * afterwards. So:
 *
 * - While an opener of an older version is open, later openers read past the
 *   copy and make none (LISTED_COPY_PASS).
 * - The first who opens when no older opener is left has the copy dropped
 *   (LISTED_COPY_FILL). Its first READDIR shows that the kernel has done so;
 *   until then others are told LISTED_COPY_FILL, too, for their replies may be
 *   heeded first.
 * - From then on every READDIR that can reach the copy is of this version, and
 *   the copy is kept (LISTED_COPY_KEEP).
 */
#include "model/listed_copy.h"

enum listed_copy_reply listed_copy_open(struct listed_copy *s, uint64_t version,
					struct listed_copy_opened *ret_opened)
{
	if (!s->serial || s->version != version) {
		s->version = version;
		s->serial++;
		s->n_other += s->n_same;
		s->n_same = 0;
		s->filled = false;
	}
	s->n_same++;
	*ret_opened = (struct listed_copy_opened){
		.serial = s->serial,
		.fills = s->n_other == 0 && !s->filled,
	};
	if (s->n_other > 0)
		return LISTED_COPY_PASS;
	return s->filled ? LISTED_COPY_KEEP : LISTED_COPY_FILL;
}

bool listed_copy_is_old(const struct listed_copy *s,
			const struct listed_copy_opened *opened)
{
	return opened->serial != s->serial;
}

void listed_copy_read(struct listed_copy *s,
		      const struct listed_copy_opened *opened)
{
	if (opened->fills && !listed_copy_is_old(s, opened))
		s->filled = true;
}

void listed_copy_close(struct listed_copy *s,
		       const struct listed_copy_opened *opened)
{
	unsigned *n = listed_copy_is_old(s, opened) ? &s->n_other : &s->n_same;

	check(*n > 0);
	(*n)--;
}
