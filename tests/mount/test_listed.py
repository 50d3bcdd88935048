"""What a walk meets: how little of a repository is listed, what one command over it costs, and that no link leads back.

Links that the mount makes (those in trees are git's own):
  pullrequests/N                 -> merged/N, declined/N, superseded/N    of one that is closed; not listed
  pullrequests[/STATE]/N/commits/ID -> the repository's commits/ID         not listed
  commits/SHORT                  -> the whole id                           not listed
  .workspace/projects/KEY/REPO   -> ../../../REPO                          listed
None is above what it leads to: a repository has no link to a workspace, a commit none to a pull request.
"""
import errno
import glob
import json
import os
import re
import subprocess

import pytest

from conftest import PATIENCE, api, asked, await_true
from test_review import run_out

W = "acme/widgets"
INDEXES = ["index.json", "index.tsv"]
IGNORE = ["/branches/*/", "/tags/*/", "/commits/*/", "/pullrequests/*/", "/pipelines/*/", "/deployments/*/",
          "/environments/*/", "/network/*/", "/settings/*/", "/issues/*/", "/downloads/"]
# Requests of one command over acme/widgets with nothing cached.
RG_MOST = 25
GREP_OTHERS_MOST = 53      # closed lists, commits, refs …; settings/ 8; ten pipelines with steps and logs 26
STARS_OTHERS_MOST = 33
OPEN_PULL_MOST = 7      # answers, none of them by a redirect
ANSWERS_MOST, ANSWERS_OPEN_PULL = 30, 8     # all of it together; whose bytes are read costs one more each
FILE = re.compile(r"/steps/[^/]+/log$|/downloads/[^/?]+$")
OF_A_PULL = re.compile(r"/pullrequests/\d+/|GET /2\.0/repositories/[^/]+/[^/]+/(diff|diffstat|file-conflicts)/")
# Answers that a directory has and does not list.
BY_NAME = {"settings": ["branching-model-settings", "effective-branching-model", "effective-default-reviewers", "override-settings"],
           "settings/pipelines": ["variables", "schedules", "caches", "runners", "ssh"],
           "environments/Staging": ["variables"], "pullrequests/8": ["conflicts"]}


def column(m, path, name):
    header, *lines = m.read(path + "/index.tsv").splitlines()
    at = header.split("\t").index(name)
    return [line.split("\t")[at] for line in lines]


def run(m, *command, top=".", timeout=6 * PATIENCE):
    # Not by cwd=: this process, which is the service too, would wait in vfork() for the child's chdir().
    done = subprocess.run(["env", "-C", m / top, *command], capture_output=True, timeout=timeout)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


# ---- what is listed


@pytest.mark.parametrize("place,name", [("commits", "hash"), ("pullrequests/merged", "id"), ("pullrequests/declined", "id"),
                                        ("pullrequests/superseded", "id"), ("pullrequests/7/commits", "hash"),
                                        ("pullrequests/merged/10/commits", "hash")])
def test_what_grows_lists_its_indexes_alone(shared, place, name):
    every = column(shared, f"{W}/{place}", name)
    assert every and shared.ls(f"{W}/{place}") == INDEXES
    for one in every:
        assert os.stat(shared / f"{W}/{place}/{one}/info").st_size > 0
    assert shared.ls(f"{W}/{place}") == INDEXES, "also once they were entered"


@pytest.mark.parametrize("option,n", [(None, 10), ("listed=3", 3), ("listed=20", 11)])
def test_the_newest_pipelines_are_listed(shared_mounts, option, n):
    m = shared_mounts(*([option] if option else []), cache="listed")
    every = sorted(map(int, column(m, f"{W}/pipelines", "number")), reverse=True)
    assert len(every) == 11
    assert m.ls(f"{W}/pipelines") == sorted([*INDEXES, "by-branch", *map(str, every[:n])])
    for number in every:
        assert f"number: {number}\n" in m.read(f"{W}/pipelines/{number}/info")


def test_the_newest_deployments_are_listed(shared):
    place = "edge/files/deployments"
    ids = {str(d["number"]): d["uuid"] for d in json.loads(shared.read(place + "/index.json"))}
    listed = [n for n in shared.ls(place) if n in ids]
    assert len(listed) == 10 < len(ids) and "more" not in shared.ls(place)
    assert sorted(map(int, listed)) == sorted(map(int, ids))[-10:]
    older = next(n for n in ids if n not in listed)
    assert ids[older] in shared.read(f"{place}/{older}/deployment.json")
    assert os.readlink(shared / f"{place}/{ids[older]}") == older, "at one place"


def test_a_deployment_says_where_it_went(bb, mounts):
    m = mounts()
    index = W + "/deployments/index.tsv"
    before, was = m.read(index), os.stat(m / index)
    last = W + "/deployments/6/info"
    assert "\nenvironment: {" in m.read(last)
    assert "\nStaging\t" not in before and column(m, W + "/deployments", "environment")[2] == "Production", "as the service says"
    assert m.ls(W + "/environments")
    mark = bb.log.mark()
    await_true(lambda: m.read(index) != before, "the names of environments")
    assert column(m, W + "/deployments", "environment") == ["Test", "Staging", "Production", "Staging", "Production", "K\u00f6ln / DC 2"]
    assert os.stat(m / index).st_ino != was.st_ino and os.stat(m / index).st_mtime > was.st_mtime
    await_true(lambda: "\nenvironment: K\u00f6ln / DC 2\n" in m.read(last), "the name also in info")
    assert not [e for e in bb.log.since(mark) if "deployments" in e["path"] or "environments" in e["path"]]


def test_the_environment_says_how_many_too(shared_mounts):
    m = shared_mounts(cache="listed", BITBUCKETFS_LISTED="2")
    assert m.ls(f"{W}/pipelines") == ["10", "11", "by-branch", *INDEXES]


def test_what_may_lack_its_answer_is_entered_by_name(shared):
    commit = column(shared, f"{W}/commits", "hash")[0]
    assert "pullrequests" not in shared.ls(f"{W}/commits/{commit}")
    assert shared.ls(f"{W}/commits/{commit}/pullrequests") == INDEXES
    step = f"{W}/pipelines/3/steps/1-build"
    assert "tests" not in shared.ls(step)
    assert shared.read(f"{step}/tests/report.json")


@pytest.mark.parametrize("place", BY_NAME)
def test_what_few_ask_for_is_entered_by_name(shared, place):
    listed = shared.ls(f"{W}/{place}")
    assert not set(listed) & set(BY_NAME[place])
    for name in BY_NAME[place]:
        assert set(shared.ls(f"{W}/{place}/{name}")) & {"index.tsv", "info", "key-pair"}, name
    assert shared.ls(f"{W}/{place}") == listed, "also once they were entered"


def test_settings_list_what_a_repository_is_set_up_with(shared):
    assert shared.ls(f"{W}/settings") == ["branch-restrictions", "branching-model", "default-reviewers", "deploy-keys", "hooks",
                                          "permissions", "pipelines"]
    assert shared.ls(f"{W}/settings/permissions") == ["groups", "users"]
    assert shared.ls(f"{W}/settings/pipelines") == ["info", "pipelines-config.json"]


def test_ignore_is_there_for_who_asks_and_costs_nothing(bb, mounts):
    m = mounts()
    m.ls(W)
    mark = bb.log.mark()
    said = m.read(f"{W}/.ignore")
    assert [line for line in said.splitlines() if not line.startswith("#")] == IGNORE and "!" not in said
    assert os.stat(m / f"{W}/.ignore").st_size == len(said)
    assert ".ignore" not in os.listdir(m / W)
    for place in ("", "acme", f"{W}/pullrequests", f"{W}/tree", f"{W}/branches", f"{W}/settings"):
        with pytest.raises(FileNotFoundError):
            os.stat(m / f"{place}/.ignore")
    for name in (".rgignore", ".gitignore", ".fdignore"):
        with pytest.raises(FileNotFoundError):
            os.stat(m / f"{W}/{name}")
    assert [line for line in api(bb, mark) if "refs/" not in line] == []


# ---- an item that no listing has lives by its node


@pytest.mark.parametrize("listing", [True, False], ids=["beside its index", "alone"])
@pytest.mark.parametrize("place,number", [("pullrequests/merged", 10), ("pullrequests/declined", 15)])
def test_one_that_is_entered_is_brought_up_to_date_by_itself(bb, mounts, place, number, listing):
    m = mounts()
    path = f"{W}/{place}/{number}"
    old = m.read(f"{path}/title")
    if listing:
        column(m, f"{W}/{place}", "id")
    m.unmount()
    run_out(m, 700, match="%pullrequests%")
    m = mounts()
    bb.update_pull("acme", "widgets", number, title="Other words")
    mark = bb.log.mark()
    assert m.read(f"{path}/title") == old, "served while the new is brought"
    await_true(lambda: m.read(f"{path}/title") == "Other words\n", "the new one")
    assert f"GET /2.0/repositories/acme/widgets/pullrequests/{number}" in api(bb, mark)
    assert asked(bb, mark, "state%3D") == [], "the whole listing for one of them"


# ---- what one command costs


@pytest.mark.parametrize("command", [("rg", "widget", W), ("rg", "widget", "acme"), ("fdfind", ".", W)])
def test_a_search_from_above_keeps_to_files_and_indexes(bb, mounts, command):
    m = mounts()
    for name in os.listdir(m / "acme") if command[-1] == "acme" else ():
        if name not in ("widgets", ".workspace"):
            command = (command[0], "-g", f"!/acme/{name}", *command[1:])
    mark = bb.log.mark()
    code, out, err = run(m, *command)
    assert (code, err) == (0, "")
    found = {line.split(":")[0].removeprefix(W + "/") for line in out.splitlines()}
    assert any(name.startswith("tree/src/") for name in found)
    assert {name.split("/")[-1] for name in found if not name.startswith("tree")} & {"index.tsv"}
    assert not [name for name in found if re.match(r"(branches|tags|commits|pullrequests|pipelines|settings)/[^/]+/.", name)]
    assert len(api(bb, mark)) <= RG_MOST, "\n".join(api(bb, mark))


@pytest.mark.parametrize("top", ["branches/main", "pullrequests/7", "pullrequests/7/comments", "settings/permissions"])
def test_a_search_from_inside_finds_all(shared, top):
    wanted = {"branches/main": "src/", "pullrequests/7": "comments/thread.md", "pullrequests/7/comments": "thread.md",
              "settings/permissions": "users/index.tsv"}[top]
    for place, path in ((f"{W}/{top}", "."), (W, top)):
        code, out, err = run(shared, "rg", "-l", "", path, top=place)
        assert any(wanted in line for line in out.splitlines()), (place, out, err)


def parts(bb, mark):
    """The requests since then: of what is below one of the open pull requests, the others."""
    below, others = [], []
    for line in api(bb, mark):
        (below if OF_A_PULL.search(line) else others).append(line)
    return below, others


def keeps_to_the_bar(m, every, reads):
    """Of the requests of one cold walk; `reads`: which files' bytes it had to have."""
    n_open = len(column(m, f"{W}/pullrequests", "id"))
    files = [line for line in every if FILE.search(line)]
    logs = [name for name in glob.glob(f"{m / W}/pipelines/*/steps/*/log")]
    downloads = set(m.ls(f"{W}/downloads")) - set(INDEXES)
    assert (n_open, len(logs), len(downloads)) == (9, 15, 4)
    assert len(files) == len(logs) * ("log" in reads) + len(downloads) * ("downloads" in reads), "one for each file"
    assert len(every) - len(files) <= ANSWERS_MOST + ANSWERS_OPEN_PULL * n_open, "\n".join(every)
    # The repository again, by its uuid: git, which knows it by its name, lacks the commit that a fork does not give.
    assert [line for line in set(every) if every.count(line) > 1 + line.endswith("/" + W)] == [], "asked for twice"


def test_grep_over_a_repository_is_tens_of_requests(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    code, out, err = run(m, "grep", "-r", "widget", W)
    below, others = parts(bb, mark)
    n_open = len(column(m, f"{W}/pullrequests", "id"))
    assert code in (0, 2) and "/tree/src/" in out and "/pullrequests/7/comments/" in out
    assert re.findall("grep: (?!acme/widgets/pullrequests/16/tree).*", err) == []
    assert n_open == 9 and len(below) <= OPEN_PULL_MOST * n_open + 3, "\n".join(below)   # 17 has more than a page of two
    # The lists of closed ones, of commits …, what is set up, ten pipelines with their steps and logs, the downloads.
    assert len(others) <= GREP_OTHERS_MOST, "\n".join(others)
    keeps_to_the_bar(m, below + others, ("log", "downloads"))


# zsh, too, wants to know what each name is, and the size of a log is known by its bytes.
@pytest.mark.parametrize("command,reads", [(("find", W), ()), (("find", W, "-size", "+1G"), ("log",)), (("du", "-a", W), ("log",)),
                                           (("zsh", "-fc", f"print -l {W}/**/*.c"), ("log",))],
                         ids=["find", "find -size", "du -a", "zsh **"])
def test_other_walks_keep_to_the_same_bar(bb, mounts, command, reads):
    m = mounts()
    mark = bb.log.mark()
    code, out, err = run(m, *command)
    every = api(bb, mark)
    if command[0] == "zsh":
        assert (code, err) == (0, "") and f"{W}/tree/src/main.c\n" in out
    else:
        assert err.count("\n") == 1 and "acme/widgets/pullrequests/16/tree" in err and "No data available" in err
    keeps_to_the_bar(m, every, reads)


def test_a_glob_s_stars_are_tens_of_requests(bb, mounts):
    m = mounts()
    mark = bb.log.mark()
    found = glob.glob(f"{m / W}/**/*.c", recursive=True)
    below, others = parts(bb, mark)
    assert any(name.endswith("tree/src/main.c") for name in found)
    assert len(below) <= OPEN_PULL_MOST * 9 + 3 and len(others) <= STARS_OTHERS_MOST, "\n".join(others)
    keeps_to_the_bar(m, below + others, ())


# ---- which commit the end of a fork is


def ends(bb, mark):
    return [line for line in api(bb, mark) if re.search(r"/commit/[0-9a-f]+$", line)]


@pytest.mark.parametrize("number", [14, 16])
def test_a_list_that_was_read_tells_the_end_of_a_fork(bb, mounts, number):
    m = mounts()
    mark = bb.log.mark()
    whole = column(m, f"{W}/pullrequests/{number}/commits", "hash")[0]
    if number == 14:
        assert "src" in m.ls(f"{W}/pullrequests/{number}/tree") and len(whole) == 40
    else:
        with pytest.raises(OSError) as caught:
            m.ls(f"{W}/pullrequests/{number}/tree")
        assert caught.value.errno == errno.ENODATA, "as without the list"
    assert ends(bb, mark) == []


def test_a_fork_that_is_closed_to_us_is_not_asked_by_each_look(bb, mounts):
    m = mounts()
    m.ls(f"{W}/pullrequests")
    mark = bb.log.mark()
    said = set()
    for _ in range(5):
        with pytest.raises(OSError) as caught:
            m.ls(f"{W}/pullrequests/16/tree")
        assert caught.value.errno == errno.ENODATA
        said.add(m.told(f"{W}/pullrequests/16/tree").split("\t")[3])
    asked_for = ends(bb, mark)
    # Of the fork by its uuid, which is the last word, and of the repository itself.
    assert len(asked_for) == 2 and len(said) == 1 and "82cc2a5fcad1" in said.pop(), asked_for


# ---- no link leads back


def kinds(m):
    """One of each kind of item, entered by its name: the paths."""
    ids = {place: column(m, f"{W}/{place}", name) for place, name in
           (("commits", "hash"), ("deployments", "number"), ("pipelines", "number"), ("environments", "name"))}
    newest = max(map(int, ids["pipelines"]))
    work = "acme/.workspace"
    return [f"{W}/commits/{ids['commits'][0]}", f"{W}/commits/{ids['commits'][0][:9]}", f"{W}/commits/{ids['commits'][0]}/pullrequests",
            f"{W}/commits/{ids['commits'][0]}/reports", f"{W}/pullrequests/7", f"{W}/pullrequests/2", f"{W}/pullrequests/merged/10",
            f"{W}/pullrequests/declined/12", f"{W}/pullrequests/superseded/4", f"{W}/pullrequests/14",
            f"{W}/pullrequests/7/commits/{column(m, f'{W}/pullrequests/7/commits', 'hash')[0]}",
            f"{W}/pullrequests/merged/10/commits/{column(m, f'{W}/pullrequests/merged/10/commits', 'hash')[0]}",
            f"{W}/pipelines/{newest}", f"{W}/pipelines/1", f"{W}/pipelines/3/steps/1-build/tests/cases",
            f"{W}/deployments/{ids['deployments'][-1]}", f"{W}/environments/{ids['environments'][0]}", f"{W}/network/forks",
            f"{W}/downloads/CHECKSUMS", f"{W}/branches/main", f"{W}/branches/feature/colours", f"{W}/tags/v1.0", f"{W}/issues",
            "ada-lindqvist/widgets/pullrequests", f"{W}/settings/pipelines/schedules",
            f"{work}/snippets/kypj", f"{work}/snippets/kypj/files", f"{work}/projects/PROD", f"{work}/projects/PROD/widgets",
            f"{work}/my-pullrequests"]


@pytest.fixture(scope="module")
def entered(shared_mounts):
    m = shared_mounts("walk=100000", "listed=100", cache="entered")
    for path in kinds(m):
        try:
            os.listdir(m / path)
        except NotADirectoryError:
            m.read(path, "rb")
        except FileNotFoundError:
            assert path.endswith("/issues"), path
    return m


@pytest.mark.parametrize("top", [W, "acme/.workspace"])
def test_following_links_ends(entered, top):
    """No loop, and not much more than there is: one that is met by a link is met once."""
    code, out, err = run(entered, "find", "-L", top, "-name", "tree", "-prune", "-o", "-path", "*/branches/*", "-prune", "-o", "-print")
    assert "loop" not in err.lower() and "too many levels" not in err.lower()
    assert [line for line in err.splitlines() if "pullrequests/16" not in line] == []
    met = out.splitlines()
    here = run(entered, "find", top, "-name", "tree", "-prune", "-o", "-path", "*/branches/*", "-prune", "-o", "-print")[1].splitlines()
    if top == W:
        met = [name for name in met if "/by-branch/" not in name]
        here = [name for name in here if "/by-branch/" not in name]
        assert sorted(met) == sorted(here), "no other link of a repository is listed"
    else:
        assert len(met) < 20 * len(here)
        assert not [name for name in met if name.count(".workspace") > 1], "a link leads back"


def test_every_item_s_links_end(entered):
    """From each of them, also where nothing above lists it; a link that was entered is not listed either."""
    for path in kinds(entered):
        if os.path.exists(entered / path) and not path.endswith("projects/PROD"):
            code, out, err = run(entered, "find", "-L", path, "-maxdepth", "40", "-name", "tree", "-prune", "-o", "-print")
            assert "loop" not in err.lower() and "Too many levels" not in err, (path, err)
            assert len(out.splitlines()) < 1500, path


@pytest.mark.parametrize("command", [("zip", "-qr", "{out}/x.zip", "."), ("tar", "-chf", "{out}/x.tar", "."),
                                     ("rsync", "-aL", "./", "{out}/x")], ids=lambda c: c[0])
@pytest.mark.parametrize("top", ["pullrequests/7", "pullrequests/merged/10"])
def test_a_copy_of_what_links_mean_ends(entered, tmp_path, command, top):
    out = str(tmp_path)
    code, _, err = run(entered, *(part.format(out=out) for part in command), top=f"{W}/{top}", timeout=3 * PATIENCE)
    assert code == 0 and err == ""
    size = sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(out) for name in names)
    assert 0 < size < 20 << 20
