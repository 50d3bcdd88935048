"""The program in the background, as a person starts it; and as an ordinary user."""
import ctypes
import os
import signal
import subprocess
import tempfile

import pytest

from harness import BINARY, PATIENCE, await_true, mounted

PR_SET_CHILD_SUBREAPER = 36
ROOT = os.getuid() == 0
NOBODY = 65534 if ROOT else os.getuid()     # an ordinary user: another one than root


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as f:
        return {int(pid) for pid in f.read().split()}


def becoming(user):
    """What makes subprocess.run do it as that user; None: as who runs the tests."""
    return {"user": user, "group": user, "extra_groups": []} if user is not None and ROOT else {}


class Background:
    """Runs the program as a person does, and is who its daemons come back to: their end and its status can be seen."""

    def __init__(self, mounts):
        self.mounts, self.daemons, self.binary = mounts, [], BINARY
        self.places = set()

    def __call__(self, *arguments, where=None, cwd=None, timeout=PATIENCE, run_as=None, **more):
        before = children()
        account, cache = more.pop("account", "ada"), more.pop("cache", "cache")
        e = self.mounts.environment(account, **{"BITBUCKETFS_CACHE_DIR": str(self.mounts.place / cache), **more})
        if where:
            self.places.add(where)
            arguments += (where,)
        done = subprocess.run([self.binary, *arguments], env=e, capture_output=True, text=True, timeout=timeout, cwd=cwd,
                              stdin=subprocess.DEVNULL, **becoming(run_as))
        self.daemons += sorted(children() - before)
        return done

    def await_end(self, daemon):
        """The exit status of a daemon that was told to end."""
        def ended():
            pid, status = os.waitpid(daemon, os.WNOHANG)
            return (status,) if pid else None
        status, = await_true(ended, "the daemon's end")
        self.daemons.remove(daemon)
        return os.waitstatus_to_exitcode(status)

    def take_down(self):
        for daemon in list(self.daemons):
            os.kill(daemon, signal.SIGTERM)
        failures = []
        for daemon in list(self.daemons):
            if self.await_end(daemon):
                failures.append(f"daemon {daemon} ended badly")
        for where in self.places:
            if mounted(where):
                subprocess.run(["umount", "-l", where], check=False)
                failures.append(f"a stray mount was left at {where}")
        assert not failures, failures


def as_user(*command, **more):
    """A command as the ordinary user, to its end."""
    return subprocess.run(command, capture_output=True, text=True, **becoming(NOBODY), **more)


@pytest.fixture
def background(mounts):
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    made = Background(mounts)
    yield made
    mounts.bb.faults.clear()
    try:
        made.take_down()
    finally:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def as_nobody(bb, background):
    """Directories of an ordinary user, who mounts with fusermount3."""
    def give(path):
        if ROOT:
            os.chown(path, NOBODY, NOBODY)

    place = tempfile.mkdtemp(prefix="bitbucketfs-nobody-")
    give(place)
    can = as_user("test", "-x", BINARY, "-a", "-r", "/dev/fuse", "-a", "-w", "/dev/fuse")
    if can.returncode:
        os.rmdir(place)
        pytest.skip(f"NOT TESTED: an ordinary user may not run {BINARY} or open /dev/fuse (chmod 666 /dev/fuse)")
    for name in ("home", "mnt"):
        os.mkdir(f"{place}/{name}")
        give(f"{place}/{name}")
    background.mounts.place, before = type(background.mounts.place)(place), background.mounts.place
    (background.mounts.place / "xdg-run").mkdir()
    yield background, f"{place}/mnt"
    background.take_down()
    background.mounts.place = before
    subprocess.run(["rm", "-rf", place], check=True)
