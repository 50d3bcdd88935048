/*
 * store/spool, what comes: kept behind it, through crashes and on disks that
 * are slow or fail, with the sums of what came.
 */
#include "../../src/store/spool_private.h"
#include "base/file.h"
#include "base/sync.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CHUNK SPOOL_CHUNK

struct world {
	char dir[64];
	struct spool *spool;
};

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/spool-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(spool_open(w->dir, 0, &w->spool), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	spool_close(w->spool);
	assert_int_equal(file_remove_tree(w->dir), 0);
	free(w);
	return 0;
}

/* Instead of the C library's: a disk that takes its time, or fails. */
static struct {
	atomic_bool stands, fails;
	atomic_uint n_asked, n_answered;
} disk;

int fdatasync(int fd)
{
	atomic_fetch_add(&disk.n_asked, 1);
	while (atomic_load(&disk.stands))
		usleep(1000);
	if (!atomic_load(&disk.fails))
		return fsync(fd);
	atomic_fetch_add(&disk.n_answered, 1);
	errno = EIO;
	return -1;
}

static void await(const atomic_uint *n)
{
	while (atomic_load(n) == 0)
		usleep(1000);
}

static struct spool_file *make(struct world *w, const char *key, uint64_t size)
{
	struct spool_file *file = NULL;

	assert_int_equal(spool_new(w->spool, &file), 0);
	assert_int_equal(spool_publish(file, key, size, "tag"), 0);
	return file;
}

static void fill_piece(struct spool_file *file, uint64_t chunk, char byte)
{
	uint64_t at = chunk * CHUNK, left = spool_file_size(file) - at;
	size_t n = (size_t)(left < CHUNK ? left : CHUNK);
	cleanup(free) char *data = mem_alloc(n);

	memset(data, byte, n);
	assert_int_equal(spool_write(file, at, data, n), 0);
	spool_mark(file, chunk);
}

static char byte_at(const struct spool_file *file, uint64_t offset)
{
	char byte = 0;

	assert_int_equal(spool_read(file, offset, &byte, 1), 1);
	return byte;
}

/* Somebody else's bytes, so that they can be told by the file's time, too. */
static void damage(const char *path, uint64_t offset, const char *bytes)
{
	struct stat before, after;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &before), 0);
	do {
		assert_true(pwrite(fd, bytes, strlen(bytes), (off_t)offset) ==
			    (ssize_t)strlen(bytes));
		assert_int_equal(fstat(fd, &after), 0);
	} while (memcmp(&before.st_mtim, &after.st_mtim,
			sizeof(before.st_mtim)) == 0);
	close(fd);
}

/* What a process that was killed had not synced does not count, and what it did
 * count is whole. */
static void a_killed_writer(void **state)
{
	struct world *w = *state;
	struct spool_file *found = NULL;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct spool_file *file = make(w, "k", 200 * CHUNK);

		for (uint64_t i = 0; i < 100; i++)
			fill_piece(file, i, 'k');
		/* Behind it the first ones are kept. */
		do {
			spool_file_unref(found);
			if (spool_find(w->spool, "k", &found) < 0)
				_exit(1);
		} while (!spool_has(found, 0));
		_exit(0); /* without the last reference */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(spool_find(w->spool, "k", &found), 0);
	assert_true(spool_has(found, 0));
	for (uint64_t i = 0; i < 200; i++) {
		if (!spool_has(found, i))
			continue;
		assert_true(i < 100);
		assert_int_equal(byte_at(found, i * CHUNK), 'k');
		assert_int_equal(byte_at(found, (i + 1) * CHUNK - 1), 'k');
	}
	spool_file_unref(found);
}

/* Marks that could not be kept once are kept with the last reference. */
static void a_disk_that_failed_once(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "d", 40 * CHUNK);

	atomic_store(&disk.fails, true);
	for (uint64_t i = 0; i < 32; i++)
		fill_piece(file, i, 'd');
	await(&disk.n_answered);
	atomic_store(&disk.fails, false);
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "d", &file), 0);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(spool_has(file, i), i < 32);
	spool_file_unref(file);
}

/* A chunk that comes waits for no disk, and is read meanwhile. */
static void a_disk_that_is_slow(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "s", 80 * CHUNK), *found = NULL;

	atomic_store(&disk.n_asked, 0);
	atomic_store(&disk.stands, true);
	for (uint64_t i = 0; i < 80; i++)
		fill_piece(file, i, 's');
	await(&disk.n_asked);
	assert_true(spool_check(file, 79));
	assert_int_equal(spool_find(w->spool, "s", &found), 0);
	assert_false(spool_has(found, 0));
	found = spool_file_unref(found);
	atomic_store(&disk.stands, false);
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "s", &found), 0);
	for (uint64_t i = 0; i < 80; i++)
		assert_true(spool_check(found, i));
	spool_file_unref(found);
}

/* What counts is what came, in whatever pieces: not what the disk has of it
 * when it is marked. */
static void damaged_before_it_is_marked(void **state)
{
	struct world *w = *state;
	cleanup(free) char *data = mem_alloc(CHUNK);
	struct spool_file *file = make(w, "a", 3 * CHUNK + 5);

	memset(data, 'a', CHUNK);
	for (uint64_t at = 0; at < 2 * CHUNK; at += CHUNK / 2 + 100)
		assert_int_equal(spool_write(file, at, data, CHUNK / 2 + 100),
				 0);
	damage(file->path, 100, "other");
	spool_mark(file, 0);
	spool_mark(file, 1);
	assert_false(spool_check(file, 0));
	assert_true(spool_check(file, 1));
	/* From its middle on, and then its start. */
	assert_int_equal(spool_write(file, 2 * CHUNK + 9, data, CHUNK - 9), 0);
	assert_int_equal(spool_write(file, 2 * CHUNK, data, 9), 0);
	spool_mark(file, 2);
	fill_piece(file, 0, 'b');
	fill_piece(file, 3, 'c');
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "a", &file), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(spool_check(file, i));
	spool_file_unref(file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_killed_writer),
		T(a_disk_that_failed_once),
		T(a_disk_that_is_slow),
		T(damaged_before_it_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
