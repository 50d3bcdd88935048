"""Which files of a tree are LFS content, how large they look, and what a look at them costs."""
import errno
import glob
import hashlib
import os
import shutil
import subprocess

import pytest

from conftest import await_true
from harness import LARGE
from test_evict import overfull
from test_sizes import asked, import_tree, look
from test_tree import store_of


def pointer(text, size=None, version="https://git-lfs.github.com/spec/v1", end="\n", extra=""):
    oid = hashlib.sha256(text.encode()).hexdigest()
    return f"version {version}{end}{extra}oid sha256:{oid}{end}size {1_000_000 + len(text) if size is None else size}{end}".encode()


PICTURE = pointer("picture", 4_123_456)
BIG = pointer("film", 50 << 30)
FILES = {
    ".gitattributes": b'[attr]large filter=lfs -text\n*.psd filter=lfs diff=lfs merge=lfs -text\n"a name.*" filter=lfs\n'
                      b"/top.bin filter=lfs\nvideo/** large\n!*.txt filter=lfs\n",
    "logo.psd": PICTURE, "top.bin": PICTURE, "d/top.bin": PICTURE, "a name.x": PICTURE, "plain.txt": PICTURE,
    "video/film.mkv": BIG, "video/deep/er/film.mkv": BIG, "video/README": b"# not a pointer\n" * 9,
    "video/.gitattributes": b"*.md -large\n*.srt !filter\n", "video/x.md": PICTURE, "video/x.srt": PICTURE,
    "d/.gitattributes": b"*.psd -filter\n*.raw filter=lfs\n[attr]mine filter=lfs\n*.own mine\n",
    "d/logo.psd": PICTURE, "d/one.raw": PICTURE, "one.raw": PICTURE, "d/e/two.raw": PICTURE, "d/x.own": PICTURE,
    "odd/crlf.psd": pointer("crlf", end="\r\n"), "odd/hawser.psd": pointer("old", version="https://hawser.github.com/spec/v1"),
    "odd/none.psd": pointer("", 0), "odd/empty.psd": b"", "odd/huge.psd": pointer("x", 2**63), "odd/minus.psd": pointer("x", -1),
    "odd/most.psd": pointer("x", 2**63 - 1), "odd/path.psd": PICTURE.replace(b"sha256:", b"sha256:../../"),
    "odd/extended.psd": pointer("x", extra="ext-0-foo sha256:" + 64 * "a" + "\n"), "odd/long.psd": PICTURE + 1024 * b"\n",
    "odd/no.psd": b"version https://git-lfs.github.com/spec/v1\n" * 3,
}


def put(bb, where, name, files=FILES, **more):
    entries = [(b"100755" if f.endswith(".mkv") else b"100644", f, data) for f, data in files.items()]
    source = import_tree(bb, where, name, entries + [(b"120000", "link.psd", PICTURE[:-1])])
    bb.update_repo("acme", name, more)
    bb.log.clear()
    return source


def content(source):
    """{path: size} as git and git-lfs have them."""
    git = ["git", "-c", "core.attributesFile=/dev/null", "--git-dir", source]
    index = {**os.environ, "GIT_INDEX_FILE": source + "/an-index", "GIT_ATTR_NOSYSTEM": "1"}
    subprocess.run(git + ["read-tree", "main"], env=index, check=True)
    said = subprocess.run(git + ["check-attr", "-z", "--cached", "--stdin", "filter"], input="\0".join(FILES).encode(),
                          env=index, capture_output=True, check=True).stdout.split(b"\0")
    filtered = {os.fsdecode(p) for p, value in zip(said[0::3], said[2::3]) if value == b"lfs"}
    return {f: int(data.split(b"size ")[1]) if f in filtered and is_pointer(f, data) else len(data) for f, data in FILES.items()}


def is_pointer(name, data):
    # What it has is known only after a program of the user's; of the others git-lfs takes the first 1,024 bytes.
    if name in ("odd/extended.psd", "odd/long.psd", "odd/empty.psd"):
        return False
    if shutil.which("git-lfs"):
        return subprocess.run(["git-lfs", "pointer", "--check", "--stdin"], input=data, capture_output=True).returncode == 0
    return name not in ("video/README", "odd/huge.psd", "odd/minus.psd", "odd/path.psd", "odd/no.psd") and b"size" in data


def sizes(m, repo, listed=True):
    found = {}
    for d in dict.fromkeys(os.path.dirname(f) for f in FILES):
        if listed:
            subprocess.run(["ls", "-l", m / f"acme/{repo}/tree/{d}"], stdout=subprocess.DEVNULL, check=True)
    for f in FILES:
        found[f] = os.lstat(m / f"acme/{repo}/tree/{f}").st_size
    return found


@pytest.mark.parametrize("how", ["listed", "looked-up", "filtered"])
def test_sizes_are_those_of_a_clone(bb, mounts, tmp_path, how):
    source = put(bb, tmp_path, "art", **({} if how == "filtered" else {"size": 1000}))
    expected = content(source)
    assert expected["logo.psd"] == 4_123_456 and expected["video/film.mkv"] == 50 << 30 and expected["odd/none.psd"] == 0
    m = mounts("hydrate=off")
    assert sizes(m, "art", how == "listed") == expected
    tree = m / "acme/art/tree"
    assert os.stat(tree + "/video/film.mkv").st_mode & 0o777 == 0o755
    assert os.readlink(tree + "/link.psd") == PICTURE[:-1].decode(), "a link is none"
    for name in ("odd/huge.psd", "odd/extended.psd", "one.raw", "video/x.md", "plain.txt", "odd/long.psd"):
        assert m.read(f"acme/art/tree/{name}", "rb") == FILES[name]
    commit = m.ls("acme/art/commits")
    assert "index.tsv" in commit
    oid = subprocess.check_output(["git", "--git-dir", source, "rev-parse", "main"], text=True).strip()
    assert os.stat(m / f"acme/art/commits/{oid}/tree/logo.psd").st_size == 4_123_456
    bb.offline()
    assert sizes(m, "art") == expected
    m.unmount()
    assert sizes(mounts("hydrate=off"), "art") == expected, "without a network, in another mount"


def test_off_shows_pointers(bb, mounts, tmp_path):
    put(bb, tmp_path, "art")
    m = mounts("lfs=off")
    assert sizes(m, "art") == {f: len(data) for f, data in FILES.items()}
    assert m.read("acme/art/tree/logo.psd", "rb") == PICTURE


def test_a_pointer_is_never_served_as_content(bb, mounts, tmp_path):
    put(bb, tmp_path, "art", {".gitattributes": b"*.psd filter=lfs\n", "logo.psd": PICTURE})
    m = mounts()
    with pytest.raises(OSError) as e:
        m.read("acme/art/tree/logo.psd", "rb")
    assert e.value.errno == errno.EIO and "\tacme/art/tree/logo.psd\tEIO\t" in m.errors()


def test_what_a_look_costs(bb, mounts, tmp_path):
    """A directory of pointers is one request, with what governs it."""
    files = {"d/" + f: data for f, data in FILES.items() if "/" not in f}
    put(bb, tmp_path, "art", {".gitattributes": FILES[".gitattributes"], **files})
    m = mounts("hydrate=off")
    look(m, bb, "acme/art")
    mark = bb.log.mark()
    subprocess.run(["ls", "-l", m / "acme/art/tree/d"], stdout=subprocess.DEVNULL, check=True)
    assert os.stat(m / "acme/art/tree/d/logo.psd").st_size == 4_123_456
    assert [len(kind) for kind in asked(bb, mark)] == [1, 0], "the texts come with the directory's files"
    for f in files:
        os.lstat(m / f"acme/art/tree/{f}")
    assert [len(kind) for kind in asked(bb, mark)] == [1, 0]


def test_without_lfs_nothing_more_is_asked(bb, mounts, tmp_path):
    put(bb, tmp_path, "plain", {"d/" + f: data for f, data in FILES.items() if not f.endswith(".gitattributes")})
    m = mounts("hydrate=off")
    look(m, bb, "acme/plain")
    mark = bb.log.mark()
    assert os.stat(m / "acme/plain/tree/d/logo.psd").st_size == len(PICTURE)
    assert m.read("acme/plain/tree/d/logo.psd", "rb") == PICTURE
    assert asked(bb, mark) == (["1 blob"], [])


def test_attributes_that_change_under_a_mount(bb, mounts, tmp_path):
    """The blobs are the same ones: the name gets another file all the same, which is younger."""
    files = {"d/logo.psd": PICTURE, "d/other.psd": PICTURE, "README": b"one\n"}
    put(bb, tmp_path, "art", files, size=1000)
    m = mounts("ttl=1")
    path = m / "acme/art/tree/d/logo.psd"
    seen = os.stat(path)
    assert seen.st_size == len(PICTURE) and m.read("acme/art/tree/d/logo.psd", "rb") == PICTURE
    for text, size in ((b"*.psd filter=lfs\n", 4_123_456), (b"*.png filter=lfs\n", len(PICTURE)), (None, len(PICTURE)),
                       (b"d/*.psd filter=lfs\n", 4_123_456)):
        bb.push("acme", "art", {".gitattributes": text})
        await_true(lambda: os.path.exists(m / "acme/art/tree/.gitattributes") == (text is not None)
                   and (text is None or m.read("acme/art/tree/.gitattributes", "rb") == text), "the push")
        await_true(lambda: os.stat(path).st_size == size, f"{size} bytes")
        now = os.stat(path)
        if now.st_size != seen.st_size:
            assert now.st_ino != seen.st_ino and now.st_mtime > seen.st_mtime
        seen = now


@pytest.mark.parametrize("size", [1000, LARGE], ids=["whole", "filtered"])
def test_what_was_evicted_has_its_sizes(bb, mounts, tmp_path, size):
    source = put(bb, tmp_path, "art", {**FILES, "filler": os.urandom(100_000)}, size=size)
    expected = content(source)
    m = mounts("hydrate=off")
    assert sizes(m, "art") == expected
    assert len(m.read("acme/art/tree/filler", "rb")) == 100_000
    store = store_of(m, bb, "acme/art")
    m.unmount()
    overfull(m.cache)
    for marks in glob.glob(os.path.join(store, "refs/bitbucketfs/*/*")):
        os.utime(marks, (1, 1))
    m = mounts("cache_size=8M")
    await_true(lambda: os.path.exists(os.path.join(store, "evicted")), "its blobs went")
    bb.offline()
    # Whether a small file that LFS should have is a pointer after all is known with its bytes alone.
    for f in set(expected) - {"video/README", "odd/no.psd"}:
        assert os.lstat(m / f"acme/art/tree/{f}").st_size == expected[f], f
