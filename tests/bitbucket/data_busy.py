"""edge/busy: exactly 2,000 pull requests, each with a commit of its own behind it."""
from datetime import timedelta

from . import gitrepo
from .data_review import RTL, SCRATCH, close, keep
from .gitrepo import EPOCH, Importer
from .model import START, stamp
from .pulls import Comment, Pull

N = 2000
STEP = 12600                        # seconds from one to the next
WHO = "Ben Okafor <ben@example.com>"
AUTHORS = ("ada", "ben", "chen", "dana", "gone", "bot", "erik", None)
TITLES = ("Add a cache", "Remove the cache", "Überarbeite die Größe", "修正: 日本語の名前", RTL + " (RTL)", "Tidy\tup \\ the {brackets}",
          "Ship it 🚀", "Say \"no\" to <b>HTML</b> & co", "Revert \"Add a cache\"", "x" * 250)


def is_open(i):
    return i in (3, 404) or i > 1840 and i % 4 != 1


def state_of(i):
    return "OPEN" if is_open(i) else "SUPERSEDED" if i % 23 == 0 else "DECLINED" if i % 11 == 0 else "MERGED"


def title(i):
    return (f"BUSY-{i}: " if i % 3 == 0 else "") + TITLES[i % len(TITLES)]


def busy(git_dir):
    gitrepo.init(git_dir)
    imp = Importer(git_dir)
    main = imp.commit("main", "Begin", WHO, EPOCH, {"README.md": "# busy\n"})
    for i in range(1, N + 1):
        when, files = EPOCH + i * STEP, {f"notes/{i % 40:02}/{i:04}.txt": f"note {i}\n"}
        source = imp.commit(f"topic/{i}" if is_open(i) else SCRATCH, title(i), WHO, when - 900, files, parent=main)
        keep(imp, f"pr/{i}", source)
        keep(imp, f"pr/{i}/to", main)
        if state_of(i) == "MERGED":
            main = imp.commit("main", f"Merged in topic/{i} (pull request #{i})\n\n{title(i)}\n", WHO, when + 600, files,
                              parent=main, merge=source)
            keep(imp, f"pr/{i}/merged", main)
    close(imp)


def same_moments():
    """{number: the one whose created_on it shares}: where pages of 50 end, in either order, of all and of the open ones."""
    numbers, opened, found = list(range(1, N + 1)), [i for i in range(1, N + 1) if is_open(i)], {}
    for every in (numbers, opened):
        for at in range(50, len(every), 50):
            for first, last in ((every[at - 1], every[at]), (every[-at - 1], every[-at])):
                if last - first < 10:               # the two old open ones are apart
                    found.update((i, found.get(first, first)) for i in range(first + 1, last + 1))
    return found


def pulls():
    """All of them; called when somebody first asks."""
    same, found = same_moments(), []
    for i in range(1, N + 1):
        made = START + timedelta(seconds=same.get(i, i) * STEP, microseconds=same.get(i, i) * 7919 % 1000000)
        changed = made + timedelta(hours=i * 7919 % 600 + 1, microseconds=i)
        state = state_of(i)
        p = Pull(i, title(i), AUTHORS[i % len(AUTHORS)], f"topic/{i}", stamp(made), stamp(changed), state,
                 description="" if i % 5 else f"Number {i}\r\n\r\n* one\r\n* two", reviewers=["ada", "chen"][:i % 3],
                 approved=["ada"] if i % 3 and i % 2 else [], draft=state == "OPEN" and i % 10 == 0, close=i % 2 == 0)
        if state != "OPEN":
            p.at, p.closed_by = (f"pr/{i}", f"pr/{i}/to"), AUTHORS[i // 8 % len(AUTHORS)]
            p.merge = f"pr/{i}/merged" if state == "MERGED" else None
            p.reason = "No longer wanted" if state == "DECLINED" and i % 2 else ""
        if i % 17 == 0:
            p.comments = [Comment(i * 100 + k, AUTHORS[(i + k) % 7], stamp(made + timedelta(minutes=k)), f"Remark {k}") for k in range(i % 7)]
        found.append(p)
    return found
