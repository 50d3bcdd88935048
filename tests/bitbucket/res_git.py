"""What the resources of a repository's history have in common: revisions, commits, text."""
import re
from urllib.parse import quote

from . import gitread, gitrepo, objects
from .objects import WEB, href
from .reply import ApiError, page
from .res_repo import the_repository

HERE = "/repositories/{workspace}/{repo_slug}"


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
    if name and not re.search(r"[ ~^:?*\[\\\x00-\x1f\x7f]|\.\.|@{", name):
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
    text = text or ""
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


def who(req, key):
    """The JSON object of a user; null for one that was deleted."""
    return objects.user(req, req.bb.state.users[key]) if key else None


def first_built(req, r):
    """The repository as it was built, which the revisions of the data mean."""
    return f"{req.bb.pristine}/{r.pristine}.git"
