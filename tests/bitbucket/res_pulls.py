"""Pull requests with their comments, activity, commits and diffs."""
from urllib.parse import quote

from . import gitread, gitrepo, objects, query
from .data import day
from .objects import WEB, href
from .reply import ApiError, page, redirect, route
from .res_account import its_members
from .res_git import HERE, commit_of, commit_page, commit_short, rendered, there

SCOPE = "read:pullrequest:bitbucket"
ONE = HERE + "/pullrequests/{pull_request_id}"
STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")
LINKS = ("commits", "approve", "request-changes", "comments", "activity", "merge", "decline", "statuses")


def all_of(req, r):
    return sorted(req.bb.state.pulls.get(r.uuid, ()), key=lambda p: -p["id"])


def the_pull(req, r, number):
    for p in all_of(req, r):
        if str(p["id"]) == number:
            return p
    raise ApiError(404, "No PullRequest matches the given query.")


def ends(req, r, git_dir, p):
    """(source, destination, merge) commit ids; of an open one as the branches are now."""
    if p["state"] == "OPEN":
        return commit_of(git_dir, p["source"]), commit_of(git_dir, p.get("destination", r.mainbranch)), None
    first = f"{req.bb.pristine}/{r.pristine}.git"
    merge = gitrepo.resolve(first, p["merge"]) if p.get("merge") else None
    return gitrepo.resolve(first, p["at"][0]), gitrepo.resolve(first, p["at"][1]), merge


def who(req, key):
    return objects.user(req, req.bb.state.users[key])


def short(req, r, here, p):
    return {"type": "pullrequest", "id": p["id"], "title": p["title"], "draft": p.get("draft", False),
            "links": {"self": href(f"{here}/pullrequests/{p['id']}"),
                      "html": href(f"{WEB}/{r.full_name}/pull-requests/{p['id']}")}}


def spec(r, source, destination):
    return f"{r.full_name}:{source[:12]}%0D{destination[:12]}"


def pull(req, r, git_dir, here, p, whole=False):
    source, destination, merge = ends(req, r, git_dir, p)
    this, tail = f"{here}/pullrequests/{p['id']}", f"?from_pullrequest_id={p['id']}&topic=true"

    def end(oid, branch, repository):
        return {"branch": {"name": branch}, "commit": commit_short(here, r, oid[:12]) if repository else None,
                "repository": repository}
    home = objects.repository_short(req, r)
    kept = [c for c in p["comments"] if not c.get("deleted")]
    body = {"comment_count": len(kept), "task_count": 0, **short(req, r, here, p), "description": p["description"],
            "state": p["state"], "queued": False, "merge_commit": commit_short(here, r, merge[:12]) if merge else None,
            "close_source_branch": p.get("close", False),
            "closed_by": who(req, p["closed_by"]) if p.get("closed_by") else None, "author": who(req, p["author"]),
            "reason": p.get("reason", ""), "created_on": day(p["made"]), "updated_on": day(p["changed"], 60),
            "destination": end(destination, p.get("destination", r.mainbranch), home),
            "source": end(source, p["source"], None if p.get("fork_gone") else home),
            "summary": rendered(p["description"]),
            "links": {**short(req, r, here, p)["links"], **{k: href(f"{this}/{k}") for k in LINKS},
                      "diff": href(f"{here}/diff/{spec(r, source, destination)}{tail}"),
                      "diffstat": href(f"{here}/diffstat/{spec(r, source, destination)}{tail}")}}
    if whole:
        body["rendered"] = {"title": rendered(p["title"]), "description": rendered(p["description"])}
        body["reviewers"] = [who(req, k) for k in p["reviewers"]]
        body["participants"] = [
            {"type": "participant", "user": who(req, k), "role": "REVIEWER" if k in p["reviewers"] else "PARTICIPANT",
             "approved": k in p["approved"], "state": "approved" if k in p["approved"] else None,
             "participated_on": day(p["changed"])}
            for k in dict.fromkeys([*p["reviewers"], *p["approved"], *(c["who"] for c in p["comments"])])]
    return body


@route(HERE + "/pullrequests", SCOPE)
def pulls(req, workspace, repo_slug):
    r, git_dir, here = there(req, workspace, repo_slug)
    every, q = all_of(req, r), req.get("q")
    if not q:                                       # a q makes state ignored
        states = req.every("state") or ["OPEN"]
        if any(s.upper() not in STATES for s in states):
            raise ApiError(400, "Invalid state")
        every = [p for p in every if p["state"] in [s.upper() for s in states]]
    every = [pull(req, r, git_dir, here, p) for p in every]
    return page(req, query.order(query.select(every, q), req.get("sort")), top=50)


@route(HERE + "/pullrequests/activity", SCOPE)
def every_activity(req, workspace, repo_slug):
    r, git_dir, here = there(req, workspace, repo_slug)
    return activity_page(req, [e for p in all_of(req, r) for e in events(req, r, git_dir, here, p)])


@route(ONE, SCOPE)
def one_pull(req, workspace, repo_slug, pull_request_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    return pull(req, r, git_dir, here, the_pull(req, r, pull_request_id), whole=True)


def comment(req, r, here, p, c):
    where = f"{here}/pullrequests/{p['id']}/comments/{c['id']}"
    body = {"id": c["id"], "type": "pullrequest_comment", "created_on": day(c["day"], c["id"]),
            "updated_on": day(c["day"], c["id"]), "content": rendered(c["text"]), "user": who(req, c["who"]),
            "deleted": c.get("deleted", False), "pending": False, "pullrequest": short(req, r, here, p),
            "links": {"self": href(where),
                      "html": href(f"{WEB}/{r.full_name}/pull-requests/{p['id']}/_/diff#comment-{c['id']}")}}
    if c.get("parent"):
        body["parent"] = {"id": c["parent"], "links": {"self": href(where.rpartition("/")[0] + f"/{c['parent']}")}}
    if c.get("inline"):
        path, old, new = c["inline"]
        body["inline"] = {"path": path, "from": old, "to": new}
    return body


@route(ONE + "/comments", SCOPE)
def comments(req, workspace, repo_slug, pull_request_id):
    r, _, here = there(req, workspace, repo_slug)
    p = the_pull(req, r, pull_request_id)
    every = [comment(req, r, here, p, c) for c in p["comments"]]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")))


@route(ONE + "/comments/{comment_id}", SCOPE)
def one_comment(req, workspace, repo_slug, pull_request_id, comment_id):
    r, _, here = there(req, workspace, repo_slug)
    p = the_pull(req, r, pull_request_id)
    for c in p["comments"]:
        if str(c["id"]) == comment_id:
            return comment(req, r, here, p, c)
    raise ApiError(404, "Comment not found")


def events(req, r, git_dir, here, p):
    """What happened to a pull request: (when, item of its activity)."""
    whole = pull(req, r, git_dir, here, p)

    def update(state, key, when):
        return {"update": {"state": state, "title": p["title"], "description": p["description"], "draft": p.get("draft", False),
                           "reviewers": [who(req, k) for k in p["reviewers"]], "changes": {}, "reason": p.get("reason", ""),
                           "author": who(req, key), "date": when,
                           **{k: whole[k] for k in ("source", "destination")}}}
    found = [(day(p["made"]), update("OPEN", p["author"], day(p["made"])))]
    found += [(day(c["day"], c["id"]), {"comment": comment(req, r, here, p, c)}) for c in p["comments"]]
    found += [(day(p["changed"], i), {"approval": {"date": day(p["changed"], i), "user": who(req, k),
                                                   "pullrequest": short(req, r, here, p)}}) for i, k in enumerate(p["approved"])]
    if p["state"] != "OPEN":
        when = day(p["changed"], 60)
        found.append((when, update(p["state"], p["closed_by"], when)))
    return [(when, {"pull_request": short(req, r, here, p), **what}) for when, what in found]


def activity_page(req, found):
    found.sort(key=lambda pair: pair[0], reverse=True)
    return page(req, [item for _, item in found], top=50, cursor=True)


@route(ONE + "/activity", SCOPE)
def activity(req, workspace, repo_slug, pull_request_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    return activity_page(req, events(req, r, git_dir, here, the_pull(req, r, pull_request_id)))


@route(ONE + "/commits", SCOPE)
def commits(req, workspace, repo_slug, pull_request_id):
    r, git_dir, here = there(req, workspace, repo_slug)
    source, destination, _ = ends(req, r, git_dir, the_pull(req, r, pull_request_id))
    return commit_page(req, r, git_dir, here, gitread.history(git_dir, [source], [destination]), default=10)


def to_spec(what):
    def handler(req, workspace, repo_slug, pull_request_id):
        r, git_dir, here = there(req, workspace, repo_slug)
        source, destination, _ = ends(req, r, git_dir, the_pull(req, r, pull_request_id))
        path = f"&path={quote(req.get('path'))}" if req.get("path") else ""
        return redirect(302, f"{here}/{what}/{spec(r, source, destination)}?from_pullrequest_id={pull_request_id}&topic=true{path}")
    route(ONE + "/" + what, SCOPE)(handler)


for kind in ("diff", "diffstat", "patch"):
    to_spec(kind)


@route("/workspaces/{workspace}/pullrequests/{selected_user}", SCOPE)
def of_user(req, workspace, selected_user):
    w = its_members(req, workspace)
    mine = []
    for r in req.bb.state.visible(req.account, w):
        here, git_dir = f"{req.api}/repositories/{r.full_name}", req.bb.git_dir(r)
        for p in all_of(req, r):
            u = req.bb.state.users[p["author"]]
            if p["state"] in (req.every("state") or ["OPEN"]) and selected_user in (u.uuid, u.account_id):
                mine.append(pull(req, r, git_dir, here, p))
    return page(req, mine)
