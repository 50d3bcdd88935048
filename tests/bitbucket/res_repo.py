"""/repositories/{workspace} and /repositories/{workspace}/{repo_slug}."""
from . import objects, query
from .reply import ApiError, no_repository, page, route
from .res_account import the_workspace

SCOPE = "read:repository:bitbucket"


def the_repository(req, ws, name):
    r = req.bb.state.repository(ws, name)
    if r is None or not req.bb.state.sees(req.account, r):
        raise no_repository()
    return r


@route("/repositories/{workspace}", SCOPE)
def repositories(req, workspace):
    w = the_workspace(req, workspace)
    mine = req.bb.state.visible(req.account, w)
    role = req.get("role")
    if role not in (None, "admin", "contributor", "member", "owner"):
        raise ApiError(400, "Invalid role")
    if role and not req.bb.state.member(req.account, w):
        mine = []
    q, sort = req.get("q"), req.get("sort")
    if not q and sort in (None, "created_on", "-created_on", "updated_on", "-updated_on", "name", "-name", "slug", "-slug"):
        # The usual listings are sorted before they are rendered: a page is then a hundred objects, not a thousand.
        if sort:
            key = sort.lstrip("-")
            mine = sorted(mine, key=lambda r: str(getattr(r, key)).lower(), reverse=sort[0] == "-")
        return page(req, mine, lambda r: objects.repository(req, r))
    every = [objects.repository(req, r) for r in mine]
    return page(req, query.order(query.select(every, q), sort))


@route("/repositories/{workspace}/{repo_slug}", SCOPE)
def repository(req, workspace, repo_slug):
    return objects.repository(req, the_repository(req, workspace, repo_slug))


@route("/repositories/{workspace}/{repo_slug}/forks", SCOPE)
def forks(req, workspace, repo_slug):
    r = the_repository(req, workspace, repo_slug)
    state = req.bb.state
    found = [f for w in list(state.workspaces.values()) for f in state.visible(req.account, w) if f.parent == r.full_name]
    every = [objects.repository(req, f) for f in found]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route("/repositories/{workspace}/{repo_slug}/watchers", SCOPE)
def watchers(req, workspace, repo_slug):
    """Who made it and who belongs to its workspace; nobody as long as it is empty."""
    r = the_repository(req, workspace, repo_slug)
    keys = dict.fromkeys([r.owner, *r.workspace.members]) if r.mainbranch else ()
    return page(req, [objects.user(req, req.bb.state.users[k]) for k in keys])
