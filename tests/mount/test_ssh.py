"""transport=ssh: trees by the system's ssh, from a real sshd on loopback whose forced command is git-upload-pack."""
import errno
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import LARGE, PATIENCE, await_true, checkout, git, same_trees
from test_tree import sound, store_of

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(not SSHD, reason="no sshd: openssh-server")
FORCED = """#!/bin/sh
# What the service runs, in the way that the file `mode` names.
echo "${GIT_PROTOCOL:-v0} $SSH_ORIGINAL_COMMAND" >>%(place)s/sessions
case $SSH_ORIGINAL_COMMAND in
"git-lfs-authenticate "*)
	exec cat "%(place)s/$(echo "$SSH_ORIGINAL_COMMAND" | tr "/'" ,.)"
	;;
esac
repository=${SSH_ORIGINAL_COMMAND#git-upload-pack \\'}
path=$(cat "%(place)s/repositories/$(echo "${repository%%.git\\'}" | tr / ,)" 2>/dev/null) || {
	echo "The requested repository either does not exist or you do not have access." >&2
	exit 1
}
git="git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"
case $(cat %(place)s/mode) in
hang) exec sleep 1000 ;;
slow) $git "$path" | { dd bs=4096 count=50 status=none; exec sleep 1000; } ;;
*) exec $git "$path" ;;
esac
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def keygen(path, passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)], check=True)
    return path


class Server:
    """An sshd with two ports: at the second GIT_PROTOCOL is not accepted. `mode` is how its command behaves."""

    def __init__(self, place, bb):
        self.place = place
        (place / "repositories").mkdir()
        for name in ("website", "widgets"):
            (place / "repositories" / f"acme,{name}").write_text(bb.repo_path("acme", name))
        # In the place of another one: a pack that comes in several pieces.
        subprocess.run(["sh", "-ec", "git init -q -b main large; cd large; head -c 1000000 /dev/urandom >large; git add large; "
                        "git -c user.name=A -c user.email=a@example.org commit -q -m Large"], cwd=place, check=True)
        (place / "repositories/ada-lindqvist,widgets").write_text(str(place / "large/.git"))
        (place / "sessions").touch()
        self.set_mode("whole")
        forced = place / "forced"
        forced.write_text(FORCED % {"place": place})
        forced.chmod(0o755)
        self.key, self.locked = keygen(place / "plain"), keygen(place / "locked", "open sesame")
        keygen(place / "stranger")
        keygen(place / "host")
        (place / "authorized").write_text("".join((place / f"{k}.pub").read_text() for k in ("plain", "locked")))
        self.port, self.port_v0 = free_port(), free_port()
        (place / "sshd_config").write_text(f"""
ListenAddress 127.0.0.1:{self.port}
ListenAddress 127.0.0.1:{self.port_v0}
HostKey {place}/host
AuthorizedKeysFile {place}/authorized
ForceCommand {forced}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Match LocalPort {self.port}
AcceptEnv GIT_PROTOCOL
""")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.log = open(place / "log", "wb")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", place / "sshd_config"], stderr=self.log)
        await_true(self.listens, "sshd listens")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port_v0), 1).close()
        except OSError:
            return False
        return True

    def set_mode(self, mode):
        (self.place / "mode").write_text(mode)

    def sessions(self):
        return (self.place / "sessions").read_text().splitlines()

    def url(self, port=None):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}"

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def server(shared_bb, tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("sshd"), shared_bb)
    yield made
    made.end()


class By:
    """How a person has set up ssh: a file of his own in the place of ~/.ssh/config. Mounts by SSH."""

    def __init__(self, server, mounts, place):
        self.server, self.mounts, self.place, self.n = server, mounts, place, 0
        (place / "bin").mkdir()
        (place / "bin/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {place}/config "$@"\n')
        (place / "bin/ssh").chmod(0o755)
        self.know(server.place / "host.pub")
        self.use(server.key)
        server.set_mode("whole")

    def use(self, key):
        (self.place / "config").write_text(f"IdentityFile {key}\nIdentitiesOnly yes\n"
                                           f"UserKnownHostsFile {self.place}/known_hosts\n")

    def know(self, key):
        lines = [f"[127.0.0.1]:{port} {key.read_text()}" for port in (self.server.port, self.server.port_v0)] if key else []
        (self.place / "known_hosts").write_text("".join(lines))

    def __call__(self, *options, port=None, path="bin", **more):
        e = {"PATH": f"{self.place}/{path}:{os.environ['PATH']}" if path == "bin" else path, "SSH_AUTH_SOCK": "", **more}
        self.n += 1
        return self.mounts(f"git_url={self.server.url(port)}", *options, cache=str(self.place / f"cache{self.n}"), **e)


@pytest.fixture
def by(server, shared_mounts, tmp_path):
    shared_mounts.bb.faults.clear()
    return By(server, shared_mounts, tmp_path)


def children(pid):
    """All processes below this one."""
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:       # it ended since it was found
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(child) for child in f.read().split()]
        except FileNotFoundError:
            pass                # a thread that has ended meanwhile
    return found + [pid for child in found for pid in children(child)]


def opened(pid):
    """What a process has open, each once."""
    return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")} - {"/dev/null"}


def descriptors(m):
    """How many the daemon has; None for who may not look into it."""
    return len(os.listdir(f"/proc/{m.process.pid}/fd")) if os.getuid() == 0 else None


def at_last(m, path):
    """What is there once a failure is no longer remembered."""
    def names():
        try:
            return os.listdir(m / path)
        except OSError:
            return None
    return await_true(names, path)


def refusal(m, kind, *words):
    with pytest.raises(OSError) as failed:
        os.listdir(m / "acme/website/tree")
    line = m.told("acme/website/tree")
    assert failed.value.errno == kind, line
    for word in words:
        assert word in line, line
    return line


def says(m, path, words):
    with pytest.raises(PermissionError):
        os.listdir(m / path)
    return words in m.errors() + m.read(".bitbucketfs/status")


@pytest.mark.parametrize("version", ["version=2", "v0"])
def test_a_tree_is_gits_own(server, by, shared_bb, version):
    """Anonymous at the API; git's trees by one session, of which each connection tells what it can."""
    mark, before = shared_bb.log.mark(), len(server.sessions())
    m = by("workspaces=acme", account=None, port=server.port if version[1] == "e" else server.port_v0)
    assert not same_trees(m / "acme/website/tree", checkout(shared_bb.repo_path("acme", "website"), str(by.place / "tree")))
    assert server.sessions()[before:] == [f"{version} git-upload-pack 'acme/website.git'"]
    assert not git(shared_bb, mark), "nothing of git goes by HTTP"
    assert m.status()["git_url"].startswith("ssh://") and m.status()["requests"]["git"] == 1
    m.unmount()


def test_what_is_kept_and_what_is_left(server, by):
    m = by()
    m.ls("acme/widgets/tree")
    kept = children(m.process.pid)
    assert len(kept) == 1, "the session is kept"
    with open(f"/proc/{kept[0]}/environ", "rb") as f:
        said = f.read()
    assert b"BITBUCKETFS" not in said and m.environment["BITBUCKETFS_TOKEN"].encode() not in said
    assert sorted(re.sub(":.*", "", what) for what in opened(kept[0])) == ["pipe"] * 3 + ["socket"], "nothing of the mount's"
    before = len(server.sessions())
    m.refresh("acme/widgets/tree")
    assert len(server.sessions()) == before and children(m.process.pid) == kept
    # The server hangs up: the next question makes another session, and no dead process stays.
    os.kill(kept[0], signal.SIGKILL)
    m.refresh("acme/widgets/tree")
    assert len(server.sessions()) == before + 1 and len(children(m.process.pid)) == 1
    last = children(m.process.pid)
    os.kill(last[0], signal.SIGKILL)
    await_true(lambda: not children(m.process.pid), "no zombie")
    before = descriptors(m)
    m.refresh("acme/widgets/tree")
    last = children(m.process.pid)
    assert descriptors(m) == (before and before + 3)
    # A crash: ssh's input ends, and so does ssh.
    m.kill()
    await_true(lambda: not os.path.exists(f"/proc/{last[0]}"), "ssh ends with its mount")


def begin(by, mode, path):
    """A mount, a reader who waits, and the processes that do."""
    m = by()
    by.server.set_mode(mode)
    before = len(by.server.sessions())
    reader = subprocess.Popen(["ls", m / path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_true(lambda: len(by.server.sessions()) > before, "a session")
    if mode == "slow":
        await_true(lambda: m.status()["fetching"] and m.status()["fetching"][0]["bytes"], "a pack comes")
    return m, reader, children(m.process.pid)


@pytest.mark.parametrize("mode", ["hang", "slow"])
def test_who_gives_up_leaves_no_ssh(server, by, mode):
    m, reader, ssh = begin(by, mode, "ada-lindqvist/widgets/tree")
    assert ssh
    reader.send_signal(signal.SIGINT)
    assert reader.wait(PATIENCE) == -signal.SIGINT
    await_true(lambda: not children(m.process.pid) and not any(os.path.exists(f"/proc/{pid}") for pid in ssh), "ssh is gone")
    server.set_mode("whole")
    assert m.ls("ada-lindqvist/widgets/tree") == ["large"]


def test_who_reads_from_a_session_that_is_killed_is_told(server, by):
    m, reader, ssh = begin(by, "slow", "ada-lindqvist/widgets/tree")
    os.kill(ssh[0], signal.SIGKILL)
    assert reader.wait(PATIENCE) == 2
    assert "ended" in m.told("ada-lindqvist/widgets/tree")


def test_keys_and_their_files(server, by):
    m = by()
    server.set_mode("whole")
    by.use(server.locked)
    refusal(m, errno.EACCES, f"{server.locked} has a passphrase, and no agent", f"ssh-add {server.locked}")
    by.use(server.place / "stranger")
    m2 = by("workspaces=acme", account=None)
    refusal(m2, errno.EACCES, "takes none of your SSH keys", "public half", "stranger")
    shutil.copy(server.key, by.place / "open")
    (by.place / "open").chmod(0o644)
    by.use(by.place / "open")
    m3 = by("workspaces=acme", account=None)
    refusal(m3, errno.EACCES, f"{by.place}/open, which others can read", "chmod 600")
    # An agent below the mount would be looked for there by whom the mount waits for.
    by.mounts.run("status", m.path, SSH_AUTH_SOCK=m / "acme/widgets/tree/agent")
    began = time.monotonic()
    with pytest.raises(PermissionError):
        os.listdir(m / "acme/widgets/tree")
    assert time.monotonic() - began < PATIENCE
    # An agent that came later, of whom the mount hears from `status`.
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", by.place / "agent"], stdout=subprocess.DEVNULL)
    try:
        await_true(lambda: (by.place / "agent").exists(), "an agent")
        (by.place / "ask").write_text("#!/bin/sh\necho open sesame\n")
        (by.place / "ask").chmod(0o755)
        e = {**os.environ, "SSH_AUTH_SOCK": str(by.place / "agent"), "SSH_ASKPASS": str(by.place / "ask"), "SSH_ASKPASS_REQUIRE": "force"}
        by.use(server.locked)
        assert by.mounts.run("status", m.path, SSH_AUTH_SOCK=str(by.place / "agent")).returncode == 0
        # What was found out before it was there is not said again.
        await_true(lambda: says(m, "acme/website/tree", "the agent has not got it"), "the sentence of now", 6)
        subprocess.run(["ssh-add", "-q", server.locked], env=e, check=True, stderr=subprocess.DEVNULL)
        assert "README.md" in at_last(m, "acme/website/tree")
    finally:
        agent.terminate()
        agent.wait()


def test_the_hosts_key(server, by):
    by.know(None)
    m = by()
    line = refusal(m, errno.EACCES, "is not in your known_hosts", "SHA256:", f"[127.0.0.1]:{server.port} ssh-ed25519 ")
    assert re.search(r"\[127.*", line).group().split()[:3] == f"[127.0.0.1]:{server.port} {(server.place / 'host.pub').read_text()}".split()[:3]
    assert not (by.place / "known_hosts").read_text(), "the user's to write"
    # The host and port of the configuration are the ones that are asked; over another one nobody can be.
    config = (by.place / "config").read_text()
    alias = "workspaces=acme", f"git_url=ssh://{getpass.getuser()}@alias"
    for more, words in ((f"Port {server.port}", (f"the line [127.0.0.1]:{server.port} ssh-ed25519 ",)),
                        (f"ProxyCommand {by.place}/bin/ssh -W 127.0.0.1:{server.port} -p {server.port_v0} 127.0.0.1",
                         ("a host on the way there", f"ssh -T ssh://{getpass.getuser()}@alias shows it"))):
        (by.place / "config").write_text(f"{config}Host alias\nHostName 127.0.0.1\n{more}\n")
        refusal(by(*alias, account=None), errno.EACCES, *words)
    (by.place / "config").write_text(config)
    by.know(server.place / "stranger.pub")
    refusal(by("workspaces=acme", account=None), errno.EACCES, "is another than the one in your known_hosts", "ssh-keygen -R")


def test_where_nothing_answers(server, by):
    nowhere = free_port()
    m = by(port=nowhere)
    refusal(m, errno.ENETUNREACH, f"127.0.0.1:{nowhere} refuses SSH connections")
    assert m.status()["requests"]["git"] == 0
    m = by(f"ssh_fallback=127.0.0.1:{server.port}", "workspaces=acme", port=nowhere, account=None)
    assert "README.md" in m.ls("acme/website/tree")
    (by.place / "nothing").mkdir()
    (by.place / "nothing/fusermount3").symlink_to(shutil.which("fusermount3"))
    m = by("workspaces=acme", account=None, path=str(by.place / "nothing"))
    refusal(m, errno.EIO, "there is no ssh on this machine")


def test_a_repository_that_is_not_there(server, by, shared_bb):
    m, without = by(f"git_fallback={shared_bb.git_url}"), by()
    with pytest.raises(OSError) as failed:
        os.listdir(without / "edge/hard/tree")
    assert failed.value.errno == errno.ENODATA
    assert "has no such repository, or hides it from your SSH key" in without.told("edge/hard/tree")
    assert m.ls("edge/hard/tree"), "git_fallback has it, by HTTPS"


@pytest.mark.parametrize("version", ["v2", "v0"])
def test_a_large_one_comes_without_its_files(server, by, shared_bb, version):
    """The last of this file: the service says from now on that the repository is large."""
    shared_bb.update_repo("acme", "website", {"size": LARGE})
    m = by("hydrate=off", port=server.port if version == "v2" else server.port_v0)
    file = "acme/website/tree/README.md"
    assert "README.md" in m.ls("acme/website/tree")
    for pid in children(m.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.set_mode("hang")
    before = len(server.sessions())
    reader = subprocess.Popen(["cat", m / file], stdout=subprocess.DEVNULL)
    await_true(lambda: len(server.sessions()) > before, "a session for the file")
    ssh = children(m.process.pid)
    reader.send_signal(signal.SIGINT)
    assert reader.wait(PATIENCE) == -signal.SIGINT
    await_true(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in ssh), "ssh is gone")
    server.set_mode("whole")
    assert not same_trees(m / "acme/website/tree", checkout(shared_bb.repo_path("acme", "website"), str(by.place / "tree")))
    m.unmount()
    assert sound(store_of(m, shared_bb, "acme/website")) == ""


def test_objects_of_lfs_are_asked_for_as_ssh_says(server, by, shared_bb):
    """At the address and with the header that git-lfs-authenticate prints, which is asked once; the token stays here."""
    bb, said = shared_bb, server.place / "git-lfs-authenticate .acme,website.git. download"
    pointers = {f"{n}.bin": bb.add_lfs("acme", "website", n * 99) for n in ("a", "b")}
    bb.push("acme", "website", {".gitattributes": "*.bin filter=lfs\n", **pointers}, branch="large")
    bb.push("acme", "website", {".gitattributes": "*.bin filter=lfs\n", **{f"{n}/{n}.bin": bb.add_lfs("acme", "website", n * 99) for n in ("c", "d")}},
            branch="large")
    (server.place / "repositories/acme,website").write_text(bb.repo_path("acme", "website"))
    m = by()
    large, mark = "acme/website/branches/large", bb.log.mark()
    assert [os.stat(m / f"{large}/{n}.bin").st_size for n in ("a", "b")] == [99, 99]   # both pointers are here
    said.unlink(missing_ok=True)
    with pytest.raises(OSError):
        m.read(f"{large}/a.bin")
    assert not bb.log.since(mark, "info/lfs")
    said.write_text(bb.lfs.authenticate("acme", "website"))
    await_true(lambda: read_or_none(m, f"{large}/a.bin") == "a" * 99, "the object comes")
    n = len(server.sessions())
    assert m.read(f"{large}/b.bin") == "b" * 99 and m.read(f"{large}/c/c.bin") == "c" * 99
    asked = bb.log.since(mark, "info/lfs")
    assert [len(e["git"]["oids"]) for e in asked] == [2, 1] and {e["authorization"] for e in asked} == {"other"}
    # What was handed out is refused: SSH is asked once more.
    bb.lfs.forget_remote()
    said.write_text(bb.lfs.authenticate("acme", "website"))
    assert m.read(f"{large}/d/d.bin") == "d" * 99
    times = [line for line in server.sessions()[n:] if "git-lfs-authenticate" in line]
    assert len(times) == 1 and times[0].endswith("git-lfs-authenticate 'acme/website.git' download"), times


def read_or_none(m, path):
    try:
        return m.read(path)
    except OSError:
        return None
