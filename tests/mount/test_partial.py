"""What the first look into a large repository costs, and a look into its directory before that."""
import os

import pytest

from conftest import LARGE, await_true, git
from test_tree import sound, store_of

GREETING = ["GET /acme/widgets.git/info/refs"]


def paths(bb, mark=0):
    return [e.split("?")[0] for e in git(bb, mark)]


def test_entering_a_repository_makes_a_connection(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    m.ls("acme")
    os.stat(m / "acme/widgets")
    assert git(bb, mark) == []
    m.ls("acme/widgets")
    await_true(lambda: paths(bb, mark) == GREETING, "one request of git's")
    api = len(bb.log.since(mark, r" /2\.0/"))
    m.ls("acme/widgets"), m.ls("acme/website"), m.ls("acme/infra")
    assert paths(bb, mark) == GREETING, "the connection is there, for all repositories"
    mark = bb.log.mark()
    m.ls("acme/widgets/tree")
    assert len(git(bb, mark)) == 2
    used = {e["connection"] for e in bb.log.since(0, r"\.git/")}
    assert len(used) == 1, "it is the one that was made"
    assert api <= 2


FIRST, NAMES, WHOLE = "1 commit, tree:1, depth 1", "1 commit, blob:none, depth 1", "1 commit, depth 1"


@pytest.fixture
def large(bb):
    bb.least_size, bb.filter, bb.v2 = LARGE, True, True
    return bb


def look(m, bb, name, fetched):
    mark = bb.log.mark()
    assert m.ls(f"acme/{name}/tree")
    await_true(lambda: sorted(bb.fetched(mark)) == sorted(fetched), f"{fetched}, not {bb.fetched(mark)}")


def test_the_first_look_and_a_push(large, mounts):
    m = mounts("hydrate=off")
    look(m, large, "widgets", [FIRST, NAMES])
    look(m, large, "website", [FIRST, NAMES])
    trees = os.path.join(store_of(m, large, "acme/widgets"), "refs/bitbucketfs/trees")
    await_true(lambda: os.path.isdir(trees) and os.listdir(trees), "all names")
    large.push("acme", "widgets", {"src/new.c": "new\n"})
    mark = large.log.mark()
    assert "->" in m.refresh("acme/widgets/tree")
    fetch, = [e for e in large.log.since(mark, r"git-upload-pack") if e["git"]["command"] == "fetch"]
    assert fetch["git"]["haves"] and fetch["git"]["filter"] == "blob:none" and fetch["bytes"] < 1000, "what differs, filtered"
    assert m.read("acme/widgets/tree/src/new.c") == "new\n"
    assert sound(store_of(m, large, "acme/widgets")) == ""


def test_the_first_file_goes_before_the_rest(large, mounts):
    """It has the connection and the line for itself; who lists another directory wants the rest at once."""
    for path, fetched, mounted in (("read", [FIRST, "1 blob", NAMES], "README.md"),
                                   ("read", [FIRST, "1 tree, tree:0", "1 blob", NAMES], "src/main.c"),
                                   ("ls", [FIRST, NAMES], "src")):
        m = mounts("hydrate=off", cache=f"cache-{mounted.replace('/', '-')}")
        mark = large.log.mark()
        getattr(m, path)(f"acme/widgets/tree/{mounted}")
        await_true(lambda: NAMES in large.fetched(mark), "all names")
        assert large.fetched(mark)[:len(fetched)] == fetched, (mounted, large.fetched(mark))
        if path == "read":
            assert len({e["connection"] for e in large.log.since(mark, r"\.git/")}) == 1, mounted
        m.unmount()


@pytest.mark.parametrize("refused, first, then", [
    (("tree",), [FIRST, NAMES], [NAMES]),
    (("blob:none",), [FIRST, NAMES, WHOLE], [WHOLE]),
    (("tree", "blob:none"), [FIRST, NAMES, WHOLE], [WHOLE]),
])
def test_a_kind_of_filter_is_refused_once(large, mounts, refused, first, then):
    large.refused = refused
    m = mounts("hydrate=off")
    look(m, large, "widgets", first)
    look(m, large, "website", then)
    m.unmount()
    m = mounts("hydrate=off")
    look(m, large, "infra", then)
    assert not m.errors()
