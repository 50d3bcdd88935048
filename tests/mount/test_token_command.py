"""token_command: a program prints the secret, at the start and when it was refused."""
import errno
import os
import pty
import re
import signal
import subprocess

import pytest

from conftest import BINARY, PATIENCE, await_true, mounted

ADA = "ATATT3xLocalAdaEverything0001"


@pytest.fixture
def secret(mounts):
    """The file that the program prints; a line of runs for each time it ran."""
    path = mounts.place / "secret"
    path.write_text(ADA + "\n")
    return path


def runs(mounts):
    return len((mounts.place / "runs").read_text())


def configure(mounts, secret, more="", mode=0o644):
    directory = mounts.place / "xdg-config" / "bitbucketfs"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config").write_text(f"email = ada@example.com\ntoken_command = sh -c 'echo to-stderr >&2; printf . >>\"$0\"; "
                                      f"cat \"$1\"' {mounts.place}/runs {secret}\n{more}")
    (directory / "config").chmod(mode)


def renewed(bb, mounts, secret, m):
    """The token runs out under a mount: one other is fetched, and the reader sees nothing of it."""
    bb.accounts["ada"].token = "ATATT3xAnother"
    secret.write_text("ATATT3xAnother\n")
    mark = bb.log.mark()
    assert "widgets" in m.ls("acme")
    assert runs(mounts) == 2
    assert len([e for e in bb.log.since(mark) if e["status"] == 401 and e["authorization"]]) == 1
    # The same once more: it is not sent a second time for another one.
    bb.accounts["ada"].token = "ATATT3xUnknown"
    mark = bb.log.mark()
    with pytest.raises(OSError) as failed:
        m.ls("edge")
    assert failed.value.errno == errno.EACCES and runs(mounts) == 3
    assert len([e for e in bb.log.since(mark) if e["status"] == 401 and e["authorization"]]) == 1
    assert m.log.count("to-stderr") == 1, "what it says at the start is for the terminal, and no line of the log"
    assert "ATATT" not in m.log and "ATATT" not in m.errors()


def test_it_is_run_at_the_start_and_when_it_was_refused(bb, mounts, secret):
    configure(mounts, secret)
    m = mounts(account=None)
    assert mounted(m.path)[1] == "bitbucket:ada@example.com" and runs(mounts) == 1
    with open(f"/proc/{m.process.pid}/environ", "rb") as f:
        assert ADA.encode() not in f.read()
    renewed(bb, mounts, secret, m)
    # What then fails is said, and what is cached stays.
    os.unlink(secret)
    with pytest.raises(PermissionError):
        m.refresh("edge")
    assert "widgets" in m.ls("acme")


@pytest.mark.parametrize("behind", ["", " | cat"], ids=["alone", "in-a-pipe"])
def test_it_may_ask_at_the_terminal(bb, mounts, behind):
    e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"), BITBUCKETFS_EMAIL="ada@example.com",
                           BITBUCKETFS_TOKEN_COMMAND="sh -c 'stty -echo; printf which? >/dev/tty; read it; stty echo; echo $it'")
    pid, terminal = pty.fork()
    if not pid:
        signal.alarm(int(PATIENCE))     # outlives the exec: nothing hangs for longer
        os.execve("/bin/sh", ["sh", "-ic", f"'{BINARY}' api /user{behind}; echo ended $?; read last; echo got $last"], e)
    said = b""

    def expect(words):
        nonlocal said
        while words not in said:
            said += os.read(terminal, 4096)
    expect(b"which?")
    os.write(terminal, ADA.encode() + b"\n")
    expect(b"ended 0")
    assert b"Ada" in said and ADA.encode() not in said
    os.write(terminal, b"word\n")
    expect(b"got word")                 # the terminal is the shell's again
    os.waitpid(pid, 0)
    os.close(terminal)


def test_who_asks_without_a_mount_and_what_is_refused(bb, mounts, secret):
    configure(mounts, secret)
    done = mounts.run("api", "/user", account=None)
    assert done.returncode == 0 and done.stderr == "to-stderr\n", done
    done = mounts.run("curl", "/user", account=None)
    assert done.returncode == 0 and "BITBUCKETFS_SECRET" in done.stdout and ADA not in done.stdout + done.stderr
    done = mounts.run("api", "/user")           # a token beside it
    assert done.returncode == 2 and "take one away" in done.stderr and ADA not in done.stderr
    assert mounts.run("api", "/user", BITBUCKETFS_TOKEN_COMMAND="").returncode == 0
    done = mounts.run("-o", "token_command=x", str(mounts.place / "home"), account=None)
    assert done.returncode == 2 and "no option" in done.stderr
    secret.write_text("one-line\nanother\n")
    done = mounts.run("api", "/user", account=None)
    assert done.returncode == 1 and "printed more than one line" in done.stderr and "another" not in done.stderr
    secret.unlink()
    done = mounts.run(str(mounts.place / "home"), account=None)
    assert done.returncode == 1 and "token_command: sh ended with status 1." in done.stderr
    configure(mounts, secret, mode=0o664)
    assert mounts.run("api", "/user", account=None).returncode == 2


@pytest.mark.parametrize("command", [("api", "/user"), ("curl", "/user"), ("whoami",), ("doctor",), ("credential", "get"), ("mount",)], ids=lambda c: c[0])
def test_nobody_looks_into_who_reads_a_secret(bb, mounts, command):
    """Already while the command runs: what the configuration has may be a secret, too."""
    fifo = mounts.place / "secret"
    os.mkfifo(fifo)
    configure(mounts, fifo)
    place = mounts.place / "mnt-of-none"
    place.mkdir()
    e = mounts.environment(None, BITBUCKETFS_CACHE_DIR=str(mounts.place / "cache"))
    operands = ("-f", str(place)) if command == ("mount",) else ()
    process = subprocess.Popen([BINARY, *command, *operands], env=e, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    if command[0] == "credential":
        process.stdin.write(f"protocol=http\nhost=127.0.0.1:{bb.port}\n\n".encode())
    process.stdin.close()
    try:
        await_true(lambda: (mounts.place / "runs").exists(), "the command's start")
        with open(f"/proc/{process.pid}/limits") as f:
            assert re.search(r"Max core file size +0 +0 ", f.read())
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
        if os.getuid() != 0:
            with pytest.raises(PermissionError), open(f"/proc/{process.pid}/environ", "rb"):
                pass
        with open(fifo, "w") as f:
            f.write("two\nlines\n")
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()
        process.wait()
