/*
 * base/sync: threads, and interrupting the first of them.
 */
#include "base/sync.h"

#include <signal.h>

#define STACK_SIZE (512 * KIB)

struct thread {
	pthread_t native;
	void (*run)(void *arg);
	void *arg;
	char name[16];
};

static void *thread_main(void *arg)
{
	struct thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->arg);
	return NULL;
}

int thread_start(const char *name, void (*run)(void *arg), void *arg,
		 struct thread **ret_thread)
{
	/* A fault whose signal is blocked ends the program without the handler
	 * that logs it. */
	static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
				     SIGABRT, SIGTRAP, SIGSYS};
	cleanup(free) struct thread *thread = mem_calloc(1, sizeof(*thread));
	sigset_t blocked, before;
	pthread_attr_t attr;
	int r;

	thread->run = run;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	check(pthread_attr_init(&attr) == 0);
	check(pthread_attr_setstacksize(&attr, STACK_SIZE) == 0);
	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&blocked, faults[i]);
	/* The new thread begins with the mask of this one: signals are blocked
	 * from its first instruction on, and go to the thread that waits for
	 * them. */
	check(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
	r = pthread_create(&thread->native, &attr, thread_main, thread);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	*ret_thread = steal(&thread);
	return 0;
}

struct thread *thread_join(struct thread *thread)
{
	if (thread) {
		check(pthread_join(thread->native, NULL) == 0);
		free(thread);
	}
	return NULL;
}

static pthread_t main_thread;
static atomic_bool has_main;

static void nothing(int)
{
}

void thread_self_main(void)
{
	/* No SA_RESTART: a system call returns EINTR. SIGURG is ignored by
	 * default, so a kick that comes late, after the handler has gone, does
	 * not end the program. */
	struct sigaction action = {.sa_handler = nothing};
	sigset_t one;

	check(sigaction(SIGURG, &action, NULL) == 0);
	sigemptyset(&one);
	sigaddset(&one, SIGURG);
	check(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
	check(!atomic_load(&has_main) ||
	      pthread_equal(main_thread, pthread_self()));
	main_thread = pthread_self();
	atomic_store(&has_main, true);
}

void thread_kick_main(void)
{
	if (atomic_load(&has_main))
		pthread_kill(main_thread, SIGURG);
}
