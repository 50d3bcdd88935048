"""What the service knows: users, workspaces, projects, repositories, and who may see what."""
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, 9, tzinfo=timezone.utc)
NAMESPACE = uuid.UUID("6f0c2d3e-7d52-5b0b-9a1f-6c1b6c6f6b74")


def uid(*parts):
    """The uuid, in braces, of a thing: always the same for the same name."""
    return "{%s}" % uuid.uuid5(NAMESPACE, "/".join(str(p) for p in parts))


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def day(n, seconds=0):
    """The stamp of a moment of the nth day after the start of 2026."""
    return stamp(START + timedelta(days=n, seconds=seconds, microseconds=(n * 7919 + seconds) % 1000000))


def stamp_now():
    return stamp(datetime.now(timezone.utc))


def later(old):
    """Now, but always after an older stamp."""
    now = datetime.now(timezone.utc)
    return stamp(max(now, datetime.fromisoformat(old) + timedelta(seconds=1)))


@dataclass
class User:
    key: str
    name: str
    nickname: str
    email: str
    kind: str = "user"              # or "app_user"
    old: bool = False               # has no account_id

    @property
    def uuid(self):
        return uid("user", self.key)

    @property
    def account_id(self):
        return "557058:" + uid("account", self.key).strip("{}")


@dataclass
class Project:
    key: str
    name: str
    uuid: str
    description: str = ""
    is_private: bool = True


@dataclass
class Workspace:
    slug: str
    name: str
    uuid: str
    created_on: str
    members: dict = field(default_factory=dict)     # key of the user -> "owner", "member" or "collaborator"
    is_private: bool = False
    is_personal: bool = False
    projects: dict = field(default_factory=dict)
    repositories: dict = field(default_factory=dict)    # slug -> Repository, in order of creation


@dataclass
class Repository:
    slug: str
    uuid: str
    name: str
    created_on: str
    updated_on: str
    owner: str                      # key of the user who made it
    workspace: Workspace = None
    project: str = ""
    description: str = ""
    language: str = ""
    is_private: bool = True
    size: int = 0
    mainbranch: str = "main"        # None: nothing was pushed yet
    website: str = None
    fork_policy: str = "no_public_forks"
    has_issues: bool = False
    parent: str = None              # full name
    pristine: str = "empty"         # name of the bare repository it begins with
    git_dir: str = None             # its own copy, once something was pushed
    override: dict = field(default_factory=dict)    # keys of the JSON object that a test changed
    replace: object = None          # the whole JSON value that a test put in its place

    @property
    def full_name(self):
        return f"{self.workspace.slug}/{self.slug}"


class State:
    """Everything, under one lock that is held for looking only, never while answering."""

    def __init__(self):
        self.lock = threading.RLock()
        self.users, self.workspaces = {}, {}
        self.gone = set()           # slugs of workspaces that were deleted
        self.pulls, self.beside = {}, {}    # uuid of the repository -> Pulls, Beside, see pulls.py
        self.pipelines = {}         # uuid of the repository -> Runs, see runs.py
        self.settings = {}          # uuid of the repository, project, workspace or user -> dict, see settings.py
        self.snippets = {}          # uuid of the workspace -> list of Snippet, see snippets.py
        self.downloads = {}         # uuid of the repository -> list of Download, see files.py

    def workspace(self, name):
        """By slug or by {uuid}."""
        with self.lock:
            if name.startswith("{"):
                return next((w for w in self.workspaces.values() if w.uuid == name), None)
            return self.workspaces.get(name.lower())

    def repository(self, ws, name):
        w = self.workspace(ws)
        with self.lock:
            if w and name.startswith("{"):
                return next((r for r in w.repositories.values() if r.uuid == name), None)
            return w.repositories.get(name.lower()) or w.repositories.get(name) if w else None

    def by_uuid(self, uuid):
        with self.lock:
            return next((r for w in self.workspaces.values() for r in w.repositories.values() if r.uuid == uuid), None)

    def member(self, account, w):
        return bool(account and (account.user in w.members if account.user else account.workspace == w.slug))

    def sees(self, account, r):
        if not r.is_private:
            return True
        if not self.member(account, r.workspace):
            return False
        return account.user != "" or (
            (not account.project or account.project == r.project)
            and (not account.repository or account.repository == r.slug))

    def visible(self, account, w):
        with self.lock:
            return [r for r in w.repositories.values() if self.sees(account, r)]
