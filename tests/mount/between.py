"""What stands between a mount and the service: a proxy that wants a password, and TLS with a certificate of one's own."""
import http.client
import http.server
import ssl
import subprocess
import threading
from contextlib import contextmanager


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Forward(http.server.BaseHTTPRequestHandler):
    """Every request as it came, to server.port on this machine; a proxy is asked for a whole URL."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        at = self.path
        if at.startswith("http://"):
            self.server.seen.append((at.split("/")[2], self.headers.get("Proxy-Authorization")))
            at = "/" + at.split("/", 3)[3]
        if self.server.wants and self.headers.get("Proxy-Authorization") != self.server.wants:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        to = http.client.HTTPConnection("127.0.0.1", self.server.port)
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith(("proxy-", "connection"))}
        to.request(self.command, at, body or None, headers)
        answer = to.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        to.close()

    do_POST = do_GET

    def log_message(self, *_):
        pass


def forwarding(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    server.daemon_threads, server.port, server.seen, server.wants = True, port, [], None
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server


def proxy(port):
    """seen: the (host, Proxy-Authorization) of each request; wants: the latter's value, else 407."""
    return serving(forwarding(port))


def certificate(place):
    """The file of a certificate for 127.0.0.1 that nobody trusts, with its key."""
    file = place / "own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=own", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", file], check=True,
                   capture_output=True)
    return file


def tls(port, file):
    """The same service over https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = forwarding(port)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    server.handle_error = lambda *_: None       # who does not trust the certificate breaks off
    return serving(server)
