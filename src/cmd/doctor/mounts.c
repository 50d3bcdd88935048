/*
 * cmd/doctor/mounts: the mounts of this user, those that cannot be seen from
 * here among them. None of them is looked into by this process: see
 * cmd/preflight.
 */
#include "cmd/doctor/doctor.h"

#include "cmd/mount/preflight.h"

#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTINFO_MAX (16 * MIB)
#define STATUS_MAX (64 * KIB)
#define ANSWER_MS 2000

struct found {
	struct report *report;
	size_t n;
};

static void judge_mount(void *arg, const char *path,
			const struct preflight_place *place)
{
	struct found *found = arg;
	int r;

	if (place->user != getuid())
		return;
	found->n++;
	r = preflight_answers(path, ANSWER_MS);
	if (r == -ENOTCONN)
		report_add(found->report, "mounts", REPORT_ERROR,
			   "the mount at %s is dead, its daemon is gone: run "
			   "bitbucketfs umount '%s', or mount there again",
			   path, path);
	else if (r == -ETIMEDOUT)
		report_add(found->report, "mounts", REPORT_ERROR,
			   "the mount at %s does not answer: run bitbucketfs "
			   "umount '%s'",
			   path, path);
	else if (r)
		report_add(found->report, "mounts", REPORT_ERROR,
			   "the mount at %s: %s", path, strerror(-r));
	else
		report_add(found->report, "mounts", REPORT_OK, "%s answers",
			   path);
}

void doctor_check_mounts(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(buf_done) struct buf text = BUF_INIT(MOUNTINFO_MAX);
	struct found found = {.report = r};

	(void)ctx;
	(void)d;
	if (file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text)) {
		report_add(r, "mounts", REPORT_ERROR,
			   "/proc/self/mountinfo cannot be read: is /proc "
			   "mounted?");
		return;
	}
	preflight_each(text.data ? text.data : "", judge_mount, &found);
	if (!found.n)
		report_add(r, "mounts", REPORT_OK, "nothing is mounted");
}

/* ---- other namespaces ---- */

struct elsewhere {
	struct report *report;
	const char *here; /* our mountinfo */
	const char *pid;
	/* Told already: each process of that namespace has them all. */
	dev_t *told;
	size_t n_told;
};

static void compare(void *arg, const char *path,
		    const struct preflight_place *place)
{
	struct preflight_place *wanted = arg;

	(void)path;
	if (place->device == wanted->device)
		wanted->what = PREFLIGHT_OURS;
}

/* False: it was told before. */
static bool note(struct elsewhere *e, dev_t device)
{
	for (size_t i = 0; i < e->n_told; i++)
		if (e->told[i] == device)
			return false;
	e->told = mem_realloc(e->told, (e->n_told + 1) * sizeof(*e->told));
	e->told[e->n_told++] = device;
	return true;
}

/* Root may enter another namespace, and look into nobody's mount. */
static void judge_elsewhere(void *arg, const char *path,
			    const struct preflight_place *place)
{
	struct elsewhere *e = arg;
	struct preflight_place wanted = {.what = PREFLIGHT_NOTHING,
					 .device = place->device};

	if (place->user != getuid())
		return;
	preflight_each(e->here, compare, &wanted);
	if (wanted.what == PREFLIGHT_OURS || !note(e, place->device))
		return;
	report_add(e->report, "namespaces", REPORT_WARNING,
		   "process %s has a mount at %s in another mount namespace (a "
		   "container, a sandbox, unshare), which cannot be seen from "
		   "here: look from there (%snsenter -t %s -m -S %u -G %u ls "
		   "'%s'), or mount here, too",
		   e->pid, path, geteuid() ? "sudo " : "", e->pid, getuid(),
		   getgid(), path);
}

/* A daemon is no process that others may look into, so that its directory is
 * root's; its status says whose it is. */
static bool is_daemon(const char *pid)
{
	cleanup(free) char *path = mem_asprintf("/proc/%s/status", pid);
	cleanup(buf_done) struct buf text = BUF_INIT(STATUS_MAX);
	const char *uid;

	if (file_read(path, STATUS_MAX, &text) || !text.data ||
	    strncmp(text.data, "Name:\tbitbucketfs\n", 18) != 0)
		return false;
	uid = strstr(text.data, "\nUid:\t");
	return uid && strtoul(uid + 6, NULL, 10) == getuid();
}

static void look_from(const char *pid, struct elsewhere *e)
{
	cleanup(free) char *path = mem_asprintf("/proc/%s/mountinfo", pid);
	cleanup(buf_done) struct buf text = BUF_INIT(MOUNTINFO_MAX);

	e->pid = pid;
	if (!file_read(path, MOUNTINFO_MAX, &text) && text.data)
		preflight_each(text.data, judge_elsewhere, e);
}

void doctor_check_namespaces(struct ctx *ctx, struct doctor *d,
			     struct report *r)
{
	cleanup(buf_done) struct buf here = BUF_INIT(MOUNTINFO_MAX);
	struct elsewhere e = {.report = r};
	DIR *all = opendir("/proc");
	struct dirent *one;

	(void)d;
	if (file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &here) == 0)
		e.here = here.data ? here.data : "";
	while (all && e.here && !ctx_check(ctx) && (one = readdir(all)))
		if (isdigit((unsigned char)one->d_name[0]) &&
		    is_daemon(one->d_name))
			look_from(one->d_name, &e);
	if (all)
		closedir(all);
	free(e.told);
	if (!e.n_told)
		report_add(r, "namespaces", REPORT_OK,
			   "no mount of this user is in another one");
}
