"""What a walk will read next is given to the kernel before it asks: how many requests that spares, and that the bytes are right."""
import os
import re
import subprocess
import threading

import pytest

from conftest import PATIENCE, asked, checkout, same_trees
from counting import Counted, vmstat


def given(m):
    """Files that the kernel was given (FUSE_NOTIFY_STORE), since the mount began."""
    return len(re.findall(rb"^NOTIFY: code=4 ", m.log_bytes(), re.M))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def test_a_walk_asks_for_few_files(bb, mounts, tmp_path):
    """And nothing is fetched in order to be given; who reads here and there is given nothing; the bytes are the commit's."""
    bb.push("acme", "widgets", {f"d/{i:04}": f"{i}\n" * (i % 50 + 1) for i in range(1200)})
    for attempt in range(3):
        m = mounts("ttl=3600", arguments=("-d",))
        top, drops = m / "acme/widgets/tree/d", vmstat()[1]
        names, mark = sorted(os.listdir(top)), bb.log.mark()
        for i in (1000, 17, 600, 90, 1199, 777):
            read(os.path.join(top, names[i]))
        assert given(m) == 0
        count = Counted(m, "acme/widgets/tree")
        subprocess.run(["grep", "-r", "no such words", top], stdout=subprocess.DEVNULL)
        reads = count.new()["READ"]
        if vmstat()[1] == drops:
            break       # else somebody had the kernel forget all files
    assert 2 <= reads < 60, reads
    assert given(m) > 1100
    assert asked(bb, mark) == []
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    assert same_trees(want, m / "acme/widgets/tree") == ""


def test_any_order_will_do_in_a_directory_of_few_files(mounts):
    m = mounts("ttl=3600", arguments=("-d",))
    top = m / "acme/widgets/tree/src"
    names = sorted(os.listdir(top), reverse=True)
    assert len(names) > 3
    count = Counted(m, "acme/widgets/tree")
    for name in names:
        read(os.path.join(top, name))
    assert count.new()["READ"] == 2
    assert given(m) >= len(names) - 2


def test_the_next_directories_are_given_when_they_are_listed(bb, mounts, tmp_path):
    """To who read file after file in those before, whatever its order; not to who only lists, nor for one file of each."""
    bb.push("acme", "widgets", {f"d/{i:02}/{j:03}": f"{i} {j}\n" * 9 for i in range(40) for j in range(400 if i == 0 else 9)})
    where = str(tmp_path / "copy")
    commands = (["grep", "-r", "no such words"], ["cp", "-r", "--target-directory", where])
    for command in commands:
        os.makedirs(where, exist_ok=True)
        for attempt in range(3):
            m, drops = mounts("ttl=3600", arguments=("-d",)), vmstat()[1]
            top = m / "acme/widgets/tree/d"
            count = Counted(m, "acme/widgets/tree")
            subprocess.run([*command, top], stdout=subprocess.DEVNULL)
            reads = count.new()["READ"]
            if vmstat()[1] == drops:
                break
        assert 2 <= reads < 30, (command, reads)
        assert 700 < given(m) < 900
        m.unmount()
    assert same_trees(where + "/d", checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want")) + "/d") == ""
    m = mounts("ttl=3600", arguments=("-d",))
    top = m / "acme/widgets/tree/d"
    for i in range(39, 0, -1):
        read(os.path.join(top, f"{i:02}", os.listdir(os.path.join(top, f"{i:02}"))[1]))
    subprocess.run(["ls", "-lR", top], stdout=subprocess.DEVNULL)
    assert given(m) == 0


def test_a_large_directory_by_inode(bb, mounts):
    """As cp -r reads it: once some READs have risen, all files are given."""
    bb.push("acme", "widgets", {f"d/{i:03}": f"{i}\n" * 9 for i in range(700)})
    m = mounts("ttl=3600", arguments=("-d",))
    count = Counted(m, "acme/widgets/tree")
    for entry in sorted(os.scandir(m / "acme/widgets/tree/d"), key=lambda e: e.inode()):
        read(entry.path)
    assert count.new()["READ"] < 30
    assert given(m) < 800


def test_a_branch_that_moves_under_a_walk(bb, mounts, tmp_path):
    """What was given of the old commit is of the old inodes: names have the new bytes, who has a file open the old ones."""
    texts = {f"d/{i:03}": f"first {i}\n" * 40 for i in range(60)}
    bb.push("acme", "widgets", texts)
    m = mounts("ttl=3600", arguments=("-d",))
    top = m / "acme/widgets/tree/d"
    # Twice some are given: once in 64 times the first 16 are 15, for a file that shares its place in fs/ahead's table with that
    # which is being read is left out.
    for name in sorted(os.listdir(top))[:20]:
        read(os.path.join(top, name))
    n = given(m)
    assert n >= 16
    with open(os.path.join(top, "010")) as old, open(os.path.join(top, "055")) as unread:
        changed = {p: t.replace("first", "later") for p, t in texts.items() if p[-1] in "05"}
        oid = bb.push("acme", "widgets", changed)
        assert oid[:12] in m.refresh("acme/widgets")
        for name in sorted(os.listdir(top)):
            assert read(os.path.join(top, name)).decode() == changed.get("d/" + name, texts["d/" + name]), name
        assert old.read() == texts["d/010"]
        assert unread.read() == texts["d/055"]
    assert given(m) > n
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    assert same_trees(want, m / "acme/widgets/tree") == ""


@pytest.mark.concurrent
def test_many_who_read_one_directory_do_not_wait_for_each_other(bb, mounts):
    """Each READ gives files that others are about to read, or are reading: fs/ahead.h tells how they would wait for ever."""
    bb.push("acme", "widgets", {f"d/{i:03}": f"{i:03}\n" * 100 for i in range(200)})
    m = mounts("ttl=3600", arguments=("-d",))
    top = m / "acme/widgets/tree/d"
    names = sorted(os.listdir(top))
    wrong = []

    def walk(i):
        for name in (names[i * 25:] + names[:i * 25]) * 3:
            with open(os.path.join(top, name), "rb") as f:
                if f.read() != (name + "\n").encode() * 100:
                    wrong.append(name)
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    readers = [threading.Thread(target=walk, args=(i,), daemon=True) for i in range(8)]
    for r in readers:
        r.start()
    for r in readers:
        r.join(PATIENCE)
    if any(r.is_alive() for r in readers):
        subprocess.run(["umount", "-f", m.path])       # nothing else ends such a wait
    assert not any(r.is_alive() for r in readers)
    assert wrong == []
    assert given(m) > 200


def test_documents_in_the_order_in_which_they_were_looked_up(bb, mounts):
    """As a shell does for `cat monolith-labs/*/info`: of each the bytes are its own, and none of them is asked for twice."""
    m = mounts(arguments=("-d",))
    top = m / "monolith-labs"
    for attempt in range(3):
        paths = [os.path.join(top, slug, "info") for slug in sorted(os.listdir(top))[1 + attempt * 300:][:300]]
        sizes, drops, mark = [os.stat(p).st_size for p in paths], vmstat()[1], bb.log.mark()
        count, n = Counted(m, "monolith-labs"), given(m)
        texts = [read(p) for p in paths]
        reads = count.new()["READ"]
        for path, size, text in zip(paths, sizes, texts):
            assert len(text) == size and path.split("/")[-2].encode() in text, path
        if vmstat()[1] == drops:
            break       # else somebody had the kernel forget all files
    assert 2 <= reads < 10, reads
    assert given(m) - n > 280
    assert asked(bb, mark) == []
