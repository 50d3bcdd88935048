/*
 * model/shown: the kernel makes a copy of a listing while it is read from the
 * start, and answers by the copy whoever opens the directory later, if the
 * reply to OPENDIR allows it (keep_cache). It knows no versions: notify_inval_
 * inode, or a reply without keep_cache, drops the copy as it is at that moment.
 * Told without the module:
 *
 * 1. A opens the directory and reads it; the reply to its READDIR, of version
 *    1, is on its way: the kernel has not parsed it yet.
 * 2. The listing becomes version 2. The kernel is told, and drops its copy; or
 *    B opens, without keep_cache, and the kernel drops it.
 * 3. A's reply is parsed: the copy is made of version 1.
 * 4. C opens, with keep_cache, and is shown version 1. So is everybody after
 *    it, for the mtime of a directory does not tell.
 *
 * When a reply has been parsed nobody tells us, but a directory is closed only
 * afterwards. So as long as one of an older version is open, whoever opens the
 * directory reads past the copy and makes none (SHOWN_PASS). The first who
 * opens it when there is none any more has the copy dropped (SHOWN_FILL); that
 * the kernel has done so is known when it is read for this one (a racing
 * OPENDIR's reply may be heeded before). From then on every READDIR that can
 * reach the copy is of this version, and it is kept (SHOWN_KEEP).
 */
#include "model/shown.h"

enum shown_reply shown_open(struct shown *s, uint64_t version,
			    struct shown_opened *ret_opened)
{
	if (!s->serial || s->version != version) {
		s->version = version;
		s->serial++;
		s->n_other += s->n_same;
		s->n_same = 0;
		s->filled = false;
	}
	s->n_same++;
	*ret_opened = (struct shown_opened){
		.serial = s->serial,
		.fills = s->n_other == 0 && !s->filled,
	};
	if (s->n_other > 0)
		return SHOWN_PASS;
	return s->filled ? SHOWN_KEEP : SHOWN_FILL;
}

bool shown_is_old(const struct shown *s, const struct shown_opened *opened)
{
	return opened->serial != s->serial;
}

void shown_read(struct shown *s, const struct shown_opened *opened)
{
	if (opened->fills && !shown_is_old(s, opened))
		s->filled = true;
}

void shown_close(struct shown *s, const struct shown_opened *opened)
{
	unsigned *n = shown_is_old(s, opened) ? &s->n_other : &s->n_same;

	check(*n > 0);
	(*n)--;
}
