"""Snippets: what they are called, their files with true sizes out of one answer, what was said of them, their history."""
import errno
import os
import subprocess

import pytest

from bitbucket import data_snippets
from conftest import api, await_true

S = "acme/.workspace/snippets"
ODD = "edge/.workspace/snippets/odd/files"
FILES = r"GET /2.0/snippets/acme/kypj$"


def contents(files):
    return {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()}


def shown(name):
    """As a file of the mount (src/model/README.md, 11)."""
    return name.replace("%", "%25").replace("/", "%2F") if "/" in name else name


def test_a_snippet_is_a_directory(shared):
    assert shared.ls(S) == ["Xqoz8B", "gR9bLA", "index.json", "index.tsv", "kypj"]
    assert shared.ls(S + "/kypj") == ["comments", "commits", "files", "info", "snippet.json", "title"]
    assert shared.read(S + "/kypj/title") == "How we deploy\n"
    assert "private: true\n" in shared.read(S + "/kypj/info")
    lines = shared.read(S + "/index.tsv").split("\n")
    assert lines[0] == "id\tprivate\towner\tcreator\tupdated\tcreated\turl\ttitle"
    assert [line.split("\t")[0] for line in lines[1:-1]] and any("kypj\ttrue\t" in line for line in lines)
    assert sum(line.endswith("Grüße \u2013 an alle") for line in lines) == 1


def test_its_directory_is_as_old_as_its_last_change(bb, m):
    m.ls(S)
    before = os.stat(m / (S + "/kypj"))
    other = os.stat(m / (S + "/Xqoz8B"))
    assert before.st_mtime != other.st_mtime and min(before.st_mtime, other.st_mtime) > 1.6e9


def test_all_files_are_one_request(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(S), os.stat(m / (S + "/kypj/files"))
    mark = bb.log.mark()
    text = subprocess.run(["ls", "-l", m / (S + "/kypj/files")], check=True, capture_output=True, text=True).stdout
    assert api(bb, mark) == ["GET /2.0/snippets/acme/kypj"]
    assert bb.log.since(mark, FILES)[0]["status"] == 200
    assert [line.split()[4] + " " + line.split()[-1] for line in text.split("\n")[1:-1]] == ["27 README.md", "62 deploy.sh", "70 logo.png"]
    assert m.read(S + "/kypj/files/README.md") == "# deploy\n\n    sh deploy.sh\n"
    assert m.read(S + "/kypj/files/logo.png", "rb") == data_snippets.PNG
    for _ in range(2):
        assert m.ls(S + "/kypj/files") == ["README.md", "deploy.sh", "logo.png"]
    assert not os.path.exists(m / (S + "/kypj/files/index.tsv"))
    assert api(bb, mark) == ["GET /2.0/snippets/acme/kypj"]


def test_a_file_by_its_name_is_that_request(bb, mounts):
    m = mounts()
    m.ls("acme"), m.ls(S), os.stat(m / (S + "/kypj/files"))
    mark = bb.log.mark()
    assert m.read(S + "/kypj/files/deploy.sh").startswith("#!/bin/sh\nset -e\n")
    with pytest.raises(FileNotFoundError):
        m.read(S + "/kypj/files/other.sh")
    with pytest.raises(FileNotFoundError):
        os.stat(m / (S + "/kypj/files/.git"))
    assert api(bb, mark) == ["GET /2.0/snippets/acme/kypj"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_files_of_every_kind_come_byte_by_byte(bb, mounts, line_end):
    bb.line_end = line_end
    m = mounts()
    want = {shown(name): data for name, data in contents(data_snippets.odd_files()).items()}
    assert set(os.listdir(m / ODD)) == set(want)
    for name, data in want.items():
        assert os.stat(m / f"{ODD}/{name}").st_size == len(data), name
        assert m.read(f"{ODD}/{name}", "rb") == data, name


def test_offline_they_are_still_there(bb, mounts):
    m = mounts()
    before = m.read(ODD + "/big.txt", "rb")
    m.unmount()
    bb.offline()
    m = mounts()
    assert m.read(ODD + "/big.txt", "rb") == before and len(m.ls(ODD)) == len(data_snippets.odd_files())
    m.unmount()
    bb.online()


def test_a_change_is_seen_when_asked_for(bb, m):
    place = S + "/kypj/files"
    old = m.read(place + "/README.md")
    held = os.open(m / f"{place}/README.md", os.O_RDONLY)
    inode = os.stat(m / f"{place}/deploy.sh").st_ino
    bb.change_snippet("acme", "kypj", {"README.md": "new\n", "logo.png": None, "more.txt": "more\n"}, title="Anew")
    assert "README.md: updated\n" in m.refresh(place)
    assert m.ls(place) == ["README.md", "deploy.sh", "more.txt"]
    assert m.read(place + "/README.md") == "new\n" and m.read(place + "/more.txt") == "more\n"
    assert not os.path.exists(m / f"{place}/logo.png")
    assert os.stat(m / f"{place}/deploy.sh").st_ino == inode, "its content stayed"
    assert os.pread(held, 1000, 0).decode() == old, "who reads the old one finishes it"
    os.close(held)
    assert "unchanged" in m.refresh(place)
    m.refresh(S)
    assert m.read(S + "/kypj/title") == "Anew\n"


def test_a_new_snippet_and_one_that_went(bb, m):
    m.ls(S)
    bb.create_snippet("acme", "fresh", {"a": b"\0\1"}, title="x")
    bb.delete_snippet("acme", "Xqoz8B")
    assert "fresh: new\n" in (said := m.refresh(S)) and "Xqoz8B: gone\n" in said
    assert {"fresh", "kypj"} <= set(m.ls(S)) and "Xqoz8B" not in m.ls(S)
    assert m.read(S + "/fresh/files/a", "rb") == b"\0\1"
    assert not os.path.exists(m / (S + "/Xqoz8B/title"))


def test_a_snippet_taken_as_spam_has_no_files(bb, m):
    m.ls(S)
    bb.delete_snippet("acme", "kypj", spam=True)
    with pytest.raises(OSError):
        m.ls(S + "/kypj/files")
    with pytest.raises(FileNotFoundError):
        m.read(S + "/kypj/files/README.md")
    await_true(lambda: "410" in m.errors(), "the reason in errors")


@pytest.mark.parametrize("damage", ["truncate", "garbage", "no multipart"])
def test_a_broken_answer_is_an_error_and_takes_nothing(bb, m, damage):
    m.ls(S)
    how = dict(kind="status", status=200, body='{"id": "kypj"}') if damage == "no multipart" else dict(kind=damage)
    fault = bb.fault(FILES, **how)
    with pytest.raises(OSError) as e:
        m.ls(S + "/kypj/files")
    assert e.value.errno == errno.EIO
    fault.remove()
    m.refresh(S + "/kypj/files")
    assert len(m.ls(S + "/kypj/files")) == 3
    fault = bb.fault(FILES, **how)
    with pytest.raises(OSError):
        m.refresh(S + "/kypj/files")
    assert m.read(S + "/kypj/files/README.md") == "# deploy\n\n    sh deploy.sh\n"
    fault.remove()


def test_parts_of_one_name_are_told_apart(bb, m):
    m.ls(S)
    names = ["same"] * 3 + ["..", "a/b", "", "größe", "x" * 300, "\\n"]
    body = "".join(f'--b\nContent-Disposition: attachment; filename="{n}"\n\n{i}\n' for i, n in enumerate(names)) + "--b--\n"
    fault = bb.fault(FILES, "status", status=200, body=body, headers={"Content-Type": "multipart/related; boundary=b"})
    found = {n: m.read(f"{S}/kypj/files/{n}") for n in os.listdir(m / (S + "/kypj/files"))}
    assert sorted(found.values()) == [str(i) for i, n in enumerate(names) if n], "one without a name is no file"
    assert {"same", "%2E.", "a%2Fb", "größe", "n"} <= set(found) and all(len(n.encode()) <= 255 for n in found)
    fault.remove()


def test_what_was_said_of_it(shared):
    lines = shared.read(S + "/kypj/comments/index.tsv").split("\n")
    assert [line.split("\t")[0] for line in lines[1:-1]] == ["5001", "5002", "5003", "5004", "5005"]
    assert lines[3].split("\t")[1] == "" and lines[4].endswith("Größe\\r\\nzwei") and lines[5].split("\t")[7] == "deleted"
    thread = shared.read(S + "/kypj/comments/thread.md")
    assert thread.index("deletes production") < thread.index("Not any more.") < thread.index("zwei")


def test_its_history(shared_bb, shared):
    lines = shared.read(S + "/kypj/commits/index.tsv").split("\n")
    assert [line.split("\t")[-1] for line in lines[1:-1]] == ["Say how", "Ask first", "Create"]
    long = shared.read("edge/.workspace/snippets/long/commits/index.tsv").split("\n")
    assert len(long) == 72 and long[1].endswith("\tVersion 69")


def test_a_hundred_and_more_of_them_and_of_what_is_said(shared_bb, shared):
    names = shared.ls("edge/.workspace/snippets")
    assert len([n for n in names if n.startswith("p0")]) == data_snippets.N
    assert {"odd", "long"} <= set(names)
    assert len(shared.read("edge/.workspace/snippets/odd/comments/index.tsv").split("\n")) == 122


def test_a_public_workspace_shows_its_public_snippets(mounts):
    m = mounts(account=None)
    assert [n for n in m.ls("opensource/.workspace/snippets") if not n.startswith("index")] == ["open1"]
    assert m.read("opensource/.workspace/snippets/open1/files/snippet.txt") == "one\n"
