"""Request quota and the shorter burst limiter, per account."""

import collections
import math
import threading
import time

HOUR = 3600


class Limits:
    def __init__(self, quota=None):
        self.quota = quota              # requests an hour; None: no limit
        self.burst = None               # (requests, seconds), or None
        self.headers = True             # whether x-ratelimit-* are sent
        self.retry_after = None         # seconds in a 429, or None: no header
        self.json = False               # a 429 in JSON, else in text/plain
        self.reset_said = None          # x-ratelimit-reset, or None: when the oldest request leaves the hour
        self._lock = threading.Lock()
        self._times = collections.defaultdict(collections.deque)
        self._bursts = collections.defaultdict(collections.deque)

    def reset(self):
        """Forgets what was used."""
        with self._lock:
            self._times.clear()
            self._bursts.clear()

    def use(self, account, n):
        """As if the account had made n requests just now."""
        with self._lock:
            self._times[account].extend([time.monotonic()] * n)

    def set(self, **options):
        for key, value in options.items():
            if key not in ("quota", "burst", "headers", "retry_after", "json", "reset_said"):
                raise AttributeError(key)
            setattr(self, key, value)

    def take(self, account):
        """Counts one request: (whether it may go on, headers of its reply)."""
        now = time.monotonic()
        with self._lock:
            if self.burst:
                most, seconds = self.burst
                times = self._bursts[account]
                while times and times[0] <= now - seconds:
                    times.popleft()
                if len(times) >= most:
                    return False, {"x-envoy-ratelimited": "true",
                                   **self._after()}
                times.append(now)
            times = self._times[account]
            while times and times[0] <= now - HOUR:
                times.popleft()
            good = self.quota is None or len(times) < self.quota
            if good:
                times.append(now)
            headers = self._headers(self.quota, times, now)
        return good, headers if good else {**headers, **self._after()}

    def _after(self):
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(self.retry_after)}

    def _headers(self, limit, times, now):
        if not self.headers or limit is None:
            return {}
        reset = math.ceil(times[0] + HOUR - now) if times else 0
        if self.reset_said is not None:
            reset = self.reset_said
        return {"x-ratelimit-limit": f"{limit}, {limit};w={HOUR}",
                "x-ratelimit-remaining": str(max(0, limit - len(times))),
                "x-ratelimit-reset": str(reset)}
