/*
 * What people ask for by hand: that a repository is kept, that it goes.
 */
#include "evict_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/objects.h"

#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *dir, const char *uuid)
{
	return mem_asprintf("%s/git/%s.git", dir, uuid);
}

/* -ENOENT: nothing of it is cached. */
static int find(const char *dir, const char *uuid, char **ret_path)
{
	cleanup(free) char *path = path_of(dir, uuid);
	struct stat st;

	if (!uuid[0] || uuid[0] == '.' || strchr(uuid, '/'))
		return -ENOENT;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOENT;
	*ret_path = steal(&path);
	return 0;
}

int evict_keep(const char *dir, const char *uuid, bool keep)
{
	cleanup(free) char *path = NULL, *mark = NULL;
	int r = find(dir, uuid, &path);

	if (r < 0)
		return r;
	mark = mem_asprintf("%s/" OBJECTS_KEPT, path);
	if (keep)
		return file_write_atomic(mark, 0600, "", 0);
	return unlink(mark) < 0 && errno != ENOENT ? -errno : 0;
}

bool evict_is_kept(const char *dir, const char *uuid)
{
	cleanup(free) char *path = NULL, *mark = NULL;

	if (find(dir, uuid, &path) < 0)
		return false;
	mark = mem_asprintf("%s/" OBJECTS_KEPT, path);
	return access(mark, F_OK) == 0;
}

int evict_drop(struct ctx *ctx, const char *dir, const char *uuid,
	       uint64_t *ret_freed)
{
	cleanup(free) char *path = NULL;
	int r = find(dir, uuid, &path);

	if (r < 0)
		return r;
	if (evict_is_kept(dir, uuid))
		return -EPERM;
	/* Also what was marked in this very moment. */
	return objects_evict(ctx, path, clock_wall_ms() + 1000, ret_freed);
}
