"""BITBUCKETFS_DEBUG=http: a line for each request, who wanted it, and never a secret."""
import os
import re
import subprocess
import urllib.parse

from conftest import BINARY, asked, await_true
from test_pipelines import step
from test_secrets import holds

LINE = re.compile(r"request: (\S+) (\S+) (\d+) (\d+) bytes (\d+) ms(?:, (?:about )?\d+ left)?(?:, for [^,]+|, in the background)?"
                  r"(?:, by [^,]* \(\d+\)|, by process [1-9]\d*)?$")


def lines(text):
    found = [line[line.index("request: "):] for line in text.splitlines() if "request: " in line]
    for line in found:
        assert LINE.match(line), line
    return found


def test_of_a_mount(bb, mounts):
    m = mounts(BITBUCKETFS_DEBUG="http")
    subprocess.run(["cat", m / "acme/widgets/info", m / "acme/widgets/tree/README.md"], check=True, stdout=subprocess.DEVNULL)
    name = next(n for n in m.ls("acme/widgets/downloads") if n.endswith(".bin") or n.endswith(".gz") or n.endswith(".zip"))
    m.read(f"acme/widgets/downloads/{name}", "rb")
    m.read(step(m, "acme/widgets/pipelines/10", 1) + "/log", "rb")
    said = await_true(lambda: (t := lines(m.log)) and len(t) == len(asked(bb)) and t, "a line for each")
    assert [line for line in said if re.search(
        r"request: GET http://\S+/2\.0/repositories/acme/widgets 200 \d{3,} bytes \d+ ms, (about )?\d+ left, "
        r"for lookup acme/widgets, by cat \(\d+\)$", line)], said
    assert [line for line in said if re.search(
        r"request: POST \S+/acme/widgets.git/git-upload-pack 200 .*, for lookup acme/widgets/tree\S*, by process \d+$", line)], said
    storage = [line for line in said if bb.storage_url in line]
    assert storage and all("Signature=... " in line or "Signature=...&" in line for line in storage if "Signature" in line)
    signatures = [s for target in asked(bb) for s in urllib.parse.parse_qs(target.partition("?")[2]).get("Signature", [])]
    assert signatures and not [s for s in signatures if s in m.log or urllib.parse.quote(s, safe="") in m.log]
    assert not holds(m.log_bytes())
    # Nobody looked anything up: what for is said all the same.
    assert mounts.run("refresh", m / "acme/widgets/tree").returncode == 0
    await_true(lambda: [line for line in lines(m.log) if re.search(r"git-upload-pack .*, for refresh, by process \d+$", line)], "a line")
    # Nor one that somebody put into a name of api/, with a name or without.
    for name in ("user.json?access_token=hunter22", "user.json?hunter22"):
        m.read(f".bitbucketfs/api/{name}")
    await_true(lambda: len([line for line in lines(m.log) if "for lookup .bitbucketfs/api/user.json, by" in line]) == 2, "both lines")
    assert "hunter22" not in m.log


def test_of_a_command(bb, mounts):
    """On standard error; its output is what it is without."""
    done = mounts.run("api", "/user", BITBUCKETFS_DEBUG="http")
    assert done.returncode == 0 and done.stdout.startswith("{")
    said = lines(done.stderr)
    assert said and all(" /user" in line or "/2.0/user" in line for line in said) and not holds(done.stderr.encode())
    assert lines(mounts.run("api", "/user").stderr) == []
    done = mounts.run("api", "/user?access_token=hunter22&q=x", BITBUCKETFS_DEBUG="http")
    assert "hunter22" not in done.stderr and "q=x" in done.stderr
    done = mounts.run("api", "/user", BITBUCKETFS_DEBUG="all")
    assert done.returncode == 2 and "can only be http" in done.stderr
