/*
 * model/indexers: /proc says which program a request is of. It is read
 * when something would have to be asked for, which takes a thousand times as
 * long, so nothing of it is remembered: a shell that looks at the mount may be
 * an indexer a moment later (execve), and the other way round.
 */
#include "model/indexers.h"

#include "base/file.h"

#include <fnmatch.h>
#include <limits.h>
#include <unistd.h>

/* As comm of proc(5) has names: cut. */
#define COMM_MAX 15

const char *const indexers_usual[] = {INDEXERS_GNOME, INDEXERS_KDE,
				      INDEXERS_LOCATE, NULL};

bool indexers_have(const char *const *names, const char *program)
{
	bool is_cut = strlen(program) == COMM_MAX;

	for (; *names; names++)
		if (!fnmatch(*names, program, 0) ||
		    (is_cut && !strncmp(*names, program, COMM_MAX)))
			return true;
	return false;
}

/* A program that was replaced while it runs (an upgrade) is still that one. */
static bool read_exe(int32_t thread, struct buf *name)
{
	static const char deleted[] = " (deleted)";
	char link[32], path[PATH_MAX];
	size_t n_deleted = strlen(deleted), len;
	const char *slash;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)thread);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	len = (size_t)n;
	path[len] = '\0';
	if (len > n_deleted && !strcmp(path + len - n_deleted, deleted))
		path[len - n_deleted] = '\0';
	slash = strrchr(path, '/');
	return !buf_puts(name, slash ? slash + 1 : path);
}

/* Of a process of another user, as updatedb is, exe cannot be read. */
static bool read_comm(int32_t thread, struct buf *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)thread);
	if (file_read(path, 64, name) || !name->len)
		return false;
	name->data[strcspn(name->data, "\n")] = '\0';
	return true;
}

int indexers_bar(void *arg, struct ctx *ctx)
{
	const char *const *const *names = arg;
	cleanup(buf_done) struct buf program = BUF_INIT(PATH_MAX);

	if (ctx->caller <= 0 || !**names ||
	    (!read_exe(ctx->caller, &program) &&
	     !read_comm(ctx->caller, &program)) ||
	    !indexers_have(*names, program.data))
		return 0;
	return ctx_fail(ctx, -EACCES,
			"This is not cached, and %s, which indexes all that "
			"it finds, causes no requests (the option indexers).",
			program.data);
}
