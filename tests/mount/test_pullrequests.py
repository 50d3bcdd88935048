"""Pull requests: what is listed, what is entered by number, what is below each, and what all of it costs."""
import errno
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.error

import pytest

from conftest import SANITIZED, api, await_true, git, same_trees
from test_review import quiet, run_out
from test_rows import ask

BUSY = "edge/busy/pullrequests"
PULLS = "acme/widgets/pullrequests"
ITEM = {"activity", "changes", "comments", "commits", "description.md", "info", "pullrequest.json", "statuses", "summary.md", "tasks", "title",
        "tree"}
ROWS = {"activity": "activity?pagelen=50", "changes": "diffstat?pagelen=500", "comments": "comments?pagelen=100",
        "commits": "commits?pagelen=100", "conflicts": "conflicts?pagelen=500", "statuses": "statuses?pagelen=100",
        "tasks": "tasks?pagelen=100"}


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def rows(m, path):
    """index.tsv as dicts; every line has as many values as the header."""
    lines = m.read(path + "/index.tsv").splitlines()
    head = lines[0].split("\t")
    assert all(line.count("\t") == len(head) - 1 for line in lines)
    return [dict(zip(head, line.split("\t"))) for line in lines[1:]]


def asked(bb, mark):
    """What the API was asked for below its repository, without the redirects that it sends."""
    return [line.partition("/pullrequests")[2] or line for line in api(bb, mark)]


@pytest.fixture(scope="module")
def listed(shared_mounts):
    """A mount that has listed the workspaces already."""
    m = shared_mounts("walk=100000")
    m.ls("acme"), m.ls("edge")
    return m


# ---- the lists

def test_the_index_has_a_line_for_each_open_one(shared_bb, listed):
    mark = shared_bb.log.mark()
    text = listed.read(PULLS + "/index.tsv")
    assert len(api(shared_bb, mark)) == 1, "nine are one page"
    assert text.splitlines()[0] == ("id\tstate\tauthor\tupdated\tcreated\tsource\tdestination\treviewers\tapproved\t"
                                    "changes_requested\tcomments\ttasks\tdraft\tjira\tbuilds\turl\ttitle")
    assert ("7\tOPEN\tben\t2026-11-01T09:01:00Z\t2026-10-29T09:00:00Z\tfeature/WID-12-threads\tmain\t"
            "ada,chen,erik,old colleague\tchen\tada\t30\t3\tfalse\tWID-12,LEGAL2-7\t\t"
            "https://bitbucket.org/acme/widgets/pull-requests/7\tWID-12: number the threads\n") in text
    mark = shared_bb.log.mark()
    assert {r["id"] for r in rows(listed, PULLS)} == set("18 17 14 6 9 16 7 5 8".split())
    changed = [r["updated"] for r in rows(listed, PULLS)]
    assert changed == sorted(changed, reverse=True) and changed != sorted(changed), "by the last change, the newest first"
    assert [str(p["id"]) for p in json.loads(listed.read(PULLS + "/index.json"))] == [r["id"] for r in rows(listed, PULLS)]
    assert "more" not in listed.ls(PULLS) and api(shared_bb, mark) == []


def test_what_our_texts_cut_out_is_the_title(listed):
    """They count columns, and the title is the last of what they show."""
    head = listed.read(PULLS + "/index.tsv").splitlines()[0].split("\t")
    top = pathlib.Path(__file__).parents[2]
    cut = re.compile(r"pullrequests/index\.tsv[^\n]*\| cut -f ?([0-9,]+)")
    counted = [n for name in ("README.md", "packaging/GUIDE.md", "packaging/quickstart") for n in cut.findall((top / name).read_text())]
    assert counted and {head[int(n.split(",")[-1]) - 1] for n in counted} == {"title"}


@pytest.mark.parametrize("n,requests", [(0, 1), (49, 1), (50, 1), (51, 2), (100, 2), (101, 3)])
def test_a_list_costs_a_request_for_fifty(bb, mounts, n, requests):
    m = mounts()
    bb.create_repo("acme", "many", pristine="tiny")
    for i in range(n):
        bb.create_pull("acme", "many", f"Number {i}", "main")
    m.ls("acme")
    mark = bb.log.mark()
    assert [r["title"] for r in rows(m, "acme/many/pullrequests")] == [f"Number {i}" for i in reversed(range(n))]
    assert len(api(bb, mark)) == requests


def test_the_same_moment_where_a_page_ends(bb, mounts):
    m = mounts("walk=100000")
    m.ls("edge")
    mark = bb.log.mark()
    found = rows(m, BUSY)
    assert all(r["state"] == "OPEN" for r in found) and len({r["id"] for r in found}) == len(found) == 122
    made = sorted((r["created"] for r in found), reverse=True)
    assert made[49] == made[50]
    assert len(api(bb, mark)) == 3 + 1, "the second page is asked for again, with that moment included"
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / BUSY], check=True, stdout=subprocess.DEVNULL)
    assert rows(m, BUSY) == found and len(m.ls(BUSY)) == len(found) + 5
    for r in found:
        assert "title: " in m.read(f"{BUSY}/{r['id']}/info")
    assert api(bb, mark) == [], "what the list had costs no more"


def test_closed_ones_are_beside_them(shared_bb, listed):
    for place, numbers in (("merged", {2, 10, 11, 13}), ("declined", {1, 3, 12, 15}), ("superseded", {4})):
        assert listed.ls(f"{PULLS}/{place}") == ["index.json", "index.tsv"], "each can be entered by its number"
        assert {int(r["id"]) for r in rows(listed, f"{PULLS}/{place}")} == numbers
        assert all(os.path.isdir(listed / f"{PULLS}/{place}/{n}") for n in numbers)
    assert {r["state"] for r in rows(listed, PULLS + "/merged")} == {"MERGED"}
    odd, = [r for r in rows(listed, PULLS + "/declined") if r["id"] == "15"]
    assert odd["author"] == "" and odd["title"] == "A line\\nbreak, a tab\\t, a \\\\ and \\u202eRTL"
    assert listed.read(PULLS + "/declined/15/title").startswith("A line\nbreak, a tab\t, a \\ and ")


def test_any_number_leads_to_where_it_is(bb, mounts):
    m = mounts()
    m.ls("acme")
    for number, where in (("2", "merged/2"), ("12", "declined/12"), ("4", "superseded/4")):
        mark = bb.log.mark()
        assert os.readlink(m / f"{PULLS}/{number}") == where
        assert len(api(bb, mark)) == 1
        assert m.read(f"{PULLS}/{number}/info").startswith(f"id: {number}\n")
        assert len(api(bb, mark)) == 1, "the answer is its document too"
    mark = bb.log.mark()
    assert os.stat(m / f"{PULLS}/7").st_ino and not os.path.islink(m / f"{PULLS}/7")
    assert len(api(bb, mark)) == 1


def test_numbers_and_names_that_are_none(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    for name in ("0", "007", "x", ".git", "12a", "-1", "1" * 19, "Merged"):
        fails(errno.ENOENT, os.stat, m / f"{PULLS}/{name}")
    assert api(bb, mark) == []
    for _ in range(3):
        fails(errno.ENOENT, os.stat, m / f"{PULLS}/4711")
    assert len(api(bb, mark)) == 1, "and that it is none is remembered"
    assert m.errors() == ""


def test_a_number_of_another_state_is_not_in_this_one(listed):
    fails(errno.ENOENT, os.stat, listed / f"{PULLS}/merged/7")
    fails(errno.ENOENT, os.stat, listed / f"{PULLS}/declined/2")


def test_ls_l_of_a_pull_request_is_one_request(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    out = subprocess.run(["ls", "-l", m / f"{PULLS}/7"], check=True, capture_output=True, text=True).stdout
    assert len(api(bb, mark)) == 1, api(bb, mark)
    assert {line.split()[-1] for line in out.splitlines()[1:]} >= ITEM
    assert int(os.stat(m / f"{PULLS}/7").st_mtime) == 1793523660
    for name in ("info", "title", "description.md", "pullrequest.json", "summary.md"):
        assert len(m.read(f"{PULLS}/7/{name}", "rb")) == os.stat(m / f"{PULLS}/7/{name}").st_size
    assert len(api(bb, mark)) == 1


def test_a_summary_has_what_is_at_hand(bb, mounts):
    m = mounts()
    summary = m / (PULLS + "/7/summary.md")
    m.ls(PULLS)
    mark = bb.log.mark()
    before, was = m.read(PULLS + "/7/summary.md"), os.stat(summary)
    assert before.startswith("id: 7\nstate: OPEN\n")
    assert "\n\n# WID-12: number the threads\n\nCloses WID-12 " in before and "\n- chen: approved\n" in before
    assert "\n- ada: changes requested\n" in before and "\n- erik: waiting\n" in before and "## Tasks" not in before
    assert api(bb, mark) == []
    held = os.open(summary, os.O_RDONLY)
    m.ls(PULLS + "/7/tasks"), m.ls(PULLS + "/7/statuses")
    assert len(api(bb, mark)) == 2
    await_true(lambda: "## Statuses" in m.read(PULLS + "/7/summary.md"), "the summary has the lists that came")
    after, now = m.read(PULLS + "/7/summary.md"), os.stat(summary)
    assert "\n- [x] Remove the warning (ada)\n" in after and "\n- FAILED: widgets #38 https://" in after
    assert now.st_ino != was.st_ino and now.st_mtime > was.st_mtime and now.st_size == len(after.encode())
    assert os.pread(held, 1 << 20, 0).decode() == before, "who reads the old one finishes it"
    os.close(held)
    assert len(api(bb, mark)) == 2
    m.unmount()
    bb.offline()
    assert mounts().read(PULLS + "/7/summary.md") == after
    bb.online()


def test_commits_are_whole_where_git_knows_them(bb, mounts):
    m = mounts()
    m.ls(PULLS)
    before, was = m.read(PULLS + "/7/info"), os.stat(m / (PULLS + "/7/info"))
    assert "\nsource_commit: 1a1f02dc1fd4\n" in before
    assert not list(pathlib.Path(m.cache).rglob("*.git")), "looking makes no copy"
    m.ls(PULLS + "/7/tree")
    m.unmount()
    mark = bb.log.mark()
    m = mounts()
    after, now = m.read(PULLS + "/7/info"), os.stat(m / (PULLS + "/7/info"))
    whole = subprocess.run(["git", "-C", bb.repo_path("acme", "widgets"), "rev-parse", "feature/WID-12-threads"], check=True,
                           capture_output=True, text=True).stdout.strip()
    assert f"\nsource_commit: {whole}\n" in after and f"\nsource_commit: {whole}\n" in m.read(PULLS + "/7/summary.md")
    assert now.st_ino != was.st_ino and now.st_mtime >= was.st_mtime + 1
    assert [e for e in api(bb, mark) if "/pullrequests" in e or "/commit" in e] == []


# ---- what is missing in them

def test_ends_that_are_gone(listed):
    info = listed.read(PULLS + "/12/info")
    assert "source: feature/other\n" in info and "source_repository" not in info and "reason: The fork was deleted before" in info
    info = listed.read(PULLS + "/13/info")
    assert "destination_repository" not in info and "closed_by" not in info and "author" not in info
    assert json.loads(listed.read(PULLS + "/3/pullrequest.json"))["source"]["repository"] is None
    fails(errno.ENOENT, listed.read, PULLS + "/declined/12/commits/index.tsv")
    assert "The source repository of this pull request no longer exists" in listed.errors()


def test_one_from_a_fork(listed):
    info = listed.read(PULLS + "/14/info")
    assert "source_repository: ada-lindqvist/widgets\n" in info and "jira: WID-50\n" in info
    assert [r["title"] for r in rows(listed, PULLS + "/14/commits")] == ["WID-50: once more", "WID-50: from a fork"]


# ---- below

def led_to(bb, number, what):
    """Where the service says that the diff of it is: the request, without the query."""
    pull = json.loads(ask(bb, f"{bb.api_url}/repositories/acme/widgets/pullrequests/{number}"))
    return "GET /2.0" + pull["links"][what]["href"].removeprefix(bb.api_url).partition("?")[0]


@pytest.mark.parametrize("name", ROWS)
def test_each_directory_below_is_one_request(bb, mounts, name):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    led = led_to(bb, 8, "diffstat")
    mark = bb.log.mark()
    assert {"index.json", "index.tsv"} <= set(m.ls(f"{PULLS}/8/{name}"))
    if name == "changes":
        # Where the service's redirect would lead to: the pull request itself has the link.
        assert [a.partition("?")[0] for a in asked(bb, mark)] == [led]
    else:
        found = [a for a in asked(bb, mark) if not a.startswith("GET ")]
        assert found == [f"/8/{ROWS[name]}"], api(bb, mark)
    before = {f: m.read(f"{PULLS}/8/{name}/{f}", "rb") for f in ("index.tsv", "index.json")}
    assert len(asked(bb, mark)) == (2 if name == "conflicts" else 1), "a redirect is followed"
    m.unmount()
    bb.offline()
    again = mounts()
    assert {f: again.read(f"{PULLS}/8/{name}/{f}", "rb") for f in before} == before


def test_changes(shared_bb, listed):
    changes = rows(listed, PULLS + "/7/changes")
    assert [tuple(r.values()) for r in changes] == [
        ("added", "0", "0", "", "assets/icon.bin"), ("added", "1", "0", "", "docs/Größe ändern.md"),
        ("modified", "3", "3", "docs/guide.md", "docs/guide.md"), ("removed", "0", "1", "docs/index.md", ""),
        ("added", "1", "0", "", "docs/newest"), ("added", "1", "0", "", "src/tab\\tand\\nnewline.c"),
        ("added", "30", "0", "", "src/thread.c"), ("modified", "0", "0", "tests/run.sh", "tests/run.sh")]


def test_the_diff_is_the_service_s_own_text(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(PULLS), m.ls(PULLS + "/7/changes")
    mark = bb.log.mark()
    with open(m / f"{PULLS}/7/changes/diff", "rb") as f:
        text = f.read()
    only, = bb.log.since(mark, r"/2\.0/")
    assert "/diff/acme/widgets:" in only["path"] and only["status"] == 200 and only["account"] == "ada"
    info = dict(line.split(": ", 1) for line in m.read(PULLS + "/7/info").splitlines() if ": " in line)
    want = subprocess.run(["git", "-C", bb.repo_path("acme", "widgets"), "diff",
                           f"{info['destination_commit']}...{info['source_commit']}"], check=True, capture_output=True).stdout
    assert text == want and os.stat(m / f"{PULLS}/7/changes/diff").st_size == len(want)
    mark = bb.log.mark()
    m.read(PULLS + "/7/changes/diff", "rb")
    assert api(bb, mark) == []


@pytest.mark.parametrize("repository", ["acme/widgets", "acme/handbook", "edge/refs"])
def test_what_is_asked_for_directly_is_what_the_redirect_leads_to(shared_bb, shared_mounts, repository):
    m = shared_mounts("walk=100000", cache="direct")
    m.ls("acme"), m.ls("edge")
    numbers = [r["id"] for r in rows(m, repository + "/pullrequests")]
    assert numbers
    for number in numbers:
        place, here = f"{repository}/pullrequests/{number}/changes", f"{shared_bb.api_url}/repositories/{repository}/pullrequests/{number}"
        mark = shared_bb.log.mark()
        try:
            text, index = m.read(place + "/diff", "rb"), json.loads(m.read(place + "/index.json"))
        except OSError:
            with pytest.raises(urllib.error.HTTPError):
                ask(shared_bb, here + "/diff")
            continue
        assert len(api(shared_bb, mark)) == 2, api(shared_bb, mark)
        assert text == ask(shared_bb, here + "/diff"), number
        assert index == json.loads(ask(shared_bb, here + "/diffstat"))["values"], number


@pytest.mark.parametrize("status", [400, 404])
def test_where_the_link_leads_nowhere_the_redirect_is_followed(bb, mounts, status):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    first = bb.fault(r"/diff(stat)?/acme/widgets:", "status", status=status, times=1)
    mark = bb.log.mark()
    assert rows(m, PULLS + "/7/changes")
    assert [e["status"] for e in bb.log.since(mark, r"/2\.0/")] == [status, 302, 200] and first.hits == 1
    bb.fault(r"/diff(stat)?/acme/widgets:", "status", status=status, times=1)
    mark = bb.log.mark()
    assert m.read(PULLS + "/7/changes/diff").startswith("diff --git")
    assert [e["status"] for e in bb.log.since(mark, r"/2\.0/")] == [status, 302, 200]
    assert m.errors().count("7/changes") == 0


def test_without_both_commits_the_redirect_is_followed(bb, mounts):
    bb.update_pull("acme", "widgets", 5, fork_gone="all")
    m = mounts()
    m.ls("acme")
    assert json.loads(m.read(PULLS + "/5/pullrequest.json"))["source"]["commit"] is None
    mark = bb.log.mark()
    try:
        m.read(PULLS + "/5/changes/index.tsv")
    except OSError:
        pass                    # whether the service still can is its own affair
    assert asked(bb, mark)[0] == "/5/" + ROWS["changes"]


def test_asked_again_it_is_of_the_commits_of_now(bb, mounts):
    """The link is as old as the pull request at hand; the redirect is not."""
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    before = m.read(PULLS + "/7/changes/diff")
    bb.push("acme", "widgets", {"docs/one-more.md": b"More.\n"}, branch="feature/WID-12-threads")
    assert m.read(PULLS + "/7/changes/diff") == before
    mark = bb.log.mark()
    m.refresh(PULLS + "/7/changes")
    assert [e["status"] for e in bb.log.since(mark, r"/pullrequests/7/diffstat|/diffstat/")] == [302, 200]
    assert "docs/one-more.md" in m.read(PULLS + "/7/changes/index.tsv")


def test_it_is_believed_no_longer_than_the_pull_request(bb, mounts):
    """Else one that was looked at late would show the commits of twice as long ago."""
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    m.unmount()
    run_out(m, 200, match="%pullrequests%")
    m = mounts()
    mark = bb.log.mark()
    assert rows(m, PULLS + "/7/changes")
    assert len(api(bb, mark)) == 1, "directly: the list has 100 s left"
    m.unmount()
    run_out(m, 110, match="%pullrequests%")
    m = mounts()
    mark = bb.log.mark()
    assert rows(m, PULLS + "/7/changes")
    await_true(lambda: any("/pullrequests/7/diffstat" in line for line in api(bb, mark)), "it is brought up to date")


def test_what_is_below_a_merged_one_is_asked_for_once(bb, mounts):
    m = mounts()
    m.ls("acme")
    m.read(PULLS + "/2/info")
    mark = bb.log.mark()
    kept = (m.read(PULLS + "/2/changes/diff"), m.read(PULLS + "/2/changes/index.tsv"), m.read(PULLS + "/2/commits/index.tsv"))
    assert "quiet" in kept[0] and len(api(bb, mark)) == 3, "its commits are known: no redirects"
    status = m.status()
    m.unmount()
    mark = bb.log.mark()
    again = mounts()
    assert kept == (again.read(PULLS + "/2/changes/diff"), again.read(PULLS + "/2/changes/index.tsv"),
                    again.read(PULLS + "/2/commits/index.tsv"))
    assert api(bb, mark) == [] and status
    again.unmount()
    run_out(again, 24 * 3600, match="%pullrequests%")
    assert kept[0] == mounts().read(PULLS + "/2/changes/diff")
    assert not [line for line in api(bb, mark) if "diff" in line], "for ever: what its document says has no end, either"


def test_commits_lead_to_the_commits_of_the_repository(shared_bb, listed):
    hashes = [r["hash"] for r in rows(listed, PULLS + "/7/commits")]
    assert len(hashes) == 3
    for where in (PULLS + "/7", PULLS + "/merged/2"):
        for r in rows(listed, where + "/commits"):
            path = listed / f"{where}/commits/{r['hash']}"
            assert os.path.islink(path)
            assert os.path.realpath(path) == listed / f"acme/widgets/commits/{r['hash']}"
            assert listed.read(f"{where}/commits/{r['hash']}/message").splitlines()[0] == r["title"]


def test_tasks_statuses_activity(listed):
    tasks = {r["id"]: r for r in rows(listed, PULLS + "/7/tasks")}
    assert tasks["71"]["state"] == "UNRESOLVED" and tasks["71"]["comment"] == "701" and tasks["72"]["resolved_by"] == "chen"
    assert tasks["73"]["author"] == "" and tasks["73"]["text"] == "line\\nbreak\\tand tab"
    states = {r["key"]: r["state"] for r in rows(listed, PULLS + "/7/statuses")}
    assert states["build"] == "FAILED" and states["security"] == "SUCCESSFUL"
    events = rows(listed, PULLS + "/7/activity")
    assert {r["event"] for r in events} == {"update", "comment", "approval", "changes_requested"}
    assert ("approval", "chen") in {(r["event"], r["author"]) for r in events}
    assert rows(listed, PULLS + "/8/conflicts")[0]["path"]


THREAD = """\
# 3 comments on pull request 5: Let the caller choose a colour

## Conversation

- **Dana Petrova** · 2026-10-30T09:08:23Z · deleted · #503

  *This comment was deleted.*

- **Dana Petrova** · 2026-10-31T09:08:24Z · #504

  The guide has a new page for it.

  ```c
  int colour;
  ```

## src/colour.c:1

- **Ada Lindqvist** · 2026-10-30T09:08:21Z · #501

  What does `colour_of("")` return?

  - **Chen Wei** · 2026-10-30T09:08:22Z · #502

    0, which is plain.
"""


def test_comments_are_a_conversation(shared_bb, listed):
    mark = shared_bb.log.mark()
    assert listed.read(PULLS + "/5/comments/thread.md") == THREAD
    assert len(api(shared_bb, mark)) == 1
    assert [r["id"] for r in rows(listed, PULLS + "/5/comments")] == ["501", "502", "503", "504"]
    assert listed.read(PULLS + "/6/comments/thread.md") == "No comments.\n"
    long = listed.read(PULLS + "/7/comments/thread.md")
    assert "· resolved by Ben Okafor, " in long and "answers #999, which is gone" in long and "\x1b" not in long
    assert "\n## src/tab\\tand\\nnewline.c:1\n" in long and "\n## docs/index.md:1 (before the change)\n" in long
    # Every remark of those that stand in the index is there.
    assert all(f" · #{r['id']}\n" in long for r in rows(listed, PULLS + "/7/comments"))
    mark = shared_bb.log.mark()
    assert len(rows(listed, PULLS + "/17/comments")) == 130
    assert len(api(shared_bb, mark)) == 2, "pages of a hundred"


# ---- its files

@pytest.mark.parametrize("where", ["7", "14", "merged/2", "merged/10", "merged/11", "merged/13", "declined/1", "declined/12"])
def test_the_tree_is_that_of_the_source_commit(shared_bb, listed, tmp_path, where):
    """Of a branch, of a fork, of a branch that is gone, of a commit that was squashed, of a fork that is gone."""
    info = dict(line.split(": ", 1) for line in listed.read(f"{PULLS}/{where}/info").splitlines() if ": " in line)
    fork = ("ada-lindqvist", "widgets") if where == "14" else ("acme", "widgets")
    want = str(tmp_path / "want")
    os.mkdir(want)
    archive = subprocess.run(["git", "-C", shared_bb.repo_path(*fork), "archive", info["source_commit"]], check=True,
                             capture_output=True).stdout
    subprocess.run(["tar", "-C", want, "-x"], input=archive, check=True)
    assert same_trees(want, listed / f"{PULLS}/{where}/tree") == ""


def test_looking_at_the_tree_s_name_fetches_nothing(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    mark = bb.log.mark()
    before = os.stat(m / f"{PULLS}/7/tree")
    subprocess.run(["ls", "-l", m / f"{PULLS}/7"], check=True, stdout=subprocess.DEVNULL)
    assert git(bb, mark) == [] and api(bb, mark) == []
    assert "src" in m.ls(f"{PULLS}/7/tree") and api(bb, mark) == [], "twelve digits are completed by the branch's tip"
    assert [e["git"]["command"] for e in bb.log.since(mark, r"POST .*git-upload-pack")] == ["ls-refs", "fetch"]
    assert os.stat(m / f"{PULLS}/7/tree").st_ino == before.st_ino
    mark = bb.log.mark()
    subprocess.run(["grep", "-r", "int", m / f"{PULLS}/7/tree"], check=True, stdout=subprocess.DEVNULL)
    assert git(bb, mark) == [] and api(bb, mark) == []


def test_a_commit_that_nobody_has_is_an_error_with_the_reason(listed):
    assert subprocess.run(["ls", "-l", listed / f"{PULLS}/declined/3"], capture_output=True).returncode == 0
    fails(errno.ENODATA, listed.ls, PULLS + "/declined/3/tree")
    fails(errno.ENODATA, os.stat, listed / f"{PULLS}/declined/3/tree/README.md")
    fails(errno.ENOENT, os.stat, listed / f"{PULLS}/declined/3/tree/.git")
    assert "does not say which commit" in listed.errors()
    fails(errno.ENODATA, listed.ls, PULLS + "/16/tree")
    assert "82cc2a5fcad1 is not to be had any more" in listed.errors()


def test_a_push_to_an_open_one_is_another_tree(bb, mounts):
    m = mounts()
    m.ls("acme")
    assert "new.txt" not in m.ls(PULLS + "/5/tree")
    bb.push("acme", "widgets", {"new.txt": b"new\n"}, "More", branch="feature/colours")
    assert "updated" in m.refresh(PULLS + "/5")
    assert m.read(PULLS + "/5/tree/new.txt") == "new\n"


# ---- failures

ANSWER = {name: "/diffstat" if name == "changes" else f"/pullrequests/8/{row.partition('?')[0]}" for name, row in ROWS.items()}
REFUSALS = [(403, errno.EACCES), (404, errno.ENOENT), (500, errno.EIO)]


@pytest.mark.parametrize("status,code", REFUSALS)
@pytest.mark.parametrize("name", ROWS)
def test_a_refusal_is_an_errno_and_a_sentence(bb, mounts, name, status, code):
    if status == 500 and name != "tasks":
        pytest.skip("one row tells of all")
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    body = {"type": "error", "error": {"message": "Not you.", "detail": {"required": ["pullrequest"], "granted": ["account"]}}}
    bb.fault(ANSWER[name], "status", status=status, body=json.dumps(body),
             headers={"Content-Type": "application/json"})
    fails(code, m.read, f"{PULLS}/8/{name}/index.tsv")
    if status == 403:
        assert "lacks the scope pullrequest" in m.errors() and f"8/{name}" in m.errors()
    else:
        assert f"8/{name}" in m.errors() and str(status) in m.errors()
    assert name == "conflicts" or name in m.ls(f"{PULLS}/8"), "what is refused stays listed"
    with pytest.raises(OSError):
        m.ls(f"{PULLS}/8/{name}")


@pytest.mark.parametrize("name", ROWS)
def test_garbage_is_an_error_and_nothing_is_kept_of_it(bb, mounts, name):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    garbage = bb.fault(ANSWER[name], "status", status=200, body='{"values": 7}',
                       headers={"Content-Type": "application/json"})
    fails(errno.EIO, m.read, f"{PULLS}/8/{name}/index.tsv")
    garbage.remove()
    await_true(lambda: os.path.exists(m / f"{PULLS}/8/{name}/index.tsv"), "the failure was forgotten")
    assert m.read(f"{PULLS}/8/{name}/index.tsv").count("\t")


def test_a_limit_of_the_service_is_edquot_and_the_cache_goes_on(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = m.read(PULLS + "/index.tsv")
    bb.set_limits(quota=0, retry_after=600)
    fails(errno.EDQUOT, m.read, PULLS + "/merged/index.tsv")
    assert m.read(PULLS + "/index.tsv") == before and m.read(PULLS + "/7/info")
    assert "EDQUOT" in m.errors()


def test_a_diff_that_times_out_is_asked_for_again_with_patience(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    fault = bb.fault("/2.0/repositories/acme/widgets/diff/", "status", status=555, times=1)
    assert m.read(PULLS + "/5/changes/diff").startswith("diff --git")
    assert fault.hits == 1
    always = bb.fault("/2.0/repositories/acme/widgets/diff/", "status", status=555)
    fails(errno.EIO, m.read, PULLS + "/7/changes/diff")
    assert always.hits == 4 and "Bitbucket gave up on" in m.errors() and "(555)" in m.errors()
    assert m.read(PULLS + "/7/info"), "the rest is there"


# ---- many at once, and what comes and goes meanwhile

@pytest.mark.concurrent
def test_fifty_readers_ask_for_each_page_once(bb, mounts):
    m = mounts()
    m.ls("edge")
    start, seen = threading.Barrier(50), []
    mark = bb.log.mark()

    def read():
        start.wait()
        seen.append(m.read(BUSY + "/index.tsv"))
    them = [threading.Thread(target=read) for _ in range(50)]
    for t in them:
        t.start()
    for t in them:
        t.join()
    requests = api(bb, mark)
    assert seen == [seen[0]] * 50 and len(requests) == len(set(requests)) == 4


def test_nobody_is_lost_or_twice_while_pages_are_walked(bb, mounts):
    m = mounts("walk=100000")
    m.ls("edge")
    before = {r["id"] for r in rows(m, BUSY)}
    oldest, newest = sorted(before, key=int)[0], sorted(before, key=int)[-1]
    done = [bb.when("GET .*/busy/pullrequests", 1, "create_pull", "edge", "busy", "Between pages", "topic/2000"),
            bb.when("GET .*/busy/pullrequests", 1, "close_pull", "edge", "busy", int(newest), "DECLINED"),
            bb.when("GET .*/busy/pullrequests", 2, "close_pull", "edge", "busy", int(oldest), "DECLINED")]
    m.refresh(BUSY)
    assert all(d.is_set() for d in done)
    after = [r["id"] for r in rows(m, BUSY)]
    assert len(after) == len(set(after)), "none is there twice"
    assert before - {oldest, newest} <= set(after), "nobody else was lost"
    m.refresh(BUSY)
    after = {r["id"] for r in rows(m, BUSY)}
    assert after == before - {oldest, newest} | {"2001"}
    assert os.readlink(m / f"{BUSY}/{newest}") == f"declined/{newest}"


def test_a_merge_is_told(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(PULLS + "/merged")
    assert "5" in m.ls(PULLS) and m.read(PULLS + "/5/info")
    bb.merge_pull("acme", "widgets", 5)
    said = m.refresh(PULLS)
    assert "5: gone" in said
    assert "5" not in m.ls(PULLS) and "5: new" in m.refresh(PULLS + "/merged")
    assert os.readlink(m / f"{PULLS}/5") == "merged/5" and "state: MERGED\n" in m.read(PULLS + "/5/info")
    assert "5\tMERGED" in m.read(PULLS + "/merged/index.tsv") and "5\tOPEN" not in m.read(PULLS + "/index.tsv")


def test_a_comment_is_told(bb, mounts):
    m = mounts()
    m.ls("acme")
    assert m.read(PULLS + "/6/comments/thread.md") == "No comments.\n"
    bb.comment_pull("acme", "widgets", 6, "Look @{%s}." % bb.accounts["ada"].user, who="ben")
    m.refresh(PULLS + "/6/comments")
    assert "  Look @" in m.read(PULLS + "/6/comments/thread.md") and len(rows(m, PULLS + "/6/comments")) == 1


@pytest.mark.parametrize("minutes", [7, 60])
def test_outdated_ones_are_brought_up_to_date_together(bb, mounts, minutes):
    m = mounts()
    m.ls("acme")
    numbers = [r["id"] for r in rows(m, PULLS)]
    before = {n: m.read(f"{PULLS}/{n}/info") for n in numbers}
    m.unmount()
    bb.update_pull("acme", "widgets", 6, title="src: free all of it")
    run_out(m, minutes * 60, match="%/pullrequests%")
    mark, again = bb.log.mark(), mounts()
    for n in numbers:
        again.read(f"{PULLS}/{n}/info")
    assert len(quiet(bb, mark)) == 1, "not one for each"
    after = {n: again.read(f"{PULLS}/{n}/info") for n in numbers}
    assert "title: src: free all of it\n" in after.pop("6") and after == {n: t for n, t in before.items() if n != "6"}


def test_an_outdated_list_is_not_asked_for_what_it_lacks(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(PULLS)
    assert os.readlink(m / f"{PULLS}/2") == "merged/2"
    m.unmount()
    run_out(m, 3600, match="%/pullrequests%")
    mark, again = bb.log.mark(), mounts()
    assert os.readlink(again / f"{PULLS}/11") == "merged/11"
    assert [a.rpartition("/")[2] for a in api(bb, mark)] == ["11"]


# ---- long histories

def test_a_long_history_is_bounded_and_says_so(bb, mounts):
    m = mounts("history=60", "walk=100000")
    m.ls("edge")
    mark = bb.log.mark()
    newest = [int(r["id"]) for r in rows(m, BUSY + "/merged")]
    assert len(set(newest)) == 60 and len(api(bb, mark)) == 2
    assert "the newest 60" in m.read(BUSY + "/merged/more") and "history=N" in m.read(BUSY + "/merged/more")
    assert "more" in m.ls(BUSY + "/merged") and len(json.loads(m.read(BUSY + "/merged/index.json"))) == 60
    mark = bb.log.mark()
    assert os.readlink(m / f"{BUSY}/7") == "merged/7" and m.read(BUSY + "/7/info").startswith("id: 7\n")
    assert "7" not in m.ls(BUSY + "/merged") and len(api(bb, mark)) == 1
    m.unmount()
    mark = bb.log.mark()
    more = mounts("history=120", "walk=100000")
    assert len(rows(more, BUSY + "/merged")) == 120 and 3 <= len(api(bb, mark)) <= 4
    more.unmount()
    mark = bb.log.mark()
    assert len(rows(mounts("history=60"), BUSY + "/merged")) == 120 and api(bb, mark) == []


def test_five_hundred_are_read_quickly(bb, mounts):
    m = mounts("walk=100000")
    m.ls("edge")
    mark = bb.log.mark()
    numbers = [r["id"] for r in rows(m, BUSY + "/merged")]
    assert len(numbers) == 500 and len(api(bb, mark)) == 10
    began, mark = time.monotonic(), bb.log.mark()
    out = subprocess.run(["cat", *(m / f"{BUSY}/merged/{n}/info" for n in numbers)], check=True, capture_output=True, text=True)
    took = time.monotonic() - began
    assert out.stdout.count("state: MERGED\n") == 500 and api(bb, mark) == []
    assert took < (20 if SANITIZED else 4), f"{took:.1f} s"


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not the program's")
def test_two_thousand_indexed_leave_no_memory_behind(bb, mounts):
    m = mounts("history=2000", "walk=100000")
    m.ls("edge")
    before = m.rss_anon()
    n = sum(len(rows(m, BUSY + where)) for where in ("", "/merged", "/declined", "/superseded"))
    assert n == 2000
    grown = m.rss_anon() - before
    assert grown <= 4 << 20, f"{grown / 1e6:.1f} MB"
