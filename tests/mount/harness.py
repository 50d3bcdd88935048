"""Mounts of the program under test, as tests and benches make them: Mount, Mounts, and the oracle of trees.

BITBUCKETFS names the binary (default build/src/bitbucketfs).
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))

from bitbucket import Bitbucket  # noqa: E402

BINARY = os.environ.get("BITBUCKETFS", os.path.join(TOP, "build", "src", "bitbucketfs"))
SANITIZED = bool(os.environ.get("BITBUCKETFS_SANITIZED"))
PATIENCE = 60 if SANITIZED else 20
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|bitbucketfs: bug at|Assertion")
# How git's server is (GIT), so that tests of trees are run against each: words of BITBUCKETFS_TEST_GIT.
#   large     every repository says that it is large: trees are fetched filtered
#   nofilter  filters are not offered
#   v0        git's old protocol
LARGE = 100 << 20
GIT = os.environ.get("BITBUCKETFS_TEST_GIT", "").split()
FILTERED = "large" in GIT and "nofilter" not in GIT
GIT_OPTIONS = {"least_size": LARGE if "large" in GIT else 0, "filter": "nofilter" not in GIT, "v2": "v0" not in GIT}
DATA = os.environ.get("BITBUCKETFS_TEST_DATA", os.path.join(tempfile.gettempdir(), f"bitbucketfs-test-data-{os.getuid()}"))


def await_true(condition, what, timeout=PATIENCE):
    """Returns what condition() gives once it is true; looks every few milliseconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.005)


def mounted(path):
    """The (filesystem type, source, options) of a mount point, without touching it; or None."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ")
            where = left.split()[4].encode().decode("unicode_escape")
            if where == path:
                kind, source = right.split()[:2]
                return kind, source.encode().decode("unicode_escape"), left.split()[5] + "," + right.split()[2]
    return None


def preloaded(library):
    """LD_PRELOAD of a library: behind that of a sanitizer, which has to be the first."""
    linked = subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout
    return ":".join([*re.findall(r"=> (\S+/lib[at]san\.so\S*)", linked), str(library)])


class Mount:
    """One running daemon. `path` is the mount point, `log` what it said so far."""

    def __init__(self, where, cache, environment, options, arguments=()):
        self.path, self.cache = where, cache
        self.environment = environment
        self.log_file = tempfile.NamedTemporaryFile(prefix="bitbucketfs-log-", delete=False)
        command = [BINARY, "-f"]
        for option in options:
            command += ["-o", option]
        self.process = subprocess.Popen(command + list(arguments) + [where], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file)

    def wait(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"bitbucketfs ended with {self.process.returncode}: {self.log}")
            return mounted(self.path) and b" is mounted at " in self.log_bytes()
        await_true(ready, f"mounted at {self.path}")
        return self

    def log_bytes(self):
        with open(self.log_file.name, "rb") as f:
            return f.read()

    @property
    def log(self):
        return self.log_bytes().decode(errors="replace")

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def read(self, name, mode="r"):
        with open(self / name, mode) as f:
            return f.read()

    def ls(self, name=""):
        """What a plain `ls` of a workspace shows, and all of what is elsewhere."""
        names = os.listdir(os.fsencode(self / name) if isinstance(name, bytes) else self / name)
        return sorted(n for n in names if n != ".workspace")

    def status(self):
        import json
        return json.loads(self.read(".bitbucketfs/status.json"))

    def errors(self):
        return self.read(".bitbucketfs/errors")

    def told(self, path):
        """The line about PATH, awaited: the first of a cause is one of `errors`, the last of its repeats in the status' sum."""
        def line():
            lines = (self.errors() + self.read(".bitbucketfs/status")).splitlines()
            return next((x for x in lines if x.count("\t") == 3 and x.split("\t")[1] == path), None)
        return await_true(line, f"a line about {path}")

    def refresh(self, path=""):
        """Asks again for PATH; what it says."""
        return self.read(os.path.join(".bitbucketfs/refresh", path, ".now"))

    def rss_anon(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) * 1024

    def kill(self):
        """As a crash: the mount is left dead."""
        self.process.kill()
        self.process.wait()

    def unmount(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the daemon did not end: " + self.log)

    def take_down(self):
        try:
            self.unmount()
        finally:
            if mounted(self.path):
                subprocess.run(["umount", "-l", self.path], check=False)
            said = self.log
            os.unlink(self.log_file.name)
            assert not mounted(self.path), "a stray mount was left"
            assert not REPORT.search(said), said


class Mounts:
    """Makes mounts; they share the cache directory unless another one is named."""

    def __init__(self, bb, place):
        self.bb, self.place, self.all = bb, place, []

    def environment(self, account="ada", **more):
        e = {k: v for k, v in os.environ.items()
             if not k.startswith("BITBUCKETFS") and not k.endswith("_proxy")}
        e.update(HOME=str(self.place / "home"), XDG_CACHE_HOME=str(self.place / "xdg-cache"),
                 XDG_CONFIG_HOME=str(self.place / "xdg-config"), XDG_RUNTIME_DIR=str(self.place / "xdg-run"),
                 XDG_STATE_HOME=str(self.place / "xdg-state"))
        for name in ("home", "xdg-run"):
            (self.place / name).mkdir(exist_ok=True)
        if self.bb:
            e.update(BITBUCKETFS_API_URL=self.bb.api_url, BITBUCKETFS_GIT_URL=self.bb.git_url)
        if account:
            a = self.bb.accounts[account]
            e["BITBUCKETFS_TOKEN"] = a.token
            if a.email:
                e["BITBUCKETFS_EMAIL"] = a.email
            elif a.username:
                e["BITBUCKETFS_USERNAME"] = a.username
        e.update(more)
        return e

    def __call__(self, *options, account="ada", cache="cache", where=None, wait=True, arguments=(), **environment):
        if where is None:
            where = str(self.place / f"mnt{len(self.all)}")
            os.mkdir(where)
        directory = str(self.place / cache)
        m = Mount(where, directory, self.environment(account, **{"BITBUCKETFS_CACHE_DIR": directory, **environment}), options,
                  arguments)
        self.all.append(m)
        return m.wait() if wait else m

    def run(self, *arguments, account="ada", cache="cache", timeout=PATIENCE, **environment):
        """The program as a person runs it, to its end: the finished process with its output."""
        e = self.environment(account, **{"BITBUCKETFS_CACHE_DIR": str(self.place / cache), **environment})
        return subprocess.run([BINARY, *arguments], env=e, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)

    def take_down(self):
        failures = []
        for m in self.all:
            try:
                m.take_down()
            except AssertionError as e:
                failures.append(str(e))
        assert not failures, "\n".join(failures)


def checkout(git_dir, where, commit="HEAD", paths=(".",)):
    """The oracle: what git checks out, without any conversion (the contract: entries exactly as they are in the tree)."""
    os.makedirs(where)
    private = where + ".git"
    subprocess.run(["git", "clone", "-q", "--bare", "--no-local", "--depth", "1", "file://" + git_dir, private], check=True,
                   stderr=subprocess.DEVNULL)
    os.makedirs(os.path.join(private, "info"), exist_ok=True)
    with open(os.path.join(private, "info", "attributes"), "w") as f:
        f.write("* -text -eol -ident -filter -working-tree-encoding\n")
    subprocess.run(["git", "--git-dir", private, "--work-tree", where, "-c", "core.longpaths=true", "checkout", "-q", "-f",
                    commit, "--", *paths], check=True)
    fill_submodules(git_dir, where, commit)
    return where


def fill_submodules(git_dir, where, commit):
    """Those of the repository itself; others are not followed in the data of tests (tests/bitbucket/submodules.py has them)."""
    git = ["git", "-c", "safe.directory=*", "--git-dir", git_dir]
    for entry in subprocess.run([*git, "ls-tree", "-r", "-z", commit], check=True, capture_output=True).stdout.split(b"\0"):
        if entry.startswith(b"160000 "):
            words, path = entry.split(b"\t")
            inner = words.split()[2].decode()
            if subprocess.run([*git, "cat-file", "-e", inner], capture_output=True).returncode == 0:
                files = subprocess.run([*git, "archive", inner], check=True, capture_output=True).stdout
                subprocess.run(["tar", "-x", "-C", os.path.join(os.fsencode(where), path)], input=files, check=True)


def same_trees(a, b):
    """Empty when two directories have the same names, kinds, contents and links."""
    return subprocess.run(["diff", "-r", "--no-dereference", a, b], capture_output=True).stdout.decode(errors="replace")
