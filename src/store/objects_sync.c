/*
 * What is synced, and when. A pack is synced before it has its name. Or later
 * (objects_pack_relax): what somebody waits for and can be fetched again, and
 * no mark says that it is here. Seven times syncing take longer than a near
 * server, and stall whatever else the file system is asked for meanwhile.
 *
 * If the machine goes down before, such a pack may be cut: the next one who
 * opens the store sees that, and sets it aside. Before a commit is marked all
 * of them are synced.
 *
 * Refs, marks among them, are synced later in any case: one that is empty then
 * goes when the store is opened, and a mark that went is set again.
 */
#include "objects_private.h"

#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

static const char packs[] = "objects/pack/";

static bool is_pack(const char *name)
{
	return strncmp(name, packs, strlen(packs)) == 0;
}

static int sync_file(const char *path, const char *suffix)
{
	cleanup(free) char *file = mem_asprintf("%s%s", path, suffix);
	cleanup(fd) int fd = open(file, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int sync_both(const char *path)
{
	int r = sync_file(path, ".pack");

	return r < 0 ? r : sync_file(path, ".idx");
}

int objects_sync_pack(const char *dir, const char *name)
{
	cleanup(free) char *path = mem_asprintf("%s/pack-%s", dir, name);

	return sync_both(path);
}

void objects_sync_later(struct objects *o, const char *name)
{
	mutex_lock(&o->lock);
	mem_grow(o->unsynced, o->n_unsynced, o->room_unsynced);
	o->unsynced[o->n_unsynced++] = mem_strdup(name);
	mutex_unlock(&o->lock);
}

/* all: not only what a mark relies on. */
static char *next_unsynced(struct objects *o, bool all)
{
	char *name = NULL;
	size_t i;

	mutex_lock(&o->lock);
	for (i = o->n_unsynced; i-- > 0 && !name;)
		if (all || strncmp(o->unsynced[i], "refs/", 5) != 0) {
			name = o->unsynced[i];
			o->unsynced[i] = o->unsynced[--o->n_unsynced];
		}
	mutex_unlock(&o->lock);
	return name;
}

static int sync_name(struct objects *o, const char *name)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", o->path, name);
	int r = is_pack(name) ? sync_both(path) : sync_file(path, "");

	/* It went meanwhile: evicted, folded, or removed. */
	if (r == -ENOENT || is_pack(name))
		return r == -ENOENT ? 0 : r;
	*strrchr(path, '/') = '\0';
	return r < 0 ? r : objects_fsync_dir(path, ".");
}

static int sync_these(struct objects *o, bool all)
{
	bool any_pack = false;
	char *name;
	int r = 0;

	while (r == 0 && (name = next_unsynced(o, all))) {
		r = sync_name(o, name);
		any_pack = any_pack || is_pack(name);
		free(name);
	}
	return r == 0 && any_pack ? objects_fsync_dir(o->path, packs) : r;
}

int objects_sync(struct objects *o)
{
	return sync_these(o, true);
}

int objects_sync_packs(struct objects *o)
{
	return sync_these(o, false);
}

unsigned objects_n_unsynced(struct objects *o)
{
	return mutex_with(&o->lock, (unsigned)o->n_unsynced);
}

void objects_sync_forget(struct objects *o)
{
	char *name;

	while ((name = next_unsynced(o, true)))
		free(name);
	free(o->unsynced);
}
