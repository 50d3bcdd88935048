/*
 * cmd/doctor/indexers: whether a program that reads everything would go through
 * a mount, judged by the text of its settings alone.
 */
#ifndef CMD_DOCTOR_INDEXERS_H
#define CMD_DOCTOR_INDEXERS_H

#include "base/defs.h"

/* updatedb.conf(5) leaves the place out, by its type or its path. */
bool indexers_updatedb_prunes(const char *conf, const char *path);
/* Tracker's index-recursive-directories, as gsettings prints them, have the
 * place; user_dirs is the text of user-dirs.dirs, "" at least. */
bool indexers_tracker_covers(const char *list, const char *user_dirs,
			     const char *home, const char *path);
/* baloofilerc: enabled, and the place is not left out. */
bool indexers_baloo_covers(const char *rc, const char *home, const char *path);

#endif
