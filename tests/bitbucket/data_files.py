"""The files under Downloads: a few that read like real ones in acme/widgets, every kind in edge/files."""
from .data_review import RTL
from .files import Download
from .model import day, uid
from .storage import Made

TWO_GB = (1 << 31) + 17             # beyond what 31 bits count


def widgets():
    return [
        Download("widgets-1.0.tar.gz", Made(180_017, "1.0"), day(92), count=412),
        Download("widgets-1.1.tar.gz", Made(190_003, "1.1"), day(201), "chen", 77),
        Download("Übersicht (final).pdf", "%PDF-1.7\nnot really\n", day(210), "dana"),
        Download("CHECKSUMS", "0123  widgets-1.0.tar.gz\n4567  widgets-1.1.tar.gz\n", day(201, 60), None),
    ]


def files():
    names = ("a b.txt", "a+b & c=d?.txt", "100%.txt", "%41.txt", "#1.txt", "semi;colon.txt", "quote\"'.txt", "back\\slash.txt", "-rf",
             ".hidden", "index.tsv", "index.json", "..", ".", "tab\there.txt", "line\nbreak.txt", "a/b.txt", "日本語.txt", "🙂.bin", RTL + ".txt",
             "Überraschung.txt", "U\u0308berraschung.txt", "CASE.txt", "case.txt", "n" * 251 + ".txt", "n" * 300, "ü" * 200, " leading", "trailing ")
    made = [Download(name, f"{i}: {name}\n", day(1, i), (None, "ada", "erik", "bot")[i % 4], i) for i, name in enumerate(names)]
    return made + [
        Download("two-gigabytes.bin", Made(TWO_GB, "two"), day(2)),
        Download("empty", b"", day(3)),
        Download("binary.bin", bytes(range(256)) * 40, day(3, 1)),
        Download("ten-megabytes.bin", Made(10_000_001, "ten"), day(3, 2)),
        Download("grew.log", "longer than the list says\n", day(3, 3), said=3),
        Download("shrank.log", "short\n", day(3, 4), said=1000),
        Download("odd-size", "its size is no number in the list\n", day(3, 5), said="large"),
    ]


def fill(state):
    """Gives the state its downloads."""
    state.downloads = {uid("repository", "acme", "widgets"): widgets(), uid("repository", "edge", "files"): files()}
