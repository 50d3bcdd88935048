"""The requests that reach a daemon, counted in libfuse's own words (-d), and who is to blame for one that should not come.

Nothing binds the kernel to keep a page. Many virtual machines let DAMON look for cold memory (/sys/kernel/mm/damon): it
takes clean pages from files between two walks, with gigabytes free and no pgsteal counted. Of 5,000 files some hundreds
were read again after 20 s in which nobody touched them. Of pages that the kernel reclaimed it remembers that they were
there, and counts in /proc/vmstat when they come back (workingset_refault_file); of those that the daemon invalidated, or
that were never valid, it does not; an invalidation shows in a GETATTR besides. So a walk that asked for pages alone says
nothing, and is done again, if as many pages came back as it asked for. If not, the daemon is to blame, at once.
"""
import collections
import os
import re
import subprocess
import time

from harness import PATIENCE

PAGE = os.sysconf("SC_PAGESIZE")
ATTEMPTS = 10
# Each CPU hands in once a second what it counted (vm.stat_interval).
HANDED_IN = 5
# They tell, and ask for nothing. That a directory is opened and closed is always heard, so that an error comes where every
# program looks for it; what is in it the kernel then says by itself, if the answer allows it.
TELL = ("FORGET", "BATCH_FORGET", "INTERRUPT", "OPENDIR", "RELEASEDIR")
# What is kept in pages; a link's target has one of its own.
READS = ("READ", "READLINK")
OUT_HEADER = 16

Request = collections.namedtuple("Request", "op ino bytes error")

ASKED = re.compile(rb"^unique: (\d+), opcode: (\w+) \(\d+\), nodeid: (\d+),", re.M)
ANSWERED = re.compile(rb"^ +unique: (\d+), (?:success|error: (-\d+) \(.*\)), outsize: (\d+)", re.M)


class Counted:
    """The requests that the kernel sent since the last look. Each is logged, and so is its answer, before the answer is
    given: nothing that a walk asked for is missing when it has ended. TOP is the directory that is walked."""

    def __init__(self, m, top):
        self.m, self.top, self.at = m, top, 0
        self.requests()

    def requests(self):
        said = self.m.log_bytes()
        fresh, self.at = said[self.at:], len(said)
        answers = {unique: (int(error or 0), int(n)) for unique, error, n in ANSWERED.findall(fresh)}
        found = []
        for unique, op, ino in ASKED.findall(fresh):
            error, n = answers.get(unique, (0, OUT_HEADER))
            found.append(Request(op.decode(), int(ino), n - OUT_HEADER, error))
        return found

    def new(self):
        return collections.Counter(r.op for r in self.requests())

    def renew(self):
        """Asks again for the attributes on the way to the top. Those of a directory that nobody listed hold for a minute,
        and no minute may end under a walk that is counted."""
        way = [self.m.path]
        for name in self.top.split("/"):
            way.append(os.path.join(way[-1], name))
        subprocess.run(["stat", "--cached=never", *way], check=True, stdout=subprocess.DEVNULL)

    def names(self, inos):
        """What they are called: for the message of a failure. Into no tree that was not walked."""
        listed = subprocess.run(["find", ".", "-name", "tree", "-prune", "-o", "-printf", "%i %P\n"], cwd=self.m / self.top,
                                capture_output=True, text=True, errors="replace", timeout=PATIENCE).stdout
        found = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
        return [found.get(str(ino), f"number {ino}") for ino in inos]


def vmstat():
    """(pages that came back after the kernel had reclaimed them, how often somebody had all caches dropped), since the
    kernel began."""
    with open("/proc/vmstat") as f:
        said = dict(line.split() for line in f)
    return (int(said.get("workingset_refault_file", said.get("workingset_refault", 0))),
            int(said.get("drop_pagecache", 0)) + int(said.get("drop_slab", 0)))


def came_back(since, least):
    """How many pages the kernel had taken and has again, once they are LEAST or nobody can have more to hand in."""
    end = time.monotonic() + HANDED_IN
    while (n := vmstat()[0] - since) < least and time.monotonic() < end:
        time.sleep(0.05)
    return n


def quiet(counted, walk, before=None, reads=0, others=0, attempts=ATTEMPTS):
    """Does walk() and fails if it makes the kernel send more than READS reads and OTHERS other requests; before() makes
    ready for it, each time that it is done. Returns what was sent."""
    excuses = []
    while len(excuses) < attempts:
        counted.renew()
        if before:
            before()
        counted.new()
        refaults, drops = vmstat()
        walk()
        sent = [r for r in counted.requests() if r.op not in TELL]
        seen = collections.Counter(r.op for r in sent)
        assert not [r for r in sent if r.op in READS and r.error], (seen, "a read failed")
        n_reads = sum(seen[op] for op in READS)
        if n_reads <= reads and seen.total() - n_reads <= others:
            return seen
        excuses.append(excuse(counted, walk, sent, reads, others, refaults, drops))
        print("counted again:", excuses[-1])
    raise AssertionError("the kernel never kept the pages long enough to tell: " + "; ".join(excuses))


def excuse(counted, walk, sent, reads, others, refaults, drops):
    """The sentence that says that the kernel itself gave up what it asked for again; or fails."""
    seen = collections.Counter(r.op for r in sent)
    listings = {r.ino for r in sent if r.op == "READDIRPLUS"}
    pages = [max(1, -(-r.bytes // PAGE)) for r in sent if r.op in READS]
    due = sum(sorted(pages)[len(pages) - reads:]) if reads else 0
    lost = max(0, sum(pages) - due) + len(listings)
    if listings:
        walk()      # a listing that lost a page is not kept again before it was read from its beginning
    back = came_back(refaults, lost)
    said = f"{dict(seen)}: {lost} pages asked for again, {back} of this machine came back from reclaim"
    if vmstat()[1] != drops:
        return said + ", and the caches were dropped"
    rest = sum(n for op, n in seen.items() if op not in (*READS, "READDIRPLUS"))
    asked = {r.ino for r in sent if r.op in (*READS, "READDIRPLUS")}
    assert back >= lost > 0 and rest <= others, said + ": " + ", ".join(counted.names(asked)[:20])
    return said
