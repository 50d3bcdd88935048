"""What is going on, from outside of the mount: refresh."""
import os
import signal
import subprocess

from conftest import BINARY, asked, await_true

PULLS = "acme/widgets/pullrequests"


def sentence(done, code):
    assert done.returncode == code, done
    said, = done.stderr.splitlines()
    assert said.startswith("bitbucketfs: ")
    return said.removeprefix("bitbucketfs: ")


# -- refresh

def test_refresh_says_what_changed_as_now_does(bb, mounts, m):
    before = m.read(f"{PULLS}/index.tsv")
    assert m.refresh(PULLS) == "pullrequests: unchanged\n"
    mark = bb.log.mark()
    # By a relative name from within, by a symlink that leads there; several at once.
    os.symlink(m.path, mounts.place / "link")
    done = subprocess.run([BINARY, "refresh", "../pullrequests"], cwd=m / "acme/widgets/pipelines", env=mounts.environment(),
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "pullrequests: unchanged\n", "")
    one, = asked(bb, mark)
    assert one.startswith(f"GET /2.0/repositories/{PULLS}?")
    bb.create_pull("acme", "widgets", title="Brand new", source="feature/quiet")
    link = str(mounts.place / "link" / PULLS)
    done = mounts.run("refresh", link, m / PULLS)
    assert (done.returncode, done.stderr) == (0, "") and "1 changed" in done.stdout
    assert done.stdout.startswith(f"{link}:\n") and done.stdout.endswith(f"{m / PULLS}:\npullrequests: unchanged\n")
    # Who looks afterwards sees it, without a request.
    mark = bb.log.mark()
    assert "Brand new" in m.read(f"{PULLS}/index.tsv") and "Brand new" not in before and asked(bb, mark) == []


def test_refresh_that_fails_has_its_sentence(bb, mounts, m):
    m.ls("acme")
    mark = bb.log.mark()
    assert sentence(mounts.run("refresh"), 2).startswith("refresh needs a PATH")
    assert sentence(mounts.run("refresh", mounts.place), 3) == f"{mounts.place} is in no Bitbucket that is mounted"
    for name, why in (("acme/widgets/nothing", "there is no such place, or nothing of it can be asked for"),
                      ("acme/.hidden", "There is no .hidden.")):
        assert sentence(mounts.run("refresh", m / name), 1) == f"{m / name}: {why}"
    assert asked(bb, mark) == []
    bb.fault(r"/repositories/acme\b", "status", status=403)
    # What can be asked for is, and the exit status is that of what failed.
    done = mounts.run("refresh", m / "acme", m.path)
    assert done.returncode == 1 and "acme: " in done.stderr and "403" in done.stderr, done
    assert done.stdout == f"{m.path}:\n4 workspaces, 0 changed\n"
    assert "\tacme\tEACCES\t" in m.errors()


def test_refresh_is_given_up_with_ctrl_c(bb, mounts, m):
    m.ls("acme")
    fault = bb.fault(r"/repositories/acme\?", "stall")
    asks = subprocess.Popen([BINARY, "refresh", m / "acme"], env=mounts.environment(), stdout=subprocess.DEVNULL)
    fault.wait_hit()
    asks.send_signal(signal.SIGINT)
    assert asks.wait(5) == -signal.SIGINT
    # The daemon has given it up, too: it would end alone after a minute.
    await_true(lambda: m.status()["listing"] == [], "nothing is asked for any more", 5)
    fault.remove()
    assert mounts.run("refresh", m / "acme").stdout == "7 repositories, 0 changed\n"


def test_a_mount_that_does_not_answer_holds_up_nobody(mounts, m):
    m.process.send_signal(signal.SIGSTOP)
    try:
        assert sentence(mounts.run("refresh", m / "acme", timeout=10), 1) == (
            f"the mount at {m.path} does not answer: bitbucketfs umount '{m.path}' takes it away")
    finally:
        m.process.send_signal(signal.SIGCONT)
    m.kill()
    assert "is dead (its daemon is gone)" in sentence(mounts.run("refresh", m.path), 1)
