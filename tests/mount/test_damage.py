"""What is damaged in the cache's files, under a running mount and before the next one: whoever reads gets the right bytes."""
import os
import sqlite3
import subprocess

import pytest

from conftest import asked, await_true, checkout, same_trees

W = "acme/widgets/tree"
MIB = 1 << 20


def store_of(bb, m, workspace="acme", slug="widgets"):
    uuid = bb.state.repository(workspace, slug).uuid.strip("{}")
    store, = [os.path.join(p, f) for p, folders, _ in os.walk(m.cache) for f in folders if f == uuid + ".git"]
    return store


def files(store, suffix):
    folder = os.path.join(store, "objects/pack")
    return [os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(suffix)]


def noise(path, begin, end):
    """Overwrites that part of it, given in hundredths."""
    os.chmod(path, 0o600)
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(size * begin // 100)
        f.write(os.urandom(size * end // 100 - size * begin // 100))


def cut(path):
    os.chmod(path, 0o600)
    os.truncate(path, os.path.getsize(path) // 3)


DAMAGES = {
    "half a pack": (".pack", lambda f: noise(f, 25, 75)),
    "a pack that is cut": (".pack", cut),
    "an index of noise": (".idx", lambda f: noise(f, 1, 95)),
    "an index that is cut": (".idx", cut),
    "no index": (".idx", os.unlink),
}


def damage(bb, m, which):
    suffix, how = DAMAGES[which]
    for path in files(store_of(bb, m), suffix):
        how(path)


def expect_right(bb, m, tmp_path, name):
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / name))
    # Never other bytes; at worst an error for one whose size was garbage, and then the right ones.
    assert same_trees(want, m / W) == ""
    await_true(lambda: subprocess.run(["diff", "-r", "--no-dereference", want, m / W], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL).returncode == 0, "all of it can be read")


@pytest.mark.parametrize("which", DAMAGES)
def test_under_a_running_mount(bb, mounts, tmp_path, which):
    m = mounts()
    m.ls(W)
    damage(bb, m, which)
    expect_right(bb, m, tmp_path, "want")
    if which != "no index":  # what is gone whole is not seen while its last handle is open
        line = [x for x in m.errors().splitlines() if "damaged" in x]
        assert len(line) == 1, m.errors()
        assert "\tEIO\t" in line[0] and ".git/objects/pack/" in line[0] and "server" not in m.errors()
    m.unmount()
    again = mounts()
    expect_right(bb, again, tmp_path, "again")
    mark = bb.log.mark()
    again.unmount()
    third = mounts()
    expect_right(bb, third, tmp_path, "third")
    assert asked(bb, mark, r"\.git/git-upload-pack") == [], "it healed for good"


@pytest.mark.parametrize("which", DAMAGES)
def test_before_the_next_mount(bb, mounts, tmp_path, which):
    first = mounts()
    first.ls(W)
    first.unmount()
    damage(bb, first, which)
    expect_right(bb, mounts(), tmp_path, "want")


def test_now_heals_too(bb, mounts, tmp_path):
    m = mounts()
    m.ls(W)
    damage(bb, m, "half a pack")
    m.refresh(W)
    expect_right(bb, m, tmp_path, "want")


def test_what_is_sound_is_read_without_a_network(bb, mounts):
    """Another repository's, and what another pack of the same one has; the damaged one says so."""
    m = mounts()
    m.ls(W), m.ls("acme/billing/tree")
    m.ls(f"{W}/src")    # with it come the trees that the first look left for later
    damage(bb, m, "half a pack")
    bb.offline()
    assert m.ls("acme/billing/tree")
    subprocess.run(["grep", "-r", "anything", f"{m.path}/{W}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert "damaged" in m.errors()
    bb.online()


# ---- downloads and logs ----

D = "acme/widgets/downloads"
P = "acme/widgets/pipelines"


def kept_files(m, growing=False):
    """Those of downloads and logs in the cache."""
    return [os.path.join(p, f) for p, _, names in os.walk(m.cache) if os.path.basename(p) == "spool" for f in names
            if f.startswith(".tmp-") == growing]


def anew(m, name):
    """Its bytes without what the kernel has of them."""
    with open(m / name, "rb", buffering=0) as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return f.read()


def overwrite(path, offset, n=100):
    before = os.stat(path).st_mtime_ns
    while os.stat(path).st_mtime_ns == before:
        with open(path, "r+b") as f:
            f.seek(offset)
            f.write(os.urandom(n))


def damaged_lines(m):
    return [x for x in m.errors().splitlines() if "damaged" in x]


def test_a_download_heals(bb, mounts):
    content = os.urandom(3 * MIB + 12345)
    bb.add_download("acme", "widgets", "big", content)
    m = mounts()
    m.ls(D)
    assert anew(m, f"{D}/big") == content
    path, = kept_files(m)
    overwrite(path, MIB + 777)
    mark = bb.log.mark()
    assert anew(m, f"{D}/big") == content
    ranges = [e["range"] for e in bb.log.since(mark, r"GET /downloads/") if e["listener"] == "storage"]
    assert ranges == [f"bytes={MIB}-{2 * MIB - 1}"], "what is damaged, and no more"
    line, = damaged_lines(m)
    assert "\tEIO\t" in line and path in line
    mark = bb.log.mark()
    assert anew(m, f"{D}/big") == content and asked(bb, mark, "/downloads/") == []
    m.unmount()

    overwrite(path, 3 * MIB + 12000)
    m = mounts()
    assert anew(m, f"{D}/big") == content
    assert len(damaged_lines(m)) == 1
    m.unmount()

    overwrite(path, 100)
    bb.offline()
    m = mounts()
    with open(m / f"{D}/big", "rb", buffering=0) as f:
        with pytest.raises(OSError):
            f.read(4096)
        assert os.pread(f.fileno(), 4096, 2 * MIB) == content[2 * MIB:2 * MIB + 4096], "what is sound is read"
    bb.online()
    await_true(lambda: reads(m, f"{D}/big", content), "it is fetched again")
    m.unmount()

    # What says how large it is.
    overwrite(path, os.path.getsize(path) - 400)
    m = mounts()
    assert anew(m, f"{D}/big") == content
    assert len(damaged_lines(m)) == 1


def reads(m, name, content):
    try:
        return anew(m, name) == content
    except OSError:
        return False


def test_the_log_of_a_step_heals(bb, mounts):
    m = mounts()
    place = next(f"{P}/3/steps/{n}" for n in m.ls(f"{P}/3/steps") if n.startswith("1-"))
    content = anew(m, f"{place}/log")
    path, = kept_files(m)
    overwrite(path, len(content) // 2, 10)
    assert anew(m, f"{place}/log") == content
    assert len(damaged_lines(m)) == 1
    m.unmount()
    overwrite(path, 0, 10)
    m = mounts()
    assert anew(m, f"{place}/log") == content
    assert len(damaged_lines(m)) == 1


def test_the_log_of_a_step_that_runs_heals(bb, mounts):
    number = bb.create_pipeline("acme", "widgets", ["Build"])
    bb.append_log("acme", "widgets", number, "Build", "+ make\n")
    m = mounts()
    place = next(f"{P}/{number}/steps/{n}" for n in m.ls(f"{P}/{number}/steps") if n.startswith("1-"))
    assert anew(m, f"{place}/log") == b"+ make\n"
    path, = kept_files(m, growing=True)
    overwrite(path, 1, 3)
    await_true(lambda: reads(m, f"{place}/log", b"+ make\n"), "it is fetched again")
    assert len(damaged_lines(m)) == 1
    bb.append_log("acme", "widgets", number, "Build", "the end\n")
    bb.finish_step("acme", "widgets", number, "Build")
    await_true(lambda: reads(m, f"{place}/log", b"+ make\nthe end\n"), "the end of it", 40)
    assert len(damaged_lines(m)) == 1


# ---- documents ----

R = "acme/widgets"
DOCUMENTS = {
    "the account's list": ("key = 'workspaces'", lambda m: m.ls("")),
    "a workspace's list": ("key LIKE 'repositories/%'", lambda m: m.ls("acme")),
    "an object": ("key LIKE 'repo/%' AND key NOT LIKE 'repo/%/%' AND key NOT LIKE '%#%'", lambda m: m.read(f"{R}/info")),
    "an item": ("key LIKE 'repo/%/pullrequests/@%'", lambda m: m.read(f"{R}/pullrequests/7/info")),
    "the names of a collection": ("key LIKE 'repo/%/pullrequests'", lambda m: m.ls(f"{R}/pullrequests")),
    "an index": ("key LIKE 'repo/%/pullrequests#index.tsv'", lambda m: m.read(f"{R}/pullrequests/index.tsv")),
    "the index of repositories": ("key LIKE 'about/%/repositories#index.tsv'", lambda m: m.read("acme/.workspace/repositories/index.tsv")),
}


def garbage(m, where):
    """Makes other bytes of these documents, as many as before; how many documents."""
    path, = [os.path.join(p, "cache.db") for p, _, names in os.walk(m.cache) if "cache.db" in names]
    with sqlite3.connect(path) as db:
        n = db.execute(f"UPDATE body SET bytes = zeroblob(length(bytes)) WHERE length(bytes) > 0 AND id IN"
                       f" (SELECT body_id FROM doc WHERE {where})").rowcount
    db.close()
    return n


@pytest.mark.parametrize("which", DOCUMENTS)
def test_a_document_heals(bb, mounts, which):
    where, look = DOCUMENTS[which]
    m = mounts()
    want = look(m)
    m.unmount()
    assert garbage(m, where) > 0
    m = mounts()
    assert look(m) == want
    assert damaged_lines(m)
    n = len(damaged_lines(m))
    assert look(m) == want and len(damaged_lines(m)) == n, "once"
    m.unmount()
    bb.offline()
    m = mounts()
    assert look(m) == want, "it is there again"


@pytest.mark.parametrize("which", DOCUMENTS)
def test_a_document_heals_under_a_running_mount(bb, mounts, which):
    where, look = DOCUMENTS[which]
    m = mounts()
    want = look(m)
    assert garbage(m, where) > 0
    m.refresh("")
    await_true(lambda: looks_like(m, look, want), "it is fetched again")


def looks_like(m, look, want):
    try:
        return look(m) == want
    except OSError:
        return False


def test_a_damaged_document_without_a_network_is_an_error(bb, mounts):
    m = mounts()
    m.read(f"{R}/pullrequests/7/info"), m.read(f"{R}/pullrequests/index.tsv")
    m.unmount()
    garbage(m, DOCUMENTS["an item"][0])
    bb.offline()
    m = mounts()
    with pytest.raises(OSError):
        m.read(f"{R}/pullrequests/7/info")
    assert "nothing of it is cached yet" in m.errors() and damaged_lines(m)
    assert m.read(f"{R}/pullrequests/index.tsv").count("\n") > 1
