"""Pull requests, and what is written beside commits: who said what in acme/widgets and elsewhere."""
from . import data_busy
from .data_review import RTL
from .model import day, uid
from .pulls import Beside, Comment, Pull, Pulls, Task


def pull(number, title, author, source, made, changed, **more):
    more["comments"] = [said(number, *c) if isinstance(c, tuple) else c for c in more.get("comments", ())]
    return Pull(number, title, author, source, day(made), day(changed, 60), **more)


def said(number, i, who, when, text, **more):
    return Comment(number * 100 + i, who, day(when, number * 100 + i), text, **more)


def at(path, old=None, new=None, **more):
    return {"path": path, "from": old, "to": new, **more}


ODD = (RTL + " \u202e\u05d0\u05d1\u05d2\u202c", "tab\there", "line\nbreak", "carriage\rreturn", "back\\slash \\n \\t", "nul-free \u0001\u001b[31m",
       "🎨👩‍👩‍👧‍👦", "  spaces  ", "<b>&amp;</b>", "a" * 3000)


def threads():
    """The comments of widgets #7: three deep, on both sides of lines, deleted, resolved, pending."""
    def c(i, who, when, text, **more):
        return said(7, i, who, when, text, **more)
    return [
        c(1, "ada", 301, "Why numbers and not names?"),
        c(2, "ben", 301, "Names can be the same.", parent=701),
        c(3, "ada", 301, "Not inside one widget (WID-14).", parent=702),
        c(4, "chen", 302, "Then number them per widget.\n\n> quoted\n\n1. one\n2. two", parent=703),
        c(5, "ben", 302, "So be it.", parent=704),
        c(6, None, 302, "Written by somebody who is no longer here.", parent=701),
        c(7, "dana", 302, "This line is new.", inline=at("src/thread.c", None, 3)),
        c(8, "ben", 302, "It is.", parent=707, inline=at("src/thread.c", None, 3)),
        c(9, "dana", 302, "This one is gone: keep it?", inline=at("docs/index.md", 1, None)),
        c(10, "dana", 302, "Several lines.", inline=at("src/thread.c", None, 12, start_from=None, start_to=8)),
        c(11, "erik", 302, "The whole file.", inline=at("assets/icon.bin")),
        c(12, "erik", 302, "Both sides.", inline=at("docs/guide.md", 1, 1, outdated=True)),
        c(13, "chen", 302, "", deleted=True),
        c(14, "ada", 302, "An answer to what was deleted.", parent=713),
        c(15, "ada", 302, "", deleted=True, parent=714),
        c(16, "chen", 302, "Leaks.", inline=at("src/thread.c", None, 30), resolved=("ben", day(303, 5))),
        c(17, "ben", 302, "Fixed in the last commit.", parent=716, inline=at("src/thread.c", None, 30)),
        c(18, "ada", 303, "Not sent yet", pending=True),
        c(19, "gone", 303, "Edited.", edited=day(303, 5000)),
        c(20, "bot", 303, "| check | result |\n|---|---|\n| lint | ✅ |\n\n```c\nint thread;\n```\n<!-- hidden -->"),
        c(21, "dana", 303, "In a file with an odd name", inline=at("src/tab\tand\nnewline.c", None, 1)),
        *(c(22 + i, "erik", 303, text) for i, text in enumerate(ODD)),
        c(40, "ben", 303, "Answers what nobody can see", parent=999),
    ]


def widgets():
    yield pull(1, "Try another language", "ben", "experiment/rust", 151, 155, state="DECLINED", closed_by="ada", reason="Not this year.",
               at=("experiment/rust", "v1.0"), reviewers=["ada"], comments=[(1, "ada", 152, "We have nobody who could maintain it.")])
    yield pull(2, "Add --quiet", "ben", "feature/quiet", 262, 264, state="MERGED", close=True, closed_by="ada",
               description="Says nothing unless something is wrong.\n\n* off by default\n* tested by hand", at=("feature/quiet", "main~2"),
               merge="main~1", approved=["ada", "chen"], reviewers=["ada", "chen"],
               comments=[(1, "chen", 263, "Should this be `-q` too?"), said(2, 2, "ben", 263, "Later.", parent=201),
                         said(2, 3, "ada", 263, "A comment would help.", inline=at("src/quiet.c", None, 1))])
    yield pull(3, "From a fork that is gone", "gone", "patch-1", 270, 271, state="DECLINED", description="tiny fix", closed_by="gone",
               at=("experiment/rust", "v1.0"), fork_gone="all")
    yield pull(4, "Colours, the first attempt", "chen", "feature/colours", 280, 301, state="SUPERSEDED", description="See #5", closed_by="chen",
               at=("feature/colours~1", "main~1"), reviewers=["ada"])
    yield pull(5, "Let the caller choose a colour", "chen", "feature/colours", 301, 303, approved=["ben"], reviewers=["ada", "ben"], close=True,
               description="Adds `colour_of()`.\n\nCloses the oldest wish we have: „bunte Widgets“ 🎨",
               comments=[said(5, 1, "ada", 302, "What does `colour_of(\"\")` return?", inline=at("src/colour.c", None, 1)),
                         said(5, 2, "chen", 302, "0, which is plain.", parent=501), said(5, 3, "dana", 302, "", deleted=True),
                         (4, "dana", 303, "The guide has a new page for it.\n\n```c\nint colour;\n```")])
    yield pull(6, "src: free the name", "dana", "bugfix/leak", 303, 303, draft=True)
    yield pull(7, "WID-12: number the threads", "ben", "feature/WID-12-threads", 301, 304, reviewers=["ada", "chen", "erik", "gone"],
               approved=["chen"], changes=["ada"], comments=threads(), close=True,
               description="Closes WID-12 and half of LEGAL2-7.\r\n\r\n- [ ] one\r\n- [x] two\r\n\r\n" + RTL + "\ttab \\ backslash",
               tasks=[Task(71, "ada", day(302, 71), "Name the threads after WID-14", comment=701),
                      Task(72, "ada", day(302, 72), "Remove the warning", resolved=("chen", day(303, 72)), comment=716),
                      Task(73, None, day(302, 73), "line\nbreak\tand tab"), Task(74, "ada", day(303, 74), "Not sent yet", pending=True),
                      Task(75, "erik", day(303, 75), "🎨 paint it", resolved=(None, day(304, 75)))])
    yield pull(8, "WID-31: print the name in capitals", "dana", "bugfix/WID-31-conflict", 300, 300, reviewers=["chen"], changes=["chen"])
    yield pull(9, RTL + " עברית 🚚 \\ \"quoted\"", "erik", "größe/日本語", 302, 303, description=RTL + "\n\nשורה שנייה", queued=True,
               reviewers=["ada"], approved=["ada"])
    yield pull(10, "Squash", "chen", "feature/squash", 274, 275, state="MERGED", destination="release/2.x", at=("squash", "squash/to"),
               merge="squash/merged", closed_by="chen", close=True)
    yield pull(11, "WID-40: say 2.0", "dana", "hotfix/WID-40", 272, 273, state="MERGED", destination="release/2.x", at=("hotfix", "hotfix/to"),
               merge="hotfix/merged", closed_by="ada", close=True, approved=["ada"], reviewers=["ada"],
               comments=[(1, "ada", 272, "Good.")])
    yield pull(12, "From the other side", "gone", "feature/other", 276, 278, state="DECLINED", at=("deleted-fork", "main~2"),
               fork_gone="commit", closed_by="ada", reason="The fork was deleted\nbefore anybody could look.")
    yield pull(13, "Moved away", None, "feature/moved", 277, 279, state="MERGED", at=("moved", "main~2"), home_gone=True, description=None)
    yield pull(14, "WID-50: from a fork", "ada", "feature/from-a-fork", 303, 304, fork="ada-lindqvist/widgets", reviewers=["ben"],
               description="Its commits are only there.")
    yield pull(15, "A line\nbreak, a tab\t, a \\ and \u202eRTL", None, "feature/quiet", 265, 266, state="DECLINED", at=("feature/quiet", "main~2"))
    yield pull(16, "From a fork that is private", "gone", "feature/hidden", 301, 302, fork="vault/widgets")
    yield pull(17, "Update gcc to 15", "bot", "chore/update-gcc", 303, 304, draft=True,
               comments=[(i, "bot", 303, f"Rebased, round {i}") for i in range(1, 131)])
    yield pull(18, "Back to 2.x", "ada", "main", 303, 303, destination="release/2.x")


def refs():
    yield pull(1, "No history in common", "ada", "orphan", 1, 2)
    yield pull(2, "Everything", "ada", "feature/x", 1, 2, destination="side/left")
    yield pull(3, "Nothing in it", "ada", "v1.0", 1, 2)
    yield pull(4, "A branch that is gone", "ada", "was-deleted", 1, 3, at=("side/right", "main"), state="DECLINED", closed_by="ada")


def website():
    yield pull(1, "Search", "dana", "feature/search", 291, 292, description="Nothing in it yet", reviewers=["ben"])


def infra():
    yield pull(1, "OPS-7: four machines for the shop", "ben", "ops/OPS-7-machines", 240, 241, reviewers=["chen"], approved=["chen"],
               comments=[(1, "chen", 241, "After the sale, please.")])


def billing():
    yield pull(1, "BILL-21: dunning", "chen", "feature/BILL-21-dunning", 306, 308, reviewers=["ada"],
               description="Reminds after 14 days and after 28.\n\nSee SHOP-118.", comments=[(1, "ada", 307, "Who stops it?"),
               said(1, 2, "chen", 308, "Whoever pays.", parent=101)], tasks=[Task(11, "ada", day(307), "Ask the lawyers")])
    yield pull(2, "Round half to even", "ada", "fix/BILL-30-rounding", 307, 307, draft=True)


def handbook():
    yield pull(1, "Say what a sabbatical is", "dana", "sabbatical", 260, 262, reviewers=["ada", "ben", "chen"], approved=["ada", "ben"])


def of_the_thousand(i):
    """The pull requests of the ith repository of monolith-labs: none to three, the first merged, the others open or not."""
    def make():
        ends = ("fix/two", "feature/one", "fix/two")
        if i % 4:
            yield pull(1, "LAB-2: ignore caches", "ben", "feature/done", 13, 14, state="MERGED", destination="integration",
                       at=("done", "main"), merge="done/merged", closed_by="chen", approved=["chen"])
        for n in range(2, i % 4 + 1):
            shut = (i + n) % 5 == 0
            yield pull(n, ("LAB-1: greet by name", "Pin the image")[ends[n - 1] == "fix/two"], ("ada", "chen", "ben")[(i + n) % 3], ends[n - 1],
                       20 + i % 250, 20 + i * 31 % 280, state="DECLINED" if shut else "OPEN", closed_by="ben" if shut else None,
                       at=(ends[n - 1], "main") if shut else None, reviewers=["ben"] if n % 2 else [])
    return make


PULLS = {("acme", "widgets"): widgets, ("acme", "website"): website, ("acme", "infra"): infra, ("acme", "billing"): billing,
         ("acme", "handbook"): handbook, ("edge", "refs"): refs, ("edge", "busy"): data_busy.pulls}


def status(name, key, state, when, refname=None, title=None, description="", took=90):
    return {"at": name, "key": key, "state": state, "name": title, "url": f"https://ci.example.com/{key}/{when}/output", "refname": refname,
            "description": description, "created_on": day(when, 900), "updated_on": day(when, 900 + took)}


BESIDE = {("acme", "widgets"): dict(
    statuses=[
        status("main", "build", "SUCCESSFUL", 300, "main", "widgets » main #36", "Everything is green.\nIn 41 seconds."),
        status("main", "fe7e71305b004dd8dd5a124e1dae4c33", "FAILED", 300, None, "lint", "3 warnings in größe.c 🚨"),
        status("main", "deploy/eu west", "STOPPED", 300, "main"),
        status("feature/colours", "build", "INPROGRESS", 302, "feature/colours", "widgets » feature/colours #37", took=0),
        status("feature/WID-12-threads", "build", "FAILED", 303, "feature/WID-12-threads", "widgets #38", "WID-12 fails on \\ and \t"),
        status("feature/WID-12-threads", "security", "SUCCESSFUL", 303, None, "security scan"),
        status("feature/WID-12-threads", "other-ref", "FAILED", 303, "another/branch", "elsewhere")],
    comments=[
        dict(at="main", id=9001, who="ada", when=day(301, 1), text="Why here and not in the header?"),
        dict(at="main", id=9002, who="chen", when=day(301, 2), text="It is used once.", parent=9001),
        dict(at="main", id=9003, who="dana", when=day(301, 3), text="`%d` of an int", inline=at("src/widget.c", None, 3)),
        dict(at="main", id=9004, who="dana", when=day(301, 4), text="", deleted=True),
        dict(at="main", id=9005, who=None, when=day(301, 5), text=RTL + "\nsecond line")],
    reports=[
        dict(at="main", id="scan-1", title="Security scan", details="Two findings.\n\nSee the annotations.", reporter="scanner",
             report_type="SECURITY", result="FAILED", link="https://ci.example.com/scan/1", data=[
                 {"title": "Findings", "type": "NUMBER", "value": 2}, {"title": "Safe to merge?", "type": "BOOLEAN", "value": False}],
             annotations=[dict(id="a1", annotation_type="VULNERABILITY", path="src/widget.c", line=14, summary="strdup may fail", severity="HIGH",
                               result="FAILED"),
                          dict(id="a2", annotation_type="CODE_SMELL", path="docs/Größe ändern.md", summary="Tab\tand ü",
                               details="Line one\nline two", severity="LOW")]),
        dict(at="main", id="cov-1", title="Coverage", details="87 %", reporter="gcov", report_type="COVERAGE", result="PASSED", data=[],
             annotations=[])],
    approved={"main": ["ada", "dana"]}),
    ("acme", "website"): dict(links="off")}


def fill(state):
    """Gives the state its pull requests and what is beside its commits."""
    state.pulls = {uid("repository", *name): Pulls(make) for name, make in PULLS.items()}
    for i, r in enumerate(state.workspaces["monolith-labs"].repositories.values()):
        if r.pristine == "tiny":
            state.pulls[r.uuid] = Pulls(of_the_thousand(i))
    state.beside = {uid("repository", *name): Beside(**what) for name, what in BESIDE.items()}
