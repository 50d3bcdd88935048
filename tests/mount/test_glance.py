"""Reviews and builds at a glance, of what is cached: columns of builds, runs by branch, main branches that fail."""
import os
import subprocess

import pytest

from conftest import api, await_true

W = "acme/widgets"
P = W + "/pipelines"


def table(m, path):
    head, *lines = (line.split("\t") for line in m.read(path).splitlines())
    return [dict(zip(head, line)) for line in lines]


def builds(m, path, by="id"):
    return {line[by]: line["builds"] for line in table(m, path)}


@pytest.fixture(scope="module")
def seen(shared_mounts):
    m = shared_mounts(cache="glance")
    m.ls("acme")
    return m


def test_the_newest_run_of_each_branch(shared_bb, seen):
    mark = shared_bb.log.mark()
    subprocess.run(["ls", "-lR", seen / (P + "/by-branch")], check=True, stdout=subprocess.DEVNULL)
    assert len(api(shared_bb, mark)) == 1
    assert seen.ls(P + "/by-branch") == ["feature", "main"] and seen.ls(P + "/by-branch/feature") == ["colours"]
    assert os.readlink(seen / (P + "/by-branch/main")) == "../11"
    assert seen.read(P + "/by-branch/feature/colours/info").startswith("number: 5\n")
    found = subprocess.run(["find", "-L", seen / (P + "/by-branch"), "-maxdepth", "2"], check=True, capture_output=True, text=True)
    assert not found.stderr


def test_a_name_that_is_a_directory_no_longer(bb, mounts):
    """A branch a that runs after a/b takes its name; the kernel is told, though it knows a directory there."""
    m = mounts()
    for ref in ("a/b", "a/c", "x/y"):
        bb.create_pipeline("acme", "widgets", result="SUCCESSFUL", seconds=3, ref=ref, at="main")
    by = P + "/by-branch"
    assert os.readlink(m / (by + "/a/b")) == "../../12" and os.readlink(m / (by + "/x/y")) == "../../14"
    inode = os.stat(m / (by + "/x")).st_ino
    number = bb.create_pipeline("acme", "widgets", result="SUCCESSFUL", seconds=3, ref="a", at="main")
    m.refresh(P)
    await_true(lambda: os.path.islink(m / (by + "/a")) and os.readlink(m / (by + "/a")) == f"../{number}", "it is a link")
    assert os.stat(m / (by + "/x")).st_ino == inode
    bb.create_pipeline("acme", "widgets", result="SUCCESSFUL", seconds=3, ref="a/b", at="main")
    m.refresh(P)
    await_true(lambda: m.ls(by + "/a") == ["b"], "it is a directory again")


def test_builds_of_pull_requests_branches_and_commits(shared_bb, seen):
    seen.ls(P)
    for place, by in ((W + "/pullrequests", "id"), (W + "/branches", "name"), (W + "/commits", "hash")):
        seen.read(place + "/index.tsv")
    mark = shared_bb.log.mark()
    assert builds(seen, W + "/pullrequests/index.tsv")["5"] == "SUCCESSFUL"
    assert builds(seen, W + "/branches/index.tsv", "name")["main"] == "INPROGRESS"
    assert set(builds(seen, W + "/commits/index.tsv", "hash").values()) == {"", "FAILED", "INPROGRESS", "SUCCESSFUL"}
    assert api(shared_bb, mark) == []


def test_what_comes_later_is_another_file(bb, mounts):
    m = mounts()
    index = W + "/pullrequests/index.tsv"
    assert set(builds(m, index).values()) == {""}
    before = os.stat(m / index)
    m.ls(P)
    mark = bb.log.mark()
    assert await_true(lambda: builds(m, index)["5"], "the runs came") == "SUCCESSFUL"
    after = os.stat(m / index)
    assert after.st_ino != before.st_ino and after.st_mtime > before.st_mtime and after.st_size == len(m.read(index, "rb"))
    bb.create_pipeline("acme", "widgets", result="FAILED", seconds=9, ref="feature/colours", at="feature/colours")
    assert api(bb, mark) == []
    m.refresh(P)
    assert os.readlink(m / (P + "/by-branch/feature/colours")) == "../../12"
    assert await_true(lambda: builds(m, index)["5"] == "FAILED", "the newer run came")


def test_red_is_of_what_is_cached(bb, mounts):
    red = "acme/.workspace/red.tsv"
    m = mounts()
    m.ls("acme")
    assert table(m, red) == []
    for result in ("FAILED", None):
        bb.create_pipeline("acme", "widgets", result=result, seconds=9, who="ben")
    m.ls(P)
    mark = bb.log.mark()
    line, = await_true(lambda: table(m, red), "the runs came")
    assert {key: line[key] for key in ("repository", "branch", "number", "result", "pushed_by", "green")} == {
        "repository": "acme/widgets", "branch": "main", "number": "12", "result": "FAILED", "pushed_by": "ben", "green": "9"}
    assert os.stat(m / red).st_size == len(m.read(red, "rb")) and api(bb, mark) == []
    bb.update_pipeline("acme", "widgets", 13, result="SUCCESSFUL")
    m.refresh(P)
    await_true(lambda: table(m, red) == [], "it is green")
    m.unmount()
    bb.offline()
    m = mounts()
    assert table(m, red) == []


def test_a_review_is_another_file_once_its_list_came_anew(bb, mounts):
    m = mounts()
    index = "acme/.workspace/review-requested/index.tsv"
    m.ls("acme"), m.ls(P), m.ls(W + "/pullrequests")
    line, = await_true(lambda: table(m, index), "the list came")
    assert (line["id"], line["builds"]) == ("5", "SUCCESSFUL")
    before = os.stat(m / index)
    bb.update_pull("acme", "widgets", 5, title="Another title")
    m.refresh(W + "/pullrequests")
    await_true(lambda: table(m, index)[0]["title"] == "Another title", "made anew")
    assert os.stat(m / index).st_ino != before.st_ino
