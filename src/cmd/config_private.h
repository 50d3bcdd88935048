/*
 * cmd/config inside: what its two files share.
 */
#ifndef CMD_CONFIG_PRIVATE_H
#define CMD_CONFIG_PRIVATE_H

#include "cmd/config.h"

struct config_setting {
	const char *name;        /* in the file */
	const char *environment; /* NULL: not there */
	bool is_option;
	int (*set)(struct config *, const char *value);
};

/* NULL: there is none of that name. */
const struct config_setting *config_find(const char *name);
/* Sets it; puts "PLACENAME " before what a setter said. */
int config_apply(struct config *, const char *place,
		 const struct config_setting *, const char *name,
		 const char *value);
/* The sentence; -EINVAL. */
int config_fail(struct config *, const char *fmt, ...) printf_like(2, 3);

#endif
