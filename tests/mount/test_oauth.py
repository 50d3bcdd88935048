"""OAuth: access tokens that end, refresh tokens that are good once, and who asks for new ones."""
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import BINARY, PATIENCE, await_true, mounted
from oauth import age, grants, keep, kept, place, sign_in
from test_config import configure
from test_disk import fill

REFRESH = ("refresh_token", 200)


def mount(mounts, *options, **more):
    return mounts(*options, account=None, **more)


def run(mounts, *words, code=0, **more):
    done = mounts.run(*words, account=None, **more)
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def test_what_is_kept_is_used(bb, mounts):
    first = sign_in(mounts)
    mark = bb.log.mark()
    m = mount(mounts)
    assert mounted(m.path)[1] == "bitbucket:ada"
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
    assert json.loads(m.read(".workspace/user.json") if os.path.exists(m / ".workspace/user.json") else
                      run(mounts, "api", "/user"))["nickname"] == "ada"
    assert {e["account"] for e in bb.log.since(mark)} == {"oauth"} and grants(bb, mark) == []
    assert {e["authorization"] for e in bb.log.since(mark, r"\.git/")} == {"basic"}
    assert {e["authorization"] for e in bb.log.since(mark, "/2.0/")} == {"bearer"}
    assert kept(mounts) == first
    said = json.loads(run(mounts, "whoami", "--json"))
    assert (said["kind"], said["nickname"]) == ("OAuth", "ada")


def test_one_of_all_mounts_asks_for_new_ones(bb, mounts):
    """Two mounts and a command, whose token ends at once: one asks, the others take what it brought."""
    first = sign_in(mounts)
    two = [mount(mounts), mount(mounts, cache="other")]
    mark = bb.log.mark()
    age(mounts)
    bb.oauth.expire()
    ran = [m.ls("acme") for m in two]
    assert ran[0] == ran[1] and "widgets" in ran[0]
    run(mounts, "api", "/user")
    assert grants(bb, mark) == [REFRESH]
    now = kept(mounts)
    assert now["before"] == first["refresh"] and now["refresh"] != first["refresh"]
    assert [e["status"] for e in bb.log.since(mark, "/2.0/")].count(401) <= 2, "each has asked with the old one once"


def test_a_token_is_renewed_before_it_ends(bb, mounts):
    sign_in(mounts, lifetime=30)
    mark = bb.log.mark()
    run(mounts, "api", "/user")
    assert grants(bb, mark) == [REFRESH] and not [e for e in bb.log.since(mark) if e["status"] == 401]
    # While it is good for a little yet, no answer of the token's page is no harm.
    values = kept(mounts)
    keep(mounts, **{**values, "until": str(int(time.time()) + 30)})
    fault = bb.fault("POST /site/oauth2/access_token", "status", status=503)
    assert "ada" in run(mounts, "api", "/user")
    assert fault.hits == 1 and kept(mounts)["refresh"] == values["refresh"]


def test_killed_between_the_answer_and_the_write(bb, mounts):
    """The server has given the next one, and nobody has it: it is forgiven, or somebody has to sign in again."""
    for forgives, code in ((60, 0), (0, 4)):
        bb.oauth.forgives = forgives
        before = sign_in(mounts)
        age(mounts)
        stall = bb.fault("POST /site/oauth2/access_token", "stall", after_bytes=0)
        m = mount(mounts, wait=False)
        stall.wait_hit()
        bb.log.wait_for(lambda e: e.get("oauth") == "refresh_token" and not e["done"])
        m.kill()
        stall.remove()
        assert kept(mounts)["refresh"] == before["refresh"], "nothing of what was there is lost"
        said = run(mounts, "api", "/user", code=code)
        assert (code == 0) == ("ada" in said) and said.count("\n") <= 1 or code == 0
        assert code == 0 or "bitbucketfs login --oauth" in said


def test_nobody_who_breaks_off_loses_what_comes(bb, mounts):
    """The server gives the next one once: whoever wanted it is interrupted, or the mount is unmounted, before it has come."""
    sign_in(mounts)
    for n, leave in enumerate((lambda m, cat: cat.send_signal(signal.SIGINT), lambda m, cat: m.process.send_signal(signal.SIGTERM))):
        m = mount(mounts)
        m.ls("acme")
        bb.oauth.expire()
        before = kept(mounts)["refresh"]
        stall = bb.fault("POST /site/oauth2/access_token", "stall", after_bytes=0)
        cat = subprocess.Popen(["cat", m / f"acme/{('infra', 'website')[n]}/pullrequests/index.tsv"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        stall.wait_hit()
        bb.log.wait_for(lambda e: e.get("oauth") == "refresh_token" and not e["done"])
        leave(m, cat)
        await_true(lambda: cat.poll() is not None, "it does not wait for the answer")
        assert kept(mounts)["refresh"] == before
        stall.remove()
        await_true(lambda: kept(mounts)["refresh"] != before, "what came was kept")
        m.unmount()
        assert "ada" in run(mounts, "api", "/user")


@pytest.mark.parametrize("status, headers", [(429, {"Retry-After": "100"}), (503, {})])
def test_a_busy_token_endpoint_is_left_alone(bb, mounts, status, headers):
    sign_in(mounts)
    m = mount(mounts, "ttl=1s")
    text = m.read("acme/widgets/info")
    age(mounts)
    bb.oauth.expire()
    fault = bb.fault("POST /site/oauth2/access_token", "status", status=status, headers=headers)
    end = time.monotonic() + 2.2        # longer than any failure is remembered
    while time.monotonic() < end:
        with pytest.raises(OSError):
            m.read("acme/website/pullrequests/index.tsv")
        assert m.read("acme/widgets/info") == text
    assert fault.hits == (1 if headers else 2)
    assert str(status) in m.errors()


def test_the_one_before_is_tried_too(bb, mounts):
    """The server has lost that it gave the newer one."""
    first = sign_in(mounts)
    keep(mounts, **{**first, "refresh": "localrefreshLost", "before": first["refresh"], "until": "1"})
    mark = bb.log.mark()
    assert "ada" in run(mounts, "api", "/user")
    assert grants(bb, mark) == [("refresh_token", 400), REFRESH]
    assert kept(mounts)["before"] == first["refresh"]


def test_the_mount_goes_on_from_its_cache(bb, mounts):
    """Taken back at the service: what is cached is read, what is not says to sign in, and a new sign-in mends it."""
    sign_in(mounts)
    m = mount(mounts, "ttl=1s")
    text = m.read("acme/widgets/info")
    bb.oauth.revoke()
    age(mounts)
    mark = bb.log.mark()
    with pytest.raises(PermissionError):
        m.read("acme/website/pullrequests/index.tsv")
    assert "bitbucketfs login --oauth" in m.errors()
    assert m.read("acme/widgets/info") == text
    for _ in range(3):
        with pytest.raises(PermissionError):
            m.read("acme/infra/pullrequests/index.tsv")
    assert len(grants(bb, mark)) == 1, "what was refused is not shown again and again"
    assert "bitbucketfs login --oauth" in run(mounts, "api", "/user", code=4)
    assert "bitbucketfs login --oauth" in run(mounts, "whoami", code=4)
    sign_in(mounts)
    assert await_true(lambda: try_read(m, "acme/infra/pullrequests/index.tsv"), "the mount has taken it")


def try_read(m, name):
    try:
        return m.read(name)
    except PermissionError:
        return None


@pytest.mark.parametrize("kind, more", [("garbage", {}), ("truncate", {}),
                                        ("status", {"status": 200, "body": "<html>sign in to the network</html>"}),
                                        ("status", {"status": 200, "body": '{"access_token": "a\\nb"}'}),
                                        ("status", {"status": 302, "headers": {"Location": "http://elsewhere.example/"}})])
def test_an_answer_that_is_none(bb, mounts, kind, more):
    before = sign_in(mounts)
    age(mounts)
    bb.oauth.forgives = 60
    fault = bb.fault("POST /site/oauth2/access_token", kind, **more)
    said = run(mounts, "api", "/user", code=1)
    assert said.count("\n") == 1 and fault.hits == 1, "never asked twice"
    assert kept(mounts)["refresh"] == before["refresh"]
    fault.remove()
    assert "ada" in run(mounts, "api", "/user")


def test_nothing_is_asked_for_that_could_not_be_kept(bb, mounts):
    """A refresh token that was used up for an answer that nobody can write down would be lost."""
    if os.getuid():
        pytest.skip("NOT TESTED: a small disk is mounted by root alone")
    folder = place(mounts, "oauth").parent
    folder.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder], check=True)
    try:
        before = sign_in(mounts)
        run(mounts, "api", "/user")             # its lock file is there
        age(mounts)
        fill(folder)
        mark = bb.log.mark()
        said = run(mounts, "api", "/user", code=1)
        assert "cannot be kept" in said and grants(bb, mark) == [] and kept(mounts)["refresh"] == before["refresh"]
        (folder / "fill").unlink()
        assert "ada" in run(mounts, "api", "/user")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_expired_in_mid_flight(bb, mounts):
    sign_in(mounts)
    m = mount(mounts)
    m.ls("acme")
    mark = bb.log.mark()
    bb.oauth.expire()
    assert m.read("acme/infra/pullrequests/index.tsv") and m.read("acme/infra/tree/README.md")
    assert grants(bb, mark) == [REFRESH]
    assert m.errors() == ""


def test_a_consumer_by_itself(bb, mounts):
    """Its secret is the token of the configuration, or what login has kept; a consumer of everybody's may not."""
    consumer = bb.oauth.consumer
    configure(mounts, f"oauth_client_id = {consumer.key}\ntoken_command = echo {consumer.secret}\n")
    assert json.loads(run(mounts, "whoami", "--json"))["nickname"] == "ada"
    mark = bb.log.mark()
    assert "ada" in run(mounts, "api", "/user") and grants(bb, mark) == [], "a second command uses the same token"
    configure(mounts, "ttl = 5m\n")
    sign_in(mounts, by_itself=True)
    m = mount(mounts)
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n") and grants(bb, mark) == []
    m.unmount()
    place(mounts, "oauth").unlink()
    consumer.private = False
    said = run(mounts, "api", "/user", code=4)
    assert "This is a private consumer" in said and consumer.secret not in said


def test_git_is_given_the_access_token(bb, mounts):
    sign_in(mounts)
    age(mounts)
    mark = bb.log.mark()
    done = subprocess.run([BINARY, "credential", "get"], input=f"protocol=http\nhost=127.0.0.1:{bb.port}\n\n", text=True,
                          capture_output=True, env={**mounts.environment(None), "BITBUCKETFS_CACHE_DIR": str(mounts.place / "c")})
    assert done.returncode == 0 and done.stdout == f"username=x-token-auth\npassword={kept(mounts)['access']}\n", done
    assert grants(bb, mark) == [REFRESH] and kept(mounts)["access"] in bb.oauth.live()


def test_logout_takes_all_of_it(bb, mounts):
    sign_in(mounts)
    assert "ada" in run(mounts, "api", "/user")
    said = run(mounts, "logout")
    assert "the sign-in" in said and "what was cached" in said
    for what in ("sign-in", "oauth"):
        assert os.listdir(place(mounts, what).parent) in ([], [".lock"])
    assert run(mounts, "whoami").startswith("anonymous")


def test_a_consumer_that_was_removed(bb, mounts):
    """The same is said each time, not that somebody has to sign in again, and the mount asks once."""
    sign_in(mounts)
    m = mount(mounts)
    m.ls("acme")
    m.unmount()
    bb.oauth.consumer.secret = "anotherSecret0001"
    age(mounts)
    mark = bb.log.mark()                # the mount may ask as it begins
    m = mount(mounts)

    def asked_again():
        for name in ("infra", "website", "handbook"):
            with pytest.raises(PermissionError):
                m.read(f"acme/{name}/pullrequests/index.tsv")
        return time.monotonic() > end

    end = time.monotonic() + 2.2        # longer than any failure is remembered
    await_true(asked_again, "it is refused")
    said = m.errors() + m.read(".bitbucketfs/status")
    assert "does not know the OAuth consumer" in said and "takes no refresh token" not in said
    assert len(bb.log.since(mark, "POST /site/oauth2/access_token")) == 1


def test_no_token_comes_back_after_logout(bb, mounts):
    """A command has asked for a new one, and is answered when everything was removed."""
    sign_in(mounts)
    age(mounts)
    stall = bb.fault("POST /site/oauth2/access_token", "stall", after_bytes=0)
    asks = subprocess.Popen([BINARY, "api", "/user"], env={**mounts.environment(None), "BITBUCKETFS_CACHE_DIR": str(mounts.place / "c")},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stall.wait_hit()
    bb.log.wait_for(lambda e: e.get("oauth") == "refresh_token" and not e["done"])
    assert "Removed: the sign-in" in run(mounts, "logout")
    stall.remove()
    said = asks.communicate(timeout=PATIENCE)[1]
    assert asks.returncode == 4 and "signed out" in said, said
    assert os.listdir(place(mounts, "oauth").parent) == []


def test_nobody_has_signed_in_with_it(bb, mounts):
    sign_in(mounts)
    place(mounts, "oauth").unlink()
    assert "bitbucketfs login --oauth" in run(mounts, "api", "/user", code=4)
    sign_in(mounts)
    configure(mounts, "oauth_client_id = another\n")
    assert "another" in run(mounts, "api", "/user", code=4)
    run(mounts, "logout")
    for words in (("whoami",), (str(mounts.place),)):
        assert "bitbucketfs login --oauth" in run(mounts, *words, code=4), "and is not anonymous without a word"
    assert run(mounts, "whoami", BITBUCKETFS_TOKEN="").startswith("anonymous")
    assert [e for e in bb.log.all("/2.0/")] == []
