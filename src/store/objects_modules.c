/*
 * store/objects, .gitmodules: read by libgit2's configuration code. The
 * libraries of today's distributions read a file, not a text, so the bytes are
 * given a file that has no name in any directory.
 *
 * Such a file may include others, which git itself does not follow here: an
 * include of the user's configuration would show what is in it, one of a file
 * of the mount would wait for the very request that reads it.
 */
#include "store/objects_modules.h"
#include "store/objects.h"

#include "base/file.h"
#include "base/map.h"

#include <git2.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

struct module {
	char *path, *url; /* NULL: not said yet */
	struct module *prev, *next;
	UT_hash_handle hh;
	char name[];
};

struct modules {
	struct module *by_name, *in_order;
	size_t n;
};

static void modules_done(struct modules *modules)
{
	struct module *m, *next;

	DL_FOREACH_SAFE (modules->in_order, m, next) {
		HASH_DEL(modules->by_name, m);
		free(m->path);
		free(m->url);
		free(m);
	}
}
DEFINE_CLEANUP_DONE(struct modules, modules_done);

/* A section that is called otherwise includes nothing. libgit2 knows it by its
 * name, which follows the bracket at once, in any case. */
static char *without_includes(const void *data, size_t n)
{
	static const char include[] = "[include";
	char *text = mem_dup0(data, n);
	size_t n_name = sizeof(include) - 1;

	for (size_t i = 0; i + n_name <= n; i++)
		if (!strncasecmp(text + i, include, n_name))
			memcpy(text + i, "[ignored", n_name);
	return text;
}

/* Also reading the configuration looks at the file again: ret_fd stays open
 * until config is freed, else its number may be another file's by then. */
static int open_text(const char *text, size_t n, int *ret_fd, git_config **ret)
{
	int fd = *ret_fd = memfd_create("gitmodules", MFD_CLOEXEC);
	char path[32];
	int r = fd < 0 ? -errno : file_write_at(fd, 0, text, n);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	switch (git_config_open_ondisk(ret, path)) {
	case 0:
		return 0;
	case GIT_ENOTFOUND:
		/* /proc is not there. */
		return -ENOENT;
	default:
		return -EBADMSG;
	}
}

/* git's: one that leads out is no name of a directory below .git/modules. */
static bool is_suspicious_name(const char *name)
{
	if (!*name)
		return true;
	for (const char *part = name;; part++) {
		size_t n = strcspn(part, "/\\");

		if (n == 2 && part[0] == '.' && part[1] == '.')
			return true;
		part += n;
		if (!*part)
			return false;
	}
}

static struct module *module_of(struct modules *modules, const char *name)
{
	struct module *m;

	HASH_FIND_STR(modules->by_name, name, m);
	if (m || modules->n == OBJECTS_MODULES_MOST)
		return m;
	m = mem_calloc(1, sizeof(*m) + strlen(name) + 1);
	memcpy(m->name, name, strlen(name) + 1);
	HASH_ADD_STR(modules->by_name, name, m);
	DL_APPEND(modules->in_order, m);
	modules->n++;
	return m;
}

/* What begins with a dash git would take for an option. */
static void put(char **place, const char *value)
{
	if (!*place && *value != '-')
		*place = mem_strdup(value);
}

/* "submodule.NAME.KEY", whose name may have dots. False: there are too many. */
static bool take(struct modules *modules, const git_config_entry *entry)
{
	static const char section[] = "submodule.";
	const char *key = strrchr(entry->name, '.');
	size_t n_section = sizeof(section) - 1;
	cleanup(free) char *name = NULL;
	struct module *m;
	bool is_path;

	if (strncmp(entry->name, section, n_section) != 0 || !entry->value ||
	    key < entry->name + n_section)
		return true;
	is_path = !strcmp(key, ".path");
	name = mem_dup0(entry->name + n_section,
			(size_t)(key - entry->name) - n_section);
	if ((!is_path && strcmp(key, ".url") != 0) || is_suspicious_name(name))
		return true;
	m = module_of(modules, name);
	if (m)
		put(is_path ? &m->path : &m->url, entry->value);
	return m;
}

static int read_all(git_config *config, struct modules *modules)
{
	git_config_iterator *entries = NULL;
	git_config_entry *entry;
	int r = 0, end;

	if (git_config_iterator_new(&entries, config) < 0)
		return -EBADMSG;
	while (!r && !(end = git_config_next(&entry, entries)))
		if (!take(modules, entry))
			r = -EFBIG;
	git_config_iterator_free(entries);
	return r || end == GIT_ITEROVER ? r : -EBADMSG;
}

int objects_modules(const void *data, size_t n, objects_module *each, void *arg)
{
	cleanup(modules_done) struct modules modules = {0};
	cleanup(free) char *text = NULL;
	cleanup(fd) int fd = -1;
	git_config *config = NULL;
	struct module *m;
	int r = n > OBJECTS_MODULES_MAX ? -EFBIG : objects_library_begin();

	if (r < 0)
		return r;
	text = without_includes(data, n);
	r = open_text(text, n, &fd, &config);
	if (!r)
		r = read_all(config, &modules);
	git_config_free(config);
	if (r < 0)
		return r;
	DL_FOREACH (modules.in_order, m)
		if (m->path && *m->path &&
		    !each(arg, m->path, m->url ? m->url : ""))
			break;
	return 0;
}
