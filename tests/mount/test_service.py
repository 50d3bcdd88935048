"""At login: the unit of systemd's, what a service manager is told, and `bitbucketfs service`."""
import os
import re
import select
import signal
import socket
import subprocess

import pytest

from conftest import BINARY, PATIENCE, mounted
from harness import TOP

UNIT = os.path.join(TOP, "packaging", "systemd", "bitbucketfs@.service.in")


# -- the unit

def unit_lines():
    with open(UNIT) as f:
        return [line.strip() for line in f if line.strip() and not line.startswith(("#", "["))]


def test_the_unit_lets_fusermount_be_setuid():
    """Each of these forbids new privileges in a unit of a user's, or gives the mount a namespace that nobody sees."""
    forbidden = re.compile(r"NoNewPrivileges|Private|Protect|Restrict|SystemCall|Lock|MemoryDeny|DynamicUser|Capabilit|"
                           r"(ReadWrite|ReadOnly|Inaccessible|Exec|NoExec|Bind)\w*Paths|Mount(APIVFS|Flags|Images)|RootDirectory|"
                           r"RootImage|TemporaryFileSystem|User=|SecureBits|Sandbox")
    lines = unit_lines()
    assert len(lines) > 8 and not [line for line in lines if forbidden.match(line)]
    assert not [line for line in lines if "network" in line], "it comes up without one"


def test_the_unit_does_not_start_again_for_ever():
    values = dict(line.split("=", 1) for line in unit_lines())
    assert values["Type"] == "notify" and values["Restart"] == "on-failure"
    assert values["RestartPreventExitStatus"].split() == ["2", "4"]
    # Each try, were it to fail at once, takes RestartSec: the bound is reached.
    assert int(values["RestartSec"]) * int(values["StartLimitBurst"]) < 600 and values["StartLimitIntervalSec"] == "10min"


# -- what the manager is told

class Manager(socket.socket):
    """Hears as systemd does; `where` is NOTIFY_SOCKET."""

    def __init__(self, where):
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.where = where
        self.bind("\0" + where[1:] if where.startswith("@") else where)
        self.settimeout(PATIENCE)

    def hear(self):
        return self.recv(8192).decode()

    def has_more(self):
        return bool(select.select([self], [], [], 0)[0])


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    with Manager(str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify") as made:
        yield made


def test_ready_is_said_when_the_mount_answers(mounts, manager):
    m = mounts(wait=False, NOTIFY_SOCKET=manager.where)
    assert manager.hear() == f"STATUS=At {m.path}"
    assert manager.hear() == "READY=1"
    assert mounted(m.path) and "acme" in m.ls()
    m.process.send_signal(signal.SIGTERM)
    assert manager.hear().startswith("STOPPING=1\n")
    assert m.process.wait(PATIENCE) == 0


def test_ready_is_not_said_before_the_mount_answers(bb, mounts, tmp_path):
    """A credential that was never used is asked about first."""
    stalled = bb.faults.add(r"/user$", "stall")
    with Manager(str(tmp_path / "notify")) as manager:
        m = mounts(wait=False, NOTIFY_SOCKET=manager.where)
        assert manager.hear() == f"STATUS=At {m.path}"
        stalled.wait_hit()
        assert not manager.has_more() and not mounted(m.path)
        stalled.remove()
        assert manager.hear() == "READY=1"
        assert "acme" in m.ls()


def test_ready_is_not_said_of_what_failed(mounts, tmp_path):
    with Manager(str(tmp_path / "notify")) as manager:
        m = mounts(wait=False, NOTIFY_SOCKET=manager.where, BITBUCKETFS_TOKEN="ATATT3xWRONG")
        assert m.process.wait(PATIENCE) == 4
        assert manager.hear() == f"STATUS=At {m.path}"
        assert not manager.has_more() and not mounted(m.path)


def test_what_is_wrong_with_the_credential_is_a_status(bb, mounts, tmp_path):
    mounts().unmount()
    bb.faults.add(r"/user$", "status", status=401, body="{}")
    with Manager(str(tmp_path / "notify")) as manager:
        m = mounts(wait=False, NOTIFY_SOCKET=manager.where)
        said = [manager.hear() for _ in range(3)]
    assert said[0] == f"STATUS=At {m.path}" and "READY=1" in said
    assert [s for s in said if s.startswith(f"STATUS=At {m.path}. As it began: ")], said


def test_a_manager_that_is_gone_is_no_reason_not_to_mount(mounts, tmp_path):
    m = mounts(NOTIFY_SOCKET=str(tmp_path / "nobody"))
    assert "NOTIFY_SOCKET" in m.log and m.ls()


def test_who_is_killed_is_healed_at_the_next_start(mounts, tmp_path):
    """As systemd starts it again: at the same place, which is dead."""
    first = mounts()
    first.ls()
    first.kill()
    assert mounted(first.path)
    with pytest.raises(OSError):
        os.listdir(first.path)
    with Manager(str(tmp_path / "notify")) as manager:
        again = mounts(where=first.path, wait=False, NOTIFY_SOCKET=manager.where)
        assert [manager.hear(), manager.hear()][1] == "READY=1"
        assert "acme" in again.ls()
        # umount is no failure, after which systemd would start it again.
        assert mounts.run("umount", again.path).returncode == 0
        assert again.process.wait(PATIENCE) == 0


def test_the_journal_is_told_how_bad_it_is(mounts):
    """Standard error is what JOURNAL_STREAM says it is."""
    reads, writes = os.pipe()
    stat = os.fstat(writes)
    e = mounts.environment(JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}", BITBUCKETFS_TTL="soon")
    assert subprocess.run([BINARY, "mount", "-f"], env=e, stderr=writes, timeout=PATIENCE).returncode == 2
    os.close(writes)
    with open(reads) as said:
        assert re.fullmatch(r"<3>bitbucketfs: .*BITBUCKETFS_TTL.*\n", said.read())
