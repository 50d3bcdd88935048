"""bitbucketfs doctor: each finding, made to happen. It runs where nothing of other tests is mounted or runs."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import BINARY, PATIENCE, Mounts, asked, await_true, preloaded
from background import NOBODY, ROOT
import oauth
from test_ssh import SSHD, Server

pytestmark = pytest.mark.skipif(not ROOT, reason="needs root, for namespaces")

OWN = """umount -l -a -t fuse.bitbucketfs 2>/dev/null
cd /
"""
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
YEAR = 366 * 86400


class Told(list):
    """The lines of --json, with how it ended."""

    def line(self, name, level, piece=""):
        found = [c for c in self if c["name"] == name and c["level"] == level and piece in c["text"]]
        assert found, f"no {level} of {name} with '{piece}' in\n" + "\n".join(f"{c['level']} {c['name']}: {c['text']}" for c in self)
        return found[0]["text"]

    def errors(self):
        return {c["name"] for c in self if c["level"] == "error"}


@pytest.fixture
def place(shared_bb, tmp_path):
    shared_bb.faults.clear()
    made = Mounts(shared_bb, tmp_path)
    yield made
    shared_bb.faults.clear()
    made.take_down()
    shutil.rmtree(tmp_path, ignore_errors=True)


def run(place, *words, before="", own=OWN, program=(), account="ada", timeout=PATIENCE, **more):
    """In namespaces of its own, after a script; program goes before the program."""
    e = place.environment(account, **{"BITBUCKETFS_CACHE_DIR": str(place.place / "cache"), **more})
    e = {k: v for k, v in e.items() if v is not None}
    command = ["unshare", "-m", "-p", "-f", "--mount-proc", "--propagation", "private", "sh", "-c", own + before + '\n"$@"', "sh",
               *program, BINARY, "doctor", *words]
    return subprocess.run(command, env=e, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def doctor(place, *words, **more):
    done = run(place, "--json", *words, **more)
    assert done.stderr == "" and done.returncode in (0, 1), done
    said = json.loads(done.stdout)
    told = Told(said["checks"])
    told.code, told.requests, told.worst = done.returncode, said["requests"], said["worst"]
    assert (told.code == 1) == bool(told.errors()) == (told.worst == "error")
    for account in place.bb.accounts.values() if place.bb else ():
        assert account.token not in done.stdout
    return told


def rest(bb, mark):
    return asked(bb, mark, r" /2\.0/")


# -- as it should be

def test_where_nothing_is_wrong(shared_bb, place):
    mark = shared_bb.log.mark()
    told = doctor(place)
    assert told.code == 0 and told.worst == "ok", told
    assert rest(shared_bb, mark) == ["GET /2.0/user", "GET /2.0/user/workspaces?pagelen=100", "GET /2.0/repositories/acme?pagelen=1"]
    assert told.requests == 3
    assert {"configuration", "credential", "kernel", "device", "fusermount", "allow_other", "versions", "cache", "space", "mounts",
            "namespaces", "plocate", "tracker", "baloo", "https", "clock", "account", "workspaces", "repositories", "curl",
            "requests"} <= {c["name"] for c in told}
    assert not (place.place / "cache").exists(), "looking makes nothing"
    done = run(place)
    assert done.returncode == 0 and done.stdout.endswith("\n0 errors, 0 warnings\n") and done.stderr == ""
    assert run(place, "a", "b").returncode == 2


def test_its_requests_are_counted_with_the_mounts(shared_bb, place):
    m = place()
    m.ls("acme")
    n = m.status()["quotas"]["api"]["by"]["people"]
    mark = shared_bb.log.mark()
    told = doctor(place)
    told.line("cache", "ok", "1 account")
    told.line("requests", "ok", "of this hour are left")
    await_true(lambda: m.status()["quotas"]["api"]["by"]["people"] == n + len(rest(shared_bb, mark)), "counted")
    assert m.ls("acme") and not any("broken" in f for f in os.listdir(place.place / "cache")), "nobody is disturbed"


# -- this machine

@pytest.fixture
def etc(tmp_path):
    """What puts a file into /etc, which is a copy."""
    def script(name, text):
        (tmp_path / "etc-file").write_text(text)
        return (f"cp -a /etc {tmp_path}/etc && cp {tmp_path}/etc-file {tmp_path}/etc/{name} && chmod 644 {tmp_path}/etc/{name} && "
                f"mount --bind {tmp_path}/etc /etc\n")
    return script


def other_device(mode):
    return f"mknod -m {mode} /tmp/fuse-$$ c 10 229 && mount --bind /tmp/fuse-$$ /dev/fuse && rm /tmp/fuse-$$\n"


@pytest.mark.parametrize("name, piece, more", [
    ("kernel", "is older than", {"program": ["setarch", "--uname-2.6"]}),
    ("device", "modprobe fuse", {"before": "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3"}),
    ("device", "is not the device", {"before": "mount --bind /dev/null /dev/fuse"}),
    ("device", "may not open", {"before": other_device("600"), "program": AS_NOBODY}),
    ("fusermount", "apt install fuse3", {"program": [*AS_NOBODY, "env", "PATH=/nonexistent"]}),
    ("fusermount", "set-user-ID", {"before": "cp $(command -v fusermount3) $D/bin/; chmod 755 $D/bin/fusermount3",
                                   "program": [*AS_NOBODY, "env", "PATH=$D/bin"]}),
    ("fusermount", "nosuid", {"before": "mount -t tmpfs -o nosuid none $D/bin; cp $(command -v fusermount3) $D/bin/; "
                                        "chmod 4755 $D/bin/fusermount3", "program": [*AS_NOBODY, "env", "PATH=$D/bin"]}),
    ("fusermount", "ln -s ../proc/self/mounts", {"before": "cp -a /etc $D/etc && rm -f $D/etc/mtab && mount --bind $D/etc /etc",
                                                 "program": AS_NOBODY}),
    ("fusermount", "no_new_privs", {"program": [*AS_NOBODY, "--no-new-privs"]}),
], ids=lambda p: p.replace(" ", "-") if isinstance(p, str) else "")
def test_what_the_machine_lacks(place, request, name, piece, more):
    d = tempfile.mkdtemp()              # where an ordinary user may go
    request.addfinalizer(lambda: shutil.rmtree(d))
    os.chmod(d, 0o755)
    os.mkdir(d + "/bin")
    more = {k: v.replace("$D", d) if isinstance(v, str) else [w.replace("$D", d) for w in v] for k, v in more.items()}
    mine = {"BITBUCKETFS_CACHE_DIR": f"/tmp/none-{os.getpid()}", "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}
    doctor(place, **mine, **more).line(name, "warning" if name == "kernel" or "mounts" in piece else "error", piece)


@pytest.mark.skipif(not shutil.which("cc"), reason="no cc")
def test_a_library_that_is_too_old(place, tmp_path):
    (tmp_path / "old.c").write_text('const char *sqlite3_libversion(void) { return "3.7.0"; }\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "old.so", "old.c"], cwd=tmp_path, check=True)
    told = doctor(place, program=["env", f"LD_PRELOAD={preloaded(tmp_path / 'old.so')}"])
    told.line("versions", "warning", "SQLite 3.7.0 is older than 3.")
    assert told.code == 0


@pytest.mark.parametrize("conf, level, piece", [("# user_allow_other\n", "error", "user_allow_other into that file"),
                                                ("user_allow_other\n", "ok", "lets users")])
def test_allow_other(place, etc, conf, level, piece):
    mine = {"BITBUCKETFS_CACHE_DIR": f"/tmp/none-{os.getpid()}", "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}
    told = doctor(place, before=etc("fuse.conf", conf), program=AS_NOBODY, BITBUCKETFS_ALLOW_OTHER="true", **mine)
    told.line("allow_other", level, piece)


def test_indexers_that_would_crawl(place, etc):
    """All of them at once: a mount below Documents, whom others may look into."""
    home = place.place / "home"
    (home / "Documents").mkdir(parents=True, exist_ok=True)
    for name in "tracker-miner-fs-3", "baloo_file":
        shutil.copy(shutil.which("sleep"), home / name)
    running = "".join(f"{home}/{name} 600 &\n" for name in ("tracker-miner-fs-3", "baloo_file"))
    running += "until grep -qs baloo_file /proc/*/comm && grep -qs tracker-miner-f /proc/*/comm; do :; done\n"
    more = {"BITBUCKETFS_ALLOW_OTHER": "true", "BITBUCKETFS_MOUNTPOINT": str(home / "Documents/bitbucket")}
    told = doctor(place, before=running + etc("updatedb.conf", 'PRUNEFS="NFS fuse.sshfs"\n'), **more)
    for name in "plocate", "tracker", "baloo":
        told.line(name, "ok", "causes no requests")
    shutil.rmtree(place.place / "etc")
    told = doctor(place, before=running + etc("updatedb.conf", 'PRUNEFS="NFS fuse.sshfs"\n'), BITBUCKETFS_INDEXERS="off", **more)
    told.line("plocate", "warning", "to PRUNEFS")
    told.line("tracker", "warning", "index-recursive-directories")
    told.line("baloo", "warning", "excludeFolders")
    assert told.code == 0
    more["BITBUCKETFS_MOUNTPOINT"] = "/mnt/b"
    shutil.rmtree(place.place / "etc")
    told = doctor(place, before=running + etc("updatedb.conf", 'PRUNEFS="NFS fuse.bitbucketfs"\n'), **more)
    for name in "plocate", "tracker", "baloo":
        told.line(name, "ok")


# -- the configuration and the credential

CONFIGURATIONS = [
    ("email = ada@example.com\nttl =: 5\n", 0o600, "configuration", ":2"),
    ("tokn = x\n", 0o600, "configuration", "did you mean token?"),
    ("email = ada@example.com\ntoken = ATATTsecret\n", 0o644, "configuration", "chmod 600"),
    ("email = ada@example.com\ntoken_command = false\n", 0o600, "credential", "status 1"),
    ("email = ada@example.com\ntoken_command = printf 'a\\nb\\n'\n", 0o600, "credential", "more than one line"),
    ("token = ATATTsecret\n", 0o600, "credential", "only together with the e-mail"),
]


@pytest.mark.parametrize("text, mode, name, piece", CONFIGURATIONS, ids=lambda v: "" if isinstance(v, (int, type(None))) else v[:12])
def test_a_configuration_that_is_wrong(shared_bb, place, text, mode, name, piece):
    config = place.place / "xdg-config/bitbucketfs"
    config.mkdir(parents=True)
    (config / "config").write_text(text)
    (config / "config").chmod(mode)
    mark = shared_bb.log.mark()
    told = doctor(place, account=None)
    assert "ATATTsecret" not in told.line(name, "error", piece)
    told.line("kernel", "ok")
    assert rest(shared_bb, mark) == [] and told.requests == 0


@pytest.mark.parametrize("environment, piece", [
    ({"BITBUCKETFS_TOKEN": "ATBBLocalDeadAppPassword0000", "BITBUCKETFS_USERNAME": "ada"}, "app password"),
    ({"BITBUCKETFS_TOKEN": "ATATTx", "BITBUCKETFS_EMAIL": "ada-lindqvist"}, "is no e-mail"),
    ({"BITBUCKETFS_TOKEN": "secret", "BITBUCKETFS_USERNAME": "ada@example.com"}, "write it as email"),
    ({"BITBUCKETFS_TOKEN": "ATCTT3xLocalWorkspaceToken00", "BITBUCKETFS_EMAIL": "ada@example.com"}, "goes alone"),
    ({"BITBUCKETFS_TOKEN": "ATATTexpired", "BITBUCKETFS_EMAIL": "ada@example.com"}, None),
], ids=["app-password", "user-name-for-e-mail", "e-mail-for-user-name", "kind", "expired"])
def test_a_credential_that_is_refused_is_sent_once(shared_bb, place, environment, piece):
    mark = shared_bb.log.mark()
    told = doctor(place, "acme/widgets", account=None, **environment)
    if piece:
        told.line("credential", "warning", piece)
    assert "id.atlassian.com" in told.line("account", "error", "401")
    told.line("account", "error", "is from environment, which wins over login")
    assert [e["path"] for e in shared_bb.log.since(mark) if e["authorization"]] == ["/2.0/user"]


def test_what_login_keeps(shared_bb, place):
    ada = shared_bb.accounts["ada"]
    done = subprocess.run([BINARY, "login", "--with-token", "--email", ada.email], env=place.environment(None), input=ada.token,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done
    told = doctor(place, account=None)
    told.line("credential", "ok", "of ada@example.com, from ")
    told.line("account", "ok", "signed in as Ada")
    fault = shared_bb.fault("GET /2.0/user$", "status", status=401)
    assert "wins over" not in doctor(place, account=None).line("account", "error")
    fault.remove()
    kept, = (p for p in (place.place / "xdg-state/bitbucketfs/sign-in").iterdir() if p.name != ".lock")
    kept.chmod(0o644)
    assert doctor(place, account=None).errors() == {"credential"}, "others can read it"


def test_nobody_is_signed_in(shared_bb, place):
    told = doctor(place, "acme/widgets", account=None)
    told.line("account", "ok", "nobody is signed in")
    told.line("repository", "error", "nobody is signed in")
    assert told.requests <= 2


# -- what the account may

def test_scopes_that_are_missing(shared_bb, place):
    for scope, name, level in (("read:user:bitbucket", "account", "warning"), ("read:workspace:bitbucket", "workspaces", "error"),
                               ("read:repository:bitbucket", "repositories", "error")):
        had = shared_bb.accounts["ada"].scopes
        shared_bb.set_scopes("ada", without=[scope])
        try:
            assert scope in doctor(place).line(name, level, "lacks the scope")
        finally:
            shared_bb.accounts["ada"].scopes = had
    body = json.dumps({"type": "error", "error": {"message": "No.", "detail": "A text and no object."}})
    shared_bb.fault("GET /2.0/repositories/acme/widgets", "status", status=403, body=body,
                    headers={"Content-Type": "application/json"})
    doctor(place, "acme/widgets").line("repository", "error", "A text and no object")


def test_access_tokens(shared_bb, place):
    told = doctor(place, account="workspace-token")
    told.line("workspaces", "warning", "workspaces = A:B")
    assert told.code == 0
    doctor(place, account="workspace-token", BITBUCKETFS_WORKSPACES="acme").line("repositories", "ok")
    told = doctor(place, "acme/widgets", account="workspace-token")
    told.line("repository", "ok", "acme/widgets")
    told.line("clone", "ok")


def test_limits_and_trouble(shared_bb, place):
    for status, name, piece in (429, "requests", "limit"), (503, "service", "status.atlassian.com"):
        fault = shared_bb.fault("GET /2.0/user$", "status", status=status)
        told = doctor(place)
        told.line(name, "error", piece)
        assert fault.hits == 1 and told.requests == 1, "it is not asked again and again"
        fault.remove()
    fault = shared_bb.fault("GET /2.0/user$", "status", status=429, headers={"Retry-After": "900"})
    doctor(place).line("requests", "error", "wait for 15 minutes")
    fault.remove()
    try:
        shared_bb.set_limits(quota=1000, headers=True)
        shared_bb.fault("GET /2.0/repositories/acme", "status", status=200, body='{"values": [{}]}', headers={
            "Content-Type": "application/json", "X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "900"})
        told = doctor(place)
        assert re.search(r"^7 of 1000 .*again at \d\d:\d\d", told.line("requests", "warning"))
    finally:
        shared_bb.set_limits(quota=100000, headers=False)


@pytest.mark.parametrize("name, answer", [
    ("service", {"status": 200, "body": "<html>Welcome to our hotel", "headers": {"Content-Type": "text/html"}}),
    ("service", {"status": 511, "body": "<html>Welcome to our hotel"}),
    ("https", {"status": 302, "headers": {"Location": "http://nowhere.invalid/login"}})], ids=["200", "511", "302"])
def test_a_page_of_the_network_in_between(shared_bb, place, name, answer):
    fault = shared_bb.fault("GET /2.0/", "status", **answer)
    for account in "ada", "workspace-token":
        told = doctor(place, "acme/widgets", account=account)
        told.line(name, "error", "by a browser")
        assert not {"account", "repository", "clone"} & {c["name"] for c in told}
    assert fault.hits == 2, "what is not the API is not shown the credential again"


def test_an_api_url_that_is_another_server(shared_bb, place):
    told = doctor(place, "acme/widgets", BITBUCKETFS_API_URL=shared_bb.git_url)
    told.line("account", "error", "which ends in /2.0?")
    assert told.requests == 1


def test_a_new_token_that_does_not_come_is_not_the_network(shared_bb, place):
    oauth.sign_in(place, lifetime=-1)
    fault = shared_bb.fault("POST /site/oauth2/access_token", "stall")
    threading.Timer(4.8, fault.remove).start()
    told = doctor(place, account=None)
    told.line("account", "error", "No new OAuth token came from")
    assert "https" not in {c["name"] for c in told}


# -- ADDRESS

@pytest.mark.parametrize("address, name, level, piece, requests", [
    ("acme/widgets", "repository", "ok", "acme/widgets is there", 2),
    ("acme", "workspace", "ok", "acme is there", 2),
    ("{git}/acme/widgets.git", "clone", "ok", "git can have", 2),
    ("{git}/acme/widgets/src/main/a.c", "address", "ok", "of a page of acme/widgets", 2),
    ("{api}/repositories/acme/widgets", "address", "ok", "of the API", 2),
    ("acme/widgts", "repository", "error", "did you mean widgets?", 3),
    ("acmee/widgets", "workspace", "error", "did you mean acme?", 4),
    ("zzzz", "workspace", "error", "monolith-labs", 3),
    ("vault/widgets", "workspace", "error", "no workspace vault", 4),
    ("git@bitbucket.org:acme/widgets.git", "address", "error", "which is 127.0.0.1", 2),
    ("{git}/Acme/widgets.git", "address", "warning", "is written acme", 2),
    ("curl {api}/repositories/acme/widgets?a=1&b=2", "address", "error", "bitbucketfs curl PATH", 2),
], ids=lambda v: v.strip("{}").replace("/", "-") if isinstance(v, str) and "/" in v else "")
def test_an_address(shared_bb, place, address, name, level, piece, requests):
    mark = shared_bb.log.mark()
    told = doctor(place, address.format(git=shared_bb.git_url, api=shared_bb.api_url))
    told.line(name, level, piece)
    assert told.requests == len(rest(shared_bb, mark)) == requests
    if name != "clone":
        assert "clone" in {c["name"] for c in told} or level == "error" or "widgets" not in address


def test_git_refuses_what_the_api_shows(shared_bb, place):
    shared_bb.fault(r"GET /acme/widgets.git/info/refs", "status", status=403)
    told = doctor(place, "acme/widgets")
    told.line("repository", "ok")
    told.line("clone", "error", "git cannot have")


# -- the network

@contextlib.contextmanager
def black_hole():
    """An address of this machine that never answers: its queue is full, so that SYNs are dropped."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        held = []
        try:
            for _ in range(3):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(full.getsockname())
                held.append(s)
            yield full.getsockname()[1]
        finally:
            for s in held:
                s.close()


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("url, more, piece", [
    ("http://127.0.0.1:{closed}", {}, "Connection refused: is this machine online"),
    ("https://127.0.0.1:{port}", {}, "another server answers there"),
    ("https://api.bitbucket.org", {"BITBUCKETFS_PROXY": "http://127.0.0.1:{closed}"}, "the proxy 127.0.0.1:"),
    ("https://api.bitbucket.org", {"BITBUCKETFS_PROXY": "http://ada:hunter22@127.0.0.1:{port}"}, "does not connect"),
], ids=["refused", "tls", "no-proxy", "proxy-refuses"])
def test_the_network_does_not_let_it(shared_bb, place, url, more, piece):
    fill = {"closed": closed_port(), "port": shared_bb.port}
    more = {k: v.format(**fill) for k, v in more.items()}
    told = doctor(place, BITBUCKETFS_API_URL=url.format(**fill) + "/2.0", **more)
    text = told.line("https", "error", piece)
    assert "hunter22" not in text and "account" not in {c["name"] for c in told}
    assert told.requests <= 1


def test_a_connection_that_breaks_off(shared_bb, place):
    shared_bb.fault("GET /2.0/user$", "reset")
    doctor(place).line("https", "error", "breaks it off")


def test_without_a_route_it_takes_a_second(place):
    began = time.monotonic()
    told = doctor(place, program=["unshare", "-n"], BITBUCKETFS_API_URL=None, BITBUCKETFS_GIT_URL=None)
    assert time.monotonic() - began < 2
    told.line("https", "error", "the name api.bitbucket.org cannot be resolved: is this machine online?")
    told.line("git", "error", "is this machine online?")
    told.line("ssh", "ok", "is not used, and would not work: the name ssh.bitbucket.org cannot be resolved")
    told.line("kernel", "ok")


def test_in_a_black_hole_it_takes_six(place):
    with black_hole() as port:
        began = time.monotonic()
        told = doctor(place, BITBUCKETFS_API_URL=f"http://127.0.0.1:{port}/2.0", BITBUCKETFS_GIT_URL=f"ssh://git@127.0.0.1:{port}",
                      BITBUCKETFS_GIT_FALLBACK=f"http://localhost:{port}")
        assert time.monotonic() - began < 6
    for name in "https", "git", "ssh":
        told.line(name, "error", "firewall")


def test_a_clock_that_is_wrong(shared_bb, place):
    for seconds, level, piece in (-YEAR, "error", "366 days ahead"), (YEAR, "error", "days behind"), (600, "warning", "minutes behind"):
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds + 30 * (1 if seconds > 0 else -1)))
        fault = shared_bb.fault("GET /2.0/user$", "status", status=200, body='{"uuid": "{x}"}',
                                headers={"Content-Type": "application/json", "Date": date})
        assert "set-ntp" in doctor(place).line("clock", level, piece)
        fault.remove()


PLAIN = """import http.server, threading
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_HEAD(self):
        self.send_response_only(301)
        for k, v in ("Date", "Tue, 01 Jan 2019 00:00:00 GMT"), ("Location", "https://localhost/"), ("Content-Length", "0"):
            self.send_header(k, v)
        self.end_headers()
    log_message = lambda *a: None
servers = [http.server.ThreadingHTTPServer(("127.0.0.1", p), H) for p in (80, 443)]
for s in servers:
    threading.Thread(target=s.serve_forever).start()
print("ready", flush=True)
"""


def test_where_tls_fails_the_clock_is_asked_without(place, tmp_path):
    """What a clock that is years off does: no certificate is good."""
    (tmp_path / "plain.py").write_text(PLAIN)
    before = (f"ip link set lo up 2>/dev/null || {{ exec 3<>/dev/null; python3 -c '{LO_UP}'; }}\n"
              f"mkfifo {tmp_path}/ready; python3 {tmp_path}/plain.py >{tmp_path}/ready 2>/dev/null & read -r _ <{tmp_path}/ready\n")
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n" + before + '"$@"\n')
    script.chmod(0o755)
    told = doctor(place, program=["unshare", "-n", str(script)], BITBUCKETFS_API_URL="https://127.0.0.1/2.0")
    told.line("https", "error", "no trusted connection")
    told.line("clock", "error", "days ahead")


LO_UP = ("import fcntl, socket, struct; s = socket.socket(); "
         'fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))').replace('"', '\\"').replace('\\"', '"')


SILENT = """import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
time.sleep(600)
"""


def test_a_name_server_that_does_not_answer(place, tmp_path):
    """And a cache that a mount has locked, to check it: that is nobody's error."""
    account = place.place / "cache/api.bitbucket.org/a"
    for d in account.parent.parent, account.parent, account:
        d.mkdir(mode=0o700)
    (account / "cache.db").touch(mode=0o600)
    (tmp_path / "silent.py").write_text(SILENT)
    (tmp_path / "resolv").write_text("nameserver 127.0.0.1\n")
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\nip link set lo up 2>/dev/null || python3 -c '{LO_UP}'\n"
                      f"mount --bind {tmp_path}/resolv /etc/resolv.conf; mkfifo {tmp_path}/ready\n"
                      f"python3 {tmp_path}/silent.py >{tmp_path}/ready & read -r _ <{tmp_path}/ready\n" + '"$@"\n')
    script.chmod(0o755)
    began = time.monotonic()
    with open(account / "cache.lock", "w", opener=lambda p, f: os.open(p, f, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = doctor(place, program=["unshare", "-n", str(script)], BITBUCKETFS_API_URL=None, BITBUCKETFS_GIT_URL=None)
    assert time.monotonic() - began < 6
    told.line("cache", "ok", "a mount checks it just now")
    for name, host in ("https", "api.bitbucket.org"), ("git", "bitbucket.org"):
        told.line(name, "error", f"the name {host} was not resolved in time: no name server answers")
    told.line("ssh", "ok", "no name server")


# -- SSH

@pytest.fixture(scope="module")
def server(shared_bb, tmp_path_factory):
    if not SSHD:
        pytest.skip("no sshd: openssh-server")
    made = Server(tmp_path_factory.mktemp("doctor-sshd"), shared_bb)
    yield made
    made.end()


@pytest.fixture
def by_ssh(server, place, tmp_path):
    """doctor as a user of ssh, with that key and the host known."""
    def run_it(*words, key=server.key, known=True, port=None, **more):
        (tmp_path / "bin").mkdir(exist_ok=True)
        host = (server.place / "host.pub").read_text()
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host}" if known else "")
        (tmp_path / "ssh_config").write_text(f"IdentityFile {key}\nIdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known_hosts\n"
                                             "GlobalKnownHostsFile /dev/null\n")
        (tmp_path / "bin/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/ssh_config "$@"\n')
        (tmp_path / "bin/ssh").chmod(0o755)
        e = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "SSH_AUTH_SOCK": "", "XDG_RUNTIME_DIR": str(tmp_path / "run"),
             "BITBUCKETFS_GIT_URL": server.url(port), **more}
        return doctor(place, *words, **e)
    return run_it


def test_keys_of_ssh(server, by_ssh, tmp_path):
    told = by_ssh("acme/widgets", BITBUCKETFS_SSH_FALLBACK=f"127.0.0.1:{server.port}")
    told.line("ssh", "ok", "lets one in")
    told.line("ssh-443", "ok", "gets through")
    told.line("clone", "ok", "by SSH")
    assert told.code == 0
    told = by_ssh(f"git clone '{server.url()}/acme/forest.git' here")
    told.line("address", "ok", "a clone address by SSH of acme/forest")
    open_key = shutil.copy(server.key, tmp_path / "open")
    os.chmod(open_key, 0o644)
    for more, piece in (({"key": server.place / "stranger"}, "https://bitbucket.org/account/settings/ssh-keys/"),
                        ({"key": server.locked}, 'eval "$(ssh-agent)"; ssh-add '), ({"key": open_key}, "chmod 600"),
                        ({"known": False}, "known_hosts the line"), ({"PATH": "/nonexistent"}, "install openssh-client")):
        before = f"PATH={os.environ['PATH']}\n" if "PATH" in more else ""
        program = ["env", "PATH=/nonexistent"] if more.pop("PATH", None) else []
        by_ssh(before=before, program=program, **more).line("ssh", "error", piece)


def test_one_way_is_blocked_and_the_other_is_not(server, by_ssh):
    told = by_ssh(BITBUCKETFS_API_URL=f"http://127.0.0.1:{closed_port()}/2.0")
    assert "Connection refused" in told.line("https", "error", "; SSH gets through from here: clone by a")
    told.line("ssh", "ok")
    told = by_ssh(port=closed_port())
    assert "refuses SSH" in told.line("ssh", "error", "; HTTPS gets through from here: clone by a")
    told.line("https", "ok")
    # The other port of SSH is a way, which a mount takes.
    told = by_ssh("acme/widgets", port=closed_port(), BITBUCKETFS_SSH_FALLBACK=f"127.0.0.1:{server.port}")
    assert "refuses SSH" in told.line("ssh", "warning", "; ssh_fallback gets through, which a mount takes")
    told.line("clone", "ok", "by SSH")
    assert told.code == 0
    # A git_fallback by SSH is not asked by HTTP.
    told = by_ssh(BITBUCKETFS_GIT_FALLBACK=server.url())
    assert told.code == 0


# -- the cache, the disk

def cached(place):
    """A cache with an account; the account's directory."""
    assert place.run("api", "/user").returncode == 0
    host, = (p for p in (place.place / "cache").iterdir() if p.is_dir())
    return next(p for p in host.iterdir() if p.is_dir())


def test_a_cache_that_is_wrong(shared_bb, place):
    account = cached(place)
    doctor(place).line("cache", "ok", "1 account")
    account.chmod(0o755)
    assert "chmod 700" in doctor(place).line("cache", "warning")
    account.chmod(0o777)
    doctor(place).line("cache", "error", "cannot be trusted")
    account.chmod(0o700)
    os.chown(account / "cache.db", NOBODY, NOBODY)
    assert doctor(place).errors() == {"cache"}
    os.chown(account / "cache.db", 0, 0)
    with contextlib.closing(sqlite3.connect(account / "cache.db")) as db:
        db.execute("PRAGMA user_version = 99")
        db.commit()
    doctor(place).line("cache", "error", "later version")
    for file in account.glob("cache.db-*"):
        file.unlink()
    (account / "cache.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    before = sorted(os.listdir(account))
    doctor(place).line("cache", "error", "is damaged")
    assert sorted(os.listdir(account)) == before and (account / "cache.db").stat().st_size == 8208, "it is looked at alone"


def test_a_disk_without_room(place):
    cache = place.place / "cache"
    cache.mkdir(mode=0o700)
    for options, level, piece in ("size=8m", "warning", "make room"), ("size=64k", "error", "make room"), \
            ("size=900m,nr_inodes=1", "error", "inodes"), ("ro", "error", "read-only"):
        told = doctor(place, before=f"mount -t tmpfs -o mode=700,{options} none {cache}")
        told.line("space", level, piece)


def test_a_bound_that_the_disk_does_not_hold(place):
    m = place()
    m.read("acme/widgets/tree/README.md")
    m.unmount()
    doctor(place, BITBUCKETFS_CACHE_SIZE="8M").line("space", "ok", "of at most 8.4 MB")
    doctor(place, BITBUCKETFS_CACHE_SIZE="off").line("space", "ok", "cache_size is off")
    doctor(place, BITBUCKETFS_CACHE_SIZE="1000T").line("space", "warning", "set a smaller cache_size")


# -- mounts

def keeping(path):
    """A script in the place of OWN, by which one mount stays."""
    return f"findmnt -rn -t fuse.bitbucketfs -o TARGET | grep -vxF {shlex.quote(path)} | xargs -r umount -l\n"


def test_mounts_that_are_dead_or_hang(place):
    m = place()
    own = keeping(m.path)
    doctor(place, own=own).line("mounts", "ok", m.path)
    m.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        told = doctor(place, own=own, BITBUCKETFS_CACHE_DIR=m / "here")
        assert time.monotonic() - began < PATIENCE / 2
        assert "umount" in told.line("mounts", "error", "does not answer")
        told.line("space", "error", "a file system that hangs?")
        told.line("account", "ok")
    finally:
        m.process.send_signal(signal.SIGCONT)
    m.kill()
    assert "is dead" in doctor(place, own=own).line("mounts", "error", m.path)


@pytest.mark.parametrize("user", [[], AS_NOBODY], ids=["root", "nobody"])
def test_a_mount_in_another_namespace(place, request, user):
    """An ordinary user may not look into the process of a daemon, not even his own."""
    top = pathlib.Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(top))
    where, as_user = top / "there", shlex.join(user)
    where.mkdir()
    for d in top, where:
        os.chown(d, NOBODY if user else 0, -1)
    mine = {"BITBUCKETFS_CACHE_DIR": str(top / "cache"), "HOME": str(top), "XDG_CONFIG_HOME": str(top / "config"),
            "XDG_STATE_HOME": str(top / "state"), "XDG_RUNTIME_DIR": str(top / "run")}
    (top / "second").mkdir()
    os.chown(top / "second", NOBODY if user else 0, -1)
    before = (f"unshare -m --propagation private sh -c '{as_user} {BINARY} {where} && {as_user} {BINARY} {top}/second && "
              f"echo >{top}/up; exec sleep 600' &\nuntil [ -e {top}/up ]; do sleep 0.02; done\n")
    script = top / "script"         # types the line that it says
    script.write_text(f'{as_user} "$@" | tee {top}/said\neval "$(grep -o "nsenter [^()]*" {top}/said | head -n 1)" >{top}/typed 2>&1\n'
                      f'grep -q \'"worst": "error"\' {top}/said; exit $((! $?))\n')
    told = doctor(place, before=before, program=["sh", str(script)], **mine)
    assert len([c for c in told if c["name"] == "namespaces"]) == 2, "each once, though each daemon has both"
    assert ("(sudo " in told.line("namespaces", "warning", str(where))) == bool(user)
    assert "acme" in (top / "typed").read_text()
    told.line("mounts", "ok", "nothing is mounted")


# -- others' files

def test_a_netrc_that_signs_in_otherwise(place):
    home = place.place / "home"
    home.mkdir(exist_ok=True)
    (home / ".netrc").write_text("machine example.org login a password b\nmachine 127.0.0.1\n login ada password hunter22\n")
    assert "hunter22" not in doctor(place).line("curl", "warning", ".netrc")
    (home / ".netrc").unlink()
    doctor(place).line("curl", "ok", "bitbucketfs curl PATH")
