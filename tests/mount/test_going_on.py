"""What is going on, from outside of the mount: status, list, refresh."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from background import NOBODY, ROOT, becoming
from conftest import BINARY, PATIENCE, SANITIZED, asked, await_true

PULLS = "acme/widgets/pullrequests"


def sentence(done, code):
    assert done.returncode == code, done
    said, = done.stderr.splitlines()
    assert said.startswith("bitbucketfs: ")
    return said.removeprefix("bitbucketfs: ")


# -- refresh

def test_refresh_says_what_changed_as_now_does(bb, mounts, m):
    before = m.read(f"{PULLS}/index.tsv")
    assert m.refresh(PULLS) == "pullrequests: unchanged\n"
    mark = bb.log.mark()
    # By a relative name from within, by a symlink that leads there; several at once.
    os.symlink(m.path, mounts.place / "link")
    done = subprocess.run([BINARY, "refresh", "../pullrequests"], cwd=m / "acme/widgets/pipelines", env=mounts.environment(),
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "pullrequests: unchanged\n", "")
    one, = asked(bb, mark)
    assert one.startswith(f"GET /2.0/repositories/{PULLS}?")
    bb.create_pull("acme", "widgets", title="Brand new", source="feature/quiet")
    link = str(mounts.place / "link" / PULLS)
    done = mounts.run("refresh", link, m / PULLS)
    assert (done.returncode, done.stderr) == (0, "") and "1 changed" in done.stdout
    assert done.stdout.startswith(f"{link}:\n") and done.stdout.endswith(f"{m / PULLS}:\npullrequests: unchanged\n")
    # Who looks afterwards sees it, without a request.
    mark = bb.log.mark()
    assert "Brand new" in m.read(f"{PULLS}/index.tsv") and "Brand new" not in before and asked(bb, mark) == []


def test_refresh_that_fails_has_its_sentence(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    assert sentence(mounts.run("refresh"), 2).startswith("refresh needs a PATH")
    assert sentence(mounts.run("refresh", mounts.place), 3) == f"{mounts.place} is in no Bitbucket that is mounted"
    for name, why in (("acme/widgets/nothing", "there is no such place, or nothing of it can be asked for"),
                      ("acme/.hidden", "There is no .hidden.")):
        assert sentence(mounts.run("refresh", m / name), 1) == f"{m / name}: {why}"
    assert asked(bb, mark) == []
    bb.fault(r"/repositories/acme\b", "status", status=403)
    # What can be asked for is, and the exit status is that of what failed.
    done = mounts.run("refresh", m / "acme", m.path)
    assert done.returncode == 1 and "acme: " in done.stderr and "403" in done.stderr, done
    assert done.stdout == f"{m.path}:\n4 workspaces, 0 changed\n"
    assert "\tacme\tEACCES\t" in m.errors()


def test_refresh_is_given_up_with_ctrl_c(bb, mounts, m):
    m.ls("acme")
    fault = bb.fault(r"/repositories/acme\?", "stall")
    asks = subprocess.Popen([BINARY, "refresh", m / "acme"], env=mounts.environment(), stdout=subprocess.DEVNULL)
    fault.wait_hit()
    asks.send_signal(signal.SIGINT)
    assert asks.wait(5) == -signal.SIGINT
    # The daemon has given it up, too: it would end alone after a minute.
    await_true(lambda: m.status()["listing"] == [], "nothing is asked for any more", 5)
    fault.remove()
    assert mounts.run("refresh", m / "acme").stdout == "7 repositories, 0 changed\n"


def test_a_mount_that_does_not_answer_holds_up_nobody(mounts, m):
    m.process.send_signal(signal.SIGSTOP)
    try:
        assert sentence(mounts.run("refresh", m / "acme", timeout=10), 1) == (
            f"the mount at {m.path} does not answer: bitbucketfs umount '{m.path}' takes it away")
    finally:
        m.process.send_signal(signal.SIGCONT)
    m.kill()
    assert "is dead (its daemon is gone)" in sentence(mounts.run("refresh", m.path), 1)


# -- status, list

# Whoever runs the tests may have other mounts: those of other tests.

def texts(done, *mounts):
    """The blocks that tell of these mounts."""
    blocks = [dict(re.findall(r"^(\w+): (.*)$", block, re.M)) for block in done.stdout.split("\n\n")]
    told = {block["mounted"].split(" since ")[0]: block for block in blocks if "mounted" in block}
    return [told[m.path] for m in mounts]


def objects(done, *mounts):
    said = json.loads(done.stdout)
    said = {x["mountpoint"]: x for x in (said["mounts"] if isinstance(said, dict) else said)}
    return [said[m.path] for m in mounts]


def test_status_and_list_are_of_all_mounts_and_cost_nothing(bb, mounts, m):
    other = mounts(account="reader", cache="other")
    for at in (m, other):
        at.ls("acme")
    mark = bb.log.mark()
    first, second = texts(mounts.run("status"), m, other)
    assert list(first)[:3] == ["quota", "mounted", "account"], "the question first"
    assert re.fullmatch(r"9\d\d of 1,000 left, full again at (\d{4}-\d\d-\d\d )?\d\d:\d\d; used in the last hour: \d+ by people.*",
                        first["quota"])
    assert (first["account"], second["account"]) == ("ada@example.com", "ben@example.com")
    assert first["mounted"].startswith(f"{m.path} since ") and f"(process {m.process.pid}, " in first["mounted"]
    assert "problems: none" in mounts.run("status").stdout
    version = mounts.run("version").stdout.split()[-1]
    lines = mounts.run("list").stdout.splitlines()
    for at, who in ((m, "ada@example.com"), (other, "ben@example.com")):
        assert "\t".join((at.path, who, "-", str(at.process.pid), version)) in lines
    said = objects(mounts.run("list", "--json"), m, other)
    assert [(x["answers"], x["profile"], x["pid"]) for x in said] == [(True, None, at.process.pid) for at in (m, other)]
    for words in (("status", m.path), ("status", m / "acme/widgets")):
        begun = time.monotonic()
        assert mounts.run(*words).returncode == 0
        assert time.monotonic() - begun < (2 if SANITIZED else 0.5), "100 ms, where the machine is not busy"
    assert asked(bb, mark) == []


def test_status_of_a_place_is_that_of_its_mount_and_repository(bb, mounts, m):
    mounts(cache="other")
    m.read("acme/widgets/pullrequests/index.tsv"), m.ls("acme/widgets/tree")
    mark = bb.log.mark()
    one, = objects(mounts.run("status", "--json", m / "acme/widgets/pullrequests/12"), m)
    r = one["repository"]
    assert one["mountpoint"] == m.path and (r["workspace"], r["repository"]) == ("acme", "widgets")
    assert [x["path"] for x in r["at_hand"]] == ["pullrequests"] and r["all"] > 15 and r["at_hand"][0]["fresh"] is True
    said, = texts(mounts.run("status", m / "acme/widgets"), m)
    assert re.fullmatch(rf"acme/widgets 1 of {r['all']} lists at hand, the oldest of \d\d:\d\d", said["repository"])
    assert re.fullmatch(r"tree, [0-9a-f]{12}, checked \d\d:\d\d", said["tree"])
    assert "repository" not in texts(mounts.run("status", m / "acme"), m)[0] and asked(bb, mark) == []


def test_problems_are_grouped(bb, mounts, m):
    m.ls("acme")
    bb.fault(r"/repositories/[^/]+/[^/]+/pullrequests", "status", status=403)
    for name in ("widgets", "widgets", "website"):
        assert subprocess.run(["ls", m / f"acme/{name}/pullrequests"], capture_output=True).returncode
    problem, = m.status()["problems"]
    assert (problem["kind"], problem["count"]) == ("EACCES", 3) and problem["path"].endswith("/pullrequests")
    assert re.search(r"^problems:\n  3 x EACCES, newest \d\d:\d\d: acme/(?:website|widgets)/pullrequests: .*403", mounts.run("status", m.path).stdout, re.M)


def test_where_nothing_is_mounted(mounts):
    if not ROOT:
        pytest.skip("another user has to be found who has mounted nothing")

    def run(*words):
        return subprocess.run([BINARY, *words], env={"HOME": "/nonexistent"}, capture_output=True, text=True, timeout=PATIENCE,
                              **becoming(NOBODY - 1))
    assert sentence(run("list"), 3) == sentence(run("status"), 3) == "no Bitbucket of this user is mounted"
    done = run("list", "--json")
    assert (done.returncode, done.stdout) == (3, "[]\n")


def test_a_dead_and_a_hung_mount_are_named(mounts, m):
    dead, hung = mounts(cache="other"), mounts(cache="third")
    dead.kill()
    hung.process.send_signal(signal.SIGSTOP)
    try:
        done = mounts.run("status", timeout=10)
        said = objects(mounts.run("status", "--json", timeout=10), m, dead, hung)
        listed = mounts.run("list", timeout=10)
        assert "does not answer" in sentence(mounts.run("status", hung.path, timeout=10), 1)
    finally:
        hung.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1 and f"the mount at {dead.path} is dead" in done.stderr
    assert f"the mount at {hung.path} does not answer" in done.stderr and f"mounted: {m.path} since" in done.stdout
    assert [x["answers"] for x in said] == [True, False, False]
    assert listed.returncode == 0 and f"{hung.path}\t-\t-\t-\t-\n" in listed.stdout and f"{dead.path} is dead" in listed.stderr


class Screen:
    """The program at a terminal of so many columns: what it sends."""

    def __init__(self, mounts, *words, columns=40, **environment):
        e = {**mounts.environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(BINARY, [BINARY, *map(str, words)], e)
        self.text = ""

    def read(self, until=None):
        end = time.monotonic() + PATIENCE
        while not (until and re.search(until, self.text)):
            assert time.monotonic() < end and select.select([self.fd], [], [], PATIENCE)[0], self.text
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                piece = b""
            if not piece:
                assert not until, self.text
                break
            self.text += piece.decode(errors="replace")
        return self.text

    def end(self):
        self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_status_at_a_narrow_terminal(mounts, m, locale):
    m.ls("acme")
    s = Screen(mounts, "status", m / "acme/widgets", LC_ALL=locale)
    assert s.end() == 0 and "\033" not in s.text
    lines = s.text.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 40 and lines[0].startswith("quota: ") and lines[1].startswith("  ")
    assert s.text.isascii() == (locale == "C")
    assert ("acme/widgets ░" if locale == "C.UTF-8" else "acme/widgets [...") in s.text


def test_watch_redraws_in_place_and_ends_with_ctrl_c(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    s = Screen(mounts, "status", "--watch", m.path, columns=100)
    s.read("problems: none")
    # Ctrl-Z gives the screen back, and takes it again.
    os.write(s.fd, b"\x1a")
    s.read(r"\033\[\?25h\033\[\?1049l\033\[\?1049h(?s:.*)problems: none")
    os.write(s.fd, b"\x03")
    assert s.end() == 0
    # A screen of its own, nothing cleared before it is written anew; the last look stays behind.
    assert s.text.startswith("\033[?1049h") and "\033[2J" not in s.text
    assert "\033[?1049l" in s.text and "problems: none" in s.text.split("\033[?1049l")[2]
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        s = Screen(mounts, "status", "--watch", m.path, **environment)
        s.read("problems: none")
        os.write(s.fd, b"\x03")
        assert s.end() == 0 and "\033" not in s.text
    assert asked(bb, mark) == []


def test_watch_into_a_pipe_is_a_block_a_change(bb, mounts, m):
    m.ls("acme")
    for words in ((), ("--json",)):
        watches = subprocess.Popen([BINARY, "status", "--watch", *words, m.path], env=mounts.environment(), stdout=subprocess.PIPE)
        seen = os.read(watches.stdout.fileno(), 1 << 20)
        m.read(f"acme/{'widgets' if words else 'website'}/pullrequests/index.tsv")
        seen += os.read(watches.stdout.fileno(), 1 << 20)
        watches.send_signal(signal.SIGTERM)
        assert watches.wait(5) == 0 and b"\033" not in seen
        blocks = [json.loads(x) for x in seen.splitlines()] if words else seen.split(b"\n\n")
        assert len(blocks) == 2 and blocks[0] != blocks[1]
    # Who has read enough (head) ends it, though nothing changes.
    watches = subprocess.Popen([BINARY, "status", "--watch", m.path], env=mounts.environment(), stdout=subprocess.PIPE)
    assert os.read(watches.stdout.fileno(), 1 << 20)
    watches.stdout.close()
    assert watches.wait(5) == 0
