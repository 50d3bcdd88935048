"""Refs, commits, diffs: what of the history the API shows."""
import re
from urllib.parse import quote

from . import gitread, gitrepo, objects, query
from .objects import WEB, href
from .reply import ApiError, Reply, page, route
from .res_repo import SCOPE, the_repository

HERE = "/repositories/{workspace}/{repo_slug}"
STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "modified", "C": "added"}


def shown(text):
    """Text as JSON can carry it: bytes that are no UTF-8 become the replacement character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def escaped(text):
    return quote(text.encode("utf-8", "surrogateescape"))


def there(req, workspace, repo_slug):
    """(repository, its bare repository, the link to it)"""
    r = the_repository(req, workspace, repo_slug)
    return r, req.bb.git_dir(r), f"{req.api}/repositories/{r.full_name}"


def commit_of(git_dir, name):
    """The id that a revision of a URL stands for."""
    oid = None
    if name and not name.startswith("-") and not re.search(r"[\s~^:?*\[\\\x00-\x1f\x7f]|\.\.|@{", name):
        for place in ("refs/heads/" + name, "refs/tags/" + name):
            oid = oid or gitrepo.resolve(git_dir, place)
        if not oid and re.fullmatch("[0-9a-f]{7,64}", name) or name == "HEAD":
            oid = oid or gitrepo.resolve(git_dir, name)
    if not oid:
        raise ApiError(404, "Commit not found", data={"shas": [shown(name)]})
    return oid


def author(req, raw):
    who = {"type": "author", "raw": raw}
    for u in req.bb.state.users.values():
        if f"<{u.email}>" in raw:
            who["user"] = objects.user(req, u)
    return who


def rendered(text):
    html = text.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"type": "rendered", "raw": text, "markup": "markdown", "html": f"<p>{html}</p>" if html else ""}


def commit_short(here, r, oid):
    return {"type": "commit", "hash": oid, "links": {"self": href(f"{here}/commit/{oid}"),
                                                     "html": href(f"{WEB}/{r.full_name}/commits/{oid}")}}


def commit(req, r, here, c, full=True):
    oid = c["oid"]
    kinds = ("diff", "approve", "comments", "statuses", "patch")
    body = {"type": "commit", "hash": oid, "date": c["date"], "author": author(req, c["author"]), "message": c["message"],
            "links": {**commit_short(here, r, oid)["links"],
                      **{k: href(f"{here}/{k}/{oid}" if k in ("diff", "patch") else f"{here}/commit/{oid}/{k}") for k in kinds}},
            "parents": [commit_short(here, r, p) for p in c["parents"]],
            "repository": objects.repository_short(req, r)}
    if full:
        body["summary"] = rendered(c["message"])
        body["rendered"] = {"message": rendered(c["message"])}
    return body


def render_commits(req, r, git_dir, here, oids):
    return [commit(req, r, here, c) for c in gitread.commits(git_dir, oids)]


def commit_page(req, r, git_dir, here, oids, default=30):
    body = page(req, oids, default=default, cursor=True)
    body["values"] = render_commits(req, r, git_dir, here, body["values"])
    return body


@route(HERE + "/commits", SCOPE)
@route(HERE + "/commits/{revision...}", SCOPE)
def commits(req, workspace, repo_slug, revision=None):
    r, git_dir, here = there(req, workspace, repo_slug)
    include = [commit_of(git_dir, n) for n in ([revision] if revision else req.every("include"))]
    exclude = [commit_of(git_dir, n) for n in req.every("exclude")]
    if not include:
        include = sorted({b["commit"] for b in gitread.refs(git_dir, "heads")})
    return commit_page(req, r, git_dir, here, gitread.history(git_dir, include, exclude, req.get("path")))


@route(HERE + "/commit/{commit_id}", SCOPE)
def one_commit(req, workspace, repo_slug, commit_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    return render_commits(req, r, git_dir, here, [commit_of(git_dir, commit_id)])[0]


def branch(req, r, here, ref, c):
    name = quote(ref["name"])
    return {"name": ref["name"], "target": commit(req, r, here, c, full=False),
            "links": {"self": href(f"{here}/refs/branches/{name}"), "commits": href(f"{here}/commits/{name}"),
                      "html": href(f"{WEB}/{r.full_name}/branch/{name}")},
            "type": "branch", "merge_strategies": ["merge_commit", "squash", "fast_forward"],
            "default_merge_strategy": "merge_commit"}


def tag(req, r, here, ref, c):
    name = quote(ref["name"])
    full = ref["annotated"]
    return {"name": ref["name"], "type": "tag", "message": ref["message"] if full else None,
            "date": ref["date"] if full else None, "tagger": author(req, ref["tagger"]) if full else None,
            "target": commit(req, r, here, c, full=False),
            "links": {"self": href(f"{here}/refs/tags/{name}"), "commits": href(f"{here}/commits/{name}"),
                      "html": href(f"{WEB}/{r.full_name}/commits/tag/{name}")}}


def ref_list(req, workspace, repo_slug, *folders):
    r, git_dir, here = there(req, workspace, repo_slug)
    found = [(f, ref) for f in folders for ref in gitread.refs(git_dir, f)]
    of = {c["oid"]: c for c in gitread.commits(git_dir, list(dict.fromkeys(ref["commit"] for _, ref in found)))}
    return [(branch if f == "heads" else tag)(req, r, here, ref, of[ref["commit"]]) for f, ref in found]


def ref_page(req, items):
    return page(req, query.order(query.select(items, req.get("q")), req.get("sort")))


def one_ref(items, name, what):
    for item in items:
        if item["name"] == name:
            return item
    raise ApiError(404, f"{what} {shown(name)} not found")


@route(HERE + "/refs", SCOPE)
def refs(req, workspace, repo_slug):
    return ref_page(req, ref_list(req, workspace, repo_slug, "heads", "tags"))


@route(HERE + "/refs/branches", SCOPE)
def branches(req, workspace, repo_slug):
    return ref_page(req, ref_list(req, workspace, repo_slug, "heads"))


@route(HERE + "/refs/tags", SCOPE)
def tags(req, workspace, repo_slug):
    return ref_page(req, ref_list(req, workspace, repo_slug, "tags"))


@route(HERE + "/refs/branches/{name...}", SCOPE)
def one_branch(req, workspace, repo_slug, name):
    return one_ref(ref_list(req, workspace, repo_slug, "heads"), name, "Branch")


@route(HERE + "/refs/tags/{name...}", SCOPE)
def one_tag(req, workspace, repo_slug, name):
    return one_ref(ref_list(req, workspace, repo_slug, "tags"), name, "Tag")


def two_sides(git_dir, spec):
    """(old, new) of a spec: one commit against its first parent; a..b shows what a has and b has not."""
    if "\r" in spec:                                    # workspace/slug:new CR old, as pull requests redirect to
        new, _, old = spec.rpartition(":")[2].partition("\r")
        return commit_of(git_dir, old), commit_of(git_dir, new)
    if ".." in spec:
        new, _, old = spec.partition("..")
        return commit_of(git_dir, old.lstrip(".")), commit_of(git_dir, new)
    new = commit_of(git_dir, spec)
    return gitread.first_parent(git_dir, new), new


def topic(req, spec):
    asked = req.get("topic")
    return asked != "false" if asked else ".." in spec or "\r" in spec


@route(HERE + "/diff/{spec...}", SCOPE)
def diff(req, workspace, repo_slug, spec):
    r, git_dir, here = there(req, workspace, repo_slug)
    old, new = two_sides(git_dir, spec)
    context = req.get("context")
    args = ["-U" + context] if context and context.isdigit() else []
    return Reply(body=gitread.diff(git_dir, old, new, *args, path=req.get("path"), topic=topic(req, spec)),
                 type="text/plain; charset=utf-8")


@route(HERE + "/patch/{spec...}", SCOPE)
def patch(req, workspace, repo_slug, spec):
    r, git_dir, here = there(req, workspace, repo_slug)
    old, new = two_sides(git_dir, spec)
    span = [f"{old}..{new}"] if old != gitread.EMPTY_TREE else ["--root", new]
    return Reply(body=gitrepo.git(git_dir, "format-patch", "--stdout", *span), type="text/plain; charset=utf-8")


@route(HERE + "/diffstat/{spec...}", SCOPE)
def diffstat(req, workspace, repo_slug, spec):
    r, git_dir, here = there(req, workspace, repo_slug)
    old, new = two_sides(git_dir, spec)

    def side(oid, path):
        return {"path": shown(path), "escaped_path": escaped(path), "type": "commit_file",
                "links": {"self": href(f"{here}/src/{oid}/{escaped(path)}")}}

    def item(change):
        letter, added, removed, before, after = change
        return {"type": "diffstat", "status": STATUS.get(letter, "modified"), "lines_added": added, "lines_removed": removed,
                "old": None if letter == "A" else side(old, before), "new": None if letter == "D" else side(new, after)}
    changes = gitread.diffstat(git_dir, old, new, req.get("path"), topic(req, spec))
    return page(req, changes, item, default=500, top=500, cursor=True)
