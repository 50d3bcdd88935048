"""Lists that take long: they go on behind whoever waited, and from where they were broken off."""
import errno
import glob
import os
import re
import signal
import sqlite3
import subprocess

import pytest

from harness import await_true

PAGES = r"GET /2.0/repositories/monolith-labs\?"


def listing(m):
    """What the status says of the one list that is under way, or None."""
    found = m.status()["listing"]
    assert len(found) < 2
    return found[0] if found else None


def n_kept(m):
    (name,) = glob.glob(m.cache + "/**/cache.db", recursive=True)
    db = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM doc WHERE key LIKE '~%'").fetchone()[0]
    finally:
        db.close()


def test_killed_in_the_middle(bb, mounts):
    """The pages that came are not asked for again: by no other mount, though the first had no time to say that it ends."""
    m = mounts()
    m.ls()
    bb.fault(PAGES + r".*&page=([6-9]|10)$", "stall")
    mark = bb.log.mark()
    with subprocess.Popen(["ls", m / "monolith-labs"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ls:
        some = await_true(lambda: (lambda x: x and x["pages"] == 5 and x)(listing(m)), "half of the pages")
        assert some["what"] == "monolith-labs's repositories" and some["pages_total"] == 10 and not some["behind"]
        assert f"listing: {some['what']}, page " in m.read(".bitbucketfs/status")
        await_true(lambda: n_kept(m) == 5, "they are kept")
        m.kill()
        ls.wait()
    bb.faults.clear()
    assert len(bb.log.since(mark, match=PAGES)) <= 5 + 4, "those under way"
    mark = bb.log.mark()
    n = mounts()
    assert len(n.ls("monolith-labs")) == 1000
    asked = [e["target"] for e in bb.log.since(mark, match=PAGES)]
    # From the 500th on, which comes again: 501 of them.
    assert len(asked) == 6 and all("&q=created_on%3E%3D" in a for a in asked), asked
    assert n.status()["listing"] == [] and n_kept(n) == 0


def test_ctrl_c_keeps_what_came(bb, mounts):
    """Nobody waits any more, so nobody asks; the next who looks asks for what is missing, and for what was made since."""
    m, pulls = mounts(), r"busy/pullrequests\?"
    os.stat(m / "edge/busy")
    bb.when(pulls, 2, "fault", pulls, "stall")
    mark = bb.log.mark()
    with subprocess.Popen(["ls", m / "edge/busy/pullrequests"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ls:
        await_true(lambda: len(bb.log.since(mark, match=pulls)) == 3, "the third page is asked for")
        ls.send_signal(signal.SIGINT)
        ls.wait(5)
    await_true(lambda: n_kept(m) == 2 and m.status()["listing"] == [], "it is broken off")
    came = {e["target"] for e in bb.log.since(mark, match=pulls)[:2]}
    bb.faults.clear()
    bb.create_pull("edge", "busy", "Since then", "topic/2000")
    mark = bb.log.mark()
    names = m.ls("edge/busy/pullrequests")
    asked = [e["target"] for e in bb.log.since(mark, match=pulls)]
    # Several were made in the moment with which each page ends: that costs one more.
    assert len(asked) == 3 and "created_on%3E%3D" in asked[0] and not came & set(asked), asked
    assert names == mounts(cache="another").ls("edge/busy/pullrequests")


@pytest.mark.skipif(not os.environ.get("BITBUCKETFS_SLOW_TESTS"), reason="takes 90 s; BITBUCKETFS_SLOW_TESTS=1 runs it")
def test_goes_on_behind_who_waited(bb, mounts):
    """Whoever waited for a minute is told how far it is; whoever looks again joins it. Each page is asked for once."""
    m = mounts()
    m.ls()
    bb.latency = 21
    mark = bb.log.mark()
    with pytest.raises(OSError) as e:
        m.ls("monolith-labs")
    assert e.value.errno == errno.EBUSY
    assert re.search(r"\tEBUSY\tPage \d of 10 of monolith-labs's repositories; it goes on in the background\.\n", m.errors())
    assert listing(m)["behind"]
    assert len(m.ls("monolith-labs")) == 1000
    asked = [e["target"] for e in bb.log.since(mark, match=PAGES)]
    assert len(asked) == len(set(asked)) == 10
