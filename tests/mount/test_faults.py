"""What the service and the network do wrong: retried, paused, refused, never believed, never made an empty directory."""
import contextlib
import errno
import json
import os
import re
import resource
import socket
import subprocess
import threading
import time

import pytest

from conftest import SANITIZED, api, asked, await_true, git

SLOWER = 5 if SANITIZED else 1
REPOSITORY = r"/2\.0/repositories/acme/billing"
LISTING = r"/2\.0/repositories/acme\?"


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def works(call, *args):
    """What it gives, or None: a failure is remembered for a moment."""
    try:
        return call(*args)
    except OSError:
        return None


def timed(call, *args):
    began = time.monotonic()
    value = call(*args)
    return value, time.monotonic() - began


@pytest.fixture
def m(mounts):
    """A mount in whose workspace nothing was looked at yet."""
    made = mounts()
    os.stat(made / "acme")
    return made


# -- what passes by itself is tried again

@pytest.mark.parametrize("kind, options", [
    ("status", {"status": 500}), ("status", {"status": 502}), ("status", {"status": 503}), ("status", {"status": 504}),
    ("status", {"status": 555, "body": json.dumps({"error": {"message": "timeout"}})}),
    ("refuse", {}), ("reset", {}), ("truncate", {}), ("reset", {"after_bytes": 10}), ("truncate", {"after_bytes": 0}),
], ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values()))[:12])
def test_what_happens_twice_is_not_noticed(bb, m, kind, options):
    mark = bb.log.mark()
    fault = bb.fault(REPOSITORY, kind, times=2, **options)
    text, took = timed(m.read, "acme/billing/info")
    assert "full_name: acme/billing\n" in text
    assert fault.hits == 2
    assert api(bb, mark) == ["GET /2.0/repositories/acme/billing"] * 3
    assert took < 3 * SLOWER
    assert m.errors() == ""


def test_what_happens_again_and_again_is_said_after_four_tries(bb, m):
    fault = bb.fault(REPOSITORY, "status", status=503)
    mark = bb.log.mark()
    _, took = timed(fails, errno.EIO, os.stat, m / "acme/billing")
    assert len(api(bb, mark)) == 4 and took < 6 * SLOWER
    fault.remove()
    line = m.errors().splitlines()[-1]
    assert "\tEIO\t" in line and "503" in line and "acme/billing" in line
    await_true(lambda: os.path.exists(m / "acme/billing"), "it works again")


def test_a_failure_is_remembered_for_a_moment(bb, m):
    """The kernel asks a failed read again at once; a shell's completion many times."""
    fault = bb.fault(REPOSITORY, "status", status=400)
    for _ in range(20):
        fails(errno.EIO, os.stat, m / "acme/billing")
    assert fault.hits <= 2


def test_retries_do_not_come_at_one_moment(bb, m):
    """With jitter: the waits before the retries are not all the same."""
    waits = []
    for i in range(4):
        mark = bb.log.mark()
        fault = bb.fault(rf"acme/name-{i}", "status", status=503, times=1)
        fails(errno.ENOENT, os.stat, m / f"acme/name-{i}")
        assert fault.hits == 1
        first, second = bb.log.since(mark, f"name-{i}")
        waits.append(second["time"] - first["time"])
    assert all(w >= 0.2 for w in waits)
    assert max(waits) - min(waits) > 0.001, waits


# -- request limits

def test_a_burst_429_is_a_pause(bb, m):
    mark = bb.log.mark()
    fault = bb.fault(REPOSITORY, "status", status=429, times=1, body="Rate limit for this resource has been exceeded")
    text, took = timed(m.read, "acme/billing/info")
    assert "acme/billing" in text and fault.hits == 1
    assert api(bb, mark) == ["GET /2.0/repositories/acme/billing"] * 2
    assert 0.9 < took < 4 * SLOWER, "it paused"


def test_retry_after_is_kept(bb, m):
    bb.fault(REPOSITORY, "status", status=429, times=1, headers={"Retry-After": "2"})
    mark = bb.log.mark()
    assert "acme/billing" in m.read("acme/billing/info")
    first, second = bb.log.since(mark, REPOSITORY)
    assert second["time"] - first["time"] >= 2


def test_the_burst_limiter_of_the_service_is_waited_out(bb, m):
    bb.set_limits(burst=(5, 1.5))
    names = m.ls("monolith-labs")
    assert len(names) == 1000
    bb.set_limits(burst=None)
    assert [e for e in bb.log.all() if e["status"] == 429], "the limiter had been met"


def test_a_long_pause_is_edquot_at_once_and_the_cached_is_served(bb, m):
    names = m.ls("acme")
    bb.fault(r"/2\.0/repositories/edge", "status", status=429, headers={"Retry-After": "3600"})
    fails(errno.EDQUOT, m.ls, "edge")
    mark = bb.log.mark()
    _, took = timed(fails, errno.EDQUOT, m.ls, "monolith-labs")
    assert took < 0.5 * SLOWER and asked(bb, mark) == [], "nobody is asked before the pause is over"
    assert m.ls("acme") == names and "acme/widgets" in m.read("acme/widgets/info")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n"), "git has a limit of its own"
    line = [x for x in m.errors().splitlines() if "\tEDQUOT\t" in x][-1]
    assert re.search(r"asked again at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line) and "limit" in line
    assert m.status()["requests"]["paused_until"]
    assert "paused" in m.read(".bitbucketfs/status")


def test_the_hourly_quota_is_shown_and_its_end_is_edquot(bb, m):
    bb.set_limits(quota=1000)
    m.ls("edge")
    requests = m.status()["requests"]
    assert requests["limit"] == 1000 and requests["remaining"] < 1000
    bb.limits.use("ada", 1000)
    _, took = timed(fails, errno.EDQUOT, m.ls, "monolith-labs")
    assert took < 3 * SLOWER
    assert "\tEDQUOT\t" in m.errors()


# -- answers that are none

@pytest.mark.parametrize("kind, options", [
    ("garbage", {}), ("status", {"status": 200, "body": "<html>Sign in to the network</html>"}),
    ("status", {"status": 200, "body": ""}), ("status", {"status": 200, "body": "null"}), ("status", {"status": 200, "body": "[]"}),
    ("status", {"status": 200, "body": '{"values": 7}'}), ("status", {"status": 200, "body": "{\"values\": ["}),
    ("status", {"status": 200, "body": "[" * 100000}), ("status", {"status": 204}),
], ids=lambda v: v if isinstance(v, str) else (str(v.get("body"))[:12] or "empty") if v else "")
def test_an_answer_that_is_no_listing_is_no_empty_directory(bb, m, kind, options):
    fault = bb.fault(LISTING, kind, **options)
    # 204: the service has nothing there.
    code = errno.ENODATA if options.get("status") == 204 else errno.EIO
    fails(code, m.ls, "acme")
    assert fault.hits >= 1
    line = m.errors().splitlines()[-1]
    assert f"\t{errno.errorcode[code]}\t" in line and "acme" in line
    fault.remove()
    assert "widgets" in await_true(lambda: works(m.ls, "acme"), "the listing, once it is one")


@pytest.mark.parametrize("kind, options", [
    ("garbage", {}), ("status", {"status": 200, "body": "<html></html>"}), ("status", {"status": 200, "body": "17"}),
    ("status", {"status": 200, "body": "{}"}),
], ids=lambda v: v if isinstance(v, str) else str(v.get("body"))[:12] if v else "")
def test_an_answer_that_is_no_repository(bb, m, kind, options):
    fault = bb.fault(REPOSITORY, kind, **options)
    fails(errno.EIO, os.stat, m / "acme/billing")
    assert fault.hits >= 1
    assert "\tEIO\t" in m.errors()


@pytest.mark.parametrize("match, kind, options", [
    (r"info/refs", "garbage", {}), (r"info/refs", "status", {"status": 200, "body": "<html></html>"}),
    (r"info/refs", "truncate", {}), (r"git-upload-pack$", "garbage", {}), (r"git-upload-pack$", "garbage", {"after_bytes": 200}),
    (r"git-upload-pack$", "truncate", {"after_bytes": 100}), (r"git-upload-pack$", "reset", {"after_bytes": 100}),
], ids=["refs", "page", "cut refs", "pack", "half", "cut", "reset"])
def test_garbage_from_git_is_no_empty_tree(bb, m, match, kind, options):
    os.stat(m / "acme/widgets")
    fault = bb.fault(match, kind, **options)
    with pytest.raises(OSError) as e:
        m.ls("acme/widgets/tree")
    assert e.value.errno in (errno.EIO, errno.ECONNRESET, errno.ENETUNREACH), e.value
    assert fault.hits
    line = m.errors().splitlines()[-1]
    assert line.split("\t")[1].startswith("acme/widgets/tree") and line.split("\t")[2] == errno.errorcode[e.value.errno]
    fault.remove()
    await_true(lambda: works(m.ls, "acme/widgets/tree"), "the tree, once the answers are right again")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")


# -- what the service refuses (src/model/README.md, 8)

@pytest.mark.parametrize("status, code", [(401, errno.EACCES), (403, errno.EACCES), (404, errno.ENOENT), (410, errno.ENOENT),
                                          (400, errno.EIO), (451, errno.EIO), (501, errno.EIO)])
def test_rule_8_the_errno_of_a_status(bb, m, status, code):
    words = json.dumps({"type": "error", "error": {"message": "In the service's own words"}})
    mark = bb.log.mark()
    fault = bb.fault(REPOSITORY, "status", status=status, body=words)
    fails(code, os.stat, m / "acme/billing")
    assert len(api(bb, mark)) == fault.hits == 1, "trying again would not help"
    if code != errno.ENOENT:
        line = m.errors().splitlines()[-1]
        assert f"\t{errno.errorcode[code]}\t" in line and "acme/billing" in line
        assert str(status) in line and "In the service's own words" in line


@pytest.mark.parametrize("status, code", [(403, errno.EACCES), (404, errno.ENODATA), (410, errno.ENODATA), (500, errno.EIO)])
def test_rule_8_a_listing_that_is_refused_is_no_empty_directory(bb, m, status, code):
    """ENOENT would be taken for a directory that was deleted: rsync --delete deletes its copy, too."""
    bb.fault(r"/2\.0/(repositories|workspaces)/acme", "status", status=status, body="{}")
    fails(code, m.ls, "acme")
    assert "acme" in m.ls(), "what is refused stays listed"
    assert f"\t{errno.errorcode[code]}\t" in m.errors()


def test_rule_8_a_missing_scope_is_named(bb, mounts):
    from bitbucket.auth import Account
    bb.accounts["blind"] = Account("blind", "api-token", "ATATT3xLocalBlind", "ada", "blind@example.com", "blind",
                                   ("read:user:bitbucket", "read:workspace:bitbucket"))
    m = mounts(account="blind")
    assert "acme" in m.ls()
    fails(errno.EACCES, m.ls, "acme")
    line = m.errors().splitlines()[-1]
    assert "lacks the scope read:repository:bitbucket" in line and "it has read:user:bitbucket, read:workspace:bitbucket" in line


def test_git_refuses_what_the_api_shows(bb, m):
    assert m.read("acme/widgets/info")
    for status, code in ((401, errno.EACCES), (403, errno.EACCES), (500, errno.EIO)):
        name = {401: "widgets", 403: "website", 500: "infra"}[status]
        bb.fault(rf"acme/{name}\.git", "status", status=status, body="words of git")
        fails(code, m.ls, f"acme/{name}/tree")
        assert any(f"acme/{name}/tree\t{errno.errorcode[code]}\t" in x for x in m.errors().splitlines()), m.errors()
        assert "info" in m.ls(f"acme/{name}"), "the rest of it stays"


# -- other hosts

def test_a_redirect_to_another_host_drops_the_credential(bb, m):
    body = json.dumps({"type": "repository", "slug": "billing", "uuid": "{00000000-0000-0000-0000-0000000000aa}",
                       "name": "billing", "full_name": "acme/billing"})
    link = bb.store("/billing.json", "application/json", body.encode())
    fault = bb.fault(REPOSITORY, "status", status=302, headers={"Location": link})
    try:
        os.stat(m / "acme/billing")
    except OSError:
        pass                            # what is made of the answer is not the point here
    assert fault.hits
    there = [e for e in bb.log.all() if e["listener"] == "storage"]
    assert there and {e["authorization"] for e in there} == {None}


def test_a_redirect_in_a_circle_ends(bb, m):
    fault = bb.fault(REPOSITORY, "status", status=302, headers={"Location": f"{bb.api_url}/repositories/acme/billing"})
    _, took = timed(fails, errno.EIO, os.stat, m / "acme/billing")
    assert fault.hits < 50 and took < 5 * SLOWER


def test_a_next_link_to_another_host_is_never_followed(bb, m):
    page = {"pagelen": 100, "values": [], "page": 1, "size": 1, "next": f"{bb.storage_url}/2.0/repositories/acme?page=2"}
    bb.fault(LISTING, "status", status=200, body=json.dumps(page))
    fails(errno.EIO, m.ls, "acme")
    assert not [e for e in bb.log.all() if e["listener"] == "storage"]


def test_a_next_link_with_the_service_s_own_name_is_asked_of_the_proxy(bb, m):
    page = {"pagelen": 100, "values": [], "page": 1, "size": 7,
            "next": "https://api.bitbucket.org/2.0/repositories/acme?sort=created_on&pagelen=100&again=1"}
    first = bb.fault(LISTING, "status", status=200, times=1, body=json.dumps(page))
    assert "widgets" in m.ls("acme") and first.hits == 1 and m.errors() == ""


def test_a_next_link_of_the_workspaces_to_another_host(bb, mounts):
    m = mounts()
    page = {"pagelen": 100, "values": [], "page": 1, "next": "http://198.51.100.1/2.0/user/workspaces?page=2"}
    bb.fault(r"/2\.0/user/workspaces", "status", status=200, body=json.dumps(page))
    with pytest.raises(OSError) as e:
        m.ls()
    assert e.value.errno in (errno.EIO, errno.EPROTO)
    assert "another host" in m.errors()


def test_a_list_that_goes_on_elsewhere_takes_nothing_away(bb, m):
    """Its first item is there, and a `next` that is not followed: what was listed before is shown."""
    # downloads/ has files of its items, environments/ has directories, watchers/ has indexes alone.
    for place in "acme/widgets/downloads", "acme/widgets/environments", "acme/widgets/network/watchers":
        before, index = m.ls(place), m.read(f"{place}/index.tsv")
        values = json.loads(m.read(f"{place}/index.json"))
        assert len(values) > 1
        bb.fault(r" /2\.0/repositories/.*/%s\?" % place.split("/")[-1], "status", status=200, body=cut_after(values[:1]))
        m.refresh(place)
        assert m.ls(place) == before and m.read(f"{place}/index.tsv") == index
        assert "what was listed before is shown" in m.told(place)


def cut_after(values):
    return json.dumps({"pagelen": 100, "values": values, "page": 1, "next": "https://elsewhere.example/?page=2"})


def test_a_list_that_always_goes_on_elsewhere_is_brought_up_to_date(bb, mounts):
    place, path = "acme/widgets/environments", r" /2\.0/repositories/.*/environments\?"
    values = json.loads(mounts().read(f"{place}/index.json"))
    m = mounts(cache="cut")
    for n in 0, 1:
        fault = bb.fault(path, "status", status=200, body=cut_after(values[n:n + 1]))
        m.refresh(place)
        fault.remove()
        assert json.loads(m.read(f"{place}/index.json")) == values[n:n + 1]
    m.refresh(place)
    assert json.loads(m.read(f"{place}/index.json")) == values


def test_a_listing_that_does_not_end(bb, m):
    page = {"pagelen": 100, "values": [], "page": 1, "size": 10 ** 9, "next": f"{bb.api_url}/repositories/acme?sort=created_on&page=2"}
    fault = bb.fault(LISTING, "status", status=200, body=json.dumps(page))
    _, took = timed(fails, errno.EIO, m.ls, "acme")
    assert fault.hits < 5000 and took < 30 * SLOWER
    assert git(bb) == []


@pytest.mark.parametrize("status", [404, 410])
def test_names_that_a_cold_start_missed_come_back_in_a_moment(bb, mounts, status):
    """The service, or whatever answers in its place, is not well yet when the mount begins."""
    m = mounts()
    fault = bb.fault(r" /2\.0/(repositories|workspaces|user/workspaces)", "status", status=status)
    for name in "acme/widgets/info", "acme/website":
        with pytest.raises(FileNotFoundError):
            os.stat(m / name)
    fault.remove()
    await_true(lambda: os.path.exists(m / "acme/widgets/info") and os.path.exists(m / "acme/website"), "they are there", timeout=12)


def test_a_single_404_of_a_workspace_takes_nothing_away(bb, mounts):
    m = mounts()
    assert m.ls("opensource") and m.read("opensource/libtiny/info")
    fault = bb.fault(r" /2\.0/workspaces/opensource", "status", status=404)
    with contextlib.suppress(OSError):
        m.refresh("opensource")
    with contextlib.suppress(OSError):
        m.refresh()
    assert m.ls("opensource") and m.read("opensource/libtiny/info")
    fault.remove()


def test_this_machine_is_named_when_it_has_no_descriptor_left(bb, mounts):
    m = mounts()
    assert m.ls()
    pid = m.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # The kept connection is busy: whoever comes next needs another one.
    stalled = bb.fault(r"/2\.0/repositories/edge", "stall")
    waits = threading.Thread(target=lambda: subprocess.run(["ls", m / "edge"], capture_output=True), daemon=True)
    waits.start()
    stalled.wait_hit()
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(fd for fd in range(4096) if fd not in used), before[1]))
    try:
        with pytest.raises(OSError) as e:
            m.ls("acme")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    stalled.remove()
    assert e.value.errno == errno.EMFILE, e.value
    assert "ulimit -n" in m.errors() and "unreachable" not in m.errors()
    await_true(lambda: os.path.exists(m / "acme/widgets/info"), "it goes on")


def test_a_proxy_that_refuses_is_named(bb, mounts):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = server.accept()
                    c.recv(65536)
                    c.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    c.close()
        threading.Thread(target=refuse, daemon=True).start()
        name = "127.0.0.1:%d" % server.getsockname()[1]
        where = mounts.place / "behind"
        where.mkdir()
        done = mounts.run(str(where), BITBUCKETFS_API_URL="https://api.invalid/2.0", https_proxy="http://me:pass@" + name)
        server.shutdown(socket.SHUT_RDWR)
    assert done.returncode == 1
    assert f"the proxy {name} wants a user and a password" in done.stderr and "pass@" not in done.stderr
