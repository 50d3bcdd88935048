"""Downloads: their sizes from the list, their bytes by pieces, however large they are."""
import errno
import hashlib
import os
import re
import resource
import subprocess
import threading

import pytest

from conftest import SANITIZED, api, asked, await_true

D = "acme/widgets/downloads"
F = "edge/files/downloads"
BIG, BIG_SIZE = "two-gigabytes.bin", (2 << 30) + 17
STORAGE = r"GET /downloads/"


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def storage(bb, mark=0):
    """The requests to the storage host since a mark."""
    return [e for e in bb.log.since(mark, STORAGE) if e["listener"] == "storage"]


def through(bb, m, path):
    """(bytes by cat, requests to the API, requests to the storage host)"""
    mark = bb.log.mark()
    content = subprocess.run(["cat", m / path], check=True, capture_output=True).stdout
    return content, len(api(bb, mark)), len(storage(bb, mark))


def test_the_list_is_one_request_and_has_the_sizes(shared_bb, shared_mounts):
    m = shared_mounts(cache="downloads")
    os.stat(m / "acme/widgets")
    mark = shared_bb.log.mark()
    subprocess.run(["ls", "-l", m / D], check=True, stdout=subprocess.DEVNULL)
    header, *lines = m.read(f"{D}/index.tsv").splitlines()
    assert {"name", "size"} <= set(header.split("\t")) and len(lines) == 4
    for line in lines:
        row = dict(zip(header.split("\t"), line.split("\t")))
        assert os.stat(m / f"{D}/{row['name']}").st_size == int(row["size"])
    assert len(api(shared_bb, mark)) == 1 and storage(shared_bb, mark) == []


def test_the_bytes_are_right_and_asked_for_once(bb, mounts):
    m = mounts()
    bb.add_download("acme", "widgets", "exact", b"exactly this\n")
    assert "exact" in m.ls(D)
    content, n_api, n_storage = through(bb, m, f"{D}/exact")
    assert (content, n_api, n_storage) == (b"exactly this\n", 1, 1)
    assert through(bb, m, f"{D}/exact") == (b"exactly this\n", 0, 0)
    m.unmount()
    m = mounts()
    assert through(bb, m, f"{D}/exact")[2] == 0, "kept over mounts"
    bb.offline()
    assert m.read(f"{D}/exact", "rb") == b"exactly this\n"


def test_the_storage_host_sees_no_credential(bb, mounts):
    m = mounts()
    for name in m.ls(D):
        m.read(f"{D}/{name}", "rb")
    assert storage(bb) and all(e["authorization"] is None and e["status"] == 206 for e in storage(bb))


def test_every_name_is_there_once_and_readable(bb, mounts):
    m = mounts()
    names = [n for n in m.ls(F) if n not in ("index.tsv", "index.json", BIG)]
    assert {"%69ndex.tsv", "a%2Fb.txt", "CASE.txt", "case.txt", "line%0Abreak.txt", "日本語.txt"} <= set(names)
    odd = {"grew.log", "shrank.log", "odd-size"}        # whose sizes the list tells wrong
    for name in sorted(set(names) - odd):
        path = m / f"{F}/{name}"
        try:
            with open(path, "rb") as f:
                assert len(f.read()) == os.stat(path).st_size, name
        except OSError as e:
            raise AssertionError(f"{name}: {e}; {m.errors()}") from e


def test_a_size_that_is_not_true_is_told_never_believed(bb, mounts):
    m = mounts()
    for name in ("grew.log", "shrank.log"):
        fails(errno.EIO, m.read, f"{F}/{name}", "rb")
        assert name in m.errors()
    # None at all: then it is asked for.
    path = m / f"{F}/odd-size"
    with open(path, "rb") as f:
        assert len(f.read()) == os.stat(path).st_size > 0


def test_a_look_at_the_ends_of_two_gigabytes_costs_a_piece_each(bb, mounts):
    m = mounts()
    os.stat(m / f"{F}/{BIG}")
    mark = bb.log.mark()
    head = subprocess.run(["head", "-c", "1000", m / f"{F}/{BIG}"], check=True, capture_output=True).stdout
    tail = subprocess.run(["tail", "-c", "1000", m / f"{F}/{BIG}"], check=True, capture_output=True).stdout
    ours, n_api = storage(bb, mark), len(api(bb, mark))
    assert (head, tail) == (bb_bytes(bb, BIG, 0, 1000), bb_bytes(bb, BIG, BIG_SIZE - 1000, BIG_SIZE))
    assert sum(e["bytes"] for e in ours) < 3 << 20 and n_api == 1


def bb_bytes(bb, name, first, end):
    """What the service itself says."""
    account = bb.accounts["ada"]
    return subprocess.run(["curl", "-sSfL", "-u", f"{account.email}:{account.token}", "-r", f"{first}-{end - 1}",
                           f"{bb.api_url}/repositories/edge/files/downloads/{name}"], check=True, capture_output=True).stdout


def pipes(pid):
    """Descriptors of pipes: libfuse has a pair for each thread that gave bytes of a file without a copy of its own."""
    kinds = subprocess.run(["find", f"/proc/{pid}/fd", "-lname", "pipe:*"], capture_output=True, text=True).stdout
    return len(kinds.split())


@pytest.mark.skipif(bool(SANITIZED), reason="two gigabytes through a sanitizer tell nothing more")
def test_two_gigabytes_are_streamed_with_bounded_memory(bb, mounts, tmp_path):
    m = mounts()
    path = m / f"{F}/{BIG}"
    os.stat(path)
    before, peak, done = m.rss_anon(), [0], threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], m.rss_anon())

    watcher = threading.Thread(target=watch)
    watcher.start()
    mark = bb.log.mark()
    try:
        said = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout.split()[0]
    finally:
        done.set()
        watcher.join()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096:
        assert 0 < pipes(m.process.pid) <= 2 * len(os.listdir(f"/proc/{m.process.pid}/task"))
    account = bb.accounts["ada"]
    assert len(api(bb, mark)) == 1, "one request of the quota"
    expected = hashlib.sha256()
    with subprocess.Popen(["curl", "-sSfL", "-u", f"{account.email}:{account.token}",
                           f"{bb.api_url}/repositories/edge/files/downloads/{BIG}"], stdout=subprocess.PIPE) as other:
        while chunk := other.stdout.read(1 << 20):
            expected.update(chunk)
    assert said == expected.hexdigest()
    assert peak[0] - before < 16 << 20, f"{(peak[0] - before) >> 20} MB"


def test_a_replaced_download_is_another_inode(bb, mounts):
    bb.add_download("acme", "widgets", "changing", b"one\n")
    m = mounts()
    assert m.read(f"{D}/changing") == "one\n"
    with open(m / f"{D}/changing", "rb", buffering=0) as f:
        before = os.fstat(f.fileno()).st_ino
        bb.replace_download("acme", "widgets", "changing", b"two two\n")
        m.refresh(D)
        await_true(lambda: m.read(f"{D}/changing") == "two two\n", "the new one")
        f.seek(0)
        assert f.read() == b"one\n", "who reads the old one finishes it"
    assert os.stat(m / f"{D}/changing").st_ino != before


def test_a_link_that_has_had_its_time_is_asked_for_anew(bb, mounts):
    m = mounts()
    path = m / f"{F}/ten-megabytes.bin"
    with open(path, "rb", buffering=0) as f:
        assert len(f.read(1000)) == 1000
        bb.expire_links()
        f.seek(9_000_000)
        mark = bb.log.mark()
        assert len(f.read(1000)) == 1000
    assert len(api(bb, mark)) == 1


@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_what_breaks_off_goes_on_where_it_broke(bb, mounts, kind):
    m = mounts()
    expected = bb_bytes(bb, "ten-megabytes.bin", 0, 10_000_001)
    os.stat(m / f"{F}/ten-megabytes.bin")
    mark = bb.log.mark()
    bb.fault(STORAGE, kind, times=3, after_bytes=200_000)
    assert m.read(f"{F}/ten-megabytes.bin", "rb") == expected
    assert sum(e["bytes"] for e in storage(bb, mark)) < 13 << 20


@pytest.mark.concurrent
def test_many_readers_bring_each_piece_once(bb, mounts):
    m = mounts()
    path = m / f"{F}/ten-megabytes.bin"
    os.stat(path)
    mark = bb.log.mark()
    them = [subprocess.Popen(["sha256sum", path], stdout=subprocess.PIPE, text=True) for _ in range(20)]
    assert len({p.communicate()[0].split()[0] for p in them}) == 1
    assert sum(e["bytes"] for e in storage(bb, mark)) < 10_000_001 * 1.2
    assert len(api(bb, mark)) == 1


def test_what_was_read_is_there_without_a_network(bb, mounts):
    """Also for the next mount; what was not says why."""
    m = mounts()
    with open(m / f"{F}/{BIG}", "rb") as f:
        first = f.read(1000)
    m.unmount()
    m = mounts()
    size = os.stat(m / f"{F}/{BIG}").st_size
    bb.offline()
    try:
        with open(m / f"{F}/{BIG}", "rb") as f:
            assert f.read(1000) == first
            f.seek(size // 2)
            with pytest.raises(OSError) as e:
                f.read(1000)
        assert e.value.errno in (errno.ENETUNREACH, errno.ETIMEDOUT)
        assert BIG in m.errors()
    finally:
        bb.online()


def test_ctrl_c_ends_a_reader_that_waits(bb, mounts):
    m = mounts()
    path = m / f"{F}/ten-megabytes.bin"
    os.stat(path)
    f = bb.fault(STORAGE, "stall")
    reader = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL)
    f.wait_hit()
    said = await_true(lambda: re.search(r"^downloading: .*$", mounts.run("status", m.path).stdout, re.M), "it is shown")[0]
    assert re.search(r" 0%, 0 B of [\d.]+ [KMG]?B$", said), said
    one, = m.status()["downloading"]
    assert one["bytes"] == 0 and one["bytes_total"] > 0 and one["what"] in said
    reader.terminate()
    assert reader.wait(3) != 0
    f.remove()
    assert len(m.read(f"{F}/ten-megabytes.bin", "rb")) == 10_000_001


def test_what_cannot_be_had_has_its_errno(bb, mounts):
    m = mounts()
    m.ls(D)
    bb.fault(STORAGE, "status", status=500)
    fails(errno.EIO, m.read, f"{D}/CHECKSUMS", "rb")
    assert "CHECKSUMS" in m.errors()
    bb.faults.clear()
    bb.offline()
    with pytest.raises(OSError) as e:
        m.read(f"{D}/widgets-1.0.tar.gz", "rb")
    assert e.value.errno in (errno.ENETUNREACH, errno.ETIMEDOUT)
