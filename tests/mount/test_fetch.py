"""`bitbucketfs fetch`: a place brought whole, within what walks may spend; it can be stopped, and goes on where it was."""
import json
import os
import re
import signal
import subprocess

from conftest import BINARY, api, asked, await_true, git
from test_going_on import Screen, sentence

REPO = "acme/widgets"


def test_a_tree_is_brought_whole_and_once(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    done = mounts.run("fetch", m / f"{REPO}/tree/src")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{REPO}/tree: all of it is here\n", "")
    assert api(bb, mark) == [] and git(bb, mark)
    mark = bb.log.mark()
    assert subprocess.run(["grep", "-rq", "no such words", m / f"{REPO}/tree"]).returncode == 1
    assert mounts.run("fetch", m / f"{REPO}/tree").returncode == 0 and asked(bb, mark) == []


def test_the_lists_of_a_repository_cost_as_they_say_and_once(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    done = mounts.run("fetch", m / REPO)
    brought, = map(int, re.findall(rf"^{REPO}: (\d+) brought, 0 at hand", done.stdout))
    assert (done.returncode, done.stderr) == (0, "") and brought > 12
    n = len(api(bb, mark))
    assert brought <= n <= brought + 15, api(bb, mark)
    assert git(bb, mark) == []
    # All of it is at hand, for who looks and for who fetches again.
    mark = bb.log.mark()
    for name in ("pullrequests", "pullrequests/merged", "pipelines", "branches", "commits", "settings/hooks", "network/forks"):
        assert m.read(f"{REPO}/{name}/index.tsv")
    done = mounts.run("fetch", m / REPO)
    assert re.match(rf"{REPO}: \d brought, \d+ at hand", done.stdout) and len(api(bb, mark)) <= 3, done.stdout


def test_a_workspace_asks_first(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    said = sentence(mounts.run("fetch", m / "acme"), 2)
    assert re.search(r": 7 repositories, at least 1\d\d requests: without a terminal --yes says", said) and asked(bb, mark) == []
    s = Screen(mounts, "fetch", m / "acme", columns=100)
    s.read(r"Fetch them\? \[y/N\] ")
    os.write(s.fd, b"n\n")
    assert s.end() == 1 and "nothing is fetched" in s.text and asked(bb, mark) == []


def running(mounts, m):
    one, = json.loads(mounts.run("status", "--json", m.path).stdout)["mounts"]
    return one["fetches"]


def start(mounts, *words):
    return subprocess.Popen([BINARY, "fetch", *map(str, words)], env=mounts.environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_it_waits_for_the_quota_is_stopped_and_goes_on_from_there(bb, mounts, m):
    m.ls("acme")
    await_true(lambda: asked(bb, 0, "GET /2.0/user$"), "nothing is under way")
    bb.set_limits(quota=1000, headers=True)
    bb.limits.use("ada", 1000 - 300 - 10)
    m.refresh("acme")
    mark = bb.log.mark()
    fetch = start(mounts, m / REPO)
    # Walks leave 300 to others, who go on meanwhile.
    waits = await_true(lambda: [x for x in running(mounts, m) if x["waits_until"]], "it waits")
    used = len(api(bb, mark))
    assert used <= 10 and waits[0]["path"] == REPO and 0 < waits[0]["done"] < waits[0]["all"]
    assert "fetch: acme/widgets " in (said := mounts.run("status", m.path).stdout) and ", waits for the quota until " in said
    assert m.refresh("acme") and m.status()["walks"] == [], "it is no walk of who asked for it"
    first = fetch.stderr.readline()
    assert mounts.run("fetch", "--stop", m / REPO).stdout == f"{REPO}: stopped\n"
    out, err = fetch.communicate(timeout=10)
    assert fetch.returncode == 1 and out == "" and running(mounts, m) == []
    last, = err.splitlines()
    assert re.search(r"^bitbucketfs: acme/widgets \d+ of \d+, waits for the quota until (\d{4}-\d\d-\d\d )?\d\d:\d\d", first)
    assert re.search(r": stopped after \d+ of \d+; the same command goes on from there$", last)
    # With more to spend, what is left is asked for, and it alone.
    bb.limits.reset()
    m.refresh("acme")
    mark = bb.log.mark()
    done = mounts.run("fetch", m / REPO)
    assert done.returncode == 0, done
    assert len(api(bb, mark)) <= waits[0]["all"] - waits[0]["done"] + 12
    assert mounts.run("fetch", "--stop").stdout == "nothing is being fetched\n"


def test_a_credential_that_is_refused_is_a_failure_and_not_a_list_that_one_may_not_see(bb, mounts, m):
    m.ls("acme")
    fault = bb.fault(r"/pipelines|/refs|/commits|/settings|/hooks|/deploy", "status", status=401)
    mark = bb.log.mark()
    done = mounts.run("fetch", m / REPO)
    assert "Bitbucket refused the credential (401" in sentence(done, 1) and done.stdout == "", done
    assert len(api(bb, mark)) < 10
    fault.remove()
    # One list that answers so, and what comes after it is taken.
    bb.fault(r"/refs/tags", "status", status=401)
    m.refresh("acme")
    done = mounts.run("fetch", m / REPO)
    assert done.returncode == 0 and ", 1 that this account may not see or that are not there" in done.stdout, done


def test_each_list_that_failed_is_a_line(bb, mounts, m):
    m.ls("acme")
    fault = bb.fault(r"/refs/tags|/hooks", "status", status=400)
    done = mounts.run("fetch", m / REPO)
    said = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and "\\x0a" not in done.stderr and len(said) == 3, done
    assert re.match(rf"bitbucketfs: {REPO}: \d+ brought, 0 at hand, 2 failed$", said[0])
    assert said[1].startswith(f"bitbucketfs: {REPO}/tags: ") and said[2].startswith(f"bitbucketfs: {REPO}/settings/hooks: ")
    fault.remove()
    m.refresh("acme")
    assert mounts.run("fetch", m / REPO).stdout.startswith(f"{REPO}: 2 brought, ")


def test_a_link_of_the_mount_is_followed(bb, mounts, m):
    m.ls("acme")
    for place, where in (("acme/.workspace/projects/PROD/widgets/pullrequests/13/comments", "/pullrequests/13/comments"),
                         (f"{REPO}/pullrequests/13", "/pullrequests/13"), (f"{REPO}/pipelines/by-branch/main", "/pipelines/")):
        m.ls(os.path.dirname(place))
        mark = bb.log.mark()
        done = mounts.run("fetch", m / place)
        brought, = map(int, re.findall(rf"^{place}: (\d+) brought", done.stdout))
        assert brought and where in api(bb, mark)[0] and not [x for x in api(bb, mark) if "state%3D" in x], (done, api(bb, mark))


def test_ctrl_c_ends_it_in_the_daemon_too(bb, mounts, m):
    m.ls("acme")
    fault = bb.fault(r"/pipelines", "stall")
    s = Screen(mounts, "fetch", m / REPO, columns=60)
    fault.wait_hit()
    s.read(r"acme/widgets [█░]+ \d+ of \d+")
    os.write(s.fd, b"\x03")
    assert s.end() == 1 and "acme/widgets: stopped; the same command goes on from there" in s.text and "\033" not in s.text
    await_true(lambda: running(mounts, m) == [], "the daemon has ended it")


def test_what_cannot_be_fetched_has_its_sentence(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    assert "fetch needs a PATH" in sentence(mounts.run("fetch"), 2)
    assert "is in no Bitbucket that is mounted" in sentence(mounts.run("fetch", mounts.place), 3)
    assert sentence(mounts.run("fetch", m.path), 1) == f"{m.path}: Name a workspace, a repository, or a tree."
    assert sentence(mounts.run("fetch", m / "acme/widgets/nothing"), 1).endswith(": there is no such place")
    assert sentence(mounts.run("fetch", m / ".bitbucketfs"), 1).endswith("There is nothing to fetch there.")
    for command in ("fetch", "refresh"):
        assert sentence(mounts.run(command, m / "desktop.ini"), 1).endswith("There is no desktop.ini.")
    assert asked(bb, mark) == []
    m.process.send_signal(signal.SIGSTOP)
    try:
        assert "does not answer" in sentence(mounts.run("fetch", m / REPO, timeout=10), 1)
    finally:
        m.process.send_signal(signal.SIGCONT)
    # Of one that dies meanwhile it is said, too, and nothing of sockets.
    fault = bb.fault(r"/pipelines", "stall")
    fetch = start(mounts, m / REPO)
    fault.wait_hit()
    m.kill()
    assert "is dead (its daemon is gone)" in fetch.communicate(timeout=10)[1] and fetch.returncode == 1
