"""Replies, errors, pages, and the table of routes."""
import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode
import hashlib


class ApiError(Exception):
    def __init__(self, status, message, detail=None, data=None, headers=None, text=None):
        super().__init__(message)
        self.status, self.headers, self.text = status, headers or {}, text
        error = {"message": message}
        if detail is not None:
            error["detail"] = detail
        self.body = {"type": "error", "error": error}
        if data is not None:
            error["data"] = self.body["data"] = data


def no_repository():
    return ApiError(404, "You may not have access to this repository or it no longer exists in this workspace."
                    " If you think this repository exists and you have access, make sure you are authenticated.")


def no_route():
    return ApiError(404, "Resource not found", "There is no API hosted at this URL.\n\nFor information about our"
                    " API's, please refer to the documentation at:"
                    " https://developer.atlassian.com/bitbucket/api/2/reference/")


def removed():
    return ApiError(410, "CHANGE-2770 - Functionality has been deprecated",
                    "Please read the changelog entry for more details.",
                    {"announcement_url": "https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770"})


@dataclass
class Reply:
    status: int = 200
    json: object = None
    body: bytes = None
    type: str = "application/json; charset=utf-8"
    headers: dict = field(default_factory=dict)
    etag: str = None
    ranges: bool = False
    stream: tuple = None            # (length, chunks) instead of a body; with ranges the chunks of (first byte, end)

    def payload(self):
        if self.body is not None:
            return self.body
        if self.json is None:
            return b""
        return json.dumps(self.json, separators=(", ", ": ")).encode("utf-8", "replace")


def redirect(status, location):
    return Reply(status, body=b"", type="text/html; charset=utf-8", headers={"Location": location})


ROUTES = []


def route(template, scope="", group=None):
    """Registers the handler of GET template: handler(request, **parameters) -> Reply or a JSON value.

    {name} is one segment, percent-decoded; {name...} the rest with its slashes, not empty.
    """
    pattern = re.sub(r"{(\w+)\.\.\.}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern)

    def register(handler):
        ROUTES.append((re.compile(pattern), template.split("/")[1], handler, scope))
        return handler
    return register


def find_route(path):
    """(handler, scope, parameters) for a path below the API, percent-encoded still; a final slash may be there."""
    first = path.split("/", 2)[1] if "/" in path else ""
    for candidate in (path, path.rstrip("/")):
        for pattern, head, handler, scope in ROUTES:
            if head == first:
                m = pattern.fullmatch(candidate)
                if m:
                    return handler, scope, {k: unquote(v, errors="surrogateescape") for k, v in m.groupdict().items()}
    raise no_route()


@dataclass
class Request:
    bb: object
    method: str
    path: str                       # below the API, percent-encoded
    query: list
    headers: object
    account: object
    origin: str                     # scheme and host that the client used

    @property
    def api(self):
        """What links in answers begin with."""
        return self.bb.outside or self.origin + "/2.0"

    def get(self, key, default=None):
        return next((v for k, v in self.query if k == key), default)

    def every(self, key):
        return [v for k, v in self.query if k == key]


def cursor_of(path, offset):
    digest = hashlib.sha256(f"{path}#{offset}".encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{digest}x{offset:x}"


def page(req, items, render=None, default=10, top=100, cursor=False, size=True, links=True):
    """One page of a list. cursor: pages are opaque strings, in the parameter of that name if it is one, and no size is told.
    links=False: next is never sent. size=False: it is not told."""
    try:
        pagelen = int(req.get("pagelen", default))
    except ValueError:
        raise ApiError(400, "Invalid pagelen") from None
    if not 1 <= pagelen <= top:
        raise ApiError(400, "Invalid pagelen")
    name = cursor if isinstance(cursor, str) else "page"
    asked, number = req.get(name), 1
    if cursor:
        start = 0
        if asked:
            m = re.fullmatch(r"[0-9a-f]{6}x([0-9a-f]{1,8})", asked)
            start = int(m[1], 16) if m else 0
            if not m or asked != cursor_of(req.path, start):
                raise ApiError(400, "Invalid page")
    else:
        try:
            number = int(asked or 1)
        except ValueError:
            number = 0
        if number < 1:
            raise ApiError(400, "Invalid page")
        start = (number - 1) * pagelen
    values = items[start:start + pagelen]

    def link(value):
        rest = [(k, v) for k, v in req.query if k not in (name, "pagelen")]
        path = quote(req.path, safe="/%:@!$&'()*+,;=~-._")
        return f"{req.bb.next_base or req.api}{path}?" + urlencode(rest + [("pagelen", pagelen), (name, value)], errors="surrogateescape")
    body = {"values": [render(v) for v in values] if render else list(values), "pagelen": pagelen}
    if not cursor:
        body["size"] = len(items)
        body["page"] = number
    if links and start + pagelen < len(items):
        body["next"] = link(cursor_of(req.path, start + pagelen) if cursor else number + 1)
    if links and not cursor and number > 1:
        body["previous"] = link(number - 1)
    if not size:
        body.pop("size", None)
    return body
