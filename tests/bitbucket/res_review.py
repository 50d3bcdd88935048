"""One pull request, and what belongs to it: comments, activity, commits, tasks, statuses, and where its diff is."""
from urllib.parse import quote

from . import gitread, query
from .objects import WEB, href
from .reply import ApiError, page, redirect, route
from .res_commits import status_page, statuses_of
from .res_git import HERE, commit_page, rendered, there
from .res_pulls import ONE, SCOPE, Place, both_ends, pull, reviewers, short, spec


def found_at(req, workspace, repo_slug, pull_request_id):
    place = Place(req, there(req, workspace, repo_slug)[0])
    return place, place.one(pull_request_id)


def comment(place, p, c):
    where = f"{place.here}/pullrequests/{p.id}/comments"
    body = {"id": c.id, "type": "pullrequest_comment", "created_on": c.when, "updated_on": c.edited or c.when, "content": rendered(c.text),
            "user": place.who(c.who), "deleted": c.deleted, "pending": c.pending, "pullrequest": short(place, p),
            "links": {"self": href(f"{where}/{c.id}"),
                      "html": href(f"{WEB}/{place.r.full_name}/pull-requests/{p.id}/_/diff#comment-{c.id}")}}
    if c.parent:
        body["parent"] = {"id": c.parent, "links": {"self": href(f"{where}/{c.parent}"),
                                                    "html": href(body["links"]["html"]["href"].rpartition("-")[0] + f"-{c.parent}")}}
    if c.inline:
        body["inline"] = c.inline
        body["links"]["code"] = href(f"{place.here}/diff/{spec(place, p)}?path={quote(c.inline['path'])}")
    if c.resolved:
        body["resolution"] = {"type": "comment_resolution", "user": place.who(c.resolved[0]), "created_on": c.resolved[1]}
    return body


def seen_comments(req, p):
    """A comment that was not sent yet is only for who wrote it."""
    return [c for c in p.comments if not c.pending or req.account and c.who == req.account.user]


@route(ONE + "/comments", SCOPE)
def comments(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    every = [comment(place, p, c) for c in seen_comments(req, p)]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route(ONE + "/comments/{comment_id}", SCOPE)
def one_comment(req, workspace, repo_slug, pull_request_id, comment_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    for c in seen_comments(req, p):
        if str(c.id) == comment_id:
            return comment(place, p, c)
    raise ApiError(404, "Comment not found")


def task(place, p, t):
    where = f"{place.here}/pullrequests/{p.id}"
    body = {"id": t.id, "created_on": t.when, "updated_on": t.resolved[1] if t.resolved else t.when,
            "state": "RESOLVED" if t.resolved else "UNRESOLVED", "content": rendered(t.text), "creator": place.who(t.who), "pending": t.pending,
            "resolved_on": t.resolved[1] if t.resolved else None, "resolved_by": place.who(t.resolved[0]) if t.resolved else None,
            "links": {"self": href(f"{where}/tasks/{t.id}"), "html": href(f"{WEB}/{place.r.full_name}/pull-requests/{p.id}")}}
    if t.comment:
        body["comment"] = {"id": t.comment, "links": {"self": href(f"{where}/comments/{t.comment}")}}
    return body


def seen_tasks(req, p):
    return [t for t in p.tasks if not t.pending or req.account and t.who == req.account.user]


@route(ONE + "/tasks", SCOPE)
def tasks(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    every = [task(place, p, t) for t in seen_tasks(req, p)]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route(ONE + "/tasks/{task_id}", SCOPE)
def one_task(req, workspace, repo_slug, pull_request_id, task_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    for t in seen_tasks(req, p):
        if str(t.id) == task_id:
            return task(place, p, t)
    raise ApiError(404, "Task not found")


@route(ONE + "/statuses", SCOPE)
def statuses(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    source, fork = place.ends(p)[0], place.fork(p)
    if not source or fork is not place.r or p.fork_gone:
        return status_page(req, [])
    return status_page(req, statuses_of(req, place.r, place.git_dir, place.here, source, p.source))


def events(req, place, p):
    """What happened to a pull request: (when, a function that makes the item of its activity)."""
    def update(state, key, when, **changes):
        return when, lambda: {"update": {
            "state": state, "title": p.title, "description": p.description, "draft": p.draft, "reviewers": reviewers(place, p),
            "changes": changes, "reason": p.reason, "author": place.who(key), "date": when, **both_ends(place, p)}}

    def said(c):
        return c.when, lambda: {"comment": comment(place, p, c)}

    def verdict(kind, key):
        return p.updated_on, lambda: {kind: {"date": p.updated_on, "user": place.who(key), "pullrequest": short(place, p)}}
    found = [update("OPEN", p.author, p.created_on)] + [said(c) for c in seen_comments(req, p)]
    found += [verdict("approval", k) for k in p.approved] + [verdict("changes_requested", k) for k in p.changes]
    if p.state != "OPEN":
        found.append(update(p.state, p.closed_by, p.updated_on, status={"old": "open", "new": p.state.lower()}))
    return [(when, place, p, make) for when, make in found]


def activity_page(req, found):
    """The next page's cursor is called ctx here."""
    found.sort(key=lambda event: event[0], reverse=True)
    return page(req, found, lambda event: {"pull_request": short(*event[1:3]), **event[3]()}, default=20, top=50, cursor="ctx")


@route(HERE + "/pullrequests/activity", SCOPE)
def every_activity(req, workspace, repo_slug):
    place = Place(req, there(req, workspace, repo_slug)[0])
    return activity_page(req, [e for p in place.all() for e in events(req, place, p)])


@route(ONE, SCOPE)              # after the one above, which it would match too
def one_pull(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    return pull(place, p, whole=True)


@route(ONE + "/activity", SCOPE)
def activity(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    return activity_page(req, events(req, place, p))


@route(ONE + "/commits", SCOPE)
def commits(req, workspace, repo_slug, pull_request_id):
    place, p = found_at(req, workspace, repo_slug, pull_request_id)
    source, destination, _ = place.ends(p)
    fork = place.fork(p)
    if p.fork_gone or fork is None or not source:
        raise ApiError(404, "The source repository of this pull request no longer exists.")
    git_dir, r, here = place.git_dir, place.r, place.here
    if fork is not r:
        git_dir, r = req.bb.joined(git_dir, req.bb.git_dir(fork)), fork
        here = f"{req.api}/repositories/{fork.full_name}"
    return commit_page(req, r, git_dir, here, gitread.history(git_dir, [source], [destination] if destination else []), default=10)


def to_spec(name, what):
    def handler(req, workspace, repo_slug, pull_request_id):
        place, p = found_at(req, workspace, repo_slug, pull_request_id)
        source, destination, _ = place.ends(p)
        if not source or not destination:
            raise ApiError(404, "The source of this pull request no longer exists.")
        path = "".join(f"&path={quote(name)}" for name in req.every("path"))
        return redirect(302, f"{place.here}/{what}/{spec(place, p)}?from_pullrequest_id={p.id}&topic=true{path}")
    route(ONE + "/" + name, SCOPE)(handler)


for name, what in (("diff", "diff"), ("diffstat", "diffstat"), ("patch", "patch"), ("conflicts", "file-conflicts")):
    to_spec(name, what)
