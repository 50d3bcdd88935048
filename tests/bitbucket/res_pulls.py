"""Pull requests: how they are shown, and the lists of a repository's, a commit's and a user's."""
import bisect
import re
from datetime import datetime

from . import gitread, objects, query
from .objects import WEB, href
from .reply import ApiError, Reply, page, route
from .res_account import its_members
from .res_git import HERE, commit_of, commit_short, first_built, rendered, there, who

SCOPE = "read:pullrequest:bitbucket"
ONE = HERE + "/pullrequests/{pull_request_id}"
STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")
LINKS = ("commits", "approve", "request-changes", "comments", "activity", "merge", "decline", "statuses")
MOST_WALKED = 100               # pull requests of a repository whose commits are walked to find one; beyond only the newest is compared


class Place:
    """A repository while one request is answered: where its branches and those of its forks are."""

    def __init__(self, req, r):
        self.req, self.r, self.git_dir, self.first = req, r, req.bb.git_dir(r), first_built(req, r)
        self.here = f"{req.api}/repositories/{r.full_name}"
        self._heads, self._users = {}, {}

    def heads(self, r):
        if r.uuid not in self._heads:
            self._heads[r.uuid] = gitread.heads(self.req.bb.git_dir(r))
        return self._heads[r.uuid]

    def who(self, key):
        if key not in self._users:
            self._users[key] = who(self.req, key)
        return self._users[key]

    def fork(self, p):
        return self.req.bb.state.repository(*p.fork.split("/")) if p.fork else self.r

    def all(self):
        pulls = self.req.bb.state.pulls.get(self.r.uuid)
        return pulls.newest_first() if pulls else []

    def one(self, number):
        pulls = self.req.bb.state.pulls.get(self.r.uuid)
        p = pulls.get(int(number)) if pulls and number.isascii() and number.isdigit() else None
        if p is None:
            raise ApiError(404, "No PullRequest matches the given query.")
        return p

    def target(self, p):
        return p.destination or self.r.mainbranch

    def ends(self, p):
        """(source, destination, merge) commit ids; of an open one as the branches are now, or were when they were last seen."""
        if p.at:
            return (gitread.named(self.first, p.at[0]), gitread.named(self.first, p.at[1]),
                    gitread.named(self.first, p.merge) if p.merge else None)
        fork, old = self.fork(p), p.seen or (None, None)
        source = self.heads(fork).get(p.source) if fork else None
        p.seen = (source or old[0], self.heads(self.r).get(self.target(p)) or old[1])
        return (*p.seen, p.merge)


def short(place, p):
    return {"type": "pullrequest", "id": p.id, "title": p.title, "draft": p.draft,
            "links": {"self": href(f"{place.here}/pullrequests/{p.id}"),
                      "html": href(f"{WEB}/{place.r.full_name}/pull-requests/{p.id}")}}


def spec(place, p):
    """What its diff is asked for with."""
    source, destination, _ = place.ends(p)
    fork = place.fork(p) or place.r
    return f"{fork.full_name}:{(source or '')[:12]}%0D{(destination or '')[:12]}"


def end_of(place, r, oid, branch, gone):
    """One end of a pull request; gone: "commit" when its repository was deleted, "all" when its commit is no longer told either."""
    there_is = f"{place.req.api}/repositories/{r.full_name}" if r else place.here
    return {"branch": {"name": branch}, "commit": commit_short(there_is, r or place.r, oid[:12]) if oid and gone != "all" else None,
            "repository": None if gone or not r else objects.repository_short(place.req, r)}


def both_ends(place, p):
    source, destination, _ = place.ends(p)
    fork = place.fork(p)
    return {"destination": end_of(place, place.r, destination, place.target(p), "commit" if p.home_gone else None),
            "source": end_of(place, fork, source, p.source, p.fork_gone)}


def facts(place, p):
    """What q and sort can ask of one without the whole of it being made."""
    source, destination, merge = place.ends(p)
    body = {"id": p.id, "title": p.title, "description": p.description, "state": p.state, "draft": p.draft, "queued": p.queued,
            "created_on": p.created_on, "updated_on": p.updated_on, "reason": p.reason, "close_source_branch": p.close,
            "author": place.who(p.author), "closed_by": place.who(p.closed_by), "comment_count": counted(p), "task_count": open_tasks(p),
            "merge_commit": {"hash": merge[:12]} if merge else None, "reviewers": [place.who(k) for k in p.reviewers], "pull": p}
    fork = place.fork(p)
    for name, oid, branch, r in (("source", source, p.source, None if p.fork_gone else fork),
                                 ("destination", destination, place.target(p), None if p.home_gone else place.r)):
        body[name] = {"branch": {"name": branch}, "commit": {"hash": oid[:12]} if oid else None,
                      "repository": {"full_name": r.full_name, "name": r.name, "uuid": r.uuid} if r else None}
    return body


def counted(p):
    return sum(not c.deleted for c in p.comments)


def open_tasks(p):
    return sum(not t.resolved for t in p.tasks)


def reviewers(place, p):
    return [place.who(k) for k in p.reviewers]


def participants(place, p):
    """Those who review, and those who said something; a deleted user is none."""
    every = dict.fromkeys(k for k in (*p.reviewers, *p.approved, *p.changes, *(c.who for c in p.comments)) if k)
    return [{"type": "participant", "user": place.who(k), "role": "REVIEWER" if k in p.reviewers else "PARTICIPANT",
             "approved": k in p.approved, "participated_on": p.updated_on if k in p.approved + p.changes else None,
             "state": "approved" if k in p.approved else "changes_requested" if k in p.changes else None} for k in every]


def asked(req, name):
    """Whether fields= wants what a list has not by itself."""
    for part in req.get("fields", "").split(","):
        words = part.strip().lstrip("+").split(".")
        if part.strip()[:1] != "-" and len(words) > 1 and words[0] in ("values", "*") and words[1] in (name, "*"):
            return True
    return req.get("fields") == "*"


def pull(place, p, whole=False):
    req, r = place.req, place.r
    source, destination, merge = place.ends(p)
    this, tail = f"{place.here}/pullrequests/{p.id}", f"?from_pullrequest_id={p.id}&topic=true"
    body = {"comment_count": counted(p), "task_count": open_tasks(p), **short(place, p), "description": p.description,
            "state": p.state, "queued": p.queued, "merge_commit": commit_short(place.here, r, merge[:12]) if merge else None,
            "close_source_branch": p.close, "closed_by": place.who(p.closed_by), "author": place.who(p.author),
            "reason": p.reason, "created_on": p.created_on, "updated_on": p.updated_on, **both_ends(place, p),
            "summary": rendered(p.description),
            "links": {**short(place, p)["links"], **{k: href(f"{this}/{k}") for k in LINKS},
                      "diff": href(f"{place.here}/diff/{spec(place, p)}{tail}"),
                      "diffstat": href(f"{place.here}/diffstat/{spec(place, p)}{tail}")}}
    if whole:
        body["rendered"] = {"title": rendered(p.title), "description": rendered(p.description), "reason": rendered(p.reason)}
    for name, make in (("reviewers", reviewers), ("participants", participants)):
        if whole or asked(req, name):
            body[name] = make(place, p)
    return body


def states_asked(req):
    states = [s.upper() for s in req.every("state")] or ["OPEN"]
    if any(s not in STATES for s in states):
        raise ApiError(400, "Invalid state")
    return states


# What is a pull request's alone, whatever became of branches and people.
OWN = {"id", "title", "state", "draft", "created_on", "updated_on"}


def chosen(place, q, sort, states):
    """Those that q (or, without one, the states) lets through, in order. Only what is cheap to know of each is made."""
    every = [p for p in place.all() if q or p.state in states]          # a q makes state ignored
    if not q and not sort:
        return every
    if query.fields(q, sort) <= OWN:
        found = [{**{k: getattr(p, k) for k in OWN}, "pull": p} for p in every]
    else:
        found = [facts(place, p) for p in every]
    return [f["pull"] for f in query.order(query.select(found, q), sort)]


def moment(text):
    return datetime.fromisoformat(text).timestamp()


def older_than(q, sort):
    """(q without its last "AND created_on<…" or "<=…", what finds the first of them) of who walks from the newest on; else (q, None)."""
    m = re.fullmatch(r"(\S+) AND created_on<(=?)(\S+)", q or "") if sort == "-created_on" else None
    if not m:
        return q, None
    find, when = bisect.bisect_left if m[2] else bisect.bisect_right, -moment(m[3])
    return m[1], lambda every: find(every, when, key=lambda p: -moment(p.created_on))


@route(HERE + "/pullrequests", SCOPE)
def pulls(req, workspace, repo_slug):
    place = Place(req, there(req, workspace, repo_slug)[0])
    q, sort = req.get("q"), req.get("sort")
    states = () if q else tuple(states_asked(req))
    kept = req.bb.state.pulls.get(place.r.uuid)
    if kept and query.fields(q, sort) <= OWN:       # each page of tens of thousands asks for much the same
        q, first_of = older_than(q, sort)
        every = kept.answer((q, sort, states), lambda: chosen(place, q, sort, states))
        if first_of:
            every = every[first_of(every):]
    else:
        every = chosen(place, q, sort, states)
    return page(req, every, lambda p: pull(place, p), top=50)


def contains(place, p, oid, walk):
    source, destination, merge = place.ends(p)
    if oid in (source, merge):
        return True
    return bool(walk and source and destination and not p.fork and not p.fork_gone
                and oid in gitread.history(place.git_dir, [source], [destination]))


@route(HERE + "/commit/{commit_id}/pullrequests", SCOPE)
def of_commit(req, workspace, repo_slug, commit_id):
    r, git_dir, _ = there(req, workspace, repo_slug)
    place, oid = Place(req, r), commit_of(git_dir, commit_id)
    mine = req.bb.state.beside.get(r.uuid)
    links = mine.links if mine else "on"
    if links == "off":
        raise ApiError(404, "The Pull Request Commit Links app is not installed.")
    if links == "indexing":
        return Reply(202, json=page(req, [], default=30))
    every = place.all()
    walk = len(every) <= MOST_WALKED
    return page(req, [p for p in every if contains(place, p, oid, walk)], lambda p: pull(place, p), default=30)


@route("/workspaces/{workspace}/pullrequests/{selected_user}", SCOPE)
def of_user(req, workspace, selected_user):
    w, states = its_members(req, workspace), states_asked(req)
    author = next((u.key for u in req.bb.state.users.values() if selected_user in (u.uuid, u.account_id)), None)
    if author is None:
        raise ApiError(404, f"{selected_user} does not exist")
    mine = []
    for r in req.bb.state.visible(req.account, w):
        place = Place(req, r)
        mine += [(p.updated_on, place, p) for p in place.all() if p.author == author and p.state in states]
    mine.sort(key=lambda found: found[0], reverse=True)
    return page(req, mine, lambda found: pull(found[1], found[2]))
