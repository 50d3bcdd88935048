/*
 * cmd/path_submodule: the other half of `path`.
 */
#ifndef CMD_PATH_SUBMODULE_H
#define CMD_PATH_SUBMODULE_H

#include "cmd/command.h"
#include "setup/config.h"

/* Prints url, commit and place of the submodule that the path is, or is in. */
enum command_exit path_submodule(const struct config *, const char *path);

#endif
