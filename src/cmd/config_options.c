/*
 * cmd/config: the texts of -o: our settings, options of libfuse to be passed
 * on, what mount(8) and fstab(5) say to others, and what is refused.
 */
#include "cmd/config_private.h"

#include "base/text.h"

#include <strings.h>

enum option_use {
	OPTION_IGNORED, /* what mount(8) and fstab say to others */
	OPTION_PASSED,  /* to libfuse */
	OPTION_OURS,    /* fixed by us: accepted, without effect */
	OPTION_SECRET,  /* refused */
};
static const struct {
	const char *name; /* with a final '=': has a value; '*': begins so */
	enum option_use use;
} known[] = {
	{"allow_other", OPTION_PASSED},
	{"allow_root", OPTION_PASSED},
	{"auto_unmount", OPTION_PASSED},
	{"max_read=", OPTION_PASSED},
	{"clone_fd", OPTION_PASSED},
	{"max_threads=", OPTION_PASSED},
	{"max_idle_threads=", OPTION_PASSED},
	{"noexec", OPTION_PASSED},
	{"context=", OPTION_PASSED},
	{"fscontext=", OPTION_PASSED},
	{"defcontext=", OPTION_PASSED},
	{"rootcontext=", OPTION_PASSED},

	{"default_permissions", OPTION_OURS},
	{"ro", OPTION_OURS},
	{"rw", OPTION_OURS},
	{"nosuid", OPTION_OURS},
	{"suid", OPTION_OURS},
	{"nodev", OPTION_OURS},
	{"dev", OPTION_OURS},
	{"fsname=", OPTION_OURS},
	{"subtype=", OPTION_OURS},

	{"defaults", OPTION_IGNORED},
	{"auto", OPTION_IGNORED},
	{"noauto", OPTION_IGNORED},
	{"user", OPTION_IGNORED},
	{"user=", OPTION_IGNORED},
	{"nouser", OPTION_IGNORED},
	{"users", OPTION_IGNORED},
	{"owner", OPTION_IGNORED},
	{"group", OPTION_IGNORED},
	{"nofail", OPTION_IGNORED},
	{"_netdev", OPTION_IGNORED},
	{"comment=", OPTION_IGNORED},
	{"x-*", OPTION_IGNORED},
	{"X-*", OPTION_IGNORED},
	{"exec", OPTION_IGNORED},
	{"async", OPTION_IGNORED},
	{"sync", OPTION_IGNORED},
	{"dirsync", OPTION_IGNORED},
	{"atime", OPTION_IGNORED},
	{"noatime", OPTION_IGNORED},
	{"diratime", OPTION_IGNORED},
	{"nodiratime", OPTION_IGNORED},
	{"relatime", OPTION_IGNORED},
	{"norelatime", OPTION_IGNORED},
	{"strictatime", OPTION_IGNORED},
	{"nostrictatime", OPTION_IGNORED},
	{"lazytime", OPTION_IGNORED},
	{"nolazytime", OPTION_IGNORED},
	{"silent", OPTION_IGNORED},
	{"loud", OPTION_IGNORED},
	{"mand", OPTION_IGNORED},
	{"nomand", OPTION_IGNORED},

	{"token=", OPTION_SECRET},
	{"password=", OPTION_SECRET},
	{"passwd=", OPTION_SECRET},
	{"pass=", OPTION_SECRET},
	{"secret=", OPTION_SECRET},
	{"api_token=", OPTION_SECRET},
	{"access_token=", OPTION_SECRET},
	{"app_password=", OPTION_SECRET},
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

static int check_passed(struct config *config, const char *option)
{
	const char *equals = strchr(option, '=');
	uint64_t n;

	if (!equals || strncmp(option, "max_", 4))
		return 0;
	if (text_parse_u64(equals + 1, 1U << 30, &n) ||
	    (!n && strncmp(option, "max_idle", 8) != 0))
		return config_fail(config, "-o %.*s: '%s' is no such number",
				   (int)(equals - option), option, equals + 1);
	return 0;
}

static void pass_on(struct config *config, const char *option)
{
	size_t n = config->n_fuse_options;

	config->fuse_options = mem_realloc(
		config->fuse_options, (n + 2) * sizeof(*config->fuse_options));
	config->fuse_options[n] = mem_strdup(option);
	config->fuse_options[n + 1] = NULL;
	config->n_fuse_options = n + 1;
}

static int read_option(struct config *config, const char *option, bool sloppy)
{
	cleanup(free) char *name = mem_dup0(option, strcspn(option, "="));
	const char *value = option[strlen(name)] ? option + strlen(name) + 1
						 : NULL;
	const struct config_setting *setting = config_find(name);

	/* `token` alone or with a value: the same sentence. */
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *pattern = known[i].name;

		if (known[i].use == OPTION_SECRET &&
		    !strncasecmp(pattern, name, strlen(pattern) - 1) &&
		    strlen(name) == strlen(pattern) - 1)
			return config_fail(
				config,
				"-o %s: a secret on the command line can "
				"be seen by everybody; put it into "
				"BITBUCKETFS_TOKEN or, as token = …, into "
				"~/.config/bitbucketfs/config (chmod 600)",
				name);
	}
	if (setting && setting->is_option) {
		if (!value || !*value)
			return config_fail(config,
					   "-o %s needs a value: -o %s=…", name,
					   name);
		return config_apply(config, "-o ", setting, name, value);
	}
	if (!strcmp(name, "submodules") || !strcmp(name, "lfs")) {
		if (value && !strcmp(value, "off"))
			return 0;
		return config_fail(
			config, "-o %s can only be off in this version", name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!matches(known[i].name, option))
			continue;
		if (known[i].use == OPTION_PASSED) {
			pass_on(config, option);
			return check_passed(config, option);
		}
		return 0;
	}
	if (sloppy)
		return 0;
	if (setting)
		return config_fail(
			config,
			"-o %s: this is set by %s or in the configuration "
			"file, not by an option",
			name, setting->environment);
	return config_fail(config, "there is no option -o %.60s", name);
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
