""".bitbucketfs/: what the mount says about itself, and that looking at it costs nothing."""
import errno
import json
import os
import re
import subprocess
import threading

import pytest

from conftest import api, asked, await_true, git

C = ".bitbucketfs"


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def forbid(bb, name, times=None):
    """One more problem, of the workspace's repository `name`."""
    return bb.fault(rf"/repositories/acme/{name}\b", "status", status=403, times=times, body=json.dumps(
        {"type": "error", "error": {"message": "Forbidden"}}), headers={"Content-Type": "application/json"})


def test_its_names(shared):
    assert set(shared.ls(C)) == {"README", "account", "api", "status", "status.json", "errors", "events", "refresh", "user.json"}


def test_looking_costs_nothing(shared_bb, shared):
    await_true(lambda: asked(shared_bb, 0, "GET /2.0/user$"), "the account was asked for")
    mark = shared_bb.log.mark()
    subprocess.run(["ls", "-laR", shared / C], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["grep", "-r", "no such words", shared / C], stdout=subprocess.DEVNULL)
    for name in shared.ls(C):
        if not os.path.isdir(shared / f"{C}/{name}"):
            shared.read(f"{C}/{name}")
    for name in (".git", "nothing", "status.txt", "README.md", "api.json"):
        fails(errno.ENOENT, os.stat, shared / f"{C}/{name}")
    assert asked(shared_bb, mark) == []


def test_readme_is_short_and_names_what_is_here(shared):
    text = shared.read(f"{C}/README")
    assert len(text.splitlines()) <= 24 and max(map(len, text.splitlines())) < 80
    for name in ("status", "errors", "user.json", "refresh/PATH/.now", "api/PATH", "tree/", "info", "pullrequests/", "index.tsv",
                 "thread.md", "pipelines/", ".workspace/"):
        assert name in text


def test_status_is_for_people(shared_bb, shared):
    text = shared.read(f"{C}/status")
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    assert lines["account"] == "ada@example.com"
    assert lines["service"] == shared_bb.api_url
    assert lines["mounted"].startswith(shared.path)
    assert re.match(r"\d+ to the API, \d+ to git", lines["requests"])
    assert shared.cache in lines["cache"]
    assert "problems" in text


def test_status_json_is_the_same_for_programs(shared_bb, shared):
    s = shared.status()
    assert (s["account"], s["api_url"], s["mountpoint"]) == ("ada@example.com", shared_bb.api_url, shared.path)
    assert s["network"]["offline"] is False and s["network"]["last_failure"] is None
    assert s["cache"]["directory"].startswith(shared.cache)
    assert s["fetching"] == [] and isinstance(s["trees"], list)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", s["mounted"])


def test_status_counts_requests(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls("acme/widgets/tree")
    await_true(lambda: (m.status()["requests"]["api"], m.status()["requests"]["git"]) == (
        len(asked(bb, 0, "/2.0/")), len(git(bb))), "as many as the service saw")
    assert m.status()["requests"]["last_hour"] == len(asked(bb, 0, "/2.0/"))


def test_status_shows_the_request_budget(bb, mounts):
    bb.set_limits(quota=1000)
    m = mounts()
    m.ls("acme")
    used = len(asked(bb, 0, "/2.0/"))
    await_true(lambda: m.status()["requests"]["remaining"] == 1000 - used, "what is left of the quota")
    assert m.status()["requests"]["limit"] == 1000
    assert f"quota: {1000 - used} of 1000 left" in m.read(f"{C}/status")


def test_status_keeps_its_inode_while_nothing_happens(shared):
    await_true(lambda: os.stat(shared / f"{C}/status").st_ino == os.stat(shared / f"{C}/status").st_ino, "it is calm")
    assert "problems: none" in shared.read(f"{C}/status")


def test_rule_10_a_status_held_open_does_not_change(bb, mounts):
    m = mounts()
    with open(m / f"{C}/status") as held:
        size = os.fstat(held.fileno()).st_size
        m.ls("acme"), m.ls("acme/widgets/tree")
        await_true(lambda: "acme/widgets" in m.read(f"{C}/status"), "another text")
        text = held.read()
        assert len(text) == size and "acme/widgets" not in text


def test_status_shows_the_recent_problems(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    forbid(bb, "widgets")
    fails(errno.EACCES, os.stat, m / "acme/widgets")
    await_true(lambda: "\tacme/widgets\tEACCES\t" in m.read(f"{C}/status"), "the problem")


def test_status_says_when_there_is_no_network(bb, mounts):
    m = mounts()
    m.ls("acme")
    bb.offline()
    with pytest.raises(OSError):
        m.refresh("acme")
    await_true(lambda: m.status()["network"]["offline"], "it is said")
    assert "network: not reached" in m.read(f"{C}/status")
    assert m.status()["network"]["last_sentence"]
    bb.online()
    m.refresh("acme")
    await_true(lambda: not m.status()["network"]["offline"], "and taken back")


def test_errors_is_empty_at_first(m):
    assert m.errors() == "" and os.stat(m / f"{C}/errors").st_size == 0


def test_errors_says_when_where_what_and_why(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    forbid(bb, "widgets")
    fails(errno.EACCES, os.stat, m / "acme/widgets")
    line, = m.errors().splitlines()
    when, path, name, sentence = line.split("\t")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", when)
    assert (path, name) == ("acme/widgets", "EACCES")
    assert "403" in sentence and sentence.endswith(".")


def test_errors_grows_under_its_inode(bb, mounts):
    """Same inode, appended only; who has it open reads on (tail -f)."""
    m = mounts()
    os.stat(m / "acme")
    inode = os.stat(m / f"{C}/errors").st_ino
    with open(m / f"{C}/errors", "rb", buffering=0) as held:
        text = held.read() or b""
        for i, name in enumerate(("widgets", "website", "infra", "billing")):
            forbid(bb, name)
            fails(errno.EACCES, os.stat, m / f"acme/{name}")
            assert os.stat(m / f"{C}/errors").st_ino == inode
            more = await_true(lambda: (os.fstat(held.fileno()).st_size > len(text)) and held.read(), "it grew")
            assert more.count(b"\n") == 1 and f"\tacme/{name}\t".encode() in more
            text += more
        assert os.stat(m / f"{C}/errors").st_size == len(text)
        assert m.read(f"{C}/errors", "rb") == text


def test_tail_f_of_errors(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    tail = subprocess.Popen(["tail", "-n", "+1", "-s", "0.05", "-f", m / f"{C}/errors"], stdout=subprocess.PIPE, text=True)
    said = []
    reader = threading.Thread(target=lambda: said.extend(iter(tail.stdout.readline, "")))
    reader.start()
    try:
        for name in ("widgets", "website"):
            forbid(bb, name)
            fails(errno.EACCES, os.stat, m / f"acme/{name}")
            await_true(lambda n=name: any(f"\tacme/{n}\t" in line for line in said), "tail shows it")
    finally:
        tail.kill()
        tail.wait()
        reader.join()
        tail.stdout.close()
    assert len(said) == 2


def test_errors_says_the_same_thing_once(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    forbid(bb, "widgets")
    for _ in range(20):
        fails(errno.EACCES, os.stat, m / "acme/widgets")
    assert len(m.errors().splitlines()) == 1


def test_errors_hold_no_secret(bb, mounts):
    m = mounts()
    token = bb.accounts["ada"].token
    bb.fault(r"/repositories/acme\?", "status", status=403, headers={"Content-Type": "application/json"}, body=json.dumps(
        {"type": "error", "error": {"message": f"The token {token} is no good\x1b[2J\r\nX: y"}}))
    fails(errno.EACCES, os.listdir, m / "acme")
    text = m.errors()
    assert text and token not in text and token not in m.log and token not in m.read(f"{C}/status")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text) and len(text.splitlines()) == 1


def test_user_json_is_the_signed_in_account(bb, mounts):
    m = mounts()
    user = json.loads(m.read(f"{C}/user.json"))
    assert user["display_name"] == "Ada Lindqvist" and user["username"] == "ada-lindqvist"
    assert asked(bb) == ["GET /2.0/user"], "what the check of the credentials brought"


def test_user_json_is_absent_when_anonymous(bb, mounts):
    m = mounts(account=None)
    assert "user.json" not in m.ls(C)
    fails(errno.ENOENT, os.stat, m / f"{C}/user.json")
    assert asked(bb) == []
    assert "account: " in m.read(f"{C}/status")


def test_user_json_is_absent_with_an_access_token(bb, mounts):
    m = mounts("workspaces=acme", account="workspace-token")
    assert "user.json" not in m.ls(C)
    fails(errno.ENOENT, os.stat, m / f"{C}/user.json")


def test_refresh_asks_again_and_says_what_changed(bb, mounts):
    m = mounts()
    m.ls(), m.ls("acme")
    mark = bb.log.mark()
    assert m.refresh() == "4 workspaces, 0 changed\n"
    assert m.refresh("acme") == "7 repositories, 0 changed\n"
    assert len(api(bb, mark)) == 2
    bb.update_repo("acme", "website", description="new words")
    assert m.refresh("acme") == "website: updated\n7 repositories, 1 changed\n"
    # What it says is about the moment of the look, each time.
    assert m.refresh("acme") == "7 repositories, 0 changed\n"


def test_refresh_reads_as_long_as_it_says(bb, mounts):
    """src/model/README.md, 3, of a file whose looking up is the asking."""
    m = mounts()
    fd = os.open(m / f"{C}/refresh/acme/.now", os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        assert len(os.read(fd, 65536)) == size > 0
    finally:
        os.close(fd)


def test_refresh_of_a_stalled_service_can_be_given_up(bb, mounts):
    m = mounts()
    m.ls("acme")
    fault = bb.fault(r"/repositories/acme\?", "stall")
    reader = subprocess.Popen(["cat", m / f"{C}/refresh/acme/.now"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fault.wait_hit()
    assert m.ls("acme") and m.read("acme/widgets/info"), "what is cached answers meanwhile"
    assert m.status()["account"]
    reader.terminate()
    assert reader.wait(timeout=5) != 0
    fault.remove()
    assert "0 changed" in m.refresh("acme")


def test_rule_10_errors_past_1_MiB_are_another_inode_with_the_newest_hundred(bb, mounts):
    bb.set_limits(quota=1000000, headers=True)
    m = mounts("walk=1000000")
    os.stat(m / "acme")
    bb.fault(r"/repositories/acme/", "status", status=403, headers={"Content-Type": "application/json"}, body=json.dumps(
        {"type": "error", "error": {"message": "long " * 100}}))
    before, held = os.stat(m / f"{C}/errors"), open(m / f"{C}/errors", "rb", buffering=0)
    try:
        i = 0
        while os.stat(m / f"{C}/errors").st_ino == before.st_ino:
            fails(errno.EACCES, os.stat, m / f"acme/{'n' * 230}-{i}")
            i += 1
            assert i < 5000, "it grows without end: %d bytes" % os.stat(m / f"{C}/errors").st_size
        after = m.read(f"{C}/errors", "rb")
        assert os.stat(m / f"{C}/errors").st_size == len(after) < 200000
        assert 100 <= len(after.splitlines()) <= 101 and f"n-{i - 1}\t".encode() in after.splitlines()[-1]
        try:
            assert len(held.read() or b"") <= 1 << 20
        except OSError as e:
            assert e.errno == errno.ESTALE
    finally:
        held.close()


@pytest.mark.parametrize("path, n_requests, words", [
    ("acme/widgets/pullrequests", 1, "pullrequests: updated"),
    ("acme/widgets/pullrequests/5", 2, "5: unchanged"),       # one to find it, one to ask again
    ("acme/widgets/pullrequests/5/info", 2, "5: unchanged"),
    ("acme/widgets/pullrequests/5/comments/thread.md", 3, "comments: unchanged"),
    ("acme/widgets/pullrequests/5/tree", 1, "never changes"),
    ("acme/widgets/settings/hooks", 1, "hooks: updated"),
    ("acme/widgets/settings", 0, "nothing to ask for"),
    ("acme/.workspace/members", 1, "members: updated"),
    (".bitbucketfs/account/emails", 1, "emails: updated"),
    (".bitbucketfs/user.json", 1, "user.json: unchanged"),
])
def test_everything_can_be_asked_for_again(bb, mounts, path, n_requests, words):
    m = mounts()
    os.stat(m / "acme/widgets"), m.read(f"{C}/user.json")
    mark = bb.log.mark()
    assert words in m.read(f"{C}/refresh/{path}/.now")
    assert len(asked(bb, mark)) == n_requests, asked(bb, mark)


def test_what_changed_is_told_and_seen(bb, mounts):
    m = mounts()
    before = m.read("acme/widgets/pullrequests/index.tsv")
    bb.create_pull("acme", "widgets", title="Brand new", source="feature/quiet")
    assert "1 changed" in m.refresh("acme/widgets/pullrequests")
    after = m.read("acme/widgets/pullrequests/index.tsv")
    assert "Brand new" in after and "Brand new" not in before
    new = next(line.split("\t")[0] for line in after.splitlines() if "Brand new" in line)
    assert new in m.ls("acme/widgets/pullrequests")
    bb.close_pull("acme", "widgets", int(new), "DECLINED")
    assert f"{new}: gone" in m.refresh("acme/widgets/pullrequests")
    assert new not in m.ls("acme/widgets/pullrequests")
    assert os.readlink(m / f"acme/widgets/pullrequests/{new}") == f"declined/{new}"
