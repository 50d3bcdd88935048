"""What two commits differ in: /diff, /diffstat, /patch, /merge-base, /file-conflicts, and a file's history."""
from . import gitread, gitrepo, query
from .objects import href
from .reply import ApiError, Reply, page, route
from .res_git import HERE, commit_of, escaped, render_commits, shown, there
from .res_repo import SCOPE

STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "modified", "C": "added"}
PLAIN = "text/plain; charset=utf-8"


def two_sides(req, git_dir, spec):
    """(where both are, old, new) of a spec: one commit against its first parent; a..b shows what a has and b has not.

    workspace/slug:a CR b is what pull requests redirect to; the first may be a fork.
    """
    if "\r" in spec:
        new, _, old = spec.partition("\r")
        name, _, new = new.rpartition(":")
        fork = req.bb.state.repository(*name.split("/", 1)) if "/" in name else None
        if fork and req.bb.git_dir(fork) != git_dir:
            git_dir = req.bb.joined(git_dir, req.bb.git_dir(fork))
        return git_dir, commit_of(git_dir, old), commit_of(git_dir, new)
    if ".." in spec:
        new, _, old = spec.partition("..")
        return git_dir, commit_of(git_dir, old.lstrip(".")), commit_of(git_dir, new)
    new = commit_of(git_dir, spec)
    return git_dir, gitread.first_parent(git_dir, new), new


def compared(req, workspace, repo_slug, spec):
    """(where both are, old, new) as topic= asks."""
    _, git_dir, _ = there(req, workspace, repo_slug)
    git_dir, old, new = two_sides(req, git_dir, spec)
    if old != gitread.empty_tree(old) and (".." in spec or "\r" in spec) and req.get("topic") != "false":
        old = gitread.merge_base(git_dir, old, new)
        if old is None:
            raise ApiError(400, "The two commits share no history")
    return git_dir, old, new


def options(req):
    args = ["-w"] if req.get("ignore_whitespace") == "true" else []
    return args, {"paths": req.every("path"), "renames": req.get("renames") != "false"}


@route(HERE + "/diff/{spec...}", SCOPE)
def diff(req, workspace, repo_slug, spec):
    git_dir, old, new = compared(req, workspace, repo_slug, spec)
    args, more = options(req)
    context = req.get("context", "")
    args += ["-U" + context] if context.isdigit() else []
    return Reply(body=gitread.diff(git_dir, old, new, *args, **more), type=PLAIN)


@route(HERE + "/patch/{spec...}", SCOPE)
def patch(req, workspace, repo_slug, spec):
    _, git_dir, _ = there(req, workspace, repo_slug)
    git_dir, old, new = two_sides(req, git_dir, spec)
    if old == gitread.empty_tree(old):
        span = ["--root", new]
    else:
        span = ["-1", new] if gitread.first_parent(git_dir, new) == old else [f"{old}..{new}"]
    return Reply(body=gitrepo.git(git_dir, "format-patch", "--stdout", *span), type=PLAIN)


@route(HERE + "/diffstat/{spec...}", SCOPE)
def diffstat(req, workspace, repo_slug, spec):
    _, _, here = there(req, workspace, repo_slug)
    git_dir, old, new = compared(req, workspace, repo_slug, spec)

    def side(oid, path):
        return {"path": shown(path), "escaped_path": escaped(path), "type": "commit_file",
                "links": {"self": href(f"{here}/src/{oid}/{escaped(path)}")}}

    def item(change):
        letter, added, removed, before, after = change
        return {"type": "diffstat", "status": STATUS.get(letter, "modified"), "lines_added": added, "lines_removed": removed,
                "old": None if letter == "A" else side(old, before), "new": None if letter == "D" else side(new, after)}
    args, more = options(req)
    return page(req, gitread.diffstat(git_dir, old, new, *args, **more), item, default=500, top=5000, cursor=True)


@route(HERE + "/merge-base/{spec...}", SCOPE)
def merge_base(req, workspace, repo_slug, spec):
    r, git_dir, here = there(req, workspace, repo_slug)
    if ".." not in spec and "\r" not in spec:
        raise ApiError(400, "Two commits are needed: A..B")
    git_dir, old, new = two_sides(req, git_dir, spec)
    base = gitread.merge_base(git_dir, new, old)
    if base is None:
        raise ApiError(404, "No common ancestor")
    return render_commits(req, r, git_dir, here, [base])[0]


@route(HERE + "/file-conflicts/{spec...}", SCOPE)
def file_conflicts(req, workspace, repo_slug, spec):
    _, git_dir, _ = there(req, workspace, repo_slug)
    if ".." not in spec and "\r" not in spec:
        raise ApiError(404, "Two commits are needed: A..B")
    git_dir, old, new = two_sides(req, git_dir, spec)
    found = [{"type": "file_conflict", "path": shown(path), "scenario": scenario, "message": message}
             for path, scenario, message in gitread.conflicts(git_dir, old, new)]
    return page(req, found, default=500, top=500)


@route(HERE + "/filehistory/{commit_id}/{path...}", SCOPE)
def file_history(req, workspace, repo_slug, commit_id, path):
    r, git_dir, here = there(req, workspace, repo_slug)
    found = gitread.file_history(git_dir, commit_of(git_dir, commit_id), path, req.get("renames") != "false")
    if not found:
        raise ApiError(404, "No such file or directory: " + shown(path))
    commits = {c["hash"]: c for c in render_commits(req, r, git_dir, here, list(dict.fromkeys(oid for oid, _ in found)))}

    def item(change):
        oid, name = change
        e = gitread.entry(git_dir, oid, name)
        where = f"{here}/src/{oid}/{escaped(name)}"
        return {"type": "commit_file", "path": shown(name), "escaped_path": escaped(name), "commit": commits[oid], "attributes": [],
                "size": e[3] if e else 0, "links": {"self": href(where), "meta": href(where + "?format=meta"),
                                                    "history": href(f"{here}/filehistory/{oid}/{escaped(name)}")}}
    every = [item(change) for change in found]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")), default=50, size=False)
