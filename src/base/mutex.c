/*
 * base/sync: locks, thin wrappers that check what pthread returns.
 */
#include "base/sync.h"

void mutex_init(struct mutex *m)
{
	pthread_mutexattr_t attr;

	check(pthread_mutexattr_init(&attr) == 0);
	check(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK) == 0);
	check(pthread_mutex_init(&m->native, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

void mutex_done(struct mutex *m)
{
	check(pthread_mutex_destroy(&m->native) == 0);
}

no_lock_analysis void mutex_lock(struct mutex *m)
{
	check(pthread_mutex_lock(&m->native) == 0);
}

no_lock_analysis void mutex_unlock(struct mutex *m)
{
	check(pthread_mutex_unlock(&m->native) == 0);
}
