"""Files that a filter left out, when they are read: many in few requests, and nobody held up by another."""
import errno
import signal
import subprocess
import sys
import threading
import time

import pytest

from harness import PATIENCE
from test_sizes import import_tree
from test_tree import sound, store_of

TREE = "acme/lazy/tree"
N = 60


def content(i):
    return b"%d\n" % i * (100 + i)


@pytest.fixture
def lazy(bb, mounts, tmp_path):
    """Its server tells sizes and refuses to send a directory's files, so each comes when it is read. A mount that knows sizes."""
    import_tree(bb, tmp_path, "lazy", [(b"100644", f"d/{i:02d}", content(i)) for i in range(N)] + [
        (b"100644", "large/a", b"a" * (9 << 20)), (b"100644", "large/b", b"b" * (9 << 20)), (b"100644", "one/file", b"one\n"),
        (b"100644", "one/other", b"other\n")])
    bb.filter = bb.v2 = bb.object_info = True
    bb.refused = ("combine",)
    m = mounts("hydrate=off")
    for name in ("d", "large", "one"):
        # Each by a program and a terminal of its own: together they would be a walk.
        subprocess.run(["ls", "-l", m / f"{TREE}/{name}"], stdout=subprocess.DEVNULL, check=True, start_new_session=True)
    bb.mount = m
    return bb


def at_once(*actions):
    threads = [threading.Thread(target=action) for action in actions]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
        assert not t.is_alive()


def test_fifty_at_once(lazy):
    m, got = lazy.mount, {}
    mark = lazy.log.mark()

    def read(i):
        with open(m / f"{TREE}/d/{i:02d}", "rb") as f:
            got[i] = f.read()

    at_once(*(lambda i=i: read(i) for i in range(50)))
    assert got == {i: content(i) for i in range(50)}
    fetched = lazy.fetched(mark)
    assert len(fetched) <= 6 and all(f.endswith(" blob") for f in fetched), fetched
    assert sum(int(f.split()[0]) for f in fetched) <= N, "none comes twice"
    lazy.offline()
    assert m.read(f"{TREE}/d/07", "rb") == content(7)
    start = time.monotonic()
    with pytest.raises(OSError) as failed:
        m.read(f"{TREE}/one/other")
    assert failed.value.errno == errno.ENETUNREACH and time.monotonic() - start < 2
    m.unmount()
    assert sound(store_of(m, lazy, "acme/lazy")) == ""


def test_a_large_file_holds_up_nobody(lazy):
    m = lazy.mount
    fault = lazy.fault("/acme/lazy.git/git-upload-pack", "stall", times=1)
    readers = [subprocess.Popen(["cat", m / f"{TREE}/large/{name}"], stdout=subprocess.DEVNULL, start_new_session=True)
               for name in "ab"]
    fault.wait_hit()
    assert m.read(f"{TREE}/one/other") == "other\n"
    for reader in readers:
        reader.send_signal(signal.SIGINT)
        assert reader.wait(PATIENCE) == -signal.SIGINT
    fault.remove()
    assert len(m.read(f"{TREE}/large/a", "rb")) == len(m.read(f"{TREE}/large/b", "rb")) == 9 << 20
