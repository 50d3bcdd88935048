/*
 * base/notify: connected at once, so that no path is walked later, which might
 * lead through what this process serves.
 */
#include "base/notify.h"

#include "base/file.h"
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define VARIABLE "NOTIFY_SOCKET"
#define PATIENCE_S 5

static int connect_to(const char *name)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	cleanup(fd) int fd = -1;
	int r;

	/* '@' is for the zero byte of an abstract name; there are others
	 * (vsock:), between machines. */
	if ((*name != '/' && *name != '@') || n < 2)
		return -EAFNOSUPPORT;
	if (n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, name, n + 1);
	if (*name == '@')
		address.sun_path[0] = '\0';
	else
		n++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		       sizeof(patience)) ||
	    connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)))
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	r = fd;
	fd = -1;
	return r;
}

int notify_open(void)
{
	const char *name = getenv(VARIABLE);
	int r = name && *name ? connect_to(name) : -ENOENT;

	unsetenv(VARIABLE);
	return r;
}

int notify_send(int fd, const char *fmt, ...)
{
	char text[4096];
	ssize_t n;
	va_list ap;

	if (fd < 0)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_clean(text);
	do
		n = send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
