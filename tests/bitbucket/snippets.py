"""Snippets, as the service knows them; res_snippets.py shows them, data_snippets.py has them.

Their files are the branches of one repository that they share, each with a history of its own.
"""
import os
import time
from dataclasses import dataclass, field

from . import gitrepo
from .gitrepo import Importer
from .model import later, stamp_now

PRISTINE = "snippets"


@dataclass
class Snippet:
    id: str
    title: str
    created_on: str
    updated_on: str
    creator: str = "ada"            # key of the user; None: deleted
    is_private: bool = True
    branch: str = None              # None: the one with its id
    comments: list = field(default_factory=list)    # dicts: id, who, when, text, parent, deleted
    watchers: list = field(default_factory=list)
    spam: bool = False              # 410

    def __post_init__(self):
        self.branch = self.branch or self.id


class Snipping:
    """What people do to snippets: the part of class Bitbucket that tests steer. Needs state, pristine, _work and _push_lock."""

    snippet_git = None              # their own copy, once one was changed

    def snippets_dir(self):
        return self.snippet_git or os.path.join(self.pristine, PRISTINE + ".git")

    def _snippets(self, ws):
        w = self.state.workspace(ws)
        with self.state.lock:
            return self.state.snippets.setdefault(w.uuid, [])

    def _snippet(self, ws, id):
        return next(s for s in self._snippets(ws) if s.id == id)

    def _write(self, branch, files, message, who, parent):
        with self._push_lock:
            if self.snippet_git is None:
                place = os.path.join(self._work, "snippets.git")
                gitrepo.copy_on_write(self.snippets_dir(), place)
                self.snippet_git = place
            imp = Importer(self.snippet_git, unpack=True)
            mark = imp.commit(branch, message, who, int(time.time()), files, parent=parent)
            return imp.close()[mark]

    def create_snippet(self, ws, id, files, title="", who="ada", **more):
        """A new one with files {name: bytes or text}; its first commit. more: see Snippet."""
        oid = self._write(id, files, "Create", "Ada Lindqvist <ada@example.com>", None)
        now = stamp_now()
        mine = self._snippets(ws)
        with self.state.lock:
            mine.append(Snippet(id, title, now, now, who, **more))
        return oid

    def change_snippet(self, ws, id, files, message="Change", title=None):
        """Changes files (None: deleted), as another commit; its id."""
        s = self._snippet(ws, id)
        parent = gitrepo.resolve(self.snippets_dir(), "refs/heads/" + s.branch)
        oid = self._write(id, files, message, "Ben Okafor <ben@example.com>", parent)
        with self.state.lock:
            s.branch, s.updated_on = id, later(s.updated_on)
            s.title = s.title if title is None else title
        return oid

    def delete_snippet(self, ws, id, spam=False):
        """spam: it answers 410 from now on, else 404."""
        s, mine = self._snippet(ws, id), self._snippets(ws)
        with self.state.lock:
            if spam:
                s.spam = True
            else:
                mine.remove(s)

    def comment_snippet(self, ws, id, text, who="ada", **more):
        s = self._snippet(ws, id)
        with self.state.lock:
            number = max((c["id"] for c in s.comments), default=5000) + 1
            s.comments.append({"id": number, "who": who, "when": stamp_now(), "text": text, **more})
        return number
