"""Profiles: sections of the configuration, each with a credential, a mount point and a cache of its own."""
import json
import os
import subprocess

import pytest

from conftest import BINARY, asked, mounted
from test_config import configure, usage


@pytest.fixture
def two(bb, mounts):
    """Two profiles of one account and one of another, and no general credential; where they are mounted."""
    ada, pair = bb.accounts["ada"], bb.accounts["pair"]
    configure(mounts, f"[profile work]\nemail = {ada.email}\ntoken = {ada.token}\nmountpoint = {mounts.place}/work\n"
                      f"[profile home]\nemail = {ada.email}\ntoken = {ada.token}\nmountpoint = ~/bitbucket\n"
                      f"[profile pair]\nusername = {pair.username}\ntoken = {pair.token}\n")
    yield str(mounts.place / "work"), str(mounts.place / "home" / "bitbucket")
    for where in (mounts.place / "work", mounts.place / "home" / "bitbucket"):
        if mounted(str(where)):
            subprocess.run([BINARY, "umount", str(where)], check=True)


def run(mounts, *words, **more):
    done = mounts.run(*words, account=None, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_each_has_its_mount_point_and_its_cache(bb, mounts, two):
    work, home = two
    run(mounts, "-o", "profile=work")
    run(mounts, BITBUCKETFS_PROFILE="home")
    assert mounted(work)[1] == mounted(home)[1] == "bitbucket:ada@example.com"
    status = {name: json.loads(open(f"{where}/.bitbucketfs/status.json").read()) for name, where in
              (("work", work), ("home", home))}
    for name, said in status.items():
        assert said["cache"]["directory"].startswith(f"{mounts.place}/cache/@{name}/"), said["cache"]
    mark = bb.log.mark()
    assert open(f"{work}/acme/widgets/info").read() == open(f"{home}/acme/widgets/info").read()
    asked_for = asked(bb, mark, r"/repositories/acme")
    assert len(asked_for) == 2 * len(set(asked_for)), "neither reads what the other has"
    # The commands about a mount know where it is.
    assert f"{mounts.place}/cache/@work/" in run(mounts, "status", "-o", "profile=work")
    run(mounts, "umount", "-o", "profile=work")
    assert not mounted(work) and mounted(home)
    run(mounts, "umount", BITBUCKETFS_PROFILE="home")
    assert not mounted(home)


def test_every_command_knows_them(bb, mounts, two):
    assert json.loads(run(mounts, "whoami", "--json", "-o", "profile=pair"))["username"] == "ada-lindqvist"
    said = json.loads(run(mounts, "whoami", "--json", BITBUCKETFS_PROFILE="work"))
    assert (said["profile"], said["email"]) == ("work", "ada@example.com")
    assert "@work" not in run(mounts, "api", "/user", "-o", "profile=work")
    assert {e["account"] for e in bb.log.all()} == {"ada", "pair"}
    assert "Secret of ada-lindqvist" in run(mounts, "curl", "/user", "-o", "profile=pair")
    assert run(mounts, "whoami").startswith("anonymous\n")


def test_git_gets_the_profile_s_credential(bb, mounts, two):
    git = {"GIT_CONFIG_GLOBAL": str(mounts.place / "gitconfig"), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    key = f"credential.{bb.git_url}.helper"

    def values():
        done = subprocess.run(["git", "config", "--global", "--get-all", key], env={**os.environ, **git}, capture_output=True,
                              text=True)
        return done.stdout.splitlines()
    for profile in ("work", "pair"):
        run(mounts, "credential", "--install", "-o", f"profile={profile}", **git)
        assert values() == ["", f"!'{os.path.realpath(BINARY)}' credential -o profile={profile}"]
    done = subprocess.run(["git", "ls-remote", f"{bb.git_url}/acme/widgets.git"], capture_output=True, text=True,
                          env={**mounts.environment(None), **git, "BITBUCKETFS_CACHE_DIR": str(mounts.place / "cache")})
    assert done.returncode == 0 and "refs/heads/" in done.stdout, done
    run(mounts, "credential", "--uninstall", **git)
    assert values() == []


def test_an_unknown_one_is_refused(bb, mounts, two):
    for words in ((), ("whoami",), ("api", "/user"), ("curl", "/user"), ("status",), ("umount",)):
        said = usage(mounts, *words, "-o", "profile=wrok")
        assert "there is no profile 'wrok' in " in said and "(work, home, pair): did you mean work?" in said
    assert "there is no profile 'x'" in usage(mounts, BITBUCKETFS_PROFILE="x")
    assert asked(bb) == []


def test_what_is_wrong_in_a_file_has_a_line_and_a_column(mounts):
    path = configure(mounts, "# mine\n\n[profile work]\n  ttl = soon\n")
    assert usage(mounts, "-o", "profile=work") == f"{path}:4:9: ttl 'soon' is no time (like 90, 90s, 5m, 2h or 1d)"
    path = configure(mounts, "ttl = 5m\n  mountpiont = /x\n")
    assert usage(mounts, "whoami") == f"{path}:2:3: there is no setting mountpiont: did you mean mountpoint?"


def test_a_secret_of_any_section_is_one_of_the_file(bb, mounts):
    path = configure(mounts, "ttl = 5m\n[profile work]\ntoken = ATATT3xSecret\n", 0o644)
    said = usage(mounts, "whoami", account=None)
    assert said == f"{path} has a secret in it and others may read it: run chmod 600 '{path}'"
    assert asked(bb) == []
