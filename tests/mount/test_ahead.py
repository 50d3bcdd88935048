"""Who reads the same file of one repository after the other finds the next ones fetched ahead."""
import subprocess

from conftest import api, await_true

WS = "monolith-labs"


def pulls(bb, mark):
    """The repositories whose pull requests were asked for."""
    return [line.split("/")[4] for line in api(bb, mark) if "/pullrequests?" in line]


def index(name):
    return f"{WS}/{name}/pullrequests/index.tsv"


def test_the_next_ones_are_fetched_after_the_third(bb, mounts):
    m = mounts()
    names = m.ls(WS)
    mark = bb.log.mark()
    for name in names[:2]:
        m.read(index(name))
    assert sorted(pulls(bb, mark)) == names[:2], "two are no habit"
    m.read(index(names[2]))
    await_true(lambda: len(pulls(bb, mark)) == 11, "the next eight")
    assert sorted(pulls(bb, mark)) == names[:11]
    # They are there: the eighth costs nothing, and what it brings ahead is bounded.
    for name in names[3:11]:
        m.read(index(name))
    await_true(lambda: len(pulls(bb, mark)) == 19, "eight beyond the last one read")
    bb.log.idle()
    assert sorted(pulls(bb, mark)) == names[:19], "each once"


def test_other_orders_bring_nothing(bb, mounts):
    m = mounts()
    names = m.ls(WS)
    mark = bb.log.mark()
    chosen = [names[i] for i in (40, 7, 90, 3, 60, 20)]
    for name in chosen:
        m.read(index(name))
    for name in names[:3]:
        m.read(f"{WS}/{name}/info")
    bb.log.idle()
    assert sorted(pulls(bb, mark)) == sorted(chosen)


def test_a_grep_over_a_hundred_repositories_asks_once_each_and_says_the_same(bb, mounts):
    m = mounts()
    names = m.ls(WS)[:100]
    mark = bb.log.mark()
    done = subprocess.run(["grep", "-c", "OPEN", *(m / index(name) for name in names)], capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 100
    await_true(lambda: len(pulls(bb, mark)) >= 108, "the eight after the last")
    asked = pulls(bb, mark)
    assert len(asked) == len(set(asked)) == 108
    mark = bb.log.mark()
    again = subprocess.run(["grep", "-c", "OPEN", *(m / index(name) for name in names)], capture_output=True, text=True)
    assert again.stdout == done.stdout and api(bb, mark) == []


def test_it_stays_inside_the_budget(bb, mounts):
    """Refreshes, and what is fetched ahead, leave half of the hour."""
    bb.set_limits(quota=30, headers=True)
    m = mounts()
    names = m.ls(WS)            # 11 with the account's: 19 are left, and eight ahead would leave fewer than 15
    mark = bb.log.mark()
    for name in names[:5]:
        m.read(index(name))
    bb.log.idle()
    assert sorted(pulls(bb, mark)) == names[:5]
