"""Nothing of a stranger's moves a terminal (src/model/README.md, 2): what is written for people holds no byte that one would obey."""
import os
import re

from conftest import await_true

ESC, BEL, C1, BIDI = "\x1b]0;pwned", "\x07", "\x9b2J", "\u202etxt.exe\u2066"
NASTY = f"a{ESC}{BEL}{C1}{BIDI}\x7f\tb\\c"
CLEAN = r"a\x1b]0;pwned\x07\xc2\x9b2J\u202etxt.exe\u2066\x7f"
# C0 but for tab and line end, DEL, C1, what reorders text.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# Somebody's data as it is: bytes for programs.
RAW = {"title", "message", "diff", "log"}


def texts(m, top):
    """Paths of the files for people below a directory, by walking; not into trees."""
    for place, folders, names in os.walk(m / top):
        folders[:] = [f for f in folders if f not in ("tree", "refresh", "api")]
        for name in names:
            path = os.path.relpath(os.path.join(place, name), m.path)
            yield path
        for name in folders:
            yield os.path.relpath(os.path.join(place, name), m.path) + "/"


def test_rule_2_nothing_of_a_strangers_moves_a_terminal(bb, mounts):
    bb.create_repo("acme", "hostile", description=NASTY)
    oid = bb.push("acme", "hostile", {"a.txt": "1\n"}, message=NASTY, author="E\x1bve\u202e <eve@example.com>")
    for branch in ("x\u202egpj", "c\u009b1"):
        bb.set_ref("acme", "hostile", "refs/heads/" + branch, oid)
    bb.push("acme", "hostile", {"a.txt": "2\n"}, branch="topic")
    n = bb.create_pull("acme", "hostile", NASTY, "topic", description=NASTY)
    bb.comment_pull("acme", "hostile", n, NASTY + "\r\nsecond line\n")
    bb.set_status("acme", "hostile", oid, "build", "FAILED", name=NASTY, description=NASTY)
    bb.create_snippet("acme", "nasty", {"n\x1b\u202e.txt": b"x"}, NASTY)
    bb.create_pipeline("acme", "hostile", [NASTY], ref="x\u202egpj")
    m = mounts("ttl=1")
    pull = f"acme/hostile/pullrequests/{n}"
    assert CLEAN in m.read("acme/hostile/pullrequests/index.tsv")
    assert f"title: {CLEAN} b\\c\n" in m.read(f"{pull}/info")
    assert CLEAN in m.read(f"{pull}/comments/thread.md") and "second line" in m.read(f"{pull}/comments/thread.md")
    assert m.read(f"{pull}/title") == NASTY + "\n", "data is as it is"
    # Names of branches can be turned back, and lead where they lead.
    names = m.ls("acme/hostile/branches")
    assert "x%E2%80%AEgpj" in names and "c%C2%9B1" in names
    assert m.read("acme/hostile/branches/x%E2%80%AEgpj/a.txt") == "1\n"
    assert m.read("acme/hostile/branches/c%C2%9B1/a.txt") == "1\n"
    # A failure whose words are the service's, in errors, status, the log and what .now says.
    bb.fault(r"/pullrequests\?", "status", times=20, status=400, headers={"Content-Type": "application/json"},
             body='{"type": "error", "error": {"message": "no \\u001b[31m\\u009b\\u202e"}}')
    for path in ("acme/hostile/pullrequests", "acme/hostile"):
        try:
            m.refresh(path)
        except OSError:
            pass
    bb.faults.clear()
    await_true(lambda: r"\x1b[31m\xc2\x9b\u202e" in m.errors(), "the sentence")
    seen = 0
    for top in (".bitbucketfs", "acme/hostile", "acme/.workspace"):
        for path in texts(m, top):
            assert not OBEYED.search(path), repr(path)
            name = os.path.basename(path)
            if path.endswith("/") or name in RAW or name.endswith(".json") or name.startswith("description") or "/files/" in path:
                continue
            try:
                text = m.read(path, "rb").decode(errors="surrogateescape")
            except FileNotFoundError:       # that the service does not have: listed until somebody looks
                continue
            assert not OBEYED.search(text), (path, OBEYED.search(text))
            assert not re.search("[\udc80-\udc9f]", text), path
            seen += 1
    assert seen > 30
    assert not OBEYED.search(m.log), "what the daemon says"
