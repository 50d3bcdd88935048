"""bitbucketfs whoami, and credential: who one is, and the same credential for git's own programs."""
import json
import os
import shutil
import subprocess

import pytest

from conftest import BINARY, PATIENCE, asked, await_true
from test_api_command import processes_holding

KINDS = {"ada": "API token", "pair": "user name and secret", "workspace-token": "access token"}


def who(mounts, *words, **more):
    done = mounts.run("whoami", "--json", *words, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


@pytest.mark.parametrize("account, path", [("ada", "/user"), ("pair", "/user"), ("workspace-token", "/workspaces/acme")])
def test_one_request_says_who_it_is(bb, mounts, account, path):
    for n in (1, 2):                    # seen never before, then known to the cache
        said = who(mounts, account=account, BITBUCKETFS_WORKSPACES="acme")
        assert asked(bb) == ["GET /2.0" + path] * n
        assert (said["kind"], said["from"], said["api_url"]) == (KINDS[account], "environment", bb.api_url)
        assert said["quota"] == {"limit": 1000, "left": 1000 - n, "told": False}
    if path == "/user":
        user = json.loads(mounts.run("api", "/user", account=account).stdout)
        assert {k: said[k] for k in ("display_name", "nickname", "account_id")} == \
            {k: user[k] for k in ("display_name", "nickname", "account_id")}
    else:
        assert said["workspace"] == "acme"


def test_nobody_is_anonymous_and_nobody_is_asked(bb, mounts):
    done = mounts.run("whoami", account=None)
    assert done.returncode == 0 and done.stdout.startswith("anonymous\n") and done.stderr == ""
    assert who(mounts, account=None)["kind"] == "anonymous"
    assert who(mounts, account="workspace-token")["note"], "without a workspace nothing can be asked"
    assert asked(bb) == []


def test_a_mount_counts_it(bb, mounts):
    m = mounts()
    who(mounts)
    await_true(lambda: m.status()["quotas"]["api"]["by"]["people"] == 2, "the mount has counted it")


def test_how_whoami_ends(bb, mounts):
    bb.limits.set(quota=500)
    said = mounts.run("whoami").stdout
    assert said.startswith("API token\nname: Ada") and said.endswith("\nrequests left: 499 of 500\n")
    assert bb.accounts["ada"].token not in said
    token, bb.accounts["ada"].token = bb.accounts["ada"].token, "another"
    for account in ("ada", "dead-app-password"):        # known, and never seen
        done = mounts.run("whoami", account=account, **({"BITBUCKETFS_TOKEN": token} if account == "ada" else {}))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
        assert "id.atlassian.com" in done.stderr and token not in done.stderr
    assert mounts.run("whoami", "me").returncode == 2
    bb.accounts["ada"].token, bb.accounts["ada"].scopes = token, ("read:repository:bitbucket",)
    assert "read:user" in who(mounts)["note"], "signed in, though it may not be said as whom"
    bb.offline()
    done = mounts.run("whoami")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


# -- git's helper

@pytest.fixture
def home(bb, tmp_path):
    """A home with nothing in its environment but where it is; configured(account) writes the program's file."""
    class Home:
        place = tmp_path / "own home"
        file = place / ".config/bitbucketfs/config"
        environment = {"HOME": str(place), "PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}

        def configured(self, account):
            a = bb.accounts[account]
            self.file.write_text(f"api_url = {bb.api_url}\ngit_url = {bb.git_url}\ntoken = {a.token}\n" +
                                 (f"email = {a.email}\n" if a.email else f"username = {a.username}\n" if a.username else ""))
            self.file.chmod(0o600)

        def run(self, *words, told=""):
            return subprocess.run(words, env=self.environment, input=told, capture_output=True, text=True, timeout=PATIENCE)
    made = Home()
    made.file.parent.mkdir(parents=True)
    return made


@pytest.mark.parametrize("account", KINDS)
def test_git_clones_what_is_private(bb, home, account):
    # No other one's: programs that other tests start at the same time have the usual one.
    bb.accounts[account].token += os.urandom(8).hex()
    url, secret = f"{bb.git_url}/acme/widgets.git", bb.accounts[account].token.encode()
    home.configured(account)
    assert home.run("git", "clone", "-q", url, str(home.place / "none")).returncode != 0
    stored = home.place / "stored"
    home.run("git", "config", "--global", "credential.helper", f"store --file='{stored}'")
    before = (home.place / ".gitconfig").read_text()
    for _ in range(2):
        done = home.run(BINARY, "credential", "--install")
        assert done.returncode == 0 and "--uninstall" in done.stdout, done
    stalled = bb.fault(r"/git-upload-pack$", "stall")
    clone = subprocess.Popen(["git", "clone", "-q", url, str(home.place / "clone")], env=home.environment)
    try:
        stalled.wait_hit()
        assert processes_holding([url.encode()]) and processes_holding([secret]) == []
    finally:
        stalled.remove()
        assert clone.wait(PATIENCE) == 0
    assert (home.place / "clone/README.md").exists()
    assert {e["account"] for e in bb.log.all(r"^POST .*/git-upload-pack$")} == {account}
    assert not stored.exists(), "helpers of all hosts are not given it to keep"
    assert secret not in (home.place / "clone/.git/config").read_bytes()
    for said in "does not ask", "nothing is changed":
        done = home.run(BINARY, "credential", "--uninstall")
        assert done.returncode == 0 and said in done.stdout, done
    assert (home.place / ".gitconfig").read_text() == before


def test_only_the_host_of_git_url_is_answered(bb, home):
    home.configured("ada")
    host = bb.git_url.split("://")[1]
    good = f"username=x-bitbucket-api-token-auth\npassword={bb.accounts['ada'].token}\n"

    def get(text):
        done = home.run(BINARY, "credential", "get", told=text)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout
    assert get(f"capability[]=authtype\nprotocol=http\nhost={host}\npath=a/b\nwwwauth[]=Basic realm=\"x\"\n\n") == good
    assert get(f"protocol=http\nhost={host}\nusername=ada-lindqvist") == good
    for other in (f"protocol=https\nhost={host}\n", "protocol=http\nhost=127.0.0.1\n", f"protocol=http\nhost={host}0\n",
                  f"protocol=http\nhost=x.{host}\n", f"host={host}\n", "protocol=http\n", "", f"\nprotocol=http\nhost={host}\n",
                  f"protocol=http\nhost={host}\nhost=example.org\n"):
        assert get(other) == "", other
    home.configured("pair")
    assert get(f"protocol=http\nhost={host}\nusername=ben\n") == ""
    for word in "store", "erase", "of-tomorrow":
        done = home.run(BINARY, "credential", word, told=good)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for words in [], ["get", "--install"], ["--install", "--uninstall"]:
        assert home.run(BINARY, "credential", *words).returncode == 2
    assert asked(bb) == []


def test_a_token_command_is_run_for_git_url_alone(bb, home):
    home.configured("ada")
    ran, host = home.place / "ran", bb.git_url.split("://")[1]
    script = home.place / "pass"
    script.write_text(f"#!/bin/sh\necho >>'{ran}'\necho {bb.accounts['ada'].token}\n")
    script.chmod(0o700)
    text = home.file.read_text().replace("token = " + bb.accounts["ada"].token, f"token_command = '{script}'")
    home.file.write_text(text)
    assert home.run(BINARY, "credential", "get", told="protocol=https\nhost=example.org\n").stdout == ""
    assert home.run(BINARY, "credential", "--install").returncode == 0 and not ran.exists()
    said = home.run(BINARY, "credential", "get", told=f"protocol=http\nhost={host}\n")
    assert said.stdout.endswith(f"\npassword={bb.accounts['ada'].token}\n") and ran.read_text() == "\n", said
    assert json.loads(home.run(BINARY, "whoami", "--json").stdout)["from"] == "token_command"


def test_a_mirror_is_given_nothing_and_others_helpers_stay(bb, home):
    home.configured("ada")
    configured, host = home.file.read_text(), bb.git_url.split("://")[1]
    home.file.write_text(configured.replace(f"api_url = {bb.api_url}\n", ""))
    assert home.run(BINARY, "credential", "get", told=f"protocol=http\nhost={host}\n").stdout == ""
    done = home.run(BINARY, "credential", "--install")
    assert done.returncode == 2 and "is a mirror" in done.stderr and not (home.place / ".gitconfig").exists()
    home.file.write_text(configured)
    key = f"credential.{bb.git_url}.helper"
    home.run("git", "config", "--global", key, "of-mine")
    before = (home.place / ".gitconfig").read_text()
    assert home.run(BINARY, "credential", "--install").returncode == 0
    helpers = home.run("git", "config", "--get-all", key).stdout.splitlines()
    assert helpers[0] == "of-mine" and helpers[1:] == [f"!'{os.path.realpath(BINARY)}' credential"]
    assert home.run(BINARY, "credential", "--uninstall").returncode == 0
    assert (home.place / ".gitconfig").read_text() == before
    named = shutil.copy(BINARY, home.place / "named otherwise")
    for word in "--install", "--uninstall":
        assert home.run(named, "credential", word).returncode == 0
    assert (home.place / ".gitconfig").read_text() == before
    (home.place / ".gitconfig").write_text("[broken\n")
    for path, said in (os.environ["PATH"], "could not be changed"), ("/nonexistent", "is git installed?"):
        home.environment["PATH"] = path
        for word in "--install", "--uninstall":
            done = home.run(BINARY, "credential", word)
            assert (done.returncode, done.stdout) == (1, "") and said in done.stderr
