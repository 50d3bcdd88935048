"""What machines did around the commits: pipelines with steps and logs.

acme/widgets has one of every kind that reads like real ones, edge/runs 640, the newest of which are hard.
"""
from datetime import timedelta

from .data_review import RTL
from .model import START, day, stamp, uid
from .runs import Run, Runs, Step

BUILD_LOG = "+ make\ncc -O2 -Wall -Wextra -c -o src/main.o src/main.c\ncc -O2 -Wall -Wextra -c -o src/widget.o src/widget.c\n" \
            "cc -o widgets src/main.o src/widget.o\n"
TEST_LOG = "+ make check\nsh tests/run.sh\n"
SERVICES = {"postgres": "LOG:  database system is ready to accept connections\n", "redis": "* Ready to accept connections\n"}
TESTS = [("widgets", "WidgetTest", "makes a widget", "SUCCESSFUL", None),
         ("widgets", "WidgetTest", "refuses an empty name", "FAILED", "expected: null\n but was: <widget>\n\tat widget.c:14"),
         ("widgets", "WidgetTest", "größe ändern", "SKIPPED", None), ("", "", "日本語", "ERROR", "Speicherzugriffsfehler")]
N = 640                             # pipelines of edge/runs
HARD = 20                           # of which the newest are hard
RESULTS = ("SUCCESSFUL", "SUCCESSFUL", "FAILED", "SUCCESSFUL", "STOPPED", "SUCCESSFUL", "ERROR", "EXPIRED")


def build(result="SUCCESSFUL", seconds=30, log=BUILD_LOG, **more):
    return Step("Build", seconds, result, log, commands=["make"], **more)


def test(result="SUCCESSFUL", seconds=25, log=TEST_LOG, **more):
    return Step("Test", seconds, result, log, commands=["make check"], **more)


def deploy(where, result="SUCCESSFUL", log="+ deploy\n"):
    return Step("Deploy / " + where, 12, result, log, image="atlassian/default-image:4", commands=["deploy"])


def widgets():
    def run(number, n, **what):
        return Run(number, day(n, 5), **what)
    return [
        run(1, 40, at="main~4", who="ben", seconds=41, result="FAILED",
            steps=[build("FAILED", 20, BUILD_LOG + "make: *** [Makefile:4: widgets] Error 1\n", tests=TESTS)]),
        run(2, 120, at="main~3", who="chen", seconds=55, result="SUCCESSFUL", steps=[build(), test()]),
        run(3, 300, who="chen", seconds=58, result="SUCCESSFUL",
            steps=[build(seconds=33), test(log=TEST_LOG * 40, tests=TESTS, services=SERVICES)]),
        run(4, 302, ref="feature/colours", at="feature/colours", who="chen",
            steps=[build(seconds=31), test(None, 0, "+ make check\n"), deploy("staging", "PENDING", None)]),
        run(5, 302.1, kind="pullrequest", ref="feature/colours", at="feature/colours", pull=7, pattern="**", who="chen", seconds=55,
            result="SUCCESSFUL", steps=[build(), test()]),
        run(6, 302.2, kind="tag", ref="v1.0", at="v1.0", pattern="v*", who="ada", seconds=70, result="SUCCESSFUL",
            steps=[build(), test(), deploy("production")]),
        run(7, 302.3, kind="custom", pattern="nightly", who="ada", seconds=30, result="STOPPED", trigger="MANUAL",
            variables=[("LEVEL", "9"), ("TOKEN", None)], steps=[build("STOPPED"), test("NOT_RUN", 0, None)]),
        run(8, 302.4, kind="commit", at="main~2", pattern="bisect", who=None, seconds=3, result="ERROR", trigger="MANUAL", steps=[]),
        run(9, 302.5, trigger="SCHEDULED", who="bot", seconds=55, result="SUCCESSFUL", steps=[build(), test()]),
        run(10, 302.6, who="dana", result="PAUSED", trigger="PARENT_STEP", steps=[build(), deploy("production", "PENDING", None)]),
        run(11, 302.7, who="erik", result="PENDING", steps=[build("PENDING", 0, None), test("PENDING", 0, None)]),
    ]


def plain(i):
    """The i-th of edge/runs: one like another."""
    result = RESULTS[i % len(RESULTS)]
    kind = ("branch", "branch", "tag", "pullrequest", "custom", "commit")[i % 6]
    return Run(i, stamp(START + timedelta(seconds=i * 36000, microseconds=i * 7919 % 1000000)), (None, "ada", "ben", "gone", "bot", "erik")[i % 6],
               30 + i % 50, result, kind, "v1.0" if kind == "tag" else ("main", "feature/colours")[i % 2], "main~%d" % (i % 5),
               pull=i % 30 + 1 if kind == "pullrequest" else None, pattern=(None, "**", "release-*")[i % 3],
               trigger=("PUSH", "MANUAL", "SCHEDULED")[i % 3],
               steps=[build(result if result in ("SUCCESSFUL", "FAILED", "ERROR") else "STOPPED", 30, f"+ make\nbuild {i}\n" if i % 9 else None,
                            tests=TESTS if i % 7 == 1 else None)])


def colourful(n):
    """A log as terminals get it: colours, progress on one line, no UTF-8 here and there."""
    block = b"".join(b"\x1b[32m%06d\x1b[0m ok \xc3\xa4 \xff\xfe\r50%%\r100%%\r\n" % i for i in range(2000))
    return (block * (n // len(block) + 1))[:n]


def hard():
    """Those of edge/runs that are hard, newest last."""
    wide = [Step(name, i + 1, "SUCCESSFUL", f"+ step {i}\n") for i, name in enumerate((
        "Build", "Build", "build", "a/b", "..", ".", "", None, "tab\there", "line\nbreak", RTL, "日本語", "n" * 300, "🚀", "index.tsv", " x "))]
    cases = [
        dict(result="SUCCESSFUL", steps=wide),
        dict(result="SUCCESSFUL", steps=[Step("Everything", 60, "SUCCESSFUL", colourful(5 << 20))]),
        dict(result="SUCCESSFUL", steps=[Step("Silent", 1, "SUCCESSFUL", b""), Step("No end of line", 1, "SUCCESSFUL", "x")]),
        dict(result="SUCCESSFUL", steps=[Step("Forgotten", 1, "SUCCESSFUL", None)]),
        dict(result="FAILED", steps=[Step("Services", 9, "FAILED", "+ test\n", services=SERVICES, tests=TESTS * 300)]),
        dict(result="SUCCESSFUL", kind=None, who=None, steps=[build()]),
        dict(result="SUCCESSFUL", at=None, who="", steps=[build()]),
        dict(result="SUCCESSFUL", home_gone=True, who="erik", steps=[build()]),
        dict(result="SUCCESSFUL", kind="pullrequest", pull=99999, ref="gone/branch", at="main", pattern=None, steps=[build()]),
        dict(result="SUCCESSFUL", kind="tag", ref="größe/日本語", steps=[build()]),
        dict(result="ERROR", steps=[]),
        dict(result="EXPIRED", steps=[Step("Waits for a runner", 0, "EXPIRED", None)]),
        dict(result="SUCCESSFUL", run_number=3, steps=[build()]),
        dict(result="SUCCESSFUL", variables=[("Ä", "ü\n"), ("EMPTY", ""), ("SECRET", None)], kind="custom", pattern="odd: \t \\ \"", steps=[build()]),
        dict(result="HALTED", steps=[build(), build("PENDING", 0, None)]),
        dict(result="SUCCESSFUL", steps=[build() for _ in range(150)]),
        dict(result="SUCCESSFUL", steps=[build(), test("NOT_RUN", 0, None)]),
        dict(result=None, steps=[Step("Just begun", 0, None, b"")]),
        dict(result=None, steps=[Step("No log yet", 0, None, None), Step("Ready", 0, "READY", None)]),
        dict(result=None, steps=[Step("Runs", 0, None, "+ make\n"), Step("Runs beside it", 0, None, "+ make check\n")]),
    ]
    return [Run(N - HARD + i, stamp(START + timedelta(seconds=(N - HARD + i) * 36000)), **{"seconds": 60, **case})
            for i, case in enumerate(cases, 1)]


def runs():
    return [plain(i) for i in range(1, N - HARD + 1)] + hard()


def fill(state):
    """Gives the state its pipelines."""
    state.pipelines = {uid("repository", "acme", "widgets"): Runs(widgets), uid("repository", "edge", "runs"): Runs(runs)}
