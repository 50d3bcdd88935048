"""A cache, a lock, a key or a configuration that somebody else could have put there is refused in one sentence, as ssh does."""
import os
import subprocess

import pytest

from background import NOBODY, as_user
from conftest import asked, mounted
from readers import seconds

ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="NOT TESTED: files of two users need root")


@pytest.fixture
def used(mounts):
    """A cache that was used, and is at rest: (its host's directory, the account's)."""
    m = mounts()
    m.read("acme/widgets/tree/README.md")
    account = m.status()["cache"]["directory"]
    m.unmount()
    return os.path.dirname(account), account


def refused(mounts, *said):
    where = mounts.place / "place"
    where.mkdir(exist_ok=True)
    mark = mounts.bb.log.mark()
    done, took = seconds(mounts.run, str(where))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    for words in said:
        assert words in done.stderr, done.stderr
    assert not mounted(str(where)) and asked(mounts.bb, mark) == [] and took < 5
    return done.stderr


def replace(path, how, *args):
    subprocess.run(["rm", "-rf", path], check=True)
    how(*args, path)


FIRST = {
    "the host's directory, written by all": (0, lambda d: os.chmod(d, 0o777), "can be written by others"),
    "the account's, written by all": (1, lambda d: os.chmod(d, 0o777), "can be written by others"),
    "a FIFO as the key": (0, lambda d: replace(d + "/accounts.key", os.mkfifo), "accounts.key is a FIFO"),
    "a FIFO as the map": (0, lambda d: replace(d + "/accounts", os.mkfifo), "accounts is a FIFO"),
    "a symlink as the lock": (0, lambda d: replace(d + "/accounts.lock", os.symlink, d + "/../planted"), "accounts.lock is a symlink"),
    "a database written by all": (1, lambda d: os.chmod(d + "/cache.db", 0o666), "cache.db can be written by others"),
    "a symlink as the database": (1, lambda d: replace(d + "/cache.db", os.symlink, "/etc/passwd"), "cache.db is a symlink"),
    "a FIFO as the database's lock": (1, lambda d: replace(d + "/cache.lock", os.mkfifo), "cache.lock is a FIFO"),
}


@pytest.mark.parametrize("which, how, said", FIRST.values(), ids=FIRST)
def test_what_was_planted_in_a_cache_is_refused(mounts, used, which, how, said):
    how(used[which])
    refused(mounts, "the cache cannot be trusted: ", used[which], said)
    assert not os.path.exists(used[0] + "/../planted"), "nothing was made elsewhere"


@needs_root
@pytest.mark.parametrize("which, name", [(0, ""), (1, ""), (0, "accounts.key"), (1, "cache.db"), (1, "git")])
def test_what_belongs_to_another_user_is_refused(mounts, used, which, name):
    path = os.path.join(used[which], name).rstrip("/")
    if not os.path.exists(path):
        path = os.path.join(used[which], sorted(os.listdir(used[which]))[-1])
    os.chown(path, NOBODY, NOBODY)
    refused(mounts, f"{path} belongs to another user (uid {NOBODY})")


@needs_root
def test_a_cache_that_another_user_made_first_is_refused_also_to_root(mounts):
    os.mkdir(mounts.place / "cache", 0o755)
    os.chown(mounts.place / "cache", NOBODY, NOBODY)
    refused(mounts, f"{mounts.place}/cache belongs to another user")
    assert os.listdir(mounts.place / "cache") == []


@needs_root
def test_a_way_on_which_another_user_can_exchange_it_is_refused(mounts):
    os.mkdir(mounts.place / "theirs", 0o755)
    os.mkdir(mounts.place / "theirs/cache", 0o700)
    os.chown(mounts.place / "theirs", NOBODY, NOBODY)
    os.symlink(mounts.place / "theirs/cache", mounts.place / "cache")
    refused(mounts, f"{mounts.place}/theirs belongs to another user")


def test_a_parent_that_all_may_write_to_is_refused_unless_it_is_sticky(mounts):
    os.mkdir(mounts.place / "cache")
    where = mounts.place / "cache/below"
    os.chmod(mounts.place / "cache", 0o777)
    os.symlink(where, mounts.place / "other")
    m = None
    e = {"BITBUCKETFS_CACHE_DIR": str(where)}
    os.mkdir(mounts.place / "mnt")
    done = mounts.run(str(mounts.place / "mnt"), **e)
    assert done.returncode == 1 and f"{mounts.place}/cache can be written by others" in done.stderr, done
    os.chmod(mounts.place / "cache", 0o1777)
    m = mounts(**e)
    assert m.read("acme/widgets/tree/README.md")


def test_a_cache_behind_one_s_own_symlink_is_taken(mounts):
    os.mkdir(mounts.place / "elsewhere", 0o755)
    os.symlink(mounts.place / "elsewhere", mounts.place / "cache")
    assert mounts().read("acme/widgets/tree/README.md")
    assert os.listdir(mounts.place / "elsewhere")


def configure(mounts, mode):
    directory = mounts.place / "xdg-config/bitbucketfs"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config").write_text("trees = 7\n")
    (directory / "config").chmod(mode)
    return directory / "config"


def test_a_configuration_that_all_may_write_to_is_refused(mounts):
    path = configure(mounts, 0o666)
    done = mounts.run(str(mounts.place / "xdg-run"))
    assert done.returncode == 2 and f"{path} can be written by others: run chmod go-w '{path}'" in done.stderr, done


def test_a_configuration_that_is_a_fifo_is_refused_without_a_wait(mounts):
    path = configure(mounts, 0o600)
    replace(path, os.mkfifo)
    done, took = seconds(mounts.run, str(mounts.place / "xdg-run"))
    assert done.returncode == 2 and f"{path} is no regular file" in done.stderr and took < 5, done


def test_an_ordinary_user_with_a_cache_that_is_another_s(as_nobody):
    background, where = as_nobody
    if not ROOT:
        pytest.skip("NOT TESTED: files of two users need root")
    os.mkdir(background.mounts.place / "cache", 0o755)
    done = background(where=where, run_as=NOBODY)
    assert done.returncode == 1 and "cache belongs to another user (uid 0)" in done.stderr, done
    os.rmdir(background.mounts.place / "cache")
    assert background(where=where, run_as=NOBODY).returncode == 0
    assert as_user("ls", where).returncode == 0
