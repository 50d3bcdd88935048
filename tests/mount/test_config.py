"""Configuration: three places, their precedence, and what is refused."""
import os
import stat
import subprocess

import pytest

from conftest import BINARY, asked, mounted

TOKEN = "ATATT3xLocalAdaEverything0001"


@pytest.fixture
def place(tmp_path):
    where = tmp_path / "place"
    where.mkdir()
    yield str(where)
    if mounted(str(where)):             # a mount that should have failed
        subprocess.run([BINARY, "umount", where], check=True)


def configure(mounts, text, mode=0o600):
    """Writes the configuration file; its path."""
    directory = mounts.place / "xdg-config" / "bitbucketfs"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "config"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def usage(mounts, *arguments, **more):
    """The one sentence with which it was refused: exit 2."""
    done = mounts.run(*arguments, **more)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("bitbucketfs: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr[len("bitbucketfs: "):-1]


# -- the three places

def test_the_file_alone(bb, mounts):
    configure(mounts, f"# mine\nemail = ada@example.com\ntoken = {TOKEN}\napi_url = {bb.api_url}\ngit_url={bb.git_url}\n"
                      f"cache_dir = {mounts.place}/of-the-file\nworkspaces = opensource acme\nttl = 5m\ntrees = 7\n")
    m = mounts(account=None, BITBUCKETFS_API_URL="", BITBUCKETFS_GIT_URL="", BITBUCKETFS_CACHE_DIR="")
    assert mounted(m.path)[1] == "bitbucket:ada@example.com"
    assert {"acme", "opensource"} <= set(m.ls())
    assert m.status()["cache"]["directory"].startswith(f"{mounts.place}/of-the-file/")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")


def test_the_environment_is_stronger_than_the_file(bb, mounts):
    configure(mounts, "email = ben@example.com\ntoken = wrong\napi_url = http://127.0.0.1:1/2.0\n"
                      f"cache_dir = {mounts.place}/of-the-file\n")
    m = mounts()
    assert mounted(m.path)[1] == "bitbucket:ada@example.com"
    assert {e["account"] for e in bb.log.all()} == {"ada"}
    assert m.status()["cache"]["directory"].startswith(m.cache + "/")
    assert not os.path.exists(mounts.place / "of-the-file")


def test_an_option_is_stronger_than_the_environment(bb, mounts):
    configure(mounts, "workspaces = acme\n")
    m = mounts(f"api_url={bb.api_url},git_url={bb.git_url}", f"cache_dir={mounts.place}/of-the-option,workspaces=opensource",
               account=None, BITBUCKETFS_API_URL="http://127.0.0.1:1/2.0", BITBUCKETFS_GIT_URL="http://127.0.0.1:1")
    assert m.ls() == [".bitbucketfs", "opensource"]
    assert m.status()["cache"]["directory"].startswith(f"{mounts.place}/of-the-option/")
    assert m.read("opensource/libtiny/tree/README.md").startswith("# libtiny\n")
    assert not os.path.exists(m.cache)


def test_of_one_option_twice_the_last_counts(mounts):
    m = mounts("workspaces=acme", "workspaces=opensource", account=None)
    assert m.ls() == [".bitbucketfs", "opensource"]


def test_a_user_name_in_the_environment_hides_the_file_s_e_mail(bb, mounts):
    configure(mounts, "email = ben@example.com\ntoken = other\n")
    m = mounts(account="pair")
    assert mounted(m.path)[1] == "bitbucket:ada-lindqvist" and {e["account"] for e in bb.log.all()} == {"pair"}


def test_the_file_of_others_may_be_read_when_it_has_no_secret(bb, mounts):
    configure(mounts, "workspaces = opensource\n", 0o644)
    assert "opensource" in mounts().ls()


# -- what is refused

def test_a_file_with_a_token_that_others_can_read(bb, mounts, place):
    for mode in (0o640, 0o604, 0o644, 0o660, 0o620):
        path = configure(mounts, f"email = ada@example.com\ntoken = {TOKEN}\n", mode)
        assert usage(mounts, place, account=None) == \
            f"{path} has a secret in it and others may read it: run chmod 600 '{path}'"
    assert asked(bb) == [] and not mounted(place)


@pytest.mark.parametrize("option", ["token=ATATT3xSecret", "password=ATATT3xSecret", "app_password=ATATT3xSecret",
                                    "api_token=ATATT3xSecret", "ro,access_token=ATATT3xSecret", "TOKEN=ATATT3xSecret"])
def test_a_secret_in_an_option(bb, mounts, place, option):
    said = usage(mounts, "-o", option, place)
    assert "can be seen by everybody" in said and "BITBUCKETFS_TOKEN" in said and "ATATT3xSecret" not in said
    assert asked(bb) == []


@pytest.mark.parametrize("option, word", [
    ("ttl=soon", "ttl"), ("ttl=0", "ttl"), ("ttl=-1", "ttl"), ("ttl=", "ttl"), ("ttl", "ttl"), ("ttl=99999999999999999999", "ttl"),
    ("trees=0", "trees"), ("trees=many", "trees"), ("trees=-1", "trees"), ("history=0", "history"), ("history=all", "history"),
    ("walk=0", "walk"), ("walk=few", "walk"), ("walk=-1", "walk"), ("walk=99999999", "walk"), ("workspaces=", "workspaces"),
    ("workspaces=Acme", "Acme"), ("workspaces=a/b", "a/b"), ("workspaces=..", ".."), ("api_url=ftp://x/2.0", "api_url"),
    ("api_url=localhost", "api_url"), ("api_url=https://", "api_url"), ("api_url=https://x:99999/2.0", "api_url"),
    ("api_url=https://ada:ATATT3xSecret@x/2.0", "api_url"), ("git_url=https://x/?q", "git_url"), ("max_read=much", "max_read"),
    ("submodules=on", "submodules"), ("lfs=on", "lfs"), ("no_such=1", "no_such"), ("emial=ada@example.com", "did you mean email?"),
    ("proxy=http://me:ATATT3xSecret@proxy", "BITBUCKETFS_PROXY"), ("ca_file=/dev/null/x", "ca_file"),
])
def test_an_impossible_option(bb, mounts, place, option, word):
    said = usage(mounts, "-o", option, place)
    assert word in said and "ATATT3xSecret" not in said
    assert asked(bb) == [] and not mounted(place)


@pytest.mark.parametrize("name, value", [
    ("BITBUCKETFS_API_URL", "not a url"), ("BITBUCKETFS_GIT_URL", "file:///etc"), ("BITBUCKETFS_TOKEN", "two\nlines"),
    ("BITBUCKETFS_EMAIL", "ada:x@example.com"), ("BITBUCKETFS_TOKEN", ""),
])
def test_an_impossible_environment(bb, mounts, place, name, value):
    said = usage(mounts, place, **{name: value})
    assert TOKEN not in said and asked(bb) == [] and not mounted(place)


@pytest.mark.parametrize("text, word", [
    ("nothing", "key = value"), ("no_such = 1\n", "no_such"), ("ttl = 1m\nttl = 2m\n", "twice"), ("ttl = soon\n", "soon"),
    ("token = \"quoted\"\n", "quotes"), ("api_url = x\n", "api_url"), (TOKEN + "\n", "key = value"), ("a\0b = 1\n", "NUL"),
    ("# " + "x" * 70000, "bytes"),
], ids=lambda v: v[:20].replace("\0", "NUL"))
def test_an_impossible_file(bb, mounts, place, text, word):
    path = configure(mounts, text)
    said = usage(mounts, place)
    assert path in said and word in said and TOKEN not in said
    assert asked(bb) == []


def test_credentials_go_over_plain_http_to_this_machine_only(bb, mounts, place):
    for where in ("http://192.0.2.1/2.0", "http://bitbucket.example/2.0", "http://127.0.0.1.example/2.0"):
        said = usage(mounts, "-o", f"api_url={where}", place)
        assert "plain http" in said and "https" in said
    said = usage(mounts, "-o", "git_url=http://192.0.2.1", place)
    assert "git_url" in said and "plain http" in said
    assert asked(bb) == []


def test_a_host_of_one_s_own_means_its_git_too(bb, mounts, place):
    """Only the API is named: the credential must not go to bitbucket.org's git."""
    m = mounts(BITBUCKETFS_GIT_URL="")
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    assert [e for e in bb.log.all(r"acme/widgets\.git/git-upload-pack")]


# -- the user's directories

def every(place):
    found = {}
    for where, folders, names in os.walk(place):
        for name in folders + names:
            path = os.path.join(where, name)
            st = os.lstat(path)
            found[os.path.relpath(path, place)] = st
    return found


def test_nothing_is_written_outside_the_xdg_directories(bb, mounts):
    """The home is as it was; the cache is in the cache's place, and nobody else may look into it."""
    configure(mounts, "ttl = 1m\n")
    m = mounts(BITBUCKETFS_CACHE_DIR="")
    m.cache = str(mounts.place / "xdg-cache")
    assert m.ls("acme/widgets/tree") and m.read("acme/widgets/info")
    m.unmount()
    found = every(mounts.place)
    tops = {name.split("/")[0] for name in found} - {"mnt0"}
    assert tops <= {"home", "xdg-run", "xdg-cache", "xdg-config"}, tops
    assert every(mounts.place / "home") == {}
    assert sorted(every(mounts.place / "xdg-config")) == ["bitbucketfs", "bitbucketfs/config"]
    assert os.listdir(mounts.place / "xdg-cache") == ["bitbucketfs"]
    for name, st in every(mounts.place / "xdg-cache").items():
        if not stat.S_ISLNK(st.st_mode):
            assert not st.st_mode & 0o077 or name == "", f"{name}: {stat.filemode(st.st_mode)}"


def test_without_xdg_variables_the_defaults_are_in_the_home(bb, mounts):
    e = dict(XDG_CACHE_HOME="", XDG_CONFIG_HOME="", XDG_STATE_HOME="", XDG_RUNTIME_DIR="", BITBUCKETFS_CACHE_DIR="")
    home = mounts.place / "home"
    home.mkdir()
    (home / ".config" / "bitbucketfs").mkdir(parents=True)
    (home / ".config" / "bitbucketfs" / "config").write_text("workspaces = opensource\n")
    m = mounts(**e)
    assert "opensource" in m.ls()
    m.unmount()
    assert sorted(os.listdir(home)) == [".cache", ".config", ".local"]
    # Where the socket of the mount was, for there is no XDG_RUNTIME_DIR.
    assert [str(p.relative_to(home)) for p in home.glob(".local/**/*")] == [
        ".local/state", ".local/state/bitbucketfs", ".local/state/bitbucketfs/control"]
    assert os.listdir(home / ".cache") == ["bitbucketfs"]
    assert os.stat(home / ".cache" / "bitbucketfs").st_mode & 0o777 == 0o700
