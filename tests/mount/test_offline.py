"""Without a network: what is cached stays readable, what is not says so, and nothing that was there is lost."""
import errno
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import SANITIZED, asked, await_true, checkout, same_trees
from readers import seconds

SLOWER = 5 if SANITIZED else 1
NO_NETWORK = (errno.ENETUNREACH, errno.ETIMEDOUT)
ROOT = [".bitbucketfs", "acme", "ada-lindqvist", "edge", "monolith-labs"]


def unreachable(call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno in NO_NETWORK, e.value


def works(call, *args):
    try:
        return call(*args)
    except OSError:
        return None


def snapshot(m, top):
    """Every file below, with its content."""
    found = {}
    for where, folders, names in os.walk(m / top):
        for name in names:
            path = os.path.join(where, name)
            if os.path.islink(path):
                found[os.path.relpath(path, m.path)] = os.readlink(path)
            else:
                with open(path, "rb") as f:
                    found[os.path.relpath(path, m.path)] = f.read()
    return found


@pytest.fixture
def filled(bb, mounts):
    """A mount that has seen the workspace, and two trees of it; what it saw."""
    m = mounts()
    for name in ("widgets", "website"):
        m.ls(f"acme/{name}/tree")
    seen = {}
    for name in m.ls("acme"):
        for file in ("info", "description", "repository.json"):
            with open(m / f"acme/{name}/{file}", "rb") as f:
                seen[f"acme/{name}/{file}"] = f.read()
    for name in ("widgets", "website"):
        seen.update(snapshot(m, f"acme/{name}/tree"))
    m.ls(), m.read(".bitbucketfs/user.json")
    return m, seen


def same(m, seen):
    for path, content in seen.items():
        if isinstance(content, str):
            assert os.readlink(m / path) == content, path
        else:
            with open(m / path, "rb") as f:
                assert f.read() == content, path


def test_what_is_cached_is_readable_byte_for_byte(bb, filled):
    m, seen = filled
    bb.offline()
    same(m, seen)
    assert m.ls() == ROOT
    for look, path in ((m.ls, "monolith-labs"), (m.ls, "acme/infra/tree"), (lambda p: os.stat(m / p), "edge/hard")):
        unreachable(look, path)
        line = m.told(path)
        assert any(code in line for code in ("ENETUNREACH", "ETIMEDOUT")), line
        assert path != "monolith-labs" or "nothing of it is cached yet" in line
    assert m.status()["network"]["offline"] is True and "network: " in m.read(".bitbucketfs/status")


def test_a_mount_without_a_network_serves_the_cache(bb, mounts, filled, tmp_path):
    m, seen = filled
    m.unmount()
    bb.offline()
    began = time.monotonic()
    again = mounts(wait=False)
    await_true(lambda: os.listdir(again.path), "the first ls")
    names = sorted(os.listdir(again.path))
    listed = again.ls("acme")
    took = time.monotonic() - began
    print(f"from the start of the program to the first ls of a cached workspace: {took * 1000:.0f} ms")
    assert names == ROOT and len(listed) == 7
    assert took < 1 * SLOWER
    same(again, seen)
    unreachable(again.ls, "monolith-labs")
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "checkout"))
    assert same_trees(want, again / "acme/widgets/tree") == ""


def test_a_mount_in_the_background_without_a_network(bb, mounts, filled):
    m, _ = filled
    m.unmount()
    bb.offline()
    done = mounts.run(m.path)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        names, took = seconds(m.ls, "acme")
        print(f"first ls of a cached workspace: {took * 1000:.1f} ms")
        assert len(names) == 7 and took < 1 * SLOWER
    finally:
        subprocess.run([os.path.realpath(m.process.args[0]), "umount", m.path], check=True)


def test_back_online_everything_works_again(bb, filled):
    m, seen = filled
    bb.offline()
    unreachable(m.ls, "monolith-labs")
    unreachable(m.ls, "acme/infra/tree")
    bb.online()
    assert len(await_true(lambda: works(m.ls, "monolith-labs"), "the listing")) == 1000
    assert "README.md" in await_true(lambda: works(m.ls, "acme/infra/tree"), "the tree")
    oid = bb.push("acme", "widgets", {"README.md": "back again\n"})
    assert oid[:12] in m.refresh("acme/widgets")
    assert m.read("acme/widgets/tree/README.md") == "back again\n"
    assert m.status()["network"]["offline"] is False
    seen = {k: v for k, v in seen.items() if not k.startswith("acme/widgets/")}
    same(m, seen)


@pytest.mark.parametrize("how", ["offline", "500", "garbage", "truncate", "404", "401"])
def test_a_failed_refresh_never_destroys_what_is_there(bb, mounts, filled, how):
    m, seen = filled
    names = m.ls("acme")
    if how == "offline":
        bb.offline()
    elif how.isdigit():
        bb.fault(r"/repositories|\.git/|/workspaces", "status", status=int(how), body="{}")
    else:
        bb.fault(r"/repositories|\.git/|/workspaces", how)
    for path in ("acme", "acme/widgets", "acme/widgets/tree", "acme/website/tree", ""):
        with pytest.raises(OSError) as e:
            m.refresh(path)
        assert e.value.errno, path
    same(m, seen)
    assert m.ls("acme") == names and m.ls() == ROOT
    assert m.errors() or how == "404"
    m.unmount()
    again = mounts()
    same(again, seen)


def test_a_tree_s_ref_that_cannot_be_asked_for_is_no_empty_tree(bb, mounts):
    """-o ttl=1: the ref is due again and again, and answers with failures all the while."""
    m = mounts("ttl=1s")
    before = snapshot(m, "acme/widgets/tree")
    fault = bb.fault(r"widgets\.git/", "status", status=500)
    await_true(lambda: m.read("acme/widgets/tree/README.md") and fault.hits >= 1, "the ref asked for in vain")
    assert snapshot(m, "acme/widgets/tree") == before
    await_true(lambda: "acme/widgets/tree" in m.errors(), "a line in errors")
    fault.remove()
    bb.push("acme", "widgets", {"README.md": "new\n"})
    await_true(lambda: m.read("acme/widgets/tree/README.md") == "new\n", "the push, seen within ttl")


def test_a_cut_off_tree_is_not_half_visible_and_comes_anew(bb, mounts):
    m = mounts()
    os.stat(m / "acme/widgets")
    fault = bb.fault(r"widgets\.git/git-upload-pack$", "truncate", after_bytes=400)
    with pytest.raises(OSError):
        m.ls("acme/widgets/tree")
    bb.offline()
    assert works(m.ls, "acme/widgets/tree") is None
    fault.remove()
    bb.online()
    await_true(lambda: works(m.ls, "acme/widgets/tree"), "the whole tree")
    assert len(snapshot(m, "acme/widgets/tree")) > 10


def test_killed_and_mounted_again_without_a_network(bb, mounts, filled):
    m, seen = filled
    m.kill()
    bb.offline()
    again = mounts(where=m.path)
    same(again, seen)
    again.unmount()


def test_an_idle_mount_sends_nothing_and_a_warm_one_neither(bb, filled):
    m, seen = filled
    mark = bb.log.mark()
    same(m, seen)
    same(m, seen)
    assert asked(bb, mark) == []


def test_a_unit_of_time_is_understood(bb, mounts):
    """ttl=1h: a push is not seen by itself within the test, but at once when asked for."""
    m = mounts("ttl=1h")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets")
    bb.push("acme", "widgets", {"README.md": "pushed\n"})
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets")
    assert re.search(r"tree: [0-9a-f]{12} -> [0-9a-f]{12}", m.refresh("acme/widgets/tree"))
    assert m.read("acme/widgets/tree/README.md") == "pushed\n"
    m.unmount(signal.SIGINT)
