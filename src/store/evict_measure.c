/*
 * How much of the disk is taken: by blocks, for spools are sparse. What goes
 * while it is looked at is not counted, and no failure.
 */
#include "evict_private.h"

#include "base/mem.h"
#include "store/objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEFAULT_MOST ((uint64_t)10 << 30)
#define DEFAULT_SHARE 10

uint64_t evict_default_bytes(const char *dir)
{
	cleanup(free) char *path = mem_strdup(dir);
	struct statvfs disk;
	uint64_t n;

	/* The directory may be made later: then its parent's disk. */
	while (statvfs(path, &disk) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return DEFAULT_MOST;
		*slash = '\0';
	}
	n = (uint64_t)disk.f_blocks * disk.f_frsize / DEFAULT_SHARE;
	return n < DEFAULT_MOST ? n : DEFAULT_MOST;
}

/* Of the directory path/below (NULL: path), with what is in directories in it
 * down to so many levels. */
static uint64_t bytes_of(const char *path, const char *below, int levels)
{
	cleanup(free) char *dir = below ? mem_asprintf("%s/%s", path, below)
					: mem_strdup(path);
	DIR *d = opendir(dir);
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
		else if (S_ISDIR(st.st_mode) && levels > 0)
			sum += bytes_of(dir, e->d_name, levels - 1);
	}
	if (d)
		closedir(d);
	return sum;
}

static int64_t mtime_ms(const char *path, const char *below)
{
	cleanup(free) char *name = mem_asprintf("%s/%s", path, below);
	struct stat st;

	if (stat(name, &st) < 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

static bool has(const char *path, const char *below)
{
	cleanup(free) char *name = mem_asprintf("%s/%s", path, below);

	return access(name, F_OK) == 0;
}

static bool is_kept(const char *path)
{
	return has(path, OBJECTS_KEPT);
}

/* What processes are taking in, each in a directory of its own. */
static uint64_t tmp_bytes(const char *path)
{
	DIR *d = opendir(path);
	uint64_t sum = 0;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "tmp-", 4) == 0)
			sum += bytes_of(path, e->d_name, 1);
	if (d)
		closedir(d);
	return sum;
}

void evict_measure_store(const char *path, const char *uuid,
			 struct evict_repository *ret)
{
	*ret = (struct evict_repository){
		.uuid = uuid,
		.n_packs = bytes_of(path, NULL, 0) +
			   bytes_of(path, "objects/pack", 0) +
			   bytes_of(path, "refs", 4),
		.n_big = bytes_of(path, "big", 0),
		.n_other = tmp_bytes(path) + bytes_of(path, "broken", 0),
		.used_ms = mtime_ms(path, OBJECTS_USED),
		.kept = is_kept(path),
		.is_partial = has(path, OBJECTS_SIZES),
	};
}

int evict_each_store(const char *dir,
		     int (*each)(void *arg, const char *path, const char *uuid),
		     void *arg)
{
	cleanup(free) char *git = mem_asprintf("%s/git", dir);
	DIR *d = opendir(git);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		cleanup(free) char *path = NULL;
		cleanup(free) char *uuid = NULL;

		if (n <= 4 || strcmp(e->d_name + n - 4, ".git") != 0)
			continue;
		path = mem_asprintf("%s/%s", git, e->d_name);
		uuid = mem_dup0(e->d_name, n - 4);
		r = each(arg, path, uuid);
	}
	closedir(d);
	return r;
}

struct look {
	struct evict_use *use;
	int (*each)(void *arg, const struct evict_repository *);
	void *arg;
};

static int look_at(void *arg, const char *path, const char *uuid)
{
	struct look *look = arg;
	struct evict_use *use = look->use;
	struct evict_repository repository;

	evict_measure_store(path, uuid, &repository);
	use->n_packs += repository.n_packs;
	use->n_big += repository.n_big;
	use->n_other += repository.n_other;
	use->n_repositories++;
	if (repository.kept)
		use->n_kept += repository.n_packs + repository.n_big;
	return look->each ? look->each(look->arg, &repository) : 0;
}

int evict_measure(const char *dir, struct evict_use *ret_use,
		  int (*each)(void *arg, const struct evict_repository *),
		  void *arg)
{
	struct evict_use use = {
		.n_documents = bytes_of(dir, NULL, 0),
		.n_spools = bytes_of(dir, "spool", 0),
	};
	struct look look = {.use = &use, .each = each, .arg = arg};
	int r = evict_each_store(dir, look_at, &look);

	if (r < 0)
		return r;
	use.n_bytes = use.n_documents + use.n_spools + use.n_packs + use.n_big +
		      use.n_other;
	*ret_use = use;
	return 0;
}
