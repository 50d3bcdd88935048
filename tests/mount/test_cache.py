"""The cache on disk: what a second mount spares, and what a crash or damage cannot do."""
import os
import sqlite3
import stat
import subprocess

import pytest

from conftest import api, asked, await_true, checkout, git, same_trees

W = "acme/widgets/tree"


def look(m):
    """Everything that a person reads first; as text, to compare."""
    said = [m.ls(), m.ls("acme"), m.ls("ada-lindqvist"), m.ls(W + "/src"), m.read(W + "/README.md")]
    for name in m.ls("acme"):
        said += [m.read(f"acme/{name}/{file}") for file in ("info", "description", "repository.json")]
    return said


def databases(m):
    return [os.path.join(place, f) for place, _, names in os.walk(m.cache) for f in names
            if open(os.path.join(place, f), "rb").read(16) == b"SQLite format 3\0"]


def test_a_second_mount_asks_for_nothing_but_the_account(bb, mounts):
    first = mounts()
    said = look(first)
    first.unmount()
    mark = bb.log.mark()
    second = mounts()
    assert look(second) == said
    assert api(bb, mark) == []
    # A tree's ref is asked for again once per ttl (a minute): within it not at all.
    assert git(bb, mark) == []
    await_true(lambda: asked(bb, mark) == ["GET /2.0/user"], "the check behind")


def test_a_mount_with_a_cache_does_not_wait_for_the_check(bb, mounts):
    first = mounts()
    said = look(first)
    first.unmount()
    fault = bb.fault(r"GET /2\.0/user$", "stall")
    second = mounts()
    assert look(second) == said
    fault.wait_hit()


def test_kill_9_and_mount_again(bb, mounts):
    first = mounts()
    said = look(first)
    first.kill()
    mark = bb.log.mark()
    second = mounts()
    assert look(second) == said
    assert api(bb, mark) == [] and git(bb, mark) == []


@pytest.mark.concurrent
def test_kill_9_at_any_instant(bb, mounts):
    """Killed while it lists, fetches and writes, again and again: each next mount uses what is there."""
    for after in (1, 4, 9, 13, 15, 17):
        m = mounts()
        mark = bb.log.mark()
        work = [subprocess.Popen(f"ls {m.path}/monolith-labs; cat {m.path}/acme/*/info; ls -R {m.path}/{name}/tree", shell=True,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for name in ("acme/widgets", "edge/hard", "acme/billing")]
        await_true(lambda: len(bb.log.since(mark)) >= after or all(w.poll() is not None for w in work), "it is at work")
        m.kill()
        for w in work:
            w.wait()
    last = mounts()
    assert len(last.ls("monolith-labs")) == 1000
    assert "name: widgets" in last.read("acme/widgets/info")
    assert last.read("edge/hard/tree/CHANGES") == "one\n"
    assert "damaged" not in last.log


DAMAGES = {
    "not a database": lambda f: open(f, "wb").write(b"this is no database at all\n" * 500),
    "cut": lambda f: os.truncate(f, 5000),
    "empty": lambda f: os.truncate(f, 0),
    "pages of nothing": lambda f: overwrite(f, 4096, b"\0" * 200000),
    "pages of noise": lambda f: overwrite(f, 4096, bytes((i * 73 + 11) % 256 for i in range(200000))),
}


def overwrite(path, at, content):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(content[:max(0, size - at)])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_set_aside_never_a_refusal(bb, mounts, damage):
    first = mounts()
    said = look(first)
    files = databases(first)
    assert files
    first.unmount()
    for path in files:
        for extra in ("-wal", "-shm"):
            if os.path.exists(path + extra):
                os.unlink(path + extra)
        DAMAGES[damage](path)
    second = mounts()
    assert look(second) == said
    second.unmount()
    if damage != "empty":
        assert any("damaged" in line for line in second.log.splitlines()), second.log
    mark = bb.log.mark()
    third = mounts()
    assert look(third) == said
    assert api(bb, mark) == [], "the new one works"


def test_a_database_of_a_later_version_is_set_aside(bb, mounts):
    first = mounts()
    said = look(first)
    path, = databases(first)
    first.unmount()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999999")
    db.commit()
    db.close()
    second = mounts()
    assert look(second) == said
    assert "later version" in second.log


@pytest.mark.parametrize("what", ["objects", "HEAD", "config", "pack"])
def test_a_damaged_store_is_brought_again(bb, mounts, what, tmp_path):
    first = mounts()
    first.ls(W)
    first.unmount()
    uuid = bb.state.repository("acme", "widgets").uuid.strip("{}")
    store, = [os.path.join(p, f) for p, folders, _ in os.walk(first.cache) for f in folders if f == uuid + ".git"]
    if what == "objects":
        subprocess.run(["rm", "-rf", store + "/objects"], check=True)
    elif what == "pack":
        for name in os.listdir(store + "/objects/pack"):
            path = os.path.join(store, "objects/pack", name)
            os.chmod(path, 0o600)
            os.truncate(path, 40)
    else:
        os.unlink(os.path.join(store, what))
    second = mounts()
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    assert same_trees(want, second / W) == ""


def test_a_cache_that_is_deleted_under_a_mount(bb, mounts):
    """Whatever it answers meanwhile, it does not hang, and the next mount works."""
    m = mounts()
    said = look(m)
    subprocess.run(f"rm -rf {m.cache}/*", shell=True, check=True)
    for name in ("acme/website/info", "acme/website/tree/README.md", W + "/LICENSE"):
        try:
            m.read(name)
        except OSError:
            pass
    m.unmount()
    assert look(mounts()) == said


def test_the_cache_belongs_to_its_owner_alone(bb, mounts):
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        m = mounts()
        look(m)
    finally:
        os.umask(before)
    for place, _, names in os.walk(m.cache):
        st = os.stat(place)
        assert st.st_uid == os.getuid()
        if place == m.cache or len(os.path.relpath(place, m.cache).split("/")) <= 2:
            assert stat.S_IMODE(st.st_mode) == 0o700, place
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode) & 0o077 == 0, os.path.join(place, name)


def test_one_directory_per_account_and_host(bb, mounts):
    ada = mounts()
    reader = mounts(account="reader")
    assert "ada-lindqvist" in ada.ls() and "ada-lindqvist" not in reader.ls()
    assert len(ada.ls("acme")) == 7
    nobody = mounts(account=None)
    assert nobody.ls("acme") == ["website"], "what one account may read is not another's"
    ada.unmount(), nobody.unmount()
    again = mounts(account=None)
    assert again.ls("acme") == ["website"]


def test_the_database_keeps_no_secret(bb, mounts):
    m = mounts()
    look(m)
    m.unmount()
    token = bb.accounts["ada"].token.encode()
    for place, _, names in os.walk(m.cache):
        for name in names:
            with open(os.path.join(place, name), "rb") as f:
                assert token not in f.read(), name
