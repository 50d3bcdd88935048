/*
 * base/mem, base/defs: growable bytes, shared bytes, the cleanup idiom.
 */
#include "base/mem.h"
#include "base/sync.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void buf_adds(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	assert_int_equal(buf_add(&b, "", 0), 0);
	assert_non_null(b.data);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_puts(&b, "one"), 0);
	assert_int_equal(buf_putc(&b, ' '), 0);
	assert_int_equal(buf_printf(&b, "%d %s", 2, "three"), 0);
	assert_int_equal(buf_add(&b, "\0x", 2), 0);
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "one 2 three\0x", 14);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
}

static void buf_grows(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "%05d", i);
	assert_int_equal(b.failed, 0);
	assert_int_equal(b.len, 500000);
	assert_memory_equal(b.data + 499995, "99999", 6);
	/* Not a byte at a time, and not much more than is needed. */
	assert_true(b.size <= 2 * b.len);
}

static void buf_has_a_maximum(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(10);

	assert_int_equal(buf_puts(&b, "123456789"), 0);
	assert_int_equal(buf_putc(&b, 'x'), 0);
	assert_int_equal(buf_putc(&b, 'y'), -EMSGSIZE);
	assert_int_equal(b.failed, -EMSGSIZE);
	assert_string_equal(b.data, "123456789x");
	assert_int_equal(buf_add(&b, "", 0), -EMSGSIZE);
	buf_clear(&b);
	assert_int_equal(b.failed, 0);
	/* Wholly or not at all, by whichever way. */
	assert_int_equal(buf_puts(&b, "123456"), 0);
	assert_int_equal(buf_printf(&b, "%s", "78901"), -EMSGSIZE);
	assert_string_equal(b.data, "123456");
	assert_int_equal(b.len, 6);
	assert_int_equal(buf_printf(&b, "7"), -EMSGSIZE);
	buf_clear(&b);
	assert_int_equal(buf_printf(&b, "%s", "1234567890"), 0);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX), -EMSGSIZE);
	assert_string_equal(b.data, "1234567890");
}

static void buf_default_maximum(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);
	cleanup(free) char *mib = mem_calloc(1, MIB);

	for (int i = 0; i < 64; i++)
		assert_int_equal(buf_add(&b, mib, MIB), 0);
	assert_int_equal(buf_putc(&b, 'x'), -EMSGSIZE);
	assert_int_equal(b.len, (size_t)64 * MIB);
}

static void buf_is_stolen(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(3);
	size_t len = 7;

	cleanup(free) char *empty = buf_steal(&b, &len);
	assert_non_null(empty);
	assert_string_equal(empty, "");
	assert_int_equal(len, 0);
	buf_puts(&b, "abc");
	buf_putc(&b, 'd');
	cleanup(free) char *abc = buf_steal(&b, NULL);
	assert_string_equal(abc, "abc");
	assert_null(b.data);
	assert_int_equal(b.failed, 0);
	/* The maximum is still its own. */
	assert_int_equal(buf_puts(&b, "abcd"), -EMSGSIZE);
	buf_done(&b);
	buf_done(&b);
}

static void blobs_are_counted(void **state)
{
	(void)state;
	char bytes[] = "some bytes";
	struct blob *a = blob_new(bytes, 4);

	bytes[0] = 'x';
	assert_int_equal(blob_len(a), 4);
	assert_string_equal(blob_data(a), "some");
	assert_ptr_equal(blob_ref(a), a);
	assert_null(blob_unref(a));
	assert_string_equal(blob_data(a), "some");
	assert_null(blob_unref(a));
	assert_null(blob_unref(NULL));

	/* Bytes that end with their memory get their NUL all the same. */
	char *own = mem_alloc(3);
	memcpy(own, "abc", 3);
	cleanup(blob_unref) struct blob *b = blob_take(own, 3);
	assert_memory_equal(blob_data(b), "abc", 4);
	cleanup(blob_unref) struct blob *none = blob_take(NULL, 0);
	assert_string_equal(blob_data(none), "");
	cleanup(blob_unref) struct blob *empty = blob_new(NULL, 0);
	assert_string_equal(blob_data(empty), "");
}

static void share(void *arg)
{
	struct blob *b = arg;

	for (int i = 0; i < 10000; i++)
		blob_unref(blob_ref(b));
	blob_unref(b);
}

static void blobs_are_shared(void **state)
{
	(void)state;
	struct blob *b = blob_new("shared", 6);
	struct thread *threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("share", share, blob_ref(b), &threads[i]),
			0);
	blob_unref(b);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	/* That it is freed once and not before is the sanitizers' to say. */
}

static int n_freed;

static void *count_free(int *p)
{
	n_freed += *p;
	return NULL;
}
DEFINE_CLEANUP(int *, count_free);

static int *make(int *p, bool fails)
{
	cleanup(count_free) int *own = p;

	if (fails)
		return NULL;
	return steal(&own);
}

static void cleanup_idiom(void **state)
{
	(void)state;
	int one = 1;

	n_freed = 0;
	assert_ptr_equal(make(&one, false), &one);
	assert_int_equal(n_freed, 0);
	assert_null(make(&one, true));
	assert_int_equal(n_freed, 1);
	assert_null(make(NULL, true));
	assert_int_equal(n_freed, 1);
}

static void allocators(void **state)
{
	(void)state;
	cleanup(free) void *nothing = mem_alloc(0);
	cleanup(free) char *zeros = mem_calloc(3, 4);
	cleanup(free) char *copy = mem_dup0("a\0b", 3);
	cleanup(free) char *text = mem_asprintf("%s-%d", "x", 5);
	cleanup(free) char *more = mem_realloc(NULL, 8);

	assert_non_null(nothing);
	assert_non_null(more);
	assert_memory_equal(zeros, "\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(text, "x-5");
}

/* The signal that ends a child that runs this. */
static int ends_with(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit none = {0};
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fails_check(void)
{
	check(1 + 1 == 3);
}

static void passes_check(void)
{
	check(1 + 1 == 2);
}

static void check_aborts(void **state)
{
	(void)state;
	assert_int_equal(ends_with(passes_check), 0);
	assert_int_equal(ends_with(fails_check), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_adds),
		cmocka_unit_test(buf_grows),
		cmocka_unit_test(buf_has_a_maximum),
		cmocka_unit_test(buf_default_maximum),
		cmocka_unit_test(buf_is_stolen),
		cmocka_unit_test(blobs_are_counted),
		cmocka_unit_test(blobs_are_shared),
		cmocka_unit_test(cleanup_idiom),
		cmocka_unit_test(allocators),
		cmocka_unit_test(check_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
