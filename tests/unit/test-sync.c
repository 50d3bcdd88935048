/*
 * base/sync: locks, conditions, threads, counts.
 */
#include "base/clock.h"
#include "base/log.h"
#include "shared.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void count(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 10000; i++) {
		mutex_lock(&s->lock);
		s->n++;
		mutex_unlock(&s->lock);
	}
}

static void mutexes_exclude(void **state)
{
	(void)state;
	struct shared s;
	struct thread *threads[4];

	shared_init(&s);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		start(count, &s, &threads[i]);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_null(thread_join(threads[i]));
	assert_int_equal(s.n, 40000);
	shared_done(&s);
	assert_null(thread_join(NULL));
}

static void wait_for_open(void *arg)
{
	struct shared *s = arg;

	mutex_lock(&s->lock);
	while (!s->open)
		cond_wait(&s->changed, &s->lock);
	s->n++;
	mutex_unlock(&s->lock);
}

static void conditions_wake(void **state)
{
	(void)state;
	struct shared s;
	struct thread *threads[4];

	shared_init(&s);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		start(wait_for_open, &s, &threads[i]);
	mutex_lock(&s.lock);
	assert_int_equal(s.n, 0);
	s.open = true;
	cond_broadcast(&s.changed);
	mutex_unlock(&s.lock);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	assert_int_equal(s.n, 4);
	shared_done(&s);
}

static void add_one_thread(void *arg)
{
	add_one(arg);
}

static void conditions_time_out(void **state)
{
	(void)state;
	struct shared s;
	struct thread *thread;
	int64_t before;

	shared_init(&s);
	mutex_lock(&s.lock);
	before = clock_mono_ms();
	assert_false(cond_wait_until(&s.changed, &s.lock, before - 1));
	assert_false(cond_wait_until(&s.changed, &s.lock, INT64_MIN));
	while (cond_wait_until(&s.changed, &s.lock, before + 50))
		;
	assert_true(clock_mono_ms() >= before + 50);
	/* Woken before the end, and without an end. */
	start(add_one_thread, &s, &thread);
	while (s.n < 1)
		assert_true(cond_wait_until(&s.changed, &s.lock,
					    before + 3600 * 1000));
	mutex_unlock(&s.lock);
	thread_join(thread);
	start(add_one_thread, &s, &thread);
	mutex_lock(&s.lock);
	while (s.n < 2)
		assert_true(
			cond_wait_until(&s.changed, &s.lock, INT64_MAX - 1));
	mutex_unlock(&s.lock);
	thread_join(thread);
	/* Where the clock stands still the wait ends all the same. */
	clock_fake(1000, 0);
	mutex_lock(&s.lock);
	assert_false(cond_wait_until(&s.changed, &s.lock, 1000));
	while (cond_wait_until(&s.changed, &s.lock, 1020))
		;
	mutex_unlock(&s.lock);
	clock_real();
	shared_done(&s);
}

static struct mutex static_lock = MUTEX_INITIALIZER;

static void static_mutex(void **state)
{
	(void)state;
	mutex_lock(&static_lock);
	mutex_unlock(&static_lock);
}

no_lock_analysis static void lock_twice(void)
{
	struct mutex m;

	mutex_init(&m);
	mutex_lock(&m);
	mutex_lock(&m);
}

no_lock_analysis static void lock_twice_static(void)
{
	mutex_lock(&static_lock);
	mutex_lock(&static_lock);
}

no_lock_analysis static void unlock_unlocked(void)
{
	struct mutex m;

	mutex_init(&m);
	mutex_unlock(&m);
}

static void drop_too_often(void)
{
	struct refcount r;

	refcount_init(&r);
	if (refcount_drop(&r) && refcount_drop(&r))
		_exit(0);
}

static void no_bug(void)
{
	mutex_lock(&static_lock);
	mutex_unlock(&static_lock);
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

static void bugs_are_found(void **state)
{
	(void)state;
	assert_int_equal(ends_with(no_bug), 0);
	assert_int_equal(ends_with(lock_twice), SIGABRT);
	assert_int_equal(ends_with(lock_twice_static), SIGABRT);
	assert_int_equal(ends_with(unlock_unlocked), SIGABRT);
	assert_int_equal(ends_with(drop_too_often), SIGABRT);
}

static void refs_count(void **state)
{
	(void)state;
	struct refcount r;

	refcount_init(&r);
	refcount_take(&r);
	assert_false(refcount_drop(&r));
	assert_true(refcount_drop(&r));
}

struct self {
	sigset_t mask;
	char name[17];
	size_t stack;
};

static void look_at_self(void *arg)
{
	struct self *self = arg;
	pthread_attr_t attr;

	pthread_sigmask(SIG_BLOCK, NULL, &self->mask);
	pthread_getname_np(pthread_self(), self->name, sizeof(self->name));
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &self->stack);
	pthread_attr_destroy(&attr);
}

static void threads_are_as_told(void **state)
{
	(void)state;
	struct self self;
	struct thread *thread;
	sigset_t before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	assert_int_equal(thread_start("a-name-that-is-too-long", look_at_self,
				      &self, &thread),
			 0);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	thread_join(thread);
	for (int i = 1; i <= SIGRTMAX; i++)
		assert_int_equal(sigismember(&before, i),
				 sigismember(&after, i));
	assert_string_equal(self.name, "a-name-that-is-");
	/* Sanitizers make it larger. */
	assert_true(self.stack >= 512 * KIB);
	assert_true(self.stack <= 4 * MIB);
	assert_true(sigismember(&self.mask, SIGTERM));
	assert_true(sigismember(&self.mask, SIGINT));
	assert_true(sigismember(&self.mask, SIGPIPE));
	assert_true(sigismember(&self.mask, SIGURG));
	assert_false(sigismember(&self.mask, SIGSEGV));
}

struct kicker {
	struct shared shared;
	int pipe[2];
};

static void kick(void *arg)
{
	struct kicker *k = arg;
	bool over;

	do {
		thread_kick_main();
		mutex_lock(&k->shared.lock);
		over = k->shared.open ||
		       (cond_wait_until(&k->shared.changed, &k->shared.lock,
					clock_mono_ms() + 1),
			k->shared.open);
		mutex_unlock(&k->shared.lock);
	} while (!over);
}

static void main_is_kicked(void **state)
{
	(void)state;
	struct kicker k;
	struct thread *thread;
	char byte;

	shared_init(&k.shared);
	assert_int_equal(pipe(k.pipe), 0);
	thread_kick_main(); /* nobody is there yet */
	thread_self_main();
	thread_self_main();
	start(kick, &k, &thread);
	/* Nobody ever writes. */
	assert_int_equal(read(k.pipe[0], &byte, 1), -1);
	assert_int_equal(errno, EINTR);
	mutex_lock(&k.shared.lock);
	k.shared.open = true;
	cond_broadcast(&k.shared.changed);
	mutex_unlock(&k.shared.lock);
	thread_join(thread);
	close(k.pipe[0]);
	close(k.pipe[1]);
	shared_done(&k.shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutexes_exclude),
		cmocka_unit_test(conditions_wake),
		cmocka_unit_test(conditions_time_out),
		cmocka_unit_test(static_mutex),
		cmocka_unit_test(bugs_are_found),
		cmocka_unit_test(refs_count),
		cmocka_unit_test(threads_are_as_told),
		cmocka_unit_test(main_is_kicked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
