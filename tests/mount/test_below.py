"""What the daemon itself needs and that lies below its mount point, by whatever name, is refused: it would wait for itself for
ever, and no signal ends that."""
import os
import subprocess

import pytest

from conftest import asked, mounted
from readers import seconds


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    return str(tmp_path / "place")


def refused(bb, mounts, where, words, **environment):
    done, took = seconds(lambda: mounts.run(where, **environment))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    assert words in done.stderr and "lies below the mount point" in done.stderr, done.stderr
    assert (mounted(where) or [""])[0] != "fuse.bitbucketfs" and asked(bb) == [] and os.listdir(where) == [] and took < 5


CACHES = {
    "itself": lambda place: place,
    "below": lambda place: place + "/cache",
    "deep-below": lambda place: place + "/a/b/c",
    "through-it": lambda place: place + "/../elsewhere",
    "dots": lambda place: os.path.dirname(place) + "/./place/../place/cache",
}


@pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES)
def test_a_cache_below_the_mount_point(bb, mounts, place, cache):
    refused(bb, mounts, place, "the cache directory", BITBUCKETFS_CACHE_DIR=cache(place))


def test_through_symlinks(bb, mounts, place, tmp_path):
    os.symlink(place, tmp_path / "one")
    os.symlink("one/../one", tmp_path / "two")
    for link in ("one", "two"):
        refused(bb, mounts, place, "the cache directory", BITBUCKETFS_CACHE_DIR=str(tmp_path / link / "cache"))
    os.symlink(tmp_path / "place/inside", tmp_path / "dangling")
    refused(bb, mounts, place, "the cache directory", BITBUCKETFS_CACHE_DIR=str(tmp_path / "dangling"))
    # The mount point by another name.
    done = mounts.run(str(tmp_path / "two"), BITBUCKETFS_CACHE_DIR=place + "/cache")
    assert done.returncode == 1 and "lies below the mount point" in done.stderr, done


@pytest.mark.parametrize("at_the_other", [False, True], ids=["cache", "mount-point"])
def test_through_a_bind_mount(bb, mounts, place, tmp_path, at_the_other):
    """What is mounted at the one shows under the other, too, where mounts propagate."""
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: a bind mount needs root")
    (tmp_path / "bound").mkdir()
    bound = str(tmp_path / "bound")
    subprocess.run(["mount", "--bind", place, bound], check=True)
    try:
        where, cache = (bound, place) if at_the_other else (place, bound)
        refused(bb, mounts, where, "the cache directory", BITBUCKETFS_CACHE_DIR=cache + "/cache")
    finally:
        subprocess.run(["umount", bound], check=True)


def test_the_home_the_configuration_and_the_temporary_files(bb, mounts, place):
    default = {"BITBUCKETFS_CACHE_DIR": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    refused(bb, mounts, place, "the cache directory", HOME=place, **default)
    refused(bb, mounts, place, "the home directory", HOME=place)
    refused(bb, mounts, place, "the home directory", HOME=place + "/x/y")
    refused(bb, mounts, place, "the configuration file", XDG_CONFIG_HOME=place + "/config")
    refused(bb, mounts, place, "the directory of the mounts' sockets", XDG_RUNTIME_DIR=place + "/run")
    refused(bb, mounts, place, "the directory for temporary files", TMPDIR=place)


def test_what_lies_beside_or_above_is_taken(mounts, place, tmp_path):
    m = mounts(where=place, BITBUCKETFS_CACHE_DIR=str(tmp_path / "place-cache"), HOME=str(tmp_path), TMPDIR=str(tmp_path))
    assert m.read("acme/widgets/tree/README.md")


def test_an_agent_below_the_mount_point(bb, mounts, place):
    """It is looked for at each connection of SSH, by whom a look into the mount waits for."""
    refused(bb, mounts, place, "the agent's socket", BITBUCKETFS_TRANSPORT="ssh", SSH_AUTH_SOCK=place + "/agent")
