"""What people and machines did around the commits: pull requests with comments, pipelines with steps and logs.

Both are plain dicts by repository uuid. Days count from the start of 2026. "source" and "destination" are branches; what is
no longer open names its commits by revisions of the repository as it was first built ("at").
"""
from .model import uid

PULLS = {
    ("acme", "widgets"): [
        dict(id=1, title="Try another language", state="DECLINED", author="ben", source="experiment/rust", made=151, changed=155,
             description="", closed_by="ada", reason="Not this year.", at=("experiment/rust", "v1.0"), approved=[], reviewers=["ada"],
             comments=[dict(id=101, who="ada", day=152, text="We have nobody who could maintain it.")]),
        dict(id=2, title="Add --quiet", state="MERGED", author="ben", source="feature/quiet", made=262, changed=264, close=True,
             description="Says nothing unless something is wrong.\n\n* off by default\n* tested by hand", closed_by="ada",
             at=("feature/quiet", "main~2"), merge="main~1", approved=["ada", "chen"], reviewers=["ada", "chen"],
             comments=[dict(id=201, who="chen", day=263, text="Should this be `-q` too?"),
                       dict(id=202, who="ben", day=263, text="Later.", parent=201),
                       dict(id=203, who="ada", day=263, text="A comment would help.", inline=("src/quiet.c", None, 1))]),
        dict(id=3, title="From a fork that is gone", state="DECLINED", author="gone", source="patch-1", made=270, changed=271,
             description="tiny fix", closed_by="gone", reason="", at=("experiment/rust", "v1.0"), fork_gone=True, approved=[],
             reviewers=[], comments=[]),
        dict(id=4, title="Colours, the first attempt", state="SUPERSEDED", author="chen", source="feature/colours", made=280,
             changed=301, description="See #5", closed_by="chen", reason="", at=("feature/colours~1", "main~1"), approved=[],
             reviewers=["ada"], comments=[]),
        dict(id=5, title="Let the caller choose a colour", state="OPEN", author="chen", source="feature/colours", made=301,
             changed=303, description="Adds `colour_of()`.\n\nCloses the oldest wish we have: „bunte Widgets“ 🎨", approved=["ben"],
             reviewers=["ada", "ben"], close=True,
             comments=[dict(id=501, who="ada", day=302, text="What does `colour_of(\"\")` return?", inline=("src/colour.c", None, 1)),
                       dict(id=502, who="chen", day=302, text="0, which is plain.", parent=501),
                       dict(id=503, who="dana", day=302, text="", deleted=True),
                       dict(id=504, who="dana", day=303, text="The guide has a new page for it.\n\n```c\nint colour;\n```")]),
        dict(id=6, title="src: free the name", state="OPEN", author="dana", source="bugfix/leak", made=303, changed=303, draft=True,
             description="", approved=[], reviewers=[], comments=[]),
    ],
    ("acme", "website"): [
        dict(id=1, title="Search", state="OPEN", author="dana", source="feature/search", made=291, changed=292,
             description="Nothing in it yet", approved=[], reviewers=["ben"], comments=[]),
    ],
}

BUILD_LOG = "+ make\ncc -O2 -Wall -Wextra -c -o src/main.o src/main.c\ncc -O2 -Wall -Wextra -c -o src/widget.o src/widget.c\n" \
            "cc -o widgets src/main.o src/widget.o\n"
TEST_LOG = "+ make check\nsh tests/run.sh\n"
PIPELINES = {
    ("acme", "widgets"): [
        dict(number=1, branch="main", at="main~4", who="ben", day=40, seconds=41, result="FAILED",
             steps=[("Build", 20, "FAILED", BUILD_LOG + "make: *** [Makefile:4: widgets] Error 1\n")]),
        dict(number=2, branch="main", at="main~3", who="chen", day=120, seconds=55, result="SUCCESSFUL",
             steps=[("Build", 30, "SUCCESSFUL", BUILD_LOG), ("Test", 25, "SUCCESSFUL", TEST_LOG)]),
        dict(number=3, branch="main", at="main", who="chen", day=300, seconds=58, result="SUCCESSFUL",
             steps=[("Build", 33, "SUCCESSFUL", BUILD_LOG), ("Test", 25, "SUCCESSFUL", TEST_LOG * 40)]),
        dict(number=4, branch="feature/colours", at="feature/colours", who="chen", day=302, seconds=0, result=None,
             steps=[("Build", 31, "SUCCESSFUL", BUILD_LOG), ("Test", 0, None, "+ make check\n"), ("Deploy / staging", 0, "PENDING", None)]),
    ],
}


def fill(state):
    """Gives the state its pull requests and pipelines."""
    state.pulls = {uid("repository", *name): [dict(p) for p in pulls] for name, pulls in PULLS.items()}
    state.pipelines = {uid("repository", *name): [dict(p) for p in runs] for name, runs in PIPELINES.items()}
