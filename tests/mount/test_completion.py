"""Completion in bash, zsh and fish: what they offer after -o is what the program has, in the word that is written."""
import glob
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from conftest import BINARY, PATIENCE, TOP, await_true

COMPLETION = os.path.join(TOP, "packaging", "completion")
COMMANDS = {"mount", "status", "list", "umount", "fetch", "refresh", "login", "logout", "api", "curl", "whoami", "credential", "service", "doctor", "open", "path", "help", "version"}
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f". /usr/share/bash-completion/bash_completion; . {COMPLETION}/bitbucketfs.bash; bind 'set bell-style none'"),
    "zsh": (["zsh", "-f", "-i"],
            "fpath=($FUNCTIONS $fpath); autoload -U compinit; compinit -D -u; bindkey -e"),
}


N_NAMES = 1000


def names_in(home):
    """As mounts of two profiles leave them."""
    for place, workspace, slugs in (("api.bitbucket.org/ada", "acme", [f"repository-{i}" for i in range(N_NAMES)] + ["widgets"]),
                                    ("api.bitbucket.org/ada", "lonely", []),
                                    ("@work/api.bitbucket.org/ben", "zeta", ["omega"])):
        where = os.path.join(home, ".cache/bitbucketfs", place, "names")
        os.makedirs(where, exist_ok=True)
        with open(os.path.join(where, workspace), "w", encoding="utf-8") as f:
            f.write("".join(slug + "\n" for slug in slugs))
    with open(os.path.join(home, "mounts"), "w", encoding="utf-8") as f:
        f.write("none /proc proc rw 0 0\nbitbucket:ada /mnt/bucket fuse.bitbucketfs ro 0 0\n")


def environment(**more):
    return {**more, "PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8"}


class Typing:
    """A shell at a terminal, to which one types."""

    def __init__(self, shell, functions):
        argv, first = START[shell]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment(FUNCTIONS=functions, HOME=functions))
        self.n, self.seen = 0, ""
        self.run(first)

    def await_text(self, pattern):
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end and select.select([self.fd], [], [], PATIENCE)[0], self.seen
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        return found

    def run(self, line):
        """Its output is not what is waited for, but a word that is not in what is typed."""
        self.n += 1
        os.write(self.fd, f"{line}; echo do''ne-{self.n}-\r".encode())
        return self.await_text(f"done-{self.n}-")

    def completed(self, line):
        """What the line is after Tab: it becomes what echo is given."""
        self.n += 1
        os.write(self.fd, f"{line}\t\x01echo 'is''-{self.n}':\x05 e''nd\r".encode())
        return self.await_text(rf"\bis-{self.n}:(.*) end").group(1)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module", params=START)
def shell(request, tmp_path_factory):
    if not shutil.which(request.param) or (request.param == "bash" and not os.path.exists("/usr/share/bash-completion")):
        pytest.skip(f"NOT TESTED: there is no {request.param}, or no bash-completion")
    functions = tmp_path_factory.mktemp("functions")
    os.symlink(f"{COMPLETION}/bitbucketfs.zsh", functions / "_bitbucketfs")
    names_in(functions)
    typing = Typing(request.param, str(functions))
    typing.run(f"_bitbucketfs_mounts={functions}/mounts")
    yield typing
    typing.close()


@pytest.mark.parametrize("line, after", [
    ("bitbucketfs -o tre", "bitbucketfs -o trees="),
    ("bitbucketfs -o ttl=5,tre", "bitbucketfs -o ttl=5,trees="),
    ("bitbucketfs -o ttl=5,cache_dir=/et", "bitbucketfs -o ttl=5,cache_dir=/etc"),
    ("bitbucketfs -o ca_file=/etc/nsswitch.c", "bitbucketfs -o ca_file=/etc/nsswitch.conf"),
    ("bitbucketfs -o lfs=o", "bitbucketfs -o lfs=off"),
    ("bitbucketfs -o lfs=al", "bitbucketfs -o lfs=all"),
    ("bitbucketfs stat", "bitbucketfs status"),
    ("bitbucketfs help opt", "bitbucketfs help options"),
    ("bitbucketfs umount --la", "bitbucketfs umount --lazy"),
    ("bitbucketfs api --r", "bitbucketfs api --raw"),
    ("bitbucketfs cur", "bitbucketfs curl"),
    ("bitbucketfs who", "bitbucketfs whoami"),
    ("bitbucketfs credential era", "bitbucketfs credential erase"),
    ("bitbucketfs -o profile=x umo", "bitbucketfs -o profile=x umount"),
    ("bitbucketfs login --em", "bitbucketfs login --email="),
    ("bitbucketfs status /mnt/b", "bitbucketfs status /mnt/bucket"),
    ("bitbucketfs refresh /mnt/bu", "bitbucketfs refresh /mnt/bucket"),
    ("bitbucketfs refresh /mnt/bucket/ac", "bitbucketfs refresh /mnt/bucket/acme"),
    ("bitbucketfs refresh /etc /mnt/bucket/acme/wid", "bitbucketfs refresh /etc /mnt/bucket/acme/widgets"),
    ("bitbucketfs refresh /etc/nsswitch.c", "bitbucketfs refresh /etc/nsswitch.conf"),
    ("bitbucketfs open acme/wid", "bitbucketfs open acme/widgets"),
    ("bitbucketfs open /mnt/bucket/ze", "bitbucketfs open /mnt/bucket/zeta"),
    ("bitbucketfs doctor ac", "bitbucketfs doctor acme"),
    ("bitbucketfs doctor acme/wid", "bitbucketfs doctor acme/widgets"),
    ("bitbucketfs doctor zeta/", "bitbucketfs doctor zeta/omega"),
    ("bitbucketfs doctor none/", "bitbucketfs doctor none"),
    ("bitbucketfs api /repositories/ac", "bitbucketfs api /repositories/acme"),
    ("bitbucketfs curl /repositories/acme/wid", "bitbucketfs curl /repositories/acme/widgets"),
], ids=lambda v: v)
def test_the_word_goes_on(shell, line, after):
    said = shell.completed(line).strip()
    assert said.rstrip(" ,/=") == after.rstrip("="), said


def test_a_mount_point_s_name_is_not_run(shell, tmp_path):
    point = f"/mnt/x$(touch${{IFS}}{tmp_path}/run)"
    with open(tmp_path / "mounts", "w", encoding="utf-8") as f:
        f.write(f"bitbucket:ada {point}\\040y fuse.bitbucketfs ro 0 0\n")
    shell.run(f"kept=$_bitbucketfs_mounts; _bitbucketfs_mounts={tmp_path}/mounts")
    assert shell.completed("bitbucketfs umount /mnt/x").rstrip() == f"bitbucketfs umount {point} y"
    shell.run("_bitbucketfs_mounts=$kept")
    assert os.listdir(tmp_path) == ["mounts"]


def fish(line, home, first="true"):
    done = subprocess.run(["fish", "-N", "-c", f"{first}; source {COMPLETION}/bitbucketfs.fish; complete -C {line!r}"], check=True,
                          capture_output=True, text=True, env=environment(HOME=home))
    return [word.split("\t")[0] for word in done.stdout.splitlines()]


def test_each_offers_every_setting(tmp_path):
    """zsh takes the names from the same output as fish and bash."""
    said = subprocess.run([BINARY, "help", "options"], check=True, capture_output=True, text=True).stdout
    options = sorted(re.sub("=.*", "=", line.split()[0]) for line in said.splitlines())
    done = subprocess.run(["bash", "-c", f"complete() {{ :; }}; . {COMPLETION}/bitbucketfs.bash; _bitbucketfs_option ttl=5,"],
                          check=True, capture_output=True, text=True, env=environment(HOME=str(tmp_path)))
    assert sorted(done.stdout.split()) == ["ttl=5," + name for name in options]
    for name in ("bash", "zsh", "fish"):
        with open(os.path.join(COMPLETION, "bitbucketfs." + name), encoding="utf-8") as f:
            assert "help options" in f.read(), name
    if not shutil.which("fish"):
        pytest.skip("NOT TESTED: there is no fish")
    assert sorted(fish("bitbucketfs -o ", str(tmp_path))) == options
    assert fish("bitbucketfs -o ttl=5,tre", str(tmp_path)) == ["ttl=5,trees="]
    assert fish("bitbucketfs -o cache_dir=/et", str(tmp_path)) == ["cache_dir=/etc/"]


def test_fish_has_the_names(tmp_path):
    if not shutil.which("fish"):
        pytest.skip("NOT TESTED: there is no fish")
    names_in(tmp_path)
    home = str(tmp_path)
    mounts = f"set -g _bitbucketfs_mounts {home}/mounts"
    assert fish("bitbucketfs doctor ", home) == ["acme/", "lonely/", "zeta/"]
    assert fish("bitbucketfs doctor acme/wid", home) == ["acme/widgets"]
    assert fish("bitbucketfs api /repositories/zeta/", home) == ["/repositories/zeta/omega"]
    assert fish("bitbucketfs umount ", home, mounts) == ["/mnt/bucket"]
    with open(tmp_path / "mounts", "w", encoding="utf-8") as f:
        f.write("x /mnt/a(id)\\040b fuse.bitbucketfs ro 0 0\n")
    assert fish("bitbucketfs umount ", home, mounts) == ["/mnt/a(id) b"]


# To the end of a thousand names, many times: milliseconds for one.
TIMED = {
    "bash": r"""complete() { :; }; compopt() { :; }; . COMPLETION/bitbucketfs.bash
        _init_completion() { words=(bitbucketfs doctor acme/wid) cword=2 cur=acme/wid prev=doctor; }
        least=999999; for i in {1..20}; do a=${EPOCHREALTIME/./}; COMPREPLY=(); _bitbucketfs; b=${EPOCHREALTIME/./}
        ((b - a > least)) || least=$((b - a)); done; echo "${COMPREPLY[*]} $least" """,
    "zsh": r"""zmodload zsh/datetime; compadd() { offered=($names) }; compdef() { :; }; _arguments() { :; }
        . COMPLETION/bitbucketfs.zsh; integer least=999999 d; for i in {1..20}; do a=$EPOCHREALTIME
        _bitbucketfs_names "" acme/wid; (( d = (EPOCHREALTIME - a) * 1000000 )); (( d > least )) || least=d
        done; print ${offered[-1]} $least""",
    # It has no clock of its own: twenty of them.
    "fish": r"""source COMPLETION/bitbucketfs.fish; for i in (seq 20); set offered (__bitbucketfs_names "" acme/wid)
        end; echo $offered[-1] 0""",
}


@pytest.mark.parametrize("name", TIMED)
def test_a_thousand_names_take_no_program_and_ten_milliseconds(name, tmp_path):
    if not shutil.which(name):
        pytest.skip(f"NOT TESTED: there is no {name}")
    names_in(tmp_path)
    done = subprocess.run([shutil.which(name), "-c", TIMED[name].replace("COMPLETION", COMPLETION)], check=True,
                          capture_output=True, text=True, env={**environment(HOME=str(tmp_path)), "PATH": "/nonexistent"})
    *words, us = done.stdout.split()
    assert words[-1].endswith("widgets") and done.stderr == ""
    assert int(us) <= 10000


def test_what_was_listed_is_written_for_shells(bb, mounts, tmp_path):
    m = mounts()
    workspaces = m.ls()
    slugs = m.ls("acme")
    where = glob.glob(str(tmp_path / "cache/*/*/names"))[0]
    await_true(lambda: os.path.exists(where + "/acme") and os.path.getsize(where + "/acme"), "the names of acme")
    assert sorted(name for name in os.listdir(where) if name != ".tmp") == sorted(set(workspaces) - {".bitbucketfs"})
    with open(where + "/acme", encoding="utf-8") as f:
        assert sorted(f.read().splitlines()) == slugs
    assert {os.stat(os.path.join(where, name)).st_mode & 0o777 for name in os.listdir(where)} == {0o600}
    assert os.stat(where).st_mode & 0o777 == 0o700
    bb.create_repo("acme", "brand-new", pristine="tiny")
    bb.create_workspace("novel")
    m.refresh("acme")
    with open(where + "/acme", encoding="utf-8") as f:
        assert "brand-new\n" in f.readlines()
    m.refresh()
    assert os.path.getsize(where + "/novel") == 0
    bb.delete_workspace("novel")
    m.refresh()
    assert not os.path.exists(where + "/novel") and os.path.getsize(where + "/acme")
