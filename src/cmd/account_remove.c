/*
 * cmd/account: what was cached is removed. A cache directory may be one that
 * the user named, with other things in it, so only what has the form of ours is
 * touched.
 *
 * Who uses an account's directory has a shared flock(2) on it, who removes it
 * an exclusive one.
 */
#include "cmd/account_private.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_locked(const char *dir, int how)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : file_lock(fd, how);

	if (!r)
		return fd;
	file_close(fd);
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

/* Whether what is open there is what has the name. */
static bool is_there(int fd, const char *dir)
{
	struct stat open, named;

	return !fstat(fd, &open) && !lstat(dir, &named) &&
	       open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

int account_hold(struct account *account)
{
	/* 1. A opens the directory. 2. B, who logs out, has its lock, and
	 * removes it. 3. A gets the lock of what has no name any more. */
	for (int i = 0; i < 3; i++) {
		int fd, r = file_mkdirs(account->dir, 0700);

		if (r)
			return r;
		fd = open_locked(account->dir, LOCK_SH);
		if (fd < 0 && fd != -ENOENT)
			return fd;
		if (fd >= 0 && is_there(fd, account->dir)) {
			account->hold = fd;
			account->is_held = true;
			return 0;
		}
		file_close(fd);
	}
	return -ESTALE;
}

/* A name that begins so is of what is to go: whoever sees it goes on with that.
 */
#define REMOVED ".removed-"

int account_remove(const struct account *account)
{
	cleanup(fd) int fd = open_locked(account->dir, LOCK_EX | LOCK_NB);
	cleanup(free) char *removed =
		mem_asprintf("%s/" REMOVED "%s-%d", account->host_dir,
			     strrchr(account->dir, '/') + 1, (int)getpid());
	int r;

	if (fd < 0)
		return fd;
	/* 1. Half of the files are gone. 2. This process is killed. 3. The next
	 * mount of the account would show the other half. */
	r = rename(account->dir, removed) ? -errno : file_remove_tree(removed);
	return r ? r : account_remember(account, NULL);
}

void account_sweep(const char *host_dir)
{
	DIR *opened = opendir(host_dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path = NULL;

		if (strncmp(entry->d_name, REMOVED, strlen(REMOVED)) != 0)
			continue;
		path = mem_asprintf("%s/%s", host_dir, entry->d_name);
		(void)file_remove_tree(path);
	}
	if (opened)
		closedir(opened);
}

/* ---- all of them ---- */

struct removal {
	void (*each)(void *arg, const char *path);
	void *arg;
	int first; /* failure; 0: none */
};

/* Only a host's directory has the key of its map. */
static bool is_host(const char *dir)
{
	cleanup(free) char *key = mem_asprintf("%s/accounts.key", dir);

	return !access(key, F_OK);
}

/* Each directory in it but hidden ones, without following symlinks. */
static void each_below(const char *dir,
		       void (*each)(struct removal *, const char *dir),
		       struct removal *removal)
{
	DIR *opened = opendir(dir);
	struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, entry->d_name);
		struct stat st;

		if (*entry->d_name != '.' && !lstat(path, &st) &&
		    S_ISDIR(st.st_mode))
			each(removal, path);
	}
	if (opened)
		closedir(opened);
}

static void look_at_account(struct removal *removal, const char *dir)
{
	cleanup(fd) int fd = open_locked(dir, LOCK_EX | LOCK_NB);

	if (fd == -EBUSY)
		removal->first = fd;
}

static void look_at_host(struct removal *removal, const char *dir)
{
	if (is_host(dir))
		each_below(dir, look_at_account, removal);
	else if (strrchr(dir, '/')[1] == '@')
		each_below(dir, look_at_host, removal);
}

static void remove_host(struct removal *removal, const char *dir)
{
	int r;

	if (is_host(dir)) {
		r = file_remove_tree(dir);
		if (!r)
			removal->each(removal->arg, dir);
		else if (!removal->first)
			removal->first = r;
	} else if (strrchr(dir, '/')[1] == '@') {
		each_below(dir, remove_host, removal);
		rmdir(dir);
	}
}

int account_remove_all(const char *cache_dir,
		       void (*each)(void *arg, const char *path), void *arg)
{
	struct removal removal = {.each = each, .arg = arg};

	each_below(cache_dir, look_at_host, &removal);
	if (removal.first)
		return removal.first;
	each_below(cache_dir, remove_host, &removal);
	rmdir(cache_dir);
	return removal.first;
}
