"""branches/ and tags/: every ref as a tree, against git's own checkout; what names cost, and what a second branch does."""
import errno
import hashlib
import os
import shutil
import stat
import subprocess
import threading

import pytest

from bitbucket import gitrepo
from conftest import FILTERED, api, asked, await_true, checkout, git, same_trees

W = "acme/widgets"
OWN = (b"index.json", b"index.tsv", b"more")
INDEXES = {"index.json", "index.tsv"}


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def commands(bb, mark=0):
    """What git was asked since a mark: info/refs, ls-refs, fetch."""
    return [(e["git"] or {}).get("command") for e in bb.log.since(mark, r"\.git/")]


def fetches(bb, mark=0):
    return [e for e in bb.log.since(mark, r"\.git/git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]


def refs(git_dir, kind):
    """{name: (commit or whatever it leads to, its type)}"""
    out = gitrepo.git(git_dir, "for-each-ref", "--format=%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)",
                      f"refs/{kind}")
    found = {}
    for line in out.splitlines():
        name, oid, what, peeled, peeled_what = line.split(b"\0")
        while peeled_what == b"tag":
            peeled = gitrepo.git(git_dir, "rev-parse", peeled.decode() + "^{}").strip()
            peeled_what = gitrepo.git(git_dir, "cat-file", "-t", peeled.decode()).strip()
        found[name.split(b"/", 2)[2]] = (peeled or oid).decode(), (peeled_what or what).decode()
    return found


def file_name(part, top):
    """src/model/README.md, 11."""
    try:
        part.decode()
        bad = part in OWN and top
    except UnicodeDecodeError:
        bad = True
    if not bad:
        return part
    escaped = b""
    for i, byte in enumerate(part):
        one = part[i:i + 1]
        try:
            part[:i].decode(), part[i:].decode()
            fine = True
        except UnicodeDecodeError:
            fine = byte < 0x80
        escaped += b"%%%02X" % byte if one == b"%" or not fine or (top and part in OWN and i == 0) else one
    return escaped


def path_of(name):
    parts = name.split(b"/")
    return b"/".join(file_name(part, i == 0) for i, part in enumerate(parts))


def roots(top, known):
    """The paths below a directory that are refs: the directories between are gone through, the trees are not."""
    found, todo = set(), [b""]
    while todo:
        place = todo.pop()
        for name in os.listdir(os.path.join(os.fsencode(top), place)):
            if not place and name in OWN:
                continue
            path = os.path.join(place, name)
            (found.add if path in known else todo.append)(path)
    return found


@pytest.mark.parametrize("kind,word", [("heads", "branches"), ("tags", "tags")])
def test_the_names_are_those_of_git(shared_bb, shared, kind, word):
    """Slashes, case, %, #, ?, spaces of Unicode, bytes that are no UTF-8, our own names; one question for all of them."""
    want = {path_of(name): oid for name, oid in refs(shared_bb.repo_path("edge", "refs"), kind).items()}
    shared.ls("edge/refs")
    mark = shared_bb.log.mark()
    assert roots(shared / f"edge/refs/{word}", want) == set(want)
    assert fetches(shared_bb, mark) == [] and api(shared_bb, mark) == []
    assert commands(shared_bb, mark).count("ls-refs") <= 1
    again = shared_bb.log.mark()
    assert roots(shared / f"edge/refs/{word}", want) == set(want)
    for path in want:
        assert stat.S_ISDIR(os.stat(os.path.join(os.fsencode(shared / f"edge/refs/{word}"), path)).st_mode), path
    assert asked(shared_bb, again) == []


def test_each_name_is_what_git_checks_out(shared_bb, shared, tmp_path):
    git_dir, wants = shared_bb.repo_path("edge", "refs"), {}
    for kind, word in (("heads", "branches"), ("tags", "tags")):
        for name, (oid, what) in refs(git_dir, kind).items():
            if what == "blob":
                continue
            tree = gitrepo.git(git_dir, "rev-parse", oid + ("^{tree}" if what == "commit" else "")).decode().strip()
            if tree not in wants:
                wants[tree] = str(tmp_path / tree)
                os.mkdir(wants[tree])
                tar = gitrepo.git(git_dir, "archive", tree)
                subprocess.run(["tar", "-xf", "-", "-C", wants[tree]], input=tar, check=True)
            have = os.path.join(os.fsencode(shared / f"edge/refs/{word}"), path_of(name))
            assert same_trees(wants[tree], have) == "", name
    assert len(wants) > 5


@pytest.mark.parametrize("name", ["branches/main", "branches/feature/WID-12-threads", "branches/feature/colours", "branches/release/1.x",
                                  "branches/größe/日本語", "tags/v1.0", "tags/v0.1", "tags/nightly/2026-10-01"])
def test_a_ref_is_what_git_checks_out(shared_bb, shared, tmp_path, name):
    kind, ref = name.split("/", 1)
    git_dir = str(tmp_path / "git")
    commit = gitrepo.resolve(shared_bb.repo_path("acme", "widgets"), f"refs/{'heads' if kind == 'branches' else 'tags'}/{ref}")
    shutil.copytree(shared_bb.repo_path("acme", "widgets"), git_dir)
    gitrepo.git(git_dir, "update-ref", "refs/heads/main", commit)
    want = checkout(git_dir, str(tmp_path / "want"))
    have = shared / f"{W}/{name}"
    assert same_trees(want, have) == ""
    when = int(gitrepo.git(git_dir, "log", "-1", "--format=%ct", commit))
    for place, folders, files in os.walk(want):
        for f in folders + files:
            path = os.path.join(place, f)
            st = os.lstat(os.path.join(have, os.path.relpath(path, want)))
            assert int(st.st_mtime) == when, "src/model/README.md, 4: nothing was pushed since this cache saw it first"
            if not os.path.islink(path):
                assert bool(st.st_mode & 0o111) == bool(os.lstat(path).st_mode & 0o111), f


@pytest.mark.plain_git
def test_looking_at_names_fetches_nothing(bb, mounts):
    m = mounts()
    m.ls(W)
    await_true(lambda: commands(bb) == ["info/refs"], "a connection is made")
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / W], check=True, stdout=subprocess.DEVNULL)
    for name in ("branches", "tags"):
        os.stat(m / f"{W}/{name}")
    for probe in (".git", ".hidden", "desktop.ini", ".Trash-1000"):
        fails(errno.ENOENT, os.stat, m / f"{W}/branches/{probe}")
        fails(errno.ENOENT, os.stat, m / f"{W}/tags/{probe}")
    assert asked(bb, mark) == [], "a name is not looked into"
    for place in ("branches", "branches/feature", "tags"):
        for name in set(m.ls(f"{W}/{place}")) - INDEXES:
            os.stat(m / f"{W}/{place}/{name}")
    fails(errno.ENOENT, os.stat, m / f"{W}/branches/feature/none")
    os.stat(m / f"{W}/branches/release/2.x")
    assert commands(bb, mark) == ["ls-refs"], asked(bb, mark)
    assert api(bb, mark) == []


@pytest.mark.plain_git
def test_a_second_branch_fetches_only_what_differs(bb, mounts):
    bb.filter = False
    m = mounts()
    mark = bb.log.mark()
    subprocess.run(["ls", "-lR", m / "edge/hard/tree"], check=True, stdout=subprocess.DEVNULL)
    first = sum(e["bytes"] for e in fetches(bb, mark))
    bb.push("edge", "hard", {"CHANGES": "two\n"}, branch="feature/x")
    mark = bb.log.mark()
    assert m.read("edge/hard/branches/feature/x/CHANGES") == "two\n"
    assert commands(bb, mark) == ["ls-refs", "fetch"], asked(bb, mark)
    fetch, = fetches(bb, mark)
    assert fetch["git"]["deepen"] == 1 and fetch["git"]["haves"] and "thin-pack" in fetch["git"]["args"]
    assert fetch["bytes"] < min(200000, first / 4), f"{fetch['bytes']} of {first}"
    mark = bb.log.mark()
    assert os.path.exists(m / "edge/hard/branches/main/medium.txt")
    assert asked(bb, mark) == [], "the default branch's commit is here"


@pytest.mark.plain_git
def test_diff_of_two_branches(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    done = subprocess.run(["diff", "-r", m / f"{W}/branches/main", m / f"{W}/branches/feature/colours"], capture_output=True,
                          text=True)
    assert done.returncode == 1 and done.stderr == "" and done.stdout
    names = gitrepo.git(bb.repo_path("acme", "widgets"), "diff", "--name-only", "main", "feature/colours").decode().split()
    for name in names:
        assert os.path.basename(name) in done.stdout, name
    assert commands(bb, mark) == ["info/refs", "ls-refs", "fetch", "fetch"]


@pytest.mark.plain_git
@pytest.mark.parametrize("latency", [0, 0.7])
def test_one_question_for_all_refs_and_the_default_branch(bb, mounts, latency):
    """Also where an answer takes most of a ttl, so that it is no longer new to the last who hears of it."""
    m = mounts("ttl=1")
    for name in ("tree", "branches/main", "branches/feature/colours", "branches/feature/quiet", "tags/v1.0", "branches", "tags"):
        m.ls(f"{W}/{name}")
    bb.latency = latency
    mark = bb.log.mark()
    await_true(lambda: commands(bb, mark).count("ls-refs") >= 3, "three questions")
    entries = bb.log.since(mark)
    assert {(e["git"] or {}).get("command") for e in entries} == {"ls-refs"}
    times = [e["time"] for e in entries]
    # Nobody looks, so the pauses are of 2 ttl and of 4.
    pauses = [b - a for a, b in zip(times, times[1:])]
    assert pauses[0] > 1.6 and pauses[1] > 3.2, f"once per pause, not once per ref: {pauses}"
    assert set(entries[0]["git"]["ref_prefixes"]) == {"HEAD", "refs/heads/", "refs/tags/"}


def inodes(top):
    found = {}
    for place, _, names in os.walk(top):
        for name in [".", *names]:
            st = os.lstat(os.path.join(place, name))
            found[os.path.normpath(os.path.relpath(os.path.join(place, name), top))] = st.st_ino, st.st_mtime
    return found


def test_a_push_to_a_branch_is_seen(bb, mounts, tmp_path):
    m = mounts("ttl=1")
    top = m / f"{W}/branches/feature/colours"
    before, other = inodes(top), inodes(m / f"{W}/branches/main")
    bb.push("acme", "widgets", {"src/new.c": "int n;\n", "README.md": "another\n", "docs/deep/er.txt": "x\n"}, branch="feature/colours")
    await_true(lambda: os.path.exists(top + "/src/new.c"), "the push")
    assert m.read(f"{W}/branches/feature/colours/README.md") == "another\n"
    after = inodes(top)
    assert set(after) - set(before) == {"src/new.c", "docs/deep", "docs/deep/er.txt"}
    for path in before:
        if os.path.isdir(os.path.join(top, path)):
            assert after[path][0] == before[path][0], f"the directory {path} keeps its inode"
        elif path == "README.md":
            assert after[path][0] != before[path][0] and after[path][1] > before[path][1]
        else:
            assert after[path] == before[path], f"{path} keeps its inode and time"
    assert inodes(m / f"{W}/branches/main") == other
    times = {path: time for path, (_, time) in after.items() if not os.path.isdir(os.path.join(top, path))}
    m.unmount()
    again = inodes(mounts() / f"{W}/branches/feature/colours")
    assert {path: again[path][1] for path in times} == times, "src/model/README.md, 4: remembered across mounts"


def test_branches_come_and_go(bb, mounts):
    m = mounts("ttl=1")
    tip = gitrepo.resolve(bb.repo_path("acme", "widgets"), "main")
    names = m.ls(f"{W}/branches")
    feature = m.ls(f"{W}/branches/feature")
    for _ in range(2):
        fails(errno.ENOENT, os.stat, m / f"{W}/branches/later")
        fails(errno.ENOENT, os.stat, m / f"{W}/branches/feature/later")
        fails(errno.ENOENT, os.stat, m / f"{W}/branches/deep/er/still")
    inode = os.stat(m / f"{W}/branches/feature").st_ino
    for ref in ("later", "feature/later", "deep/er/still"):
        bb.set_ref("acme", "widgets", "refs/heads/" + ref, tip)
    await_true(lambda: os.path.exists(m / f"{W}/branches/deep/er/still/README.md"), "a new branch")
    assert m.ls(f"{W}/branches") == sorted([*names, "later", "deep"])
    assert m.ls(f"{W}/branches/feature") == sorted([*feature, "later"])
    assert os.stat(m / f"{W}/branches/feature").st_ino == inode
    m.ls(f"{W}/branches/later")
    # What was a branch becomes a directory of branches, and the other way round.
    for ref, oid in (("later", None), ("later/on", tip), ("feature/later", None), ("deep/er/still", None), ("deep", tip)):
        bb.set_ref("acme", "widgets", "refs/heads/" + ref, oid)
    await_true(lambda: os.path.exists(m / f"{W}/branches/deep/README.md"), "a branch where a directory was")
    assert m.ls(f"{W}/branches/later") == ["on"]
    assert "README.md" in m.ls(f"{W}/branches/later/on")
    assert m.ls(f"{W}/branches/feature") == feature
    fails(errno.ENOENT, os.stat, m / f"{W}/branches/deep/er")
    fails(errno.ENOENT, os.stat, m / f"{W}/branches/feature/later")
    assert m.errors() == ""


def test_a_shell_in_a_branch_that_goes(bb, mounts):
    m = mounts("ttl=1")
    bb.push("acme", "widgets", {"here": "yes\n"}, branch="gone/soon")
    m.refresh(f"{W}/branches")
    fd = os.open(m / f"{W}/branches/gone/soon", os.O_RDONLY)
    try:
        names = sorted(os.listdir(fd))
        assert "here" in names
        bb.set_ref("acme", "widgets", "refs/heads/gone/soon", None)
        await_true(lambda: not os.path.exists(m / f"{W}/branches/gone"), "the name is gone")
        assert sorted(os.listdir(fd)) in (names, [])
    finally:
        os.close(fd)
    assert "gone" not in m.ls(f"{W}/branches")


def test_a_tag_moves(bb, mounts):
    m = mounts()
    m.ls(f"{W}/tags/v1.0")
    tip = gitrepo.resolve(bb.repo_path("acme", "widgets"), "main")
    bb.set_ref("acme", "widgets", "refs/tags/v1.0", tip)
    assert f"-> {tip[:12]}" in m.refresh(f"{W}/tags/v1.0")
    assert same_trees(m / f"{W}/tags/v1.0", m / f"{W}/tree") == ""


@pytest.mark.plain_git
def test_annotated_tags_and_tags_of_other_things(bb, mounts):
    m = mounts()
    git_dir = bb.repo_path("edge", "refs")
    for name in ("of-a-tag", "of-a-tree", "v2.0", "inner"):
        want = gitrepo.git(git_dir, "ls-tree", "--name-only", f"refs/tags/{name}").decode().split()
        assert m.ls(f"edge/refs/tags/{name}") == sorted(want), name
    for name in ("of-a-blob", "light-of-a-blob"):
        assert name in m.ls("edge/refs/tags"), "git does not say it with the names"
    mark = bb.log.mark()
    fails(errno.EIO, os.listdir, m / "edge/refs/tags/of-a-blob")
    assert "neither a commit nor a tree" in m.errors()
    assert len(fetches(bb, mark)) == 1
    assert not {"of-a-blob", "light-of-a-blob"} & set(m.ls("edge/refs/tags"))
    m.unmount()
    again = mounts()
    assert not {"of-a-blob", "light-of-a-blob"} & set(again.ls("edge/refs/tags"))
    assert "left out" in again.errors()
    assert len(fetches(bb, mark)) == 1, "known for ever"


def test_rule_13_branches_count(bb, mounts):
    m = mounts("trees=2")
    m.ls(f"{W}/branches/main"), m.ls(f"{W}/tree")
    m.ls(f"{W}/branches/feature/colours")
    fails(errno.EDQUOT, os.listdir, m / f"{W}/branches/feature/quiet")
    assert "2 trees were brought in the last ten minutes" in m.errors()
    assert "README.md" in m.ls(f"{W}/branches/feature/colours")
    assert "feature" in m.ls(f"{W}/branches")


def test_without_a_network(bb, mounts):
    m = mounts()
    names = m.ls(f"{W}/branches")
    m.ls(f"{W}/branches/feature/colours"), m.ls(f"{W}/tags/v1.0")
    m.unmount()
    bb.offline()
    m = mounts()
    assert m.ls(f"{W}/branches") == names
    assert "README.md" in m.ls(f"{W}/branches/feature/colours")
    assert "Makefile" in m.ls(f"{W}/tags/v1.0")
    with pytest.raises(OSError) as e:
        os.listdir(m / f"{W}/branches/feature/quiet")
    assert e.value.errno in (errno.ENETUNREACH, errno.ETIMEDOUT), e.value
    bb.online()
    await_true(lambda: "README.md" in ls_or_nothing(m, f"{W}/branches/feature/quiet"), "the network is back")


def ls_or_nothing(m, path):
    try:
        return m.ls(path)
    except OSError:
        return []


def test_refresh_says_what_changed(bb, mounts):
    m = mounts()
    assert "nobody has looked inside yet" in m.refresh(f"{W}/branches")
    n = len(refs(bb.repo_path("acme", "widgets"), "heads"))
    m.ls(f"{W}/branches")
    assert m.refresh(f"{W}/branches/feature/colours") == f"branches: {n}, 0 changed\n"
    m.ls(f"{W}/branches/feature/colours")
    assert m.refresh(f"{W}/branches").splitlines()[0] == f"branches: {n}, 0 changed"
    old = gitrepo.resolve(bb.repo_path("acme", "widgets"), "feature/colours")
    new = bb.push("acme", "widgets", {"x": "y\n"}, branch="feature/colours")
    bb.set_ref("acme", "widgets", "refs/heads/other", new)
    assert m.refresh(f"{W}/branches/feature/colours/src") == f"branches/feature/colours: {old[:12]} -> {new[:12]}\n"
    assert m.refresh(f"{W}/branches").splitlines()[:2] == ["other: new", f"branches: {n + 1}, 1 changed"]
    assert "x" in m.ls(f"{W}/branches/other")


def test_status_names_the_refs_that_are_shown(bb, mounts):
    m = mounts()
    m.ls(f"{W}/tree"), m.ls(f"{W}/branches/feature/colours"), m.ls(f"{W}/tags/v1.0")
    shown = {t["path"]: t["commit"] for t in m.status()["trees"]}
    git_dir = bb.repo_path("acme", "widgets")
    assert shown == {path: gitrepo.resolve(git_dir, ref) for path, ref in
                     (("tree", "main"), ("branches/feature/colours", "feature/colours"), ("tags/v1.0", "v1.0"))}
    assert f"\nbranches/feature/colours: acme/widgets {shown['branches/feature/colours']}, checked " in m.read(".bitbucketfs/status")


@pytest.mark.parametrize("tips_only", [False, True])
def test_a_server_without_v2(bb, mounts, tips_only):
    bb.v2 = False
    if tips_only:
        bb.any_sha1 = bb.reachable_sha1 = bb.tip_sha1 = False
    m = mounts()
    mark = bb.log.mark()
    assert "feature" in m.ls(f"{W}/branches")
    assert commands(bb, mark) == ["info/refs"]
    for name in ("branches/feature/colours", "tags/v1.0", "tags/v1.1"):
        assert "Makefile" in m.ls(f"{W}/{name}"), name


def test_an_empty_repository_has_none(shared):
    assert set(shared.ls("edge/empty/branches")) == INDEXES == set(shared.ls("edge/empty/tags"))


def test_many_branches_are_listed_once_each(bb, mounts):
    git_dir = bb.repo_path("acme", "website")
    tip = gitrepo.resolve(git_dir, "HEAD")
    bb.set_ref("acme", "website", "refs/heads/many/0", tip)
    git_dir = bb.repo_path("acme", "website")
    lines = "".join(f"create refs/heads/many/{hashlib.sha1(b'%d' % i).hexdigest()} {tip}\n" for i in range(3000))
    gitrepo.git(git_dir, "update-ref", "--stdin", data=lines.encode())
    m = mounts()
    mark = bb.log.mark()
    names = os.listdir(m / "acme/website/branches/many")
    assert len(names) == 3001 and len(set(names)) == 3001
    assert len(commands(bb, mark)) <= 2 and not fetches(bb, mark)


def test_a_name_that_is_a_branch_and_a_directory(bb, mounts):
    """git makes none, but serves what packed-refs says: the branch is shown, and a line says what is not."""
    tip = gitrepo.resolve(bb.repo_path("acme", "website"), "HEAD")
    bb.set_ref("acme", "website", "refs/heads/both", tip)
    git_dir = bb.repo_path("acme", "website")
    gitrepo.git(git_dir, "pack-refs", "--all", "--prune")
    with open(os.path.join(git_dir, "packed-refs"), "r+") as f:
        head, *lines = f.read().splitlines(keepends=True)
        lines = [line for line in lines if not line.startswith("^")] + [f"{tip} refs/heads/both/inside\n"]
        f.seek(0)
        f.truncate()
        f.write("# pack-refs with: \n" + "".join(sorted(lines, key=lambda line: line.split()[1])))
    said = gitrepo.git(git_dir, "for-each-ref", "--format=%(refname)").decode().split()
    assert {"refs/heads/both", "refs/heads/both/inside"} <= set(said)
    m = mounts()
    assert "both" in m.ls("acme/website/branches")
    assert m.ls("acme/website/branches/both") == m.ls("acme/website/tree")
    assert "\tacme/website/branches\tEILSEQ\t1 names cannot be shown here, of which the first is both/inside\n" in m.errors()


@pytest.mark.concurrent
def test_many_readers_of_many_branches_during_pushes(bb, mounts):
    """Each commit is fetched once, and every read is one of the versions."""
    m = mounts("ttl=1", "trees=1000")
    names = [f"many/{i}" for i in range(6)]
    for i, name in enumerate(names):
        bb.push("acme", "widgets", {"version": f"{name} 0\n"}, branch=name)
    m.refresh(f"{W}/branches")
    stop, wrong, reads = threading.Event(), [], []

    def look(at):
        while not stop.is_set():
            name = names[at % len(names)]
            at += 1
            try:
                text = m.read(f"{W}/branches/{name}/version")
                m.ls(f"{W}/branches/many"), m.ls(f"{W}/branches/{name}/src"), m.ls(f"{W}/tree")
            except FileNotFoundError as e:
                wrong.append(e)
                continue
            reads.append(text)
            if not text.startswith(name + " ") or not text.endswith("\n"):
                wrong.append((name, text))
    readers = [threading.Thread(target=look, args=(i,)) for i in range(8)]
    mark = bb.log.mark()
    for r in readers:
        r.start()
    for version in range(1, 4):
        for name in names:
            bb.push("acme", "widgets", {"version": f"{name} {version}\n"}, branch=name)
        bb.set_ref("acme", "widgets", f"refs/heads/many/extra-{version}", gitrepo.resolve(bb.repo_path("acme", "widgets"), "main"))
        await_true(lambda: all(m.read(f"{W}/branches/{name}/version") == f"{name} {version}\n" for name in names), "the pushes")
    stop.set()
    for r in readers:
        r.join()
    assert wrong == [] and reads
    wants = [e["git"]["wants"][0] for e in fetches(bb, mark) if e["git"]["deepen"]]
    assert FILTERED or len(wants) == len(set(wants)), "no commit twice"
