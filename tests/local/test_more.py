"""The local Bitbucket itself: pipelines, downloads, settings, workspaces, snippets, the account."""
import email
import hashlib
import http.client
import json
from urllib.parse import quote

import pytest
from bitbucket import data_snippets, runs
from bitbucket.data_files import TWO_GB
from bitbucket.storage import Made
from asking import ask, look, walk

WIDGETS = "/repositories/acme/widgets"
RUNS = "/repositories/edge/runs"
FILES = "/repositories/edge/files"


def fetch(bb, url, **headers):
    """A GET of the storage host, without a credential: (status, headers, body)."""
    assert url.startswith(bb.storage_url + "/")
    return ask(bb, url[len(bb.storage_url):], account=None, port=bb.storage_port, **headers)


def numbered(bb, path):
    """All items of a list that says how many there are but not where the next page is."""
    items, page, sep = [], 1, "&" if "?" in path else "?"
    while True:
        status, body = look(bb, f"{path}{sep}page={page}")
        assert status == 200 and "next" not in body and "previous" not in body, body
        items += body["values"]
        if len(items) >= body["size"]:
            assert len(items) == body["size"]
            return items
        page += 1


def step_path(bb, place, number, i):
    r = bb._repository(*place.split("/")[2:])
    p = bb.state.pipelines[r.uuid].get(number)
    return f"{place}/pipelines/{quote(runs.pipeline_uuid(r, p))}/steps/{quote(runs.step_uuid(r, p, i))}"


def error(bb, path, **more):
    status, body = look(bb, path, **more)
    return status, body["error"]


# -- pipelines

def test_hundreds_of_pipelines_are_pages_without_next(bb):
    every = numbered(bb, RUNS + "/pipelines?pagelen=100&sort=-created_on")
    numbers = [p["build_number"] for p in every]
    assert numbers == list(range(640, 0, -1))
    assert len({p["uuid"] for p in every}) == 640
    assert look(bb, RUNS + "/pipelines?pagelen=100&page=8")[1]["values"] == []
    assert error(bb, RUNS + "/pipelines?pagelen=101") == (400, {"message": "Invalid pagelen"})
    assert error(bb, RUNS + "/pipelines?sort=build_number")[0] == 400
    assert look(bb, RUNS + "/pipelines?q=nonsense")[0] == 200, "q is not read here"


def test_pipelines_of_every_kind(bb):
    every = numbered(bb, WIDGETS + "/pipelines?pagelen=100")
    assert {p["target"]["type"] for p in every} == {"pipeline_ref_target", "pipeline_pullrequest_target", "pipeline_commit_target"}
    assert {p["target"].get("ref_type") for p in every} == {"branch", "tag", None}
    assert {p["trigger"]["name"] for p in every} == {"PUSH", "MANUAL", "SCHEDULED", "PARENT_STEP"}
    assert {p["state"]["name"] for p in every} == {"COMPLETED", "IN_PROGRESS", "PENDING"}
    assert any(p["creator"] is None for p in every)
    assert [("value" in v, v["secured"]) for p in every for v in p.get("variables", ())] == [(True, False), (False, True)]
    newest = numbered(bb, RUNS + "/pipelines?sort=-created_on&pagelen=100")[:20]
    assert any(p["target"] is None for p in newest) and any(p["repository"] is None for p in newest)
    assert any("creator" not in p for p in newest)
    assert any(p["target"] and p["target"]["commit"] is None for p in newest)


@pytest.mark.parametrize("query,numbers", [
    ("target.branch=feature/colours", [4, 5]), ("target.ref_name=v1.0", [6]), ("target.ref_type=TAG", [6]), ("status=BUILDING", [4]),
    ("status=PASSED&status=ERROR", [2, 3, 5, 6, 8, 9]), ("trigger_type=SCHEDULED", [9]), ("target.selector.type=PULLREQUESTS", [5]),
    ("target.selector.pattern=nightly", [7]), ("status=PASSED&target.branch=nothing", [])])
def test_pipelines_are_chosen_by_parameters(bb, query, numbers):
    assert [p["build_number"] for p in look(bb, f"{WIDGETS}/pipelines?pagelen=100&{query}")[1]["values"]] == numbers


def test_a_pipeline_by_uuid_and_by_number(bb):
    one = look(bb, WIDGETS + "/pipelines/3")[1]
    assert look(bb, f"{WIDGETS}/pipelines/{quote(one['uuid'])}")[1] == one
    for name in ("999", "03", quote("{00000000-0000-0000-0000-000000000000}"), "x"):
        assert error(bb, f"{WIDGETS}/pipelines/{name}")[0] == 404
    steps = numbered(bb, f"{WIDGETS}/pipelines/3/steps")
    assert [s["name"] for s in steps] == ["Build", "Test"]
    assert look(bb, f"{WIDGETS}/pipelines/3/steps/{quote(steps[1]['uuid'])}") == (200, steps[1])
    assert error(bb, f"{WIDGETS}/pipelines/2/steps/{quote(steps[1]['uuid'])}")[0] == 404


def test_a_log_on_another_host(bb):
    path = step_path(bb, WIDGETS, 3, 1) + "/log"
    status, headers, _ = ask(bb, path)
    assert status == 307
    whole = fetch(bb, headers["Location"])
    assert whole[0] == 200 and whole[1]["ETag"] == '"%s"' % hashlib.md5(whole[2]).hexdigest()
    assert fetch(bb, headers["Location"], Range="bytes=-4")[2] == whole[2][-4:]
    assert fetch(bb, headers["Location"], Range=f"bytes={len(whole[2])}-")[0] == 416
    assert ask(bb, path, **{"If-None-Match": whole[1]["ETag"]})[0] == 304
    assert ask(bb, headers["Location"][len(bb.storage_url):], port=bb.storage_port)[0] == 400, "a credential"
    assert ask(bb, headers["Location"].partition("?")[0][len(bb.storage_url):], account=None, port=bb.storage_port)[0] == 403, "no signature"
    bb.expire_links()
    assert fetch(bb, headers["Location"])[0] == 403
    assert fetch(bb, ask(bb, path)[1]["Location"])[2] == whole[2]
    bb.logs = "here"
    status, _, body = ask(bb, path)
    assert (status, body) == (200, whole[2])


def test_a_running_steps_log_on_another_host(bb):
    bb.logs = "there"
    path = step_path(bb, WIDGETS, 4, 1) + "/log"
    first = ask(bb, path)[1]["Location"]
    bb.append_log("acme", "widgets", 4, 1, "more\n")
    assert fetch(bb, first)[2] == b"+ make check\n", "as it was when the link was made"
    assert fetch(bb, ask(bb, path)[1]["Location"], Range="bytes=13-")[2] == b"more\n"
    bb.fault("GET /logs/", "truncate", after_bytes=3)
    with pytest.raises(http.client.IncompleteRead):
        fetch(bb, first)


def test_logs_that_are_not_there(bb):
    for number, i in ((624, 0), (632, 0), (639, 0), (639, 1)):
        assert error(bb, step_path(bb, RUNS, number, i) + "/log")[0] == 404
    status, headers, _ = ask(bb, step_path(bb, RUNS, 623, 0) + "/log")
    assert fetch(bb, headers["Location"])[2] == b""
    assert fetch(bb, headers["Location"], Range="bytes=0-")[0] == 416


def test_a_log_that_grows(bb):
    path = step_path(bb, WIDGETS, 4, 1) + "/log"
    status, headers, first = ask(bb, path)
    assert (status, first) == (200, b"+ make check\n")
    assert ask(bb, path, **{"If-None-Match": headers["ETag"]})[0] == 304
    assert ask(bb, path, Range=f"bytes={len(first)}-")[0] == 416
    assert bb.append_log("acme", "widgets", 4, "Test", "ok 1\n") == len(first) + 5
    status, more, rest = ask(bb, path, Range=f"bytes={len(first)}-")
    assert (status, rest, more["Content-Range"]) == (206, b"ok 1\n", f"bytes {len(first)}-{len(first) + 4}/{len(first) + 5}")
    assert ask(bb, path, Range=f"bytes={len(first)}-", **{"If-Range": headers["ETag"]})[0] == 200, "it is another log now"
    bb.finish_step("acme", "widgets", 4, 1)
    status, headers, _ = ask(bb, path)
    assert status == 307 and fetch(bb, headers["Location"])[2] == first + b"ok 1\n"
    assert look(bb, WIDGETS + "/pipelines/4")[1]["state"]["name"] == "IN_PROGRESS"
    bb.start_step("acme", "widgets", 4, "Deploy / staging")
    bb.finish_step("acme", "widgets", 4, "Deploy / staging", "FAILED", seconds=7)
    one = look(bb, WIDGETS + "/pipelines/4")[1]
    assert one["state"]["result"]["name"] == "FAILED" and one["completed_on"]
    bb.set_log("acme", "widgets", 4, 1, None)
    assert ask(bb, path)[0] == 404


def test_a_new_pipeline(bb):
    n = bb.create_pipeline("edge", "empty", ["One", "Two"], at=None, who=None)
    assert n == 1
    one = look(bb, "/repositories/edge/empty/pipelines/1")[1]
    assert (one["state"]["stage"]["name"], one["creator"], one["target"]["commit"]) == ("RUNNING", None, None)
    assert [s["state"]["name"] for s in numbered(bb, "/repositories/edge/empty/pipelines/1/steps")] == ["IN_PROGRESS", "PENDING"]
    bb.update_pipeline("edge", "empty", 1, result="STOPPED", seconds=9)
    assert look(bb, "/repositories/edge/empty/pipelines/1")[1]["state"]["result"]["name"] == "STOPPED"


def test_containers_and_tests_of_a_step(bb):
    path = step_path(bb, WIDGETS, 3, 1)
    r = bb._repository("acme", "widgets")
    p = bb.state.pipelines[r.uuid].get(3)
    name = quote(runs.container_uuid(r, p, 1, "postgres"))
    assert b"database system is ready" in fetch(bb, ask(bb, f"{path}/logs/{name}")[1]["Location"])[2]
    own = ask(bb, f"{path}/logs/{quote(runs.step_uuid(r, p, 1))}")
    assert own[1]["Location"].partition("?")[0] == ask(bb, path + "/log")[1]["Location"].partition("?")[0]
    assert ask(bb, f"{path}/logs/{quote('{no}')}")[0] == 404
    assert look(bb, path + "/test_reports")[1]["number_of_failed_test_cases"] == 1
    cases = numbered(bb, path + "/test_reports/test_cases")
    assert [c["status"] for c in cases] == ["SUCCESSFUL", "FAILED", "SKIPPED", "ERROR"]
    why = numbered(bb, f"{path}/test_reports/test_cases/{quote(cases[1]['uuid'])}/test_case_reasons")
    assert why[0]["message"] == "expected: null"
    assert error(bb, step_path(bb, WIDGETS, 2, 1) + "/test_reports")[0] == 404


# -- downloads

def test_downloads_lie_on_another_host(bb):
    every, _ = walk(bb, WIDGETS + "/downloads?pagelen=2")
    assert [d["created_on"] for d in every] == sorted((d["created_on"] for d in every), reverse=True)
    assert any(d["user"] is None for d in every)
    for d in every:
        status, headers, _ = ask(bb, d["links"]["self"]["href"][len(bb.api_url):])
        assert status == 302
        status, found, body = fetch(bb, headers["Location"])
        assert (status, len(body)) == (200, d["size"]) and found["ETag"] and found["Last-Modified"]
        assert quote(d["name"], safe="") in found["Content-Disposition"]
        assert ask(bb, headers["Location"][len(bb.storage_url):], port=bb.storage_port)[0] == 400
    assert error(bb, WIDGETS + "/downloads/nothing")[0] == 404
    assert walk(bb, "/repositories/edge/empty/downloads") == ([], 1)
    assert error(bb, WIDGETS + "/downloads?pagelen=101")[0] == 400


def test_downloads_of_every_name(bb):
    every, _ = walk(bb, FILES + "/downloads?pagelen=100")
    for i, d in enumerate(sorted((d for d in every if d["created_on"].startswith("2026-01-02")), key=lambda d: d["created_on"])):
        body = fetch(bb, ask(bb, f"{FILES}/downloads/{quote(d['name'], safe='')}")[1]["Location"])[2]
        assert body.decode() == f"{i}: {d['name']}\n"
    assert {d["name"]: d["size"] for d in every if d["name"] in ("grew.log", "odd-size", "empty")} == {
        "grew.log": 3, "odd-size": "large", "empty": 0}


def test_two_gigabytes_are_made_when_they_are_read(bb):
    d = next(d for d in walk(bb, FILES + "/downloads?pagelen=100")[0] if d["name"] == "two-gigabytes.bin")
    assert d["size"] == TWO_GB > 1 << 31
    where = ask(bb, FILES + "/downloads/two-gigabytes.bin")[1]["Location"]
    first = TWO_GB - 100_000
    status, headers, body = fetch(bb, where, Range=f"bytes={first}-")
    assert (status, headers["Content-Range"]) == (206, f"bytes {first}-{TWO_GB - 1}/{TWO_GB}")
    assert body == b"".join(Made(TWO_GB, "two").read(first, TWO_GB))
    middle = fetch(bb, where, Range="bytes=65530-131080")[2]
    whole = b"".join(Made(TWO_GB, "two").read(0, 200_000))
    assert middle == whole[65530:131081] and len(whole) == 200_000
    assert fetch(bb, where, Range=f"bytes={TWO_GB}-")[0] == 416


def test_a_download_is_replaced(bb):
    def link():
        return ask(bb, WIDGETS + "/downloads/CHECKSUMS")[1]["Location"]
    where = link()
    tag = fetch(bb, where)[1]["ETag"]
    assert fetch(bb, where, Range="bytes=2-3", **{"If-Range": tag})[0] == 206
    before = look(bb, WIDGETS + "/downloads?pagelen=1")[1]["values"][0]["name"]
    bb.replace_download("acme", "widgets", "CHECKSUMS", "new\n")
    status, headers, body = fetch(bb, where, Range="bytes=2-3", **{"If-Range": tag})
    assert (status, body) == (200, b"new\n") and headers["ETag"] != tag
    newest = look(bb, WIDGETS + "/downloads?pagelen=1")[1]["values"][0]
    assert (newest["name"], newest["size"]) == ("CHECKSUMS", 4) and before != "CHECKSUMS"
    bb.replace_download("acme", "widgets", "CHECKSUMS", "newer\n", moves=True)
    assert fetch(bb, where)[0] == 404 and fetch(bb, link())[2] == b"newer\n" and fetch(bb, where)[0] == 404
    bb.add_download("acme", "widgets", "made", 70_000)
    assert len(fetch(bb, ask(bb, WIDGETS + "/downloads/made")[1]["Location"])[2]) == 70_000
    bb.delete_download("acme", "widgets", "made")
    assert error(bb, WIDGETS + "/downloads/made")[0] == 404


# -- deployments and what pipelines are set up with

def test_deployments(bb):
    every = numbered(bb, FILES + "/deployments?pagelen=100")
    assert [d["number"] for d in every] == list(range(1, 251))
    assert error(bb, FILES + "/deployments?sort=created_on")[0] == 400
    assert numbered(bb, FILES + "/deployments?pagelen=100&q=nonsense") == every, "q is not read here"
    newest = look(bb, FILES + "/deployments?sort=-state.started_on")[1]["values"]
    assert [d["number"] for d in newest] == list(range(250, 240, -1))
    assert any(d["release"] is None for d in every) and any(d["state"]["deployer"] is None for d in every)
    assert look(bb, f"{FILES}/deployments/{quote(every[7]['uuid'])}") == (200, every[7])
    assert error(bb, FILES + "/deployments/" + quote("{no}"))[0] == 404
    mine = numbered(bb, WIDGETS + "/deployments")
    assert {d["state"]["name"] for d in mine} == {"COMPLETED", "IN_PROGRESS", "UNDEPLOYED"}
    assert {"name" in d["environment"] for d in mine} == {True, False}
    assert numbered(bb, "/repositories/edge/empty/deployments") == []


def test_environments_and_their_variables(bb):
    every, _ = walk(bb, WIDGETS + "/environments?pagelen=3")
    assert [e["name"] for e in every] == ["Test", "Staging", "Production", "Köln / DC 2"]
    assert look(bb, f"{WIDGETS}/environments/{quote(every[1]['uuid'])}") == (200, every[1])
    path = WIDGETS + "/deployments_config/environments/%s/variables"
    found = numbered(bb, path % quote(every[1]["uuid"]))
    assert [(v["key"], v["secured"], v.get("value")) for v in found] == [("URL", False, "https://staging.example.com"), ("KEY", True, None)]
    assert "value" not in found[1] and numbered(bb, path % quote(every[0]["uuid"])) == []
    assert error(bb, path % quote("{no}"))[0] == 404


@pytest.mark.parametrize("path,one", [
    ("pipelines_config/variables", True), ("pipelines_config/schedules", True), ("pipelines_config/ssh/known_hosts", True),
    ("pipelines-config/runners", True), ("pipelines-config/caches", False)])
def test_lists_of_pipelines_config(bb, path, one):
    every = numbered(bb, f"{WIDGETS}/{path}?pagelen=1")
    assert len(every) == len({v["uuid"] for v in every}) >= 2
    if one:
        assert look(bb, f"{WIDGETS}/{path}/{quote(every[1]['uuid'])}") == (200, every[1])
        assert error(bb, f"{WIDGETS}/{path}/{quote('{no}')}")[0] == 404
    assert numbered(bb, f"/repositories/edge/empty/{path}") == []
    assert error(bb, f"{WIDGETS}/{path}?pagelen=101")[0] == 400


def test_the_rest_of_pipelines_config(bb):
    assert look(bb, WIDGETS + "/pipelines_config")[1]["enabled"] is True
    assert look(bb, "/repositories/edge/empty/pipelines_config")[1]["enabled"] is False
    assert set(look(bb, WIDGETS + "/pipelines_config/ssh/key_pair")[1]) == {"type", "public_key"}, "the private half is told to nobody"
    assert error(bb, FILES + "/pipelines_config/ssh/key_pair")[0] == 404
    cache = numbered(bb, WIDGETS + "/pipelines-config/caches")[0]
    where = look(bb, f"{WIDGETS}/pipelines-config/caches/{quote(cache['uuid'])}/content-uri")[1]["uri"]
    assert len(fetch(bb, where)[2]) == cache["file_size_bytes"]
    schedule = numbered(bb, WIDGETS + "/pipelines_config/schedules")[0]
    runs_of = numbered(bb, f"{WIDGETS}/pipelines_config/schedules/{quote(schedule['uuid'])}/executions")
    assert [e["type"].rpartition("_")[2] for e in runs_of] == ["executed", "errored", "executed"]
    assert runs_of[0]["pipeline"]["build_number"] == 9
    assert len(numbered(bb, FILES + "/pipelines_config/variables?pagelen=100")) == 230
    assert [v.get("value") for v in numbered(bb, "/workspaces/acme/pipelines-config/variables")] == ["eu", None]
    assert [r["state"]["status"] for r in numbered(bb, "/workspaces/acme/pipelines-config/runners")] == ["ONLINE", "UNHEALTHY"]
    assert error(bb, WIDGETS + "/pipelines_config/build_number")[0] == 405


# -- settings

LISTS = [
    ("hooks", "uuid", 3, 131), ("branch-restrictions", "id", 5, 120), ("deploy-keys", "id", 2, 105), ("default-reviewers", "uuid", 2, 4),
    ("permissions-config/groups", "group.slug", 3, 111), ("permissions-config/users", "user.uuid", 4, 3)]


@pytest.mark.parametrize("name,key,few,many", LISTS)
def test_settings_are_lists(bb, name, key, few, many):
    every, _ = walk(bb, f"{WIDGETS}/{name}?pagelen=2")
    assert len(every) == few
    assert len(walk(bb, f"{FILES}/{name}?pagelen=100")[0]) == many
    assert walk(bb, f"/repositories/edge/empty/{name}") == ([], 1)
    wanted = every[1]
    for part in key.split("."):
        wanted = wanted[part]
    assert look(bb, f"{WIDGETS}/{name}/{quote(str(wanted), safe='')}") == (200, every[1])
    assert error(bb, f"{WIDGETS}/{name}/31415")[0] == 404
    assert error(bb, f"{WIDGETS}/{name}?pagelen=0")[0] == 400


def test_branch_restrictions_are_chosen(bb):
    assert [b["id"] for b in look(bb, WIDGETS + "/branch-restrictions?kind=force")[1]["values"]] == [103]
    assert [b["id"] for b in look(bb, WIDGETS + "/branch-restrictions?pattern=main")[1]["values"]] == [101, 102]


def test_branching_models(bb):
    own = look(bb, WIDGETS + "/branching-model")[1]
    assert own["development"]["branch"]["target"]["hash"] == look(bb, WIDGETS + "/refs/branches/main")[1]["target"]["hash"]
    assert {t["kind"]: t["prefix"] for t in own["branch_types"]} == {"release": "release/", "feature": "feature/", "bugfix": "fix/"}
    raw = look(bb, WIDGETS + "/branching-model/settings")[1]
    assert raw["production"]["enabled"] and [t["enabled"] for t in raw["branch_types"]] == [True, False, True, True]
    inherited = look(bb, "/repositories/acme/billing/effective-branching-model")[1]
    assert (inherited["development"]["name"], inherited["production"]["branch"]["name"]) == ("develop", "main")
    assert "production" not in look(bb, "/repositories/acme/billing/branching-model")[1]
    assert look(bb, "/workspaces/acme/projects/PROD/branching-model")[1]["development"] == {"name": "develop", "use_mainbranch": False}
    assert look(bb, "/workspaces/acme/projects/PROD/branching-model/settings")[1]["development"]["name"] == "develop"
    assert "branch" not in look(bb, "/repositories/edge/empty/branching-model")[1]["development"]
    assert look(bb, WIDGETS + "/override-settings")[1]["override_settings"]["branching_model"] is True


def test_reviewers_are_inherited(bb):
    found = [(r["reviewer_type"], r["user"]["nickname"]) for r in look(bb, WIDGETS + "/effective-default-reviewers")[1]["values"]]
    assert found == [("project", "ada"), ("project", "chen"), ("repository", "ben"), ("repository", "dana")]
    path = "/workspaces/acme/projects/PROD/default-reviewers"
    first = walk(bb, path)[0][0]["user"]
    assert look(bb, f"{path}/{quote(first['uuid'])}") == (200, first)
    assert error(bb, f"{path}/{quote(bb.state.users['erik'].uuid)}")[0] == 400
    assert error(bb, f"{path}/nobody")[0] == 404


def test_settings_change(bb):
    before = bb.get_settings("acme/widgets", "hooks")
    bb.set_settings("acme/widgets", hooks=before + [{"uuid": "{new}", "url": "https://new.example.com/", "events": ["repo:push"]}])
    assert walk(bb, WIDGETS + "/hooks")[0][-1]["url"] == "https://new.example.com/"
    bb.set_settings("acme:PROD", reviewers=[])
    assert walk(bb, "/workspaces/acme/projects/PROD/default-reviewers")[0] == []
    bb.set_settings("@ada", ssh_keys=[])
    assert walk(bb, f"/users/{quote(bb.state.users['ada'].uuid)}/ssh-keys")[0] == []


@pytest.mark.parametrize("path,status", [
    ("/repositories/monolith-labs/monolith/hooks", 403), ("/repositories/monolith-labs/monolith/branching-model", 200),
    ("/repositories/monolith-labs/monolith/default-reviewers", 200), ("/workspaces/monolith-labs/hooks", 403),
    ("/workspaces/monolith-labs/permissions", 200), ("/workspaces/monolith-labs/permissions/repositories", 403),
    ("/user/workspaces/monolith-labs/permissions/repositories", 200), ("/workspaces/monolith-labs/projects/ENG/permissions-config/users", 403),
    ("/workspaces/vault/hooks", 403), ("/repositories/vault/secret/hooks", 404), ("/repositories/opensource/libtiny/hooks", 403),
    ("/repositories/opensource/libtiny/pipelines", 200), ("/workspaces/nowhere/hooks", 404)])
def test_only_those_who_may_see_settings(bb, path, status):
    have, body = look(bb, path)
    assert have == status, body
    assert status != 403 or "detail" not in body["error"], "it is not the token that lacks something"


@pytest.mark.parametrize("scope,path", [
    ("read:user:bitbucket", "/user"), ("read:workspace:bitbucket", "/workspaces/acme"), ("read:project:bitbucket", "/workspaces/acme/projects"),
    ("read:repository:bitbucket", WIDGETS + "/downloads"), ("read:pullrequest:bitbucket", WIDGETS + "/default-reviewers"),
    ("read:pipeline:bitbucket", WIDGETS + "/deployments"), ("read:snippet:bitbucket", "/snippets/acme"),
    ("read:webhook:bitbucket", WIDGETS + "/hooks"), ("admin:repository:bitbucket", WIDGETS + "/deploy-keys"),
    ("admin:project:bitbucket", "/workspaces/acme/projects/PROD/deploy-keys"), ("read:runner:bitbucket", WIDGETS + "/pipelines-config/runners"),
    ("read:ssh-key:bitbucket", "/users/x/ssh-keys"), ("read:gpg-key:bitbucket", "/users/x/gpg-keys"),
    ("admin:workspace:bitbucket", "/addon/x/client-key")])
def test_every_scope_can_be_missing(bb, scope, path):
    bb.set_scopes("ada", without=[scope])
    status, why = error(bb, path)
    assert (status, why["detail"]["required"]) == (403, [scope]) and scope not in why["detail"]["granted"]
    bb.set_scopes("ada", [scope])
    assert ask(bb, path)[0] in (200, 403, 404) and "Your credentials lack" not in ask(bb, path)[2].decode()


def test_what_access_tokens_lack(bb):
    for path, word in ((WIDGETS + "/permissions-config/users", "repository:admin"), (WIDGETS + "/branch-restrictions", "repository:admin"),
                       ("/workspaces/acme/projects/PROD/branching-model", "project:admin"), ("/snippets/acme", "snippet"),
                       (WIDGETS + "/pipelines-config/runners", "runner")):
        assert error(bb, path, account="workspace-token")[1]["detail"]["required"] == [word]
    assert ask(bb, WIDGETS + "/hooks", account="workspace-token")[0] == 200


# -- workspaces and the account

def test_permissions_of_a_workspace(bb):
    every, _ = walk(bb, "/workspaces/acme/permissions/repositories?pagelen=7")
    of_widgets = [(p["user"]["nickname"], p["permission"]) for p in every if p["repository"]["name"] == "widgets"]
    assert of_widgets == [("ada", "admin"), ("ben", "write"), ("chen", "write"), ("erik", "read")], "dana's was taken away"
    assert len(every) > 20
    one, _ = walk(bb, "/workspaces/acme/permissions/repositories/widgets")
    assert [(p["user"]["nickname"], p["permission"]) for p in one] == of_widgets
    q = quote('permission="admin"')
    assert {p["permission"] for p in walk(bb, f"/workspaces/acme/permissions/repositories?q={q}&sort=-repository.name")[0]} == {"admin"}
    mine, _ = walk(bb, "/user/workspaces/monolith-labs/permissions/repositories?pagelen=100")
    assert len(mine) == 1000 and {p["user"]["nickname"] for p in mine} == {"ada"}


def test_keys_and_addresses(bb):
    me = "/users/" + quote(bb.state.users["ada"].uuid)
    ssh, _ = walk(bb, me + "/ssh-keys?pagelen=2")
    assert [k["label"] for k in ssh] == ["laptop", "Büro", ""]
    assert look(bb, f"{me}/ssh-keys/{ssh[0]['uuid'].strip('{}')}") == (200, ssh[0])
    gpg, _ = walk(bb, me + "/gpg-keys")
    assert "key" not in gpg[0] and look(bb, f"{me}/gpg-keys/{gpg[0]['fingerprint'].upper()}") == (200, gpg[0])
    assert look(bb, me + "/gpg-keys?fields=" + quote("+values.key"))[1]["values"][0]["key"].startswith("-----BEGIN")
    assert error(bb, "/users/" + quote(bb.state.users["ben"].uuid) + "/ssh-keys")[0] == 403
    emails, _ = walk(bb, "/user/emails")
    assert [(e["email"], e["is_primary"], e["is_confirmed"]) for e in emails] == [
        ("ada@example.com", True, True), ("ada+bitbucket@example.org", False, True), ("ada@größe.example", False, False)]
    for e in emails:
        assert look(bb, "/user/emails/" + quote(e["email"])) == (200, e)
    assert [e["email"] for e in walk(bb, "/user/emails?pagelen=1")[0]] == [e["email"] for e in emails]
    assert ask(bb, "/workspaces/acme/settings/gpg/public-key")[2].startswith(b"-----BEGIN")


def test_events_of_hooks_are_public(bb):
    assert set(look(bb, "/hook_events", account=None)[1]) == {"repository", "workspace"}
    body = look(bb, "/hook_events/workspace", account=None)[1]
    assert body["pagelen"] == 30 and "project:updated" in [e["event"] for e in body["values"]]
    assert error(bb, "/hook_events/team")[0] == 404


# -- snippets

def parts_of(headers, body):
    """{name: bytes} as Python's own parser of mail reads them."""
    message = email.message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\n\n" + body)
    assert message.is_multipart() and not message.defects
    return {p.get_filename(): p.get_payload(decode=True) for p in message.get_payload()}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_whole_snippet_is_one_answer(bb, line_end):
    bb.line_end = line_end
    status, headers, body = ask(bb, "/snippets/edge/odd", Accept="multipart/related")
    assert status == 200 and headers.get_content_type() == "multipart/related"
    files = {name: text.encode() if isinstance(text, str) else text for name, text in data_snippets.odd_files().items()}
    parts = parts_of(headers, body)
    whole = json.loads(parts.pop(None))
    assert set(parts) == set(files) == set(whole["files"])
    for name, data in files.items():
        have = parts[name] if b"\r" in data else parts[name].replace(b"\r\n", b"\n")
        assert have == data, name
        assert ask(bb, whole["files"][name]["links"]["self"]["href"][len(bb.api_url):])[2] == data, name
    del whole["files"]
    listed = {s["id"]: s for s in walk(bb, "/snippets/edge?pagelen=100")[0]}
    assert listed["odd"] == whole
    form = ask(bb, "/snippets/edge/odd", Accept="multipart/form-data")
    assert form[1].get_content_type() == "multipart/form-data" and b'name="title"' in form[2]


def test_lists_of_snippets(bb):
    body = look(bb, "/snippets/acme")[1]
    assert (body["pagelen"], [s["id"] for s in body["values"]]) == (30, ["gR9bLA", "Xqoz8B", "kypj"])
    assert body["values"][0]["creator"] is None and "files" not in body["values"][0]
    assert len(walk(bb, "/snippets/edge?pagelen=100")[0]) == 132
    assert walk(bb, "/snippets/monolith-labs") == ([], 1)
    assert [s["id"] for s in walk(bb, "/snippets/opensource")[0]] == ["open1"]
    assert error(bb, "/snippets/nowhere")[0] == 404


@pytest.mark.parametrize("path,account,status", [
    ("edge/spam", "ada", 410), ("opensource/shut1", "ada", 403), ("opensource/shut1", None, 401), ("opensource/open1", None, 200),
    ("acme/kypj", "reader", 403), ("acme/nothing", "ada", 404), ("acme/kypj/0123456", "ada", 404), ("acme/kypj/files/nothing", "ada", 404)])
def test_who_may_see_a_snippet(bb, path, account, status):
    assert ask(bb, "/snippets/" + path, account=account)[0] == status


def test_files_and_history_of_a_snippet(bb):
    status, headers, _ = ask(bb, "/snippets/acme/kypj/files/README.md")
    assert status == 302 and headers["Location"].startswith(bb.api_url + "/snippets/acme/kypj/")
    status, headers, body = ask(bb, headers["Location"][len(bb.api_url):])
    assert (status, body[:8]) == (200, b"# deploy") and headers["Content-Disposition"].startswith("attachment;")
    history, pages = walk(bb, "/snippets/acme/kypj/commits?pagelen=2")
    assert (len(history), pages) == (3, 2) and history[-1]["parents"] == []
    assert look(bb, f"/snippets/acme/kypj/commits/{history[1]['hash'][:9]}")[1] == history[1]
    assert set(look(bb, f"/snippets/acme/kypj/{history[2]['hash']}")[1]["files"]) == {"deploy.sh"}
    assert ask(bb, f"/snippets/acme/kypj/{history[2]['hash']}/files/deploy.sh")[2].startswith(b"#!/bin/sh\nrsync")
    assert b"+set -e\n" in ask(bb, f"/snippets/acme/kypj/{history[1]['hash']}/diff")[2]
    assert ask(bb, f"/snippets/acme/kypj/{history[0]['hash']}/diff?path=nothing")[2] == b""
    assert b"Subject: [PATCH] Ask first" in ask(bb, f"/snippets/acme/kypj/{history[1]['hash']}/patch")[2]
    assert len(walk(bb, "/snippets/edge/long/commits")[0]) == 70
    comments, _ = walk(bb, "/snippets/acme/kypj/comments?pagelen=2")
    assert [c["id"] for c in comments] == [5001, 5002, 5003, 5004, 5005] and comments[2]["user"] is None
    assert look(bb, "/snippets/acme/kypj/comments/5002") == (200, comments[1])
    assert len(walk(bb, "/snippets/edge/odd/comments?pagelen=100")[0]) == 120
    assert [ask(bb, f"/snippets/acme/{s}/watch")[0] for s in ("kypj", "Xqoz8B")] == [204, 404]


def test_snippets_change(bb):
    before = look(bb, "/snippets/acme/kypj")[1]
    oid = bb.change_snippet("acme", "kypj", {"new.txt": "new\n", "logo.png": None}, "Another", title="Other")
    after = look(bb, "/snippets/acme/kypj")[1]
    assert set(after["files"]) == {"README.md", "deploy.sh", "new.txt"} and after["updated_on"] > before["updated_on"]
    assert (after["title"], look(bb, "/snippets/acme/kypj/commits")[1]["values"][0]["hash"]) == ("Other", oid)
    assert look(bb, "/snippets/edge/p0001")[1]["files"].keys() == {"snippet.txt"}
    bb.change_snippet("edge", "p0001", {"two": "2"})
    assert [len(look(bb, f"/snippets/edge/{s}")[1]["files"]) for s in ("p0001", "p0002")] == [2, 1]
    bb.create_snippet("acme", "made", {"x": b"\0"}, "Made", is_private=False)
    number = bb.comment_snippet("acme", "made", "hello", who="ben")
    assert look(bb, f"/snippets/acme/made/comments/{number}")[1]["content"]["raw"] == "hello"
    bb.delete_snippet("acme", "made")
    bb.delete_snippet("acme", "Xqoz8B", spam=True)
    assert [ask(bb, f"/snippets/acme/{s}")[0] for s in ("made", "Xqoz8B")] == [404, 410]
