"""A tree that is fetched filtered is what git checks out, whoever reads it and however: walking, at random, after a crash, from a
server whose filter lies."""
import errno
import os
import random
import subprocess
import sys
from glob import glob

import pytest

from conftest import LARGE, PATIENCE, await_true, checkout, same_trees

HARD = "edge/hard"
# 200 MB, which other tests read.
BIG = "big"

# Reads, lists and stats at random, and says what it saw: ROOT SEED COUNT on the command line, paths on standard input.
READER = """
import hashlib, os, random, stat, sys
root, seed, count = os.fsencode(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
paths = sys.stdin.buffer.read().split(b"\\0")
for path in random.Random(seed).sample(paths, count):
    where = os.path.join(root, path)
    s = os.lstat(where)
    if stat.S_ISLNK(s.st_mode):
        seen = os.readlink(where)
    elif stat.S_ISDIR(s.st_mode):
        seen = b"\\0".join(sorted(os.listdir(where)))
    else:
        with open(where, "rb") as f:
            seen = f.read(1000)
            f.seek(max(0, s.st_size - 1000))
            seen += b"%d" % s.st_size + f.read()
    sys.stdout.buffer.write(hashlib.sha1(path + b"\\0" + seen + b"%d" % (s.st_mode & 0o111 and 1)).hexdigest().encode() + b"\\n")
"""


@pytest.fixture(scope="module")
def want(shared_bb, tmp_path_factory):
    where = tmp_path_factory.mktemp("hard") / "want"
    return checkout(shared_bb.repo_path(*HARD.split("/")), str(where), paths=(".", f":(exclude){BIG}"))


def large(bb, name=HARD):
    bb.update_repo(*name.split("/"), {"size": LARGE})


def store_is_whole(m):
    """git itself accepts what is there: what a filter left out was promised."""
    for store in glob(os.path.join(m.cache, "**", "objects", "pack"), recursive=True):
        done = subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", os.path.dirname(os.path.dirname(store)), "fsck",
                               "--no-dangling", "--connectivity-only"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_walk_that_a_crash_ended_goes_on(bb, mounts, want):
    large(bb)
    m = mounts()
    mark = bb.log.mark()
    m.ls(f"{HARD}/tree")
    walk = subprocess.Popen(["grep", "-r", "no such words", m / f"{HARD}/tree"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bb.log.wait_for(lambda e: e["git"] and e["git"]["command"] == "fetch" and not e["git"]["filter"] and e["bytes"] >= 0,
                    PATIENCE, mark)
    m.kill()
    walk.kill()
    walk.wait()
    subprocess.run(["umount", "-l", m.path], check=True)
    store_is_whole(m)
    again = mounts(cache=os.path.basename(m.cache))
    tree = again / f"{HARD}/tree"
    assert same_trees(want, tree) == f"Only in {tree}: {BIG}\n"
    store_is_whole(again)


@pytest.mark.concurrent
def test_eight_readers_at_random(bb, mounts, want):
    large(bb)
    m = mounts("hydrate=off")
    paths = [os.path.relpath(os.path.join(d, n), want) for d, dirs, files in os.walk(want) for n in dirs + files]
    assert len(paths) > 5000
    said = os.fsencode("\0".join(paths))

    def read(root, seed):
        return subprocess.Popen([sys.executable, "-c", READER, root, str(seed), "150"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seed = random.randrange(1 << 30)
    mark = bb.log.mark()
    here = [(read(m / f"{HARD}/tree", seed + i), read(want, seed + i)) for i in range(8)]
    for i, pair in enumerate(here):
        ours, gits = (p.communicate(said, timeout=PATIENCE * 3)[0] for p in pair)
        assert [p.returncode for p in pair] == [0, 0] and gits.count(b"\n") == 150
        assert ours == gits, f"seed {seed + i}"
    # What differs in time is how many of the readers' blobs are one batch.
    assert len(bb.fetched(mark)) < 100
    store_is_whole(m)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("lie", ["blobs", "trees", "limit", "half", "empty"])
def test_a_server_that_lies_gives_right_bytes_or_an_error(bb, mounts, tmp_path, lie, later):
    """later: once the trees are here."""
    large(bb, "acme/widgets")
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    m = mounts()
    if later:
        m.ls("acme/widgets/tree")
    bb.lie, tree = lie, m / "acme/widgets/tree"
    for path in ["README.md", "src/widget.c", "Makefile"]:
        try:
            with open(os.path.join(tree, path), "rb") as ours, open(os.path.join(want, path), "rb") as gits:
                assert ours.read() == gits.read()
        except OSError as e:
            assert e.errno == errno.EIO and "\tEIO\tacme/widgets: " in m.errors(), (path, e)
    store_is_whole(m)
    bb.lie = None
    await_true(lambda: same_trees(want, tree) == "", "the tree, once the server is honest again")


@pytest.mark.parametrize("walk", [False, True])
def test_files_that_the_server_still_has_of_a_commit_that_it_lost(bb, mounts, tmp_path, walk):
    """And what is lost has the ref asked for at once, by one request, not when it is ttl old."""
    large(bb, "acme/widgets")
    kept = bb.repo_path("acme", "widgets")
    want = checkout(kept, str(tmp_path / "want"))
    before = subprocess.run(["git", "--git-dir", kept, "rev-parse", "main"], check=True, capture_output=True, text=True).stdout.strip()
    bb.push("acme", "widgets", {"gone": b"of this commit alone\n" * 10, "src/gone.c": b"int gone;\n"}, "To be forced away")
    m = mounts("hydrate=off", "ttl=600")
    tree = m / "acme/widgets/tree"
    assert "gone" in os.listdir(tree) and "gone.c" in os.listdir(os.path.join(tree, "src"))
    bb.set_ref("acme", "widgets", "refs/heads/main", before)
    subprocess.run(["git", "--git-dir", bb.repo_path("acme", "widgets"), "-c", "gc.reflogExpire=now",
                    "-c", "gc.reflogExpireUnreachable=now", "gc", "-q", "--prune=now"], check=True)
    mark = bb.log.mark()
    if walk:
        seen = subprocess.run(["diff", "-r", "--no-dereference", want, tree], capture_output=True, text=True)
        said = set(seen.stderr.splitlines())
        # It may move under diff's feet, once it has met the first.
        assert said <= {f"diff: {tree}/{gone}: {why}" for gone in ["gone", "src/gone.c"]
                        for why in ["No data available", "No such file or directory"]}, said
        assert set(seen.stdout.splitlines()) <= {f"Only in {tree}: gone", f"Only in {tree}/src: gone.c"}, seen.stdout
    for path in ["src/gone.c", "src/widget.c", "gone", "README.md", "Makefile"]:
        if "gone" in path:
            with pytest.raises(OSError) as e:
                m.read(f"acme/widgets/tree/{path}", "rb")
            assert e.value.errno in (errno.ENODATA, errno.ENOENT)
        else:
            with open(os.path.join(want, path), "rb") as f:
                assert m.read(f"acme/widgets/tree/{path}", "rb") == f.read()
    await_true(lambda: same_trees(want, tree) == "", "the tree is where the ref leads now")
    assert [e["git"]["command"] for e in bb.log.since(mark) if e["git"]].count("ls-refs") == 1
    store_is_whole(m)


def test_a_walk_of_a_repository_that_is_gone_does_not_ask_for_each_file(bb, mounts, want):
    large(bb)
    m = mounts("hydrate=off", "ttl=600")
    m.ls(f"{HARD}/tree")
    files = [os.path.relpath(os.path.join(d, n), want) for d, _, names in os.walk(want) for n in names][:300]
    assert len(files) == 300
    bb.delete_repo(*HARD.split("/"))
    mark = bb.log.mark()
    for path in files:
        with pytest.raises(OSError):
            m.read(f"{HARD}/tree/{path}", "rb")
    assert len(bb.log.since(mark)) < 100
