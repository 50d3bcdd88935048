/*
 * setup/config: profiles, the sections of the file, of which one is used.
 */
#include "setup/config_private.h"
#include "base/suggest.h"

#include <ctype.h>

#define NAME_MAX_BYTES 64

/* It is a directory's name, a word of a unit's, and nothing that a shell or an
 * option would take apart. */
const char *config_profile_problem(const char *name)
{
	if (!*name)
		return "is missing";
	if (strlen(name) > NAME_MAX_BYTES)
		return "is longer than 64 letters";
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) &&
		    (c == name || !strchr("-_.", *c)))
			return "has only letters, digits, '-', '_' and '.' in "
			       "it, and begins with one of the first two";
	return NULL;
}

bool config_has_profile(const struct config *config, const char *name)
{
	for (char **p = config->profiles; p && *p; p++)
		if (!strcmp(*p, name))
			return true;
	return false;
}

void config_add_profile(struct config *config, const char *name)
{
	size_t n = 0;

	while (config->profiles && config->profiles[n])
		n++;
	config->profiles = mem_realloc(config->profiles,
				       (n + 2) * sizeof(*config->profiles));
	config->profiles[n] = mem_strdup(name);
	config->profiles[n + 1] = NULL;
}

int config_set_profile(struct config *config,
		       const struct config_setting *setting, const char *value)
{
	const char *problem = config_profile_problem(value);

	(void)setting;
	/* Not shown: a token that was pasted there would be. */
	if (problem)
		return config_fail(config, "(the name of one) %s", problem);
	config_put(&config->profile, value);
	return 0;
}

int config_choose_profile(struct config *config, const char *const *options,
			  size_t n_options)
{
	const struct config_setting *setting = config_find("profile");
	cleanup(config_done) struct config look;
	cleanup(free) char *name = config_variable("profile");
	const char *value = getenv(name);

	config_init(&look);
	for (size_t i = 0; i < n_options; i++)
		if (config_read_options(&look, options[i], true))
			break;
	config->is_profile_chosen = value || look.profile;
	if (look.profile)
		config_put(&config->profile, look.profile);
	else if (value && *value)
		return config_apply(config, "", setting, name, value);
	return 0;
}

void config_use_profile(struct config *config, const char *name)
{
	config_put(&config->profile, name);
	config->is_profile_chosen = true;
}

/* "work, home" */
static void add_names(struct buf *out, char **names)
{
	for (char **p = names; p && *p; p++)
		buf_printf(out, "%s%s", p == names ? "" : ", ", *p);
	buf_puts(out, "");
}

int config_check_profile(struct config *config)
{
	cleanup(buf_done) struct buf names = BUF_INIT(CONFIG_FILE_MAX);
	struct suggest suggest = {.word = config->profile};
	cleanup(free) char *meant = NULL;
	const char *file = config->file ? config->file
					: "the configuration file";

	if (!config->profile || config_has_profile(config, config->profile))
		return 0;
	if (!strcmp(config->profile, CONFIG_NO_PROFILE)) {
		config_put(&config->profile, "");
		return 0;
	}
	if (!config->profiles)
		return config_fail(config,
				   "there is no profile '%s': %s has no "
				   "[profile %s]",
				   config->profile, file, config->profile);
	for (char **p = config->profiles; *p; p++)
		suggest_try(&suggest, *p);
	meant = suggest_words(&suggest);
	add_names(&names, config->profiles);
	return config_fail(config, "there is no profile '%s' in %s (%.400s)%s",
			   config->profile, file, names.data, meant);
}
