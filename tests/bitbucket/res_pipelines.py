"""Pipelines, their steps, and the logs of these."""
from . import gitrepo, objects, query
from .data import day
from .model import uid
from .objects import WEB, href
from .reply import ApiError, Reply, page, redirect, route
from .res_git import HERE, commit_short, there

SCOPE = "read:pipeline:bitbucket"
ONE = HERE + "/pipelines/{pipeline_uuid}"
NOT_FOUND = "The requested resource could not be found."


def state_of(kind, result):
    if result is None:
        return {"type": f"{kind}_in_progress", "name": "IN_PROGRESS"}
    if result == "PENDING":
        return {"type": f"{kind}_pending", "name": "PENDING"}
    return {"type": f"{kind}_completed", "name": "COMPLETED",
            "result": {"type": f"{kind}_completed_{result.lower()}", "name": result}}


def uuid_of(r, p, step=None):
    return uid("pipeline", r.uuid, p["number"], *([] if step is None else [step]))


def short(r, here, p):
    return {"type": "pipeline", "uuid": uuid_of(r, p)}


def pipeline(req, r, here, p):
    commit = gitrepo.resolve(f"{req.bb.pristine}/{r.pristine}.git", p["at"])
    uuid = uuid_of(r, p)
    there_is = f"{here}/pipelines/{uuid.replace('{', '%7B').replace('}', '%7D')}"
    done = p["result"] is not None
    return {"type": "pipeline", "uuid": uuid, "build_number": p["number"], "run_number": 1,
            "state": state_of("pipeline_state", p["result"]),
            "target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": p["branch"],
                       "commit": commit_short(here, r, commit), "selector": {"type": "default"}},
            "trigger": {"type": "pipeline_trigger_push", "name": "PUSH"},
            "created_on": day(p["day"], 5), "completed_on": day(p["day"], 5 + p["seconds"]) if done else None,
            "duration_in_seconds": p["seconds"], "build_seconds_used": sum(s[1] for s in p["steps"]),
            "creator": objects.user(req, req.bb.state.users[p["who"]]), "repository": objects.repository_short(req, r),
            "links": {"self": href(there_is), "steps": href(there_is + "/steps/"),
                      "html": href(f"{WEB}/{r.full_name}/pipelines/results/{p['number']}")}}


def step(r, here, p, i):
    name, seconds, result, _ = p["steps"][i]
    script = {"Build": "make", "Test": "make check"}.get(name, "deploy")
    started, body = result != "PENDING", {"type": "pipeline_step", "uuid": uuid_of(r, p, i), "name": name}
    body.update(pipeline=short(r, here, p), state=state_of("pipeline_step_state", result), run_number=1, maxTime=120,
                image={"name": "gcc:14"}, build_seconds_used=seconds, trigger={"type": "pipeline_step_trigger_automatic"},
                setup_commands=[], script_commands=[{"commandType": "user", "name": script, "command": script}],
                started_on=day(p["day"], 10 + 60 * i) if started else None,
                completed_on=day(p["day"], 10 + 60 * i + seconds) if started and result else None)
    return {k: v for k, v in body.items() if v is not None}


def the_pipeline(req, workspace, repo_slug, name):
    r, _, here = there(req, workspace, repo_slug)
    for p in req.bb.state.pipelines.get(r.uuid, ()):
        if name in (uuid_of(r, p), str(p["number"])):
            return r, here, p
    raise ApiError(404, NOT_FOUND)


def the_step(r, p, name):
    for i in range(len(p["steps"])):
        if uuid_of(r, p, i) == name:
            return i
    raise ApiError(404, NOT_FOUND)


@route(HERE + "/pipelines", SCOPE)
def pipelines(req, workspace, repo_slug):
    r, _, here = there(req, workspace, repo_slug)
    every = [pipeline(req, r, here, p) for p in req.bb.state.pipelines.get(r.uuid, ())]
    return page(req, query.order(query.select(every, req.get("q")), req.get("sort")), links=False)


@route(ONE, SCOPE)
def one_pipeline(req, workspace, repo_slug, pipeline_uuid):
    r, here, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    return pipeline(req, r, here, p)


@route(ONE + "/steps", SCOPE)
def steps(req, workspace, repo_slug, pipeline_uuid):
    r, here, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    return page(req, [step(r, here, p, i) for i in range(len(p["steps"]))], links=False)


@route(ONE + "/steps/{step_uuid}", SCOPE)
def one_step(req, workspace, repo_slug, pipeline_uuid, step_uuid):
    r, here, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    return step(r, here, p, the_step(r, p, step_uuid))


@route(ONE + "/steps/{step_uuid}/log", SCOPE)
def log(req, workspace, repo_slug, pipeline_uuid, step_uuid):
    """A finished step's log lies on the storage host, a running one's here."""
    r, here, p = the_pipeline(req, workspace, repo_slug, pipeline_uuid)
    i = the_step(r, p, step_uuid)
    _, _, result, text = p["steps"][i]
    if text is None:
        raise ApiError(404, NOT_FOUND)
    if result is None:
        return Reply(body=text.encode(), type="application/octet-stream", ranges=True)
    where = f"/logs/{r.uuid.strip('{}')}/{p['number']}/{i}"
    return redirect(307, req.bb.store(where, "application/octet-stream", text.encode()))
