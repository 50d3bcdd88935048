"""LFS content: what is asked for when it is read, what is believed of what comes, and what a walk costs."""
import errno
import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from bitbucket.lfs import oid_of
from bitbucket.storage import Made

from conftest import SANITIZED, await_true, git

HOME = "acme/widgets/tree"
RULES = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
MB = 1 << 20


def content(what):
    return what if isinstance(what, bytes) else b"".join(what.read(0, what.length))


def push(bb, files, repo="widgets", **more):
    """Files of LFS, beside others: {path: content, or bytes that are no object's}."""
    pointers = {path: bb.add_lfs("acme", repo, what) for path, what in files.items()}
    bb.push("acme", repo, {**RULES, **pointers, **more})
    return {path: oid_of(text) for path, text in pointers.items()}


def batches(bb, mark=0):
    """How many objects each batch since a mark asked for."""
    return [len(e["git"]["oids"]) for e in bb.log.since(mark, "info/lfs") if e["listener"] == "api"]


def storage(bb, mark=0):
    return bb.log.since(mark, r"GET /lfs/")


def fails(m, path, code=errno.EIO):
    """The sentence of a read that fails."""
    with pytest.raises(OSError) as failed:
        with open(m / path, "rb", 0) as f:
            while f.read(MB):
                pass
    assert failed.value.errno == code, errno.errorcode[failed.value.errno]
    return m.told(path)


@pytest.mark.parametrize("how", ["link", "header"])
def test_content_comes_when_it_is_read_and_once(bb, mounts, how):
    bb.lfs.how = how
    files = {"a.bin": b"small", "b.bin": Made(3 * MB + 5, "b"), "dir/c.bin": b"in a directory"}
    push(bb, files)
    m = mounts()
    assert {p: os.stat(m / f"{HOME}/{p}").st_size for p in files} == {"a.bin": 5, "b.bin": 3 * MB + 5, "dir/c.bin": 14}
    assert batches(bb) == [] and storage(bb) == []
    for path, what in files.items():
        assert m.read(f"{HOME}/{path}", "rb") == content(what), path
    # Those of a directory are asked about together.
    assert batches(bb) == [2, 1]
    assert all(e["status"] in (200, 206) and e["account"] == "anonymous" for e in storage(bb)) or how == "header"
    assert all(e["account"] == "ada" for e in bb.log.since(0, "info/lfs"))
    assert len(git(bb)) == len([e for e in bb.log.all(r"\.git/")])
    mark = bb.log.mark()
    m.unmount()
    m = mounts()
    bb.offline()
    for path, what in files.items():
        assert m.read(f"{HOME}/{path}", "rb") == content(what), path
    assert storage(bb, mark) == [] and batches(bb, mark) == []


def test_a_directory_is_asked_about_by_the_hundred(bb, mounts):
    files = {f"many/{i:03}.bin": b"content of %d" % i for i in range(150)}
    push(bb, files)
    m = mounts("lfs=all")
    done = subprocess.run(["cat", *[m / f"{HOME}/{p}" for p in files]], check=True, capture_output=True)
    assert done.stdout == b"".join(files.values())
    assert batches(bb) == [100, 50] and len(storage(bb)) == 150


def test_branches_forks_and_mounts_share_an_object(bb, mounts):
    oids = push(bb, {"a.bin": b"shared by all"})
    bb.push("acme", "widgets", {**RULES, "other.bin": bb.add_lfs("acme", "widgets", b"shared by all")}, branch="next")
    bb.push("ada-lindqvist", "widgets", {**RULES, "fork.bin": bb.add_lfs("acme", "widgets", b"shared by all")})
    m = mounts()
    for path in (f"{HOME}/a.bin", "acme/widgets/branches/next/other.bin", "ada-lindqvist/widgets/tree/fork.bin"):
        assert m.read(path, "rb") == b"shared by all"
    assert len(storage(bb)) == 1 and len(oids) == 1 and batches(bb) == [1]


def test_the_end_of_a_large_object_brings_the_end(bb, mounts):
    big = Made(1000 * MB + 17, "film")
    oid = "%064x" % 7               # Not hashed here: that would take longer than the test.
    bb.push("acme", "widgets", {**RULES, "film.bin": bb.know_lfs("acme", "widgets", oid, big)})
    m = mounts()
    done = subprocess.run(["tail", "-c", "1M", m / f"{HOME}/film.bin"], check=True, capture_output=True)
    assert done.stdout == b"".join(big.read(big.length - MB, big.length))
    assert sum(e["bytes"] for e in storage(bb)) <= 3 * MB
    assert all(e["range"] for e in storage(bb))


@pytest.mark.parametrize("how", ["ranges", "whole"])
def test_something_else_is_never_taken_for_it(bb, mounts, how):
    good = Made(3 * MB, "good")
    oid = push(bb, {"a.bin": good, "small.bin": b"0123456789"})
    bb.lfs.ranges = how == "ranges"
    bb.lfs.serve(oid["a.bin"], content(good)[:-1] + b"?")
    bb.lfs.serve(oid["small.bin"], b"9876543210")
    m = mounts()
    assert "SHA-256" in fails(m, f"{HOME}/small.bin")
    assert "SHA-256" in fails(m, f"{HOME}/a.bin")
    # Not what the kernel had of it either, and what comes next is asked for again.
    n = len(storage(bb))
    fails(m, f"{HOME}/a.bin")
    assert len(storage(bb)) == n, "within a minute nobody asks again"
    m.unmount()
    bb.lfs.serve(oid["a.bin"], good)
    m = mounts()
    assert m.read(f"{HOME}/a.bin", "rb") == content(good)


@pytest.mark.concurrent
def test_pages_that_came_before_go(bb, mounts):
    good = Made(4 * MB, "good")
    oid = push(bb, {"a.bin": good})
    bb.lfs.serve(oid["a.bin"], b"X" + content(good)[1:])
    m = mounts()
    with open(m / f"{HOME}/a.bin", "rb", 0) as f:
        assert f.read(10)[:1] == b"X", "as any download it is given as it comes"
        with pytest.raises(OSError):
            while f.read(MB):
                pass

    def is_gone():
        try:
            with open(m / f"{HOME}/a.bin", "rb", 0) as f:
                f.read(10)
        except OSError as e:
            return e.errno == errno.EIO
        return False
    await_true(is_gone, "the kernel has nothing of it any more")


@pytest.mark.parametrize("wrong,words", [
    (lambda lfs, oid: lfs.errors.update({oid: (404, "Object does not exist")}), "has not got"),
    (lambda lfs, oid: lfs.errors.update({oid: (410, "Gone\x1b[1m")}), r"Gone\x1b"),
    (lambda lfs, oid: lfs.errors.update({oid: (422, "Odd")}), "Odd (422)"),
    (lambda lfs, oid: lfs.serve(oid, b"x" * 99), "99"),
    (lambda lfs, oid: lfs.serve(oid, b"x" * 5), "5"),
    (lambda lfs, oid: setattr(lfs, "gzip", True), "keeps it says"),
    (lambda lfs, oid: setattr(lfs, "href", lambda link: "file:///etc/passwd"), "HTTPS"),
    (lambda lfs, oid: setattr(lfs, "href", lambda link: "http://192.0.2.1/x"), "plain http"),
    (lambda lfs, oid: setattr(lfs, "href", lambda link: "https://\x00a/"), "URL"),
    (lambda lfs, oid: setattr(lfs, "redirect", "file:///etc/passwd"), "HTTPS"),
    (lambda lfs, oid: setattr(lfs, "redirect", "http://192.0.2.1/x"), "plain http"),
    (lambda lfs, oid: setattr(lfs, "padding", 64 * MB), "too large"),
    (lambda lfs, oid: setattr(lfs, "reply", lambda answer: [answer]), "none to what"),
    (lambda lfs, oid: setattr(lfs, "reply", lambda answer: {**answer, "transfer": "ssh"}), "none to what"),
    (lambda lfs, oid: setattr(lfs, "reply", lambda answer: {**answer, "hash_algo": "md5"}), "none to what"),
    (lambda lfs, oid: setattr(lfs, "reply", lambda answer: {"objects": []}), "does not mention"),
    (lambda lfs, oid: setattr(lfs, "reply", lambda answer: {"objects": [{"oid": oid, "size": 10, "actions": {"download": {
        "href": "https://192.0.2.1/", "header": {"X: a\r\nY": "b"}}}}]}), "does not say"),
])
def test_what_goes_wrong_is_said_and_never_shown(shared_bb, shared, wrong, words):
    bb, n = shared_bb, shared_bb.log.mark()
    lfs, name = bb.lfs, f"wrong{n}.bin"
    lfs.reset()
    text = bb.add_lfs("acme", "widgets", b"%010d" % n)
    bb.push("acme", "widgets", {**RULES, name: text})
    shared.refresh("acme/widgets/tree")
    wrong(lfs, oid_of(text))
    try:
        sentence = fails(shared, f"{HOME}/{name}")
        assert words in sentence, sentence
        assert "version https" not in sentence
    finally:
        lfs.reset()


def test_refusals_of_the_endpoint_and_what_is_tried_again(bb, mounts):
    push(bb, {"a.bin": b"one", "b.bin": b"two"})
    m = mounts()
    os.stat(m / f"{HOME}/a.bin")
    fault = bb.fault("POST .*info/lfs", "status", status=404, body='{"message": "No LFS here"}', times=1)
    assert "No LFS here" in fails(m, f"{HOME}/a.bin")
    fault.remove()
    bb.fault("POST .*info/lfs", "status", status=509, times=1)
    await_true(lambda: "509" in said_of(m, f"{HOME}/a.bin", errno.EDQUOT), "the bandwidth is used up")
    bb.fault("POST .*info/lfs", "status", status=403, times=1)
    await_true(lambda: "403" in said_of(m, f"{HOME}/a.bin", errno.EACCES), "refused")
    bb.fault("POST .*info/lfs", "status", status=413, times=1)
    mark = bb.log.mark()
    await_true(lambda: read_or_none(m, f"{HOME}/a.bin") == b"one", "it comes")
    assert batches(bb, mark) == [2, 1], "too many at once: the one alone"
    bb.fault("POST .*info/lfs", "status", status=503, times=1)
    bb.fault("GET /lfs/", "reset", times=1)
    assert m.read(f"{HOME}/b.bin", "rb") == b"two"


def read_or_none(m, path):
    try:
        return m.read(path, "rb")
    except OSError:
        return None


def said_of(m, path, code):
    """All that was said once a read fails in that way."""
    try:
        m.read(path, "rb")
    except OSError as e:
        return m.errors() if e.errno == code else ""
    return ""


def test_what_expired_is_asked_for_again(bb, mounts):
    push(bb, {"a.bin": Made(5 * MB, "a"), "b.bin": b"b"})
    m = mounts()
    with open(m / f"{HOME}/a.bin", "rb", 0) as f:
        f.read(10)
        bb.lfs.expire()
        f.seek(4 * MB)
        assert f.read(10) == content(Made(5 * MB, "a"))[4 * MB:4 * MB + 10]
    assert batches(bb) == [2, 1]
    # What says that it ends is not begun with when it has.
    bb.lfs.expires_in = 1
    push(bb, {"c.bin": b"c", "d.bin": b"d"})
    m.refresh("acme/widgets/tree")
    mark = bb.log.mark()
    assert m.read(f"{HOME}/c.bin", "rb") + m.read(f"{HOME}/d.bin", "rb") == b"cd"
    assert len(batches(bb, mark)) == 2 and all(e["status"] != 403 for e in storage(bb, mark))


def test_an_lfsconfig_is_not_followed(bb, mounts):
    push(bb, {"a.bin": b"one", "b.bin": b"two"}, **{".lfsconfig": "[lfs]\n\turl = http://192.0.2.1/lfs\n"})
    m = mounts()
    assert m.read(f"{HOME}/a.bin", "rb") + m.read(f"{HOME}/b.bin", "rb") == b"onetwo"
    lines = [line for line in m.errors().splitlines() if ".lfsconfig" in line]
    assert len(lines) == 1 and "not followed" in lines[0], m.errors()


def test_a_walk_brings_no_large_object(bb, mounts):
    large, oid = Made(50 << 30, "large"), "%064x" % 9
    text = bb.know_lfs("acme", "widgets", oid, large)
    push(bb, {"assets/small.bin": b"found by a walk"}, **{"assets/large.bin": text, "assets/deep/large.bin": text})
    m = mounts()
    assert os.stat(m / f"{HOME}/assets/large.bin").st_size == large.length
    done = subprocess.run(["grep", "-r", "found by", m / f"{HOME}/assets"], capture_output=True, text=True,
                          start_new_session=True)
    assert "small.bin" in done.stdout and "Disk quota exceeded" in done.stderr, done
    assert [e["path"].split("/")[-1].split("?")[0] for e in storage(bb)] == [oid_of(bb.add_lfs("acme", "widgets", b"found by a walk"))]
    assert "option lfs" in m.told(f"{HOME}/assets/large.bin")
    # Who opens it by itself has it, piece by piece.
    with open(m / f"{HOME}/assets/large.bin", "rb", 0) as f:
        for at in (large.length - 5, 7 << 30, 20 << 30):
            f.seek(at)
            assert f.read(5) == b"".join(large.read(at, at + 5))


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is its own")
def test_an_object_of_four_gigabytes_takes_no_memory(bb, mounts):
    """Read at its ends and in the middle, for all of it takes longer than a test may; nothing depends on how much has come."""
    large, oid = Made(4 << 30, "four"), "%064x" % 4
    bb.push("acme", "widgets", {**RULES, "four.bin": bb.know_lfs("acme", "widgets", oid, large)})
    m = mounts()
    with open(m / f"{HOME}/four.bin", "rb") as f:
        for at in range(0, 4 << 30, 256 * MB):
            f.seek(at)
            assert f.read(MB) == b"".join(large.read(at, at + MB))
        f.seek(0)
        for at in range(0, 64 * MB, MB):
            assert f.read(MB) == b"".join(large.read(at, at + MB))
    assert m.rss_anon() <= 40 << 20, m.rss_anon()


def n_kept(place, size):
    """How many pieces of the one file of the spool are marked on the disk."""
    path, = (p for p in (place / "cache").glob("**/spool/*") if not p.name.startswith("."))
    marks = path.read_bytes()[-(-size // 4096) * 4096:][:size // MB * 8]
    return sum(marks[i] for i in range(0, len(marks), 8))


def test_what_came_before_a_kill_is_kept(bb, mounts):
    big = Made(40 * MB, "big")
    push(bb, {"a.bin": big})
    m = mounts()
    with open(m / f"{HOME}/a.bin", "rb", 0) as f:
        for at in range(0, 36 * MB, MB):
            assert f.read(MB) == b"".join(big.read(at, at + MB))
    await_true(lambda: n_kept(mounts.place, big.length) >= 32, "what came is synced")
    m.kill()
    mark = bb.log.mark()
    m = mounts()
    assert hashlib.sha256(m.read(f"{HOME}/a.bin", "rb")).digest() == hashlib.sha256(content(big)).digest()
    assert sum(e["bytes"] for e in storage(bb, mark)) < 20 * MB, "what was synced is not asked for again"


@pytest.mark.concurrent
def test_two_mounts_and_many_readers(bb, mounts):
    files = {f"{n}.bin": Made((n + 1) * MB + n, str(n)) for n in range(4)}
    push(bb, files)
    m, other = mounts("lfs=all"), mounts("lfs=all")
    wanted = [(place, n) for place in (m, other) for n in range(4) for _ in range(2)]
    with ThreadPoolExecutor(len(wanted)) as many:
        came = list(many.map(lambda one: one[0].read(f"{HOME}/{one[1]}.bin", "rb"), wanted))
    assert all(bytes == content(files[f"{n}.bin"]) for bytes, (_, n) in zip(came, wanted))
