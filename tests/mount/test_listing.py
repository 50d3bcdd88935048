"""Workspaces and their listings: what they cost, and what odd answers cost (nothing)."""
import errno
import hashlib
import json
import os
import re
import subprocess
import threading

import pytest

from conftest import REPOSITORY, SANITIZED, api, asked, await_true

WIDGETS = {"billing", "empty-for-now", "firmware", "handbook", "infra", "website", "widgets"}


def read_all(m, workspace):
    for name in m.ls(workspace):
        for file in ("info", "repository.json", "description"):
            with open(m / f"{workspace}/{name}/{file}", "rb") as f:
                yield name, file, f.read()


def test_the_root_costs_one_request(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    assert m.ls() == [".bitbucketfs", "acme", "ada-lindqvist", "edge", "monolith-labs"]
    for _ in range(3):
        subprocess.run(["ls", "-la", m.path], check=True, stdout=subprocess.DEVNULL)
    assert api(bb, mark) == ["GET /2.0/user/workspaces?pagelen=100"]


def test_a_new_mount_with_credentials_asks_for_the_account_only(bb, mounts):
    m = mounts()
    os.stat(m.path)
    assert asked(bb) == ["GET /2.0/user"]


def test_an_access_token_shows_the_configured_workspaces(bb, mounts):
    m = mounts("workspaces=acme:opensource", account="workspace-token")
    assert m.ls() == [".bitbucketfs", "acme", "opensource"]
    assert set(m.ls("acme")) == WIDGETS
    assert not [line for line in asked(bb) if "/user" in line]


def test_a_thousand_repositories_cost_eleven_requests_with_all_that_is_known_of_them(bb, mounts):
    m = mounts()
    m.ls()
    mark = bb.log.mark()
    said = subprocess.run(["ls", "-l", m / "monolith-labs"], capture_output=True, text=True, check=True).stdout
    requests = api(bb, mark)
    assert len(requests) <= 11, requests
    assert all("sort=created_on" in line and "pagelen=100" in line for line in requests)
    names = m.ls("monolith-labs")
    assert set(names) == set(bb.state.workspaces["monolith-labs"].repositories)
    assert len(names) == 1000 and len(said.splitlines()) == 1001
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / "monolith-labs"], check=True, stdout=subprocess.DEVNULL)
    seen = {}
    for name, file, content in read_all(m, "monolith-labs"):
        seen[name, file] = content
    assert len(seen) == 3000
    done = subprocess.run("grep -l '^language: c$' */info", shell=True, cwd=m / "monolith-labs", capture_output=True, text=True)
    assert asked(bb, mark) == []
    for name, r in bb.state.workspaces["monolith-labs"].repositories.items():
        got = json.loads(seen[name, "repository.json"])
        assert (got["slug"], got["uuid"], got["description"]) == (name, r.uuid, r.description)
        text = seen[name, "description"].decode()
        assert text == (r.description + ("\n" if r.description and not r.description.endswith("\n") else "")), name
    in_c = {n for n, r in bb.state.workspaces["monolith-labs"].repositories.items() if r.language == "c"}
    assert {line.split("/")[0] for line in done.stdout.split()} == in_c and in_c
    assert SANITIZED or m.rss_anon() < 40 << 20


def test_the_description_is_plain_text(shared):
    assert shared.read("acme/billing/description") == "Invoices, taxes, dunning.\n\nAsk **Chen** before a release.\n"
    assert shared.read("acme/empty-for-now/description") == ""


def test_info_is_one_key_and_value_a_line(shared):
    for name, file, content in read_all(shared, "acme"):
        if file != "info":
            continue
        lines = content.decode().splitlines()
        assert all(re.match(r"[a-z_]+: ", line) for line in lines), name
        values = dict(line.split(": ", 1) for line in lines)
        assert len(values) == len(lines)
        assert (values["slug"], values["full_name"], values["workspace"]) == (name, f"acme/{name}", "acme")
        assert values["private"] == ("false" if name == "website" else "true")
        assert "@" not in values["clone_https"], "the caller's name is cut out"
        assert values["clone_ssh"] == f"git@ssh.bitbucket.org:acme/{name}.git"
    assert "description: Invoices, taxes, dunning.  Ask **Chen** before a release." in shared.read("acme/billing/info")


def test_repository_json_is_the_whole_object_pretty_printed(shared):
    text = shared.read("acme/widgets/repository.json")
    got = json.loads(text)
    assert got["links"]["clone"] and got["mainbranch"] == {"name": "main", "type": "branch"}
    assert len(text.splitlines()) > 50 and text.endswith("}\n")


def test_pages_after_the_first_come_side_by_side(bb, mounts):
    m = mounts()
    m.ls()
    mark = bb.log.mark()
    fault = bb.fault(r"page=[2-9]", "stall")
    reader = threading.Thread(target=m.ls, args=("monolith-labs",))
    reader.start()
    fault.wait_hit(hits=4)
    under_way = [e for e in bb.log.since(match=r"page=\d") if not e["done"]]
    assert len({e["path"] for e in under_way}) == 4, "never more than four connections to the API"
    fault.remove()
    reader.join()
    assert len(api(bb, mark)) == 10


def test_a_listing_answers_only_when_it_is_complete(bb, mounts):
    m = mounts()
    fault = bb.fault(r"page=7", "status", status=403)
    with pytest.raises(OSError) as e:
        m.ls("monolith-labs")
    assert e.value.errno == errno.EACCES
    fault.remove()
    m.refresh("monolith-labs")
    assert len(m.ls("monolith-labs")) == 1000


def test_the_count_is_checked_against_the_size(bb, mounts):
    """A page that moved while the others were read: what is missing is asked for again."""
    m = mounts()
    bb.fault(r"&page=4(&|$)", "status", status=200, times=1, body=json.dumps({"pagelen": 100, "page": 4, "values": []}),
             headers={"Content-Type": "application/json"})
    assert len(m.ls("monolith-labs")) == 1000
    assert len(api(bb)) <= 21


def test_a_listing_that_stays_short_is_taken_as_it_came(bb, mounts):
    """`size` is a hint: what is missing is looked for once more, and not at each refresh."""
    m = mounts()
    bb.fault(r"&page=4(&|$)", "status", status=200, body=json.dumps({"pagelen": 100, "page": 4, "values": []}),
             headers={"Content-Type": "application/json"})
    assert len(m.ls("monolith-labs")) == 900
    assert re.search(r"\tmonolith-labs\tEBADMSG\t.*1000.*900", m.errors())
    mark = bb.log.mark()
    m.refresh("monolith-labs")
    assert len(api(bb, mark)) == 10 and len(m.ls("monolith-labs")) == 900


@pytest.mark.concurrent
def test_fifty_listings_at_once_are_one(bb, mounts):
    m = mounts()
    m.ls()
    mark = bb.log.mark()
    start, seen = threading.Barrier(50), []

    def look():
        start.wait()
        seen.append(len(m.ls("monolith-labs")))
    readers = [threading.Thread(target=look) for _ in range(50)]
    for r in readers:
        r.start()
    for r in readers:
        r.join()
    assert seen == [1000] * 50
    assert len(api(bb, mark)) == 10


def test_a_lookup_in_a_workspace_never_listed_asks_for_that_one_only(bb, mounts):
    m = mounts()
    os.stat(m / "monolith-labs")
    mark = bb.log.mark()
    assert "language: go" in m.read("monolith-labs/monolith/info")
    m.read("monolith-labs/monolith/repository.json"), m.read("monolith-labs/monolith/description")
    assert {"description", "info", "repository.json", "tree"} <= set(m.ls("monolith-labs/monolith")) <= REPOSITORY
    assert api(bb, mark) == ["GET /2.0/repositories/monolith-labs/monolith"]


def test_a_change_in_a_listing_is_seen_when_asked_for(bb, mounts):
    m = mounts()
    assert set(m.ls("acme")) == WIDGETS
    bb.create_repo("acme", "brand-new", pristine="tiny", description="Just made")
    bb.delete_repo("acme", "firmware")
    bb.update_repo("acme", "widgets", description="Other words")
    said = m.refresh("acme")
    assert re.search(r"^brand-new: new$", said, re.M) and re.search(r"^firmware: gone$", said, re.M)
    assert re.search(r"^widgets: updated$", said, re.M)
    assert set(m.ls("acme")) == WIDGETS - {"firmware"} | {"brand-new"}
    assert m.read("acme/brand-new/description") == "Just made\n"
    assert m.read("acme/widgets/description") == "Other words\n"
    assert not os.path.exists(m / "acme/firmware")


def test_a_new_workspace_is_seen_when_asked_for(bb, mounts):
    m = mounts()
    m.ls()
    bb.create_workspace("novel")
    assert "novel: new" in m.refresh()
    assert "novel" in m.ls()
    assert m.ls("novel") == []


ODD = [17, {}, [], "words", True, {"type": "repository"}, {"slug": None, "uuid": None}]


@pytest.mark.parametrize("value", ODD, ids=json.dumps)
def test_one_odd_repository_object_costs_nobody_else(bb, mounts, value):
    bb.update_repo("acme", "infra", whole=value)
    m = mounts()
    assert set(m.ls("acme")) == WIDGETS - {"infra"}
    assert m.read("acme/widgets/info")
    assert re.search(r"\tacme\tEBADMSG\t", m.errors())
    assert len(api(bb)) == 2


ODD_MEMBERS = [{k: v} for k, v in (
    ("updated_on", "yesterday"), ("updated_on", 17), ("updated_on", None), ("created_on", []), ("description", 17),
    ("description", None), ("links", []), ("links", {"clone": "none"}), ("links", {"clone": [17, None, {"name": 3}]}),
    ("mainbranch", "main"), ("mainbranch", {"name": 3}), ("size", "big"), ("size", -1), ("size", 1e300), ("language", {}),
    ("project", None), ("workspace", None), ("owner", 17), ("is_private", "perhaps"), ("name", None), ("name", "\x1b[31mred\n"),
    ("full_name", None), ("uuid", None), ("uuid", "no uuid"), ("uuid", "{../../etc}"), ("slug", None))]


def test_an_odd_member_of_an_object_costs_only_itself(bb, mounts):
    """One repository per oddity, all in one listing."""
    names = []
    for i, fields in enumerate(ODD_MEMBERS):
        names.append(f"odd-{i}")
        bb.create_repo("acme", f"odd-{i}", pristine="tiny", description="still here")
        bb.update_repo("acme", f"odd-{i}", fields=fields)
    m = mounts()
    assert set(m.ls("acme")) == WIDGETS | set(names)
    mark = bb.log.mark()
    for name, fields in zip(names, ODD_MEMBERS):
        key, value = next(iter(fields.items()))
        assert json.loads(m.read(f"acme/{name}/repository.json"))[key] == value
        info = m.read(f"acme/{name}/info")
        assert "\x1b" not in info and all(": " in line for line in info.splitlines())
        assert m.read(f"acme/{name}/description") == ("" if key == "description" else "still here\n"), fields
        assert os.stat(m / f"acme/{name}").st_mtime >= 0
    assert asked(bb, mark) == []
    for name in names:
        if "uuid" in ODD_MEMBERS[names.index(name)]:
            assert m.read(f"acme/{name}/tree/README.md") == "# A small service\n\nSee the wiki.\n"
    assert not os.path.exists(os.path.join(m.cache, "etc"))


LONG = "l" * 300
NAMES = {"a/b": "a%2Fb", ".": "%2E", "..": "%2E.", "UPPER.Case": "UPPER.Case", "with space": "with space", "50%": "50%",
         "50%/2": "50%25%2F2", "new\nline": "new%0Aline", "Über": "Über", "日本": "日本", ".workspace": "%2Eworkspace",
         ".hidden": ".hidden", "-rf": "-rf", "\x7f": "%7F", "info": "info",
         LONG: "l" * 246 + "~" + hashlib.sha1(LONG.encode()).hexdigest()[:8]}


def test_rule_11_names_that_the_service_lists_exist_whatever_they_look_like(bb, mounts):
    for i, name in enumerate(NAMES):
        bb.create_repo("acme", f"name-{i}", pristine="tiny", description=f"was called {i}")
        bb.update_repo("acme", f"name-{i}", fields={"slug": name})
    m = mounts()
    assert set(m.ls("acme")) == WIDGETS | set(NAMES.values())
    mark = bb.log.mark()
    for i, (name, shown) in enumerate(NAMES.items()):
        assert m.read(f"acme/{shown}/description") == f"was called {i}\n"
        assert json.loads(m.read(f"acme/{shown}/repository.json"))["slug"] == name, "the object has the true name"
    assert asked(bb, mark) == []


def test_rule_11_two_of_one_name_are_one_and_a_line_among_the_errors(bb, mounts):
    bb.create_repo("acme", "first", pristine="tiny")
    bb.create_repo("acme", "second", pristine="tiny")
    bb.update_repo("acme", "first", fields={"slug": "x/y"})
    bb.update_repo("acme", "second", fields={"slug": "x%2Fy"})
    m = mounts()
    names = m.ls("acme")
    assert names.count("x%2Fy") == 1 and WIDGETS < set(names)
    assert re.search(r"EEXIST\t.*same file name", m.errors())


def test_an_odd_list_of_workspaces_costs_only_what_is_odd(bb, mounts):
    good = {"type": "workspace_access", "workspace": {"slug": "acme", "uuid": bb.state.workspaces["acme"].uuid}}
    bb.fault(r"/user/workspaces", "status", status=200, headers={"Content-Type": "application/json"}, body=json.dumps(
        {"values": [17, None, {}, {"workspace": None}, {"workspace": {"slug": 3}}, {"workspace": {"slug": "no-uuid"}},
                    {"workspace": {"slug": "a/b", "uuid": "{../x}"}}, good, good]}))
    m = mounts()
    assert m.ls() == [".bitbucketfs", "a%2Fb", "acme", "no-uuid"]
    assert set(m.ls("acme")) == WIDGETS


@pytest.mark.parametrize("body", [b"", b"<html>Sign in to this network</html>", b"[]", b"{}", b'{"values": 3}', b'{"values": [',
                                  b"[" * 100000, b"\0" * 100],
                         ids=["nothing", "html", "array", "object", "number", "cut", "deep", "nul"])
def test_a_listing_that_is_none_is_an_error_not_an_empty_directory(bb, mounts, body):
    fault = bb.fault(r"/repositories/acme", "status", status=200, headers={"Content-Type": "application/json"}, body=body)
    m = mounts()
    with pytest.raises(OSError) as e:
        m.ls("acme")
    assert e.value.errno == errno.EIO
    assert re.search(r"\tacme\tEIO\t\S", m.errors())
    fault.remove()
    await_true(lambda: m.refresh("acme"), "it is asked for again")
    assert set(m.ls("acme")) == WIDGETS


@pytest.mark.parametrize("status, code", [(401, errno.EACCES), (403, errno.EACCES), (404, errno.ENODATA), (500, errno.EIO)])
def test_a_list_of_workspaces_that_is_refused_is_an_error_and_what_has_a_name_is_there(bb, mounts, status, code):
    m = mounts()
    bb.fault(r"/user/workspaces", "status", status=status, body="no")
    with pytest.raises(OSError) as e:
        m.ls()
    assert e.value.errno == code
    assert re.search(rf"\t/\t{errno.errorcode[code]}\t\S", m.errors())
    assert "status" in m.ls(".bitbucketfs")
    assert set(m.ls("acme")) == WIDGETS, "a workspace can be entered by name"
