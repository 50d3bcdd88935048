"""Figures of what comes from the API: requests, a grep over a hundred repositories, memory, large files."""
import glob
import os
import shlex
import statistics
import subprocess

WS = "monolith-labs"
BUSY = "edge/busy/pullrequests"
BIG = "edge/files/downloads/two-gigabytes.bin"


def show(table, what, n, most, exact=False):
    table.add(what, str(n), goal=str(most) if exact else f"<= {most}", met=n == most if exact else n <= most)


def api(bb, mark):
    return [e for e in bb.log.since(mark, r" /2\.0/") if e["path"] != "/2.0/user"]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def requests(bench):
    """How many requests each look costs, cold and again."""
    bb, table = bench.bb, bench.table
    m = bench.cold()
    os.stat(m / "edge/busy")
    mark = bb.log.mark()
    lines = read(m / f"{BUSY}/index.tsv").count(b"\n") - 1
    # One more than a request for each fifty: two of them were made in one moment, at the end of a page.
    show(table, f"requests: cat pullrequests/index.tsv with {lines} open", len(api(bb, mark)), -(-lines // 50) + 1)
    m.unmount()
    m = bench.cold()
    os.stat(m / "acme/widgets")
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / "acme/widgets/pullrequests/12/"], check=True, stdout=subprocess.DEVNULL)
    show(table, "requests: ls -l pullrequests/12, nothing cached", len(api(bb, mark)), 1)
    os.listdir(m / "acme")
    mark = bb.log.mark()
    read(m / "acme/.workspace/repositories/index.tsv")
    show(table, "requests: cat .workspace/repositories/index.tsv after ls", len(api(bb, mark)), 0, exact=True)
    m.unmount()
    m = bench.cold()
    os.stat(m / "edge/busy")
    mark = bb.log.mark()
    readers = [subprocess.Popen(["cat", m / f"{BUSY}/index.tsv"], stdout=subprocess.DEVNULL) for _ in range(50)]
    assert not any(r.wait() for r in readers)
    show(table, "requests: 50 readers of that cold index", len(api(bb, mark)), -(-lines // 50) + 1)
    mark = bb.log.mark()
    read(m / f"{BUSY}/index.tsv"), read(m / f"{BUSY}/index.json"), os.listdir(m / BUSY)
    show(table, "requests: all of it again", len(api(bb, mark)), 0, exact=True)
    m.unmount()


def grep(bench, latency):
    """grep OPEN over the indexes of a hundred repositories, against a loop of curl and jq that prints the same."""
    bb, account = bench.bb, bench.bb.accounts["ada"]
    netrc = bench.mounts.place / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {account.email} password {account.token}\n")
    took, other, said = [], [], []
    for _ in range(bench.runs):
        bb.latency = 0
        m = bench.cold()
        names = sorted(n for n in os.listdir(m / WS) if not n.startswith("."))[:100]
        bb.latency = latency
        files = " ".join(shlex.quote(str(m / f"{WS}/{n}/pullrequests/index.tsv")) for n in names)
        ours = f"grep -h OPEN {files} | cut -f1,2,17"
        loop = (f"for n in {' '.join(names)}; do curl -s --compressed --netrc-file {netrc} "
                f"\"{bb.api_url}/repositories/{WS}/$n/pullrequests?pagelen=50\" | "
                "jq -r '.values[] | [.id, .state, .title] | @tsv'; done")
        for command, times in ((ours, took), (loop, other)):
            times.append(bench.seconds(lambda: said.append(
                subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout)))
        assert sorted(said[-1].splitlines()) == sorted(said[-2].splitlines())
        m.unmount()
    bb.latency = 0
    ratio = statistics.median(a / b for a, b in zip(took, other))
    bench.table.add(f"grep OPEN over 100 repositories' pull requests, {latency * 1000:.0f} ms; loop of curl | jq",
                    bench.ms(statistics.median(took)), bench.ms(statistics.median(other)), f"{ratio:.2f}",
                    *(("<= 0.35", ratio <= 0.35) if latency else ()))


def memory(bench):
    """2,000 pull requests, and every info of the merged ones."""
    bb, table = bench.bb, bench.table
    m = bench.cold("history=2000", "walk=100000")
    read(m / "edge/busy/info"), read(m / "acme/widgets/pullrequests/index.tsv")
    before = m.rss_anon()
    for state in ("", "merged/", "declined/", "superseded/"):
        read(m / f"{BUSY}/{state}index.tsv")
    n = sum(len([n for n in os.listdir(m / f"{BUSY}/{s}") if n.isdigit()]) for s in ("", "merged", "declined", "superseded"))
    grown = m.rss_anon() - before
    table.add(f"RssAnon: {n:,} pull requests indexed and listed", f"+{grown / 1e6:.1f} MB", goal="<= 4 MB", met=grown <= 4e6)
    mark = bb.log.mark()
    files = glob.glob(f"{m.path}/{BUSY}/merged/*/info")[:500]
    took = bench.seconds(lambda: [read(f) for f in files])
    table.add(f"cat of {len(files)} of their info files", bench.ms(took), f"{len(api(bb, mark))} requests")
    m.unmount()


def download(bench):
    """Two gigabytes, against curl; what is on this disk afterwards is part of it."""
    bb, account = bench.bb, bench.bb.accounts["ada"]
    m = bench.cold()
    path = m / BIG
    size, mark = os.stat(path).st_size, bb.log.mark()
    a = bench.seconds(lambda: subprocess.run(["cat", path], check=True, stdout=subprocess.DEVNULL))
    n, rss = len(api(bb, mark)), m.rss_anon()
    url = f"{bb.api_url}/repositories/{BIG}"
    out = bench.mounts.place / "big"
    b = bench.seconds(lambda: subprocess.run(["curl", "-sfL", "-u", f"{account.email}:{account.token}", "-o", out, url],
                                             check=True))
    os.unlink(out)
    bench.table.add(f"cat of a download of {size / 1e9:.1f} GB; curl into a file", bench.ms(a), bench.ms(b), f"{a / b:.2f}",
                    "<= 1.5", a / b <= 1.5)
    show(bench.table, "  requests of the quota", n, 1)
    bench.table.add("  RssAnon afterwards", f"{rss / 1e6:.1f} MB")
    m.unmount()


def branch(bench, repo):
    """A second branch after the first: what differs, against another shallow clone."""
    bb = bench.bb
    ws, slug = repo.split("/")
    bb.push(ws, slug, {"one-more.txt": "one line more\n"}, "One more", branch="bench-second")
    m = bench.cold()
    os.listdir(m / f"{repo}/tree")
    mark = bb.log.mark()
    os.listdir(m / f"{repo}/branches/bench-second")
    entries = bb.log.since(mark, r"\.git/")
    bench.table.add("a second branch: bytes, requests to git", f"{sum(e['bytes'] for e in entries):,} B", f"{len(entries)}")
    m.unmount()


def all_of_it(bench, repo):
    requests(bench)
    for latency in (0, 0.08):
        grep(bench, latency)
    memory(bench)
    download(bench)
    branch(bench, repo)
