"""Programs that index a home: they are shown what is cached, and cause no request."""
import os
import shutil
import subprocess

from conftest import PATIENCE, asked, await_true


def copied(place, program, name):
    path = place / name
    shutil.copy(shutil.which(program), path)
    return str(path)


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)


def refusals(m, name):
    return [line for line in m.errors().splitlines() if "\tEACCES\t" in line and f" {name}, " in line]


def test_an_indexer_is_shown_what_is_cached_and_causes_no_request(bb, mounts, tmp_path):
    before = mounts()
    for name in "acme/widgets/info", "acme/widgets/tree/README.md", "acme/widgets/pullrequests/index.tsv":
        before.read(name)
    for name in "acme", "acme/widgets/branches":
        before.ls(name)
    before.unmount()
    began = bb.log.mark()
    m = mounts("ttl=1")
    m.read(".bitbucketfs/user.json")
    await_true(lambda: asked(bb, began, "/2.0/user"), "the credentials are checked, behind what is cached")
    mark = bb.log.mark()
    walk = run(copied(tmp_path, "find", "baloo_file"), m.path, "-noleaf")
    assert walk.returncode == 1 and "Permission denied" in walk.stderr
    found = {os.path.relpath(path, m.path) for path in walk.stdout.splitlines()}
    assert {"acme/widgets/info", "acme/widgets/tree/README.md", "acme/widgets/tree/src/main.c",
            "acme/widgets/pullrequests/index.tsv"} <= found
    extract = copied(tmp_path, "cat", "tracker-extract-3")
    assert run(extract, m / "acme/widgets/tree/README.md").stdout.startswith("# widgets\n")
    assert "Permission denied" in run(extract, m / "acme/website/tree/README.md").stderr
    assert asked(bb, mark) == []
    assert len(refusals(m, "baloo_file")) == 1

    # Who looks after it is served as if it had not been there: what it was shown is asked for anew.
    bb.push("acme", "widgets", {"README.md": "# another\n"})
    await_true(lambda: m.read("acme/widgets/tree/README.md") == "# another\n", "nobody asked for what was pushed")
    assert m.read("acme/widgets/downloads/index.tsv")


def test_the_names_of_indexers_are_a_setting(bb, mounts, tmp_path):
    m = mounts("indexers=ripgre*")
    assert "Permission denied" in run(copied(tmp_path, "cat", "ripgrep"), m / "acme/widgets/info").stderr
    assert run(copied(tmp_path, "cat", "baloo_file"), m / "acme/widgets/info").returncode == 0
    m.unmount()
    m = mounts("indexers=off", cache="other")
    assert run(copied(tmp_path, "cat", "updatedb.plocate"), m / "acme/widgets/info").returncode == 0
