"""Pull requests and what is written beside commits, as the service knows them; res_pulls.py and res_commits.py show them.

Days count from the start of 2026. A commit is named by a revision of the repository as it was first built, or by a name that
its builder gave it (gitread.named).
"""
import threading
from dataclasses import dataclass, field, fields

from .model import later, stamp_now


@dataclass
class Comment:
    id: int
    who: str                        # key of the user; None: deleted
    when: str
    text: str
    parent: int = None              # the comment that it answers
    inline: dict = None             # path, from, to …
    deleted: bool = False
    pending: bool = False
    resolved: tuple = None          # (who, when)
    edited: str = None


@dataclass
class Task:
    id: int
    who: str
    when: str
    text: str
    resolved: tuple = None          # (who, when)
    comment: int = None
    pending: bool = False


@dataclass
class Pull:
    id: int
    title: str
    author: str                     # key of the user; None: deleted
    source: str                     # branch
    created_on: str
    updated_on: str
    state: str = "OPEN"
    description: str = ""
    destination: str = None         # branch; None: the main one
    at: tuple = None                # names of (source, destination) commits, once the branches are no longer followed
    merge: str = None               # name of the merge commit
    fork: str = None                # "workspace/slug" that the source is in
    fork_gone: str = None           # that was deleted: "commit", which is still told, or "all"
    home_gone: bool = False         # destination.repository is null
    closed_by: str = None
    reason: str = ""
    close: bool = False
    draft: bool = False
    queued: bool = False
    reviewers: list = field(default_factory=list)
    approved: list = field(default_factory=list)
    changes: list = field(default_factory=list)     # who asked for changes
    comments: list = field(default_factory=list)
    tasks: list = field(default_factory=list)
    seen: tuple = None              # ids of the ends as they were last seen, for branches that went


LISTS = {"reviewers", "approved", "changes", "comments", "tasks"}
FIELDS = {f.name for f in fields(Pull)} - {"id", "seen"}


class Pulls:
    """Those of one repository, made when they are first asked for."""

    def __init__(self, make=list):
        self._make, self._lock, self._found = make, threading.Lock(), None
        self._answers = {}

    def _all(self):
        if self._found is None:
            self._found = {p.id: p for p in self._make()}
        return self._found

    def newest_first(self):
        with self._lock:
            return sorted(self._all().values(), key=lambda p: -p.id)

    def get(self, number):
        with self._lock:
            return self._all().get(number)

    def answer(self, question, make):
        """What make() said of them when it was asked so, until one of them changes."""
        with self._lock:
            found = self._answers.get(question)
            answers = self._answers         # another one after a change meanwhile
        if found is None:
            found = answers[question] = make()
        return found

    def add(self, **what):
        """A new one; its number."""
        with self._lock:
            found = self._all()
            last = max((p.created_on for p in found.values()), default="2026-01-01T00:00:00+00:00")
            now = what.pop("created_on", None) or max(stamp_now(), later(last))
            what = {k: list(v) if k in LISTS else v for k, v in what.items()}
            p = Pull(max(found, default=0) + 1, created_on=now, updated_on=what.pop("updated_on", None) or now, **what)
            found[p.id] = p
            self._answers = {}
            return p.id

    def change(self, number, **what):
        with self._lock:
            p = self._all()[number]
            for key, value in what.items():
                if key not in FIELDS:
                    raise TypeError("a pull request has no %r" % key)
                setattr(p, key, list(value) if key in LISTS else value)
            if "updated_on" not in what:
                p.updated_on = later(p.updated_on)
            self._answers = {}
            return p

    def say(self, number, kind, **what):
        """A new Comment or Task; its number."""
        with self._lock:
            p = self._all()[number]
            every = p.comments if kind is Comment else p.tasks
            new = kind(max([p.id * 100, *(c.id for c in every)]) + 1, when=what.pop("when", None) or stamp_now(), **what)
            every.append(new)
            p.updated_on = later(p.updated_on)
            self._answers = {}
            return new.id


@dataclass
class Beside:
    """What is written beside the commits of one repository; "at" names the commit."""
    comments: list = field(default_factory=list)    # dicts: at, and what a Comment has
    statuses: list = field(default_factory=list)    # dicts: at, key, state, name, url, description, refname, created_on, updated_on
    reports: list = field(default_factory=list)     # dicts: at, id, and keys of the JSON object; annotations: dicts
    approved: dict = field(default_factory=dict)    # at -> keys of users
    links: str = "on"                               # commit -> pull requests: "on", "indexing" (202) or "off" (404)
