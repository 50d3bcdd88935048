"""A mount that nobody looks at: a day of it, in seconds."""
import pytest

from conftest import SANITIZED, asked, await_true, clock_ahead

STEP_MS = 10 * 60 * 1000
HOUR = 6    # steps
# All clocks are ahead by what the file says; who waits for a time looks at them again and again, and is counted.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long *shared;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void find(void)
{
	int fd = open(getenv("CLOCK_AHEAD"), O_RDWR | O_CLOEXEC);
	void *at = mmap(0, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	shared = at == MAP_FAILED ? 0 : at;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*of)(clockid_t, struct timespec *);
	int r;

	if (!of)
		of = (int (*)(clockid_t, struct timespec *))real("clock_gettime");
	r = of(id, t);
	if (!r && shared && (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME))
		t->tv_sec += shared[0] / 1000;
	return r;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until)
{
	static int (*of)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	static int (*now)(clockid_t, struct timespec *);
	struct timespec soon;

	(void)until;
	if (!of)
		of = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))real("pthread_cond_timedwait");
	if (!now)
		now = (int (*)(clockid_t, struct timespec *))real("clock_gettime");
	now(CLOCK_MONOTONIC, &soon);
	soon.tv_nsec += 2000000;
	if (soon.tv_nsec >= 1000000000) {
		soon.tv_sec++;
		soon.tv_nsec -= 1000000000;
	}
	of(cond, lock, &soon);
	if (shared)
		__atomic_add_fetch(&shared[1], 1, __ATOMIC_RELAXED);
	return 0;
}
"""


@pytest.fixture
def day(tmp_path):
    """What a daemon needs in its environment, and a function that lets some minutes go by."""
    environment, shared = clock_ahead(tmp_path, SHIM, 2)
    word = lambda i: int.from_bytes(shared[8 * i:8 * i + 8], "little")   # noqa: E731

    def step():
        shared[0:8] = (word(0) + STEP_MS).to_bytes(8, "little")
        # Whoever waits has looked at the clock since, the worker of the background among them.
        seen = word(1)
        await_true(lambda: word(1) >= seen + 8, "the daemon saw the time go by")
    yield environment, step


def test_a_day_of_an_idle_mount(bb, mounts, day):
    """What somebody looked at is followed for an hour. Then nothing is asked for, and nothing grows."""
    environment, step = day
    m = mounts(**environment)
    for name in ("info", "pullrequests/index.tsv", "pipelines/index.tsv", "tree/README.md"):
        m.read(f"acme/widgets/{name}")
    m.ls("acme/widgets/branches")
    mark = bb.log.mark()
    for _ in range(2 * HOUR):
        step()
    assert asked(bb, mark), "the tree was followed: this clock is the daemon's"
    mark, before = bb.log.mark(), m.rss_anon()
    for _ in range(24 * HOUR):
        step()
    assert asked(bb, mark) == []
    # A sanitizer keeps what was freed.
    assert SANITIZED or m.rss_anon() - before <= 256 * 1024, (before, m.rss_anon())
    assert "tree: " in m.refresh("acme/widgets/tree") and asked(bb, mark), "it is there, and asks again"
