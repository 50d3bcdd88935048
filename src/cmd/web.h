/*
 * cmd/web: what open and path have in common: where the pages are, and what of
 * a place only its mount can say.
 */
#ifndef CMD_WEB_H
#define CMD_WEB_H

#include "cmd/mount/inside.h"
#include "setup/config.h"

/* "https://bitbucket.org" of what is configured, without a final slash; free
 * it. */
char *web_url(const struct config *);

/* Where a path is, as somebody wrote it. mountpoint: the configured one (NULL:
 * ~/bitbucket), which counts as one also while nothing is mounted there: then
 * the device is 0. 0 or -errno as inside_look. */
int web_inside(const char *path, const char *mountpoint,
	       struct inside *ret_inside);
/* The mount point that a place without one is meant below: the configured one,
 * or, while nothing is mounted there, that of the only mount of this user that
 * serves the host of api_url and answers (survey_take). 0 or -errno. */
int web_mountpoint(const struct config *, struct inside *ret_inside);
static inline bool web_is_mounted(const struct inside *inside)
{
	return inside->device != 0;
}

/* What a mount says of a path in branches/ or tags/: how many of its parts lead
 * to a ref, and the commit. -ENOENT: none do. Others: it cannot be asked. It
 * may ask git for the names, and nobody for anything else. */
int web_ref(const struct inside *, const char *path, size_t *ret_parts,
	    char commit[static 41]);

#endif
