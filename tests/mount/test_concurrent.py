"""Many at once: one fetch for all who wait, nothing torn, nothing corrupt."""
import errno
import os
import subprocess
import threading

import pytest

from bitbucket import children
from conftest import SANITIZED, api, asked, await_true, checkout, git, same_trees

pytestmark = pytest.mark.concurrent
ROUNDS = 4 if SANITIZED else 12


def together(n, call):
    """call(i) in n threads that begin at one moment; their results. A thread's exception is the test's."""
    gate, results, failures = threading.Barrier(n), [None] * n, []

    def one(i):
        gate.wait()
        try:
            results[i] = call(i)
        except BaseException as e:
            failures.append(e)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
    return results


def content(path):
    with open(path, "rb") as f:
        return f.read()


def test_fifty_cold_readers_of_one_file_are_one_request(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    bb.latency = 0.1
    mark = bb.log.mark()
    cats = [subprocess.Popen(["cat", m / "acme/widgets/info"], stdout=subprocess.PIPE) for _ in range(50)]
    said = {p.communicate()[0] for p in cats}
    assert api(bb, mark) == ["GET /2.0/repositories/acme/widgets"]
    assert len(said) == 1 and b"full_name: acme/widgets\n" in said.pop()
    assert all(p.returncode == 0 for p in cats)


def test_fifty_cold_readers_of_one_file_of_a_tree_are_one_fetch(bb, mounts):
    m = mounts()
    os.stat(m / "acme/widgets")
    bb.latency = 0.05
    mark = bb.log.mark()
    said = set(together(50, lambda i: content(m / "acme/widgets/tree/README.md")))
    assert len(said) == 1 and said.pop().startswith(b"# widgets\n")
    fetches = [e for e in bb.log.since(mark) if e["git"] and e["git"]["command"] == "fetch"]
    assert len(fetches) == 1 and len(git(bb, mark)) <= 3, git(bb, mark)


def test_fifty_cold_readers_of_different_files_are_one_fetch(bb, mounts):
    m = mounts()
    os.stat(m / "acme/widgets")
    names = ["README.md", "Makefile", "LICENSE", "src/main.c", "src/widget.h", "src/widget.c", "docs/guide.md", "tests/run.sh"]
    mark = bb.log.mark()
    together(48, lambda i: content(m / f"acme/widgets/tree/{names[i % len(names)]}"))
    assert len([e for e in bb.log.since(mark) if e["git"] and e["git"]["command"] == "fetch"]) == 1


def test_fifty_listings_of_one_workspace_are_one(bb, mounts):
    m = mounts()
    m.ls()
    mark = bb.log.mark()
    said = together(50, lambda i: tuple(m.ls("monolith-labs")))
    assert len(set(said)) == 1 and len(said[0]) == 1000
    assert len(api(bb, mark)) <= 11


def test_many_names_of_one_directory_at_once(bb, mounts):
    """The kernel asks for them side by side; known and unknown ones."""
    m = mounts()
    os.stat(m / "acme")
    names = ["billing", "firmware", "handbook", "infra", "website", "widgets"] + [f"unknown-{i}" for i in range(6)]
    mark = bb.log.mark()
    said = together(48, lambda i: os.path.exists(m / f"acme/{names[i % 12]}/info"))
    assert said == [i % 12 < 6 for i in range(48)]
    assert len(api(bb, mark)) == len(set(api(bb, mark))) <= 12, "each at most once"


def test_readers_while_pushes_happen_and_refreshes_are_asked_for(bb, mounts, tmp_path):
    """Eight walk and read; every file they see is whole, as one of the pushes had it."""
    m = mounts("ttl=1s,trees=1000")
    top = m / "acme/widgets/tree"
    assert os.listdir(top)
    done, seen = threading.Event(), []

    def whole(data):
        lines = data.split(b"\n")
        return len(lines) == 2001 and len(set(lines[:-1])) == 1

    def walk(i):
        n = 0
        while not done.is_set() or n == 0:
            for where, folders, names in os.walk(top):
                for name in names:
                    path = os.path.join(where, name)
                    try:
                        data = content(path)
                    except FileNotFoundError:
                        continue        # it was there when its directory was listed
                    if name.startswith("whole"):
                        assert whole(data), (path, len(data))
                        n += 1
                        seen.append(name)
        return n

    def push(_):
        try:
            for i in range(ROUNDS):
                oid = bb.push("acme", "widgets", {
                    "whole-1": f"version {i}\n" * 2000, f"d{i % 3}/whole-2": f"{i} of another\n" * 2000,
                    f"d{(i + 1) % 3}/whole-2": None if i > 2 else f"{i} more\n" * 2000})
                said = m.refresh("acme/widgets")
                assert oid[:12] in said, said
                assert content(top + "/whole-1").startswith(f"version {i}\n".encode())
                m.refresh("acme"), m.read(".bitbucketfs/status"), m.errors()
        finally:
            done.set()
    together(9, lambda i: push(i) if i == 8 else walk(i))
    assert seen
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "checkout"))
    assert same_trees(want, top) == ""


def test_two_mounts_of_one_cache_at_once(bb, mounts, tmp_path):
    """Each may fetch once; neither spoils what the other has."""
    a, b = mounts(), mounts()
    bb.latency = 0.02
    together(16, lambda i: content((a, b)[i % 2] / "acme/widgets/tree/README.md"))
    fetches = [e for e in bb.log.all() if e["git"] and e["git"]["command"] == "fetch"]
    assert 1 <= len(fetches) <= 2
    bb.latency = 0.0
    together(8, lambda i: (a, b)[i % 2].ls(("acme", "monolith-labs", "edge", "ada-lindqvist")[i // 2]))
    together(8, lambda i: (a, b)[i % 2].ls(f"acme/{('infra', 'website', 'billing', 'handbook')[i // 2]}/tree"))
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "checkout"))
    for m in (a, b):
        assert same_trees(want, m / "acme/widgets/tree") == ""
        assert m.errors() == ""
    a.unmount()
    assert same_trees(want, b / "acme/widgets/tree") == "", "the other one's end is nothing to it"
    oid = bb.push("acme", "widgets", {"README.md": "for both\n"})
    again = mounts()
    together(2, lambda i: (b, again)[i].refresh("acme/widgets"))
    for m in (b, again):
        await_true(lambda: content(m / "acme/widgets/tree/README.md") == b"for both\n", "the push in both")
        assert oid
    store, = [e.path for e in os.scandir(os.path.join(b.status()["cache"]["directory"], "git"))
              if e.is_dir() and subprocess.run(["git", "--git-dir", e.path, "cat-file", "-e", oid], capture_output=True).returncode == 0]
    checked = subprocess.run(["git", "--git-dir", store, "fsck", "--no-dangling"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_a_mount_that_is_killed_while_many_read_leaves_a_cache_for_the_next(bb, mounts, tmp_path):
    m = mounts()
    os.stat(m / "acme/widgets")
    bb.bandwidth = 4000
    began = threading.Event()

    def read(i):
        if i == 8:
            bb.log.wait_for(lambda e: e["git"] and e["git"]["command"] == "fetch")
            began.set()
            return m.kill()
        try:
            content(m / "acme/widgets/tree/README.md")
        except OSError:
            pass
    together(9, read)
    assert began.is_set()
    bb.bandwidth = None
    again = mounts(where=m.path)
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "checkout"))
    assert same_trees(want, again / "acme/widgets/tree") == ""
    again.unmount()


def test_one_who_mounts_and_looks_and_goes_again_and_again(bb, mounts):
    """Ends while readers read: no crash, no stray mount (which the fixture sees)."""
    for _ in range(ROUNDS // 2):
        m = mounts()
        done = threading.Event()

        def read(i):
            if i == 4:
                os.stat(m.path)
                m.unmount()
                return done.set()
            while not done.is_set():
                try:
                    m.ls("acme"), content(m / "acme/widgets/tree/README.md")
                except OSError:
                    pass
        together(5, read)
        assert m.process.returncode == 0, m.log
    assert asked(bb)


def test_its_children_interrupt_nobody(bb, mounts):
    """Who waits for a daemon in a thread of this process is not sent home because a git process of the service ended."""
    m = mounts()
    fault, ended = bb.fault("/2.0/", "stall"), []

    def wait(name):
        with pytest.raises(OSError) as e:
            os.stat(m / name)
        ended.append(e.value)

    def fork():
        for _ in range(200):
            children.run(["true"])
    waiting = [threading.Thread(target=wait, args=(f"nobody-{i}/nothing",)) for i in range(8)]
    forking = [threading.Thread(target=fork) for _ in range(4)]
    for thread in waiting:
        thread.start()
    fault.wait_hit()
    for thread in forking:
        thread.start()
    for thread in forking:
        thread.join()
    assert ended == []
    fault.remove()
    for thread in waiting:
        thread.join()
    assert {e.errno for e in ended} == {errno.ENOENT}
