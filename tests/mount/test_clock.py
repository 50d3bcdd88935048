"""A machine whose clock is wrong by a year, and is set right: nothing is lost, and nothing is fresh until then."""
import pytest

from conftest import await_true, clock_ahead

YEAR_MS = 365 * 24 * 3600 * 1000
# libfaketime in so few lines that nobody has to install it: the wall clock is ahead by what the file says, in ms.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long *ahead_ms;

__attribute__((constructor)) static void find(void)
{
	int fd = open(getenv("CLOCK_AHEAD"), O_RDONLY | O_CLOEXEC);
	void *at = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);

	ahead_ms = at == MAP_FAILED ? 0 : at;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, t);
	if (!r && id == CLOCK_REALTIME && ahead_ms)
		t->tv_sec += *ahead_ms / 1000;
	return r;
}
"""


@pytest.fixture
def clock(tmp_path):
    """What a daemon needs in its environment, and a function that sets its clock ahead."""
    environment, ahead = clock_ahead(tmp_path, SHIM, 1)
    set_ahead = lambda ms: ahead.__setitem__(slice(0, 8), ms.to_bytes(8, "little", signed=True))   # noqa: E731
    yield environment, set_ahead


@pytest.mark.parametrize("years", [1, -1])
@pytest.mark.parametrize("remount", [False, True])
def test_a_clock_that_was_wrong_by_a_year(bb, mounts, clock, years, remount):
    environment, set_ahead = clock
    set_ahead(years * YEAR_MS)
    m = mounts("ttl=1", **environment)
    before = m.read("acme/widgets/info"), m.read("acme/widgets/tree/README.md"), m.read("acme/widgets/pullrequests/index.tsv")
    assert all(before)
    bb.update_repo("acme", "widgets", description="after the clock was set")
    bb.push("acme", "widgets", {"README.md": "after the clock was set\n"})
    bb.update_pull("acme", "widgets", 7, title="after the clock was set")
    names = ("info", "index.tsv") if remount else ("description", "index.json")
    if remount:
        m.unmount()
    set_ahead(0)
    if remount:
        m = mounts("ttl=1", **environment)
    # Old bytes may be served once more, and no longer. (By other names: what the kernel was promised goes by no clock that
    # can be set, and it is some minutes.)
    await_true(lambda: "after the clock was set" in m.read(f"acme/widgets/{names[0]}"), "the API's answer of now")
    await_true(lambda: m.read("acme/widgets/tree/README.md") == "after the clock was set\n", "git's of now")
    await_true(lambda: "after the clock was set" in m.read(f"acme/widgets/pullrequests/{names[1]}"), "the list of now")
    # And offline, with the clock wrong again, what is cached is there.
    bb.offline()
    set_ahead(-years * YEAR_MS)
    assert m.read("acme/widgets/tree/README.md") == "after the clock was set\n"
    assert "after the clock was set" in m.read(f"acme/widgets/{names[0]}")
    bb.online()
