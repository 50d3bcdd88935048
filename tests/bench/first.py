"""The first file of a repository, beside `git clone --depth 1` and cat, 50 ms and 100 Mbit/s away.

The workspace is mounted and its answers of the API are cached. Ours is read as by a person: the repository's directory is
entered a while before, or, "at once", by the open itself; of git's server nothing is known yet, or an earlier mount has seen
it. The clone goes to memory. Medians; the two take turns.

    tests/bench/first.py [--binary FILE] [--runs N] [--loopback] [--no-scale] [REPO.git…]

REPO.git: bare repositories, mirrors of real ones, beside a tiny one. Then what a tree costs: its first file, of 400,000 files
and of 5,000, files as many in each directory.
"""
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import alone

RTT, RATE = 0.05, 12.5e6
GOALS = {"git": 0.12, "test262": 0.16, "libgit2": 0.2, "tiny": 0.9}
FILES, PER_DIRECTORY, FLAT = (5000, 400000), 13, 2


def build(where, files):
    """Directories three deep, small files."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
    git = subprocess.Popen(["git", "--git-dir", where, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    put = git.stdin.write
    put(b"commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 5\nfiles")
    for i in range(files):
        d = i // PER_DIRECTORY
        text = b"file %d of a tree\n" % i
        put(b"M 100644 inline top%d/mid%d/dir%d/file%d.txt\ndata %d\n%s" % (d // 1000, d // 32, d, i, len(text), text))
    put(b"M 100644 inline README.md\ndata 5\nread\n")
    git.stdin.close()
    assert git.wait() == 0


def first_of(repo):
    """A file of the top directory."""
    lines = subprocess.check_output(["git", "-C", repo, "ls-tree", "HEAD"], text=True).splitlines()
    names = [line.split("\t", 1)[1] for line in lines if " blob " in line]
    return next((n for n in names if n.startswith("README")), names[0])


class First:
    def __init__(self, bench, far):
        self.bench, self.far = bench, f"http://127.0.0.1:{far.port}"
        self.bb, self.table, self.runs, self.ms = bench.bb, bench.table, bench.runs, bench.ms

    def repository(self, slug, git_dir):
        real = self.bb.create_repo("acme", slug)
        real.git_dir = os.path.abspath(git_dir)
        real.size = sum(os.path.getsize(os.path.join(d, n)) for d, _, names in os.walk(git_dir) for n in names)
        real.mainbranch = subprocess.check_output(["git", "-C", git_dir, "symbolic-ref", "--short", "HEAD"], text=True).strip()
        return f"acme/{slug}"

    def ours(self, name, path, entered, seen=False):
        """Seconds, bytes and requests."""
        m = self.bench.cold(BITBUCKETFS_GIT_URL=self.far)
        if seen:
            os.listdir(m / "acme/website/tree")
            m.unmount()
            m = self.bench.mounts(cache=f"cache{self.bench.n}", BITBUCKETFS_GIT_URL=self.far)
        os.stat(m / name)
        mark = self.bb.log.mark()
        if entered:
            os.listdir(m / name)
            time.sleep(1)
        start = time.perf_counter()
        with open(m / f"{name}/tree/{path}", "rb") as f:
            f.read()
        took = time.perf_counter() - start
        log = self.bb.log.since(mark, r"\.git/")
        m.unmount()
        return took, sum(e["bytes"] for e in log), len(log)

    def clone(self, name, path):
        where = tempfile.mkdtemp(dir="/dev/shm")
        start = time.perf_counter()
        subprocess.run(["git", "-c", "http.extraHeader=" + self.bench.git_header, "clone", "-q", "--depth", "1",
                        f"{self.far}/{name}.git", where], check=True)
        with open(os.path.join(where, path), "rb") as f:
            f.read()
        took = time.perf_counter() - start
        shutil.rmtree(where)
        return took

    def row(self, what, name, path, goal):
        entered, at_once, seen, other = [], [], [], []
        for _ in range(self.runs):
            entered.append(self.ours(name, path, True))
            at_once.append(self.ours(name, path, False))
            seen.append(self.ours(name, path, False, True))
            other.append(self.clone(name, path))
        for how, mine in (("entered before", entered), ("at once", at_once), ("at once, a server seen before", seen)):
            ratio = statistics.median(x[0] / y for x, y in zip(mine, other))
            self.table.add(f"{what}, {how}; clone and cat", self.ms(statistics.median(x[0] for x in mine)),
                           self.ms(statistics.median(other)), f"{ratio:.2f}", f"<= {goal}", ratio <= goal)
            self.table.add("  bytes down, requests of git", f"{statistics.median(x[1] for x in mine) / 1e3:.0f} kB",
                           str(max(x[2] for x in mine)))

    def flat(self, place):
        took = {}
        for n in FILES:
            where = str(place / f"files{n}.git")
            build(where, n)
            name = self.repository(f"files{n}", where)
            # A little more than it is: a small one would come whole.
            self.bb.state.repository(*name.split("/")).size += 4 << 20
            took[n] = statistics.median(self.ours(name, "README.md", False)[0] for _ in range(self.runs))
        few, many = FILES
        ratio = took[many] / took[few]
        self.table.add(f"first file of {many:,} files; of {few:,}", self.ms(took[many]), self.ms(took[few]),
                       f"{ratio:.2f}", f"<= {FLAT}", ratio <= FLAT)


def distant(bb, loopback):
    from proxy import Proxy
    return Proxy(bb.port, 0 if loopback else RTT / 2, 1e12 if loopback else RATE)


def main():
    args = alone.arguments(__doc__, runs=5)
    args.add_argument("--loopback", action="store_true")
    args.add_argument("--no-scale", action="store_true")
    args.add_argument("repos", nargs="*")
    a = args.parse_args()
    alone.choose(a.binary)
    with alone.bench(a.runs) as bench, distant(bench.bb, a.loopback) as far:
        first = First(bench, far)
        first.row("tiny", "acme/widgets", "README.md", GOALS["tiny"])
        for repo in a.repos:
            slug = os.path.basename(os.path.abspath(repo)).removesuffix(".git").lower()
            first.row(slug, first.repository(slug, repo), first_of(repo), GOALS.get(slug, 0.2))
        if not a.no_scale:
            first.flat(bench.mounts.place)


if __name__ == "__main__":
    main()
