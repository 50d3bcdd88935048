/*
 * setup/account: the caches that there are of a host, without a credential.
 */
#include "setup/account_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int account_each(const char *cache_dir, const char *api_url,
		 int (*each)(void *arg, const char *dir), void *arg)
{
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(free) char *at = mem_asprintf("%s/%s", cache_dir, host);
	DIR *all = opendir(at);
	struct dirent *one;
	int r = all || errno == ENOENT ? 0 : -errno;

	while (r == 0 && all && (one = readdir(all))) {
		cleanup(free) char *dir =
			mem_asprintf("%s/%s", at, one->d_name);
		cleanup(free) char *file = mem_asprintf("%s/cache.db", dir);

		if (account_is_name(one->d_name) && !access(file, F_OK))
			r = each(arg, dir);
	}
	if (all)
		closedir(all);
	return r;
}

int account_use(const char *dir, int *ret_fd)
{
	int fd = account_open_locked(dir, LOCK_SH | LOCK_NB);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
