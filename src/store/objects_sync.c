/*
 * What is synced, and when. A pack is synced before it has its name. Or later
 * (objects_pack_relax): what somebody waits for and can be fetched again, and
 * no mark says that it is here. Seven times syncing take longer than a near
 * server, and stall whatever else the file system is asked for meanwhile.
 *
 * If the machine goes down before, such a pack may be cut: the next one who
 * opens the store sees that, and sets it aside. Before a commit is marked all
 * of them are synced.
 */
#include "objects_private.h"

#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

static int sync_file(const char *dir, const char *name, const char *suffix)
{
	cleanup(free) char *path =
		mem_asprintf("%s/pack-%s.%s", dir, name, suffix);
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int objects_sync_pack(const char *dir, const char *name)
{
	int r = sync_file(dir, name, "pack");

	return r < 0 ? r : sync_file(dir, name, "idx");
}

int objects_sync_later(struct objects *o, const char *name)
{
	mutex_lock(&o->lock);
	mem_grow(o->unsynced, o->n_unsynced, o->room_unsynced);
	o->unsynced[o->n_unsynced++] = mem_strdup(name);
	mutex_unlock(&o->lock);
	return 0;
}

static char *next_unsynced(struct objects *o)
{
	char *name = NULL;

	mutex_lock(&o->lock);
	if (o->n_unsynced)
		name = o->unsynced[--o->n_unsynced];
	mutex_unlock(&o->lock);
	return name;
}

int objects_sync(struct objects *o)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	bool any = false;
	char *name;
	int r = 0;

	while (r == 0 && (name = next_unsynced(o))) {
		r = objects_sync_pack(dir, name);
		free(name);
		any = true;
		/* It went meanwhile: evicted, or folded. */
		if (r == -ENOENT)
			r = 0;
	}
	return r == 0 && any ? objects_fsync_dir(o->path, "objects/pack") : r;
}

unsigned objects_n_unsynced(struct objects *o)
{
	return mutex_with(&o->lock, (unsigned)o->n_unsynced);
}

void objects_sync_forget(struct objects *o)
{
	char *name;

	while ((name = next_unsynced(o)))
		free(name);
	free(o->unsynced);
}
