"""The commits under review in widgets and in its fork: branches that are open, branches that are gone, commits that no ref keeps.

Those that pull requests name and no branch does have a name in the file that gitread.named reads.
"""
import os

from . import gitrepo
from .gitread import NAMED
from .gitrepo import EPOCH

DAY = 86400
SCRATCH = "scratch/removed-when-built"
RTL = "\u05e9\u05dc\u05d5\u05dd"


def keep(imp, name, mark):
    """Gives a commit a name that is no ref."""
    imp.named = [*getattr(imp, "named", ()), (name, mark)]


def close(imp):
    """Ends the stream, writes the names down, drops the scratch branch."""
    marks, names = imp.close(), getattr(imp, "named", ())
    if names:
        with open(os.path.join(imp.git_dir, NAMED), "w") as f:
            f.writelines(f"{name} {marks[mark]}\n" for name, mark in names)
        gitrepo.git(imp.git_dir, "update-ref", "-d", "refs/heads/" + SCRATCH)
    return marks


def more(imp, people, marks, top):
    """marks: the commits of main up to "docs: link to the latest guide"; top: its newest."""
    def commit(branch, who, day, message, files, parent=None, merge=None):
        return imp.commit(branch, message, people[who], EPOCH + day * DAY, files, parent, merge)

    # Many kinds of change in one branch.
    rich = "feature/WID-12-threads"
    commit(rich, "ben", 301, "WID-12: number the threads\n\nRefs WID-13, and LEGAL2-7 for the licence.\n\nCo-authored-by: Chen Wei <chen@example.com>",
           {"src/thread.c": "int thread;\n" * 30, "docs/index.md": None, "assets/icon.bin": bytes(range(256)),
            "docs/Größe ändern.md": "# Größe\n", "src/tab\tand\nnewline.c": "/* odd */\n"}, parent=top)
    commit(rich, "ben", 302, "WID-12: tests/run.sh is no program any more",
           {"tests/run.sh": b"#!/bin/sh\nset -e\n./widgets round | grep -q round\n", "docs/newest": ("symlink", "colours.md")})
    commit(rich, "chen", 303, "Fix a warning\n\nNot a key: X-1, wid-12, WID12.",
           {"src/thread.c": "int thread;\n" * 29 + "static int other;\n", "docs/guide.md": "# Guide\r\n\r\nLines end in CRLF.\r\n"})
    # What main says otherwise.
    commit("bugfix/WID-31-conflict", "dana", 300, "WID-31: print the name in capitals",
           {"src/widget.c": "/* all of it is new */\n", "docs/guide.md": None, "VERSION": "2.0\n"}, parent=marks[9])
    commit("größe/日本語", "erik", 302, RTL + " עברית\n\nביאור 🚚\n", {"i18n/he.txt": RTL + "\n"}, parent=top)
    commit("chore/update-gcc", "bot", 303, "Update gcc to 15", {"bitbucket-pipelines.yml": "image: gcc:15\n"}, parent=top)
    # release/2.x: a merge of a branch that is gone, then a squash of another one.
    first = commit("release/2.x", "ada", 270, "Begin 2.x", {"VERSION": "2.0\n"}, parent=marks[11])
    hot = commit(SCRATCH, "dana", 272, "WID-40: say 2.0", {"README.md": "# widgets 2\n"}, parent=first)
    merged = commit("release/2.x", "ada", 273, "Merged in hotfix/WID-40 (pull request #11)\n\nWID-40: say 2.0\n",
                    {"README.md": "# widgets 2\n"}, parent=first, merge=hot)
    one = commit(SCRATCH, "chen", 274, "wip", {"src/squash.c": "int a;\n"}, parent=merged)
    two = commit(SCRATCH, "chen", 274, "wip 2", {"src/squash.c": "int ab;\n"}, parent=one)
    squashed = commit("release/2.x", "chen", 275, "Merged in feature/squash (pull request #10)\n\nSquash\n\n* wip\n* wip 2\n",
                      {"src/squash.c": "int ab;\n"}, parent=merged)
    lost = commit(SCRATCH, "gone", 276, "From the other side", {"src/other.c": "int other;\n"}, parent=marks[11])
    moved = commit(SCRATCH, "gone", 277, "Moved away", {"src/moved.c": "int moved;\n"}, parent=marks[11])
    for name, mark in (("hotfix", hot), ("hotfix/to", first), ("hotfix/merged", merged), ("squash", two), ("squash/to", merged),
                       ("squash/merged", squashed), ("deleted-fork", lost), ("moved", moved)):
        keep(imp, name, mark)


def in_a_fork(imp, people):
    imp.commit("feature/from-a-fork", "WID-50: from a fork", people["ada"], EPOCH + 302 * DAY,
               {"src/forked.c": "int forked;\n", "README.md": "# widgets, forked\n"}, parent="refs/heads/main^0")
    imp.commit("feature/from-a-fork", "WID-50: once more", people["ada"], EPOCH + 303 * DAY, {"src/forked.c": "int forked = 2;\n"})
    imp.commit("feature/hidden", "Nobody sees this repository", people["gone"], EPOCH + 301 * DAY,
               {"src/hidden.c": "int hidden;\n"}, parent="refs/heads/main^0")
