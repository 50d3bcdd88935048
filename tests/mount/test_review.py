"""What the kernel keeps and what the background asks for: documents that ran out, listings that were brought behind the
kernel's back, directories that still exist."""
import os
import sqlite3
import subprocess
import time

import pytest

from conftest import api, await_true, git


def run_out(m, ago, ttl=None, match="%", walked=True):
    """Documents of an ended mount's cache: as if they had been asked for so many seconds before now."""
    path, = [os.path.join(place, f) for place, _, names in os.walk(m.cache) for f in names
             if open(os.path.join(place, f), "rb").read(16) == b"SQLite format 3\0"]
    db = sqlite3.connect(path)
    db.execute("UPDATE doc SET fetched = ? WHERE key LIKE ? AND key != 'user'", (int((time.time() - ago) * 1000), match))
    if ttl:
        db.execute("UPDATE doc SET ttl = ? WHERE key LIKE ? AND key != 'user'", (int(ttl * 1000), match))
    if not walked:          # as if the last walk through all of a list were long ago
        db.execute("DELETE FROM fact WHERE space = 'walked'")
    db.commit()
    db.close()


def quiet(bb, mark, seconds=1.5):
    """The requests to the API since a mark, once none came for a while."""
    last, since = None, time.monotonic()
    while time.monotonic() - since < seconds:
        now = api(bb, mark)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last


def begin_again(mounts, m, ago, ttl=None, walked=True):
    m.unmount()
    run_out(m, ago, ttl, walked=walked)
    return mounts()


def test_a_thousand_documents_that_ran_out_cost_one_listing(bb, mounts):
    m = mounts()
    m.ls("monolith-labs")
    names = m.ls("monolith-labs")
    m = begin_again(mounts, m, ago=700)
    bb.latency = 0.2
    mark = bb.log.mark()
    here = os.open(m / "monolith-labs", os.O_RDONLY)
    for name in names[:300]:
        os.stat(name, dir_fd=here)
    subprocess.run(["ls", "-l", m / "monolith-labs"], check=True, stdout=subprocess.DEVNULL)
    time.sleep(1.2)
    for name in names:
        os.stat(name, dir_fd=here)
    os.close(here)
    listings = [line for line in quiet(bb, mark) if "/repositories/" in line]
    assert len(listings) == 1, listings
    assert len([line for line in api(bb, mark) if "/user/workspaces" in line]) <= 1


def test_attributes_of_a_thousand_that_ran_out_cost_one_listing(bb, mounts):
    """As above, with entries that the kernel still believes in: it asks for attributes only."""
    m = mounts()
    names = m.ls("monolith-labs")
    m = begin_again(mounts, m, ago=0, ttl=2)
    held = [os.open(m / f"monolith-labs/{name}", os.O_PATH) for name in names[:200]]
    time.sleep(2.2)
    mark = bb.log.mark()
    for fd in held:
        os.stat(f"/proc/self/fd/{fd}")
        os.close(fd)
    listings = [line for line in quiet(bb, mark) if "/repositories/" in line]
    assert len(listings) <= 2, listings


def test_a_workspace_entered_by_name_that_ran_out_costs_one_request(bb, mounts):
    m = mounts()
    m.ls()
    os.stat(m / "opensource")
    m = begin_again(mounts, m, ago=700)
    mark = bb.log.mark()
    for _ in range(4):
        os.stat(m / "opensource")
        time.sleep(1.1)
    assert len(quiet(bb, mark)) <= 2, api(bb, mark)


def test_a_repository_entered_by_name_that_ran_out_costs_one_request(bb, mounts):
    m = mounts()
    m.read("acme/widgets/info")
    for _ in range(2):
        m = begin_again(mounts, m, ago=700)
        mark = bb.log.mark()
        for _ in range(4):
            m.read("acme/widgets/info")
            time.sleep(1.1)
        assert len([line for line in quiet(bb, mark) if "/repositories/" in line]) <= 1, api(bb, mark)


def test_a_listing_that_a_lookup_brought_is_seen(bb, mounts):
    m = mounts()
    m.ls("acme")
    m = begin_again(mounts, m, ago=0, ttl=1.5)
    assert "handbook" in m.ls("acme")
    bb.create_repo("acme", "brand-new", pristine="tiny")
    time.sleep(3.5)
    assert m.read("acme/widgets/info")
    await_true(lambda: "brand-new" in m.ls("acme"), "the listing with it", 5)


def test_a_plain_ls_hears_of_changes(bb, mounts):
    """Nobody but the kernel's own copy answers it: its lifetime is that of the listing, not that of the workspace's name."""
    m = mounts()
    m.ls("acme")
    m = begin_again(mounts, m, ago=0, ttl=2)
    m.ls("acme")
    bb.create_repo("acme", "brand-new", pristine="tiny")
    await_true(lambda: "brand-new" in m.ls("acme"), "the listing with it", 10)


def test_a_listing_that_ran_out_costs_one_request_and_now_and_then_all(bb, mounts):
    """What was updated since is one request of a thousand repositories; a deletion tells nobody, and is seen by the walk."""
    m = mounts()
    m.ls("monolith-labs")
    m = begin_again(mounts, m, ago=700)
    bb.delete_repo("monolith-labs", "monolith")
    mark = bb.log.mark()
    m.ls("monolith-labs")
    await_true(lambda: quiet(bb, mark), "the listing was asked for again")
    lines = [line for line in quiet(bb, mark) if "/repositories/" in line]
    assert len(lines) == 1 and "q=updated_on" in lines[0], lines
    m = begin_again(mounts, m, ago=700, walked=False)
    mark = bb.log.mark()
    await_true(lambda: "monolith" not in m.ls("monolith-labs"), "the listing without it", 10)
    assert len([line for line in quiet(bb, mark) if "sort=created_on" in line]) == 10


def test_looking_at_the_root_asks_for_no_listing(bb, mounts):
    m = mounts()
    for workspace in ("acme", "edge"):
        m.ls(workspace)
    m = begin_again(mounts, m, ago=700)
    mark = bb.log.mark()
    for _ in range(2):
        subprocess.run(["ls", "-l", m.path], check=True, stdout=subprocess.DEVNULL)
    assert set(quiet(bb, mark)) <= {"GET /2.0/user/workspaces?pagelen=100"}


def test_what_another_mount_of_the_same_cache_brought_is_seen(bb, mounts):
    m = mounts()
    m.ls(), m.ls("acme")
    m = begin_again(mounts, m, ago=0, ttl=2)
    other = mounts()
    assert "fresh" not in m.ls() and "handbook" in m.ls("acme")
    bb.create_workspace("fresh", members={"ada": "owner"})
    bb.delete_repo("acme", "handbook")
    other.refresh()
    other.refresh("acme")
    await_true(lambda: "fresh" in m.ls(), "the new workspace", 5)
    await_true(lambda: "handbook" not in m.ls("acme"), "the listing without it", 5)


def test_a_first_listing_disturbs_nobody_who_stands_there(m):
    here = os.open(m / "acme/widgets", os.O_RDONLY)
    assert os.readlink(f"/proc/self/fd/{here}") == m / "acme/widgets"
    assert "repositories" in m.refresh("acme")
    assert os.readlink(f"/proc/self/fd/{here}") == m / "acme/widgets"
    assert os.fstat(here).st_ino == os.stat(m / "acme/widgets").st_ino
    os.close(here)


def test_dot_git_in_a_tree_costs_nothing(bb, m):
    os.stat(m / "acme/widgets/tree")
    for name in (".git", ".GIT"):
        with pytest.raises(FileNotFoundError):
            os.stat(m / f"acme/widgets/tree/{name}")
    assert git(bb) == []


def test_a_directory_that_came_back_shows_what_is_there_now(bb, mounts):
    m = mounts("ttl=1")
    tree = m / "acme/widgets/tree"
    held = os.open(tree + "/docs", os.O_RDONLY)
    before = os.listdir(held)
    bb.push("acme", "widgets", {"docs": None})
    m.refresh("acme/widgets/tree")
    assert not os.path.exists(tree + "/docs")
    bb.push("acme", "widgets", {"docs/other.md": "another\n"})
    m.refresh("acme/widgets/tree")
    assert os.listdir(tree + "/docs") == ["other.md"]
    assert m.read("acme/widgets/tree/docs/other.md") == "another\n"
    assert before
    os.close(held)


def test_a_push_four_thousand_directories_down_is_seen(bb, mounts):
    """The kernel knows all of them, and what moves them runs on a small stack."""
    depth = 4000

    def read():
        here = os.open(m / "acme/widgets/tree", os.O_RDONLY)
        for name in ["d"] * depth + ["f"]:
            here, above = os.open(name, os.O_RDONLY, dir_fd=here), here
            os.close(above)
        with open(here, "rb") as f:
            return f.read()

    bb.push("acme", "widgets", {"d/" * depth + "f": "one\n"})
    m = mounts("ttl=1")
    assert read() == b"one\n"
    bb.push("acme", "widgets", {"d/" * depth + "f": "two\n"})
    await_true(lambda: read() == b"two\n", "the push")


def test_a_store_emptied_under_the_mount_is_brought_again(bb, mounts):
    m = mounts()
    assert m.ls("acme/widgets/tree")
    store, = [os.path.join(p, f) for p, folders, _ in os.walk(m.cache) for f in folders
              if f == bb.state.repository("acme", "widgets").uuid.strip("{}") + ".git"]
    subprocess.run(["rm", "-rf", store], check=True)
    assert m.ls("acme/widgets/tree/src")
    assert m.read("acme/widgets/tree/src/main.c")


def test_a_hanging_refresh_does_not_delay_the_end(bb, mounts):
    m = mounts()
    m.ls("acme")
    m.ls("acme/widgets/tree")
    m = begin_again(mounts, m, ago=700)
    fault = bb.fault(r"/repositories/|/user/workspaces|\.git/", "stall")
    m.ls("acme")
    os.stat(m / "acme/widgets")
    fault.wait_hit()
    began = time.monotonic()
    subprocess.run(["umount", m.path], check=True)
    m.process.wait(10)
    assert time.monotonic() - began < 1.5
