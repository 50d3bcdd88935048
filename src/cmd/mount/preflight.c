/*
 * cmd/mount/preflight: looks at the mount table instead of at the mount,
 * because looking at a mount whose daemon hangs hangs too. Where a mount must
 * be asked, a child process asks and is given up on after a while.
 */
#include "cmd/mount/preflight.h"

#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define MOUNTINFO_MAX (16 * MIB)
#define DEVICE "/dev/fuse"
#define FUSERMOUNT "fusermount3"
#define SYMLINKS_MAX 16

static int say(char why[static 512], int errnum, const char *fmt, ...)
	printf_like(3, 4);
static int say(char why[static 512], int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, 512, fmt, ap);
	va_end(ap);
	return errnum;
}

/* --- the mount table --- */

/* Space, tab, newline and backslash are written as three octal digits. */
static char *plain(const char *field, size_t n)
{
	char *text = mem_alloc(n + 1);
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)field[i];

		if (c == '\\' && n - i >= 4) {
			c = (unsigned char)(((field[i + 1] - '0') << 6) |
					    ((field[i + 2] - '0') << 3) |
					    (field[i + 3] - '0'));
			i += 3;
		}
		text[length++] = (char)c;
	}
	text[length] = 0;
	return text;
}

/* "36 35 98:0 /root /mnt/point rw,noatime shared:1 - type source options":
 * the n-th field (from 0), bounded by the end of the line. */
static const char *field(const char *line, const char *end, unsigned n,
			 size_t *ret_length)
{
	const char *stop;

	for (; n && line; n--) {
		line = memchr(line, ' ', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return NULL;
	stop = memchr(line, ' ', (size_t)(end - line));
	*ret_length = (size_t)((stop ? stop : end) - line);
	return line;
}

/* "user_id=1000" among the last field's options. */
static uid_t user_of(const char *options, size_t n)
{
	cleanup(free) char *text = mem_dup0(options, n);
	const char *user = strstr(text, "user_id=");

	return user ? (uid_t)strtoul(user + strlen("user_id="), NULL, 10) : 0;
}

static void read_line(const char *line, const char *end,
		      struct preflight_place *ret)
{
	static const char dash[] = " - ";
	const char *type = memmem(line, (size_t)(end - line), dash, 3);
	const char *device, *options;
	char *colon;
	size_t n;

	*ret = (struct preflight_place){.what = PREFLIGHT_OTHER};
	device = field(line, end, 2, &n);
	if (device) {
		unsigned long number = strtoul(device, &colon, 10);

		if (*colon == ':')
			ret->device =
				makedev((unsigned)number,
					(unsigned)strtoul(colon + 1, NULL, 10));
	}
	if (!type)
		return;
	options = field(type + 3, end, 2, &n);
	if (options) {
		ret->user = user_of(options, n);
		ret->allows_others = memmem(options, n, "allow_other", 11);
	}
	type = field(type + 3, end, 0, &n);
	if (type && n == strlen(PREFLIGHT_TYPE) &&
	    !memcmp(type, PREFLIGHT_TYPE, n))
		ret->what = PREFLIGHT_OURS;
}

void preflight_look(const char *mountinfo, const char *path,
		    struct preflight_place *ret_place)
{
	size_t n_path = strlen(path);

	*ret_place = (struct preflight_place){.what = PREFLIGHT_NOTHING};
	for (const char *line = mountinfo; *line;) {
		const char *end = strchrnul(line, '\n');
		cleanup(free) char *point = NULL;
		size_t n;
		const char *written = field(line, end, 4, &n);

		if (written)
			point = plain(written, n);
		/* The last line that names the place is the mount on top. */
		if (point && !strcmp(point, path)) {
			free(ret_place->inside);
			read_line(line, end, ret_place);
		} else if (point && !strncmp(point, path, n_path) &&
			   point[n_path] == '/' && !ret_place->inside) {
			ret_place->inside = steal(&point);
		}
		line = *end ? end + 1 : end;
	}
}

void preflight_each(const char *mountinfo, preflight_visit *visit, void *arg)
{
	for (const char *line = mountinfo; *line;) {
		const char *end = strchrnul(line, '\n');
		cleanup(preflight_place_done) struct preflight_place place;
		size_t n;
		const char *written = field(line, end, 4, &n);

		read_line(line, end, &place);
		if (written && place.what == PREFLIGHT_OURS) {
			cleanup(free) char *point = plain(written, n);

			visit(arg, point, &place);
		}
		line = *end ? end + 1 : end;
	}
}

struct found {
	uid_t user;
	struct buf *points;
	size_t n;
};

static void add_found(void *arg, const char *path,
		      const struct preflight_place *place)
{
	struct found *found = arg;

	if (place->user == found->user)
		buf_printf(found->points, "%s%s", found->n++ ? ", " : "", path);
}

size_t preflight_find(const char *mountinfo, uid_t user, struct buf *ret_points)
{
	struct found found = {.user = user, .points = ret_points};

	preflight_each(mountinfo, add_found, &found);
	return found.n;
}

int preflight_table(struct buf *ret_text)
{
	ret_text->max = MOUNTINFO_MAX;
	return file_read(MOUNTINFO, MOUNTINFO_MAX, ret_text);
}

size_t preflight_others(struct buf *ret_points)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	if (preflight_table(&text) || !text.data)
		return 0;
	return preflight_find(text.data, getuid(), ret_points);
}

void preflight_place_done(struct preflight_place *place)
{
	free(place->inside);
	place->inside = NULL;
}

int preflight_place(const char *path, struct preflight_place *ret_place)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	int r = preflight_table(&text);

	if (!r)
		preflight_look(text.data ? text.data : "", path, ret_place);
	return r;
}

int preflight_mounted(const char *path)
{
	cleanup(preflight_place_done) struct preflight_place place = {0};
	int r = preflight_place(path, &place);

	return r ? r : (int)place.what;
}

int preflight_path(const char *mountpoint, char **ret_path)
{
	cleanup(free) char *path = NULL;
	int r;

	if (mountpoint)
		r = file_absolute(mountpoint, &path);
	else
		r = file_home_path("bitbucket", &path);
	if (r)
		return r;
	if (!mountpoint) {
		char *resolved = NULL;

		/* $HOME itself may be a symlink. */
		if (!file_absolute(path, &resolved)) {
			free(path);
			path = resolved;
		}
	}
	/*
	 * The last part may be a symlink too. readlink() of a mount's root
	 * asks nobody: it is a directory, which the kernel knows.
	 */
	for (int i = 0; i < SYMLINKS_MAX; i++) {
		char target[PATH_MAX];
		cleanup(free) char *next = NULL;
		char *resolved = NULL;
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		char *slash = strrchr(path, '/');

		if (n <= 0 || !slash)
			break;
		target[n] = 0;
		next = target[0] == '/'
			       ? mem_strdup(target)
			       : mem_asprintf("%.*s/%s", (int)(slash - path),
					      path, target);
		r = file_absolute(next, &resolved);
		if (r)
			return r;
		free(path);
		path = resolved;
	}
	*ret_path = steal(&path);
	return 0;
}

int preflight_answers(const char *path, int timeout_ms)
{
	cleanup(fd) int out = -1;
	cleanup(fd) int in = -1;
	struct pollfd ready;
	int answer = -ETIMEDOUT;
	int pipes[2];
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	in = pipes[0];
	out = pipes[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		struct statfs st;

		/* The kernel answers stat() by itself for as long as it keeps
		 * the attributes, also for a dead daemon; never this. */
		answer = statfs(path, &st) ? -errno : 0;
		_exit(write(out, &answer, sizeof(answer)) < 0);
	}
	out = file_close(out);
	ready = (struct pollfd){.fd = in, .events = POLLIN};
	if (poll(&ready, 1, timeout_ms) > 0 &&
	    read(in, &answer, sizeof(answer)) == sizeof(answer)) {
		waitpid(child, NULL, 0);
		return answer;
	}
	/* The child may be unkillable as long as the mount hangs: not waited
	 * for. */
	kill(child, SIGKILL);
	waitpid(child, NULL, WNOHANG);
	return -ETIMEDOUT;
}

/* --- taking away --- */

/* All that fits; the rest is read and dropped, so that nobody blocks. */
static void read_words(int fd, char words[static 256])
{
	char rest[256];
	size_t n = 0;
	ssize_t got;

	do {
		got = n < 255 ? read(fd, words + n, 255 - n)
			      : read(fd, rest, sizeof(rest));
		if (got > 0 && n < 255)
			n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	words[n] = 0;
	words[strcspn(words, "\n")] = 0;
}

static int run_fusermount(const char *path, bool lazily, char words[static 256])
{
	int pipes[2], status;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child) {
		if (dup2(pipes[1], STDERR_FILENO) >= 0)
			execlp(FUSERMOUNT, FUSERMOUNT, lazily ? "-uz" : "-u",
			       "--", path, (char *)NULL);
		_exit(127);
	}
	file_close(pipes[1]);
	if (child > 0)
		read_words(pipes[0], words);
	file_close(pipes[0]);
	if (child < 0)
		return -EAGAIN;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		snprintf(words, 256, "there is no fusermount3");
		return -ENOENT;
	}
	return strstr(words, "busy") ? -EBUSY : -EIO;
}

const char *preflight_no_table(void)
{
	/* A system without an init lacks it; mounting works all the same. */
	return access("/etc/mtab", F_OK) == 0
		       ? NULL
		       : "there is no /etc/mtab, by which fusermount3 "
			 "unmounts: run sudo ln -s ../proc/self/mounts "
			 "/etc/mtab";
}

const char *preflight_no_rights(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
		       ? "fusermount3 may not mount from here: who runs this "
			 "may gain no rights (no_new_privs: a sandbox, a "
			 "container, a unit with NoNewPrivileges, Private* or "
			 "Protect*)"
		       : NULL;
}

int preflight_unmount(const char *path, bool lazily, char words[static 256])
{
	int r;

	words[0] = 0;
	if (geteuid() != 0) {
		r = run_fusermount(path, lazily, words);
		if (r == -EIO && preflight_no_table())
			snprintf(words, 256, "%s", preflight_no_table());
		return r;
	}
	if (!umount2(path, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)))
		return 0;
	r = -errno;
	snprintf(words, 256, "%s", strerror(-r));
	return r;
}

/* --- checks --- */

int preflight_device(const char *device, char why[static 512])
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		file_close(fd);
		return 0;
	}
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return say(why, -errno,
			   "there is no %s, without which nothing can be "
			   "mounted here: run sudo modprobe fuse (a container "
			   "needs --device %s)",
			   device, device);
	case EACCES:
		return say(why, -EACCES,
			   "this user may not open %s: run sudo chmod 666 %s",
			   device, device);
	case EPERM:
		return say(why, -EPERM,
			   "this container may not use %s: start it with "
			   "--device %s --cap-add SYS_ADMIN",
			   device, device);
	default:
		return say(why, -errno, "%s cannot be opened: %s", device,
			   strerror(errno));
	}
}

char *preflight_fusermount(void)
{
	const char *path = getenv("PATH");

	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		size_t n = strcspn(path, ":");
		cleanup(free) char *file =
			mem_asprintf("%.*s/" FUSERMOUNT, (int)n, path);

		if (n && !access(file, X_OK))
			return steal(&file);
		if (!path[n])
			return NULL;
		path += n + 1;
	}
}

static int check_directory(const char *path, bool make, char why[static 512])
{
	cleanup(fd) int fd = -1;
	struct stat st;
	DIR *dir;
	struct dirent *entry;
	bool empty = true;

	if (stat(path, &st) && errno == ENOENT && make) {
		int r = file_mkdirs(path, 0755);

		if (r)
			return say(why, r, "%s cannot be made: %s", path,
				   strerror(-r));
	} else if (stat(path, &st)) {
		if (errno == ENOENT)
			return say(why, -ENOENT,
				   "the mount point %s does not exist: run "
				   "mkdir -p '%s'",
				   path, path);
		return say(why, -errno, "%s cannot be used: %s", path,
			   strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		return say(why, -ENOTDIR,
			   "%s is no directory: only a directory can be "
			   "mounted at",
			   path);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return say(why, -errno, "%s cannot be read: %s", path,
			   strerror(errno));
	fd = -1; /* dir's now */
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") ||
			!strcmp(entry->d_name, "..");
	closedir(dir);
	if (!empty)
		return say(why, -ENOTEMPTY,
			   "%s is not empty: what is in it would be hidden, so "
			   "take an empty directory",
			   path);
	/* fusermount3 would refuse it, in words that name no remedy. */
	if (geteuid() != 0 && access(path, W_OK))
		return say(why, -errno,
			   "this user may not write to %s, so fusermount3 will "
			   "not mount there: take a directory of your own",
			   path);
	return 0;
}

static int check_mounted(const char *path, char why[static 512])
{
	int found = preflight_mounted(path);
	char words[256];
	int r;

	if (found == PREFLIGHT_NOTHING || found < 0)
		return 0;
	r = preflight_answers(path, PREFLIGHT_ANSWER_MS);
	if (found == PREFLIGHT_OTHER)
		return r == -ENOTCONN
			       ? say(why, -ENOTCONN,
				     "another file system's dead mount is at "
				     "%s: take it away with fusermount3 -uz "
				     "'%s'",
				     path, path)
			       : 0;
	if (r == -ETIMEDOUT)
		return say(why, -EBUSY,
			   "a Bitbucket is mounted at %s already, but it does "
			   "not answer: bitbucketfs umount '%s' takes it away",
			   path, path);
	if (r != -ENOTCONN)
		return say(why, -EBUSY,
			   "a Bitbucket is mounted at %s already (bitbucketfs "
			   "umount '%s' takes it away)",
			   path, path);
	r = preflight_unmount(path, true, words);
	if (r)
		return say(why, r,
			   "the dead mount at %s could not be taken away (%s): "
			   "run sudo umount -l '%s'",
			   path, words, path);
	return 1;
}

int preflight_check(const char *path, bool make, char why[static 512])
{
	cleanup(free) char *fusermount = preflight_fusermount();
	int r = preflight_device(DEVICE, why);

	if (r)
		return r;
	if (geteuid() != 0 && !fusermount)
		return say(why, -ENOENT,
			   "there is no fusermount3, without which only root "
			   "can mount: run sudo apt install fuse3");
	if (geteuid() != 0 && preflight_no_rights())
		return say(why, -EPERM, "%s", preflight_no_rights());
	/* Dead mounts may lie on top of each other. */
	do
		r = check_mounted(path, why);
	while (r > 0);
	return r ? r : check_directory(path, make, why);
}

/* The device and the inode, because there are other names: of a bind mount,
 * which what is mounted at the one appears under the other. */
static int is_mountpoint(void *arg, const char *, const struct stat *st, bool,
			 char why[static OWN_WHY_MAX])
{
	const struct stat *mountpoint = arg;

	(void)why;
	return st->st_dev == mountpoint->st_dev &&
			       st->st_ino == mountpoint->st_ino
		       ? -EDEADLK
		       : 0;
}

int preflight_below(const char *mountpoint, const char *what, const char *path,
		    char why[static 512])
{
	cleanup(free) char *real = NULL;
	char reason[OWN_WHY_MAX];
	struct stat st;

	/* What else is wrong with either is said where it is used. */
	if (stat(mountpoint, &st) ||
	    own_walk(path, is_mountpoint, &st, &real, reason) != -EDEADLK)
		return 0;
	return say(why, -EDEADLK,
		   "%s %s lies below the mount point %s, where the mount would "
		   "wait for itself: take another one of the two",
		   what, path, mountpoint);
}
