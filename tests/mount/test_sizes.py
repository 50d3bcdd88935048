"""The sizes of a filtered tree: what it costs to know them, and that they are true."""
import errno
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from conftest import await_true
from harness import LARGE, PATIENCE
from test_tree import store_of

N_SMALL = 30
BIG = {"d/big": 2_000_000, "d/huge": 3_000_001, "alone/huge": 3_000_000}
LIMIT = "1 tree, combine:tree:1+blob:limit=1048576"
OF_35 = f"1 tree, combine:tree:1+blob:limit={(16 << 20) // 35}"


def content(name):
    return random.Random(name).randbytes(BIG[name]) if name in BIG else (name + "\n").encode() * (len(name) * 7)


def import_tree(bb, where, name, entries):
    """A repository of one commit; entries: (mode, path, bytes). It says that it is large."""
    source = str(where / f"{name}.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", source], check=True)
    stream = [b"commit refs/heads/main\ncommitter A <a@example.org> 1767258000 +0000\ndata 0\n"]
    stream += [b"M %s inline %s\ndata %d\n%s\n" % (mode, path.encode(), len(data), data) for mode, path, data in entries]
    subprocess.run(["git", "--git-dir", source, "fast-import", "--quiet"], check=True, input=b"".join(stream))
    repo = bb.create_repo("acme", name)
    repo.git_dir, repo.mainbranch = source, "main"
    bb.update_repo("acme", name, {"size": LARGE})
    return source


FILES = [f"d/f{i:03d}" for i in range(N_SMALL)] + list(BIG) + ["d/sub/inner", "e/one", "e/two", "README"]


@pytest.fixture
def sized(bb, tmp_path):
    import_tree(bb, tmp_path, "sized", [(b"100644", f, content(f)) for f in FILES] + [
        (b"100755", "d/run", b"#!/bin/sh\n"), (b"120000", "d/link", b"f000"), (b"120000", "d/dangling", b"nowhere/at/all")])
    bb.log.clear()
    return bb


TREE = "acme/sized/tree"


def asked(bb, mark):
    """Requests of git and of the API that somebody had to wait for."""
    return bb.fetched(mark), [e["path"] for e in bb.log.since(mark) if e["path"].startswith("/2.0/")]


def look(m, bb, repo="acme/sized"):
    """The first look. All names are here after it."""
    # Another program, so that what follows is no walk.
    names = sorted(os.fsdecode(n) for n in subprocess.check_output(["ls", m / f"{repo}/tree"]).split())
    trees = os.path.join(store_of(m, bb, repo), "refs/bitbucketfs/trees")
    await_true(lambda: os.path.isdir(trees) and os.listdir(trees), "the trees, which come behind")
    return names


def expect_sizes(m, names=FILES):
    """Seen by who lists their directories, and wants all sizes."""
    for d in dict.fromkeys(os.path.dirname(f) for f in names):
        subprocess.run(["ls", "-l", m / f"{TREE}/{d}"], stdout=subprocess.DEVNULL, check=True)
    for f in names:
        assert os.lstat(m / f"{TREE}/{f}").st_size == len(content(f)), f


def test_names_cost_nothing(sized, mounts):
    m = mounts("hydrate=off")
    assert look(m, sized) == ["README", "alone", "d", "e"]
    mark = sized.log.mark()
    assert len(m.ls(TREE + "/d")) == N_SMALL + 6
    found = subprocess.run(["find", m / TREE, "-name", "f00*"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert len(found.split()) == 10
    subprocess.run(["bash", "-c", f"compgen -f {m / TREE}/d/f"], stdout=subprocess.DEVNULL, check=True)
    assert asked(sized, mark) == ([], [])


def test_a_stat_brings_the_sizes_of_its_directory(sized, mounts):
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    expect_sizes(m, ["e/one", "e/two"])
    assert asked(sized, mark) == ([LIMIT], [])
    expect_sizes(m)
    assert os.lstat(m / f"{TREE}/d/run").st_size == 10
    assert asked(sized, mark)[0][1:3] == [OF_35, "2 sizes"], "the large ones do not come, their sizes do"
    assert os.readlink(m / f"{TREE}/d/link") == "f000" and os.lstat(m / f"{TREE}/d/dangling").st_size == len("nowhere/at/all")
    mark = sized.log.mark()
    assert open(m / f"{TREE}/d/f003", "rb").read() == content("d/f003"), "it came with its size"
    assert asked(sized, mark) == ([], [])
    assert open(m / f"{TREE}/d/big", "rb").read() == content("d/big")
    assert [f.split()[1:] for f in asked(sized, mark)[0]] == [["blob"]], "and what may be read next"

    m.unmount()
    mark = sized.log.mark()
    again = mounts("hydrate=off")
    look(again, sized)
    # It waits for no mount that has a cache.
    await_true(lambda: sized.log.since(mark, r"GET /2\.0/user$"), "the check of the credentials")
    mark = sized.log.mark()
    expect_sizes(again)
    assert asked(sized, mark) == ([], []), "sizes are kept"


def test_one_file_is_that_file(sized, mounts):
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    assert open(m / f"{TREE}/d/f003", "rb").read() == content("d/f003")
    assert asked(sized, mark) == (["1 blob"], [])
    sized.bandwidth = 400_000
    start = time.monotonic()
    size = subprocess.run(["stat", "-c", "%s", m / f"{TREE}/alone/huge"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert int(size) == len(content("alone/huge")) and time.monotonic() - start < 4, "its size is known before it is here"
    sized.bandwidth = None
    assert open(m / f"{TREE}/alone/huge", "rb").read() == content("alone/huge")


def shell(script, directory):
    """As a person's script is: a process group of its own."""
    subprocess.run(["bash", "-c", script], cwd=directory, check=True, stdout=subprocess.DEVNULL, process_group=0)


def test_one_file_of_a_listing_comes_before_the_others(sized, mounts):
    sized.object_info = False
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    shell("ls d; cat d/f003", m / TREE)
    assert asked(sized, mark) == (["1 blob"], [])
    shell("ls d; cat d/f004; cat d/f005; cat d/f006", m / TREE)
    assert asked(sized, mark)[0][1:] == ["1 blob", LIMIT], "then those that it goes on to"


HIGH = "acme/high/tree"


@pytest.fixture
def high(bb, tmp_path):
    """Many trees below a directory."""
    huge = random.Random(1).randbytes(17 << 20)
    import_tree(bb, tmp_path, "high", [(b"100644", f"{top}/d{i}/file", b"%d\n" % i)
                                for i in range(300) for top in ("few", "much", "wide", "vast")] + [
        (b"100644", f"{top}/{i}", b"%s %d\n" % (top.encode(), i)) for i in range(150) for top in ("wide", "vast")] + [
        (b"100644", "few/one", b"1\n"), (b"100644", "few/two", b"22\n"), (b"120000", "few/link", b"one"),
        (b"100644", "much/one", b"one\n"), (b"100644", "much/huge", huge), (b"100644", "vast/huge", huge)])
    bb.log.clear()
    return bb


def test_a_directory_above_many_trees(high, mounts):
    """The filter would make the server go through all of them: what is not too large is wanted by its ids."""
    high.object_info = False
    m = mounts("hydrate=off")
    look(m, high, "acme/high")
    mark = high.log.mark()
    shell("ls -l few", m / HIGH)
    assert asked(high, mark) == (["3 blob"], [])
    assert m.read(f"{HIGH}/few/two") == "22\n" and os.readlink(m / f"{HIGH}/few/link") == "one"
    assert asked(high, mark) == (["3 blob"], [])
    mark = high.log.mark()
    shell("ls -l much", m / HIGH)
    fetched, api = asked(high, mark)
    assert fetched == ["2 blob", LIMIT] and len(api) == 1, "not all of a large one"
    assert [os.lstat(m / f"{HIGH}/much/{name}").st_size for name in ("one", "huge")] == [4, 17 << 20]


def test_many_files_above_many_trees(high, mounts):
    high.object_info = False
    m = mounts("hydrate=off")
    look(m, high, "acme/high")
    mark = high.log.mark()
    shell("ls -l wide", m / HIGH)
    assert asked(high, mark) == (["1 tree, tree:1"], []), "all of them, and nothing below"
    mark = high.log.mark()
    shell("ls -l vast", m / HIGH)
    assert asked(high, mark)[0] == ["1 tree, tree:1", f"1 tree, combine:tree:1+blob:limit={(64 << 20) // 151}"], "not all of a large one"
    assert [os.lstat(m / f"{HIGH}/{name}").st_size for name in ("wide/149", "vast/149", "vast/huge")] == [9, 9, 17 << 20]
    high.object_info = True
    m.unmount()
    m = mounts("hydrate=off", cache="other")
    look(m, high, "acme/high")
    mark = high.log.mark()
    shell("ls -l wide", m / HIGH)
    assert asked(high, mark) == (["150 sizes"], [])


def test_sizes_alone_above_many_trees(high, mounts):
    m = mounts("hydrate=off")
    look(m, high, "acme/high")
    mark = high.log.mark()
    shell("ls -l few", m / HIGH)
    assert asked(high, mark) == (["1 blob", "2 sizes"], []), "links come"


@pytest.mark.concurrent
def test_many_look_at_once(sized, mounts):
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    code = f"import os, sys; [os.listdir(sys.argv[1] + '/' + d) for d in 'de']; [os.lstat(sys.argv[1] + '/' + f) for f in {FILES!r} if f.startswith(('d/f', 'e/'))]"
    looking = [subprocess.Popen([sys.executable, "-c", code, m / TREE]) for _ in range(12)]
    assert [p.wait(PATIENCE) for p in looking] == [0] * 12
    fetched = asked(sized, mark)[0]
    assert sorted(fetched) == sorted([OF_35, "2 sizes", LIMIT]), "one for all"
    expect_sizes(m, [f for f in FILES if f.startswith("d/f")])


@pytest.mark.parametrize("refused", [("tree",), ("combine",), ("blob:limit",)])
def test_a_server_that_refuses_the_filter(sized, mounts, refused):
    m = mounts("hydrate=off")
    look(m, sized)
    sized.refused = refused
    mark = sized.log.mark()
    expect_sizes(m, ["e/one", "e/two", "d/f001", "d/big"])
    fetched = asked(sized, mark)[0]
    assert fetched == [LIMIT, "2 sizes", "2 blob", "33 sizes"], "it is asked for that once; links come"
    mark = sized.log.mark()
    assert os.readlink(m / f"{TREE}/d/link") == "f000"
    assert asked(sized, mark) == ([], [])


def test_a_server_that_tells_no_sizes(sized, mounts):
    """The service's own listing does: one page for a directory."""
    sized.object_info = False
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    expect_sizes(m, [f for f in FILES if f.startswith("d/")])
    fetched, api = asked(sized, mark)
    assert fetched == [LIMIT, LIMIT], "of d and of d/sub"
    assert [p.split("/")[-3:-1] for p in api] == [[api[0].split("/")[-3], "d"]]


def test_a_file_whose_size_nobody_tells(sized, mounts):
    sized.object_info = False
    m = mounts("hydrate=off")
    look(m, sized)
    sized.fault("/src/", "status", status=500)
    mark = sized.log.mark()
    expect_sizes(m, ["d/f001", "d/big", "d/huge"])
    assert asked(sized, mark)[0] == [LIMIT, "1 blob", "1 blob"], "it comes itself"


def test_nothing_but_wants(sized, mounts):
    sized.object_info, sized.refused = False, ("tree", "combine")
    m = mounts("hydrate=off")
    look(m, sized)
    mark = sized.log.mark()
    expect_sizes(m, ["e/one", "e/two", "d/f001", "d/big"])
    assert asked(sized, mark)[0] == ["2 blob", "35 blob"], "that it refuses such filters was found out by the first look"


def test_offline(sized, mounts):
    m = mounts("hydrate=off")
    look(m, sized)
    expect_sizes(m, ["e/one"])
    sized.offline()
    assert len(m.ls(TREE + "/d")) == N_SMALL + 6
    expect_sizes(m, ["e/two"])
    for name in ("d/f000", "d/f001", "d/link"):
        with pytest.raises(OSError) as failed:
            os.lstat(m / f"{TREE}/{name}")
        assert failed.value.errno == errno.ENETUNREACH
    sized.online()


def test_a_listing_brings_the_sizes_that_are_known(sized, mounts):
    """And the names of the others, in one reply: a daemon that is stopped is not asked for a known one."""
    m = mounts("hydrate=off")
    look(m, sized)
    expect_sizes(m, ["d/f000"])
    m.unmount()
    again = mounts("hydrate=off")
    assert again.ls(TREE) == ["README", "alone", "d", "e"]
    names = set(again.ls(TREE + "/d")) - {"sub"}
    os.kill(again.process.pid, signal.SIGSTOP)
    try:
        subprocess.run([sys.executable, "-c", "import os, sys; [os.lstat(name) for name in sys.argv[1:]]",
                        *(again / f"{TREE}/d/{name}" for name in names)], check=True, timeout=PATIENCE)
    finally:
        os.kill(again.process.pid, signal.SIGCONT)


@pytest.mark.plain_git
def test_ten_thousand_files(bb, mounts, tmp_path):
    import_tree(bb, tmp_path, "many", [(b"100644", f"many/{i:05d}", b"%d\n" % i) for i in range(10000)])
    m = mounts("hydrate=off")
    look(m, bb, "acme/many")
    mark = bb.log.mark()
    names = m.ls("acme/many/tree/many")
    assert len(names) == 10000 and asked(bb, mark) == ([], [])
    sizes = {os.lstat(m / f"acme/many/tree/many/{n}").st_size for n in names}
    assert sizes == {2, 3, 4, 5}
    assert asked(bb, mark) == (["1 tree, combine:tree:1+blob:limit=4096"], [])
