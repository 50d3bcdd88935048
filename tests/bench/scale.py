"""Where there is ten times as much: seconds, requests, memory of the daemon and size of the database, at a tenth and at all of it.

    tests/bench/run --scale [--binary FILE]     alone; no other part of the bench is run

Each row is a mount with an empty cache, a local Bitbucket that answers at once, one thing that is listed. "x" is what ten times
as much costs, over what the tenth cost: 10 is linear. "own" is what the daemon itself spent on a processor, which other programs
of the machine do not change much.
"""
import errno
import glob
import os
import shutil
import subprocess
import threading
import time

SHARE = 10
REPOSITORIES, WORKSPACES, PULLS, BRANCHES = 10000, 1000, 50000, 20000
FILES, A_DIRECTORY = 400000, 100000
BLOB = 4 * 10 ** 9                      # bytes
CLOSED = 49                             # of so many pull requests one is open
WHEN = "2026-01-01T00:00:00+00:00"
PATIENCE = 600


def own_seconds(m):
    """The daemon's own time on a processor so far, also of threads that have ended."""
    with open(f"/proc/{m.process.pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(int(n) for n in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def database(cache):
    return sum(os.path.getsize(f) for f in glob.glob(f"{cache}/**/cache.db*", recursive=True))


def until_there(look):
    """As somebody who tries again while it is said that the list goes on behind him."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return look()
        except OSError as e:
            if e.errno != errno.EBUSY or time.monotonic() > end:
                raise


class Peak:
    """The most anonymous memory that a daemon had, looked at every few milliseconds."""

    def __init__(self, m):
        self.m, self.most, self.over = m, 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, self.m.rss_anon())

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most


class Measured:
    def __init__(self, bench, match, look, *options):
        """look() brings it and returns how many there are: with an empty cache, and again in another mount over what was kept."""
        m = bench.cold(*options)
        base, peak = m.rss_anon(), Peak(m)
        mark, spent, start = bench.bb.log.mark(), own_seconds(m), time.perf_counter()
        self.n = until_there(lambda: look(m))
        self.seconds, self.own = time.perf_counter() - start, own_seconds(m) - spent
        self.requests = len(bench.bb.log.since(mark, match))
        self.peak, self.rss = peak.end(), m.rss_anon()
        m.unmount()
        m = bench.mounts(*options, cache=os.path.basename(m.cache))
        base = m.rss_anon()
        mark, start = bench.bb.log.mark(), time.perf_counter()
        assert look(m) == self.n
        self.again = time.perf_counter() - start
        assert not bench.bb.log.since(mark, match)
        self.rss_again = m.rss_anon()
        self.each = (self.rss_again - base) / self.n
        m.unmount()
        self.database = database(m.cache)
        shutil.rmtree(m.cache)


def row(table, what, measured):
    """A line for each size; the last has what it costs over the one before."""
    few, many = measured
    for one in measured:
        table.add(f"{what}: {one.n:,}", f"{one.seconds:.1f} s, own {one.own:.2f} s, again {one.again:.2f} s",
                  f"{one.requests} requests, RssAnon {one.peak / 1e6:.1f} at most, {one.rss / 1e6:.1f} then, {one.rss_again / 1e6:.1f} MB "
                  f"again ({one.each:.0f} bytes each), {one.database / 1e6:.1f} MB database")
    n = many.n / few.n
    ratio = many.own / max(few.own, 0.01)
    table.add("  ten times as much costs, x", f"{many.seconds / few.seconds:.1f}, own {ratio:.1f}, again {many.again / few.again:.1f}",
              f"{many.requests / few.requests:.1f} requests, RssAnon {many.peak / few.peak:.1f} at most, {many.database / few.database:.1f} database",
              goal=f"own <= {1.5 * n:.0f}", met=ratio <= 1.5 * n)


def lines(path):
    with open(path, "rb") as f:
        return f.read().count(b"\n") - 1


def repositories(bench, n):
    ws = f"many{n}"
    bench.bb.create_workspace(ws)
    for i in range(n):
        bench.bb.create_repo(ws, f"repository-{i:05}", "tiny", i, description=f"Number {i}", language="c")

    def look(m):
        assert lines(m / f"{ws}/.workspace/repositories/index.tsv") == n
        return len(m.ls(ws))
    found = Measured(bench, r" /2\.0/repositories", look)
    bench.bb.delete_workspace(ws)
    return found


def workspaces(bench, n):
    names = [f"team-{i:04}" for i in range(n)]
    for name in names:
        bench.bb.create_workspace(name)
    found = Measured(bench, r" /2\.0/user/workspaces", lambda m: len([x for x in os.listdir(m.path) if x.startswith("team-")]))
    for name in names:
        bench.bb.delete_workspace(name, gone=False)
    return found


def pulls(bench, n, closed=0):
    from bitbucket.model import START, stamp, timedelta
    from bitbucket.pulls import Pull, Pulls
    bb, slug = bench.bb, f"pulls-{n}-{closed}"
    r = bb.create_repo("acme", slug, "tiny")
    tip = subprocess.check_output(["git", "-C", bb.repo_path("acme", slug), "rev-parse", "main"], text=True).strip()
    when = [stamp(START + timedelta(minutes=i)) for i in range(n + 1)]
    bb.state.pulls[r.uuid] = Pulls(lambda: [Pull(i, f"Change {i}", "ada", f"topic/{i}", when[i], when[i], at=(tip, tip),
                                                 state="MERGED" if closed and i % (closed + 1) else "OPEN")
                                            for i in range(1, n + 1)])
    place = f"acme/{slug}/pullrequests"

    def look(m):
        """The open ones, of the closed ones the newest, and one of the middle by its number."""
        if closed:
            assert m.read(f"{place}/{n // 2 + 1}/info") and lines(m / f"{place}/merged/index.tsv") == 500
        return lines(m / f"{place}/index.tsv")
    return Measured(bench, r"/pullrequests", look)


def branches(bench, n):
    bb, slug = bench.bb, f"branches-{n}"
    bb.create_repo("acme", slug, "tiny")
    oid = bb.push("acme", slug, {"a": b"text"})
    git_dir = bb.repo_path("acme", slug)
    subprocess.run(["git", "-C", git_dir, "update-ref", "--stdin"], check=True, text=True,
                   input="".join(f"create refs/heads/topic-{i:05} {oid}\n" for i in range(n - 1)))
    subprocess.run(["git", "-C", git_dir, "pack-refs", "--all"], check=True)
    return Measured(bench, r"\.git/", lambda m: len(os.listdir(m / f"acme/{slug}/branches")))


def import_tree(where, paths):
    """A bare repository of files of these paths, each with a content of its own."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
    git = subprocess.Popen(["git", "--git-dir", where, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    git.stdin.write(b"commit refs/heads/main\ncommitter A <a@example.org> 1767225600 +0000\ndata 5\nfiles\n")
    for i, path in enumerate(paths):
        text = b"%d\n" % i
        git.stdin.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text))
    git.stdin.close()
    assert git.wait() == 0


def shown(bench, slug, fill):
    real = bench.bb.create_repo("acme", slug)
    real.git_dir, real.mainbranch = str(bench.mounts.place / f"{slug}.git"), "main"
    fill(real.git_dir)
    return f"acme/{slug}/tree"


def files(bench, n, in_each=13):
    """Of 400,000 in 30,000 directories: all attributes, so that the kernel knows each."""
    place = shown(bench, f"files-{n}-{in_each}", lambda where: import_tree(
        where, (f"d{i // in_each // 200:04}/e{i // in_each % 200:03}/a-name-of-a-file-{i:06}.txt" for i in range(n))))

    def look(m):
        done = subprocess.run(["find", m / place, "-type", "f", "-size", "-1000"], stdout=subprocess.PIPE, check=True)
        return done.stdout.count(b"\n")
    return Measured(bench, r"\.git/", look)


def blob(bench, size):
    """The first ten bytes of one file (n: its megabytes)."""
    def fill(where):
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", where], check=True)
        subprocess.run(f"cd {where} && id=$(head -c {size} /dev/zero | git -c core.bigFileThreshold=1m hash-object -w --stdin) && "
                       "tree=$(printf '100644 blob %s\\tbig\\n' $id | git mktree) && "
                       "git update-ref refs/heads/main $(git -c user.name=A -c user.email=a@example.org commit-tree -m big $tree)",
                       shell=True, check=True, stdout=subprocess.DEVNULL)
    place = shown(bench, f"blob-{size}", fill)

    def look(m):
        with open(m / f"{place}/big", "rb", buffering=0) as f:
            assert f.read(10) == bytes(10)
        return size // 10 ** 6
    return Measured(bench, r"\.git/", look, "big_file=8G", "ttl=1h")


def all_of_it(bench):
    bench.bb.set_limits(quota=10 ** 6)
    for what, make, size in (("repositories of a workspace", repositories, REPOSITORIES), ("workspaces", workspaces, WORKSPACES),
                             ("open pull requests, all of which are", pulls, PULLS),
                             (f"open pull requests, of {CLOSED + 1} times as many", lambda b, n: pulls(b, n, CLOSED), PULLS), ("branches", branches, BRANCHES),
                             ("files of a tree, 13 a directory", files, FILES),
                             ("files of a directory", lambda b, n: files(b, n, n), A_DIRECTORY),
                             ("megabytes of one blob, its first ten bytes", blob, BLOB)):
        row(bench.table, what, [make(bench, size // SHARE), make(bench, size)])
