"""The local Bitbucket itself: pipelines, downloads, settings, workspaces, snippets, the account."""
import hashlib
import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest
from bitbucket import runs
from bitbucket.data_files import TWO_GB
from bitbucket.storage import Made
from test_local_bitbucket import CONFORM, OPENAPI, ask, look, walk

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
    assert fetch(bb, where)[0] == 404 and fetch(bb, link())[2] == b"newer\n"
    bb.add_download("acme", "widgets", "made", 70_000)
    assert len(fetch(bb, ask(bb, WIDGETS + "/downloads/made")[1]["Location"])[2]) == 70_000
    bb.delete_download("acme", "widgets", "made")
    assert error(bb, WIDGETS + "/downloads/made")[0] == 404
