"""JSON objects of users, workspaces, projects and repositories, as the service shapes them."""
from urllib.parse import quote, urlsplit

WEB = "https://bitbucket.org"


def href(url, **more):
    return {"href": url, **more}


def user(req, u):
    place = quote(u.uuid)
    if u.kind == "app_user":
        return {"type": "app_user", "links": {"avatar": href(f"https://secure.gravatar.com/avatar/{u.key}")},
                "created_on": "2025-10-31T08:58:32.098157+00:00", "display_name": u.name, "uuid": u.uuid,
                "account_id": u.account_id, "account_status": "active", "kind": "repository_access_token"}
    body = {"display_name": u.name,
            "links": {"self": href(f"{req.api}/users/{place}"),
                      "avatar": href(f"https://secure.gravatar.com/avatar/{u.uuid.strip('{}').replace('-', '')}"),
                      "html": href(f"{WEB}/{place}/")},
            "type": "user", "uuid": u.uuid, "account_id": u.account_id, "nickname": u.nickname}
    if u.old:
        del body["account_id"]
    return body


def workspace_base(req, w):
    return {"type": "workspace_base", "uuid": w.uuid, "slug": w.slug,
            "links": {"avatar": href(f"{WEB}/workspaces/{w.slug}/avatar/"),
                      "self": href(f"{req.api}/workspaces/{w.slug}")}}


def workspace_short(req, w):
    return {"type": "workspace", "uuid": w.uuid, "name": w.name, "slug": w.slug,
            "links": {"avatar": href(f"{WEB}/workspaces/{w.slug}/avatar/?ts=1543531676"),
                      "html": href(f"{WEB}/{w.slug}/"), "self": href(f"{req.api}/workspaces/{w.slug}")}}


def workspace(req, w):
    here = f"{req.api}/workspaces/{w.slug}"
    return {**workspace_short(req, w), "is_private": w.is_private, "is_privacy_enforced": False,
            "forking_mode": "allow_forks", "created_on": w.created_on,
            "links": {"avatar": href(f"{WEB}/workspaces/{w.slug}/avatar/?ts=1543531676"), "hooks": href(here + "/hooks"),
                      "html": href(f"{WEB}/{w.slug}/"), "html_overview": href(f"{WEB}/{w.slug}/workspace/overview/"),
                      "members": href(here + "/members"),
                      "owners": href(here + "/members?q=permission%3D%22owner%22"),
                      "projects": href(here + "/projects"),
                      "repositories": href(f"{req.api}/repositories/{w.slug}"),
                      "snippets": href(f"{req.api}/snippets/{w.slug}"), "self": href(here)}}


def project_short(req, w, p):
    return {"type": "project", "key": p.key, "uuid": p.uuid, "name": p.name,
            "links": {"self": href(f"{req.api}/workspaces/{w.slug}/projects/{p.key}"),
                      "html": href(f"{WEB}/{w.slug}/workspace/projects/{p.key}"),
                      "avatar": href(f"{WEB}/account/user/{w.slug}/projects/{p.key}/avatar/32?ts=1702034483")}}


def project(req, w, p):
    short = project_short(req, w, p)
    return {**short, "owner": team(req, w), "workspace": workspace_short(req, w), "description": p.description,
            "is_private": p.is_private, "created_on": w.created_on, "updated_on": w.created_on,
            "has_publicly_visible_repos": not p.is_private,
            "links": {**short["links"], "repositories": href(
                f"{req.api}/repositories/{w.slug}?q=project.key%3D%22{p.key}%22")}}


def team(req, w):
    return {"display_name": w.name, "type": "team", "uuid": w.uuid, "username": w.slug,
            "links": {"self": href(f"{req.api}/workspaces/{quote(w.uuid)}"),
                      "avatar": href(f"{WEB}/account/{w.slug}/avatar/"), "html": href(f"{WEB}/{quote(w.uuid)}/")}}


def repository_short(req, r):
    here = f"{req.api}/repositories/{r.full_name}"
    return {"type": "repository", "full_name": r.full_name,
            "links": {"self": href(here), "html": href(f"{WEB}/{r.full_name}"),
                      "avatar": href(f"https://bytebucket.org/ravatar/{quote(r.uuid)}?ts={r.language or 'default'}")},
            "name": r.name, "uuid": r.uuid}


def repository(req, r):
    if r.replace is not None:
        return r.replace
    w, state = r.workspace, req.bb.state
    here = f"{req.api}/repositories/{r.full_name}"
    origin = urlsplit(req.origin)
    name = req.account.username if req.account and req.account.username else ""
    parent = None
    if r.parent:
        other = state.repository(*r.parent.split("/"))
        parent = repository_short(req, other) if other else None
    short = repository_short(req, r)
    links = {**short["links"], **{k: href(f"{here}/{v}") for k, v in (
        ("pullrequests", "pullrequests"), ("commits", "commits"), ("forks", "forks"), ("watchers", "watchers"),
        ("branches", "refs/branches"), ("tags", "refs/tags"), ("downloads", "downloads"), ("source", "src"))},
        "clone": [href(f"{origin.scheme}://{name + '@' if name else ''}{origin.netloc}/{r.full_name}.git", name="https"),
                  href(f"git@ssh.bitbucket.org:{r.full_name}.git", name="ssh")],
        "hooks": href(here + "/hooks")}
    if r.has_issues:
        links["issues"] = href(here + "/issues")
    owner = user(req, state.users[r.owner]) if w.is_personal else team(req, w)
    return {**short, "links": links, "slug": r.slug, "description": r.description, "scm": "git",
            "website": r.website, "owner": owner, "workspace": workspace_short(req, w), "is_private": r.is_private,
            "project": project_short(req, w, w.projects[r.project]), "fork_policy": r.fork_policy,
            "created_on": r.created_on, "updated_on": r.updated_on, "size": max(r.size, req.bb.least_size), "language": r.language,
            "mainbranch": {"name": r.mainbranch, "type": "branch"} if r.mainbranch else None,
            "override_settings": {"default_merge_strategy": False, "branching_model": False},
            "parent": parent, "enforced_signed_commits": None, "has_issues": r.has_issues, "has_wiki": False,
            **r.override}
