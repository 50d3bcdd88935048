/*
 * fs/inval: what is told to the kernel, and that nobody waits for it. libfuse's
 * two calls are doubles here: they can stay in the kernel, as the real ones do
 * while a lookup in the same directory is under way.
 *
 * What a request's thread may call (inval_entry, inval_inode, inval_after) is
 * called while a notification stays in the kernel: if one of them waited, the
 * test would never end. tests/layers.py holds that it calls no more than these.
 */
#include "fs/inval.h"

#include "fs/ops.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct scene {
	struct inval *inval;
	struct mutex lock;
	struct cond changed;
	/* Under lock: */
	bool closed; /* a notification stays in the kernel */
	unsigned n_entered, n_answers;
	struct buf told;
} scene;

static void note(const char *text)
{
	mutex_lock(&scene.lock);
	scene.n_entered++;
	cond_broadcast(&scene.changed);
	while (scene.closed)
		cond_wait(&scene.changed, &scene.lock);
	buf_puts(&scene.told, text);
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
}

int fuse_lowlevel_notify_inval_entry(struct fuse_session *session,
				     fuse_ino_t parent, const char *name,
				     size_t n)
{
	char text[64];

	(void)session;
	assert_int_equal(n, strlen(name));
	snprintf(text, sizeof(text), "%lu/%s ", (unsigned long)parent, name);
	note(text);
	return 0;
}

int fuse_lowlevel_notify_inval_inode(struct fuse_session *session,
				     fuse_ino_t ino, off_t offset, off_t n)
{
	char text[64];

	(void)session;
	assert_int_equal(n, 0);
	snprintf(text, sizeof(text), "%lu:%s ", (unsigned long)ino,
		 offset < 0 ? "attributes" : "content");
	note(text);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	scene = (struct scene){.told = BUF_INIT(0)};
	mutex_init(&scene.lock);
	cond_init(&scene.changed);
	return inval_start(NULL, &scene.inval);
}

static void let(bool closed)
{
	mutex_lock(&scene.lock);
	scene.closed = closed;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
}

static int tear_down(void **state)
{
	(void)state;
	let(false);
	inval_stop(scene.inval);
	buf_done(&scene.told);
	cond_done(&scene.changed);
	mutex_done(&scene.lock);
	return 0;
}

/* Until *n is that many; fails the test after a minute. */
static void await(const unsigned *n, unsigned many)
{
	int64_t until = clock_mono_ms() + 60000;
	unsigned got;

	mutex_lock(&scene.lock);
	while (*n < many && cond_wait_until(&scene.changed, &scene.lock, until))
		;
	got = *n;
	mutex_unlock(&scene.lock);
	assert_true(got >= many);
}

static void answer(void *arg)
{
	mutex_lock(&scene.lock);
	scene.n_answers++;
	buf_puts(&scene.told, arg);
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
}

static void expect(const char *told)
{
	mutex_lock(&scene.lock);
	assert_string_equal(scene.told.len ? scene.told.data : "", told);
	mutex_unlock(&scene.lock);
}

static char reply[] = "reply ";

static void in_order_and_the_same_once(void **state)
{
	(void)state;
	let(true);
	inval_entry(scene.inval, 1, "first");
	await(&scene.n_entered, 1);
	inval_entry(scene.inval, 1, "a");
	inval_entry(scene.inval, 1, "a");
	inval_inode(scene.inval, 1, true);
	inval_inode(scene.inval, 1, true);
	inval_inode(scene.inval, 1, false);
	inval_entry(scene.inval, 2, "a");
	inval_after(scene.inval, 60000, answer, reply);
	let(false);
	await(&scene.n_answers, 1);
	expect("1/first 1/a 1:content 1:attributes 2/a reply ");
}

/* A thousand threads' worth of changes and replies, and the kernel takes
 * nothing: each call returns. */
static void nobody_waits_for_the_kernel(void **state)
{
	(void)state;
	let(true);
	inval_entry(scene.inval, 1, "stays");
	await(&scene.n_entered, 1);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		inval_entry(scene.inval, 1, name);
		inval_inode(scene.inval, i, i % 2);
		inval_after(scene.inval, 600000, answer, reply);
	}
	mutex_lock(&scene.lock);
	assert_int_equal(scene.n_entered, 1);
	assert_int_equal(scene.n_answers, 0);
	mutex_unlock(&scene.lock);
	let(false);
	await(&scene.n_answers, 1000);
	await(&scene.n_entered, 2001);
}

/* A lookup keeps the notification in the kernel for long: the reply goes. */
static void a_reply_comes_in_its_time_all_the_same(void **state)
{
	(void)state;
	let(true);
	inval_entry(scene.inval, 1, "stays");
	await(&scene.n_entered, 1);
	inval_after(scene.inval, 1, answer, reply);
	await(&scene.n_answers, 1);
	expect("reply ");
}

static void nothing_told_nothing_waited_for(void **state)
{
	(void)state;
	inval_after(scene.inval, 600000, answer, reply);
	await(&scene.n_answers, 1);
	expect("reply ");
}

/* The mount ends: replies that wait are sent, and nothing more is told. */
static void at_the_end_replies_go(void **state)
{
	(void)state;
	let(true);
	inval_entry(scene.inval, 1, "stays");
	await(&scene.n_entered, 1);
	inval_entry(scene.inval, 1, "dropped");
	inval_after(scene.inval, 600000, answer, reply);
	inval_end(scene.inval);
	expect("reply ");
	inval_entry(scene.inval, 1, "late");
	inval_after(scene.inval, 600000, answer, reply);
	expect("reply reply ");
	let(false);
	inval_finish(scene.inval);
	expect("reply reply 1/stays ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order_and_the_same_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_waits_for_the_kernel,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_reply_comes_in_its_time_all_the_same, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(nothing_told_nothing_waited_for,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(at_the_end_replies_go, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
