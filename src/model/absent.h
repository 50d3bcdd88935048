/*
 * model/absent: the names that the kernel was last told do not exist, and that
 * may come to exist: it believes that for minutes, and there is no way to tell
 * it of all names of a directory that it knows nothing of.
 *
 * Of so many that some were forgotten, those stay as long as they were told to.
 */
#ifndef MODEL_ABSENT_H
#define MODEL_ABSENT_H

#include "base/mem.h"

struct absent;
struct absent *absent_new(void);
struct absent *absent_free(struct absent *);

void absent_add(struct absent *, uint64_t parent_ino, const char *name);
/* Tells of each, and forgets it. */
void absent_take(struct absent *,
		 void (*each)(void *arg, uint64_t parent_ino, const char *name),
		 void *arg);

#endif
