"""A name is not an identity: what is known by uuid is asked for by it, and what git says under a name is shown only as long
as the name is the repository's."""
import errno
import os
import re
import subprocess
from urllib.parse import quote

import pytest

from conftest import api, await_true
from test_repository import by_uuid, fails

ACME = "/2.0/repositories/acme"


def polls(bb, mark, slug="widgets"):
    """The questions for refs under a name that were answered."""
    return [e for e in bb.log.since(mark, rf"/acme/{slug}\.git/git-upload-pack")
            if e["done"] and (e["git"] or {}).get("command") == "ls-refs"]


def uuid_of(m, path):
    return re.search(r"^uuid: (.*)", m.read(path + "/info"), re.M)[1]


def names_in(m, path):
    """Its names, none while it fails."""
    try:
        return m.ls(path)
    except OSError:
        return []


def reuse(bb, slug="widgets", new="widgets-old"):
    """The repository gets another name, and a new one is made of its old name."""
    old = bb.rename_repo("acme", slug, new) or bb.state.repository("acme", new)
    fresh = bb.create_repo("acme", slug, pristine="tiny")
    bb.push("acme", slug, {"whose": "the new one's\n"})
    return old, fresh


def test_everything_is_asked_for_by_uuid(bb, mounts):
    """But git, and what nobody told the uuid of."""
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    for name in ("pullrequests/index.tsv", "pullrequests/7/changes/diff", "pipelines/index.tsv", "downloads/index.tsv",
                 "settings/hooks/index.tsv", "commits/index.tsv"):
        m.read("acme/widgets/" + name)
    m.ls("acme/.workspace/members")
    m.ls("acme/.workspace/snippets")
    m.ls("acme/widgets/pullrequests/7/tree")
    where = by_uuid(bb, "acme", "widgets")
    ws = quote(bb.state.workspace("acme").uuid, safe="")
    targets = [e["target"] for e in bb.log.since(mark, r" /2\.0/") if not e["target"].startswith("/2.0/user")]
    assert targets and [t for t in targets if not t.startswith((where + "/", f"/2.0/workspaces/{ws}", f"/2.0/snippets/{ws}"))] == []


def test_a_name_given_to_a_new_one_leads_nobody_astray(bb, mounts):
    """Looked at before the listing knows: what is stored for ever is the old one's."""
    m = mounts()
    m.ls("acme")
    old, fresh = reuse(bb)
    bb.create_pull("acme", "widgets", "Of the new", "main")
    bb.create_pipeline("acme", "widgets", ["Build"], ref="main")
    title = m.read("acme/widgets/pullrequests/merged/11/title")
    diff = m.read("acme/widgets/pullrequests/merged/11/changes/diff")
    pipelines = m.read("acme/widgets/pipelines/index.tsv")
    assert diff and len(pipelines.splitlines()) > 10
    said = m.refresh("acme")
    assert "widgets: another repository now" in said and "widgets-old: new" in said
    assert (uuid_of(m, "acme/widgets"), uuid_of(m, "acme/widgets-old")) == (fresh.uuid, old.uuid)
    assert m.read("acme/widgets-old/pullrequests/merged/11/title") == title
    assert m.read("acme/widgets-old/pullrequests/merged/11/changes/diff") == diff
    assert m.read("acme/widgets-old/pipelines/index.tsv") == pipelines
    assert m.read("acme/widgets/pullrequests/1/title") == "Of the new\n"
    fails(errno.ENOENT, os.stat, m / "acme/widgets/pullrequests/merged/11")


@pytest.mark.parametrize("options", [[], ["ttl=1"]])
@pytest.mark.parametrize("looked", ["before", "after"])
def test_the_files_are_of_the_repository_not_of_the_name(bb, mounts, options, looked):
    """Also of a first look that fell between the rename and the listing which tells of it."""
    oracle = mounts(cache="oracle")
    names = set(oracle.ls("acme/widgets/tree"))
    m = mounts(*options)
    m.ls("acme")
    if looked == "before":
        assert set(m.ls("acme/widgets/tree")) == set(m.ls("acme/widgets/branches/main")) == names
    mark = bb.log.mark()
    reuse(bb)
    if looked == "after":
        m.ls("acme/widgets/tree")
    if options:
        await_true(lambda: polls(bb, mark), "git is asked under the old name")
    m.refresh("acme")
    assert set(m.ls("acme/widgets-old/tree")) == set(m.ls("acme/widgets-old/branches/main")) == names
    assert m.read("acme/widgets/tree/whose") == "the new one's\n"
    if looked == "before":
        bb.offline()
        assert "README.md" in names and m.read("acme/widgets-old/tree/README.md")


def test_a_move_is_not_shown_under_a_name_that_went_over(bb, mounts):
    """What a poll brings of another repository is not shown: it makes the listing be asked for, unasked."""
    m = mounts("ttl=1")
    m.ls("acme")
    names = m.ls("acme/widgets/tree")
    mark = bb.log.mark()
    reuse(bb)
    bb.push("acme", "widgets-old", {"more": "of the old one\n"})
    await_true(lambda: "widgets-old" in m.ls("acme"), "the listing has the new name")
    # The next poll asks by that name, and the kernel hears of names a moment after who lists them.
    await_true(lambda: set(m.ls("acme/widgets-old/tree")) == set(names) | {"more"}, "its push is shown")
    await_true(lambda: os.path.exists(m / "acme/widgets/tree/whose"), "the other one's files")
    assert m.read("acme/widgets/tree/whose") and "more" not in m.ls("acme/widgets/tree")
    # The whole of it, because a rename need not be an update.
    assert not any("q=" in e["path"] for e in bb.log.since(mark, ACME + r"\?"))


def test_a_move_costs_one_request_and_a_poll_none(bb, mounts):
    m = mounts("ttl=1")
    m.ls("acme")
    assert "moved" not in m.ls("acme/widgets/tree")
    m.ls("acme/widgets/branches")
    mark = bb.log.mark()
    await_true(lambda: len(polls(bb, mark)) > 2, "git is asked again and again")
    assert api(bb, mark) == []
    bb.push("acme", "widgets", {"moved": "once\n"})
    await_true(lambda: "moved" in m.ls("acme/widgets/tree"), "the push is shown")
    assert api(bb, mark) == [f"GET {ACME}/widgets"]
    assert bb.log.since(mark, ACME + "/widgets$")[0]["target"] == by_uuid(bb, "acme", "widgets")
    # Within the minute that answer will do.
    bb.push("acme", "widgets", {"moved": "twice\n"})
    await_true(lambda: m.read("acme/widgets/tree/moved") == "twice\n", "the second push is shown")
    assert len(api(bb, mark)) == 1


def test_where_nobody_can_be_asked_the_listing_decides(bb, mounts):
    """A fault: the listing that gave the name is within its lifetime, so the move is shown."""
    m = mounts("ttl=1")
    m.ls("acme")
    m.ls("acme/widgets/tree")
    fault = bb.fault(rf"GET {ACME}/widgets$", "status", status=500)
    bb.push("acme", "widgets", {"moved": "once\n"})
    await_true(lambda: "moved" in m.ls("acme/widgets/tree"), "the push is shown")
    assert fault.hits
    fault.remove()


def shown_unconfirmed(bb, m, listed=True):
    """The repository is widgets-old now; its old name's files were taken for its own while nobody could be asked."""
    if listed:
        m.ls("acme")
    for place in ("tree", "branches", "branches/main", "tags"):
        m.ls("acme/widgets/" + place)
    names = m.ls("acme/widgets/tree")
    reuse(bb)
    fault = bb.fault("GET /2.0/repositories", "status", status=500)
    m.refresh("acme/widgets/tree")
    assert "whose" in m.ls("acme/widgets/tree")
    fault.remove()
    return names


def test_what_was_shown_unconfirmed_is_confirmed_first(bb, mounts):
    """At once where somebody asks for it, though the last question failed just now."""
    m = mounts()
    names = shown_unconfirmed(bb, m)
    mark = bb.log.mark()
    m.refresh("acme/widgets/tree")
    assert len([e for e in bb.log.since(mark) if e["target"] == by_uuid(bb, "acme", "widgets-old")]) == 1
    assert "whose" not in names_in(m, "acme/widgets/tree") or uuid_of(m, "acme/widgets") != bb.state.repository("acme", "widgets-old").uuid
    assert m.ls("acme/widgets-old/tree") == names
    assert m.read("acme/widgets-old/tree/README.md")


@pytest.mark.parametrize("met", [[], ["tree", "branches"]])
def test_what_was_shown_unconfirmed_is_never_under_the_new_name(bb, mounts, met):
    """Also where the new name was met before the listing told of it, and somebody goes on looking under the old one."""
    m = mounts()
    names = shown_unconfirmed(bb, m, listed=not met)
    for place in met:
        assert "whose" not in m.ls("acme/widgets-old/" + place)
        names_in(m, "acme/widgets/" + place)
        names_in(m, "acme/widgets/branches/feature/colours")
        assert m.ls("acme/widgets-old/tree") == names
    m.refresh("acme")
    for _ in range(3):
        assert m.ls("acme/widgets-old/tree") == names
        assert m.read("acme/widgets-old/tree/README.md")
        assert m.read("acme/widgets/tree/whose")
    assert m.ls("acme/widgets-old/branches/main") == names


def test_a_tree_that_is_open_under_the_new_name_moves_back(bb, mounts):
    """As soon as the name is known, not when the tree is asked for next."""
    m = mounts()
    names = m.ls("acme/widgets/tree")
    reuse(bb)
    assert m.ls("acme/widgets-old/tree") == names
    fault = bb.fault("GET /2.0/repositories", "status", status=500)
    names_in(m, "acme/widgets/branches/main")
    m.refresh("acme/widgets-old/tree")
    assert "whose" in m.ls("acme/widgets-old/tree"), "a move that nobody could confirm"
    fault.remove()
    m.ls("acme/widgets-old/branches")
    await_true(lambda: m.ls("acme/widgets-old/tree") == names, "its own files are back", timeout=5)


def test_one_that_is_not_there_any_more_keeps_its_files(bb, mounts):
    """Deleted and made again, and the listing does not know: its uuid answers 404, so what git says now is another's."""
    m = mounts("ttl=1")
    m.ls("acme")
    names = m.ls("acme/widgets/tree")
    bb.delete_repo("acme", "widgets")
    bb.create_repo("acme", "widgets", pristine="tiny")
    bb.push("acme", "widgets", {"whose": "the new one's\n"})
    await_true(lambda: any(t["held"] for t in m.status()["trees"]), "status says that a move is not shown")
    assert m.ls("acme/widgets/tree") == names
    assert "it has moved since" in m.read(".bitbucketfs/status")
    m.refresh("acme")
    assert m.read("acme/widgets/tree/whose") == "the new one's\n"


def test_swapped_names(bb, mounts):
    m = mounts("ttl=1")
    m.ls("acme")
    before = {n: (uuid_of(m, "acme/" + n), set(m.ls(f"acme/{n}/tree"))) for n in ("infra", "website")}
    assert before["infra"] != before["website"]
    mark = bb.log.mark()
    bb.rename_repo("acme", "infra", "between")
    bb.rename_repo("acme", "website", "infra")
    bb.rename_repo("acme", "between", "website")
    await_true(lambda: polls(bb, mark, "infra") and polls(bb, mark, "website"), "both are asked")
    m.refresh("acme")
    after = {n: (uuid_of(m, "acme/" + n), set(m.ls(f"acme/{n}/tree"))) for n in ("infra", "website")}
    assert after == {"infra": before["website"], "website": before["infra"]}


def test_a_name_that_comes_back(bb, mounts):
    m = mounts()
    m.ls("acme")
    names, uuid = m.ls("acme/widgets/tree"), uuid_of(m, "acme/widgets")
    reuse(bb)
    m.refresh("acme")
    assert m.read("acme/widgets/tree/whose")
    bb.delete_repo("acme", "widgets")
    bb.rename_repo("acme", "widgets-old", "widgets")
    said = m.refresh("acme")
    assert "widgets-old: gone" in said and "widgets: another repository now" in said
    assert (uuid_of(m, "acme/widgets"), m.ls("acme/widgets/tree")) == (uuid, names)
    fails(errno.ENOENT, os.stat, m / "acme/widgets-old")


def test_a_renamed_workspace_is_one_directory(bb, mounts):
    """Before the list of workspaces tells, what is below is there all the same; then it has the new name alone."""
    m = mounts("ttl=1")
    m.ls("acme")
    names = m.ls("acme/widgets/tree")
    bb.rename_workspace("acme", "zenith")
    assert m.read("acme/widgets/pullrequests/7/title")
    bb.push("zenith", "widgets", {"moved": "since\n"})
    # A poll finds the name gone, and asks what it is.
    await_true(lambda: "zenith" in m.ls(), "the new name is seen")
    assert "acme" not in m.ls()
    await_true(lambda: not os.path.exists(m / "acme"), "the kernel hears that the old one is gone")
    fails(errno.ENOENT, os.stat, m / "acme")
    await_true(lambda: set(m.ls("zenith/widgets/tree")) == set(names) | {"moved"}, "the push is shown")
    assert [n for n in m.ls() if "widgets" in (m.ls(n) if n == "zenith" else [])] == ["zenith"]


def test_an_old_name_goes_although_a_reader_heard_first(bb, mounts):
    """The poll that heard of it is not over, so the background compares nothing before a reader brings the new list."""
    m = mounts("ttl=1")
    m.ls("acme")
    m.ls("acme/widgets/tree")
    stalled = bb.fault("zenith/widgets.git", "stall")
    bb.rename_workspace("acme", "zenith")
    await_true(lambda: stalled.hits, "the poll goes on under the new name")
    await_true(lambda: "zenith" in m.ls(), "a reader hears of it")
    stalled.remove()
    await_true(lambda: not os.path.exists(m / "acme"), "the kernel hears that the old name is gone")
    assert m.ls("zenith/widgets/tree")


def test_names_are_remembered_across_mounts(bb, mounts):
    """A first look after the rename, with the listing of before; then the listing tells, the mount ends, and git is away."""
    m = mounts()
    m.ls("acme")
    reuse(bb)
    assert "whose" in m.ls("acme/widgets/tree")
    m.refresh("acme")
    m.unmount()
    fault = bb.fault(r"\.git/", "refuse")
    again = mounts()
    with pytest.raises(OSError):
        again.ls("acme/widgets-old/tree")
    fault.remove()
    await_true(lambda: "README.md" in names_in(again, "acme/widgets-old/tree"), "its own files")
    assert "whose" not in again.ls("acme/widgets-old/tree")


def test_who_stands_in_a_pull_request_that_is_merged_goes_on_reading(bb, mounts):
    """Its name among the open ones becomes a link; the directory itself is found elsewhere, and goes on for who stands in it."""
    m = mounts()
    assert "7" in m.ls("acme/widgets/pullrequests")
    there = os.open(m / "acme/widgets/pullrequests/7", os.O_RDONLY | os.O_DIRECTORY)
    try:
        before = set(os.listdir(there))
        shell = subprocess.Popen(["sh", "-c", "cat info; echo; read go; /bin/pwd && cat info && ls -1 && ls comments && cat tree/README.md"],
                                 cwd=m / "acme/widgets/pullrequests/7", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        for line in iter(shell.stdout.readline, "\n"):
            assert not line.startswith("state:") or "OPEN" in line
        bb.merge_pull("acme", "widgets", 7)
        m.refresh("acme/widgets/pullrequests")
        assert os.readlink(m / "acme/widgets/pullrequests/7") == "merged/7"
        assert os.stat(m / "acme/widgets/pullrequests/merged/7").st_ino == os.fstat(there).st_ino
        assert os.path.samestat(os.stat(m / "acme/widgets/pullrequests/7"), os.fstat(there))
        assert os.readlink(f"/proc/self/fd/{there}") == m / "acme/widgets/pullrequests/merged/7"
        assert os.readlink(f"/proc/{shell.pid}/cwd") == m / "acme/widgets/pullrequests/merged/7"
        said, _ = shell.communicate("go\n", timeout=20)
        assert shell.returncode == 0 and "state: MERGED" in said, said
        assert set(os.listdir(there)) == before
        with open(os.open("title", os.O_RDONLY, dir_fd=there)) as f:
            assert f.read() == m.read("acme/widgets/pullrequests/merged/7/title")
    finally:
        os.close(there)


def test_a_pull_request_that_was_merged_is_at_one_place(bb, mounts):
    """Found as merged before the list of the open ones is asked for again: the same directory, now there."""
    m = mounts()
    open_one = m / "acme/widgets/pullrequests/7"
    closed_one = m / "acme/widgets/pullrequests/merged/7"
    was = os.stat(open_one).st_ino
    children = {n: os.stat(os.path.join(open_one, n)).st_ino for n in ("comments", "changes")}
    bb.merge_pull("acme", "widgets", 7)
    m.refresh("acme/widgets/pullrequests/7")
    assert os.stat(closed_one).st_ino == was
    m.refresh("acme/widgets/pullrequests")
    assert os.readlink(open_one) == "merged/7"
    assert os.stat(closed_one).st_ino == os.stat(open_one).st_ino == was
    assert "state: MERGED" in m.read("acme/widgets/pullrequests/7/info")
    assert set(children) <= set(os.listdir(closed_one))


def test_a_repository_without_a_uuid_is_asked_by_its_name(bb, mounts):
    """Also for the commit of a pull request that only a fork had: there is none, and the mount goes on."""
    bb.update_repo("acme", "widgets", {"uuid": None})
    m = mounts()
    assert "README.md" in m.ls("acme/widgets/pullrequests/7/tree")
    with pytest.raises(OSError) as e:
        m.ls("acme/widgets/pullrequests/16/tree")
    assert e.value.errno == errno.ENODATA
    assert "README.md" in m.ls("acme/widgets/tree")
