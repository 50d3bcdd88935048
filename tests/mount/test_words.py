"""The table of commands, their help, the completions of three shells and the manual say the same words."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, TOP

COMPLETION = os.path.join(TOP, "packaging", "completion")
MANUAL = os.path.join(TOP, "packaging", "man")


def table():
    with open(os.path.join(TOP, "src", "cmd", "arguments.c"), encoding="utf-8") as f:
        names = re.findall(r'^\t\{"([a-z]+)", [a-z_]+_command,', f.read(), re.M)
    assert "mount" in names and "version" in names
    return names


COMMANDS = table()


def help_of(*topic):
    return subprocess.run([BINARY, "help", *topic], check=True, capture_output=True, text=True).stdout


def words_of_help(command):
    """What it says in its usage, and at the beginning of a line that is set in."""
    lines = [line for line in help_of(command).split("\n") if re.match("Usage: |  ", line)]
    return words_of("\n".join(re.sub(r"^(  (?:-\w, )?\S+).*", r"\1", line) if re.match(r"  -", line) else line for line in lines))


def words_of(text):
    """--long options, and -q."""
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-q)\b", text)) - {"--help"}


def page_of(command):
    return os.path.join(MANUAL, "bitbucketfs.1" if command == "mount" else f"bitbucketfs-{command}.1")


def shell(argv, home):
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={
        "PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8", "HOME": str(home)}, cwd=home).stdout


# A line each, as if Tab were typed at its end: what is offered.
BASH = r"""complete() { :; }; compopt() { :; }; _filedir() { :; }
. %s/bitbucketfs.bash
_init_completion() { cword=$((${#typed[@]} - 1)) words=("${typed[@]}") cur=${typed[-1]} prev=${typed[-2]}; }
for line; do
	typed=(bitbucketfs $line) COMPREPLY=()
	[[ $line == *[^\ ] ]] || typed+=('')
	_bitbucketfs
	echo ${COMPREPLY[*]}
done
""" % COMPLETION
FISH = r"""source %s/bitbucketfs.fish
for line in $argv
	echo (complete -C "bitbucketfs $line" | string replace -r '\t.*' '')
end
""" % COMPLETION
# What _arguments is given of a command, which needs no terminal.
ZSH = """compdef() { :; }
_arguments() { line=($command) state=rest; print -r -- ${(j: :)@} >$to; }
for command; do
	to=$HOME/zsh; . %s/bitbucketfs.zsh; cat $to; rm $to
done
""" % COMPLETION


def bash(lines, home):
    return shell(["bash", "-c", BASH, "bash", *lines], home).split("\n")


def fish(lines, home):
    return shell(["fish", "-N", "-c", FISH, *lines], home).split("\n")


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """shell → command → what it offers for a word that begins with a dash."""
    home = tmp_path_factory.mktemp("home")
    found = {"bash": dict(zip(COMMANDS, bash([f"{command} -" for command in COMMANDS], home)))}
    if shutil.which("fish"):
        found["fish"] = dict(zip(COMMANDS, fish([f"{command} -" for command in COMMANDS], home)))
    if shutil.which("zsh"):
        said = shell(["zsh", "-f", "-c", ZSH, "zsh", *COMMANDS], home)
        found["zsh"] = dict(zip(COMMANDS, said.split("\n")))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_each_shell_offers_the_options_of_the_help_and_no_other(command, offered):
    wanted = words_of_help(command)
    for name, of in offered.items():
        assert words_of(of[command]) - {"--version"} == wanted, name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_has_options_has_a_page_with_each_of_them(command):
    words = words_of_help(command)
    if not words and not os.path.exists(page_of(command)):
        return
    with open(page_of(command), encoding="utf-8") as f:
        page = f.read().replace("\\-", "-")
    with open(os.path.join(MANUAL, "meson.build"), encoding="utf-8") as f:
        assert f"'{os.path.basename(page_of(command))}'" in f.read()
    options = page.split(".SH OPTIONS\n")[1].split("\n.SH ")[0] if words else ""
    heads = "\n".join(re.findall(r"^\.T[PQ]\n(.*)", options, re.M))
    if command != "mount":
        assert words_of(heads) == words
        assert re.search(rf"^\.TH BITBUCKETFS-{command.upper()} 1 \S+ \"bitbucketfs \S+\" \"User Commands\"$", page, re.M)
    assert words <= words_of(heads)


def test_every_command_is_in_the_overviews(tmp_path):
    general = re.findall(r"^  ([a-z]+)\b", help_of().split("Commands:\n")[1].split("\nOptions:")[0], re.M)
    assert set(general) == set(COMMANDS)
    with open(os.path.join(MANUAL, "bitbucketfs.1"), encoding="utf-8") as f:
        section = f.read().split(".SS Commands\n")[1].split("\n.SH ")[0]
    heads = re.findall(r'^\.TP\n\.BR? "?([a-z]+)\b(?: ", " ([a-z]+))?', section, re.M)
    assert {name for pair in heads for name in pair if name} == set(COMMANDS)
    for command in COMMANDS:
        if os.path.exists(page_of(command)) and command != "mount":
            assert rf".BR bitbucketfs\-{command} (1)" in section
    for ask in [bash] + [fish] * bool(shutil.which("fish")):
        said = ask(["", "help "], tmp_path)
        assert set(said[0].split()) == set(COMMANDS) and set(said[1].split()) == set(COMMANDS) | {"options"}
    with open(os.path.join(COMPLETION, "bitbucketfs.zsh"), encoding="utf-8") as f:
        listed = f.read().split("local -a commands=(")[1].split("\t)\n")[0]
    assert re.findall(r"^\t\t'([a-z]+):", listed, re.M) and set(re.findall(r"^\t\t'([a-z]+):", listed, re.M)) == set(COMMANDS)
