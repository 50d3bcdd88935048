"""Bare repositories made and changed by plumbing, never by a checkout."""
import os
import shutil
import subprocess

from . import children
from .git_http import environment

EPOCH = 1767258000                  # 2026-01-01T09:00:00Z, the first moment of every history


def git(git_dir, *args, data=None, check=True, config=()):
    """The output of a git command; its words on failure are in the exception."""
    options = [x for c in ("safe.directory=*", *config) for x in ("-c", c)]
    done = children.run(["git", *options, "--git-dir", git_dir, *args], data, env=environment(), stderr=subprocess.PIPE)
    if check and done.returncode:
        raise RuntimeError(f"git {' '.join(map(str, args))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def init(git_dir, branch="main", sha256=False):
    """An empty bare repository, without the cost of a process."""
    for sub in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        os.makedirs(os.path.join(git_dir, sub), exist_ok=True)
    with open(os.path.join(git_dir, "HEAD"), "w") as f:
        f.write(f"ref: refs/heads/{branch}\n")
    with open(os.path.join(git_dir, "config"), "w") as f:
        f.write("[core]\n\trepositoryformatversion = %d\n\tbare = true\n" % sha256)
        f.write("[extensions]\n\tobjectformat = sha256\n" if sha256 else "")


def quoted(path):
    """A path as fast-import reads it, whatever its bytes."""
    path = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
    if all(48 <= c < 123 and c != 92 or c in b"./-_" for c in path):
        return path
    return b'"' + b"".join(b"%c" % c if 32 <= c < 127 and c not in b'"\\' else b"\\%03o" % c for c in path) + b'"'


def named(commit):
    return f":{commit}" if isinstance(commit, int) else commit


class Importer:
    """A git fast-import stream.

    Files are {path: content}; content is bytes or str, None (deleted), ("exec", bytes), ("symlink", target),
    ("submodule", oid), or ("chunks", size, iterable of bytes).
    """

    def __init__(self, git_dir, unpack=False):
        self.git_dir, self.mark, self.made = git_dir, 0, 0
        limit = 100 if unpack else 0
        self.proc = children.start(
            ["git", "-c", "safe.directory=*", "-c", f"fastimport.unpackLimit={limit}", "-c", "core.compression=1",
             "--git-dir", git_dir, "fast-import", "--quiet", "--force", "--date-format=raw-permissive",
             "--export-marks=" + os.path.join(git_dir, "marks")],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.out = self.proc.stdin

    def data(self, content):
        if isinstance(content, tuple):
            self.out.write(b"data %d\n" % content[1])
            for chunk in content[2]:
                self.out.write(chunk)
        else:
            self.out.write(b"data %d\n" % len(content) + content)
        self.out.write(b"\n")

    def commit(self, branch, message, who, when, files, parent=None, merge=None):
        """One commit; its mark. who: "Name <email>"; when: seconds. parent: a mark, a name, or None for the tip."""
        self.mark += 1
        line = f"{who} {when} +0000".encode()
        message = message.encode() if isinstance(message, str) else message
        self.out.write(b"commit refs/heads/%s\nmark :%d\nauthor %s\ncommitter %s\n"
                       % (branch.encode(), self.mark, line, line))
        self.data(message if message.endswith(b"\n") else message + b"\n")
        for word, ref in (("from", parent), ("merge", merge)):
            if ref is not None:
                self.out.write(f"{word} {named(ref)}\n".encode())
        mark = self.mark
        for path, content in files.items():
            mode = b"100644"
            if content is None:
                self.out.write(b"D %s\n" % quoted(path))
                continue
            if isinstance(content, tuple) and content[0] != "chunks":
                kind, content = content
                if kind == "submodule":
                    self.out.write(b"M 160000 %s %s\n" % (content.encode(), quoted(path)))
                    continue
                mode = {"exec": b"100755", "symlink": b"120000"}[kind]
            if isinstance(content, str):
                content = content.encode("utf-8", "surrogateescape")
            self.out.write(b"M %s inline %s\n" % (mode, quoted(path)))
            self.data(content)
        self.out.write(b"\n")
        return mark

    def branch(self, name, commit):
        """commit: a mark, or a name."""
        self.out.write(f"reset refs/heads/{name}\nfrom {named(commit)}\n\n".encode())

    def tag(self, name, commit, message=None, who=None, when=None):
        """An annotated tag, or a light one without a message."""
        if message is None:
            self.out.write(f"reset refs/tags/{name}\nfrom {named(commit)}\n\n".encode())
        else:
            self.out.write(f"tag {name}\nfrom {named(commit)}\ntagger {who} {when} +0000\n".encode())
            self.data(message.encode() + b"\n")

    def close(self):
        """Ends the stream; {mark: oid}."""
        self.out.close()
        words = self.proc.stderr.read().decode(errors="replace")
        self.proc.stderr.close()
        if self.proc.wait():
            raise RuntimeError("git fast-import: " + words.strip())
        name = os.path.join(self.git_dir, "marks")
        with open(name) as f:
            marks = {int(m[1:]): oid for m, oid in (line.split() for line in f)}
        os.unlink(name)
        return marks


def copy_on_write(pristine, git_dir):
    """A repository of its own that borrows the objects of a pristine one."""
    shutil.copytree(pristine, git_dir, ignore=lambda d, names: [
        n for n in names if d == pristine and n == "objects"])
    os.makedirs(os.path.join(git_dir, "objects", "info"))
    os.makedirs(os.path.join(git_dir, "objects", "pack"))
    with open(os.path.join(git_dir, "objects", "info", "alternates"), "w") as f:
        f.write(os.path.join(os.path.abspath(pristine), "objects") + "\n")


def union(git_dir, *others):
    """A bare repository without refs that reads the objects of others."""
    if not os.path.exists(git_dir):
        init(git_dir)
        with open(os.path.join(git_dir, "objects", "info", "alternates"), "w") as f:
            f.writelines(os.path.join(os.path.abspath(o), "objects") + "\n" for o in others)
    return git_dir


def size(git_dir):
    total = 0
    for folder, _, names in os.walk(os.path.join(git_dir, "objects")):
        total += sum(os.path.getsize(os.path.join(folder, n)) for n in names)
    return total


def resolve(git_dir, ref):
    """The commit id that a name stands for, or None."""
    out = git(git_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}", check=False)
    return out.decode().strip() or None
