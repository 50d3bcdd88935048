/*
 * Another process that is writing to a cache, for as long as a test wants.
 */
#ifndef TESTS_WRITE_LOCK_H
#define TESTS_WRITE_LOCK_H

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct write_lock {
	int ready[2], done[2];
	pid_t pid;
};

/* Holds the range of the -shm that SQLite's "WAL-mode File Format" (2.3.1)
 * calls WAL_WRITE_LOCK. The cache is open and was written to. */
static inline void write_lock_hold(const char *dir, struct write_lock *lock)
{
	cleanup(free) char *path = mem_asprintf("%s/cache.db-shm", dir);
	char byte;

	assert_int_equal(pipe(lock->ready), 0);
	assert_int_equal(pipe(lock->done), 0);
	lock->pid = fork();
	if (lock->pid == 0) {
		struct flock range = {.l_type = F_WRLCK,
				      .l_whence = SEEK_SET,
				      .l_start = 120,
				      .l_len = 1};
		int fd = open(path, O_RDWR | O_CLOEXEC);

		close(lock->done[1]);
		if (fd < 0 || fcntl(fd, F_SETLK, &range) < 0 ||
		    write(lock->ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(lock->done[0], &byte, 1) != 0);
	}
	close(lock->ready[1]);
	assert_int_equal(read(lock->ready[0], &byte, 1), 1);
}

static inline void write_lock_drop(struct write_lock *lock)
{
	int status;

	close(lock->done[1]);
	assert_int_equal(waitpid(lock->pid, &status, 0), lock->pid);
	assert_int_equal(status, 0);
	close(lock->done[0]);
	close(lock->ready[0]);
}

#endif
