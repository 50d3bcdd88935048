"""The local Bitbucket itself: what other tests build on must do what it says."""
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from asking import TESTS, ask, credential, git, look, walk


# -- paging, fields, queries

def test_a_thousand_repositories_are_ten_pages_of_whole_objects(bb):
    mark = bb.log.mark()
    items, pages = walk(bb, "/repositories/monolith-labs?pagelen=100&sort=created_on")
    assert (len(items), pages) == (1000, 10)
    assert len({i["uuid"] for i in items}) == 1000
    assert [i["created_on"] for i in items] == sorted(i["created_on"] for i in items)
    assert all({"links", "workspace", "project", "owner", "parent", "mainbranch"} <= set(i) for i in items)
    assert any(i["mainbranch"] is None for i in items)
    assert len(bb.log.since(mark, "GET /2.0/repositories/monolith-labs")) == 10


@pytest.mark.parametrize("query", ["pagelen=0", "pagelen=101", "pagelen=x"])
def test_an_impossible_pagelen_is_400(bb, query):
    status, body = look(bb, "/repositories/acme?" + query)
    assert (status, body["error"]["message"]) == (400, "Invalid pagelen")


def test_cursor_pages_are_opaque(bb):
    status, body = look(bb, "/repositories/acme/widgets/commits?pagelen=2")
    assert "size" not in body and "page" not in body
    assert look(bb, "/repositories/acme/widgets/commits?pagelen=2&page=2")[0] == 400
    items, _ = walk(bb, "/repositories/acme/widgets/commits?pagelen=2")
    assert len(items) == len({c["hash"] for c in items}) > 10


def test_pipelines_have_no_next(bb):
    status, body = look(bb, "/repositories/acme/widgets/pipelines?pagelen=2")
    assert "next" not in body and body["size"] == 11
    assert len(look(bb, "/repositories/acme/widgets/pipelines?pagelen=2&page=2")[1]["values"]) == 2


def test_fields(bb):
    body = look(bb, "/repositories/acme?fields=values.slug,next&pagelen=2")[1]
    assert set(body) == {"values", "next"} and all(set(v) == {"slug"} for v in body["values"])
    body = look(bb, "/repositories/acme?fields=-values.links.clone")[1]
    assert all("clone" not in v["links"] and "html" in v["links"] for v in body["values"])


def test_queries(bb):
    def slugs(q):
        return {v["slug"] for v in look(bb, "/repositories/acme?pagelen=100&q=" + q)[1]["values"]}
    assert slugs("language=%22c%22") == {"widgets", "firmware"}
    assert slugs("language=%22c%22%20AND%20(name~%22firm%22%20OR%20slug=%22nothing%22)") == {"firmware"}
    assert slugs("is_private=false") == {"website"}
    before = slugs("updated_on%20%3E%3D%202026-11-01T00:00:00%2B00:00")
    bb.push("acme", "infra", {"new": "x"})
    assert slugs("updated_on%20%3E%3D%202026-11-01T00:00:00%2B00:00") == before | {"infra"}
    assert look(bb, "/repositories/acme?q=nonsense")[0] == 400
    assert look(bb, "/repositories/acme?q=no_such_field=1")[0] == 400
    first = look(bb, "/repositories/acme?sort=-updated_on")[1]["values"][0]
    assert first["slug"] == "infra"


def test_uuids_address(bb):
    one = look(bb, "/repositories/acme/widgets")[1]
    ws, repo = (u["uuid"].replace("{", "%7B").replace("}", "%7D") for u in (one["workspace"], one))
    assert look(bb, f"/repositories/{ws}/{repo}") == (200, one)
    assert look(bb, f"/workspaces/{ws}")[1]["slug"] == "acme"


# -- transport

def test_etag_gzip_and_304(bb):
    status, headers, body = ask(bb, "/repositories/acme/widgets")
    assert status == 200 and not headers["ETag"].startswith('"gz[')
    assert ask(bb, "/repositories/acme/widgets", **{"If-None-Match": headers["ETag"]})[0] == 304
    status, packed, small = ask(bb, "/repositories/acme/widgets", **{"Accept-Encoding": "gzip"})
    assert packed["ETag"].startswith('"gz[') and gzip.decompress(small) == body
    bb.update_repo("acme", "widgets", description="other")
    assert ask(bb, "/repositories/acme/widgets", **{"If-None-Match": headers["ETag"]})[0] == 200


def test_connections_are_kept(bb):
    conn = http.client.HTTPConnection("127.0.0.1", bb.port, timeout=10)
    for _ in range(3):
        conn.request("GET", "/2.0/user", headers=credential(bb.accounts["ada"]))
        conn.getresponse().read()
    conn.close()
    assert len({e["connection"] for e in bb.log.all("GET /2.0/user")}) == 1


def test_logs_lie_on_another_host(bb):
    uuid = look(bb, "/repositories/acme/widgets/pipelines?sort=created_on")[1]["values"][1]["uuid"]
    step = look(bb, f"/repositories/acme/widgets/pipelines/{uuid}/steps")[1]["values"][0]["uuid"]
    status, headers, _ = ask(bb, f"/repositories/acme/widgets/pipelines/{uuid}/steps/{step}/log")
    assert status == 307 and headers["Location"].startswith(bb.storage_url + "/")
    target = headers["Location"][len(bb.storage_url):]
    whole = ask(bb, target, account=None, port=bb.storage_port)[2]
    status, headers, part = ask(bb, target, account=None, port=bb.storage_port, Range="bytes=2-5")
    assert (status, part, headers["Content-Range"]) == (206, whole[2:6], f"bytes 2-5/{len(whole)}")
    assert ask(bb, target, account=None, port=bb.storage_port, Range=f"bytes={len(whole)}-")[0] == 416
    assert ask(bb, target, account="ada", port=bb.storage_port)[0] == 400, "a leaked credential is noticed"
    assert bb.log.all()[-1]["authorization"] == "basic"


# -- who may what

@pytest.mark.parametrize("account,path,status", [
    ("ada", "/user", 200), ("ada", "/repositories/acme/infra", 200), ("pair", "/user", 200),
    (None, "/user", 401), (None, "/repositories/acme/infra", 404), (None, "/repositories/opensource/libtiny", 200),
    (None, "/repositories/acme/website", 200), ("dead-app-password", "/user", 401),
    ("workspace-token", "/user", 401), ("workspace-token", "/user/workspaces", 401),
    ("workspace-token", "/repositories/acme/infra", 200), ("workspace-token", "/repositories/monolith-labs/monolith", 404),
    ("project-token", "/repositories/acme/widgets", 200), ("project-token", "/repositories/acme/infra", 404),
    ("repository-token", "/repositories/acme/widgets", 200), ("repository-token", "/repositories/acme/billing", 404),
    ("reader", "/repositories/acme/widgets", 200), ("reader", "/repositories/acme/widgets/pullrequests", 403),
    ("ada", "/repositories/opensource/libtiny", 200), ("ada", "/repositories/opensource/hidden", 404),
    ("ada", "/repositories/vault", 403), ("ada", "/repositories/vault/secret", 404), ("ada", "/repositories/nobody", 404),
    ("ada", "/workspaces", 410), ("ada", "/repositories", 410), ("ada", "/nothing/here", 404),
])
def test_access(bb, account, path, status):
    have, headers, body = ask(bb, path, account=account)
    assert have == status, body
    if status >= 400:
        assert json.loads(body)["type"] == "error"
    assert (status == 401) == ("WWW-Authenticate" in headers)


def test_a_missing_scope_is_named(bb):
    error = look(bb, "/repositories/acme/widgets/pipelines", account="reader")[1]["error"]
    assert error["detail"]["required"] == ["read:pipeline:bitbucket"]
    assert "read:repository:bitbucket" in error["detail"]["granted"]


def test_an_api_token_wants_the_email_and_basic(bb):
    assert ask(bb, "/user", user="ada-lindqvist")[0] == 401
    assert ask(bb, "/user", account=None, Authorization="Bearer " + bb.accounts["ada"].token)[0] == 401
    assert not any("authorization" in k.lower() for e in bb.log.all() for k in e["headers"]), "no secret in the log"


def test_the_quota(bb):
    bb.set_limits(quota=2, retry_after=7)
    assert [ask(bb, "/user")[0] for _ in range(3)] == [200, 200, 429]
    status, headers, body = ask(bb, "/user")
    assert (headers["Retry-After"], headers["x-ratelimit-remaining"]) == ("7", "0")
    assert (headers.get_content_type(), body) == ("text/plain", b"Rate limit for this resource has been exceeded")
    assert 0 < int(headers["x-ratelimit-reset"]) <= 3600
    assert ask(bb, "/user", account="reader")[0] == 200, "each account has its own"
    bb.set_limits(headers=False, retry_after=None, json=True)
    status, headers, body = ask(bb, "/user")
    assert "x-ratelimit-limit" not in headers and "Retry-After" not in headers and json.loads(body)["type"] == "error"


def test_the_burst_limiter(bb):
    bb.set_limits(burst=(3, 3600))
    assert [ask(bb, "/user")[0] for _ in range(4)] == [200, 200, 200, 429]
    bb.set_limits(burst=None)
    assert ask(bb, "/user")[0] == 200


# -- faults

def test_refuse_and_times(bb):
    fault = bb.fault("GET /2.0/user$", "refuse", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(bb, "/user")
    assert ask(bb, "/user")[0] == 200 and fault.hits == 1


@pytest.mark.parametrize("after", [None, 10])
def test_reset(bb, after):
    bb.fault("GET /2.0/user$", "reset", after_bytes=after)
    with pytest.raises(ConnectionResetError):
        ask(bb, "/user")


def test_stall_until_removed(bb):
    fault, got = bb.fault("GET /2.0/user$", "stall"), []
    reader = threading.Thread(target=lambda: got.append(ask(bb, "/user")[0]))
    reader.start()
    fault.wait_hit()
    assert ask(bb, "/repositories/acme/widgets")[0] == 200, "others go on"
    assert not got
    fault.remove()
    reader.join(10)
    assert got == [200]


def test_stall_in_the_middle_notices_that_the_client_went(bb):
    bb.fault("GET /2.0/user$", "stall", after_bytes=5)
    with pytest.raises((socket.timeout, TimeoutError)):
        ask(bb, "/user", timeout=0.3)
    assert bb.log.wait_for(lambda e: e["done"] and e["fault"] == "stall")["bytes"] == 5


def test_a_stalled_server_closes(bb):
    fault = bb.fault(".", "stall")
    threads = [threading.Thread(target=lambda: pytest.raises((OSError, http.client.HTTPException), ask, bb, "/user"))
               for _ in range(20)]
    for t in threads:
        t.start()
    fault.wait_hit(hits=20)
    began = time.monotonic()
    bb.close()
    for t in threads:
        t.join(10)
    assert time.monotonic() - began < 5


def test_drip(bb):
    bb.fault("GET /2.0/workspaces/acme$", "drip", rate=4000)
    began = time.monotonic()
    status, _, body = ask(bb, "/workspaces/acme")
    assert json.loads(body)["slug"] == "acme" and time.monotonic() - began > len(body) / 4000 * 0.7


def test_truncate(bb):
    bb.fault("GET /2.0/user$", "truncate", after_bytes=20)
    with pytest.raises(http.client.IncompleteRead) as e:
        ask(bb, "/user")
    assert len(e.value.partial) == 20


def test_garbage_and_status(bb):
    bb.fault("GET /2.0/user$", "garbage", times=1)
    with pytest.raises(ValueError):
        json.loads(ask(bb, "/user")[2])
    bb.fault("GET /2.0/user$", "status", status=555, body="<html>", headers={"X-Odd": "1"})
    status, headers, body = ask(bb, "/user")
    assert (status, headers["X-Odd"], body) == (555, "1", b"<html>")


def test_a_pack_that_breaks_off(bb, tmp_path):
    fault = bb.fault("POST .*git-upload-pack", "truncate", after_bytes=100000)
    url = bb.git_url + "/edge/hard.git"
    assert git(bb, "clone", "-q", "--bare", "--depth", "1", url, str(tmp_path / "a"), check=False).returncode
    fault.remove()
    git(bb, "clone", "-q", "--bare", "--depth", "1", url, str(tmp_path / "b"))


def test_offline_and_online(bb):
    conn = http.client.HTTPConnection("127.0.0.1", bb.port, timeout=10)
    conn.request("GET", "/2.0/user", headers=credential(bb.accounts["ada"]))
    conn.getresponse().read()
    port = bb.port
    bb.offline()
    with pytest.raises(ConnectionRefusedError):
        ask(bb, "/user")
    with pytest.raises((OSError, http.client.HTTPException)):
        conn.request("GET", "/2.0/user")
        conn.getresponse()
    bb.online()
    assert bb.port == port and ask(bb, "/user")[0] == 200


def test_latency_and_bandwidth(bb):
    bb.latency = 0.2
    began = time.monotonic()
    ask(bb, "/user")
    assert time.monotonic() - began >= 0.2
    bb.latency, bb.bandwidth = 0, 20000
    began = time.monotonic()
    body = ask(bb, "/repositories/acme")[2]
    assert time.monotonic() - began >= len(body) / 20000 * 0.8


# -- git

@pytest.mark.parametrize("version", [0, 2])
def test_clone(bb, tmp_path, version):
    git(bb, "-c", f"protocol.version={version}", "clone", "-q", "--bare", bb.git_url + "/acme/widgets.git", str(tmp_path / "w"))
    want = subprocess.run(["git", "--git-dir", bb.repo_path("acme", "widgets"), "for-each-ref"], stdout=subprocess.PIPE).stdout
    assert git(bb, "--git-dir", str(tmp_path / "w"), "for-each-ref", account=None).stdout == want
    git(bb, "--git-dir", str(tmp_path / "w"), "fsck", "--strict", account=None)
    commands = [e["git"]["command"] for e in bb.log.all("acme/widgets.git")]
    assert commands == (["info/refs", "ls-refs", "fetch"] if version else ["info/refs", "fetch"])
    assert bb.log.all()[-1]["git"]["wants"] and bb.log.all()[-1]["git"]["protocol"] == version


def test_v2_and_filter_can_be_switched_off(bb, tmp_path):
    args = ("clone", "-q", "--bare", "--depth", "1", "--filter=blob:none", bb.git_url + "/acme/widgets.git")
    git(bb, *args, str(tmp_path / "a"))
    entry = bb.log.all("git-upload-pack")[-1]["git"]
    assert (entry["filter"], entry["deepen"], entry["protocol"]) == ("blob:none", 1, 2)
    bb.filter = False
    git(bb, *args, str(tmp_path / "b"))
    assert bb.log.all("git-upload-pack")[-1]["git"]["filter"] is None
    bb.v2 = False
    git(bb, *args, str(tmp_path / "c"))
    assert bb.log.all("git-upload-pack")[-1]["git"]["protocol"] == 0


@pytest.mark.parametrize("account,user,repo,works", [
    ("ada", "x-bitbucket-api-token-auth", "acme/widgets", True), ("ada", "ada-lindqvist", "acme/widgets", True),
    ("ada", "ada@example.com", "acme/widgets", False), ("ada", "x-token-auth", "acme/widgets", False),
    ("workspace-token", "x-token-auth", "acme/widgets", True), ("pair", "ada-lindqvist", "acme/widgets", True),
    ("repository-token", "x-token-auth", "acme/billing", False), (None, None, "opensource/libtiny", True),
    (None, None, "acme/widgets", False), ("dead-app-password", "ada-lindqvist", "acme/widgets", False),
    ("ada", "ada-lindqvist", "vault/secret", False)])
def test_who_may_clone(bb, account, user, repo, works):
    done = git(bb, "ls-remote", f"{bb.git_url}/{repo}.git", user=user, account=account, check=False)
    assert (done.returncode == 0) == works, done.stderr


def test_a_push_is_seen(bb, tmp_path):
    before = look(bb, "/repositories/acme/widgets")[1]
    oid = bb.push("acme", "widgets", {"src/new.c": b"new\n", "run": ("exec", b"#!/bin/sh\n"), "link": ("symlink", "src"),
                                      "README.md": None, b"odd\xff\nname": b"x"}, "Push")
    after = look(bb, "/repositories/acme/widgets")[1]
    assert after["updated_on"] > before["updated_on"]
    assert look(bb, "/repositories/acme/widgets/refs/branches/main")[1]["target"]["hash"] == oid
    url = bb.git_url + "/acme/widgets.git"
    assert git(bb, "ls-remote", url, "refs/heads/main").stdout.split()[0].decode() == oid
    git(bb, "clone", "-q", "--depth", "1", url, str(tmp_path / "w"))
    names = os.listdir(os.fsencode(tmp_path / "w"))
    assert b"odd\xff\nname" in names and b"README.md" not in names
    assert os.readlink(tmp_path / "w" / "link") == "src" and os.access(tmp_path / "w" / "run", os.X_OK)
    other = bb.push("acme", "widgets", {"x": "y"}, branch="feature/new")
    assert look(bb, "/repositories/acme/widgets/refs/branches/feature/new")[1]["target"]["hash"] == other
    assert bb.push("edge", "empty", {"first": "1"}) and look(bb, "/repositories/edge/empty")[1]["mainbranch"]["name"] == "main"


def test_a_push_stays_in_its_server(bb):
    first = look(bb, "/repositories/acme/widgets/refs/branches/main")[1]["target"]["hash"]
    bb.push("acme", "widgets", {"x": "y"})
    from bitbucket import Bitbucket
    with Bitbucket(bb.root, data="tests") as other:
        assert look(other, "/repositories/acme/widgets/refs/branches/main")[1]["target"]["hash"] == first


def test_people_rename_delete_and_make(bb):
    uuid = look(bb, "/repositories/acme/widgets")[1]["uuid"]
    bb.rename_repo("acme", "widgets", "gadgets")
    assert ask(bb, "/repositories/acme/widgets")[0] == 404
    assert look(bb, "/repositories/acme/gadgets")[1]["uuid"] == uuid
    bb.delete_repo("acme", "gadgets")
    made = bb.create_repo("acme", "gadgets", pristine="tiny")
    assert made.uuid != uuid and look(bb, "/repositories/acme/gadgets")[1]["uuid"] == made.uuid
    git(bb, "ls-remote", "--exit-code", bb.git_url + "/acme/gadgets.git")
    bb.rename_workspace("acme", "apex")
    assert ask(bb, "/repositories/apex/gadgets")[0] == 200 and ask(bb, "/repositories/acme/gadgets")[0] == 404
    bb.delete_workspace("apex")
    assert ask(bb, "/repositories/apex")[0] == 410
    bb.set_mainbranch("monolith-labs", "monolith", "main")
    bb.update_repo("monolith-labs", "monolith", whole=17)
    assert 17 in look(bb, "/repositories/monolith-labs?pagelen=100&sort=created_on")[1]["values"]


# -- as a process

def test_it_runs_by_itself(bb, tmp_path):
    ready = tmp_path / "ready.json"
    env = {**os.environ, "PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen([sys.executable, "-m", "bitbucket", "--root", bb.root, "--data", "demo", "--ready-file", str(ready),
                                "--protocol", "0", "--no-filter"], env=env)
    try:
        end = time.monotonic() + 30
        while not ready.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        info = json.loads(ready.read_text())
        assert info["pid"] == process.pid

        def control(what, **args):
            conn = http.client.HTTPConnection("127.0.0.1", info["port"], timeout=10)
            conn.request("POST", "/_control/" + what, json.dumps(args))
            reply = conn.getresponse()
            body = json.loads(reply.read())
            conn.close()
            assert reply.status == 200, body
            return body
        number = control("fault", match="GET /2.0/user", kind="status", status=503)["fault"]
        assert ask(bb, "/2.0/user", port=info["port"])[0] == 503
        assert control("unfault", fault=number)["hits"] == 1
        assert ask(bb, "/2.0/user", port=info["port"])[0] == 200
        oid = control("call", method="push", args=["acme", "widgets", {"a": "b"}])["result"]
        assert len(oid) == 40
        assert [e["status"] for e in control("log", match="/user$")["entries"]] == [503, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0 and not ready.exists()
    finally:
        process.kill()
        process.wait()
