/*
 * base/own: what is believed to be ours, and what is not.
 */
#include "base/own.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRANGER 65534

static char top[] = "/tmp/test-own-XXXXXX";
static char why[OWN_WHY_MAX];

static int setup(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(top);
}

static const char *at(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

static void make_dir(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(at(name), 0700), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void make_file(const char *name, mode_t mode)
{
	int fd = open(at(name), O_CREAT | O_WRONLY | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused(const char *name, const char *prefix, const char *sentence)
{
	int r = own_directory(at(name), prefix, why);

	if (r != -EPERM && r != -ENOTDIR)
		fail_msg("%s: %d", name, r);
	if (!strstr(why, sentence) || strchr(why, '\n'))
		fail_msg("%s: %s", name, why);
}

static void taken(const char *name, const char *prefix)
{
	if (own_directory(at(name), prefix, why))
		fail_msg("%s: %s", name, why);
}

static void test_directory(void **state)
{
	(void)state;
	make_dir("good", 0755);
	taken("good", "");
	taken("good/missing/too", "");
	make_dir("open", 0777);
	refused("open", NULL, "can be written by others");
	/* Sticky is for others' files; ours is nobody's place. */
	make_dir("sticky", 01777);
	refused("sticky", NULL, "can be written by others");
	taken("sticky/missing", "");
	make_dir("sticky/own", 0700);
	taken("sticky/own", "");
	make_dir("open/own", 0700);
	refused("open/own", "", "could put anything there");
	make_file("file", 0600);
	refused("file", NULL, "is a file, no directory");
	refused("file/below", NULL, "");
}

static void test_symlinks(void **state)
{
	(void)state;
	assert_int_equal(symlink("good", at("link")), 0);
	assert_int_equal(symlink(at("open/own"), at("led")), 0);
	assert_int_equal(symlink("loop", at("loop")), 0);
	assert_int_equal(symlink("./../good/.", at("good/up")), 0);
	taken("link", "acc");
	taken("link/../good", "acc");
	taken("good/up/up/up", "acc");
	refused("led", NULL, "could put anything there");
	assert_int_equal(own_directory(at("loop"), NULL, why), -ELOOP);
	/* The symlink stands where anybody can lead it elsewhere. */
	assert_int_equal(symlink(at("good"), at("open/there")), 0);
	refused("open/there", NULL, "could put anything there");
	assert_int_equal(unlink(at("good/up")), 0);
}

static void test_entries(void **state)
{
	(void)state;
	make_dir("cache", 0700);
	make_file("cache/accounts", 0600);
	make_dir("cache/git", 0755);
	taken("cache", "");
	make_file("cache/cache.db", 0666);
	refused("cache", "", "cache.db can be written by others");
	taken("cache", "accounts");
	assert_int_equal(unlink(at("cache/cache.db")), 0);
	assert_int_equal(mkfifo(at("cache/accounts.key"), 0600), 0);
	refused("cache", "accounts", "accounts.key is a FIFO");
	assert_int_equal(unlink(at("cache/accounts.key")), 0);
	assert_int_equal(symlink("/etc/passwd", at("cache/accounts.lock")), 0);
	refused("cache", "accounts", "accounts.lock is a symlink");
	assert_int_equal(unlink(at("cache/accounts.lock")), 0);
	taken("cache", "");
}

static void test_open(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(KIB);
	int fd = own_open(at("new"), O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	make_file("readable", 0644);
	assert_int_equal(own_read(at("readable"), KIB, &text), 0);
	assert_int_equal(text.len, 4);
	make_file("writable", 0606);
	assert_int_equal(own_read(at("writable"), KIB, &text), -EPERM);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(own_read(at("fifo"), KIB, &text), -EPERM);
	assert_int_equal(own_open(at("fifo"), O_WRONLY, 0), -EPERM);
	assert_int_equal(own_open(at("fifo"), O_RDWR, 0), -EPERM);
	assert_int_equal(symlink("readable", at("to-file")), 0);
	assert_int_equal(own_read(at("to-file"), KIB, &text), -ELOOP);
	assert_int_equal(symlink("nowhere", at("to-nowhere")), 0);
	assert_int_equal(own_open(at("to-nowhere"), O_RDWR | O_CREAT, 0600),
			 -ELOOP);
	assert_int_equal(access(at("nowhere"), F_OK), -1);
	assert_int_equal(own_read(at("none"), KIB, &text), -ENOENT);
	assert_int_equal(own_open(at("good"), O_RDONLY, 0), -EPERM);
	assert_int_equal(own_open("/dev/null", O_RDWR, 0), -EPERM);
}

/* The rest needs two users. */
static void test_strangers(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_dir("theirs", 0755);
	make_dir("theirs/ours", 0700);
	assert_int_equal(chown(at("theirs"), STRANGER, STRANGER), 0);
	refused("theirs", NULL, "belongs to another user (uid 65534)");
	refused("theirs/ours", "", "could put anything below it");
	refused("theirs/missing", "", "could put anything below it");
	make_dir("mixed", 0755);
	make_file("mixed/accounts", 0644);
	assert_int_equal(chown(at("mixed/accounts"), STRANGER, STRANGER), 0);
	refused("mixed", "", "accounts belongs to another user");
	assert_int_equal(own_open(at("mixed/accounts"), O_RDONLY, 0), -EPERM);
	assert_int_equal(symlink(at("good"), at("sticky/planted")), 0);
	assert_int_equal(lchown(at("sticky/planted"), STRANGER, STRANGER), 0);
	refused("sticky/planted", NULL, "planted belongs to another user");
}

static void test_groups(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	/* Of root's own group without members; and of a shared one. */
	make_dir("private", 0770);
	taken("private", "");
	make_dir("shared", 0770);
	assert_int_equal(chown(at("shared"), 0, STRANGER), 0);
	refused("shared", "", "can be written by others");
	make_dir("shared/own", 0700);
	refused("shared/own", "", "could put anything there");
	/* Who belongs to a group of another name has company there. */
	assert_int_equal(chmod(top, 0755), 0);
	make_dir("users", 0770);
	assert_int_equal(chown(at("users"), STRANGER, STRANGER), 0);
	assert_int_equal(seteuid(STRANGER), 0);
	refused("users", "", "can be written by others");
	assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_symlinks),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
