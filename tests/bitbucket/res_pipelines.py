"""Pipelines, their steps, the logs of these, and what their tests said."""
import hashlib
from datetime import datetime, timedelta
from urllib.parse import quote

from . import gitread, objects
from .model import stamp, uid
from .objects import WEB, href
from .reply import ApiError, Reply, page, redirect, route
from .res_git import HERE, commit_short, first_built, there, who
from .runs import container_uuid, pipeline_uuid, step_uuid

SCOPE = "read:pipeline:bitbucket"
ONE = HERE + "/pipelines/{pipeline_uuid}"
STEP = ONE + "/steps/{step_uuid}"
NOT_FOUND = "The requested resource could not be found."
RAW = "application/octet-stream"
TRIGGERS = {"PUSH": "pipeline_trigger_push", "MANUAL": "pipeline_trigger_manual"}
STATUS = {None: "BUILDING", "SUCCESSFUL": "PASSED", "EXPIRED": "UNKNOWN"}     # what status= calls a result


def state_of(kind, result, reason=None):
    if result in (None, "PAUSED", "HALTED"):
        body = {"type": f"{kind}_in_progress", "name": "IN_PROGRESS"}
        if kind == "pipeline_state":
            stage = result or "RUNNING"
            body["stage"] = {"type": f"{kind}_in_progress_{stage.lower()}", "name": stage}
        return body
    if result in ("PENDING", "READY"):
        return {"type": f"{kind}_{result.lower()}", "name": result}
    body = {"type": f"{kind}_completed", "name": "COMPLETED", "result": {"type": f"{kind}_completed_{result.lower()}", "name": result}}
    if result == "ERROR":
        body["result"]["error"] = {"type": kind.replace("state", "error"), "key": "plan-service.parse.parse-error",
                                   "message": "The configuration is invalid:\n\"script\" is missing."}
    return body


def moments(created, start, seconds):
    """When it started and ended, with the nanoseconds that machines tell."""
    begin = datetime.fromisoformat(created) + timedelta(seconds=start)
    return [stamp(t).replace("+00:00", "944Z") for t in (begin, begin + timedelta(seconds=seconds))]


def target(req, r, here, p):
    oid = gitread.named(first_built(req, r), p.at) if p.at else None
    commit = commit_short(here, r, oid) if oid else None
    kinds = {"branch": "branches", "tag": "tags", "custom": "custom", "commit": "custom", "pullrequest": "pull-requests"}
    selector = {"type": kinds[p.kind], "pattern": p.pattern} if p.pattern else {"type": "default"}
    if p.kind == "pullrequest":
        where = f"{here}/pullrequests/{p.pull}"
        to = gitread.named(first_built(req, r), "main")
        return {"type": "pipeline_pullrequest_target", "source": p.ref, "destination": "main", "selector": selector, "commit": commit,
                "destination_commit": {"type": "commit", "hash": to[:12]} if to else None,
                "pullrequest": {"type": "pullrequest", "id": p.pull, "title": f"Number {p.pull}", "draft": False,
                                "links": {"self": href(where), "html": href(f"{WEB}/{r.full_name}/pull-requests/{p.pull}")}}}
    if p.kind == "commit":
        return {"type": "pipeline_commit_target", "selector": selector, "commit": commit}
    return {"type": "pipeline_ref_target", "ref_type": "tag" if p.kind == "tag" else "branch", "ref_name": p.ref,
            "commit": commit, "selector": selector}


def variable(req, place, key, value):
    """One with a name; the value of a secured one (None) is not told."""
    body = {"type": "pipeline_variable", "uuid": place, "key": key, "value": value, "secured": value is None}
    return {k: v for k, v in body.items() if k != "value" or v is not None}


def pipeline(req, r, here, p):
    uuid = pipeline_uuid(r, p)
    place = f"{here}/pipelines/{quote(uuid)}"
    done = p.result not in (None, "PENDING", "PAUSED", "HALTED")
    body = {"type": "pipeline", "uuid": uuid, "build_number": p.number, "run_number": p.run_number,
            "run_creation_date": p.created_on, "state": state_of("pipeline_state", p.result),
            "target": target(req, r, here, p) if p.kind else None,
            "trigger": {"type": TRIGGERS.get(p.trigger, "pipeline_trigger"), "name": p.trigger},
            "created_on": p.created_on, "completed_on": moments(p.created_on, 5, p.seconds)[1] if done else None,
            "duration_in_seconds": p.seconds, "build_seconds_used": sum(s.seconds for s in p.steps),
            "first_successful": False, "expired": p.result == "EXPIRED",
            "repository": None if p.home_gone else objects.repository_short(req, r),
            "links": {"self": href(place), "steps": href(place + "/steps/"),
                      "html": href(f"{WEB}/{r.full_name}/pipelines/results/{p.number}")}}
    if p.who != "":
        body["creator"] = who(req, p.who)
    if p.variables:
        body["variables"] = [variable(req, pipeline_uuid(r, p), *v) for v in p.variables]
    return body


def step(r, p, i):
    s = p.steps[i]
    begin, end = moments(p.created_on, 10 + 60 * i, s.seconds)
    command = {"commandType": "user", "name": "umask 000", "command": "umask 000"}
    script = [{"commandType": "user", "name": c, "command": c} for c in s.commands or ["make"]]
    body = {"type": "pipeline_step", "uuid": step_uuid(r, p, i), "name": s.name, "run_number": p.run_number, "maxTime": 120,
            "pipeline": {"type": "pipeline", "uuid": pipeline_uuid(r, p)}, "state": state_of("pipeline_step_state", s.result),
            "image": {"name": s.image}, "build_seconds_used": s.seconds, "duration_in_seconds": s.seconds,
            "trigger": {"type": "pipeline_step_trigger_automatic"}, "setup_commands": [command], "script_commands": script,
            "teardown_commands": [], "started_on": begin if s.started else None, "completed_on": end if s.ended else None}
    return {k: v for k, v in body.items() if v is not None}


def the_pipeline(req, workspace, repo_slug, name):
    """By its uuid, or by its number."""
    r, _, here = there(req, workspace, repo_slug)
    runs = req.bb.state.pipelines.get(r.uuid)
    for p in runs.all() if runs else ():
        if str(p.number) == name or name.startswith("{") and name == pipeline_uuid(r, p):
            return r, here, p
    raise ApiError(404, NOT_FOUND)


def the_step(req, workspace, repo_slug, pipeline, name):
    """(repository, pipeline, number of the step from 0)"""
    r, _, p = the_pipeline(req, workspace, repo_slug, pipeline)
    for i in range(len(p.steps)):
        if step_uuid(r, p, i) == name:
            return r, p, i
    raise ApiError(404, NOT_FOUND)


def one_of(req, name, value):
    return not req.every(name) or value in req.every(name)


def chosen(req, r, p):
    """Whether the parameters that filter let it through."""
    ref_type = {"tag": ("TAG", "ANNOTATED_TAG"), "branch": ("BRANCH",), "custom": ("BRANCH",)}.get(p.kind, ())
    branch = p.ref if p.kind in ("branch", "custom", "pullrequest") else None
    selector = {"branch": "BRANCH", "tag": "TAG", "pullrequest": "PULLREQUESTS"}.get(p.kind, "CUSTOM") if p.pattern else "DEFAULT"
    commit = gitread.named(first_built(req, r), p.at) if p.at and req.get("target.commit.hash") else None
    creator = req.bb.state.users[p.who].uuid if p.who else None
    return (one_of(req, "creator.uuid", creator) and one_of(req, "target.ref_name", p.ref) and one_of(req, "target.branch", branch)
            and (not req.every("target.ref_type") or bool(set(ref_type) & set(req.every("target.ref_type"))))
            and one_of(req, "target.commit.hash", commit) and one_of(req, "target.selector.pattern", p.pattern)
            and one_of(req, "target.selector.type", selector) and one_of(req, "trigger_type", p.trigger)
            and one_of(req, "status", STATUS.get(p.result, p.result)) and one_of(req, "created_on", p.created_on))


@route(HERE + "/pipelines", SCOPE)
def pipelines(req, workspace, repo_slug):
    """Without q: parameters of its own filter. Pages do not say where the next one is."""
    r, _, here = there(req, workspace, repo_slug)
    runs = req.bb.state.pipelines.get(r.uuid)
    every = [p for p in (runs.all() if runs else ()) if chosen(req, r, p)]
    sort = req.get("sort", "created_on")
    if sort.lstrip("-") not in ("created_on", "run_creation_date", "creator.uuid"):
        raise ApiError(400, f"Invalid sort: {sort}")
    by_user = sort.endswith("uuid")
    every.sort(key=lambda p: (p.who or "") if by_user else (p.created_on, p.number), reverse=sort[0] == "-")
    return page(req, every, lambda p: pipeline(req, r, here, p), links=False)


@route(ONE, SCOPE)
def one_pipeline(req, workspace, repo_slug, pipeline_uuid):
    r, here, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    return pipeline(req, r, here, p)


@route(ONE + "/steps", SCOPE)
def steps(req, workspace, repo_slug, pipeline_uuid):
    r, _, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    return page(req, range(len(p.steps)), lambda i: step(r, p, i), links=False)


@route(STEP, SCOPE)
def one_step(req, workspace, repo_slug, pipeline_uuid, step_uuid):
    r, p, i = the_step(req, workspace, repo_slug, pipeline_uuid, step_uuid)
    return step(r, p, i)


def log_reply(req, r, p, i, name, text):
    """A finished step's log lies on the storage host, a running one's here; bb.logs says otherwise."""
    if text is None:
        raise ApiError(404, NOT_FOUND)
    if req.bb.logs == "here" or req.bb.logs == "auto" and not p.steps[i].ended:
        return Reply(body=text, type=RAW, ranges=True)
    tag = f'"{hashlib.md5(text).hexdigest()}"'
    if tag in [t.strip() for t in req.headers.get("If-None-Match", "").split(",")]:
        return Reply(304, body=b"", type=RAW, headers={"ETag": tag})
    return redirect(307, req.bb.store(f"/logs/{r.uuid.strip('{}')}/{p.number}/{i}/{quote(name, safe='')}", RAW, text))


@route(STEP + "/log", SCOPE)
def log(req, workspace, repo_slug, pipeline_uuid, step_uuid):
    r, p, i = the_step(req, workspace, repo_slug, pipeline_uuid, step_uuid)
    return log_reply(req, r, p, i, "log", p.steps[i].log)


@route(STEP + "/logs/{log_uuid}", SCOPE)
def container_log(req, workspace, repo_slug, pipeline_uuid, step_uuid, log_uuid):
    """Of the step itself by its own uuid, of a service by its container's."""
    r, p, i = the_step(req, workspace, repo_slug, pipeline_uuid, step_uuid)
    if log_uuid == step_uuid:
        return log_reply(req, r, p, i, "log", p.steps[i].log)
    for name, text in p.steps[i].services.items():
        if log_uuid == container_uuid(r, p, i, name):
            return log_reply(req, r, p, i, name, text.encode())
    raise ApiError(404, NOT_FOUND)


# -- what the tests said: the document has no schemas for these

def the_tests(req, workspace, repo_slug, pipeline_uuid, step_uuid):
    r, p, i = the_step(req, workspace, repo_slug, pipeline_uuid, step_uuid)
    tests = p.steps[i].tests
    if tests is None:
        raise ApiError(404, NOT_FOUND)
    return [(uid("test", r.uuid, p.number, i, n), *t) for n, t in enumerate(tests)]


@route(STEP + "/test_reports", SCOPE)
def test_reports(req, **place):
    tests = the_tests(req, **place)
    kinds = {"successful": "SUCCESSFUL", "failed": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}
    return {"number_of_test_cases": len(tests),
            **{f"number_of_{k}_test_cases": sum(t[4] == status for t in tests) for k, status in kinds.items()}}


@route(STEP + "/test_reports/test_cases", SCOPE)
def test_cases(req, **place):
    def case(t):
        uuid, package, group, name, status, _ = t
        return {"uuid": uuid, "name": name, "package_name": package, "class_name": group, "status": status, "duration": "PT0.25S",
                "fully_qualified_name": ".".join(w for w in (package, group, name) if w)}
    return page(req, the_tests(req, **place), case, links=False)


@route(STEP + "/test_reports/test_cases/{test_case_uuid}/test_case_reasons", SCOPE)
def test_case_reasons(req, test_case_uuid, **place):
    for uuid, *_, reason in the_tests(req, **place):
        if uuid == test_case_uuid:
            first = (reason or "").split("\n")[0]
            return page(req, [{"message": first, "stack_trace": reason}] if reason else [], links=False)
    raise ApiError(404, NOT_FOUND)
