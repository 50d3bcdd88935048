"""The mount's part of the race: one run over a course. Each group of rows begins with mounts of which nothing was looked at."""
import base64
import http.client
import os
import shutil
import statistics
import subprocess
import time
from urllib.parse import urlsplit

import harness
from bitbucket.git_lies import body_of
from race_course import MANY, TOOLS, disk


class Kept:
    """A connection to git's server that is kept: what one round trip and the transfer of some objects take without us."""

    def __init__(self, course, url):
        token = course.bb.accounts["ada"].token
        basic = base64.b64encode(f"x-bitbucket-api-token-auth:{token}".encode()).decode()
        self.path = f"/acme/{course.slug}.git/git-upload-pack"
        self.headers = {"Authorization": "Basic " + basic, "Git-Protocol": "version=2",
                        "Content-Type": "application/x-git-upload-pack-request"}
        self.link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def seconds(self, *lines):
        body = body_of([b"command=fetch\n", b"", b"no-progress\n", b"ofs-delta\n", *(line + b"\n" for line in lines), b"done\n", None])
        start = time.perf_counter()
        self.link.request("POST", self.path, body, self.headers)
        self.link.getresponse().read()
        return time.perf_counter() - start


def read(path):
    """Seconds, without those of a process that begins."""
    start = time.perf_counter()
    with open(path, "rb") as f:
        f.read()
    return time.perf_counter() - start


class Ours:
    def __init__(self, course, figures, mounts, url, args):
        self.course, self.figures, self.mounts, self.url, self.args = course, figures, mounts, url, args
        self.seconds, self.bb, self.repo = course.processes.seconds, course.bb, f"acme/{course.slug}"
        self.main_net = figures.here[1] == args.nets[0]
        self.hydrates = b"hydrate" in subprocess.run([harness.BINARY, "--help"], stdout=subprocess.PIPE).stdout

    def add(self, row, value, way="ours"):
        return self.figures.add(row, way, value)

    def mount(self, *options, cache=None, binary=None):
        """Its workspace is listed; nobody looked at the repository."""
        ours, harness.BINARY = harness.BINARY, binary or harness.BINARY
        try:
            m = self.mounts(*options, cache=cache or f"cache{len(self.mounts.all)}", BITBUCKETFS_GIT_URL=self.url)
        finally:
            harness.BINARY = ours
        os.listdir(m / "acme"), os.stat(m / self.repo)
        self.mark = self.bb.log.mark()
        self.tree = m / f"{self.repo}/tree"
        return m

    def end(self, m, keep=False):
        m.unmount()
        if not keep:
            shutil.rmtree(m.cache, ignore_errors=True)

    def at(self, path):
        return os.path.join(self.tree, path)

    def traffic(self, what):
        down, n = self.course.traffic(self.mark)
        self.add(f"bytes down: {what}", down), self.add(f"requests: {what}", n)

    def run(self):
        done = self.figures.median(*self.figures.here, "whole by grep -r", "ours") is not None
        for group in self.args.only:
            if group in ("warm", "again") and not self.main_net:
                continue
            if self.course.n_files > MANY and group not in ("first", "lazy") and (done or group != "walk"):
                continue
            self.figures.say(group)
            try:
                getattr(self, group)()
            except (AssertionError, OSError, RuntimeError) as e:
                self.figures.fail(group, e)
                for m in self.mounts.all:
                    m.unmount()

    # -- from nothing

    def first(self):
        m = self.mount()
        ls = self.seconds(["ls", self.tree])
        cat = self.seconds(["cat", self.at(self.course.first[0])])
        self.add("first ls", ls), self.add("first cat", cat), self.add("first file", ls + cat)
        entries = [e for e in self.bb.log.since(self.mark, r"\.git/") if e["done"]]
        self.add("bytes down: first file", sum(e["bytes"] for e in entries)), self.add("requests: first file", len(entries))
        self.end(m)
        m = self.mount()
        self.add("first deep file", self.seconds(["cat", self.at(self.course.deep[0])]))
        self.end(m)
        m = self.mount()
        self.seconds(["ls", m / self.repo])
        time.sleep(0.5)                 # as long as a person needs at least to type the next word
        self.add("first file, listed before", self.seconds(["ls", self.tree]) + self.seconds(["cat", self.at(self.course.first[0])]))
        self.end(m)

    def lazy(self):
        course = self.course
        m = self.mount(*(["hydrate=off"] if self.hydrates else []))
        self.seconds(["ls", self.tree])
        # Whatever follows the first look: the rest of the trees.
        time.sleep(0.3)
        self.bb.log.idle(60)
        time.sleep(0.3)
        mark = self.bb.log.mark()
        self.seconds(["ls", self.at(course.directory)]), self.seconds(["find", self.tree, "-name", "no such name"])
        self.add("requests: ls, find -name of a filtered tree", self.course.traffic(mark)[1])
        kept, others = Kept(course, self.url), [f for f in course.others if os.path.dirname(f[0]) != course.directory]
        if others:
            kept.seconds(b"want " + others[0][1].encode())
            self.add("ls -l of a directory", kept.seconds(b"want " + course.tree.encode(), b"filter combine:tree:1+blob:limit=1m"),
                     "round trip")
            self.seconds(["cat", self.at(others[0][0])])
            mark = self.bb.log.mark()
            self.add("ls -l of a directory", self.seconds(["ls", "-l", self.at(course.directory)]))
            self.add("requests: ls -l of a directory", course.traffic(mark)[1])
            mark = self.bb.log.mark()
            for path, oid, _ in others[1:4]:
                self.add("one more file", kept.seconds(b"want " + oid.encode()), "round trip")
                self.add("one more file", read(self.at(path)))
            self.add("requests: three more files", course.traffic(mark)[1])
        kept.link.close()
        self.end(m)

    def walk(self):
        """ls, and everything at once."""
        m = self.mount()
        self.add("whole by grep -r", self.seconds(["ls", self.tree]) + self.course.tool("grep -r", self.tree))
        self.traffic("whole")
        self.add("second grep -r", self.course.tool("grep -r", self.tree))
        self.add("RssAnon, walked and grepped", m.rss_anon())
        self.add("disk", disk(m.cache))
        self.end(m)

    def copy(self):
        m = self.mount()
        self.add("whole by cp -r", self.course.copy(self.tree))
        self.end(m)

    def list(self):
        for name in ("find", "ls -lR", "du"):
            m = self.mount()
            self.add(f"whole by {name}", self.course.tool(name, self.tree))
            self.end(m)

    def browse(self):
        """Twenty files and ten directories, and then everything."""
        m = self.mount()
        self.seconds(["ls", self.tree])
        for n, (path, _, _) in enumerate(self.course.others[:20]):
            if n % 2:
                self.seconds(["ls", "-l", self.at(os.path.dirname(path))])
            self.seconds(["cat", self.at(path)])
        self.course.tool("grep -r", self.tree)
        self.traffic("browse, then everything")
        self.end(m)

    # -- when all is here

    def warm(self):
        m, disk_tree = self.mount(), self.course.checkout("ext4")
        memory = self.course.checkout("memory")
        for place in (self.tree, disk_tree, memory):
            self.course.tool("grep -r", place), self.course.tool("ls -lR", place)
        mark = self.bb.log.mark()
        for name in TOOLS:
            if name == "rg" and not shutil.which("rg"):
                continue
            turns = [(self.course.tool(name, self.tree), self.course.tool(name, disk_tree)) for _ in range(3)]
            self.add(f"warm {name}", statistics.median(a for a, _ in turns))
            self.add(f"warm {name}", statistics.median(b for _, b in turns), "ext4")
            self.add(f"warm {name}", self.course.tool(name, memory), "memory")
        self.add("requests: warm walks", len(self.bb.log.since(mark, r"\.git/git-upload-pack")))
        self.end(m)

    def again(self):
        native = self.course.checkout("ext4")
        caches = {}
        for way, binary in (("ours", harness.BINARY), ("base", self.args.base)):
            if binary:
                m = self.mount(binary=binary)
                self.course.tool("grep -r", self.tree)
                self.end(m, keep=True)
                caches[way] = (binary, os.path.basename(m.cache))
        for way, (binary, cache) in caches.items():
            m = self.mount(binary=binary, cache=cache)
            self.add("fresh mount: grep -r", self.course.tool("grep -r", self.tree), way)
            self.end(m, keep=True)
        self.course.tool("grep -r", native)
        self.add("fresh mount: grep -r", self.course.tool("grep -r", native), "ext4")
        if os.geteuid() == 0:
            m = self.mount(cache=caches["ours"][1])
            for way, tree in (("ours", self.tree), ("ext4", native)):
                os.sync()
                with open("/proc/sys/vm/drop_caches", "w") as f:
                    f.write("3")
                self.add("all cold: grep -r", self.course.tool("grep -r", tree), way)
            self.end(m, keep=True)
        for _, cache in caches.values():
            shutil.rmtree(self.mounts.place / cache, ignore_errors=True)
