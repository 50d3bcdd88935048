"""At login: the unit of systemd's, what a service manager is told, and `bitbucketfs service`."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess

import pytest

from background import NOBODY, ROOT
from conftest import BINARY, PATIENCE, mounted
from harness import TOP, Mounts

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
        assert "refused the credential" in manager.hear()
        assert not manager.has_more() and not mounted(m.path)


def test_what_is_wrong_is_the_last_status(mounts, tmp_path):
    """Whatever the journal makes of a process that has ended at once."""
    with Manager(str(tmp_path / "notify")) as manager:
        m = mounts(wait=False, NOTIFY_SOCKET=manager.where, BITBUCKETFS_TTL="soon")
        assert m.process.wait(PATIENCE) == 2
        assert re.fullmatch(r"STATUS=BITBUCKETFS_TTL 'soon' is no time .*", manager.hear())
        assert not manager.has_more()


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


@pytest.mark.skipif(not ROOT, reason="only root becomes another user")
def test_a_unit_that_forbids_setuid_is_told_so():
    """Before anything is tried: systemd sets no_new_privs for NoNewPrivileges= and all that implies it."""
    done = subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--no-new-privs",
                           BINARY, "mount", "-f", "/"], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and "NoNewPrivileges" in done.stderr and done.stderr.count("\n") == 1, done


# -- bitbucketfs service

SYSTEMCTL = """#!/bin/sh
# systemctl --user --no-pager …, of which each is a line of `said`; it answers what lies in `state`, or fails with it in `fails`.
shift 2
[ "$1" != --quiet ] || shift
echo "$*" >>{place}/said
if [ -e {place}/fails ] && grep -q "$1" {place}/fails; then echo "Failed to $1 unit: no such luck" >&2; exit 1; fi
wants=$XDG_CONFIG_HOME/systemd/user/default.target.wants
case $1 in
show) case $2 in *Version*) echo Version=252 ;; *) cat {place}/state ;; esac ;;
enable) mkdir -p "$wants"; ln -sf ../bitbucketfs@.service "$wants/$2" ;;
disable) rm -f "$wants/$3" ;;
esac
"""
LOADED = "LoadState=loaded\nActiveState=inactive\nFragmentPath=/usr/lib/systemd/user/bitbucketfs@.service\n"
MISSING = "LoadState=not-found\nActiveState=inactive\nFragmentPath=\n"


class Systemd:
    """A systemctl of the test's own, and the program that asks it, with a configuration file and no other settings."""

    def __init__(self, mounts):
        self.mounts, self.place = mounts, mounts.place / "systemd"
        self.units = mounts.place / "xdg-config" / "systemd" / "user"
        self.wanted = self.units / "default.target.wants"
        self.bin = self.place / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "systemctl").write_text(SYSTEMCTL.format(place=self.place))
        (self.bin / "systemctl").chmod(0o755)
        self.state(LOADED)

    def configure(self, text):
        place = self.mounts.place / "xdg-config" / "bitbucketfs"
        place.mkdir(parents=True, exist_ok=True)
        (place / "config").write_text(text)

    def state(self, text):
        (self.place / "state").write_text(text)

    def said(self):
        """What it was asked to change."""
        try:
            lines = (self.place / "said").read_text().splitlines()
        except FileNotFoundError:
            return []
        (self.place / "said").unlink()
        return [line for line in lines if not line.startswith("show")]

    def __call__(self, *words, **more):
        e = {k: v for k, v in self.mounts.environment(None).items() if not k.startswith("BITBUCKETFS_")}
        e["PATH"] = f"{self.bin}:{e['PATH']}"
        return subprocess.run([BINARY, "service", *words], env={**e, **more}, capture_output=True, text=True, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL)

    def refused(self, code, *words, **more):
        """The one sentence with which it failed; nothing was changed."""
        done = self(*words, **more)
        assert (done.returncode, done.stdout, self.said()) == (code, "", []), done
        assert done.stderr.startswith("bitbucketfs: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def systemd(tmp_path):
    return Systemd(Mounts(None, tmp_path))      # of no Bitbucket: nothing asks it


def test_install_with_a_package_writes_nothing(systemd):
    done = systemd("install")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert systemd.said() == ["enable bitbucketfs@default.service", "start bitbucketfs@default.service"]
    assert f"{systemd.mounts.place}/home/bitbucket is mounted" in done.stdout and "enable-linger" in done.stdout
    assert os.listdir(systemd.units) == ["default.target.wants"]
    done = systemd("remove")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert systemd.said() == ["disable --now bitbucketfs@default.service"] and not os.listdir(systemd.wanted)
    assert "was not installed" in systemd("remove").stdout and systemd.said() == []


def test_install_of_a_mere_build_writes_the_unit_and_remove_takes_it_away(systemd):
    systemd.state(MISSING)
    systemd.configure("[profile work]\nmountpoint = ~/work\n")
    assert systemd("install").returncode == systemd("install", "work").returncode == 0
    unit = systemd.units / "bitbucketfs@.service"
    assert systemd.said() == ["daemon-reload", "enable bitbucketfs@default.service", "start bitbucketfs@default.service",
                              "daemon-reload", "enable bitbucketfs@work.service", "start bitbucketfs@work.service"]
    with open(UNIT) as shipped:
        expected = shipped.read().replace("@BITBUCKETFS@", f'"{os.path.realpath(BINARY)}"')
    assert unit.read_text() == "# Written by bitbucketfs service install.\n" + expected
    systemd("remove", "work")
    assert unit.exists(), "the other one is of it, too"
    done = systemd("remove")
    assert not unit.exists() and f"Removed: {unit}\n" in done.stdout and "daemon-reload" in systemd.said()


def test_a_unit_of_somebodys_own_stays(systemd):
    systemd.state(MISSING)
    systemd.units.mkdir(parents=True)
    (systemd.units / "bitbucketfs@.service").write_text("# mine\n")
    assert "the unit cannot be written" in systemd.refused(1, "install")
    systemd("remove")
    assert (systemd.units / "bitbucketfs@.service").read_text() == "# mine\n"


def test_logout_all_stops_what_a_package_has_installed(systemd):
    assert systemd("install").returncode == 0
    systemd.said()
    e = systemd.mounts.environment(None, PATH=f"{systemd.bin}:{os.environ['PATH']}")
    done = subprocess.run([BINARY, "logout", "--all"], env=e, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and f"Removed: {systemd.wanted}/bitbucketfs@default.service\n" in done.stdout, done
    assert systemd.said()[0] == "stop -- *bitbucketfs*.service"
    assert not systemd.units.parent.exists(), "no directory is left that has nothing in it"


@pytest.mark.parametrize("words, code, says", [
    ([], 2, "install, remove or status"), (["enable"], 2, "not 'enable'"), (["install", "a", "b"], 2, "'b' is more"),
    (["install", "-f"], 2, "-f"), (["install", "-o", "ttl=5m"], 2, "no -o"), (["install", "wrok"], 2, "did you mean work?"),
    (["install", "../x"], 2, "the name of a profile"), (["status", "a b"], 2, "the name of a profile"),
    (["install", "bad"], 2, "config:4:7:"),
], ids=str)
def test_what_is_asked_wrongly(systemd, words, code, says):
    systemd.configure("[profile work]\nmountpoint = /nowhere/at/all\n[profile bad]\nttl = soon\n")
    assert says in systemd.refused(code, *words)


def test_without_systemd_it_says_what_to_do_instead(systemd):
    for words in (["install"], ["remove"], ["status"]):
        said = systemd.refused(1, *words, PATH="/nowhere")
        assert "systemctl: there is no such program" in said and "fstab: none MOUNTPOINT bitbucketfs noauto,user 0 0" in said
    (systemd.place / "fails").write_text("show\n")
    assert "no such luck" in systemd.refused(1, "install")
    (systemd.bin / "systemctl").write_text("#!/bin/sh\nexit 0\n")
    assert "systemctl says nothing" in systemd.refused(1, "install"), "as in a chroot"


def test_two_of_one_mount_point(systemd):
    systemd.configure("mountpoint = ~/both\n[profile work]\n[profile home]\nmountpoint = ~/home\n")
    assert systemd("install", "work").returncode == systemd("install", "home").returncode == 0
    systemd.said()
    assert "bitbucketfs@work.service mounts at " in systemd.refused(1, "install")


def test_a_mount_that_is_there_already(mounts, systemd):
    m = mounts()
    systemd.configure(f"mountpoint = {m.path}\n")
    assert f"a Bitbucket is mounted at {m.path} already" in systemd.refused(1, "install")
    systemd.state(LOADED.replace("inactive", "active"))
    assert systemd("install").returncode == 0, "it is the unit's own"


@pytest.mark.parametrize("status, code", [("2", 2), ("4", 4), ("1", 1), ("0", 1)])
def test_one_that_does_not_start(systemd, status, code):
    """Its last status is the sentence; a unit that never said one has a journal."""
    systemd.state(LOADED + f"ExecMainStatus={status}\n")
    (systemd.place / "fails").write_text("start\n")
    done = systemd("install")
    assert (done.returncode, done.stdout) == (code, "") and done.stderr.endswith(
        "did not start: why is in its journal, journalctl --user -n 20 -u bitbucketfs@default.service\n"), done
    systemd.state(LOADED + f"ExecMainStatus={status}\nStatusText=it was too early\n")
    done = systemd("install")
    assert (done.returncode, done.stderr) == (code, "bitbucketfs: bitbucketfs@default.service did not start: it was too early\n")
    systemd.state(f"LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus={status}\nStatusText=it was too early\n")
    assert f"now: failed\nexit-code, exit status {status}: it was too early\n" in systemd("status").stdout


def test_what_the_environment_has_is_not_the_units(systemd):
    done = systemd("install", BITBUCKETFS_TOKEN="s3cr3t")
    assert done.returncode == 0 and "BITBUCKETFS_TOKEN is set here" in done.stderr and "s3cr3t" not in done.stderr


def test_status(systemd):
    done = systemd("status")
    assert (done.returncode, done.stderr) == (3, "") and done.stdout.splitlines()[:2] == ["bitbucketfs@default.service", "now: inactive"]
    systemd("install", "default")
    systemd.state("LoadState=loaded\nActiveState=active\nStatusText=At /home/ada/bitbucket\nFragmentPath=/usr/lib/x\n")
    done = systemd("status", "default")
    assert done.returncode == 0 and done.stdout.splitlines() == [
        "bitbucketfs@default.service", "now: active", "At /home/ada/bitbucket", "at login: yes",
        "from boot on: no (loginctl enable-linger)", "unit: /usr/lib/x"]
    systemd.state(MISSING)
    assert "unit: none" in systemd("status").stdout


def test_a_reload_asks_for_the_workspaces(bb, mounts):
    """What ExecReload= does, without a PATH."""
    m = mounts()
    m.ls()
    mark = bb.log.mark()
    done = mounts.run("refresh", "-o", f"mountpoint={m.path}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 workspaces, 0 changed\n", "")
    assert len(bb.log.since(mark)) == 1


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_has_nothing_to_say_of_the_unit(tmp_path):
    with open(UNIT) as shipped:
        (tmp_path / "bitbucketfs@.service").write_text(shipped.read().replace("@BITBUCKETFS@", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--user", "--man=no", str(tmp_path / "bitbucketfs@.service")],
                          capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr) == (0, ""), done
