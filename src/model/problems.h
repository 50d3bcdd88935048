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

/* One line: time, path, errno's name, the sentence, tabs between. What follows
 * with the same errno and sentence (whatever its counts and times), or of the
 * same path, is summed in one further line when none came for 10 s, or after a
 * minute: "×613 07:37:50-07:38:20 " before the sentence of the last of them.
 * errnum positive or 0 (a notice). True if a line was added. */
bool problems_add(struct problems *, const char *path, int errnum,
		  const char *sentence);
/* The text so far, and when its last line came (wall clock; 0: there is none
 * yet). A new generation is at least a second younger than the last one was. */
struct problems_stat {
	uint64_t generation, size;
	int64_t mtime_ms;
};
/* generation 0: the newest. The one before it stays as it was, for who is in
 * the middle of it; of older ones nothing is known: -ESTALE. */
int problems_stat(struct problems *, uint64_t generation,
		  struct problems_stat *ret_stat);
/* What may be read of that generation; -ESTALE as above. */
int problems_read(struct problems *, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob);
/* The newest n lines, oldest first, and the sums that go on, as they are now.
 */
void problems_tail(struct problems *, size_t n, struct buf *out);

#endif
