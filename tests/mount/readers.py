"""Processes that read in a mount and may have to wait there: other processes, because the test's own threads could not be
interrupted as a person's `cat` can."""
import os
import signal
import subprocess
import time
from contextlib import contextmanager

from harness import PATIENCE, await_true

WAITS_FOR_FUSE = ("request_wait_answer", "fuse_dev_do_write", "__fuse_request_send")


def waits_in_fuse(process):
    """Whether the kernel holds the process until the daemon answers."""
    try:
        with open(f"/proc/{process.pid}/wchan") as f:
            where = f.read()
        with open(f"/proc/{process.pid}/stat") as f:
            state = f.read().rpartition(")")[2].split()[0]
    except OSError:
        return False
    if where in ("", "0"):              # the kernel does not say where
        return state in "SD"
    return where in WAITS_FOR_FUSE or "fuse" in where


@contextmanager
def readers(paths, command=("cat",)):
    """One process a path, whose output is kept; whoever is left at the end is killed."""
    them = [subprocess.Popen([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
           for path in paths]
    try:
        yield them
    finally:
        for p in them:
            if p.poll() is None:
                p.kill()
        for p in them:
            p.communicate()


def await_waiting(them):
    """Until every one of them waits for the daemon."""
    await_true(lambda: all_wait(them), f"{len(them)} readers waiting")


def all_wait(them):
    ended = [p for p in them if p.poll() is not None]
    if ended:
        raise AssertionError(f"{len(ended)} readers did not wait: {ended[0].communicate()}")
    return not [p for p in them if not waits_in_fuse(p)]


def interrupt(them):
    """Ctrl-C to each; the seconds until the last of them was gone."""
    began = time.monotonic()
    for p in them:
        p.send_signal(signal.SIGINT)
    for p in them:
        p.wait(PATIENCE)
    return time.monotonic() - began


def seconds(call, *arguments):
    """What a call gave and how long it took."""
    began = time.monotonic()
    value = call(*arguments)
    return value, time.monotonic() - began


def stat_and_read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        return os.read(fd, size + 1)
    finally:
        os.close(fd)


def comm(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def standing(where, **more):
    """A process that stands there. Not by cwd=, as then this one, which is the service, waits for it."""
    p = subprocess.Popen(["sh", "-c", 'cd "$0" && exec sleep 60', where], **more)

    def there():
        assert p.poll() is None
        return os.readlink(f"/proc/{p.pid}/cwd") == where and comm(p.pid) == "sleep"
    await_true(there, "it stands there")
    return p
