"""Trees that git itself would never write: what cannot be shown is left out with a line in errors, the rest is shown."""
import errno
import os
import re
import stat
import subprocess

import pytest

from bitbucket import gitrepo
from conftest import asked, await_true


def raw_tree(git_dir, oid):
    """(mode, name, oid) of every entry of a tree object, as it is written."""
    data, at = gitrepo.git(git_dir, "cat-file", "tree", oid), 0
    while at < len(data):
        space, nul = data.index(b" ", at), data.index(b"\0", at)
        yield int(data[at:space], 8), data[space + 1:nul], data[nul + 1:nul + 21].hex()
        at = nul + 21


def showable(name, seen):
    return (name not in (b"", b".", b"..") and b"/" not in name and name.lower() != b".git" and len(name) <= 255
            and name not in seen)


def oracle(git_dir, oid, path=b""):
    """{path: what} of what src/model/README.md, 11 shows: the first of equal names, nothing that no file system can hold."""
    found = {}
    for mode, name, entry in raw_tree(git_dir, oid):
        below = os.path.join(path, name) if path else name
        if not showable(name, {os.path.basename(p) for p in found if os.path.dirname(p) == path}):
            continue
        kind = mode & 0o170000
        if kind == 0o040000:
            found[below] = "directory"
            found.update(oracle(git_dir, entry, below))
        elif kind == 0o160000:
            found[below] = "directory"
        else:
            content = gitrepo.git(git_dir, "cat-file", "blob", entry)
            found[below] = ("link", content) if kind == 0o120000 else ("file", bool(mode & 0o100), content)
    return found


def seen_by_walking(top):
    found, top = {}, os.fsencode(top)
    for place, folders, names in os.walk(top):
        for name in folders + names:
            path = os.path.join(place, name)
            mode, here = os.lstat(path).st_mode, os.path.relpath(path, top)
            if stat.S_ISDIR(mode):
                found[here] = "directory"
            elif stat.S_ISLNK(mode):
                found[here] = "link", os.readlink(path)
            else:
                with open(path, "rb") as f:
                    found[here] = "file", bool(mode & 0o111), f.read()
    return found


@pytest.fixture(scope="module")
def tree(shared_bb, shared):
    return shared / "edge/hostile/tree"


@pytest.fixture(scope="module")
def wanted(shared_bb):
    git_dir = shared_bb.repo_path("edge", "hostile")
    return oracle(git_dir, gitrepo.git(git_dir, "rev-parse", "HEAD^{tree}").decode().strip())


def test_rule_11_what_can_be_shown_is_shown(tree, wanted):
    assert seen_by_walking(tree) == wanted
    assert wanted[b"README.md"] and wanted[b"good/inside.txt"] == ("file", False, b"good\n")


def test_rule_11_what_is_left_out_cannot_be_looked_up(tree):
    os.listdir(tree)
    for name in (".git", ".GIT", "dotgit/.Git", "dotgit/.git", "dotgit/.GIT"):
        with pytest.raises(OSError) as e:
            os.stat(os.path.join(tree, name))
        assert e.value.errno == errno.ENOENT
    with pytest.raises(OSError) as e:
        os.stat(os.path.join(tree, "long/" + "l" * 256))
    assert e.value.errno == errno.ENAMETOOLONG
    assert os.stat(os.path.join(tree, "long/" + "l" * 255)).st_size == 5
    assert os.stat(os.path.join(tree, "dotgit/.gitignore")).st_size == 5


def test_rule_11_names_lead_nowhere_else(tree):
    """.. is the directory above, never an entry; a slash in a name leads out of nothing."""
    assert os.path.samefile(os.path.join(tree, "dots", ".."), tree)
    assert os.path.samefile(os.path.join(tree, "dots", "."), os.path.join(tree, "dots"))
    assert os.listdir(os.path.join(tree, "dots")) == ["fine.txt"]
    assert os.listdir(os.path.join(tree, "slash")) == ["fine.txt"]
    assert not os.path.exists(os.path.join(tree, "a/b"))
    names = os.listdir(os.path.join(tree, "twices"))
    assert sorted(names) == ["fine.txt", "twice"]


def test_rule_11_of_equal_names_one_is_shown_and_it_is_the_same_each_time(tree, wanted):
    for path in (b"twice", b"twices/twice"):
        for _ in range(3):
            with open(os.path.join(os.fsencode(tree), path), "rb") as f:
                assert ("file", False, f.read()) == wanted[path]


def test_rule_11_each_directory_with_something_left_out_is_a_line_in_errors(shared, tree):
    subprocess.run(["find", tree], check=True, stdout=subprocess.DEVNULL)
    lines = [line.split("\t") for line in shared.errors().splitlines() if "\tedge/hostile/tree" in line]
    said = {path: (code, sentence) for _, path, code, sentence in lines}
    assert set(said) == {"edge/hostile/tree" + below for below in ("", "/dotgit", "/dots", "/slash", "/twices", "/long")}
    for path, (code, sentence) in said.items():
        assert code == "EILSEQ" and sentence, path
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", shared.errors())
    assert len(shared.errors()) < 64 << 10, "a name of 5,000 bytes is cut in the line"


def test_modes_that_git_no_longer_writes(tree, wanted):
    assert stat.S_IMODE(os.lstat(os.path.join(tree, "modes/group-writable")).st_mode) == 0o644
    assert stat.S_IMODE(os.lstat(os.path.join(tree, "modes/private")).st_mode) == 0o644
    assert os.path.islink(os.path.join(tree, "modes/zlink"))


def test_a_tree_that_is_not_sorted(tree):
    assert sorted(os.listdir(os.path.join(tree, "unsorted"))) == ["a.txt", "z.txt"]
    with open(os.path.join(tree, "unsorted/a.txt")) as a, open(os.path.join(tree, "unsorted/z.txt")) as z:
        assert (a.read(), z.read()) == ("other\n", "good\n")


def test_looking_at_it_sends_nothing_afterwards(shared_bb, shared, tree):
    os.listdir(tree)
    mark = shared_bb.log.mark()
    subprocess.run(["ls", "-lR", tree], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["grep", "-r", "good", tree], check=True, stdout=subprocess.DEVNULL)
    assert asked(shared_bb, mark) == []


def test_names_of_control_bytes_do_not_reach_the_log_or_the_errors(shared_bb, shared):
    """A listing of hard's names, then one of a name that says terminal things."""
    shared.ls("edge/hard/tree/names")
    assert "\x1b" not in shared.log
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", shared.log_bytes())


def test_a_hostile_push_over_a_good_tree(bb, mounts):
    """The branch moves to the hostile commit while the kernel knows names of the good one."""
    bb.create_repo("acme", "turned", pristine="hostile")
    bb.push("acme", "turned", {"README.md": "good\n", "good/inside.txt": "as before\n", "twice": "one\n"}, branch="calm")
    bb.set_mainbranch("acme", "turned", "calm")
    m = mounts()
    assert "README.md" in m.ls("acme/turned/tree")
    bb.set_mainbranch("acme", "turned", "main")
    m.refresh("acme/turned/tree")
    git_dir = bb.repo_path("acme", "turned")
    wanted = oracle(git_dir, gitrepo.git(git_dir, "rev-parse", "HEAD^{tree}").decode().strip())
    await_true(lambda: seen_by_walking(m / "acme/turned/tree") == wanted, "what can be shown is shown")
