/*
 * setup/lines: bytes that are wiped wherever they were.
 */
#include "setup/lines.h"

#include "base/file.h"

struct buf lines_new(size_t max)
{
	struct buf lines = BUF_INIT(max);

	lines.size = max + 1;
	lines.data = mem_calloc(1, lines.size);
	return lines;
}

void lines_done(struct buf *lines)
{
	if (lines->data)
		explicit_bzero(lines->data, lines->size);
	buf_done(lines);
}

void lines_add(struct buf *lines, const char *name, const char *value)
{
	if (value)
		buf_printf(lines, "%s %s\n", name, value);
}

bool lines_each(const struct buf *lines,
		void (*take)(void *arg, const char *line, size_t n), void *arg)
{
	const char *line = lines->data, *stop;
	size_t left = lines->len;

	for (; left; left -= (size_t)(stop + 1 - line), line = stop + 1) {
		stop = memchr(line, '\n', left);
		if (!stop)
			return false;
		take(arg, line, (size_t)(stop - line));
	}
	return true;
}

int lines_write(const char *path, const struct buf *lines)
{
	return lines->failed
		       ? lines->failed
		       : file_write_atomic(path, 0600, lines->data, lines->len);
}

int lines_make_directory(const char *path, char why[static OWN_WHY_MAX])
{
	cleanup(free) char *dir =
		mem_dup0(path, (size_t)(strrchr(path, '/') - path));
	int r = file_mkdirs(dir, 0700);

	*why = '\0';
	return r ? r : own_directory(dir, NULL, why);
}
