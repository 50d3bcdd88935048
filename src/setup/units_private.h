/*
 * setup/units: where they are.
 */
#ifndef SETUP_UNITS_PRIVATE_H
#define SETUP_UNITS_PRIVATE_H

/* Of this user's own; NULL: he has no home. Free it. */
char *units_dir(void);

#endif
