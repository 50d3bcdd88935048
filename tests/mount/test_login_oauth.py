"""bitbucketfs login --oauth and --oauth-client: the browser is urllib, or a program called xdg-open."""
import os
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

import test_secrets
from conftest import BINARY, PATIENCE, await_true, mounted
from harness import Mount
from oauth import grants, kept, place
from test_login import Terminal


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def port(bb):
    n = free_port()
    bb.oauth.consumer.callback = f"http://localhost:{n}/"
    return n


class Login:
    """login that runs while a browser does its part."""

    def __init__(self, mounts, port, *words, secret=None, **environment):
        bb = mounts.bb
        self.all = ""
        e = {**mounts.environment(None), "BITBUCKETFS_CACHE_DIR": str(mounts.place / "cache"), "DISPLAY": "", "WAYLAND_DISPLAY": "",
             **environment}
        self.process = subprocess.Popen(
            [BINARY, "login", *words, "--with-token", "-o", f"oauth_client_id={bb.oauth.consumer.key},oauth_port={port}"],
            env=e, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write((secret or bb.oauth.consumer.secret) + "\n")
        self.process.stdin.close()

    def address(self):
        """What is to be opened in a browser."""
        for line in self.process.stderr:
            self.all += line
            found = re.match(r"  (http\S+/site/oauth2/authorize\S+)$", line)
            if found:
                return found.group(1)
        raise AssertionError(self.all)

    def await_line(self, words):
        while words not in self.all:
            line = self.process.stderr.readline()
            assert line, self.all
            self.all += line

    def end(self):
        """(exit status, what was said on both)"""
        out, self.process.stdin = self.process.stdout.read(), None
        self.all += self.process.stderr.read()
        return self.process.wait(PATIENCE), out + self.all


def browse(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as page:
            return page.status, page.geturl(), page.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, url, e.read().decode()


def test_by_a_browser(bb, mounts, port):
    bb.oauth.who = "ada"
    login = Login(mounts, port, "--oauth")
    status, url, page = browse(login.address())
    code, said = login.end()
    assert (code, status) == (0, 200) and "Signed in as Ada Lindqvist" in said and "git: good" in said, said
    assert url == f"http://localhost:{port}/done" and "You are signed in" in page, "no code stays in the address"
    assert grants(bb) == [("authorization_code", 200)]
    assert len(bb.log.all("GET /2.0/user$")) <= 2
    assert kept(mounts)["name"] == "ada" and kept(mounts)["account"].startswith("user:{")
    for what in ("oauth", "sign-in"):
        assert os.stat(place(mounts, what)).st_mode & 0o777 == 0o600
    m = mounts(account=None)
    assert mounted(m.path)[1] == "bitbucket:ada" and m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    # A second one asks for no secret: it has one.
    again = subprocess.Popen([BINARY, "login", "--oauth", "-o", f"oauth_client_id={bb.oauth.consumer.key},oauth_port={port}"],
                             env=login_environment(mounts), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    address = next(line for line in again.stderr if "authorize?" in line).strip()
    assert browse(address)[0] == 200
    said = again.communicate()[0]
    assert again.returncode == 0 and "Signed in" in said and "goes on with the new sign-in" in said, said
    bb.oauth.expire()
    assert m.read("acme/infra/tree/README.md"), "the mount renews what the second one was given"


def test_at_the_terminal(bb, mounts, port):
    """What a consumer is made with, its key, its secret without echo, an address; Ctrl-C ends the wait."""
    consumer = bb.oauth.consumer
    for ends in (False, True):
        login = Terminal(mounts, "login", "--oauth", "-o", f"oauth_port={port}", DISPLAY="", WAYLAND_DISPLAY="")
        login.see(rf"Callback URL: +http://localhost:{port}/").see("Key of the consumer: ").type(consumer.key + "\n")
        login.see("it is not shown")
        assert not login.echoes()
        login.type(consumer.secret + "\n")
        login.see(r"  (http\S+/authorize\S+)\s")
        if ends:
            login.type("\x03")
            assert login.end() != 0
        else:
            assert browse(re.search(r"http\S+/authorize\S+", login.seen)[0])[0] == 200
            assert login.end() == 0 and "Signed in as Ada Lindqvist" in login.seen
            for what in ("oauth", "sign-in"):
                place(mounts, what).unlink()
        assert consumer.secret not in login.seen


def login_environment(mounts):
    return {**mounts.environment(None), "BITBUCKETFS_CACHE_DIR": str(mounts.place / "cache"), "DISPLAY": "", "WAYLAND_DISPLAY": ""}


def test_a_wrong_state_is_refused_and_the_wait_goes_on(bb, mounts, port):
    login = Login(mounts, port, "--oauth")
    address = login.address()
    for query in ("code=theirs&state=wrong", "code=theirs", "code=theirs&state="):
        for host in ("localhost", "127.0.0.1"):
            status, _, page = browse(f"http://{host}:{port}/?{query}")
            assert status == 400 and "was refused" in page and "theirs" not in page
    login.await_line("an answer with a wrong state came to the callback and was refused")
    assert browse(f"http://localhost:{port}/favicon.ico")[0] == 404
    request = urllib.request.Request(f"http://127.0.0.1:{port}/?code=x&state=y", headers={"Host": f"evil.example:{port}"})
    assert browse(request)[0] == 404
    silent = socket.create_connection(("127.0.0.1", port))      # as browsers open some before they need them
    assert grants(bb) == []
    assert browse(address)[0] == 200
    code, said = login.end()
    silent.close()
    assert code == 0 and "theirs" not in said and grants(bb) == [("authorization_code", 200)]


def test_another_user_who_answers_first(bb, mounts, port):
    """The state is in xdg-open's arguments, for all to see: with a code of his own somebody would be signed in as him."""
    if os.getuid():
        pytest.skip("NOT TESTED: only root can be another user")
    login = Login(mounts, port, "--oauth")
    address = login.address()
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["state"][0]
    for host in ("127.0.0.1", "[::1]"):
        request = f"GET /?code=theirs&state={state} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        done = subprocess.run(["/usr/bin/python3", "-c", "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])));"
                               "s.sendall(sys.stdin.buffer.read()); sys.stdout.write(s.recv(9999).decode())", host.strip("[]"), str(port)],
                              input=request, text=True, capture_output=True, user=65534, group=65534, extra_groups=[])
        assert done.stdout.startswith("HTTP/1.1 400"), done
        login.await_line("an answer of another user of this machine came to the callback and was refused")
        login.all = ""
    assert grants(bb) == []
    assert browse(address)[0] == 200
    assert login.end()[0] == 0 and grants(bb) == [("authorization_code", 200)]


@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_busy_port_is_a_sentence(bb, mounts, port, family, host):
    """Of either: whoever has the other one would get the code."""
    with socket.socket(family) as taken:
        try:
            taken.bind((host, port))
        except OSError:
            pytest.skip(f"NOT TESTED: there is no {host}")
        taken.listen()
        code, said = Login(mounts, port, "--oauth").end()
    assert code == 1 and f"Port {port} of this machine" in said and "oauth_port=N" in said and said.count("\n") == 1
    assert bb.log.all("site/oauth2") == []


def test_the_person_says_no(bb, mounts, port):
    bb.oauth.denies = True
    login = Login(mounts, port, "--oauth")
    _, _, page = browse(login.address())
    code, said = login.end()
    assert code == 1 and "Access was refused in the browser" in said and "Nobody is signed in" in page
    assert not place(mounts, "oauth").exists() and not place(mounts, "sign-in").exists()


def test_a_consumer_that_is_registered_otherwise(bb, mounts, port):
    bb.oauth.consumer.callback = "http://localhost:1/"
    login = Login(mounts, port, "--oauth")
    assert browse(login.address())[0] == 400
    login.process.send_signal(2)
    assert login.end()[0] == -2, "Ctrl-C ends it"


def test_nobody_is_signed_in_where_the_service_does_not_say_who(bb, mounts, port):
    """It would be another account than that of the mount that runs."""
    fault = bb.fault("GET /2.0/user$", "status", status=503, times=1)
    login = Login(mounts, port, "--oauth")
    browse(login.address())
    code, said = login.end()
    assert fault.hits == 1 and code == 1 and "/user answered 503" in said and "try again" in said, said
    assert not place(mounts, "oauth").exists() and not place(mounts, "sign-in").exists()


def test_by_itself(bb, mounts):
    """Without a browser, beside a mount of nobody's; a consumer of everybody's, and a wrong secret, are sentences."""
    nobodys = mounts("workspaces=opensource", account=None)
    code, said = Login(mounts, 1, "--oauth-client").end()
    assert code == 0 and "Signed in as Ada Lindqvist" in said and grants(bb) == [("client_credentials", 200)], said
    assert "refresh" not in kept(mounts)
    assert "acme" in nobodys.ls() and grants(bb) == [("client_credentials", 200)]
    assert "# widgets" in mounts(account=None).read("acme/widgets/tree/README.md")
    bb.oauth.consumer.private = False
    code, said = Login(mounts, 1, "--oauth-client").end()
    assert code == 4 and "This is a private consumer" in said and said.count("\n") == 1
    code, said = Login(mounts, 1, "--oauth-client", secret="wrongwrong").end()
    assert code == 4 and "its secret" in said and "wrongwrong" not in said
    assert mounts.run("login", "--oauth", "--oauth-client", account=None).returncode == 2


def test_xdg_open_where_there_is_a_display(bb, mounts, port, tmp_path):
    """What it is given is an address without a secret; its environment has none either."""
    seen = tmp_path / "seen"
    program = tmp_path / "xdg-open"
    program.write_text(f"#!/bin/sh\nenv >{seen}.env\nprintf '%s\\n' \"$@\" >{seen}.new\nmv {seen}.new {seen}\n")
    program.chmod(0o755)
    login = Login(mounts, port, "--oauth", PATH=f"{tmp_path}:{os.environ['PATH']}", DISPLAY=":9", BITBUCKETFS_TOKEN="hunter2")
    address = login.address()
    await_true(seen.exists, "xdg-open was run")
    assert seen.read_text() == address + "\n" and "A browser is opened" in login.all
    with open(f"{seen}.env") as f:
        text = f.read()
    assert "hunter2" not in text and bb.oauth.consumer.secret not in text
    assert browse(address)[0] == 200 and login.end()[0] == 0


def test_no_secret_is_seen(bb, mounts, port):
    """Neither the consumer's nor what it was given: not in arguments, environments, what is said, the log or the cache."""
    login = Login(mounts, port, "--oauth")
    address = login.address()
    with open(f"/proc/{login.process.pid}/cmdline", "rb") as f:
        cmdline = f.read()
    browse(address)
    said = login.end()[1]
    where = str(mounts.place / "debugged")
    os.mkdir(where)
    m = Mount(where, str(mounts.place / "cache"), mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache")), (),
              ["-d"])
    mounts.all.append(m)
    m.wait()
    m.read("acme/widgets/tree/README.md")
    bb.oauth.expire()
    m.ls("acme/widgets/pullrequests")
    bb.oauth.revoke()
    with pytest.raises(OSError):
        m.ls("acme/infra/pullrequests")
    secrets = [s.encode() for s in bb.oauth.issued + [bb.oauth.consumer.secret]]
    secrets += list(test_secrets.forms(*[("x-token-auth", s) for s in bb.oauth.issued],
                                       (bb.oauth.consumer.key, bb.oauth.consumer.secret)))
    assert len(bb.oauth.issued) >= 5
    places = {"arguments": cmdline + test_secrets.proc(m, "cmdline"), "environment": test_secrets.proc(m, "environ"),
              "said": said.encode(), "log": m.log_bytes(), "errors": m.errors().encode()}
    for name in test_secrets.files_of(m.cache):
        with open(name, "rb") as f:
            places[name] = f.read()
    for where, text in places.items():
        assert not test_secrets.holds(text, secrets), where
    assert b"LOOKUP" in places["log"]


def test_the_storage_host_sees_none(bb, mounts, port):
    login = Login(mounts, port, "--oauth")
    thread = threading.Thread(target=browse, args=(login.address(),))
    thread.start()
    assert login.end()[0] == 0
    thread.join()
    m = mounts(account=None)
    names = [n for n in m.ls("acme/widgets/downloads") if not n.startswith("index")]
    assert names and m.read(f"acme/widgets/downloads/{names[0]}", "rb") is not None
    storage = [e for e in bb.log.all() if e["listener"] == "storage"]
    assert storage and {e["authorization"] for e in storage} == {None}
    assert {e["authorization"] for e in bb.log.all("/2.0/")} == {"bearer"}
