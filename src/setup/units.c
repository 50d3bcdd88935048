/*
 * setup/units: by systemctl, which knows where a manager listens and what a
 * unit is made of, so that nothing here speaks D-Bus.
 */
#include "setup/units.h"
#include "setup/config.h"
#include "setup/units_private.h"

#include "base/file.h"
#include "base/program.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define TELL_MS (120 * 1000)
#define WORDS_MAX 16
#define SAID_MAX (64 * KIB)

char *units_name(const char *profile)
{
	return mem_asprintf("bitbucketfs@%s.service",
			    profile ? profile : CONFIG_NO_PROFILE);
}

char *units_dir(void)
{
	char *dir = NULL;

	(void)file_xdg_path(FILE_XDG_CONFIG, "systemd/user", &dir);
	return dir;
}

/* ---- the manager ---- */

/* The first line. */
static int fail_with(struct ctx *ctx, const struct buf *said)
{
	const char *words = said->len ? said->data : "systemctl failed";

	return ctx_fail(ctx, -EIO, "%.*s", (int)strcspn(words, "\n"), words);
}

int units_tell(struct ctx *ctx, const char *const *words, struct buf *out)
{
	const char *argv[WORDS_MAX] = {"systemctl", "--user", "--no-pager"};
	cleanup(buf_done) struct buf rest = BUF_INIT(SAID_MAX);
	cleanup(buf_done) struct buf err = BUF_INIT(SAID_MAX);
	int status = 0, r;

	for (size_t n = 3; *words; n++) {
		check(n < WORDS_MAX - 1);
		argv[n] = *words++;
	}
	r = program_run(ctx, argv, environ, NULL, TELL_MS, out ? out : &rest,
			&err, &status);
	if (r)
		return ctx_fail(ctx, r, "systemctl: %s",
				r == -ENOENT ? "there is no such program"
					     : strerror(-r));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0
							 : fail_with(ctx, &err);
}

int units_manager(struct ctx *ctx)
{
	static const char *const words[] = {"show", "--property=Version", NULL};
	cleanup(buf_done) struct buf out = BUF_INIT(SAID_MAX);
	int r = units_tell(ctx, words, &out);

	/* In a chroot it says nothing, and is content. */
	return r || out.len ? r : ctx_fail(ctx, -EIO, "systemctl says nothing");
}

int units_look(struct ctx *ctx, const char *unit, struct buf *ret_text)
{
	const char *const words[] = {
		"show",
		"--property=LoadState,ActiveState,SubState,Result,"
		"UnitFileState,FragmentPath,StatusText,ExecMainStatus,"
		"ActiveEnterTimestamp",
		unit, NULL};

	return units_tell(ctx, words, ret_text);
}

char *units_value(const struct buf *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = text->data; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (!strncmp(line, name, n) && line[n] == '=')
			return mem_dup0(line + n + 1,
					(size_t)(end - line) - n - 1);
		line = *end ? end + 1 : end;
	}
	return mem_strdup("");
}

bool units_is_wanted(const char *unit)
{
	cleanup(free) char *dir = units_dir();
	cleanup(free) char *link = NULL;
	char c;

	if (!dir)
		return false;
	link = mem_asprintf("%s/default.target.wants/%s", dir, unit);
	return readlink(link, &c, 1) > 0;
}

/* ---- all of them ---- */

/* Where no systemd is there is nothing to stop. */
static void try(const char *word, const char *more, const char *unit)
{
	const char *const words[] = {"--quiet", word, more, unit, NULL};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	(void)units_tell(&ctx, words, NULL);
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

/* What is said is said once: not of a link to what is removed, too. */
static bool is_worth_a_word(const char *path, const char *top, bool is_top)
{
	char target[4096];
	ssize_t n = is_top ? -1 : readlink(path, target, sizeof(target));

	return is_top || (n > 0 && strncmp(target, top, strlen(top)) != 0);
}

/* Files and links of that kind in a directory, and in those below it that say
 * what is wanted with what. */
static void remove_units(const char *dir, const char *top, struct buf *out)
{
	bool is_top = dir == top;
	DIR *opened = opendir(dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, entry->d_name);
		bool said = is_worth_a_word(path, top, is_top);

		if (is_top && strstr(entry->d_name, ".wants"))
			remove_units(path, top, out);
		else if (!is_ours(entry->d_name))
			continue;
		else if (is_top && !is_drop_in(entry->d_name))
			try("disable", "--now", entry->d_name);
		if (!remove_unit(path, entry->d_name) && said)
			buf_printf(out, "Removed: %s\n", path);
	}
	if (opened)
		closedir(opened);
	/* Not if there is anything of others in it. */
	(void)rmdir(dir);
}

void units_remove_all(struct buf *out)
{
	cleanup(free) char *dir = units_dir();
	size_t before = out->len;

	/* Also instances of a unit that a package has, of which only a link is
	 * here, or nothing. */
	try("stop", "--", "*bitbucketfs*.service");
	if (!dir)
		return;
	remove_units(dir, dir, out);
	*strrchr(dir, '/') = '\0';
	(void)rmdir(dir);
	if (out->len > before)
		try("daemon-reload", NULL, NULL);
}
