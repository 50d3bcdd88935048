"""The bound of the cache: 2 GB of blobs go while 20 processes read.

Each file is called by the SHA-1 of its bytes, so that a reader needs nobody to tell a wrong byte. The readers move on through
the repositories, four at a time, for two seconds each; what was evicted they bring again. With --random they open files of all
repositories, of some more often than of others: what is in use is then more than the bound, and stays.

    tests/bench/evict.py [--binary FILE] [--bound MB] [--total MB] [--random]
"""
import hashlib
import os
import random
import subprocess
import sys
import threading
import time

import alone

REPOSITORIES, READERS = 20, 20
MB = 1 << 20
SMALL, BIG = (MB,) * 24, (10 * MB,)     # bytes of the files of a repository
SLACK = 1.05
WINDOW, MOVE_S = 4, 2                   # repositories that are read at a time, and how long until the next one


def build(where, seed):
    """A bare repository of files that no compression makes smaller."""
    chance = random.Random(seed)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
    files = [chance.randbytes(size) for size in SMALL + BIG]
    names = [hashlib.sha1(f).hexdigest() for f in files]
    parts = [b"commit refs/heads/main\ncommitter A <a@example.org> 1600000000 +0000\ndata 1\nm\n"]
    for name, data in zip(names, files):
        parts += [b"M 100644 inline files/%s\ndata %d\n" % (name.encode(), len(data)), data, b"\n"]
    subprocess.run(["git", "-c", "core.compression=0", "--git-dir", where, "fast-import", "--quiet"], check=True,
                   input=b"".join(parts))


def choose(chance, n, at_random):
    if at_random:
        return min(int(chance.expovariate(6 / n)), n - 1)
    return (int(time.time() / MOVE_S) + chance.randrange(WINDOW)) % n


def read_on(top, slugs, seed, stop, at_random):
    """A reader: ends when the file `stop` is there; says how many files and errors there were, how many wrong."""
    chance = random.Random(seed)
    n = wrong = 0
    errors = []
    names = {}
    while not os.path.exists(stop):
        slug = slugs[choose(chance, len(slugs), at_random)]
        place = os.path.join(top, slug, "tree/files")
        try:
            if slug not in names:
                names[slug] = sorted(os.listdir(place))
            name = chance.choice(names[slug])
            with open(os.path.join(place, name), "rb") as f:
                wrong += hashlib.file_digest(f, "sha1").hexdigest() != name
            n += 1
        except OSError as e:
            errors.append(str(e))
            time.sleep(1)               # otherwise twenty readers would leave the daemon no processor
    print(n, wrong, len(errors), *errors[:1], sep="\t")


def disk_bytes(top):
    """What du says; files that go meanwhile are not counted."""
    n = 0
    for place, _, names in os.walk(top):
        for name in names:
            try:
                n += os.lstat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return n


class Watch:
    """The most that the cache took, looked at ten times a second, and what was fetched so far."""

    def __init__(self, cache):
        self.cache, self.most, self.now, self.over = cache, 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.1):
            self.now = disk_bytes(self.cache)
            self.most = max(self.most, self.now)

    def end(self):
        self.over.set()
        self.thread.join()


def all_of_it(bb, mounts, table, bound, total, at_random):
    place = str(mounts.place)
    slugs = []
    for i in range(REPOSITORIES):
        where = os.path.join(place, f"evict{i:02}.git")
        build(where, i)
        real = bb.create_repo("acme", f"evict{i:02}")
        real.git_dir, real.mainbranch = where, "main"
        slugs.append(real.slug)
    m = mounts(f"cache_size={bound}M", "trees=100000")
    watch = Watch(m.cache)
    stop = os.path.join(place, "stop")
    began, mark = time.monotonic(), bb.log.mark()
    them = [subprocess.Popen([sys.executable, os.path.abspath(__file__), "--reader", m / "acme", stop, str(i),
                              str(int(at_random)), *slugs], stdout=subprocess.PIPE, text=True) for i in range(READERS)]
    each = sum(SMALL + BIG)

    def evicted():
        fetched = sum((e["git"] or {}).get("command") == "fetch" for e in bb.log.since(mark, r"POST .*/git-upload-pack"))
        return fetched * each - watch.now
    while evicted() < total * MB and time.monotonic() - began < 1800:
        time.sleep(0.5)
    gone, took = evicted(), time.monotonic() - began
    with open(stop, "w"):
        pass
    said = [p.communicate()[0].rstrip("\n").split("\t") for p in them]
    watch.end()
    errors = [s[3] for s in said if len(s) > 3]
    table.add(f"evicted while {READERS} read, of {REPOSITORIES} repositories of {each / MB:.0f} MiB", f"{gone / 1e9:.2f} GB",
              goal=f">= {total * MB / 1e9:.2f} GB", met=gone >= total * MB)
    table.add("  in", f"{took:.0f} s")
    table.add("  files that were read", f"{sum(int(s[0]) for s in said):,}")
    for what, i in (("wrong bytes", 1), ("errors", 2)):
        n = sum(int(s[i]) for s in said)
        table.add("  " + what, str(n), goal="0", met=n == 0)
    table.add("  the most that the cache took; its bound", f"{watch.most / MB:.0f} MiB", f"{bound} MiB",
              f"{watch.most / MB / bound:.3f}", f"<= {SLACK}", watch.most <= SLACK * bound * MB)
    table.add("  RssAnon afterwards", f"{m.rss_anon() / 1e6:.1f} MB")
    stores = [os.path.join(top, f) for top, folders, _ in os.walk(m.cache) for f in folders if f.endswith(".git")]
    bad = [s for s in stores if subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", s, "fsck", "--no-dangling"],
                                               capture_output=True, check=False).returncode]
    table.add("  stores that git fsck complains of", str(len(bad)), goal="0", met=not bad)
    if errors:
        print("\n".join(sorted(set(errors))[:5]), file=sys.stderr)
        print(m.errors()[-2000:], file=sys.stderr)


def main():
    args = alone.arguments(__doc__)
    args.add_argument("--bound", type=int, default=512)
    args.add_argument("--total", type=int, default=2048)
    args.add_argument("--random", action="store_true")
    a = args.parse_args()
    alone.choose(a.binary)
    with alone.bench() as bench:
        all_of_it(bench.bb, bench.mounts, bench.table, a.bound, a.total, a.random)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        read_on(sys.argv[2], sys.argv[6:], int(sys.argv[4]), sys.argv[3], sys.argv[5] == "1")
    else:
        main()
