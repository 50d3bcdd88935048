"""What people do to pull requests and commits: the part of class Bitbucket that tests steer."""
import re
import threading
from dataclasses import dataclass

from . import gitread, gitrepo
from .model import stamp_now
from .pulls import Beside, Comment, Pulls, Task


@dataclass
class Hook:
    match: re.Pattern
    left: int
    action: object
    done: threading.Event


class Reviewing:
    """Needs what class Bitbucket has: state, push, git_dir, _repository, _own, _touch."""

    def __init__(self):
        self._hooks, self._hooks_lock = [], threading.Lock()

    # -- in the middle of something

    def when(self, match, count, action, *args, **more):
        """Calls action (a function, or the name of a method here) once, when the count-th request from now on whose "METHOD target"
        matches has its answer, before that is sent. Returns an Event that is set then."""
        act = getattr(self, action) if isinstance(action, str) else action
        hook = Hook(re.compile(match), count, lambda: act(*args, **more), threading.Event())
        with self._hooks_lock:
            self._hooks.append(hook)
        return hook.done

    def answered(self, line):
        """A request got its answer."""
        with self._hooks_lock:
            due = []
            for hook in [h for h in self._hooks if h.match.search(line)]:
                hook.left -= 1
                if hook.left <= 0:
                    self._hooks.remove(hook)
                    due.append(hook)
        for hook in due:
            hook.action()
            hook.done.set()

    # -- pull requests

    def _pulls(self, ws, slug):
        r = self._repository(ws, slug)
        with self.state.lock:
            return r, self.state.pulls.setdefault(r.uuid, Pulls())

    def create_pull(self, ws, slug, title, source, author="ada", **fields):
        """A new pull request from a branch; its number. Fields: see pulls.Pull."""
        return self._pulls(ws, slug)[1].add(title=title, source=source, author=author, **fields)

    def update_pull(self, ws, slug, number, **fields):
        """Changes fields of pulls.Pull (title=, description=, approved=, draft= …) and its updated_on."""
        self._pulls(ws, slug)[1].change(number, **fields)

    def close_pull(self, ws, slug, number, state, who="ada", reason="", merge=None):
        """It becomes DECLINED or SUPERSEDED (or MERGED with a merge commit), and no longer follows its branches."""
        r, pulls = self._pulls(ws, slug)
        p = pulls.get(number)
        at = p.at or (self._tip(p.fork or r.full_name, p.source), self._tip(r.full_name, p.destination or r.mainbranch))
        pulls.change(number, state=state, closed_by=who, reason=reason, at=at, merge=merge, queued=False)

    def merge_pull(self, ws, slug, number, who="ada", delete_branch=False):
        """Merges it with a merge commit, as the button does; its id. The source must be a branch here that merges cleanly."""
        r, pulls = self._pulls(ws, slug)
        p, name = pulls.get(number), f"{ws}/{slug}"
        source, target = self._tip(name, p.source), self._tip(name, p.destination or r.mainbranch)
        git_dir = self._own(r)
        tree = gitrepo.git(git_dir, "merge-tree", "--write-tree", target, source).decode().split()[0]
        message = f"Merged in {p.source} (pull request #{number})\n\n{p.title}\n"
        oid = gitrepo.git(git_dir, "commit-tree", "-p", target, "-p", source, tree, data=message.encode(),
                          config=("user.name=Ada Lindqvist", "user.email=ada@example.com")).decode().strip()
        self.close_pull(ws, slug, number, "MERGED", who, merge=oid)
        self.set_ref(ws, slug, "refs/heads/" + (p.destination or r.mainbranch), oid)
        if delete_branch:
            self.set_ref(ws, slug, "refs/heads/" + p.source, None)
        return oid

    def _tip(self, full_name, branch):
        oid = gitread.heads(self.git_dir(self._repository(*full_name.split("/")))).get(branch)
        if oid is None:
            raise KeyError(f"{full_name} has no branch {branch}")
        return oid

    def comment_pull(self, ws, slug, number, text, who="ada", **more):
        """A comment (parent=, inline={"path", "from", "to"}, when= …, see pulls.Comment); its number."""
        return self._pulls(ws, slug)[1].say(number, Comment, text=text, who=who, **more)

    def task_pull(self, ws, slug, number, text, who="ada", **more):
        return self._pulls(ws, slug)[1].say(number, Task, text=text, who=who, **more)

    # -- beside commits

    def _beside(self, ws, slug):
        r = self._repository(ws, slug)
        with self.state.lock:
            return self.state.beside.setdefault(r.uuid, Beside())

    def set_status(self, ws, slug, oid, key, state, **more):
        """The build status of a commit: state is SUCCESSFUL, FAILED, INPROGRESS or STOPPED."""
        now, mine = stamp_now(), self._beside(ws, slug)
        old = next((s for s in mine.statuses if s.get("oid") == oid and s["key"] == key), None)
        new = {"oid": oid, "key": key, "name": key, "url": f"https://ci.example.com/{key}", "refname": None, "description": "",
               "created_on": now, **(old or {}), "state": state, "updated_on": now, **more}
        with self.state.lock:
            mine.statuses = [s for s in mine.statuses if s is not old] + [new]

    def comment_commit(self, ws, slug, oid, text, who="ada", **more):
        mine = self._beside(ws, slug)
        with self.state.lock:
            number = max((c["id"] for c in mine.comments), default=9000) + 1
            mine.comments.append({"oid": oid, "id": number, "who": who, "when": stamp_now(), "text": text, **more})
        return number

    def set_commit_links(self, ws, slug, how):
        """What /commit/{id}/pullrequests answers: "on", "indexing" (202) or "off" (404)."""
        self._beside(ws, slug).links = how
