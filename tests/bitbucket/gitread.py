"""What the API shows of a repository's history, read by plumbing. Answers by commit id are kept."""
import functools
import os
import subprocess

from .git_http import environment
from .gitrepo import git, resolve

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
FORMAT = "%H%x01%P%x01%aI%x01%an <%ae>%x01%B"
REF = "%(refname)%01%(objecttype)%01%(objectname)%01%(*objectname)%01%(taggername) %(taggeremail)%01%(taggerdate:iso-strict)" \
      "%01%(contents)%00"


def words(data):
    return data.decode("utf-8", "replace")


@functools.lru_cache(1000)
def _commits(git_dir, oids):
    out = git(git_dir, "log", "-z", "--no-walk=unsorted", "--format=" + FORMAT, "--stdin", data="\n".join(oids).encode())
    found = []
    for record in out.split(b"\0"):
        if record:
            oid, parents, date, author, message = words(record).split("\x01", 4)
            found.append({"oid": oid, "parents": parents.split(), "date": date, "author": author,
                          "message": message.rstrip("\n") + "\n"})
    return found


def commits(git_dir, oids):
    """The commits as dicts: oid, parents, date, author, message."""
    return _commits(git_dir, tuple(oids)) if oids else []


def history(git_dir, include, exclude=(), path=None):
    """Ids of the commits reachable from some and not from others, newest first."""
    if not include:
        return []
    args = [*include, *("^" + e for e in exclude)]
    return git(git_dir, "rev-list", "--date-order", *args, *(["--", path] if path else [])).decode().split()


def refs(git_dir, folder):
    """The refs of a folder ("heads", "tags") as dicts: name, commit, and for annotated tags message, tagger, date."""
    out = git(git_dir, "for-each-ref", "--format=" + REF, "refs/" + folder)
    found = []
    for record in out.split(b"\0"):
        record = record.lstrip(b"\n")
        if record:
            name, kind, oid, peeled, tagger, date, message = words(record).split("\x01", 6)
            found.append({"name": name.split("/", 2)[2], "commit": peeled or oid, "annotated": kind == "tag",
                          "tagger": tagger, "date": date, "message": message})
    return found


@functools.lru_cache(200)
def tree(git_dir, oid, path, depth=1):
    """Entries below a directory, breadth first: (mode, type, oid, size, path); None when it is no directory."""
    base = oid + ":" + path
    args = ["-r", "-t"] if depth > 1 else []
    done = subprocess.run(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "ls-tree", "-z", "-l", *args,
                           os.fsencode(base)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode:
        return None
    found = []
    for record in done.stdout.split(b"\0"):
        if record:
            meta, _, name = record.partition(b"\t")
            mode, kind, blob, size = meta.decode().split()
            name = name.decode("utf-8", "surrogateescape")
            if name.count("/") < depth:
                found.append((mode, kind, blob, 0 if size == "-" else int(size), (path + "/" if path else "") + name))
    return sorted(found, key=lambda e: e[4].count("/")) if depth > 1 else found


def entry(git_dir, oid, path):
    """One entry of a tree, or None."""
    folder, _, _ = path.rpartition("/")
    return next((e for e in tree(git_dir, oid, folder) or () if e[4] == path), None)


def blobs(git_dir, oids, most=1 << 20):
    """{oid: contents} of the blobs up to a size."""
    if not oids:
        return {}
    sizes = git(git_dir, "cat-file", "--batch-check=%(objectname) %(objectsize)", data="\n".join(oids).encode() + b"\n")
    wanted = [line.split()[0] for line in sizes.splitlines() if line.split()[1].isdigit() and int(line.split()[1]) <= most]
    out, at, found = git(git_dir, "cat-file", "--batch", data=b"\n".join(wanted) + b"\n" if wanted else b""), 0, {}
    for _ in wanted:
        end = out.index(b"\n", at)
        oid, _, size = out[at:end].split()
        found[oid.decode()] = out[end + 1:end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def blob_chunks(git_dir, oid):
    proc = subprocess.Popen(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "cat-file", "blob", oid], env=environment(),
                            stdout=subprocess.PIPE)
    try:
        while chunk := proc.stdout.read(1 << 16):
            yield chunk
    finally:
        proc.kill()
        proc.stdout.close()
        proc.wait()


def first_parent(git_dir, oid):
    return resolve(git_dir, oid + "^1") or EMPTY_TREE


def diff(git_dir, old, new, *args, path=None, topic=False):
    """git diff from old to new; topic: from where new left old."""
    if topic and old != EMPTY_TREE:
        old = git(git_dir, "merge-base", old, new, check=False).decode().strip() or old
    return git(git_dir, "diff", "--no-color", "-M", *args, old, new, *(["--", path] if path else []))


def diffstat(git_dir, old, new, path=None, topic=False):
    """Changed files: (status letter, lines added, lines removed, old path, new path)."""
    counts = {}
    fields = diff(git_dir, old, new, "--numstat", "-z", path=path, topic=topic).split(b"\0")
    while len(fields) > 1:
        added, removed, name = fields.pop(0).split(b"\t", 2)
        if not name:
            fields.pop(0)
            name = fields.pop(0)
        counts[name] = [0 if n == b"-" else int(n) for n in (added, removed)]
    found = []
    fields = diff(git_dir, old, new, "--raw", "-z", path=path, topic=topic).split(b"\0")
    while len(fields) > 1:
        letter = fields.pop(0).decode().split()[4][0]
        before = fields.pop(0)
        after = fields.pop(0) if letter in "RC" else before
        found.append((letter, *counts.get(after, (0, 0)), *(n.decode("utf-8", "surrogateescape") for n in (before, after))))
    return found
