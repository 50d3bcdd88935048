"""What the kernel answers by itself: requests that reach the daemon are counted in libfuse's own words (-d)."""
import collections
import os
import re
import subprocess
import time

import pytest

from conftest import asked, await_true

T = "edge/hard/tree"
# A directory of 5,000 names and nothing of 200 MB: everything of the tree but its biggest files.
PARTS = ["many", "names", "src", "links", "eol", "level01", "bin", "vendor", "README.md"]


class Counted:
    """The requests that the kernel sent since the last look."""

    def __init__(self, m):
        self.m, self.at = m, 0
        self.new()

    def new(self):
        said = self.m.log_bytes()
        fresh, self.at = said[self.at:], len(said)
        return collections.Counter(op.decode() for op in re.findall(rb"^unique: \d+, opcode: (\w+)", fresh, re.M))


def quiet(*command, cwd=None, good=(0,)):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode in good, command


@pytest.fixture(scope="module")
def debugged(shared_mounts):
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged")
    m.ls(T)
    return m


@pytest.fixture
def counted(debugged):
    return Counted(debugged)


def test_requests_are_counted(debugged, counted):
    """The test of the tests: what is surely asked is in the log."""
    assert not os.path.exists(debugged / (T + "/no-such-name"))
    assert counted.new()["LOOKUP"] >= 1


WALKS = {
    "find": lambda top: quiet("find", *PARTS, "-printf", "%p %s %m %t\n", cwd=top),
    "ls -lR": lambda top: quiet("ls", "-lR", *PARTS, cwd=top),
    "grep -r": lambda top: quiet("grep", "-r", "no such words", *PARTS, cwd=top, good=(1, 2)),
    "du": lambda top: quiet("du", "-a", *PARTS, cwd=top),
    "tar": lambda top: quiet("tar", "-cf", "/dev/null", *PARTS, cwd=top),
}


@pytest.mark.parametrize("walk", WALKS)
def test_a_warm_walk_sends_nothing(shared_bb, debugged, counted, walk):
    """To nobody: neither an HTTP request nor one of the kernel's (FORGET, which tells, aside)."""
    WALKS[walk](debugged / T)
    mark = shared_bb.log.mark()
    counted.new()
    WALKS[walk](debugged / T)
    seen = counted.new()
    for told in ("FORGET", "BATCH_FORGET", "INTERRUPT"):
        seen.pop(told, None)
    assert seen == {}
    assert asked(shared_bb, mark) == []


def test_a_cold_walk_of_a_tree_costs_no_http_request_after_the_first_look(shared_bb, shared_mounts):
    m = shared_mounts("ttl=3600", cache="cold-walk")
    m.ls("acme/widgets/tree")
    mark = shared_bb.log.mark()
    for command in (["find", "."], ["ls", "-lR"], ["grep", "-r", "widget"], ["tar", "-cf", "/dev/null", "."]):
        quiet(*command, cwd=m / "acme/widgets/tree")
    assert asked(shared_bb, mark) == []


def test_a_listing_in_a_tree_brings_the_attributes(shared_mounts):
    """ls -l of 5,000 files: READDIRPLUS only, no LOOKUP and no GETATTR for each."""
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged", )
    m.ls(T)
    count = Counted(m)
    quiet("ls", "-l", m / (T + "/many"))
    seen = count.new()
    assert seen["READDIRPLUS"] > 1
    assert seen["LOOKUP"] + seen["GETATTR"] + seen["READDIR"] < 20, seen
    assert set(seen) <= {"READDIRPLUS", "LOOKUP", "GETATTR", "OPENDIR", "GETXATTR", "LISTXATTR", "READDIR"}, seen


def test_open_and_xattr_are_refused_once_per_mount(shared_mounts):
    m = shared_mounts("ttl=3600", arguments=("-d",), cache="debugged")
    quiet("grep", "-r", "x", m / (T + "/eol"), good=(0, 1, 2))
    quiet("ls", "-la", m / (T + "/eol"))
    for name in m.ls(T + "/eol"):
        for call in (os.listxattr, lambda p: os.getxattr(p, "user.x")):
            with pytest.raises(OSError):
                call(m / f"{T}/eol/{name}")
    count = Counted(m)
    count.at = 0
    seen = count.new()
    for op in ("OPEN", "OPENDIR", "GETXATTR", "LISTXATTR", "FLUSH"):
        assert seen[op] <= 1, (op, seen)
    assert not {"RELEASE", "RELEASEDIR", "ACCESS"} & set(seen), seen


def test_a_file_is_read_once(debugged, counted):
    quiet("cat", debugged / (T + "/medium.txt"))
    assert counted.new()["READ"] > 1
    for _ in range(3):
        quiet("cat", debugged / (T + "/medium.txt"))
    assert counted.new() == {}


def test_a_path_through_what_nobody_listed_asks_nobody(shared_bb, debugged, counted):
    """The root and the workspace were entered by name: walking through them is no reason to ask for their attributes."""
    quiet("stat", debugged / (T + "/src/one.c"))
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
    for _ in range(2):
        quiet("ls", "-l", debugged / "acme")
        quiet("sh", "-c", "cat */info */description */repository.json", cwd=debugged / "acme")
    counted.new()
    mark = shared_bb.log.mark()
    quiet("ls", "-l", debugged / "acme")
    quiet("sh", "-c", "cat */info */description */repository.json", cwd=debugged / "acme")
    assert counted.new() == {}
    assert asked(shared_bb, mark) == []


def test_a_push_is_told_for_what_changed_only(bb, mounts):
    """After a push of one file, a warm walk asks again for that file and its directories, not for 5,000 others."""
    m = mounts("ttl=3600", arguments=("-d",))
    m.ls(T)     # a child that is born in a cold directory would hold up the service, which lives in this process
    for walk in ("ls -lR", "grep -r"):
        WALKS[walk](m / T)
    bb.push("edge", "hard", {"src/one.c": "int one(void) { return 2; }\n"})
    m.refresh(T)
    await_true(lambda: "return 2" in m.read(T + "/src/one.c"), "the push")
    count = Counted(m)
    m.read("edge/hard/tree/CHANGES")
    for walk in ("ls -lR", "grep -r"):
        WALKS[walk](m / T)
    seen = count.new()
    assert seen["READ"] <= 2 and sum(seen.values()) < 30, seen


def test_grep_over_info_after_one_change_reads_one(bb, mounts):
    m = mounts(arguments=("-d",))
    m.ls("acme")
    quiet("sh", "-c", "cat */info", cwd=m / "acme")
    bb.update_repo("acme", "widgets", description="changed")
    m.refresh("acme/widgets")
    assert "description: changed" in m.read("acme/widgets/info")
    count = Counted(m)
    quiet("sh", "-c", "cat */info", cwd=m / "acme")
    assert count.new()["READ"] == 0
