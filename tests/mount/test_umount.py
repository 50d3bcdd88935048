"""umount: it ends when it is ended; a mount that is in use stays, and it is said by whom."""
import os
import signal
import subprocess
import sys
import time

import pytest

from background import NOBODY, as_user, becoming
from conftest import BINARY, PATIENCE, SANITIZED, await_true, mounted
from readers import await_waiting, comm, interrupt, readers, seconds, standing

ENDS_WITHIN = 5 if SANITIZED else 1


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "after-a-walk"])
def test_when_it_returns_the_daemon_is_gone_and_the_cache_can_be_removed(background, mounts, tmp_path, busy):
    where = tmp_path / "place"
    where.mkdir()
    assert background(where=str(where)).returncode == 0
    daemon, = background.daemons
    if busy:
        subprocess.run(["grep", "-r", "no such text anywhere", where / "acme/widgets/tree", where / "acme/website/tree"])
        for name in ("billing", "firmware", "handbook", "infra", "website", "widgets"):
            os.listdir(where / "acme" / name / "branches")
    done = mounts.run("umount", str(where))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # Its files are closed a moment before its parent hears of its end.
    subprocess.run(["rm", "-r", str(mounts.place / "cache")], check=True)
    await_true(lambda: state(daemon) in (None, "Z"), "the daemon's end", 0.5)
    assert background.await_end(daemon) == 0
    assert not os.path.exists(mounts.place / "cache"), "nobody wrote into it after it was removed"


def test_each_umount_waits_for_its_own_daemon(background, mounts, tmp_path):
    places = [tmp_path / f"place{i}" for i in range(3)]
    for place in places:
        place.mkdir()
        assert background(where=str(place)).returncode == 0
    daemons = list(background.daemons)
    os.kill(daemons[1], signal.SIGSTOP)
    for i in (0, 2):
        done, took = seconds(mounts.run, "umount", str(places[i]))
        assert (done.returncode, done.stderr) == (0, "") and took < ENDS_WITHIN
        assert background.await_end(daemons[i]) == 0
    os.kill(daemons[1], signal.SIGCONT)
    assert mounts.run("umount", str(places[1])).returncode == 0
    assert background.await_end(daemons[1]) == 0


def test_a_daemon_that_does_not_end_is_said(mounts):
    m = mounts()
    m.process.send_signal(signal.SIGSTOP)
    try:
        done, took = seconds(mounts.run, "umount", m.path)
    finally:
        m.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert f"(process {m.process.pid}) has not ended within 10 seconds" in done.stderr
    assert 9 < took < 15 and not mounted(m.path)
    assert m.process.wait(PATIENCE) == 0


def test_a_dead_mount_is_taken_away_without_a_wait(mounts):
    m = mounts()
    m.kill()
    done, took = seconds(mounts.run, "umount", m.path)
    assert (done.returncode, done.stderr) == (0, "") and not mounted(m.path) and took < ENDS_WITHIN


# -- in use

def in_its_directory(m):
    return standing(m / "acme"), "stands in it"


def with_an_open_file(m):
    with open(m / "acme/widgets/info") as f:
        return subprocess.Popen(["sleep", "60"], stdin=f), "has a file of it open"


def with_a_mapped_file(m):
    """Python's own mmap keeps a descriptor."""
    program = ("import ctypes, os, sys, time\nmmap = ctypes.CDLL(None).mmap\nmmap.restype = ctypes.c_void_p\n"
               "mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]\n"
               "fd = os.open(sys.argv[1], os.O_RDONLY)\nat = mmap(None, 4096, 1, 2, fd, 0)\nos.close(fd)\n"
               "print(ctypes.string_at(at, 1), flush=True)\ntime.sleep(60)")
    p = subprocess.Popen([sys.executable, "-c", program, m / "acme/widgets/info"], stdout=subprocess.PIPE)
    assert p.stdout.readline()
    return p, "has a file of it mapped"


USES = {f.__name__: f for f in (in_its_directory, with_an_open_file, with_a_mapped_file)}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_busy_mount_is_refused_and_it_is_said_by_whom(mounts, use):
    m = mounts()
    user, how = use(m)
    try:
        done = mounts.run("umount", m.path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert f"{m.path} is in use: {comm(user.pid)} ({user.pid}) {how}; " in done.stderr, done.stderr
        assert done.stderr.count("(") == 1, "nobody else is in it"
        assert mounted(m.path) and m.ls(), "it stays as it was"
        done = mounts.run("umount", "--lazy", m.path)
        assert done.returncode == 0 and "still in use" in done.stderr and f"({user.pid})" in done.stderr, done
        assert not mounted(m.path) and m.process.poll() is None
    finally:
        user.kill()
        user.wait()
    assert m.process.wait(PATIENCE) == 0, "nobody is in it any more"


def test_nor_is_the_daemon_asked_who_is_in_it(mounts):
    m = mounts()
    user, how = in_its_directory(m)
    m.process.send_signal(signal.SIGSTOP)
    try:
        done, took = seconds(mounts.run, "umount", m.path)
        assert done.returncode == 1 and how in done.stderr and took < ENDS_WITHIN, done
    finally:
        m.process.send_signal(signal.SIGCONT)
        user.kill()
        user.wait()


def test_who_stands_in_it_can_say_umount_from_there(mounts):
    m = mounts()
    done = subprocess.run(["sh", "-c", 'cd "$0" && exec "$1" umount "$0"', m.path, BINARY], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), "it is not in its own way"


def test_what_is_mounted_inside_is_named(mounts):
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    m = mounts()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", m / "acme"], check=True)
    try:
        done = mounts.run("umount", m.path)
        assert done.returncode == 1 and f"something is mounted at {m.path}/acme" in done.stderr, done
    finally:
        subprocess.run(["umount", m / "acme"], check=True)
    assert mounts.run("umount", m.path).returncode == 0


def test_readers_that_wait_for_the_network_are_named(bb, mounts):
    m = mounts()
    os.stat(m / "acme")
    stalled = bb.fault(r"/2\.0/repositories/", "stall")
    with readers([m / f"acme/name-{i}/info" for i in range(20)]) as all:
        stalled.wait_hit(hits=4)
        await_waiting(all)
        done, took = seconds(mounts.run, "umount", m.path)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1) and " is in use: " in done.stderr, done
        assert done.stderr.count(" waits for it") == 8 and " and 12 more" in done.stderr, done.stderr
        assert mounted(m.path) and took < ENDS_WITHIN
        done, took = seconds(mounts.run, "umount", "--lazy", m.path)
        assert (done.returncode, done.stderr.count("\n")) == (0, 1) and "still in use" in done.stderr, done
        assert not mounted(m.path) and took < ENDS_WITHIN
        assert interrupt(all) < ENDS_WITHIN
        began = time.monotonic()
        assert m.process.wait(PATIENCE) == 0, "nobody is in it any more"
        assert time.monotonic() - began < ENDS_WITHIN


def test_an_ordinary_user_s_busy_mount(as_nobody):
    background, where = as_nobody
    assert background(where=where, run_as=NOBODY).returncode == 0
    user = standing(where, **becoming(NOBODY))
    try:
        done = as_user(BINARY, "umount", where)
        assert done.returncode == 1 and f"sleep ({user.pid}) stands in it" in done.stderr, done
    finally:
        user.kill()
        user.wait()
    done = as_user(BINARY, "umount", where)
    assert (done.returncode, done.stderr) == (0, "")
    assert background.await_end(background.daemons[0]) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a namespace")
def test_without_a_table_of_mounts_it_is_said_what_to_do(as_nobody, tmp_path):
    background, where = as_nobody
    assert background(where=where, run_as=NOBODY).returncode == 0
    etc = tmp_path / "etc"
    done = subprocess.run(["unshare", "-m", "sh", "-ec", f'cp -a /etc {etc}; rm -f {etc}/mtab; mount --bind {etc} /etc; exec "$@"', "sh",
                           "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", BINARY, "umount", where],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "ln -s ../proc/self/mounts /etc/mtab" in done.stderr and done.stderr.count("\n") == 1, done
    assert mounted(where) and as_user(BINARY, "umount", where).returncode == 0
    assert background.await_end(background.daemons[0]) == 0


def test_a_connection_that_the_kernel_aborts_ends_the_daemon(bb, mounts):
    """As `umount -f` does: libfuse joins each of its threads, and twenty of them wait for the network."""
    if os.getuid() != 0:
        pytest.skip("umount -f needs root")
    m = mounts()
    os.stat(m / "acme")
    stalled = bb.fault(r"/2\.0/repositories/", "stall")
    with readers([m / f"acme/name-{i}/info" for i in range(20)]) as all:
        stalled.wait_hit(hits=4)
        await_waiting(all)
        began = time.monotonic()
        subprocess.run(["umount", "-f", m.path], capture_output=True)
        m.process.wait(PATIENCE)
        assert time.monotonic() - began < ENDS_WITHIN
        for p in all:
            assert p.wait(PATIENCE) != 0
