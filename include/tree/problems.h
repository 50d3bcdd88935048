/*
 * tree/problems: the last problems, as the text of .bitbucketfs/errors.
 *
 * A growing text; past 1 MiB it begins anew with the newest 100 lines and a
 * new generation. Safe from any thread.
 */
#ifndef TREE_PROBLEMS_H
#define TREE_PROBLEMS_H

#include "base/mem.h"

#include <sys/types.h>

struct problems;
struct problems *problems_new(void);
struct problems *problems_free(struct problems *);
DEFINE_CLEANUP(struct problems *, problems_free);

/* One line: time, path, errno's name, the sentence, tabs between. The same path
 * and errno within 10 s is one line. errnum positive or 0 (a notice). True if
 * a line was added. */
bool problems_add(struct problems *, const char *path, int errnum,
		  const char *sentence);
/* The text so far. */
uint64_t problems_generation(struct problems *);
uint64_t problems_size(struct problems *);
/* What may be read of that generation; -ESTALE when it is gone. */
int problems_read(struct problems *, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob);
/* The newest n lines, oldest first. */
void problems_tail(struct problems *, size_t n, struct buf *out);

#endif
