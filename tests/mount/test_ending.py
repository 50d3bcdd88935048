"""SIGTERM ends the mount within the second, whatever its readers wait for."""
import os
import signal
import subprocess
import time

import pytest

from conftest import SANITIZED

WAITS = {
    "a download": ("edge/files/downloads/two-gigabytes.bin", "GET /downloads/"),
    "a log": ("acme/widgets/pipelines/3/steps/1-build/log", "/log"),
    "an index": ("acme/widgets/pullrequests/index.tsv", "/pullrequests"),
    "a text": ("acme/widgets/pullrequests/7/changes/diff", "/diff"),
    "a branch": ("acme/widgets/branches/main/README.md", "git-upload-pack"),
    "a commit": ("acme/widgets/pullrequests/7/tree/README.md", "git-upload-pack"),
    "the API": (".bitbucketfs/api/repositories/acme.json", "/repositories/acme"),
}


@pytest.mark.parametrize("what", WAITS)
def test_nothing_holds_up_the_end(bb, mounts, what):
    path, match = WAITS[what]
    m = mounts()
    os.stat(m / "acme/widgets/pipelines")
    fault = bb.fault(match, "stall")
    reader = subprocess.Popen(["cat", m / path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fault.wait_hit()
    began = time.monotonic()
    m.process.send_signal(signal.SIGTERM)
    assert m.process.wait(10) == 0
    assert time.monotonic() - began < (5 if SANITIZED else 1)
    assert reader.wait(5) != 0


def test_nor_what_is_fetched_ahead(bb, mounts):
    m = mounts()
    names = m.ls("monolith-labs")
    for name in names[:2]:
        m.read(f"monolith-labs/{name}/pullrequests/index.tsv")
    fault = bb.fault("/pullrequests", "stall")
    reader = subprocess.Popen(["cat", m / f"monolith-labs/{names[2]}/pullrequests/index.tsv"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    fault.wait_hit()
    began = time.monotonic()
    m.process.send_signal(signal.SIGTERM)
    assert m.process.wait(10) == 0
    assert time.monotonic() - began < (5 if SANITIZED else 1)
    assert reader.wait(5) != 0
