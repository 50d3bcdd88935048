"""class Bitbucket: the whole service in one object."""
import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from urllib.parse import quote, unquote

from . import data as datasets
from . import auth, gitrepo
from .faults import Faults, Link
from .fetched import Fetching
from .files import Filing
from .hooks import Hooking
from .lfs import Lfs, Storing
from .limits import Limits
from .model import Repository, Workspace, later, stamp_now, uid
from .oauth import OAuth
from .reqlog import Log
from .reviewing import Reviewing
from .runs import Working
from .settings import Setting
from .snippets import Snipping
from .storage import Storage
from .transport import Listener


class Bitbucket(Reviewing, Working, Filing, Setting, Snipping, Hooking, Fetching, Storing):
    """A local Bitbucket on loopback ports, from start() (or `with`) to close()."""

    def __init__(self, root_dir, data="tests", port=0, latency=0.0, bandwidth=None, filter=True, v2=True,
                 any_sha1=True, reachable_sha1=True, tip_sha1=True, quota=None, least_size=0):
        super().__init__()
        if data not in ("demo", "tests", "bench"):
            raise ValueError("no data called %r" % data)
        self.root, self.data, self._want_port = os.path.abspath(root_dir), data, port
        self.filter, self.v2 = filter, v2
        self.any_sha1, self.reachable_sha1, self.tip_sha1 = any_sha1, reachable_sha1, tip_sha1
        self.refused = ()               # kinds of filters that git refuses, each by itself: "blob:none", "blob:limit", "tree" …
        self.tree_depth = None          # the largest N of tree:N that it takes
        self.object_info = True
        self.lie = None                 # git_lies.py: what a fetch is answered that git would not
        self.least_size = least_size    # what the API says at least of each repository's size: a large one is fetched filtered
        self.log, self.faults, self.link = Log(), Faults(), Link(latency, bandwidth)
        self.limits = Limits(quota)
        self.accounts = auth.default_accounts()
        self.oauth = OAuth(self)
        self.stopping = threading.Event()
        self.next_base = None           # what links to other pages begin with, if not with api_url
        self.outside = None             # what all links begin with, if not as it was asked: behind another server
        self.vary = "Authorization, Accept-Encoding"
        self.storage_host = Storage()
        self.lfs = Lfs(self)
        self.logs = "auto"              # where those of steps lie: "here", "there" (a redirect), "auto": there once they ended
        self.line_end = "\n"             # of the lines around and in the parts of snippets, which may be "\r\n"
        self._push_lock = threading.Lock()
        self._listeners, self._work = [], None
        self.port = self.storage_port = None

    # -- life

    def start(self):
        os.makedirs(self.root, exist_ok=True)
        self.pristine, sizes = datasets.build_git(self.root, self.data)
        self.state = datasets.build_state(self.data, sizes)
        self._work = tempfile.mkdtemp(prefix="work-", dir=self.root)
        self._listen()
        return self

    def close(self):
        self.stopping.set()
        self.faults.clear()
        self._silence()
        if self._work:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _listen(self):
        from . import resources         # noqa: F401  (registers the routes)
        api = Listener(self, "api", self.port or self._want_port)
        try:
            storage = Listener(self, "storage", self.storage_port or 0)
        except OSError:
            api.server_close()
            raise
        self.port, self.storage_port = api.server_address[1], storage.server_address[1]
        self._listeners = [api, storage]
        for listener in self._listeners:
            listener.start()

    def _silence(self):
        gone, self._listeners = self._listeners, []
        for listener in gone:
            listener.stop()

    def offline(self):
        """No network: nobody listens, and every connection is cut."""
        self._silence()

    def online(self):
        """The network is back, at the same ports."""
        if self._listeners:
            return
        end = time.monotonic() + 5
        while True:
            try:
                return self._listen()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)        # the port of a connection that is just being torn down

    @property
    def api_url(self):
        return f"http://127.0.0.1:{self.port}/2.0"

    @property
    def git_url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage_url(self):
        return f"http://127.0.0.1:{self.storage_port}"

    @property
    def latency(self):
        return self.link.latency

    @latency.setter
    def latency(self, seconds):
        self.link.latency = seconds

    @property
    def bandwidth(self):
        return self.link.bandwidth

    @bandwidth.setter
    def bandwidth(self, rate):
        self.link.bandwidth = rate

    def named(self, target):
        """A request's target with the slugs of a workspace and of a repository that are asked for by {uuid}."""
        m = re.match(r"(/2\.0/(?:repositories|workspaces|snippets|user/workspaces)/)([^/?]+)(?:/([^/?]+))?", target)
        w = self.state.workspace(unquote(m[2])) if m else None
        if not w:
            return target
        name = m[3]
        if name and m[1] == "/2.0/repositories/" and unquote(name).startswith("{"):
            r = self.state.repository(w.slug, unquote(name))
            name = quote(r.slug, safe="") if r else name
        first = quote(w.slug, safe="") if unquote(m[2]).startswith("{") else m[2]
        return m[1] + first + (f"/{name}" if name else "") + target[m.end():]

    def fault(self, match, kind, **options):
        return self.faults.add(match, kind, **options)

    def set_limits(self, **options):
        self.limits.set(**options)

    def describe(self):
        """What another process needs to know."""
        return {"api_url": self.api_url, "git_url": self.git_url, "storage_url": self.storage_url, "port": self.port,
                "pid": os.getpid(), "data": self.data, "accounts": {k: a.public() for k, a in self.accounts.items()},
                "consumer": {"key": self.oauth.consumer.key, "secret": self.oauth.consumer.secret,
                             "callback": self.oauth.consumer.callback}}

    def known_accounts(self):
        """Those of the accounts and of the access tokens that a consumer has got."""
        return {**self.accounts, **self.oauth.live()}

    def username_of(self, key):
        return next((a.username for a in self.accounts.values() if a.user == key and a.username), key)

    # -- the storage host

    def store(self, path, type, what, name=None, changed=None):
        """Puts something on the storage host; the absolute link to it."""
        return self.storage_url + path + self.storage_host.put(path, type, what, name, changed)

    # -- git

    def git_settings(self):
        kinds = {f"uploadpackfilter.{kind}.allow": False for kind in self.refused}
        if self.tree_depth is not None:
            kinds["uploadpackfilter.tree.maxDepth"] = self.tree_depth
        return {**kinds, "transfer.advertiseObjectInfo": self.object_info, "uploadpack.allowFilter": self.filter, "uploadpack.allowAnySHA1InWant": self.any_sha1,
                "uploadpack.allowReachableSHA1InWant": self.reachable_sha1, "uploadpack.allowTipSHA1InWant": self.tip_sha1}

    def git_dir(self, r):
        return r.git_dir or os.path.join(self.pristine, r.pristine + ".git")

    def repo_path(self, ws, slug):
        """The bare repository, for oracles. Ask again after a push: the first one moves it."""
        return self.git_dir(self._repository(ws, slug))

    def joined(self, git_dir, other):
        """A repository without refs that has the objects of both."""
        name = hashlib.sha1(f"{git_dir}\0{other}".encode()).hexdigest()[:16]
        with self._push_lock:
            return gitrepo.union(os.path.join(self._work, f"joined-{name}.git"), git_dir, other)

    def _repository(self, ws, slug) -> Repository:
        r = self.state.repository(ws, slug)
        if r is None:
            raise KeyError(f"{ws}/{slug}")
        return r

    def _own(self, r):
        """Gives the repository a copy of its own before it changes."""
        if r.git_dir is None:
            place = os.path.join(self._work, r.uuid.strip("{}") + ".git")
            gitrepo.copy_on_write(self.git_dir(r), place)
            r.git_dir = place
        return r.git_dir

    def _touch(self, r, **fields):
        with self.state.lock:
            for key, value in fields.items():
                setattr(r, key, value)
            r.updated_on = later(r.updated_on)

    def push(self, ws, slug, files, message="Change", branch=None, author="Ada Lindqvist <ada@example.com>", parent=None,
             when=None):
        """One commit on a branch (the main one), as if somebody had pushed it; its id.

        files: {path: bytes | str | None (deleted) | ("exec", bytes) | ("symlink", target) | ("submodule", oid)}.
        parent: the commit it follows (default the branch's tip, or the main branch's for a new branch). when: its date, in
        seconds since 1970 (now).
        """
        r = self._repository(ws, slug)
        with self._push_lock:
            git_dir = self._own(r)
            branch = branch or r.mainbranch or "main"
            if parent is None:
                parent = gitrepo.resolve(git_dir, "refs/heads/" + branch) or (
                    gitrepo.resolve(git_dir, "refs/heads/" + r.mainbranch) if r.mainbranch else None)
            imp = gitrepo.Importer(git_dir, unpack=True)
            mark = imp.commit(branch, message, author, int(time.time()) if when is None else when, files,
                              parent=parent)
            oid = imp.close()[mark]
            self._touch(r, mainbranch=r.mainbranch or branch, size=gitrepo.size(git_dir) + 1)
        return oid

    def set_ref(self, ws, slug, ref, oid):
        """Points a ref ("refs/heads/x") at a commit, or deletes it (None)."""
        r = self._repository(ws, slug)
        with self._push_lock:
            git_dir = self._own(r)
            gitrepo.git(git_dir, "update-ref", *(["-d", ref] if oid is None else [ref, oid]))
            self._touch(r)

    def set_mainbranch(self, ws, slug, branch):
        r = self._repository(ws, slug)
        with self._push_lock:
            gitrepo.git(self._own(r), "symbolic-ref", "HEAD", "refs/heads/" + branch)
            self._touch(r, mainbranch=branch)

    # -- what people do in the web interface

    def create_repo(self, ws, slug, pristine="empty", generation=0, **fields):
        """A new repository, with what another begins with (say "tiny"). A slug that was deleted gets another uuid."""
        w = self.state.workspace(ws)
        now = stamp_now()
        with self.state.lock:
            if slug in w.repositories:
                raise KeyError(f"{ws}/{slug} is there already")
            name = fields.pop("name", slug)
            r = Repository(slug, uid("repository", w.slug, slug, now, generation), name, now, now, fields.pop("owner", "ada"),
                           workspace=w, project=fields.pop("project", next(iter(w.projects), "")), pristine=pristine,
                           mainbranch=None if pristine == "empty" else "main")
            for key, value in fields.items():
                setattr(r, key, value)
            w.repositories[slug] = r
        return r

    def delete_repo(self, ws, slug):
        r = self._repository(ws, slug)
        with self.state.lock:
            del r.workspace.repositories[r.slug]
        return r

    def rename_repo(self, ws, slug, new, name=None):
        r = self._repository(ws, slug)
        with self.state.lock:
            repositories = r.workspace.repositories
            items = [(new if k == r.slug else k, v) for k, v in repositories.items()]
            repositories.clear()
            repositories.update(items)
            r.slug, r.name = new, name or new
        self._touch(r)

    def update_repo(self, ws, slug, fields=None, whole=None, **more):
        """Changes a repository: attributes of it (description=, language=, is_private= …), keys of its JSON object
        (fields={"size": "odd"}), or all of it (whole=17)."""
        r = self._repository(ws, slug)
        for key in more:
            if not hasattr(r, key):
                raise TypeError("a repository has no %r" % key)
        self._touch(r, override={**r.override, **(fields or {})}, replace=whole, **more)

    def create_workspace(self, slug, name=None, members=None, **more):
        w = Workspace(slug, name or slug, uid("workspace", slug, stamp_now()), stamp_now(), members or {"ada": "owner"}, **more)
        key = next(iter(self.state.workspaces.values())).projects["PROD"]
        w.projects["PRJ"] = replace(key, key="PRJ", name="Project", uuid=uid("project", slug, "PRJ"))
        with self.state.lock:
            self.state.workspaces[slug] = w
        return w

    def rename_workspace(self, slug, new, name=None):
        with self.state.lock:
            w = self.state.workspaces.pop(slug)
            w.slug, w.name = new, name or w.name
            self.state.workspaces[new] = w

    def delete_workspace(self, slug, gone=True):
        """gone: it answers 410 from now on, else 404."""
        with self.state.lock:
            del self.state.workspaces[slug]
            if gone:
                self.state.gone.add(slug)
