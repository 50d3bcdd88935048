/*
 * model/indexers: programs that read everything that a home has, to find it
 * again later. What they look for in a mount nobody has asked for: they are
 * shown what is cached, and cause no request.
 *
 * Owns their names. A name is that of the program's file, without its
 * directory; it may have a * in it.
 */
#ifndef MODEL_INDEXERS_H
#define MODEL_INDEXERS_H

#include "base/ctx.h"

#define INDEXERS_GNOME                                              \
	"tracker-miner-fs-3", "tracker-extract-3", "localsearch-3", \
		"localsearch-extractor-3"
#define INDEXERS_KDE "baloo_file", "baloo_file_extractor"
#define INDEXERS_LOCATE "updatedb*"

/* These, where nobody names others; NULL-terminated. */
extern const char *const indexers_usual[];

/* The name may be one that the kernel has cut (comm of proc(5)). */
bool indexers_have(const char *const *names, const char *program);
/* A ctx_gate; arg points to such a list. -EACCES for the requests of one of
 * them. Of processes of other users it goes by what they call themselves; who
 * cannot be seen is none. */
int indexers_bar(void *arg, struct ctx *);

#endif
