"""git clone in its kinds, and the tools on what it made: what people do without the mount."""
import base64
import os
import shutil

from bitbucket.git_http import environment
from race_course import MANY, disk

KINDS = {"depth 1": ["--depth", "1"], "blobless": ["--depth", "1", "--filter=blob:none", "-n"], "full": []}


class Clone:
    def __init__(self, course, figures, url, way):
        token = course.bb.accounts["ada"].token
        basic = base64.b64encode(f"x-bitbucket-api-token-auth:{token}".encode()).decode()
        self.env = environment(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="http.extraHeader",
                               GIT_CONFIG_VALUE_0="Authorization: Basic " + basic)
        self.course, self.figures, self.way, self.run = course, figures, way, course.processes.run
        self.seconds, self.where, self.url = course.processes.seconds, course.fresh("clone"), f"{url}/acme/{course.slug}.git"

    def git(self, *words):
        return self.seconds(["git", "-C", self.where, *words], env=self.env)

    def add(self, row, value):
        return self.figures.add(row, self.way, value)

    def clone(self):
        self.mark = self.course.bb.log.mark()
        return self.seconds(["git", "clone", "-q", *KINDS[self.way], self.url, self.where], env=self.env)

    def traffic(self, what):
        down, n = self.course.traffic(self.mark)
        self.add(f"bytes down: {what}", down), self.add(f"requests: {what}", n)

    def first(self, took):
        """What a person waits for until the first look, the first file."""
        c = self.course
        if self.way == "blobless":
            ls, show = self.git("ls-tree", "HEAD"), self.git("show", "HEAD:" + c.first[0])
            deep = self.git("show", "HEAD:" + c.deep[0])
        else:
            ls, show = self.seconds(["ls", self.where]), self.seconds(["cat", os.path.join(self.where, c.first[0])])
            deep = self.seconds(["cat", os.path.join(self.where, c.deep[0])])
        self.add("first ls", took + ls), self.add("first cat", show), self.add("first file", took + ls + show)
        self.add("first deep file", took + deep)
        self.traffic("first file")

    def walks(self, took, only):
        if not {"walk", "list", "copy"} & set(only):
            return
        if self.way == "blobless":
            took += self.git("checkout", "-q", "HEAD")
        if "walk" in only:
            self.add("whole by grep -r", took + self.course.tool("grep -r", self.where))
            self.add("second grep -r", self.course.tool("grep -r", self.where))
            self.add("disk", disk(self.where))
            self.traffic("whole")
        for name in ("find", "ls -lR", "du"):
            if "list" in only:
                self.add(f"whole by {name}", took + self.course.tool(name, self.where))
        if "copy" in only:
            self.add("whole by cp -r", took + self.course.copy(self.where))


def others(course, figures, url, only, ways):
    for way in ways:
        clone = Clone(course, figures, url, way)
        try:
            took = clone.clone()
            clone.first(took)
            # Of very many files a clone is enough to wait for.
            if course.n_files <= MANY:
                clone.walks(took, only)
            elif way == "depth 1":
                clone.walks(took, {"walk"} & set(only))
        except RuntimeError as e:
            # A mirror that lacks an old blob cannot be cloned whole.
            figures.fail(way, e)
        finally:
            shutil.rmtree(clone.where, ignore_errors=True)
