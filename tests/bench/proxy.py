"""A TCP proxy that delays and narrows, both ways, as a distant network does: this kernel may have no netem.

Each piece is passed on `delay` seconds after it came, at no more than `rate` bytes a second a direction; a new connection
costs one round trip more, as TCP's handshake would.
"""
import collections
import socket
import threading
import time


class Proxy:
    def __init__(self, port, delay, rate):
        self.target, self.delay, self.rate = port, delay, rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.free = [0.0, 0.0]
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        time.sleep(2 * self.delay)
        far = socket.create_connection(("127.0.0.1", self.target))
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for way, (a, b) in enumerate(((near, far), (far, near))):
            threading.Thread(target=self._pump, args=(way, a, b), daemon=True).start()

    def _due(self, way, n):
        with self.lock:
            self.free[way] = max(self.free[way], time.monotonic()) + n / self.rate
            return self.free[way] + self.delay

    def _pump(self, way, source, sink):
        pieces, changed = collections.deque(), threading.Condition()

        def send():
            while True:
                with changed:
                    changed.wait_for(lambda: pieces)
                    due, data = pieces.popleft()
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)
                except OSError:
                    return

        threading.Thread(target=send, daemon=True).start()
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with changed:
                pieces.append((self._due(way, len(data)), data))
                changed.notify()
            if not data:
                return
