"""Faults by request pattern, and the link's latency and bandwidth."""
import re
import threading
import time

KINDS = ("refuse", "reset", "stall", "drip", "truncate", "garbage", "status")
GARBAGE = bytes((i * 167 + 13) % 256 for i in range(1024))


class Closed(Exception):
    """The connection is to end now, without another byte."""

    def __init__(self, reset=False):
        super().__init__("closed")
        self.reset = reset


class Fault:
    """One fault; `hits` counts the requests it befell, `remove` ends it and releases who is stalled in it.

    kind      refuse    the request is read, the connection closed without a byte
              reset     the same with a TCP reset; after_bytes=N: after the head and N bytes of the body
              stall     nothing is sent until the fault is removed; after_bytes=N: the head and N bytes come first
              drip      the body comes at `rate` bytes a second (default 10)
              truncate  after_bytes of the body (default: half of a body whose length is known, else 1), then the end
              garbage   the body is bytes that mean nothing (or `body`), from after_bytes on
              status    `status` with `body` and `headers`
    """

    def __init__(self, owner, number, match, kind, times=None, after_bytes=None, status=503, body=None, headers=None,
                 rate=10, account=None):
        if kind not in KINDS:
            raise ValueError("no fault of kind %r" % kind)
        self._owner, self.number, self.match, self.kind = owner, number, re.compile(match), kind
        self.times, self.after_bytes, self.status, self.headers = times, after_bytes, status, headers or {}
        self.body = body.encode() if isinstance(body, str) else body
        self.rate, self.account, self.hits = rate, account, 0
        self.released = threading.Event()

    def remove(self):
        self._owner.drop(self)

    def wait_hit(self, timeout=10, hits=1):
        """Waits until the fault befell that many requests."""
        with self._owner.changed:
            if not self._owner.changed.wait_for(lambda: self.hits >= hits, timeout):
                raise TimeoutError("the fault was not hit within %g s" % timeout)


class Faults:
    def __init__(self):
        self.changed = threading.Condition()
        self._faults, self._n = [], 0

    def add(self, match, kind, **options):
        with self.changed:
            self._n += 1
            fault = Fault(self, self._n, match, kind, **options)
            self._faults.append(fault)
            return fault

    def pick(self, line, account=None):
        """The first fault that befalls the request "METHOD path" (see reqlog.py), counted; or None."""
        with self.changed:
            for fault in self._faults:
                if fault.times is not None and fault.hits >= fault.times:
                    continue
                if fault.account and fault.account != account or not fault.match.search(line):
                    continue
                fault.hits += 1
                self.changed.notify_all()
                return fault
        return None

    def drop(self, fault):
        with self.changed:
            if fault in self._faults:
                self._faults.remove(fault)
        fault.released.set()

    def get(self, number):
        with self.changed:
            return next((f for f in self._faults if f.number == number), None)

    def clear(self):
        with self.changed:
            gone, self._faults = self._faults, []
        for fault in gone:
            fault.released.set()


class Link:
    """Latency (seconds before each answer) and bandwidth (bytes a second, shared by all connections)."""

    def __init__(self, latency=0.0, bandwidth=None):
        self.latency, self.bandwidth = latency, bandwidth
        self._lock, self._free = threading.Lock(), 0.0

    def pass_bytes(self, n, stop):
        if not self.bandwidth:
            return
        with self._lock:
            self._free = max(self._free, time.monotonic()) + n / self.bandwidth
            wait = self._free - time.monotonic()
        if wait > 0:
            stop.wait(wait)
