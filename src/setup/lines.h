/*
 * setup/lines: files that a secret is kept in: a line a value, "name
 * value", and lines that begin with #, which are for people.
 *
 * Owns what all of them need: no copy of their bytes is left in memory, and
 * nobody else may write where they are. Must never know what the values are.
 */
#ifndef SETUP_LINES_H
#define SETUP_LINES_H

#include "base/mem.h"
#include "base/own.h"

/* An empty one, of its full size from the start: growing would leave copies. */
struct buf lines_new(size_t max);
/* Wipes and frees. */
void lines_done(struct buf *);
DEFINE_CLEANUP_DONE(struct buf, lines_done);

/* "name value\n"; nothing for NULL. */
void lines_add(struct buf *, const char *name, const char *value);
/* Calls take for each, without its end. False: the last one was cut off. */
bool lines_each(const struct buf *,
		void (*take)(void *arg, const char *line, size_t n), void *arg);
/* 0600, in one step. 0 or -errno. */
int lines_write(const char *path, const struct buf *);
/* The directory of path, 0700; of one that others may write to the file could
 * be anybody's: -EPERM with why, as own_directory. Other -errno: why is "". */
int lines_make_directory(const char *path, char why[static OWN_WHY_MAX]);

#endif
