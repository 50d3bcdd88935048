/*
 * cmd/address/address: the workspace and the repository of a path.
 */
#include "cmd/address/address_private.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

size_t address_split(char *path, char *segments[static ADDRESS_SEGMENTS_MAX])
{
	size_t n = 0;

	for (char *rest = path, *one; (one = strsep(&rest, "/"));)
		if (*one && n < ADDRESS_SEGMENTS_MAX)
			segments[n++] = one;
	return n;
}

static void take_suffix(char *name, struct address *address)
{
	size_t n = strlen(name), n_times = 0;

	for (; n > 4 && !strcmp(name + n - 4, ".git"); n -= 4, n_times++)
		name[n - 4] = 0;
	if (n_times > 1)
		address_say(&address->odd, ".git is there more than once");
}

/* A name as the service writes it; a uuid in braces stays. */
static char *plain_name(const char *text, const char *what,
			bool (*is_good)(const char *), struct address *address)
{
	char *name = mem_strdup(text);
	bool had_capital = false;

	if (*name == '{' || !strncasecmp(name, "%7b", 3)) {
		if (strlen(name) < 34)
			address_say(&address->wrong,
				    "%s stands in the place of the %s: write "
				    "its name",
				    text, what);
		return name;
	}
	for (char *c = name; *c; c++) {
		had_capital |= isupper((unsigned char)*c) != 0;
		*c = (char)tolower((unsigned char)*c);
	}
	if (!is_good(name))
		address_say(&address->wrong,
			    "'%s' cannot be the name of a %s in an address: "
			    "that has "
			    "small letters, digits, - and _ (see the address "
			    "of its "
			    "page)",
			    text, what);
	else if (had_capital)
		address_say(&address->odd, "in an address the %s is written %s",
			    what, name);
	return name;
}

void address_name_both(char *const *segments, size_t n, struct address *address)
{
	if (!n) {
		address_say(&address->wrong,
			    "this address names no workspace: it is "
			    "WORKSPACE/REPOSITORY after the host");
		return;
	}
	address->workspace = plain_name(segments[0], "workspace",
					text_is_workspace_id, address);
	/* acme/workspace/projects/… is a page of the workspace itself. */
	if (n < 2 || (n > 2 && !strcmp(segments[1], "workspace")))
		return;
	take_suffix(segments[1], address);
	address->repository = plain_name(segments[1], "repository",
					 text_is_repo_slug, address);
}
