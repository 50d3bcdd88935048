"""src/model/README.md, 4: a change always moves forward, for the programs that compare times: make, find -newer, rsync -u."""
import os
import subprocess
import time

import pytest

from bitbucket import gitrepo
from conftest import await_true

R = "acme/widgets"
FILE = f"{R}/tree/src/quiet.c"


class Watcher:
    """Who looks at a file after each change: a stamp as old as what was shown, and a copy by rsync -au."""

    def __init__(self, mounts, file, *options):
        self.mounts, self.file, self.options = mounts, file, options
        self.m = mounts(*options)
        self.seen = os.stat(self.m / file)
        self.first = self.seen
        self.stamp, self.copy = self.m.path + ".stamp", self.m.path + ".copy"
        subprocess.run(["cp", "-p", self.m / file, self.copy], check=True)
        self.keep()

    def keep(self):
        open(self.stamp, "w").close()
        os.utime(self.stamp, ns=(self.seen.st_mtime_ns, self.seen.st_mtime_ns))

    def remount(self):
        self.m.unmount()
        self.m = self.mounts(*self.options)

    def changed(self, text, place=f"{R}/tree"):
        """It has that text now, and every program sees that it changed."""
        os.path.exists(self.m / self.file)      # of a tree that nobody has looked into nothing is asked
        self.m.refresh(place)
        await_true(lambda: self.m.read(self.file) == text, f"the file that says {text!r}")
        now = os.stat(self.m / self.file)
        assert now.st_mtime >= self.seen.st_mtime + 1, "never backwards, and a second at least"
        assert now.st_mtime <= max(time.time(), self.seen.st_mtime + 1), "nor into the future"
        assert now.st_ino != self.seen.st_ino
        found = subprocess.run(["find", self.m / self.file, "-newer", self.stamp], check=True, capture_output=True, text=True)
        assert found.stdout.strip() == self.m / self.file
        subprocess.run(["rsync", "-au", self.m / self.file, self.copy], check=True)
        with open(self.copy) as f:
            assert f.read() == text
        self.seen = now
        self.keep()


def test_rule_4_content_that_comes_back_is_newer(bb, mounts):
    w = Watcher(mounts, FILE)
    for text in ("a = 1\n", "a = 2\n", "a = 1\n", "a = 2\n"):
        bb.push("acme", "widgets", {"src/quiet.c": text})
        w.changed(text)
    w.remount()
    assert os.stat(w.m / FILE).st_mtime == w.seen.st_mtime, "remembered"
    bb.push("acme", "widgets", {"src/quiet.c": "a = 1\n"})
    w.changed("a = 1\n")
    # Unseen by any mount in between: nothing changed, and nothing moves.
    w.m.unmount()
    bb.push("acme", "widgets", {"src/quiet.c": "a = 2\n"})
    bb.push("acme", "widgets", {"src/quiet.c": "a = 1\n"})
    w.remount()
    w.m.ls(f"{R}/tree")
    w.m.refresh(f"{R}/tree")
    assert os.stat(w.m / FILE).st_mtime == w.seen.st_mtime


def test_rule_4_make_builds_again_after_a_revert(bb, mounts, tmp_path):
    m = mounts()
    (tmp_path / "Makefile").write_text(f"obj: {m / FILE}\n\tcp $< $@; chmod u+w $@\n")
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        # The commit is younger than what was built.
        await_true(lambda: not (tmp_path / "obj").exists() or int(time.time()) > (tmp_path / "obj").stat().st_mtime, "a second")
        bb.push("acme", "widgets", {"src/quiet.c": text})
        m.refresh(f"{R}/tree")
        await_true(lambda: m.read(FILE) == text, "the change")
        subprocess.run(["make", "-s", "-C", tmp_path], check=True)
        assert (tmp_path / "obj").read_text() == text


@pytest.mark.parametrize("away", [0, -86400, 86400, 10 ** 9], ids=["same-second", "yesterday", "tomorrow", "decades"])
def test_rule_4_whatever_a_commit_says_of_its_time(bb, mounts, away):
    w = Watcher(mounts, FILE)
    when = int(time.time()) + away
    for i, text in enumerate(("a = 1\n", "a = 2\n", "a = 1\n")):
        bb.push("acme", "widgets", {"src/quiet.c": text}, when=when)
        if i == 2:
            w.remount()
        w.changed(text)


def test_rule_4_a_file_that_went_and_came_back(bb, mounts):
    w = Watcher(mounts, FILE)
    text, when = w.m.read(FILE), int(w.seen.st_mtime)
    bb.push("acme", "widgets", {"src/quiet.c": None}, when=when)
    w.m.refresh(f"{R}/tree")
    await_true(lambda: not os.path.exists(w.m / FILE), "it went")
    w.remount()
    bb.push("acme", "widgets", {"src/quiet.c": text}, when=when)
    w.changed(text)


@pytest.mark.parametrize("remount", [False, True])
def test_rule_4_another_default_branch_and_forced_pushes(bb, mounts, remount):
    """The branch that tree/ shows is another one, and again the first; main is set back to what it was, and forth."""
    w = Watcher(mounts, FILE)
    one = gitrepo.resolve(bb.repo_path("acme", "widgets"), "refs/heads/main")
    text = w.m.read(FILE)
    bb.push("acme", "widgets", {"src/quiet.c": "other\n"}, branch="other", when=1700000000)

    def step(want):
        if remount:
            w.remount()
        w.changed(want)
    bb.set_mainbranch("acme", "widgets", "other")
    step("other\n")
    bb.set_mainbranch("acme", "widgets", "main")
    step(text)
    two = bb.push("acme", "widgets", {"src/quiet.c": "two\n"})
    step("two\n")
    bb.set_ref("acme", "widgets", "refs/heads/main", one)
    step(text)
    bb.set_ref("acme", "widgets", "refs/heads/main", two)
    step("two\n")


def test_rule_4_a_branch_has_its_own_memory(bb, mounts):
    bb.push("acme", "widgets", {"src/quiet.c": "a = 1\n"}, branch="topic/a")
    file = f"{R}/branches/topic/a/src/quiet.c"
    w = Watcher(mounts, file)
    main = os.stat(w.m / FILE)
    for text in ("a = 2\n", "a = 1\n"):
        bb.push("acme", "widgets", {"src/quiet.c": text}, branch="topic/a", when=int(w.first.st_mtime))
        w.changed(text, f"{R}/branches/topic/a")
    now = os.stat(w.m / FILE)
    assert (now.st_ino, now.st_mtime) == (main.st_ino, main.st_mtime)
    # Named by its commit it has the commit's time.
    oid = gitrepo.resolve(bb.repo_path("acme", "widgets"), "refs/heads/topic/a")
    assert os.stat(w.m / f"{R}/commits/{oid}/tree/src/quiet.c").st_mtime == int(w.first.st_mtime)


# -- metadata, and what is made anew of it

def newer(m, path, before):
    """It is another file than before, and younger, by a second at least."""
    now = os.stat(m / path)
    assert now.st_ino != before.st_ino, path
    assert now.st_mtime >= before.st_mtime + 1, (path, now.st_mtime, before.st_mtime)
    return now


FILES = ["pullrequests/5/info", "pullrequests/5/pullrequest.json", "pullrequests/index.tsv", "pullrequests/index.json"]


@pytest.mark.parametrize("remount", [False, True], ids=["mounted", "remounted"])
@pytest.mark.parametrize("away", [-3600, 0], ids=["backwards", "the-same"])
def test_rule_4_metadata_moves_forward_whatever_it_says(bb, mounts, away, remount):
    """A title changes, and changes back, while the pull request's own updated_on goes back or stays."""
    when = int(time.time()) - 86400

    def said(i):
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(when + i * away))
    bb.update_pull("acme", "widgets", 5, title="One", updated_on=said(0))
    m = mounts()
    m.ls(f"{R}/pullrequests")
    seen = {path: os.stat(m / f"{R}/{path}") for path in FILES}
    assert seen[FILES[0]].st_mtime == when, "its own time, as long as that is true"
    for i, title in enumerate(("Two", "One", "Two"), 1):
        if remount:
            m.unmount()
            m = mounts()
        bb.update_pull("acme", "widgets", 5, title=title, updated_on=said(i))
        for path in ("pullrequests", "pullrequests/5"):
            m.refresh(f"{R}/{path}")
        await_true(lambda: f"title: {title}\n" in m.read(f"{R}/{FILES[0]}"), "the title")
        seen = {path: newer(m, f"{R}/{path}", before) for path, before in seen.items()}
    m.unmount()
    m = mounts()
    assert {p: os.stat(m / f"{R}/{p}").st_mtime for p in FILES} == {p: s.st_mtime for p, s in seen.items()}, "remembered"


def test_rule_4_a_status_is_of_when_it_changed(bb, mounts):
    m = mounts()
    before = os.stat(m / ".bitbucketfs/status")
    for _ in range(3):
        m.refresh(R)
        before = await_true(lambda: (now := os.stat(m / ".bitbucketfs/status")).st_ino != before.st_ino
                            and newer(m, ".bitbucketfs/status", before), "another status")
    readme = os.stat(m / ".bitbucketfs/README")
    assert readme.st_mtime < before.st_mtime
