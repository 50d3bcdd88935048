"""The local Bitbucket itself: Git LFS, side by side with git-lfs where it is installed."""
import gzip
import hashlib
import http.client
import json
import os
import shutil
import time

import pytest
from asking import ask, credential, git
from bitbucket.lfs import TYPE, oid_of
from bitbucket.storage import Made

BATCH = "/acme/widgets.git/info/lfs/objects/batch"
SIGNED = "x-bitbucket-api-token-auth"


def post(bb, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", bb.port, timeout=10)
    try:
        connection.request("POST", path, body=json.dumps(body) if body is not None else b"", headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        return reply.status, json.loads(body) if reply.getheader("Content-Type") == TYPE else body
    finally:
        connection.close()


def batch(bb, *pointers, path=BATCH, account="ada", user=SIGNED, **headers):
    objects = [{"oid": oid_of(p), "size": int(p.split()[-1])} for p in pointers]
    return post(bb, path, {"operation": "download", "transfers": ["basic"], "objects": objects},
                {**credential(bb.accounts[account] if account else None, user), "Accept": TYPE, "Content-Type": TYPE, **headers})


def get(bb, action, **headers):
    assert action["href"].startswith(bb.storage_url + "/")
    return ask(bb, action["href"][len(bb.storage_url):], account=None, port=bb.storage_port, **action["header"], **headers)


def action(bb, *pointers, **more):
    status, answer = batch(bb, *pointers, **more)
    assert status == 200, answer
    return answer["objects"][0]["actions"]["download"]


def test_many_objects_are_one_batch(bb):
    a, b = bb.add_lfs("acme", "widgets", b"first"), bb.add_lfs("acme", "widgets", Made(3 << 20, "b"))
    unknown = a.replace(oid_of(a), "0" * 64)
    mark = bb.log.mark()
    status, answer = batch(bb, a, b, unknown)
    assert status == 200 and answer["transfer"] == "basic"
    assert [o["size"] for o in answer["objects"]] == [5, 3 << 20, 5]
    assert answer["objects"][2]["error"]["code"] == 404 and "actions" not in answer["objects"][2]
    assert get(bb, answer["objects"][0]["actions"]["download"])[2] == b"first"
    second = get(bb, answer["objects"][1]["actions"]["download"])
    assert hashlib.sha256(second[2]).hexdigest() == oid_of(b) and second[1]["Accept-Ranges"] == "bytes"
    asked = bb.log.since(mark, "info/lfs")
    assert [e["git"] for e in asked] == [{"command": "lfs", "oids": [oid_of(a), oid_of(b), "0" * 64]}]


def test_the_endpoint_is_behind_the_credential_of_git(bb):
    a = bb.add_lfs("acme", "widgets", b"first")
    assert batch(bb, a, account=None)[0] == 401
    assert post(bb, BATCH, {}, {"Authorization": "Basic bm86bm8="})[0] == 401
    assert batch(bb, a, user=bb.accounts["ada"].email)[0] == 401, "REST's pair is not git's"
    assert batch(bb, a, path="/vault/secret.git/info/lfs/objects/batch")[0] == 404
    assert batch(bb, a, Accept="application/json")[0] == 406
    assert ask(bb, BATCH, port=bb.port, user=SIGNED)[0] == 405
    for body in (None, {}, {"operation": "upload", "objects": []}, {"operation": "download", "objects": [{"oid": 1}]}):
        assert post(bb, BATCH, body, {**credential(bb.accounts["ada"], SIGNED), "Accept": TYPE, "Content-Type": TYPE})[0] == 422
    assert batch(bb, *[a] * 101)[0] == 413


@pytest.mark.parametrize("how", ["link", "header"])
def test_the_storage_host_takes_what_it_handed_out_and_nothing_else(bb, how):
    bb.lfs.how = how
    pointer = bb.add_lfs("acme", "widgets", b"0123456789")
    one = action(bb, pointer)
    assert ("Authorization" in one["header"]) == (how == "header")
    assert get(bb, one)[2] == b"0123456789"
    assert get(bb, one, Range="bytes=7-")[::2] == (206, b"789")
    path = one["href"][len(bb.storage_url):]
    ours = credential(bb.accounts["ada"], SIGNED)["Authorization"]
    assert ask(bb, path, account=None, port=bb.storage_port, **{**one["header"], "Authorization": ours})[0] == 400
    assert get(bb, one, Cookie="a=b")[0] == 400
    assert ask(bb, path.partition("?")[0], account=None, port=bb.storage_port)[0] == 403
    bb.lfs.expire()
    assert get(bb, one)[0] == 403
    assert get(bb, action(bb, pointer))[0] == 200


def test_actions_end_when_they_say(bb):
    pointer = bb.add_lfs("acme", "widgets", b"0123456789")
    bb.lfs.expires_in = -1
    assert get(bb, action(bb, pointer))[0] == 403
    bb.lfs.expires_in, bb.lfs.expires_at = None, 3600
    one = action(bb, pointer)
    assert one["expires_at"].startswith(time.strftime("%Y-", time.gmtime(time.time() + 3600))) and get(bb, one)[0] == 200


def test_what_a_storage_host_may_do_wrong(bb):
    pointer = bb.add_lfs("acme", "widgets", b"0123456789")
    oid = oid_of(pointer)
    bb.lfs.ranges = False
    assert get(bb, action(bb, pointer), Range="bytes=7-")[::2] == (200, b"0123456789")
    bb.lfs.gzip = True
    status, headers, body = get(bb, action(bb, pointer))
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == b"0123456789"
    bb.lfs.gzip = False
    bb.lfs.serve(oid, b"0123456789 and more")
    assert get(bb, action(bb, pointer))[2] == b"0123456789 and more"
    bb.lfs.redirect = "file:///etc/passwd"
    assert get(bb, action(bb, pointer))[1]["Location"] == "file:///etc/passwd"
    bb.lfs.href = lambda link: "ftp://elsewhere/"
    assert batch(bb, pointer)[1]["objects"][0]["actions"]["download"]["href"] == "ftp://elsewhere/"
    bb.lfs.errors[oid] = (410, "Gone")
    bb.lfs.padding = 1000
    status, answer = batch(bb, pointer)
    assert answer["objects"][0]["error"] == {"code": 410, "message": "Gone"} and len(answer["padding"]) == 1000
    bb.lfs.reply = lambda answer: [1]
    assert batch(bb, pointer) == (200, [1])


def test_forks_have_the_objects_of_their_parents(bb):
    pointer = bb.add_lfs("acme", "widgets", b"of the parent")
    one = action(bb, pointer, path="/ada-lindqvist/widgets.git/info/lfs/objects/batch")
    assert get(bb, one)[2] == b"of the parent"
    assert batch(bb, pointer, path="/acme/website.git/info/lfs/objects/batch")[1]["objects"][0]["error"]["code"] == 404


def test_by_ssh_another_credential_is_handed_out(bb):
    pointer = bb.add_lfs("acme", "widgets", b"by ssh")
    told = json.loads(bb.lfs.authenticate("acme", "widgets"))
    assert told["href"] + "/objects/batch" == bb.git_url + BATCH
    assert batch(bb, pointer, account=None, **told["header"])[0] == 200
    assert batch(bb, pointer, account=None, Authorization=told["header"]["Authorization"] + "0")[0] == 401


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="no git-lfs beside which the local Bitbucket could be tested")
@pytest.mark.parametrize("how", ["link", "header"])
def test_git_lfs_gets_what_was_put(bb, tmp_path, how):
    bb.lfs.how = how
    big = Made(3 << 20, "big")
    bb.push("acme", "widgets", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": bb.add_lfs("acme", "widgets", big),
                                "dir/small.bin": bb.add_lfs("acme", "widgets", b"small")})
    helper = f"!f() {{ echo username={SIGNED}; echo password=$TOKEN; }}; f"
    settings = ("filter.lfs.smudge=git-lfs smudge -- %f", "filter.lfs.process=git-lfs filter-process", "filter.lfs.required=true",
                f"credential.helper={helper}")
    git(bb, *[x for s in settings for x in ("-c", s)], "clone", "-q", f"{bb.git_url}/acme/widgets.git", str(tmp_path / "clone"),
        account=None, HOME=str(tmp_path), TOKEN=bb.accounts["ada"].token)
    assert (tmp_path / "clone/dir/small.bin").read_bytes() == b"small"
    assert os.path.getsize(tmp_path / "clone/big.bin") == big.length
    assert (tmp_path / "clone/big.bin").read_bytes() == b"".join(big.read(0, big.length))
