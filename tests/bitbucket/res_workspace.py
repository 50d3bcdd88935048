"""What a workspace, an account and the service itself say besides: effective permissions, keys, addresses, events of hooks."""
from urllib.parse import quote

from . import objects, query, settings
from .objects import href
from .reply import ApiError, Reply, page, route
from .res_account import its_members, signed_in
from .res_repo import the_repository
from .settings import WORKSPACE

LEVELS = {"owner": "admin", "member": "write", "collaborator": "read"}
GPG = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZlocal0BCADlocal\n=ABCD\n-----END PGP PUBLIC KEY BLOCK-----\n"


# -- effective permissions

def permission(req, r, key, level):
    return {"type": "repository_permission", "permission": level, "user": objects.user(req, req.bb.state.users[key]),
            "repository": objects.repository_short(req, r)}


def permission_page(req, every):
    if req.get("q") or req.get("sort"):
        found = query.select([permission(req, *p) for p in every], req.get("q"))
        return page(req, query.order(found, req.get("sort")))
    return page(req, every, lambda p: permission(req, *p))


def holders(req, r):
    """(repository, key of a user, permission) of everybody who may do something with it."""
    found = {key: LEVELS[role] for key, role in r.workspace.members.items()}
    with req.bb.state.lock:
        found.update((k, level) for k, level in req.bb.state.settings.get(r.uuid, {}).get("users", ()) if k and found.get(k) != "admin")
    users = req.bb.state.users
    return [(r, key, level) for key, level in found.items() if level != "none" and users[key].kind == "user"]


@route(WORKSPACE + "/permissions/repositories", "read:repository:bitbucket|account")
def all_permissions(req, workspace):
    w = settings.workspace_owner(req, workspace).w
    return permission_page(req, [p for r in req.bb.state.visible(req.account, w) for p in holders(req, r)])


@route(WORKSPACE + "/permissions/repositories/{repo_slug}", "read:repository:bitbucket")
def permissions_of_one(req, workspace, repo_slug):
    settings.workspace_owner(req, workspace)
    return permission_page(req, holders(req, the_repository(req, workspace, repo_slug)))


@route("/user/workspaces/{workspace}/permissions/repositories", "read:repository:bitbucket")
def my_permissions(req, workspace):
    u, w = signed_in(req), its_members(req, workspace)
    return permission_page(req, [p for r in req.bb.state.visible(req.account, w) for p in holders(req, r) if p[1] == u.key])


# -- keys and addresses

def the_user(req, name):
    """The account itself, and no other: what others have is not told."""
    me = signed_in(req)
    for u in req.bb.state.users.values():
        if name in (u.uuid, u.account_id) or name == req.bb.username_of(u.key):
            if u is not me:
                raise ApiError(403, "You do not have access to this user's keys.")
            return settings.Place(req, u, f"{req.api}/users/{quote(u.uuid)}", None)
    raise ApiError(404, f"{name} does not exist")


def ssh_key(place, k):
    return {"type": "ssh_account_key", "owner": place.who(place.thing.key), **k, "links": {"self": href(f"{place.here}/ssh-keys/{quote(k['uuid'])}")}}


def gpg_key(place, k):
    """Without the key itself, which only fields= brings."""
    body = {"type": "gpg_key", "owner": place.who(place.thing.key), **k, "links": {"self": href(f"{place.here}/gpg-keys/{k['fingerprint'].upper()}")}}
    if "key" in place.req.get("fields", ""):
        body.update(key=GPG, subkeys=[])
    return body


def of_user(req, selected_user):
    return the_user(req, selected_user)


settings.listed("/users/{selected_user}/ssh-keys", "read:ssh-key:bitbucket", of_user, "ssh_keys", ssh_key, by=("key_id", settings.by_uuid))
settings.listed("/users/{selected_user}/gpg-keys", "read:gpg-key:bitbucket", of_user, "gpg_keys", gpg_key,
                by=("fingerprint", lambda k, name: k["fingerprint"] == name.lower()))


def my_emails(req):
    u = signed_in(req)
    place = settings.Place(req, u, req.api + "/user", None)
    return [{"type": "email", "email": email, "is_primary": primary, "is_confirmed": confirmed,
             "links": {"self": href(f"{req.api}/user/emails/{quote(email)}")}}
            for email, primary, confirmed in place.get("emails", None) or [(u.email, True, True)]]


@route("/user/emails", "read:user:bitbucket|email")
def emails(req):
    return page(req, my_emails(req))


@route("/user/emails/{email}", "read:user:bitbucket|email")
def one_email(req, email):
    for found in my_emails(req):
        if found["email"] == email:
            return found
    raise ApiError(404, f"{email} not found")


@route(WORKSPACE + "/settings/gpg/public-key", "read:workspace:bitbucket")
def public_key(req, workspace):
    its_members(req, workspace)
    return Reply(body=GPG.encode(), type="text/plain")


# -- what everybody may ask

def event(name):
    subject, _, what = name.partition(":")
    return {"event": name, "category": {"repo": "Repository", "pullrequest": "Pull Request", "pipeline": "Pipeline", "project": "Project"}[subject],
            "label": what.replace("_", " ").capitalize(), "description": f"Whenever a {subject} {what.replace('_', ' ')} occurs"}


REPOSITORY_EVENTS = [
    *("repo:" + e for e in ("push", "fork", "updated", "transfer", "created", "deleted", "imported", "commit_comment_created",
                            "commit_status_created", "commit_status_updated")),
    *("pullrequest:" + e for e in ("created", "updated", "approved", "unapproved", "changes_request_created", "changes_request_removed", "push",
                                   "fulfilled", "rejected", "comment_created", "comment_updated", "comment_deleted", "comment_resolved",
                                   "comment_reopened")),
    "pipeline:span_created"]
EVENTS = {"repository": REPOSITORY_EVENTS, "workspace": [*REPOSITORY_EVENTS, "project:updated"]}


@route("/hook_events")
def hook_events(req):
    return {subject: {"links": {"events": href(f"{req.api}/hook_events/{subject}")}} for subject in EVENTS}


@route("/hook_events/{subject_type}")
def events_of(req, subject_type):
    if subject_type not in EVENTS:
        raise ApiError(404, f"{subject_type} is not a valid subject type.")
    return page(req, [event(e) for e in EVENTS[subject_type]], default=30)


@route("/addon/{addon_key}/client-key", "admin:workspace:bitbucket")
def client_key(req, addon_key):
    """For apps alone, and nobody here is one."""
    settings.unsigned(req)
    raise ApiError(403, "This endpoint can only be used by a Forge app.")


@route(WORKSPACE + "/pipelines-config/identity/oidc/.well-known/openid-configuration")
def openid(req, workspace):
    w = settings.the_workspace(req, workspace)
    issuer = f"{req.api}/workspaces/{w.slug}/pipelines-config/identity/oidc"
    return {"issuer": issuer, "jwks_uri": issuer + "/keys.json", "subject_types_supported": ["public"], "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"]}


@route(WORKSPACE + "/pipelines-config/identity/oidc/keys.json")
def openid_keys(req, workspace):
    settings.the_workspace(req, workspace)
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "local", "e": "AQAB", "n": "local"}]}
