""".bitbucketfs/events: what changed, a line each, whoever asked; and no request of its own."""
import os
import subprocess

from conftest import asked, await_true

E = ".bitbucketfs/events"
P = "acme/widgets"


def events(m):
    """(path, what) of each line; the time is one."""
    found = []
    for line in m.read(E).splitlines():
        when, path, what = line.split("\t")
        assert len(when) == 20 and when.endswith("Z"), line
        found.append((path, what))
    return found


def test_what_changed_is_a_line(bb, m):
    """The first look tells nothing; then what came, moved, ended and went, under one inode, and `tail -F` sees it."""
    for name in ("", "pullrequests", "pipelines", "branches", "tags", "tree"):
        m.ls(f"{P}/{name}")
    m.ls("acme")
    assert events(m) == []
    ino = os.stat(m / E).st_ino
    tail = subprocess.Popen(["tail", "-n", "+1", "-s", "0.1", "-F", m / E], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    number = bb.create_pull("acme", "widgets", title="Rename\tthe \x1b[2J", source="feature/colours")
    bb.update_pull("acme", "widgets", 7, title="another title")
    m.refresh(f"{P}/pullrequests")
    assert set(events(m)) == {(f"{P}/pullrequests/{number}", r"pull request opened: Rename\tthe \x1b[2J"),
                              (f"{P}/pullrequests/7", "pull request updated: another title")}
    bb.close_pull("acme", "widgets", 7, "DECLINED")
    run = bb.create_pipeline("acme", "widgets")
    m.refresh(f"{P}/pullrequests")
    m.refresh(f"{P}/pipelines")
    # A list that was walked has open ones alone: what became of the others it does not say, and nobody is asked for that.
    assert events(m)[2:] == [(f"{P}/pullrequests/7", "pull request closed: another title")]
    bb.finish_step("acme", "widgets", run, 0, result="FAILED")
    m.refresh(f"{P}/pipelines")
    path, what = events(m)[3]
    assert path == f"{P}/pipelines/{run}" and what.startswith("pipeline finished: FAILED ")
    bb.push("acme", "widgets", {"new": "1\n"}, branch="main")
    bb.push("acme", "widgets", {"new": "1\n"}, branch="feature/new")
    m.refresh(f"{P}/branches")
    m.refresh(f"{P}/tree")
    fresh = dict(events(m)[4:])
    assert fresh[f"{P}/branches/feature/new"] == "branch appeared" and fresh[f"{P}/tree"].startswith("main branch moved, ")
    assert fresh[f"{P}/branches/main"].startswith("branch moved, ") and " -> " in fresh[f"{P}/branches/main"] and len(fresh) == 3
    bb.create_repo("acme", "shiny")
    bb.rename_repo("acme", "widgets", "gadgets")
    m.refresh("acme")
    assert set(events(m)[7:]) == {("acme/shiny", "repository appeared"), ("acme/gadgets", "repository renamed, it was widgets")}
    bb.delete_repo("acme", "shiny")
    m.refresh("acme")
    assert events(m)[9:] == [("acme/shiny", "repository gone")]
    assert os.stat(m / E).st_ino == ino
    seen = [tail.stdout.readline() for _ in range(10)]
    tail.kill()
    tail.wait()
    assert "".join(seen) == m.read(E)


def test_a_push_updates_no_pull_request(bb, m):
    """Their answers have the commit that they go to; nobody touched them."""
    before = m.read(f"{P}/pullrequests/7/pullrequest.json")
    m.ls(f"{P}/pullrequests")
    bb.push("acme", "widgets", {"new": "1\n"}, branch="main")
    bb.update_pull("acme", "widgets", 8, title="another title")
    m.refresh(f"{P}/pullrequests")
    await_true(lambda: m.read(f"{P}/pullrequests/7/pullrequest.json") != before, "the answer is another one")
    assert [e for e in events(m) if "pull request" in e[1]] == [(f"{P}/pullrequests/8", "pull request updated: another title")]


def test_it_asks_for_nothing(shared_bb, shared_mounts):
    m = shared_mounts(cache="events")
    mark = shared_bb.log.mark()
    await_true(lambda: m.read(E) == "", "an empty text")
    assert [line for line in asked(shared_bb, mark) if "/user" not in line] == []
