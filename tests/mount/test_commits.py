"""Commits: the newest by their whole ids, any by lookup, short ids as links; and the indexes of branches and tags."""
import errno
import json
import os
import subprocess

import pytest

from conftest import api, asked, await_true, git, same_trees

COMMITS = "acme/widgets/commits"
ITEM = {"changes", "comments", "commit.json", "info", "message", "reports", "statuses", "tree"}
ROWS = ("changes", "comments", "pullrequests", "reports", "statuses")


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def rows(m, path):
    lines = m.read(path + "/index.tsv").splitlines()
    head = lines[0].split("\t")
    assert all(line.count("\t") == len(head) - 1 for line in lines)
    return [dict(zip(head, line.split("\t"))) for line in lines[1:]]


def log(bb, repo, *arguments):
    """git's own words, as the oracle."""
    done = subprocess.run(["git", "-C", bb.repo_path(*repo.split("/")), "log", *arguments], check=True, capture_output=True)
    return done.stdout.decode(errors="replace")


@pytest.fixture(scope="module")
def listed(shared_mounts):
    m = shared_mounts("walk=100000")
    m.ls("acme"), m.ls("edge")
    return m


@pytest.fixture(scope="module")
def main(shared_bb):
    return log(shared_bb, "acme/widgets", "-1", "--format=%H", "main").strip()


# ---- the list

def test_the_list_is_every_branch_s_history(shared_bb, listed):
    mark = shared_bb.log.mark()
    found = rows(listed, COMMITS)
    assert len(api(shared_bb, mark)) == 1
    assert sorted(r["hash"] for r in found) == sorted(log(shared_bb, "acme/widgets", "--branches", "--format=%H").split())
    assert listed.ls(COMMITS) == ["index.json", "index.tsv"], "each can be entered by its id"
    one, = [r for r in found if r["title"].startswith("WID-12: number")]
    assert one["jira"] == "WID-12,WID-13,LEGAL2-7" and one["author"] == "ben" and one["date"] == "2026-10-29T09:00:00Z"
    assert [c["hash"] for c in json.loads(listed.read(COMMITS + "/index.json"))] == [r["hash"] for r in found]
    assert len(api(shared_bb, mark)) == 1


def test_what_the_list_had_costs_nothing_more(shared_bb, listed):
    found = rows(listed, COMMITS)
    mark = shared_bb.log.mark()
    for r in found:
        assert listed.read(f"{COMMITS}/{r['hash']}/info").startswith(f"hash: {r['hash']}\ndate: {r['date']}\n")
        message = log(shared_bb, "acme/widgets", "-1", "--format=%B", r["hash"]).rstrip("\n")
        assert listed.read(f"{COMMITS}/{r['hash']}/message").rstrip("\n") == message
        seconds = int(log(shared_bb, "acme/widgets", "-1", "--format=%ct", r["hash"]))
        assert int(os.stat(listed / f"{COMMITS}/{r['hash']}").st_mtime) == seconds
    assert api(shared_bb, mark) == []


def test_a_long_history_is_five_requests(bb, mounts):
    m = mounts("walk=100000")
    m.ls("edge")
    mark = bb.log.mark()
    found = rows(m, "edge/busy/commits")
    assert len(found) == 500 == len({r["hash"] for r in found}) and len(api(bb, mark)) == 5
    assert "the newest 500" in m.read("edge/busy/commits/more")
    first = log(bb, "edge/busy", "--max-parents=0", "--format=%H", "main").strip()
    mark = bb.log.mark()
    assert m.read(f"edge/busy/commits/{first}/message") == "Begin\n"
    assert len(api(bb, mark)) == 1 and m.ls("edge/busy/commits") == ["index.json", "index.tsv", "more"]


# ---- by id

def test_any_commit_is_one_request_and_never_again(bb, mounts, main):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    out = subprocess.run(["ls", "-l", m / f"{COMMITS}/{main}"], check=True, capture_output=True, text=True).stdout
    assert {line.split()[-1] for line in out.splitlines()[1:]} == ITEM
    before = m.read(f"{COMMITS}/{main}/info"), m.read(f"{COMMITS}/{main}/commit.json"), m.read(f"{COMMITS}/{main}/message")
    assert len(api(bb, mark)) == 1, api(bb, mark)
    m.unmount()
    bb.offline()
    again = mounts()
    assert before == (again.read(f"{COMMITS}/{main}/info"), again.read(f"{COMMITS}/{main}/commit.json"),
                      again.read(f"{COMMITS}/{main}/message"))


@pytest.mark.parametrize("digits", [7, 12, 39])
def test_a_short_id_is_a_link_to_the_whole_one(bb, mounts, main, digits):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    assert os.readlink(m / f"{COMMITS}/{main[:digits]}") == main
    assert m.read(f"{COMMITS}/{main[:digits]}/info").startswith(f"hash: {main}\n")
    assert len(api(bb, mark)) == 1, "one answer is both"


def test_what_the_store_has_needs_no_question(bb, mounts, main):
    m = mounts()
    m.ls("acme"), m.ls("acme/widgets/tree")
    mark = bb.log.mark()
    assert os.readlink(m / f"{COMMITS}/{main[:9]}") == main
    assert api(bb, mark) == [] and git(bb, mark) == []


def test_names_that_are_no_ids_cost_nothing(bb, mounts, main):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    for name in (main[:6], main.upper(), main[:10].upper(), main + "0", "main", "HEAD", ".git", "g" * 40, main[:39] + "x"):
        fails(errno.ENOENT, os.stat, m / f"{COMMITS}/{name}")
    assert api(bb, mark) == []
    for name in ("0" * 40, "0" * 12):
        for _ in range(3):
            fails(errno.ENOENT, os.stat, m / f"{COMMITS}/{name}")
    assert len(api(bb, mark)) == 2, "and that there is none is remembered"


def test_an_answer_about_another_commit_is_not_believed(bb, mounts, main):
    m = mounts()
    m.ls("acme")
    bb.fault(f"/commit/{main[:8]}$", "status", status=200, body=json.dumps({"hash": "0" * 40}),
             headers={"Content-Type": "application/json"})
    fails(errno.EIO, os.readlink, m / f"{COMMITS}/{main[:8]}")
    assert "another commit" in m.errors()


# ---- below

@pytest.mark.parametrize("name", ROWS)
def test_each_directory_below_is_one_request(bb, mounts, main, name):
    m = mounts()
    m.ls("acme"), os.stat(m / f"{COMMITS}/{main}")
    mark = bb.log.mark()
    m.ls(f"{COMMITS}/{main}/{name}")
    before = {f: m.read(f"{COMMITS}/{main}/{name}/{f}") for f in ("index.tsv", "index.json")}
    assert len(api(bb, mark)) == 1 and json.loads(before["index.json"])
    m.unmount()
    bb.offline()
    again = mounts()
    assert before == {f: again.read(f"{COMMITS}/{main}/{name}/{f}") for f in before}


def test_what_is_below(shared_bb, listed, main):
    changes = rows(listed, f"{COMMITS}/{main}/changes")
    assert [(r["status"], r["new"]) for r in changes] == [("modified", "src/widget.c")]
    want = subprocess.run(["git", "-C", shared_bb.repo_path("acme", "widgets"), "diff", main + "~1", main], check=True,
                          capture_output=True).stdout
    assert listed.read(f"{COMMITS}/{main}/changes/diff", "rb") == want
    assert "`%d` of an int" in listed.read(f"{COMMITS}/{main}/comments/thread.md")
    assert {r["key"]: r["state"] for r in rows(listed, f"{COMMITS}/{main}/statuses")}["build"] == "SUCCESSFUL"
    assert [n for n in listed.ls(f"{COMMITS}/{main}/reports") if not n.startswith("index")] == ["cov-1", "scan-1"]
    assert listed.ls(f"{COMMITS}/{main}/reports/scan-1") == ["annotations", "info", "report.json"]
    assert [r["file"] for r in rows(listed, f"{COMMITS}/{main}/reports/scan-1/annotations")] == ["src/widget.c", "docs/Größe ändern.md"]
    assert {"4", "18"} <= {r["id"] for r in rows(listed, f"{COMMITS}/{main}/pullrequests")}
    assert listed.ls(f"{COMMITS}/{main}/pullrequests") == ["index.json", "index.tsv"]
    fails(errno.ENOENT, os.lstat, listed / f"{COMMITS}/{main}/pullrequests/18")


def test_what_cannot_change_is_asked_for_once(bb, mounts, main):
    m = mounts()
    m.ls("acme")
    kept = m.read(f"{COMMITS}/{main}/changes/diff"), m.read(f"{COMMITS}/{main}/changes/index.tsv")
    m.unmount()
    mark = bb.log.mark()
    again = mounts()
    assert kept == (again.read(f"{COMMITS}/{main}/changes/diff"), again.read(f"{COMMITS}/{main}/changes/index.tsv"))
    assert api(bb, mark) == []


@pytest.mark.parametrize("status,code", [(403, errno.EACCES), (404, errno.ENOENT), (503, errno.EIO)])
@pytest.mark.parametrize("name", ROWS)
def test_a_refusal_is_an_errno_and_a_sentence(bb, mounts, main, name, status, code):
    if status == 503 and name != "reports":
        pytest.skip("one row tells of all")
    m = mounts()
    m.ls("acme"), os.stat(m / f"{COMMITS}/{main}")
    what = f"diffstat/{main}" if name == "changes" else f"commit/{main}/{name}"
    bb.fault(what, "status", status=status, body=json.dumps({"type": "error", "error": {"message": "Not you."}}),
             headers={"Content-Type": "application/json"})
    fails(code, m.read, f"{COMMITS}/{main}/{name}/index.tsv")
    assert name in [*m.ls(f"{COMMITS}/{main}"), "pullrequests"] and f"{main}/{name}" in m.errors() and str(status) in m.errors()


def test_links_that_are_not_made_yet_are_said(bb, mounts, main):
    m = mounts()
    m.ls("acme")
    bb.set_commit_links("acme", "widgets", "off")
    fails(errno.ENOENT, m.read, f"{COMMITS}/{main}/pullrequests/index.tsv")
    assert "/pullrequests" in m.errors() and "(404)" in m.errors()


# ---- the files

def test_the_tree_is_the_commit_s_and_never_asked_for_again(bb, mounts, main, tmp_path):
    old = log(bb, "acme/widgets", "-1", "--format=%H", "v1.0").strip()
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    os.stat(m / f"{COMMITS}/{old}/tree")
    assert git(bb, mark) == []
    want = str(tmp_path / "want")
    os.mkdir(want)
    archive = subprocess.run(["git", "-C", bb.repo_path("acme", "widgets"), "archive", old], check=True, capture_output=True)
    subprocess.run(["tar", "-C", want, "-x"], input=archive.stdout, check=True)
    assert same_trees(want, m / f"{COMMITS}/{old}/tree") == ""
    seconds = int(log(bb, "acme/widgets", "-1", "--format=%ct", old))
    assert {int(os.stat(m / f"{COMMITS}/{old}/tree{n}").st_mtime) for n in ("", "/src", "/README.md")} == {seconds}
    m.unmount()
    bb.offline()
    assert same_trees(want, mounts() / f"{COMMITS}/{old}/tree") == ""


# ---- branches and tags: what REST says of them

@pytest.mark.parametrize("kind,endpoint", [("branches", "refs/branches"), ("tags", "refs/tags")])
def test_listing_names_asks_rest_for_nothing(bb, mounts, kind, endpoint):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    names = m.ls(f"acme/widgets/{kind}")
    subprocess.run(["ls", "-l", "--ignore=index.*", m / f"acme/widgets/{kind}"], stdout=subprocess.DEVNULL)
    assert {"index.json", "index.tsv"} < set(names) and "more" not in names
    os.stat(m / f"acme/widgets/{kind}/{'main' if kind == 'branches' else 'v1.0'}")
    assert api(bb, mark) == []
    text = m.read(f"acme/widgets/{kind}/index.tsv")
    assert [a.partition("?")[0] for a in api(bb, mark)] == [f"GET /2.0/repositories/acme/widgets/{endpoint}"]
    assert json.loads(m.read(f"acme/widgets/{kind}/index.json")) and m.read(f"acme/widgets/{kind}/index.tsv") == text
    subprocess.run(["ls", "-l", m / f"acme/widgets/{kind}"], check=True, stdout=subprocess.DEVNULL)
    assert len(api(bb, mark)) == 1
    m.unmount()
    bb.offline()
    assert mounts().read(f"acme/widgets/{kind}/index.tsv") == text


def test_the_index_of_branches(shared_bb, listed):
    found = {r["name"]: r for r in rows(listed, "acme/widgets/branches")}
    want = log(shared_bb, "acme/widgets", "--no-walk", "--branches", "--format=%H").split()
    assert sorted(r["hash"] for r in found.values()) == sorted(want)
    one = found["bugfix/WID-31-conflict"]
    assert one["jira"] == "WID-31" and one["merge_strategy"] == "merge_commit" and one["author"] == "dana"
    assert one["title"] == "WID-31: print the name in capitals" and one["date"] == "2026-10-28T09:00:00Z"


def test_the_index_of_tags(shared_bb, listed):
    found = {r["name"]: r for r in rows(listed, "acme/widgets/tags")}
    assert found["v1.0"]["title"] == "widgets 1.0" and found["v1.0"]["author"] == "ada"
    assert found["v1.0"]["hash"] == log(shared_bb, "acme/widgets", "-1", "--format=%H", "v1.0").strip()
    assert found["nightly/2026-10-01"]["title"] == "docs: link to the latest guide", "a lightweight one has its commit's"


def test_odd_names_are_true_in_the_index(shared_bb, listed):
    for kind in ("branches", "tags"):
        names = {r["name"] for r in rows(listed, f"edge/refs/{kind}")}
        assert len(names) == len(json.loads(listed.read(f"edge/refs/{kind}/index.json")))
        assert any("%" in n for n in names) and any("#" in n for n in names)


def test_a_push_is_seen_in_the_index_when_asked_for(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = {r["name"]: r["hash"] for r in rows(m, "acme/widgets/branches")}
    bb.push("acme", "widgets", {"a": b"text"}, "WID-99: change it")
    mark = bb.log.mark()
    assert "branches: updated" in m.refresh("acme/widgets/branches")
    m.refresh("acme/widgets/tags")
    assert len(api(bb, mark)) == 1, "nobody has read the index of tags"
    after = {r["name"]: r for r in rows(m, "acme/widgets/branches")}
    assert after["main"]["hash"] != before["main"] and after["main"]["jira"] == "WID-99"
