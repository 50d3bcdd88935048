"""Snippets: as JSON, whole in one answer, their files, histories and comments."""
import base64
import hashlib
import json
import mimetypes
import re
from urllib.parse import quote

from . import gitread, gitrepo, objects, query
from .objects import WEB, href
from .reply import ApiError, Reply, page, redirect, route
from .res_account import the_workspace
from .res_git import author, escaped, rendered, shown, who

SCOPE = "read:snippet:bitbucket"
ALL = "/snippets/{workspace}"
ONE = ALL + "/{encoded_id}"
MOST = 64 << 20


def missing():
    return ApiError(404, "Resource not found")


class Found:
    """One snippet while a request is answered."""

    def __init__(self, req, w, s):
        self.req, self.w, self.s, self.git_dir = req, w, s, req.bb.snippets_dir()
        self.here = f"{req.api}/snippets/{w.slug}/{s.id}"
        self.oid = gitrepo.resolve(self.git_dir, "refs/heads/" + s.branch)

    def at(self, revision):
        """The commit of its history that a revision, shortened or not, stands for."""
        oid = gitrepo.resolve(self.git_dir, revision) if re.fullmatch("[0-9a-f]{7,40}", revision) else None
        if oid is None or oid not in gitread.history(self.git_dir, [self.oid]):
            raise missing()
        return oid

    def files(self, oid):
        """(path, blob, size) of the files at a commit."""
        every = gitread.tree(self.git_dir, oid, "", depth=99)
        return [(path, blob, size) for _, kind, blob, size, path in sorted(every, key=lambda e: e[4]) if kind == "blob"]


def found(req, workspace, encoded_id):
    w = the_workspace(req, workspace)
    with req.bb.state.lock:
        s = next((s for s in req.bb.state.snippets.get(w.uuid, ()) if s.id == encoded_id), None)
    if s is None:
        raise ApiError(404, f"No Snippet matches the given query: {encoded_id}")
    if s.spam:
        raise ApiError(410, "This snippet has been marked as spam.")
    if s.is_private and not req.bb.state.member(req.account, w):
        raise ApiError(403 if req.account else 401, "You do not have access to this snippet.",
                       headers={} if req.account else {"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'})
    return Found(req, w, s)


def snippet(req, w, s):
    here, web = f"{req.api}/snippets/{w.slug}/{s.id}", f"{WEB}/{w.slug}/workspace/snippets/{s.id}"
    return {"type": "snippet", "id": s.id, "title": s.title, "scm": "git", "created_on": s.created_on, "updated_on": s.updated_on,
            "owner": objects.team(req, w), "creator": who(req, s.creator), "is_private": s.is_private,
            "links": {"self": href(here), "html": href(web), "comments": href(here + "/comments"), "commits": href(here + "/commits"),
                      "watchers": href(here + "/watchers"), "diff": href(here + "/HEAD/diff"), "patch": href(here + "/HEAD/patch"),
                      "clone": [href(f"{WEB}/snippets/{w.slug}/{s.id}.git", name="https"),
                                href(f"git@ssh.bitbucket.org:snippets/{w.slug}/{s.id}.git", name="ssh")]}}


def short(f):
    links = snippet(f.req, f.w, f.s)["links"]
    return {"type": "snippet", "id": f.s.id, "title": f.s.title, "links": {k: links[k] for k in ("self", "html")}}


@route(ALL, SCOPE)
def snippets(req, workspace):
    """Without their files; the newest first."""
    w = the_workspace(req, workspace)
    mine = req.bb.state.member(req.account, w)
    if req.get("role") not in (None, "owner", "contributor", "member"):
        raise ApiError(400, "Invalid role")
    with req.bb.state.lock:
        every = [s for s in req.bb.state.snippets.get(w.uuid, ()) if not s.spam and (mine or not s.is_private)]
    every.sort(key=lambda s: s.created_on, reverse=True)
    if req.get("q") or req.get("sort"):
        shown = query.select([snippet(req, w, s) for s in every], req.get("q"))
        return page(req, query.order(shown, req.get("sort")), default=30)
    return page(req, every, lambda s: snippet(req, w, s), default=30)


# -- one, in three forms

def whole(f, oid):
    files = {shown(path): {"links": {"self": href(f"{f.here}/{oid}/files/{escaped(path)}"),
                                     "html": href(f"{WEB}/{f.w.slug}/workspace/snippets/{f.s.id}#file-{escaped(path)}")}}
             for path, _, _ in f.files(oid)}
    return {**snippet(f.req, f.w, f.s), "files": files}


def encoded(data, line):
    """(Content-Transfer-Encoding, the lines of a part), as Python's email writes them."""
    plain = data.isascii() and b"\r" not in data and b"\0" not in data and all(len(words) < 990 for words in data.split(b"\n"))
    if plain:
        return "7bit", data.replace(b"\n", line)
    return "base64", base64.encodebytes(data).replace(b"\n", line)


def named(kind, path):
    """A header's parameter with a file's name: quoted, or as RFC 2231 says."""
    if path.isascii():
        return '%s="%s"' % (kind, path.replace("\\", "\\\\").replace('"', '\\"'))
    return f"{kind}*=utf-8''{quote(path.encode('utf-8', 'surrogateescape'), safe='')}"


def multipart(f, oid, form):
    """The whole snippet in one answer. Its lines end as bb.line_end says; its last line break belongs to the boundary."""
    line = f.req.bb.line_end.encode()
    files = f.files(oid)
    blobs = gitread.blobs(f.git_dir, [blob for _, blob, _ in files], most=MOST)
    boundary = "===============%019d==" % (int(hashlib.sha256((f.s.id + oid).encode()).hexdigest(), 16) % 10**19)
    parts = []
    if form:
        for key in ("title", "is_private", "scm"):
            value = getattr(f.s, key, "git")
            parts.append(([f'Content-Disposition: form-data; name="{key}"', 'Content-Type: text/plain; charset="utf-8"'], str(value).encode()))
    else:
        body = json.dumps(whole(f, oid), indent=2, ensure_ascii=False).encode("utf-8", "replace").replace(b"\n", line)
        parts.append((['Content-Type: application/json; charset="utf-8"', "MIME-Version: 1.0", "Content-ID: snippet"], body))
    for path, blob, _ in files:
        kind = mimetypes.guess_type(path)[0] or ("text/plain" if blobs[blob].isascii() else "application/octet-stream")
        way, data = encoded(blobs[blob], line)
        name = named("filename", path)
        more = [f'Content-Disposition: attachment; name="file"; {name}'] if form else [
            "Content-ID: " + (f'"{path}"' if path.isascii() and '"' not in path and "\\" not in path else hashlib.md5(path.encode()).hexdigest()),
            f"Content-Disposition: attachment; {name}"]
        parts.append(([f"Content-Type: {kind}", "MIME-Version: 1.0", f"Content-Transfer-Encoding: {way}", *more], data))
    out = [b"--" + boundary.encode() + line + line.join(h.encode() for h in headers) + line + line + data + line for headers, data in parts]
    kind = "form-data" if form else 'related; start="snippet"'
    return Reply(body=b"".join(out) + b"--" + boundary.encode() + b"--" + line, type=f'multipart/{kind}; boundary="{boundary}"',
                 headers={"MIME-Version": "1.0"})


def answer(f, oid):
    accept = f.req.headers.get("Accept", "")
    if "multipart/related" in accept or "multipart/form-data" in accept:
        return multipart(f, oid, "multipart/related" not in accept)
    return whole(f, oid)


@route(ONE, SCOPE)
def one_snippet(req, workspace, encoded_id):
    f = found(req, workspace, encoded_id)
    return answer(f, f.oid)


# -- what is beside it

def comment(f, c):
    where = f"{f.here}/comments"
    body = {"type": "snippet_comment", "id": c["id"], "created_on": c["when"], "updated_on": c["when"], "content": rendered(c["text"]),
            "user": who(f.req, c["who"]), "deleted": c.get("deleted", False), "snippet": short(f),
            "links": {"self": href(f"{where}/{c['id']}"), "html": href(f"{WEB}/{f.w.slug}/workspace/snippets/{f.s.id}#comment-{c['id']}")}}
    if c.get("parent"):
        body["parent"] = {"id": c["parent"], "links": {"self": href(f"{where}/{c['parent']}")}}
    return body


@route(ONE + "/comments", SCOPE)
def comments(req, workspace, encoded_id):
    f = found(req, workspace, encoded_id)
    return page(req, query.order([comment(f, c) for c in list(f.s.comments)], req.get("sort")))


@route(ONE + "/comments/{comment_id}", SCOPE)
def one_comment(req, workspace, encoded_id, comment_id):
    f = found(req, workspace, encoded_id)
    for c in list(f.s.comments):
        if str(c["id"]) == comment_id:
            return comment(f, c)
    raise missing()


def commit(f, c):
    where = f"{f.here}/commits/{c['oid']}"
    return {"type": "snippet_commit", "hash": c["oid"], "date": c["date"], "author": author(f.req, c["author"]), "message": c["message"],
            "summary": rendered(c["message"]), "snippet": short(f),
            "parents": [{"type": "snippet_commit", "hash": p, "links": {"self": href(f"{f.here}/commits/{p}")}} for p in c["parents"]],
            "links": {"self": href(where), "html": href(f"{WEB}/{f.w.slug}/workspace/snippets/{f.s.id}/revisions/{c['oid'][:12]}"),
                      "diff": href(f"{f.here}/{c['oid']}/diff")}}


@route(ONE + "/commits", SCOPE)
def commits(req, workspace, encoded_id):
    f = found(req, workspace, encoded_id)
    body = page(req, gitread.history(f.git_dir, [f.oid]), default=30, cursor=True)
    body["values"] = [commit(f, c) for c in gitread.commits(f.git_dir, body["values"])]
    return body


@route(ONE + "/commits/{revision}", SCOPE)
def one_commit(req, workspace, encoded_id, revision):
    f = found(req, workspace, encoded_id)
    return commit(f, gitread.commits(f.git_dir, [f.at(revision)])[0])


@route(ONE + "/watch", SCOPE)
def watch(req, workspace, encoded_id):
    f = found(req, workspace, encoded_id)
    if req.account is None or req.account.user not in f.s.watchers:
        raise missing()
    return Reply(204, body=b"")


@route(ONE + "/watchers", SCOPE)
def watchers(req, workspace, encoded_id):
    f = found(req, workspace, encoded_id)
    return page(req, [who(req, key) for key in f.s.watchers])


# -- files

@route(ONE + "/files/{path...}", SCOPE)
def newest_file(req, workspace, encoded_id, path):
    f = found(req, workspace, encoded_id)
    if not any(path == name for name, _, _ in f.files(f.oid)):
        raise ApiError(404, f"{shown(path)} not found")
    return redirect(302, f"{f.here}/{f.oid}/files/{escaped(path)}")


@route(ONE + "/{node_id}/files/{path...}", SCOPE)
def file(req, workspace, encoded_id, node_id, path):
    f = found(req, workspace, encoded_id)
    for name, blob, size in f.files(f.at(node_id)):
        if name == path:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            return Reply(body=gitread.blobs(f.git_dir, [blob], most=MOST)[blob], type=kind, etag=blob, ranges=True,
                         headers={"Content-Disposition": "attachment; " + named("filename", path.rpartition("/")[2])})
    raise ApiError(404, f"{shown(path)} not found")


@route(ONE + "/{revision}/diff", SCOPE)
def diff(req, workspace, encoded_id, revision):
    f = found(req, workspace, encoded_id)
    oid = f.oid if revision == "HEAD" else f.at(revision)
    return Reply(body=gitread.diff(f.git_dir, gitread.first_parent(f.git_dir, oid), oid, paths=req.every("path")), type="text/plain; charset=utf-8")


@route(ONE + "/{revision}/patch", SCOPE)
def patch(req, workspace, encoded_id, revision):
    f = found(req, workspace, encoded_id)
    oid = f.oid if revision == "HEAD" else f.at(revision)
    return Reply(body=gitrepo.git(f.git_dir, "format-patch", "--stdout", "-1", "--root", oid), type="text/plain; charset=utf-8")


@route(ONE + "/{node_id}", SCOPE)
def one_version(req, workspace, encoded_id, node_id):
    f = found(req, workspace, encoded_id)
    return answer(f, f.at(node_id))
