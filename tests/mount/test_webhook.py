"""refresh --webhook: a payload refreshes what it names, for as many requests as that takes; others change nothing."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import urllib.request

import pytest

from conftest import BINARY, PATIENCE, TOP, api, asked, await_true, git
from bitbucket.hooks import sign

W = "acme/widgets"
PULLS = W + "/pullrequests"
SECRET = b"It's a secret to everybody"
RECORDED = pathlib.Path(TOP).parent / "shared" / "bitbucket" / "recorded"


@pytest.fixture
def hook(mounts, m):
    """The program, with that payload on its standard input. Of all mounts of this user, others are other tests'."""
    def run(payload, *arguments, at=None):
        command = [BINARY, "refresh", "--webhook", *arguments, at or m.path]
        return subprocess.run(command, input=payload, env=mounts.environment(), capture_output=True, timeout=PATIENCE)
    return run


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    path.chmod(0o600)
    return str(path)


def done(ran, code=0):
    assert ran.returncode == code, ran
    assert not ran.stdout or not ran.stderr
    return (ran.stdout or ran.stderr).decode()


def sentence(ran, code):
    said, = done(ran, code).splitlines()
    assert said.startswith("bitbucketfs: ") and not ran.stdout
    return said


def seen(what):
    """The kernel is told beside the command, which does not wait for that."""
    await_true(what, "what changed is seen")


def named(bb, mark):
    """Whether nothing was asked but, once git had news, whether the name is still this repository's."""
    return api(bb, mark) in ([], ["GET /2.0/repositories/" + W])


# ---- what it refreshes


def test_a_push_costs_what_asking_that_ref_costs(bb, m, hook):
    m.ls("acme")
    readme = m.read(W + "/tree/README.md")
    index = m.read(W + "/branches/index.tsv")
    payload = bb.hook_push("acme", "widgets", ("main", "branch", "moved"))
    mark = bb.log.mark()
    said = done(hook(payload, "--event=repo:push"))
    one = len(git(bb, mark))
    assert "tree: unchanged" in said and one <= 2 and api(bb, mark) == []
    bb.push("acme", "widgets", {"README.md": readme + "More.\n"}, "Say more")
    mark = bb.log.mark()
    assert "tree: " in done(hook(payload, "--event=repo:push"))
    seen(lambda: m.read(W + "/tree/README.md") == readme + "More.\n")
    assert named(bb, mark)
    mark = bb.log.mark()
    await_true(lambda: m.read(W + "/branches/index.tsv") != index, "the list was outdated")
    assert len(api(bb, mark)) == 1


def test_a_branch_that_came_is_listed(bb, m, hook):
    assert "feature" in m.ls(W + "/branches")
    bb.set_ref("acme", "widgets", "refs/heads/brand-new", bb._tip(W, "main"))
    mark = bb.log.mark()
    assert "branches" in done(hook(bb.hook_push("acme", "widgets", ("brand-new", "branch", "came"))))
    assert len(git(bb, mark)) == 1 and named(bb, mark)
    seen(lambda: "brand-new" in m.ls(W + "/branches"))


def test_a_pull_request_is_one_request(bb, m, hook):
    info, index = m.read(PULLS + "/7/info"), m.read(PULLS + "/index.tsv")
    bb.update_pull("acme", "widgets", 7, title="Another title")
    mark = bb.log.mark()
    assert "7: updated" in done(hook(bb.hook_pull("acme", "widgets", 7), "--event", "pullrequest:updated"))
    assert [line.split("?")[0].split("/")[-2:] for line in api(bb, mark)] == [["pullrequests", "7"]]
    seen(lambda: "Another title" in m.read(PULLS + "/7/info") != info)
    assert len(api(bb, mark)) == 1
    # Its list is asked for by who looks at it, and then for what changed alone.
    await_true(lambda: "Another title" in m.read(PULLS + "/index.tsv") != index, "the list")
    assert len(api(bb, mark)) == 2 and "updated_on" in api(bb, mark)[1]


def test_one_that_came_and_one_that_was_merged(bb, m, hook):
    m.ls(PULLS)
    with pytest.raises(FileNotFoundError):
        os.stat(m / (PULLS + "/19"))
    n = bb.create_pull("acme", "widgets", "Brand new", "feature/quiet")
    assert n == 19
    done(hook(bb.hook_pull("acme", "widgets", n), "--event=pullrequest:created"))
    seen(lambda: str(n) in m.ls(PULLS) and "Brand new" in m.read(f"{PULLS}/{n}/info"))
    bb.merge_pull("acme", "widgets", n)
    done(hook(bb.hook_pull("acme", "widgets", n), "--event=pullrequest:fulfilled"))
    seen(lambda: os.path.islink(m / f"{PULLS}/{n}") and os.readlink(m / f"{PULLS}/{n}") == f"merged/{n}")
    seen(lambda: "state: MERGED" in m.read(f"{PULLS}/{n}/info") and str(n) not in m.ls(PULLS))


def test_comments_and_builds(bb, m, hook):
    thread = m.read(PULLS + "/7/comments/thread.md")
    assert os.readlink(m / (W + "/pipelines/by-branch/main")) == "../11"
    bb.comment_pull("acme", "widgets", 7, "A word about it")
    done(hook(bb.hook_comment("acme", "widgets", 7)))
    mark = bb.log.mark()
    seen(lambda: "A word about it" in m.read(PULLS + "/7/comments/thread.md") != thread)
    assert len(api(bb, mark)) == 1
    oid = bb._tip(W, "main")
    m.ls(f"{W}/commits/{oid}/statuses")
    bb.set_status("acme", "widgets", oid, "ci", "FAILED")
    pull = json.loads(m.read(PULLS + "/5/pullrequest.json"))
    statuses = PULLS + "/5/statuses/index.tsv"
    assert "CI-5" not in m.read(statuses)
    tip = bb._tip(W, "feature/colours")
    assert tip.startswith(pull["source"]["commit"]["hash"])
    bb.set_status("acme", "widgets", tip, "CI-5", "FAILED")
    done(hook(bb.hook_status("acme", "widgets", tip, "FAILED")))
    seen(lambda: "CI-5" in m.read(statuses))
    number = bb.create_pipeline("acme", "widgets", result="FAILED", seconds=3)
    done(hook(bb.hook_status("acme", "widgets", oid, "FAILED", run=number), "--event=repo:commit_status_created"))
    seen(lambda: "FAILED" in m.read(f"{W}/commits/{oid}/statuses/index.tsv"))
    seen(lambda: os.readlink(m / (W + "/pipelines/by-branch/main")) == f"../{number}")


def test_a_repository_by_its_uuid(bb, m, hook):
    assert "widgets" in m.ls("acme") and m.read(W + "/info")
    bb.rename_repo("acme", "widgets", "gadgets")
    done(hook(bb.hook_repository("acme", "gadgets", full_name={"new": "acme/gadgets", "old": W})))
    await_true(lambda: "gadgets" in m.ls("acme") and "widgets" not in m.ls("acme"), "the new name")
    bb.create_repo("acme", "brand-new")
    done(hook(bb.hook_repository("acme", "brand-new"), "--event=repo:created"))
    seen(lambda: "brand-new" in m.ls("acme"))
    payload = bb.hook_repository("acme", "gadgets")
    bb.delete_repo("acme", "gadgets")
    done(hook(payload, "--event=repo:deleted"))
    seen(lambda: "gadgets" not in m.ls("acme"))


def test_what_nobody_looked_at_costs_nothing(bb, m, hook):
    m.ls("acme")
    mark = bb.log.mark()
    for payload in (bb.hook_pull("acme", "billing", 1), bb.hook_push("acme", "widgets", ("main", "branch", "moved"))):
        assert "nobody has looked" in done(hook(payload))
    assert asked(bb, mark) == []
    assert sentence(hook(payload, at="/"), 3).endswith("/ is in no Bitbucket that is mounted")


# ---- what it does not believe


def test_a_payload_is_whose_it_says(bb, m, hook, secret):
    payload = bb.hook_pull("acme", "widgets", 7)
    m.read(PULLS + "/7/info")
    mark = bb.log.mark()
    good = sign(SECRET, payload)
    for signature, why in ((sign(b"another", payload), "not that of the payload"), (sign(SECRET, payload + b" "), "not that of"),
                           (good[:-1] + ("0" if good[-1] != "0" else "1"), "not that of"), ("", "is not signed"),
                           ("sha1=" + good[7:47], "none that Bitbucket makes"), (good[:-2], "none that Bitbucket makes"),
                           (good + "00", "none that Bitbucket makes")):
        said = sentence(hook(payload, "--signature=" + signature, "--secret-file", secret), 1)
        assert why in said and "nothing was refreshed" in said
    assert "is not signed" in sentence(hook(payload, "--secret-file", secret), 1)
    assert asked(bb, mark) == []
    assert "7: unchanged" in done(hook(payload, "--signature", good, "--secret-file", secret, "--event=pullrequest:updated"))
    assert "7: unchanged" in done(hook(payload, "--signature", good.upper().replace("SHA", "sha"), "--secret-file", secret))
    assert "--signature needs --secret-file" in sentence(hook(payload, "--signature", good), 2)


def test_the_secret_is_nobody_else_s(bb, hook, secret, tmp_path):
    payload = bb.hook_pull("acme", "widgets", 7)
    word = ("--signature", sign(SECRET, payload), "--secret-file")
    for mode in (0o640, 0o604, 0o644):
        os.chmod(secret, mode)
        assert "chmod 600" in sentence(hook(payload, *word, secret), 2)
    os.chmod(secret, 0o600)
    os.symlink(secret, tmp_path / "link")
    assert "it is a symbolic link" in sentence(hook(payload, *word, str(tmp_path / "link")), 2)
    assert "cannot be read" in sentence(hook(payload, *word, str(tmp_path / "none")), 2)
    pathlib.Path(secret).write_bytes(b"\n")
    assert "no secret in" in sentence(hook(payload, *word, secret), 2)


def test_malformed_and_huge_ones(bb, m, hook):
    m.read(PULLS + "/7/info")
    mark = bb.log.mark()
    for payload in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"push":{"changes":[{}]},"repository":{"full_name":"acme/widgets"}}',
                    b'{"pullrequest":{"id":"7"},"repository":{"full_name":"acme/widgets"}}',
                    b'{"pullrequest":{"id":7},"repository":{"full_name":"../.."}}', b'{"pullrequest":{"id":7}}', b"[" * 100000):
        assert "nothing was refreshed" in sentence(hook(payload), 1), payload[:80]
    assert "repo:push" in sentence(hook(bb.hook_pull("acme", "widgets", 7), "--event=repo:push"), 1)
    huge = subprocess.run(f"head -c 100000000 /dev/zero | {BINARY} refresh --webhook", shell=True, capture_output=True)
    assert "larger than 25 MiB" in sentence(huge, 1)
    assert asked(bb, mark) == []
    # Unknown ones come without notice: a line, and no failure.
    for event in ("pullrequest:", "repo:new_thing", "\x1b[2Jevil"):
        said = done(hook(bb.hook_repository("acme", "widgets"), "--event=" + event))
        assert "nothing of the mount is about it" in said and "\x1b" not in said and said.count("\n") == 1
    assert "an event without a name" in done(hook(b'{"repository":{"full_name":"acme/widgets"}}'))
    assert asked(bb, mark) == []


def test_recorded_payloads_are_understood(hook, m):
    payloads = sorted(RECORDED.glob("*/webhooks/*.json"))
    if not payloads:
        pytest.skip("the recorded payloads are not here")
    for path in payloads:
        assert "nobody has looked there" in done(hook(path.read_bytes())), path


# ---- a receiver that exists


def test_the_manual_s_receiver(bb, m, mounts, secret, tmp_path):
    """Debian's webhook, with the hooks.json of the manual: a signed payload that is posted is seen in the mount."""
    receiver = shutil.which("webhook", path="/usr/bin:/usr/local/bin")
    if not receiver:
        pytest.skip("webhook is not installed")
    page = pathlib.Path(TOP, "packaging", "man", "bitbucketfs-refresh.1").read_text()
    hooks = page.split(".\\\" hooks.json\n.nf\n")[1].split("\n.fi")[0].replace("\\-", "-").replace("\\e", "\\")
    hooks = hooks.replace("~/.config/bitbucketfs/webhook.secret", secret).replace("exec bitbucketfs refresh", f"exec {BINARY} refresh {m.path}")
    (tmp_path / "hooks.json").write_text(json.dumps(json.loads(hooks)))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    m.read(PULLS + "/7/info")
    bb.update_pull("acme", "widgets", 7, title="Posted")
    body = bb.hook_pull("acme", "widgets", 7)
    command = [receiver, "-ip", "127.0.0.1", "-port", str(port), "-hooks", str(tmp_path / "hooks.json"), "-verbose"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, env=mounts.environment(), stdout=log, stderr=log)
    try:
        def post(signature):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/hooks/bitbucket", body, {
                "Content-Type": "application/json", "X-Event-Key": "pullrequest:updated", "X-Hub-Signature": signature})
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status

        def listens():
            assert process.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        await_true(listens, "the receiver listens")
        mark = bb.log.mark()
        assert post(sign(b"forged", body)) == 200
        await_true(lambda: "not that of the payload" in (tmp_path / "log").read_text(), "the forged one is refused")
        assert asked(bb, mark) == [] and "Posted" not in m.read(PULLS + "/7/info")
        assert post(sign(SECRET, body)) == 200
        await_true(lambda: "Posted" in m.read(PULLS + "/7/info"), "what was posted is in the mount")
    finally:
        process.terminate()
        process.wait()
