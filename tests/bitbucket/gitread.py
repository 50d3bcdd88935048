"""What the API shows of a repository's history, read by plumbing. Answers by commit id are kept."""
import functools
import os
import re
import subprocess

from . import children
from .git_http import environment
from .gitrepo import git, resolve

NAMED = "named-commits"             # in a repository: lines "name id" of commits that no ref keeps
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
EMPTY_TREE_256 = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
FORMAT = "%H%x01%P%x01%aI%x01%an <%ae>%x01%B"
REF = "%(refname)%01%(objecttype)%01%(objectname)%01%(*objecttype)%01%(*objectname)%01%(taggername) %(taggeremail)%01%(taggerdate:iso-strict)" \
      "%01%(contents)%00"


def words(data):
    return data.decode("utf-8", "replace")


def empty_tree(oid):
    """The id of the empty tree, in the hash of another id."""
    return EMPTY_TREE if len(oid) == 40 else EMPTY_TREE_256


@functools.lru_cache(64)
def _named(git_dir):
    try:
        with open(os.path.join(git_dir, NAMED)) as f:
            return dict(line.split() for line in f)
    except FileNotFoundError:
        return {}


@functools.lru_cache(5000)
def named(git_dir, name):
    """The commit of a repository as it was built: by its id, by the name that its builder gave it, or by a revision; or None."""
    if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name):
        return name
    return _named(git_dir).get(name) or resolve(git_dir, name)


def heads(git_dir):
    """{name: commit id} of the branches."""
    lines = git(git_dir, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads").splitlines()
    return {words(name)[11:]: oid.decode() for oid, _, name in (line.partition(b" ") for line in lines)}


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
    """The refs of a folder ("heads", "tags") as dicts: name, commit, and for annotated tags message, tagger, date.

    Tags of what is no commit are left out.
    """
    out = git(git_dir, "for-each-ref", "--format=" + REF, "refs/" + folder)
    found = []
    for record in out.split(b"\0"):
        record = record.lstrip(b"\n")
        if record:
            name, kind, oid, inner, peeled, tagger, date, message = words(record).split("\x01", 7)
            if inner == "tag":
                inner, peeled = "commit", resolve(git_dir, peeled)      # a tag of a tag: this git peels only once
            if (inner or kind) != "commit" or inner and not peeled:
                continue
            found.append({"name": name.split("/", 2)[2], "commit": peeled or oid, "annotated": kind == "tag",
                          "tagger": tagger, "date": date, "message": message})
    return found


@functools.lru_cache(200)
def tree(git_dir, oid, path, depth=1):
    """Entries below a directory, breadth first: (mode, type, oid, size, path); None when it is no directory."""
    base = oid + ":" + path
    args = ["-r", "-t"] if depth > 1 else []
    done = children.run(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "ls-tree", "-z", "-l", *args,
                         os.fsencode(base)], env=environment(), stderr=subprocess.DEVNULL)
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
    proc = children.start(["git", "-c", "safe.directory=*", "--git-dir", git_dir, "cat-file", "blob", oid],
                          env=environment(), stdout=subprocess.PIPE)
    try:
        while chunk := proc.stdout.read(1 << 16):
            yield chunk
    finally:
        proc.kill()
        proc.stdout.close()
        proc.wait()


def first_parent(git_dir, oid):
    return resolve(git_dir, oid + "^1") or empty_tree(oid)


def merge_base(git_dir, one, other):
    """The best common ancestor, or None."""
    return git(git_dir, "merge-base", one, other, check=False).decode().split("\n")[0] or None


def left_at(git_dir, old, new, topic):
    """What new is compared with: old, or with topic where new left it; None when they share no history."""
    return merge_base(git_dir, old, new) if topic and old != empty_tree(old) else old


def literal(paths):
    return ["--", *(":(literal)" + p for p in paths)] if paths else []


def diff(git_dir, old, new, *args, paths=(), renames=True):
    """git diff from old to new."""
    return git(git_dir, "diff", "--no-color", "-M" if renames else "--no-renames", *args, old, new, *literal(paths))


def diffstat(git_dir, old, new, *args, **options):
    """Changed files: (status letter, lines added, lines removed, old path, new path)."""
    counts = {}
    fields = diff(git_dir, old, new, "--numstat", "-z", *args, **options).split(b"\0")
    while len(fields) > 1:
        added, removed, name = fields.pop(0).split(b"\t", 2)
        if not name:
            fields.pop(0)
            name = fields.pop(0)
        counts[name] = [0 if n == b"-" else int(n) for n in (added, removed)]
    found = []
    fields = diff(git_dir, old, new, "--raw", "-z", *args, **options).split(b"\0")
    while len(fields) > 1:
        letter = fields.pop(0).decode().split()[4][0]
        before = fields.pop(0)
        after = fields.pop(0) if letter in "RC" else before
        found.append((letter, *counts.get(after, (0, 0)), *(n.decode("utf-8", "surrogateescape") for n in (before, after))))
    return found


def file_history(git_dir, oid, path, renames=True):
    """(commit, path in it) of the commits that changed a file, newest first."""
    out = git(git_dir, "log", "--date-order", "--format=%x01%H", "--name-only", "-z", *(["--follow"] if renames else []), oid,
              "--", path if renames else ":(literal)" + path, config=["core.quotePath=false"], check=False)
    found = []
    for record in out.split(b"\x01")[1:]:
        commit, _, rest = record.partition(b"\0")
        names = [n for n in rest.strip(b"\n").split(b"\0") if n]
        found.append((commit.decode().strip(), names[0].lstrip(b"\n").decode("utf-8", "surrogateescape") if names else path))
    return found


CONFLICTS = {"CONFLICT (contents)": "content", "CONFLICT (binary)": "binary", "CONFLICT (file/directory)": "file_directory",
             "CONFLICT (rename/delete)": "rename_delete", "CONFLICT (rename/rename)": "rename", "CONFLICT (submodule)": "subrepo",
             "CONFLICT (distinct modes)": "mode", "CONFLICT (modify/delete)": "modify_delete"}


def conflicts(git_dir, old, new):
    """(path, scenario, message) of what cannot be merged."""
    out = git(git_dir, "merge-tree", "--write-tree", "-z", "--name-only", "--messages", old, new, check=False).split(b"\0")
    found, at = [], out.index(b"", 1) + 1 if b"" in out[1:] else len(out)
    while at < len(out) and out[at].isdigit():
        n = int(out[at])
        path, kind, message = out[at + 1], words(out[at + 1 + n]), words(out[at + 2 + n])
        at += 3 + n
        if kind in CONFLICTS:
            found.append((path.decode("utf-8", "surrogateescape"), CONFLICTS[kind], message.strip()))
    return found
