/*
 * base/file: whole files, directories, XDG places, in a directory of its own.
 */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char top[64];

static int enter(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/test-file-XXXXXX");
	assert_non_null(mkdtemp(top));
	return chdir(top);
}

static int leave(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return file_remove_tree(top);
}

static void write_text(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, 0600, text, strlen(text)), 0);
}

static void expect_text(const char *path, const char *want)
{
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	assert_int_equal(file_read(path, 1000, &b), 0);
	assert_string_equal(b.data, want);
	assert_int_equal(b.len, strlen(want));
}

static size_t n_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void reads(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(7);

	write_text("f", "0123456789");
	assert_int_equal(file_read("f", 10, &b), 0);
	assert_string_equal(b.data, "0123456789");
	assert_int_equal(b.len, 10);
	assert_int_equal(b.max, 7);
	/* Untouched on failure. */
	assert_int_equal(file_read("f", 9, &b), -EFBIG);
	assert_int_equal(file_read("f", 0, &b), -EFBIG);
	assert_int_equal(file_read("none", 9, &b), -ENOENT);
	assert_int_equal(file_read(".", 9, &b), -EISDIR);
	assert_int_equal(file_read("f/x", 9, &b), -ENOTDIR);
	assert_string_equal(b.data, "0123456789");
	/* What was there goes. */
	write_text("e", "");
	assert_int_equal(file_read("e", 0, &b), 0);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
	/* A file whose size stat does not tell. */
	assert_int_equal(file_read("/proc/self/status", 64 * KIB, &b), 0);
	assert_true(b.len > 100);
	assert_memory_equal(b.data, "Name:", 5);
}

static void writes_large(void **state)
{
	(void)state;
	const size_t n = 3 * MIB + 1;
	cleanup(free) char *data = mem_alloc(n);
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 7 + i / 1000);
	assert_int_equal(file_write_atomic("large", 0600, data, n), 0);
	assert_int_equal(file_read("large", n, &b), 0);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.data, data, n);
}

static void replaces_atomically(void **state)
{
	(void)state;
	struct stat old, new;
	char last[256];
	mode_t mask = umask(022);

	assert_int_equal(mkdir("d", 0700), 0);
	write_text("d/f", "old");
	assert_int_equal(stat("d/f", &old), 0);
	cleanup(fd) int reader = open("d/f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_write_atomic("d/f", 0640, "new", 3), 0);
	assert_int_equal(stat("d/f", &new), 0);
	assert_int_not_equal(old.st_ino, new.st_ino);
	assert_int_equal(new.st_mode & 0777, 0640);
	assert_int_equal(old.st_mode & 0777, 0600);
	expect_text("d/f", "new");
	assert_int_equal(read(reader, last, 10), 3);
	assert_memory_equal(last, "old", 3);
	assert_int_equal(n_entries("d"), 1);
	/* The longest name that there is. */
	memset(last, 'n', 255);
	last[255] = '\0';
	write_text(last, "x");
	expect_text(last, "x");
	/* A symlink's place, not its target. */
	assert_int_equal(symlink("f", "d/link"), 0);
	write_text("d/link", "mine");
	expect_text("d/f", "new");
	expect_text("d/link", "mine");
	umask(mask);
}

static void failed_writes_leave_nothing(void **state)
{
	(void)state;
	assert_int_equal(mkdir("w", 0700), 0);
	assert_int_equal(mkdir("w/dir", 0700), 0);
	assert_int_equal(file_write_atomic("w/dir", 0600, "x", 1), -EISDIR);
	assert_int_equal(n_entries("w"), 1);
	assert_int_equal(file_write_atomic("w/none/f", 0600, "x", 1), -ENOENT);
	assert_int_equal(file_write_atomic("/dev/full/f", 0600, "x", 1),
			 -ENOTDIR);
}

/* A process id of which nobody is left. */
static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void sweeps_what_the_dead_left(void **state)
{
	(void)state;
	cleanup(free) char *dead = mem_asprintf("s/.tmp-%d-0", (int)dead_pid());
	cleanup(free) char *alive = mem_asprintf("s/.tmp-%d-0", (int)getpid());

	assert_int_equal(mkdir("s", 0700), 0);
	write_text(dead, "x");
	write_text(alive, "x");
	write_text("s/f", "x");
	write_text("s/.tmp-x-0", "x");
	write_text("s/.tmp-12345678901234567890-0", "x");
	assert_int_equal(file_sweep("s"), 0);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(alive, F_OK), 0);
	assert_int_equal(n_entries("s"), 4);
	assert_int_equal(file_sweep("none"), -ENOENT);
	/* Names of a process that had our id are in nobody's way. */
	for (int i = 0; i < 200; i++) {
		cleanup(free) char *taken =
			mem_asprintf("s/.tmp-%d-%d", (int)getpid(), i);
		close(open(taken, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	write_text("s/f", "y");
	expect_text("s/f", "y");
}

static void makes_directories(void **state)
{
	(void)state;
	struct stat st;
	mode_t mask = umask(022);

	assert_int_equal(file_mkdirs("m/a//b/c/", 0700), 0);
	assert_int_equal(stat("m/a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat("m/a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* There already: as it is. */
	assert_int_equal(file_mkdirs("m/a/b", 0755), 0);
	assert_int_equal(stat("m/a/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	cleanup(free) char *absolute = mem_asprintf("%s/m/x/y", top);
	assert_int_equal(file_mkdirs(absolute, 0755), 0);
	assert_int_equal(stat(absolute, &st), 0);
	assert_int_equal(file_mkdirs("/", 0700), 0);
	assert_int_equal(file_mkdirs("", 0700), -ENOENT);
	write_text("m/f", "x");
	assert_int_equal(file_mkdirs("m/f", 0700), -ENOTDIR);
	assert_int_equal(file_mkdirs("m/f/g", 0700), -ENOTDIR);
	/* A symlink to a directory is one. */
	assert_int_equal(symlink("a", "m/link"), 0);
	assert_int_equal(file_mkdirs("m/link/new", 0700), 0);
	assert_int_equal(stat("m/a/new", &st), 0);
	assert_int_equal(symlink("nowhere", "m/dangling"), 0);
	assert_true(file_mkdirs("m/dangling", 0700) < 0);
	umask(mask);
}

static void removes_trees(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(file_mkdirs("kept/inside", 0700), 0);
	assert_int_equal(file_mkdirs("r/a/b/c", 0700), 0);
	write_text("kept/f", "x");
	write_text("r/a/f", "x");
	write_text("r/.hidden", "x");
	assert_int_equal(chmod("r/a/f", 0), 0);
	assert_int_equal(symlink("../../kept", "r/a/link"), 0);
	assert_int_equal(symlink("nowhere", "r/dangling"), 0);
	assert_int_equal(mkfifo("r/fifo", 0600), 0);
	for (int i = 0; i < 300; i++) {
		cleanup(free) char *path = mem_asprintf("r/a/b/c/%d", i);
		write_text(path, "");
	}
	assert_int_equal(file_remove_tree("r"), 0);
	assert_int_equal(lstat("r", &st), -1);
	expect_text("kept/f", "x");

	assert_int_equal(file_remove_tree("r"), 0);
	assert_int_equal(file_remove_tree("kept/f"), 0);
	assert_int_equal(lstat("kept/f", &st), -1);
	assert_int_equal(symlink("kept", "link"), 0);
	assert_int_equal(file_remove_tree("link"), 0);
	assert_int_equal(lstat("link", &st), -1);
	assert_int_equal(lstat("kept/inside", &st), 0);

	/* Forty levels, as a hard repository has them. */
	cleanup(buf_done) struct buf deep = BUF_INIT(0);
	for (int i = 0; i < 40; i++)
		buf_printf(&deep, "%sdeeper", i ? "/" : "");
	assert_int_equal(file_mkdirs(deep.data, 0700), 0);
	assert_int_equal(file_remove_tree("deeper"), 0);
	assert_int_equal(lstat("deeper", &st), -1);
}

static void expect_xdg(enum file_xdg which, const char *below, const char *want)
{
	cleanup(free) char *path = NULL;

	assert_int_equal(file_xdg_path(which, below, &path), 0);
	assert_string_equal(path, want);
}

static void xdg_places(void **state)
{
	(void)state;
	char *path = top;

	setenv("HOME", "/home/x", 1);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	expect_xdg(FILE_XDG_CACHE, "a/b", "/home/x/.cache/a/b");
	expect_xdg(FILE_XDG_CONFIG, "a", "/home/x/.config/a");
	expect_xdg(FILE_XDG_STATE, "a", "/home/x/.local/state/a");
	expect_xdg(FILE_XDG_CACHE, "", "/home/x/.cache");
	expect_xdg(FILE_XDG_CACHE, NULL, "/home/x/.cache");
	assert_int_equal(file_xdg_path(FILE_XDG_RUNTIME, "a", &path), -ENOENT);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	expect_xdg(FILE_XDG_RUNTIME, "a", "/run/user/7/a");
	setenv("XDG_CACHE_HOME", "/c", 1);
	expect_xdg(FILE_XDG_CACHE, "a", "/c/a");
	/* Relative and empty ones are ignored. */
	setenv("XDG_CACHE_HOME", "c", 1);
	expect_xdg(FILE_XDG_CACHE, "a", "/home/x/.cache/a");
	setenv("XDG_CACHE_HOME", "", 1);
	expect_xdg(FILE_XDG_CACHE, "a", "/home/x/.cache/a");
	setenv("XDG_RUNTIME_DIR", "run", 1);
	assert_int_equal(file_xdg_path(FILE_XDG_RUNTIME, "a", &path), -ENOENT);
	cleanup(free) char *home = NULL;
	assert_int_equal(file_home_path("bitbucket", &home), 0);
	assert_string_equal(home, "/home/x/bitbucket");
	/* With its own variable it needs no home. */
	setenv("XDG_CACHE_HOME", "/c", 1);
	expect_xdg(FILE_XDG_CACHE, "a", "/c/a");
	assert_ptr_equal(path, top);
}

static void expect_home(const char *want)
{
	cleanup(free) char *path = NULL;

	if (!want) {
		assert_int_equal(file_home_path("a", &path), -ENOENT);
		return;
	}
	assert_int_equal(file_home_path("", &path), 0);
	assert_string_equal(path, want);
}

/* Where HOME says nothing, or leads to another user's, passwd decides. */
static void homes(void **state)
{
	const struct passwd *user = getpwuid(getuid());
	cleanup(free) char *entry = user ? mem_strdup(user->pw_dir) : NULL;

	(void)state;
	setenv("HOME", top, 1);
	expect_home(top);
	setenv("HOME", "x", 1);
	expect_home(entry);
	setenv("HOME", "", 1);
	expect_home(entry);
	unsetenv("HOME");
	expect_home(entry);
	unsetenv("XDG_CACHE_HOME");
	if (entry) {
		cleanup(free) char *cache = mem_asprintf("%s/.cache/a", entry);

		expect_xdg(FILE_XDG_CACHE, "a", cache);
	}
	if (geteuid() == 0) {
		cleanup(free) char *theirs = mem_asprintf("%s/theirs", top);

		assert_int_equal(mkdir(theirs, 0755), 0);
		assert_int_equal(chown(theirs, 65534, 65534), 0);
		setenv("HOME", theirs, 1);
		expect_home(entry);
	}
}

static void expect_absolute(const char *path, const char *below)
{
	cleanup(free) char *got = NULL;
	cleanup(free) char *real = realpath(top, NULL);
	cleanup(free) char *want = mem_asprintf("%s%s", real, below);

	assert_int_equal(file_absolute(path, &got), 0);
	assert_string_equal(got, want);
}

static void absolute_paths(void **state)
{
	(void)state;
	char *path = top;

	assert_int_equal(file_mkdirs("abs/in", 0700), 0);
	assert_int_equal(symlink("abs/in", "way"), 0);
	assert_int_equal(symlink("way", "last"), 0);
	expect_absolute("new", "/new");
	expect_absolute("./new", "/new");
	expect_absolute("abs/in/../new//", "/abs/new");
	expect_absolute("way/new", "/abs/in/new");
	expect_absolute("way/..", "/abs");
	expect_absolute(".", "");
	/* The last part stays what it is. */
	expect_absolute("last", "/last");
	expect_absolute("last/", "/last");
	cleanup(free) char *inside = mem_asprintf("%s/way/x", top);
	expect_absolute(inside, "/abs/in/x");
	cleanup(free) char *root = NULL;
	assert_int_equal(file_absolute("/", &root), 0);
	assert_string_equal(root, "/");
	cleanup(free) char *in_root = NULL;
	assert_int_equal(file_absolute("//nothing-here", &in_root), 0);
	assert_string_equal(in_root, "/nothing-here");
	assert_int_equal(file_absolute("", &path), -ENOENT);
	assert_int_equal(file_absolute("none/new", &path), -ENOENT);
	assert_int_equal(file_absolute("none/..", &path), -ENOENT);
	assert_ptr_equal(path, top);
}

static void closes(void **state)
{
	(void)state;
	int fd = open(".", O_RDONLY | O_CLOEXEC);

	assert_int_equal(file_close(fd), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(file_close(-1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(writes_large),
		cmocka_unit_test(replaces_atomically),
		cmocka_unit_test(failed_writes_leave_nothing),
		cmocka_unit_test(sweeps_what_the_dead_left),
		cmocka_unit_test(makes_directories),
		cmocka_unit_test(removes_trees),
		cmocka_unit_test(xdg_places),
		cmocka_unit_test(homes),
		cmocka_unit_test(absolute_paths),
		cmocka_unit_test(closes),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
