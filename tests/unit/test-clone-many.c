/*
 * clone/clone when many want the same, some leave, and processes die: all
 * share one fetch, and nothing half taken in stays.
 */
#include "clone-world.h"

#include <signal.h>

/* Less than wire/http waits for a silent server: what is cancelled must end
 * because of that. */
#define WAIT_MS 15000

/* ---- Many at once -------------------------------------------------------- */

struct caller {
	struct thread *thread;
	struct clone *clone;
	struct ctx ctx;
	int64_t max_age_ms;
	struct clone_head head;
	int result;
};

static void call(void *arg)
{
	struct caller *caller = arg;

	caller->result = clone_tracking_get(&caller->ctx,
					    clone_tracking(caller->clone, NULL),
					    caller->max_age_ms, &caller->head);
}

static void caller_start(struct caller *caller, struct clone *clone,
			 int64_t max_age_ms, int64_t timeout_ms)
{
	*caller = (struct caller){.clone = clone, .max_age_ms = max_age_ms};
	ctx_init(&caller->ctx, NULL, timeout_ms);
	check(!thread_start("caller", call, caller, &caller->thread));
}

static int caller_end(struct caller *caller)
{
	caller->thread = thread_join(caller->thread);
	ctx_done(&caller->ctx);
	return caller->result;
}

static void test_fifty(void **state)
{
	struct world *w = *state;
	struct caller callers[50];
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		caller_start(&callers[i], c, 60000, -1);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		assert_int_equal(caller_end(&callers[i]), 0);
	assert_counts(w, 1, 1, 1);
	assert_int_equal(n_packs(w), 1);
}

static bool copy_progress(void *arg, const struct clone_progress *p)
{
	struct clone_progress **to = arg;

	*(*to)++ = *p;
	return true;
}

static size_t running(struct world *w, struct clone_progress *out)
{
	struct clone_progress *end = out;

	clone_set_running(w->mount.clones, copy_progress, &end);
	return (size_t)(end - out);
}

static void await_running(struct world *w, struct clone_progress *out, size_t n)
{
	struct ctx ctx;

	ctx_init(&ctx, NULL, WAIT_MS);
	while (running(w, out) != n)
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	ctx_done(&ctx);
}

static void await_bytes(struct world *w)
{
	struct clone_progress progress[8];
	struct ctx ctx;

	ctx_init(&ctx, NULL, WAIT_MS);
	while (running(w, progress) < 1 || progress[0].n_bytes < 100000)
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	ctx_done(&ctx);
}

static void test_last_waiter_leaves(void **state)
{
	struct world *w = *state;
	struct caller first, second;
	struct clone_progress progress[8];
	struct clone_head head;
	struct clone *c;
	struct ctx early;

	make_large_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, 99);
	caller_start(&first, c, 0, -1);
	git_server_await_held(&w->server, 1);
	caller_start(&second, c, 60000, 100);
	/* One leaves by its deadline, the other one's fetch goes on. */
	assert_int_equal(caller_end(&second), -ETIMEDOUT);
	/* Nor does one wait for it who was cancelled before he came. */
	ctx_init(&early, NULL, WAIT_MS);
	ctx_cancel(&early);
	assert_int_equal(clone_tracking_get(&early, clone_tracking(c, NULL),
					    60000, &head),
			 -EINTR);
	assert_true(ctx_left_ms(&early) > 0);
	ctx_done(&early);
	await_bytes(w);
	assert_int_equal(running(w, progress), 1);
	assert_false(progress[0].waiting);
	assert_true(progress[0].n_objects_total > 0);
	assert_true(n_temporary(w) > 0);
	ctx_cancel(&first.ctx);
	assert_int_equal(caller_end(&first), -EINTR);
	await_running(w, progress, 0);
	git_server_hold(&w->server, 0);
	tiny_await_idle(w->server.tiny);
	assert_int_equal(known_head(c, &head), -ENOENT);
	assert_int_equal(n_packs(w), 0);
	assert_int_equal(n_temporary(w), 0);
	/* A cancelled job is nobody's failure. */
	assert_int_equal(get(c, 60000, &head), 0);
	assert_sound(w, "one");
}

static void test_two_places(void **state)
{
	struct world *w = *state;
	struct caller callers[4];
	struct clone_progress progress[8];
	struct clone_head head;
	struct clone *c[4], *known;
	static const char *const slugs[] = {"a", "b", "c", "d"};

	make_repository(w, "known");
	known = open_clone(w, "known");
	assert_int_equal(get_now(known, &head), 0);
	git_server_hold(&w->server, 99);
	for (size_t i = 0; i < 4; i++) {
		make_repository(w, slugs[i]);
		c[i] = open_clone(w, slugs[i]);
		caller_start(&callers[i], c[i], 0, -1);
		await_running(w, progress, i + 1);
	}
	git_server_await_held(&w->server, 2);
	assert_int_equal(running(w, progress), 4);
	assert_false(progress[0].waiting || progress[1].waiting);
	assert_true(progress[2].waiting && progress[3].waiting);
	/* Asking for a ref does not wait behind them. */
	assert_int_equal(get_now(known, &head), 0);
	/* Who waits for a place can leave. */
	ctx_cancel(&callers[3].ctx);
	assert_int_equal(caller_end(&callers[3]), -EINTR);
	assert_int_equal(running(w, progress), 3);
	git_server_hold(&w->server, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(caller_end(&callers[i]), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 4);
}

static void test_unmount(void **state)
{
	struct world *w = *state;
	struct caller callers[3];
	struct clone *c[3];
	struct clone_progress progress[8];
	struct clone_head head;
	static const char *const slugs[] = {"a", "b", "c"};

	git_server_hold(&w->server, 99);
	for (size_t i = 0; i < 3; i++) {
		make_repository(w, slugs[i]);
		c[i] = open_clone(w, slugs[i]);
		caller_start(&callers[i], c[i], 0, -1);
	}
	await_running(w, progress, 3);
	clone_set_cancel(w->mount.clones);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(caller_end(&callers[i]), -EINTR);
	assert_int_equal(get_now(c[0], &head), -EINTR);
	world_unmount(w);
	assert_int_equal(n_packs(w), 0);
	mount_start(&w->mount, w->dir, w->url, 0);
}

/* A pushed ref is seen by who asks after the push, though a job that asked
 * before it is still at work. */
static void test_joins_no_older_answer(void **state)
{
	struct world *w = *state;
	struct caller first, second;
	struct clone *c;
	struct clone_progress progress[8];
	struct ctx ctx;

	make_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, 99);
	caller_start(&first, c, 0, -1);
	git_server_await_held(&w->server, 1);
	push(w, "one", T0 + 1, "echo two >a.txt");
	/* Another millisecond than that of the first question. */
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(ctx_sleep(&ctx, 2), 0);
	ctx_done(&ctx);
	caller_start(&second, c, 0, -1);
	await_running(w, progress, 1);
	git_server_hold(&w->server, 0);
	assert_int_equal(caller_end(&first), 0);
	assert_int_equal(caller_end(&second), 0);
	assert_int_equal(first.head.time_s, T0);
	assert_int_equal(second.head.time_s, T0 + 1);
}

struct churner {
	struct thread *thread;
	struct clone **clones;
	unsigned seed;
	unsigned n_odd; /* outcomes that cannot be */
};

/* Comes and goes, mostly too early. */
static void churn(void *arg)
{
	struct churner *churner = arg;

	for (unsigned i = 0; i < 10; i++) {
		unsigned which =
			(churner->seed = churner->seed * 1103515245 + 12345) >>
			16;
		struct clone_head head;
		struct ctx ctx;
		int r;

		ctx_init(&ctx, NULL, which % 7 == 0 ? 60000 : which % 40);
		r = clone_tracking_get(
			&ctx, clone_tracking(churner->clones[which % 3], NULL),
			which % 2 ? 0 : -1, &head);
		if (r != 0 && r != -ETIMEDOUT)
			churner->n_odd++;
		if (r == 0 && (head.empty || head.time_s < T0))
			churner->n_odd++;
		ctx_done(&ctx);
	}
}

static void test_churn(void **state)
{
	struct world *w = *state;
	static const char *const slugs[] = {"a", "b", "c"};
	struct churner churners[6] = {0};
	struct clone_progress progress[8];
	struct clone_head head;
	struct clone *c[3];

	for (size_t i = 0; i < 3; i++) {
		make_large_repository(w, slugs[i]);
		c[i] = open_clone(w, slugs[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(churners); i++) {
		churners[i].clones = c;
		churners[i].seed = (unsigned)i + 1;
		check(!thread_start("churn", churn, &churners[i],
				    &churners[i].thread));
	}
	push(w, "a", T0 + 1, "echo two >a.txt");
	push(w, "b", T0 + 1, "echo two >a.txt");
	for (size_t i = 0; i < ARRAY_SIZE(churners); i++) {
		thread_join(churners[i].thread);
		assert_int_equal(churners[i].n_odd, 0);
	}
	await_running(w, progress, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(get_now(c[i], &head), 0);
		assert_int_equal(head.time_s, i < 2 ? T0 + 1 : T0);
		assert_sound(w, slugs[i]);
	}
}

/* ---- Another process ----------------------------------------------------- */

/* test-clone --child DIR URL: brings {one-uuid}, like a mount of its own. */
static int child(const char *dir, const char *url)
{
	struct mount m = {0};
	struct clone_head head;
	struct clone *c;
	int r;

	mount_start(&m, dir, url, 0);
	check(!clone_open(m.clones, "{one-uuid}", "acme", "one", "main", &c));
	r = get(c, 0, &head);
	clone_unref(c);
	mount_stop(&m);
	return r < 0 ? 1 : 0;
}

static pid_t child_start(struct world *w)
{
	char self[] = "/proc/self/exe", option[] = "--child";
	char *argv[] = {self, option, w->dir, w->url, NULL};
	pid_t pid;

	check(!posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ));
	return pid;
}

static int child_end(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_killed(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	pid_t pid;

	make_large_repository(w, "one");
	git_server_hold(&w->server, 99);
	pid = child_start(w);
	git_server_await_held(&w->server, 1);
	while (n_temporary(w) == 0)
		check(!usleep(1000));
	check(!kill(pid, SIGKILL));
	assert_int_equal(child_end(pid), -1);
	git_server_hold(&w->server, 0);
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &head), -ENOENT);
	assert_int_equal(n_packs(w), 0);
	assert_int_equal(n_temporary(w), 0);
	assert_int_equal(get(c, 0, &head), 0);
	assert_sound(w, "one");
}

static void test_two_processes(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	pid_t pid;

	make_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, 99);
	pid = child_start(w);
	git_server_await_held(&w->server, 1);
	git_server_hold(&w->server, 0);
	assert_int_equal(get(c, 0, &head), 0);
	assert_int_equal(child_end(pid), 0);
	assert_sound(w, "one");
	/* What the other one brings is not brought again. */
	push(w, "one", T0 + 50, "echo two >a.txt");
	assert_int_equal(child_end(child_start(w)), 0);
	{
		unsigned n = git_server_counts(&w->server).fetches;

		assert_int_equal(get_now(c, &head), 0);
		assert_int_equal(git_server_counts(&w->server).fetches, n);
	}
	assert_int_equal(head.time_s, T0 + 50);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 50);
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
}

/* While one waits for a place, another process brings what it wants. */
static void test_brought_meanwhile(void **state)
{
	struct world *w = *state;
	static const char *const slugs[] = {"a", "b", "one"};
	struct caller callers[3];
	struct clone_progress progress[8];

	git_server_hold(&w->server, 2);
	for (unsigned i = 0; i < 3; i++) {
		make_repository(w, slugs[i]);
		caller_start(&callers[i], open_clone(w, slugs[i]), 0, -1);
		await_running(w, progress, i + 1);
	}
	git_server_await_held(&w->server, 2);
	assert_int_equal(child_end(child_start(w)), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 3);
	git_server_hold(&w->server, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(caller_end(&callers[i]), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 3);
	assert_sound(w, "one");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test(test_fifty),
		test(test_last_waiter_leaves),
		test(test_two_places),
		test(test_unmount),
		test(test_joins_no_older_answer),
		test(test_churn),
		test(test_killed),
		test(test_two_processes),
		test(test_brought_meanwhile),
	};

	if (argc == 4 && strcmp(argv[1], "--child") == 0)
		return child(argv[2], argv[3]);
	world_environment();
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
