"""The rest of a tree that came without its files: for who stays in it, in the background; for a walk, at once."""
import os
import subprocess

import pytest

from conftest import LARGE, await_true, checkout, git, same_trees
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


def is_complete(m, bb):
    marks = os.path.join(store_of(m, bb, REPO), "refs/bitbucketfs/commits")
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
    assert large.fetched().count(WHOLE) == 1, large.fetched()
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
