"""What the kernel keeps of the directories that rows make: who stands in one is not cut off while it exists, and a listing
hears of what came."""
import os
import subprocess
import time

from conftest import await_true
from test_review import quiet, run_out

PULLS = "acme/widgets/pullrequests"
STEP = "acme/widgets/pipelines"


class Standing:
    """Somebody who has a directory open, as a shell has the one it is in."""

    def __init__(self, path):
        self.path, self.fd = path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.ino = os.fstat(self.fd).st_ino

    def check(self):
        assert os.readlink(f"/proc/self/fd/{self.fd}") == self.path, "the kernel took the name away"
        assert os.stat(self.path).st_ino == self.ino
        os.close(self.fd)


def test_one_that_becomes_listed_is_not_cut_off(bb, mounts):
    m = mounts()
    assert "5" in m.ls(PULLS)
    number = bb.create_pull("acme", "widgets", "Entered before it is listed", "feature/colours")
    here = Standing(m / f"{PULLS}/{number}")
    assert f"{number}: " in m.refresh(PULLS)
    here.check()
    assert str(number) in m.ls(PULLS)


def test_one_that_was_never_listed_is_not_cut_off(bb, mounts):
    m = mounts()
    m.ls("acme")
    here = Standing(m / f"{PULLS}/7")
    m.refresh(PULLS)
    here.check()


def test_one_that_is_no_more_among_the_newest_is_not_cut_off(bb, mounts):
    m = mounts("history=4")
    def merged():
        return {line.split("\t")[0] for line in m.read(PULLS + "/merged/index.tsv").splitlines()[1:]}

    assert {"2", "10", "11", "13"} <= merged()
    here = Standing(m / f"{PULLS}/merged/2")
    bb.merge_pull("acme", "widgets", 5)
    m.refresh(PULLS + "/merged")
    assert "2" not in merged() and "5" in merged()
    here.check()


def test_a_refresh_of_the_list_tells_of_another_source(bb, mounts):
    m = mounts()
    m.ls(PULLS)
    assert "new.txt" not in m.ls(PULLS + "/5/tree")
    bb.push("acme", "widgets", {"new.txt": b"new\n"}, "More", branch="feature/colours")
    assert "5: updated" in m.refresh(PULLS)
    assert m.read(PULLS + "/5/tree/new.txt") == "new\n"


def test_a_refresh_leaves_the_tree_of_another_change(bb, mounts):
    m = mounts()
    m.ls(PULLS)
    here = Standing(m / f"{PULLS}/5/tree")
    bb.update_pull("acme", "widgets", 5, title="Other words")
    assert "5: updated" in m.refresh(PULLS)
    here.check()


def test_a_step_s_log_is_listed_once_it_has_begun(bb, mounts):
    m = mounts()
    number = bb.create_pipeline("acme", "widgets", steps=("Build", "Deploy"))
    place = f"{STEP}/{number}/steps"
    m.ls(place)
    m.unmount()
    run_out(m, 0, ttl=2, match="%/steps%")
    m = mounts()
    second, = [n for n in m.ls(place) if n.startswith("2-")]
    assert "log" not in m.ls(f"{place}/{second}")
    bb.start_step("acme", "widgets", number, 1)
    await_true(lambda: "log" in m.ls(f"{place}/{second}"), "the log's name")


def test_ls_l_of_a_repository_costs_nothing_for_lists_that_ran_out(bb, mounts):
    m = mounts()
    for name in ("pullrequests", "pipelines", "downloads", "commits", "deployments"):
        m.ls(f"acme/widgets/{name}")
    m.unmount()
    run_out(m, 0, ttl=2, match="%/pullrequests")
    run_out(m, 0, ttl=2, match="%/pipelines")
    run_out(m, 0, ttl=2, match="%/downloads")
    m = mounts()
    for name in ("pullrequests", "pipelines", "downloads"):
        m.ls(f"acme/widgets/{name}")
    time.sleep(5)
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / "acme/widgets"], check=True, stdout=subprocess.DEVNULL)
    assert quiet(bb, mark) == []
    assert "5" in m.ls(PULLS)
    assert len(quiet(bb, mark)) == 1
