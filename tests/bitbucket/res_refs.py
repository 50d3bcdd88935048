"""Branches and tags."""
import re
from urllib.parse import quote

from . import gitread, query
from .objects import WEB, href
from .reply import ApiError, page, route
from .res_git import HERE, author, commit, shown, there
from .res_repo import SCOPE


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


def natural(item):
    """sort=name takes digits for numbers: 1.2 before 1.10."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", item["name"])]


def ref_page(req, items):
    items, sort = query.select(items, req.get("q")), req.get("sort")
    if sort in ("name", "-name"):
        return page(req, sorted(items, key=natural, reverse=sort[0] == "-"))
    return page(req, query.order(items, sort))


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
