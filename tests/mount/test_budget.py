"""The request budget: walks leave a reserve to people, the count survives restarts and is shared, a 429 stops everybody.

A walk is a session, so everything here that asks is a process of its own session, and the test itself asks for little.
"""
import calendar
import contextlib
import errno
import glob
import re
import sqlite3
import subprocess
import sys
import time

import pytest

from conftest import PATIENCE, api, await_true
from readers import seconds

WHEN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
CONTROL = ".bitbucketfs/"
LOOK = """
import errno, os, sys
for path in sys.argv[1:]:
    try:
        os.stat(path)
    except OSError as e:
        print(errno.errorcode[e.errno], path)
    else:
        print("ok", path)
"""


def names(bb, n):
    """The names of n of the thousand repositories, which no listing is asked for here."""
    return ["monolith-labs/" + slug for slug in sorted(bb.state.workspaces["monolith-labs"].repositories)[:n]]


def run(*command):
    """A job of its own, as a shell begins it."""
    return subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE, start_new_session=True,
                          stdin=subprocess.DEVNULL)


def walk(m, paths):
    """One process looks at all of them: how many there were of "ok" and of each errno."""
    done = run(sys.executable, "-c", LOOK, *(m / path for path in paths))
    assert done.returncode == 0, done.stderr
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert len(words) == len(paths)
    return {word: words.count(word) for word in sorted(set(words))}


def used(bb):
    """What the service counted."""
    return len(bb.log.since(0, r" /2\.0/"))


def status_of(bb, m):
    """What the mount says once it counted what the service did; the file is a moment old."""
    return await_true(lambda: (s := m.status())["quotas"]["api"]["used"] == used(bb) and s, "everything is counted")


def counted(bb, m, mark=0):
    """After the check of the credentials behind the mount, so that nothing is under way."""
    await_true(lambda: bb.log.since(mark, "GET /2.0/user$"), "/user was asked for")
    status_of(bb, m)
    return m


def refused_by_the_service(bb):
    return [e for e in bb.log.all() if e["status"] == 429]


def test_a_walk_leaves_a_reserve_and_a_person_has_requests_left(bb, mounts):
    bb.set_limits(quota=300)
    m = counted(bb, mounts())
    paths = names(bb, 400)
    before = used(bb)
    first = walk(m, paths)
    assert used(bb) == 210, "70 % of 300"
    assert first == {"EDQUOT": 400 - first["ok"], "ok": first["ok"]}
    # The workspace itself cost one request.
    assert first["ok"] == 210 - before - 1
    status = status_of(bb, m)
    assert status["quotas"]["api"]["left"] == 90 and status["quotas"]["api"]["limit"] == 300
    assert status["quotas"]["api"]["by"]["people"] + status["quotas"]["api"]["by"]["walks"] == 210
    (walker,) = status["walks"]
    assert walker["requests"] == first["ok"] + 1 and walker["session"] > 0, "what was refused is none"
    assert re.fullmatch(WHEN, status["waits_until"]["walks"]) and status["waits_until"]["people"] is None

    lines = [line.split("\t") for line in m.errors().splitlines()]
    line, = [x for x in lines if x[2] == "EDQUOT"]
    assert line[1] in paths, "the first of a cause"
    assert re.search(rf"\(session {walker['session']}\) has caused {walker['requests']} requests in ten minutes", line[3])
    assert re.search(rf"leave 90 of the 300 of an hour to others; it may go on at {WHEN} \(in \d+ s\)", line[3])
    text = m.read(CONTROL + "status")
    assert re.match(rf"quota: 90 of 300 left, full again at {WHEN}; used in the last hour: 1", text), "first of all"
    assert re.search(rf"\t{paths[-1]}\tEDQUOT\t\u00d7{400 - first['ok'] - 1} \d\d:\d\d:\d\d-\d\d:\d\d:\d\d Bitbucket's", text), \
        "its repeats, as they are now"
    assert len(text.splitlines()) < 30
    assert re.search(rf"^waiting: walks, until {WHEN}$", text, re.M)
    assert re.search(rf"^walk: \S+ \(session {walker['session']}\), {walker['requests']} requests in ten minutes$", text, re.M)

    person = run("cat", m / paths[-1] + "/info")
    assert (person.returncode, person.stderr) == (0, "") and "full_name" in person.stdout
    assert used(bb) == 211
    # What the walk has is its own without a request.
    mark = bb.log.mark()
    assert walk(m, paths[:first["ok"]]) == {"ok": first["ok"]}
    assert bb.log.since(mark) == []
    assert refused_by_the_service(bb) == []


def test_a_walk_that_had_its_share_is_refused_once_a_directory(bb, mounts):
    """Where nothing below is at hand: not in each of its names."""
    bb.set_limits(quota=300)
    m = counted(bb, mounts())
    paths = [m / path for path in names(bb, 300)]
    look = LOOK + """
for name in ("settings", "network"):
    try:
        print("listed", os.listdir(sys.argv[1] + "/" + name))
    except OSError as e:
        print("no", name, errno.errorcode[e.errno])
"""
    said = run(sys.executable, "-c", look, *paths).stdout.splitlines()
    assert said[-2:] == ["no settings EDQUOT", "no network EDQUOT"]
    assert {"hooks", "permissions"} <= set(m.ls(names(bb, 1)[0] + "/settings")), "people are let in"


@pytest.mark.parametrize("each", ["cat", "setsid cat"])
def test_a_loop_of_programs_is_one_walk(bb, mounts, each):
    """Each turn is a process of its own; with setsid a session of its own, too."""
    bb.set_limits(quota=300)
    m = counted(bb, mounts())
    paths = names(bb, 300)
    done = run("sh", "-c", f'for name; do {each} "$name/info" >/dev/null 2>&1 && echo ok; done; :', "sh", *(m / p for p in paths))
    assert used(bb) == 210, "70 % of 300"
    assert 200 <= done.stdout.count("ok") < 210
    assert ("come and go" in m.errors()) == (each != "cat")
    by = status_of(bb, m)["quotas"]["api"]["by"]
    assert by["people"] <= 100 + 12 and by["people"] + by["walks"] == 210


def test_walked_again_and_again_it_gets_whole(bb, mounts):
    bb.set_limits(quota=300, reset_said=2)
    m = mounts()
    paths, someone = names(bb, 500), sorted(bb.state.workspaces["acme"].repositories)
    has = []
    while not has or has[-1] < len(paths):
        bb.limits.reset()               # another hour
        await_true(lambda: not status_of(bb, m)["waits_until"]["walks"], "walks may go on")
        has.append(walk(m, paths)["ok"])
        person = run("cat", m / f"acme/{someone[len(has)]}/info")
        assert person.returncode == 0, person.stderr
    assert len(has) == 3 and has[0] < has[1] - 200, has
    assert refused_by_the_service(bb) == []
    mark = bb.log.mark()
    assert walk(m, paths) == {"ok": 500} and bb.log.since(mark) == []


def test_grep_over_a_thousand_repositories_gets_further_each_hour_until_it_is_whole(bb, mounts):
    m = counted(bb, mounts())
    # The shell's glob drops what it may not see, without a word.
    grep = "cd {}/monolith-labs && grep -H OPEN */pullrequests/index.tsv"
    said, hours = "", 0
    while True:
        # Another hour. Its end is far from any walk: when it is there, one request finds out how much there is.
        bb.limits.reset()
        bb.set_limits(quota=300, reset_said=3600)
        await_true(lambda: not status_of(bb, m)["waits_until"]["walks"], "walks may go on")
        mark, before = bb.log.mark(), said
        said = run("sh", "-c", grep.format(m.path)).stdout
        cost = len(bb.log.since(mark))
        assert set(before.splitlines()) <= set(said.splitlines())
        if not cost:
            break
        hours += 1
        assert cost <= 211 and hours <= 6
        person = run("cat", m / "acme/widgets/info")
        assert person.returncode == 0, person.stderr
        bb.limits.set(reset_said=1)
        m.refresh("acme/widgets")
    # 10 pages of repositories, a page of pull requests each.
    assert hours == 5 and said == before
    assert refused_by_the_service(bb) == []
    bb.set_limits(quota=100000)
    oracle = mounts(cache="without-limits")
    oracle.ls("acme")
    assert run("sh", "-c", grep.format(oracle.path)).stdout == said != ""


def test_walks_that_begin_anew_leave_something_each_time(bb, mounts):
    bb.set_limits(quota=300)
    m = mounts()
    paths = names(bb, 500)
    for _ in range(5):
        walk(m, paths)
    assert used(bb) < 290
    assert run("cat", m / "acme/widgets/info").returncode == 0
    assert refused_by_the_service(bb) == []


def test_the_number_that_makes_a_walk(bb, mounts):
    bb.set_limits(quota=300)
    m = counted(bb, mounts("walk=100000"))
    paths = names(bb, 400)
    assert walk(m, paths)["EDQUOT"]
    assert used(bb) == 300 and status_of(bb, m)["walks"] == [], "to the end"
    assert refused_by_the_service(bb) == [], "it was known before"
    person = run("cat", m / "acme/widgets/info")
    assert person.returncode and "quota" in person.stderr
    assert re.search(rf"300 an hour, is used up: it is asked again at {WHEN}", m.errors().splitlines()[-1])
    m.unmount()

    bb.limits.reset()
    m = mounts("walk=3", cache="another")
    assert walk(m, paths[:5]) == {"ok": 5}
    (walker,) = await_true(lambda: m.status()["walks"], "it is one")
    assert walker["requests"] == 6


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("how", ["unmount", "kill"])
def test_a_restart_forgets_nothing(bb, mounts, how, headers):
    bb.set_limits(quota=300, headers=headers)
    m = counted(bb, mounts())
    walk(m, names(bb, 120))
    before = used(bb)
    status_of(bb, m)
    if how == "kill":
        m.kill()
        subprocess.run(["umount", "-l", m.path], check=True)
    else:
        m.unmount()
    mark = bb.log.mark()
    m = mounts()
    now = status_of(bb, counted(bb, m, mark))["quotas"]["api"]
    assert now["limit"] == (300 if headers else 1000) and now["left"] == now["limit"] - used(bb)
    if headers:
        done = walk(m, names(bb, 400))
        assert used(bb) == 210 and done["ok"] == 120 + 210 - (before + 1)


def test_two_mounts_share_the_count(bb, mounts):
    bb.set_limits(quota=300)
    one, two = counted(bb, mounts()), mounts()
    paths = names(bb, 400)
    assert walk(one, paths)["EDQUOT"] and used(bb) == 210
    mark = bb.log.mark()
    assert status_of(bb, two)["quotas"]["api"]["left"] == 90
    # To the other mount they are a new group, which the reserve lets have a little.
    walk(two, paths[300:])
    assert len(bb.log.since(mark)) <= 30
    status_of(bb, one)
    assert one.read(paths[0] + "/info") == two.read(paths[0] + "/info")


def test_a_429_stops_all_and_what_is_cached_is_served(bb, mounts):
    one = counted(bb, mounts())
    two = mounts()
    info = one.read("acme/widgets/info")
    fault = bb.fault(r"/2\.0/repositories/edge", "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(OSError) as e:
        one.ls("edge")
    assert e.value.errno == errno.EDQUOT and fault.hits == 1
    fault.remove()
    await_true(lambda: two.status()["requests"]["paused_until"], "the other mount knows")
    mark = bb.log.mark()

    def all_is_quiet(m):
        with pytest.raises(OSError) as e:
            m.ls("monolith-labs")
        assert e.value.errno == errno.EDQUOT
        assert m.read("acme/widgets/info") == info
        assert re.search(rf"it is asked again at {WHEN}", m.errors())
        assert "paused: until " in m.read(CONTROL + "status")
    all_is_quiet(two)
    one.unmount()
    all_is_quiet(mounts())
    assert [e for e in bb.log.since(mark) if e["path"] != "/2.0/user"] == []


@pytest.mark.parametrize("retry_after", ["86400", "Fri, 31 Dec 2099 23:59:59 GMT"])
def test_nobody_is_shut_out_by_a_header(bb, mounts, retry_after):
    m = counted(bb, mounts())
    fault = bb.fault(r"/2\.0/repositories/edge", "status", status=429, headers={"Retry-After": retry_after}, times=1)
    with pytest.raises(OSError) as e:
        m.ls("edge")
    assert e.value.errno == errno.EDQUOT and fault.hits == 1

    def is_bounded(m, mark):
        with pytest.raises(OSError) as e:
            m.ls("monolith-labs")
        assert e.value.errno == errno.EDQUOT
        until = await_true(lambda: m.status()["requests"]["paused_until"], "the file is a moment old")
        left = calendar.timegm(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.time()
        assert 3000 < left <= 3600
        assert re.search(rf"^paused: until {until}, as the service asks; one request tries at {WHEN}, ",
                         m.read(CONTROL + "status"), re.M)
        assert [e for e in bb.log.since(mark) if e["path"] != "/2.0/user"] == []
    is_bounded(m, bb.log.mark())
    m.unmount()
    m = mounts()
    is_bounded(m, bb.log.mark())
    # Somebody asks for it by name: that one is asked, and heard.
    assert m.refresh("acme/widgets")
    await_true(lambda: not m.status()["requests"]["paused_until"], "the pause is over")
    assert m.ls("ada-lindqvist"), "and so is what was not refused a moment ago"


def test_asking_by_name_during_a_pause_is_one_request(bb, mounts):
    m = counted(bb, mounts())
    m.read("acme/widgets/info")
    fault = bb.fault(r"/2\.0/repositories/", "status", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(OSError):
        m.ls("edge")
    for n in 2, 3:
        with pytest.raises(OSError) as e:
            m.refresh("acme/widgets")
        assert e.value.errno == errno.EDQUOT and fault.hits == n


def test_what_is_old_is_served_at_once_when_no_more_may_be_asked(bb, mounts):
    bb.set_limits(quota=300)
    m = mounts()
    infos = [path + "/info" for path in names(bb, 30)]
    before = [m.read(path) for path in infos]
    m.unmount()
    (db,) = glob.glob(m.cache + "/**/cache.db", recursive=True)
    with contextlib.closing(sqlite3.connect(db)) as db, db:
        db.execute("UPDATE doc SET fetched = fetched - 30 * 86400000")
    bb.limits.reset()
    bb.limits.use("ada", 230)
    m = mounts("walk=3")
    mark = bb.log.mark()
    done, took = seconds(run, "cat", *(m / path for path in infos))
    assert (done.returncode, done.stdout) == (0, "".join(before))
    # Three of a person; and then, of the walk that it is, none.
    assert len(api(bb, mark)) == 3 and took < 3
    assert walk(m, infos) == {"ok": 30} and len(api(bb, mark)) <= 6
    # Behind it, the refreshes may not either; they do not try for ever, and nobody misses anything.
    assert "EDQUOT" not in m.errors()
    status = status_of(bb, m)
    assert status["waits_until"]["refreshes"] and status["waits_until"]["walks"]


def test_git_is_counted_apart(bb, mounts):
    m = counted(bb, mounts())
    m.read("acme/widgets/tree/README.md")
    asked = len(bb.log.since(0, r"\.git/"))
    await_true(lambda: m.status()["quotas"]["git"]["used"] == asked, "as many as the service saw")
    assert m.status()["quotas"]["git"] == {"by": {"people": asked, "walks": 0, "refreshes": 0}, "used": asked, "limit": 60000,
                                           "left": 60000 - asked, "told": False, "reset": None,
                                           "full": m.status()["quotas"]["git"]["full"]}
    m.unmount()
    assert mounts().status()["quotas"]["git"]["used"] == asked


def test_anonymous_has_sixty(bb, mounts):
    bb.set_limits(headers=False)
    m = mounts(account=None)
    quota = m.status()["quotas"]["api"]
    assert (quota["limit"], quota["told"]) == (60, False)


def test_a_thousand_repositories_are_one_persons_listing(bb, mounts):
    bb.set_limits(quota=1000)
    m = counted(bb, mounts())
    before = used(bb)
    assert run("ls", m / "monolith-labs").stdout.count("\n") == 1000
    listing = bb.log.since(0, "GET /2.0/repositories/monolith-labs")
    assert len(listing) == 10 and used(bb) <= before + 12
    assert status_of(bb, m)["walks"] == []
