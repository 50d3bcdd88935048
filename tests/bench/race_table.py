"""The race's table: medians, what they are compared with, and the bars."""
import re

WAYS = ("ours", "depth 1", "blobless", "full", "ext4", "memory", "base", "round trip")
CLONE = ("depth 1", "first file")

# (repositories, nets, row, compared with (way, row; None: the same row), at most). A pattern is of the whole name.
BARS = (
    ("git", "slow", "first file", CLONE, 0.12), ("test262", "slow", "first file", CLONE, 0.16),
    ("libgit2", "slow", "first file", CLONE, 0.2), ("tiny", "slow", "first file, listed before", CLONE, 0.9),
    (".*", "slow", "one more file", ("round trip", None), 1.2), (".*", "slow", "ls -l of a directory", ("round trip", None), 1.2),
    (".*", ".*", "requests: ls, find -name of a filtered tree", None, 0),
    (".*", ".*", "requests: ls -l of a directory", None, 1),
    (".*", "slow", "whole by grep -r", CLONE, 1.15), ("test262", "slow", "whole by cp -r", CLONE, 1.4),
    (".*", ".*", "bytes down: whole", ("depth 1", None), 1.15),
    (".*", ".*", "bytes down: browse, then everything", ("depth 1", "bytes down: first file"), 1.6),
    (".*", ".*", "warm find", ("ext4", None), 1.7), (".*", ".*", "warm ls -lR", ("ext4", None), 1.1),
    (".*", ".*", "warm (grep -r|rg)", ("ext4", None), 1.45), (".*", ".*", "requests: warm walks", None, 0),
    ("test262", ".*", "all cold: grep -r", ("ext4", None), 0.8), ("git", ".*", "all cold: grep -r", ("ext4", None), 1.1),
    (".*", ".*", "fresh mount: grep -r", ("base", None), 0.75),
    ("(?!tiny).*", ".*", "disk", ("depth 1", None), 0.4),
    ("57000|test262", ".*", "RssAnon, walked and grepped", None, 35e6),
)
# What a row without a bar is compared with, whichever is there.
BESIDE = (("depth 1", None), ("base", None), ("ext4", None), ("round trip", None))
FLAT = ("400000", "5000", 2)


def shown(row, value):
    if value is None:
        return ""
    if row.startswith(("bytes", "disk", "RssAnon")):
        return f"{value / 1e6:.1f} MB" if value >= 1e5 else f"{value / 1e3:.1f} kB"
    if row.startswith("requests"):
        return f"{value:g}"
    return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def bar_of(repository, net, row):
    for r, n, pattern, beside, most in BARS:
        if re.fullmatch(r, repository) and re.fullmatch(n, net) and re.fullmatch(pattern, row):
            return beside, most
    return None


def judged(figures, repository, net, row):
    """(beside what, ratio or value, the bar or None, met or None)"""
    def of(beside):
        return figures.median(repository, net, beside[1] or row, beside[0])
    ours, bar = figures.median(repository, net, row, "ours"), bar_of(repository, net, row)
    if ours is None:
        return "", None, None, None
    beside, most = bar or (None, None)
    if bar and beside is None:
        return "", None, most, ours <= most
    if not bar or of(beside) is None:
        most = None
        others = (*BESIDE, CLONE) if row.startswith(("first", "whole")) else BESIDE
        beside = next((b for b in others if not row.startswith("requests") and of(b)), None)
    if not beside:
        return "", None, None, None
    ratio = ours / of(beside)
    # A hundredth is not measured.
    return f"{beside[0]}{', ' + beside[1] if beside[1] else ''}", ratio, most, None if most is None else round(ratio, 2) <= most


def lines(figures):
    order = list(dict.fromkeys(key[:3] for key in figures.values))
    for repository, net in dict.fromkeys(key[:2] for key in order):
        rows = [row for r, n, row in order if (r, n) == (repository, net)]
        for row in sorted(rows, key=lambda row: (row.startswith(("requests", "bytes")), rows.index(row))):
            beside, ratio, most, met = judged(figures, repository, net, row)
            bar = "" if most is None else shown(row, most) if ratio is None else f"<= {most:g}"
            yield [repository, net, row, *(shown(row, figures.median(repository, net, row, way)) for way in WAYS),
                   "" if ratio is None else f"{ratio:.2f}", beside, bar, "" if met is None else "met" if met else "MISSED"]


def flat(figures):
    big, small, most = FLAT
    for net in dict.fromkeys(key[1] for key in figures.values):
        for row in ("first file", "first deep file"):
            a, b = (figures.median(name, net, row, "ours") for name in (big, small))
            if a and b:
                yield [f"{big} ÷ {small}", net, row, *[""] * len(WAYS), f"{a / b:.2f}", "", f"<= {most}",
                       "met" if round(a / b, 2) <= most else "MISSED"]


def report(figures, runs, failures=()):
    head = ["repository", "net", f"medians of {runs}", *WAYS, "ratio", "to", "bar", ""]
    rows = list(lines(figures)) + list(flat(figures))
    # A way that nobody went takes no place.
    kept = [i for i in range(len(head)) if not head[i] or any(r[i] for r in rows)]
    rows = [[r[i] for i in kept] for r in [head, *rows]]
    wide = [max(len(r[i]) for r in rows) for i in range(len(kept))]
    table = ["  ".join(c.ljust(w) for c, w in zip(r, wide)).rstrip() for r in rows]
    table.insert(1, "  ".join("-" * w for w in wide))
    told = [r[-1] for r in rows]
    missed = [" ".join(filter(None, r[:3])) for r in rows if r[-1] == "MISSED"]
    return "\n".join([*table, "", f"{told.count('met')} bars met, {len(missed)} missed", *(f"  missed: {m}" for m in missed),
                      *(f"  FAILED: {f}" for f in failures)])
