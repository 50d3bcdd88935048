#!/usr/bin/env python3
"""Holds that what is cited is in the project: by comments, and by the papers.

    tests/signs.py [ROOT]         exit 1 and a line for each violation
    tests/signs.py --self-test    finds each kind of violation in a tree made for
                                  it, and none in a clean one

A comment cites a paper of the project by its path and a number or a heading:
"src/api/README.md, 9". The number is an item of that paper's list, the heading is
there. RFCs, and git's and the kernel's manuals, are cited by their names; nothing
else outside of the project is. Files and folders that a paper or a comment of the
program names exist (git's own: "git's tree-walk.c"), and each folder of src has a
paper.
"""

import pathlib
import re
import sys
import tempfile

import checks

TEXTS = ("*.c", "*.h", "*.py", "*.md", "*.build", "run", "*.sh", "quickstart")
TOPS = ("include", "src", "tests", "packaging", ".github")
# Not ours to hold: data.
DATA = ("tests/corpora/", "tests/signs.py")

# A path from the top, and what in it: a number, or a heading (in quotes where it
# is more than a word).
CITE = re.compile(
    r"((?:src|include|tests|packaging|\.github)/[\w./-]*\.md)"
    r"(?:\)?, (?:(\d+)\b|\"([^\"]+)\"|([A-Z][\w-]*)(?=[),.;:]|$)))?", re.MULTILINE)
OUTSIDE = re.compile(
    r"\bFACTS\b\s*[§:]|\b[Ll]ayout rules?\b|\b[Rr]ules? \d+\b"
    r"|\b(?:mount-layout|architecture|measured|style|field|FACTS)\.md\b"
    r"|(?<!RFC \d\d\d\d )§")
# In a paper: `a/path`, `name.c`, [words](link).
NAMED = re.compile(r"`([\w./*-]+)`")
LINK = re.compile(r"\]\(([^)#]+)")
SOURCE = re.compile(r"\.(?:c|h|py|md)$")


def unwrapped(text):
    """One line for a citation that is broken over two: " * " and "# " of comments
    and blanks go, and the lines are counted all the same."""
    return re.sub(r"\n[ \t]*(?:\* |# )?[ \t]*", lambda m: " ", text)



def files_of(root):
    for top in TOPS:
        for pattern in TEXTS:
            yield from sorted((root / top).rglob(pattern))
    yield from sorted(root.glob("*.md"))


def has_item(paper, number):
    return re.search(rf"^{number}\. ", paper, re.MULTILINE) is not None


def has_heading(paper, words):
    return re.search(rf"^#+ {re.escape(words)}\b", paper, re.MULTILINE) is not None


def check_cites(root, path, text):
    flat = unwrapped(text)
    for match in OUTSIDE.finditer(flat):
        yield f"\"{match.group().strip()}\" cites what is not in the project"
    for match in CITE.finditer(flat):
        paper, number, quoted, word = match.groups()
        if not (root / paper).is_file():
            # A paper's links are looked at as such.
            if "](" + paper in text:
                continue
            yield f"cites {paper}, which does not exist"
            continue
        content = (root / paper).read_text(encoding="utf-8")
        if number and not has_item(content, number):
            yield f"cites {paper}, {number}: it has no such item"
        elif (quoted or word) and not has_heading(content, quoted or word):
            yield f"cites {paper}, {quoted or word}: it has no such heading"


def exists(root, folder, name):
    """From the top, beside the paper or below it, or where headers are."""
    if "/" not in name and any(folder.rglob(name)):
        return True
    if "*" in name:
        return any(any(base.glob(name)) for base in
                   (root, folder, root / "src", root / "include"))
    below = folder.relative_to(root).as_posix()
    beside = [folder, root, root / "src", root / "include"]
    if below.startswith("src/"):
        beside.append(root / "include" / below[4:])
    return any((base / name).exists() for base in beside)


def check_paper(root, path, text):
    folder = (root / path).parent
    # What is in a block is a command, or what a command prints.
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for link in LINK.findall(text):
        if "://" not in link and not (folder / link).exists():
            yield f"links to {link}, which does not exist"
    for name in NAMED.findall(text):
        top = name.split("/")[0]
        ours = top in TOPS and "/" in name or (
            SOURCE.search(name) and name.endswith((".c", ".h", ".py")))
        if ours and not exists(root, folder, name):
            yield f"names {name}, which does not exist"


COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# "node.c", "src/api/get.h", "model/dirs/row_dir", not "x/y" of anything.
IN_COMMENT = re.compile(r"(?<![\w./-])([\w./-]+\.[ch])\b(?!:\d)|(?<![\w./-])"
                        r"((?:%s)/[a-z_/]+[a-z_])(?![\w./*-])")


def check_comments(root, path, text):
    """Modules and files that comments of the program name."""
    floors = sorted(f.name for f in (root / "src").iterdir() if f.is_dir())
    named = re.compile(IN_COMMENT.pattern % "|".join(floors))
    files = [f for top in ("src", "include") for f in (root / top).rglob("*.[ch]")]
    names = {f.name for f in files} | {
        f.relative_to(root).as_posix() for f in files} | {
        f.relative_to(root / f.relative_to(root).parts[0]).as_posix() for f in files}
    modules = {f[:-2] for f in names} | {
        f.rsplit("/", 1)[0] for f in names if "/" in f}
    for comment in COMMENT.findall(text):
        flat = unwrapped(comment)
        for match in named.finditer(flat):
            file, module = match.groups()
            if "git's" in flat[max(0, match.start() - 60):match.start()]:
                continue
            if file and file not in names or module and module not in modules:
                yield f"names {file or module}, which does not exist"


def check_folders(root):
    for folder in sorted({f.parent for f in (root / "src").rglob("*.c")}):
        while folder != root:
            if not (folder / "README.md").is_file():
                yield f"{folder.relative_to(root).as_posix()}: has no README.md"
            folder = folder.parent if folder.name != "src" else root


def violations(root):
    found, n_files = set(), 0
    for file in files_of(root):
        path = file.relative_to(root).as_posix()
        if path.startswith(DATA):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        for what in check_cites(root, path, text):
            found.add(f"{path}: {what}")
        if path.startswith(("src/", "include/")) and path.endswith((".c", ".h")):
            found |= {f"{path}: {what}"
                      for what in check_comments(root, path, text)}
        if path.endswith(".md"):
            found |= {f"{path}: {what}" for what in check_paper(root, path, text)}
        n_files += 1
    return sorted(found | set(check_folders(root))), n_files


CLEAN = {
    "README.md": "See [the code](src/README.md) and `tests/run.py`.\n",
    "src/README.md": "# Code\n\n## Freshness\n\n## Version = inode\n",
    "src/api/README.md": "1. One.\n2. Two, in `get.c` and `api/get.h`.\n",
    "src/api/get.c":
        "/*\n * As src/api/README.md,\n * 2 says; RFC 9110 §5.6.7 (src/README.md,\n"
        " * Freshness; src/README.md, \"Version = inode\").\n */\n",
    "include/api/get.h": "/* As git's gitformat-pack(5) has it, and its\n"
        " * tree-walk.c; see get.c, api/get, src/api/get.c. */\n",
    "tests/run.py": '"""What src/api/README.md, 1 promises."""\n',
}
# what: (path, its text, what is said)
WRONG = {
    "a paper that is not there": (
        "src/api/get.c", "/* src/wire/README.md, 2 */\n",
        "cites src/wire/README.md, which does not exist"),
    "an item that is not there": (
        "src/api/get.c", "/* src/api/README.md, 3 */\n",
        "cites src/api/README.md, 3: it has no such item"),
    "over two lines": (
        "tests/run.py", "# as src/api/README.md,\n# 12 says\n",
        "cites src/api/README.md, 12: it has no such item"),
    "a heading that is not there": (
        "src/api/get.c", "/* (src/README.md, Threads) */\n",
        "cites src/README.md, Threads: it has no such heading"),
    "a document outside": (
        "include/api/get.h", "/* FACTS §4 */\n", "not in the project"),
    "another one": ("tests/run.py", "# mount-layout.md\n", "not in the project"),
    "a rule of none": (
        "src/api/get.c", "/* what layout\n * rule 4 says */\n", "not in the project"),
    "a section of none": ("src/api/get.c", "/* as §4 */\n", "not in the project"),
    "a link": ("README.md", "[code](src/CODE.md)\n", "links to src/CODE.md"),
    "a file": ("src/api/README.md", "1. `put.c`\n2. \n", "names put.c"),
    "a file in a comment": (
        "src/api/get.c", "/* as get.h, and\n * put.c, say */\n",
        "names put.c, which does not exist"),
    "a module in a comment": (
        "include/api/get.h", "/* api/put */\n", "names api/put, which does not"),
    "a path": ("README.md", "`src/model/node.c`\n", "names src/model/node.c"),
    "a folder": ("src/wire/http.c", "\n", "src/wire: has no README.md"),
}


def self_test():
    failures = []
    for what, (path, text, said) in {"clean": (None, None, None), **WRONG}.items():
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            checks.write_tree(root, CLEAN | ({path: text} if path else {}))
            found, _ = violations(root)
            if len(found) != (1 if path else 0) or path and said not in found[0]:
                failures.append(f"{what}: expected \"{said}\", got {found}")
    return checks.told(failures, len(WRONG) + 1)


if __name__ == "__main__":
    sys.exit(checks.run(sys.argv[1:], __doc__, violations, self_test))
