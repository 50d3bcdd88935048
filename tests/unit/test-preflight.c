/*
 * cmd/mount/preflight: the mount table, the mount point's path, the device, and
 * the directory.
 */
#include "cmd/mount/preflight.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char mountinfo[] =
	"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
	"60 22 0:50 / /home/ada/bitbucket ro,nosuid,nodev,relatime shared:3 - "
	"fuse.bitbucketfs bitbucket:ada@example.com ro,user_id=1000\n"
	"61 22 0:51 / /home/ada/with\\040blank\\134and\\011tab ro - "
	"fuse.bitbucketfs bitbucket:x ro\n"
	"62 22 0:52 / /home/ada/other rw - fuse.sshfs host: rw\n"
	"63 22 0:53 / /home/ada/twice ro - fuse.bitbucketfs a ro\n"
	"64 63 0:54 / /home/ada/twice rw - tmpfs tmpfs rw\n"
	"65 22 0:55 / /home/ada/optional ro shared:1 master:2 - "
	"fuse.bitbucketfs a ro\n"
	"66 22 0:56 /fuse.bitbucketfs /home/ada/liar rw - ext4 "
	"fuse.bitbucketfs rw";

static enum preflight_mount what_is(const char *text, const char *path)
{
	cleanup(preflight_place_done) struct preflight_place place;

	preflight_look(text, path, &place);
	return place.what;
}

static void test_find(void **state)
{
	static const struct {
		const char *path;
		enum preflight_mount found;
	} cases[] = {
		{"/", PREFLIGHT_OTHER},
		{"/home/ada/bitbucket", PREFLIGHT_OURS},
		{"/home/ada/bitbucke", PREFLIGHT_NOTHING},
		{"/home/ada/bitbucket2", PREFLIGHT_NOTHING},
		{"/home/ada", PREFLIGHT_NOTHING},
		{"/home/ada/with blank\\and\ttab", PREFLIGHT_OURS},
		{"/home/ada/other", PREFLIGHT_OTHER},
		{"/home/ada/twice", PREFLIGHT_OTHER},
		{"/home/ada/optional", PREFLIGHT_OURS},
		{"/home/ada/liar", PREFLIGHT_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (what_is(mountinfo, cases[i].path) != cases[i].found)
			fail_msg("%s", cases[i].path);
	assert_int_equal(what_is("", "/"), PREFLIGHT_NOTHING);
	assert_int_equal(what_is("garbage\n\n1 2 3 4\n", "/"),
			 PREFLIGHT_NOTHING);
	/* Every prefix of a table is read without a look past its end. */
	for (size_t n = 0; n < sizeof(mountinfo); n++) {
		cleanup(free) char *cut = mem_dup0(mountinfo, n);

		what_is(cut, "/home/ada/with blank\\and\ttab");
	}
	assert_int_equal(preflight_mounted("/proc"), PREFLIGHT_OTHER);
}

static void test_whose(void **state)
{
	cleanup(buf_done) struct buf points = BUF_INIT(KIB);

	(void)state;
	assert_int_equal(preflight_find(mountinfo, 1000, &points), 1);
	assert_string_equal(points.data, "/home/ada/bitbucket");
	buf_clear(&points);
	assert_int_equal(preflight_find(mountinfo, 0, &points), 3);
	assert_string_equal(points.data, "/home/ada/with blank\\and\ttab, "
					 "/home/ada/twice, /home/ada/optional");
	assert_int_equal(preflight_find(mountinfo, 1, &points), 0);
}

static void test_look(void **state)
{
	static const struct {
		const char *path;
		unsigned minor;
		uid_t user;
		const char *inside;
	} cases[] = {
		{"/home/ada/bitbucket", 50, 1000, NULL},
		{"/home/ada", 0, 0, "/home/ada/bitbucket"},
		/* What lies on top counts, and what is below is not inside. */
		{"/home/ada/twice", 54, 0, NULL},
		{"/home/ada/bitbuck", 0, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(preflight_place_done) struct preflight_place place;

		preflight_look(mountinfo, cases[i].path, &place);
		assert_int_equal(place.device, makedev(0, cases[i].minor));
		assert_int_equal(place.user, cases[i].user);
		assert_int_equal(!place.inside, !cases[i].inside);
		if (cases[i].inside)
			assert_string_equal(place.inside, cases[i].inside);
	}
}

static char dir[] = "/tmp/test-preflight-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir);
}

static void test_path(void **state)
{
	cleanup(free) char *real = mem_asprintf("%s/real", dir);
	cleanup(free) char *link = mem_asprintf("%s/link", dir);
	cleanup(free) char *again = mem_asprintf("%s/again", dir);
	cleanup(free) char *loop = mem_asprintf("%s/loop", dir);
	cleanup(free) char *home = NULL;
	char *path = NULL;

	(void)state;
	assert_int_equal(mkdir(real, 0755), 0);
	assert_int_equal(symlink("real", link), 0);
	assert_int_equal(symlink(link, again), 0);
	assert_int_equal(symlink("loop", loop), 0);
	assert_int_equal(preflight_path(again, &path), 0);
	assert_string_equal(path, real);
	free(path);
	assert_int_equal(preflight_path(loop, &path), 0);
	free(path);
	/* Missing: its name all the same. */
	home = mem_asprintf("%s/bitbucket", dir);
	assert_int_equal(preflight_path(home, &path), 0);
	assert_string_equal(path, home);
	free(path);
	setenv("HOME", dir, 1);
	assert_int_equal(preflight_path(NULL, &path), 0);
	assert_string_equal(path, home);
	free(path);
}

static void test_answers(void **state)
{
	(void)state;
	assert_int_equal(preflight_answers(dir, 10000), 0);
	assert_int_equal(preflight_answers("/nonexistent/x", 10000), -ENOENT);
}

static void test_device(void **state)
{
	cleanup(free) char *device = mem_asprintf("%s/device", dir);
	char why[512] = "";

	(void)state;
	assert_int_equal(preflight_device(device, why), -ENOENT);
	assert_non_null(strstr(why, "modprobe fuse"));
	assert_int_equal(close(open(device, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(preflight_device(device, why), 0);
	if (geteuid() == 0) {
		/* Root may open everything: as somebody else. */
		assert_int_equal(seteuid(65534), 0);
		assert_int_equal(preflight_device(device, why), -EACCES);
		assert_int_equal(seteuid(0), 0);
		assert_non_null(strstr(why, "sudo chmod 666"));
	}
}

static void test_check(void **state)
{
	cleanup(free) char *missing = mem_asprintf("%s/missing", dir);
	cleanup(free) char *file = mem_asprintf("%s/file", dir);
	cleanup(free) char *full = mem_asprintf("%s/full", dir);
	cleanup(free) char *in_it = mem_asprintf("%s/.hidden", full);
	char why[512] = "";

	(void)state;
	if (preflight_device("/dev/fuse", why)) {
		print_message("SKIPPED: %s\n", why);
		skip();
	}
	assert_int_equal(preflight_check(missing, false, why), -ENOENT);
	assert_non_null(strstr(why, "does not exist"));
	assert_int_equal(preflight_check(missing, true, why), 0);
	assert_int_equal(preflight_check(missing, false, why), 0);
	assert_int_equal(close(open(file, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(preflight_check(file, true, why), -ENOTDIR);
	assert_int_equal(mkdir(full, 0755), 0);
	assert_int_equal(close(open(in_it, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(preflight_check(full, true, why), -ENOTEMPTY);
	assert_non_null(strstr(why, "is not empty"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),    cmocka_unit_test(test_whose),
		cmocka_unit_test(test_look),    cmocka_unit_test(test_path),
		cmocka_unit_test(test_answers), cmocka_unit_test(test_device),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
