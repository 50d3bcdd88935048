/*
 * cmd/mount/busy: /proc says what each process stands in, has open and has
 * mapped. The links there are followed by statx() without a synchronisation:
 * the kernel answers from what it has, and never asks the mount's daemon.
 */
#include "cmd/mount/busy.h"

#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NAMES_MOST 8
#define MAPS_MAX (16 * MIB)
#define COMMAND_MAX (64 * KIB)

struct search {
	dev_t device;
	const char *path;
	struct buf *names;
	unsigned n;
};

static void add_name(struct search *s, const char *fmt, ...) printf_like(2, 3);
static void add_name(struct search *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (s->n++ >= NAMES_MOST)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A process chooses its name, and could send codes to the terminal by
	 * it. */
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	buf_printf(s->names, "%s%s", s->n > 1 ? ", " : "", text);
}

static bool is_on(const struct search *s, int proc, const char *link)
{
	struct statx st;

	return !statx(proc, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		      STATX_INO, &st) &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == s->device;
}

static bool has_open(const struct search *s, int proc, const char *pid)
{
	cleanup(free) char *path = mem_asprintf("%s/fd", pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!dir) {
		file_close(fd);
		return false;
	}
	for (struct dirent *d; !found && (d = readdir(dir));)
		found = d->d_name[0] != '.' && is_on(s, dirfd(dir), d->d_name);
	closedir(dir);
	return found;
}

/* "7f…-7f… r-xp 00000000 00:39 1234   /path": the device stands in hex. */
static bool has_mapped(const struct search *s, const char *pid)
{
	cleanup(buf_done) struct buf text = BUF_INIT(MAPS_MAX);
	cleanup(free) char *path = mem_asprintf("/proc/%s/maps", pid);
	char wanted[32];

	snprintf(wanted, sizeof(wanted), " %02x:%02x ", major(s->device),
		 minor(s->device));
	return !file_read(path, MAPS_MAX, &text) && text.data &&
	       strstr(text.data, wanted);
}

/* A process that waits for the mount's first answer has no file open yet: only
 * its arguments tell that it is about to use the mount. */
static bool was_told(const struct search *s, const char *pid)
{
	cleanup(buf_done) struct buf text = BUF_INIT(COMMAND_MAX + 1);
	cleanup(free) char *path = mem_asprintf("/proc/%s/cmdline", pid);
	size_t n = strlen(s->path);

	if (file_read(path, COMMAND_MAX, &text) || !text.data)
		return false;
	for (const char *arg = text.data; arg < text.data + text.len;
	     arg += strlen(arg) + 1)
		if (!strncmp(arg, s->path, n) && arg[n] == '/')
			return true;
	return false;
}

static const char *way(const struct search *s, int proc, const char *pid)
{
	cleanup(free) char *cwd = mem_asprintf("%s/cwd", pid);
	cleanup(free) char *root = mem_asprintf("%s/root", pid);
	cleanup(free) char *exe = mem_asprintf("%s/exe", pid);

	if (is_on(s, proc, cwd))
		return "stands in it";
	if (has_open(s, proc, pid))
		return "has a file of it open";
	if (is_on(s, proc, root))
		return "has its root in it";
	if (is_on(s, proc, exe))
		return "is a program of it";
	if (has_mapped(s, pid))
		return "has a file of it mapped";
	return NULL;
}

static void name_process(struct search *s, const char *pid, const char *how)
{
	cleanup(buf_done) struct buf comm = BUF_INIT(KIB);
	cleanup(free) char *path = mem_asprintf("/proc/%s/comm", pid);

	if (file_read(path, 256, &comm) || !comm.len)
		return;
	add_name(s, "%.*s (%s) %s", (int)strcspn(comm.data, "\n"), comm.data,
		 pid, how);
}

static void each_process(struct search *s, bool told)
{
	DIR *dir = opendir("/proc");

	for (struct dirent *d; dir && (d = readdir(dir));) {
		const char *how;

		if (!isdigit((unsigned char)d->d_name[0]) ||
		    strtol(d->d_name, NULL, 10) == getpid())
			continue;
		how = !told                    ? way(s, dirfd(dir), d->d_name)
		      : was_told(s, d->d_name) ? "waits for it"
					       : NULL;
		if (how)
			name_process(s, d->d_name, how);
	}
	if (dir)
		closedir(dir);
}

void busy_name(const struct preflight_place *place, const char *path,
	       struct buf *ret_names)
{
	struct search s = {
		.device = place->device, .path = path, .names = ret_names};

	if (place->inside)
		add_name(&s, "something is mounted at %s", place->inside);
	each_process(&s, false);
	if (!s.n)
		each_process(&s, true);
	if (s.n > NAMES_MOST)
		buf_printf(ret_names, " and %u more", s.n - NAMES_MOST);
}
