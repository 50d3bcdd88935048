#!/usr/bin/env python3
"""A further file that was left out, on a kept connection, beside the same request on one by itself.

    tests/bench/lazy.py [--runs N] [--binary FILE] [--delay SECONDS]

Each file lies in a directory of its own, so that its look brings that directory's small files (one request); a large one comes
by itself. Ours: `cat`, from open to the last byte. The other: the request that the mount sent for it, sent again by a plain
client on a connection that is open, to the answer's last byte: a round trip, the server's work, the transfer. Both through
the proxy (50 ms, 100 Mbit/s); medians, and of the ratio pair by pair.
"""
import base64
import http.client
import os
import statistics
import subprocess
import time

import alone

RATE = 12.5e6


def make(bb, place, n, size):
    """acme/lazy: n directories with a file of so many bytes each."""
    repo = bb.create_repo("acme", "lazy")
    repo.git_dir = str(place / "lazy.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", repo.git_dir], check=True)
    for key in ("allowFilter", "allowAnySHA1InWant"):
        subprocess.run(["git", "-C", repo.git_dir, "config", f"uploadpack.{key}", "true"], check=True)
    work = place / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    for i in range(n):
        (work / f"d{i}").mkdir()
        (work / f"d{i}/file").write_bytes(os.urandom(size))
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(f"git add . && git commit -q -m all && git push -q {repo.git_dir} main", shell=True,
                   cwd=work, check=True, env={**os.environ, **who})
    bb.update_repo("acme", "lazy", {"size": 100 << 20})
    return work


class Plain:
    def __init__(self, bb, port):
        ada = bb.accounts["ada"]
        token = base64.b64encode(f"x-bitbucket-api-token-auth:{ada.token}".encode()).decode()
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.headers = {"Authorization": "Basic " + token, "Content-Type": "application/x-git-upload-pack-request",
                        "Git-Protocol": "version=2"}

    def fetch(self, want, filtered):
        lines = [b"command=fetch", b"agent=git/2.0", b"object-format=sha1", None, b"no-progress", b"ofs-delta"]
        lines += [b"filter combine:tree:1+blob:limit=1048576"] * filtered + [b"want " + want.encode(), b"done"]
        body = b"".join(b"0001" if x is None else b"%04x%s\n" % (len(x) + 5, x) for x in lines) + b"0000"
        self.connection.request("POST", "/acme/lazy.git/git-upload-pack", body, self.headers)
        answer = self.connection.getresponse()
        assert answer.status == 200, answer.status
        return answer.read()


def in_a_session_of_its_own(action):
    """Who does one thing after the other is a walk, for which all comes at once. The seconds that it took."""
    at, to = os.pipe()
    if os.fork() == 0:
        os.setsid()
        start = time.perf_counter()
        action()
        os.write(to, repr(time.perf_counter() - start).encode())
        os._exit(0)
    os.close(to)
    with os.fdopen(at) as f:
        took = float(f.read())
    os.wait()
    return took


def read(name, size):
    with open(name, "rb") as f:
        assert len(f.read()) == size


def measure(bb, mounts, n, size, delay):
    from proxy import Proxy
    work = make(bb, mounts.place, n, size)
    small = size < 1 << 20
    wants = subprocess.check_output(["git", "-C", work, "rev-parse", *(f"HEAD:d{i}" + ("" if small else "/file") for i in range(n))],
                                    text=True).split()
    ours, other = [], []
    with Proxy(bb.port, delay, RATE) as slow:
        m = mounts("hydrate=off", cache=f"cache-{size}", BITBUCKETFS_GIT_URL=f"http://127.0.0.1:{slow.port}")
        os.listdir(m / "acme/lazy/tree")
        plain = Plain(bb, slow.port)
        plain.fetch(wants[0], small)
        mark = None
        for i in range(n):
            name = m / f"acme/lazy/tree/d{i}/file"
            if not small:
                in_a_session_of_its_own(lambda: os.stat(name))  # brings its size
            if i == 1:
                mark = bb.log.mark()
            took = in_a_session_of_its_own(lambda: read(name, size))
            start = time.perf_counter()
            plain.fetch(wants[i], small)
            if i:
                ours.append(took)
                other.append(time.perf_counter() - start)
        requests = (len(bb.fetched(mark)) - (n - 1))
        m.unmount()
    ratio = statistics.median(a / b for a, b in zip(ours, other))
    print(f"{size >> 10} KiB: {statistics.median(ours) * 1000:.1f} ms, {statistics.median(other) * 1000:.1f} ms by itself, "
          f"ratio {ratio:.2f} (goal 1.2), {requests / (n - 1):.1f} requests each", flush=True)


def main():
    args = alone.arguments(__doc__, runs=20)
    args.add_argument("--delay", type=float, default=0.05, help="of a round trip")
    args.add_argument("--size", type=int, default=10 << 10)
    a = args.parse_args()
    alone.choose(a.binary)
    with alone.service() as (bb, mounts):
        measure(bb, mounts, a.runs + 1, a.size, a.delay / 2)


if __name__ == "__main__":
    main()
