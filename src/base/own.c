/*
 * base/own: a path is walked name by name. realpath(3) would not show the
 * directories in which the symlinks of the path stand, and whoever may write to
 * one of those can lead a symlink elsewhere.
 */
#include "base/own.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
#define RECORD_MAX (64 * KIB)

static int refuse(char why[static OWN_WHY_MAX], int errnum, const char *fmt,
		  ...) printf_like(3, 4);
static int refuse(char why[static OWN_WHY_MAX], int errnum, const char *fmt,
		  ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, OWN_WHY_MAX, fmt, ap);
	va_end(ap);
	return errnum;
}

/* Whether it is the group that useradd(8) makes for this user: called like the
 * user, and nobody else is in it. */
static bool is_private_group(gid_t gid)
{
	cleanup(free) char *user_bytes = mem_alloc(RECORD_MAX);
	cleanup(free) char *group_bytes = mem_alloc(RECORD_MAX);
	struct passwd user, *found_user;
	struct group group, *found_group;

	if (getpwuid_r(geteuid(), &user, user_bytes, RECORD_MAX, &found_user) ||
	    !found_user || user.pw_gid != gid ||
	    getgrgid_r(gid, &group, group_bytes, RECORD_MAX, &found_group) ||
	    !found_group || strcmp(group.gr_name, user.pw_name) != 0)
		return false;
	for (char **member = group.gr_mem; *member; member++)
		if (strcmp(*member, user.pw_name) != 0)
			return false;
	return true;
}

bool own_others_may_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && !is_private_group(st->st_gid));
}

bool own_is(const struct stat *st)
{
	return st->st_uid == geteuid() && !own_others_may_write(st);
}

/* This user, root, and the owner of /, who can replace everything anyway: in a
 * user namespace that is not uid 0. */
static bool is_trusted(uid_t uid)
{
	struct stat top;

	return uid == geteuid() || uid == 0 ||
	       (!stat("/", &top) && uid == top.st_uid);
}

static int check_step(void *, const char *path, const struct stat *st,
		      bool last, char why[static OWN_WHY_MAX])
{
	/* The place to which the path leads is judged by own_directory, more
	 * strictly. */
	if (last && !S_ISLNK(st->st_mode))
		return 0;
	if (!is_trusted(st->st_uid))
		return refuse(why, -EPERM,
			      "%s belongs to another user (uid %ld), who could "
			      "put anything below it: take a place of your own",
			      path, (long)st->st_uid);
	if (S_ISDIR(st->st_mode) && !(st->st_mode & S_ISVTX) &&
	    own_others_may_write(st))
		return refuse(why, -EPERM,
			      "%s can be written by others, who could put "
			      "anything there: run chmod go-w '%s'",
			      path, path);
	return 0;
}

/* Takes the first name off rest; NULL: no name is left. */
static char *next_name(char **rest)
{
	size_t n;
	char *name;

	*rest += strspn(*rest, "/");
	n = strcspn(*rest, "/");
	if (!n)
		return NULL;
	name = mem_dup0(*rest, n);
	*rest += n;
	return name;
}

static int follow(const char *path, char **rest, char **whole, char **done)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	char *longer;

	if (n < 0)
		return -errno;
	target[n] = 0;
	longer = mem_asprintf("%s/%s", target, *rest);
	free(*whole);
	*whole = *rest = longer;
	if (target[0] == '/')
		(*done)[0] = 0;
	return 0;
}

int own_walk(const char *path, own_step *step, void *arg, char **ret_path,
	     char why[static OWN_WHY_MAX])
{
	cleanup(free) char *whole = mem_strdup(path);
	cleanup(free) char *done = mem_strdup("");
	char *rest = whole;
	int links = 0;

	*ret_path = NULL;
	for (;;) {
		cleanup(free) char *name = next_name(&rest);
		cleanup(free) char *here = NULL;
		struct stat st;
		int r;

		if (!name)
			break;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			char *slash = strrchr(done, '/');

			if (slash)
				*slash = 0;
			continue;
		}
		here = mem_asprintf("%s/%s", done, name);
		if (lstat(here, &st)) {
			r = -errno;
			return r == -ENOENT ? 0
					    : refuse(why, r, "%s: %s", here,
						     strerror(-r));
		}
		r = step(arg, here, &st, !rest[strspn(rest, "/")], why);
		if (r)
			return r;
		if (S_ISLNK(st.st_mode)) {
			r = ++links > LINKS_MAX
				    ? -ELOOP
				    : follow(here, &rest, &whole, &done);
			if (r)
				return refuse(why, r, "%s: %s", here,
					      strerror(-r));
			continue;
		}
		free(done);
		done = steal(&here);
	}
	*ret_path = *done ? steal(&done) : mem_strdup("/");
	return 0;
}

static const char *kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "a symlink";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	default:
		return "a device";
	}
}

static int check_entry(const char *dir, const char *name, const struct stat *st,
		       char why[static OWN_WHY_MAX])
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return refuse(why, -EPERM,
			      "%s/%s is %s, which is not of our making: remove "
			      "it",
			      dir, name, kind(st->st_mode));
	if (st->st_uid != geteuid())
		return refuse(why, -EPERM,
			      "%s/%s belongs to another user (uid %ld): remove "
			      "it, or take a place of your own",
			      dir, name, (long)st->st_uid);
	if (own_others_may_write(st))
		return refuse(why, -EPERM,
			      "%s/%s can be written by others: remove it, what "
			      "is in it may be anybody's",
			      dir, name);
	return 0;
}

/* Closes fd. */
static int check_entries(const char *path, int fd, const char *prefix,
			 char why[static OWN_WHY_MAX])
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		file_close(fd);
		return refuse(why, r, "%s: %s", path, strerror(-r));
	}
	while (!r && (entry = readdir(dir))) {
		struct stat st;

		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		/* An entry that is gone by now was another process's temporary
		 * file. */
		if (!fstatat(dirfd(dir), entry->d_name, &st,
			     AT_SYMLINK_NOFOLLOW))
			r = check_entry(path, entry->d_name, &st, why);
	}
	closedir(dir);
	return r;
}

int own_directory(const char *path, const char *prefix,
		  char why[static OWN_WHY_MAX])
{
	cleanup(free) char *real = NULL;
	struct stat st;
	int fd, r = own_walk(path, check_step, NULL, &real, why);

	if (r || !real)
		return r;
	fd = open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Of a directory that this process may not open lstat tells the owner,
	 * and that sentence says more than EACCES. */
	if (fd < 0 ? lstat(real, &st) : fstat(fd, &st)) {
		r = -errno;
		file_close(fd);
		return refuse(why, r, "%s: %s", real, strerror(-r));
	}
	if (!S_ISDIR(st.st_mode))
		r = refuse(why, -ENOTDIR, "%s is %s, no directory", real,
			   kind(st.st_mode));
	else if (st.st_uid != geteuid())
		r = refuse(why, -EPERM,
			   "%s belongs to another user (uid %ld): take a "
			   "directory of your own",
			   real, (long)st.st_uid);
	else if (own_others_may_write(&st))
		r = refuse(
			why, -EPERM,
			"%s can be written by others, so what is in it may "
			"be anybody's: run chmod go-w '%s', if you know that "
			"nobody has",
			real, real);
	else if (fd < 0)
		r = refuse(why, -EACCES, "%s cannot be read", real);
	if (r || !prefix) {
		file_close(fd);
		return r;
	}
	return check_entries(real, fd, prefix, why);
}

int own_open(const char *path, int flags, mode_t mode)
{
	cleanup(fd) int fd = -1;
	struct stat st;
	int opened;

	/* O_NONBLOCK: opening a FIFO would wait for its other end, for ever.
	 * The file itself is judged after it was opened:
	 * 1. A looks at the path: a file of this user's.
	 * 2. B, who may write to the directory, replaces it.
	 * 3. A opens, and believes, B's file. */
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == ENXIO ? -EPERM : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !own_is(&st))
		return -EPERM;
	opened = fd;
	fd = -1;
	return opened;
}

int own_read(const char *path, size_t max, struct buf *ret_bytes)
{
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);

	return fd < 0 ? fd : file_read_fd(fd, max, ret_bytes);
}
