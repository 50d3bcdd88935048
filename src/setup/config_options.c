/*
 * setup/config: the texts of -o: our settings, options of libfuse to be passed
 * on, what mount(8) and fstab(5) say to others, and what is refused.
 */
#include "setup/config_private.h"

#include "base/text.h"

#include <strings.h>

/* Accepted, without effect: what the mount sets itself, and what mount(8) and
 * fstab(5) say to others. A final '=': with a value; '*': begins so. */
static const char *const accepted[] = {
	"default_permissions",
	"ro",
	"rw",
	"nosuid",
	"suid",
	"nodev",
	"dev",
	"fsname=",
	"subtype=",
	"clone_fd",
	"max_threads=",
	"max_idle_threads=",

	"defaults",
	"auto",
	"noauto",
	"user",
	"user=",
	"nouser",
	"users",
	"owner",
	"group",
	"nofail",
	"_netdev",
	"comment=",
	"x-*",
	"X-*",
	"exec",
	"async",
	"sync",
	"dirsync",
	"atime",
	"noatime",
	"diratime",
	"nodiratime",
	"relatime",
	"norelatime",
	"strictatime",
	"nostrictatime",
	"lazytime",
	"nolazytime",
	"silent",
	"loud",
	"mand",
	"nomand",
};

static bool matches(const char *pattern, const char *option)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return !strncmp(pattern, option, n - 1);
	if (pattern[n - 1] == '=')
		return !strncmp(pattern, option, n);
	return !strcmp(pattern, option);
}

static int refuse_secret(struct config *config, const char *name,
			 const char *key)
{
	cleanup(free) char *variable = config_variable(key);

	return config_fail(config,
			   "-o %s: a secret on the command line can be seen by "
			   "everybody; put it into %s or, as %s = …, into "
			   "~/.config/bitbucketfs/config (chmod 600)",
			   name, variable, key);
}

static int read_setting(struct config *config,
			const struct config_setting *setting, const char *value)
{
	/* As mount(8) has flags: without a value they are set. */
	if (!value && !setting->value)
		value = "true";
	if (!value || !*value)
		return config_fail(config, "-o %s needs a value: -o %s=%s",
				   setting->name, setting->name,
				   setting->value ? setting->value : "true");
	if (setting->kind == CONFIG_COMMAND)
		return config_fail(
			config,
			"-o %s: what is run is no option; put it, as "
			"%s = …, into ~/.config/bitbucketfs/config",
			setting->name, setting->name);
	if (config_is_secret(setting, value))
		return refuse_secret(config, setting->name, setting->name);
	return config_apply(config, "-o ", setting, setting->name, value);
}

/* The words for a secret, alone or with a value, all mean the token. */
static bool is_secret_word(const char *name)
{
	static const char *const words[] = {
		"token",  "password",  "passwd",       "pass",
		"secret", "api_token", "access_token", "app_password",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(words[i], name))
			return true;
	return false;
}

static int read_option(struct config *config, const char *option, bool sloppy)
{
	cleanup(free) char *name = mem_dup0(option, strcspn(option, "="));
	cleanup(free) char *meant = NULL, *shown = NULL;
	const char *value = option[strlen(name)] ? option + strlen(name) + 1
						 : NULL;
	const struct config_setting *setting = config_find(name);

	if (is_secret_word(name))
		return refuse_secret(config, name, "token");
	if (setting)
		return read_setting(config, setting, value);
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++)
		if (matches(accepted[i], option))
			return 0;
	if (sloppy)
		return 0;
	meant = config_meant(name);
	shown = config_shown(name, meant);
	return config_fail(config, "there is no%s option -o%s%s",
			   *shown ? "" : " such", shown, meant);
}

int config_read_options(struct config *config, const char *text, bool sloppy)
{
	cleanup(free) char *option = mem_alloc(strlen(text) + 1);
	size_t n = 0;
	int r;

	for (;; text++) {
		if (*text == '\\' && (text[1] == ',' || text[1] == '\\')) {
			option[n++] = *++text;
			continue;
		}
		if (*text && *text != ',') {
			option[n++] = *text;
			continue;
		}
		option[n] = 0;
		if (n) {
			r = read_option(config, option, sloppy);
			if (r)
				return r;
		}
		n = 0;
		if (!*text)
			return 0;
	}
}
