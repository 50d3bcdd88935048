"""Caches that older versions left: what they have is shown without a network, and goes on being used with one. They were made
by tests/corpora/caches/make.
"""
import importlib.machinery
import importlib.util
import json
import pathlib
import tarfile
import urllib.parse

import pytest

from harness import TOP, await_true

CACHES = pathlib.Path(TOP, "tests/corpora/caches")


def load_make():
    loader = importlib.machinery.SourceFileLoader("make_cache", str(CACHES / "make"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_cache", loader))
    loader.exec_module(module)
    return module


make = load_make()
looks = make.looks


def unpack(archive, bb, cache):
    """The old cache as this service's; what the old version showed."""
    url = urllib.parse.urlsplit(bb.api_url)
    cache.mkdir(mode=0o700)
    with tarfile.open(archive) as tar:
        for member in tar:
            member.uid = member.gid = -1
            tar.extract(member, cache, set_attrs=True)
    host = cache / f"{url.hostname}_{url.port}"
    (cache / "HOST").rename(host)
    shown = json.loads((host / "LOOKS.json").read_text())
    (host / "LOOKS.json").unlink()
    return shown


def test_there_is_one():
    assert list(CACHES.glob("*.tar.xz"))


@pytest.mark.parametrize("archive", sorted(CACHES.glob("*.tar.xz")), ids=lambda p: p.name.split(".")[0])
def test_an_old_cache_is_shown_and_used(bb, mounts, tmp_path, archive):
    shown = unpack(archive, bb, tmp_path / "cache")
    bb.offline()
    m = mounts()
    assert looks(m.path) == shown
    # By the rules of today, without a request.
    derived = {f: m.read(f) for f in make.DERIVED}
    m.unmount()

    bb.online()
    fresh = mounts(cache="fresh")
    looks(fresh.path)    # also at the trees, whose commits info then knows
    assert {f: fresh.read(f) for f in make.DERIVED} == derived
    fresh.unmount()

    m = mounts()
    bb.push("acme", "widgets", {"new.txt": b"new\n"})
    mark = bb.log.mark()
    m.ls("acme/widgets/tree")
    m.refresh("acme/widgets/tree")
    await_true(lambda: "new.txt" in m.ls("acme/widgets/tree"), "the push is shown")
    assert m.read("acme/widgets/tree/new.txt") == "new\n"
    assert looks(m.path)["exact"] == shown["exact"]
    # The old store is what the fetch begins from: blobs that are there do not come again.
    fetches = [e for e in bb.log.since(mark) if e["git"] and e["git"]["command"] == "fetch"]
    assert len(fetches) == 1 and fetches[0]["bytes"] < 2000, fetches
    # The log of a step that has ended is not asked for again.
    assert not bb.log.since(mark, match=r"/steps/.*/log")
