/*
 * cmd/mount/inside: goes down the path name by name. realpath(3) would do so,
 * too, and ask the mount for what is in it.
 */
#include "cmd/mount/inside.h"
#include "cmd/mount/preflight.h"

#include <limits.h>
#include <unistd.h>

#define SYMLINKS_MAX 40

struct way {
	const char *mountinfo;
	struct buf at;  /* without symlinks; "" is / */
	char *rest;     /* what is still to be gone */
	size_t n_mount; /* of the mount point, in `at`; 0: in no mount */
	dev_t device;   /* of the mount */
	unsigned n_links;
};

void inside_done(struct inside *inside)
{
	free(inside->mountpoint);
	free(inside->path);
	*inside = (struct inside){0};
}

static void go_up(struct way *way)
{
	const char *slash = way->at.len ? strrchr(way->at.data, '/') : NULL;

	buf_cut(&way->at, slash ? (size_t)(slash - way->at.data) : 0);
	if (way->at.len < way->n_mount)
		way->n_mount = 0;
}

/* What is mounted where the way has come to. */
static void look_here(struct way *way)
{
	cleanup(preflight_place_done) struct preflight_place place = {0};

	preflight_look(way->mountinfo, way->at.data, &place);
	if (place.what == PREFLIGHT_NOTHING)
		return;
	way->n_mount = place.what == PREFLIGHT_OURS ? way->at.len : 0;
	way->device = place.device;
}

/* A symlink that is here is what is still to be gone. */
static int follow(struct way *way)
{
	char target[PATH_MAX];
	ssize_t n = readlink(way->at.data, target, sizeof(target) - 1);
	char *rest;

	if (n <= 0)
		return 0;
	if (++way->n_links > SYMLINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	rest = mem_asprintf("%s/%s", target, way->rest);
	if (*target == '/')
		buf_clear(&way->at);
	else
		go_up(way);
	free(way->rest);
	way->rest = rest;
	return 0;
}

/* One name further. */
static int go_on(struct way *way)
{
	size_t n_slashes = strspn(way->rest, "/");
	size_t n = strcspn(way->rest + n_slashes, "/");
	cleanup(free) char *name = mem_dup0(way->rest + n_slashes, n);

	memmove(way->rest, way->rest + n_slashes + n,
		strlen(way->rest + n_slashes + n) + 1);
	if (!*name || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		go_up(way);
		return 0;
	}
	if (buf_printf(&way->at, "/%s", name))
		return -ENAMETOOLONG;
	look_here(way);
	return way->n_mount ? 0 : follow(way);
}

/* Where a relative path begins: the kernel says it without asking the mount. */
static char *whole(const char *path)
{
	cleanup(free) char *here = NULL;

	if (*path == '/')
		return mem_strdup(path);
	here = getcwd(NULL, 0);
	return here ? mem_asprintf("%s/%s", here, path) : NULL;
}

int inside_look(const char *mountinfo, const char *path, struct inside *ret)
{
	struct way way = {
		.mountinfo = mountinfo,
		.at = BUF_INIT(64 * KIB),
		.rest = whole(path),
	};
	int r = way.rest ? 0 : -errno;

	while (!r && *way.rest)
		r = go_on(&way);
	if (!r && !way.n_mount)
		r = -ENXIO;
	if (!r)
		*ret = (struct inside){
			.mountpoint = mem_dup0(way.at.data, way.n_mount),
			.path = mem_strdup(way.at.data + way.n_mount +
					   (way.at.len > way.n_mount)),
			.device = way.device,
		};
	buf_done(&way.at);
	free(way.rest);
	return r;
}

int inside_find(const char *path, struct inside *ret)
{
	cleanup(buf_done) struct buf table = BUF_INIT(0);
	int r = preflight_table(&table);

	return r ? r : inside_look(table.data ? table.data : "", path, ret);
}

enum command_exit inside_of(const char *path, struct inside *ret)
{
	int r = inside_find(path, ret);

	if (!r)
		return COMMAND_OK;
	if (r != -ENXIO) {
		command_say("%s cannot be found: %s", path, strerror(-r));
		return COMMAND_FAILED;
	}
	command_say("%s is in no Bitbucket that is mounted", path);
	return COMMAND_NOT_MOUNTED;
}
