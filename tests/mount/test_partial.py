"""What the first look into a large repository costs, and a look into its directory before that."""
import os

from conftest import await_true, git

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
