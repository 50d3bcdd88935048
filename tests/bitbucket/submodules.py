"""Repositories with submodules of each kind, made when a test asks for them: those that `git clone --recurse-submodules` can
follow, and what it cannot or must not."""
WHO = "Ada Lindqvist <ada@example.com>"
BOGUS = "1234567890abcdef1234567890abcdef12345678"


def gitmodules(*lines):
    """Of (name, path, url)."""
    return "".join(f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n' for name, path, url in lines)


def host(bb):
    """127.0.0.1, without a port: where SSH would be."""
    return bb.git_url.split("://")[1].split(":")[0]


def make(bb, ws="acme"):
    """lib, mid (which has lib), self (which has itself) and super, which has them by each form of an address; the commits."""
    made = {}

    def push(slug, files, **more):
        if not bb.state.repository(ws, slug):
            bb.create_repo(ws, slug, pristine="empty")
        made[slug] = bb.push(ws, slug, files, **more)
        return made[slug]
    older = push("lib", {"lib.c": "int lib = 1;\n", "run": ("exec", "#!/bin/sh\n"), "link": ("symlink", "lib.c"), "gone": "x\n",
                         "deep/in/it.txt": "deep\n"}, when=1_600_000_000)
    lib = push("lib", {"lib.c": "int lib = 2;\n", "gone": None}, when=1_700_000_000)
    mid = push("mid", {"mid.txt": "mid\n", ".gitmodules": gitmodules(("l", "inner/lib", "../lib")), "inner/lib": ("submodule", older)})
    pages = push("self", {"pages.html": "<p>\n"}, when=1_600_000_000)
    push("self", {".gitmodules": gitmodules(("pages", "pages", "../self.git/")), "pages": ("submodule", pages)}, when=1_600_000_100)
    http = f"{bb.git_url}/{ws}"
    user = http.replace("://", "://somebody@")
    forms = {
        "relative": ("../lib.git", lib), "without-git": ("../lib", older), "other-workspace": (f"../../{ws}/lib.git", lib),
        "https": (f"{http}/lib.git", lib), "user": (f"{user}/lib", older), "slash": (f"{http}/Lib.git/", lib),
        "ssh": (f"ssh://git@{host(bb)}/{ws}/lib.git", lib), "scp": (f"git@{host(bb)}:{ws}/lib.git", lib),
        "vendor/nested": ("../mid.git", mid), "self": ("../self.git", made["self"]),
    }
    files = {path: ("submodule", commit) for path, (_, commit) in forms.items()}
    files[".gitmodules"] = gitmodules(*((path, path, url) for path, (url, _) in forms.items()))
    push("super", {**files, "README.md": "# super\n", "vendor/README": "what is not ours\n"})
    made.update(older=older, pages=pages)
    return made


def make_odd(bb, ws="acme"):
    """What cannot be followed: odd, after make."""
    lines = [
        ("foreign", "foreign", "https://github.com/acme/lib.git"), ("file", "file", "/srv/git/lib.git"),
        ("option", "option", "--upload-pack=touch /tmp/owned"), ("ext", "ext", '"ext::sh -c touch% /tmp/owned"'),
        ("lines", "lines", '"../lib.git\\n--upload-pack=x"'), ("../../out", "name-leads-out", "../lib.git"),
        ("leads-out", "../../out", "../lib.git"), ("dash", "-dash", "../lib.git"), ("above", "above", "../../../../etc/lib.git"),
        ("private", "private", "../../vault/widgets.git"), ("missing", "missing", "../no-such.git"), ("lost", "lost", "../lib.git"),
        ("not-one", "README.md", "../lib.git"), ("absent", "absent", "../lib.git"),
    ]
    paths = [path for _, path, _ in lines if path not in ("../../out", "README.md", "absent")] + ["unnamed"]
    bb.create_repo(ws, "odd", pristine="empty")
    return bb.push(ws, "odd", {**{path: ("submodule", BOGUS) for path in paths}, "README.md": "# odd\n",
                               ".gitmodules": gitmodules(*lines) + '[include]\n\tpath = /dev/zero\n'})
