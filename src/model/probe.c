/*
 * model/probe: names that programs look for in every directory.
 */
#include "model/probe.h"

#include "base/defs.h"

/* All of them could be slugs: without this, each would be a request in a
 * workspace that was never listed. A name that a listing has exists all the
 * same. */
bool probe_matches(const char *name)
{
	static const char *const names[] = {
		".git",
		".hg",
		".svn",
		".jj",
		".bzr",
		".hidden",
		".envrc",
		".editorconfig",
		".directory",
		".ds_store",
		".nomedia",
		".xdg-volume-info",
		".metadata",
		".localized",
		".gitignore",
		".gitmodules",
		".ignore",
		".rgignore",
		"autorun.inf",
		"desktop.ini",
		"thumbs.db",
		".tool-versions",
		".python-version",
		".nvmrc",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, ".trash", strlen(".trash")) == 0 ||
	       strncmp(name, "._", strlen("._")) == 0;
}
