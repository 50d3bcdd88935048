/*
 * model/problems: the last problems, as the text of .bitbucketfs/errors.
 *
 * A growing text; past 1 MiB it begins anew with the newest 100 lines and a
 * new generation. Safe from any thread.
 */
#ifndef MODEL_PROBLEMS_H
#define MODEL_PROBLEMS_H

#include "base/mem.h"

#include <sys/types.h>

struct problems;
struct problems *problems_new(void);
struct problems *problems_free(struct problems *);
DEFINE_CLEANUP(struct problems *, problems_free);

/* Adds one line: time, path, the errno's name and the sentence, with tabs
 * between. Repeats (the same errno, and the same path or the same sentence but
 * for its counts and times) are counted instead, and summed in one further line
 * after 10 s without one, or after a minute: "×613 07:37:50-07:38:20 " before
 * the sentence of the last of them. errnum is positive, or 0 for a notice. True
 * if a line was added. */
bool problems_add(struct problems *, const char *path, int errnum,
		  const char *sentence);
/* The length of the text, and when its last line came (wall clock; 0: there is
 * none yet). A new generation is at least a second younger than the one before
 * it. */
struct problems_stat {
	uint64_t generation, size;
	int64_t mtime_ms;
};
/* generation 0: the newest. The generation before the newest one stays as it
 * was, for readers in the middle of it; older ones are forgotten: -ESTALE. */
int problems_stat(struct problems *, uint64_t generation,
		  struct problems_stat *ret_stat);
/* A piece of the text of that generation; -ESTALE as above. */
int problems_read(struct problems *, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob);
/* Adds the newest n lines, oldest first, and the sums of repeats that have no
 * line yet. */
void problems_tail(struct problems *, size_t n, struct buf *out);

#endif
