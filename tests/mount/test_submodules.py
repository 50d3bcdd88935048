"""Submodules: the files that `git clone --recurse-submodules` gives, links to them, or empty directories; what each costs, and
what is not followed."""
import errno
import os
import subprocess
import threading
import time

import pytest

from bitbucket import submodules
from conftest import api, asked, await_true, git

SUPER = "acme/super/tree"
NAMES = ["https", "other-workspace", "relative", "scp", "self", "slash", "ssh", "user", "vendor", "without-git"]


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def cloned(bb, slug, where):
    """git's own: a stranger's addresses lead to the local server, too."""
    ada = bb.accounts["ada"]
    there = bb.git_url.replace("://", f"://x-bitbucket-api-token-auth:{ada.token}@")
    others = [bb.git_url, bb.git_url.replace("://", "://somebody@"), f"ssh://git@{submodules.host(bb)}"]
    pairs = [(f"url.{there}/.insteadOf", f"{other}/") for other in others]
    pairs.append((f"url.{there}/.insteadOf", f"git@{submodules.host(bb)}:"))
    pairs.append(("core.autocrlf", "false"))
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env.update(GIT_CONFIG_COUNT=str(len(pairs)), GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null", GIT_TERMINAL_PROMPT="0")
    for i, (key, value) in enumerate(pairs):
        env.update({f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value})
    subprocess.run(["git", "clone", "-q", "--recurse-submodules", f"{there}/acme/{slug}.git", where], check=True, env=env,
                   capture_output=True)
    return where


def differs(ours, gits):
    return subprocess.run(["diff", "-r", "--no-dereference", "--exclude=.git", ours, gits], capture_output=True,
                          text=True).stdout


def table(m, slug):
    lines = m.read(f"acme/{slug}/submodules.tsv").splitlines()
    assert lines[0] == "path\turl\tcommit\tplace"
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines[1:]}


@pytest.fixture(scope="module")
def made(shared_bb):
    return {**submodules.make(shared_bb), "odd": submodules.make_odd(shared_bb)}


def test_trees_are_what_git_clones(shared_bb, shared_mounts, made, tmp_path):
    m = shared_mounts("submodules=tree", cache="tree")
    want = cloned(shared_bb, "super", str(tmp_path / "want"))
    assert m.ls(SUPER) == sorted([".gitmodules", "README.md", *NAMES])
    assert differs(m / SUPER, want) == ""
    assert os.access(m / f"{SUPER}/https/run", os.X_OK) and os.readlink(m / f"{SUPER}/scp/link") == "lib.c"
    mark = shared_bb.log.mark()
    assert differs(m / SUPER, want) == "" and asked(shared_bb, mark) == [], "what a commit names is not asked for twice"
    assert m.errors() == ""
    fails(errno.ENOENT, os.stat, m / f"{SUPER}/relative/.git")
    fails(errno.ENOENT, os.stat, m / f"{SUPER}/relative/gone")


@pytest.mark.plain_git
def test_what_one_costs(shared_bb, shared_mounts, made):
    m = shared_mounts(cache="one")
    m.ls(SUPER)
    mark = shared_bb.log.mark()
    subprocess.run(["ls", "-l", m / SUPER], check=True, capture_output=True)
    assert asked(shared_bb, mark) == [], "names and attributes of submodules cost nothing"
    assert m.read(f"{SUPER}/relative/lib.c") == "int lib = 2;\n"
    assert api(shared_bb, mark) == ["GET /2.0/repositories/acme/lib"]
    assert len(git(shared_bb, mark)) == 1, "the commit, in one fetch"
    mark = shared_bb.log.mark()
    assert m.read(f"{SUPER}/https/lib.c") == "int lib = 2;\n" and asked(shared_bb, mark) == [], "one store for all places"
    assert m.read(f"{SUPER}/without-git/lib.c") == "int lib = 1;\n" and api(shared_bb, mark) == []
    assert len(git(shared_bb, mark)) == 1
    said = shared_mounts.run("fetch", m / f"{SUPER}/vendor/nested", cache="one")
    assert said.returncode == 0, said.stderr
    mark = shared_bb.log.mark()
    assert m.read(f"{SUPER}/vendor/nested/mid.txt") == "mid\n" and asked(shared_bb, mark) == []


def test_it_is_read_without_a_network_and_counted_as_a_tree(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=tree,trees=2", cache="kept")
    assert m.read(f"{SUPER}/vendor/README") == "what is not ours\n" and m.read(f"{SUPER}/relative/lib.c") == "int lib = 2;\n"
    fails(errno.EDQUOT, os.listdir, m / f"{SUPER}/without-git")
    assert "100" in m.told(f"{SUPER}/without-git") or "trees" in m.told(f"{SUPER}/without-git")
    shared_bb.offline()
    try:
        again = shared_mounts("submodules=tree", cache="kept")
        assert again.read(f"{SUPER}/https/lib.c") == "int lib = 2;\n"
        fails(errno.ENETUNREACH, os.listdir, again / f"{SUPER}/without-git")
    finally:
        shared_bb.online()


def test_rule_4_files_of_a_submodule_have_the_time_at_which_it_came(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=tree", cache="times")
    bb = shared_bb
    bb.create_repo("acme", "moves", pristine="empty")
    bb.push("acme", "moves", {".gitmodules": submodules.gitmodules(("l", "lib", "../lib")), "lib": ("submodule", made["lib"])})
    first = os.stat(m / "acme/moves/tree/lib/lib.c")
    assert m.read("acme/moves/tree/lib/lib.c") == "int lib = 2;\n"
    bb.push("acme", "moves", {"lib": ("submodule", made["older"])})
    m.refresh("acme/moves/tree")
    assert m.read("acme/moves/tree/lib/lib.c") == "int lib = 1;\n"
    back = os.stat(m / "acme/moves/tree/lib/lib.c")
    assert back.st_mtime > first.st_mtime and back.st_ino != first.st_ino, "older content is a younger file"
    # The same commit at another address, which leads nowhere: what was shown by the old one is not.
    bb.push("acme", "moves", {".gitmodules": submodules.gitmodules(("l", "lib", "https://github.com/acme/lib"))})
    m.refresh("acme/moves/tree")
    assert m.ls("acme/moves/tree/lib") == []


@pytest.mark.plain_git
def test_what_is_not_followed(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=tree", cache="odd")
    tree = "acme/odd/tree"
    names = m.ls(tree)
    mark = shared_bb.log.mark()
    for name in ("foreign", "file", "option", "ext", "lines", "name-leads-out", "-dash", "above", "unnamed"):
        assert name in names and m.ls(f"{tree}/{name}") == [], name
    assert asked(shared_bb, mark) == [] and not os.path.exists("/tmp/owned")
    assert m.told(f"{tree}/foreign").split("\t")[3].startswith("This submodule is no repository of this service (https://github.com")
    for name in ("private", "missing"):
        fails(errno.EACCES, os.listdir, m / f"{tree}/{name}")
    fails(errno.EACCES, os.stat, m / f"{tree}/private/README.md")
    assert "vault/widgets, which does not exist, or is not for this account" in m.told(f"{tree}/private")
    fails(errno.ENODATA, os.listdir, m / f"{tree}/lost")


def test_they_are_nested_to_a_depth_of_eight(shared_bb, shared_mounts, made):
    bb, commit = shared_bb, made["lib"]
    m = shared_mounts("submodules=tree", cache="deep")
    for i in range(10):
        slug = f"deep{i}"
        bb.create_repo("acme", slug, pristine="empty")
        inner = f"../deep{i - 1}" if i else "../lib"
        commit = bb.push("acme", slug, {".gitmodules": submodules.gitmodules(("s", "s", inner)), "s": ("submodule", commit)})
    path = "acme/deep9/tree" + "/s" * 8
    assert m.ls(path) == [".gitmodules", "s"] and m.ls(path + "/s") == []
    assert "More than 8 submodules" in m.told(path + "/s")


@pytest.mark.plain_git
def test_who_is_in_a_submodule_follows_the_tree_around_it(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=tree,ttl=1", cache="inside")
    inside = os.open(m / f"{SUPER}/vendor/nested/inner/lib", os.O_RDONLY)
    try:
        os.listdir(inside)
        began, mark = time.monotonic(), shared_bb.log.mark()

        def asked_thrice():
            os.close(os.open(".", os.O_RDONLY, dir_fd=inside))
            return len(asked(shared_bb, mark, r"super\.git/")) >= 3
        await_true(asked_thrice, "the outer tree's branch is asked for")
    finally:
        os.close(inside)
    assert time.monotonic() - began < 6, "once in a second; a tree that nobody touches is asked for after 1, 3 and 7"


def test_links_lead_to_what_is_known(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=link", cache="link")
    bb = shared_bb
    assert os.path.isdir(m / f"{SUPER}/relative") and not os.path.islink(m / f"{SUPER}/relative") and m.ls(f"{SUPER}/relative") == []
    m.ls("acme/lib")
    # A directory is looked up again after a minute.
    fresh = shared_mounts("submodules=link", cache="link")
    mark = bb.log.mark()
    kinds = {e.name: e.is_symlink() for e in os.scandir(fresh / SUPER)}
    assert {n for n, link in kinds.items() if link} == set(NAMES) - {"vendor", "self"}, "only lib is known"
    for name in ("relative", "scp", "slash"):
        assert os.readlink(fresh / f"{SUPER}/{name}") == f"../../../acme/lib/commits/{made['lib']}/tree"
    assert api(bb, mark) == [], "nothing is asked to decide it"
    with open(fresh / f"{SUPER}/relative/lib.c") as f:
        assert f.read() == "int lib = 2;\n"
    # Whoever follows links meets no chain.
    fresh.ls("acme/mid"), fresh.ls("acme/super")
    inner = f"acme/mid/commits/{made['mid']}/tree/inner/lib"
    assert os.readlink(fresh / f"{SUPER}/vendor/nested").endswith(f"mid/commits/{made['mid']}/tree")
    assert not os.path.islink(fresh / inner) and fresh.ls(inner) == []


def test_a_link_of_a_branch_that_moves_its_submodule_is_another_inode(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=link", cache="link-moves")
    bb = shared_bb
    bb.create_repo("acme", "branchy", pristine="empty")
    bb.push("acme", "branchy", {".gitmodules": submodules.gitmodules(("l", "lib", "../lib")), "lib": ("submodule", made["lib"])})
    m.ls("acme/lib"), m.ls("acme/branchy/tree")
    first = os.lstat(m / "acme/branchy/tree/lib")
    bb.push("acme", "branchy", {"lib": ("submodule", made["older"])})
    m.refresh("acme/branchy/tree")
    assert os.readlink(m / "acme/branchy/tree/lib").endswith(f"/lib/commits/{made['older']}/tree")
    assert os.lstat(m / "acme/branchy/tree/lib").st_ino != first.st_ino
    bb.push("acme", "branchy", {".gitmodules": submodules.gitmodules(("l", "lib", "https://github.com/acme/lib"))})
    m.refresh("acme/branchy/tree")
    assert os.listdir(m / "acme/branchy/tree/lib") == []


@pytest.mark.plain_git
def test_the_table_of_submodules(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=off", cache="table")
    assert "submodules.tsv" not in m.ls("acme/super")
    assert m.ls(f"{SUPER}/relative") == []
    assert "submodules.tsv" not in m.ls("acme/lib")
    mark = shared_bb.log.mark()
    assert "submodules.tsv" in m.ls("acme/super")
    said = table(m, "super")
    assert api(shared_bb, mark) == [] and len(git(shared_bb, mark)) <= 2, "warming alone"
    assert said["relative"] == [f"{shared_bb.git_url}/acme/lib.git", made["lib"], f"acme/lib/commits/{made['lib']}/tree"]
    assert said["vendor/nested"][2] == f"acme/mid/commits/{made['mid']}/tree"
    assert len(said) == len(NAMES)
    odd = table(m, "odd")
    assert "absent" not in odd and "README.md" not in odd and "unnamed" not in odd
    assert odd["lines"] == [f"{shared_bb.git_url}/acme/lib.git\\n--upload-pack=x", submodules.BOGUS, ""]
    assert odd["option"][0] == "" and odd["foreign"] == ["https://github.com/acme/lib.git", submodules.BOGUS, ""]
    assert [e.name for e in os.scandir(m / "acme/lib") if e.name == "submodules.tsv"] == []
    fails(errno.ENOENT, os.stat, m / "acme/lib/submodules.tsv")


def test_path_says_where_a_submodule_is(shared_bb, shared_mounts, made):
    m = shared_mounts("submodules=tree", cache="path")
    said = shared_mounts.run("path", "--submodule", m / f"{SUPER}/vendor/nested/inner/lib/deep")
    assert said.stdout == (f"url: {shared_bb.git_url}/acme/lib\ncommit: {made['older']}\n"
                           f"place: {m.path}/acme/lib/commits/{made['older']}/tree\n"), said.stderr
    said = shared_mounts.run("path", "--submodule", m / "acme/odd/tree/foreign")
    assert said.stdout == f"url: https://github.com/acme/lib.git\ncommit: {submodules.BOGUS}\n"
    said = shared_mounts.run("path", "--submodule", m / f"{SUPER}/README.md")
    assert said.returncode == 2 and "is in no submodule" in said.stderr
    assert shared_mounts.run("path", "--submodule").returncode == 2


def test_a_thousand_cost_what_one_costs(shared_bb, shared_mounts, made):
    bb, costs = shared_bb, {}
    m = shared_mounts("submodules=tree", cache="many")
    for n in (1, 1000):
        slug = f"many-{n}"
        bb.create_repo("acme", slug, pristine="empty")
        bb.push("acme", slug, {".gitmodules": submodules.gitmodules(*((f"s{i}", f"s{i}", "../lib") for i in range(n))),
                               **{f"s{i}": ("submodule", made["lib"]) for i in range(n)}})
        mark = bb.log.mark()
        subprocess.run(["ls", "-l", m / f"acme/{slug}/tree"], check=True, capture_output=True)
        looked = len(asked(bb, mark))
        subprocess.run(["find", m / f"acme/{slug}/tree", "-name", "lib.c"], check=True, capture_output=True)
        bb.log.idle(20)     # the trees behind a first look
        costs[n] = looked, len(asked(bb, mark))
        assert len(table(m, slug)) == n
    # The repository of the submodules was met with the one.
    assert costs[1000][0] <= costs[1][0] <= 6 and costs[1000][1] <= costs[1][1], costs


@pytest.mark.concurrent
def test_many_look_into_the_same_ones_while_they_move(shared_bb, shared_mounts, made):
    bb = shared_bb
    m = shared_mounts("submodules=tree", cache="at-once")
    bb.create_repo("acme", "busy-super", pristine="empty")
    lines = submodules.gitmodules(*((f"s{i}", f"s{i}", "../lib") for i in range(6)))
    bb.push("acme", "busy-super", {".gitmodules": lines, **{f"s{i}": ("submodule", made["lib"]) for i in range(6)}})
    top = m / "acme/busy-super/tree"
    os.listdir(top)
    seen, wrong = set(), []

    def read(n):
        for i in range(12):
            try:
                with open(f"{top}/s{(n + i) % 6}/lib.c") as f:
                    seen.add(f.read())
            except OSError as e:
                wrong.append(e)
    workers = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for w in workers:
        w.start()
    for commit in ("older", "lib", "older"):
        bb.push("acme", "busy-super", {f"s{i}": ("submodule", made[commit]) for i in range(6)})
        m.refresh("acme/busy-super/tree")
    for w in workers:
        w.join()
    assert wrong == [] and seen <= {"int lib = 1;\n", "int lib = 2;\n"}
    assert {m.read(f"acme/busy-super/tree/s{i}/lib.c") for i in range(6)} == {"int lib = 1;\n"}
