"""Identity: renames, slugs that are made again, and what a 403, 404 or 410 may take away (src/model/README.md, 8; src/model/README.md, 10)."""
import errno
import json
import os
import re
from urllib.parse import quote

import pytest

from conftest import api, asked, await_true, git

NONE = {"type": "error", "error": {"message": "Resource not found"}}


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def refused(bb, match, status, **options):
    return bb.fault(match, "status", status=status, body=json.dumps(NONE), headers={"Content-Type": "application/json"},
                    **options)


def test_a_renamed_repository_is_there_under_its_new_name_only(bb, mounts):
    m = mounts()
    assert m.read("acme/infra/info")
    m.ls("acme")
    bb.rename_repo("acme", "infra", "platform")
    said = m.refresh("acme")
    assert "infra: gone" in said and "platform: new" in said
    names = m.ls("acme")
    assert "platform" in names and "infra" not in names
    assert "slug: platform" in m.read("acme/platform/info")
    fails(errno.ENOENT, os.stat, m / "acme/infra")


def test_a_rename_fetches_no_git_again(bb, mounts):
    """A repository is its uuid: the new name is new, the tree is at hand."""
    m = mounts()
    m.ls("acme")
    before = m.read("acme/infra/tree/network.tf")
    bb.rename_repo("acme", "infra", "platform")
    m.refresh("acme")
    mark = bb.log.mark()
    assert m.read("acme/platform/tree/network.tf") == before
    assert not [e for e in bb.log.since(mark, r"git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]
    m.unmount()
    mark = bb.log.mark()
    again = mounts()
    assert again.read("acme/platform/tree/network.tf") == before
    assert not [e for e in bb.log.since(mark, r"git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]


def test_a_renamed_workspace_fetches_no_git_again(bb, mounts):
    m = mounts()
    m.ls(), m.ls("acme")
    before = m.read("acme/infra/tree/network.tf")
    bb.rename_workspace("acme", "zenith")
    said = m.refresh()
    assert "acme: gone" in said and "zenith: new" in said
    assert "zenith" in m.ls() and "acme" not in m.ls()
    mark = bb.log.mark()
    assert m.read("zenith/infra/tree/network.tf") == before
    assert not [e for e in bb.log.since(mark, r"git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]
    assert set(m.ls("zenith")) >= {"infra", "widgets"}
    m.refresh("zenith")
    assert "full_name: zenith/infra" in m.read("zenith/infra/info")


def test_a_rename_is_seen_in_a_workspace_never_listed(bb, mounts):
    m = mounts()
    assert m.read("acme/infra/info")
    bb.rename_repo("acme", "infra", "platform")
    assert "infra: gone" in m.refresh("acme/infra")
    fails(errno.ENOENT, os.stat, m / "acme/infra")
    assert "slug: platform" in m.read("acme/platform/info")


def test_a_rename_that_a_repository_tells_is_seen_in_its_listing(bb, mounts):
    m = mounts()
    m.ls("acme")
    m.read("acme/infra/info")
    bb.rename_repo("acme", "infra", "platform")
    m.refresh("acme/infra")
    await_true(lambda: "platform" in m.ls("acme") and "infra" not in m.ls("acme"), "the listing has the new name")
    fails(errno.ENOENT, os.stat, m / "acme/infra")
    assert "slug: platform" in m.read("acme/platform/info")


def test_a_slug_that_was_deleted_and_made_again_does_not_show_old_content(bb, mounts):
    m = mounts()
    m.ls("acme")
    assert "network.tf" in m.ls("acme/infra/tree")
    old = m.read("acme/infra/info")
    bb.delete_repo("acme", "infra")
    bb.create_repo("acme", "infra", pristine="tiny", description="A new beginning")
    assert "infra: another repository now" in m.refresh("acme")
    assert m.read("acme/infra/description") == "A new beginning\n"
    assert re.search(r"^uuid: .*", old, re.M).group() not in m.read("acme/infra/info")
    assert "network.tf" not in m.ls("acme/infra/tree")
    assert m.read("acme/infra/tree/src/main.py") == "print('hello')\n"


def by_uuid(bb, ws, slug):
    """What is asked for one repository, as it is sent: nothing that a rename would change."""
    r = bb.state.repository(ws, slug)
    return "/2.0/repositories/%s/%s" % tuple(quote(u.uuid, safe="") for u in (r.workspace, r))


def test_rule_8_a_single_404_of_a_document_changes_nothing(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = m.read("acme/widgets/info")
    fault = refused(bb, r"GET /2\.0/repositories/acme/widgets$", 404)
    fails(errno.ENOENT, m.refresh, "acme/widgets")
    assert fault.hits
    assert m.read("acme/widgets/info") == before
    assert "widgets" in m.ls("acme")
    fault.remove()
    assert "unchanged" in m.refresh("acme/widgets")


@pytest.mark.parametrize("status", [403, 404, 410, 500, 503, 555])
def test_rule_8_a_failing_listing_changes_nothing(bb, mounts, status):
    m = mounts()
    names = m.ls("acme")
    fault = refused(bb, r"GET /2\.0/repositories/acme\?", status)
    code = {403: errno.EACCES, 404: errno.ENOENT, 410: errno.ENOENT}.get(status, errno.EIO)
    fails(code, m.refresh, "acme")
    assert fault.hits
    assert m.ls("acme") == names
    assert "name: widgets" in m.read("acme/widgets/info")
    assert m.read("acme/website/description").startswith("www.acme.example")


def test_rule_8_what_a_complete_listing_lacks_stays_while_it_answers_itself(bb, mounts):
    """A listing with a hole that nobody notices: the one that is missing is asked for itself."""
    m = mounts()
    m.ls("acme")
    kept = [v for v in json.loads(ask(bb, "/repositories/acme?pagelen=100"))["values"] if v["slug"] != "infra"]
    fault = bb.fault(r"GET /2\.0/repositories/acme\?", "status", status=200, headers={"Content-Type": "application/json"},
                     body=json.dumps({"values": kept, "size": len(kept), "pagelen": 100, "page": 1}))
    mark = bb.log.mark()
    m.refresh("acme")
    assert api(bb, mark)[1:] == ["GET /2.0/repositories/acme/infra"]
    assert by_uuid(bb, "acme", "infra") == bb.log.since(mark, r"repositories/acme/infra$")[0]["target"]
    assert "infra" in m.ls("acme") and m.read("acme/infra/info")
    fault.remove()


def ask(bb, path, account="ada"):
    import base64
    import urllib.request
    a = bb.accounts[account]
    secret = base64.b64encode(f"{a.email}:{a.token}".encode()).decode()
    request = urllib.request.Request(bb.api_url + path, headers={"Authorization": "Basic " + secret})
    with urllib.request.urlopen(request) as reply:
        return reply.read()


@pytest.mark.parametrize("status", [403, 404])
def test_rule_8_a_repository_vanishes_when_both_say_so(bb, mounts, status):
    m = mounts()
    m.ls("acme")
    m.ls("acme/infra/tree")
    gone = bb.delete_repo("acme", "infra")
    if status == 403:
        refused(bb, gone.uuid.strip("{}"), 403)
    assert "infra: gone" in m.refresh("acme")
    assert "infra" not in m.ls("acme")
    fails(errno.ENOENT, os.stat, m / "acme/infra")
    fails(errno.ENOENT, os.stat, m / "acme/infra/tree/network.tf")
    assert re.search(r"\tacme/infra\tENOENT\t", m.errors())


def test_rule_8_a_repository_does_not_vanish_for_a_server_fault(bb, mounts):
    m = mounts()
    m.ls("acme")
    gone = bb.delete_repo("acme", "infra")
    fault = refused(bb, gone.uuid.strip("{}"), 500)
    m.refresh("acme")
    assert fault.hits
    assert "infra" in m.ls("acme")
    fault.remove()
    assert "infra: gone" in m.refresh("acme")
    assert "infra" not in m.ls("acme")


def test_rule_8_a_deleted_workspace_is_not_there(bb, mounts):
    m = mounts()
    m.ls()
    bb.create_workspace("novel")
    bb.delete_workspace("novel", gone=True)
    fails(errno.ENOENT, os.stat, m / "novel")


def test_rule_8_a_workspace_vanishes_when_the_list_lacks_it_and_it_says_so_itself(bb, mounts):
    m = mounts()
    bb.create_workspace("novel")
    assert "novel" in m.ls()
    fault = refused(bb, r"GET /2\.0/user/workspaces", 404)
    fails(errno.ENOENT, m.refresh)
    assert "novel" in m.ls()
    fault.remove()
    bb.delete_workspace("novel")
    assert "novel: gone" in m.refresh()
    assert "novel" not in m.ls()
    fails(errno.ENOENT, os.stat, m / "novel")


def test_rule_8_a_workspace_one_has_left_but_may_still_see_stays(bb, mounts):
    m = mounts()
    m.ls()
    del bb.state.workspaces["edge"].members["ada"]
    bb.state.workspaces["edge"].members["gone"] = "owner"
    m.refresh()
    assert "edge" in m.ls()


@pytest.mark.parametrize("status, code", [(401, errno.EACCES), (403, errno.EACCES), (404, errno.ENODATA), (410, errno.ENODATA),
                                          (500, errno.EIO)])
def test_rule_8_an_error_is_never_an_empty_directory(bb, mounts, status, code):
    """Not even where the service says that it is not there: nor is it one that was deleted (ENOENT)."""
    m = mounts()
    os.stat(m / "acme")
    refused(bb, r"GET /2\.0/repositories/acme\?", status)
    fails(code, os.listdir, m / "acme")
    assert re.search(rf"\tacme\t{errno.errorcode[code]}\t\S", m.errors())


@pytest.mark.parametrize("status, code", [(401, errno.EACCES), (403, errno.EACCES), (404, errno.ENOENT), (410, errno.ENOENT),
                                          (500, errno.EIO), (555, errno.EIO)])
def test_rule_8_the_errno_of_what_is_not_cached(bb, mounts, status, code):
    m = mounts()
    os.stat(m / "acme")
    refused(bb, r"GET /2\.0/repositories/acme/widgets", status)
    fails(code, os.stat, m / "acme/widgets")
    if code != errno.ENOENT:
        assert re.search(rf"\tacme/widgets\t{errno.errorcode[code]}\t\S", m.errors())


def test_rule_10_a_file_held_open_keeps_its_content_and_the_name_gets_a_new_inode(bb, mounts):
    m = mounts()
    m.ls("acme")
    path = m / "acme/widgets/description"
    with open(path, "rb") as held:
        inode, first = os.fstat(held.fileno()).st_ino, os.pread(held.fileno(), 5, 0)
        assert first == b"Makes"
        bb.update_repo("acme", "widgets", description="Another text altogether, and a longer one")
        m.refresh("acme/widgets")
        assert m.read("acme/widgets/description") == "Another text altogether, and a longer one\n"
        assert os.stat(path).st_ino != inode
        assert os.fstat(held.fileno()).st_ino == inode
        assert os.fstat(held.fileno()).st_size == len("Makes widgets, one at a time\n")
        assert held.read() == b"Makes widgets, one at a time\n"


def test_rule_10_a_file_that_did_not_change_keeps_its_inode(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = {n: os.stat(m / f"acme/widgets/{n}").st_ino for n in ("info", "description", "repository.json")}
    assert "unchanged" in m.refresh("acme/widgets")
    m.refresh("acme")
    assert {n: os.stat(m / f"acme/widgets/{n}").st_ino for n in before} == before


def test_rule_10_a_directory_keeps_its_inode(bb, mounts):
    m = mounts()
    m.ls("acme")
    before = os.stat(m / "acme").st_ino, os.stat(m / "acme/widgets").st_ino, os.stat(m / "acme/widgets/tree").st_ino
    bb.update_repo("acme", "widgets", description="Changed")
    bb.create_repo("acme", "brand-new")
    m.refresh("acme")
    m.ls("acme")
    assert (os.stat(m / "acme").st_ino, os.stat(m / "acme/widgets").st_ino, os.stat(m / "acme/widgets/tree").st_ino) == before


def test_a_refresh_of_one_repository_costs_one_request_beside_its_ref(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    m.refresh("acme/widgets")
    assert len(asked(bb, mark)) == 1
    m.ls("acme/widgets/tree")
    mark = bb.log.mark()
    m.refresh("acme/widgets")
    assert (len(api(bb, mark)), len(git(bb, mark))) == (1, 1)
    mark = bb.log.mark()
    m.refresh("acme/widgets/tree")
    assert (len(api(bb, mark)), len(git(bb, mark))) == (0, 1)


def test_refresh_of_what_is_not_there(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    for path in ("acme/no-such-thing", "acme/widgets/no-such-thing", "acme/No Such"):
        fails(errno.ENOENT, m.refresh, path)
    assert asked(bb, mark) == []


def test_a_refresh_says_that_git_refuses_what_the_api_has(bb, mounts):
    """It is there by its object: that its files cannot be asked for is not kept quiet."""
    m = mounts()
    m.ls("acme/widgets/tree")
    f = bb.fault(r"acme/widgets\.git/", "status", status=404)
    fails(errno.ENOENT, m.refresh, "acme/widgets")
    f.remove()

    def said():
        try:
            return m.refresh("acme/widgets")
        except FileNotFoundError:
            return ""   # a failure is remembered for a moment
    await_true(said, "git answers again")


def test_refresh_lists_nothing(m, bb):
    mark = bb.log.mark()
    assert m.ls(".bitbucketfs/refresh") == [] == m.ls(".bitbucketfs/refresh/acme/widgets/tree")
    assert asked(bb, mark) == []


def test_a_reader_who_waits_for_nothing_sees_a_rename_in_time(bb, mounts):
    """An entry of a listing that is renamed while a shell stands in the old name."""
    m = mounts()
    m.ls("acme")
    fd = os.open(m / "acme/infra", os.O_RDONLY)
    try:
        bb.rename_repo("acme", "infra", "platform")
        m.refresh("acme")
        await_true(lambda: "platform" in m.ls("acme"), "the new name")
        assert "info" in os.listdir(fd)
    finally:
        os.close(fd)
