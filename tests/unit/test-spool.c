/*
 * store/spool: chunks that are there or not, through crashes, replacements and
 * the bound.
 */
#include "../../src/store/spool_private.h"
#include "base/digest.h"
#include "base/file.h"
#include "store/say.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
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

static void again(struct world *w, uint64_t max_bytes)
{
	w->spool = spool_close(w->spool);
	assert_int_equal(spool_open(w->dir, max_bytes, &w->spool), 0);
}

/* A published file of that size; nothing of it is there. */
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

static void chunks(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "a", 2 * CHUNK + 5), *found = NULL;
	int fd = -1;

	assert_int_equal(spool_n_chunks(2 * CHUNK + 5), 3);
	assert_int_equal(spool_n_chunks(0), 0);
	assert_int_equal(spool_file_size(file), 2 * CHUNK + 5);
	assert_string_equal(spool_file_tag(file), "tag");
	for (uint64_t i = 0; i < 3; i++)
		assert_false(spool_has(file, i));
	fill_piece(file, 2, 'c');
	fill_piece(file, 0, 'a');
	assert_true(spool_has(file, 0));
	assert_false(spool_has(file, 1));
	assert_true(spool_has(file, 2));
	assert_int_equal(byte_at(file, 0), 'a');
	assert_int_equal(byte_at(file, 2 * CHUNK + 4), 'c');
	assert_int_equal(spool_dup(file, &fd), 0);
	close(fd);
	file = spool_file_unref(file);
	/* What was marked is there for whoever opens it next. */
	again(w, 0);
	assert_int_equal(spool_find(w->spool, "a", &found), 0);
	assert_true(spool_has(found, 0));
	assert_false(spool_has(found, 1));
	assert_true(spool_has(found, 2));
	assert_int_equal(byte_at(found, CHUNK - 1), 'a');
	spool_file_unref(found);
	assert_int_equal(spool_find(w->spool, "b", &found), -ENOENT);
}

static void sizes(void **state)
{
	struct world *w = *state;
	struct spool_file *file = NULL;

	file = make(w, "empty", 0);
	assert_int_equal(spool_file_size(file), 0);
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "empty", &file), 0);
	spool_file_unref(file);
	assert_int_equal(spool_new(w->spool, &file), 0);
	assert_int_equal(spool_publish(file, "huge", SPOOL_MAX_FILE + 1, ""),
			 -EFBIG);
	spool_file_unref(file);
}

static void a_nameless_one_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct spool_file *file = NULL;
	uint64_t before = spool_disk_bytes(w->spool);

	assert_int_equal(spool_new(w->spool, &file), 0);
	assert_int_equal(spool_write(file, 0, "growing", 7), 0);
	assert_int_equal(byte_at(file, 6), 'g');
	spool_file_unref(file);
	again(w, 0);
	assert_int_equal(spool_disk_bytes(w->spool), before);
}

static void another_of_the_same_key(void **state)
{
	struct world *w = *state;
	struct spool_file *old = make(w, "a", 10), *found = NULL;
	struct spool_file *fresh;

	fill_piece(old, 0, 'o');
	fresh = make(w, "a", 20);
	fill_piece(fresh, 0, 'n');
	/* Who has the old one open keeps it. */
	assert_int_equal(byte_at(old, 0), 'o');
	assert_int_equal(spool_find(w->spool, "a", &found), 0);
	assert_int_equal(spool_file_size(found), 20);
	assert_int_equal(byte_at(found, 0), 'n');
	spool_file_unref(found);
	spool_file_unref(old);
	spool_file_unref(fresh);
}

static void the_oldest_go(void **state)
{
	struct world *w = *state;
	struct spool_file *held, *found = NULL;

	again(w, 3 * CHUNK);
	held = make(w, "held", 2 * CHUNK);
	fill_piece(held, 0, 'h');
	fill_piece(held, 1, 'h');
	for (int i = 0; i < 4; i++) {
		char key[8];
		struct spool_file *file;

		snprintf(key, sizeof(key), "f%d", i);
		file = make(w, key, 2 * CHUNK);
		fill_piece(file, 0, (char)('0' + i));
		fill_piece(file, 1, (char)('0' + i));
		spool_file_unref(file);
	}
	/* The newest is there; what is open can be read, though it went. */
	assert_int_equal(spool_find(w->spool, "f3", &found), 0);
	assert_int_equal(byte_at(found, 0), '3');
	spool_file_unref(found);
	assert_int_equal(spool_find(w->spool, "f0", &found), -ENOENT);
	assert_int_equal(byte_at(held, 2 * CHUNK - 1), 'h');
	spool_file_unref(held);
	assert_true(spool_disk_bytes(w->spool) <= 6 * CHUNK);
}

/* What a process left that was killed is swept; what one has that lives is
 * not. */
static void temporaries_of_the_dead(void **state)
{
	struct world *w = *state;
	cleanup(free) char *path = NULL;
	int status, fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct spool_file *file = NULL;

		check(!spool_new(w->spool, &file));
		check(!spool_write(file, 0, "dead", 4));
		check(write(fds[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	path = mem_asprintf("%s/.tmp-%ld-0", w->dir, (long)pid);
	assert_int_equal(access(path, F_OK), 0);
	again(w, 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	again(w, 0);
	assert_int_equal(access(path, F_OK), -1);
}

/* Files that somebody else left there are none of ours. */
static void strange_files(void **state)
{
	static const char name[] = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
	struct world *w = *state;
	struct spool_file *found = NULL;
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, name);
	static const size_t sizes_of[] = {0, 1, 511, 512, 4608, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes_of); i++) {
		cleanup(free) char *junk = mem_calloc(1, sizes_of[i] + 1);

		memset(junk, 0xff, sizes_of[i]);
		assert_int_equal(
			file_write_atomic(path, 0600, junk, sizes_of[i]), 0);
		assert_true(spool_find(w->spool, "a", &found) < 0);
	}
	found = make(w, "a", 3);
	fill_piece(found, 0, 'a');
	spool_file_unref(found);
	/* Cut off. */
	assert_int_equal(truncate(path, 100), 0);
	assert_true(spool_find(w->spool, "a", &found) < 0);
}

/* What has the name of a file of ours and is none: as if nothing were there. */
static void what_is_no_file(void **state)
{
	static const char name[] = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
	struct world *w = *state;
	struct spool_file *found = NULL;
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, name);
	struct stat st;

	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(spool_find(w->spool, "a", &found), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(spool_find(w->spool, "a", &found), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(spool_find(w->spool, "a", &found), -ENOENT);
	/* It is not ours to remove. */
	assert_int_equal(stat(path, &st), 0);
}

/* ---- several processes ---- */

/* A process that does this with a spool of its own on the same directory. */
static void elsewhere(struct world *w, void (*work)(struct spool *))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct spool *spool;

		check(!spool_open(w->dir, 0, &spool));
		work(spool);
		spool_close(spool);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void write_second(struct spool *spool)
{
	struct spool_file *file = NULL;

	check(!spool_find(spool, "s", &file));
	check(spool_has(file, 0) && spool_check(file, 0));
	check(!spool_has(file, 1));
	fill_piece(file, 1, 'b');
	spool_file_unref(file);
}

static void make_anew(struct spool *spool)
{
	struct spool_file *file = NULL;

	check(!spool_new(spool, &file));
	check(!spool_publish(file, "s", 3 * CHUNK, "other"));
	fill_piece(file, 0, 'z');
	spool_file_unref(file);
}

/* Two mounts of one cache: what each of them marks stays, what one replaces the
 * other goes on reading. */
static void two_processes(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "s", 3 * CHUNK), *found = NULL;

	fill_piece(file, 0, 'a');
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "s", &file), 0);
	elsewhere(w, write_second);
	/* Not known here, so it may come twice; its bytes are not harmed. */
	assert_false(spool_has(file, 1));
	assert_int_equal(byte_at(file, CHUNK), 'b');
	fill_piece(file, 2, 'c');
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(spool_check(file, i), i != 1);
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "s", &file), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(spool_check(file, i));

	elsewhere(w, make_anew);
	assert_true(spool_check(file, 2));
	assert_int_equal(byte_at(file, 0), 'a');
	assert_string_equal(spool_file_tag(file), "tag");
	assert_int_equal(spool_find(w->spool, "s", &found), 0);
	assert_string_equal(spool_file_tag(found), "other");
	assert_int_equal(byte_at(found, 0), 'z');
	assert_false(spool_has(found, 2));
	spool_file_unref(found);
	/* What the older one has to keep does not come into the newer one. */
	fill_piece(file, 1, 'b');
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "s", &found), 0);
	assert_false(spool_has(found, 1));
	spool_file_unref(found);
}

/* ---- a full disk: going on in memory ---- */

#define N_WRITERS 4
#define REGION (64 * KIB)

struct writer {
	struct spool_file *file;
	struct thread *thread;
	unsigned number;
	atomic_bool *stop;
	char last; /* what the last write that was taken wrote */
	unsigned n_refused;
};

static void write_on(void *arg)
{
	struct writer *me = arg;
	cleanup(free) char *data = mem_alloc(REGION);

	for (char byte = 'a'; !atomic_load(me->stop);
	     byte = byte == 'z' ? 'a' : (char)(byte + 1)) {
		int r;

		memset(data, byte, REGION);
		r = spool_write(me->file, me->number * REGION, data, REGION);
		if (r == 0)
			me->last = byte;
		else if (r == -ENOSPC)
			me->n_refused++;
		else
			check(false);
	}
}

/* A write that was taken is there after the move, whenever it came. */
static void moved_while_it_is_written(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "m", CHUNK);
	struct writer writers[N_WRITERS];
	atomic_bool stop = false;
	int r;

	for (unsigned i = 0; i < N_WRITERS; i++) {
		writers[i] = (struct writer){
			.file = file, .number = i, .stop = &stop};
		assert_int_equal(thread_start("writer", write_on, &writers[i],
					      &writers[i].thread),
				 0);
	}
	/* As a write that the disk refused does it, again and again until no
	 * other write is under way. */
	do {
		spool_write_begin(file);
		r = spool_memory_move(file, CHUNK);
		spool_write_end(file);
	} while (r == -ENOSPC);
	assert_int_equal(r, 0);
	for (unsigned i = 0; i < 100; i++)
		sched_yield();
	atomic_store(&stop, true);
	for (unsigned i = 0; i < N_WRITERS; i++)
		thread_join(writers[i].thread);
	for (unsigned i = 0; i < N_WRITERS; i++)
		for (uint64_t at = 0; writers[i].last && at < REGION; at++)
			assert_int_equal(byte_at(file, i * REGION + at),
					 writers[i].last);
	spool_file_unref(file);
}

static void not_moved_under_another_write(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "m", CHUNK);
	int fd = -1;
	char byte = 0;

	assert_int_equal(spool_write(file, 0, "disk", 4), 0);
	assert_int_equal(spool_dup(file, &fd), 0);
	/* Two writes are under way, and the disk refuses one of them. */
	spool_write_begin(file);
	spool_write_begin(file);
	assert_int_equal(spool_memory_move(file, 10), -ENOSPC);
	spool_write_end(file);
	/* Now it is alone. Whoever comes while it moves is refused, too. */
	file->moving = true;
	assert_int_equal(spool_memory_move(file, 10), -ENOSPC);
	assert_int_equal(spool_write(file, 0, "x", 1), -ENOSPC);
	file->moving = false;
	assert_int_equal(byte_at(file, 0), 'd');
	assert_int_equal(spool_memory_move(file, 10), 0);
	spool_write_end(file);
	assert_int_equal(spool_memory_move(file, 10), -ENOSPC); /* once */
	assert_int_equal(spool_write(file, 0, "memory", 6), 0);
	assert_int_equal(byte_at(file, 0), 'm');
	/* Whoever had it open before goes on with what there was. */
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'd');
	close(fd);
	spool_file_unref(file);
}

/* ---- damage ---- */

static unsigned n_said;

static void hear(void *arg, const char *path, int errnum, const char *sentence)
{
	(void)arg;
	assert_int_equal(errnum, EIO);
	assert_non_null(strstr(path, "/spool-"));
	assert_non_null(strstr(sentence, "damaged"));
	n_said++;
}

static void listen_anew(void)
{
	n_said = 0;
	store_listen(hear, NULL);
}

static char *path_of(const struct world *w, const char *key)
{
	char hex[41];

	digest_sha1_hex(key, strlen(key), hex);
	return mem_asprintf("%s/%s", w->dir, hex);
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

static void damaged_under_us(void **state)
{
	struct world *w = *state;
	cleanup(free) char *path = path_of(w, "a");
	struct spool_file *file = make(w, "a", 2 * CHUNK + 5);

	listen_anew();
	for (uint64_t i = 0; i < 3; i++)
		fill_piece(file, i, 'a');
	for (uint64_t i = 0; i < 3; i++)
		assert_true(spool_check(file, i));
	damage(path, CHUNK + 7, "other");
	damage(path, 2 * CHUNK + 4, "x");
	assert_true(spool_check(file, 0));
	assert_true(spool_has(file, 1));
	assert_false(spool_check(file, 1));
	assert_false(spool_has(file, 1));
	assert_false(spool_check(file, 2));
	assert_int_equal(n_said, 1);
	/* Fetched again, it is as good as any. */
	fill_piece(file, 1, 'a');
	assert_true(spool_check(file, 1));
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "a", &file), 0);
	assert_true(spool_check(file, 0));
	assert_true(spool_check(file, 1));
	assert_int_equal(byte_at(file, CHUNK + 7), 'a');
	assert_false(spool_has(file, 2));
	assert_int_equal(n_said, 1);
	/* Cut, which takes the map along. */
	assert_int_equal(truncate(path, (off_t)CHUNK + 10), 0);
	assert_true(spool_check(file, 0));
	assert_false(spool_check(file, 1));
	fill_piece(file, 1, 'a');
	assert_true(spool_check(file, 1));
	spool_file_unref(file);
	store_listen(NULL, NULL);
}

static void damaged_before(void **state)
{
	struct world *w = *state;
	cleanup(free) char *path = path_of(w, "a");
	struct spool_file *file = make(w, "a", 3 * CHUNK);

	listen_anew();
	for (uint64_t i = 0; i < 3; i++)
		fill_piece(file, i, 'a');
	spool_file_unref(file);
	damage(path, 2 * CHUNK, "other");
	for (unsigned i = 0; i < 2; i++) {
		again(w, 0);
		assert_int_equal(spool_find(w->spool, "a", &file), 0);
		assert_true(spool_check(file, 0));
		assert_true(spool_check(file, 1));
		/* And it stays gone, for whoever comes next, too. */
		assert_int_equal(spool_has(file, 2), i == 0);
		assert_false(spool_check(file, 2));
		spool_file_unref(file);
		assert_int_equal(n_said, 1);
	}
	/* What says how large it is, and of whom. */
	damage(path, 3 * CHUNK + 3 * 8 + 40, "tag");
	assert_int_equal(spool_find(w->spool, "a", &file), -ENOENT);
	assert_int_equal(spool_find(w->spool, "a", &file), -ENOENT);
	assert_int_equal(n_said, 2);
	store_listen(NULL, NULL);
}

/* A map of one byte a chunk, as it was before there were sums. */
static void without_sums(void **state)
{
	struct world *w = *state;
	cleanup(free) char *path = path_of(w, "old");
	const uint64_t size = 2 * CHUNK + 5;
	const size_t map = (2 * CHUNK + 5 + 4095) / 4096 * 4096;
	cleanup(free) char *bytes = mem_calloc(1, map + 3 + 512);
	struct spool_file *file;

	listen_anew();
	memset(bytes, 'o', size);
	bytes[map] = bytes[map + 2] = 1;
	memcpy(bytes + map + 3, "bitbucketfs spool 1\n", 20);
	memcpy(bytes + map + 3 + 24, &size, 8);
	memcpy(bytes + map + 3 + 32, "tag", 3);
	assert_int_equal(file_write_atomic(path, 0600, bytes, map + 3 + 512),
			 0);
	assert_int_equal(spool_find(w->spool, "old", &file), 0);
	assert_string_equal(spool_file_tag(file), "tag");
	assert_true(spool_check(file, 0));
	assert_false(spool_check(file, 1));
	assert_true(spool_check(file, 2));
	fill_piece(file, 1, 'o');
	assert_true(spool_check(file, 1));
	/* From the first look on it is known what they were. */
	damage(path, 0, "other");
	assert_false(spool_check(file, 0));
	assert_true(spool_check(file, 2));
	spool_file_unref(file);
	assert_int_equal(spool_find(w->spool, "old", &file), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(spool_check(file, i), i != 0);
	spool_file_unref(file);
	assert_int_equal(n_said, 1);
	store_listen(NULL, NULL);
}

static char *growing_path(const struct world *w, unsigned serial)
{
	return mem_asprintf("%s/.tmp-%ld-%u", w->dir, (long)getpid(), serial);
}

static void damaged_while_it_grows(void **state)
{
	struct world *w = *state;
	cleanup(free) char *path = growing_path(w, 0);
	cleanup(free) char *line = mem_calloc(1, 300001);
	struct spool_file *file = NULL;
	uint64_t at = 0;

	listen_anew();
	memset(line, 'l', 300000);
	assert_int_equal(spool_new(w->spool, &file), 0);
	assert_true(spool_check_growing(file, 0, 0));
	for (; at < 2 * CHUNK; at += 300000) {
		assert_int_equal(spool_write(file, at, line, 300000), 0);
		assert_true(spool_check_growing(file, 0, at + 300000));
	}
	/* In what is part of a chunk so far. */
	damage(path, at - 1, "x");
	assert_true(spool_check_growing(file, 0, CHUNK));
	assert_false(spool_check_growing(file, at - 10, 10));
	damage(path, at - 1, "l");
	assert_true(spool_check_growing(file, at - 10, 10));
	assert_int_equal(spool_write(file, at, line, 300000), 0);
	at += 300000;
	assert_true(spool_check_growing(file, 0, at));
	/* A published file is compared with what came, not with what is there.
	 */
	damage(path, 5, "x");
	assert_int_equal(spool_publish(file, "log", at, ""), 0);
	for (uint64_t i = 0; i < spool_n_chunks(at); i++) {
		spool_mark(file, i);
		assert_int_equal(spool_check(file, i), i != 0);
	}
	spool_file_unref(file);
	assert_int_equal(n_said, 1);
	store_listen(NULL, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Pages of the file that the kernel holds, of the chunk. */
static size_t n_held(const struct spool_file *file, uint64_t chunk)
{
	unsigned char held[CHUNK / 4096];
	size_t n = 0;
	void *at = mmap(NULL, CHUNK, PROT_READ, MAP_SHARED, file->fd,
			(off_t)(chunk * CHUNK));

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mincore(at, CHUNK, held), 0);
	for (size_t i = 0; i < sizeof(held); i++)
		n += held[i] & 1;
	munmap(at, CHUNK);
	return n;
}

/* What came is read from the disk, and nothing of the hole behind it. */
static void no_hole_is_read_ahead(void **state)
{
	struct world *w = *state;
	struct spool_file *file = make(w, "a", 64 * CHUNK);
	int fd;

	for (uint64_t i = 0; i < 8; i++)
		fill_piece(file, i, 'a');
	fd = dup(file->fd);
	file = spool_file_unref(file); /* which syncs it */
	again(w, 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
	assert_int_equal(spool_find(w->spool, "a", &file), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_true(spool_check(file, i));
	assert_int_equal(n_held(file, 8), 0);
	spool_file_unref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_hole_is_read_ahead),
		T(chunks),
		T(sizes),
		T(a_nameless_one_leaves_nothing),
		T(another_of_the_same_key),
		T(the_oldest_go),
		T(temporaries_of_the_dead),
		T(strange_files),
		T(what_is_no_file),
		T(two_processes),
		T(moved_while_it_is_written),
		T(not_moved_under_another_write),
		T(damaged_under_us),
		T(damaged_before),
		T(without_sums),
		T(damaged_while_it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
