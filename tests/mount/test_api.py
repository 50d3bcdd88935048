""".bitbucketfs/api/: any GET of the API as a file."""
import errno
import json
import os
import subprocess
from urllib.parse import unquote

import pytest

from conftest import api, asked

A = ".bitbucketfs/api"


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def test_directories_cost_nothing_and_list_nothing(shared_bb, shared):
    mark = shared_bb.log.mark()
    for name in ("", "/repositories", "/repositories/acme/widgets", "/no/such/thing"):
        assert shared.ls(A + name) == []
        assert os.stat(shared / (A + name)).st_mode & 0o777 == 0o755
    for name in (".git", "repositories/.git", "repositories/.hidden"):
        fails(errno.ENOENT, os.stat, shared / f"{A}/{name}")
    assert asked(shared_bb, mark) == []


def test_a_name_is_that_get(shared_bb, shared):
    mark = shared_bb.log.mark()
    widgets = json.loads(shared.read(f"{A}/repositories/acme/widgets.json"))
    assert widgets["full_name"] == "acme/widgets"
    assert api(shared_bb, mark) == ["GET /2.0/repositories/acme/widgets?pagelen=50"]
    assert json.loads(shared.read(f"{A}/repositories/acme/widgets.json")) == widgets
    assert len(api(shared_bb, mark)) == 1, "again within its minute costs nothing"


def test_it_is_as_jq_prints_it(shared):
    path = shared / f"{A}/repositories/acme.json"
    text = shared.read(f"{A}/repositories/acme.json")
    assert text == subprocess.run(["jq", ".", path], check=True, capture_output=True, text=True).stdout
    assert os.stat(path).st_size == len(text.encode())


def test_all_pages_are_one(shared_bb, shared):
    mark = shared_bb.log.mark()
    merged = json.loads(shared.read(f"{A}/repositories/monolith-labs.json?pagelen=100&sort=created_on"))
    assert len(api(shared_bb, mark)) == 10
    assert merged["size"] == len(merged["values"]) == 1000
    assert len({r["uuid"] for r in merged["values"]}) == 1000
    assert not {"next", "previous", "page", "pagelen"} & set(merged)


def test_a_query_says_what_it_wants(shared_bb, shared):
    mark = shared_bb.log.mark()
    name = 'pullrequests.json?q=state="MERGED" AND title~"a%2Fb"&fields=+values.reviewers'
    json.loads(shared.read(f"{A}/repositories/acme/widgets/{name}"))
    lines = api(shared_bb, mark)
    assert len(lines) == 1, lines
    line = lines[0]
    query = line.split("?")[1]
    assert unquote(query) == 'q=state="MERGED" AND title~"a/b"&fields=+values.reviewers&pagelen=50'
    assert " " not in query and "+" not in query and "%2F" in query


def test_what_the_api_does_not_have(shared_bb, shared):
    mark = shared_bb.log.mark()
    for _ in range(3):
        fails(errno.ENOENT, os.stat, shared / f"{A}/repositories/acme/no-such-thing.json")
    assert len(api(shared_bb, mark)) == 1, "and it is remembered"


def test_nothing_leads_out_of_the_api(shared_bb, shared):
    mark = shared_bb.log.mark()
    for name in ("%2e%2e.json", "%2E%2e", "repositories/%2e%2e.json", "repositories/.%2e/x.json", ".json", "..json",
                 "repositories/acme%2F..%2F..%2F..%2Finternal.json", "a%2f%2E./b.json", "x/..%2Fy.json"):
        fails(errno.ENOENT, os.stat, shared / f"{A}/{name}")
    assert asked(shared_bb, mark) == []
    # An absolute URL is a name like others: a path below the API.
    fails(errno.ENOENT, os.stat, shared / f"{A}/http:/{'example.com'}.json")
    assert api(shared_bb, mark) == ["GET /2.0/http:/example.com?pagelen=50"]


def test_a_refusal_is_eacces_with_its_sentence(bb, mounts):
    m = mounts()
    bb.fault("/repositories/acme/widgets/hooks", "status", status=403, body=json.dumps(
        {"type": "error", "error": {"message": "Your credentials lack one or more required privilege scopes.",
                                    "detail": {"required": ["webhook"], "granted": ["account"]}}}),
        headers={"Content-Type": "application/json"})
    fails(errno.EACCES, m.read, f"{A}/repositories/acme/widgets/hooks.json")
    assert "webhook" in m.errors()


def test_it_can_be_asked_for_again(bb, mounts):
    m = mounts()
    name = f"{A}/repositories/acme/widgets.json"
    assert json.loads(m.read(name))["description"] != "changed"
    bb.update_repo("acme", "widgets", description="changed")
    assert "updated" in m.read(f".bitbucketfs/refresh/{name}/.now")
    assert json.loads(m.read(name))["description"] == "changed"


def test_it_is_readable_without_a_network(bb, mounts):
    m = mounts()
    text = m.read(f"{A}/repositories/acme/widgets.json")
    bb.offline()
    assert m.read(f"{A}/repositories/acme/widgets.json") == text
    with pytest.raises(OSError) as e:
        m.read(f"{A}/repositories/acme/website.json")
    assert e.value.errno in (errno.ENETUNREACH, errno.ETIMEDOUT)
