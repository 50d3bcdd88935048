"""How pipelines are set up, and what they deploy to: deployments, environments, variables, schedules, runners, caches, keys.

Most of these lists say how many there are, but not where the next page is.
"""
from urllib.parse import quote

from . import gitread, objects, settings
from .model import uid
from .objects import WEB
from .reply import ApiError, page, route
from .res_git import HERE, commit_short, first_built
from .res_pipelines import NOT_FOUND, SCOPE, pipeline, variable
from .runs import pipeline_uuid
from .settings import WORKSPACE, by_uuid, listed

CONFIG = HERE + "/pipelines_config"
CONFIG_2 = HERE + "/pipelines-config"
RUNNERS = "read:runner:bitbucket"


# -- deployments and environments

def environment(place, e):
    rank = {"Test": 0, "Staging": 1, "Production": 2}.get(e.get("kind", "Test"), 0)
    return {"type": "deployment_environment", "uuid": e["uuid"], "name": e["name"], "slug": e.get("slug", e["name"]), "rank": rank,
            "hidden": e.get("hidden", False), "environment_lock_enabled": True, "deployment_gate_enabled": False,
            "environment_type": {"type": "deployment_environment_type", "name": e.get("kind", "Test"), "rank": rank},
            "category": {"name": e.get("kind", "Test")}, "restrictions": {"type": "deployment_restrictions_configuration", "admin_only": rank == 2},
            "lock": {"type": "deployment_environment_lock_open", "name": "OPEN"}}


listed(HERE + "/environments", SCOPE, settings.repository, "environments", environment, by=("environment_uuid", by_uuid))


def deployment(place, d):
    """The name of its environment is told only where the document is followed to the letter ("named")."""
    req, r = place.req, place.r
    oid = gitread.named(first_built(req, r), d["at"]) if d.get("at") else None
    begun = d.get("started_on")
    state = {"type": "deployment_state_" + d["state"].lower(), "name": d["state"],
             "url": f"{WEB}/{r.full_name}/pipelines/results/{d['pipeline']}"}
    if d["state"] == "UNDEPLOYED":
        state["trigger_url"] = state.pop("url")
    else:
        state.update(deployer=place.who(d.get("who")), started_on=begun, start_date=begun)
    if d["state"] == "COMPLETED":
        state.update(status={"type": "deployment_state_completed_status_" + d["status"].lower(), "name": d["status"]},
                     completed_on=d["completed_on"], completion_date=d["completed_on"])
    where = {"type": "deployment_environment", "uuid": d["environment"]}
    if d.get("named"):
        where["name"] = d["named"]
    release = {"type": "deployment_release", "uuid": uid("release", d["uuid"]), "name": f"#{d['pipeline']}", "created_on": d["created_on"],
               "key": uid("key", d["uuid"]), "pipeline": {"type": "pipeline", "uuid": uid("pipeline", r.uuid, d["pipeline"])},
               "url": f"{WEB}/{r.full_name}/addon/pipelines/home#!/results/{d['pipeline']}",
               "commit": commit_short(place.here, r, oid) if oid else None}
    return {"type": "deployment", "number": d["number"], "uuid": d["uuid"], "key": uid("key", d["uuid"], "key"), "version": 1,
            "step": {"uuid": uid("pipeline", r.uuid, d["pipeline"], 2)}, "environment": where, "state": state,
            "release": None if d.get("gone") else release, "last_update_time": d.get("completed_on") or begun or d["created_on"]}


@route(HERE + "/deployments", SCOPE)
def deployments(req, workspace, repo_slug):
    """q is ignored here, and only the start sorts."""
    place = settings.repository(req, workspace, repo_slug)
    every, sort = list(place.get("deployments")), req.get("sort")
    if sort:
        if sort.lstrip("-") != "state.started_on":
            raise ApiError(400, f"Invalid sort: {sort}")
        every.sort(key=lambda d: (d.get("started_on") or "", d["number"]), reverse=sort[0] == "-")
    if req.get("environment"):
        every = [d for d in every if d["environment"] == req.get("environment")]
    return page(req, every, lambda d: deployment(place, d), links=False)


@route(HERE + "/deployments/{deployment_uuid}", SCOPE)
def one_deployment(req, workspace, repo_slug, deployment_uuid):
    place = settings.repository(req, workspace, repo_slug)
    for d in place.get("deployments"):
        if by_uuid(d, deployment_uuid):
            return deployment(place, d)
    raise ApiError(404, NOT_FOUND)


@route(HERE + "/deployments_config/environments/{environment_uuid}/variables", SCOPE)
def environment_variables(req, workspace, repo_slug, environment_uuid):
    place = settings.repository(req, workspace, repo_slug)
    for e in place.get("environments"):
        if by_uuid(e, environment_uuid):
            shown = [{**one_variable(place, (e["uuid"], *v)), "type": "deployment_variable"} for v in e.get("variables", ())]
            return page(req, shown, links=False)
    raise ApiError(404, NOT_FOUND)


# -- variables: (key, value), value None: secured

def one_variable(place, v):
    *more, key, value = v
    return variable(place.req, uid("variable", place.thing.uuid, *more, key), key, value)


def variables(template, at, scope=SCOPE):
    listed(template, scope, at, "variables", one_variable, links=False)

    @route(template + "/{variable_uuid}", scope)
    def one(req, variable_uuid, **where):
        place = at(req, **where)
        for v in place.get("variables"):
            shown = one_variable(place, v)
            if by_uuid(shown, variable_uuid):
                return shown
        raise ApiError(404, NOT_FOUND)


variables(CONFIG + "/variables", settings.repository)
variables(WORKSPACE + "/pipelines-config/variables", settings.workspace)


# -- what else is set up

@route(CONFIG, "admin:repository:bitbucket")
def pipelines_config(req, workspace, repo_slug):
    place = settings.repository_admin(req, workspace, repo_slug)
    return {"type": "pipelines_config", "enabled": place.get("enabled", False), "repository": objects.repository_short(req, place.r)}


@route(CONFIG + "/build_number", "admin:repository:bitbucket")
def build_number(req, workspace, repo_slug):
    raise ApiError(405, "Method not allowed")


def schedule(place, s):
    body = {"type": "pipeline_schedule", "enabled": True, **s,
            "target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": s["target"],
                       "selector": {"type": "custom", "pattern": s["pattern"]} if s.get("pattern") else {"type": "default"}}}
    return {k: v for k, v in body.items() if k not in ("pattern", "executions")}


listed(CONFIG + "/schedules", SCOPE, settings.repository, "schedules", schedule, by=("schedule_uuid", by_uuid), links=False)


@route(CONFIG + "/schedules/{schedule_uuid}/executions", SCOPE)
def executions(req, workspace, repo_slug, schedule_uuid):
    place = settings.repository(req, workspace, repo_slug)
    runs = req.bb.state.pipelines.get(place.thing.uuid)

    def execution(e):
        if isinstance(e, str):
            return {"type": "pipeline_schedule_execution_errored",
                    "error": {"type": "pipeline_error", "key": "pipelines.schedule.failed", "message": e}}
        p = runs.get(e) if runs else None
        made = pipeline(req, place.r, place.here, p) if p else {"type": "pipeline", "uuid": uid("pipeline", place.thing.uuid, e)}
        return {"type": "pipeline_schedule_execution_executed", "pipeline": made}
    for s in place.get("schedules"):
        if by_uuid(s, schedule_uuid):
            return page(req, s.get("executions", ()), execution, links=False)
    raise ApiError(404, NOT_FOUND)


@route(CONFIG + "/ssh/key_pair", SCOPE)
def key_pair(req, workspace, repo_slug):
    """The private half is told to nobody."""
    public = settings.repository(req, workspace, repo_slug).get("key_pair", None)
    if not public:
        raise ApiError(404, NOT_FOUND)
    return {"type": "pipeline_ssh_key_pair", "public_key": public}


def known_host(place, h):
    return {"type": "pipeline_known_host", "uuid": h["uuid"], "hostname": h["hostname"], "public_key": {
        "type": "pipeline_ssh_public_key", "key_type": h["key_type"], "key": h["key"], "md5_fingerprint": h["md5"],
        "sha256_fingerprint": h["sha256"]}}


listed(CONFIG + "/ssh/known_hosts", SCOPE, settings.repository, "known_hosts", known_host, by=("known_host_uuid", by_uuid), links=False)


def cache(place, c):
    runs = place.req.bb.state.pipelines.get(place.thing.uuid)
    p = runs.get(c["pipeline"]) if runs else None
    body = {"type": "pipeline_cache", **c, "pipeline_uuid": pipeline_uuid(place.r, p) if p else None}
    del body["pipeline"]
    return body


listed(CONFIG_2 + "/caches", SCOPE, settings.repository, "caches", cache, links=False)


@route(CONFIG_2 + "/caches/{cache_uuid}/content-uri", SCOPE)
def cache_content(req, workspace, repo_slug, cache_uuid):
    place = settings.repository(req, workspace, repo_slug)
    for c in place.get("caches"):
        if by_uuid(c, cache_uuid):
            where = f"/caches/{quote(c['uuid'].strip('{}'))}"
            return {"type": "pipeline_cache_content_uri", "uri": req.bb.store(where, "application/x-tar", c["file_size_bytes"])}
    raise ApiError(404, NOT_FOUND)


def runner(place, one):
    state = {"type": "pipeline_runner_state", "status": one["status"], "updated_on": one["updated_on"], "cordoned": False, "version": None}
    if one.get("version"):
        state["version"] = {"type": "pipeline_runner_version", "version": one["version"], "current": "3.20.0"}
    return {"type": "pipeline_runner", "uuid": one["uuid"], "name": one["name"], "labels": list(one["labels"]), "state": state,
            "created_on": one["created_on"], "updated_on": one["updated_on"],
            "oauth_client": {"type": "pipeline_runner_oauth_client", "id": "LocalRunner", "audience": "api.atlassian.com",
                             "token_endpoint": "https://auth.atlassian.com/oauth/token"}}


listed(CONFIG_2 + "/runners", RUNNERS, settings.repository, "runners", runner, by=("runner_uuid", by_uuid), links=False)
listed(WORKSPACE + "/pipelines-config/runners", RUNNERS, settings.workspace, "runners", runner, by=("runner_uuid", by_uuid), links=False)
