"""bitbucketfs api and curl: any GET of the API on a terminal, and the line of curl for it."""
import base64
import json
import os
import pty
import select
import subprocess
from urllib.parse import unquote

import pytest

import oauth
from conftest import BINARY, PATIENCE, api, asked, await_true

ADA = "ATATT3xLocalAdaEverything0001"


@pytest.fixture(scope="module")
def known(shared_mounts):
    """A cache that knows ada: what is asked then is what is asked for."""
    assert shared_mounts.run("api", "/user").returncode == 0
    return shared_mounts


def test_each_way_to_write_a_path(shared_bb, known):
    mark = shared_bb.log.mark()
    for path in ("/repositories/acme/widgets", "repositories/acme/widgets", "/2.0/repositories/acme/widgets",
                 shared_bb.api_url + "/repositories/acme/widgets"):
        done = known.run("api", path)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["full_name"] == "acme/widgets"
        assert done.stdout.startswith('{\n  "')
    assert api(shared_bb, mark) == ["GET /2.0/repositories/acme/widgets?pagelen=50"] * 4
    assert len(asked(shared_bb, mark)) == 4, "and no other request"


def test_pages_are_merged_and_raw_is_one(shared_bb, known):
    mark = shared_bb.log.mark()
    merged = json.loads(known.run("api", "repositories/monolith-labs?pagelen=100").stdout)
    assert merged["size"] == len(merged["values"]) == 1000 and "next" not in merged
    assert len(asked(shared_bb, mark)) == 10
    mark = shared_bb.log.mark()
    raw = known.run("api", "--raw", "repositories/monolith-labs?pagelen=3").stdout
    assert asked(shared_bb, mark) == ["GET /2.0/repositories/monolith-labs?pagelen=3"]
    assert len(json.loads(raw)["values"]) == 3 and "next" in json.loads(raw)
    assert b"diff --git" in subprocess.run(
        [BINARY, "api", "--raw", "/repositories/acme/widgets/diff/main"], check=True, capture_output=True,
        env=known.environment(BITBUCKETFS_CACHE_DIR=str(known.place / "cache"))).stdout


def test_q_is_encoded(shared_bb, known):
    mark = shared_bb.log.mark()
    q = 'state="MERGED" AND title~"a+b/%41&c"'
    done = known.run("api", "repositories/acme/widgets/pullrequests?sort=-id", "-q", q)
    assert done.returncode == 0, done.stderr
    line, = api(shared_bb, mark)
    assert unquote(line.split("?")[1]) == f"sort=-id&q={q}&pagelen=50"
    assert "+" not in line and '"' not in line and "%2541%26" in line


@pytest.mark.parametrize("words", [
    ["https://example.org/2.0/user"], ["{url}.example.org/user"], ["{url}/../internal"], ["/2.0/%2e%2e/x"], ["/2.0"], [""], [],
    ["https://ada:secret@example.org/"], ["/user", "/user"], ["/user", "-q"],
], ids=lambda v: "-".join(v) or "nothing")
def test_what_is_no_path_asks_nobody(shared_bb, known, words):
    mark = shared_bb.log.mark()
    for command in ("api", "curl"):
        done = known.run(command, *(w.replace("{url}", shared_bb.api_url) for w in words))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "secret" not in done.stderr
    assert asked(shared_bb, mark) == []


def test_how_it_ends(bb, mounts):
    done = mounts.run("api", "/repositories/acme/widgets/diff/main")
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.endswith("printed by --raw.\n")
    done = mounts.run("api", "/repositories/acme/no-such-thing")
    assert (done.returncode, done.stdout) == (1, "") and "(404)" in done.stderr
    for raw in ([], ["--raw"]):
        fault = bb.fault(r"/2\.0/user/emails", "status", status=401)
        done = mounts.run("api", *raw, "/user/emails")
        assert (done.returncode, done.stdout, fault.hits) == (4, "", 1) and "(401)" in done.stderr
        fault.remove()
    mark = bb.log.mark()
    done = mounts.run("api", "/user", account=None)
    assert (done.returncode, done.stdout) == (4, "") and "nobody is signed in" in done.stderr
    done = mounts.run("api", "/repositories/acme/widgets", account="dead-app-password")
    assert (done.returncode, done.stdout) == (4, "") and "app passwords" in done.stderr
    assert asked(bb, mark) == ["GET /2.0/user?pagelen=50", "GET /2.0/user"], "a refused credential is not sent again"
    bb.offline()
    done = mounts.run("api", "/user")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_mount_counts_its_requests(bb, mounts):
    m = mounts()
    for _ in range(3):
        assert mounts.run("api", "/repositories/acme/widgets").returncode == 0
    assert asked(bb)[1:] == ["GET /2.0/repositories/acme/widgets?pagelen=50"] * 3, "the credential is known here"
    await_true(lambda: m.status()["quotas"]["api"]["by"] == {"people": 4, "walks": 0, "refreshes": 0}, "the mount has counted them")


@pytest.mark.parametrize("words", [("api", "/user"), ("whoami",)], ids=lambda w: w[0])
def test_who_reads_no_further_hears_nothing(known, words):
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run([BINARY, *words], stdout=writes, stderr=subprocess.PIPE, timeout=PATIENCE,
                          env=known.environment(BITBUCKETFS_CACHE_DIR=str(known.place / "cache")))
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, b"")


def processes_holding(secrets):
    """(what, path) of each process's arguments and environment that has one of them in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    text = f.read()
            except OSError:
                continue
            found += [(name, pid) for secret in secrets if secret in text]
    return found


def paste(shell, line, secret):
    return subprocess.Popen([shell, "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={"PATH": os.environ["PATH"], "BITBUCKETFS_SECRET": "exported before"}), secret.encode() + b"\n"


@pytest.mark.parametrize("account, path", [
    ("ada", "/user"), ("pair", "/user"), ("workspace-token", "/repositories/acme?pagelen=3"), (None, "/repositories/acme"),
], ids=str)
def test_the_line_of_curl_does_the_same(shared_bb, known, account, path):
    said = known.run("curl", path, account=account)
    assert (said.returncode, said.stderr, said.stdout.count("\n")) == (0, "", 1)
    secret = shared_bb.accounts[account].token if account else ""
    assert not secret or secret not in said.stdout
    raw = known.run("api", "--raw", path, account=account, BITBUCKETFS_WORKSPACES="acme").stdout
    for shell in ("sh", "bash"):
        process, typed = paste(shell, said.stdout, secret)
        out, err = process.communicate(typed, timeout=PATIENCE)
        assert (process.returncode, out.decode()) == (0, raw), err


def test_the_line_of_curl_of_a_consumer(bb, mounts):
    oauth.sign_in(mounts)
    said = mounts.run("curl", "/user", account=None)
    assert (said.returncode, said.stderr) == (0, "") and "credential get" in said.stdout
    process, typed = paste("sh", said.stdout, oauth.kept(mounts)["access"])
    out, err = process.communicate(typed, timeout=PATIENCE)
    assert process.returncode == 0 and json.loads(out)["nickname"] == "ada", err


def test_the_secret_is_in_no_argument_and_no_environment(bb, mounts):
    # No other one's: programs that other tests start at the same time have ada's usual one.
    secret = bb.accounts["ada"].token = f"ATATT3x{os.urandom(16).hex()}"
    line = mounts.run("curl", "/user").stdout
    coded = base64.b64encode(f"ada@example.com:{secret}".encode()).rstrip(b"=")
    fault = bb.fault(r"/2\.0/user$", "stall")
    process, typed = paste("sh", line, secret)
    process.stdin.write(typed)
    process.stdin.close()
    fault.wait_hit()
    assert processes_holding([bb.api_url.encode() + b"/user"]), "curl's own arguments are seen"
    assert processes_holding([secret.encode(), coded]) == []
    fault.remove()
    assert json.loads(process.stdout.read())["uuid"] and process.wait() == 0
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("shell", [["sh", "-i"], ["bash", "--norc", "--noprofile", "-i"]], ids=lambda v: v[0])
def test_pasted_at_a_terminal_the_secret_is_not_echoed(shared_bb, known, shell):
    line = known.run("curl", "/user").stdout
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(shell[0], shell, {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": ""})
    seen = b""

    def until(what):
        nonlocal seen
        while what not in seen:
            assert select.select([fd], [], [], PATIENCE)[0], seen
            seen += os.read(fd, 65536)
    os.write(fd, line.encode())
    until(b"\nSecret of ada@example.com: ")
    os.write(fd, ADA.encode() + b"\n")
    until(b'"uuid"')
    os.write(fd, b"echo; stty -a | tr ' ' '\\n' | grep -x -e echo -e -echo; exit\n")
    until(b"\necho\r")
    os.close(fd)
    os.waitpid(pid, 0)
    assert ADA.encode() not in seen


def test_a_wrong_secret_and_an_odd_name(bb, mounts):
    line = mounts.run("curl", "/user").stdout
    process, typed = paste("sh", line, 'no"t\\it')
    _, err = process.communicate(typed, timeout=PATIENCE)
    assert process.returncode == 22 and b"401" in err
    name, token = "o'r&k/\\x\"y$(z)", 'q"u\\o&te/$'
    bb.accounts["pair"].username, bb.accounts["pair"].token = name, token
    line = mounts.run("curl", "/user", "-q", "it's", account="pair").stdout
    process, typed = paste("sh", line, token)
    out, err = process.communicate(typed, timeout=PATIENCE)
    assert process.returncode == 0 and json.loads(out)["type"] == "user", err
