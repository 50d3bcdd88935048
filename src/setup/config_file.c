/*
 * setup/config: the file, and who else can read or write it.
 */
#include "setup/config_private.h"

#include "base/file.h"
#include "base/own.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int config_read_file(struct config *config, const char *path)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup(free) char *bytes = NULL;
	size_t n = 0;
	bool secret = false;
	struct stat st;
	ssize_t got;
	int r;

	config_put(&config->file, path);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return config_fail(config, "%s cannot be read: %s", path,
				   strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_fail(config, "%s is no regular file", path);
	/* One byte more than allowed, to see that there is one more. */
	bytes = mem_alloc(CONFIG_FILE_MAX + 1);
	while (n <= CONFIG_FILE_MAX &&
	       (got = read(fd, bytes + n, CONFIG_FILE_MAX + 1 - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return config_fail(config, "%s cannot be read: %s",
					   path, strerror(errno));
		n += got > 0 ? (size_t)got : 0;
	}
	r = config_parse(config, path, bytes, n, &secret);
	explicit_bzero(bytes, n);
	if (r)
		return r;
	if (config->token)
		config_put(&config->token_from, path);
	/* Whoever may write to it could send the credential to another host
	 * (api_url). */
	if (own_others_may_write(&st))
		return config_fail(
			config,
			"%s can be written by others: run chmod go-w '%s'",
			path, path);
	/* Whoever may write to it could have any program run. */
	if (config->token_command &&
	    ((st.st_mode & 022) || (st.st_uid != geteuid() && st.st_uid != 0)))
		return config_fail(
			config,
			"%s has a token_command, and another user can write "
			"to it: make it your own (chown) and run "
			"chmod go-w '%s'",
			path, path);
	if (secret && (st.st_mode & 077))
		return config_fail(
			config,
			"%s has a secret in it and others may read it: run "
			"chmod 600 '%s'",
			path, path);
	if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
		return config_fail(config, "%s belongs to another user", path);
	return 0;
}
