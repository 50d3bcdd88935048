/*
 * cmd/mount/lifeline: connections are never accepted while the mount is there.
 * They wait in the socket's queue, and hang up with it.
 */
#include "cmd/mount/lifeline.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE 64
/* A daemon that is about to end may still hold the name: the device number of
 * its mount may be given to a new mount at once. */
#define HOLD_MS 1000
#define HOLD_STEP_MS 20

static socklen_t address(dev_t device, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* The first byte stays 0: an abstract name (unix(7)). */
	n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1,
		     "bitbucketfs/%u:%u", major(device), minor(device));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)n);
}

int lifeline_hold(dev_t device)
{
	cleanup(fd) int fd = -1;
	struct sockaddr_un name;
	socklen_t n = address(device, &name);
	int64_t until = clock_mono_ms() + HOLD_MS;
	int held;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	while (bind(fd, (struct sockaddr *)&name, n)) {
		if (errno != EADDRINUSE || clock_mono_ms() >= until)
			return -errno;
		poll(NULL, 0, HOLD_STEP_MS);
	}
	if (listen(fd, QUEUE))
		return -errno;
	held = fd;
	fd = -1;
	return held;
}

void lifeline_let_go(int fd)
{
	if (fd < 0)
		return;
	/* The connections are left open: the end of this process closes them,
	 * which is what umount waits for. */
	while (accept4(fd, NULL, NULL, SOCK_CLOEXEC) >= 0 || errno == EINTR)
		;
	file_close(fd);
}

int lifeline_take(dev_t device, uid_t user, pid_t *ret_daemon)
{
	cleanup(fd) int fd = -1;
	struct sockaddr_un name;
	socklen_t n = address(device, &name);
	struct ucred peer;
	socklen_t n_peer = sizeof(peer);
	int taken;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&name, n))
		return -ECONNREFUSED;
	/* Any process may bind this name first. Only one of the user who
	 * mounted is believed. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer))
		return -errno;
	if (peer.uid != user && peer.uid != 0)
		return -ECONNREFUSED;
	*ret_daemon = peer.pid;
	taken = fd;
	fd = -1;
	return taken;
}

int lifeline_wait(int fd, int timeout_ms)
{
	struct pollfd hangup = {.fd = fd, .events = POLLRDHUP};
	int64_t until = clock_mono_ms() + timeout_ms;

	for (;;) {
		int64_t left = until - clock_mono_ms();
		int n = poll(&hangup, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 0;
		if (n == 0 || errno != EINTR)
			return n ? -errno : -ETIMEDOUT;
	}
}
