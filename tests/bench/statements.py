"""SQLite statements of looks that the cache answers: a lookup, a listing of a thousand lines, every info.

    tests/bench/statements.py [--binary FILE]       alone; otherwise tests/bench/run calls it

The kernel knows nothing (a mount is fresh), the cache everything. What counts them is preloaded (statements.c), so any build
can be asked; where there is no compiler, nothing is said. What a mount does by itself is waited for before.
"""
import os
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WS, PULLS = "monolith-labs", "edge/busy/pullrequests"


class Counter:
    def __init__(self, place):
        self.library, self.file = str(place / "statements.so"), str(place / "statements.count")
        with open(self.file, "wb") as f:
            f.write(bytes(8))
        self.works = shutil.which("cc") and subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", self.library, os.path.join(HERE, "statements.c"), "-ldl"]).returncode == 0

    @property
    def environment(self):
        return {"LD_PRELOAD": self.library, "BENCH_STATEMENTS": self.file}

    def read(self):
        with open(self.file, "rb") as f:
            return struct.unpack("=Q", f.read(8))[0]

    def settled(self):
        """When a fresh mount has asked who the user is, and noted it."""
        value, same = self.read(), 0
        while same < 10:
            time.sleep(0.05)
            before, value = value, self.read()
            same = same + 1 if value == before else 0
        return value

    def of(self, action):
        before = self.settled()
        action()
        return self.read() - before


def read(path):
    with open(path, "rb") as f:
        return f.read()


def quiet(*command):
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def all_of_it(bench):
    counter = Counter(bench.mounts.place)
    if not counter.works:
        return
    m = bench.mounts(cache="statements")
    names = [n for n in sorted(os.listdir(m / WS)) if not n.startswith(".")]
    for n in names:
        read(m / f"{WS}/{n}/info")
    read(m / f"{PULLS}/index.tsv")
    pulls = sorted((n for n in os.listdir(m / PULLS) if n.isdigit()), key=int)
    for n in pulls:
        read(m / f"{PULLS}/{n}/info")
    m.unmount()

    def fresh():
        return bench.mounts(cache="statements", **counter.environment)

    def per(what, n, of):
        bench.table.add(f"statements: {what}", f"{n / of:.1f}" if of > 1 else str(n), f"{n} in all" if of > 1 else "")
    m = fresh()
    os.stat(m / WS)
    per(f"lookup of one of {len(names):,} repositories", counter.of(lambda: os.stat(m / f"{WS}/{names[0]}")), 1)
    per("lookup of its info", counter.of(lambda: os.stat(m / f"{WS}/{names[0]}/info")), 1)
    per("lookup of its pullrequests/", counter.of(lambda: os.stat(m / f"{WS}/{names[0]}/pullrequests")), 1)
    m.unmount()
    m = fresh()
    per(f"ls -l of {len(names):,} repositories, a line", counter.of(quiet("ls", "-l", m / WS)), len(names))
    files = [m / f"{WS}/{n}/info" for n in names]
    per("cat of every info, a file", counter.of(lambda: [read(f) for f in files]), len(names))
    m.unmount()
    m = fresh()
    os.stat(m / PULLS)
    per("lookup of a pull request", counter.of(lambda: os.stat(m / f"{PULLS}/{pulls[0]}")), 1)
    per("lookup of its info", counter.of(lambda: os.stat(m / f"{PULLS}/{pulls[0]}/info")), 1)
    per(f"ls -l of {len(pulls)} pull requests, a line", counter.of(quiet("ls", "-l", m / PULLS)), len(pulls))
    m.unmount()


def alone():
    import pathlib
    import runpy
    import tempfile
    bench = runpy.run_path(os.path.join(HERE, "run"), run_name="bench")
    if sys.argv[1:2] == ["--binary"]:
        os.environ["BITBUCKETFS"] = os.path.abspath(sys.argv[2])
    sys.path[:0] = [os.path.join(HERE, "..", "mount")]
    import harness
    place = pathlib.Path(tempfile.mkdtemp(prefix="bitbucketfs-bench-", dir="/var/tmp"))
    table = bench["Table"]()
    with harness.Bitbucket(harness.DATA, data="tests") as bb:
        mounts = harness.Mounts(bb, place)
        try:
            all_of_it(bench["Bench"](bb, mounts, table, 1))
        finally:
            mounts.take_down()
            shutil.rmtree(place, ignore_errors=True)
    table.show()


if __name__ == "__main__":
    alone()
