/*
 * setup/config inside: what its files share.
 */
#ifndef SETUP_CONFIG_PRIVATE_H
#define SETUP_CONFIG_PRIVATE_H

#include "setup/config.h"

#define CONFIG_VALUE_MAX 8192

/* NULL: there is none of that name. */
const struct config_setting *config_find(const char *name);
/* "BITBUCKETFS_KEY". */
char *config_variable(const char *key);
/* ": did you mean ttl?" for a name that there is none of, or "". */
char *config_meant(const char *name);
/* " NAME" of what is no setting, or "": in its place a token may have been
 * pasted, which has a '=' in it. meant as config_meant. */
char *config_shown(const char *name, const char *meant);
/* Sets it; puts "PLACENAME " before what a setter said. */
int config_apply(struct config *, const char *place,
		 const struct config_setting *, const char *name,
		 const char *value);
/* Whether nobody else may see this value. */
bool config_is_secret(const struct config_setting *, const char *value);
/* A path that depends on where a program was started. */
bool config_is_relative(const struct config_setting *, const char *value);
/* The value; NULL and "" are none. */
void config_put(char **place, const char *value);
void config_free_strings(char **strings);
/* Whether it says how one signs in. */
bool config_is_way(const struct config_setting *);
/* Given as nothing it hides what weaker places say. */
bool config_hides(const struct config_setting *);
bool config_has_profile(const struct config *, const char *name);
void config_add_profile(struct config *, const char *name);
/* 0, or that there is no such profile in the file. */
int config_check_profile(struct config *);
/* The sentence; -EINVAL. */
int config_fail(struct config *, const char *fmt, ...) printf_like(2, 3);

/* Each puts a value into the member of a setting, or says why it is none; what
 * they say is the end of a sentence. */
typedef int config_set(struct config *, const struct config_setting *,
		       const char *value);
config_set config_set_profile;
config_set config_set_name;
config_set config_set_token;
config_set config_set_command;
config_set config_set_consumer;
config_set config_set_url;
config_set config_set_git_url;
config_set config_set_transport;
config_set config_set_ssh_fallback;
config_set config_set_proxy;
config_set config_set_path;
config_set config_set_ca_file;
config_set config_set_workspaces;
config_set config_set_indexers;
config_set config_set_time;
config_set config_set_number;
config_set config_set_size;
config_set config_set_cache_size;
config_set config_set_hydrate;
config_set config_set_lfs;
config_set config_set_uid;
config_set config_set_gid;
config_set config_set_umask;
config_set config_set_submodules;
config_set config_set_debug;
config_set config_set_flag;
config_set config_set_fuse_text;
config_set config_set_fuse_number;

#endif
