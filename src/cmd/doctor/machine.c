/*
 * cmd/doctor/machine: what has to be on this machine before anything can be
 * mounted.
 */
#include "cmd/doctor/machine.h"
#include "cmd/doctor/doctor.h"

#include "cmd/mount/preflight.h"

#include "base/file.h"
#include "fs/session.h"
#include "store/objects.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FUSE_CONF "/etc/fuse.conf"
#define FUSE_CONF_MAX (64 * KIB)
/* close_range(2), by which a daemon lets go of what was open. */
#define KERNEL_LEAST "5.9"
/* MISC_MAJOR and FUSE_MINOR of the kernel's headers. */
#define FUSE_MAJOR 10
#define FUSE_MINOR 229

int machine_compare(const char *a, const char *b)
{
	for (int i = 0; i < 3; i++) {
		char *end_a, *end_b;
		unsigned long one = strtoul(a, &end_a, 10);
		unsigned long other = strtoul(b, &end_b, 10);

		if (one != other)
			return one < other ? -1 : 1;
		a = *end_a == '.' ? end_a + 1 : "";
		b = *end_b == '.' ? end_b + 1 : "";
	}
	return 0;
}

bool machine_lets_others(const char *fuse_conf)
{
	static const char name[] = "user_allow_other";

	for (const char *line = fuse_conf; line && *line;) {
		const char *end = strchrnul(line, '\n');

		line += strspn(line, " \t");
		if (!strncmp(line, name, strlen(name)) &&
		    strchr(" \t\r\n#", line[strlen(name)]))
			return true;
		line = *end ? end + 1 : end;
	}
	return false;
}

void doctor_check_kernel(struct ctx *ctx, struct doctor *d, struct report *r)
{
	struct utsname name;

	(void)ctx;
	(void)d;
	if (uname(&name))
		report_add(r, "kernel", REPORT_WARNING,
			   "nobody knows which kernel this is: %s",
			   strerror(errno));
	else if (machine_compare(name.release, KERNEL_LEAST) < 0)
		report_add(r, "kernel", REPORT_WARNING,
			   "Linux %s is older than " KERNEL_LEAST
			   ", which has what this program needs: take a newer "
			   "one",
			   name.release);
	else
		report_add(r, "kernel", REPORT_OK, "Linux %s", name.release);
}

void doctor_check_device(struct ctx *ctx, struct doctor *d, struct report *r)
{
	char why[512];
	struct stat st;

	(void)ctx;
	(void)d;
	if (preflight_device("/dev/fuse", why))
		report_add(r, "device", REPORT_ERROR, "%s", why);
	else if (!stat("/dev/fuse", &st) &&
		 (!S_ISCHR(st.st_mode) ||
		  st.st_rdev != makedev(FUSE_MAJOR, FUSE_MINOR)))
		report_add(r, "device", REPORT_ERROR,
			   "/dev/fuse is not the device of FUSE: as root run "
			   "rm /dev/fuse; mknod -m 666 /dev/fuse c 10 229");
	else
		report_add(r, "device", REPORT_OK, "/dev/fuse can be opened");
}

/* ---- fusermount3 ---- */

static void judge_fusermount(const char *path, struct report *r)
{
	struct statvfs place;
	struct stat st;

	if (stat(path, &st))
		report_add(r, "fusermount", REPORT_ERROR, "%s: %s", path,
			   strerror(errno));
	else if (!(st.st_mode & S_ISUID) || st.st_uid != 0)
		report_add(
			r, "fusermount", REPORT_ERROR,
			"%s may not mount, because it is not root's with the "
			"set-user-ID bit: run sudo chown root %s; sudo "
			"chmod u+s %s",
			path, path, path);
	else if (!statvfs(path, &place) && (place.f_flag & ST_NOSUID))
		report_add(r, "fusermount", REPORT_ERROR,
			   "%s may not mount, because it lies on a file system "
			   "that is mounted nosuid: install fuse3 on another "
			   "one",
			   path);
	else if (preflight_no_rights())
		report_add(r, "fusermount", REPORT_ERROR, "%s",
			   preflight_no_rights());
	else if (preflight_no_table())
		report_add(r, "fusermount", REPORT_WARNING, "%s",
			   preflight_no_table());
	else
		report_add(r, "fusermount", REPORT_OK, "%s", path);
}

void doctor_check_fusermount(struct ctx *ctx, struct doctor *d,
			     struct report *r)
{
	cleanup(free) char *path = preflight_fusermount();

	(void)ctx;
	(void)d;
	if (geteuid() == 0)
		report_add(r, "fusermount", REPORT_OK,
			   "root needs none to mount");
	else if (!path)
		report_add(r, "fusermount", REPORT_ERROR,
			   "there is no fusermount3, without which only root "
			   "can mount: run sudo apt install fuse3");
	else
		judge_fusermount(path, r);
}

/* ---- other users ---- */

bool doctor_allows_others(const struct doctor *d)
{
	char **option = d->remote.config.fuse_options;

	for (; option && *option; option++)
		if (!strcmp(*option, "allow_other") ||
		    !strcmp(*option, "allow_root"))
			return true;
	return false;
}

void doctor_check_allow_other(struct ctx *ctx, struct doctor *d,
			      struct report *r)
{
	cleanup(buf_done) struct buf text = BUF_INIT(FUSE_CONF_MAX);

	(void)ctx;
	if (!d->is_configured)
		return;
	if (!doctor_allows_others(d))
		report_add(r, "allow_other", REPORT_OK,
			   "is not set: nobody else may look into a mount");
	else if (geteuid() == 0)
		report_add(r, "allow_other", REPORT_OK, "root may set it");
	else if (file_read(FUSE_CONF, FUSE_CONF_MAX, &text) ||
		 !machine_lets_others(text.data))
		report_add(r, "allow_other", REPORT_ERROR,
			   "is set, but " FUSE_CONF
			   " does not let users set it: as root write the line "
			   "user_allow_other into that file, or take "
			   "allow_other out of the configuration");
	else
		report_add(r, "allow_other", REPORT_OK,
			   "is set, and " FUSE_CONF " lets users set it");
}

/* ---- versions ---- */

void doctor_check_versions(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(free) char *libgit2 = objects_library();
	const struct {
		const char *name, *loaded, *built;
	} all[] = {
		{"libcurl", http_library(), http_library_built()},
		{"SQLite", cache_library(), cache_library_built()},
		{"libgit2", libgit2, objects_library_built()},
	};
	bool is_old = false;

	(void)ctx;
	(void)d;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (machine_compare(all[i].loaded, all[i].built) >= 0)
			continue;
		is_old = true;
		report_add(r, "versions", REPORT_WARNING,
			   "%s %s is older than %s, with which this program "
			   "was built: update it, or build this program anew",
			   all[i].name, all[i].loaded, all[i].built);
	}
	if (!is_old)
		report_add(r, "versions", REPORT_OK,
			   "bitbucketfs " VERSION
			   ", libfuse %s, libcurl %s, SQLite %s, libgit2 %s",
			   session_library(), all[0].loaded, all[1].loaded,
			   libgit2);
}
