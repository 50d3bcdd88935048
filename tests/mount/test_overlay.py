"""A tree to write in, as the manual has it: an overlay over commits/ID/tree."""
import os
import subprocess

import pytest

from bitbucket import gitrepo
from conftest import PATIENCE

SCRIPT = r"""
set -eu
lower=$1 w=$2 more=$3
mkdir -p "$w/upper" "$w/work" "$w/tree"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$w/upper,workdir=$w/work$more" "$w/tree" || exit 77
cd "$w/tree"
head -n 1 README.md
cat src/main.c >/dev/null
echo more >>README.md
echo new >src/new.c
rm tests/run.sh
mv docs papers
echo pushed?
read -r _
cat README.md src/main.c src/new.c papers/guide.md >/dev/null
tail -n 1 README.md
echo again >>src/main.c
tail -n 1 src/main.c
test ! -e tests/run.sh
"""


@pytest.mark.parametrize("namespace", [["-m"], ["-rm"]], ids=["root", "user-namespace"])
def test_an_overlay_over_a_commit_s_tree_outlives_a_push(bb, mounts, tmp_path, namespace):
    if namespace == ["-m"] and os.getuid() != 0:
        pytest.skip("NOT TESTED: a mount namespace of its own needs root")
    git_dir = bb.repo_path("acme", "widgets")
    m = mounts("ttl=1")
    commit = gitrepo.resolve(git_dir, "HEAD")
    lower, more = m / f"acme/widgets/commits/{commit}/tree", ",userxattr" if namespace == ["-rm"] else ""
    p = subprocess.Popen(["unshare", *namespace, "--propagation", "private", "sh", "-c", SCRIPT, "sh", lower,
                          str(tmp_path / "w"), more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    for line in p.stdout:
        said.append(line)
        if line == "pushed?\n":
            break
    if said[-1:] == ["pushed?\n"]:
        bb.push("acme", "widgets", {"README.md": "# another\n", "src/main.c": "int x;\n"})
        assert m.refresh("acme/widgets")
    out, err = p.communicate("\n", timeout=PATIENCE)
    if p.returncode == 77 or "unshare failed" in err:
        pytest.skip("NOT TESTED: no overlay can be mounted here: " + err)
    assert (p.returncode, err) == (0, "")
    assert said == ["# widgets\n", "pushed?\n"] and out == "more\nagain\n"
    assert m.read("acme/widgets/tree/README.md") == "# another\n"
