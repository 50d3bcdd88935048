"""Completion in bash, zsh and fish: what they offer after -o is what the program has, in the word that is written."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from conftest import BINARY, PATIENCE, TOP

COMPLETION = os.path.join(TOP, "packaging", "completion")
COMMANDS = {"mount", "status", "list", "umount", "refresh", "login", "logout", "api", "curl", "whoami", "credential", "doctor", "open", "path", "help", "version"}
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f". /usr/share/bash-completion/bash_completion; . {COMPLETION}/bitbucketfs.bash; bind 'set bell-style none'"),
    "zsh": (["zsh", "-f", "-i"],
            "fpath=($FUNCTIONS $fpath); autoload -U compinit; compinit -D -u; bindkey -e"),
}


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
    typing = Typing(request.param, str(functions))
    yield typing
    typing.close()


@pytest.mark.parametrize("line, after", [
    ("bitbucketfs -o tre", "bitbucketfs -o trees="),
    ("bitbucketfs -o ttl=5,tre", "bitbucketfs -o ttl=5,trees="),
    ("bitbucketfs -o ttl=5,cache_dir=/et", "bitbucketfs -o ttl=5,cache_dir=/etc"),
    ("bitbucketfs -o ca_file=/etc/nsswitch.c", "bitbucketfs -o ca_file=/etc/nsswitch.conf"),
    ("bitbucketfs -o lfs=o", "bitbucketfs -o lfs=off"),
    ("bitbucketfs stat", "bitbucketfs status"),
    ("bitbucketfs help opt", "bitbucketfs help options"),
    ("bitbucketfs umount --la", "bitbucketfs umount --lazy"),
    ("bitbucketfs api --r", "bitbucketfs api --raw"),
    ("bitbucketfs cur", "bitbucketfs curl"),
    ("bitbucketfs who", "bitbucketfs whoami"),
    ("bitbucketfs credential era", "bitbucketfs credential erase"),
], ids=lambda v: v)
def test_the_word_goes_on(shell, line, after):
    said = shell.completed(line).strip()
    assert said.rstrip(" ,/") == after, said


def test_a_mount_point_s_name_is_not_run(shell, tmp_path):
    point = f"/mnt/x$(touch${{IFS}}{tmp_path}/run)"
    shell.run(f"findmnt() {{ printf '%s\\n' '{point}\\x20y'; }}")
    assert shell.completed("bitbucketfs status /mnt/x").rstrip() == f"bitbucketfs status {point} y"
    shell.run("unset -f findmnt")
    assert not os.listdir(tmp_path)


def fish(line, home, first="true"):
    done = subprocess.run(["fish", "-N", "-c", f"{first}; source {COMPLETION}/bitbucketfs.fish; complete -C {line!r}"], check=True,
                          capture_output=True, text=True, env=environment(HOME=home))
    return [word.split("\t")[0] for word in done.stdout.splitlines()]


def test_each_offers_every_option_and_command(tmp_path):
    """zsh takes the names from the same output as fish and bash."""
    said = subprocess.run([BINARY, "help", "options"], check=True, capture_output=True, text=True).stdout
    options = sorted(re.sub("=.*", "=", line.split()[0]) for line in said.splitlines())
    done = subprocess.run(["bash", "-c", f"complete() {{ :; }}; . {COMPLETION}/bitbucketfs.bash; _bitbucketfs_option ttl=5,"],
                          check=True, capture_output=True, text=True, env=environment(HOME=str(tmp_path)))
    assert sorted(done.stdout.split()) == ["ttl=5," + name for name in options]
    for name in ("bash", "zsh", "fish"):
        with open(os.path.join(COMPLETION, "bitbucketfs." + name), encoding="utf-8") as f:
            text = f.read()
        words = set(re.findall(r"\b\w+\b", text))
        assert COMMANDS <= words and {"foreground", "debug", "lazy", "help", "version"} <= words, name
        assert "help options" in text, name
    if not shutil.which("fish"):
        pytest.skip("NOT TESTED: there is no fish")
    assert sorted(fish("bitbucketfs -o ", str(tmp_path))) == options
    assert fish("bitbucketfs -o ttl=5,tre", str(tmp_path)) == ["ttl=5,trees="]
    assert fish("bitbucketfs -o cache_dir=/et", str(tmp_path)) == ["cache_dir=/etc/"]
    assert set(fish("bitbucketfs help ", str(tmp_path))) == COMMANDS | {"options"}
    assert fish("bitbucketfs stat", str(tmp_path)) == ["status"] and fish("bitbucketfs umount --la", str(tmp_path)) == ["--lazy"]
    mounted = r"function findmnt; printf '%s\n' '/mnt/a(id)\x20b'; end"
    assert fish("bitbucketfs status ", str(tmp_path), mounted) == ["/mnt/a(id) b"]
