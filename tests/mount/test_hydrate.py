"""The rest of a tree that came without its files: for who stays in it, in the background; for a walk, at once."""
import base64
import glob
import os
import random
import re
import signal
import subprocess
import time

import pytest

from conftest import LARGE, PATIENCE, await_true, checkout, same_trees
from test_tree import sound, store_of

REPO = "acme/widgets"
TREE = f"{REPO}/tree"
FIRST = "1 commit, tree:1, depth 1"
NAMES = "1 commit, blob:none, depth 1"
WHOLE = "1 commit, depth 1"


@pytest.fixture
def large(bb):
    """It says that it is large, so that its files come when they are looked at."""
    bb.filter = bb.v2 = True
    bb.update_repo("acme", "widgets", {"size": LARGE})
    return bb


def n_blobs(fetched):
    return sum(int(f.split()[0]) for f in fetched if "blob" in f)


def is_complete(m, bb, repo=REPO):
    marks = os.path.join(store_of(m, bb, repo), "refs/bitbucketfs/commits")
    return os.path.isdir(marks) and bool(os.listdir(marks))


def test_who_stays_gets_the_rest(large, mounts, tmp_path):
    want = checkout(large.repo_path("acme", "widgets"), str(tmp_path / "want"))
    m = mounts()
    m.ls(TREE)
    await_true(lambda: sorted(large.fetched()) == [NAMES, FIRST], "the names")
    m.read(f"{TREE}/README.md")
    assert WHOLE not in large.fetched(), "one directory is no stay"
    m.read(f"{TREE}/src/main.c")
    await_true(lambda: is_complete(m, large), "the rest comes")
    # All of it, or, when more than half has come by then, what is missing.
    assert large.fetched().count(WHOLE) <= 1 and len(large.fetched()) <= 6, large.fetched()
    large.offline()
    assert same_trees(want, m / TREE) == ""
    assert sound(store_of(m, large, REPO)) == "" and not m.errors()


def test_a_walk_has_all_at_once(large, mounts, tmp_path):
    want = checkout(large.repo_path("acme", "widgets"), str(tmp_path / "want"))
    for n, words in enumerate((["grep", "-rq", "no such words"], ["du", "-s"], ["ls", "-lR"])):
        m = mounts("hydrate=off", cache=f"cache{n}")
        mark = large.log.mark()
        subprocess.run([*words, m / TREE], stdout=subprocess.DEVNULL)
        fetched = large.fetched(mark)
        assert fetched[0] == FIRST and NAMES in fetched and WHOLE in fetched and len(fetched) <= 6, (words, fetched)
        assert is_complete(m, large)
        m.unmount()
    m = mounts("hydrate=off", cache="cache3")
    subprocess.run(["cp", "-r", m / TREE, tmp_path / "copy"], check=True)
    assert same_trees(want, str(tmp_path / "copy")) == ""


@pytest.fixture
def forest(bb, tmp_path):
    """acme/forest: 40 directories of 25 files, 4 kB each, that cannot be deflated."""
    bb.filter = bb.v2 = True
    where, dice = str(tmp_path / "forest.git"), random.Random(0)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
    lines = ["commit refs/heads/main\ncommitter A <a@example.org> 1600000000 +0000\ndata 1\nx\n"]
    for d in range(40):
        for f in range(25):
            data = base64.b64encode(dice.randbytes(3000)).decode()
            lines.append(f"M 644 inline d{d % 4}/e{d:02}/{f:02}.txt\ndata {len(data)}\n{data}\n")
    subprocess.run(["git", "-C", where, "fast-import", "--quiet"], input="".join(lines), text=True, check=True)
    bb.create_repo("acme", "forest").git_dir = where
    bb.update_repo("acme", "forest", {"size": LARGE})
    return bb


def grep(m, place):
    assert subprocess.run(["grep", "-rq", "no such words", m / f"acme/forest/tree/{place}"]).returncode == 1


def test_a_walk_of_a_part_has_that_part(forest, mounts):
    m = mounts("hydrate=off")
    mark = forest.log.mark()
    grep(m, "d1")
    fetched = forest.fetched(mark)
    assert WHOLE not in fetched and sum(int(f.split()[0]) for f in fetched if f.endswith(" blob")) <= 250 + 25, fetched
    mark = forest.log.mark()
    grep(m, "d1")
    assert forest.fetched(mark) == []
    grep(m, "")
    assert forest.fetched(mark)[-1] == WHOLE, "most of it is missing"


def coming(store):
    """How much has come of the pack that comes."""
    return max((os.path.getsize(f) for f in glob.glob(store + "/tmp-*/*/pack*")), default=0)


def test_killed_it_goes_on_from_there(forest, mounts):
    m = mounts()
    m.ls("acme/forest/tree")
    forest.bandwidth = 1e6
    for d in ("d0/e00", "d1/e01"):
        m.read(f"acme/forest/tree/{d}/00.txt")
    store = store_of(m, forest, "acme/forest")
    await_true(lambda: coming(store) > 2e6, "most of 3 MB came")
    assert re.search(r"^fetching: the rest of acme/forest, .* \d\d% \(", m.read(".bitbucketfs/status"), re.M)
    m.kill()
    forest.bandwidth = 0
    mark = forest.log.mark()
    m = mounts()
    for d in ("d0/e00", "d1/e01"):
        m.read(f"acme/forest/tree/{d}/01.txt")
    await_true(lambda: is_complete(m, forest, "acme/forest"), "the rest of it comes")
    fetched = forest.fetched(mark)
    assert WHOLE not in fetched and n_blobs(fetched) < 450, fetched
    assert sound(store) == "" and not os.path.exists(os.path.join(store, "rest.pack"))
    forest.offline()
    grep(m, "")
    assert not m.errors()


def stay(m, n=0):
    """So that the rest comes in the background; other files for each mount."""
    for d in ("d0/e00", "d1/e01"):
        m.read(f"acme/forest/tree/{d}/0{n}.txt")
    await_true(lambda: "the rest of acme/forest" in m.read(".bitbucketfs/status"), "its turn")


@pytest.fixture
def two(forest, mounts):
    """Two mounts of one account, which both have the names; the first has 2 of 3 MB and brings the third."""
    one, other = mounts(), mounts()
    one.ls("acme/forest/tree")
    other.ls("acme/forest/tree")
    forest.bandwidth = 2e6
    stay(one)
    store = store_of(one, forest, "acme/forest")
    await_true(lambda: coming(store) > 2e6, "most of 3 MB came")
    forest.bandwidth = 1e5
    return one, other, store


def test_two_mounts_bring_it_once(forest, two):
    one, other, store = two
    mark = forest.log.mark()
    stay(other, 1)
    forest.bandwidth = 0
    await_true(lambda: is_complete(other, forest, "acme/forest"), "the rest comes")
    await_true(lambda: "the rest of" not in other.read(".bitbucketfs/status"), "the other has it, too")
    assert forest.fetched().count(WHOLE) == 1 and n_blobs(forest.fetched(mark)) <= 2 * 25, forest.fetched()
    assert not one.errors() and not other.errors()


def test_what_a_killed_mount_brought_is_another_ones(forest, two):
    one, other, store = two
    os.kill(one.process.pid, signal.SIGSTOP)
    forest.bandwidth = 0
    mark = forest.log.mark()
    stay(other, 1)
    one.kill()
    await_true(lambda: is_complete(other, forest, "acme/forest"), "it goes on from there")
    assert WHOLE not in forest.fetched(mark) and n_blobs(forest.fetched(mark)) < 450, forest.fetched(mark)
    assert sound(store) == "" and not other.errors()


def test_a_walk_waits_for_no_other_mount(forest, two):
    one, other, _ = two
    os.kill(one.process.pid, signal.SIGSTOP)
    try:
        forest.bandwidth = 0
        stay(other, 1)
        assert subprocess.run(["grep", "-rq", "no such words", other / "acme/forest/tree"], timeout=PATIENCE).returncode == 1
        assert is_complete(other, forest, "acme/forest")
    finally:
        os.kill(one.process.pid, signal.SIGCONT)


def test_what_was_evicted_does_not_come_by_itself(forest, mounts):
    """Nor does anything for who asks for little, or with hydrate=off."""
    m = mounts()
    grep(m, "")
    store = store_of(m, forest, "acme/forest")
    assert os.listdir(store + "/refs/bitbucketfs/commits")
    m.unmount()
    assert mounts.run("cache", "drop", "acme/forest").returncode == 0 and os.path.exists(store + "/evicted")
    mark = forest.log.mark()
    for options in ((), ("hydrate=off",)):
        m = mounts(*options)
        for d in ("d0/e00", "d1/e01"):
            m.read(f"acme/forest/tree/{d}/0{len(options)}.txt")
        m.unmount()
    assert WHOLE not in forest.fetched(mark) and forest.fetched(mark)
    m = mounts()
    assert mounts.run("fetch", m / "acme/forest/tree").returncode == 0
    assert forest.fetched(mark)[-1] == WHOLE and not os.path.exists(store + "/evicted")
    forest.offline()
    grep(m, "")


def test_a_walk_keeps_within_the_cache(forest, mounts):
    """It says that it is larger than the cache: what is read comes, directory by directory, and not all of it."""
    m = mounts("cache_size=8M", "hydrate=off")
    mark = forest.log.mark()
    grep(m, "d1")
    fetched = forest.fetched(mark)
    assert WHOLE not in fetched and len(fetched) < 40, fetched
    grep(m, "d1")
    assert not m.errors()


def test_a_walk_and_a_large_file_overtake_what_comes_in_the_background(forest, mounts):
    """Which waits for them: each would wait for the other if it had to go before."""
    large = random.Random(1).randbytes(9 << 20)
    forest.push("acme", "forest", {"large/file": large, "large/beside": b"x\n"})
    m = mounts()
    m.ls("acme/forest/tree")
    forest.bandwidth = 2e5
    for d in ("d0/e00", "d1/e01"):
        m.read(f"acme/forest/tree/{d}/00.txt")
    store = store_of(m, forest, "acme/forest")
    await_true(lambda: coming(store), "it comes")
    forest.bandwidth = 0
    assert subprocess.run(["grep", "-rq", "no such words", m / "acme/forest/tree/d1"], timeout=PATIENCE).returncode == 1
    done = subprocess.run(["sh", "-c", 'stat "$1" >&2; cat "$1"', "-", m / "acme/forest/tree/large/file"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=PATIENCE)
    assert done.stdout == large


def test_what_comes_by_itself_has_a_bound(forest, mounts):
    """The cache's too; and what came is remembered: no mount asks once more, to break it off at once."""
    commit = {"message": "More", "branch": "main"}
    more = {f"more/{n}.txt": base64.b64encode(random.Random(n).randbytes(1 << 20)) for n in range(12)}
    forest.push("acme", "forest", more, **commit)
    for n, option in enumerate(("hydrate=8M", "cache_size=11M")):
        for again in (False, True):
            mark = forest.log.mark()
            m = mounts(option, cache=f"cache{n}")
            for d in ("d0/e00", "d1/e01"):
                m.read(f"acme/forest/tree/{d}/0{int(again)}.txt")
            store = store_of(m, forest, "acme/forest")
            if not again:
                await_true(lambda: WHOLE in forest.fetched(mark), "the rest comes")
                await_true(lambda: "the rest of" not in m.read(".bitbucketfs/status"), "it is enough")
            else:
                time.sleep(0.3)
            m.unmount()
            if again:
                fetched = forest.fetched(mark)
                assert n_blobs(fetched) <= 2 and WHOLE not in fetched, (option, fetched)
            packs = sum(os.path.getsize(p) for p in glob.glob(store + "/objects/pack/*.pack"))
            assert packs < 10 << 20 and not is_complete(m, forest, "acme/forest"), (option, packs)
