"""The repositories that are hard to show: `hard`, `hostile`, `sha256`; and the big one of the benches."""
import hashlib
import os

from . import gitrepo
from .gitrepo import EPOCH, Importer

WHO = "Edge Case <edge@example.com>"
BIG = 200 * 1000 * 1000


def text(seed, n):
    """n bytes of words that are always the same for the same seed."""
    words, out, i = [], 0, 0
    while out < n:
        word = hashlib.sha1(f"{seed}/{i}".encode()).hexdigest()[:2 + i % 9]
        words.append(word + ("\n" if i % 11 == 10 else " "))
        out += len(words[-1])
        i += 1
    return "".join(words).encode()[:n]


def big_chunks():
    """200 MB that pack into one or two: the same page again and again, numbered by the megabyte."""
    block = text("big", 8000)
    for i in range(200):
        head = b"%011d\n" % i
        body = head + block * 125
        yield body[:1000 * 1000]


def hard_files(big, older):
    files = {
        "README.md": "# hard\n\nEverything that a tree can hold and most tools get wrong.\n",
        "empty": b"", "no-newline": b"no newline at the end", "binary.bin": bytes(range(256)) * 64,
        "bin/run": ("exec", b"#!/bin/sh\necho run\n"), "bin/plain": b"not executable\n",
        "links/relative": ("symlink", "../README.md"), "links/absolute": ("symlink", "/etc/hostname"),
        "links/dangling": ("symlink", "no/such/file"), "links/directory": ("symlink", "../src"),
        "links/self": ("symlink", "self"), "links/up": ("symlink", ".."), "links/odd": ("symlink", "with space/\udcff"),
        "links/long": ("symlink", "../" * 600 + "README.md"), "src/one.c": "int one(void) { return 1; }\n",
        "vendor/library": ("submodule", older),
        ".gitmodules": '[submodule "library"]\n\tpath = vendor/library\n\turl = ../hard.git\n',
        "names/with space": "space\n", "names/ leading": "1\n", "names/trailing ": "2\n", "names/with\nnewline": "newline\n",
        "names/with\ttab": "tab\n", "names/quote\"back\\slash": "quote\n", "names/-rf": "dash\n", "names/*?[x]": "glob\n",
        "names/Überraschung.txt": "NFC\n", "names/U\u0308berraschung.txt": "NFD\n", "names/日本語.txt": "three\n",
        "names/🙂": "face\n", "names/invalid-\udcff\udcfe": "bytes\n", "names/\udcc3(": "half\n", "names/\x01\x7f": "control\n",
        "names/CASE": "upper\n", "names/case": "lower\n", "names/...": "dots\n", "names/.hidden": "hidden\n",
        "names/index.tsv": "ours elsewhere\n", "names/%2F": "percent\n",
        "names/" + "n" * 255: "255 bytes\n", "names/" + "ü" * 127 + "x": "255 bytes of UTF-8\n",
        "names/" + "d" * 255 + "/" + "f" * 255: "twice\n",
        "/".join(f"level{i:02}" for i in range(1, 41)) + "/deep.txt": "40 levels deep\n",
        "eol/.gitattributes": "*.txt text\n*.crlf text eol=crlf\n*.lf text eol=lf\n*.id ident\n"
                              "*.u16 text working-tree-encoding=UTF-16LE\n*.bin -text\n*.secret filter=nothing-here\n",
        "eol/crlf.txt": b"stored\r\nwith\r\nCRLF\r\n", "eol/mixed.txt": b"one\r\ntwo\nthree\r\n",
        "eol/wants.crlf": b"stored with LF\nshown with CRLF by a checkout\n", "eol/wants.lf": b"only\nLF\n",
        "eol/version.id": b"$Id$\n", "eol/expanded.id": b"$Id: 0123456789abcdef $\n", "eol/wide.u16": "breit äöü\n",
        "eol/raw.bin": b"\r\n\0\n\r", "eol/some.secret": b"filtered\n", "eol/cr-only.txt": b"old\rmac\r",
        ".gitattributes": "*.psd diff=lfs merge=lfs -text\nexport-ignored export-ignore\n",
        "export-ignored": "still in the tree\n",
        "assets/logo.psd": "version https://git-lfs.github.com/spec/v1\noid sha256:" + hashlib.sha256(b"logo").hexdigest()
                           + "\nsize 4123456\n",
        "assets/not-a-pointer.psd": "version https://git-lfs.github.com/spec/v1\n",
        "medium.txt": text("medium", 3 * 1000 * 1000), "over-8MB.bin": text("nine", 1000) * 9437,
    }
    files.update({f"many/{i:04}.txt": f"file {i}\n" for i in range(5000)})
    if big:
        files["big/200MB.bin"] = ("chunks", BIG, big_chunks())
    return files


def hard(git_dir, big=True):
    gitrepo.init(git_dir)
    imp = Importer(git_dir)
    mark = imp.commit("main", "Begin", WHO, EPOCH, {"README.md": "# hard\n"})
    first = imp.close()[mark]
    imp = Importer(git_dir)
    top = imp.commit("main", "Add everything that is hard\n\nNames, links, modes, line ends.", WHO, EPOCH + 86400,
                     hard_files(big, first), parent=first)
    last = imp.commit("main", "Say what it is", WHO, EPOCH + 2 * 86400,
                      {"CHANGES": "one\n", "names/with space": "space, changed\n", "names/case": None,
                       "bin/plain": ("exec", b"not executable\n")})
    imp.commit("feature/deep/branch-name", "Work in a branch with slashes", WHO, EPOCH + 3 * 86400,
               {"feature.txt": "in a branch\n"}, parent=last)
    imp.commit("feature/short", "Another", WHO, EPOCH + 4 * 86400, {"short.txt": "x\n"}, parent=top)
    imp.commit("größe", "A branch in UTF-8", WHO, EPOCH + 5 * 86400, {"g.txt": "g\n"}, parent=last)
    imp.branch("index.tsv", first)
    imp.branch("%2F", first)
    imp.tag("v1.0", first, "The first\n\nwith two lines", WHO, EPOCH + 100)
    imp.tag("light", top)
    imp.tag("release/2026/01", last, "Slashes", WHO, EPOCH + 2 * 86400 + 5)
    imp.close()


def entry(mode, name, oid):
    name = name.encode() if isinstance(name, str) else name
    return mode + b" " + name + b"\0" + bytes.fromhex(oid)


def hostile(git_dir):
    """Trees as git itself would never write them; the good entries beside the bad ones must be shown."""
    gitrepo.init(git_dir)

    def put(kind, data):
        return gitrepo.git(git_dir, "hash-object", "-t", kind, "-w", "--literally", "--stdin", data=data).decode().strip()
    good, bad, other = put("blob", b"good\n"), put("blob", b"bad\n"), put("blob", b"other\n")
    inner = put("tree", entry(b"100644", "inside.txt", good))
    dots = put("tree", entry(b"100644", ".", bad) + entry(b"100644", "..", bad) + entry(b"100644", "fine.txt", good))
    slash = put("tree", entry(b"100644", "../../escape", bad) + entry(b"100644", "/etc/passwd", bad)
                + entry(b"100644", "a/b", bad) + entry(b"100644", "fine.txt", good))
    dotgit = put("tree", entry(b"40000", ".GIT", inner) + entry(b"40000", ".Git", inner) + entry(b"40000", ".git", inner)
                 + entry(b"100644", ".gitignore", good) + entry(b"100644", "fine.txt", good))
    twice = put("tree", entry(b"100644", "fine.txt", good) + entry(b"100644", "twice", good) + entry(b"100644", "twice", other)
                + entry(b"40000", "twice", inner))
    long = put("tree", entry(b"100644", "fine.txt", good) + entry(b"100644", "l" * 255, good) + entry(b"100644", "l" * 256, bad)
               + entry(b"100644", "l" * 5000, bad))
    modes = put("tree", entry(b"100664", "group-writable", good) + entry(b"100600", "private", good)
                + entry(b"120777", "zlink", bad))
    unsorted = put("tree", entry(b"100644", "z.txt", good) + entry(b"100644", "a.txt", other))
    root = put("tree", b"".join((
        entry(b"100644", ".", bad), entry(b"100644", "..", bad), entry(b"40000", ".GIT", inner), entry(b"40000", ".git", inner),
        entry(b"100644", "README.md", good), entry(b"100644", "a/b", bad), entry(b"40000", "dotgit", dotgit),
        entry(b"40000", "dots", dots), entry(b"40000", "good", inner), entry(b"40000", "long", long),
        entry(b"40000", "modes", modes), entry(b"40000", "slash", slash), entry(b"100644", "twice", good),
        entry(b"100644", "twice", other), entry(b"40000", "twices", twice), entry(b"40000", "unsorted", unsorted))))
    when = f"{EPOCH} +0000"
    commit = put("commit", (f"tree {root}\nauthor {WHO} {when}\ncommitter {WHO} {when}\n\nHostile\n").encode())
    with open(os.path.join(git_dir, "refs", "heads", "main"), "w") as f:
        f.write(commit + "\n")


def sha256(git_dir):
    gitrepo.init(git_dir, sha256=True)
    imp = Importer(git_dir)
    imp.commit("main", "Begin with SHA-256", WHO, EPOCH, {"README.md": "# sha256\n", "src/main.c": "int main(void) {}\n"})
    imp.close()


def forest(git_dir, n=57000, folders=2100, longest=2600):
    """As many small files as a big repository has, for the benches."""
    gitrepo.init(git_dir)
    pool = text("forest", 1 << 20)
    files = {}
    for i in range(n):
        d, at = i % folders, (i * 7919) % (len(pool) - 6000)
        files[f"test/part{d // 100:02}/group{d // 10 % 10}/case{d % 10}/file-{i:05}.js"] = (
            b"// %d\n" % i + pool[at:at + 300 + i * 31 % longest])
    files["README.md"] = "# forest\n"
    imp = Importer(git_dir)
    imp.commit("main", "Plant the forest", WHO, EPOCH, {"README.md": "# forest\n"})
    imp.commit("main", "Let it grow", WHO, EPOCH + 3600, files)
    imp.close()
