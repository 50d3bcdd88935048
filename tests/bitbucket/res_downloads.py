"""/downloads: the list, and the way to each file."""
from . import query
from .files import TYPE, place_of
from .objects import href
from .reply import ApiError, page, redirect, route
from .res_git import HERE, escaped, shown, there, who

SCOPE = "read:repository:bitbucket"


def download(req, here, d):
    return {"type": "download", "name": d.name, "size": d.what.length if d.said is None else d.said, "created_on": d.created_on,
            "user": who(req, d.who), "downloads": d.count,
            "links": {"self": href(f"{here}/downloads/{escaped(d.name).replace('/', '%2F')}")}}


def all_of(req, r):
    with req.bb.state.lock:
        return list(req.bb.state.downloads.get(r.uuid, ()))


@route(HERE + "/downloads", SCOPE)
def downloads(req, workspace, repo_slug):
    """The newest first."""
    r, _, here = there(req, workspace, repo_slug)
    every = [download(req, here, d) for d in sorted(all_of(req, r), key=lambda d: d.created_on, reverse=True)]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route(HERE + "/downloads/{filename}", SCOPE)
def one_download(req, workspace, repo_slug, filename):
    r, _, here = there(req, workspace, repo_slug)
    for d in all_of(req, r):
        if d.name == filename:
            with req.bb.state.lock:
                d.count += 1
            return redirect(302, req.bb.store(place_of(r, d), TYPE, d.what, d.name, d.changed))
    raise ApiError(404, f"{shown(filename)} not found")
