/*
 * model/dirs/row_ahead: which files made of documents are probably read next.
 *
 * Owns the numbers of the thousand files that were looked up last. Must never
 * know what is in them, nor how bytes are given.
 */
#ifndef MODEL_DIRS_ROW_AHEAD_H
#define MODEL_DIRS_ROW_AHEAD_H

#include "base/sync.h"

#define ROW_AHEAD_FILES 1024
#define ROW_AHEAD_MOST 256 /* at once */

struct row_ahead {
	struct mutex lock;
	/* Under lock: */
	uint64_t files[ROW_AHEAD_FILES]; /* inode numbers, round and round */
	size_t n_looked_up;
	size_t last;   /* the file that was read last, of all looked up */
	size_t next;   /* to be given */
	size_t window; /* 0: one file was read */
};
void row_ahead_init(struct row_ahead *);
void row_ahead_done(struct row_ahead *);

/* The kernel is told of a file by its name. */
void row_ahead_looked_up(struct row_ahead *, uint64_t ino);
/* A file is read from its start. Returns how many numbers of files that follow
 * are in inos, which the caller gives; none of them is returned again while
 * the reading goes on. */
size_t row_ahead_read(struct row_ahead *, uint64_t ino,
		      uint64_t inos[static ROW_AHEAD_MOST]);

#endif
