"""A team's nginx between its mounts and the service, and its mirror, as bitbucketfs(7) has them."""
import errno
import os
import re
import subprocess

import pytest

from between import tls
from conftest import api, asked, await_true, git
from team import missing, team

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no {missing()} here: tests/run installs it")
TOKEN = dict(account="workspace-token")
LOOKS = ("acme/widgets/info", "acme/widgets/pullrequests/index.tsv", "acme/widgets/pipelines/index.tsv",
         "acme/widgets/pullrequests/7/comments/thread.md", "acme/.workspace/members/index.tsv")


def look(m):
    return [m.ls("acme"), *map(m.read, LOOKS)]


def test_all_of_the_mount_works_behind_another_host_and_no_credential_leaves(bb, mounts, tmp_path, monkeypatch):
    bb.outside = "https://api.bitbucket.org/2.0"
    with team(bb, tmp_path / "team") as t, tls(bb.storage_port, t.file) as storage:
        monkeypatch.setattr(type(bb), "storage_url", property(lambda self: storage.url))
        m = mounts(**t.settings())
        assert len(m.ls("monolith-labs")) == 1000
        assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n") and "main" in m.ls("acme/widgets/branches")
        # Its commits are asked for: a redirect to the diff, which names the service.
        assert m.read("acme/widgets/pullrequests/7/changes/diff").startswith("diff --git ")
        m.refresh("acme/widgets/pullrequests/7/changes")
        assert [e for e in bb.log.all(r"/pullrequests/7/diffstat") if e["status"] == 302]
        assert m.read("acme/widgets/pullrequests/7/changes/index.json").startswith("[")
        ended = next(n for n in m.ls("acme/widgets/pipelines/3/steps") if n[0] == "1")
        assert m.read(f"acme/widgets/pipelines/3/steps/{ended}/log")
        name = next(n for n in m.ls("acme/widgets/downloads") if not n.startswith("index"))
        assert m.read(f"acme/widgets/downloads/{name}", "rb")
        bb.append_log("acme", "widgets", 4, "Build", "+ make\n")
        came = [e for e in bb.log.all() if e["listener"] == "api"]
        assert [e for e in came if "X-Through" not in e["headers"]] == []
        led = [e for e in bb.log.all() if e["listener"] == "storage"]
        assert led and {e["authorization"] for e in led} == {None}


def test_a_second_mount_costs_the_service_nothing_and_users_are_kept_apart(bb, mounts, tmp_path):
    bb.vary = "Accept-Encoding"     # nobody promises that the service tells a cache to keep accounts apart
    with team(bb, tmp_path / "team") as t:
        m = mounts("workspaces=acme", cache="one", **TOKEN, **t.settings())
        seen, mark = look(m), bb.log.mark()
        second = mounts("workspaces=acme", cache="two", **TOKEN, **t.settings())
        assert look(second) == seen and api(bb, mark) == []
        # Another secret is another user: nothing of the first one's is shown.
        other = mounts("workspaces=acme", cache="other", account="project-token", **t.settings())
        assert set(other.ls("acme")) < set(seen[0])
        # What one asks for now is not the cache's.
        bb.update_repo("acme", "widgets", language="rust")
        mark = bb.log.mark()
        second.refresh("acme")
        assert api(bb, mark) and "language: rust" in second.read("acme/widgets/info")


def test_what_was_kept_too_long_costs_the_service_conditional_requests(bb, mounts, tmp_path):
    with team(bb, tmp_path / "team", "1s") as t:
        m = mounts("workspaces=acme", cache="one", **TOKEN, **t.settings())
        seen, mark = look(m), bb.log.mark()
        asked_first = {e["target"] for e in bb.log.since(0, r" /2\.0/(?!user)")}

        def is_old():
            subprocess.run(["curl", "-sS", "-o", os.devnull, "--cacert", t.file, f"{t.url}/2.0/hook_events"], check=True)
            return bb.log.since(mark, "hook_events")[1:]
        await_true(is_old, "what was kept is too old")
        mark = bb.log.mark()
        assert look(mounts("workspaces=acme", cache="two", **TOKEN, **t.settings())) == seen
        again = bb.log.since(mark, r" /2\.0/(?!user)")
        assert {e["target"] for e in again} == asked_first
        assert {(e["status"], "If-None-Match" in e["headers"]) for e in again} == {(304, True)}


def test_ten_mounts_at_once_cost_the_service_what_one_costs(bb, mounts, tmp_path):
    def begin(n, where):
        made = [mounts("workspaces=acme", cache=f"{where}{i}", wait=False, **TOKEN, **t.settings(mirror=True)) for i in range(n)]
        for m in made:
            m.wait()
        readers = [subprocess.Popen(["cat", *(m / name for name in (*LOOKS, "acme/widgets/tree/README.md"))], stdout=subprocess.DEVNULL)
                   for m in made]
        assert [r.wait() for r in readers] == [0] * n
        return made

    with team(bb, tmp_path / "one") as t:
        t.mirror("acme/widgets")
        mark = bb.log.mark()
        begin(1, "one")[0].unmount()
        alone = sorted(asked(bb, mark))
    with team(bb, tmp_path / "ten") as t:
        t.mirror("acme/widgets")
        mark = bb.log.mark()
        begin(10, "ten")
        assert sorted(asked(bb, mark)) == alone and git(bb, mark) == []


def test_a_mirror_that_is_behind_shows_what_it_has_and_the_rest_comes_from_the_service(bb, mounts, tmp_path):
    with team(bb, tmp_path / "team") as t:
        t.mirror("acme/widgets")
        old = bb.push("acme", "widgets", {"new.txt": b"one"})
        t.mirror("acme/widgets")
        new = bb.push("acme", "widgets", {"new.txt": b"two"})
        mark = bb.log.mark()
        m = mounts(cache="none", **t.settings(mirror=True))
        assert m.read("acme/widgets/tree/new.txt") == "one" and git(bb, mark) == []
        assert re.search(f"tree: acme/widgets {old} main, checked [^,]*, as {t.url}/mirror has it\n", m.read(".bitbucketfs/status"))
        assert m.status()["trees"][0]["git"] == f"{t.url}/mirror"
        with pytest.raises(OSError) as e:
            m.ls(f"acme/widgets/commits/{new}/tree")
        assert e.value.errno == errno.ENODATA and f"the mirror {t.url}/mirror" in m.told(f"acme/widgets/commits/{new}/tree")
        assert git(bb, mark) == []

        with_service = mounts(cache="with", **t.settings(mirror=True, BITBUCKETFS_GIT_FALLBACK=t.url))
        assert with_service.read("acme/widgets/tree/new.txt") == "one" and git(bb, mark) == []
        assert with_service.read(f"acme/widgets/commits/{new}/tree/new.txt") == "two"
        assert {e["account"] for e in bb.log.since(mark, r"\.git/")} == {"ada"}
        # A repository that the mirror has not at all.
        assert with_service.ls("acme/website/tree")
        assert {x["repository"]: x["git"] for x in with_service.status()["trees"]}["website"] == t.url
        bb.set_mainbranch("acme", "widgets", "experiment/rust")
        t.mirror("acme/widgets")
        with_service.refresh("acme/widgets/tree")
        assert with_service.read("acme/widgets/branches/main/new.txt") == "two" and "new.txt" not in with_service.ls("acme/widgets/tree")


def test_the_secret_is_not_for_any_other_fallback(bb, mounts, tmp_path):
    """It is asked all the same, as by anybody: what is public comes."""
    with team(bb, tmp_path / "team") as t:
        m = mounts("workspaces=opensource", **t.settings(mirror=True, BITBUCKETFS_GIT_FALLBACK=bb.git_url))
        mark = bb.log.mark()
        assert m.read("opensource/libtiny/tree/README.md").startswith("# libtiny\n")
        with pytest.raises(OSError):
            m.ls("acme/widgets/tree")
        came = bb.log.since(mark, r"\.git/")
        assert len(came) > 2 and {e["authorization"] for e in came} == {None}
