/*
 * model/probe: what desktops, shells and version control look for in every
 * directory. Such a name is refused unless a listing has it
 * (src/model/README.md, 5).
 */
#ifndef MODEL_PROBE_H
#define MODEL_PROBE_H

#include <stdbool.h>

bool probe_matches(const char *name);

#endif
