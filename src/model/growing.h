/*
 * model/growing: a growing text, as a file that is appended to: errors, events.
 *
 * Past 1 MiB it begins anew with the newest 100 lines and a new generation,
 * which is another inode (src/model/README.md, 10). No lock of its own: whose
 * text it is has one.
 */
#ifndef MODEL_GROWING_H
#define MODEL_GROWING_H

#include "base/mem.h"

#include <sys/types.h>

struct growing {
	struct buf text;
	struct buf last_text; /* of the generation before the newest */
	uint64_t generation;  /* > 0 */
	int64_t mtime_ms;     /* of text, and of last_text */
	int64_t last_mtime_ms;
};
/* The length of the text, and when its last line came (wall clock; 0: there is
 * none yet). A new generation is at least a second younger than the one before
 * it. */
struct growing_stat {
	uint64_t generation, size;
	int64_t mtime_ms;
};
void growing_init(struct growing *);
void growing_done(struct growing *);
/* A line with its newline; false: there is no memory for it. */
bool growing_append(struct growing *, const struct buf *line, int64_t at_ms);
/* generation 0: the newest. The generation before the newest one stays as it
 * was, for readers in the middle of it; older ones are forgotten: -ESTALE. */
int growing_stat(const struct growing *, uint64_t generation,
		 struct growing_stat *ret_stat);
/* A piece of the text of that generation; -ESTALE as above. */
int growing_read(const struct growing *, uint64_t generation, off_t offset,
		 size_t n, struct blob **ret_blob);
/* Adds the newest n lines, oldest first. */
void growing_tail(const struct growing *, size_t n, struct buf *out);

#endif
