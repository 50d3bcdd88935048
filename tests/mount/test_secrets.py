"""The token is seen by nobody: not in the process's arguments or environment, not in a log, a file of the mount or the cache."""
import base64
import os
import re
import signal
import subprocess

import pytest

import oauth
from conftest import BINARY, await_true
from test_api_command import processes_holding
from test_config import configure

ADA = "ATATT3xLocalAdaEverything0001"


def forms(*pairs):
    """What a token looks like where it was not cleaned out: as it is, and in the header of each user."""
    for user, token in pairs:
        yield token.encode()
        coded = base64.b64encode(f"{user}:{token}".encode())
        yield coded.rstrip(b"=")
        yield base64.b64encode(token.encode()).rstrip(b"=")


ADAS = list(forms(("ada@example.com", ADA), ("x-bitbucket-api-token-auth", ADA), ("ada-lindqvist", ADA)))


def proc(m, name):
    with open(f"/proc/{m.process.pid}/{name}", "rb") as f:
        return f.read()


def holds(text, secrets=ADAS):
    return [s for s in secrets if s in text]


def use(bb, m):
    """All that brings the credential anywhere: the API, git, refusals, faults, redirects."""
    m.ls("acme")
    m.read("acme/widgets/tree/README.md")
    fault = bb.fault(r"/2\.0/repositories/edge", "status", status=401, body="Token " + ADA + " is invalid")
    with pytest.raises(OSError):
        m.ls("edge")
    fault.remove()
    fault = bb.fault(r"acme/website\.git", "status", status=403, body=ADA)
    with pytest.raises(OSError):
        m.ls("acme/website/tree")
    fault.remove()
    with pytest.raises(OSError):
        m.refresh("acme/no-such-name")


def files_of(place):
    for where, folders, names in os.walk(place):
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def test_not_in_the_arguments_nor_in_the_environment(bb, mounts):
    m = mounts()
    assert not holds(proc(m, "cmdline"))
    environment = proc(m, "environ")
    assert b"BITBUCKETFS_EMAIL=ada@example.com" in environment, "that is where it would be seen"
    assert not holds(environment)
    assert b"BITBUCKETFS_TOKEN=" in environment or b"BITBUCKETFS_TOKEN" not in environment


def test_not_for_the_children_that_it_starts(bb, mounts):
    """Whatever runs below it, now or later, inherits no secret."""
    m = mounts()
    use(bb, m)
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/stat") as f:
                parent = f.read().rpartition(")")[2].split()[1]
            if parent == str(m.process.pid):
                with open(f"/proc/{pid}/environ", "rb") as f:
                    assert not holds(f.read())
        except OSError:
            pass


def test_not_in_the_log_even_when_the_service_says_it(bb, mounts):
    m = mounts()
    use(bb, m)
    assert m.log and not holds(m.log_bytes())


def test_not_in_the_debug_log(bb, mounts):
    from harness import Mount
    where = str(mounts.place / "debugged")
    os.mkdir(where)
    m = Mount(where, str(mounts.place / "cache"), mounts.environment(BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache")), (),
              ["-d"])
    mounts.all.append(m)
    m.wait()
    use(bb, m)
    assert b"LOOKUP" in m.log_bytes() and not holds(m.log_bytes())


def test_not_in_any_file_of_the_mount(bb, mounts):
    m = mounts()
    use(bb, m)
    assert "refused the credential" in m.errors(), "the service's words, with the token in them, are quoted there"
    seen = 0
    for path in files_of(m / ".bitbucketfs"):
        with open(path, "rb") as f:
            assert not holds(f.read()), path
        seen += 1
    for path in files_of(m / "acme"):
        with open(path, "rb") as f:
            assert not holds(f.read()), path
        seen += 1
    assert seen > 20


@pytest.mark.parametrize("account, options", [("ada", ()), ("pair", ()), ("workspace-token", ("workspaces=acme",))])
def test_not_in_the_cache(bb, mounts, account, options):
    a = bb.accounts[account]
    m = mounts(*options, account=account)
    m.ls("acme")
    m.read("acme/widgets/tree/README.md")
    m.unmount()
    secrets = list(forms((a.email, a.token), (a.username, a.token), ("x-bitbucket-api-token-auth", a.token),
                         ("x-token-auth", a.token)))
    seen = 0
    for place in (m.cache, mounts.place / "home", mounts.place / "xdg-run", mounts.place / "xdg-cache"):
        for path in files_of(place):
            with open(path, "rb") as f:
                assert not holds(f.read(), secrets), path
            seen += 1
    assert seen > 5
    for config in files_of(m.cache):
        if os.path.basename(config) == "config":
            text = subprocess.run(["git", "config", "-f", config, "-l"], capture_output=True, text=True).stdout
            assert not re.search(r"://[^/]*@|authorization|extraheader|credential", text, re.I), text


def test_it_leaves_no_core_and_is_not_looked_into(mounts):
    m = mounts()
    limits = proc(m, "limits").decode()
    assert re.search(r"Max core file size +0 +0 ", limits), limits
    if os.getuid() == 0:
        # What is not dumpable belongs to root in /proc, whoever runs it, and is closed to the same user.
        look = subprocess.run(["cat", f"/proc/{m.process.pid}/environ"], user=65534, group=65534, extra_groups=[],
                              capture_output=True)
        assert look.returncode != 0
    await_true(lambda: m.ls(), "it answers all the same")


def test_a_token_is_not_sent_to_another_host(bb, mounts):
    """A redirect to the storage host: followed, without the credential (that host refuses whoever brings one)."""
    m = mounts()
    m.ls("acme")
    body = b'{"type":"repository","slug":"elsewhere","uuid":"{00000000-0000-0000-0000-0000000000aa}","name":"elsewhere",' \
           b'"full_name":"monolith-labs/elsewhere","workspace":{"slug":"monolith-labs"}}'
    link = bb.store("/elsewhere.json", "application/json", body)
    bb.fault(r"/2\.0/repositories/monolith-labs/elsewhere", "status", status=302, headers={"Location": link})
    try:
        m.read("monolith-labs/elsewhere/info")
    except OSError:
        pass                            # what is made of the answer is not the point here
    entries = [e for e in bb.log.all() if e["listener"] == "storage"]
    assert entries and {e["authorization"] for e in entries} == {None}


# -- every way to sign in, and every place

def by_environment(account):
    def sign(bb, mounts):
        a = bb.accounts[account]
        return {"account": account}, [(user, a.token) for user in
                                      (a.email, a.username, "x-bitbucket-api-token-auth", "x-token-auth") if user]
    return sign


def by_command(bb, mounts):
    a = bb.accounts["ada"]
    secret = mounts.place / "secret"
    secret.write_text(a.token + "\n")
    secret.chmod(0o600)
    configure(mounts, f"email = {a.email}\ntoken_command = cat {secret}\n")
    return {"account": None}, [(a.email, a.token), ("x-bitbucket-api-token-auth", a.token)]


def by_login(bb, mounts):
    a = bb.accounts["ada"]
    done = subprocess.run([BINARY, "login", "--with-token", "--in-file", "--email", a.email], input=a.token, text=True,
                          env=mounts.environment(None), capture_output=True)
    assert done.returncode == 0 and a.token not in done.stdout + done.stderr, done
    return {"account": None}, [(a.email, a.token), ("x-bitbucket-api-token-auth", a.token)]


def by_oauth(by_itself):
    def sign(bb, mounts):
        oauth.sign_in(mounts, by_itself)
        return {"account": None}, [(bb.oauth.consumer.key, bb.oauth.consumer.secret)]
    return sign


KINDS = {"API token": by_environment("ada"), "user name and secret": by_environment("pair"),
         "access token": by_environment("workspace-token"), "token_command": by_command, "kept in a file": by_login,
         "OAuth by itself": by_oauth(True), "OAuth": by_oauth(False)}


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_of_any_kind_is_anywhere(bb, mounts, kind):
    """Arguments and environments of all processes, every log, the mount's own files, what commands print, the files that are
    kept but for those of the sign-in, cores, and what the storage host was sent."""
    more, pairs = KINDS[kind](bb, mounts)
    options = ("workspaces=acme",) if kind == "access token" else ()
    m = mounts(*options, arguments=["-d"], **more)
    m.ls("acme")
    seen = {}

    def secrets():
        return list(forms(*pairs, *[("x-token-auth", s) for s in bb.oauth.issued]))

    fault = bb.fault(r"acme/infra(\.git|/pullrequests)", "status", status=403,
                     body=" ".join([s for _, s in pairs] + [s for s in bb.oauth.issued if not s.startswith("localcode")]))
    for name in ("acme/infra/tree", "acme/infra/pullrequests"):
        with pytest.raises(OSError):
            m.ls(name)
    fault.remove()
    bb.oauth.expire()                   # of OAuth a new token comes, and is sent to both doors
    m.ls("acme/website/pullrequests")
    m.read("acme/widgets/tree/README.md")
    body = m.ls("acme/widgets/downloads")
    m.read("acme/widgets/downloads/" + next(n for n in body if not n.startswith("index")), "rb")
    assert not processes_holding([s.encode() for s in [s for _, s in pairs] + bb.oauth.issued])
    for words in (("status",), ("whoami",), ("curl", "/user"), ("api", "/repositories/acme?pagelen=1"), ("doctor", "--json")):
        done = mounts.run(*words, **more)
        seen[words] = (done.stdout + done.stderr).encode()
    for path in files_of(m / ".bitbucketfs"):
        with open(path, "rb") as f:
            seen[path] = f.read()
    m.process.send_signal(signal.SIGABRT)
    status = os.waitpid(m.process.pid, 0)[1]
    m.process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status), "it has left a core"
    seen["log"] = m.log_bytes()
    assert b"LOOKUP" in seen["log"] and "…".encode() in seen["log"], "the service's words were said"
    kept = 0
    for path in files_of(mounts.place):
        if path == str(mounts.place / "secret"):
            continue
        if "/xdg-state/bitbucketfs/sign-in/" in path or "/xdg-state/bitbucketfs/oauth/" in path:
            assert os.stat(path).st_mode & 0o777 == 0o600, path
            kept += 1
            continue
        with open(path, "rb") as f:
            seen[path] = f.read()
    assert bool(kept) == ("OAuth" in kind or "kept" in kind)
    for where, text in seen.items():
        assert not holds(text, secrets()), where
    assert len(seen) > 15 and {e["authorization"] for e in bb.log.all() if e["listener"] == "storage"} == {None}
