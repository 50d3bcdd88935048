"""The bound of the cache: what goes, what stays, what it costs to come again."""
import os

from conftest import await_true, checkout, same_trees
from readers import readers
from test_tree import fetches, sound, store_of


def overfull(cache):
    """A file of the cache that is being read: no blob can stay beside it. Its account's directory is there."""
    account = next(os.path.dirname(os.path.join(place, "cache.db")) for place, _, names in os.walk(cache)
                   if "cache.db" in names)
    path = os.path.join(account, "spool", "f" * 40)
    with open(path, "wb") as f:
        f.write(b"x" * (9 << 20))
    # The clock's own future is in use, too.
    os.utime(path, (os.stat(path).st_atime + 50, os.stat(path).st_mtime))
    return path


def be_cold(store):
    """Nobody read a file of it for an hour."""
    marks = os.path.join(store, "refs/bitbucketfs/commits")
    for name in os.listdir(marks):
        os.utime(os.path.join(marks, name), (1, 1))


def evicted(store):
    return os.path.exists(os.path.join(store, "sizes")) and not os.listdir(
        os.path.join(store, "refs/bitbucketfs/commits")) and sound(store) == ""


def sizes(top):
    return {os.path.relpath(os.path.join(place, name), top): os.lstat(os.path.join(place, name)).st_size
            for place, _, names in os.walk(top) for name in names}


def test_blobs_go_and_come_again_once(bb, mounts, tmp_path):
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    m = mounts()
    before = sizes(m / "acme/widgets/tree")
    store = store_of(m, bb, "acme/widgets")
    m.unmount()
    overfull(m.cache)
    be_cold(store)
    mark = bb.log.mark()
    m = mounts("cache_size=8M")
    await_true(lambda: evicted(store), "its blobs went")
    assert sizes(m / "acme/widgets/tree") == before, "sizes are those that were"
    assert not fetches(bb, mark), "names and sizes cost nothing"
    # Killed, and mounted again: it is as it was.
    m.kill()
    m = mounts("cache_size=8M")
    tree = m / "acme/widgets/tree"
    assert sizes(tree) == before and not fetches(bb, mark)
    names = sorted(n for n in before if not os.path.islink(os.path.join(tree, n)))
    with readers([os.path.join(tree, names[i % len(names)]) for i in range(20)]) as them:
        for i, p in enumerate(them):
            assert len(p.communicate()[0]) == before[names[i % len(names)]], p.args
    assert len(fetches(bb, mark)) == 1, "20 readers bring it once"
    assert same_trees(want, tree) == ""
    assert sound(store) == ""
    assert m.errors().count("\n") <= 1, m.errors()


def test_what_is_mounted_elsewhere_goes_too(bb, mounts, tmp_path):
    """Two mounts of one account: one evicts what the other has open, which reads on."""
    want = checkout(bb.repo_path("acme", "widgets"), str(tmp_path / "want"))
    other = mounts()
    other.ls("acme/widgets/tree")
    other.read("acme/widgets/tree/README.md")
    store = store_of(other, bb, "acme/widgets")
    overfull(other.cache)
    be_cold(store)
    mark = bb.log.mark()
    m = mounts("cache_size=8M")
    await_true(lambda: evicted(store), "its blobs went")
    assert same_trees(want, other / "acme/widgets/tree") == ""
    assert len(fetches(bb, mark)) == 1
    assert same_trees(want, m / "acme/widgets/tree") == ""
    assert len(fetches(bb, mark)) == 1
    assert other.errors() == m.errors() == "", other.errors()
