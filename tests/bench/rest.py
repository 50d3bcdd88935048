#!/usr/bin/env python3
"""A whole tree from nothing: by a walk, and by browsing and then all of it, beside `git clone --depth 1` and the same tool.

    tests/bench/rest.py --repo DIR [--runs N] [--binary FILE]... [--delay MS] [--rate BYTES] [--only WORD]

50 ms and 100 Mbit/s; the mount is REST-warm, the clone goes into memory. With --binary given twice the two take turns.
"""
import base64
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import alone

TOOLS = {
    "grep -r": "grep -r no-such-words-anywhere {0} || true",
    "cp -r": "cp -r {0} {1}",
    "ls -lR": "ls -lR {0}",
    "du": "du -s {0}",
    "tar": "tar cf /dev/null --exclude=nothing {0}/.",
}


def run(line, *words):
    start = time.perf_counter()
    subprocess.run(line.format(*words), shell=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    args = alone.arguments(__doc__, runs=3, binaries="append")
    args.add_argument("--repo", required=True)
    args.add_argument("--delay", type=float, default=50)
    args.add_argument("--rate", type=float, default=12.5e6)
    args.add_argument("--only", action="append")
    a = args.parse_args()
    import harness
    from proxy import Proxy
    binaries = [os.path.abspath(b) for b in a.binary or [harness.BINARY]]
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with alone.service(data="tests") as (bb, mounts), Proxy(bb.port, a.delay / 2000, a.rate) as slow, \
            tempfile.TemporaryDirectory(dir=shm or mounts.place, ignore_cleanup_errors=True) as memory:
        bb.least_size = 100 << 20
        real = bb.create_repo("acme", "real")
        real.git_dir = os.path.abspath(a.repo)
        real.mainbranch = subprocess.check_output(["git", "-C", a.repo, "symbolic-ref", "--short", "HEAD"], text=True).strip()
        ada, git_url = bb.accounts["ada"], f"http://127.0.0.1:{slow.port}"
        header = "Authorization: Basic " + base64.b64encode(f"x-bitbucket-api-token-auth:{ada.token}".encode()).decode()
        n = 0

        def down(mark):
            return sum(e["bytes"] for e in bb.log.since(mark, r"\.git/"))

        def clone(line):
            where = os.path.join(memory, "clone")
            mark, start = bb.log.mark(), time.perf_counter()
            subprocess.run(["git", "-c", "http.extraHeader=" + header, "clone", "-q", "--depth", "1",
                            f"{git_url}/acme/real.git", where], check=True)
            run(line, where, os.path.join(memory, "copy"))
            took = time.perf_counter() - start
            for name in ("clone", "copy"):
                shutil.rmtree(os.path.join(memory, name), ignore_errors=True)
            return took, down(mark)

        def ours(binary, line, *options):
            nonlocal n
            n += 1
            harness.BINARY = binary
            m = mounts(*options, cache=f"cache{n}", BITBUCKETFS_GIT_URL=git_url)
            os.stat(os.path.join(m.path, "acme/real"))
            mark = bb.log.mark()
            took = run(line, os.path.join(m.path, "acme/real/tree"), os.path.join(memory, "copy"))
            asked, bytes_down = len(bb.log.since(mark, r"\.git/")), down(mark)
            m.unmount()
            shutil.rmtree(m.cache, ignore_errors=True)
            shutil.rmtree(os.path.join(memory, "copy"), ignore_errors=True)
            return took, bytes_down, asked

        tools = dict(TOOLS)
        tools["browsing, then grep -r"] = ("for d in $(cd {0}; find . -type d | head -40); do for f in $(find {0}/$d -maxdepth 1 "
                                           "-type f | head -2); do cat $f; sleep .05; done; done; " + TOOLS["grep -r"])
        for what, line in tools.items():
            if a.only and not any(o in what for o in a.only):
                continue
            other, own = [], {b: [] for b in binaries}
            for _ in range(a.runs):
                other.append(clone(line))
                for b in binaries:
                    own[b].append(ours(b, line))
            for b in binaries:
                print(f"{what:24} ours {statistics.median(o[0] for o in own[b]):6.2f} s, clone and the same "
                      f"{statistics.median(o[0] for o in other):6.2f} s, ratio "
                      f"{statistics.median(o[0] / c[0] for o, c in zip(own[b], other)):5.2f}; bytes down "
                      f"{statistics.median(o[1] for o in own[b]) / 1e6:.1f} MB of "
                      f"{statistics.median(c[1] for c in other) / 1e6:.1f} MB, ratio "
                      f"{statistics.median(o[1] / c[1] for o, c in zip(own[b], other)):4.2f}; "
                      f"{max(o[2] for o in own[b])} requests", flush=True)


if __name__ == "__main__":
    main()
