"""Signing in and out beside a live mount: by the socket of the mount, as `login` and `logout` do."""
import errno
import faulthandler
import mmap
import os
import socket
import stat
import subprocess
from urllib.parse import quote, unquote

import pytest

import oauth
from bitbucket.auth import ALL, Account
from conftest import BINARY, PATIENCE, await_true

PRIVATE = "acme/widgets/info"


def login(mounts, bb, account="ada"):
    """`bitbucketfs login` with an account's token: what it says of the mounts."""
    a = bb.accounts[account]
    e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"))
    done = subprocess.run([BINARY, "login", "--with-token", f"--email={a.email}"], env=e, input=a.token, capture_output=True,
                          text=True, timeout=PATIENCE)
    assert done.returncode == 0, done
    return sorted(x for x in (done.stdout + done.stderr).splitlines() if "mount at" in x)


def logout(mounts, *words):
    done = mounts.run("logout", *words, account=None)
    assert done.returncode == 0, done
    return sorted(x for x in (done.stdout + done.stderr).splitlines() if "mount at" in x)


def said(mount, what):
    return f"The mount at {mount.path} {what}."


def sockets(mounts):
    return sorted((mounts.place / "xdg-run/bitbucketfs").glob("*-*"))


def tell(mounts, *words):
    """What each live mount answers: (errno, its mount point, text)."""
    answers = []
    for path in sockets(mounts):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(path))
            s.sendall(" ".join(quote(w, safe="/") for w in words).encode() + b"\n")
            with s.makefile() as f:
                head, text = f.readline().split(), f.read()
        answers.append((int(head[0]), unquote(head[1]), text))
    return answers


def signed(mounts, bb, *more):
    """Mounts, signed in by login as ada."""
    login(mounts, bb)
    made = []
    for name in ("first", *more):
        os.mkdir(mounts.place / name)
        made.append(mounts(account=None, where=str(mounts.place / name)))
    return made if more else made[0]


def fails(call, *arguments):
    with pytest.raises(OSError) as failure:
        call(*arguments)
    return failure.value.errno


@pytest.fixture
def fresh(bb):
    """Another token of ada's; hers of before is revoked once it is taken."""
    old = bb.accounts["ada"]
    bb.accounts["fresh"] = Account("fresh", "api-token", "ATATT3xLocalAdaAnewOfToday0002", "ada", old.email,
                                   old.username, ALL)

    def revoke():
        old.token = "ATATT3xNobodyHasThisOne"
    return revoke


# -- the same account

def test_an_expired_token_is_mended_by_a_new_sign_in(mounts, bb, fresh):
    m, second = signed(mounts, bb, "second")
    before = m.read(PRIVATE)
    with open(m / PRIVATE) as f:
        fresh()
        # What is cached goes on, what is not fails with the sentence, once in `errors`; nobody hammers.
        assert m.read(PRIVATE) == before
        for _ in range(5):
            assert fails(m.read, "acme/website/pullrequests/index.tsv") == errno.EACCES
        assert fails(m.read, "acme/widgets/tree/README.md") == errno.EACCES
        assert m.errors().count("wrong, expired or revoked") <= 2 and "refused the credential" in m.read(".bitbucketfs/status")
        mark = bb.log.mark()
        assert login(mounts, bb, "fresh") == sorted(said(at, "goes on with the new sign-in") for at in (m, second))
        # One request each, and at once everything is there, without a remount: open files as they were.
        assert [e["path"] for e in bb.log.since(mark) if e["path"] == "/2.0/user"] == ["/2.0/user"] * 3
        assert m.read("acme/website/pullrequests/index.tsv").startswith("id\t")
        assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
        assert f.read() == before
    assert {e["account"] for e in bb.log.since(mark)} == {"fresh"}


def test_another_account_is_refused(mounts, bb):
    m = signed(mounts, bb)
    why, = login(mounts, bb, "reader")
    assert f"the mount at {m.path} stays as it was" in why
    assert "one cache is one account's" in why and "ben@example.com" in why
    mark = bb.log.mark()
    assert m.read(PRIVATE) and m.read("acme/website/info") and m.status()["account"] == "ada@example.com"
    assert {e["account"] for e in bb.log.since(mark)} == {"ada"}


def test_what_was_not_there_is_looked_up_anew(mounts, bb):
    """The kernel believes for minutes that a name is not there, which somebody who has just signed in sees."""
    where = str(mounts.place / "first")
    os.mkdir(where)
    m = mounts(account=None, where=where)
    for name, what in ("edge", "is ada@example.com's now"), ("acme/website", "goes on with the new sign-in"):
        bb.fault(rf"/2\.0/(workspaces|repositories)/{name}$", "status", status=404)
        assert fails(os.stat, m / name) == errno.ENOENT
        bb.faults.clear()
        assert fails(os.stat, m / name) == errno.ENOENT, "it is believed"
        assert login(mounts, bb) == [said(m, what)]
        await_true(lambda: os.path.exists(m / name), "the name that was not there")


def test_what_is_not_meant_is_left_alone(mounts, bb):
    """Another service's, another profile's, one whose credential is configured; and a sign-in that is bad."""
    m = mounts()
    assert "stays as it is" in login(mounts, bb)[0]
    assert [a[0] for a in tell(mounts, "sign-in", "", "https://elsewhere.example/2.0")] == [errno.ENXIO]
    assert [a[0] for a in tell(mounts, "sign-out", "work", bb.api_url, "drop")] == [errno.ENXIO]
    assert "stays as it is" in logout(mounts)[0] and m.read(PRIVATE)
    m.unmount()
    # The same host, written otherwise, has the same sign-in.
    m = signed(mounts, bb)
    assert [a[0] for a in tell(mounts, "sign-in", "", bb.api_url.replace("http:", "HTTP:") + "/")] == [0]
    kept, = (mounts.place / "xdg-state/bitbucketfs/sign-in").glob("1*")
    kept.write_text("kind api-token\nemail ada@example.com\ntoken ATATT3xWrong\n")
    (failed, _, why), = tell(mounts, "sign-in", "", bb.api_url)
    assert failed and "wrong, expired or revoked" in why and "ATATT3xWrong" not in why
    assert m.read("acme/website/info")


# -- signed out

def test_signing_out_takes_everything_from_the_kernel(mounts, bb):
    m, second = signed(mounts, bb, "second")
    os.stat(second / PRIVATE)
    m.read(PRIVATE), m.read("acme/widgets/tree/README.md"), m.ls("acme"), m.ls("acme/widgets")
    file = os.open(m / PRIVATE, os.O_RDONLY)
    assert os.read(file, 10)
    blob = os.open(m / "acme/widgets/tree/README.md", os.O_RDONLY)
    mapped = mmap.mmap(blob, 0, prot=mmap.PROT_READ)
    assert mapped[:1] == b"#"
    directory = os.open(m / "acme/widgets", os.O_RDONLY | os.O_DIRECTORY)
    listing = os.open(m / "acme", os.O_RDONLY | os.O_DIRECTORY)
    assert os.listdir(listing)
    cache = m.status()["cache"]["directory"]
    assert logout(mounts) == sorted(said(at, "goes on anonymously") for at in (m, second))
    assert not os.path.exists(cache)
    os.lseek(file, 0, os.SEEK_SET)
    assert fails(os.read, file, 10) == errno.ESTALE
    assert fails(os.fstat, file) == errno.ESTALE
    assert fails(os.pread, blob, 10, 0) == errno.ESTALE
    assert fails(lambda: os.stat("info", dir_fd=directory)) == errno.ESTALE, "as who stands in it"
    assert fails(os.listdir, listing) == errno.ESTALE
    child = os.fork()
    if not child:
        faulthandler.disable()
        os._exit(mapped[0])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -7, "SIGBUS"
    for at in (m, second):
        mark = bb.log.mark()
        assert at.ls() == [".bitbucketfs"]
        assert fails(os.stat, at / PRIVATE) in (errno.ENOENT, errno.EACCES)
        assert at.read("opensource/libtiny/tree/README.md").startswith("# libtiny\n")
        assert {e["authorization"] for e in bb.log.since(mark)} <= {None}
        status = at.status()
        assert status["account"] == "anonymous" and status["signed_out"]
        assert "account: anonymous (signed out)\n" in at.read(".bitbucketfs/status")
        assert "Signed out" in at.errors()
        assert fails(os.stat, at / ".bitbucketfs/user.json") == errno.ENOENT
        assert os.path.basename(status["cache"]["directory"]) == "anonymous"
    for fd in (file, blob, directory, listing):
        os.close(fd)
    mapped.close()
    # And in again: an anonymous mount takes it.
    assert said(m, "is ada@example.com's now") in login(mounts, bb)
    assert m.read(PRIVATE) and m.status()["account"] == "ada@example.com" and not m.status()["signed_out"]
    assert m.ls("opensource")


def test_signing_out_ends_what_waits(mounts, bb):
    m = signed(mounts, bb)
    m.ls("acme")
    stall = bb.fault(match=r"/pullrequests", kind="stall")
    child = os.fork()
    if not child:
        try:
            m.read("acme/widgets/pullrequests/index.tsv")
        except OSError as e:
            os._exit(e.errno)
        os._exit(0)
    stall.wait_hit()
    assert logout(mounts) == [said(m, "goes on anonymously")]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (errno.EINTR, errno.ESTALE, errno.EACCES, errno.ENOENT)


def test_the_cache_may_be_kept(mounts, bb, fresh):
    m = signed(mounts, bb)
    before = m.read(PRIVATE)
    with open(m / PRIVATE) as f:
        assert logout(mounts, "--keep-cache") == [said(m, "goes on from what is cached")]
        mark = bb.log.mark()
        assert f.read() == before == m.read(PRIVATE)
        assert fails(m.read, "acme/website/pullrequests/index.tsv") == errno.EACCES
        assert bb.log.since(mark) == [], "nothing is asked, not anonymously either"
    assert "account: ada@example.com (signed out)\n" in m.read(".bitbucketfs/status")
    assert "--keep-cache" in m.errors()
    fresh()
    assert login(mounts, bb, "fresh") == [said(m, "goes on with the new sign-in")]
    assert m.read("acme/website/pullrequests/index.tsv").startswith("id\t")
    await_true(lambda: "account: ada@example.com\n" in m.read(".bitbucketfs/status"), "status says so")


def test_the_socket(mounts, bb):
    m = mounts()
    path, = sockets(mounts)
    at = os.stat(path)
    assert stat.S_IMODE(at.st_mode) == 0o600 and stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    device = os.stat(m.path).st_dev
    assert path.name == f"{os.major(device)}-{os.minor(device)}"
    m.unmount()
    assert sockets(mounts) == []


def test_a_removal_that_was_broken_off_goes_on(mounts, bb):
    m = signed(mounts, bb)
    left = mounts.place / "cache" / m.status()["cache"]["directory"].split("/")[-2] / ".removed-somebody-1"
    left.mkdir()
    (left / "cache.db").write_text("private")
    m.unmount()
    mounts(account=None)
    assert not left.exists()


def test_access_that_is_revoked(mounts, bb):
    """Of one repository that is cached (src/model/README.md, 8): until its listing lacks it, too, what is cached is served."""
    m = mounts("ttl=1")
    m.ls("acme")
    before = m.read(PRIVATE), m.read("acme/widgets/tree/README.md")
    gone = [bb.fault(match, "status", status=403) for match in (r"GET /2\.0/repositories/[^/]+/[^/?]+(/|$)", r"\.git/")]
    assert "widgets" in m.ls("acme") and (m.read(PRIVATE), m.read("acme/widgets/tree/README.md")) == before
    assert fails(m.read, "acme/widgets/pipelines/index.tsv") == errno.EACCES
    assert "(403)" in m.errors()
    for fault in gone:
        fault.remove()
    assert m.read("acme/widgets/pullrequests/index.tsv")


def test_another_way_in_of_the_same_account(mounts, bb):
    """From a token to an OAuth consumer, and out again."""
    m = signed(mounts, bb)
    before = m.read(PRIVATE)
    with open(m / PRIVATE) as f:
        oauth.sign_in(mounts)
        assert tell(mounts, "sign-in", "", bb.api_url) == [(0, m.path, "goes on with the new sign-in")]
        bb.accounts["ada"].token = "ATATT3xNobodyHasThisOne"
        mark = bb.log.mark()
        assert m.read("acme/website/pullrequests/index.tsv").startswith("id\t")
        assert m.read("acme/website/tree/README.md") and f.read() == before
        assert {e["authorization"] for e in bb.log.since(mark, r" /2\.0/")} == {"bearer"}
    assert said(m, "goes on anonymously") in logout(mounts) and m.ls() == [".bitbucketfs"]
