/*
 * cmd/mount/busy: who is in the way of an umount, and how. /dev/shm is a file
 * system of its own that nearly nobody uses.
 */
#include "cmd/mount/busy.h"

#include "child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PLACE "/dev/shm"

static char file[64];

static int set_up(void **state)
{
	struct stat st;

	(void)state;
	snprintf(file, sizeof(file), PLACE "/bitbucketfs-busy-%d",
		 (int)getpid());
	return !stat(PLACE, &st) ? 0 : -1;
}

static dev_t device_of(const char *path)
{
	struct stat st;

	check(!stat(path, &st));
	return st.st_dev;
}

static void assert_said(dev_t device, const char *path, const char *inside,
			pid_t pid, const char *how)
{
	struct preflight_place place = {.device = device,
					.inside = (char *)(uintptr_t)inside};
	cleanup(buf_done) struct buf names = BUF_INIT(0);
	cleanup(free) char *expected =
		pid ? mem_asprintf("(%d) %s", (int)pid, how) : mem_strdup(how);

	busy_name(&place, path, &names);
	if (!names.data || !strstr(names.data, expected))
		fail_msg("'%s' is not in '%s'", expected,
			 names.data ? names.data : "");
}

static void stand(void *arg, int in, int out)
{
	(void)arg;
	check(!chdir(PLACE));
	/* A process may call itself anything. */
	check(!prctl(PR_SET_NAME, "evil\033[1m"));
	child_wait(in, out);
}

static int make(void)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	check(fd >= 0 && !ftruncate(fd, 4096));
	return fd;
}

static void have_open(void *arg, int in, int out)
{
	int fd = make();

	(void)arg;
	child_wait(in, out);
	close(fd);
}

static void have_mapped(void *arg, int in, int out)
{
	int fd = make();

	(void)arg;
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	close(fd);
	child_wait(in, out);
}

static void each_way_has_its_words(void **state)
{
	static const struct {
		void (*body)(void *arg, int in, int out);
		const char *how;
	} ways[] = {
		{stand, "stands in it"},
		{have_open, "has a file of it open"},
		{have_mapped, "has a file of it mapped"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct child c = child_start(ways[i].body, NULL);

		assert_said(device_of(PLACE), PLACE, NULL, c.pid, ways[i].how);
		child_end(&c);
	}
	unlink(file);
}

static void a_name_moves_no_terminal(void **state)
{
	struct child c = child_start(stand, NULL);

	(void)state;
	assert_said(device_of(PLACE), PLACE, NULL, 0, "evil?[1m (");
	child_end(&c);
}

/* A device that no process is on. */
#define NO_DEVICE makedev(0xfff, 0xfffff)

static void be_told(void *arg, int in, int out)
{
	char *path = mem_asprintf("%s/acme", (const char *)arg);

	dup2(in, STDIN_FILENO);
	check(write(out, "", 1) == 1);
	execl("/bin/sh", "sh", "-c", "read line", "sh", path, (char *)NULL);
}

static void who_waits_for_an_answer_was_told(void **state)
{
	static char path[] = "/mnt/bitbucketfs-busy";
	struct child c = child_start(be_told, path);
	cleanup(free) char *proc = mem_asprintf("/proc/%d/comm", (int)c.pid);
	char comm[32] = "";

	(void)state;
	/* Until it is sh, its arguments are this test's. */
	while (strcmp(comm, "sh\n")) {
		int fd = open(proc, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, comm, sizeof(comm) - 1);

		comm[n > 0 ? n : 0] = '\0';
		close(fd);
	}
	assert_said(NO_DEVICE, path, NULL, c.pid, "waits for it");
	child_end(&c);
}

static void a_mount_inside_is_named(void **state)
{
	(void)state;
	assert_said(NO_DEVICE, "/mnt/none", "/mnt/none/inner", 0,
		    "something is mounted at /mnt/none/inner");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_has_its_words),
		cmocka_unit_test(a_name_moves_no_terminal),
		cmocka_unit_test(who_waits_for_an_answer_was_told),
		cmocka_unit_test(a_mount_inside_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
