/*
 * store/cache: who only looks changes nothing.
 */
#include "store/cache.h"

#include "base/ctx.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scene {
	char dir[64], path[80], wal[80];
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-inspect-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/cache.db", s->dir);
	snprintf(s->wal, sizeof(s->wal), "%s/cache.db-wal", s->dir);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	file_remove_tree(s->dir);
	free(s);
	return 0;
}

static enum cache_state inspected(struct scene *s)
{
	enum cache_state state = CACHE_SOUND;
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(cache_inspect(&ctx, s->dir, &state), 0);
	ctx_done(&ctx);
	return state;
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static int put(struct cache *c, const char *key)
{
	struct cache_put p = {.key = key, .body = key, .n_body = strlen(key)};

	return cache_put(c, &p, 1, NULL);
}

static void nothing_is_made(void **state)
{
	struct scene *s = *state;

	assert_int_equal(inspected(s), CACHE_ABSENT);
	assert_int_equal(access(s->path, F_OK), -1);
}

static void who_has_it_open_is_not_disturbed(void **state)
{
	struct scene *s = *state;
	cleanup(cache_close) struct cache *c = NULL;
	off_t size;

	assert_int_equal(cache_open(s->dir, &c), 0);
	assert_int_equal(put(c, "a"), 0);
	size = size_of(s->wal);
	assert_true(size > 0);
	assert_int_equal(inspected(s), CACHE_SOUND);
	assert_int_equal(size_of(s->wal), size);
	assert_int_equal(put(c, "b"), 0);
}

/* In a child: closing a descriptor of the file would drop SQLite's locks. */
static void overwrite(const struct scene *s)
{
	static const char garbage[65536] = {(char)0xa5};
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = open(s->path, O_WRONLY | O_CLOEXEC);

		_exit(pwrite(fd, garbage, sizeof(garbage), 0) !=
		      sizeof(garbage));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_is_damaged_is_not_set_aside(void **state)
{
	struct scene *s = *state;
	struct cache *c = NULL;
	off_t size;

	assert_int_equal(cache_open(s->dir, &c), 0);
	assert_int_equal(put(c, "a"), 0);
	cache_close(c);
	overwrite(s);
	size = size_of(s->path);
	assert_int_equal(inspected(s), CACHE_DAMAGED);
	assert_int_equal(size_of(s->path), size);
}

static void it_ends_when_its_ctx_says_so(void **state)
{
	struct scene *s = *state;
	enum cache_state is;
	struct cache *c = NULL;
	struct ctx ctx;

	assert_int_equal(cache_open(s->dir, &c), 0);
	cache_close(c);
	ctx_init(&ctx, NULL, 0);
	assert_int_equal(cache_inspect(&ctx, s->dir, &is), -ETIMEDOUT);
	ctx_cancel(&ctx);
	assert_int_equal(cache_inspect(&ctx, s->dir, &is), -EINTR);
	ctx_done(&ctx);
}

/* A mount that checks a large one has it locked for minutes. */
static void nobody_is_waited_for_without_end(void **state)
{
	struct scene *s = *state;
	cleanup(free) char *path = mem_asprintf("%s/cache.lock", s->dir);
	enum cache_state is;
	struct cache *c = NULL;
	struct ctx ctx;
	int lock;

	assert_int_equal(cache_open(s->dir, &c), 0);
	cache_close(c);
	lock = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(file_lock(lock, LOCK_EX), 0);
	ctx_init(&ctx, NULL, 50);
	assert_int_equal(cache_inspect(&ctx, s->dir, &is), -ETIMEDOUT);
	ctx_done(&ctx);
	close(lock);
	assert_int_equal(inspected(s), CACHE_SOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_made),
		TEST(who_has_it_open_is_not_disturbed),
		TEST(what_is_damaged_is_not_set_aside),
		TEST(it_ends_when_its_ctx_says_so),
		TEST(nobody_is_waited_for_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
