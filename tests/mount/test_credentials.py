"""Signing in: which request checks it, what is said when it fails, and who is asked in whose name."""
import errno
import json
import os
import pty
import re
import subprocess
import time

import pytest

from bitbucket.auth import Account
from conftest import BINARY, PATIENCE, asked, await_true, mounted

ROOT = [".bitbucketfs", "acme", "ada-lindqvist", "edge", "monolith-labs"]


@pytest.fixture
def place(tmp_path):
    where = tmp_path / "place"
    where.mkdir()
    yield str(where)
    if mounted(str(where)):             # a mount that should have failed
        subprocess.run([BINARY, "umount", where], check=True)


def refused(mounts, place, *arguments, code=1, **more):
    """The one sentence with which mounting failed."""
    done = mounts.run(*arguments, place, **more)
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("bitbucketfs: ") and done.stderr.count("\n") == 1, done.stderr
    assert not mounted(place)
    return done.stderr[len("bitbucketfs: "):-1]


def accounts(bb, match=None):
    return {e["account"] for e in bb.log.all(match)}


# -- with nothing cached: one request before it goes on

def test_one_request_checks_the_credential(bb, mounts):
    m = mounts()
    os.stat(m.path)
    assert asked(bb) == ["GET /2.0/user"]
    entry, = bb.log.all()
    assert (entry["authorization"], entry["account"]) == ("basic", "ada")
    assert json.loads(m.read(".bitbucketfs/user.json"))["display_name"]
    assert len(asked(bb)) == 1, "the check's answer is the file's"


def test_a_user_name_and_a_token_are_a_plain_basic_pair(bb, mounts):
    m = mounts(account="pair")
    assert mounted(m.path)[1] == "bitbucket:ada-lindqvist"
    assert m.ls() == ROOT
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    assert {e["authorization"] for e in bb.log.all()} <= {"basic", None} and accounts(bb, r" /2\.0/") == {"pair"}
    assert "pair" in accounts(bb, r"\.git/")


def test_a_token_alone_is_an_access_token(bb, mounts):
    m = mounts("workspaces=acme", account="workspace-token")
    assert asked(bb) == ["GET /2.0/workspaces/acme"]
    assert mounted(m.path)[1] == "bitbucket:access-token"
    assert m.ls() == [".bitbucketfs", "acme"]
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    assert {e["authorization"] for e in bb.log.all(r" /2\.0/")} == {"bearer"}
    assert accounts(bb, r" /2\.0/") == {"workspace-token"}
    assert accounts(bb, r"git-upload-pack$") == {"workspace-token"}, "as x-token-auth: nobody else has this token"
    with pytest.raises(FileNotFoundError):
        os.stat(m / ".bitbucketfs/user.json")


def test_an_access_token_without_a_workspace_mounts_and_says_so(bb, mounts):
    m = mounts(account="workspace-token")
    assert asked(bb) == [] and "name them with -o workspaces" in m.log
    assert m.ls() == [".bitbucketfs"]
    assert "widgets" in m.ls("acme"), "any workspace may be entered by name"


def test_nothing_is_anonymous(bb, mounts):
    m = mounts(account=None)
    assert mounted(m.path)[1] == "bitbucket:anonymous"
    assert m.ls() == [".bitbucketfs"] and "anonymous is mounted" in m.log and "no workspace to list" in m.log, m.log
    assert asked(bb) == []
    assert m.ls("opensource")
    assert m.read("opensource/libtiny/tree/README.md").startswith("# libtiny\n")
    assert {e["authorization"] for e in bb.log.all()} == {None} and asked(bb)


def test_git_is_asked_as_the_api_token_s_fixed_user(bb, mounts):
    """The local Bitbucket's git knows the token under this user name, and its owner's; the e-mail is refused."""
    bb.accounts["ada"].username = ""
    m = mounts()
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    assert accounts(bb, r"\.git/git-upload-pack$") == {"ada"}


# -- what is said

def test_a_bad_token(bb, mounts, place):
    said = refused(mounts, place, code=4, BITBUCKETFS_TOKEN="ATATT3xWrong")
    assert asked(bb) == ["GET /2.0/user"]
    assert "refused the credential of ada@example.com" in said and "wrong, expired or revoked" in said
    assert "id.atlassian.com" in said and "ATATT3xWrong" not in said


def test_a_dead_app_password(bb, mounts, place):
    said = refused(mounts, place, code=4, account="dead-app-password")
    assert "app passwords" in said and "API token" in said
    assert bb.accounts["dead-app-password"].token not in said
    assert asked(bb) == ["GET /2.0/user"]


def test_an_api_token_with_the_user_name_where_the_e_mail_belongs(bb, mounts, place):
    said = refused(mounts, place, account=None, BITBUCKETFS_USERNAME="ada-lindqvist",
                   BITBUCKETFS_TOKEN=bb.accounts["ada"].token)
    assert "e-mail" in said and "BITBUCKETFS_EMAIL" in said
    assert asked(bb) == [], "it is told by its prefix"


def test_an_api_token_alone_is_no_access_token(bb, mounts, place):
    said = refused(mounts, place, "-o", "workspaces=acme", account=None, BITBUCKETFS_TOKEN=bb.accounts["ada"].token)
    assert "BITBUCKETFS_EMAIL" in said and asked(bb) == []
    assert "BITBUCKETFS_EMAIL" in refused(mounts, place, account=None, BITBUCKETFS_TOKEN=bb.accounts["ada"].token), \
        "also where no workspace is named, which nothing could be asked about"


def test_no_network_and_nothing_cached(bb, mounts, place):
    bb.offline()
    began = time.monotonic()
    said = refused(mounts, place)
    assert time.monotonic() - began < 15
    assert "nothing is cached yet" in said and f"127.0.0.1:{bb.port}" in said


def test_an_api_that_is_none(bb, mounts, place):
    said = refused(mounts, place, BITBUCKETFS_API_URL=bb.api_url.replace("/2.0", "/1.0"))
    assert "knows no /user" in said and "api_url ends in /2.0" in said
    bb.fault(r"/2\.0/user$", "status", status=200, body="<html>Sign in to the network</html>")
    assert "no account" in refused(mounts, place)


def test_a_token_that_may_not_say_whose_it_is(bb, mounts):
    """read:user is missing: the mount goes on, and says what is missing where it is missed."""
    scopes = ("read:workspace:bitbucket", "read:repository:bitbucket")
    bb.accounts["few"] = Account("few", "api-token", "ATATT3xLocalNoUser", "ada", "few@example.com", "few", scopes)
    m = mounts(account="few")
    assert asked(bb) == ["GET /2.0/user"]
    assert "read:user:bitbucket" in m.log
    assert m.ls() == ROOT and "widgets" in m.ls("acme")
    with pytest.raises(PermissionError):
        m.read(".bitbucketfs/user.json")
    line, = [x for x in m.errors().splitlines() if "user.json" in x]
    assert "EACCES" in line and "read:user:bitbucket" in line


# -- with a cache: mounts at once and checks behind

def test_with_a_cache_it_mounts_at_once_and_checks_behind(bb, mounts):
    first = mounts()
    names = first.ls("acme")
    first.unmount()
    stalled = bb.fault(r"/2\.0/user$", "stall")
    again = mounts()
    stalled.wait_hit()
    assert again.ls("acme") == names
    assert again.ls() == ROOT
    assert stalled.hits == 1


def test_the_check_behind_finds_that_the_token_was_revoked(bb, mounts):
    first = mounts()
    names = first.ls("acme")
    first.unmount()
    token, bb.accounts["ada"].token = bb.accounts["ada"].token, "another"
    again = mounts(BITBUCKETFS_TOKEN=token)
    await_true(lambda: "EACCES" in again.errors(), "a line in errors")
    line = again.errors().splitlines()[0]
    assert "refused the credential (401" in line and "id.atlassian.com" in line and token not in line
    assert again.ls("acme") == names, "what is cached stays readable"
    with pytest.raises(PermissionError):
        os.stat(again / "monolith-labs/never-seen-0")


def refusals(bb, mark):
    return [e for e in bb.log.since(mark) if e["status"] == 401 and e["authorization"]]


def test_a_dead_credential_is_not_sent_again_and_again(bb, mounts):
    m = mounts()
    names = m.ls("monolith-labs")
    assert m.read("acme/widgets/tree/README.md")
    account = bb.accounts["ada"]
    mark, token, account.token = bb.log.mark(), account.token, "another"

    def look(name):
        errors = []
        for path in name + "/pullrequests/index.tsv", name + "/pipelines/index.tsv", name + "/tree":
            try:
                os.listdir(m / path) if path.endswith("tree") else m.read(path)
            except OSError as e:
                errors.append(e.errno)
        return errors
    for name in names[:20]:
        assert look("monolith-labs/" + name) == [errno.EACCES] * 3
    # Three that say so, one for git; with what was under way then.
    assert 2 <= len(refusals(bb, mark)) <= 6
    assert "not sent again before" in m.errors().splitlines()[-1] and "id.atlassian.com" in m.errors()
    assert token not in m.errors()
    assert m.read("acme/widgets/tree/README.md") and m.ls("monolith-labs") == names, "what is cached stays readable"

    # It works again: whoever asks by name finds that out at once, and so do both doors.
    account.token = token
    assert m.refresh("monolith-labs/" + names[30])
    assert look("monolith-labs/" + names[31]) == []


def on_a_terminal(mounts, place, *options, account="ada", **environment):
    """Mounts as a person does: the status, and what the terminal showed until the prompt came back."""
    master, terminal = pty.openpty()
    e = mounts.environment(account, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"), **environment)
    try:
        done = subprocess.run([BINARY, *options, place], env=e, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
                              timeout=PATIENCE)
        os.set_blocking(master, False)
        try:
            said = os.read(master, 65536).decode().replace("\r\n", "\n")
        except BlockingIOError:
            said = ""
    finally:
        os.close(terminal)
        os.close(master)
    return done.returncode, said


@pytest.mark.parametrize("account, options, asks", [("ada", [], "user"), ("workspace-token", ["workspaces=acme"], "workspaces/acme")])
def test_a_terminal_hears_that_the_credential_is_refused(bb, mounts, place, account, options, asks):
    mounts(*options, account=account).unmount()
    token, bb.accounts[account].token = bb.accounts[account].token, "another"
    status, said = on_a_terminal(mounts, place, *(x for option in options for x in ("-o", option)), account=account,
                                 BITBUCKETFS_TOKEN=token)
    assert status == 0 and mounted(place), "what is cached can be read"
    assert re.fullmatch(r"bitbucketfs: mounted, from the cache: Bitbucket refused the credential \(401.*\n", said), said
    assert token not in said
    assert asked(bb)[-1] == "GET /2.0/" + asks


def test_a_terminal_waits_a_second_and_no_longer(bb, mounts, place):
    mounts().unmount()
    assert on_a_terminal(mounts, place) == (0, ""), "nothing is wrong"
    subprocess.run([BINARY, "umount", place], check=True)
    stalled = bb.fault(r"/2\.0/user$", "stall")
    began = time.monotonic()
    assert on_a_terminal(mounts, place) == (0, "")
    assert time.monotonic() - began < PATIENCE / 2
    stalled.wait_hit()
    assert mounted(place)


def test_an_access_token_that_nobody_took_is_not_known(bb, mounts, place):
    mounts(account="workspace-token").unmount()
    assert "refused the credential" in refused(mounts, place, "-o", "workspaces=acme", code=4, account=None,
                                               BITBUCKETFS_TOKEN="ATCTT3xWrong")
    bb.accounts["workspace-token"].token, token = "another", bb.accounts["workspace-token"].token
    assert "refused the credential" in refused(mounts, place, "-o", "workspaces=acme", code=4, account=None, BITBUCKETFS_TOKEN=token)


def test_a_new_token_of_the_same_account_finds_the_same_cache(bb, mounts):
    first = mounts()
    first.ls("acme")
    first.unmount()
    bb.accounts["ada"].token = "ATATT3xLocalTheNextOne"
    mark = bb.log.mark()
    again = mounts()
    again.ls("acme")
    await_true(lambda: asked(bb, mark) == ["GET /2.0/user"], "the check behind, and nothing else")


def test_two_accounts_have_two_caches(bb, mounts):
    ada, ben = mounts(), mounts(account="reader")
    assert "acme" in ada.ls() and "ada-lindqvist" in ada.ls()
    assert ada.status()["cache"]["directory"] != ben.status()["cache"]["directory"]
    for m in (ada, ben):
        place = m.status()["cache"]["directory"]
        while place != os.path.dirname(m.cache):
            assert os.stat(place).st_mode & 0o777 == 0o700, place
            place = os.path.dirname(place)
