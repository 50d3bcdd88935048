"""Large directories of a tree: what an entry costs in a listing, what a fresh name costs in a stat.

What the daemon itself spends on an entry is told besides, because it is much the same on a machine that does other things.
All directories are in one repository: that of 1,000 pays for the first looks into the index of all.

    tests/bench/bigdir.py [--binary FILE] [SIZE…]       alone; otherwise tests/bench/run calls it
"""
import hashlib
import os
import random
import statistics
import subprocess
import time

import alone

SIZES = (1000, 10000, 100000, 400000)
ENTRY_US, STAT_US, NAMES = 12, 200, 1000
LINEAR = 1.5


def build(where, sizes):
    """A bare repository with a directory of each size; every file has a content of its own. (fast-import makes the blobs only:
    it takes a second look at each name of a directory for each that comes.)"""
    git = ["git", "--git-dir", where]
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
    texts = [b"%d\n" % i for i in range(max(sizes))]
    subprocess.run([*git, "fast-import", "--quiet"], check=True,
                   input=b"".join(b"blob\ndata %d\n%s\n" % (len(t), t) for t in texts))
    ids = [hashlib.sha1(b"blob %d\0%s" % (len(t), t)).hexdigest() for t in texts]

    def tree(lines):
        return subprocess.run([*git, "mktree", "--missing"], check=True, input="".join(lines), text=True,
                              stdout=subprocess.PIPE).stdout.strip()
    top = tree(f"040000 tree {tree(f'100644 blob {ids[i]}' + chr(9) + f'file-{i:06}.txt' + chr(10) for i in range(size))}\td{size}\n"
               for size in sizes)
    commit = subprocess.run([*git, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit-tree", "-m", "files", top],
                            check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    subprocess.run([*git, "update-ref", "refs/heads/main", commit], check=True)


def daemon_seconds(m):
    """The daemon's own time on a processor so far, which other programs of the machine do not change much."""
    spent = 0
    for task in os.listdir(f"/proc/{m.process.pid}/task"):
        try:
            with open(f"/proc/{m.process.pid}/task/{task}/schedstat") as f:
                spent += int(f.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread that had nothing to do
    return spent / 1e9


def stat_names(m, path, size):
    """The median of 1,000 names that nobody asked for, in us, once the tree is kept."""
    names = random.Random(size).sample(range(size), min(size, NAMES + 1))
    took = []
    for i in names:
        start = time.perf_counter()
        os.stat(m / f"{path}/file-{i:06}.txt")
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:]) * 1e6


def all_of_it(bench, sizes=SIZES):
    table, where = bench.table, str(bench.mounts.place / "bigdir.git")
    build(where, sizes)
    real = bench.bb.create_repo("acme", "bigdir")
    real.git_dir, real.mainbranch = where, "main"
    m = bench.cold()
    os.listdir(m / "acme/bigdir/tree")
    cache = os.path.basename(m.cache)
    m.unmount()
    own = {}
    for size in sizes:
        path, each, cpu, stats, rss = f"acme/bigdir/tree/d{size}", [], [], [], []
        for _ in range(bench.runs):
            m = bench.mounts(cache=cache)
            os.listdir(m / "acme/bigdir/tree")
            stats.append(stat_names(m, path, size))
            m.unmount()
            m = bench.mounts(cache=cache)
            os.listdir(m / "acme/bigdir/tree")
            start, spent = time.perf_counter(), daemon_seconds(m)
            assert len(os.listdir(m / path)) == size
            each.append((time.perf_counter() - start) / size * 1e6)
            cpu.append((daemon_seconds(m) - spent) / size * 1e6)
            rss.append(m.rss_anon())
            m.unmount()
        a, b = statistics.median(each), statistics.median(stats)
        own[size] = statistics.median(cpu)
        table.add(f"a directory of {size:,}: an entry of its first listing", f"{a:.1f} us", goal=f"<= {ENTRY_US} us",
                  met=a <= ENTRY_US)
        table.add("  of it the daemon's own", f"{own[size]:.1f} us")
        table.add(f"  stat of {NAMES:,} fresh names, median", f"{b:.0f} us", goal=f"<= {STAT_US} us", met=b <= STAT_US)
        table.add("  RssAnon afterwards", f"{max(rss) / 1e6:.1f} MB")
    if len(sizes) > 1:
        many = max(sizes)
        few = min((s for s in sizes if 10000 <= s < many), default=min(sizes))
        ratio = own[many] / own[few]
        table.add(f"the daemon's own, an entry of {many:,}; of {few:,}", f"{own[many]:.1f} us", f"{own[few]:.1f} us",
                  f"{ratio:.2f}", f"<= {LINEAR}", ratio <= LINEAR)


def main():
    args = alone.arguments(__doc__, runs=3)
    args.add_argument("sizes", nargs="*", type=int)
    a = args.parse_args()
    alone.choose(a.binary)
    with alone.bench(a.runs) as bench:
        all_of_it(bench, tuple(a.sizes) or SIZES)


if __name__ == "__main__":
    main()
