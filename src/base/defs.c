/*
 * base/defs: the end of the program when it finds a bug of its own.
 */
#include "base/defs.h"

#include <stdatomic.h>
#include <unistd.h>

static _Atomic(defs_say *) say_failed;

void defs_say_by(defs_say *say)
{
	atomic_store(&say_failed, say);
}

void defs_check_failed(const char *condition, const char *file, int line)
{
	static atomic_flag failing = ATOMIC_FLAG_INIT;
	defs_say *say = atomic_load(&say_failed);

	/* What says it may fail a check itself: said once, not for ever. */
	if (!atomic_flag_test_and_set(&failing)) {
		if (say)
			say(condition, file, line);
		else
			dprintf(STDERR_FILENO,
				"%s:%d: this must not happen: %s\n", file, line,
				condition);
	}
	abort();
}
