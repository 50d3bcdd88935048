"""The log of every request the server saw, which tests assert on."""
import re
import threading
import time


class Log:
    """Entries are dicts in order of arrival; one is added when its request was read whole, so that it says from the
    first whose it is and what it asks of git, and completed when answered.

    Keys: n, time, method, host, listener ("api" or "storage"), target (as it was sent), path (the same with the slugs, at
    that time, of workspaces and repositories that were asked for by {uuid}), query, headers, authorization (None, "basic"
    or "bearer"), account, range, status, bytes, seconds, fault, git, done. Secrets are left out.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._entries = []
        self._n = 0

    def begin(self, **fields):
        with self._changed:
            self._n += 1
            entry = {"n": self._n, "time": time.time(), "status": None, "bytes": 0, "account": None,
                     "fault": None, "git": None, "done": False, **fields}
            self._entries.append(entry)
            self._changed.notify_all()
            return entry

    def update(self, entry, **fields):
        with self._changed:
            entry.update(fields)
            self._changed.notify_all()

    def mark(self):
        """A point in the log: since(mark) gives what came after it."""
        with self._changed:
            return self._n

    def since(self, mark=0, match=None):
        """Copies of the entries after a mark, whose "METHOD path" matches the regular expression."""
        want = re.compile(match) if match else None
        with self._changed:
            return [dict(e) for e in self._entries
                    if e["n"] > mark and (not want or want.search(f"{e['method']} {e['path']}"))]

    def all(self, match=None):
        return self.since(0, match)

    def wait_for(self, predicate, timeout=10, since=0):
        """The first entry after a mark that the predicate accepts; TimeoutError when none comes in time."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for entry in self._entries:
                    if entry["n"] > since and predicate(entry):
                        return dict(entry)
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError("no such request within %g s" % timeout)
                self._changed.wait(left)

    def idle(self, timeout=10):
        """Waits until no request is being answered."""
        end = time.monotonic() + timeout
        with self._changed:
            while any(not e["done"] for e in self._entries):
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError("requests are still being answered after %g s" % timeout)
                self._changed.wait(left)

    def clear(self):
        with self._changed:
            self._entries = [e for e in self._entries if not e["done"]]

    def __len__(self):
        with self._changed:
            return len(self._entries)
