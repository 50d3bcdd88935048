"""HTTP itself: connections, the head and body of an answer, and the faults that befall them."""
import gzip
import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

from . import auth, git_http, git_lies, lfs, query
from .faults import GARBAGE, Closed
from .reply import ApiError, Reply, Request, find_route, no_repository, no_route

GIT_PATH = re.compile(r"/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*|info/lfs/objects/batch)")
REALM = {"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'}


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, bb, kind, port):
        self.bb, self.kind = bb, kind
        self.open, self.resets, self.open_lock = set(), set(), threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.server_close()
        self.cut()

    def cut(self):
        """Ends every connection."""
        with self.open_lock:
            gone = list(self.open)
        for connection in gone:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def process_request(self, request, address):
        with self.open_lock:
            self.open.add(request)
        super().process_request(request, address)

    def shutdown_request(self, request):
        with self.open_lock:
            self.open.discard(request)
            reset = request in self.resets
            self.resets.discard(request)
        if reset:                       # SO_LINGER makes this a RST; a shutdown before it would be a FIN
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], (OSError, Closed)):
            super().handle_error(request, address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    rbufsize = 1 << 16

    def setup(self):
        super().setup()
        self.bb, self.fault, self.entry = self.server.bb, None, None

    def log_message(self, *args):
        pass

    # -- one request

    def do_GET(self):
        self.answer()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET

    def answer(self):
        bb, began = self.bb, time.monotonic()
        path, _, text = self.path.partition("?")
        if path.startswith("/_control/") and self.server.kind == "api":
            return self.control(path[10:])
        self.query = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
        self.sent, self.fault = 0, None
        body, refused = b"", None
        try:
            body = self.read_body()
        except Closed as end:
            refused = end
        self.entry = bb.log.begin(
            method=self.command, host=self.headers.get("Host", ""), listener=self.server.kind, path=bb.named(self.path),
            target=self.path,
            query=dict(self.query), headers={k: v for k, v in self.headers.items() if k.lower() != "authorization"},
            authorization=auth.kind_of(self.headers.get("Authorization")), range=self.headers.get("Range"),
            account=self.account_name(), git=self.git_asked(path, body), connection=self.client_address[1])
        try:
            if refused:
                raise refused
            if bb.link.latency:
                bb.stopping.wait(bb.link.latency)
            self.fault = bb.faults.pick(f"{self.command} {self.entry['path']}", self.account_name())
            if self.fault:
                bb.log.update(self.entry, fault=self.fault.kind)
                self.before()
            if self.fault and self.fault.kind == "status":
                self.send(Reply(self.fault.status, body=self.fault.body or b"", type="text/plain",
                                headers=dict(self.fault.headers)))
            elif self.server.kind == "storage":
                host = bb.lfs if path.startswith("/lfs/") else bb.storage_host
                self.send(self.guarded(lambda: host.answer(self.path, self.headers)))
            elif path == "/2.0" or path.startswith("/2.0/"):
                self.send(self.guarded(lambda: self.api(path[4:])))
            elif path.startswith("/site/oauth2/"):
                self.send(bb.oauth.answer(self.command, path, self.query, self.headers, body, self.entry))
            else:
                self.git(path, text, body)
            self.wfile.flush()
        except Closed as end:
            self.close_connection = True
            self.drop(end.reset)
        except OSError:
            self.close_connection = True
        finally:
            bb.log.update(self.entry, done=True, bytes=self.sent, seconds=time.monotonic() - began)

    def account_name(self):
        try:
            account = auth.find(self.bb.known_accounts(), self.headers.get("Authorization"), git=True)
        except auth.Refused:
            try:
                account = auth.find(self.bb.known_accounts(), self.headers.get("Authorization"))
            except auth.Refused:
                return "refused"
        return account.name if account else "anonymous"

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts, total = [], 0
            while True:
                n = int(self.rfile.readline(64).split(b";")[0], 16)
                part = self.rfile.read(n) if n else b""
                self.rfile.readline(8)
                total += n
                if total > git_http.MAX_BODY:
                    raise Closed()
                if not n:
                    return b"".join(parts)
                parts.append(part)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        n = int(self.headers.get("Content-Length") or 0)
        if n > git_http.MAX_BODY:
            raise Closed()
        return self.rfile.read(n) if n else b""

    def guarded(self, act):
        """The reply of an action, or of the error that it raised."""
        try:
            done = act()
            return done if isinstance(done, Reply) else Reply(json=done)
        except ApiError as e:
            if e.text is not None:
                return Reply(e.status, body=e.text.encode(), type="text/plain", headers=e.headers)
            return Reply(e.status, json=e.body, headers=e.headers)

    # -- the API

    def api(self, path):
        bb = self.bb
        if self.command not in ("GET", "HEAD"):
            raise ApiError(405, "Method not allowed")
        try:
            account = auth.find(bb.known_accounts(), self.headers.get("Authorization"))
        except auth.Refused:
            bb.log.update(self.entry, account="refused")
            raise ApiError(401, auth.BAD_TOKEN, headers=REALM) from None
        who = account.name if account else "anonymous"
        bb.log.update(self.entry, account=who)
        good, headers = bb.limits.take(who)
        if not good:
            words = "Rate limit for this resource has been exceeded"
            raise ApiError(429, words, headers=headers, text=None if bb.limits.json else words)
        req = Request(bb, self.command, path, self.query, self.headers, account,
                      "http://" + self.headers.get("Host", f"127.0.0.1:{bb.port}"))
        try:
            reply = self.run(req, path)
        except ApiError as e:
            e.headers = {**headers, **e.headers}
            raise
        reply.headers = {**headers, **reply.headers}
        bb.answered(f"{self.command} {self.entry['path']}")
        return reply

    def run(self, req, path):
        handler, scope, parameters = find_route(path if path.rstrip("/") else "/")
        missing = req.account.lacks(scope) if req.account else None
        if missing:
            raise ApiError(403, "Your credentials lack one or more required privilege scopes.",
                           {"required": [missing], "granted": list(req.account.scopes)})
        done = handler(req, **parameters)
        reply = done if isinstance(done, Reply) else Reply(json=done)
        if req.get("fields") and reply.json is not None and reply.status == 200:
            reply.json = query.restrict(reply.json, req.get("fields"))
        return reply

    # -- git

    def git_asked(self, path, body):
        """What a request asks of git, for the log; None when it is none."""
        m = GIT_PATH.fullmatch(path)
        if not m or self.server.kind == "storage":
            return None
        protocol = 2 if "version=2" in self.headers.get("Git-Protocol", "") and self.bb.v2 else 0
        if self.command != "POST":
            return {"command": m[3], "protocol": protocol}
        if m[3].startswith("info/lfs"):
            return lfs.describe(body)
        return git_http.describe(git_http.inflate(body, self.headers.get("Content-Encoding")), protocol)

    def git(self, path, text, body):
        bb = self.bb
        m = GIT_PATH.fullmatch(path)
        if not m:
            error = ApiError(403, "Forbidden") if path.split("/")[1] in ("user", "repositories") else no_route()
            return self.send(Reply(error.status, json=error.body))
        try:
            shown = self.headers.get("Authorization")
            remote = m[3].startswith("info/lfs") and bb.lfs.is_remote(shown)
            account = bb.accounts["ada"] if remote else auth.find(bb.known_accounts(), shown, git=True)
        except auth.Refused:
            bb.log.update(self.entry, account="refused")
            return self.send(Reply(401, body=b"Invalid credentials\n", type="text/plain", headers=REALM))
        bb.log.update(self.entry, account=account.name if account else "anonymous")
        r = bb.state.repository(unquote(m[1]), unquote(m[2]))
        if r is None or not bb.state.sees(account, r):
            if account is None:
                return self.send(Reply(401, body=b"", type="text/plain", headers=REALM))
            words = no_repository().body["error"]["message"] + "\n"
            return self.send(Reply(404, body=words.encode(), type="text/plain"))
        if account and account.lacks("read:repository:bitbucket"):
            return self.send(Reply(403, body=b"You may not have access to this repository.\n", type="text/plain"))
        if m[3].startswith("info/lfs"):
            return self.send(self.guarded(lambda: bb.lfs.batch(r, self.command, self.headers, body)))
        if self.entry["git"]["command"] == "object-info" and not bb.object_info:
            return self.send(Reply(200, body=git_lies.body_of([git_lies.UNKNOWN]), type="application/x-git-upload-pack-result"))
        headers, body = git_lies.told(bb.lie, self.headers, body)
        backend = git_http.Backend(bb.git_dir(r), self.command, m[3], text, headers, body, bb.git_settings(), bb.v2)
        try:
            chunks = backend.chunks()
            if m[3] == "info/refs" and not bb.object_info:
                chunks = git_lies.hidden(chunks)
            self.stream(backend.status, backend.headers, chunks)
        finally:
            backend.close()

    # -- sending

    def before(self):
        """The faults that come before any byte."""
        fault = self.fault
        if fault.kind == "refuse":
            raise Closed()
        if fault.kind == "reset" and fault.after_bytes is None:
            raise Closed(reset=True)
        if fault.kind == "stall" and fault.after_bytes is None:
            self.stall()

    def stall(self):
        """Waits for the fault's removal, the server's end, or the client's."""
        fault, self.fault = self.fault, None
        while not fault.released.is_set() and not self.bb.stopping.is_set():
            if fault.released.wait(0.05):
                break
            self.connection.setblocking(False)
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    raise Closed()
            except BlockingIOError:
                pass
            except OSError:
                raise Closed() from None
            finally:
                self.connection.setblocking(True)
        if self.bb.stopping.is_set():
            raise Closed()

    def drop(self, reset):
        try:
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with self.server.open_lock:
                    self.server.resets.add(self.connection)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def head(self, status, headers):
        self.bb.log.update(self.entry, status=status)
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown Status Code')}",
                 "Server: AtlassianEdge", "Date: " + self.date_time_string()]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))

    def raw(self, data):
        if self.bb.link.bandwidth:
            for at in range(0, len(data), 16384):
                part = data[at:at + 16384]
                self.bb.link.pass_bytes(len(part), self.bb.stopping)
                self.wfile.write(part)
                self.wfile.flush()
        else:
            self.wfile.write(data)
        if self.bb.stopping.is_set():
            raise Closed()

    def send(self, reply):
        """A whole reply: gzip, ETag and 304, ranges."""
        body = reply.payload()
        headers = {"Content-Type": reply.type, "Vary": self.bb.vary, **reply.headers}
        status = reply.status
        packed = (status == 200 and len(body) > 200 and not reply.ranges and reply.type.startswith(("application/json", "text/"))
                  and "gzip" in self.headers.get("Accept-Encoding", ""))
        if status == 200:
            tag = reply.etag or hashlib.md5(body).hexdigest()
            headers["ETag"] = f'"gz[{tag}]"' if packed else f'"{tag}"'
            headers.setdefault("Cache-Control", "private")
            if headers["ETag"] in [t.strip() for t in self.headers.get("If-None-Match", "").split(",")]:
                status, body, packed = 304, b"", False
        length, chunks = reply.stream if reply.stream and status == 200 else (len(body), [body])
        first, end = 0, length
        if reply.ranges and status == 200:
            headers["Accept-Ranges"] = "bytes"
            wanted = self.wanted(length, headers)
            if wanted is None:
                pass
            elif wanted[0] >= wanted[1]:
                status, headers["Content-Range"], length, chunks = 416, f"bytes */{length}", 0, []
            else:
                first, end = wanted
                status, headers["Content-Range"] = 206, f"bytes {first}-{end - 1}/{length}"
        if status in (200, 206) and reply.ranges:
            chunks = chunks(first, end) if reply.stream else [body[first:end]]
            length = end - first
        elif packed:
            body = gzip.compress(body, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
            length, chunks = len(body), [body]
        if status != 304:
            headers["Content-Length"] = str(length)
        self.head(status, headers)
        if self.command != "HEAD" and status != 304:
            self.spoil(chunks, length, self.raw)

    def wanted(self, length, headers):
        """(first byte, end) that Range asks for, empty when there are none; None: all of it."""
        m = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not m or not (m[1] or m[2]):
            return None
        if self.headers.get("If-Range") not in (None, headers["ETag"], headers.get("Last-Modified")):
            return None
        if not m[1]:
            return max(0, length - int(m[2])), length
        return int(m[1]), min(int(m[2]) + 1, length) if m[2] else length

    def stream(self, status, headers, chunks):
        """A body of unknown length, in chunks."""
        self.head(status, {**headers, "Transfer-Encoding": "chunked"})
        self.wfile.flush()

        def out(data):
            self.raw(b"%x\r\n" % len(data) + data + b"\r\n")
        self.spoil(chunks, None, out)
        self.raw(b"0\r\n\r\n")

    def spoil(self, chunks, length, out):
        """Sends a body, through the fault if there is one."""
        for chunk in chunks:
            fault = self.fault
            if fault is None or fault.kind == "status":
                self.count(chunk, out)
                continue
            limit = fault.after_bytes
            if limit is None:
                limit = {"truncate": length // 2 if length else 1}.get(fault.kind, 0)
            if fault.kind == "drip":
                self.drip(chunk, out)
                continue
            room = limit - self.sent
            if room > 0:
                self.count(chunk[:room], out)
                chunk = chunk[room:]
            if self.sent < limit:
                continue
            self.wfile.flush()
            if fault.kind == "stall":
                self.stall()
                self.count(chunk, out)
            elif fault.kind == "garbage":
                bad = fault.body or GARBAGE
                self.count((bad * (len(chunk) // len(bad) + 1))[:len(chunk)], out)
            else:
                raise Closed(reset=fault.kind == "reset")

    def drip(self, chunk, out):
        fault, at = self.fault, 0
        step = max(1, int(fault.rate / 20))
        while at < len(chunk):
            if fault.released.is_set():
                step = len(chunk)
            self.count(chunk[at:at + step], out)
            self.wfile.flush()
            at += step
            if at < len(chunk) and not fault.released.is_set():
                fault.released.wait(step / fault.rate)
                if self.bb.stopping.is_set():
                    raise Closed()

    def count(self, data, out):
        if data:
            out(data)
            self.sent += len(data)

    # -- steering from another process

    def control(self, what):
        from .control import act
        status, body = act(self.bb, what, self.read_body())
        data = json.dumps(body).encode("utf-8", "replace")
        self.wfile.write(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                         % (status, len(data)) + data)
        self.wfile.flush()
