/*
 * model/events: what changed, as the text of .bitbucketfs/events: for scripts
 * and tail -F, for inotify sees nothing of a server.
 *
 * Owns the lines, a growing text (model/growing). Must never ask anybody: what
 * is told here was noticed for another reason. Safe from any thread.
 */
#ifndef MODEL_EVENTS_H
#define MODEL_EVENTS_H

#include "model/growing.h"

struct events;
struct events *events_new(void);
struct events *events_free(struct events *);
DEFINE_CLEANUP(struct events *, events_free);

/* Adds a line: time, path below the mount, what, with tabs between. NULL
 * events: a model of parts, in which nobody hears. */
void events_add(struct events *, const char *path, const char *what);
/* As growing_stat and growing_read. */
int events_stat(struct events *, uint64_t generation,
		struct growing_stat *ret_stat);
int events_read(struct events *, uint64_t generation, off_t offset, size_t n,
		struct blob **ret_blob);

#endif
