"""About a workspace: its repositories in one file, its projects as links, what is there for whom; and about the account."""
import contextlib
import errno
import json
import os
import pathlib
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import api, await_true
from test_review import begin_again

W = "acme/.workspace"
COLUMNS = "slug name project private language size updated created main_branch parent issues uuid url description"


def lines(m, path):
    return [line.split("\t") for line in m.read(path).split("\n")[:-1]]


def test_its_names(shared):
    assert shared.ls(W) == ["gpg", "hooks", "members", "my-pullrequests", "my-repository-permissions", "permissions", "pipelines",
                            "projects", "red.tsv", "repositories", "repository-permissions", "review-requested", "snippets",
                            "workspace.json"]


def test_its_names_cost_nothing(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    for place in (W, W + "/gpg", W + "/pipelines"):
        m.ls(place)
    assert api(bb, mark) == []
    subprocess.run(["ls", "-l", m / W], check=True, stdout=subprocess.DEVNULL)
    assert api(bb, mark) == ["GET /2.0/workspaces/acme"]


# ---- repositories/


def test_repositories_are_what_the_listing_said(bb, mounts):
    m = mounts()
    names = m.ls("acme")
    mark = bb.log.mark()
    table = lines(m, W + "/repositories/index.tsv")
    objects = json.loads(m.read(W + "/repositories/index.json"))
    assert api(bb, mark) == []
    assert table[0] == COLUMNS.split() and [row[0] for row in table[1:]] == names == [o["slug"] for o in objects]
    assert objects == [json.loads(m.read(f"acme/{name}/repository.json")) for name in names]
    widgets = next(row for row in table if row[0] == "widgets")
    assert widgets[2:5] == ["PROD", "true", "c"]
    for name in ("repositories/index.tsv", "repositories/index.json"):
        assert os.stat(m / f"{W}/{name}").st_size == len(m.read(f"{W}/{name}", "rb"))
    assert api(bb, mark) == []


def test_a_thousand_repositories_are_one_read(bb, mounts):
    m = mounts()
    m.ls("monolith-labs")
    mark = bb.log.mark()
    assert len(lines(m, "monolith-labs/.workspace/repositories/index.tsv")) == 1001
    with open(m / "monolith-labs/.workspace/repositories/index.json", "rb") as f:
        f.seek(-200, os.SEEK_END)
        tail = f.read()
    assert tail.endswith(b"  }\n]\n") and len(tail) == 200
    assert len(json.loads(m.read("monolith-labs/.workspace/repositories/index.json"))) == 1000
    assert api(bb, mark) == []


def test_without_a_listing_they_ask_for_it(bb, mounts):
    m = mounts()
    os.stat(m / W)
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / W], check=True, stdout=subprocess.DEVNULL)
    assert m.ls(W + "/repositories") == ["index.json", "index.tsv"]
    assert api(bb, mark) == ["GET /2.0/workspaces/acme"], "one directory, one answer"
    mark = bb.log.mark()
    m.read(W + "/repositories/index.tsv"), m.read(W + "/repositories/index.json"), m.ls("acme")
    assert api(bb, mark) == ["GET /2.0/repositories/acme?sort=created_on&pagelen=100"]


def test_fifty_readers_at_once_are_one_listing(bb, mounts):
    m = mounts()
    os.stat(m / "monolith-labs/.workspace")
    mark = bb.log.mark()
    with ThreadPoolExecutor(50) as many:
        texts = list(many.map(m.read, [f"monolith-labs/.workspace/repositories/index.{'tsv' if i % 2 else 'json'}" for i in range(50)]))
    assert len(set(texts)) == 2 and len(api(bb, mark)) == 10


def test_repositories_follow_the_listing(bb, m):
    m.ls("acme")
    before = m.read(W + "/repositories/index.tsv")
    held = os.open(m / f"{W}/repositories/index.tsv", os.O_RDONLY)
    bb.update_repo("acme", "widgets", language="zig")
    bb.create_repo("acme", "brand-new", project="OPS")
    m.refresh("acme")
    table = {row[0]: row for row in lines(m, W + "/repositories/index.tsv")}
    assert table["widgets"][4] == "zig" and table["brand-new"][2] == "OPS"
    assert {o["slug"] for o in json.loads(m.read(W + "/repositories/index.json"))} >= {"brand-new", "widgets"}
    assert os.pread(held, len(before.encode()) + 10, 0).decode() == before
    os.close(held)


def test_repositories_follow_a_listing_that_ran_out(bb, mounts):
    m = mounts()
    m.ls("acme"), m.read(W + "/repositories/index.tsv")
    bb.create_repo("acme", "brand-new", project="OPS")
    m = begin_again(mounts, m, ago=700)
    await_true(lambda: "brand-new" in m.read(W + "/repositories/index.tsv"), "the newer listing")


def test_offline_they_are_the_same_bytes(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = m.read(W + "/repositories/index.tsv")
    m.unmount()
    bb.offline()
    m = mounts()
    assert m.read(W + "/repositories/index.tsv") == before
    assert len(json.loads(m.read(W + "/repositories/index.json"))) == len(m.ls("acme")), "made of what is cached"
    m.unmount()
    bb.online()


def test_an_odd_object_among_them_costs_only_itself(bb, mounts):
    bb.update_repo("acme", "widgets", {"size": [], "description": "tab\there\nand \\", "mainbranch": 7, "project": "P"})
    m = mounts()
    row = next(r for r in lines(m, W + "/repositories/index.tsv") if r[0] == "widgets")
    assert row[-1] == "tab\\there\\nand \\\\" and row[2] == "" and row[8] == ""
    assert "widgets" not in [n for key in ("PROD", "OPS", "DOC") for n in m.ls(f"{W}/projects/{key}")]


# ---- review-requested/


def test_what_waits_for_my_review(bb, mounts):
    m = mounts()
    assert "not listed yet" in m.read(W + "/review-requested/more")
    m.ls("acme")
    mark = bb.log.mark()
    assert m.ls(W + "/review-requested") == ["index.json", "index.tsv", "more"]
    await_true(lambda: "of 0 of 7 repositories" in m.read(W + "/review-requested/more"), "the listing came")
    assert api(bb, mark) == []
    m.ls("acme/widgets/pullrequests"), m.ls("acme/billing/pullrequests")
    mark = bb.log.mark()
    await_true(lambda: "of 2 of 7 repositories" in m.read(W + "/review-requested/more"), "made of what came")
    head, *found = lines(m, W + "/review-requested/index.tsv")
    assert head[:4] == ["repository", "id", "state", "author"] and head[-2:] == ["url", "title"]
    # Neither the account's own, nor those that it approved (9) or wants changed (7); by the last change.
    assert [f[:2] for f in found] == [["acme/billing", "1"], ["acme/widgets", "5"]]
    assert [p["id"] for p in json.loads(m.read(W + "/review-requested/index.json"))] == [1, 5]
    assert "The oldest list is of 20" in m.read(W + "/review-requested/more") and api(bb, mark) == []
    m.unmount()
    # An access token is nobody's.
    with pytest.raises(OSError) as e:
        mounts(account="workspace-token").ls(W + "/review-requested")
    assert e.value.errno == errno.ENODATA


def test_a_review_without_a_change_stands_where_it_was_made(bb, mounts):
    m = mounts()
    m.ls("acme")
    me = json.loads(m.read(".bitbucketfs/user.json"))
    pulls = [{"id": n, "state": "OPEN", "reviewers": [me], "updated_on": changed, "created_on": f"2026-10-0{n}T00:00:00Z"}
             for n, changed in ((3, None), (2, "2026-10-02T00:00:00Z"), (1, "2026-10-01T00:00:00Z"))]
    bb.faults.add(r"/widgets/pullrequests\?", "status", status=200, body=json.dumps({"values": pulls, "size": 3, "page": 1}))
    order = [line[0] for line in lines(m, "acme/widgets/pullrequests/index.tsv")[1:]]
    assert order == ["3", "2", "1"] == [line[1] for line in lines(m, W + "/review-requested/index.tsv")[1:]]


def test_another_program_makes_it_meanwhile(mounts):
    """One of another version on the same cache marks what it makes otherwise, each time."""
    m = mounts()
    m.ls("acme")
    cache, = pathlib.Path(m.cache).glob("*/*/cache.db")
    with contextlib.closing(sqlite3.connect(cache)) as db:
        for event in ("INSERT", "UPDATE OF body_id"):
            db.execute(f"CREATE TRIGGER other_{event[:6]} AFTER {event} ON doc WHEN new.key LIKE '%/review-requested#%'"
                       " BEGIN UPDATE doc SET etag = 'other' WHERE key = new.key; END")
        db.commit()
    assert "of 0 of 7 repositories" in m.read(W + "/review-requested/more") and m.errors() == ""


# ---- projects


def test_a_project_leads_to_its_repositories(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(W + "/projects")
    mark = bb.log.mark()
    assert m.ls(W + "/projects/PROD") == ["billing", "firmware", "info", "project.json", "settings", "website", "widgets"]
    assert os.readlink(m / f"{W}/projects/PROD/widgets") == "../../../widgets"
    assert m.read(W + "/projects/PROD/widgets/info") == m.read("acme/widgets/info")
    table = lines(m, W + "/repositories/index.tsv")
    for key in ("PROD", "OPS", "DOC"):
        want = {row[0] for row in table if row[2] == key}
        assert {n for n in m.ls(f"{W}/projects/{key}") if os.path.islink(m / f"{W}/projects/{key}/{n}")} == want and want
        subprocess.run(["ls", "-l", m / f"{W}/projects/{key}"], check=True, stdout=subprocess.DEVNULL)
    for name in ("infra", "nobodys", ".git"):
        assert not os.path.lexists(m / f"{W}/projects/PROD/{name}")
    assert api(bb, mark) == []


def test_a_repository_called_like_one_of_ours_gives_way(bb, mounts):
    for name in ("info", "settings", "project.json"):
        bb.create_repo("acme", name, project="OPS")
    m = mounts()
    assert {"%69nfo", "%70roject.json", "%73ettings", "info", "settings", "project.json"} <= set(m.ls(W + "/projects/OPS"))
    assert os.readlink(m / f"{W}/projects/OPS/%69nfo") == "../../../info"
    assert json.loads(m.read(W + "/projects/OPS/project.json"))["key"] == "OPS"


def test_links_follow_the_listing(bb, m):
    m.ls("acme")
    assert "handbook" in m.ls(W + "/projects/DOC") and "brand-new" not in m.ls(W + "/projects/OPS")
    assert not os.path.lexists(m / f"{W}/projects/OPS/brand-new")
    bb.create_repo("acme", "brand-new", project="OPS")
    bb.delete_repo("acme", "handbook")
    m.refresh("acme")
    assert "brand-new" in m.ls(W + "/projects/OPS") and "handbook" not in m.ls(W + "/projects/DOC")
    assert os.path.exists(m / f"{W}/projects/OPS/brand-new/info")
    assert not os.path.lexists(m / f"{W}/projects/DOC/handbook")


def test_links_of_a_thousand(bb, mounts):
    m = mounts()
    m.ls("monolith-labs")
    keys = [n for n in m.ls("monolith-labs/.workspace/projects") if not n.startswith("index")]
    mark = bb.log.mark()
    links = [n for key in keys for n in os.scandir(m / f"monolith-labs/.workspace/projects/{key}") if n.is_symlink()]
    assert len(links) == 1000 and api(bb, mark) == []


# ---- who is there, and who asks


def test_my_pull_requests_are_one_request(bb, mounts):
    m = mounts()
    m.ls("acme"), m.read(".bitbucketfs/user.json"), os.stat(m / (W + "/my-pullrequests"))
    mark = bb.log.mark()
    mine = lines(m, W + "/my-pullrequests/index.tsv")
    assert len(api(bb, mark)) == 1 and "/2.0/workspaces/acme/pullrequests/%7B" in api(bb, mark)[0]
    assert {row[2] for row in mine[1:]} == {"OPEN"} and {row[0] for row in mine[1:]} >= {"acme/widgets"}
    for row in mine[1:]:
        there = m.read(f"{row[0]}/pullrequests/{row[1]}/info")
        assert "author: ada\n" in there and f"title: {row[-1]}\n" in there


@pytest.mark.parametrize("account", [None, "workspace-token"])
def test_who_is_no_user_has_nothing_of_their_own(bb, mounts, account):
    place = "opensource" if account is None else "acme"
    m = mounts(f"workspaces={place}", account=account)
    os.stat(m / f"{place}/.workspace")
    mark = bb.log.mark()
    assert "account" not in m.ls(".bitbucketfs") and not os.path.exists(m / ".bitbucketfs/account")
    with pytest.raises(FileNotFoundError):
        m.read(f"{place}/.workspace/my-pullrequests/index.tsv")
    assert api(bb, mark) == [], "there is nobody to ask for"
    await_true(lambda: "Nobody is signed in" in m.errors(), "the reason in errors")


def test_the_account_has_its_keys_and_addresses(bb, mounts):
    m = mounts()
    assert "account" in m.ls(".bitbucketfs")
    assert [row[0] for row in lines(m, ".bitbucketfs/account/emails/index.tsv")[1:]] == [
        "ada@example.com", "ada+bitbucket@example.org", "ada@größe.example"]
    keys = lines(m, ".bitbucketfs/account/ssh-keys/index.tsv")
    assert [row[0] for row in keys[1:]] == ["laptop", "Büro", ""] and keys[1][-1].startswith("ssh-ed25519 ")
    assert len(lines(m, ".bitbucketfs/account/gpg-keys/index.tsv")) == 3


def test_what_is_secured_is_not_shown(shared):
    for path in ("acme/widgets/settings/pipelines/variables", "acme/widgets/environments/Staging/variables", W + "/pipelines/variables"):
        table = lines(shared, path + "/index.tsv")
        secured = [row for row in table[1:] if row[1] == "true"]
        assert secured and {row[2] for row in secured} == {""}
        assert any(row[2] for row in table[1:] if row[1] == "false")


# ---- issues/ are there only where the repository says so


def test_issues_are_there_only_where_the_repository_says_so(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    assert "issues" not in m.ls("acme/widgets") and not os.path.exists(m / "acme/widgets/issues")
    assert api(bb, mark) == []
    bb.update_repo("acme", "widgets", {"has_issues": True})
    m.refresh("acme")
    assert "issues" in m.ls("acme/widgets") and os.path.isdir(m / "acme/widgets/issues")


@pytest.mark.parametrize("status", [404, 410])
def test_issues_that_the_service_took_away_are_not_there(bb, mounts, status):
    bb.update_repo("acme", "widgets", {"has_issues": True})
    m = mounts()
    m.ls("acme")  # by its uuid: a service that took one is not asked by the slug after a 404
    fault = bb.fault("/issues", "status", status=status, body='{"type": "error", "error": {"message": "gone"}}')
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            m.read("acme/widgets/issues/index.tsv")
        with pytest.raises(OSError) as e:
            m.ls("acme/widgets/issues")
        assert e.value.errno in (errno.ENOENT, errno.ENODATA)
    assert fault.hits == 1


def test_issues_where_there_still_are_some(bb, mounts):
    bb.update_repo("acme", "widgets", {"has_issues": True})
    m = mounts()
    found = {"values": [{"id": 7, "state": "open", "kind": "bug", "title": "It turns\tleft", "content": {"raw": "Why?"},
                         "reporter": {"nickname": "ada"}, "assignee": None, "created_on": "2026-01-01T00:00:00+00:00"}],
             "pagelen": 100, "size": 1}
    bb.fault("/issues", "status", status=200, body=json.dumps(found), headers={"Content-Type": "application/json"})
    assert m.ls("acme/widgets/issues") == ["7", "index.json", "index.tsv"]
    assert lines(m, "acme/widgets/issues/index.tsv")[1] == [
        "7", "open", "bug", "", "ada", "", "", "2026-01-01T00:00:00Z", "", "", "It turns\\tleft"]
    assert m.read("acme/widgets/issues/7/content.md") == "Why?\n"
    assert m.read("acme/widgets/issues/7/title") == "It turns\tleft\n"
