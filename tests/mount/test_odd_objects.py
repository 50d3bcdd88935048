"""Objects that git reads though it would not write them, links that no file system can have, a default branch that is a
name alone."""
import errno
import os
import subprocess

import pytest

from bitbucket import gitrepo
from conftest import asked, await_true

WHO = b"A <a@x.example> 1312735823 +0000"
# What a commit says after its tree, and its time.
COMMITS = {
    "no-committer": (b"author " + WHO + b"\n\nm\n", 0),
    "no-author": (b"committer " + WHO + b"\n\nm\n", 1312735823),
    "nobody": (b"\nm\n", 0),
    "no-message": (b"author " + WHO + b"\ncommitter " + WHO + b"\n", 1312735823),
    "no-line-end": (b"author " + WHO + b"\ncommitter " + WHO, 1312735823),
    "two-authors": (b"author " + WHO + b"\nauthor " + WHO + b"\ncommitter " + WHO + b"\n\nm\n", 1312735823),
    "nul": (b"author A\0 <a@x.example> 5 +0000\ncommitter B\0 <b@x.example> 1312735823 +0000\n\nm\0m\n", 1312735823),
    "no-blank": (b"author A <a@x>5 +0000\ncommitter A <a@x>1312735823 +0000\n\nm\n", 1312735823),
    "newline-email": (b"author A <a@x\n> 1334833756 -0700\ncommitter A <a@x\n> 1334833756 -0700\n\nm\n", 0),
    "no-time": (b"author A <a@x>\ncommitter A <a@x>\n\nm\n", 0),
    "huge-time": (b"author A <a@x> 1 +0\ncommitter A <a@x> 99999999999999999999 +0\n\nm\n", 0),
    "negative-time": (b"author A <a@x> 1 +0\ncommitter A <a@x> -86400 +0\n\nm\n", 0),
    "odd-headers": (b"author " + WHO + b"\ncommitter " + WHO + b"\ngpgsig -----BEGIN\ngpgsig x\nfrom\n\nm\n", 1312735823),
    "only-a-word": (b"author", 0),
}


@pytest.fixture(scope="module")
def malformed(shared_bb):
    """Branches of acme/malformed; the git directory."""
    shared_bb.create_repo("acme", "malformed")
    first = shared_bb.push("acme", "malformed", {"a.txt": "hello\n", "d/b": "x\n"})
    git_dir = shared_bb.repo_path("acme", "malformed")
    tree = gitrepo.git(git_dir, "rev-parse", first + "^{tree}").strip()
    for name, (text, _) in COMMITS.items():
        commit = gitrepo.git(git_dir, "hash-object", "-t", "commit", "--literally", "-w", "--stdin",
                             data=b"tree " + tree + b"\n" + text).decode().strip()
        # Written as it is: update-ref would not take it.
        with open(os.path.join(git_dir, "refs/heads", name), "w") as f:
            f.write(commit + "\n")
    return git_dir


@pytest.mark.parametrize("name", COMMITS)
def test_a_commit_that_git_checks_out_has_its_files(shared, malformed, tmp_path, name):
    subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", malformed, "--work-tree", tmp_path, "checkout", "-q", "-f",
                    "refs/heads/" + name, "--", "."], check=True, env={**os.environ, "GIT_INDEX_FILE": str(tmp_path / ".index")})
    for path in ("a.txt", "d/b"):
        assert shared.read(f"acme/malformed/branches/{name}/{path}", "rb") == (tmp_path / path).read_bytes()
    assert os.stat(shared / f"acme/malformed/branches/{name}/a.txt").st_mtime == COMMITS[name][1]


def test_links_that_no_file_system_can_have_are_left_out(bb, mounts):
    good = "../" * 1362 + "README.md"
    assert len(good) == 4095
    bb.push("acme", "widgets", {"links/nul": ("symlink", b"a.\0txt"), "links/long": ("symlink", good + "x"),
                                "links/vast": ("symlink", "v" * 100000), "links/empty": ("symlink", ""),
                                "links/good": ("symlink", good), "links/plain": ("symlink", "good")})
    m = mounts()
    place = "acme/widgets/tree/links"
    assert m.ls(place) == ["good", "plain"]
    assert os.readlink(m / f"{place}/good") == good
    for name in ("nul", "long", "vast", "empty"):
        with pytest.raises(OSError) as e:
            os.lstat(m / f"{place}/{name}")
        assert e.value.errno == errno.ENOENT
    lines = [line.split("\t") for line in m.errors().splitlines()]
    said = {path: (code, sentence) for _, path, code, sentence in lines if path.startswith(place)}
    assert {path: code for path, (code, _) in said.items()} == {f"{place}/{n}": "EILSEQ" for n in ("nul", "long", "vast", "empty")}
    assert "NUL" in said[f"{place}/nul"][1] and "4,095" in said[f"{place}/long"][1] and "empty" in said[f"{place}/empty"][1]
    for command in (["ls", "-lR", m / place], ["tar", "-C", m / place, "-cf", "/dev/null", "."], ["cp", "-a", m / place, m.path + ".copy"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def no_data(m, path):
    with pytest.raises(OSError) as e:
        m.ls(path)
    assert e.value.errno == errno.ENODATA
    code, sentence = next(line.split("\t")[2:] for line in reversed(m.errors().splitlines()) if f"\t{path}\t" in line)
    assert code == "ENODATA"
    return sentence


def test_a_default_branch_that_is_a_name_alone_is_no_empty_directory(bb, mounts):
    """The repository's object and git's HEAD name master; only develop is there."""
    bb.create_repo("acme", "named")
    bb.push("acme", "named", {"a.txt": "hello\n"}, branch="develop")
    bb.set_mainbranch("acme", "named", "master")
    bb.create_repo("acme", "hollow")
    m = mounts("ttl=1")
    assert "master" in no_data(m, "acme/named/tree")
    listed = subprocess.run(["ls", m / "acme/named/tree"], capture_output=True, text=True)
    assert listed.returncode and "No data available" in listed.stderr and not listed.stdout
    assert m.read("acme/named/branches/develop/a.txt") == "hello\n"
    assert m.ls("acme/hollow/tree") == [], "a repository without any commit has no files"
    # The branch comes, goes, and comes back.
    bb.push("acme", "named", {"b.txt": "b\n"}, branch="master")
    await_true(lambda: os.path.exists(m / "acme/named/tree/b.txt"), "the branch that came")
    develop, tip = (gitrepo.resolve(bb.repo_path("acme", "named"), "refs/heads/" + b) for b in ("develop", "master"))
    assert m.read("acme/named/tree/b.txt") == "b\n"
    bb.set_ref("acme", "named", "refs/heads/master", None)
    with pytest.raises(OSError) as e:
        m.refresh("acme/named/tree")
    assert e.value.errno == errno.ENODATA
    await_true(lambda: refused(m / "acme/named/tree"), "the branch that went")
    bb.set_ref("acme", "named", "refs/heads/master", develop)
    await_true(lambda: not refused(m / "acme/named/tree") and m.ls("acme/named/tree") == ["a.txt"], "the branch that is back")


def refused(path):
    try:
        os.listdir(path)
    except OSError as e:
        assert e.errno == errno.ENODATA
        return True
    return False


def test_a_default_branch_that_is_there_costs_no_question_more(bb, mounts):
    bb.create_repo("acme", "hollow")
    m = mounts()
    mark = bb.log.mark()
    m.ls("acme/widgets/tree")
    ordinary = len([line for line in asked(bb, mark, r"\.git/") if line.startswith("POST")])
    mark = bb.log.mark()
    m.ls("acme/hollow/tree")
    assert len(asked(bb, mark, r"\.git/")) <= 2, "of an empty one it is asked whether there is anything"
    assert ordinary == 2, "the refs, and the pack"


def put(git_dir, kind, data):
    return gitrepo.git(git_dir, "hash-object", "-t", kind, "--literally", "-w", "--stdin", data=data).decode().strip()


def entry(mode, name, oid):
    return f"{mode} {name}\0".encode() + bytes.fromhex(oid)


def test_a_tree_that_cannot_be_read_leaves_its_neighbours_alone(bb, mounts):
    """A mode of too many digits: git lists that tree, the mount refuses it. The kernel knows all of what was there."""
    bb.create_repo("acme", "bent")
    bb.push("acme", "bent", {"a-bad/x": "x\n", "src/f": "one\n", "src/deep/g": "one\n"})
    git_dir = bb.repo_path("acme", "bent")

    def push(mode, text):
        f = put(git_dir, "blob", text.encode())
        bad = put(git_dir, "tree", entry(mode, "x", f))
        deep = put(git_dir, "tree", entry("100644", "g", f))
        src = put(git_dir, "tree", entry("40000", "deep", deep) + entry("100644", "f", f))
        top = put(git_dir, "tree", entry("40000", "a-bad", bad) + entry("40000", "src", src) + entry("100644", "top", f))
        bb.set_ref("acme", "bent", "refs/heads/main",
                   put(git_dir, "commit", f"tree {top}\n".encode() + COMMITS["odd-headers"][0]))

    m = mounts("ttl=1")
    place = m / "acme/bent/tree"
    for top, dirs, names in os.walk(place):
        for name in dirs + names:
            os.lstat(os.path.join(top, name))
    held = [os.open(f"{place}/{name}", os.O_RDONLY | os.O_DIRECTORY) for name in ("a-bad", "src", "src/deep")]
    try:
        push("7777777777100644", "two\n")
        await_true(lambda: os.path.exists(f"{place}/top"), "the push")
        await_true(lambda: m.read("acme/bent/tree/src/f") == "two\n", "what changed beside the tree")
        assert m.read("acme/bent/tree/src/deep/g") == "two\n"
        with pytest.raises(OSError) as e:
            m.ls("acme/bent/tree/a-bad")
        assert e.value.errno == errno.EIO
        push("100644", "three\n")
        await_true(lambda: m.read("acme/bent/tree/top") == "three\n", "the next push")
        for name in ("src/f", "src/deep/g", "a-bad/x"):
            await_true(lambda: m.read("acme/bent/tree/" + name) == "three\n", name)
    finally:
        for fd in held:
            os.close(fd)
    said = [line.split("\t")[1:3] for line in m.errors().splitlines() if "bent" in line]
    assert said == [["acme/bent/tree/a-bad", "EIO"]]
