"""Pipelines, as the service knows them; res_pipelines.py shows them, data_work.py has them.

Days count from the start of 2026. A commit is named by a revision of the repository as it was first built (gitread.named).
"""
import threading
from dataclasses import dataclass, field, fields

from .model import stamp_now, uid

RUNNING, WAITING = None, ("PENDING", "READY")
BAD = ("ERROR", "FAILED", "STOPPED", "EXPIRED")


@dataclass
class Step:
    name: str                       # None: the object has no name
    seconds: int
    result: str                     # None: it runs; PENDING, READY; SUCCESSFUL, FAILED, ERROR, STOPPED, EXPIRED, NOT_RUN
    log: bytes = None               # None: there is none (404)
    services: dict = field(default_factory=dict)    # name of a container -> its log
    tests: list = None              # (package, class, name, status, reason); None: no reports (404)
    image: str = "gcc:14"
    commands: list = None

    def __post_init__(self):
        if isinstance(self.log, str):
            self.log = self.log.encode()

    @property
    def started(self):
        return self.result not in (*WAITING, "NOT_RUN")

    @property
    def ended(self):
        return self.started and self.result is not RUNNING


@dataclass
class Run:
    number: int
    created_on: str
    who: str = "ada"                # key of the user; None: creator is null; "": the object has no creator
    seconds: int = 0
    result: str = None              # None: it runs; PENDING, PAUSED, HALTED; SUCCESSFUL, FAILED, ERROR, STOPPED, EXPIRED
    kind: str = "branch"            # of its target: branch, tag, pullrequest, custom, commit; None: target is null
    ref: str = "main"               # the branch or tag, of a pull request the source
    at: str = "main"                # the commit; None: target.commit is null
    pull: int = None
    pattern: str = None             # what selects it
    trigger: str = "PUSH"           # MANUAL, SCHEDULED, PARENT_STEP
    run_number: int = 1
    steps: list = field(default_factory=list)
    variables: list = field(default_factory=list)   # (key, value); value None: secured
    home_gone: bool = False         # repository is null


FIELDS = {f.name for f in fields(Run)} - {"number", "steps"}


class Runs:
    """Those of one repository in order of their numbers, made when they are first asked for."""

    def __init__(self, make=list):
        self._make, self._lock, self._found = make, threading.Lock(), None

    def _all(self):
        if self._found is None:
            self._found = list(self._make())
        return self._found

    def all(self):
        with self._lock:
            return list(self._all())

    def get(self, number):
        return next((p for p in self.all() if p.number == number), None)

    def add(self, **what):
        with self._lock:
            found = self._all()
            p = Run(max((p.number for p in found), default=0) + 1, **what)
            found.append(p)
            return p.number

    def change(self, number, act):
        """What act(pipeline) returns, while nobody else changes it."""
        with self._lock:
            return act(next(p for p in self._all() if p.number == number))


def step_of(p, step):
    """A step by its place, from 0, or by its name."""
    return p.steps[step] if isinstance(step, int) else next(s for s in p.steps if s.name == step)


def pipeline_uuid(r, p):
    return uid("pipeline", r.uuid, p.number)


def step_uuid(r, p, i):
    return uid("pipeline", r.uuid, p.number, i)


def container_uuid(r, p, i, name):
    """What a service container's log is asked for with; the API tells it nowhere."""
    return uid("container", r.uuid, p.number, i, name)


class Working:
    """What machines do: the part of class Bitbucket that tests steer. Needs state and _repository."""

    def _runs(self, ws, slug):
        r = self._repository(ws, slug)
        with self.state.lock:
            return self.state.pipelines.setdefault(r.uuid, Runs())

    def create_pipeline(self, ws, slug, steps=("Build",), **what):
        """A new one that runs; its number. The first of its steps runs and has an empty log, the others wait.

        what: see runs.Run (ref=, at=, who=, kind=, result= …).
        """
        made = [s if isinstance(s, Step) else Step(s, 0, "PENDING" if i else RUNNING, None if i else b"") for i, s in enumerate(steps)]
        return self._runs(ws, slug).add(created_on=what.pop("created_on", None) or stamp_now(), steps=made, **what)

    def update_pipeline(self, ws, slug, number, **what):
        """Changes attributes of runs.Run (result=, seconds= …)."""
        if not set(what) <= FIELDS:
            raise TypeError("a pipeline has no %r" % sorted(set(what) - FIELDS))
        self._runs(ws, slug).change(number, lambda p: [setattr(p, key, value) for key, value in what.items()])

    def append_log(self, ws, slug, number, step, text, service=None):
        """More of the log of a step (its place from 0, or its name), or of a service beside it; its length then."""
        more = text.encode() if isinstance(text, str) else text

        def act(p):
            s = step_of(p, step)
            if service:
                s.services[service] = s.services.get(service, "") + more.decode()
                return len(s.services[service])
            s.log = (s.log or b"") + more
            return len(s.log)
        return self._runs(ws, slug).change(number, act)

    def container_uuid(self, ws, slug, number, step, service):
        """With its braces: what a service's log is asked for with."""
        r = self._repository(ws, slug)
        return self._runs(ws, slug).change(number, lambda p: container_uuid(r, p, p.steps.index(step_of(p, step)), service))

    def set_log(self, ws, slug, number, step, text):
        """Another log; None: it is gone."""
        log = text.encode() if isinstance(text, str) else text
        self._runs(ws, slug).change(number, lambda p: setattr(step_of(p, step), "log", log))

    def start_step(self, ws, slug, number, step):
        def act(p):
            s = step_of(p, step)
            s.result, s.log = RUNNING, s.log or b""
        self._runs(ws, slug).change(number, act)

    def finish_step(self, ws, slug, number, step, result="SUCCESSFUL", seconds=60):
        """It has ended, and with the last of them its pipeline."""
        def act(p):
            s = step_of(p, step)
            s.result, s.seconds = result, seconds
            if all(s.ended or s.result == "NOT_RUN" for s in p.steps):
                p.result = next((s.result for s in p.steps if s.result in BAD), "SUCCESSFUL")
                p.seconds = sum(s.seconds for s in p.steps)
        self._runs(ws, slug).change(number, act)
