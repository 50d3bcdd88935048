/*
 * Where the repository of a name is, which a git server told by a redirect, for
 * commits by their ids alone: such a redirect names no uuid, but whoever has
 * the commit of an id has the right one. What a name's refs are is asked under
 * the name that REST tells (name.c).
 *
 * A fork may be renamed without our hearing of it: nobody lists it. In the
 * cache in the space "git-moved", by "workspace/slug".
 */
#include "clone/clone_private.h"

#define MOVED "git-moved"

char *clone_moved_recall(struct clone_set *cs,
			 const struct clone_server *server,
			 const char *workspace, const char *slug)
{
	cleanup(blob_unref) struct blob *fact = NULL;
	cleanup(free) char *name = mem_asprintf("%s/%s", workspace, slug);

	if (cache_fact_get(cs->cache, MOVED, name, strlen(name), &fact) < 0 ||
	    !http_same_origin(blob_data(fact), server->url))
		return NULL;
	return mem_dup0(blob_data(fact), blob_len(fact));
}

void clone_moved_note(struct clone_set *cs, const char *workspace,
		      const char *slug, const char *url)
{
	cleanup(free) char *name = mem_asprintf("%s/%s", workspace, slug);

	/* Not kept, it is asked again: no more than that. */
	(void)cache_fact_put(cs->cache, MOVED, name, strlen(name), url,
			     strlen(url));
}
