"""The manual's page of the API: every GET operation has a line, the page is what the table says, and its places are there."""
import json
import os
import re
import subprocess

import pytest

from harness import BINARY, TOP

TABLE = os.path.join(os.path.dirname(BINARY), "..", "tests", "api-table")
MANUAL = os.path.join(TOP, "packaging", "man")
OPERATIONS = os.path.join(TOP, "packaging", "api-operations.tsv")
# The operations of the API's document, in a small form; tests/local holds it to the whole one.
CONTRACT = os.path.join(TOP, "tests", "local", "contract.json")


def lines():
    """Operation → its sentence, "" where the table has it."""
    with open(OPERATIONS, encoding="utf-8") as f:
        return dict((line.rstrip("\n").split("\t") + [""])[:2] for line in f if not line.startswith("#"))


def table():
    """Place → endpoint."""
    said = subprocess.run([TABLE], check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in said.splitlines()]


def test_every_get_operation_has_a_line_and_none_is_made_up():
    with open(CONTRACT, encoding="utf-8") as f:
        said = set(json.load(f)["operations"])
    assert len(said) == 156
    assert said - set(lines()) == set(), "operations without a line"
    assert set(lines()) - said == set(), "lines of operations that there are not"


def test_the_page_is_what_the_table_says():
    page = os.path.join(TOP, "packaging", "api-page")
    done = subprocess.run([page, TABLE, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_operation_of_the_page_is_shown_with_its_sentence():
    """A line that begins with a dot would be a macro that nobody knows, and be missing from what people read."""
    shown = re.sub(r"\s+", "", subprocess.run(["mandoc", "-T", "utf8", os.path.join(MANUAL, "bitbucketfs-api.7")],
                                              check=True, capture_output=True, text=True).stdout).replace("\b", "")
    for operation, sentence in lines().items():
        if sentence:
            assert re.sub(r"\s+", "", sentence) in shown, operation


@pytest.mark.parametrize("page", sorted(name for name in os.listdir(MANUAL) if name != "meson.build"))
def test_nobody_has_anything_to_say_of_a_page(page):
    path = os.path.join(MANUAL, page)
    said = subprocess.run(["mandoc", "-T", "lint", path], capture_output=True, text=True)
    assert said.stdout + said.stderr == ""
    said = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
    assert said.stderr == ""


def test_every_endpoint_of_the_table_is_an_operation():
    """But for the issue tracker, which the service took away and old repositories may still have."""
    def shape(path):
        return re.sub(r"\{[^}]*\}", "{}", path.split("?")[0].rstrip("/"))

    known = {shape(operation) for operation in lines()}
    for place, endpoint in table():
        assert shape(endpoint) in known or "/issues" in place, (place, endpoint)


def test_the_sentences_name_places_that_there_are():
    places = {place for place, _ in table()} | {"WS", "WS/REPO", "WS/REPO/tree", "WS/REPO/repository.json",
                                                "WS/.workspace/repositories"}
    for operation, sentence in lines().items():
        for place in re.findall(r"(?<!/)\bWS(?:/[\w.-]+)*", re.sub(r"\.bitbucketfs/api/\S+", "", sentence)):
            assert place in places, (operation, place)



def test_the_manual_has_every_option():
    said = subprocess.run([BINARY, "help", "options"], check=True, capture_output=True, text=True).stdout
    names = [line.split()[0].split("=") for line in said.splitlines()]
    shown = subprocess.run(["mandoc", "-T", "ascii", os.path.join(MANUAL, "bitbucketfs.1")], check=True,
                           capture_output=True, text=True).stdout
    shown = re.sub(r".\x08", "", shown).split("Mount options\n")[1].split("\nSIGNING IN\n")[0].replace(",", " ").split()
    assert len(names) > 25
    for name, *value in names:
        assert any(word.startswith(name + "=") if value else word == name for word in shown), name


# What never leaves the program: told as another one, or of a command of its own.
INSIDE = {"EBADMSG": "told as EIO", "EPROTO": "told as EIO", "ECONNRESET": "told as EIO", "ECANCELED": "told as EINTR",
          "EMSGSIZE": "a buffer of ours", "ERANGE": "a number of ours", "EEXIST": "a file of ours", "ECONNREFUSED": "umount's",
          "EDEADLK": "before mounting", "EXDEV": "removing the cache", "ENOTEMPTY": "before mounting", "EWOULDBLOCK": "EAGAIN",
          "EINPROGRESS": "a stream that grows: looked for again", "ENOTTY": "login", "EADDRINUSE": "a socket of ours",
          "ESHUTDOWN": "the mount ends", "ENXIO": "a command that is not for this mount",
          "EADDRNOTAVAIL": "login --oauth", "EAFNOSUPPORT": "login --oauth", "EPROTONOSUPPORT": "login --oauth",
          "EBADRQC": "a filter that git's server refuses: asked without it",
          "EKEYREJECTED": "a token or code of OAuth: told as EACCES",
          "ENOKEY": "no other secret: the 401 is told as EACCES"}


def test_every_errno_of_the_sources_has_its_line():
    said = set()
    for place, _, names in os.walk(os.path.join(TOP, "src")):
        for name in names:
            with open(os.path.join(place, name), encoding="utf-8") as f:
                said |= set(re.findall(r"-(E[A-Z]{2,})\b", f.read()))
    with open(os.path.join(MANUAL, "bitbucketfs.7"), encoding="utf-8") as f:
        section = f.read().split(".SH ERRORS\n")[1].split("\n.SH ")[0]
    named = {code for line in section.splitlines() if line.startswith(".B") for code in re.findall(r"\bE[A-Z]{2,}\b", line)}
    assert {"EACCES", "ENOENT", "ENODATA", "EBUSY", "EDQUOT", "EIO"} <= named
    assert said - named - set(INSIDE) == set(), "errnos without a line in bitbucketfs(7)"
    assert named & set(INSIDE) == set()
