"""`bitbucketfs fetch --lfs`: the LFS objects below a path, and no more; what `status` says meanwhile."""
import hashlib
import json
import os
import re

import pytest

from bitbucket.storage import Made

from conftest import api, await_true, git
from test_fetch import running
from test_going_on import Screen, sentence
from test_lfs_bytes import HOME, MB, RULES, batches, content, push, storage
from test_sizes import import_tree

FILES = {"a.bin": b"one", "dir/b.bin": b"two", "dir/deep/c.bin": Made(3 * MB + 5, "c"), "dir/again.bin": b"two", "other/d.bin": b"four"}
PLAIN = {"dir/plain.txt": "plain\n", "none/plain.txt": "plain\n"}


def oids(*paths):
    return {hashlib.sha256(content(FILES[path])).hexdigest() for path in paths}


def test_it_brings_what_is_below_and_once(bb, mounts):
    push(bb, FILES, **PLAIN)
    m = mounts("lfs=1k")
    m.ls(HOME)
    mark = bb.log.mark()
    done = mounts.run("fetch", "--lfs", m / f"{HOME}/dir")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == f"{HOME}/dir: 2 of LFS brought (3.1 MB), 0 at hand\n"
    # One request for all directories; the same content is one object; lfs=1k is for who walks and names nothing.
    assert batches(bb, mark) == [2] and {e["path"].split("/")[-1].split("?")[0] for e in storage(bb, mark)} == oids("dir/b.bin", "dir/deep/c.bin")
    assert api(bb, mark) == [] and len(git(bb, mark)) == 1, git(bb, mark)
    mark = bb.log.mark()
    done = mounts.run("fetch", "--lfs", m / "acme/widgets", m / f"{HOME}/none", m / f"{HOME}/dir/plain.txt", m / f"{HOME}/a.bin")
    assert (done.returncode, done.stdout.splitlines()) == (0, [
        "acme/widgets: 2 of LFS brought (7 B), 2 at hand", *[f"{HOME}/{p}: nothing of it is in LFS" for p in ("none", "dir/plain.txt")],
        f"{HOME}/a.bin: 0 of LFS brought (0 B), 1 at hand"]), done
    assert batches(bb, mark) == [2] and len(storage(bb, mark)) == 2
    bb.offline()
    assert all(m.read(f"{HOME}/{path}", "rb") == content(what) for path, what in FILES.items())
    assert mounts.run("fetch", "--lfs", m / HOME).stdout == f"{HOME}: 0 of LFS brought (0 B), 4 at hand\n"


def test_more_than_the_cache_has_room_for_is_refused_before_it_comes(bb, mounts):
    bb.push("acme", "widgets", {**RULES, "film.bin": bb.know_lfs("acme", "widgets", "%064x" % 7, Made(50 << 30, "film"))})
    m = mounts("cache_size=1G")
    said = sentence(mounts.run("fetch", "--lfs", m / HOME), 1)
    assert re.search(r"[\d.]+ GB of LFS objects are not here, and the cache has room for [\d.]+ MB \(cache_size\)", said), said
    assert batches(bb) == [] and storage(bb) == []
    assert "name a repository, a tree" in sentence(mounts.run("fetch", "--lfs", m / "acme"), 1)
    m.unmount()
    m = mounts("lfs=off")
    assert "lfs=off" in sentence(mounts.run("fetch", "--lfs", m / HOME), 1)
    assert "--lfs goes with neither" in sentence(mounts.run("fetch", "--lfs", "--stop"), 2)


def test_what_is_missing_is_a_line_and_the_others_come(bb, mounts):
    oid = push(bb, FILES)
    bb.lfs.errors[oid["a.bin"]] = (404, "Object does not exist")
    bb.lfs.serve(oid["other/d.bin"], b"fuor")
    m = mounts()
    done = mounts.run("fetch", "--lfs", m / HOME)
    said = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(said) == 3, done
    assert said[0] == f"bitbucketfs: {HOME}: 2 of LFS brought (3.1 MB), 0 at hand, 2 failed", said
    assert any(f"{HOME}/a.bin: " in line and "has not got" in line for line in said)
    assert any(f"{HOME}/other/d.bin: " in line and "SHA-256" in line for line in said)
    bb.lfs.errors.clear()


@pytest.mark.concurrent
def test_it_shows_how_far_it_is_and_ctrl_c_ends_it(bb, mounts):
    push(bb, {"a.bin": b"first", "b.bin": Made(40 * MB, "b")})
    m = mounts()
    m.ls(HOME)
    fault = bb.fault("GET /lfs/.*", "stall")
    s = Screen(mounts, "fetch", "--lfs", m / HOME, columns=100)
    fault.wait_hit()
    s.read(r"acme/widgets/tree [█░]+ 0%, 0 B of 41.9 MB, 0 of 2 objects of LFS")
    one, = running(mounts, m)
    assert one["lfs"] and (one["all"], one["bytes_total"]) == (2, 40 * MB + 5)
    said = mounts.run("status", m.path).stdout
    assert re.search(r"^downloading: the LFS content of b\.bin 0%, 0 B of 41.9 MB$", said, re.M), said
    assert re.search(r"^downloading: the LFS content of b\.bin, 0% \(0 B of 41.9 MB\)$", m.read(".bitbucketfs/status"), re.M)
    assert {"what": "the LFS content of b.bin", "bytes": 0, "bytes_total": 40 * MB} in m.status()["downloading"]
    os.write(s.fd, b"\x03")
    assert s.end() == 1 and "stopped; the same command goes on from there" in s.text
    await_true(lambda: running(mounts, m) == [], "the daemon has ended it")
    fault.remove()
    assert mounts.run("fetch", "--lfs", m / HOME).stdout == f"{HOME}: 2 of LFS brought (41.9 MB), 0 at hand\n"
    await_true(lambda: m.status()["downloading"] == [], "nothing comes any more")


@pytest.mark.plain_git
def test_of_a_tree_whose_files_come_by_need_a_directory_is_a_request(bb, mounts, tmp_path):
    files = {f"d{i}/{n}.bin": b"%d %d" % (i, n) for i in range(3) for n in range(40)}
    large = {"d0/large.txt": os.urandom(3_000_000), "none/large.txt": os.urandom(3_000_000)}
    pointers = {path: bb.add_lfs("acme", "widgets", what).encode() for path, what in files.items()}
    import_tree(bb, tmp_path, "art", [(b"100644", path, what) for path, what in {
        ".gitattributes": b"d?/*.bin filter=lfs\n", **large, **pointers}.items()])
    for what in files.values():
        bb.add_lfs("acme", "art", what)
    m = mounts("hydrate=off")
    m.ls("acme/art/tree")
    mark = bb.log.mark()
    done = mounts.run("fetch", "--lfs", m / "acme/art/tree")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("acme/art/tree: 120 of LFS brought ("), done
    assert batches(bb, mark) == [100, 20] and len(storage(bb, mark)) == 120 and api(bb, mark) == []
    packs = [e for e in bb.log.since(mark, "git-upload-pack")]
    assert len(packs) <= 8 and sum(e["bytes"] for e in packs) < 100_000, packs


def test_status_says_how_many_there_are_and_asks_nobody(bb, mounts):
    push(bb, FILES, **PLAIN)
    m = mounts()
    m.ls("acme/widgets")
    # Nothing of git's is here.
    repository = lambda: json.loads(mounts.run("status", "--json", m / "acme/widgets").stdout)["mounts"][0]["repository"]
    assert (repository()["lfs"], repository()["lfs_known"]) == (None, "no")
    for path in FILES:
        os.stat(m / f"{HOME}/{path}")
    os.stat(m / f"{HOME}/none/plain.txt")
    mark = bb.log.mark()
    whole = 3 + 3 + 3 * MB + 5 + 4
    await_true(lambda: repository()["lfs"] == {"objects": 4, "bytes": whole, "objects_here": 0, "bytes_here": 0}, "equal ones once")
    assert bb.log.since(mark) == []
    assert mounts.run("fetch", "--lfs", m / f"{HOME}/dir").returncode == 0
    mark = bb.log.mark()
    await_true(lambda: (repository()["lfs"]["objects_here"], repository()["lfs"]["bytes_here"]) == (2, 3 * MB + 8), "what came is here")
    assert "\nlfs: 4 objects (3.1 MB), 2 of them here (3.1 MB)\n" in mounts.run("status", m / "acme/widgets").stdout
    assert bb.log.since(mark) == []
    # By another tree it is counted anew.
    push(bb, {"new.bin": b"fifth"})
    assert mounts.run("refresh", m / HOME).returncode == 0
    assert os.stat(m / f"{HOME}/new.bin").st_size == 5
    await_true(lambda: (repository()["lfs"] or {}).get("bytes") == whole + 5, "of the tree that is shown")
