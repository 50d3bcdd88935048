"""What git's server is made to do that it would not by itself, and how it is told."""
import subprocess
import urllib.request

import pytest

from asking import credential, git, look
from bitbucket import gitrepo
from bitbucket.git_lies import body_of, lines_of

FILTERS = {"blob:none": "blob:none", "blob:limit": "blob:limit=1024", "tree": "tree:1", "combine": "combine:tree:1+blob:limit=1024"}


def cloned(bb, place, kind, check=True, version=2):
    done = git(bb, "-c", f"protocol.version={version}", "clone", "-q", "--bare", "--depth", "1", "--filter=" + kind,
               bb.git_url + "/acme/widgets.git", str(place), check=check)
    return done


def here(place):
    """The kinds of all objects that are there."""
    out = subprocess.run(["git", "--git-dir", str(place), "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
                         stdout=subprocess.PIPE, check=True).stdout.decode().split()
    return {kind: out.count(kind) for kind in set(out)}


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("kind", FILTERS)
def test_each_kind_of_filter_is_refused_by_itself(bb, tmp_path, kind, version):
    cloned(bb, tmp_path / "before", FILTERS[kind], version=version)
    bb.refused = (kind,)
    done = cloned(bb, tmp_path / "refused", FILTERS[kind], check=False, version=version)
    assert done.returncode and b"filter '" + kind.encode() + b"' not supported" in done.stderr
    other = "blob:none" if kind != "blob:none" else "tree:1"
    cloned(bb, tmp_path / "other", other, version=version)
    # By v0 a fetch with a depth is two requests.
    assert list(dict.fromkeys(bb.fetched())) == [f"1 commit, {f}, depth 1" for f in (FILTERS[kind], other)]


def test_a_tree_filter_has_a_depth(bb, tmp_path):
    bb.tree_depth = 1
    cloned(bb, tmp_path / "one", "tree:1")
    assert cloned(bb, tmp_path / "two", "tree:2", check=False).returncode


@pytest.mark.parametrize("version", [0, 2])
def test_a_filter_lies(bb, tmp_path, version):
    def objects(lie, kind):
        bb.lie = lie
        name = f"{lie}-{kind}".replace(":", "-")
        cloned(bb, tmp_path / name, kind, check=False, version=version)
        return here(tmp_path / name)
    true, whole = objects(None, "blob:none"), objects("blobs", "blob:none")
    assert set(true) == {"commit", "tree"} and whole["blob"] > 10 and whole["tree"] == true["tree"]
    assert objects("trees", "blob:none") == {"commit": 1}
    assert objects(None, "blob:limit=1m")["blob"] and objects("limit", "blob:limit=1m") == true


def posted(bb, *lines):
    """What git answers to a request of these lines."""
    url, a = bb.git_url + "/acme/widgets.git/git-upload-pack", bb.accounts["ada"]
    request = urllib.request.Request(url, body_of(lines), {
        **credential(a, "x-bitbucket-api-token-auth"), "Git-Protocol": "version=2",
        "Content-Type": "application/x-git-upload-pack-request"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def pack(bb, *lines):
    told = posted(bb, b"command=fetch\n", b"", b"no-progress\n", *lines, b"done\n", None)
    return b"".join(line[1:] for line in lines_of(told) if line and line[:1] == b"\1")


def test_wants_are_left_out(bb):
    where = bb.repo_path("acme", "widgets")
    oids = subprocess.run(["git", "--git-dir", where, "rev-parse", "main:README.md", "main:src", "main:src/widget.c"],
                          stdout=subprocess.PIPE, check=True).stdout.split()
    wants = [b"want " + oid + b"\n" for oid in oids]

    def count(lie, *lines):
        bb.lie = lie
        got = pack(bb, *lines)
        assert got[:4] == b"PACK"
        return int.from_bytes(got[8:12], "big")
    assert count(None, wants[0], wants[2]) == 2 and count("half", wants[0], wants[2]) == 1
    assert count("empty", *wants) == 0
    assert count(lambda lines: [line for line in lines if line != wants[0]], wants[0], wants[2]) == 1
    n = count(None, wants[1], b"filter combine:tree:1+blob:limit=1024\n")
    assert n > 1 and count("trees", wants[1], b"filter combine:tree:1+blob:limit=1024\n") == 1
    assert bb.fetched() == ["2 blob", "2 blob", "2 blob 1 tree", "2 blob", *["1 tree, combine:tree:1+blob:limit=1024"] * 2]


def test_sizes_are_told_or_not(bb):
    where = bb.repo_path("acme", "widgets")
    oid = gitrepo.resolve(where, "main").encode()
    size = gitrepo.git(where, "cat-file", "-s", oid.decode()).strip()

    def offered():
        return b"object-info" in git(bb, "-c", "protocol.version=2", "ls-remote", bb.git_url + "/acme/widgets.git",
                                     GIT_TRACE_PACKET="1").stderr

    def answer():
        return lines_of(posted(bb, b"command=object-info\n", b"", b"size\n", b"oid " + oid + b"\n", None))
    assert offered() and oid + b" " + size in [line.rstrip() for line in answer() if line]
    bb.object_info = False
    assert not offered() and answer()[0].startswith(b"ERR ")
    assert bb.fetched() == ["1 sizes"] * 2


def test_repositories_say_that_they_are_large(bb):
    small = look(bb, "/repositories/acme/widgets")[1]["size"]
    bb.update_repo("acme", "widgets", {"size": 100 << 20})
    assert look(bb, "/repositories/acme/widgets")[1]["size"] == 100 << 20
    bb.least_size = small + 1
    assert all(r["size"] > small for r in look(bb, "/repositories/acme")[1]["values"])
