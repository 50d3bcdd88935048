"""Git LFS: the batch endpoint, behind git's credential; objects lie on the storage host, which takes no credential but its own."""
import gzip
import hashlib
import json
import secrets
import time
from datetime import datetime, timezone
from urllib.parse import parse_qs

from .reply import ApiError, Reply
from .storage import content, refused

TYPE = "application/vnd.git-lfs+json"
MOST = 100                              # objects of one batch


class Lfs:
    """What a test may change: `how` the storage host knows whom the service sent ("link": a signature in the link; "header":
    an Authorization that the action hands out), `expires_in`, `expires_at` (seconds from now; the storage holds itself to
    whichever is not None), `ranges`, `gzip`, `redirect` (a Location), `href` (a function of the link that is handed out),
    `errors` {oid: (code, message)}, `reply` (a function of the answer's JSON), `padding` (bytes in the answer)."""

    def __init__(self, bb):
        self._bb = bb
        self._objects = {}              # uuid of the repository -> {oid: content}
        self._given, self._remote = {}, {}      # secrets that were handed out -> when they end; by git-lfs-authenticate
        self.reset()

    def reset(self):
        """As it comes: nothing goes wrong."""
        self._served = {}               # oid -> other content
        self.how, self.expires_in, self.expires_at = "link", 3600, None
        self.ranges, self.gzip, self.redirect, self.href, self.reply, self.padding = True, False, None, None, None, 0
        self.errors = {}

    def add(self, r, what):
        what, digest = content(what), hashlib.sha256()
        for piece in what.read(0, what.length):
            digest.update(piece)
        self.know(r, digest.hexdigest(), what)
        return pointer(digest.hexdigest(), what.length)

    def know(self, r, oid, what):
        """Has it under that name, whatever its SHA-256 is: of many gigabytes that takes too long."""
        self._objects.setdefault(r.uuid, {})[oid] = what

    def serve(self, oid, what):
        """Sends other bytes for an object: wrong ones, more, fewer."""
        self._served[oid] = content(what)

    def remove(self, oid):
        for objects in self._objects.values():
            objects.pop(oid, None)

    def expire(self):
        """What was handed out so far is 403 from now on."""
        self._given.clear()

    def forget_remote(self):
        """What git-lfs-authenticate printed so far is 401 from now on."""
        self._remote.clear()

    def authenticate(self, ws, slug, expires_in=3600):
        """What `git-lfs-authenticate ws/slug.git download` prints."""
        token = secrets.token_hex(16)
        self._remote[token] = time.time() + expires_in
        return json.dumps({"href": f"{self._bb.git_url}/{ws}/{slug}.git/info/lfs",
                           "header": {"Authorization": "RemoteAuth " + token}, "expires_in": expires_in})

    def is_remote(self, header):
        """The header is one of git-lfs-authenticate."""
        scheme, _, token = (header or "").partition(" ")
        return scheme == "RemoteAuth" and self._remote.get(token, 0) > time.time()

    # -- the batch endpoint

    def batch(self, r, method, headers, body):
        if method != "POST":
            raise said(405, "Method not allowed")
        if TYPE not in headers.get("Accept", "") or not headers.get("Content-Type", "").startswith(TYPE):
            raise said(406, f"Accept and Content-Type are {TYPE}")
        asked = read(body)
        if not asked or asked.get("operation") != "download" or asked.get("hash_algo", "sha256") != "sha256":
            raise said(422, "No such operation")
        if "basic" not in asked.get("transfers", ["basic"]):
            raise said(422, "No such transfer")
        if len(asked["objects"]) > MOST:
            raise said(413, "Too many objects")
        answer = {"transfer": "basic", "objects": [self._object(r, o) for o in asked["objects"]], "hash_algo": "sha256"}
        if self.padding:
            answer["padding"] = "x" * self.padding
        return Reply(json=self.reply(answer) if self.reply else answer, type=TYPE)

    def _find(self, r, oid):
        parent = r.parent and self._bb.state.repository(*r.parent.split("/"))
        found = self._objects.get(r.uuid, {}).get(oid)
        return found or (self._find(parent, oid) if parent else None)

    def _object(self, r, asked):
        oid, size = asked["oid"], asked["size"]
        what, answer = self._find(r, oid), {"oid": oid, "size": size}
        code, words = self.errors.get(oid, (None, None))
        if code is None and what is None:
            code, words = 404, "Object does not exist on the server"
        if code is None and what.length != size:
            code, words = 422, "Invalid size"
        if code is not None:
            return {**answer, "error": {"code": code, "message": words}}
        return {**answer, "authenticated": True, "actions": {"download": self._action(r, oid)}}

    def _action(self, r, oid):
        secret, header = secrets.token_hex(16), {}
        ends = self.expires_in if self.expires_at is None else self.expires_at
        self._given[secret] = (oid, time.time() + (ends if ends is not None else 3600))
        href = f"{self._bb.storage_url}/lfs/{r.uuid.strip('{}')}/{oid}"
        if self.how == "link":
            href += f"?token={secret}"
        else:
            header = {"Authorization": "Local " + secret, "X-Object": oid}
        action = {"href": self.href(href) if self.href else href, "header": header}
        if self.expires_in is not None:
            action["expires_in"] = self.expires_in
        if self.expires_at is not None:
            action["expires_at"] = datetime.fromtimestamp(time.time() + self.expires_at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return action

    # -- the storage host

    def answer(self, target, headers):
        path, _, query = target.partition("?")
        repository, oid = path.split("/")[2:4]
        shown, secret = headers.get("Authorization"), parse_qs(query).get("token", [""])[0]
        if not secret and shown and shown.startswith("Local "):
            secret, shown = shown[6:], None
            if headers.get("X-Object") != oid:
                raise refused(400, "InvalidArgument", "A header of the action is missing")
        if shown or headers.get("Cookie"):
            raise refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        given, ends = self._given.get(secret, ("", 0))
        if given != oid or ends <= time.time():
            raise refused(403, "AccessDenied", "Request has expired")
        if self.redirect:
            return Reply(302, body=b"", headers={"Location": self.redirect})
        what = self._served.get(oid) or self._find(self._bb.state.by_uuid("{%s}" % repository), oid)
        if what is None:
            raise refused(404, "NoSuchKey", "The specified key does not exist.")
        return self._bytes(what)

    def _bytes(self, what):
        if self.gzip:
            packed = gzip.compress(b"".join(what.read(0, what.length)), 1, mtime=0)
            return Reply(type="application/octet-stream", etag=what.etag, body=packed, headers={"Content-Encoding": "gzip"})
        stream = (what.length, what.read if self.ranges else what.read(0, what.length))
        return Reply(type="application/octet-stream", etag=what.etag, ranges=self.ranges, stream=stream)


def pointer(oid, size):
    """A pointer as git-lfs writes it."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"


def oid_of(text):
    """The object that a pointer names."""
    return text.split("oid sha256:")[1].split()[0]


def read(body):
    """A batch request; {} for what is none."""
    try:
        asked = json.loads(body)
        return asked if all(isinstance(o["oid"], str) and isinstance(o["size"], int) for o in asked["objects"]) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def describe(body):
    """For the log."""
    return {"command": "lfs", "oids": [o["oid"] for o in read(body).get("objects", ())]}


def said(status, words):
    return ApiError(status, words, headers={"Content-Type": TYPE}, text=json.dumps({"message": words, "request_id": "local"}))


class Storing:
    """What people do with large files: the part of class Bitbucket that tests steer."""

    def add_lfs(self, ws, slug, what):
        """An object of LFS (bytes, text, or a number of bytes that are to be made) for that repository; its pointer, to be pushed."""
        return self.lfs.add(self._repository(ws, slug), what)

    def know_lfs(self, ws, slug, oid, what):
        """The same under a name that is not its SHA-256."""
        self.lfs.know(self._repository(ws, slug), oid, content(what))
        return pointer(oid, content(what).length)
