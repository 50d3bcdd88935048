"""The storage host: what redirects lead to. Its links are signed, and no credential is taken beside the signature."""
import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from urllib.parse import parse_qs, quote

from .reply import ApiError, Reply

BLOCK = 1 << 16
PATTERN = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(BLOCK // 32))


@dataclass
class Made:
    """Bytes that are nowhere: made when they are sent, always the same for the same seed."""
    length: int
    seed: str = ""

    def read(self, first, end):
        """The bytes from first up to end, in pieces. Blocks of 64 kB are told apart by their numbers, which they begin with."""
        seed = self.seed.encode()
        for i in range(first // BLOCK, -(-min(end, self.length) // BLOCK)):
            block = (b"%s %015d\n" % (seed, i) + PATTERN)[:BLOCK]
            at = i * BLOCK
            yield block[max(0, first - at):min(end, self.length) - at]

    @property
    def etag(self):
        return hashlib.md5(f"{self.seed} {self.length}".encode()).hexdigest()


@dataclass
class Bytes:
    data: bytes

    @property
    def length(self):
        return len(self.data)

    def read(self, first, end):
        yield self.data[first:end]

    @property
    def etag(self):
        return hashlib.md5(self.data).hexdigest()


def content(what):
    """What a test gives as the content of something: bytes, text, or a number of bytes that are to be made."""
    if isinstance(what, (Made, Bytes)):
        return what
    return Made(what) if isinstance(what, int) else Bytes(what.encode() if isinstance(what, str) else bytes(what))


class Storage:
    def __init__(self):
        self._lock = threading.Lock()
        self._things = {}               # path -> (type, content, headers)
        self._generation = 0

    def put(self, path, type, what, name=None, changed=None):
        """Stores it at a path (percent-encoded); the query with which it is got. name: what a browser saves it as."""
        headers = {"Last-Modified": format_datetime(changed or datetime(2026, 11, 1, tzinfo=timezone.utc), usegmt=True),
                   "x-amz-request-id": "LOCAL"}
        if name is not None:
            headers["Content-Disposition"] = "attachment; filename*=UTF-8''" + quote(name.encode("utf-8", "surrogateescape"), safe="")
        with self._lock:
            self._things[path] = (type, content(what), headers)
            return f"?response-content-disposition=attachment&AWSAccessKeyId=LOCAL&Signature={self._sign(path)}&Expires=1795000000"

    def remove(self, path):
        with self._lock:
            self._things.pop(path, None)

    def expire(self):
        """The links that were given so far are too old from now on."""
        with self._lock:
            self._generation += 1

    def _sign(self, path):
        return hashlib.sha256(f"{self._generation} {path}".encode()).hexdigest()[:28]

    def answer(self, target, headers):
        path, _, query = target.partition("?")
        if headers.get("Authorization"):
            raise refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        with self._lock:
            signed = parse_qs(query).get("Signature", [""])[0]
            if signed != self._sign(path):
                raise refused(403, "AccessDenied", "Request has expired" if signed else "Access Denied")
            found = self._things.get(path)
        if found is None:
            raise refused(404, "NoSuchKey", "The specified key does not exist.")
        type, what, more = found
        return Reply(type=type, headers=dict(more), etag=what.etag, ranges=True, stream=(what.length, what.read))


def refused(status, code, words):
    return ApiError(status, words, headers={"Content-Type": "application/xml"},
                    text=f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{words}</Message></Error>')
