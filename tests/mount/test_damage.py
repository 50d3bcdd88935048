"""What is damaged in the cache's files, under a running mount and before the next one: whoever reads gets the right bytes."""
import os
import subprocess

import pytest

from conftest import asked, await_true, checkout, same_trees

W = "acme/widgets/tree"


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
    damage(bb, m, "half a pack")
    bb.offline()
    assert m.ls("acme/billing/tree")
    subprocess.run(["grep", "-r", "anything", f"{m.path}/{W}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert "damaged" in m.errors()
    bb.online()
