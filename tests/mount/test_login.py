"""bitbucketfs login and logout: a token is taken, tried and kept; what is kept signs a mount in; it is taken away again."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import threading
import time

import pytest

from conftest import BINARY, PATIENCE, asked, await_true, mounted
from test_secrets import files_of, forms

ADA = "ATATT3xLocalAdaEverything0001"
WHO = {"ada": ("--email=ada@example.com",), "pair": ("--username=ada-lindqvist",), "workspace-token": ()}


def login(mounts, *words, token=ADA, account=None, **more):
    """From standard input, with nothing in the environment."""
    e = mounts.environment(account, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"), **more)
    return subprocess.run([BINARY, "login", "--with-token", *words], env=e, input=token, capture_output=True, text=True,
                          timeout=PATIENCE)


def kept(mounts):
    directory = mounts.place / "xdg-state" / "bitbucketfs" / "sign-in"
    return sorted(p for p in directory.iterdir() if p.name != ".lock") if directory.exists() else []


def all_forms(a):
    return list(forms((a.email, a.token), (a.username, a.token), ("x-bitbucket-api-token-auth", a.token),
                      ("x-token-auth", a.token)))


class Terminal:
    """The program at a terminal of its own, whose session is led by another process: the end of that one would throw away
    what was written last and not read yet."""

    def __init__(self, mounts, *words, **more):
        e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"), **more)
        (told, tell), (held, self.hold) = os.pipe(), os.pipe()
        self.leader, self.fd = pty.fork()
        if self.leader == 0:
            os.close(self.hold)
            child = os.fork()
            if child == 0:
                os.execve(BINARY, [BINARY, *words], e)
            for number in signal.SIGINT, signal.SIGHUP:
                signal.signal(number, signal.SIG_IGN)
            os.write(tell, b"%d\n" % child)
            os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os.read(held, 1)
            os._exit(0)
        os.close(tell)
        os.close(held)
        self.told = os.fdopen(told)
        self.pid, self.seen = int(self.told.readline()), ""

    def see(self, pattern):
        await_true(lambda: self.read() and re.search(pattern, self.seen), f"{pattern} at the terminal")
        return self

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        return self.seen

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """How it ended; seen is all that it said."""
        status = int(self.told.readline())
        self.read()
        os.close(self.hold)
        os.waitpid(self.leader, 0)
        os.close(self.fd)
        self.told.close()
        return status


@pytest.mark.parametrize("account", list(WHO))
def test_what_is_kept_signs_in(bb, mounts, account):
    a = bb.accounts[account]
    done = login(mounts, *WHO[account], token=a.token + "\n", BITBUCKETFS_WORKSPACES="acme")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "git: good (acme/" in done.stdout and a.token not in done.stdout
    [file] = kept(mounts)
    assert file.stat().st_mode & 0o7777 == 0o600 and str(file) in done.stdout
    # The identity and one repository at the API, and git once.
    expected = ["GET /2.0/repositories/acme?pagelen=1", "GET /2.0/user" if a.user else "GET /2.0/workspaces/acme"]
    assert sorted(x for x in asked(bb) if "/2.0/" in x) == expected
    assert len([x for x in asked(bb) if ".git/" in x]) == 1
    said = mounts.run("whoami", account=None, BITBUCKETFS_WORKSPACES="acme")
    assert said.returncode == 0 and f"credential from: {file}\n" in said.stdout
    m = mounts("workspaces=acme", account=None, arguments=["-d"])
    assert "widgets" in m.ls("acme") and m.read("acme/widgets/tree/README.md") and b"LOOKUP" in m.log_bytes()
    secrets = all_forms(a)
    places = [p for p in mounts.place.iterdir() if str(p) != m.path] + [m / ".bitbucketfs"]
    seen = {path for place in places for path in files_of(place)} - {str(file)}
    for path in seen | {f"/proc/{m.process.pid}/environ", f"/proc/{m.process.pid}/cmdline", m.log_file.name}:
        with open(path, "rb") as f:
            text = f.read()
        assert not [s for s in secrets if s in text], path
    assert len(seen) > 10


def test_at_the_terminal(bb, mounts):
    t = Terminal(mounts, "login").see("Token .*: ")
    assert "https://id.atlassian.com/manage-profile/security/api-tokens" in t.seen
    assert " ".join(f"read:{s}:bitbucket" for s in ("user", "workspace", "project", "repository", "pullrequest", "pipeline")) \
        in t.seen
    await_true(lambda: not t.echoes(), "nothing is shown")
    t.type("ada@example.com\n")             # in the place of the token
    t.see("is an e-mail").see("(?s)Token.*Token .*: ")
    await_true(lambda: not t.echoes(), "nothing is shown")
    t.type(ADA + "\n")
    t.see("E-mail of the Atlassian account: ")
    await_true(t.echoes, "it is shown again")
    t.type(" <ada@example.com>\n")
    assert t.end() == 0, t.seen
    assert "Signed in as Ada Lindqvist (ada@example.com): API token." in t.seen and ADA not in t.seen
    assert len(kept(mounts)) == 1


def test_nobody_sees_it_while_it_is_taken(bb, mounts):
    """The program that has it, before it is tried: no core, nothing for who reads /proc."""
    t = Terminal(mounts, "login").see("Token .*: ")
    await_true(lambda: not t.echoes(), "nothing is shown")
    t.type(ADA + "\n")
    t.see("E-mail of the Atlassian account: ")
    for name in "cmdline", "environ":
        with open(f"/proc/{t.pid}/{name}", "rb") as f:
            assert ADA.encode() not in f.read()
    with open(f"/proc/{t.pid}/limits") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())
    assert not kept(mounts) and not [p for p in files_of(mounts.place) if ADA.encode() in open(p, "rb").read()]
    t.type("\x03")
    assert t.end() == -signal.SIGINT


def test_nothing_is_asked_before_git_was(bb, mounts):
    """Who reads how a token is made and pastes it while git takes its time would see it at the terminal."""
    place = mounts.place / "bin"
    place.mkdir()
    os.mkfifo(place / "go")
    (place / "git").write_text(f"#!/bin/sh\nread x < {place}/go\nexit 1\n")
    (place / "git").chmod(0o755)
    t = Terminal(mounts, "login", PATH=f"{place}:{os.environ['PATH']}")
    with open(place / "go", "w") as go:
        assert t.read() == ""
        go.write("\n")
    t.see("with these scopes").see("not shown")
    await_true(lambda: not t.echoes(), "a terminal that shows nothing")
    os.kill(t.pid, signal.SIGINT)
    t.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(bb, mounts, number):
    t = Terminal(mounts, "login").see("Token .*: ")
    await_true(lambda: not t.echoes(), "nothing is shown")
    if number == signal.SIGINT:
        t.type("\x03")
    else:
        os.kill(t.pid, number)
    await_true(t.echoes, "it is shown again")
    assert t.end() == -number and not kept(mounts) and not asked(bb)


def test_the_terminals_end_and_a_second_login(bb, mounts):
    t = Terminal(mounts, "login").see("Token .*: ")
    second = login(mounts, "--email=ada@example.com")
    assert second.returncode == 1 and "Another bitbucketfs login" in second.stderr
    t.type("\x04")
    assert t.end() == 1 and "nothing was typed" in t.seen
    assert not kept(mounts) and not asked(bb)
    without = mounts.run("login", account=None)
    assert without.returncode == 2 and "--with-token" in without.stderr


@pytest.mark.parametrize("token, words, code, sentence", [
    ("", (), 2, "is empty"),
    ("ATATT3xLocalAdaEverything0001\n", (), 2, "goes with the e-mail"),
    ("ATATT3xLocalAdaEverything0001\n", ("--username=ada",), 2, "not with the user name"),
    ("ada@example.com\n", ("--email=ada@example.com",), 2, "is an e-mail"),
    ("a\nb\n", ("--username=ada",), 2, "line end"),
    ("a\0b\n", ("--username=ada",), 2, "zero byte"),
    ("x\n", ("--username=ada", "--email=a@b.c"), 2, "are two"),
    ("ATATT3xLocalNobodysToken00000\n", ("--email=ada@example.com",), 4, "id.atlassian.com"),
    ("ATBBLocalDeadAppPassword0007\n", ("--username=ada-lindqvist",), 4, "2026-07-28"),
])
def test_what_is_not_kept(bb, mounts, token, words, code, sentence):
    done = login(mounts, *words, token=token)
    assert (done.returncode, done.stdout) == (code, "") and sentence in done.stderr, done
    assert not token.strip() or token.strip() not in done.stderr or "@" in token
    assert kept(mounts) == [] and (asked(bb) == [] or code == 4)


def test_what_cannot_be_tried(bb, mounts):
    token = bb.accounts["workspace-token"].token
    done = login(mounts, token=token)
    assert (done.returncode, asked(bb)) == (0, []) and "name them with -o workspaces" in done.stdout, done
    assert "git: not tried: there is no repository to ask for" in done.stdout
    mounts.run("logout", account=None)
    # git alone refuses it, and is told apart.
    fault = bb.fault(r"\.git/info/refs", "status", status=403)
    done = login(mounts, "--email=ada@example.com")
    fault.remove()
    assert done.returncode == 0 and "git: not good: " in done.stdout and kept(mounts), done
    mounts.run("logout", account=None)
    # Of a service that is not there nothing is known, and nothing kept.
    fault = bb.fault(r"/2\.0/user", "status", times=9, status=500)
    done = login(mounts, "--email=ada@example.com")
    fault.remove()
    assert (done.returncode, done.stdout, kept(mounts)) == (1, "", []), done


def test_an_app_password_is_not_even_tried_at_the_service(mounts):
    done = login(mounts, "--username=ada-lindqvist", token="ATBBLocalDeadAppPassword0007",
                 BITBUCKETFS_API_URL="https://api.bitbucket.org/2.0", BITBUCKETFS_GIT_URL="https://bitbucket.org",
                 https_proxy="http://127.0.0.1:1")
    assert done.returncode == 1 and "2026-07-28" in done.stderr and "proxy" not in done.stderr


def test_a_sign_in_that_cannot_be_believed(bb, mounts):
    assert login(mounts, "--email=ada@example.com").returncode == 0
    [file] = kept(mounts)
    good = file.read_text()
    for spoil, sentence in ((lambda: file.chmod(0o644), "chmod 600"), (lambda: file.write_text(good[:-1]), "damaged"),
                            (lambda: file.write_text(good.replace("api-token", "other")), "damaged")):
        spoil()
        for words in ("whoami",), ("mount", str(mounts.place)):
            done = mounts.run(*words, account=None)
            assert done.returncode == 1 and sentence in done.stderr and str(file) in done.stderr and ADA not in done.stderr
        assert login(mounts, "--email=ada@example.com").returncode == 0, "written anew"
    # It is the host's, and goes nowhere in the clear.
    other = mounts.run("whoami", account=None, BITBUCKETFS_API_URL="http://localhost:1/2.0")
    assert other.stdout.startswith("anonymous")
    far = login(mounts, "--email=ada@example.com", BITBUCKETFS_API_URL="http://example.com/2.0")
    assert far.returncode == 2 and "plain http" in far.stderr


def test_what_wins_over_it_is_said(bb, mounts):
    ben = bb.accounts["reader"]
    done = login(mounts, "--email=ada@example.com", account="reader")
    assert done.returncode == 0 and "BITBUCKETFS_TOKEN" in done.stderr
    assert ben.email in mounts.run("whoami", account="reader").stdout
    assert "ada@example.com" in mounts.run("whoami", account=None).stdout
    assert mounts.run("whoami", account=None, BITBUCKETFS_TOKEN="").stdout.startswith("anonymous")
    other = mounts.run("whoami", "-o", "email=ben@example.com", account=None)
    assert other.returncode == 2 and "ada@example.com has signed in" in other.stderr


def test_a_new_sign_in_mends_a_running_mount(bb, mounts):
    assert login(mounts, "--email=ada@example.com").returncode == 0
    m = mounts(account=None)
    await_true(lambda: asked(bb).count("GET /2.0/user") == 2, "the mount's own check, with the old one")
    bb.accounts["ada"].token = "ATATT3xLocalAdaAnother000099"
    assert login(mounts, "--email=ada@example.com", token="ATATT3xLocalAdaAnother000099").returncode == 0
    assert "widgets" in m.ls("acme")
    assert "refused" not in m.errors()


def test_logout(bb, mounts):
    nobody = mounts.run("logout", account=None)
    assert (nobody.returncode, nobody.stdout) == (0, "Nobody has signed in by bitbucketfs login.\n")
    for words, cached in (("--keep-cache",), True), ((), False):
        assert login(mounts, "--email=ada@example.com").returncode == 0
        m = mounts(account=None)
        m.read("acme/widgets/info")
        if not cached:
            said = mounts.run("logout", account=None)
            assert said.returncode == 0 and f"The mount at {m.path} goes on anonymously.\n" in said.stdout
            assert kept(mounts) == [] and m.ls() == [".bitbucketfs"]
            said = login(mounts, "--email=ada@example.com")
            assert f"The mount at {m.path} is ada@example.com's now.\n" in said.stdout and m.read("acme/widgets/info")
        m.unmount()
        done = mounts.run("logout", *words, account=None)
        assert done.returncode == 0 and done.stderr == "", done
        assert kept(mounts) == [] and mounts.run("whoami", account=None).stdout.startswith("anonymous")
        assert bool([p for p in files_of(mounts.place / "cache") if p.endswith("cache.db") and "/anonymous/" not in p]) == cached
    assert not [p for p in files_of(mounts.place / "cache") if b"ada@" in open(p, "rb").read()]


def test_logout_all(bb, mounts):
    config = mounts.place / "xdg-config" / "bitbucketfs"
    config.mkdir(parents=True)
    (config / "config").write_text("ttl = 2m\n[profile work]\nttl = 3m\n")
    (mounts.place / "cache").mkdir(mode=0o700)
    (mounts.place / "cache" / "mine").write_text("not of this program")
    for words in (), ("-o", "profile=work"):
        assert login(mounts, "--email=ada@example.com", *words).returncode == 0
        m = mounts(*words[1:], account=None)
        m.read("acme/widgets/info")
    said = mounts.run("logout", "--all", account=None)
    assert said.returncode == 1 and m.path in said.stderr and len(kept(mounts)) == 2, "not below live mounts"
    for m in mounts.all:
        m.unmount()
    units = mounts.place / "xdg-config" / "systemd" / "user"
    (units / "default.target.wants").mkdir(parents=True)
    for name in "bitbucketfs.service", "bitbucketfs@work.service", "other.service":
        (units / name).write_text("")
        (units / "default.target.wants" / name).symlink_to(units / name)
    assert mounts.run("credential", "--install", account=None).returncode == 0
    done = mounts.run("logout", "--all", account=None)
    assert done.returncode == 0 and str(config / "config") not in done.stdout, done
    assert done.stdout.count("Removed: ") == 6 and "git's configuration" in done.stdout, done
    assert not (mounts.place / "home" / ".gitconfig").read_text()
    assert (config / "config").exists()
    done = mounts.run("logout", "--all", "--config", account=None)
    assert (done.returncode, done.stdout) == (0, f"Removed: {config}/config\n")
    left = {os.path.relpath(p, mounts.place) for p in files_of(mounts.place)}
    assert left == {"cache/mine", "home/.gitconfig", "xdg-config/systemd/user/other.service"}, left
    assert mounts.run("logout", "--config", account=None).returncode == 2


def test_logout_all_knows_what_the_environment_does_not(bb, mounts):
    """Caches of the file's and of each profile's own, the socket of a daemon that was killed, what systemctl edit and git
    have: nothing is left. And a mount whose cache only its command line named keeps all of it."""
    config, elsewhere = mounts.place / "xdg-config" / "bitbucketfs", mounts.place / "elsewhere"
    config.mkdir(parents=True)
    (config / "config").write_text(f"cache_dir = {elsewhere}/plain\n[profile work]\ncache_dir = {elsewhere}/work\n")
    e = mounts.environment(None)
    for words in (), ("-o", "profile=work"):
        assert subprocess.run([BINARY, "login", "--with-token", "--email=ada@example.com", *words], env=e, input=ADA, text=True,
                              capture_output=True, timeout=PATIENCE).returncode == 0
        other = {"BITBUCKETFS_API_URL": "http://127.0.0.1:9/2.0", "BITBUCKETFS_GIT_URL": "http://127.0.0.1:9"} if words else {}
        assert subprocess.run([BINARY, "credential", "--install", *words], env={**e, **other}, timeout=PATIENCE).returncode == 0
    killed = mounts(account=None)
    killed.kill()
    drop_in = mounts.place / "xdg-config" / "systemd" / "user" / "bitbucketfs.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "override.conf").write_text("")
    m = mounts(f"cache_dir={mounts.place}/named", account=None)
    refused = mounts.run("logout", "--all", account=None)
    assert refused.returncode == 1 and m.path in refused.stderr and len(kept(mounts)) == 2, refused
    m.unmount()
    what_git_has = (mounts.place / "home" / ".gitconfig").read_text()
    git_config(mounts, "[")
    broken = mounts.run("logout", "--all", account=None)
    assert broken.returncode == 1 and broken.stderr.count("\n") == 1 and "git config ended" in broken.stderr, broken
    git_config(mounts, what_git_has)
    done = mounts.run("logout", "--all", "--config", "-o", f"cache_dir={mounts.place}/named", account=None)
    assert done.returncode == 0, done
    assert not elsewhere.exists() or not list(elsewhere.iterdir()), list(elsewhere.iterdir())
    assert not (mounts.place / "home" / ".gitconfig").read_text()
    assert not drop_in.exists() and not (mounts.place / "named").exists()
    assert os.listdir(mounts.place / "xdg-run") == os.listdir(mounts.place / "xdg-state") == []


def test_a_reader_that_is_gone_and_no_place(bb, mounts):
    e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BINARY, "login", "--with-token", "--email=ada@example.com"], env=e, input=ADA.encode(), stdout=write,
                          stderr=subprocess.PIPE, timeout=PATIENCE)
    os.close(write)
    assert done.returncode == 1 and len(kept(mounts)) == 1
    closed = subprocess.run(["sh", "-c", '"$0" login --with-token --email=a@b.c <&-', BINARY], env=e, capture_output=True,
                            text=True, timeout=PATIENCE)
    assert closed.returncode == 2 and closed.stderr.count("\n") == 1, closed
    (mounts.place / "file").write_text("")
    done = login(mounts, "--email=ada@example.com", XDG_STATE_HOME=str(mounts.place / "file"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def git_config(mounts, text):
    (mounts.place / "home" / ".gitconfig").write_text(text)


def helper(name, secret):
    return f'[credential]\n\thelper = "!f() {{ test $1 = get && printf \'username=%s\\\\npassword=%s\\\\n\' {name} {secret}; }}; f"\n'


def test_what_git_has_is_offered(bb, mounts):
    mounts.environment()
    git_config(mounts, helper("x-bitbucket-api-token-auth", ADA))
    t = Terminal(mounts, "login").see("Take that")
    assert "(x-bitbucket-api-token-auth)" in t.seen and ADA not in t.seen
    t.type("n\n")
    t.see("Token .*: ").type("\x04")
    assert t.end() == 1 and not asked(bb)
    t = Terminal(mounts, "login").see("Take that")
    t.type("y\n")
    t.see("E-mail of the Atlassian account: ").type("ada@example.com\n")
    assert t.end() == 0 and ADA in kept(mounts)[0].read_text(), t.seen
    git_config(mounts, helper("ada-lindqvist", bb.accounts["pair"].token))
    t = Terminal(mounts, "login").see("Take that")
    t.type("y\n")
    assert t.end() == 0 and "kind username\n" in kept(mounts)[0].read_text(), t.seen
    # Of itself it is not asked, and one that would ask a person is not waited for.
    git_config(mounts, "[core]\n\taskPass = /bin/false\n")
    assert mounts.run("credential", "--install", account=None).returncode == 0
    t = Terminal(mounts, "login").see("Token .*: ")
    assert "Take that" not in t.seen
    t.type("\x04")
    assert t.end() == 1


# ---- the desktop's keyring ----

PROGRAM = os.path.join(os.path.dirname(BINARY), "bitbucketfs-keyring")
needs_keyring = pytest.mark.skipif(not os.path.exists(PROGRAM) or not shutil.which("gnome-keyring-daemon"),
                                   reason="without libsecret or gnome-keyring")


class Keyring:
    """A bus of its own, with a Secret Service, unlocked, with a keyring."""

    def __init__(self, place):
        self.place = place
        place.mkdir()
        self.environment = {"XDG_DATA_HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
        e = {**{k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}, **self.environment,
             "HOME": str(place)}
        # It starts nothing by itself, which would be another keyring, a locked one.
        (place / "bus.conf").write_text(f"""<busconfig><type>session</type><listen>unix:path={place}/bus</listen>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>""")
        self.bus = subprocess.Popen(["dbus-daemon", f"--config-file={place}/bus.conf", "--nofork", "--nopidfile",
                                     "--print-address"], env=e, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = e["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().strip()
        self.daemon = subprocess.Popen(["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets",
                                        f"--control-directory={place}/control"], env=e, stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.daemon.stdin.write(b"password")
        self.daemon.stdin.close()
        self.e = e
        await_true(lambda: b"login" in self.call("org.freedesktop.Secret.Service.ReadAlias", "string:default"), "a keyring")

    def call(self, method, *words):
        return subprocess.run(["dbus-send", "--session", "--dest=org.freedesktop.secrets", "--print-reply",
                               "/org/freedesktop/secrets", method, *words], env=self.e, capture_output=True).stdout

    def items(self):
        return self.call("org.freedesktop.Secret.Service.SearchItems",
                         "dict:string:string:xdg:schema,org.bitbucketfs.SignIn").count(b"/org/freedesktop/secrets/collection")

    def lock(self):
        self.call("org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login")

    def end(self):
        for process in self.daemon, self.bus:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.bus.stdout.close()


@pytest.fixture(scope="module")
def keyring(tmp_path_factory):
    made = Keyring(tmp_path_factory.mktemp("desktop") / "keyring")
    yield made
    made.end()


@pytest.mark.skipif(os.path.exists("/usr/local/libexec/bitbucketfs-keyring"), reason="it is found where it is installed")
def test_a_program_without_that_for_the_keyring_says_so(bb, mounts, tmp_path):
    alone = shutil.copy(BINARY, tmp_path)
    e = mounts.environment(None, DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/bus", BITBUCKETFS_CACHE_DIR=str(tmp_path / "cache"))
    done = subprocess.run([alone, "login", "--with-token", "--email=ada@example.com"], env=e, input=ADA, capture_output=True,
                          text=True, timeout=PATIENCE)
    assert done.returncode == 0 and "no desktop's keyring here" not in done.stdout and "libsecret-1-dev" in done.stdout, done


@needs_keyring
def test_in_the_keyring(bb, mounts, keyring):
    there = {k: v for k, v in keyring.environment.items() if k.startswith("DBUS")}
    for words in (), ("-o", f"cache_dir={mounts.place}/other"):
        began = time.monotonic()
        done = login(mounts, "--email=ada@example.com", *words, **there)
        assert (done.returncode, done.stderr) == (0, "") and "It is kept in the desktop's keyring.\n" in done.stdout, done
        assert time.monotonic() - began < 2
    assert keyring.items() == 1, "in the place of the first"
    [file] = kept(mounts)
    assert ADA not in file.read_text()
    assert not [p for p in files_of(mounts.place) if ADA.encode() in open(p, "rb").read()]
    assert "credential from: the desktop's keyring\n" in mounts.run("whoami", account=None, **there).stdout
    checks = asked(bb).count("GET /2.0/user")
    m = mounts(account=None, **there)
    await_true(lambda: asked(bb).count("GET /2.0/user") > checks, "the mount's own check")
    bb.accounts["ada"].token = "ATATT3xLocalAdaAnother000099"
    assert login(mounts, "--email=ada@example.com", token="ATATT3xLocalAdaAnother000099", **there).returncode == 0
    assert "widgets" in m.ls("acme")
    with open(f"/proc/{m.process.pid}/maps") as maps:
        assert not re.search("libsecret|libglib|libdbus|libgio", maps.read())
    m.unmount()
    done = mounts.run("logout", account=None, **there)
    assert (done.returncode, done.stderr, keyring.items(), kept(mounts)) == (0, "", 0, [])
    bb.accounts["ada"].token = ADA
    assert login(mounts, "--email=ada@example.com", "--in-file", **there).returncode == 0
    assert keyring.items() == 0 and ADA in kept(mounts)[0].read_text()


@needs_keyring
def test_a_keyring_that_is_locked_hangs_or_is_gone(bb, mounts, keyring):
    there = {k: v for k, v in keyring.environment.items() if k.startswith("DBUS")}
    assert login(mounts, "--email=ada@example.com", **there).returncode == 0
    keyring.lock()
    for command in (("whoami",), ("logout",)):
        done = mounts.run(*command, account=None, DISPLAY=":99", **there)
        assert done.returncode == 1 and "keyring is locked" in done.stderr and done.stderr.count("\n") == 1, done
    gone = mounts.run("whoami", account=None)
    assert gone.returncode == 1 and "no desktop's keyring here" in gone.stderr
    done = login(mounts, "--email=ada@example.com", DISPLAY=":99", **there)
    assert done.returncode == 0 and "keyring is locked" in done.stdout and ADA in kept(mounts)[0].read_text()
    keyring.daemon.send_signal(signal.SIGSTOP)
    seen = []

    def look():
        """What others see of the program that waits for the keyring."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as c, open(f"/proc/{pid}/environ", "rb") as e:
                    words = c.read()
                    if words.startswith(PROGRAM.encode()):
                        seen.append(words + e.read())
            except OSError:
                pass
        return seen
    looking = threading.Thread(target=await_true, args=(look, "the program"))
    looking.start()
    done = login(mounts, "--email=ada@example.com", **there)
    looking.join()
    assert seen and not [s for s in all_forms(bb.accounts["ada"]) if s in b"".join(seen)]
    assert done.returncode == 0 and "did not answer for 3 seconds" in done.stdout, done
    keyring.daemon.send_signal(signal.SIGCONT)
    assert "ada@example.com" in mounts.run("whoami", account=None, **there).stdout


# ---- what it may see ----

def test_check(bb, mounts):
    done = mounts.run("login", "--check")
    assert (done.returncode, done.stderr, done.stdout.count("good\n"), len(asked(bb))) == (0, "", 9, 9), done
    mark = len(asked(bb))
    done = mounts.run("login", "--check", account="reader")
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert done.returncode == 1 and len(asked(bb)) - mark == 9, done
    assert lines["read:repository:bitbucket"] == "good"
    assert lines["read:project:bitbucket"] == "missing: it would show WORKSPACE/.workspace/projects"
    assert "few need it" in lines["read:webhook:bitbucket"]
    # What it says would be shown is what is refused.
    m = mounts(account="reader")
    for path in ("acme/.workspace/projects", "acme/widgets/pullrequests", "acme/widgets/settings/default-reviewers",
                 "acme/widgets/pipelines", "acme/widgets/deployments", "acme/widgets/environments", "acme/.workspace/snippets",
                 "acme/widgets/settings/hooks", "acme/.workspace/hooks", "acme/widgets/settings/branch-restrictions",
                 "acme/widgets/settings/deploy-keys"):
        assert path.rpartition("/")[2] in done.stdout
        with pytest.raises(PermissionError):
            os.listdir(m / path)
    mounts.run("whoami", account="workspace-token", BITBUCKETFS_WORKSPACES="acme")
    done = mounts.run("login", "--check", account="workspace-token", BITBUCKETFS_WORKSPACES="acme")
    assert done.returncode == 0 and done.stdout.count("account ") == 1, done
    assert "snippet " in done.stdout and "few need it" in done.stdout


def test_check_of_nobody_and_of_the_refused(bb, mounts):
    assert mounts.run("login", "--check", account=None).returncode == 4 and not asked(bb)
    done = mounts.run("login", "--check", account="dead-app-password")
    assert (done.returncode, done.stdout) == (4, "") and "2026-07-28" in done.stderr, done.stderr
    fault = bb.fault(r"/2\.0/workspaces/acme/projects", "status", status=403, headers={"Content-Type": "application/json"},
                     body='{"type": "error", "error": {"message": "No.", "detail": "You may not \\u001b[31m"}}')
    done = mounts.run("login", "--check", BITBUCKETFS_WORKSPACES="acme")
    fault.remove()
    assert done.returncode == 1 and "You may not \\x1b[31m" in done.stdout, done
    assert mounts.run("login", "--check", "--with-token").returncode == 2
    for words in ("login",), ("login", "--check"), ("logout",), ("logout", "--all"):
        done = mounts.run(*words, account=None, BITBUCKETFS_TTL="x")
        assert done.returncode == 2 and "BITBUCKETFS_TTL" in done.stderr, done
