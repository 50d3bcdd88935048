"""The rules of the layout that hold everywhere, each by its number."""
import errno
import json
import os
import re
import stat
import subprocess
from datetime import datetime

import pytest

from conftest import REPOSITORY, api, asked, await_true, mounted

IMPOSSIBLE = [".git", ".Trash-1000", ".Trash", ".hidden", ".xdg-volume-info", "desktop.ini", "Acme", "a b", "a\nb", "ä", "a%2Fb",
              "a:b", "a@b", "AUTORUN.INF", "Thumbs.db", "@eaDir", "~", "a~", "#a#", "...", "..a", "\udcff"]


def fails(code, call, *args, **kwargs):
    with pytest.raises(OSError) as e:
        call(*args, **kwargs)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def moment(text):
    return int(datetime.fromisoformat(text).timestamp())


def every_file(top):
    for place, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f not in ("tree", "branches", "tags", "commits")]
        for name in names:
            yield os.path.join(place, name)


def test_the_root_lists_workspaces_and_the_control_directory(shared_bb, shared):
    assert shared.ls() == [".bitbucketfs", "acme", "ada-lindqvist", "edge", "monolith-labs"]


def test_a_repository_has_these_names(shared):
    assert {"description", "info", "repository.json", "tree"} <= set(shared.ls("acme/widgets")) <= REPOSITORY


def test_a_workspace_says_of_itself_where_a_plain_ls_does_not_look(shared):
    assert ".workspace" in os.listdir(shared / "acme")
    assert ".workspace" not in subprocess.run(["ls", shared / "acme"], check=True, capture_output=True, text=True).stdout


def test_rule_1_ls_l_of_a_repository_costs_nothing(shared_bb, shared):
    shared.ls("acme")
    mark = shared_bb.log.mark()
    for name in shared.ls("acme"):
        subprocess.run(["ls", "-l", shared / f"acme/{name}"], check=True, stdout=subprocess.DEVNULL)
    # But one connection with git's server.
    assert [re.sub(r"acme/[^/]*", "NAME", line.split("?")[0]) for line in asked(shared_bb, mark)] in ([], ["GET /NAME/info/refs"])


def test_rule_3_sizes_are_true(shared_bb, shared):
    seen = 0
    for path in every_file(shared / "acme"):
        size = os.stat(path).st_size
        with open(path, "rb") as f:
            assert len(f.read()) == size, path
        seen += 1
    assert seen > 3 * len(shared.ls("acme"))


def test_rule_3_sizes_are_true_of_texts_that_are_made_when_looked_at(shared):
    for name in ("README", "status", "status.json", "errors", "events", "user.json"):
        fd = os.open(shared / f".bitbucketfs/{name}", os.O_RDONLY)
        try:
            size = os.fstat(fd).st_size
            text = os.read(fd, 1 << 20)
        finally:
            os.close(fd)
        assert len(text) == size, name
        assert size or name in ("errors", "events"), name


def test_rule_3_other_programs_see_the_sizes_they_read(shared, tmp_path):
    """tar refuses to lie: a file that is longer or shorter than its stat is a warning and exit 1."""
    done = subprocess.run(["tar", "-C", shared / "acme", "-cf", tmp_path / "x.tar", "widgets/tree", "widgets/info",
                           "widgets/pullrequests/5", "widgets/network", "website/repository.json", ".workspace/projects"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_rule_4_a_repository_is_as_old_as_its_last_change(shared):
    for name in shared.ls("acme"):
        updated = moment(json.loads(shared.read(f"acme/{name}/repository.json"))["updated_on"])
        assert int(os.stat(shared / f"acme/{name}").st_mtime) == updated
        for file in ("info", "description", "repository.json"):
            assert int(os.stat(shared / f"acme/{name}/{file}").st_mtime) == updated


def test_rule_4_ls_lt_sorts_by_last_change(shared):
    said = subprocess.run(["ls", "-t", shared / "acme"], capture_output=True, text=True, check=True).stdout.split()
    times = [moment(json.loads(shared.read(f"acme/{name}/repository.json"))["updated_on"]) for name in said]
    assert times == sorted(times, reverse=True)


def test_rule_5_impossible_names_cost_nothing(shared_bb, shared):
    shared.ls(), shared.ls("acme")
    mark = shared_bb.log.mark()
    for name in IMPOSSIBLE:
        for place in ("", "acme/", "acme/widgets/", ".bitbucketfs/"):
            fails(errno.ENOENT, os.stat, shared / (place + name))
    assert asked(shared_bb, mark) == []


def test_rule_5_impossible_names_cost_nothing_where_nothing_was_listed(shared_bb, shared_mounts):
    m = shared_mounts(cache="never-listed")
    mark = shared_bb.log.mark()
    for name in IMPOSSIBLE:
        fails(errno.ENOENT, os.stat, m / name)
    assert asked(shared_bb, mark) == []
    os.stat(m / "acme")
    mark = shared_bb.log.mark()
    for name in IMPOSSIBLE:
        if not re.fullmatch(r"[a-z0-9._-]+", name) or name in (".", ".."):
            fails(errno.ENOENT, os.stat, m / f"acme/{name}")
    assert asked(shared_bb, mark) == []


def test_rule_5_names_over_255_bytes(shared_bb, shared):
    mark = shared_bb.log.mark()
    for place in ("", "acme/", "acme/widgets/", ".bitbucketfs/", ".bitbucketfs/refresh/"):
        fails(errno.ENAMETOOLONG, os.stat, shared / (place + "a" * 256))
        fails(errno.ENAMETOOLONG, os.stat, shared / (place + "ü" * 128))
    assert asked(shared_bb, mark) == []


def test_rule_5_unknown_workspaces_are_remembered(shared_bb, shared):
    mark = shared_bb.log.mark()
    for _ in range(5):
        fails(errno.ENOENT, os.stat, shared / "nobody-here")
    assert api(shared_bb, mark) == ["GET /2.0/workspaces/nobody-here"]


def test_rule_5_unknown_repositories_are_remembered(shared_bb, shared_mounts):
    m = shared_mounts(cache="unknown-repositories")
    os.stat(m / "acme")
    mark = shared_bb.log.mark()
    for _ in range(5):
        fails(errno.ENOENT, os.stat, m / "acme/no-such-thing")
    assert api(shared_bb, mark) == ["GET /2.0/repositories/acme/no-such-thing"]


def test_rule_5_a_listed_workspace_knows_what_it_lacks(shared_bb, shared):
    shared.ls("acme")
    mark = shared_bb.log.mark()
    fails(errno.ENOENT, os.stat, shared / "acme/no-such-thing")
    assert asked(shared_bb, mark) == []


def test_rule_6_a_foreign_workspace_can_be_entered_by_name_and_then_is_listed(shared_bb, shared_mounts):
    m = shared_mounts(cache="rule-6")
    assert "opensource" not in m.ls()
    mark = shared_bb.log.mark()
    assert stat.S_ISDIR(os.stat(m / "opensource").st_mode)
    assert api(shared_bb, mark) == ["GET /2.0/workspaces/opensource"]
    assert m.ls("opensource") == ["libtiny"]
    await_true(lambda: "opensource" in m.ls(), "it is listed")
    assert len(api(shared_bb, mark)) == 2
    assert "widgets" not in m.ls("opensource")
    fails(errno.ENOENT, os.stat, m / "opensource/hidden")


def test_rule_6_without_an_account(shared_bb, shared_mounts):
    m = shared_mounts(account=None, cache="anonymous")
    assert m.ls() == [".bitbucketfs"]
    assert m.ls("opensource") == ["libtiny"]
    assert m.read("opensource/libtiny/tree/README.md").startswith("# libtiny")
    assert m.ls("acme") == ["website"]
    await_true(lambda: m.ls() == [".bitbucketfs", "acme", "opensource"], "both are listed")


def test_rule_6_a_private_workspace_is_refused_with_the_reason(shared_bb, shared):
    fails(errno.EACCES, os.stat, shared / "vault")
    assert re.search(r"\tvault\tEACCES\t\S.*", shared.errors())


CHANGES = {
    "create": lambda p: os.open(p + "/new", os.O_CREAT | os.O_WRONLY),
    "write": lambda p: os.open(p + "/info", os.O_WRONLY),
    "append": lambda p: os.open(p + "/info", os.O_WRONLY | os.O_APPEND),
    "read-write": lambda p: os.open(p + "/info", os.O_RDWR),
    "truncate-open": lambda p: os.open(p + "/info", os.O_RDONLY | os.O_TRUNC),
    "truncate": lambda p: os.truncate(p + "/info", 0),
    "unlink": lambda p: os.unlink(p + "/info"),
    "rmdir": lambda p: os.rmdir(p + "/tree"),
    "mkdir": lambda p: os.mkdir(p + "/new"),
    "rename": lambda p: os.rename(p + "/info", p + "/new"),
    "rename-over": lambda p: os.rename(p + "/info", p + "/description"),
    "link": lambda p: os.link(p + "/info", p + "/new"),
    "symlink": lambda p: os.symlink("info", p + "/new"),
    "mknod": lambda p: os.mknod(p + "/new"),
    "mkfifo": lambda p: os.mkfifo(p + "/new"),
    "chmod": lambda p: os.chmod(p + "/info", 0o644),
    "chown": lambda p: os.chown(p + "/info", os.getuid(), os.getgid()),
    "utime": lambda p: os.utime(p + "/info", (0, 0)),
    "setxattr": lambda p: os.setxattr(p + "/info", "user.x", b"y"),
    "removexattr": lambda p: os.removexattr(p + "/info", "user.x"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_rule_7_every_change_is_refused_by_the_kernel(shared_bb, shared, how):
    shared.read("acme/widgets/info")
    mark = shared_bb.log.mark()
    fails(errno.EROFS, CHANGES[how], shared / "acme/widgets")
    assert asked(shared_bb, mark) == []


def test_rule_7_modes_and_owner(shared):
    shared.ls("acme/widgets/tree")
    for place, folders, names in os.walk(shared / "acme/widgets"):
        # All of these would be more than an hour's requests; of a pull request whose commit is gone the tree is missing.
        folders[:] = [f for f in folders if f not in ("commits", "pipelines", "merged", "declined", "superseded", "16")]
        for name in folders + names:
            st = os.lstat(os.path.join(place, name))
            assert (st.st_uid, st.st_gid) == (os.getuid(), os.getgid()), name
            if stat.S_ISDIR(st.st_mode):
                assert stat.S_IMODE(st.st_mode) == 0o755, name
            elif stat.S_ISREG(st.st_mode):
                # On one branch it is no program any more; test_branches.py compares them with git's.
                modes = {0o644, 0o755} if name == "run.sh" and "/widgets/tree" not in place else {0o755 if name == "run.sh" else 0o644}
                assert stat.S_IMODE(st.st_mode) in modes, name
    assert stat.S_IMODE(os.stat(shared.path).st_mode) == 0o755


def test_rule_7_mounted_read_only(shared):
    kind, source, options = mounted(shared.path)
    assert (kind, source) == ("fuse.bitbucketfs", "bitbucket:ada@example.com")
    assert {"ro", "nosuid", "nodev", "default_permissions"} <= set(options.split(","))


def test_rule_7_no_git_directory_in_a_tree(shared_bb, shared):
    shared.ls("acme/widgets/tree/src")
    mark = shared_bb.log.mark()
    for place in ("acme/widgets/tree/src", "acme/widgets/tree", "acme/widgets", "acme", ""):
        for name in (".git", ".hg", ".svn", "HEAD"):
            fails(errno.ENOENT, os.stat, shared / os.path.join(place, name))
    assert asked(shared_bb, mark) == []


def test_rule_8_a_missing_scope_is_said(shared_mounts, shared_bb):
    """What is refused is an error with a sentence, never an empty directory."""
    fault = shared_bb.fault(r"GET /2\.0/repositories/edge\b", "status", status=403, body=json.dumps(
        {"type": "error", "error": {"message": "Your credentials lack one or more required privilege scopes.",
                                    "detail": {"required": ["read:repository:bitbucket"], "granted": []}}}))
    try:
        m = shared_mounts(cache="rule-8")
        assert "edge" in m.ls()
        fails(errno.EACCES, os.listdir, m / "edge")
        assert "edge" in m.ls()
        line = [x for x in m.errors().splitlines() if "\tedge\t" in x][-1]
        assert "\tEACCES\t" in line and "read:repository:bitbucket" in line
    finally:
        fault.remove()
    m.refresh("edge")       # a failure is remembered for a moment, but not against who asks again
    assert "hard" in m.ls("edge")


def test_rule_12_extended_attributes_are_off_and_cost_nothing(shared_bb, shared):
    mark = shared_bb.log.mark()
    for path in (shared.path, shared / "acme", shared / "acme/widgets/info", shared / "acme/widgets/tree/README.md"):
        fails(errno.ENOTSUP, os.listxattr, path)
        fails(errno.ENOTSUP, os.getxattr, path, "user.bitbucket.url")
        fails(errno.ENOTSUP, os.getxattr, path, "security.selinux")
    assert api(shared_bb, mark) == []


def test_rule_13_trees_are_bounded(shared_bb, shared_mounts):
    m = shared_mounts("trees=2", cache="rule-13")
    assert "README.md" in m.ls("acme/widgets/tree")
    assert "README.md" in m.ls("acme/website/tree")
    mark = shared_bb.log.mark()
    for _ in range(3):
        fails(errno.EDQUOT, os.listdir, m / "acme/infra/tree")
        fails(errno.EDQUOT, os.stat, m / "acme/infra/tree/README.md")
    assert not [e for e in shared_bb.log.since(mark, r"git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]
    assert re.search(r"\tacme/infra/tree\tEDQUOT\t.*trees=2", m.errors())
    # What is here already stays readable, and asking for its ref again is no materialisation.
    assert m.read("acme/widgets/tree/README.md").startswith("# widgets")
    m.refresh("acme/widgets/tree")
    assert m.ls("acme/empty-for-now/tree") == []


def test_rule_13_a_mount_with_the_trees_in_its_cache_brings_none(shared_bb, shared_mounts):
    first = shared_mounts("trees=2", cache="rule-13-again")
    first.ls("acme/widgets/tree"), first.ls("acme/website/tree")
    first.unmount()
    second = shared_mounts("trees=1", cache="rule-13-again")
    assert "README.md" in second.ls("acme/widgets/tree")
    assert "README.md" in second.ls("acme/website/tree")
    assert "README.md" in second.ls("acme/infra/tree")
    fails(errno.EDQUOT, os.listdir, second / "acme/billing/tree")


def test_df_answers(shared):
    st = os.statvfs(shared.path)
    assert st.f_namemax == 255
    assert st.f_flag & os.ST_RDONLY
