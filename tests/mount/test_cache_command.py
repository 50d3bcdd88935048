"""bitbucketfs cache: what takes how much of the disk, and what is kept; beside a mount and without one, and no request."""
import fcntl
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import termios
import time

import pytest

from conftest import BINARY, PATIENCE, asked
from conftest import git as git_requests

NAME = "acme/widgets"


def account(place):
    """The directory of the only account."""
    return next(p.parent for p in (place / "cache").glob("*/*/cache.db"))


def told(mounts):
    done = mounts.run("cache", "--json", account=None)
    assert done.returncode == 0, done.stderr
    return {r["name"]: r for r in json.loads(done.stdout)["caches"][0]["repositories"]}


@pytest.fixture
def filled(bb, mounts):
    """What was looked at: a file of two repositories, a download of one, and of another its row of the listing alone."""
    m = mounts("cache_size=500M")
    m.ls("acme")
    for name in f"{NAME}/tree/README.md", "acme/website/tree/README.md", f"{NAME}/downloads/widgets-1.1.tar.gz":
        m.read(name, "rb")
    return m


def test_what_takes_how_much(bb, mounts, filled):
    mark = bb.log.mark()
    began = time.monotonic()
    beside = told(mounts)
    assert time.monotonic() - began < 5
    assert list(beside) == [NAME, "acme/website"]
    w = beside[NAME]
    assert w["downloads"] >= 190003 and w["git"] > 0 and w["answers"] > 0 and not w["kept"] and w["used"][:2] == "20"
    assert w["bytes"] == w["git"] + w["big_files"] + w["downloads"] + w["answers"]
    cache = filled.status()["cache"]
    assert cache["used"] > w["bytes"] / 2 and cache["bound"] == 500 << 20
    assert re.search("^cache: .* in all, of 524.3 MB$", filled.read(".bitbucketfs/status"), re.MULTILINE)
    filled.unmount()
    assert told(mounts)[NAME]["downloads"] == w["downloads"]
    people = mounts.run("cache", "-o", "cache_size=500M", account=None).stdout.splitlines()
    assert people[1].split() == "ALL GIT BIG FILES DOWNLOADS ANSWERS USED REPOSITORY".split()
    assert [line.split()[-1] for line in people[2:4]] == [NAME, "acme/website"]
    assert people[-1].endswith("of 524.3 MB (cache_size)")
    assert asked(bb, mark) == []


def test_a_narrow_terminal(mounts, filled):
    e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"))
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        os.execve(BINARY, [BINARY, "cache"], {**e, "LC_ALL": "C"})
    text = b""
    try:
        while piece := os.read(fd, 4096):
            text += piece
    except OSError:
        pass
    assert os.waitpid(pid, 0)[1] == 0
    rows = text.decode().splitlines()
    assert all(len(row) <= 40 for row in rows) and any(row.endswith("  " + NAME) for row in rows)


def test_keep_and_unkeep(bb, mounts, filled):
    mark = bb.log.mark()
    assert mounts.run("cache", "keep", str(filled / f"{NAME}/tree/src")).stdout == f"{NAME} is kept\n"
    assert told(mounts)[NAME]["kept"] and not told(mounts)["acme/website"]["kept"]
    done = mounts.run("cache", "keep", "acme", account=None)
    assert done.returncode == 0 and sorted(done.stdout.splitlines()) == ["acme/website is kept", f"{NAME} is kept"]
    assert f"{NAME} (kept)" in mounts.run("cache", account=None).stdout
    assert mounts.run("cache", "unkeep", NAME, account=None).stdout == f"{NAME} is kept no longer\n"
    assert not told(mounts)[NAME]["kept"]
    assert asked(bb, mark) == []


def test_drop_beside_a_mount(bb, mounts, filled):
    store = next(account(mounts.place).glob("git/*"))
    git = next(r for r in told(mounts).values() if r["uuid"] + ".git" == store.name)["name"]
    assert mounts.run("cache", "keep", git).returncode == 0
    done = mounts.run("cache", "drop", git)
    assert done.returncode == 1 and f"bitbucketfs cache unkeep {git} lets it go" in done.stderr
    assert mounts.run("cache", "unkeep", git).returncode == 0
    # It is being fetched, by whichever process.
    lock = os.open(store / "evict.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    done = mounts.run("cache", "drop", git)
    assert done.returncode == 1 and f"{git} stays: it is being fetched" in done.stderr
    os.close(lock)
    mark = bb.log.mark()
    done = mounts.run("cache", "drop", "acme")
    assert done.returncode == 0 and sorted(line.split(":")[0] for line in done.stdout.splitlines()) == ["acme/website", NAME]
    assert asked(bb, mark) == []
    assert told(mounts)[NAME]["downloads"] == 0
    # What was dropped is listed, and comes again.
    assert "main.c" in filled.ls(f"{NAME}/tree/src") and asked(bb, mark) == []
    assert filled.read(f"{NAME}/tree/src/main.c") and git_requests(bb, mark)
    assert filled.read(f"{NAME}/downloads/widgets-1.0.tar.gz", "rb")
    subprocess.run(["git", "--git-dir", store, "fsck"], check=True, capture_output=True)


WRONG = [
    (["keep", "acme/nothing"], 1, "nothing of 'acme/nothing' is cached"),
    (["keep", "acme/billing"], 1, "look into its tree first"),
    (["keep", "/etc"], 1, "is no repository and no workspace"),
    (["keep", "~x"], 1, "is no repository and no workspace"),
    (["keep"], 2, "cache keep needs a PATH"),
    (["kepe", NAME], 2, "and not 'kepe'"),
    (["keep", "--json", NAME], 2, "takes no --json"),
]


def test_what_is_wrong_is_said(mounts, filled):
    for words, code, sentence in WRONG:
        done = mounts.run("cache", *words, account=None)
        assert (done.returncode, done.stdout) == (code, "") and sentence in done.stderr, words


def test_a_cache_that_is_not_to_be_used(mounts, filled):
    filled.unmount()
    here = account(mounts.place)
    # Somebody removes it.
    lock = os.open(here, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = mounts.run("cache", "keep", NAME, account=None)
    assert done.returncode == 1 and "is locked by another bitbucketfs" in done.stderr
    os.close(lock)
    # Another program has the database to itself.
    with sqlite3.connect(here / "cache.db", isolation_level=None) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        done = mounts.run("cache", account=None)
        assert done.returncode == 1 and "is locked by another program" in done.stderr
        db.execute("ROLLBACK")
    db.close()
    with sqlite3.connect(here / "cache.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (here / "cache.db").read_bytes()
    for words in [], ["keep", NAME]:
        done = mounts.run("cache", *words, account=None)
        assert done.returncode == 1 and "is of a later version of bitbucketfs" in done.stderr
    assert (here / "cache.db").read_bytes() == before


def test_a_disk_that_is_read_only(mounts, filled):
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: a mount namespace of its own needs root")
    filled.unmount()
    cache = str(mounts.place / "cache")
    script = f"mount --bind {cache} {cache} && mount -o remount,bind,ro {cache} && {BINARY} cache && {BINARY} cache keep {NAME}"
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], capture_output=True, text=True,
                          timeout=PATIENCE, env=mounts.environment(None, BITBUCKETFS_CACHE_DIR=cache))
    assert done.returncode == 1 and NAME in done.stdout and "file system that is read-only" in done.stderr


def test_nothing_yet(mounts):
    done = mounts.run("cache", account=None)
    assert done.returncode == 0 and done.stdout.endswith("has nothing yet\n")
