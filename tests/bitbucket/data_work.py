"""What machines did around the commits: pipelines with steps and logs.

They are plain dicts by repository uuid. Days count from the start of 2026. Commits are named by revisions of the repository
as it was first built ("at").
"""
from .model import uid

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
    """Gives the state its pipelines."""
    state.pipelines = {uid("repository", *name): [dict(p) for p in runs] for name, runs in PIPELINES.items()}
