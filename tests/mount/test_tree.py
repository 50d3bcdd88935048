"""tree/: the files of the default branch, against git's own checkout; what the first look costs; what a cut leaves."""
import errno
import glob
import hashlib
import os
import random
import re
import stat
import subprocess
import threading

import pytest

from bitbucket import gitrepo
from conftest import FILTERED, SANITIZED, api, asked, await_true, checkout, git, same_trees
from readers import interrupt, readers

EVERY = ["acme/handbook", "acme/widgets", "acme/website", "acme/infra", "acme/billing", "acme/firmware",
         "ada-lindqvist/dotfiles", "ada-lindqvist/website", "monolith-labs/monolith", "monolith-labs/gateway-service",
         "opensource/libtiny", "edge/hard"]


def fetches(bb, mark=0):
    """The fetches since a mark, as the log describes them."""
    return [e for e in bb.log.since(mark, r"POST .*/git-upload-pack") if (e["git"] or {}).get("command") == "fetch"]


def fails(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code, f"{errno.errorcode[e.value.errno]}, not {errno.errorcode[code]}"


def head(bb, name):
    return gitrepo.resolve(bb.repo_path(*name.split("/")), "HEAD")


def modes(top):
    """{path: kind and, of a file, whether it is executable} of everything below a directory."""
    found = {}
    for place, folders, names in os.walk(os.fsencode(top)):
        for name in folders + names:
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            found[os.path.relpath(path, os.fsencode(top))] = (
                stat.S_IFMT(mode), bool(mode & 0o111) if stat.S_ISREG(mode) else None)
    return found


def store_of(m, bb, name):
    """The bare repository in the cache."""
    uuid = bb.state.repository(*name.split("/")).uuid.strip("{}")
    found = [os.path.join(place, f) for place, folders, _ in os.walk(m.cache) for f in folders if f == uuid + ".git"]
    assert len(found) == 1, found
    return found[0]


def sound(git_dir):
    """Empty when git finds nothing wrong."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "fsck", "--full", "--no-dangling"],
                          capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", EVERY)
def test_the_tree_is_what_git_checks_out(shared_bb, shared, tmp_path, name):
    want = checkout(shared_bb.repo_path(*name.split("/")), str(tmp_path / "want"))
    have = shared / (name + "/tree")
    assert same_trees(want, have) == ""
    assert modes(have) == modes(want)
    for place, folders, names in os.walk(os.fsencode(have)):
        for f in names:
            path = os.path.join(place, f)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                assert len(os.readlink(path)) == st.st_size, path


def test_the_store_in_the_cache_is_a_sound_repository(shared_bb, shared):
    shared.ls("acme/widgets/tree")
    git_dir = store_of(shared, shared_bb, "acme/widgets")
    assert sound(git_dir) == ""
    log = subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "log", "--format=%H"], capture_output=True,
                         text=True, check=True).stdout.split()
    assert log == [head(shared_bb, "acme/widgets")]


def test_everything_in_a_tree_named_by_its_commit_has_the_time_of_the_commit(shared_bb, shared):
    """src/model/README.md, 4, where nothing was pushed since this cache saw it first."""
    when = int(gitrepo.git(shared_bb.repo_path("acme", "widgets"), "log", "-1", "--format=%ct", "HEAD"))
    for place, folders, names in os.walk(shared / "acme/widgets/tree"):
        for name in folders + names:
            assert int(os.lstat(os.path.join(place, name)).st_mtime) == when


def test_a_directory_of_5000_files_is_complete_from_any_position(shared):
    path = shared / "edge/hard/tree/many"
    names = os.listdir(path)
    assert sorted(names) == [f"{i:04}.txt" for i in range(5000)]
    with open(os.path.join(path, "4999.txt")) as f:
        assert f.read() == "file 4999\n"
    fails(errno.ENOENT, os.stat, os.path.join(path, "5000.txt"))


def test_forty_levels_deep(shared):
    path = "/".join(f"level{i:02}" for i in range(1, 41)) + "/deep.txt"
    assert shared.read("edge/hard/tree/" + path) == "40 levels deep\n"


def test_rule_11_names_in_a_tree_are_never_altered(shared_bb, shared):
    said = gitrepo.git(shared_bb.repo_path("edge", "hard"), "ls-tree", "-z", "--name-only", "HEAD:names")
    assert set(os.listdir(os.fsencode(shared / "edge/hard/tree/names"))) == set(said.rstrip(b"\0").split(b"\0"))


def test_a_submodule_has_its_files(shared):
    path = shared / "edge/hard/tree/vendor/library"
    assert stat.S_ISDIR(os.lstat(path).st_mode)
    assert shared.read("edge/hard/tree/vendor/library/README.md") == "# hard\n" and os.listdir(path) == ["README.md"]
    fails(errno.ENOENT, os.stat, path + "/x")


def test_a_pointer_without_a_filter_is_shown_as_it_is(shared):
    assert shared.read("edge/hard/tree/assets/logo.psd").startswith("version https://git-lfs.github.com/spec/v1\noid sha256:")


def test_nothing_is_converted(shared):
    assert shared.read("edge/hard/tree/eol/crlf.txt", "rb") == b"stored\r\nwith\r\nCRLF\r\n"
    assert shared.read("edge/hard/tree/eol/wants.crlf", "rb") == b"stored with LF\nshown with CRLF by a checkout\n"
    assert shared.read("edge/hard/tree/eol/version.id", "rb") == b"$Id$\n"
    assert shared.read("edge/hard/tree/export-ignored") == "still in the tree\n"


def test_links_are_links(shared):
    links = shared / "edge/hard/tree/links"
    assert os.readlink(links + "/absolute") == "/etc/hostname"
    assert os.readlink(links + "/directory") == "../src"
    assert os.listdir(links + "/directory") == ["one.c"]
    assert os.readlink(links + "/long") == "../" * 600 + "README.md"
    fails(errno.ENOENT, os.stat, links + "/dangling")
    fails(errno.ELOOP, os.stat, links + "/self")


@pytest.mark.plain_git
def test_a_file_of_200_MB(bb, mounts):
    """Served from a file of the cache: memory stays bounded, and any piece of it can be had."""
    m = mounts()
    done = gitrepo.git(bb.repo_path("edge", "hard"), "rev-parse", "HEAD:big/200MB.bin").decode().strip()
    want = subprocess.Popen(["git", "-c", "safe.directory=*", "--git-dir", bb.repo_path("edge", "hard"), "cat-file", "blob",
                             done], stdout=subprocess.PIPE)
    expect, size = hashlib.sha256(), 0
    while piece := want.stdout.read(1 << 20):
        expect.update(piece)
        size += len(piece)
    want.stdout.close()
    assert want.wait() == 0 and size == 200 * 1000 * 1000
    path = m / "edge/hard/tree/big/200MB.bin"
    assert os.stat(path).st_size == size
    got, peak = hashlib.sha256(), 0
    with open(path, "rb") as f:
        assert len(os.pread(f.fileno(), 4096, 123456789)) == 4096
        assert os.pread(f.fileno(), 100, size - 10) == os.pread(f.fileno(), 10, size - 10) != b""
        while piece := f.read(1 << 20):
            got.update(piece)
            peak = max(peak, m.rss_anon())
    assert got.hexdigest() == expect.hexdigest()
    assert SANITIZED or peak < 64 << 20, f"{peak >> 20} MB"


def test_a_stat_of_tree_never_fetches(shared_bb, shared_mounts):
    m = shared_mounts(cache="stat-of-tree")
    mark = shared_bb.log.mark()
    for name in m.ls("acme"):
        os.stat(m / f"acme/{name}/tree")
        subprocess.run(["ls", "-la", m / f"acme/{name}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["find", m / "acme", "-maxdepth", "2", "-printf", "%p %s %t"], check=True, stdout=subprocess.DEVNULL)
    # One connection is made, for the first directory that is entered.
    assert [line.split(" ")[0] for line in git(shared_bb, mark)] in ([], ["GET"])
    # find looked at .workspace/workspace.json, too.
    assert [line.split("?")[0] for line in api(shared_bb, mark)][-2:] == [
        "GET /2.0/repositories/acme", "GET /2.0/workspaces/acme"]


@pytest.mark.plain_git
def test_the_first_look_is_three_requests_and_two_on_a_host_that_is_known(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    m.ls("acme/widgets/tree")
    assert [line.split()[0] for line in git(bb, mark)] == ["GET", "POST", "POST"], git(bb, mark)
    mark = bb.log.mark()
    m.ls("acme/website/tree")
    assert [line.split()[0] for line in git(bb, mark)] == ["POST", "POST"]
    m.unmount()
    mark = bb.log.mark()
    again = mounts()
    again.ls("acme/infra/tree")
    assert [line.split()[0] for line in git(bb, mark)] == ["POST", "POST"], "the capabilities are remembered across mounts"


@pytest.mark.plain_git
def test_the_first_look_by_a_name_is_as_cheap(bb, mounts):
    m = mounts()
    assert m.read("acme/widgets/tree/src/main.c").startswith("#include <stdio.h>")
    assert len(git(bb)) == 3
    assert len(api(bb)) == 2, "the workspace and the repository by name"


@pytest.mark.plain_git
def test_a_fetch_is_of_depth_1_and_over_one_connection(bb, mounts):
    m = mounts()
    m.ls("acme/widgets/tree")
    fetch, = fetches(bb)
    assert fetch["git"]["deepen"] == 1
    assert fetch["git"]["wants"] == [head(bb, "acme/widgets")]
    assert fetch["git"]["protocol"] in ("2", 2, "version=2"), fetch["git"]["protocol"]
    assert [e["authorization"] for e in bb.log.since(match=r"\.git/")] == ["basic"] * 3


@pytest.mark.parametrize("name", ["edge/hard", "monolith-labs/monolith", "acme/widgets"])
def test_bytes_down_are_those_of_a_shallow_clone(bb, mounts, tmp_path, name):
    m = mounts()
    m.ls(name + "/tree")
    ours = sum(e["bytes"] for e in bb.log.since(match=r"\.git/"))
    mark = bb.log.mark()
    url = bb.git_url.replace("://", f"://x-bitbucket-api-token-auth:{bb.accounts['ada'].token}@")
    subprocess.run(["git", "-c", "protocol.version=2", "clone", "-q", "--bare", "--depth", "1", f"{url}/{name}.git",
                    tmp_path / "clone.git"], check=True)
    theirs = sum(e["bytes"] for e in bb.log.since(mark, r"\.git/"))
    assert ours <= 1.05 * theirs, f"{ours} and {theirs}"


@pytest.mark.plain_git
@pytest.mark.concurrent
def test_fifty_cold_readers_of_one_file_are_one_fetch(bb, mounts):
    m = mounts()
    m.ls("acme")
    mark = bb.log.mark()
    start, seen = threading.Barrier(50), []

    def look():
        start.wait()
        seen.append(m.read("acme/widgets/tree/README.md"))
    readers = [threading.Thread(target=look) for _ in range(50)]
    for r in readers:
        r.start()
    for r in readers:
        r.join()
    assert len(seen) == 50 and set(seen) == {m.read("acme/widgets/tree/README.md")}
    assert len(fetches(bb, mark)) == 1
    assert len(git(bb, mark)) == 3


@pytest.mark.concurrent
def test_many_readers_of_many_files(bb, mounts):
    """What thirty threads read at once in a cold mount is what one reads afterwards."""
    if not FILTERED:
        bb.update_repo("edge", "hard", {"size": 1})
    m = mounts()
    names = [f"edge/hard/tree/many/{i:04}.txt" for i in range(0, 5000, 17)] + ["edge/hard/tree/medium.txt"] * 3
    start, wrong = threading.Barrier(30), []

    def look(i):
        start.wait()
        for name in names[i % 7:] + names[:i % 7]:
            text = m.read(name)
            if name.endswith("medium.txt"):
                if len(text) != 3000000:
                    wrong.append(name)
            elif text != f"file {int(name[-8:-4])}\n":
                wrong.append(name)
    readers = [threading.Thread(target=look, args=(i,)) for i in range(30)]
    for r in readers:
        r.start()
    for r in readers:
        r.join()
    assert wrong == []
    assert FILTERED or len(fetches(bb)) == 1


def test_an_empty_repository_is_an_empty_tree(bb, mounts):
    m = mounts()
    for name in ("edge/empty", "acme/empty-for-now"):
        assert m.ls(name + "/tree") == []
        fails(errno.ENOENT, os.stat, m / (name + "/tree/README.md"))
    assert fetches(bb) == []
    mark = bb.log.mark()
    assert m.ls("edge/empty/tree") == []
    assert asked(bb, mark) == []


def test_a_sha256_repository_is_refused_with_a_sentence(bb, mounts):
    m = mounts()
    fails(errno.EOPNOTSUPP, os.listdir, m / "edge/sha256/tree")
    fails(errno.EOPNOTSUPP, os.stat, m / "edge/sha256/tree/README.md")
    assert re.search(r"\tedge/sha256/tree\t(EOPNOTSUPP|ENOTSUP)\t.*SHA-256", m.errors())
    assert fetches(bb) == []
    assert "README.md" in m.ls("acme/widgets/tree"), "its neighbours are none the worse"
    assert m.read("edge/sha256/info")


def test_submodules_off_and_lfs_off_are_accepted(mounts):
    m = mounts("submodules=off,lfs=off")
    assert m.ls("edge/hard/tree/vendor/library") == []
    assert "git-lfs" in m.read("edge/hard/tree/assets/logo.psd")


@pytest.mark.parametrize("settings", [{}, {"any_sha1": False, "reachable_sha1": False, "tip_sha1": False}],
                         ids=["any-sha1", "tips-only"])
@pytest.mark.parametrize("name", ["acme/widgets", "monolith-labs/monolith"])
def test_a_server_without_v2(bb, mounts, tmp_path, settings, name):
    bb.v2 = False
    for key, value in settings.items():
        setattr(bb, key, value)
    m = mounts()
    want = checkout(bb.repo_path(*name.split("/")), str(tmp_path / "want"))
    mark = bb.log.mark()
    assert same_trees(want, m / (name + "/tree")) == ""
    fetch, *more = fetches(bb, mark)
    assert fetch["git"]["deepen"] == 1 and "side-band-64k" in " ".join(fetch["git"]["args"])
    if not FILTERED or settings:
        assert more == [] and len(git(bb, mark)) == 2
    assert m.ls("edge/empty/tree") == []


def test_a_server_that_speaks_v2_no_more(bb, mounts):
    """The capabilities that were remembered are wrong: they are read again, and nobody notices."""
    m = mounts()
    m.ls("acme/widgets/tree")
    bb.v2 = False
    assert "index.html" in m.ls("acme/website/tree")
    bb.v2 = True
    assert "network.tf" in m.ls("acme/infra/tree")


@pytest.mark.parametrize("allowed", [True, False])
def test_with_and_without_a_filter_allowed(bb, mounts, tmp_path, allowed):
    bb.filter = allowed
    m = mounts()
    want = checkout(bb.repo_path("acme", "billing"), str(tmp_path / "want"))
    assert same_trees(want, m / "acme/billing/tree") == ""
    if not allowed:
        assert all(not e["git"]["filter"] for e in fetches(bb))


CUTS = [("truncate", 0), ("truncate", 200), ("truncate", 700), ("truncate", 1500), ("truncate", 2150), ("reset", 300),
        ("reset", 2000), ("garbage", 900), ("garbage", 2100)]


@pytest.mark.plain_git
def test_a_fetch_that_is_cut_leaves_nothing_and_the_next_try_works(bb, mounts, tmp_path):
    """One repository per cut, so that nobody waits for what a failure is remembered."""
    m = mounts()
    m.ls("acme/website/tree")
    for i, (kind, after) in enumerate(CUTS):
        bb.create_repo("acme", f"cut-{i}", pristine="widgets")
    for i, (kind, after) in enumerate(CUTS):
        fault = bb.fault(rf"/cut-{i}\.git/git-upload-pack", kind, after_bytes=after)
        with pytest.raises(OSError) as e:
            m.ls(f"acme/cut-{i}/tree")
        assert e.value.errno == errno.EIO, (kind, after)
        assert re.search(rf"\tacme/cut-{i}/tree\t[A-Z]+\t\S", m.told(f"acme/cut-{i}/tree"))
        fails(errno.EIO, os.stat, m / f"acme/cut-{i}/tree/README.md")
        assert fault.hits, (kind, after)
        assert sound(store_of(m, bb, f"acme/cut-{i}")) == ""
    assert [t["repository"] for t in m.status()["trees"]] == ["website"]
    bb.faults.clear()
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    for i in range(len(CUTS)):
        await_true(lambda: can_list(m / f"acme/cut-{i}/tree"), f"a new try of cut-{i}")
        assert same_trees(want, m / f"acme/cut-{i}/tree") == "", CUTS[i]
        assert sound(store_of(m, bb, f"acme/cut-{i}")) == ""


def can_list(path):
    try:
        return os.listdir(path) is not None
    except OSError:
        return False


def test_a_daemon_killed_in_the_middle_of_a_fetch(bb, mounts, tmp_path):
    bb.filter = False
    m = mounts()
    m.ls("monolith-labs/monolith/tree")
    fault = bb.fault(r"/hard\.git/git-upload-pack", "stall", after_bytes=1 << 20)
    reader = subprocess.Popen(["ls", m / "edge/hard/tree"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_true(lambda: any(f["bytes"] > 500000 for f in m.status()["fetching"]), "the fetch is under way")
    m.kill()
    reader.wait()
    fault.remove()
    assert sound(store_of(m, bb, "edge/hard")) == ""
    again = mounts()
    mark = bb.log.mark()
    assert again.read("edge/hard/tree/CHANGES") == "one\n"
    assert len(fetches(bb, mark)) == 1
    left = [f for _, _, names in os.walk(store_of(again, bb, "edge/hard")) for f in names if "tmp" in f]
    assert left == [], "what the dead one left is swept"
    mark = bb.log.mark()
    assert "README.md" in again.ls("monolith-labs/monolith/tree")
    assert fetches(bb, mark) == []


@pytest.mark.concurrent
def test_two_mounts_on_one_cache_at_once(bb, mounts, tmp_path):
    bb.filter = False
    a, b = mounts(), mounts()
    start, failed = threading.Barrier(8), []

    def look(m):
        start.wait()
        try:
            for name in ("edge/hard", "acme/widgets", "acme/website"):
                m.ls(name + "/tree")
        except OSError as e:
            failed.append(e)
    readers = [threading.Thread(target=look, args=(m,)) for m in (a, b) * 4]
    for r in readers:
        r.start()
    for r in readers:
        r.join()
    assert failed == []
    assert len(fetches(bb)) <= 6, "once per process at most"
    want = checkout(bb.repo_path("edge", "hard"), str(tmp_path / "want"))
    for m in (a, b):
        assert same_trees(want + "/names", m / "edge/hard/tree/names") == ""
        assert same_trees(want + "/many", m / "edge/hard/tree/many") == ""
    assert sound(store_of(a, bb, "edge/hard")) == ""
    mark = bb.log.mark()
    c = mounts()
    assert same_trees(want + "/links", c / "edge/hard/tree/links") == ""
    assert fetches(bb, mark) == []


def test_status_shows_a_running_fetch_with_bytes_and_percent(bb, mounts):
    bb.filter = False
    m = mounts()
    fault = bb.fault(r"/hard\.git/git-upload-pack", "stall", after_bytes=1 << 20)
    reader = threading.Thread(target=m.ls, args=("edge/hard/tree",))
    reader.start()
    wanted = re.compile(r"^fetching: edge/hard, (\d+\.\d [kM]B), (\d+)% .*$", re.M)
    line = await_true(lambda: wanted.search(m.read(".bitbucketfs/status")), "status has a line of it")
    assert 0 <= int(line.group(2)) <= 100
    shown = await_true(lambda: m.status()["fetching"], "and so has status.json")[0]
    assert (shown["workspace"], shown["repository"]) == ("edge", "hard")
    assert 0 < shown["bytes"] <= 2 << 20
    assert 0 <= shown["objects"] <= shown["objects_total"]
    fault.remove()
    reader.join()
    await_true(lambda: m.status()["fetching"] == [], "it is over")


def test_status_names_the_commit_of_each_tree(bb, mounts):
    m = mounts()
    for name in ("acme/widgets", "acme/website", "edge/empty"):
        m.ls(name + "/tree")
    trees = await_true(lambda: [t for t in m.status()["trees"] if len(m.status()["trees"]) == 3], "three trees")
    assert {(t["workspace"], t["repository"]): t["commit"] for t in trees} == {
        ("acme", "widgets"): head(bb, "acme/widgets"), ("acme", "website"): head(bb, "acme/website"), ("edge", "empty"): None}
    text = m.read(".bitbucketfs/status")
    assert f"tree: acme/widgets {head(bb, 'acme/widgets')} main, checked " in text
    assert "tree: edge/empty empty" in text


@pytest.mark.parametrize("status, code", [(401, errno.EACCES), (403, errno.EACCES), (404, errno.ENOENT), (500, errno.EIO)])
def test_git_that_refuses(bb, mounts, status, code):
    """A directory that answered ENOENT to a listing would be taken for a deleted one."""
    m = mounts()
    os.stat(m / "acme/widgets/tree")
    bb.fault(r"widgets\.git/", "status", status=status, body="no")
    listed = errno.ENODATA if code == errno.ENOENT else code
    fails(listed, os.listdir, m / "acme/widgets/tree")
    fails(code, os.stat, m / "acme/widgets/tree/README.md")
    assert re.search(rf"\tacme/widgets/tree\t{errno.errorcode[listed]}\t\S", m.errors())
    assert "tree" in m.ls("acme/widgets"), "what is refused stays listed"


def test_what_answers_is_no_git(bb, mounts):
    m = mounts()
    bb.fault(r"widgets\.git/", "status", status=200, body="<html>Sign in to this network</html>",
             headers={"Content-Type": "text/html"})
    fails(errno.EIO, os.listdir, m / "acme/widgets/tree")
    assert re.search(r"\tacme/widgets/tree\tEIO\t\S", m.errors())


@pytest.mark.plain_git
def test_a_large_directory_is_parsed_once(bb, mounts, tmp_path):
    """Its listing, and a stat of each of its names: what a piece costs does not depend on how much there is."""
    source = str(tmp_path / "large.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", source], check=True)
    lines = b"".join(b"M 100644 :1 many/%06d.txt\n" % i for i in range(20000))
    subprocess.run(["git", "--git-dir", source, "fast-import", "--quiet"], check=True, input=(
        b"blob\nmark :1\ndata 5\ntext\n\ncommit refs/heads/main\ncommitter A <a@example.org> 1767258000 +0000\ndata 0\n" + lines))
    repo = bb.create_repo("acme", "large")
    repo.git_dir, repo.mainbranch = source, "main"
    m = mounts()

    def parsed_since(mount, before):
        # The status is up to a second old.
        return await_true(lambda: mount.status()["cache"]["trees_parsed"] - before, "a tree that was parsed")
    assert m.ls("acme/large/tree") == ["many"]
    before = m.status()["cache"]["trees_parsed"]
    names = m.ls("acme/large/tree/many")
    assert len(names) == 20000
    again = mounts()
    again.ls("acme/large/tree")
    start = again.status()["cache"]["trees_parsed"]
    for name in names:
        os.stat(again / f"acme/large/tree/many/{name}")
    assert sorted(os.listdir(again / "acme/large/tree/many")) == names
    assert parsed_since(m, before) == 1, "of the listing"
    assert parsed_since(again, start) == 1, "of the looks at each name, and a listing"


def bring(bb, tmp_path, name, files, *configuration):
    """A repository of one commit with these contents."""
    source = str(tmp_path / f"{name}.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", source], check=True)
    for line in configuration:
        subprocess.run(["git", "--git-dir", source, "config", *line.split("=")], check=True)
    importer = subprocess.Popen(["git", "--git-dir", source, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    importer.stdin.write(b"commit refs/heads/main\ncommitter A <a@example.org> 1767258000 +0000\ndata 0\n")
    for path, pieces in files.items():
        importer.stdin.write(b"M 100644 inline %s\ndata %d\n" % (path.encode(), sum(len(p) for p in pieces)))
        for piece in pieces:
            importer.stdin.write(piece)
        importer.stdin.write(b"\n")
    importer.stdin.close()
    assert importer.wait() == 0
    repo = bb.create_repo("acme", name)
    repo.git_dir, repo.mainbranch = source, "main"
    return source


def limit_memory(m, more):
    """What the daemon may have from now on beyond what it has: what asks for more of it ends it."""
    with open(f"/proc/{m.process.pid}/status") as f:
        now = int(re.search(r"VmData:\s+(\d+) kB", f.read()).group(1)) << 10
    subprocess.run(["prlimit", f"--pid={m.process.pid}", f"--data={now + more}"], check=True)


@pytest.mark.plain_git
@pytest.mark.skipif(SANITIZED, reason="sanitizers take memory of their own")
def test_memory_does_not_follow_the_size_of_a_file(bb, mounts, tmp_path):
    """One that compresses to nothing, one that does not compress, one that is a delta of the other."""
    zeros, noise = [bytes(1 << 20)] * 160, [random.Random(i).randbytes(1 << 20) for i in range(24)]
    source = bring(bb, tmp_path, "heavy", {"zeros": zeros, "noise": noise, "noise-2": [b"first\n", *noise, b"last\n"]},
                   "core.bigFileThreshold=100m")
    subprocess.run(["git", "--git-dir", source, "repack", "-q", "-adf"], check=True)
    deltas = subprocess.run(["git", "--git-dir", source, "verify-pack", "-v", *glob.glob(f"{source}/objects/pack/*.idx")],
                            check=True, capture_output=True, text=True).stdout
    assert "chain length = 1: 1 object" in deltas
    m = mounts()
    assert m.ls("acme/heavy/tree") == ["noise", "noise-2", "zeros"]
    m.unmount()
    m = mounts()
    m.ls("acme/heavy/tree")
    # The stacks of some threads count, though nothing is on them.
    limit_memory(m, 100 << 20)
    with open(m / "acme/heavy/tree/zeros", "rb") as f:
        assert f.read(10) == bytes(10)
    for name, pieces in ("zeros", zeros), ("noise-2", [b"first\n", *noise, b"last\n"]), ("noise", noise):
        with open(m / f"acme/heavy/tree/{name}", "rb") as f:
            have, want, peak = hashlib.sha256(), hashlib.sha256(), 0
            while piece := f.read(1 << 20):
                have.update(piece)
                peak = max(peak, m.rss_anon())
            for piece in pieces:
                want.update(piece)
            assert have.digest() == want.digest(), name
            assert peak < 40 << 20, f"{name}: {peak >> 20} MB"
    assert m.errors() == ""


def test_a_reader_of_a_big_file_can_leave(bb, mounts, tmp_path):
    """Ctrl-C while it is made for him ends him at once; who waits for the same file gets it, who waits for another one too."""
    contents = {"zeros": [bytes(1 << 20)] * 250, "ones": [b"1" * (1 << 20)] * 20}
    bring(bb, tmp_path, "heavy", contents, "core.bigFileThreshold=1m")
    m = mounts()
    m.ls("acme/heavy/tree")

    def files(pattern):
        return [f for f in glob.glob(f"{m.cache}/**/{pattern}", recursive=True) if os.path.getsize(f)]

    with readers([m / "acme/heavy/tree/zeros"]) as first:
        await_true(lambda: files("tmp-*/big-*"), "it is being made")
        with readers([m / "acme/heavy/tree/zeros", m / "acme/heavy/tree/ones"], ("sha256sum",)) as others:
            interrupt(first)
            assert not files("big/*"), "he did not wait for its end"
            for p, content in zip(others, contents.values()):
                assert p.communicate()[0].split()[0].decode() == hashlib.sha256(b"".join(content)).hexdigest()
    assert m.errors() == ""


def test_a_file_over_the_bound_is_refused_with_a_line(bb, mounts, tmp_path):
    bring(bb, tmp_path, "over", {"over": [bytes(16 << 20), b"x"], "under": [bytes(16 << 20)]}, "core.bigFileThreshold=1m")
    m = mounts("big_file=16M")
    assert os.stat(m / "acme/over/tree/over").st_size == (16 << 20) + 1, "it is shown"
    with open(m / "acme/over/tree/over", "rb") as f:
        fails(errno.EFBIG, f.read, 10)
    assert re.search(r"\tacme/over/tree/over\tEFBIG\tThis file is larger than the option big_file allows", m.errors())
    with open(m / "acme/over/tree/under", "rb") as f:
        assert f.read() == bytes(16 << 20)
    m.unmount()
    with open(mounts(BITBUCKETFS_BIG_FILE="1g") / "acme/over/tree/over", "rb") as f:
        assert f.read()[-2:] == b"\0x"


@pytest.mark.plain_git
@pytest.mark.skipif(SANITIZED or os.geteuid() != 0, reason="needs drop_caches, and memory without a sanitizer's")
def test_what_the_kernel_forgets_is_given_back(bb, mounts, tmp_path):
    source = str(tmp_path / "many.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", source], check=True)
    lines = b"".join(b"M 100644 :1 many/%06d.txt\n" % i for i in range(50000))
    subprocess.run(["git", "--git-dir", source, "fast-import", "--quiet"], check=True, input=(
        b"blob\nmark :1\ndata 5\ntext\n\ncommit refs/heads/main\ncommitter A <a@example.org> 1767258000 +0000\ndata 0\n" + lines))
    repo = bb.create_repo("acme", "many")
    repo.git_dir, repo.mainbranch = source, "main"
    m = mounts()
    m.ls("acme/many/tree")
    before = m.rss_anon()
    with os.scandir(m / "acme/many/tree/many") as entries:
        assert sum(1 for e in entries if e.stat().st_size) == 50000
    full = m.rss_anon()
    assert full - before > 6 << 20

    def forgotten():
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("2")
        return m.rss_anon() - before < (full - before) / 2
    # A tree that nobody uses goes after a minute: this is of the nodes alone, and need not wait for it.
    await_true(forgotten, "half of it is given back", 90)
