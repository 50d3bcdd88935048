"""The data: which workspaces and repositories there are, and the bare repositories behind them.

data="demo" is small and quick, "tests" has the 200 MB file besides, "bench" a repository of 57,000 files too.
What is in git is built once into a directory and used again from there; what is pushed goes into copies.
"""
import fcntl
import os
import shutil

from . import data_acme, data_busy, data_files, data_hard, data_pulls, data_refs, data_settings, data_snippets, data_work, gitrepo
from .model import Project, Repository, State, User, Workspace, day, uid

VERSION = "6"

USERS = [("ada", "Ada Lindqvist", "ada"), ("ben", "Ben Okafor", "ben"), ("chen", "Chen Wei", "chen"),
         ("dana", "Dana Petrova", "dana"), ("gone", "Old Colleague", "old colleague")]

# slug, name, language, project, private, days after the start of 2026 (made, changed), maker, description
ACME = [
    ("handbook", "Handbook", "markdown", "DOC", True, 1, 250, "ada", "How we work, what we promise, whom to ask"),
    ("widgets", "widgets", "c", "PROD", True, 2, 303, "ada", "Makes widgets, one at a time"),
    ("website", "Website", "javascript", "PROD", False, 5, 290, "dana", "www.acme.example: the shop and everything around it"),
    ("infra", "infra", "hcl", "OPS", True, 8, 211, "ben", "Networks, machines and who may touch them"),
    ("billing", "Billing", "python", "PROD", True, 12, 305, "chen",
     "Invoices, taxes, dunning.\n\nAsk **Chen** before a release."),
    ("firmware", "Firmware", "c", "PROD", True, 20, 270, "gone", "What runs inside a widget"),
    ("empty-for-now", "Empty for now", "", "DOC", True, 310, 310, "ben", ""),
]
LANGUAGES = ["python", "java", "go", "c", "typescript", "rust", "kotlin", "", "c++", "shell", "ruby", "php"]
NOUNS = ["ledger", "gateway", "mailer", "search", "report", "import", "export", "auth", "cart", "stock", "quote", "label",
         "sensor", "router", "queue", "cache", "audit", "backup", "chat", "forms"]
KINDS = ["service", "client", "worker", "ui", "tools", "schema", "jobs", "proxy", "docs", "tests"]
NOTES = ["The {noun} {kind}", "Talks to the {noun} and nothing else", "{noun} {kind}, replaces the old one", "",
         "Überwacht „{noun}“ für Köln und Zürich", "{noun}を管理する{kind}", "First line\nsecond line\twith a tab",
         "Back\\slash and \"quotes\" in the {noun}", "🚚 {noun} on the move", "  spaces around  "]


def add(w, slug, pristine, made, changed, owner, **more):
    r = Repository(slug, uid("repository", w.slug, slug), more.pop("name", slug), day(made, 60 + len(w.repositories)),
                   day(changed, 3600), owner, workspace=w, pristine=pristine, **more)
    if pristine == "empty":
        r.mainbranch = None
    w.repositories[slug] = r
    return r


def workspace(state, slug, name, made, members, projects, **more):
    w = Workspace(slug, name, uid("workspace", slug), day(made), dict(members), **more)
    for key, title, private in projects:
        w.projects[key] = Project(key, title, uid("project", slug, key), f"{title} of {name}", private)
    state.workspaces[slug] = w
    return w


def many(state):
    """A thousand repositories, of which few have much in them."""
    w = workspace(state, "monolith-labs", "Monolith Labs", 0, {"ada": "member", "ben": "owner", "chen": "member"},
                  [("ENG", "Engineering", True), ("LAB", "Laboratory", True), ("OSS", "Open Source", False)])
    add(w, "monolith", "monolith", 4, 160, "ben", name="monolith", language="go", project="ENG", description="Where it all began")
    for i in range(1, 1000):
        noun, kind = NOUNS[i % 20], KINDS[i // 20 % 10]
        slug = f"{noun}-{kind}" + (f"-{i // 200 + 1}" if i >= 200 else "")
        slug += ".js" if i % 41 == 0 else "_old" if i % 37 == 0 else ""
        empty = i % 29 == 0
        add(w, slug, "empty" if empty else "tiny", 5 + i * 300 // 1000, 10 + i * 7919 % 310, ("ben", "chen", "ada")[i % 3],
            name=slug.replace("-", " ").title() if i % 3 else slug, language="" if empty else LANGUAGES[i * 7 % 12],
            project=("ENG", "LAB", "OSS")[i * 3 // 1000], is_private=i * 3 // 1000 != 2, size=0 if empty else 600 + i * i % 900000,
            description=NOTES[i * 13 % 10].format(noun=noun, kind=kind),
            website="https://labs.example/%s" % slug if i % 17 == 0 else None)
    return w


def build_state(kind, sizes):
    state = State()
    for key, name, nickname in USERS:
        state.users[key] = User(key, name, nickname, f"{key}@example.com")
    state.users["erik"] = User("erik", "Erik Østergård", "erik", "erik@example.com", old=True)
    state.users["bot"] = User("bot", "Renovate", "renovate", "bot@example.com", kind="app_user")
    w = workspace(state, "acme", "Acme", 0, {"ada": "owner", "ben": "member", "chen": "member", "dana": "collaborator"},
                  [("PROD", "Product", True), ("OPS", "Operations", True), ("DOC", "Documents", True)])
    for slug, name, language, project, private, made, changed, owner, description in ACME:
        add(w, slug, "empty" if slug == "empty-for-now" else slug, made, changed, owner, name=name, language=language,
            project=project, is_private=private, description=description)
    w.repositories["website"].website = "https://www.acme.example/"
    w.repositories["website"].fork_policy = "allow_forks"
    many(state)
    w = workspace(state, "ada-lindqvist", "Ada Lindqvist", 0, {"ada": "owner"}, [("HOME", "Home", True)], is_personal=True,
                  is_private=True)
    add(w, "dotfiles", "dotfiles", 33, 222, "ada", language="vim script", project="HOME", description="My own")
    add(w, "website", "website", 100, 101, "ada", language="javascript", project="HOME", parent="acme/website",
        description="A fork")
    add(w, "widgets", "widgets-fork", 290, 303, "ada", language="c", project="HOME", parent="acme/widgets",
        description="A fork with work of its own")
    w = workspace(state, "edge", "Edge Cases", 0, {"ada": "owner"}, [("EDGE", "Edge", True)])
    for slug, description in (("hard", "Everything a tree can hold"), ("empty", "Nothing was ever pushed"),
                              ("hostile", "Trees that git would refuse"), ("sha256", "Another hash"),
                              ("refs", "Every name that a branch can have"), ("busy", "2,000 pull requests")):
        name = slug + "-small" if (slug, kind) == ("hard", "demo") else slug
        add(w, slug, name, 0, 5, "ada", project="EDGE", description=description)
    add(w, "runs", "widgets", 0, 6, "ada", project="EDGE", description="640 pipelines")
    add(w, "files", "tiny", 0, 6, "ada", project="EDGE", description="Downloads of every kind")
    w = workspace(state, "opensource", "Open Source Society", 0, {"gone": "owner"}, [("ALL", "All", False)])
    add(w, "libtiny", "libtiny", 3, 190, "gone", language="c", project="ALL", is_private=False, fork_policy="allow_forks",
        description="Small on purpose")
    add(w, "hidden", "secret", 3, 4, "gone", project="ALL", description="A private one among public ones")
    w = workspace(state, "vault", "Vault", 0, {"gone": "owner"}, [("V", "V", True)], is_private=True)
    add(w, "secret", "secret", 3, 4, "gone", project="V", description="Not for you")
    add(w, "widgets", "widgets-fork", 291, 302, "gone", language="c", project="V", parent="acme/widgets", description="Not for you either")
    if kind == "bench":
        w = workspace(state, "bench", "Bench", 0, {"ada": "owner"}, [("B", "Bench", True)])
        add(w, "forest", "forest", 1, 2, "ada", language="javascript", project="B", description="57,000 files")
    for w in state.workspaces.values():
        for r in w.repositories.values():
            r.size = r.size or sizes.get(r.pristine, 0)
    data_work.fill(state)
    data_files.fill(state)
    data_settings.fill(state)
    data_snippets.fill(state)
    data_pulls.fill(state)
    return state


def makers(kind):
    made = {name: getattr(data_acme, name) for name in
            ("widgets", "website", "infra", "billing", "handbook", "firmware", "dotfiles", "libtiny", "secret", "tiny", "monolith")}
    made.update({"widgets-fork": data_acme.widgets_fork}, refs=data_refs.refs, busy=data_busy.busy, snippets=data_snippets.build)
    made.update(empty=gitrepo.init, hostile=data_hard.hostile, sha256=data_hard.sha256)
    if kind == "demo":
        made["hard-small"] = lambda d: data_hard.hard(d, big=False)
    else:
        made["hard"] = data_hard.hard
    if kind == "bench":
        made["forest"] = data_hard.forest
    return made


def build_git(root, kind):
    """Builds what is missing below root; {name: size}."""
    base = os.path.join(root, "pristine-" + VERSION)
    os.makedirs(base, exist_ok=True)
    with open(os.path.join(base, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sizes = {}
        for name, make in makers(kind).items():
            place, note = os.path.join(base, name + ".git"), os.path.join(base, name + ".size")
            if not os.path.exists(note):
                shutil.rmtree(place, ignore_errors=True)
                make(place)
                with open(note + ".new", "w") as f:
                    f.write(str(gitrepo.size(place)))
                os.rename(note + ".new", note)
            with open(note) as f:
                sizes[name] = int(f.read())
        return base, sizes
