"""How a repository and a project are set up: hooks, branches, reviewers, permissions, keys."""
from urllib.parse import quote

from . import gitread, objects, settings
from .objects import href
from .reply import ApiError, page, route
from .res_git import HERE
from .settings import PROJECT, WORKSPACE, by_id, by_uuid, listed

ADMIN = "admin:repository:bitbucket"
REPO_ADMIN = "read:repository:bitbucket|repository:admin"
REVIEWERS = "read:pullrequest:bitbucket"
KINDS = ("release", "hotfix", "feature", "bugfix")


# -- hooks

def hook(place, h):
    w, r = place.w, place.r
    subject = objects.repository_short(place.req, r) if r else objects.workspace_short(place.req, w)
    return {"type": "webhook_subscription", "description": "", "active": True, "skip_cert_verification": False, "created_at": None,
            "source": None, "read_only": False, "history_enabled": False, "secret_set": False,
            "subject_type": "repository" if r else "workspace", "subject": subject, **h,
            "links": {"self": href(f"{place.here}/hooks/{quote(h['uuid'])}")}}


listed(HERE + "/hooks", "read:webhook:bitbucket", settings.repository_admin, "hooks", hook, by=("uid", by_uuid))
listed(WORKSPACE + "/hooks", "read:webhook:bitbucket", settings.workspace_owner, "hooks", hook, by=("uid", by_uuid))


# -- what may be done to branches

def group(place, slug):
    name = place.get("names", {}).get(slug) or slug.replace("-", " ").title()
    return {"type": "group", "name": name, "slug": slug, "full_slug": f"{place.w.slug}:{slug}", "owner": objects.team(place.req, place.w),
            "workspace": objects.workspace_short(place.req, place.w)}


def restriction(place, b):
    return {"type": "branchrestriction", "branch_match_kind": "glob", "pattern": "", "value": None, **b,
            "users": [place.who(k) for k in b.get("users", ())], "groups": [group(place, g) for g in b.get("groups", ())],
            "links": {"self": href(f"{place.here}/branch-restrictions/{b['id']}")}}


listed(HERE + "/branch-restrictions", ADMIN, settings.repository_admin, "restrictions", restriction, by=("id", by_id),
       keep=lambda req, b: req.get("kind") in (None, b["kind"]) and req.get("pattern") in (None, b.get("pattern", "")))


def types(model, every=False):
    found = []
    for kind in KINDS:
        prefix, enabled = model.get("types", {}).get(kind, (kind + "/", True))
        if every:
            found.append({"kind": kind, "enabled": enabled, "prefix": prefix})
        elif enabled:
            found.append({"kind": kind, "prefix": prefix})
    return found


def model_of(place):
    """What a repository has of its own, or else from its project."""
    own = place.get("model", None)
    if own is None and place.r:
        p = place.w.projects.get(place.r.project)
        own = settings.Place(place.req, p, "", place.w).get("model", None) if p else None
    return own or {}


def branch(place, name):
    """The active branch of a model, when there is one of that name."""
    oid = gitread.heads(place.req.bb.git_dir(place.r)).get(name) if place.r and name else None
    return {"branch": {"type": "branch", "name": name, "target": {"type": "commit", "hash": oid}}} if oid else {}


def model(place, type, model):
    main = place.r and place.r.mainbranch or "main"
    development = model.get("development")
    name = development or main
    body = {"type": type, "development": {"name": name, **branch(place, name), "use_mainbranch": not development},
            "branch_types": types(model), "links": {"self": href(f"{place.here}/branching-model")}}
    if model.get("production"):
        body["production"] = {"name": model["production"], **branch(place, model["production"]), "use_mainbranch": False}
    return body


@route(HERE + "/branching-model", "read:repository:bitbucket")
def branching_model(req, workspace, repo_slug):
    place = settings.repository(req, workspace, repo_slug)
    return model(place, "branching_model", place.get("model", None) or {})


@route(HERE + "/effective-branching-model", "read:repository:bitbucket")
def effective_model(req, workspace, repo_slug):
    place = settings.repository(req, workspace, repo_slug)
    return model(place, "effective_repo_branching_model", model_of(place))


@route(PROJECT + "/branching-model", "read:repository:bitbucket|project:admin")
def project_model(req, workspace, project_key):
    place = settings.project(req, workspace, project_key)
    return model(place, "project_branching_model", model_of(place))


def model_settings(place):
    own = place.get("model", None) or {}
    development, production = own.get("development"), own.get("production")
    return {"type": "branching_model_settings",
            "development": {"is_valid": True, "name": development, "use_mainbranch": not development},
            "production": {"is_valid": bool(production), "name": production, "use_mainbranch": False, "enabled": bool(production)},
            "branch_types": types(own, every=True), "default_branch_deletion": own.get("deletion", "false"),
            "links": {"self": href(f"{place.here}/branching-model/settings")}}


@route(HERE + "/branching-model/settings", ADMIN)
def repository_model_settings(req, workspace, repo_slug):
    return model_settings(settings.repository_admin(req, workspace, repo_slug))


@route(PROJECT + "/branching-model/settings", "admin:project:bitbucket")
def project_model_settings(req, workspace, project_key):
    return model_settings(settings.project_admin(req, workspace, project_key))


@route(HERE + "/override-settings", ADMIN)
def override_settings(req, workspace, repo_slug):
    place = settings.repository_admin(req, workspace, repo_slug)
    names = ("default_merge_strategy", "branching_model", "branch_restrictions", "default_reviewers", "merge_strategies")
    return {"type": "repository_inheritance_state", "override_settings": {**dict.fromkeys(names, False), **place.get("override", {})}}


# -- who reviews

def is_user(req, key, name):
    u = req.bb.state.users.get(key)
    return u is not None and name in (u.uuid, u.account_id, u.nickname)


listed(HERE + "/default-reviewers", REVIEWERS, settings.repository, "reviewers", lambda place, key: place.who(key))


@route(HERE + "/default-reviewers/{target_username}", REVIEWERS)
def one_reviewer(req, workspace, repo_slug, target_username):
    place = settings.repository(req, workspace, repo_slug)
    for key in place.get("reviewers"):
        if is_user(req, key, target_username):
            return place.who(key)
    raise ApiError(404, f"{target_username} is not a default reviewer")


def reviewer(place, kind, key):
    return {"type": "default_reviewer", "reviewer_type": kind, "user": place.who(key)}


@route(HERE + "/effective-default-reviewers", REVIEWERS)
def effective_reviewers(req, workspace, repo_slug):
    place = settings.repository(req, workspace, repo_slug)
    p = place.w.projects.get(place.r.project)
    inherited = settings.Place(req, p, "", place.w).get("reviewers") if p else ()
    own = [k for k in place.get("reviewers") if k not in inherited]
    return page(req, [reviewer(place, "project", k) for k in inherited] + [reviewer(place, "repository", k) for k in own], default=20)


listed(PROJECT + "/default-reviewers", REVIEWERS + "|project:admin", settings.project_admin, "reviewers",
       lambda place, key: reviewer(place, "project", key))


@route(PROJECT + "/default-reviewers/{selected_user}", REVIEWERS + "|project:admin")
def one_project_reviewer(req, workspace, project_key, selected_user):
    place = settings.project_admin(req, workspace, project_key)
    for key in place.get("reviewers"):
        if is_user(req, key, selected_user):
            return place.who(key)
    if any(is_user(req, key, selected_user) for key in req.bb.state.users):
        raise ApiError(400, f"{selected_user} is not a default reviewer")
    raise ApiError(404, f"{selected_user} does not exist")


# -- who may what

def permissions(template, scope, at, kind):
    """The explicit permissions of users and of groups: (key, permission) each."""
    def of_user(place, item):
        user = place.who(item[0])
        name = user.get("account_id") or user["uuid"] if user else "deleted"
        return {"type": kind + "_user_permission", "user": user, "permission": item[1],
                "links": {"self": href(f"{place.here}/permissions-config/users/{quote(name)}")}}

    def of_group(place, item):
        return {"type": kind + "_group_permission", "group": group(place, item[0]), "permission": item[1],
                "links": {"self": href(f"{place.here}/permissions-config/groups/{item[0]}")}}
    listed(template + "/permissions-config/groups", scope, at, "groups", of_group, by=("group_slug", lambda item, name: item[0] == name))
    listed(template + "/permissions-config/users", scope, at, "users", of_user)

    @route(template + "/permissions-config/users/{selected_user_id}", scope)
    def one(req, selected_user_id, **where):
        place = at(req, **where)
        for item in place.get("users"):
            if is_user(req, item[0], selected_user_id):
                return of_user(place, item)
        raise ApiError(404, f"{selected_user_id} not found")


permissions(HERE, REPO_ADMIN, settings.repository_admin, "repository")
permissions(PROJECT, "read:project:bitbucket|project:admin", settings.project_admin, "project")


# -- keys

def deploy_key(place, k):
    kind, owner = ("deploy_key", "owner") if place.r else ("project_deploy_key", "created_by")
    body = {"type": kind, "label": "", "comment": "", "last_used": None, **k,
            "links": {"self": href(f"{place.here}/deploy-keys/{k['id']}")}}
    if "who" in k:
        del body["who"]
        body[owner] = place.who(k["who"])
    if place.r:
        return {"repository": objects.repository_short(place.req, place.r), **body}
    return {"project": objects.project_short(place.req, place.w, place.thing), **body}


listed(HERE + "/deploy-keys", ADMIN, settings.repository_admin, "deploy_keys", deploy_key, by=("key_id", by_id))
listed(PROJECT + "/deploy-keys", "admin:project:bitbucket", settings.project_admin, "deploy_keys", deploy_key, by=("key_id", by_id))
