/*
 * cmd/browser: the user's browser, where there is a display.
 */
#ifndef CMD_BROWSER_H
#define CMD_BROWSER_H

#include "base/defs.h"

/* By xdg-open, which outlives this process, hears nothing of it and has no
 * terminal. False: there is no display, or no such program. */
bool browser_open(const char *url);

#endif
