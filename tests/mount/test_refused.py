"""A directory that cannot be listed, under the programs that people list with: each ends, and says so.

The error comes at OPENDIR. An error that came from READDIR after an open that succeeded would be an empty directory to half of
them, and others would repeat the call for ever. The errnos that can come are model_opens_with() in src/model/model_dir.c; of
those ENOSPC, EMFILE, ENFILE, ENOMEM, EAGAIN and EFBIG are for want of something on this machine, and made where that is tested;
EINTR is Ctrl-C's.
"""
import contextlib
import errno
import os
import resource
import subprocess
import sys

import pytest

from conftest import PATIENCE

SILENCE = 30        # seconds without a byte after which the daemon gives up (the manual says so)
W = "acme/widgets"

WALK = """
import os, sys
told = []
for place, dirs, files in os.walk(sys.argv[1], onerror=told.append):
    pass
sys.exit(str(told[0]) if told else 0)
"""

# What each does with the directory D; E is an empty one, C a place for copies, in which C/NAME/kept is of an earlier copy.
PROGRAMS = {
    "rg": lambda D, E, C: ["rg", "--no-ignore", "no such words", D],
    "fdfind": lambda D, E, C: ["fdfind", "--show-errors", "-I", "", D],     # it is silent otherwise, on every file system
    "tree": lambda D, E, C: ["tree", D],
    "find": lambda D, E, C: ["find", D],
    "ls": lambda D, E, C: ["ls", D],
    "busybox ls": lambda D, E, C: ["busybox", "ls", D],
    "perl": lambda D, E, C: ["perl", "-e", 'opendir(my $d, $ARGV[0]) or die "$!\n"; my @names = readdir($d);', D],
    "git diff --no-index": lambda D, E, C: ["git", "diff", "--no-index", "--quiet", E, D],
    "gio list": lambda D, E, C: ["gio", "list", D],
    "rsync -a --delete": lambda D, E, C: ["rsync", "-a", "--delete", D, C],
    "tar": lambda D, E, C: ["tar", "-C", "/", "-cf", "/dev/null", D[1:]],
    "os.walk": lambda D, E, C: [sys.executable, "-c", WALK, D],
    "zip": lambda D, E, C: ["zip", "-q", "-r", os.path.join(C, "out.zip"), D],
}
SILENT = {"zip"}    # passes over what it cannot open, on every file system
ANSWERS = {"rg": (0, 1)}    # 1: nothing was found


def bounded():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))


class Run:
    """A program over a directory; bounded in what it may write and how long it may take."""

    def __init__(self, name, directory, place):
        self.name, self.place = name, place
        self.empty, self.copy = (str(place / x) for x in ("empty", "copy"))
        for d in (self.empty, os.path.join(self.copy, os.path.basename(directory))):
            os.makedirs(d)
        self.kept = os.path.join(self.copy, os.path.basename(directory), "kept")
        open(self.kept, "w").close()
        self.output = open(place / "said", "w+b")
        self.process = subprocess.Popen(PROGRAMS[name](directory, self.empty, self.copy), stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT, preexec_fn=bounded,
                                        env={**os.environ, "LC_ALL": "C"})

    def end(self):
        try:
            self.process.wait(SILENCE + 2 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} does not end")
        finally:
            self.output.seek(0)
            self.said = self.output.read().decode(errors="replace")
            self.output.close()
        return self

    @property
    def told(self):
        return self.process.returncode not in ANSWERS.get(self.name, (0,)) or "error" in self.said


def run_all(directory, place):
    """All at once: what is slow to be refused is refused to them together."""
    for i, name in enumerate(PROGRAMS):
        (place / str(i)).mkdir()
    return [r.end() for r in [Run(name, directory, place / str(i)) for i, name in enumerate(PROGRAMS)]]


@pytest.fixture(scope="module")
def listed(shared_mounts):
    """One mount for all; two trees in ten minutes are all that it brings, so that a third one is too many."""
    m = shared_mounts("trees=2")
    m.ls()
    m.ls("acme")
    for name in ("website", "infra"):
        m.ls(f"acme/{name}/tree")
    m.ls(W + "/pullrequests/declined")
    m.read(W + "/pullrequests/declined/3/info")
    return m


@contextlib.contextmanager
def fault(bb, match, kind, **more):
    made = bb.fault(match, kind, **more)
    try:
        yield
    finally:
        made.remove()


@contextlib.contextmanager
def offline(bb):
    bb.offline()
    try:
        yield
    finally:
        bb.online()


REFUSALS = {
    "a scope is missing": ("EACCES", W + "/environments", lambda bb: fault(bb, "/environments", "status", status=403)),
    "the credential is refused": ("EACCES", W + "/deployments", lambda bb: fault(bb, "/deployments", "status", status=401)),
    "not there": ("ENODATA", W + "/downloads", lambda bb: fault(bb, "/downloads", "status", status=404, body="{}")),
    "gone": ("ENODATA", W + "/settings/hooks", lambda bb: fault(bb, "/hooks", "status", status=410, body="{}")),
    "nothing": ("ENODATA", W + "/network/watchers", lambda bb: fault(bb, "/watchers", "status", status=204)),
    "the fork is gone": ("ENODATA", W + "/pullrequests/declined/3/tree", lambda bb: contextlib.nullcontext()),
    "being prepared": ("EBUSY", W + "/network/forks", lambda bb: fault(bb, "/forks", "status", status=202)),
    "too many trees": ("EDQUOT", W + "/tree", lambda bb: contextlib.nullcontext()),
    "no network": ("ENETUNREACH", W + "/settings/permissions/users", lambda bb: offline(bb)),
    "a server's fault": ("EIO", W + "/settings/deploy-keys", lambda bb: fault(bb, "/deploy-keys", "status", status=500)),
    "silence": ("ETIMEDOUT", W + "/settings/default-reviewers", lambda bb: fault(bb, "/default-reviewers", "stall")),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_what_is_refused_is_told_by_every_program(shared_bb, listed, tmp_path, why):
    name, path, refuse = REFUSALS[why]
    os.stat(listed / path)      # it stays listed, and a look at its name is none at what is in it
    with refuse(shared_bb):
        ran = run_all(listed / path, tmp_path)
        with pytest.raises(OSError) as e:
            os.listdir(listed / path)
    assert errno.errorcode[e.value.errno] == name
    silent = {r.name for r in ran if not r.told}
    assert silent <= SILENT, {r.name: r.said for r in ran}
    rsync = next(r for r in ran if r.name.startswith("rsync"))
    assert os.path.exists(rsync.kept), "a copy lost what the mount could not show"
    assert any(line.split("\t")[1:3] == [path, name] for line in listed.errors().splitlines() if line.count("\t") > 2), listed.errors()


def test_what_is_being_prepared_is_asked_for_at_every_look(shared_bb, listed):
    path = W + "/network/forks"
    refused = shared_bb.fault("/forks", "status", status=202)
    for n in (1, 2, 3):
        with pytest.raises(OSError) as e:
            os.listdir(listed / path)
        assert e.value.errno == errno.EBUSY and refused.hits == n
    refused.remove()
    assert "index.tsv" in listed.ls(path)
    assert "still preparing" in listed.errors()


def test_a_directory_that_can_be_listed_is_no_trouble(listed, tmp_path):
    """The test of the test: of the very same programs none tells of anything, and rsync deletes what is not there."""
    ran = run_all(listed / "acme/infra/tree", tmp_path)
    assert not [(r.name, r.said) for r in ran if r.told and r.name != "git diff --no-index"]
    assert not os.path.exists(next(r for r in ran if r.name.startswith("rsync")).kept)
