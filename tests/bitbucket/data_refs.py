"""edge/refs: every name that a branch or a tag can have, and commits that are hard to show.

Git itself has no ref with a space, ? * [ ~ ^ : or \\ in its name.
"""
import hashlib
import os

from . import gitrepo
from .data_review import RTL
from .gitrepo import EPOCH, Importer

WHO = "Ref Namer <refs@example.com>"
BRANCHES = (
    "feature/x", "feature/X", "Feature/x", "README", "readme", "ReadMe", "100%", "a%2Fb", "%00", "issue#12", "what&that=1;x", "plus+plus",
    "größe", "gro\u0308\u00dfe", "日本語/分支", RTL + "/" + RTL, "emoji/🎨", "quote\"s'", "dollar$HOME", "at@home", "(round){curly}", "<angle>|pipe!",
    "comma,dot.x", "index.tsv", "index.json", "more", "-dash", "deadbeef", "1234567", "v1.0", "b1", "b10", "b2", "b09",
    "/".join("level%d" % i for i in range(20)), "long-" + "n" * 200, "bugfix/WID-77-and-LEGAL2-8", "latin-\udce9", "ends.with.dots",
    "CON", "desktop.ini", "tree", "tab-not\u00a0but-nbsp", "zero\u200bwidth", "tr\u0131ck\u0130", "...x".replace("...", "_"))
TAGS = ("v1.9", "v1.10", "v1.2", "Release/1", "release/1", "feature/x", "größe", "index.tsv", "50%", "c#", "日本語", "🚢", "latin-\udce9")


def twins(git_dir, tree):
    """Two commits whose ids begin with the same eight digits, found by trying."""
    head, seen, n = f"tree {tree}\nauthor {WHO} {EPOCH} +0000\ncommitter {WHO} {EPOCH} +0000\n\nTwin ", {}, 0
    while True:
        body = f"{head}{n}\n".encode()
        oid = hashlib.sha1(b"commit %d\0" % len(body) + body).hexdigest()
        if oid[:8] in seen:
            break
        seen[oid[:8]] = body
        n += 1
    return [gitrepo.git(git_dir, "hash-object", "-t", "commit", "-w", "--stdin", data=b).decode().strip() for b in (seen[oid[:8]], body)]


def refs(git_dir):
    gitrepo.init(git_dir)
    imp = Importer(git_dir)
    first = imp.commit("main", "Begin", WHO, EPOCH, {"README.md": "# refs\n"})
    second = imp.commit("main", "WID-1: second\n\nWith a body, LEGAL2-8.\n", WHO, EPOCH + 60, {"a.txt": "a\n" * 20})
    third = imp.commit("main", "Rename it", WHO, EPOCH + 120, {"a.txt": None, "b/b.txt": "a\n" * 20 + "b\n"})
    left = imp.commit("side/left", "Left 👈", WHO, EPOCH + 180, {"left": "1\n"}, parent=third)
    imp.commit("side/right", "", "=?odd name, Jr. <>", EPOCH + 190, {"right": "1\n"}, parent=third)
    top = imp.commit("main", "Merge branch 'side/left'\n", WHO, EPOCH + 240, {"left": "1\n"}, parent=third, merge=left)
    imp.commit("orphan", "Another beginning", WHO, EPOCH + 10, {"lone.txt": "lone\n"})
    imp.commit("latin1", "Caf\udce9 in Latin-1".encode("utf-8", "surrogateescape"), WHO, EPOCH + 310, {"c": "c\n"}, parent=top)
    imp.commit("long-message", "Long\n\n" + "word " * 4000 + "\n\nAn end\twith a tab \\ and \"quotes\"", WHO, EPOCH + 320, {"l": "l\n"}, parent=top)
    for i in range(120):
        imp.branch(f"many/{i:03}", (first, second, third)[i % 3])
    imp.tag("v1.0", first, "One\n\nTwo lines, größer 🚢", WHO, EPOCH + 100)
    imp.tag("v2.0", top, "No more than a line", "Gone Tagger <gone@example.net>", EPOCH + 250)
    marks = imp.close()
    tip = marks[top]
    lines = [f"create refs/heads/{name}\0{marks[(first, second, third, top)[i % 4]]}\0" for i, name in enumerate(BRANCHES)]
    lines += [f"create refs/tags/{name}\0{marks[(top, third)[i % 2]]}\0" for i, name in enumerate(TAGS)]
    lines += [f"create refs/heads/twins/{name}\0{oid}\0" for name, oid in
              zip(("one", "two"), twins(git_dir, gitrepo.git(git_dir, "rev-parse", tip + "^{tree}").decode().strip()))]
    blob = gitrepo.git(git_dir, "rev-parse", tip + ":README.md").decode().strip()

    def tag_of(oid, kind, name):
        text = f"object {oid}\ntype {kind}\ntag {name}\ntagger {WHO} {EPOCH + 400} +0000\n\n{name}\n"
        made = gitrepo.git(git_dir, "mktag", "--no-strict", data=text.encode()).decode().strip()
        lines.append(f"create refs/tags/{name}\0{made}\0")
        return made
    tag_of(tag_of(tip, "commit", "inner"), "tag", "of-a-tag")
    tag_of(blob, "blob", "of-a-blob")
    tag_of(gitrepo.git(git_dir, "rev-parse", tip + "^{tree}").decode().strip(), "tree", "of-a-tree")
    lines.append(f"create refs/tags/light-of-a-blob\0{blob}\0")
    gitrepo.git(git_dir, "update-ref", "-z", "--stdin", data=os.fsencode("".join(lines)))
    gitrepo.git(git_dir, "pack-refs", "--all")
