"""Git over smart HTTP: git http-backend behind our authentication, faults and log."""
import gzip
import os
import subprocess
import threading
import zlib

from . import children

MAX_BODY = 256 << 20
PLAIN = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def environment(**more):
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "LANG")}
    return {**keep, **PLAIN, **more}


def with_config(env, settings):
    env["GIT_CONFIG_COUNT"] = str(len(settings))
    for i, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{i}"], env[f"GIT_CONFIG_VALUE_{i}"] = key, str(value).lower()
    return env


def pkt_lines(body):
    """The lines of a request: bytes, or None for a flush or delimiter. Stops at what is no pkt-line."""
    at = 0
    while at + 4 <= len(body):
        try:
            n = int(body[at:at + 4], 16)
        except ValueError:
            return
        if n < 4:
            yield None
            at += 4
        else:
            yield body[at + 4:at + n].rstrip(b"\n")
            at += n


def describe(body, protocol):
    """What a POST to git-upload-pack asks for, for the log."""
    git = {"command": "fetch", "protocol": protocol, "wants": [], "haves": [], "args": [], "ref_prefixes": [],
           "deepen": None, "filter": None, "done": False, "oids": []}
    for line in pkt_lines(body):
        if line is None:
            continue
        word, _, rest = line.decode("utf-8", "replace").partition(" ")
        if word.startswith("command="):
            git["command"] = word[8:]
        elif word == "want":
            oid, _, caps = rest.partition(" ")
            git["wants"].append(oid)
            git["args"] += caps.split()
        elif word == "have":
            git["haves"].append(rest)
        elif word == "deepen":
            git["deepen"] = int(rest) if rest.isdigit() else rest
        elif word == "filter":
            git["filter"] = rest
        elif word == "done":
            git["done"] = True
        elif word == "oid":
            git["oids"].append(rest)
        elif word == "ref-prefix":
            git["ref_prefixes"].append(rest)
        else:
            git["args"].append((word + " " + rest).strip())
    return git


def inflate(body, encoding):
    if encoding == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return b""
    return body


class Backend:
    """One run of git http-backend: status and headers, then chunks of the body."""

    def __init__(self, git_dir, method, service_path, query, headers, body, settings, v2):
        env = environment(
            GIT_PROJECT_ROOT=os.path.dirname(git_dir), GIT_HTTP_EXPORT_ALL="1", REQUEST_METHOD=method,
            PATH_INFO=f"/{os.path.basename(git_dir)}/{service_path}", QUERY_STRING=query, REMOTE_ADDR="127.0.0.1",
            CONTENT_TYPE=headers.get("Content-Type", ""), SERVER_PROTOCOL="HTTP/1.1")
        env.pop("HOME", None)
        if body:
            env["CONTENT_LENGTH"] = str(len(body))
        if headers.get("Content-Encoding"):
            env["HTTP_CONTENT_ENCODING"] = headers["Content-Encoding"]
        if v2 and headers.get("Git-Protocol"):
            env["GIT_PROTOCOL"] = headers["Git-Protocol"]
        with_config(env, {"safe.directory": "*", "http.receivepack": False, **settings})
        self.proc = children.start(["git", "http-backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=env)
        self.feeder = threading.Thread(target=self._feed, args=(body,), daemon=True)
        self.feeder.start()
        self.status, self.headers = 200, {}
        while True:
            line = self.proc.stdout.readline().strip()
            if not line:
                break
            key, _, value = line.decode("latin-1").partition(":")
            if key.lower() == "status":
                self.status = int(value.split()[0])
            else:
                self.headers[key] = value.strip()

    def _feed(self, body):
        try:
            with self.proc.stdin as pipe:
                pipe.write(body)
        except (BrokenPipeError, OSError):
            pass

    def chunks(self):
        while True:
            chunk = self.proc.stdout.read1(1 << 16)
            if not chunk:
                return
            yield chunk

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.stdout.close()
        self.proc.wait()
        self.feeder.join()
