"""How repositories, projects, workspaces and accounts are set up, as the service knows it; res_settings.py and others show it.

A place is "acme/widgets", "acme:PROD" (a project), "acme" or "@ada". What it has under a name is plain data: a list of dicts
with the keys of the JSON object, or a dict; people are keys of users.
"""
import copy

from .reply import ApiError, page, route
from .res_account import its_members, the_workspace
from .res_git import who
from .res_repo import the_repository

WORKSPACE = "/workspaces/{workspace}"
PROJECT = WORKSPACE + "/projects/{project_key}"


class Place:
    """What is set up, while one request is answered."""

    def __init__(self, req, thing, here, w, r=None):
        self.req, self.thing, self.here, self.w, self.r = req, thing, here, w, r
        self._users = {}

    def get(self, name, default=()):
        with self.req.bb.state.lock:
            return copy.copy(self.req.bb.state.settings.get(self.thing.uuid, {}).get(name, default))

    def who(self, key):
        if key not in self._users:
            self._users[key] = who(self.req, key)
        return self._users[key]


def unsigned(req):
    if req.account is None:
        raise ApiError(401, "Access token expired or authentication required.",
                       headers={"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'})


def owns(req, w):
    return bool(req.account and (w.members.get(req.account.user) == "owner" if req.account.user else req.account.workspace == w.slug))


def repository(req, workspace, repo_slug):
    r = the_repository(req, workspace, repo_slug)
    return Place(req, r, f"{req.api}/repositories/{r.full_name}", r.workspace, r)


def repository_admin(req, workspace, repo_slug):
    """For those who may change it: the workspace's owners and its maker."""
    place = repository(req, workspace, repo_slug)
    unsigned(req)
    if not owns(req, place.w) and req.account.user != place.r.owner:
        raise ApiError(403, "You must have admin permission on this repository.")
    return place


def workspace(req, workspace):
    w = its_members(req, workspace)
    return Place(req, w, f"{req.api}/workspaces/{w.slug}", w)


def workspace_owner(req, workspace):
    w = the_workspace(req, workspace)
    unsigned(req)
    if not owns(req, w):
        raise ApiError(403, "You must be an administrator of this workspace.")
    return Place(req, w, f"{req.api}/workspaces/{w.slug}", w)


def project(req, workspace, project_key):
    w = the_workspace(req, workspace)
    p = w.projects.get(project_key) or next((p for p in w.projects.values() if p.uuid == project_key), None)
    if p is None or p.is_private and not req.bb.state.member(req.account, w):
        raise ApiError(404, f"Project {project_key} not found")
    return Place(req, p, f"{req.api}/workspaces/{w.slug}/projects/{p.key}", w)


def project_admin(req, workspace, project_key):
    place = project(req, workspace, project_key)
    unsigned(req)
    if not owns(req, place.w):
        raise ApiError(403, "You must have admin permission on this project.")
    return place


def listed(template, scope, at, name, show, by=None, keep=None, **paging):
    """GET template: what a place has under a name; with by=(parameter, test(item, value)) GET template/{parameter}: one of it.

    at: makes the Place; show: the JSON object of one; keep: which of them the parameters of the request let through.
    """
    @route(template, scope)
    def every(req, **where):
        place = at(req, **where)
        return page(req, [item for item in place.get(name) if not keep or keep(req, item)], lambda item: show(place, item), **paging)
    if by:
        parameter, test = by

        @route(f"{template}/{{{parameter}}}", scope)
        def one(req, **where):
            wanted = where.pop(parameter)
            place = at(req, **where)
            for item in place.get(name):
                if test(item, wanted):
                    return show(place, item)
            raise ApiError(404, f"{wanted} not found")


def by_uuid(item, name):
    return name.strip("{}") == item["uuid"].strip("{}")


def by_id(item, name):
    return str(item["id"]) == name


class Setting:
    """What people set up: the part of class Bitbucket that tests steer. Needs state, accounts and _repository."""

    def _place(self, place):
        if place.startswith("@"):
            return self.state.users[place[1:]]
        if ":" in place:
            ws, _, key = place.partition(":")
            return self.state.workspace(ws).projects[key]
        return self._repository(*place.split("/")) if "/" in place else self.state.workspace(place)

    def set_settings(self, place, **what):
        """Other settings of a place: "acme/widgets", "acme:PROD", "acme" or "@ada". what: hooks=[…], see data_settings.py."""
        thing = self._place(place)
        with self.state.lock:
            self.state.settings.setdefault(thing.uuid, {}).update(copy.deepcopy(what))

    def get_settings(self, place, name):
        """A copy of what a place has under a name, or None."""
        with self.state.lock:
            return copy.deepcopy(self.state.settings.get(self._place(place).uuid, {}).get(name))

    def set_scopes(self, account, scopes=None, without=()):
        """The scopes of an account from now on: those, or all that it has, but without some."""
        a = self.accounts[account]
        a.scopes = tuple(s for s in (a.scopes if scopes is None else scopes) if s not in without)


