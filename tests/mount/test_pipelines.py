"""Pipelines, their steps, and logs: of a step that has ended a file for ever, of one that runs a file that grows."""
import errno
import json
import os
import subprocess
import threading
import time

import pytest

from conftest import api, asked, await_true

P = "acme/widgets/pipelines"
LOGS = r" /(2\.0/repositories/.*/log$|logs/)"


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def curl(bb, path):
    """What the service itself says: bytes, following where it sends us."""
    account = bb.accounts["ada"]
    return subprocess.run(["curl", "-sSfL", "-u", f"{account.email}:{account.token}", f"{bb.api_url}{path}"], check=True,
                          capture_output=True).stdout


def step(m, pipeline, number):
    """The directory of a step of a pipeline."""
    name = next(n for n in m.ls(f"{pipeline}/steps") if n.startswith(f"{number}-"))
    return f"{pipeline}/steps/{name}"


def log_of(bb, m, place):
    uuid = json.loads(m.read(f"{place}/step.json"))["uuid"]
    pipeline = json.loads(m.read(f"{place}/../../pipeline.json"))["uuid"]
    where = place.split("/pipelines/")[0]
    return curl(bb, f"/repositories/{where}/pipelines/{pipeline}/steps/{uuid}/log".replace("{", "%7B").replace("}", "%7D"))


def test_the_newest_are_first_and_cost_one_request(shared_bb, shared_mounts):
    m = shared_mounts(cache="pipelines")
    mark = shared_bb.log.mark()
    names = m.ls(P)
    assert set(names) == {"by-branch", "index.json", "index.tsv"} | {str(n) for n in range(2, 12)}
    header, *lines = m.read(f"{P}/index.tsv").splitlines()
    assert header.split("\t")[:4] == ["number", "state", "result", "duration"]
    assert [int(line.split("\t")[0]) for line in lines] == list(range(11, 0, -1))
    for number in range(1, 12):
        assert f"number: {number}\n" in m.read(f"{P}/{number}/info")
    lines = [line for line in api(shared_bb, mark) if "/pipelines" in line]
    assert lines == ["GET /2.0/repositories/acme/widgets/pipelines?pagelen=100&sort=-created_on"]


def test_an_older_one_can_be_entered_by_its_number(shared_bb, shared_mounts):
    m = shared_mounts(cache="older-pipelines")
    names = m.ls("edge/runs/pipelines")
    assert "more" in names and "640" in names and "100" not in names
    assert sorted(int(n) for n in names if n.isdigit()) == list(range(631, 641))
    assert m.read("edge/runs/pipelines/index.tsv").count("\n") == 501
    mark = shared_bb.log.mark()
    assert "number: 100\n" in m.read("edge/runs/pipelines/100/info")
    assert 1 <= len(api(shared_bb, mark)) <= 2
    mark = shared_bb.log.mark()
    assert "number: 100\n" in m.read("edge/runs/pipelines/100/info")
    for name in ("641", "99999", "0", "01", "x", ".git"):
        fails(errno.ENOENT, os.stat, m / f"edge/runs/pipelines/{name}")
    first = len(api(shared_bb, mark))
    for name in ("641", "99999", "0", "01", "x", ".git"):
        fails(errno.ENOENT, os.stat, m / f"edge/runs/pipelines/{name}")
    assert len(api(shared_bb, mark)) == first <= 4


def test_steps_are_named_by_their_place(shared_bb, shared_mounts):
    m = shared_mounts(cache="steps")
    m.ls(f"{P}/3")
    mark = shared_bb.log.mark()
    assert m.ls(f"{P}/3/steps") == ["1-build", "2-test", "index.json", "index.tsv"]
    assert m.ls(f"{P}/3/steps/1-build") == ["info", "log", "step.json"]
    assert "state: COMPLETED\n" in m.read(f"{P}/3/steps/1-build/info")
    assert json.loads(m.read(f"{P}/3/steps/2-test/step.json"))["name"] == "Test"
    assert len(api(shared_bb, mark)) == 1
    names = m.ls("edge/runs/pipelines/621/steps")
    assert len(names) == len(set(names)) and all(n[0].isdigit() or n.startswith("index.") for n in names)


def test_what_has_ended_is_never_asked_for_again(bb, mounts):
    m = mounts()
    place = step(m, f"{P}/3", 1)
    kept = {name: m.read(f"{place}/{name}", "rb") for name in ("info", "log", "step.json")}
    assert kept["log"] == log_of(bb, m, place) != b""
    m.unmount()
    m = mounts()
    mark = bb.log.mark()
    for name, content in kept.items():
        assert m.read(f"{place}/{name}", "rb") == content
    assert asked(bb, mark, LOGS) == []
    bb.offline()
    assert m.read(f"{place}/log", "rb") == kept["log"]


def test_the_storage_host_sees_no_credential(bb, mounts):
    m = mounts()
    m.read(f"{step(m, P + '/3', 1)}/log")
    entries = [e for e in bb.log.all() if e["listener"] == "storage"]
    assert entries and all(e["authorization"] is None and e["status"] in (200, 206) for e in entries)


def test_logs_of_all_sizes(bb, mounts):
    m = mounts()
    for number in (622, 623):
        place = step(m, f"edge/runs/pipelines/{number}", 1)
        content = m.read(f"{place}/log", "rb")
        assert content == log_of(bb, m, place)
        assert os.stat(m / f"{place}/log").st_size == len(content)
        tail = subprocess.run(["tail", "-c", "1000", m / f"{place}/log"], check=True, capture_output=True).stdout
        assert tail == content[-1000:]
    assert len(m.read(f"{step(m, 'edge/runs/pipelines/622', 1)}/log", "rb")) > 4 << 20
    # The service forgets old ones.
    fails(errno.ENOENT, os.stat, m / f"{step(m, 'edge/runs/pipelines/624', 1)}/log")


def test_a_running_log_grows_under_its_inode(bb, mounts):
    number = bb.create_pipeline("acme", "widgets", ["Build", "Test"])
    bb.append_log("acme", "widgets", number, "Build", "+ make\n")
    m = mounts()
    place = step(m, f"{P}/{number}", 1)
    path = m / f"{place}/log"
    before = os.stat(path)
    with open(path, "rb", buffering=0) as f:
        assert f.read() == b"+ make\n"
        mark = bb.log.mark()
        for i in range(3):
            bb.append_log("acme", "widgets", number, "Build", f"line {i}\n")
            os.stat(path)
        await_true(lambda: os.stat(path).st_size == 28, "the growth", 15)
        assert f.read() == b"line 0\nline 1\nline 2\n", "from where the reader was"
        ranges = [e["range"] for e in bb.log.since(mark, LOGS)]
        assert ranges and all(r == "bytes=7-" for r in ranges), "only what was appended"
        bb.append_log("acme", "widgets", number, "Build", "the end\n")
        bb.finish_step("acme", "widgets", number, "Build")
        await_true(lambda: os.stat(path).st_size == 36, "the end of it", 30)
        assert f.read() == b"the end\n"
    assert os.stat(path).st_ino == before.st_ino and os.stat(path).st_mtime > before.st_mtime - 1
    assert m.read(f"{place}/log") == "+ make\nline 0\nline 1\nline 2\nthe end\n"


@pytest.mark.parametrize("service", [None, "postgres"], ids=["step", "service"])
def test_a_log_that_ended_has_its_last_size_for_every_program(bb, mounts, service):
    """Looked at while it ran, grown, ended: a look-up of its name must not bring the size of the first look back."""
    number = bb.create_pipeline("acme", "widgets", ["Build"])
    bb.append_log("acme", "widgets", number, 0, "+ make\n", service=service)
    m = mounts()
    place = step(m, f"{P}/{number}", 1)
    name = f"services/{bb.container_uuid('acme', 'widgets', number, 0, service)}" if service else "log"
    path = m / f"{place}/{name}"
    before = os.stat(path)
    assert before.st_size == 7
    whole = "+ make\n" + "a line of it\n" * 1000 + "needle\n"
    bb.append_log("acme", "widgets", number, 0, whole[7:], service=service)
    bb.finish_step("acme", "widgets", number, 0)
    await_true(lambda: os.stat(path).st_size == len(whole), "the end of it", 40)
    # While it grows its name holds for a second, and is looked up again; from the look-up that learns that the step has
    # ended on, what that one says holds for an hour.
    m.refresh(place)
    until = time.monotonic() + 8
    while time.monotonic() < until:
        now = os.stat(path)
        assert (now.st_size, now.st_ino) == (len(whole), before.st_ino)
        assert now.st_mtime >= before.st_mtime
        time.sleep(0.05)
    assert subprocess.run(["grep", "-c", "needle", path], capture_output=True, text=True).stdout == "1\n"
    copy = m.path + ".copy"
    subprocess.run(["cp", path, copy], check=True)
    with open(copy) as f:
        assert f.read() == whole


def test_tail_follows_it_with_few_requests(bb, mounts):
    number = bb.create_pipeline("acme", "widgets", ["Build"])
    bb.append_log("acme", "widgets", number, 0, "first\n")
    m = mounts()
    path = m / f"{step(m, f'{P}/{number}', 1)}/log"
    follower = subprocess.Popen(["tail", "-f", path], stdout=subprocess.PIPE)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(iter(lambda: follower.stdout.readline(), b"")))
    reader.start()
    try:
        await_true(lambda: seen == [b"first\n"], "what was there")
        mark, began = bb.log.mark(), time.monotonic()
        bb.append_log("acme", "widgets", number, 0, "second\n")
        await_true(lambda: seen == [b"first\n", b"second\n"], "what was appended", 20)
        bb.append_log("acme", "widgets", number, 0, "third\n")
        await_true(lambda: seen[2:] == [b"third\n"], "and again", 20)
        took = time.monotonic() - began
        assert len(asked(bb, mark, LOGS)) <= took / 5 + 2, "at most one every five seconds"
    finally:
        follower.kill()
        reader.join()
        follower.communicate()


def test_a_log_that_shrank_is_another_file(bb, mounts):
    number = bb.create_pipeline("acme", "widgets", ["Build"])
    bb.append_log("acme", "widgets", number, 0, "a long first try\n")
    m = mounts()
    path = m / f"{step(m, f'{P}/{number}', 1)}/log"
    with open(path, "rb", buffering=0) as f:
        assert f.read() == b"a long first try\n"
        before = os.fstat(f.fileno()).st_ino
        bb.set_log("acme", "widgets", number, 0, "again\n")
        await_true(lambda: open(path, "rb").read() == b"again\n", "the new one", 30)
        f.seek(0)
        assert f.read() == b"a long first try\n", "who reads the old one finishes it"
    assert os.stat(path).st_ino != before


def test_a_step_that_has_not_begun_has_no_log(bb, mounts):
    m = mounts()
    assert "log" not in m.ls(step(m, f"{P}/4", 3))
    mark = bb.log.mark()
    fails(errno.ENOENT, os.stat, m / f"{step(m, P + '/4', 3)}/log")
    assert asked(bb, mark, LOGS) == [], "the step's own document says so"


def test_tests_and_services_of_a_step(bb, mounts):
    m = mounts()
    place = step(m, f"{P}/3", 2)
    report = json.loads(m.read(f"{place}/tests/report.json"))
    assert report and "name" in m.read(f"{place}/tests/cases/index.tsv").splitlines()[0]
    assert m.read(f"{step(m, P + '/3', 1)}/tests/report.json") == "{}\n", "no tests are no error"
    mark = bb.log.mark()
    cases = m.read(f"{step(m, 'edge/runs/pipelines/625', 1)}/tests/cases/index.tsv").splitlines()
    assert len(cases) > 1000
    assert len([line for line in api(bb, mark) if "test_cases" in line]) == -(-(len(cases) - 1) // 100)


@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_a_log_that_breaks_off_loses_nothing_and_has_nothing_twice(bb, mounts, kind):
    m = mounts()
    place = step(m, "edge/runs/pipelines/622", 1)
    bb.fault("GET /logs/", kind, times=2, after_bytes=100000)
    content = m.read(f"{place}/log", "rb")
    assert content == log_of(bb, m, place)


def test_a_missing_scope_is_told(bb, mounts):
    m = mounts()
    bb.set_scopes("ada", without=["read:pipeline:bitbucket"])
    fails(errno.EACCES, m.ls, P)
    assert "read:pipeline" in m.errors()
