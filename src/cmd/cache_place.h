/*
 * cmd/cache_place: which repositories somebody means, and in which cache.
 */
#ifndef CMD_CACHE_PLACE_H
#define CMD_CACHE_PLACE_H

#include "cmd/command.h"

struct cache_place {
	char *name; /* "acme/widgets", or "acme" */
	char *dir;  /* an account's, of the mount that it is in; NULL: of what
		     * is configured */
};
void cache_place_done(struct cache_place *);
DEFINE_CLEANUP_DONE(struct cache_place, cache_place_done);

/* A path in a mount, or a name; what is wrong is said. */
enum command_exit cache_place_of(const char *path, struct cache_place *ret);

#endif
