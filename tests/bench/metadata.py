"""What the daemon costs by itself: a document that is parsed, the start, minutes in which nobody looks.

    tests/bench/metadata.py [--binary FILE]     alone; otherwise tests/bench/run calls it
"""
import glob
import os
import re
import statistics
import subprocess
import time

import alone

WS = "monolith-labs"
IDLE_S = 60
SETTLED_S = 12                          # what follows a first look: a check of the credential, old files


def parsing(bench):
    """Of a build that has it (ninja tests/bench-json): a processor's time for 4 MB, and the memory that it takes."""
    program = os.path.join(os.path.dirname(os.path.abspath(bench.harness.BINARY)), "..", "tests", "bench-json")
    if os.path.exists(program):
        n, us, held = (int(x) for x in subprocess.check_output([program], text=True).split())
        bench.table.add(f"JSON of {n / 1e6:.1f} MB, parsed and freed", f"{us / 1000:.1f} ms", f"{held / 1e6:.1f} MB")


def start(bench):
    """Mount and first ls of a cached workspace, less what the same program takes to print its version."""
    m = bench.mounts(cache="start")
    os.listdir(m / WS)
    where = m.path
    m.unmount()
    e = bench.mounts.environment(BITBUCKETFS_CACHE_DIR=m.cache)
    binary, took, versions = bench.harness.BINARY, [], []

    def mount_and_ls():
        subprocess.run([binary, where], env=e, check=True)
        assert len([n for n in os.listdir(os.path.join(where, WS)) if n[0] != "."]) == 1000
    for _ in range(max(bench.runs, 11)):
        versions.append(bench.seconds(lambda: subprocess.run([binary, "--version"], env=e, check=True, stdout=subprocess.DEVNULL)))
        took.append(bench.seconds(mount_and_ls))
        subprocess.run(["umount", where], check=True)
    more = statistics.median(a - b for a, b in zip(took, versions))
    bench.table.add("mount and first ls of a cached workspace; --version", bench.ms(statistics.median(took)),
                    bench.ms(statistics.median(versions)), f"+{more * 1000:.0f} ms", "<= 30 ms", more <= 0.03)


def switches(pid):
    """Of each thread by its id: how often it went to sleep of its own will, which it did after each wake-up."""
    found = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(task + "/status") as f:
                found[task] = int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", f.read()).group(1))
        except OSError:
            pass                        # it has ended
    return found


def idle(bench, repo):
    for what, look in (("nothing but a workspace", WS), ("a tree", repo + "/tree")):
        m = bench.cold()
        os.listdir(m / look)
        time.sleep(SETTLED_S)
        mark, before = bench.bb.log.mark(), switches(m.process.pid)
        time.sleep(IDLE_S)
        after = switches(m.process.pid)
        n = sum(after[t] - before.get(t, 0) for t in after)
        asked = len(bench.bb.log.since(mark))
        most = int("/tree" in look)     # its ref, once a minute at first
        bench.table.add(f"an idle minute after a look at {what}: wake-ups", str(n), f"{asked} requests", goal=f"{most} requests",
                        met=asked <= most)
        m.unmount()


def all_of_it(bench, repo):
    parsing(bench)
    start(bench)
    idle(bench, repo)


def main():
    alone.choose(alone.arguments(__doc__).parse_args().binary)
    with alone.bench(11) as bench:
        all_of_it(bench, "acme/widgets")


if __name__ == "__main__":
    main()
