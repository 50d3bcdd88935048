/*
 * store/page_guard: libgit2 maps packs. A page of a map that the file has no
 * more (somebody cut it), or that the disk cannot read, is SIGBUS, which would
 * end the mount and every program that stands in it. Between page_guard_begin
 * and page_guard_end such a page is a page of zeros instead, for this process
 * alone, and counted: whoever used it has read nothing, whatever it made of it.
 */
#include "store/page_guard.h"

#include "base/defs.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static long page_size;
static __thread unsigned depth;
static __thread unsigned n_lost;

/* Only what may be called in a handler. */
static void page_is_gone(int signo, siginfo_t *info, void *)
{
	int saved = errno;
	uintptr_t at = (uintptr_t)info->si_addr & ~((uintptr_t)page_size - 1);

	if (depth && info->si_code > 0 && at &&
	    mmap((void *)at, (size_t)page_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
		n_lost++;
	else
		/* The fault comes again, and is the end. */
		signal(signo, SIG_DFL);
	errno = saved;
}

void page_guard_init(void)
{
	struct sigaction action = {
		.sa_sigaction = page_is_gone,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};

	page_size = sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void page_guard_begin(void)
{
	depth++;
}

void page_guard_end(void)
{
	check(depth > 0);
	depth--;
}

unsigned page_guard_n_lost(void)
{
	return n_lost;
}
