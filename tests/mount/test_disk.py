"""The disk of the cache is full, or the cache is removed under a mount; what a killed mount left."""
import errno
import os
import subprocess

import pytest

from conftest import api, await_true


@pytest.fixture
def small(mounts):
    """A cache on a disk of 16 MB."""
    if os.getuid() != 0:
        pytest.skip("SKIPPED: a small disk is mounted by root alone")
    place = str(mounts.place / "cache")
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", place], check=True)
    yield place
    mounts.take_down()
    mounts.all.clear()
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with open(os.path.join(place, "fill"), "wb", buffering=0) as f:
        piece = b"x" * 65536
        while piece:
            try:
                f.write(piece)
            except OSError as e:
                assert e.errno == errno.ENOSPC
                piece = piece[:len(piece) // 2]


def test_what_one_reads_is_shown_although_the_disk_is_full(bb, mounts, small):
    m = mounts()
    m.ls("acme")
    fill(small)
    names = m.ls("acme")
    mark = bb.log.mark()
    for name in names:
        assert f"slug: {name}\n" in m.read(f"acme/{name}/info")
    for what in ("pullrequests", "branches", "pipelines", "downloads"):
        assert m.read(f"acme/widgets/{what}/index.tsv").count("\n") > 1, what
    assert "title" in m.read("acme/widgets/pullrequests/7/info")
    assert m.ls("acme/widgets/pullrequests/7/comments")
    n = len(api(bb, mark))
    for what in ("pullrequests", "branches", "pipelines", "downloads"):
        m.read(f"acme/widgets/{what}/index.tsv")
    assert len(api(bb, mark)) == n, "it is kept for a while"
    lines = [x for x in m.errors().splitlines() if "\tENOSPC\t" in x]
    assert len(lines) == 1 and "kept in memory" in lines[0], m.errors()
    with pytest.raises(OSError) as e:
        m.ls("acme/widgets/tree")
    assert e.value.errno == errno.ENOSPC
    assert "the disk of the cache is full" in m.errors() and "server" not in m.errors()
    os.unlink(os.path.join(small, "fill"))
    await_true(lambda: tree(m), "there is space again")
    m.unmount()
    assert "README.md" in mounts().ls("acme/widgets/tree")


STEPS = "acme/widgets/pipelines/3/steps"


def test_small_logs_and_downloads_are_read_although_the_disk_is_full(bb, mounts, small):
    """Those of up to 1 MiB, by way of memory; a larger one needs the disk."""
    bb.add_download("acme", "widgets", "small.bin", b"small" * 1000)
    bb.add_download("acme", "widgets", "large.bin", b"large" * 1000000)
    m = mounts()
    step = next(n for n in m.ls(STEPS) if n.startswith("1-"))
    m.ls(f"{STEPS}/{step}"), m.read("acme/widgets/downloads/index.tsv")
    fill(small)
    log = m.read(f"{STEPS}/{step}/log")
    assert log and len(log.encode()) == os.stat(m / f"{STEPS}/{step}/log").st_size
    assert m.read(f"{STEPS}/{step}/log") == log
    assert m.read("acme/widgets/downloads/small.bin") == "small" * 1000
    lines = [x for x in m.errors().splitlines() if "logs and downloads of up to 1 MiB" in x]
    assert len(lines) == 1, m.errors()
    with pytest.raises(OSError) as e:
        with open(m / "acme/widgets/downloads/large.bin", "rb") as f:
            f.read()
    assert e.value.errno == errno.ENOSPC
    os.unlink(os.path.join(small, "fill"))
    m.unmount()
    m = mounts()
    assert m.read(f"{STEPS}/{step}/log") == log
    assert len(m.read("acme/widgets/downloads/large.bin")) == 5000000


def test_a_log_that_grows_does_not_go_on_in_memory(bb, mounts, small):
    """Nobody says how long it will be: what is over 1 MiB needs the disk, however it comes."""
    n = bb.create_pipeline("acme", "widgets", ["Build"])
    bb.append_log("acme", "widgets", n, "Build", "line\n" * 1000)
    m = mounts()
    steps = f"acme/widgets/pipelines/{n}/steps"
    log = f"{steps}/{next(x for x in m.ls(steps) if x.startswith('1-'))}/log"
    fill(small)
    assert len(m.read(log)) == 5000
    bb.append_log("acme", "widgets", n, "Build", "line\n" * 600000)
    await_true(lambda: os.stat(m / log).st_size > 5000, "it is looked at again")
    shown = m.read(log)
    assert 5000 < len(shown) <= 1 << 20 and shown == ("line\n" * 300000)[:len(shown)]
    os.unlink(os.path.join(small, "fill"))
    m.unmount()
    assert len(mounts().read(log)) == 3005000


def tree(m):
    try:
        return "README.md" in m.ls("acme/widgets/tree")
    except OSError:
        return False


def test_a_cache_that_is_removed_under_a_mount_is_begun_anew(bb, mounts):
    m = mounts()
    m.ls("acme"), m.read("acme/widgets/info"), m.ls("acme/widgets/tree")
    subprocess.run(["rm", "-rf", m.cache], check=True)
    assert "slug: website\n" in m.read("acme/website/info")
    assert m.read("acme/website/tree/README.md")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets")
    assert m.refresh("acme/widgets/pullrequests")
    assert m.read("acme/widgets/pullrequests/index.tsv").count("\n") > 1
    name = m.ls("acme/widgets/downloads")[0]
    os.stat(m / f"acme/widgets/downloads/{name}")
    assert "cannot" not in m.errors(), m.errors()
    databases = [p for p, _, files in os.walk(m.cache) if "cache.db" in files]
    assert len(databases) == 1
    for place, _, _ in os.walk(m.cache):
        assert os.stat(place).st_mode & 0o077 == 0, place
    m.unmount()
    mark = bb.log.mark()
    again = mounts()
    assert "slug: website\n" in again.read("acme/website/info")
    assert again.read("acme/widgets/pullrequests/index.tsv").count("\n") > 1
    assert [x for x in api(bb, mark) if "pullrequests" in x] == [], "caching went on"


def test_what_a_killed_mount_left_is_swept_at_the_next_start(bb, mounts):
    m = mounts()
    m.ls("acme/widgets/tree"), m.ls("acme/billing/tree")
    m.kill()
    left = [os.path.join(p, d) for p, folders, _ in os.walk(m.cache) for d in folders if d.startswith("tmp-")]
    assert len(left) == 2
    mounts()
    await_true(lambda: not any(map(os.path.exists, left)), "nobody looked at either")
