/*
 * cmd/login/logout: units of systemd's that this user has for mounts. They are
 * stopped first, which ends the mounts.
 */
#include "cmd/login/logout.h"

#include "base/file.h"
#include "base/program.h"

#include <dirent.h>
#include <unistd.h>

extern char **environ;

#define STOP_MS (20 * 1000)

/* Where no systemd is there is nothing to stop. */
static void systemctl(const char *word, const char *more, const char *unit)
{
	const char *const argv[] = {"systemctl", "--user", "--quiet", word,
				    more,        unit,     NULL};
	cleanup(buf_done) struct buf out = BUF_INIT(KIB), err = BUF_INIT(KIB);
	cleanup(ctx_done) struct ctx ctx;
	int status;

	ctx_init(&ctx, NULL, -1);
	(void)program_run(&ctx, argv, environ, NULL, STOP_MS, &out, &err,
			  &status);
}

static bool is_ours(const char *name)
{
	return *name != '.' && strstr(name, "bitbucketfs");
}

/* "bitbucketfs.service.d", what systemctl edit makes. */
static bool is_drop_in(const char *name)
{
	size_t n = strlen(name);

	return n > 2 && !strcmp(name + n - 2, ".d");
}

static int remove_unit(const char *path, const char *name)
{
	if (is_ours(name) && is_drop_in(name))
		return file_remove_tree(path);
	return unlink(path) ? -errno : 0;
}

/* Files and links of that kind in a directory, and in those below it that say
 * what is wanted with what. */
static void remove_units(const char *dir, bool stop, struct buf *out)
{
	DIR *opened = opendir(dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, entry->d_name);

		if (stop && strstr(entry->d_name, ".wants"))
			remove_units(path, false, out);
		else if (!is_ours(entry->d_name))
			continue;
		else if (stop && !is_drop_in(entry->d_name))
			systemctl("disable", "--now", entry->d_name);
		if (!remove_unit(path, entry->d_name) && stop)
			buf_printf(out, "Removed: %s\n", path);
	}
	if (opened)
		closedir(opened);
}

void logout_units(struct buf *out)
{
	cleanup(free) char *dir = NULL;
	size_t before = out->len;

	if (file_xdg_path(FILE_XDG_CONFIG, "systemd/user", &dir))
		return;
	remove_units(dir, true, out);
	if (out->len > before)
		systemctl("daemon-reload", NULL, NULL);
}
