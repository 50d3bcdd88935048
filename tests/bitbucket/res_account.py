"""/user, /user/workspaces, /workspaces/…, and what was removed."""
from . import objects, query
from .reply import ApiError, page, removed, route


def signed_in(req):
    """The user behind the request; access tokens and strangers are refused."""
    if req.account is None or not req.account.user:
        from .auth import BAD_TOKEN
        raise ApiError(401, BAD_TOKEN, headers={"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'})
    return req.bb.state.users[req.account.user]


def the_workspace(req, name):
    w = req.bb.state.workspace(name)
    if w is None:
        if name in req.bb.state.gone:
            raise ApiError(410, f"Workspace '{name}' has been deleted.")
        raise ApiError(404, f"No workspace with identifier '{name}'.")
    if w.is_private and not req.bb.state.member(req.account, w):
        raise ApiError(403, "You do not have access to view this workspace.")
    return w


def its_members(req, name):
    w = the_workspace(req, name)
    if not req.bb.state.member(req.account, w):
        raise ApiError(403, "You do not have access to view this workspace.")
    return w


@route("/user", "read:user:bitbucket")
def user(req):
    u = signed_in(req)
    return {**objects.user(req, u), "created_on": "2024-02-01T09:00:00.000000+00:00", "is_staff": False,
            "username": req.bb.username_of(u.key), "has_2fa_enabled": None, "account_status": "active",
            "location": None}


@route("/users/{selected_user}", "read:user:bitbucket")
def users(req, selected_user):
    for u in req.bb.state.users.values():
        if selected_user in (u.uuid, u.account_id):
            return {**objects.user(req, u), "created_on": "2024-02-01T09:00:00.000000+00:00"}
    raise ApiError(404, f"{selected_user} does not exist")


@route("/user/workspaces", "read:workspace:bitbucket")
def user_workspaces(req):
    u = signed_in(req)
    mine = [w for w in req.bb.state.workspaces.values() if u.key in w.members]

    def access(w):
        return {"type": "workspace_access", "administrator": w.members[u.key] == "owner",
                "workspace": objects.workspace_base(req, w)}
    mine = query.order(query.select([access(w) for w in mine], req.get("q")), req.get("sort"))
    return page(req, mine, default=25)


@route("/user/workspaces/{workspace}/permission", "read:workspace:bitbucket")
def user_permission(req, workspace):
    u, w = signed_in(req), its_members(req, workspace)
    return membership(req, w, u.key)


@route("/workspaces/{workspace}", "read:workspace:bitbucket")
def workspace(req, workspace):
    return objects.workspace(req, the_workspace(req, workspace))


def membership(req, w, key):
    u = req.bb.state.users[key]
    return {"type": "workspace_membership", "user": objects.user(req, u), "workspace": objects.workspace_short(req, w),
            "permission": w.members[key], "added_on": w.created_on, "last_accessed": None,
            "links": {"self": objects.href(f"{req.api}/workspaces/{w.slug}/members/{u.uuid}")}}


@route("/workspaces/{workspace}/members", "read:workspace:bitbucket")
def members(req, workspace):
    w = its_members(req, workspace)
    every = query.select([membership(req, w, key) for key in w.members], req.get("q"))
    for m in every:
        m.pop("permission")
    return page(req, every)


@route("/workspaces/{workspace}/members/{member}", "read:workspace:bitbucket")
def member(req, workspace, member):
    w = its_members(req, workspace)
    for key in w.members:
        u = req.bb.state.users[key]
        if member in (u.uuid, u.account_id):
            return membership(req, w, key)
    raise ApiError(404, "No such member.")


@route("/workspaces/{workspace}/permissions", "read:workspace:bitbucket")
def permissions(req, workspace):
    w = its_members(req, workspace)
    return page(req, query.select([membership(req, w, key) for key in w.members], req.get("q")))


@route("/workspaces/{workspace}/projects", "read:project:bitbucket")
def projects(req, workspace):
    w = the_workspace(req, workspace)
    mine = req.bb.state.member(req.account, w)
    every = [objects.project(req, w, p) for p in w.projects.values() if mine or not p.is_private]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route("/workspaces/{workspace}/projects/{project_key}", "read:project:bitbucket")
def project(req, workspace, project_key):
    w = the_workspace(req, workspace)
    p = w.projects.get(project_key)
    if p is None or p.is_private and not req.bb.state.member(req.account, w):
        raise ApiError(404, f"Project {project_key} not found")
    return objects.project(req, w, p)


def gone(req, **_):
    raise removed()


for path in ("/workspaces", "/repositories", "/user/permissions/workspaces", "/user/permissions/repositories",
             "/snippets", "/teams/{name...}"):
    route(path)(gone)
