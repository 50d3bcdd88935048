/*
 * store/say: one listener; it is called with no lock held, and counted, so that
 * it can be taken away.
 */
#include "store/say.h"

#include "base/log.h"
#include "base/sync.h"

#include <stdarg.h>

static struct {
	struct mutex lock;
	store_listener *listener; /* under lock */
	void *arg;                /* under lock */
	unsigned n_calls;         /* under lock: under way */
} ear = {.lock = MUTEX_INITIALIZER};

static void tell(const char *path, int errnum, const char *sentence)
{
	store_listener *listener;
	void *arg;

	mutex_lock(&ear.lock);
	listener = ear.listener;
	arg = ear.arg;
	ear.n_calls += listener != NULL;
	mutex_unlock(&ear.lock);
	if (!listener)
		return;
	listener(arg, path, errnum, sentence);
	mutex_lock(&ear.lock);
	ear.n_calls--;
	mutex_unlock(&ear.lock);
}

const char *store_why(int errnum)
{
	switch (errnum) {
	case ENOSPC:
		return "the disk of the cache is full";
	case EMFILE:
		return "this process has as many files open as it may "
		       "(RLIMIT_NOFILE)";
	case ENFILE:
		return "this machine has as many files open as it may";
	case ENOMEM:
		return "this machine has no memory left";
	case EROFS:
		return "the disk of the cache is mounted read-only";
	case EACCES:
	case EPERM:
		return "this user may not use the files of the cache";
	case EBUSY:
		return "another process is writing into the cache";
	case EIO:
		return "the files of the cache cannot be read";
	default:
		return strerror(errnum);
	}
}

void store_say(const char *path, int errnum, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	log_warn("%s: %s", path, sentence);
	tell(path, errnum, sentence);
}

void store_listen(store_listener *listener, void *arg)
{
	bool busy = true;

	while (busy) {
		mutex_lock(&ear.lock);
		ear.listener = listener;
		ear.arg = arg;
		busy = ear.n_calls > 0;
		mutex_unlock(&ear.lock);
		/* At the end of the program, for as long as a line takes. */
		if (busy)
			sched_yield();
	}
}
