"""Fixtures over harness.py: a test asks for `bb` (a fresh local Bitbucket over data built once), `mounts` (a function that
mounts it) or `m` (one mount). What a test leaves mounted is taken down, and a sanitizer's report, a crash or a suspicious
log line in any daemon fails it.
"""
import mmap
import os
import shutil
import signal
import subprocess

import pytest

from background import as_nobody, background  # noqa: F401
from harness import (BINARY, DATA, FILTERED, GIT, GIT_OPTIONS, LARGE, PATIENCE, REPORT, SANITIZED, TOP,  # noqa: F401
                     Bitbucket, Mount, Mounts, await_true, checkout, mounted, preloaded, same_trees)


def pytest_configure(config):
    config.addinivalue_line("markers", "concurrent: many readers at once; also run under ThreadSanitizer")
    config.addinivalue_line("markers", "plain_git: of git's server as it comes (the numbers of its requests), or long; not run "
                            "against another one (BITBUCKETFS_TEST_GIT)")


def pytest_collection_modifyitems(config, items):
    if GIT:
        left_out = [item for item in items if item.get_closest_marker("plain_git")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionstart(session):
    # The service lives in this process: the end of one of its children (git) would interrupt a cold read of the mount here,
    # which Python repeats, and a request would be counted twice.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    # A shell without job control starts what is in its background with SIGINT ignored, and no child would hear of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not os.path.exists("/dev/fuse"):
        pytest.exit("/dev/fuse is missing: no mount can be tested here (modprobe fuse)", 1)
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is missing: build it or name it in BITBUCKETFS", 1)


@pytest.fixture
def bb():
    with Bitbucket(DATA, data="tests", **GIT_OPTIONS) as service:
        yield service


@pytest.fixture
def mounts(bb, tmp_path):
    made = Mounts(bb, tmp_path)
    yield made
    bb.faults.clear()
    made.take_down()
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def m(mounts):
    """One mount, as it comes."""
    return mounts()


@pytest.fixture(scope="module")
def shared_bb():
    """A service that the tests of a module share: none of them changes it."""
    with Bitbucket(DATA, data="tests", **GIT_OPTIONS) as service:
        yield service


@pytest.fixture(scope="module")
def shared_mounts(shared_bb, tmp_path_factory):
    place = tmp_path_factory.mktemp("shared")
    made = Mounts(shared_bb, place)
    yield made
    shared_bb.faults.clear()
    made.take_down()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def shared(shared_mounts):
    """A mount of it, under which the tests only look."""
    return shared_mounts()


# What a repository has (src/table/repository.c), but for issues/, which few have.
REPOSITORY = {"repository.json", "info", "description", "tree", "branches", "tags", "commits", "pullrequests", "pipelines",
              "deployments", "environments", "downloads", "network", "settings"}


def clock_ahead(place, source, n_words):
    """The environment of a daemon whose clocks are those of a library made of source, and the words that both see."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("NOT TESTED: there is no C compiler")
    (place / "shim.c").write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", place / "shim.so", place / "shim.c", "-ldl"], check=True)
    (place / "ahead").write_bytes(bytes(8 * n_words))
    with open(place / "ahead", "r+b") as f:
        words = mmap.mmap(f.fileno(), 8 * n_words)
    return {"LD_PRELOAD": preloaded(place / "shim.so"), "CLOCK_AHEAD": str(place / "ahead")}, words


def asked(bb, mark=0, match=None):
    """The requests since a mark, as "METHOD path" lines: what a failed count shows."""
    return [f"{e['method']} {e['path']}" for e in bb.log.since(mark, match)]


def api(bb, mark=0):
    """The requests to the API since a mark, but for the check of the credentials behind a mount."""
    return [line for line in asked(bb, mark, r" /2\.0/") if line != "GET /2.0/user"]


def git(bb, mark=0):
    """The requests to git since a mark."""
    return asked(bb, mark, r"\.git/")
