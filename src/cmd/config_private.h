/*
 * cmd/config inside: what its files share.
 */
#ifndef CMD_CONFIG_PRIVATE_H
#define CMD_CONFIG_PRIVATE_H

#include "cmd/config.h"

#define CONFIG_VALUE_MAX 8192

/* NULL: there is none of that name. */
const struct config_setting *config_find(const char *name);
/* "BITBUCKETFS_KEY". */
char *config_variable(const char *key);
/* ": did you mean ttl?" for a name that there is none of, or "". */
char *config_meant(const char *name);
/* Sets it; puts "PLACENAME " before what a setter said. */
int config_apply(struct config *, const char *place,
		 const struct config_setting *, const char *name,
		 const char *value);
/* Whether nobody else may see this value. */
bool config_is_secret(const struct config_setting *, const char *value);
/* The value; NULL and "" are none. */
void config_put(char **place, const char *value);
void config_free_strings(char **strings);
/* The sentence; -EINVAL. */
int config_fail(struct config *, const char *fmt, ...) printf_like(2, 3);

#endif
