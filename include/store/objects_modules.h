/*
 * store/objects_modules: what a .gitmodules says, whose bytes are a stranger's:
 * no other file is read because of them, and nothing is run.
 */
#ifndef STORE_OBJECTS_MODULES_H
#define STORE_OBJECTS_MODULES_H

#include "base/mem.h"

#define OBJECTS_MODULES_MAX MIB /* bytes of such a file */
#define OBJECTS_MODULES_MOST 10000

/* Of each submodule that has a path, as git reads them (gitmodules(5)): in the
 * order of the file, the first of two values; not those that git takes for
 * suspicious. url is "" where none is said. A false from each ends it. */
typedef bool objects_module(void *arg, const char *path, const char *url);
/* 0; -EBADMSG: no configuration file; -EFBIG: longer than that, or more of
 * them; -errno of the machine. */
int objects_modules(const void *data, size_t n, objects_module *each,
		    void *arg);

#endif
