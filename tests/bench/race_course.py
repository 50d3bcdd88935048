"""What the race is run over: one repository, the trees of it that are native, the files that are looked at; and the figures."""
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict

import harness
from bitbucket import data_hard, gitrepo

PATIENCE = 180                          # seconds that one command may take
# Of more files than this one walk is enough, and one tool.
MANY = 200000
NOTHING = "no-such-words-anywhere"
TOOLS = {"find": ["find"], "ls -lR": ["ls", "-lR"], "grep -r": ["grep", "-r", NOTHING],
         "rg": ["rg", "-uu", NOTHING], "du": ["du", "-s"]}


class Processes:
    """Each runs in a group of its own, which is ended with all that it started."""

    def __init__(self):
        self.now = None

    def run(self, command, env=None, good=(0,), **more):
        self.now = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, process_group=0,
                                    **{"stdout": subprocess.DEVNULL, **more})
        try:
            out, _ = self.now.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.end()
            raise RuntimeError(f"{' '.join(map(str, command))}: not within {PATIENCE} s") from None
        status, self.now = self.now.returncode, None
        if status not in good:
            raise RuntimeError(f"{' '.join(map(str, command))}: status {status}")
        return out

    def seconds(self, command, **more):
        start = time.perf_counter()
        self.run(command, **more)
        return time.perf_counter() - start

    def end(self):
        if self.now:
            try:
                os.killpg(self.now.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.now.wait()
            self.now = None


class Figures:
    """(repository, net, row, way) -> values of the runs."""

    def __init__(self):
        self.values, self.here, self.failures, self.began = defaultdict(list), ("", ""), [], time.monotonic()

    def at(self, repository, net):
        self.here = (repository, net)

    def add(self, row, way, value):
        self.values[(*self.here, row, way)].append(value)
        return value

    def say(self, what):
        print(f"  {time.monotonic() - self.began:6.0f} s  {' '.join(self.here)}: {what}", file=sys.stderr, flush=True)

    def fail(self, what, error):
        self.failures.append(f"{' '.join(self.here)}, {what}: {error}")
        print("  FAILED " + self.failures[-1], file=sys.stderr, flush=True)

    def median(self, repository, net, row, way):
        values = self.values.get((repository, net, row, way))
        return statistics.median(values) if values else None

    def tsv(self):
        lines = ["repository\tnet\trow\tway\tmedian\tvalues"]
        for key, values in self.values.items():
            lines.append("\t".join((*key, f"{statistics.median(values):.6g}", " ".join(f"{v:.6g}" for v in values))))
        return "\n".join(lines) + "\n"


def forest(n):
    """A synthetic repository, made once."""
    where = os.path.join(harness.DATA, f"race-forest-{n}.git")
    if not os.path.exists(where):
        shutil.rmtree(where + ".new", ignore_errors=True)
        print(f"  planting {n:,} files", file=sys.stderr, flush=True)
        # Of very many small ones, so that it is their number that counts.
        data_hard.forest(where + ".new", n, max(n // 27, 1), longest=2600 if n < 100000 else 200)
        os.rename(where + ".new", where)
    return where


class Course:
    def __init__(self, bb, name, git_dir, n_files, place, memory, processes):
        self.bb, self.name, self.place, self.memory, self.processes = bb, name, place, memory, processes
        self.slug = "race-" + name
        r = bb.create_repo("acme", self.slug, pristine="tiny")
        if name != "tiny":
            r.git_dir = git_dir or forest(n_files)
            r.mainbranch = gitrepo.git(r.git_dir, "symbolic-ref", "--short", "HEAD").decode().strip()
            r.size = gitrepo.size(r.git_dir)
        self.git_dir = bb.git_dir(r)
        self.pick()
        self.native = {}
        self.n = 0

    def pick(self):
        """The files that are looked at: a first one at the top, deep ones of directories that have few others."""
        lines = gitrepo.git(self.git_dir, "ls-tree", "-r", "-l", "-z", "HEAD").decode("utf-8", "surrogateescape").split("\0")[:-1]
        files = []
        for line in lines:
            facts, path = line.split("\t", 1)
            mode, _, oid, size = facts.split()
            if mode.startswith("100") and 0 < int(size) < 100000:
                files.append((path, oid, int(size)))
        self.n_files = len(lines)
        top = [f for f in files if "/" not in f[0]] or files
        deep = [f for f in files if f[0].count("/") >= 2] or [f for f in files if "/" in f[0]] or files
        self.first = next((f for f in top if re.match("readme", f[0], re.I)), top[0])
        self.deep = deep[len(deep) // 2]
        far = {os.path.dirname(f[0]): f for f in deep}
        self.others = list(far.values())[:: max(1, len(far) // 40)][:40]
        self.directory = os.path.dirname(self.others[-1][0])
        self.tree = gitrepo.git(self.git_dir, "rev-parse", "HEAD:" + self.directory).decode().strip()

    def checkout(self, where):
        """The native tree on "ext4" (the disk) or in "memory"."""
        if where not in self.native:
            path = str((self.memory if where == "memory" else self.place) / f"native-{self.name}")
            self.native[where] = harness.checkout(self.git_dir, path)
            shutil.rmtree(path + ".git")
        return self.native[where]

    def fresh(self, kind="way"):
        """A name in memory where nothing is."""
        self.n += 1
        return str(self.memory / f"{kind}-{self.name}-{self.n}")

    def tool(self, name, path):
        command = TOOLS[name]
        return self.processes.seconds([*command, path], good=(0, 1))

    def copy(self, path):
        where = self.fresh("copy")
        took = self.processes.seconds(["cp", "-r", path, where])
        shutil.rmtree(where)
        return took

    def traffic(self, mark):
        """(bytes down, requests) of git since a mark, once all is answered."""
        self.bb.log.idle(60)
        entries = self.bb.log.since(mark, r"\.git/")
        return sum(e["bytes"] for e in entries), len(entries)

    def forget(self):
        for path in self.native.values():
            shutil.rmtree(path, ignore_errors=True)
        self.bb.delete_repo("acme", self.slug)


def disk(*paths):
    """Bytes that are allocated below."""
    out = subprocess.run(["du", "-sc", "-B1", *paths], stdout=subprocess.PIPE, check=True).stdout
    return int(out.split(b"\n")[-2].split()[0])
