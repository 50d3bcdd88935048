"""`ls` and `ls -l` of directories of a tree that came without its files, beside one request for the same, 50 ms and 100 Mbit/s away.

Names are here. The other: what a server that waits for nothing else takes to send the directory's small files, asked for on a
kept connection: a round trip and the transfer. Medians; the two take turns.

    tests/bench/sizes.py [--binary FILE] [--runs N] [--loopback] [--no-info] REPO.git…

REPO.git: bare repositories, mirrors of real ones: the top directory, a large one and the largest.
--no-info: a server that does not tell sizes without files.
"""
import base64
import http.client
import os
import statistics
import subprocess
import time

import alone
from first import First, distant


def directories(repo):
    """[(path, how many files)]: the top; one that 5 % of the others are larger than; the largest."""
    count = {"": 0}
    for line in subprocess.check_output(["git", "-C", repo, "ls-tree", "-rz", "HEAD"], text=True, errors="replace").split("\0")[:-1]:
        where = os.path.dirname(line.split("\t", 1)[1])
        count[where] = count.get(where, 0) + 1
    by_size = sorted((n, d) for d, n in count.items() if d)
    return [("", count[""])] + [(d, n) for n, d in (by_size[-1 - len(by_size) // 20], by_size[-1])]


def packets(*lines):
    return b"".join(line if isinstance(line, bytes) else b"%04x%s\n" % (len(line) + 5, line.encode()) for line in lines) + b"0000"


class Sizes(First):
    def one_request(self, name, git):
        """The same, by hand: the second on a connection."""
        ada = self.bb.accounts["ada"]
        connection = http.client.HTTPConnection(self.far.split("//")[1])
        body = packets("command=fetch", "object-format=sha1", b"0001", "no-progress", "ofs-delta",
                       *(["filter " + git["filter"]] if git["filter"] else []), *("want " + w for w in git["wants"]), "done")
        key = base64.b64encode(f"x-bitbucket-api-token-auth:{ada.token}".encode()).decode()
        for data in (packets("command=ls-refs", b"0001", "ref-prefix HEAD"), body):
            start = time.perf_counter()
            connection.request("POST", f"/{name}.git/git-upload-pack", data, {
                "Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2", "Authorization": "Basic " + key})
            connection.getresponse().read()
            took = time.perf_counter() - start
        connection.close()
        return took

    def look(self, name, path):
        """Seconds of ls and ls -l, the requests of each, and what was fetched, of a mount that has the names."""
        m = self.bench.cold("hydrate=off", BITBUCKETFS_GIT_URL=self.far)
        subprocess.run(["find", m / f"{name}/tree", "-name", "no such name"], check=True)
        took = []
        for command in (["ls"], ["ls", "-l"]):
            mark = self.bb.log.mark()
            start = time.perf_counter()
            subprocess.run([*command, m / f"{name}/tree/{path}"], stdout=subprocess.DEVNULL, check=True)
            took.append(time.perf_counter() - start)
            log = self.bb.log.since(mark)
            took.append([e for e in log if e["method"] != "CONNECT"])
        m.unmount()
        return took

    def rows(self, name, path, n):
        plain, long, other, asked = [], [], [], []
        for _ in range(self.runs):
            ls, by_ls, ls_l, by_ls_l = self.look(name, path)
            fetch = next(e["git"] for e in by_ls_l if e["git"] and e["git"]["wants"])
            plain.append(ls)
            long.append(ls_l)
            asked.append((len(by_ls), len(by_ls_l)))
            other.append(self.one_request(name, fetch))
        what = f"{name.split('/')[1]}/{path} ({n} files)"
        a, b = statistics.median(long), statistics.median(other)
        self.table.add(f"ls {what}", self.ms(statistics.median(plain)), "", "", "0 requests", max(asked)[0] == 0)
        self.table.add(f"ls -l {what}; one request", self.ms(a), self.ms(b), f"{a / b:.2f}", "<= 1.2", a / b <= 1.2)
        self.table.add("  requests", str(max(x[1] for x in asked)))


def main():
    args = alone.arguments(__doc__, runs=5)
    args.add_argument("--loopback", action="store_true")
    args.add_argument("--no-info", action="store_true")
    args.add_argument("repos", nargs="+")
    a = args.parse_args()
    alone.choose(a.binary)
    from harness import LARGE
    with alone.bench(a.runs, least_size=LARGE) as bench, distant(bench.bb, a.loopback) as far:
        bench.bb.object_info = not a.no_info
        sizes = Sizes(bench, far)
        for repo in a.repos:
            name = sizes.repository(os.path.basename(os.path.abspath(repo)).removesuffix(".git").lower(), repo)
            for path, n in directories(repo):
                sizes.rows(name, path, n)


if __name__ == "__main__":
    main()
