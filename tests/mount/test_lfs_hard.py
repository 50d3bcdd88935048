"""The hard repository with objects of LFS, side by side with what git and git-lfs check out."""
import os
import shutil
import subprocess

import pytest

from bitbucket.storage import Made

from conftest import same_trees
from test_lfs_bytes import MB, batches, storage

OBJECTS = {"assets/logo.psd": Made(4_123_456, "logo"), "assets/again.psd": Made(4_123_456, "logo"), "assets/none.psd": b"",
           "assets/small.psd": b"small", "names/U\u0308ber \udcff.psd": Made(MB + 1, "name"), "many/one.psd": b"one of many"}


def cloned(bb, where, template):
    """As `git lfs install` and `git clone --recurse-submodules` give it, but for line ends: the mount converts nothing."""
    os.makedirs(template / "info")
    (template / "info/attributes").write_text("* -text -eol -ident -working-tree-encoding\n")
    there = bb.git_url.replace("://", f"://x-bitbucket-api-token-auth:{bb.accounts['ada'].token}@")
    settings = {"filter.lfs.process": "git-lfs filter-process", "filter.lfs.smudge": "git-lfs smudge -- %f", "filter.lfs.required": "true",
                "core.longpaths": "true", "core.protectHFS": "false", "core.protectNTFS": "false"}
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env.update(GIT_CONFIG_COUNT=str(len(settings)), GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
               GIT_TERMINAL_PROMPT="0", GIT_TEMPLATE_DIR=str(template), HOME=str(template))
    for i, (key, value) in enumerate(settings.items()):
        env.update({f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value})
    done = subprocess.run(["git", "clone", "-q", "--recurse-submodules", f"{there}/edge/hard.git", where], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for place, dirs, files in os.walk(where):
        if ".git" in dirs + files:
            git = os.path.join(place, ".git")
            shutil.rmtree(git) if ".git" in dirs else os.unlink(git)
            dirs[:] = [d for d in dirs if d != ".git"]
    return where


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed (Debian: git-lfs)")
def test_the_hard_repository_is_what_git_lfs_checks_out(bb, mounts, tmp_path):
    pointers = {path: bb.add_lfs("edge", "hard", what) if what else b"" for path, what in OBJECTS.items()}
    bb.push("edge", "hard", {".gitattributes": "*.psd filter=lfs diff=lfs merge=lfs -text\n", "big/200MB.bin": None, **pointers})
    want = cloned(bb, str(tmp_path / "want"), tmp_path / "template")
    assert os.stat(want + "/assets/logo.psd").st_size == 4_123_456 and os.listdir(want + "/vendor/library") == ["README.md"]
    m = mounts("lfs=all")
    mark = bb.log.mark()
    assert same_trees(m / "edge/hard/tree", want) == ""
    # A batch for each directory, and the same content once.
    assert sorted(batches(bb, mark)) == [1, 1, 2] and len({e["path"].split("?")[0] for e in storage(bb, mark)}) == 4
    mark = bb.log.mark()
    assert same_trees(m / "edge/hard/tree", want) == "" and batches(bb, mark) == [] and storage(bb, mark) == []
    assert m.errors() == ""
