"""What the kernel answers by itself: requests that reach the daemon are counted in libfuse's own words (-d)."""
import itertools
import mmap
import os
import subprocess
import time

import pytest

from conftest import asked, await_true
from counting import ATTEMPTS, Counted, quiet

T = "edge/hard/tree"
# A directory of 5,000 names and nothing of 200 MB: everything of the tree but its biggest files.
PARTS = ["many", "names", "src", "links", "eol", "level01", "bin", "vendor", "README.md"]


def run(*command, cwd=None, good=(0,)):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode in good, command


@pytest.fixture(scope="module")
def debugged(shared_mounts):
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged")
    m.ls(T)
    return m


@pytest.fixture
def counted(debugged):
    count = Counted(debugged, T)
    count.renew()
    count.new()
    return count


def test_requests_are_counted(debugged, counted):
    """The test of the tests: what is surely asked is in the log."""
    assert not os.path.exists(debugged / (T + "/no-such-name"))
    assert counted.new()["LOOKUP"] >= 1


WALKS = {
    "find": lambda top: run("find", *PARTS, "-printf", "%p %s %m %t\n", cwd=top),
    "ls -lR": lambda top: run("ls", "-lR", *PARTS, cwd=top),
    "grep -r": lambda top: run("grep", "-r", "no such words", *PARTS, cwd=top, good=(1,)),
    "du": lambda top: run("du", "-a", *PARTS, cwd=top),
    "tar": lambda top: run("tar", "-cf", "/dev/null", *PARTS, cwd=top),
}


@pytest.mark.parametrize("walk", WALKS)
def test_a_warm_walk_sends_nothing(shared_bb, debugged, counted, walk):
    """To nobody: neither an HTTP request nor one of the kernel's (FORGET, which tells, aside)."""
    def step():
        WALKS[walk](debugged / T)
    step()
    mark = shared_bb.log.mark()
    quiet(counted, step, before=step)
    assert asked(shared_bb, mark) == []


def lose_pages(counted, take, times, **more):
    """A walk whose file loses its pages by take() before it, so many times."""
    path, left = counted.m / (T + "/over-8MB.bin"), [times]

    def lose():
        run("cat", path)
        if left[0]:
            left[0] -= 1
            with open(path, "rb") as f:
                take(f.fileno())
    quiet(counted, lambda: run("cat", path), before=lose, **more)


def drop(fd):
    """As an invalidation: the kernel does not remember that it had them."""
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def reclaim(fd):
    """The kernel's own way to take a page, asked for by name (madvise(2), MADV_PAGEOUT)."""
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as pages:
        assert sum(pages[::mmap.PAGESIZE]) >= 0
        pages.madvise(21)


def test_a_page_that_was_lost_is_told_from_one_that_the_kernel_took(debugged, counted):
    """The test of quiet(): what the kernel reclaims is counted again, and what it does not fails."""
    lose_pages(counted, reclaim, 1)
    with pytest.raises(AssertionError, match="asked for again"):
        lose_pages(counted, drop, ATTEMPTS)
    with pytest.raises(AssertionError, match="never kept"):
        lose_pages(counted, reclaim, 2, attempts=2)


def test_a_cold_walk_of_a_tree_costs_no_http_request_after_the_first_look(shared_bb, shared_mounts):
    m = shared_mounts("ttl=3600", cache="cold-walk")
    m.ls("acme/widgets/tree")
    mark = shared_bb.log.mark()
    for command in (["find", "."], ["ls", "-lR"], ["grep", "-r", "widget"], ["tar", "-cf", "/dev/null", "."]):
        run(*command, cwd=m / "acme/widgets/tree")
    assert asked(shared_bb, mark) == []


def test_a_listing_in_a_tree_brings_the_attributes(shared_mounts):
    """ls -l of 5,000 files: READDIRPLUS only, no LOOKUP and no GETATTR for each."""
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged", )
    m.ls(T)
    count = Counted(m, T)
    run("ls", "-l", m / (T + "/many"))
    seen = count.new()
    assert seen["READDIRPLUS"] > 1
    assert seen["LOOKUP"] + seen["GETATTR"] + seen["READDIR"] < 20, seen
    assert set(seen) <= {"READDIRPLUS", "LOOKUP", "GETATTR", "OPENDIR", "RELEASEDIR", "GETXATTR", "LISTXATTR", "READDIR"}, seen


def test_open_and_xattr_are_refused_once_per_mount(shared_mounts):
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged")
    run("grep", "-r", "x", m / (T + "/eol"), good=(0, 1, 2))
    run("ls", "-la", m / (T + "/eol"))
    for name in m.ls(T + "/eol"):
        for call in (os.listxattr, lambda p: os.getxattr(p, "user.x")):
            with pytest.raises(OSError):
                call(m / f"{T}/eol/{name}")
    count = Counted(m, T)
    count.at = 0
    seen = count.new()
    for op in ("OPEN", "GETXATTR", "LISTXATTR", "FLUSH"):
        assert seen[op] <= 1, (op, seen)
    assert not {"RELEASE", "ACCESS"} & set(seen), seen
    assert seen["OPENDIR"] == seen["RELEASEDIR"] > 1, "an error of a directory comes where every program looks for it"


def test_a_file_is_read_once(debugged, counted):
    def cat():
        run("cat", debugged / (T + "/medium.txt"))
    counted.new()
    cat()
    assert counted.new()["READ"] > 1
    quiet(counted, lambda: [cat() for _ in range(3)])


def test_a_path_through_what_nobody_listed_asks_nobody(shared_bb, debugged, counted):
    """The root and the workspace were entered by name: walking through them is no reason to ask for their attributes."""
    run("stat", debugged / (T + "/src/one.c"))
    counted.new()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        os.stat(debugged / (T + "/src/one.c"))
    assert counted.new() == {}


def test_a_name_that_is_not_there_is_asked_for_once(shared_bb, debugged, counted):
    for name in (T + "/nothing-here", T + "/src/nothing.c", "edge/hard/.git", "edge/hard/nothing", ".Trash-0", "edge/.hidden"):
        assert not os.path.exists(debugged / name)
        counted.new()
        mark = shared_bb.log.mark()
        for _ in range(5):
            assert not os.path.exists(debugged / name)
        assert counted.new() == {}, name
        assert asked(shared_bb, mark) == []


def test_a_listing_of_a_workspace_is_kept_while_it_is_fresh(shared_bb, debugged, counted):
    def walk():
        run("ls", "-l", debugged / "acme")
        run("sh", "-c", "cat */info */description */repository.json", cwd=debugged / "acme")
    for _ in range(2):
        walk()
    mark = shared_bb.log.mark()
    quiet(Counted(debugged, "acme"), walk, before=walk)
    assert asked(shared_bb, mark) == []


def test_a_push_is_told_for_what_changed_only(bb, mounts):
    """After a push of one file, a warm walk asks again for that file and its directories, not for 5,000 others."""
    m = mounts("ttl=3600", arguments=("-d",))
    m.ls(T)     # a child that is born in a cold directory would hold up the service, which lives in this process

    def walk():
        for name in ("ls -lR", "grep -r"):
            WALKS[name](m / T)

    def push(values=itertools.count(2)):
        value = next(values)
        bb.push("edge", "hard", {"src/one.c": f"int one(void) {{ return {value}; }}\n"})
        m.refresh(T)
        await_true(lambda: f"return {value};" in m.read(T + "/src/one.c"), "the push")

    def look():
        m.read("edge/hard/tree/CHANGES")
        walk()
    walk()
    print(quiet(Counted(m, T), look, before=push, reads=2, others=27))


def test_grep_over_info_after_one_change_reads_one(bb, mounts):
    m = mounts(arguments=("-d",))
    m.ls("acme")

    def cat():
        run("sh", "-c", "cat */info", cwd=m / "acme")

    def change(values=itertools.count()):
        value = f"changed {next(values)}"
        bb.update_repo("acme", "widgets", description=value)
        m.refresh("acme/widgets")
        assert f"description: {value}" in m.read("acme/widgets/info")
    cat()
    print(quiet(Counted(m, "acme"), cat, before=change, others=10))
