"""bitbucketfs open and path: a place and its page, each made of the other; and what neither of them asks."""
import os
import signal
import subprocess
import time

import pytest

from conftest import BINARY, asked, await_true

P = "acme/widgets"


@pytest.fixture(scope="module")
def m(shared_mounts):
    return shared_mounts(cache="open")


def run(mounts, *arguments, cwd=None, **environment):
    e = mounts.environment("ada", BITBUCKETFS_CACHE_DIR=str(mounts.place / "open"), BITBUCKETFS_MOUNTPOINT=mounts.all[0].path)
    e.pop("DISPLAY", None)
    e.update(environment)
    return subprocess.run([BINARY, *arguments], env=e, capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL)


def said(done):
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout[:-1]


def web(bb):
    return bb.git_url


def test_there_and_back_without_a_request(shared_bb, shared_mounts, m):
    """Text suffices: nobody is asked, whatever is cached."""
    mark = shared_bb.log.mark()
    for place, page in (("acme/widgets/tree/src/main.c:12-20", "acme/widgets/src/HEAD/src/main.c#lines-12:20"),
                        ("acme/widgets/pullrequests/12/changes", "acme/widgets/pull-requests/12/diff"),
                        ("acme/widgets/branches/main", "acme/widgets/branch/main"),
                        ("acme/widgets/pipelines/3", "acme/widgets/pipelines/results/3")):
        assert said(run(shared_mounts, "open", m / place)) == f"{web(shared_bb)}/{page}"
        if "branches" not in place:
            assert said(run(shared_mounts, "path", f"{web(shared_bb)}/{page}")) == m / place
    assert asked(shared_bb, mark) == []
    # Where the name of a branch ends is not in the text, but in git's names.
    assert said(run(shared_mounts, "open", m / f"{P}/branches/main/a b.c")) == f"{web(shared_bb)}/{P}/src/main/a%20b.c"
    assert not [line for line in asked(shared_bb, mark) if "/refs/" in line]


def test_from_inside_and_by_a_link(shared_bb, shared_mounts, m, tmp_path):
    (tmp_path / "w").symlink_to(m / "acme")
    at = f"{web(shared_bb)}/acme/widgets"
    assert said(run(shared_mounts, "open", tmp_path / "w" / "widgets" / "downloads")) == at + "/downloads/"
    assert said(run(shared_mounts, "open", "../downloads/./x/..", cwd=m / "acme/widgets/settings")) == at + "/downloads/"
    assert said(run(shared_mounts, "open", cwd=m / "acme/widgets")) == at
    # Without the mount point, from anywhere.
    assert said(run(shared_mounts, "open", "acme/widgets/info", cwd="/")) == at


def test_a_branch_with_a_slash(shared_bb, shared_mounts, m):
    """No page has it in its path: the commit is there, and the branch is named behind it. And back."""
    name = next(n for n in m.ls(f"{P}/branches/feature"))
    git = shared_bb.repo_path("acme", "widgets")
    commit = subprocess.run(["git", "--git-dir", git, "rev-parse", f"refs/heads/feature/{name}"], check=True, capture_output=True,
                            text=True).stdout.strip()
    mark = shared_bb.log.mark()
    page = f"{web(shared_bb)}/acme/widgets/src/{commit}/README.md?at=feature%2F{name}#lines-3"
    assert said(run(shared_mounts, "open", m / f"{P}/branches/feature/{name}/README.md:3")) == page
    assert said(run(shared_mounts, "path", page)) == m / f"{P}/branches/feature/{name}/README.md:3"
    assert asked(shared_bb, mark) == []


def test_a_tag_is_no_branch(shared_bb, shared_mounts, m):
    """An address of files does not say which of the two it is: git's names do, and nobody else is asked."""
    tag = m.ls(f"{P}/tags")
    tag = next(t for t in tag if t.startswith("v"))
    m.ls(f"{P}/branches")
    mark = shared_bb.log.mark()
    assert said(run(shared_mounts, "path", f"{web(shared_bb)}/{P}/src/{tag}/README.md")) == m / f"{P}/tags/{tag}/README.md"
    assert said(run(shared_mounts, "open", m / f"{P}/tags/{tag}/README.md")) == f"{web(shared_bb)}/{P}/src/{tag}/README.md"
    assert asked(shared_bb, mark) == []


def test_a_step(shared_bb, shared_mounts, m):
    """Its address has its uuid, which is in its directory."""
    number = next(n for n in m.ls(f"{P}/pipelines") if n.isdigit())
    step = next(n for n in m.ls(f"{P}/pipelines/{number}/steps") if n.startswith("1-"))
    page = said(run(shared_mounts, "open", m / f"{P}/pipelines/{number}/steps/{step}/log"))
    assert page.startswith(f"{web(shared_bb)}/{P}/pipelines/results/{number}/steps/%7B")
    mark = shared_bb.log.mark()
    assert said(run(shared_mounts, "path", page)) == m / f"{P}/pipelines/{number}/steps/{step}"
    assert asked(shared_bb, mark) == []


def test_clone_addresses_and_the_api(shared_bb, shared_mounts, m):
    host = web(shared_bb).split("://")[1]
    for url in (f"{web(shared_bb)}/{P}.git", f"http://ada@{host}/{P}.git", P):
        assert said(run(shared_mounts, "path", url)) == m / P
    url = f"{shared_bb.api_url}/repositories/{P}/pullrequests?state=OPEN"
    place = said(run(shared_mounts, "path", url))
    assert place == m / f".bitbucketfs/api/repositories/{P}/pullrequests.json?state=OPEN"
    with open(place) as f:
        assert '"pullrequest"' in f.read()
    assert said(run(shared_mounts, "path", f"{shared_bb.api_url}/user?q=a/b")) == m / ".bitbucketfs/api/user.json?q=a%2Fb"
    assert said(run(shared_mounts, "path", shared_bb.api_url)) == m / ".bitbucketfs/api"


def test_what_has_no_place(shared_bb, shared_mounts, m):
    host = web(shared_bb).split("://")[1]
    for url, words in ((f"http://ada:hunter22@{host}/{P}", "there is a secret in this address"),
                       ("https://github.com/acme/widgets", "another"),
                       ("https://git.corp/projects/A/repos/b/browse", "Data Center"),
                       (f"{web(shared_bb)}/{P}/src/HEAD/../../../x", "no place"),
                       (f"{web(shared_bb)}/{P}/downloads/%1b%5b2J", "no place"),
                       (f"{shared_bb.api_url}/../../../etc/passwd", "no place"), (f"{shared_bb.api_url}/%2e%2e/x", "no place"),
                       (f"{shared_bb.api_url}/user\x1b[2J", "no place"), (f"{shared_bb.api_url}/user?q=a\nb", "no place"),
                       (f"{shared_bb.api_url}/user?access_token=hunter22", "token")):
        done = run(shared_mounts, "path", url)
        assert done.returncode == 2 and words in done.stderr and done.stdout == "", (url, done)
        assert "hunter22" not in done.stderr and "\x1b" not in done.stderr
    done = run(shared_mounts, "open", m / ".bitbucketfs/errors")
    assert done.returncode == 1 and "has no page" in done.stderr
    done = run(shared_mounts, "open", "/etc")
    assert done.returncode == 1 and done.stderr == "bitbucketfs: /etc is in no Bitbucket that is mounted\n"
    done = run(shared_mounts, "open", f"http://ada:hunter22@{host}/{P}")
    assert done.returncode == 2 and "hunter22" not in done.stderr


def test_a_key_of_jira(shared_bb, shared_mounts, m):
    done = run(shared_mounts, "open", "WID-12")
    assert done.returncode == 2 and "set jira_url" in done.stderr
    assert said(run(shared_mounts, "open", "WID-12", BITBUCKETFS_JIRA_URL="https://acme.atlassian.net/")) == \
        "https://acme.atlassian.net/browse/WID-12"
    done = run(shared_mounts, "open", "-o", "jira_url=https://ada:hunter22@acme.atlassian.net", "WID-12")
    assert done.returncode == 2 and "jira_url" in done.stderr and "hunter22" not in done.stderr


def test_the_browser(shared_bb, shared_mounts, m, tmp_path):
    seen = tmp_path / "seen"
    program = tmp_path / "xdg-open"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{seen}.new\nmv {seen}.new {seen}\n")
    program.chmod(0o755)
    there = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DISPLAY": ":9"}
    for printed in ("-n", "--print"):
        assert said(run(shared_mounts, "open", printed, m / P, **there)) == f"{web(shared_bb)}/{P}"
    assert not seen.exists()
    assert said(run(shared_mounts, "open", m / P, **there)) == ""
    await_true(seen.exists, "xdg-open was run")
    assert seen.read_text() == f"{web(shared_bb)}/{P}\n"


def test_the_only_mount_of_that_host(shared_bb, shared_mounts, m, tmp_path):
    """Where nothing is mounted at the configured place it is the mount that has the address, not one of another service."""
    where = {"BITBUCKETFS_MOUNTPOINT": str(tmp_path)}
    other = shared_mounts(cache="other", BITBUCKETFS_API_URL=shared_bb.api_url.replace("127.0.0.1", "localhost"))
    try:
        assert said(run(shared_mounts, "path", f"{web(shared_bb)}/{P}", **where)) == m / P
        assert said(run(shared_mounts, "open", f"{P}/info", cwd="/", **where)) == f"{web(shared_bb)}/{P}"
        second = shared_mounts(cache="open")
        assert said(run(shared_mounts, "path", f"{web(shared_bb)}/{P}", **where)) == str(tmp_path / P)
        second.unmount()
    finally:
        other.unmount()


def test_a_mount_that_hangs_holds_nobody_up(shared_bb, shared_mounts, m):
    """What it would have said of a name is guessed."""
    tag = "v1.0"
    m.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert said(run(shared_mounts, "path", f"{web(shared_bb)}/{P}/src/{tag}/README.md")) == m / f"{P}/branches/{tag}/README.md"
        assert time.monotonic() - began < 8
    finally:
        m.process.send_signal(signal.SIGCONT)


def test_without_a_mount(shared_bb, shared_mounts, tmp_path):
    """The configured mount point is where it would be."""
    where = {"BITBUCKETFS_MOUNTPOINT": str(tmp_path / "b")}
    (tmp_path / "b").mkdir()
    mark = shared_bb.log.mark()
    assert said(run(shared_mounts, "open", str(tmp_path / "b" / P / "issues/3"), **where)) == f"{web(shared_bb)}/{P}/issues/3"
    assert asked(shared_bb, mark) == []
