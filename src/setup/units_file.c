/*
 * setup/units: the file of our own, where no package has installed one.
 */
#include "setup/units.h"
#include "setup/units_private.h"

#include "base/file.h"

#include <dirent.h>
#include <unistd.h>

#define NAME "bitbucketfs@.service"
#define HEAD "# Written by bitbucketfs service install.\n"
#define PLACE "@BITBUCKETFS@"
#define UNIT_MAX (64 * KIB)

/* The one that is shipped, with PLACE for the program. */
extern const char units_text[];

static char *unit_path(void)
{
	cleanup(free) char *dir = units_dir();

	return dir ? mem_asprintf("%s/" NAME, dir) : NULL;
}

/* As a word of ExecStart=, in which blanks, quotes and specifiers mean
 * something (systemd.service(5)). */
static void add_word(struct buf *out, const char *path)
{
	buf_putc(out, '"');
	for (; *path; path++) {
		if (strchr("\"\\", *path))
			buf_putc(out, '\\');
		else if (strchr("%$", *path))
			buf_putc(out, *path);
		buf_putc(out, *path);
	}
	buf_putc(out, '"');
}

static int add_unit(struct buf *out)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *at = units_text, *next;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	buf_puts(out, HEAD);
	for (; (next = strstr(at, PLACE)); at = next + strlen(PLACE)) {
		buf_add(out, at, (size_t)(next - at));
		add_word(out, self);
	}
	buf_puts(out, at);
	return 0;
}

/* 1: it is ours; 0: there is none; -EEXIST: it is somebody's own. */
static int whose(const char *path)
{
	cleanup(buf_done) struct buf text = BUF_INIT(UNIT_MAX);
	int r = file_read(path, UNIT_MAX, &text);

	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	return text.len && !strncmp(text.data, HEAD, strlen(HEAD)) ? 1
								   : -EEXIST;
}

int units_write(char **ret_path)
{
	cleanup(buf_done) struct buf text = BUF_INIT(UNIT_MAX);
	cleanup(free) char *dir = units_dir();
	cleanup(free) char *path = unit_path();
	int r = path ? whose(path) : -ENOENT;

	if (r >= 0)
		r = add_unit(&text);
	if (!r)
		r = file_mkdirs(dir, 0755);
	if (!r)
		r = file_write_atomic(path, 0644, text.data, text.len);
	if (!r)
		*ret_path = steal(&path);
	return r;
}

static bool is_any_wanted(void)
{
	cleanup(free) char *dir = units_dir();
	cleanup(free) char *wants =
		mem_asprintf("%s/default.target.wants", dir);
	DIR *opened = opendir(wants);
	struct dirent *entry;
	bool found = false;

	while (opened && !found && (entry = readdir(opened)))
		found = !strncmp(entry->d_name, "bitbucketfs@",
				 strlen("bitbucketfs@"));
	if (opened)
		closedir(opened);
	return found;
}

int units_unwrite(char **ret_path)
{
	cleanup(free) char *path = unit_path();
	int r = path ? whose(path) : 0;

	*ret_path = NULL;
	if (r != 1 || is_any_wanted())
		return r > 0 ? 0 : r;
	if (unlink(path))
		return -errno;
	*ret_path = steal(&path);
	return 0;
}
