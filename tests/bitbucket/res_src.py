"""/src: directories and raw files at a commit."""
import mimetypes

from . import gitread, objects, query
from .objects import href
from .reply import ApiError, Reply, page, redirect, route
from .res_git import HERE, commit_of, commit_short, escaped, shown, there
from .res_repo import SCOPE

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:"
MOST = 20000                    # entries; beyond that the service gives up with 555


def kind_of(mode, data):
    found = {"120000": ["link"], "100755": ["executable"], "160000": ["subrepository"]}.get(mode, [])
    if data is not None and mode.startswith("100"):
        if data.startswith(LFS) and len(data) < 1024:
            found = found + ["lfs"]
        elif b"\0" in data[:8000]:
            found = found + ["binary"]
    return found


def entry(req, r, here, oid, e, data):
    mode, kind, _, size, path = e
    there_is = f"{here}/src/{oid}/{escaped(path)}"
    body = {"path": shown(path), "commit": {**commit_short(here, r, oid)}, "escaped_path": escaped(path)}
    if kind == "tree":
        return {**body, "type": "commit_directory",
                "links": {"self": href(there_is + "/"), "meta": href(there_is + "/?format=meta")}}
    return {**body, "type": "commit_file", "size": size, "attributes": kind_of(mode, data),
            "mimetype": mimetypes.guess_type(path.rpartition("/")[2])[0],
            "links": {"self": href(there_is), "meta": href(there_is + "?format=meta"),
                      "history": href(f"{here}/filehistory/{oid}/{escaped(path)}")}}


def entries(req, r, git_dir, here, oid, found):
    data = gitread.blobs(git_dir, [e[2] for e in found if e[1] == "blob" and e[3] <= 1 << 20])
    return [entry(req, r, here, oid, e, data.get(e[2])) for e in found]


@route(HERE + "/src", SCOPE)
def root(req, workspace, repo_slug):
    r, git_dir, here = there(req, workspace, repo_slug)
    if not r.mainbranch:
        raise ApiError(404, "Commit not found", data={"shas": ["HEAD"]})
    return redirect(302, f"{here}/src/{commit_of(git_dir, r.mainbranch)}/")


@route(HERE + "/src/{commit_id}", SCOPE)
@route(HERE + "/src/{commit_id}/{path...}", SCOPE)
def source(req, workspace, repo_slug, commit_id, path=""):
    r, git_dir, here = there(req, workspace, repo_slug)
    if "/" in commit_id:                # a branch with a slash cannot be addressed, not even percent-encoded
        raise ApiError(404, "Commit not found", data={"shas": [shown(commit_id)]})
    oid = commit_of(git_dir, commit_id)
    path = path.strip("/")
    if not path and not req.path.endswith("/"):
        return redirect(302, f"{here}/src/{oid}/")
    found = gitread.entry(git_dir, oid, path) if path else ("040000", "tree", "", 0, "")
    if found is None:
        raise ApiError(404, "No such file or directory: " + shown(path))
    if req.get("format") == "meta":
        return entries(req, r, git_dir, here, oid, [found])[0]
    if found[1] == "tree":
        return listing(req, r, git_dir, here, oid, path)
    return raw(req, r, git_dir, oid, found)


def listing(req, r, git_dir, here, oid, path):
    depth = int(req.get("max_depth", "1")) if req.get("max_depth", "1").isdigit() else 0
    if depth < 1:
        raise ApiError(400, "Invalid max_depth")
    found = gitread.tree(git_dir, oid, path, depth)
    if depth > 1 and len(found) > MOST:
        raise ApiError(555, "The request took too long")
    if req.get("q") or req.get("sort"):
        every = entries(req, r, git_dir, here, oid, found)
        return page(req, query.order(query.select(every, req.get("q")), req.get("sort")), cursor=True)
    body = page(req, found, cursor=True)
    body["values"] = entries(req, r, git_dir, here, oid, body["values"])
    return body


def raw(req, r, git_dir, oid, found):
    mode, kind, blob, size, path = found
    if kind == "commit":
        raise ApiError(404, "No such file or directory: " + shown(path))
    name = path.rpartition("/")[2]
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{escaped(name)}", "Accept-Ranges": "bytes"}
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream" if mode != "120000" else "text/plain"
    if size > 1 << 22:
        return Reply(type=kind, headers=headers, etag=blob, stream=(size, gitread.blob_chunks(git_dir, blob)))
    data = gitread.blobs(git_dir, [blob], most=1 << 22)[blob]
    if "lfs" in kind_of(mode, data):
        where = req.bb.store(f"/media/{r.uuid.strip('{}')}/{blob}", "application/octet-stream", b"the large file\n")
        return redirect(301, where)
    return Reply(body=data, type=kind, headers=headers, etag=blob, ranges=True)
