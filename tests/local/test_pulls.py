"""The local Bitbucket's pull requests, commits, refs and diffs: what other tests build on must do what it says."""
import http.client
import json
import subprocess
from urllib.parse import quote

import pytest
from bitbucket import gitread, gitrepo
from asking import ask, git, look, walk

W, BUSY, REFS = "/repositories/acme/widgets", "/repositories/edge/busy", "/repositories/edge/refs"
EVERY = "state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED"


def pulls(bb, number):
    status, body = look(bb, f"{W}/pullrequests/{number}")
    assert status == 200, body
    return body


# -- lists of pull requests

def test_two_thousand_pull_requests(bb):
    items, pages = walk(bb, f"{BUSY}/pullrequests?pagelen=50&{EVERY}")
    assert (len(items), pages) == (2000, 40)
    assert [p["id"] for p in items] == list(range(2000, 0, -1))
    states = {s: sum(p["state"] == s for p in items) for s in ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")}
    assert states["OPEN"] == 122 and states["MERGED"] > 1500 and min(states.values()) > 50
    assert any(p["author"] is None for p in items) and any(p["author"]["type"] == "app_user" for p in items if p["author"])
    assert all(len(p["source"]["commit"]["hash"]) == 12 for p in items)
    assert len({p["source"]["commit"]["hash"] for p in items}) == 2000
    git_dir = bb.repo_path("edge", "busy")
    for p in items[::97]:
        assert gitrepo.resolve(git_dir, p["source"]["commit"]["hash"])
        assert (p["merge_commit"] is not None) == (p["state"] == "MERGED")
    assert walk(bb, f"{BUSY}/pullrequests?pagelen=50")[1] == 3


def test_the_same_moment_lies_across_the_end_of_a_page(bb):
    for which in (EVERY, "state=OPEN"):
        for sort in ("created_on", "-created_on"):
            items, pages = walk(bb, f"{BUSY}/pullrequests?pagelen=50&sort={sort}&{which}")
            made = [p["created_on"] for p in items]
            assert made == sorted(made, reverse=sort[0] == "-") and len({p["id"] for p in items}) == len(items)
            assert all(made[i - 1] == made[i] for i in range(50, len(items), 50) if which == EVERY or 2 < i < 120)


@pytest.mark.parametrize("q,count", [
    ('state="OPEN"', 122), ('state="MERGED" AND id>1990', 2), ("id <= 3", 3), ("id < 3 AND id > 1", 1), ('(state="OPEN" OR state="DECLINED") AND id>=1999', 2),
    ('author.display_name="Renovate" AND id<=8', 1), ('reviewers.nickname="chen" AND id<=6', 2), ('state IN ("OPEN", "DECLINED") AND id>1998', 2), ('source.branch.name="topic/7"', 1)])
def test_a_query_chooses_among_all_states(bb, q, count):
    body = look(bb, f"{BUSY}/pullrequests?state=SUPERSEDED&q={quote(q)}")[1]
    assert body["size"] == count


def test_a_query_by_time_finds_what_changed(bb):
    before = look(bb, f"{BUSY}/pullrequests?sort=-updated_on&pagelen=1&{EVERY}")[1]["values"][0]["updated_on"]
    bb.update_pull("edge", "busy", 17, title="Changed")
    found = look(bb, f"{BUSY}/pullrequests?q=" + quote(f"updated_on > {before}"))[1]["values"]
    assert [(p["id"], p["title"]) for p in found] == [(17, "Changed")]
    found = look(bb, f"{BUSY}/pullrequests?q=" + quote(f'updated_on >= "{before}"') + "&sort=-updated_on")[1]["values"]
    assert len(found) == 2 and found[0]["id"] == 17


def test_what_is_asked_wrongly_is_400(bb):
    for query in ("pagelen=51", "pagelen=0", "page=x", "page=0", "state=CLOSED", "q=nonsense", "q=no_such=1", "sort=no_such"):
        assert look(bb, f"{W}/pullrequests?{query}")[0] == 400, query
    assert look(bb, f"{W}/pullrequests?pagelen=51")[1]["error"]["message"] == "Invalid pagelen"
    assert look(bb, f"{W}/pullrequests/{7}/comments?pagelen=101")[0] == 400


def test_reviewers_come_only_when_asked_for(bb):
    plain = look(bb, f"{W}/pullrequests")[1]["values"]
    assert plain and not any({"reviewers", "participants", "rendered"} & set(p) for p in plain)
    more = look(bb, f"{W}/pullrequests?fields=%2Bvalues.reviewers,%2Bvalues.participants")[1]["values"]
    assert [p["id"] for p in more] == [p["id"] for p in plain] and all(set(p) >= {"title", "reviewers", "participants"} for p in more)
    seven = next(p for p in more if p["id"] == 7)
    assert {u["nickname"] for u in seven["reviewers"]} == {"ada", "chen", "erik", "old colleague"}
    assert {p["state"] for p in seven["participants"]} == {"approved", "changes_requested", None}
    only = look(bb, f"{W}/pullrequests?fields=values.id,values.reviewers.nickname,next")[1]
    assert set(only) <= {"values", "next"} and all(set(p) <= {"id", "reviewers"} for p in only["values"])
    assert set(pulls(bb, 7)) >= {"reviewers", "participants", "rendered"}


def test_a_list_moves_while_it_is_walked(bb):
    made = bb.when("GET .*/pullrequests", 1, "create_pull", "edge", "busy", "In between", "topic/2000")
    items, _ = walk(bb, f"{BUSY}/pullrequests?pagelen=50")
    assert made.is_set()
    numbers = [p["id"] for p in items]
    assert len(numbers) == 123 and 2001 not in numbers and len(set(numbers)) == 122, "the last of the first page came twice"
    bb.when("GET .*/pullrequests", 2, "merge_pull", "edge", "busy", 2000)
    items, _ = walk(bb, f"{BUSY}/pullrequests?pagelen=50")
    assert len(items) == 122 and len({p["id"] for p in items}) == 122, "one was lost"
    assert look(bb, f"{BUSY}/pullrequests/2000")[1]["state"] == "MERGED"
    items, _ = walk(bb, f"{BUSY}/pullrequests?pagelen=50")
    assert [p["id"] for p in items][:3] == [2001, 1999, 1998]


# -- hard ones

def test_forks_that_are_gone_and_users_that_are(bb):
    three, twelve, thirteen, fourteen, sixteen = (pulls(bb, n) for n in (3, 12, 13, 14, 16))
    assert three["source"]["repository"] is None and three["source"]["commit"] is None
    assert twelve["source"]["repository"] is None and twelve["source"]["commit"]["hash"]
    assert thirteen["destination"]["repository"] is None and thirteen["author"] is None and thirteen["closed_by"] is None
    assert fourteen["source"]["repository"]["full_name"] == "ada-lindqvist/widgets"
    assert sixteen["source"]["repository"]["full_name"] == "vault/widgets" and ask(bb, "/repositories/vault/widgets")[0] == 404
    home, fork = bb.repo_path("acme", "widgets"), bb.repo_path("ada-lindqvist", "widgets")
    assert gitrepo.resolve(home, twelve["source"]["commit"]["hash"]), "nothing but its id leads there"
    oid = fourteen["source"]["commit"]["hash"]
    assert gitrepo.resolve(fork, oid) and not gitrepo.resolve(home, oid)
    assert ask(bb, f"{W}/pullrequests/12/commits")[0] == 404 and ask(bb, f"{W}/pullrequests/3/commits")[0] == 404
    commits = look(bb, f"{W}/pullrequests/14/commits")[1]
    assert [c["hash"][:12] for c in commits["values"]][0] == oid and len(commits["values"]) == 2
    assert commits["values"][0]["repository"]["full_name"] == "ada-lindqvist/widgets"
    assert ask(bb, f"{W}/commit/{oid}")[0] == 404 and ask(bb, f"/repositories/ada-lindqvist/widgets/commit/{oid}")[0] == 200
    status, headers, _ = ask(bb, f"{W}/pullrequests/14/diff")
    assert status == 302 and b"+int forked = 2;" in ask(bb, headers["Location"][len(bb.api_url):])[2]
    erik = pulls(bb, 9)["author"]
    assert "account_id" not in erik and erik["uuid"]
    assert pulls(bb, 9)["queued"] and pulls(bb, 17)["draft"] and pulls(bb, 17)["author"]["type"] == "app_user"


def test_a_merged_branch_that_is_gone(bb):
    eleven, ten = pulls(bb, 11), pulls(bb, 10)
    git_dir = bb.repo_path("acme", "widgets")
    assert eleven["source"]["branch"]["name"] not in gitread.heads(git_dir)
    release = gitrepo.resolve(git_dir, "refs/heads/release/2.x")

    def reached(p):
        oid = gitrepo.resolve(git_dir, p["source"]["commit"]["hash"])
        return subprocess.run(["git", "--git-dir", git_dir, "merge-base", "--is-ancestor", oid, release]).returncode == 0
    assert reached(eleven) and not reached(ten) and ten["merge_commit"]["hash"] == release[:12]


def test_titles_can_hold_anything(bb):
    titles = "".join(p["title"] for p in walk(bb, f"{W}/pullrequests?pagelen=50&{EVERY}")[0])
    assert all(c in titles for c in "\n\t\\\"🚚\u202eש")


def test_an_unknown_one_is_404(bb):
    for number in ("99999", "0", "-1", "x", "1.0", "٧"):
        status, body = look(bb, f"{W}/pullrequests/{quote(number)}")
        assert (status, body["error"]["message"]) == (404, "No PullRequest matches the given query."), number
    assert look(bb, f"{W}/pullrequests/7/comments/1")[0] == look(bb, f"{W}/pullrequests/7/tasks/1")[0] == 404


def test_an_open_one_follows_its_branch_and_outlives_it(bb):
    oid = bb.push("acme", "widgets", {"x": "y"}, branch="bugfix/leak")
    assert pulls(bb, 6)["source"]["commit"]["hash"] == oid[:12]
    bb.set_ref("acme", "widgets", "refs/heads/bugfix/leak", None)
    assert pulls(bb, 6)["source"]["commit"]["hash"] == oid[:12] and ask(bb, f"{W}/pullrequests/6/diff")[0] == 302


# -- what belongs to one

def test_threads(bb):
    items, pages = walk(bb, f"{W}/pullrequests/7/comments?pagelen=10")
    by = {c["id"]: c for c in items}
    assert pages > 2 and len(by) == len(items) > 25
    deep, c = 0, by[705]
    while "parent" in c:
        c, deep = by[c["parent"]["id"]], deep + 1
    assert deep == 4
    assert by[706]["user"] is None and by[713]["deleted"] and by[713]["content"]["raw"] == ""
    assert by[714]["parent"]["id"] == 713 and by[740]["parent"]["id"] not in by
    assert (by[707]["inline"]["from"], by[707]["inline"]["to"]) == (None, 3) and by[709]["inline"]["to"] is None
    assert by[711]["inline"]["from"] is by[711]["inline"]["to"] is None
    assert by[716]["resolution"]["type"] == "comment_resolution" and by[718]["pending"]
    assert by[719]["updated_on"] > by[719]["created_on"]
    assert look(bb, f"{W}/pullrequests/7/comments/705") == (200, by[705])
    assert len(walk(bb, f"{W}/pullrequests/17/comments?pagelen=100")[0]) == 130
    assert look(bb, f"{W}/pullrequests/18/comments")[1]["values"] == []
    newest = look(bb, f"{W}/pullrequests/7/comments?sort=-created_on&q=deleted=false")[1]["values"]
    assert newest and not any(c["deleted"] for c in newest)


def test_what_is_pending_is_only_for_its_author(bb):
    seen = {name: {c["id"] for c in json.loads(ask(bb, f"{W}/pullrequests/7/comments?pagelen=100", account=name)[2])["values"]}
            for name in ("ada", "workspace-token")}
    assert seen["ada"] - seen["workspace-token"] == {718}


def test_tasks_and_statuses(bb):
    tasks = look(bb, f"{W}/pullrequests/7/tasks")[1]
    assert [t["state"] for t in tasks["values"]] == ["UNRESOLVED", "RESOLVED", "UNRESOLVED", "UNRESOLVED", "RESOLVED"]
    assert tasks["values"][0]["comment"]["id"] == 701 and tasks["values"][2]["creator"] is None
    assert look(bb, f"{W}/pullrequests/7/tasks?q=" + quote('state="RESOLVED"'))[1]["size"] == 2
    assert pulls(bb, 7)["task_count"] == 3
    found = look(bb, f"{W}/pullrequests/7/statuses")[1]
    assert "size" not in found and {s["key"]: s["state"] for s in found["values"]} == {"build": "FAILED", "security": "SUCCESSFUL"}


def test_activity_goes_on_by_a_cursor_of_its_own_name(bb):
    body = look(bb, f"{W}/pullrequests/7/activity?pagelen=5")[1]
    assert "ctx=" in body["next"] and "size" not in body and "page" not in body
    items, _ = walk(bb, f"{W}/pullrequests/7/activity?pagelen=5")
    kinds = [next(k for k in e if k != "pull_request") for e in items]
    assert {"comment", "update", "approval", "changes_requested"} == set(kinds) and all(e["pull_request"]["id"] == 7 for e in items)
    closed = [e["update"]["state"] for e in walk(bb, f"{W}/pullrequests/11/activity")[0] if "update" in e]
    assert closed == ["MERGED", "OPEN"]
    every, _ = walk(bb, f"{W}/pullrequests/activity?pagelen=50")
    assert len({e["pull_request"]["id"] for e in every}) == 18


def test_diffs_of_pull_requests(bb):
    for number, what in ((7, "diff"), (7, "diffstat"), (7, "patch"), (8, "conflicts"), (2, "diff"), (12, "diff"), (16, "diffstat")):
        status, headers, _ = ask(bb, f"{W}/pullrequests/{number}/{what}")
        assert status == 302 and headers["Location"].startswith(bb.api_url + "/") and "%0D" in headers["Location"]
        assert ask(bb, headers["Location"][len(bb.api_url):])[0] == 200
    git_dir = bb.repo_path("acme", "widgets")
    want = gitrepo.git(git_dir, "diff", "-M", "main...feature/WID-12-threads")
    where = ask(bb, f"{W}/pullrequests/7/diff")[1]["Location"]
    assert ask(bb, where[len(bb.api_url):])[2] == want
    assert b"docs/guide.md" in ask(bb, ask(bb, f"{W}/pullrequests/7/diff?path=docs/guide.md")[1]["Location"][len(bb.api_url):])[2]
    conflict = look(bb, ask(bb, f"{W}/pullrequests/8/conflicts")[1]["Location"][len(bb.api_url):])[1]["values"]
    assert [(c["path"], c["scenario"]) for c in conflict] == [("src/widget.c", "content")]
    where = ask(bb, f"{REFS}/pullrequests/1/diff")[1]["Location"]
    assert ask(bb, where[len(bb.api_url):])[0] == 400, "no history in common"
    bb.fault("GET .*/diff/", "status", status=555, body='{"type": "error", "error": {"message": "timeout"}}',
             headers={"Content-Type": "application/json"})
    assert ask(bb, where[len(bb.api_url):])[0] == 555


def test_people_comment_and_merge(bb):
    number = bb.create_pull("acme", "widgets", "New", "feature/colours", description="d", reviewers=["ben"])
    assert pulls(bb, number)["state"] == "OPEN" and number == 19
    first = bb.comment_pull("acme", "widgets", number, "Hm", who="ben")
    bb.comment_pull("acme", "widgets", number, "Yes?", parent=first, inline={"path": "src/colour.c", "from": None, "to": 1})
    bb.task_pull("acme", "widgets", number, "Do it")
    assert (pulls(bb, number)["comment_count"], pulls(bb, number)["task_count"]) == (2, 1)
    bb.update_pull("acme", "widgets", number, approved=["ben"])
    oid = bb.merge_pull("acme", "widgets", number, delete_branch=True)
    assert pulls(bb, number)["merge_commit"]["hash"] == oid[:12] and pulls(bb, number)["state"] == "MERGED"
    assert look(bb, f"{W}/refs/branches/main")[1]["target"]["hash"] == oid and ask(bb, f"{W}/refs/branches/feature/colours")[0] == 404
    assert len(look(bb, f"{W}/commit/{oid}")[1]["parents"]) == 2
    bb.close_pull("acme", "widgets", 6, "DECLINED", reason="no")
    assert pulls(bb, 6)["state"] == "DECLINED" and pulls(bb, 6)["reason"] == "no"


# -- commits

def test_commits_include_exclude_and_path(bb):
    git_dir = bb.repo_path("acme", "widgets")

    def want(*args):
        return gitrepo.git(git_dir, "rev-list", *args).decode().split()

    def have(query):
        return [c["hash"] for c in walk(bb, f"{W}/commits{query}")[0]]
    lone = gitrepo.resolve(git_dir, pulls(bb, 12)["source"]["commit"]["hash"])
    assert lone not in have("?pagelen=50")
    bb.set_ref("acme", "widgets", "refs/tags/lone", lone)
    git_dir = bb.repo_path("acme", "widgets")
    assert lone in have("?pagelen=50") and set(have("?pagelen=7")) == set(want("--branches", "--tags"))
    assert have("/release/2.x?exclude=main") == want("--date-order", "release/2.x", "^main")
    assert set(have("?include=feature/colours&include=bugfix/leak&exclude=main")) == set(want("feature/colours", "bugfix/leak", "^main"))
    assert have("/main?path=src/widget.c") == want("--date-order", "main", "--", "src/widget.c")
    status, body = look(bb, f"{W}/commits?include=no-such")
    assert (status, body["data"]["shas"], body["error"]["message"]) == (404, ["no-such"], "Commit not found")


def test_short_and_ambiguous_ids(bb):
    one, two = (look(bb, f"{REFS}/refs/branches/twins/{n}")[1]["target"]["hash"] for n in ("one", "two"))
    assert one[:8] == two[:8] and one != two
    assert look(bb, f"{REFS}/commit/{one[:8]}") == (404, look(bb, f"{REFS}/commit/{two[:8]}")[1])
    n = next(i for i in range(40) if one[i] != two[i]) + 1
    for short in (one, one[:n], one[:20]):
        assert look(bb, f"{REFS}/commit/{short}")[1]["hash"] == one
    status, body = look(bb, f"{REFS}/commit/{'0' * 40}")
    assert (status, body["error"]["data"]["shas"]) == (404, ["0" * 40])


def test_what_is_beside_a_commit(bb):
    oid = look(bb, f"{W}/refs/branches/main")[1]["target"]["hash"]
    here = f"{W}/commit/{oid}"
    comments = look(bb, here + "/comments")[1]["values"]
    assert len(comments) == 5 and comments[1]["parent"]["id"] == comments[0]["id"] and comments[4]["user"] is None
    assert look(bb, f"{here}/comments/{comments[2]['id']}")[1]["inline"]["to"] == 3
    found = look(bb, here + "/statuses")[1]["values"]
    assert {s["state"] for s in found} == {"SUCCESSFUL", "FAILED", "STOPPED"} and None in {s["refname"] for s in found}
    assert look(bb, here + "/statuses/build/deploy%2Feu%20west")[1]["state"] == "STOPPED"
    reports = look(bb, here + "/reports")[1]["values"]
    assert [r["title"] for r in reports] == ["Security scan", "Coverage"]
    for name in ("scan-1", quote(reports[0]["uuid"])):
        assert look(bb, f"{here}/reports/{name}")[1] == reports[0]
        notes = look(bb, f"{here}/reports/{name}/annotations")[1]["values"]
        assert [a.get("line") for a in notes] == [14, None] and look(bb, f"{here}/reports/{name}/annotations/a2")[1] == notes[1]
    assert ask(bb, here + "/reports/none")[0] == 404
    assert {p["user"]["nickname"] for p in look(bb, here)[1]["participants"]} == {"ada", "dana"}
    bb.set_status("acme", "widgets", oid, "new", "INPROGRESS")
    bb.set_status("acme", "widgets", oid, "new", "SUCCESSFUL")
    assert look(bb, here + "/statuses/build/new")[1]["state"] == "SUCCESSFUL" and len(look(bb, here + "/statuses")[1]["values"]) == 4
    bb.comment_commit("acme", "widgets", oid, "More", parent=9001)
    assert look(bb, here + "/comments")[1]["size"] == 6
    other = look(bb, f"{W}/commit/v0.1")[1]["hash"]
    assert all(look(bb, f"{W}/commit/{other}/{k}")[1]["values"] == [] for k in ("comments", "statuses", "reports", "pullrequests"))


def test_pull_requests_of_a_commit(bb):
    eleven = pulls(bb, 11)["source"]["commit"]["hash"]
    assert [p["id"] for p in look(bb, f"{W}/commit/{eleven}/pullrequests")[1]["values"]] == [11]
    first = look(bb, f"{W}/pullrequests/7/commits")[1]["values"][-1]["hash"]
    body = look(bb, f"{W}/commit/{first}/pullrequests")[1]
    assert [p["id"] for p in body["values"]] == [7] and body["pagelen"] == 30
    bb.set_commit_links("acme", "widgets", "indexing")
    assert look(bb, f"{W}/commit/{first}/pullrequests")[0] == 202
    bb.set_commit_links("acme", "widgets", "off")
    assert look(bb, f"{W}/commit/{first}/pullrequests")[0] == 404
    assert look(bb, f"{W}/commit/{first}/pullrequests", account="reader")[0] == 403


# -- refs

def test_every_name_that_a_ref_can_have(bb):
    for kind, folder in (("branches", "heads"), ("tags", "tags")):
        items, pages = walk(bb, f"{REFS}/refs/{kind}?pagelen=100")
        names = [i["name"] for i in items]
        assert len(set(names)) == len(names)
        if kind == "branches":
            assert pages == 2 and {"feature/x", "feature/X", "Feature/x", "100%", "a%2Fb", "issue#12", "größe", "gro\u0308ße", "index.tsv", "-dash"} <= set(names)
        for item in items:
            if "\ufffd" not in item["name"]:
                status, one = look(bb, f"{REFS}/refs/{kind}/{quote(item['name'])}")
                assert (status, one) == (200, item)
        lines = gitrepo.git(bb.repo_path("edge", "refs"), "for-each-ref", "refs/" + folder).splitlines()
        assert len(lines) == len(items) + (3 if kind == "tags" else 0), "a tag of a blob or of a tree is git's alone"
    assert look(bb, f"{REFS}/refs/branches/{quote('feature/x', safe='')}")[1]["name"] == "feature/x"
    assert look(bb, f"{REFS}/refs/branches/nothing")[0] == 404


def test_annotated_and_light_tags(bb):
    tags = {t["name"]: t for t in walk(bb, f"{REFS}/refs/tags?pagelen=100")[0]}
    assert tags["v1.0"]["message"].startswith("One\n\nTwo") and tags["v1.0"]["tagger"]["raw"] and tags["v1.0"]["date"]
    assert tags["v1.9"]["message"] is tags["v1.9"]["tagger"] is tags["v1.9"]["date"] is None
    assert tags["of-a-tag"]["target"]["hash"] == tags["v2.0"]["target"]["hash"]


def test_sort_by_name_is_natural(bb):
    def names(kind, sort, q):
        return [r["name"] for r in walk(bb, f"{REFS}/refs/{kind}?{sort}q=" + quote(q))[0]]
    assert names("tags", "", 'name ~ "v1"') == ["v1.0", "v1.10", "v1.2", "v1.9"]
    assert names("tags", "sort=name&", 'name ~ "v1"') == ["v1.0", "v1.2", "v1.9", "v1.10"]
    assert names("branches", "sort=-name&", 'name = "b1" OR name = "b10" OR name = "b2"') == ["b10", "b2", "b1"]


# -- two commits

def test_the_order_of_a_spec_is_the_reverse_of_gits(bb):
    git_dir = bb.repo_path("acme", "widgets")
    body = ask(bb, f"{W}/diff/feature/WID-12-threads..release/1.x")[2]
    assert body == gitrepo.git(git_dir, "diff", "-M", "release/1.x...feature/WID-12-threads")
    assert ask(bb, f"{W}/diff/main..release/1.x?topic=false")[2] == gitrepo.git(git_dir, "diff", "-M", "release/1.x", "main")
    assert ask(bb, f"{W}/diff/main?context=0")[2] == gitrepo.git(git_dir, "diff", "-U0", "main^", "main")
    assert ask(bb, f"{W}/diff/v0.1")[0] == 200
    two = ask(bb, f"{W}/diff/main..release/1.x?path=LICENSE&path=VERSION&topic=false")[2]
    assert two == gitrepo.git(git_dir, "diff", "-M", "release/1.x", "main", "--", "LICENSE", "VERSION") and two
    patch = ask(bb, f"{W}/patch/feature/WID-12-threads..main")[2]
    assert patch.count(b"\nSubject: [PATCH ") == 3
    assert ask(bb, f"{W}/patch/main")[2].startswith(b"From " + look(bb, f"{W}/commit/main")[1]["hash"].encode())


def test_diffstat(bb):
    items, pages = walk(bb, f"{W}/diffstat/feature/WID-12-threads..main?pagelen=3")
    assert pages > 2 and {i["status"] for i in items} == {"added", "removed", "modified"}
    assert {i["new"]["path"] for i in items if i["new"]} >= {"docs/Größe ändern.md", "src/tab\tand\nnewline.c", "tests/run.sh"}
    body = look(bb, f"{W}/diffstat/main")[1]
    assert "size" not in body and body["pagelen"] == 500
    renamed = look(bb, f"{REFS}/diffstat/main~1".replace("main~1", look(bb, f"{REFS}/commits/main?path=b/b.txt")[1]["values"][0]["hash"]))[1]["values"][0]
    assert (renamed["status"], renamed["old"]["path"], renamed["new"]["path"]) == ("renamed", "a.txt", "b/b.txt")
    assert look(bb, f"{W}/diffstat/main?pagelen=5001")[0] == 400


def test_merge_base_and_file_history(bb):
    git_dir = bb.repo_path("acme", "widgets")
    base = look(bb, f"{W}/merge-base/feature/quiet..release/1.x")[1]["hash"]
    assert base == gitrepo.git(git_dir, "merge-base", "feature/quiet", "release/1.x").decode().strip()
    assert ask(bb, f"{REFS}/merge-base/orphan..main")[0] == 404
    found = look(bb, f"{REFS}/filehistory/main/b/b.txt")[1]
    assert [f["path"] for f in found["values"]] == ["b/b.txt", "a.txt"] and "size" not in found
    assert len(look(bb, f"{REFS}/filehistory/main/b/b.txt?renames=false")[1]["values"]) == 1
    assert ask(bb, f"{REFS}/filehistory/main/none")[0] == 404
    assert ask(bb, "/repositories/edge/sha256/diff/main")[0] == 200


# -- who may

@pytest.mark.parametrize("path", ["pullrequests", "pullrequests/7", "pullrequests/7/comments", "pullrequests/7/diff", "pullrequests/activity"])
def test_pull_requests_want_their_own_scope(bb, path):
    status, body = look(bb, f"{W}/{path}", account="reader")
    assert (status, body["error"]["detail"]["required"]) == (403, ["read:pullrequest:bitbucket"])
    assert ask(bb, f"{W}/{path}", account="workspace-token")[0] in (200, 302)


def test_uuids_address_them_too(bb):
    one = look(bb, W)[1]
    ws, repo = (quote(u["uuid"]) for u in (one["workspace"], one))
    assert look(bb, f"/repositories/{ws}/{repo}/pullrequests/7") == look(bb, f"{W}/pullrequests/7")


def test_one_users_across_the_workspace(bb):
    me = look(bb, "/user")[1]["uuid"]
    items, _ = walk(bb, f"/workspaces/acme/pullrequests/{quote(me)}?state=OPEN")
    assert {(p["destination"]["repository"]["name"], p["id"]) for p in items} == {("widgets", 14), ("widgets", 18), ("Billing", 2)}
    assert all(p["author"]["uuid"] == me for p in items)
    assert ask(bb, "/workspaces/acme/pullrequests/nobody")[0] == 404


def test_many_repositories_have_some(bb):
    w = bb.state.workspaces["monolith-labs"]
    with_open = [slug for slug, r in w.repositories.items()
                 if r.uuid in bb.state.pulls and any(p.state == "OPEN" for p in bb.state.pulls[r.uuid].newest_first())]
    assert len(with_open) > 400
    for slug in with_open[:3]:
        p = look(bb, f"/repositories/monolith-labs/{slug}/pullrequests")[1]["values"][0]
        assert gitrepo.resolve(bb.repo_path("monolith-labs", slug), p["source"]["commit"]["hash"])
        merged = look(bb, f"/repositories/monolith-labs/{slug}/pullrequests?state=MERGED")[1]["values"]
        assert [m["merge_commit"]["hash"] for m in merged] == [look(bb, f"/repositories/monolith-labs/{slug}/commit/integration")[1]["hash"][:12]]


def test_a_fork_is_a_repository_that_git_reads(bb):
    forks = [f["full_name"] for f in look(bb, W + "/forks")[1]["values"]]
    assert forks == ["ada-lindqvist/widgets"]
    oid = git(bb, "ls-remote", bb.git_url + "/ada-lindqvist/widgets.git", "refs/heads/feature/from-a-fork").stdout.split()[0].decode()
    assert oid[:12] == pulls(bb, 14)["source"]["commit"]["hash"]


def test_a_fork_can_go(bb):
    before = pulls(bb, 14)["source"]
    bb.delete_repo("ada-lindqvist", "widgets")
    after = pulls(bb, 14)["source"]
    assert after["repository"] is None and after["commit"]["hash"] == before["commit"]["hash"]
    assert look(bb, W + "/forks")[1]["values"] == [] and ask(bb, f"{W}/pullrequests/14/commits")[0] == 404
    status, headers, _ = ask(bb, f"{W}/pullrequests/14/diff")
    assert status == 302 and ask(bb, headers["Location"][len(bb.api_url):])[0] == 404


def test_watchers(bb):
    assert [u["nickname"] for u in look(bb, W + "/watchers")[1]["values"]] == ["ada", "ben", "chen", "dana"]
    assert look(bb, "/repositories/edge/empty/watchers")[1]["values"] == []


def test_next_links_can_begin_otherwise(bb):
    bb.next_base = "https://bitbucket.org/!api/2.0"
    for path in (f"{W}/pullrequests?pagelen=2", f"{W}/commits?pagelen=2"):
        assert look(bb, path)[1]["next"].startswith("https://bitbucket.org/!api/2.0/repositories/acme/widgets/")


def test_another_process_steers_it(bb):
    def control(what, **args):
        conn = http.client.HTTPConnection("127.0.0.1", bb.port, timeout=10)
        conn.request("POST", "/_control/" + what, json.dumps(args))
        reply = conn.getresponse()
        body = json.loads(reply.read())
        conn.close()
        return reply.status, body
    assert control("when", match="GET .*/pullrequests", count=1, method="create_pull", args=["acme", "widgets", "T", "main"],
                   kwargs={"reviewers": ["ben"]}) == (200, {})
    assert ask(bb, f"{W}/pullrequests/19")[0] == 404 and ask(bb, f"{W}/pullrequests/19")[0] == 404
    assert ask(bb, f"{W}/pullrequests")[0] == 200 and len(pulls(bb, 19)["reviewers"]) == 1
    assert control("when", match=".", method="close")[0] == 400
