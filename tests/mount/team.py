"""The team's server of bitbucketfs(7): its nginx and its mirror, with the addresses of this machine in the place of the real ones."""
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager

from between import certificate
from harness import TOP, await_true

MANUAL = os.path.join(TOP, "packaging", "man", "bitbucketfs.7")
AROUND = """daemon off;
{user}
error_log stderr;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_set_header X-Through team;
{conf}
}}
"""


def missing():
    """What this machine lacks for it, or None."""
    return next((name for name in ("nginx", "fcgiwrap") if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")), None)


def program(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


def blocks():
    """The configuration and the script, as people read and copy them from the manual."""
    shown = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", MANUAL], check=True, capture_output=True, text=True).stdout
    lines = re.sub(".\b", "", shown).split("\n")
    lines = [line.strip() for line in lines]
    starts = [next(i for i, line in enumerate(lines) if line.startswith(first)) for first in ("proxy_cache_path", "#!/bin/sh")]
    return ["\n".join(lines[at:lines.index("", at)]) + "\n" for at in starts]


def replaced(text, pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Team:
    """url: the server's; settings: the environment of a mount behind it, with the mirror or without; mirror(name): the script."""

    def __init__(self, bb, place, minute):
        self.bb, self.place, self.port = bb, place, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        for name in ("mirror", "cache"):
            (place / name).mkdir(parents=True)
        self.file = certificate(place)
        conf, script = blocks()
        conf = replaced(conf, [
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"), ("/etc/ssl/private/bitbucket.pem", str(self.file)),
            ("/run/bitbucket ", f"{place}/cache "), ("https://api.bitbucket.org", bb.git_url), ("https://bitbucket.org", bb.git_url),
            ("/srv/mirror", f"{place}/mirror"), ("unix:/run/fcgiwrap.socket", f"unix:{place}/socket"),
            ("include fastcgi_params", "include /etc/nginx/fastcgi_params"), ("200 1m", f"200 {minute}")])
        user = "user root;" if os.getuid() == 0 else ""
        (place / "nginx.conf").write_text(AROUND.format(user=user, conf=conf))
        self.script = place / "refresh"
        self.script.write_text(replaced(script, [("https://bitbucket.org", bb.git_url), ("/srv/mirror", f"{place}/mirror")]))
        self.script.chmod(0o755)

    def settings(self, mirror=False, **more):
        return dict(BITBUCKETFS_API_URL=f"{self.url}/2.0", BITBUCKETFS_GIT_URL=self.url + ("/mirror" if mirror else ""),
                    BITBUCKETFS_CA_FILE=str(self.file), **more)

    def mirror(self, name):
        a = self.bb.accounts["ada"]
        e = dict(os.environ, GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0=f"url.http://{a.username}:{a.token}@127.0.0.1.insteadOf",
                 GIT_CONFIG_VALUE_0="http://127.0.0.1", GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull)
        subprocess.run([self.script, name], check=True, env=e, capture_output=True)

    @contextmanager
    def serving(self):
        with open(self.place / "said", "wb") as said:
            running = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
                       for command in ([program("fcgiwrap"), "-c", "4", "-s", f"unix:{self.place}/socket"],
                                       [program("nginx"), "-p", self.place, "-c", "nginx.conf", "-e", "stderr"])]
        try:
            await_true(lambda: listens(self.port) or running[1].poll() is not None, "nginx listens")
            assert running[1].poll() is None, (self.place / "said").read_text()
            yield self
        finally:
            for process in running:     # fcgiwrap ends without its children
                os.killpg(process.pid, signal.SIGTERM)
            for process in running:
                process.wait()


@contextmanager
def team(bb, place, minute="1m"):
    with Team(bb, place, minute).serving() as t:
        yield t
