"""A mount without a descriptor left: it tells, it serves what it has, and it ends well."""
import os
import resource
import signal
import subprocess

import pytest

from conftest import await_true


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("limit", [20, 32])
@pytest.mark.parametrize("how", ["SIGTERM", "umount"])
def test_it_ends_well_though_it_has_no_descriptor_left(mounts, limit, how):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    m = mounts()
    resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
    for name in ("billing", "firmware", "handbook", "infra", "website", "widgets"):
        subprocess.run(["ls", "-l", m / f"acme/{name}/tree"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Whatever is free still: it is to have none when it ends.
    resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE, (min(limit, descriptors(m.process.pid)), hard))
    if how == "SIGTERM":
        m.process.send_signal(signal.SIGTERM)
    else:
        done = mounts.run("umount", m.path)
        assert (done.returncode, done.stderr) == (0, ""), done
    await_true(lambda: m.process.poll() is not None, "its end")
    assert m.process.returncode == 0, m.log
