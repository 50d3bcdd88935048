"""The snippets: a few that read like real ones, and in `edge` every kind of file and more than a page of them."""
from . import gitrepo
from .data_review import RTL
from .gitrepo import EPOCH, Importer
from .model import day, uid
from .snippets import Snippet

DAY = 86400
ADA, BEN = "Ada Lindqvist <ada@example.com>", "Ben Okafor <ben@example.com>"
GONE = "Old Colleague <old@example.net>"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")
N = 130                             # plain ones in edge


def odd_files():
    return {
        "a.txt": "foo\n", "no-newline.txt": "no newline", "empty": b"", "only-newline": "\n", "crlf.txt": "one\r\ntwo\r\n", "ends-in-cr.txt": b"x\r",
        "binary.bin": bytes(range(256)) * 20, "image.png": PNG, "Überraschung.md": "# Größe\n", "日本語.txt": "三\n", "🙂": "face\n",
        "with space.txt": "1\n", "quote\"'.txt": "2\n", "back\\slash": "3\n", "semi;colon": "4\n", "index.tsv": "ours\n", "100%.txt": "5\n", "-rf": "6\n",
        ".hidden": "7\n", "src/inner.c": "int inner;\n", "CASE": "8\n", "case": "9\n", "n" * 200 + ".txt": "long\n",
        "boundary.txt": "--===============0000000000000000000==\nContent-Type: text/plain\n\nnot a part\n--===============0000000000000000000==--\n",
        "long-line.txt": "x" * 3000 + "\n", "dots.txt": ".\n..\nFrom here\n", "big.txt": "0123456789abcdef\n" * 60000,
    }


def build(git_dir):
    gitrepo.init(git_dir)
    imp = Importer(git_dir)
    first = imp.commit("kypj", "Create", ADA, EPOCH + 30 * DAY, {"deploy.sh": "#!/bin/sh\nrsync -a build/ prod:/srv\n"})
    second = imp.commit("kypj", "Ask first", BEN, EPOCH + 31 * DAY, {"deploy.sh": "#!/bin/sh\nset -e\nread -p 'Sure? ' x\nrsync -a build/ prod:/srv\n"},
                        parent=first)
    imp.commit("kypj", "Say how\n\nWith an example.", ADA, EPOCH + 33 * DAY, {"README.md": "# deploy\n\n    sh deploy.sh\n", "logo.png": PNG},
               parent=second)
    imp.commit("Xqoz8B", "Create", BEN, EPOCH + 50 * DAY, {"query.sql": "SELECT * FROM widgets;\n"})
    imp.commit("gR9bLA", "Create", GONE, EPOCH + 60 * DAY, {"größe.txt": "Grüße\n"})
    imp.commit("odd", "Create", ADA, EPOCH + 70 * DAY, odd_files())
    imp.commit("plain", "Create", ADA, EPOCH + 80 * DAY, {"snippet.txt": "one\n"})
    at = imp.commit("long", "Version 0", ADA, EPOCH + 90 * DAY, {"log.txt": "0\n"})
    for i in range(1, 70):
        at = imp.commit("long", f"Version {i}", ADA, EPOCH + 90 * DAY + i * 60, {"log.txt": f"{i}\n"}, parent=at)
    imp.close()


def comments():
    return [{"id": 5001, "who": "ben", "when": day(31), "text": "This deletes production when it is *empty*."},
            {"id": 5002, "who": "ada", "when": day(31, 60), "text": "Not any more.", "parent": 5001},
            {"id": 5003, "who": None, "when": day(32), "text": "From somebody who left"},
            {"id": 5004, "who": "erik", "when": day(33), "text": "Größe\r\nzwei", "parent": 5002},
            {"id": 5005, "who": "ben", "when": day(34), "text": "", "deleted": True}]


def edge():
    titles = ("", "tab\there", "line\nbreak", "back\\slash", RTL, "日本語", "🚀", "t" * 250, "..", "a/b", "<b>bold</b>")
    plain = [Snippet(f"p{i:04}", titles[i % 11], day(80 + i // 10, i), day(81 + i // 10, i), (None, "ada", "bot", "erik")[i % 4], branch="plain")
             for i in range(N)]
    return [Snippet("odd", "Files of every kind", day(70), day(70), comments=[
                {"id": 6000 + i, "who": "ada", "when": day(70, i), "text": f"Remark {i}"} for i in range(120)]),
            Snippet("long", "Seventy versions", day(90), day(91)), Snippet("spam", "Buy now", day(60), day(60), branch="plain", spam=True), *plain]


def fill(state):
    """Gives the state its snippets."""
    def at(slug):
        return uid("workspace", slug)
    state.snippets = {
        at("acme"): [Snippet("kypj", "How we deploy", day(30), day(33), "ada", comments=comments(), watchers=["ada", "ben"]),
                     Snippet("Xqoz8B", "Widgets by colour", day(50), day(50), "ben", is_private=False, watchers=["chen"]),
                     Snippet("gR9bLA", "Grüße \u2013 an alle", day(60), day(60), None)],
        at("edge"): edge(), at("ada-lindqvist"): [Snippet("meOnly", "Mine", day(40), day(40), branch="plain")],
        at("opensource"): [Snippet("open1", "Everybody's", day(41), day(41), "gone", is_private=False, branch="plain"),
                           Snippet("shut1", "Nobody's", day(42), day(42), "gone", branch="plain")]}
