/*
 * cmd/doctor/machine: what can be judged without the machine.
 */
#ifndef CMD_DOCTOR_MACHINE_H
#define CMD_DOCTOR_MACHINE_H

#include "base/defs.h"

/* Of the numbers of two versions, three at most: below 0, 0 or above it. */
int machine_compare(const char *a, const char *b);
/* Whether the text of /etc/fuse.conf has user_allow_other; NULL: no. */
bool machine_lets_others(const char *fuse_conf);

#endif
