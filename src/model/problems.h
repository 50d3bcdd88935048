/*
 * model/problems: the last problems, as the text of .bitbucketfs/errors.
 *
 * A growing text (model/growing). Safe from any thread.
 */
#ifndef MODEL_PROBLEMS_H
#define MODEL_PROBLEMS_H

#include "model/growing.h"

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
/* As growing_stat and growing_read. */
int problems_stat(struct problems *, uint64_t generation,
		  struct growing_stat *ret_stat);
int problems_read(struct problems *, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob);
/* Adds the newest n lines, oldest first, and the sums of repeats that have no
 * line yet. */
void problems_tail(struct problems *, size_t n, struct buf *out);

#endif
