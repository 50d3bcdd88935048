"""mount(8): the program as its helper, lines of fstab(5), and the home of who mounts where HOME does not say it."""
import os
import shutil
import subprocess
import tempfile

import pytest

from background import NOBODY, as_user
from conftest import BINARY, PATIENCE, asked, mounted
from harness import await_true

DANA = 61234


@pytest.fixture
def helper(background, tmp_path):
    """Calls the program by a helper's name, with the arguments of mount(8)."""
    def call(*arguments, name="mount.bitbucketfs", where=None, **more):
        place = tmp_path / "sbin"
        place.mkdir(exist_ok=True)
        if not os.path.lexists(place / name):
            os.symlink(BINARY, place / name)
        before, background.binary = background.binary, str(place / name)
        try:
            return background(*arguments, **more)
        finally:
            background.binary = before
            if where:
                background.places.add(where)
    return call


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    return str(tmp_path / "place")


@pytest.mark.parametrize("name", ["mount.bitbucketfs", "mount.fuse.bitbucketfs"])
@pytest.mark.parametrize("source", ["none", "status", "umount", "bitbucket"])
def test_called_as_mount_8_calls_it(helper, background, place, name, source):
    done = helper(source, place, "-n", "-v", "-o", "rw,noexec,nosuid,nodev,user=dana", "-t", "fuse.bitbucketfs", name=name,
                  where=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    assert mounted(place)[0] == "fuse.bitbucketfs" and len(background.daemons) == 1


def test_s_is_sloppy_for_a_helper_and_otherwise_ignored_with_a_word(helper, mounts, background, place):
    done = helper("none", place, "-o", "no_such_option")
    assert done.returncode == 2 and "there is no option -o no_such_option" in done.stderr
    done = helper("none", place, "-s", "-o", "no_such_option,rw", where=place)
    assert (done.returncode, done.stderr) == (0, "") and mounted(place)
    assert mounts.run("umount", place).returncode == 0
    assert background.await_end(background.daemons[0]) == 0
    done = background("-s", "-o", "no_such_option", place)
    assert done.returncode == 2 and "there is no option -o no_such_option" in done.stderr
    done = background("-s", where=place)
    assert done.returncode == 0 and done.stderr.startswith("bitbucketfs: -s (") and done.stderr.count("\n") == 1, done


def test_mount_f_mounts_nothing(bb, helper, place):
    done = helper("none", place, "-f")
    assert (done.returncode, done.stderr) == (0, "") and not mounted(place) and asked(bb) == []


@pytest.mark.parametrize("arguments", [[], ["none"], ["none", "a", "b"], ["none", "x", "-N"], ["none", "x", "-q"]], ids=" ".join)
def test_what_a_helper_does_not_take(helper, arguments):
    done = helper(*arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done


def test_another_mount_namespace(helper, background, place):
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: a mount namespace needs root")
    other = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", "echo; exec sleep 600"],
                             stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline()
        assert helper("none", place, "-N", str(other.pid)).returncode == 0
        assert not mounted(place)
        with open(f"/proc/{other.pid}/mountinfo") as f:
            assert f" {place} ro," in f.read()
        assert helper("none", place, "-N", "/nonexistent/ns").returncode == 1
    finally:
        other.kill()
        other.wait()


# -- lines of fstab, in a mount namespace that has its own

SCRIPT = r"""
set -eu
place=$1
mount --bind "$place/etc/fstab" /etc/fstab
mount --bind "$place/etc/passwd" /etc/passwd
mount --bind "$place/etc/group" /etc/group
mount -t overlay overlay -o "lowerdir=$place/sbin:/usr/sbin" /usr/sbin || exit 77
as_dana() { setpriv --reuid 61234 --regid 61234 --clear-groups "$@"; }
cd /
as_dana mount "$place/mnt"
findmnt -n -o FSTYPE,OPTIONS --mountpoint "$place/mnt"
as_dana cat "$place/mnt/acme/widgets/tree/README.md" | head -n 1
as_dana stat -c %u "$place/mnt/acme"
as_dana umount "$place/mnt"
! mountpoint -q "$place/mnt"
as_dana ls "$place/home/.cache/bitbucketfs"
"""


@pytest.fixture
def dana(bb, mounts):
    """The directories of a user whom only the namespace's passwd knows."""
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: a mount namespace needs root")
    place = tempfile.mkdtemp(prefix="bitbucketfs-dana-")
    os.chmod(place, 0o755)
    for name in ("home", "mnt"):
        os.mkdir(f"{place}/{name}")
        os.chown(f"{place}/{name}", DANA, DANA)
    os.mkdir(f"{place}/etc")
    os.mkdir(f"{place}/sbin")
    for name, line in (("passwd", f"dana:x:{DANA}:{DANA}:Dana:{place}/home:/bin/sh\n"), ("group", f"dana:x:{DANA}:\n")):
        with open(f"/etc/{name}") as old, open(f"{place}/etc/{name}", "w") as new:
            new.write(old.read() + line)
    yield place
    # umount(8) does not wait for the daemon, which still writes its cache.
    await_true(lambda: subprocess.run(["pgrep", "-u", str(DANA)], stdout=subprocess.DEVNULL).returncode, "the end of dana's daemon")
    shutil.rmtree(place)


@pytest.mark.parametrize("home", [None, "/root"], ids=["no-HOME", "the-HOME-of-root"])
@pytest.mark.parametrize("kind, helpers", [("bitbucketfs", ["mount.bitbucketfs"]), ("fuse.bitbucketfs", ["mount.fuse.bitbucketfs"]),
                                           ("fuse.bitbucketfs", [])], ids=["bitbucketfs", "fuse.bitbucketfs", "mount.fuse3"])
def test_a_user_says_mount_and_the_line_of_fstab_does_the_rest(mounts, dana, kind, helpers, home):
    with open(f"{dana}/etc/fstab", "w") as f:
        f.write(f"none {dana}/mnt {kind} noauto,user 0 0\n")
    for name in helpers + ["bitbucketfs"]:      # mount.fuse3 looks for it in a PATH of its own
        os.symlink(BINARY, f"{dana}/sbin/{name}")
    e = mounts.environment(XDG_CACHE_HOME="", XDG_CONFIG_HOME="", XDG_STATE_HOME="", XDG_RUNTIME_DIR="")
    del e["HOME"]
    if home:
        e["HOME"] = home
    if as_user("test", "-x", BINARY).returncode:
        pytest.skip(f"NOT TESTED: an ordinary user may not run {BINARY}")
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", SCRIPT, "sh", dana], env=e,
                          capture_output=True, text=True, timeout=PATIENCE * 3)
    if done.returncode == 77:
        pytest.skip("NOT TESTED: no overlay over /usr/sbin can be mounted here: " + done.stderr)
    assert done.returncode == 0, done
    first, *rest = done.stdout.splitlines()
    assert first.split()[0] == "fuse.bitbucketfs" and f"user_id={DANA}" in first and first.split()[1].startswith("ro,")
    assert rest[:2] == ["# widgets", str(DANA)] and rest[2].startswith("127.0.0.1"), rest


def test_without_a_home_that_is_one_s_own_passwd_decides(mounts, as_nobody):
    """Its directory is /nonexistent, which is said; and not /root's."""
    background, where = as_nobody
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: another user's HOME needs root")
    done = background(where=where, run_as=NOBODY, HOME="/root", XDG_CACHE_HOME="", XDG_CONFIG_HOME="", BITBUCKETFS_CACHE_DIR="")
    assert done.returncode == 1 and "/nonexistent/.cache/bitbucketfs" in done.stderr and "/root" not in done.stderr, done
