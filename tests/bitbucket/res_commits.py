"""Commits, and what is written beside them."""
from . import gitread, query
from .model import uid
from .objects import WEB, href, repository_short
from .pulls import Beside, Comment
from .reply import ApiError, page, route
from .res_git import (HERE, commit_of, commit_page, commit_short, first_built, render_commits, rendered, there, who)
from .res_repo import SCOPE

ONE = HERE + "/commit/{commit_id}"
REPORT = ONE + "/reports/{report_id}"


@route(HERE + "/commits", SCOPE)
@route(HERE + "/commits/{revision...}", SCOPE)
def commits(req, workspace, repo_slug, revision=None):
    r, git_dir, here = there(req, workspace, repo_slug)
    include = [commit_of(git_dir, n) for n in ([revision] if revision else []) + req.every("include")]
    exclude = [commit_of(git_dir, n) for n in req.every("exclude")]
    if not include:
        include = sorted({ref["commit"] for kind in ("heads", "tags") for ref in gitread.refs(git_dir, kind)})
    return commit_page(req, r, git_dir, here, gitread.history(git_dir, include, exclude, req.get("path")))


def beside(req, r, git_dir, commit_id):
    """(id of the commit, the repository's Beside, whether something of it is beside this commit)"""
    oid, first = commit_of(git_dir, commit_id), first_built(req, r)

    def here(what):
        return gitread.named(first, what["at"]) == oid if "at" in what else what["oid"] == oid
    return oid, req.bb.state.beside.get(r.uuid) or Beside(), here


@route(ONE, SCOPE)
def one_commit(req, workspace, repo_slug, commit_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    oid, mine, _ = beside(req, r, git_dir, commit_id)
    body = render_commits(req, r, git_dir, here, [oid])[0]
    approved = [k for at, keys in mine.approved.items() if gitread.named(first_built(req, r), at) == oid for k in keys]
    body["participants"] = [{"type": "participant", "user": who(req, k), "role": "PARTICIPANT", "approved": True, "state": "approved",
                             "participated_on": r.updated_on} for k in approved]
    return body


def comment(req, r, here, oid, c):
    where = f"{here}/commit/{oid}/comments"
    body = {"id": c.id, "type": "commit_comment", "created_on": c.when, "updated_on": c.edited or c.when, "content": rendered(c.text),
            "user": who(req, c.who), "deleted": c.deleted, "commit": commit_short(here, r, oid),
            "links": {"self": href(f"{where}/{c.id}"), "html": href(f"{WEB}/{r.full_name}/commits/{oid}#comment-{c.id}")}}
    if c.parent:
        body["parent"] = {"id": c.parent, "links": {"self": href(f"{where}/{c.parent}")}}
    if c.inline:
        body["inline"] = c.inline
    return body


def all_comments(req, workspace, repo_slug, commit_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    oid, mine, is_here = beside(req, r, git_dir, commit_id)
    return [comment(req, r, here, oid, Comment(**{k: v for k, v in c.items() if k not in ("at", "oid")}))
            for c in mine.comments if is_here(c)]


@route(ONE + "/comments", SCOPE)
def comments(req, workspace, repo_slug, commit_id):
    every = all_comments(req, workspace, repo_slug, commit_id)
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route(ONE + "/comments/{comment_id}", SCOPE)
def one_comment(req, workspace, repo_slug, commit_id, comment_id):
    return one_of(all_comments(req, workspace, repo_slug, commit_id), "id", comment_id, "Comment not found")


def one_of(items, key, value, words):
    for item in items:
        if str(item[key]) == value:
            return item
    raise ApiError(404, words)


def status(req, r, here, oid, s):
    where = f"{here}/commit/{oid}"
    keep = ("key", "state", "name", "url", "description", "refname", "created_on", "updated_on")
    return {"type": "build", **{k: s[k] for k in keep}, "commit": commit_short(here, r, oid), "repository": repository_short(req, r),
            "links": {"self": href(f"{where}/statuses/build/{s['key'].replace(' ', '%20')}"), "commit": href(where)}}


def statuses_of(req, r, git_dir, here, commit_id, refname=None):
    oid, mine, is_here = beside(req, r, git_dir, commit_id)
    found = [s for s in mine.statuses if is_here(s) and (not refname or s["refname"] in (None, refname))]
    return [status(req, r, here, oid, s) for s in sorted(found, key=lambda s: s["created_on"])]


def status_page(req, every):
    """These pages have numbers, but no size."""
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")), default=30, size=False)


@route(ONE + "/statuses", SCOPE)
def statuses(req, workspace, repo_slug, commit_id):
    return status_page(req, statuses_of(req, *there(req, workspace, repo_slug), commit_id, req.get("refname")))


@route(ONE + "/statuses/build/{key}", SCOPE)
def one_status(req, workspace, repo_slug, commit_id, key):
    return one_of(statuses_of(req, *there(req, workspace, repo_slug), commit_id), "key", key, "Build status not found")


def reports_of(req, workspace, repo_slug, commit_id):
    """(JSON object, its annotations) of each report."""
    r, git_dir, _ = there(req, workspace, repo_slug)
    oid, mine, is_here = beside(req, r, git_dir, commit_id)
    found = []
    for report in filter(is_here, mine.reports):
        uuid = uid("report", r.uuid, oid, report["id"])
        moment = {"created_on": r.created_on, "updated_on": r.updated_on}
        notes = [{"type": "report_annotation", "uuid": uid("annotation", uuid, a["id"]), "external_id": a["id"], **moment,
                  **{k: v for k, v in a.items() if k != "id"}} for a in report["annotations"]]
        found.append(({"type": "report", "uuid": uuid, "external_id": report["id"], **moment, "remote_link_enabled": True, "logo_url": None,
                       **{k: v for k, v in report.items() if k not in ("id", "at", "oid", "annotations")}}, notes))
    return found


def the_report(req, workspace, repo_slug, commit_id, report_id):
    for body, notes in reports_of(req, workspace, repo_slug, commit_id):
        if report_id in (body["uuid"], body["external_id"]):
            return body, notes
    raise ApiError(404, f"The report with ID {report_id} was not found.")


@route(ONE + "/reports", SCOPE)
def reports(req, workspace, repo_slug, commit_id):
    return page(req, [body for body, _ in reports_of(req, workspace, repo_slug, commit_id)])


@route(REPORT, SCOPE)
def one_report(req, workspace, repo_slug, commit_id, report_id):
    return the_report(req, workspace, repo_slug, commit_id, report_id)[0]


@route(REPORT + "/annotations", SCOPE)
def annotations(req, workspace, repo_slug, commit_id, report_id):
    return page(req, the_report(req, workspace, repo_slug, commit_id, report_id)[1], default=100)


@route(REPORT + "/annotations/{annotation_id}", SCOPE)
def one_annotation(req, workspace, repo_slug, commit_id, report_id, annotation_id):
    for note in the_report(req, workspace, repo_slug, commit_id, report_id)[1]:
        if annotation_id in (note["uuid"], note["external_id"]):
            return note
    raise ApiError(404, f"The annotation with ID {annotation_id} was not found.")
