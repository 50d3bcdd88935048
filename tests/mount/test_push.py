"""Freshness of trees: a push is seen within ttl, and nothing that did not change is disturbed."""
import errno
import os
import stat
import subprocess
import time

import pytest

from bitbucket import gitrepo
from conftest import PATIENCE, SANITIZED, api, asked, await_true, checkout, git, same_trees

W = "acme/widgets/tree"


def inodes(top):
    """{path: (inode, mtime)} of everything below a directory, itself as '.'."""
    found = {}
    for place, _, names in os.walk(top):
        for name in [".", *names]:
            st = os.lstat(os.path.join(place, name))
            found[os.path.normpath(os.path.relpath(os.path.join(place, name), top))] = st.st_ino, st.st_mtime
    return found


def is_there(path):
    return lambda: os.path.lexists(path)


def test_a_push_is_seen_within_ttl(bb, mounts):
    m = mounts("ttl=1")
    before = inodes(m / W)
    pushed = time.monotonic()
    bb.push("acme", "widgets", {"src/widget.c": "/* another */\n", "src/new.c": "int n;\n", "docs/index.md": None,
                                "added/deep/down.txt": "down\n"})
    now = int(time.time())
    await_true(is_there(m / (W + "/src/new.c")), "the new file")
    assert SANITIZED or time.monotonic() - pushed < 5, "ttl, and a few seconds for a slow machine"
    assert m.read(W + "/src/widget.c") == "/* another */\n"
    assert m.read(W + "/src/new.c") == "int n;\n"
    assert m.read(W + "/added/deep/down.txt") == "down\n"
    assert not os.path.exists(m / (W + "/docs/index.md"))
    after = inodes(m / W)
    assert set(after) == set(before) - {"docs/index.md"} | {"src/new.c", "added", "added/deep", "added/deep/down.txt"}
    for path in set(before) & set(after):
        if os.path.isdir(m / f"{W}/{path}"):
            assert after[path][0] == before[path][0], f"the directory {path} keeps its inode"
        elif path == "src/widget.c":
            assert after[path][0] != before[path][0], "a changed file is another inode"
            assert abs(after[path][1] - now) < 60
        else:
            assert after[path] == before[path], f"{path} keeps its inode and time"
    assert m.ls(W + "/src") == ["main.c", "new.c", "quiet.c", "widget.c", "widget.h"]


def test_a_push_costs_one_ls_refs_and_one_small_fetch(bb, mounts):
    bb.filter = False
    m = mounts()
    m.ls("edge/hard/tree")
    first = sum(e["bytes"] for e in bb.log.since(match=r"hard\.git/"))
    bb.push("edge", "hard", {"CHANGES": "two\n"})
    mark = bb.log.mark()
    assert "->" in m.refresh("edge/hard/tree")
    entries = bb.log.since(mark)
    # Between them whether that is still the repository's name.
    assert [(e["git"] or {}).get("command") for e in entries] == ["ls-refs", None, "fetch"], asked(bb, mark)
    assert entries[1]["path"] == "/2.0/repositories/edge/hard"
    assert entries[2]["git"]["deepen"] == 1 and entries[2]["git"]["haves"]
    assert sum(e["bytes"] for e in entries) < min(200000, first / 4)
    assert m.read("edge/hard/tree/CHANGES") == "two\n"


def test_the_tree_is_what_git_checks_out_after_pushes(bb, mounts, tmp_path):
    """Everything that a name can become: file, directory, link, submodule, executable, nothing."""
    m = mounts()
    bb.create_repo("acme", "changing", pristine="widgets")
    subprocess.run(["ls", "-lR", m / "acme/changing/tree"], check=True, stdout=subprocess.DEVNULL)
    pushes = [
        {"src/main.c": ("exec", b"now a program\n"), "README.md": ("symlink", "docs/guide.md")},
        {"docs/guide.md": None, "docs/guide.md/inside.txt": "a directory now\n"},
        {"docs": None}, {"docs": "a file now\n"}, {"docs": ("symlink", "src")}, {"docs": None, "docs/again.md": "back\n"},
        {"src": ("submodule", "1234567890abcdef1234567890abcdef12345678")},
        {"src": ("submodule", "234567890abcdef1234567890abcdef123456789")}, {"src": None, "src/a/b/c/d.txt": "deep\n"},
        {"src/a/b": None, "src/a/b2/c/d.txt": "deep\n", "src/main.c": "back\n"},
        {f"many/{i}.txt": f"{i}\n" for i in range(300)}, {f"many/{i}.txt": None for i in range(0, 300, 2)},
        {"README.md": "text\n", "names/with\nnewline": "x\n", "names/\udcff": "y\n"}]
    for i, files in enumerate(pushes):
        bb.push("acme", "changing", files)
        m.refresh("acme/changing/tree")
        want = checkout(bb.repo_path("acme", "changing"), str(tmp_path / f"want-{i}"))
        assert same_trees(want, m / "acme/changing/tree") == "", list(files)[0]
        assert sorted(os.listdir(os.fsencode(m / "acme/changing/tree"))) == sorted(os.listdir(os.fsencode(want)))
        for place, _, names in os.walk(want):
            for name in names:
                path = os.path.join(place, name)
                if os.path.islink(path):
                    continue
                shown = os.stat(os.path.join(m / "acme/changing/tree", os.path.relpath(path, want))).st_mode
                assert bool(shown & 0o111) == bool(os.stat(path).st_mode & 0o111), name


def test_a_file_that_only_became_executable(bb, mounts):
    m = mounts()
    path = m / (W + "/README.md")
    text, before = m.read(W + "/README.md"), os.stat(path)
    bb.push("acme", "widgets", {"README.md": ("exec", text.encode())})
    m.refresh(W)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o755 and stat.S_IMODE(before.st_mode) == 0o644
    assert m.read(W + "/README.md") == text


def test_a_shell_that_stands_in_a_directory_stays_usable(bb, mounts):
    m = mounts("ttl=1")
    m.ls(W + "/src")
    shell = subprocess.Popen(["sh"], cwd=m / (W + "/src"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(line):
        shell.stdin.write(line + "; echo :$?\n")
        shell.stdin.flush()
        said = []
        while not (said and said[-1].startswith(":")):
            said.append(shell.stdout.readline().rstrip("\n"))
            assert said[-1] or shell.poll() is None
        return said[:-1], int(said[-1][1:])
    try:
        assert run("ls") == (["main.c", "quiet.c", "widget.c", "widget.h"], 0)
        bb.push("acme", "widgets", {"src/new.c": "int n;\n", "src/quiet.c": None, "src/main.c": "changed\n"})
        await_true(lambda: run("ls")[0] == ["main.c", "new.c", "widget.c", "widget.h"], "the new listing")
        assert run("cat main.c new.c") == (["changed", "int n;"], 0)
        assert run("/bin/pwd") == ([m / (W + "/src")], 0)
        assert run("ls ..; cat ../LICENSE | head -1")[0][-1] == "MIT License"
        assert run("cat quiet.c 2>/dev/null")[1] == 1
    finally:
        shell.stdin.close()
        shell.stdout.close()
        shell.wait()


def test_a_shell_that_stands_in_a_directory_that_went(bb, mounts):
    """What it shows is what it showed, or nothing: never another directory's files."""
    m = mounts()
    fd = os.open(m / (W + "/docs"), os.O_RDONLY)
    try:
        names = sorted(os.listdir(fd))
        bb.push("acme", "widgets", {"docs": None})
        m.refresh(W)
        assert not os.path.exists(m / (W + "/docs"))
        assert sorted(os.listdir(fd)) in (names, [])
    finally:
        os.close(fd)


def test_a_name_that_was_not_there_is_seen_once_it_is(bb, mounts):
    m = mounts()
    for _ in range(2):
        assert not os.path.exists(m / (W + "/src/later.c"))
        assert not os.path.exists(m / (W + "/later/on.txt"))
    bb.push("acme", "widgets", {"src/later.c": "here\n", "later/on.txt": "too\n"})
    m.refresh(W)
    assert m.read(W + "/src/later.c") == "here\n"
    assert m.read(W + "/later/on.txt") == "too\n"


def test_rule_10_a_file_held_open_across_a_push_keeps_its_content(bb, mounts):
    m = mounts()
    m.ls("edge/hard/tree")
    path = m / "edge/hard/tree/medium.txt"
    with open(path, "rb") as held:
        first, inode = held.read(1000), os.fstat(held.fileno()).st_ino
        bb.push("edge", "hard", {"medium.txt": "short now\n", "over-8MB.bin": None})
        m.refresh("edge/hard/tree")
        assert m.read("edge/hard/tree/medium.txt") == "short now\n"
        assert os.stat(path).st_ino != inode
        rest = held.read()
        want = gitrepo.git(bb.repo_path("edge", "hard"), "cat-file", "blob", "HEAD~1:medium.txt")
        assert first + rest == want


def test_the_main_branch_is_another_one(bb, mounts, tmp_path):
    m = mounts()
    assert "VERSION" not in m.ls(W)
    bb.set_mainbranch("acme", "widgets", "release/1.x")
    said = m.refresh(W)
    assert "->" in said
    assert m.read(W + "/VERSION") == "1.1\n"
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    assert same_trees(want, m / W) == ""
    await_true(lambda: m.status()["trees"][0]["branch"] == "release/1.x", "status names the branch")


def test_a_forced_push_backwards(bb, mounts, tmp_path):
    m = mounts()
    m.ls(W + "/src")
    old = gitrepo.resolve(bb.repo_path("acme", "widgets"), "main~4")
    bb.set_ref("acme", "widgets", "refs/heads/main", old)
    m.refresh(W)
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    assert same_trees(want, m / W) == ""
    await_true(lambda: m.status()["trees"][0]["commit"] == old, "status names the commit")


def test_a_forced_push_of_something_else_altogether(bb, mounts, tmp_path):
    m = mounts()
    m.ls(W + "/src")
    oid = bb.push("acme", "widgets", {"only.txt": "this\n"}, branch="other")
    git_dir = bb.repo_path("acme", "widgets")
    lone = gitrepo.git(git_dir, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit-tree", oid + "^{tree}", "-m",
                       "Alone").decode().strip()
    bb.set_ref("acme", "widgets", "refs/heads/main", lone)
    m.refresh(W)
    assert same_trees(checkout(git_dir, str(tmp_path / "want")), m / W) == ""


def test_the_first_push_to_an_empty_repository(bb, mounts):
    m = mounts("ttl=1")
    assert m.ls("edge/empty/tree") == []
    bb.push("edge", "empty", {"README.md": "# no longer empty\n"})
    await_true(lambda: m.ls("edge/empty/tree") == ["README.md"], "the file")
    assert m.read("edge/empty/tree/README.md") == "# no longer empty\n"


def test_a_push_that_leaves_nothing(bb, mounts):
    m = mounts()
    names = m.ls(W)
    bb.push("acme", "widgets", {name: None for name in names})
    m.refresh(W)
    assert m.ls(W) == []
    assert os.listdir(m / "acme/website/tree")


def test_rule_4_times_are_remembered_across_mounts(bb, mounts):
    m = mounts()
    before = inodes(m / W)
    bb.push("acme", "widgets", {"src/widget.c": "/* another */\n"})
    m.refresh(W)
    after = {path: time for path, (_, time) in inodes(m / W).items() if not os.path.isdir(m / f"{W}/{path}")}
    assert after["src/widget.c"] > before["src/widget.c"][1]
    m.unmount()
    again = mounts()
    assert {path: time for path, (_, time) in inodes(again / W).items() if path in after} == after
    for path, time in after.items():
        if path != "src/widget.c":
            assert time == before[path][1]


def test_a_push_between_two_mounts_is_seen_by_the_second(bb, mounts):
    m = mounts()
    m.ls(W)
    m.unmount()
    bb.push("acme", "widgets", {"src/new.c": "int n;\n"})
    again = mounts("ttl=1")
    await_true(is_there(again / (W + "/src/new.c")), "the push")


def test_a_push_that_cannot_be_fetched_leaves_the_old_tree(bb, mounts):
    m = mounts("ttl=1")
    text = m.read(W + "/README.md")
    fault = bb.fault(r"widgets\.git/git-upload-pack", "status", status=500, body="no")
    bb.push("acme", "widgets", {"README.md": "newer\n"})
    fault.wait_hit(timeout=20)
    assert m.read(W + "/README.md") == text
    await_true(lambda: f"\t{W}\tEIO\t" in m.errors(), "a line among the errors")
    fault.remove()
    await_true(lambda: m.read(W + "/README.md") == "newer\n", "the push, once it can be had")


def test_an_idle_mount_sends_nothing(bb, mounts):
    """Beside a mount whose tree somebody reads, a mount where nobody looked into one is silent."""
    idle = mounts("ttl=1", account="reader", cache="reader")
    idle.ls("acme"), idle.read("acme/widgets/info"), os.stat(idle / W)
    busy = mounts("ttl=1")
    busy.ls(W)
    mark = bb.log.mark()
    await_true(lambda: len(git(bb, mark)) >= 3, "three questions for the ref")
    entries = bb.log.since(mark)
    assert {e["account"] for e in entries} == {"ada"}
    assert api(bb, mark) == [], "nothing of REST is polled"
    assert {(e["git"] or {}).get("command") for e in entries} == {"ls-refs"}
    times = [e["time"] for e in entries]
    # Nobody looks any more, so the pauses are of 2 ttl and of 4.
    pauses = [b - a for a, b in zip(times, times[1:])]
    assert pauses[0] > 1.6 and pauses[1] > 3.2, f"once per pause: {pauses}"


def test_refresh_says_what_changed(bb, mounts):
    m = mounts()
    assert "nobody has looked inside yet" in m.refresh(W)
    m.ls(W)
    old = gitrepo.resolve(bb.repo_path("acme", "widgets"), "main")
    assert m.refresh(W) == f"tree: unchanged, commit {old[:12]}\n"
    new = bb.push("acme", "widgets", {"x": "y\n"})
    assert m.refresh(W) == f"tree: {old[:12]} -> {new[:12]}\n"
    assert m.refresh("acme/widgets").splitlines()[-1] == f"tree: unchanged, commit {new[:12]}"
    newer = bb.push("acme", "widgets", {"x": "z\n"})
    assert f"tree: {new[:12]} -> {newer[:12]}" in m.refresh(W + "/src")


@pytest.mark.plain_git
@pytest.mark.parametrize("met", [False, True])
def test_refresh_of_what_only_the_cache_has(bb, mounts, met):
    """Nobody has looked inside since the mount: it is asked for all the same, and the next look is of that."""
    m = mounts()
    m.ls(W), m.ls("acme/widgets/branches")
    old = gitrepo.resolve(bb.repo_path("acme", "widgets"), "main")
    m.unmount()
    m = mounts()
    if met:
        os.stat(m / W)
    assert m.refresh(W) == f"tree: unchanged, commit {old[:12]}\n"
    new = bb.push("acme", "widgets", {"x": "y\n"})
    assert m.refresh(W) == f"tree: {old[:12]} -> {new[:12]}\n"
    mark = bb.log.mark()
    assert m.read(W + "/x") == "y\n"
    assert git(bb, mark) == [], "that was the question"
    assert m.refresh("acme/widgets/branches") == "branches: updated\n"
    assert m.refresh("acme/widgets/branches") == "branches: unchanged\n"
    assert "nobody has looked inside yet" in m.refresh("acme/website/tree")


def test_pushes_that_follow_each_other_quickly(bb, mounts):
    m = mounts("ttl=1")
    m.ls(W)
    for i in range(12):
        bb.push("acme", "widgets", {"counter": f"{i}\n", f"step-{i}": "x\n"})
        if i % 3 == 0:
            m.refresh(W)
    m.refresh(W)
    assert m.read(W + "/counter") == "11\n"
    assert {f"step-{i}" for i in range(12)} <= set(m.ls(W))


@pytest.mark.concurrent
def test_readers_during_pushes_see_whole_files(bb, mounts):
    """Every read is one version of the file from beginning to end, or the name is gone."""
    import threading
    m = mounts("ttl=1")
    versions = [bytes([ord("a") + i]) * 100000 for i in range(8)]
    bb.push("acme", "widgets", {"big.txt": versions[0]})
    m.ls(W)
    stop, wrong, reads = threading.Event(), [], []

    def look():
        while not stop.is_set():
            try:
                with open(m / (W + "/big.txt"), "rb") as f:
                    text = f.read()
                m.ls(W + "/src")
            except OSError as e:
                if e.errno not in (errno.ENOENT, errno.ESTALE):
                    wrong.append(e)
                continue
            reads.append(1)
            if text not in versions:
                wrong.append((len(text), set(text)))
    readers = [threading.Thread(target=look) for _ in range(6)]
    for r in readers:
        r.start()
    for i, version in enumerate(versions[1:]):
        bb.push("acme", "widgets", {"big.txt": version, f"src/extra-{i}.c": "x\n"})
        m.refresh(W)
        await_true(lambda: m.read(W + "/big.txt", "rb") == version, "the version that was pushed")
    stop.set()
    for r in readers:
        r.join()
    assert wrong == [] and reads


@pytest.mark.parametrize("tips_only", [False, True])
def test_a_push_to_a_server_without_v2(bb, mounts, tmp_path, tips_only):
    bb.v2 = False
    if tips_only:
        bb.any_sha1 = bb.reachable_sha1 = bb.tip_sha1 = False
    m = mounts()
    m.ls(W + "/src")
    bb.push("acme", "widgets", {"src/new.c": "int n;\n", "README.md": None})
    assert "->" in m.refresh(W)
    assert same_trees(checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want")), m / W) == ""


def test_a_tree_that_nobody_touches_is_asked_for_less_and_less(bb, mounts):
    """ttl, 2, 4, 8 times that between two questions; a look inside begins anew."""
    m = mounts("ttl=1")
    m.ls("acme/widgets/tree")
    m.ls("acme/widgets/branches")
    os.stat(m / "acme/widgets/tree/README.md")
    mark = bb.log.mark()

    def asked_at():
        return [e["time"] for e in bb.log.since(mark, r"git-upload-pack")]
    await_true(lambda: len(asked_at()) >= 4, "four questions", timeout=3 * PATIENCE)
    times = asked_at()[:4]
    pauses = [b - a for a, b in zip(times, times[1:])]
    assert all(b > 1.5 * a for a, b in zip(pauses, pauses[1:])), pauses
    assert pauses[0] > 1.5
    n = len(asked_at())
    m.ls("acme/widgets/tree/src")
    began = bb.log.mark()
    await_true(lambda: bb.log.since(began, r"git-upload-pack"), "it is due, so it is asked for now", timeout=4)
    assert len(asked_at()) == n + 1
