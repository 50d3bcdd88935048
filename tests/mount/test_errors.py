"""`.bitbucketfs/errors`: what each line says, and how the file grows."""
import datetime
import json
import os
import re

import pytest

from conftest import await_true
from readers import await_waiting, interrupt, readers

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\t([^\t]*)\t(E[A-Z0-9]+|-)\t([^\t]+)")


def refuse(bb, match, words="No", status=403):
    return bb.fault(match, "status", status=status, body=json.dumps({"type": "error", "error": {"message": words}}))


def denied(path):
    with pytest.raises(OSError):
        os.stat(path)


@pytest.fixture
def m(mounts):
    made = mounts()
    os.stat(made / "acme")
    return made


def test_a_mount_without_problems_has_none(m):
    m.ls("acme"), m.read("acme/widgets/tree/README.md")
    assert m.errors() == "" and "problems: none" in m.read(".bitbucketfs/status")


def test_a_line_has_time_path_errno_and_sentence(bb, m):
    refuse(bb, r"repositories/acme/billing", "You shall not")
    denied(m / "acme/billing/info")
    line, = m.errors().splitlines()
    when, path, code, sentence = LINE.fullmatch(line).groups()
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - datetime.datetime.fromisoformat(when.replace("Z", "+00:00"))).total_seconds()) < 60
    assert (path, code) == ("acme/billing", "EACCES")
    assert "You shall not" in sentence and sentence.endswith(".")
    assert sentence in m.read(".bitbucketfs/status"), "and status shows the newest"
    assert f"{path}: {code}: {sentence}\n" in m.log, "and so does the log"


def test_what_is_not_there_and_who_went_away_are_no_problems(bb, m):
    for name in ("no-such-name", "Impossible", ".git"):
        assert not os.path.exists(m / f"acme/{name}")
    stalled = bb.fault(r"repositories/acme/slow", "stall")
    with readers([m / "acme/slow/info"]) as all:
        stalled.wait_hit()
        await_waiting(all)
        interrupt(all)
    assert m.errors() == ""


def test_the_same_again_is_said_once(bb, m):
    refuse(bb, r"repositories/acme/billing")
    for _ in range(30):
        denied(m / "acme/billing/info")
    assert len(m.errors().splitlines()) == 1


def test_it_grows_under_its_inode(bb, m):
    refuse(bb, r"repositories/acme/name")
    path = m / ".bitbucketfs/errors"
    inode, fd = os.stat(path).st_ino, os.open(path, os.O_RDONLY)
    try:
        read = b""
        for i in range(20):
            denied(m / f"acme/name-{i}")
            read += os.read(fd, 1 << 16)    # as tail -f does
            assert len(read.splitlines()) == i + 1
            assert os.fstat(fd).st_size == len(read)
        assert os.stat(path).st_ino == inode
        assert read.decode() == m.errors()
        assert [x.split("\t")[1] for x in m.errors().splitlines()] == [f"acme/name-{i}" for i in range(20)], "newest last"
    finally:
        os.close(fd)


def test_words_of_the_service_stay_on_their_line(bb, m):
    """Control characters, line ends, tabs and terminal sequences of others do nothing here."""
    refuse(bb, r"repositories/acme/billing", "one\ntwo\tthree\r\x1b[31mred\x00\x7f" + "x" * 5000)
    denied(m / "acme/billing/info")
    text = m.errors()
    assert text.count("\n") == 1 and LINE.fullmatch(text[:-1])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert len(text) < 1000


def test_a_name_with_a_line_end_stays_on_its_line(bb, m):
    oid = bb.push("acme", "widgets", {"line\nend/x": "1"})
    assert oid
    m.ls("acme/widgets/tree")
    refuse(bb, r"widgets\.git", status=500)
    with pytest.raises(OSError):
        m.refresh("acme/widgets/tree")
    for line in m.errors().splitlines():
        assert LINE.fullmatch(line), line


def test_past_a_mebibyte_it_is_a_new_inode_with_the_newest_hundred(bb, m):
    bb.set_limits(quota=100000)         # more than this asks for
    m.ls("edge")
    refuse(bb, r"repositories/acme/n", "w" * 290, 400)
    path = m / ".bitbucketfs/errors"
    inode, n, size = os.stat(path).st_ino, 0, 0
    fd = os.open(path, os.O_RDONLY)
    try:
        while os.stat(path).st_ino == inode:
            for _ in range(100):
                n += 1
                denied(m / f"acme/n{n}-{'long-' * 20}")
            assert n < 10000, "it grows without end"
            size = max(size, os.stat(path).st_size)
        lines = m.errors().splitlines()
        assert 100 <= len(lines) <= 200 and size <= 1 << 20
        assert lines[-1].split("\t")[1].startswith(f"acme/n{n}-")
        numbers = [int(re.match(r"acme/n(\d+)-", x.split("\t")[1]).group(1)) for x in lines]
        assert numbers == list(range(numbers[0], n + 1)), "none is lost between"
        old, new = os.fstat(fd), os.stat(path)
        assert size <= old.st_size <= 1 << 20, "the old one does not shrink"
        assert new.st_mtime >= old.st_mtime + 1
        with os.fdopen(os.dup(fd), "rb") as held:
            assert len(held.read()) == old.st_size, "who reads the old one finishes it"
    finally:
        os.close(fd)
    await_true(lambda: m.ls("acme"), "it goes on")
