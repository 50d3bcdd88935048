"""proxy, ca_file, log_file: a mount behind a proxy of its own, with certificates of its own, without a syslog."""
import base64
import os
import re
import stat

import pytest

from between import certificate, proxy, tls
from conftest import await_true, mounted

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (error|warning|info|debug): ")
OPEN = "opensource/libtiny"


def environ(m):
    with open(f"/proc/{m.process.pid}/environ", "rb") as f:
        return f.read()


def test_all_requests_go_through_the_proxy_and_its_password_is_nowhere(bb, mounts):
    """The host has no address: only the proxy knows it. Anonymous, for nothing else goes to another machine over plain http."""
    password = "pr0xy-s3cret"
    with proxy(bb.port) as between:
        between.wants = "Basic " + base64.b64encode(b"me:" + password.encode()).decode()
        url = between.url.replace("//", f"//me:{password}@") + "/"
        m = mounts("workspaces=opensource", account=None, BITBUCKETFS_PROXY=url, BITBUCKETFS_API_URL="http://bitbucket.example/2.0",
                   BITBUCKETFS_GIT_URL="http://bitbucket.example")
        assert m.read(f"{OPEN}/tree/README.md").startswith("# libtiny\n") and m.ls(f"{OPEN}/pullrequests")
        assert set(between.seen) == {("bitbucket.example", between.wants)} and len(between.seen) == len(bb.log.all())
        between.wants = "Basic another"
        with pytest.raises(OSError):
            m.ls(f"{OPEN}/downloads")
    said = m.told(f"{OPEN}/downloads")
    assert "the proxy 127.0.0.1:" in said and "(407)" in said
    said += m.errors() + m.read(".bitbucketfs/status") + m.read(".bitbucketfs/status.json") + m.log
    assert password not in said and b"pr0xy" not in environ(m)


def test_a_certificate_of_one_s_own_is_for_the_api_git_and_the_storage(bb, mounts, tmp_path, monkeypatch):
    file = certificate(tmp_path)
    with tls(bb.port, file) as api, tls(bb.storage_port, file) as storage:
        monkeypatch.setattr(type(bb), "storage_url", property(lambda self: storage.url))
        e = dict(BITBUCKETFS_API_URL=f"{api.url}/2.0", BITBUCKETFS_GIT_URL=api.url)
        (tmp_path / "place").mkdir()
        done = mounts.run(tmp_path / "place", **e)
        assert done.returncode == 1 and "no trusted connection" in done.stderr and "ca_file" in done.stderr, done
        m = mounts(f"ca_file={file}", **e)
        assert m.read("acme/widgets/tree/README.md").startswith("# widgets\n")
        name = next(n for n in m.ls("acme/widgets/downloads") if not n.startswith("index"))
        assert m.read(f"acme/widgets/downloads/{name}", "rb")
        assert [e for e in bb.log.all() if e["listener"] == "storage"]


def test_without_a_syslog_the_log_is_in_a_file(background, tmp_path):
    (tmp_path / "place").mkdir()
    where, log = str(tmp_path / "place"), tmp_path / "log"
    done = background("-o", f"log_file={log}", where=where)
    assert (done.returncode, done.stderr) == (0, "") and mounted(where)
    await_true(lambda: log.exists() and " is mounted at " in log.read_text(), "the line")
    assert all(map(STAMPED.match, log.read_text().splitlines())) and stat.S_IMODE(os.stat(log).st_mode) == 0o600


def test_a_log_that_cannot_be(mounts, tmp_path):
    (tmp_path / "place").mkdir()
    done = mounts.run("-o", f"log_file={tmp_path}", tmp_path / "place")
    assert (done.returncode, done.stderr) == (2, f"bitbucketfs: log_file {tmp_path} cannot be written: Is a directory\n")
    assert not mounted(str(tmp_path / "place"))
    done = mounts.run("-o", f"log_file={tmp_path}/place/log", tmp_path / "place")
    assert done.returncode == 1 and "lies below the mount point" in done.stderr, done


def test_in_the_foreground_each_line_has_time_and_level(mounts):
    m = mounts()
    assert m.log and all(map(STAMPED.match, m.log.splitlines())), m.log
    file = mounts.place / "log"
    other = mounts(f"log_file={file}", cache="other", wait=False)
    await_true(lambda: file.exists() and " is mounted at " in file.read_text(), "the line")
    assert other.log == ""
