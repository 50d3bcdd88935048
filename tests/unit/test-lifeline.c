/*
 * cmd/mount/lifeline: umount sees that a daemon has ended, however that was,
 * and believes nobody but the user who mounted.
 */
#include "cmd/mount/lifeline.h"

#include "child.h"

#include <sys/sysmacros.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOBODY 65534
#define LONG_MS 20000

/* A number that no mount has, and no other test. */
static dev_t device(void)
{
	return makedev(0xbf0, (unsigned)getpid());
}

static void hold(void *arg, int in, int out)
{
	int fd = lifeline_hold(*(dev_t *)arg);

	check(fd >= 0);
	child_wait(in, out);
	lifeline_let_go(fd);
	child_wait(in, out);
}

static void hold_as_nobody(void *arg, int in, int out)
{
	if (getuid() == 0)
		check(!setuid(NOBODY));
	hold(arg, in, out);
}

static void where_nobody_is_nobody_answers(void **state)
{
	pid_t daemon = 0;

	(void)state;
	assert_int_equal(lifeline_take(device(), getuid(), &daemon),
			 -ECONNREFUSED);
}

static void the_end_of_a_daemon_is_seen(void **state)
{
	dev_t dev = device();
	struct child c = child_start(hold, &dev);
	pid_t daemon = 0;
	int fd = lifeline_take(dev, getuid(), &daemon);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(daemon, c.pid);
	assert_int_equal(lifeline_wait(fd, 0), -ETIMEDOUT);
	/* Its mount is gone, and the number another's: who waits goes on. */
	child_step(&c);
	assert_int_equal(lifeline_wait(fd, 0), -ETIMEDOUT);
	assert_int_equal(lifeline_take(dev, getuid(), &daemon), -ECONNREFUSED);
	child_end(&c);
	assert_int_equal(lifeline_wait(fd, LONG_MS), 0);
	close(fd);
}

static void a_new_mount_waits_for_the_name(void **state)
{
	dev_t dev = device();
	struct child c = child_start(hold, &dev);
	int fd;

	(void)state;
	/* It may take a while to end. */
	kill(c.pid, SIGKILL);
	fd = lifeline_hold(dev);
	assert_true(fd >= 0);
	lifeline_let_go(fd);
	child_end(&c);
}

static void a_name_that_is_held_stays_so(void **state)
{
	dev_t dev = device();
	struct child c = child_start(hold, &dev);

	(void)state;
	assert_int_equal(lifeline_hold(dev), -EADDRINUSE);
	child_end(&c);
}

static void another_user_is_not_believed(void **state)
{
	dev_t dev = device();
	struct child c = child_start(hold_as_nobody, &dev);
	uid_t who_mounted = getuid() == 0 ? 0 : getuid() + 1;
	pid_t daemon = 0;

	(void)state;
	assert_int_equal(lifeline_take(dev, who_mounted, &daemon),
			 -ECONNREFUSED);
	assert_int_equal(daemon, 0);
	child_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_nobody_is_nobody_answers),
		cmocka_unit_test(the_end_of_a_daemon_is_seen),
		cmocka_unit_test(a_new_mount_waits_for_the_name),
		cmocka_unit_test(a_name_that_is_held_stays_so),
		cmocka_unit_test(another_user_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
