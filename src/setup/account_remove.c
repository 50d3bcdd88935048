/*
 * setup/account: what was cached for one account is removed.
 *
 * Who uses an account's directory has a shared flock(2) on it, who removes it
 * an exclusive one.
 */
#include "setup/account_private.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int account_open_locked(const char *dir, int how)
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
		fd = account_open_locked(account->dir, LOCK_SH);
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

int account_set_aside(const char *dir)
{
	const char *name = strrchr(dir, '/') + 1;
	cleanup(free) char *removed = mem_asprintf("%.*s" REMOVED "%s-%d",
						   (int)(name - dir), dir, name,
						   (int)getpid());

	return rename(dir, removed) ? -errno : 0;
}

int account_remove(const struct account *account)
{
	cleanup(fd) int fd =
		account_open_locked(account->dir, LOCK_EX | LOCK_NB);
	int r;

	if (fd < 0)
		return fd;
	/* 1. Half of the files are gone. 2. This process is killed. 3. The next
	 * mount of the account would show the other half. */
	r = account_set_aside(account->dir);
	if (!r)
		r = account_sweep(account->host_dir);
	return r ? r : account_remember(account, NULL);
}

int account_sweep(const char *host_dir)
{
	DIR *opened = opendir(host_dir);
	struct dirent *entry;
	int r = 0;

	while (opened && (entry = readdir(opened))) {
		cleanup(free) char *path = NULL;
		int failed;

		if (strncmp(entry->d_name, REMOVED, strlen(REMOVED)) != 0)
			continue;
		path = mem_asprintf("%s/%s", host_dir, entry->d_name);
		failed = file_remove_tree(path);
		r = r ? r : failed;
	}
	if (opened)
		closedir(opened);
	return r;
}
