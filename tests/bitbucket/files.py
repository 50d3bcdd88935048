"""The files under Downloads, as the service knows them; res_downloads.py shows them, data_files.py has them."""
import hashlib
from dataclasses import dataclass
from datetime import datetime

from .model import later, stamp_now
from .storage import content

TYPE = "application/octet-stream"


@dataclass
class Download:
    name: str
    what: object                    # bytes, text, or a number of bytes that are to be made
    created_on: str
    who: str = "ada"                # key of the user; None: deleted
    count: int = 0                  # how often it was got
    said: object = None             # the size that the list says instead of the true one
    version: int = 1

    def __post_init__(self):
        self.what = content(self.what)

    @property
    def changed(self):
        return datetime.fromisoformat(self.created_on).replace(microsecond=0)


class Filing:
    """What people do under Downloads: the part of class Bitbucket that tests steer. Needs state, storage_host and _repository."""

    def _files(self, ws, slug):
        r = self._repository(ws, slug)
        with self.state.lock:
            return r, self.state.downloads.setdefault(r.uuid, [])

    def _file(self, ws, slug, name):
        r, every = self._files(ws, slug)
        return r, every, next(d for d in every if d.name == name)

    def add_download(self, ws, slug, name, what, who="ada", **more):
        """A new file: bytes, text, or a number of bytes that are to be made. more: see Download."""
        _, every = self._files(ws, slug)
        with self.state.lock:
            if any(d.name == name for d in every):
                raise KeyError(f"{name} is there already")
            every.append(Download(name, what, more.pop("created_on", None) or stamp_now(), who, **more))

    def replace_download(self, ws, slug, name, what, moves=False):
        """Other content under the same name, from the next byte that is asked for. moves: it lies elsewhere on the storage host
        then, and what was there is gone."""
        r, _, d = self._file(ws, slug, name)
        with self.state.lock:
            old = place_of(r, d)
            d.what, d.created_on = content(what), later(d.created_on)
            if moves:
                d.version += 1
        if moves:
            self.storage_host.remove(old)
        else:
            self.storage_host.put(old, TYPE, d.what, d.name, d.changed)

    def delete_download(self, ws, slug, name):
        r, every, d = self._file(ws, slug, name)
        with self.state.lock:
            every.remove(d)
        self.storage_host.remove(place_of(r, d))

    def expire_links(self):
        """What redirects led to so far answers 403 from now on; new redirects work."""
        self.storage_host.expire()


def place_of(r, d):
    """Where a download lies on the storage host."""
    key = hashlib.sha256(d.name.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    return f"/downloads/{r.uuid.strip('{}')}/{key}/{d.version}"
