/*
 * cmd/mount/control: the sockets' directories. A name in one is that of a
 * mount's device, which the kernel gives to one mount at a time.
 */
#include "control_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STEP_MS 20

char *control_place(size_t i)
{
	char *path = NULL;

	switch (i) {
	case 0:
		file_xdg_path(FILE_XDG_RUNTIME, "bitbucketfs", &path);
		return path;
	case 1:
		return mem_asprintf("/run/user/%ld/bitbucketfs",
				    (long)geteuid());
	default:
		file_xdg_path(FILE_XDG_STATE, "bitbucketfs/control", &path);
		return path;
	}
}

/* Not the runtime directory itself: that one is made by the system, or is not
 * there. */
static int make_place(size_t i, const char *path)
{
	if (i == CONTROL_PLACES - 1)
		return file_mkdirs(path, 0700);
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int control_place_open(size_t i, bool make)
{
	cleanup(free) char *path = control_place(i);
	char why[OWN_WHY_MAX];
	struct stat st;
	int fd, r = path ? 0 : -ENOENT;

	if (!r && make)
		r = make_place(i, path);
	if (!r)
		r = own_directory(path, NULL, why);
	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* An older umask may have made it so that others can look. */
	if (fstat(fd, &st))
		r = -errno;
	else if (st.st_uid != geteuid())
		r = -EPERM;
	else if ((st.st_mode & 077) && fchmod(fd, 0700))
		r = -errno;
	if (!r)
		return fd;
	file_close(fd);
	return r;
}

int control_place_lock(int place, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	while (flock(place, LOCK_EX | LOCK_NB)) {
		if (clock_mono_ms() >= until)
			return -EAGAIN;
		poll(NULL, 0, STEP_MS);
	}
	return 0;
}

void control_place_unlock(int place)
{
	flock(place, LOCK_UN);
}

int control_alone(int timeout_ms)
{
	int place = -ENOENT, r;

	for (size_t i = 0; i < CONTROL_PLACES && place < 0; i++)
		place = control_place_open(i, true);
	r = place < 0 ? place : control_place_lock(place, timeout_ms);
	if (!r)
		return place;
	file_close(place);
	return r;
}

void control_name(dev_t device, char name[static CONTROL_NAME_MAX])
{
	snprintf(name, CONTROL_NAME_MAX, "%u-%u", major(device), minor(device));
}

bool control_is_name(const char *name)
{
	size_t n = strspn(name, "0123456789");
	size_t n_minor = name[n] == '-' ? strspn(name + n + 1, "0123456789")
					: 0;

	return n && n_minor && !name[n + 1 + n_minor] &&
	       strlen(name) < CONTROL_NAME_MAX;
}

dev_t control_device(const char *name)
{
	return makedev((unsigned)strtoul(name, NULL, 10),
		       (unsigned)strtoul(strchr(name, '-') + 1, NULL, 10));
}

void control_address(int place, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
		 place, name);
}

bool control_is_own(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) &&
	       peer.uid == geteuid();
}

pid_t control_peer(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) ? 0
								  : peer.pid;
}

int control_connect(int place, const char *name)
{
	struct sockaddr_un address;
	int r, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			   0);

	if (fd < 0)
		return -errno;
	control_address(place, name, &address);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	r = errno == ENOENT ? -ECONNREFUSED : -errno;
	file_close(fd);
	return r;
}

int control_wait(int fd, short events, int64_t until_ms)
{
	struct pollfd ready = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = until_ms - clock_mono_ms();
		int n = poll(&ready, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int control_write(int fd, const void *data, size_t n, int64_t until_ms)
{
	for (const char *at = data; n > 0;) {
		ssize_t done = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (done >= 0) {
			at += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			r = control_wait(fd, POLLOUT, until_ms);
		} else if (errno != EINTR) {
			r = -errno;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void control_add_word(struct buf *line, const char *word)
{
	if (line->len)
		buf_putc(line, ' ');
	text_percent_encode(line, word, "/");
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool control_read_word(char *word)
{
	char *out = word;

	for (const char *in = word; *in; in++) {
		if (*in == '%') {
			int high = hex(in[1]);
			int low = high < 0 ? -1 : hex(in[2]);

			if (low < 0 || (high | low) == 0)
				return false;
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return true;
}
