#!/usr/bin/env python3
"""Holds the floors and the doors of the program, from its #include lines, and
that no files of a floor call each other in a circle, from its symbols.

    tests/layers.py [ROOT]         exit 1 and a line for each violation
    tests/layers.py --self-test    finds each kind of violation in a tree made
                                   for it, and none in a clean one

Floors: an #include goes down, as BELOW says. Doors: a vendor's header is
included in one place, as DOORS says. Circles: x.c and x_*.c are one module, so
is a folder of MODULES; modules of a floor may not need each other in a circle.
Besides: a header in include/ is for another floor, one in src/ for its own; what
a floor must never know is not dragged in by what it includes (NEVER_SEES); no
file over 800 lines, no floor over a quarter of the program, no file that no
meson.build lists, no function that nobody calls and none that leaves its file
without need (FOR_TESTS), no symbol without its module's prefix, no request
that waits until the kernel was told of a change (WAITS), no file that derives
and has no part in the mark of it (DERIVES), and no function that cannot say how
much it writes or hides its errors.
"""

import fnmatch
import pathlib
import re
import sys
import tempfile

import checks

FLOORS = ("cmd", "setup", "fs", "model", "content", "clone", "api", "table", "wire",
          "store", "base")

# What each floor may include, beside itself. wire and store never see each
# other; content, clone and api see both, and cmd, which puts the parts together.
BELOW = {
    "cmd": set(FLOORS),
    "setup": {"api", "wire", "store", "base"},
    "fs": {"model", "base"},
    "model": {"content", "clone", "api", "table", "base"},
    "content": {"api", "table", "wire", "store", "base"},
    "clone": {"api", "wire", "store", "base"},
    "api": {"wire", "store", "base"},
    "table": {"base"},
    "wire": {"base"},
    "store": {"base"},
    "base": set(),
}

# vendor: (its headers, the files that may include them)
DOORS = {
    "curl": (("curl/*",), ("src/wire/http.c", "src/wire/http_errno.c",
                           "src/wire/http_url.c")),
    "SQLite": (("sqlite3*.h",), ("src/store/cache*.c",)),
    "libgit2": (("git2.h", "git2/*"), ("src/store/objects*.c",)),
    "cJSON": (("cJSON*.h", "cjson/*"), ("src/base/json.c",)),
    "FUSE": (
        ("fuse*.h", "fuse/*", "fuse3/*", "linux/fuse.h"),
        ("src/fs/*", "include/fs/*"),
    ),
    "threads": (
        ("pthread.h", "threads.h", "semaphore.h"),
        ("include/base/sync.h",),
    ),
    "uthash": (
        ("uthash.h", "utlist.h", "utarray.h", "utstring.h", "utringbuffer.h"),
        ("include/base/map.h",),
    ),
    # What is run beside us; token_command has a terminal to care for, too.
    "posix_spawn": (("spawn.h",), ("src/base/program.c", "src/setup/token_command.c", "src/cmd/browser.c")),
    "nettle": (("nettle/*",), ("src/base/digest.c",)),
    "zlib": (
        ("zlib.h", "zconf.h"),
        ("src/store/pack_read.c", "src/base/digest.c"),
    ),
    "libdeflate": (("libdeflate.h",), ("src/store/pack_map.c", "src/base/digest.c")),
    "libsecret": (("libsecret/*",), ("src/setup/secret_service.c",)),
    "syslog": (("syslog.h", "sys/syslog.h"), ("src/base/log.c",)),
}

# The programs of a vendor, and the file that alone starts them.
PROGRAMS = {
    "OpenSSH": (("ssh", "ssh-add", "ssh-keygen", "ssh-keyscan"), "src/wire/ssh_run.c"),
}

# What a floor sees of no other, however it is included.
NEVER_SEES = {"fs": {"content", "clone", "api", "table", "wire", "store"}}

# Folders that are one module: their files are its parts.
MODULES = ("src/clone",)

# What runs in a thread of a request, what it must not call, however deep, and
# how model/ tells the kernel.
REQUESTS = ("src/fs/ops.c",)
WAITS = {"cond_wait", "cond_wait_until", "thread_join"}
KERNEL_TELLS = {"entry", "inode", "arg"}

# What only tests call: clocks and bounds that they set, what they look at.
FOR_TESTS = set("""
    clock_advance clock_fake clock_real clock_suspend ctx_group_waiting
    objects_keep_big objects_big_compared objects_alloc_most
    objects_disk_bytes objects_trim spool_disk_bytes listed_all_bytes
    listed_all_pins
    upload_pack_patience stream_source_url evict_keep evict_drop
""".split())

LINES_MOST = 800
SHARE_MOST = 0.25
# A program that is smaller than this has no floor that is too large.
SHARE_FROM = 10000

BANNED = set(
    """
    strcpy strcat strncat sprintf vsprintf gets strtok atoi atol atoll atof
    tmpnam tempnam mktemp alloca gmtime localtime ctime asctime
    """.split()
)
# A test may start git by a shell; the program starts nothing by one.
BANNED_IN_PROGRAM = BANNED | {"system", "popen"}

INCLUDE = re.compile(r"^\s*#\s*include\s*(?:\"([^\"]*)\"|<([^>]*)>|(.*))")
CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")
# A comment, a string or a character: nothing in them is code.
NO_CODE = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


def blank(match):
    """As many lines as before, and nothing in them."""
    return "\n" * match.group().count("\n") or " "


def without_comments(text):
    """Comments blanked; strings stay, because #include lines are made of them."""
    return NO_CODE.sub(
        lambda m: blank(m) if m.group().startswith("/") else m.group(), text
    )


def floor_of(path):
    """src/wire/http.c and include/wire/http.h: wire."""
    parts = path.split("/")
    if parts[0] in ("src", "include") and len(parts) > 2:
        return parts[1] if parts[1] in FLOORS else None
    return None


def check_quoted(root, path, floor, header):
    """An #include of ours."""
    target = header.split("/")[0] if "/" in header else floor
    if target not in FLOORS:
        return f"\"{header}\" is on no floor"
    places = [f"include/{header}"]
    if target == floor:
        places.append(f"src/{header}")
    elif not (root / places[0]).is_file() and (root / "src" / header).is_file():
        # Of a floor that it may not see at all, that is said below.
        if target in BELOW[floor]:
            return f"\"{header}\" is {target}/'s own"
        places.append(f"src/{header}")
    if "/" not in header:
        # What lies beside it: the private header of a split module.
        places = [str(pathlib.PurePosixPath(path).parent / header)]
    if not any((root / place).is_file() for place in places):
        return f"\"{header}\" does not exist"
    if target == floor or target in BELOW[floor]:
        return None
    if {target, floor} == {"wire", "store"}:
        return f"{floor}/ includes \"{header}\": wire and store never meet"
    if FLOORS.index(target) < FLOORS.index(floor):
        return f"{floor}/ includes \"{header}\", which is above it"
    return (
        f"{floor}/ includes \"{header}\" past the floors between "
        f"(it may see {', '.join(sorted(BELOW[floor]))})"
    )


def check_door(path, header):
    """An #include of somebody else's header."""
    for vendor, (headers, places) in DOORS.items():
        if any(fnmatch.fnmatchcase(header, h) for h in headers):
            if not any(fnmatch.fnmatchcase(path, p) for p in places):
                return f"<{header}>: {vendor} only in {', '.join(places)}"
    return None


def check_includes(root, path, text):
    floor = floor_of(path)
    if floor is None:
        yield 1, "is on no floor"
        return
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled, other = match.groups()
        if other is not None:
            yield number, f"#include {other.strip()}: name the file"
            continue
        header = quoted or angled
        # Ours in angle brackets would pass as a vendor's.
        ours = quoted is not None or header.split("/")[0] in FLOORS
        found = check_door(path, header)
        if not found and ours and "/.." not in "/" + header:
            found = check_quoted(root, path, floor, header)
        elif not found and ours:
            found = f"\"{header}\" goes around the floors"
        if found:
            yield number, found


def check_calls(text, banned):
    for number, line in enumerate(NO_CODE.sub(blank, text).split("\n"), 1):
        # defs.h names them in order to forbid them.
        if re.match(r"\s*#\s*pragma\b", line):
            continue
        for name in CALL.findall(line):
            if name in banned:
                yield number, f"{name}() is banned"


def check_programs(path, text):
    """An argument vector that begins with such a program."""
    code = without_comments(text)
    for vendor, (names, place) in PROGRAMS.items():
        for match in re.finditer(r'\{\s*"([^"\\]*)",\s*"-', code):
            if match.group(1) in names and path != place:
                yield (code.count("\n", 0, match.start()) + 1,
                       f"\"{match.group(1)}\": {vendor}'s programs only in {place}")


def check_length(text):
    n_lines = text.count("\n")
    if n_lines > LINES_MOST:
        yield n_lines, f"{n_lines} lines, {LINES_MOST} at most"


# ---- what a header drags in ----

def included(text):
    for line in without_comments(text).split("\n"):
        match = INCLUDE.match(line)
        if match and match.group(1) and "/" in match.group(1):
            yield match.group(1)


def find_header(root, header):
    for top in ("include", "src"):
        if (root / top / header).is_file():
            return root / top / header
    return None


def check_drags(root):
    """Headers that a floor sees by way of others."""
    for floor, never in sorted(NEVER_SEES.items()):
        files = [f for top in ("include", "src")
                 for f in sorted((root / top / floor).rglob("*.[ch]"))]
        for file in files:
            seen, todo = {}, [(h, h) for h in included(file.read_text())]
            while todo:
                header, by = todo.pop()
                at = find_header(root, header)
                if header in seen or not at:
                    continue
                seen[header] = by
                todo += [(h, by) for h in included(at.read_text())]
            for header, by in sorted(seen.items()):
                # Including `by` itself may be the violation, said above.
                if header.split("/")[0] in never and by.split("/")[0] not in never:
                    yield (f"{file.relative_to(root).as_posix()}:1: \"{by}\" "
                           f"drags in \"{header}\", of which {floor}/ must "
                           "never know")


def check_public(root):
    """Headers in include/ that no other floor needs."""
    needed = set()
    for top in ("include", "src"):
        for file in (root / top).rglob("*.[ch]"):
            floor = file.relative_to(root / top).parts[0]
            for header in included(file.read_text()):
                if top == "include" or header.split("/")[0] != floor:
                    needed.add(header)
    for file in sorted((root / "include").rglob("*.h")):
        header = file.relative_to(root / "include").as_posix()
        if header not in needed:
            yield f"include/{header}:1: only its own floor includes it: src/"


# ---- circles ----

FUNCTION = re.compile(
    r"^(?!static\b|typedef\b|extern\b|else\b)[a-z][\w \t*]*?\b([a-z]\w*)"
    r"\([^;{}]*\)[^;{}=()]*(?:\([^()]*\))?[^;{}=]*\{", re.MULTILINE)
DATA = re.compile(
    r"^(?!static\b|typedef\b|extern\b)(?:const )?(?:struct )?[a-z]\w*(?: const)? "
    r"\*?(?:const )?([a-z]\w*)(?:\[[^\]]*\])*\s*=\s", re.MULTILINE)
WORD = re.compile(r"(?<![\w.])(?<!->)[a-z_]\w*")
# A file's own, whatever it is called elsewhere.
STATIC = re.compile(r"^static\b[^;{}()=]*?\b([a-z]\w*)\s*[(\[=]", re.MULTILINE)


def module_of(path, paths):
    folder = path.rsplit("/", 1)[0]
    if folder in MODULES:
        return folder
    stem = path[len(folder) + 1:-2]
    beside = [p[len(folder) + 1:-2] for p in paths
              if p.rsplit("/", 1)[0] == folder]
    whole = [s for s in beside if stem == s or stem.startswith(s + "_")]
    return f"{folder}/{min(whole, key=len)}"


def needs_of(root, floor):
    """module: {a module that it needs: a symbol}."""
    texts = {f.relative_to(root).as_posix(): NO_CODE.sub(" ", f.read_text())
             for f in sorted((root / "src" / floor).rglob("*.c"))}
    defined = {}
    for path, text in texts.items():
        for pattern in (FUNCTION, DATA):
            for match in pattern.finditer(text):
                defined[match.group(1)] = module_of(path, texts)
    needs = {module_of(path, texts): {} for path in texts}
    for path, text in texts.items():
        module = module_of(path, texts)
        own = set(STATIC.findall(text))
        for word in sorted(set(WORD.findall(text)) - own):
            if defined.get(word, module) != module:
                needs[module].setdefault(defined[word], word)
    return needs


def circle_of(needs, start):
    """The way from a module back to itself, shortest first; None."""
    ways = [[start]]
    seen = set()
    for way in ways:
        for other in sorted(needs[way[-1]]):
            if other == start:
                return way + [start]
            if other not in seen:
                seen.add(other)
                ways.append(way + [other])
    return None


def check_circles(root):
    for floor in FLOORS:
        needs, said = needs_of(root, floor), set()
        for module in sorted(needs):
            way = circle_of(needs, module)
            if not way or set(way) & said:
                continue
            said.update(way)
            steps = [f"{a} needs {needs[a][b]} of {b}"
                     for a, b in zip(way, way[1:])]
            yield f"{module}:1: a circle: {', '.join(steps)}"


def check_shares(root):
    lines = {floor: sum(f.read_text().count("\n") for top in ("include", "src")
                        for f in (root / top / floor).rglob("*.[ch]"))
             for floor in FLOORS}
    total = sum(lines.values())
    for floor, n_lines in lines.items():
        if total > SHARE_FROM and n_lines > SHARE_MOST * total:
            yield (f"src/{floor}:1: {n_lines} of {total} lines: "
                   "more than a quarter of the program")


# ---- symbols ----

def symbols_of(texts):
    """(path, line, symbol, struct) of what leaves its file; of data its struct's
    name, of others None."""
    for path, text in texts.items():
        for pattern in (FUNCTION, DATA):
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start(1)) + 1
                of = re.match(r"const struct (\w+) ", match.group())
                yield (path, line, match.group(1),
                       of.group(1) if of and pattern is DATA else None)


def has_prefix(path, symbol, of):
    """Its file's name, the beginning of that, or its folder's; without
    exception."""
    # A constant is one of its struct's: const struct provider provider_root.
    if of and symbol.startswith(of + "_"):
        return True
    folder, name = path.rsplit("/", 1)
    parts = name[:-2].split("_")
    allowed = ["_".join(parts[:n + 1]) for n in range(len(parts))]
    allowed += folder.split("/")[1:]
    return any(symbol == p or symbol.startswith(p + "_") for p in allowed)


def check_symbols(root):
    """Symbols that nobody needs, or that say another module than theirs."""
    def texts_of(files):
        return {f.relative_to(root).as_posix():
                NO_CODE.sub(blank, f.read_text()) for f in sorted(files)}

    texts = texts_of((root / "src").rglob("*.c"))
    headers = texts_of(f for top in ("include", "src")
                       for f in (root / top).rglob("*.h"))
    words = {path: set(WORD.findall(text)) for path, text in texts.items()}
    # A header uses what it makes a macro or a cleanup of.
    used_by_headers = set()
    for text in headers.values():
        text = text.replace("\\\n", " ")
        for line in re.findall(r"^#\s*define[^\n]*|^DEFINE_\w+\(.*?\);|"
                               r"^static inline.*?^\}", text,
                               re.MULTILINE | re.DOTALL):
            used_by_headers |= set(WORD.findall(line))
    outside = set()
    for top in ("tests/unit", "packaging"):
        for file in (root / top).rglob("*.[ch]"):
            outside |= set(WORD.findall(NO_CODE.sub(blank, file.read_text())))
    for path, line, symbol, of in symbols_of(texts):
        if symbol == "main":
            continue
        if not has_prefix(path, symbol, of):
            yield f"{path}:{line}: {symbol} has not its module's prefix"
        if symbol in used_by_headers or any(
                symbol in words[other] for other in texts if other != path):
            continue
        own = len(re.findall(rf"\b{symbol}\b", texts[path])) > 1
        if symbol in outside and (own or symbol in FOR_TESTS):
            continue
        why = ("only its own file uses it: static" if own else
               "only tests use it" if symbol in outside else "nobody uses it")
        yield f"{path}:{line}: {symbol}: {why}"


# ---- waiting for the kernel ----

BODY = re.compile(r"^[a-z][^;{}=()]*?\b([a-z]\w*)\([^;{}]*\)[^;{}()=]*"
                  r"(?:\([^()]*\))?\s*\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def way_to_wait(calls, start):
    """The way from a function to a call that waits, shortest first; None."""
    ways, seen = [[start]], {start}
    for way in ways:
        for other in sorted(calls.get(way[-1], ())):
            if other in WAITS:
                return way + [other]
            if other not in seen:
                seen.add(other)
                ways.append(way + [other])
    return None


def check_waits(root):
    """That no request waits until the kernel was told of a change: the kernel
    may hear of it only when the request is answered. model/ can tell by the
    members of struct model_kernel alone; neither those, nor what runs in a
    request's thread (REQUESTS), leads to a call that waits."""
    calls, where, roots = {}, {}, set()
    for file in sorted((root / "src/fs").rglob("*.c")):
        path = file.relative_to(root).as_posix()
        for name, body in BODY.findall(NO_CODE.sub(blank, file.read_text())):
            calls[name] = set(WORD.findall(body))
            where[name] = path
            if path in REQUESTS:
                roots.add(name)
            if "struct model_kernel" in body:
                roots |= {told for told in calls[name]
                          if told.startswith("inval_")}
    for name in sorted(roots & set(where)):
        way = way_to_wait(calls, name)
        # Of a way that leads over another root, that one is said.
        if way and not set(way[1:]) & roots:
            yield (f"{where[name]}:1: a request waits: "
                   f"{' calls '.join(way)}")
    header = root / "include/model/model.h"
    text = NO_CODE.sub(blank, header.read_text()) if header.is_file() else ""
    kernel = re.search(r"^struct model_kernel \{(.*?)^\}", text,
                       re.MULTILINE | re.DOTALL)
    members = re.findall(r"\(\*(\w+)\)|\*(\w+);", kernel.group(1)) if kernel else []
    more = {a or b for a, b in members} - KERNEL_TELLS
    if more:
        yield (f"include/model/model.h:1: struct model_kernel has {min(more)}: "
               "it queues what the kernel is told, no more")


# ---- lists of files ----

LISTED = re.compile(r"^ +'([\w./-]+)',$", re.MULTILINE)


def list_in(file):
    """The names of a meson.build: a line each."""
    text = file.read_text() if file.is_file() else ""
    return LISTED.findall(text) + re.findall(r"files\('(\S+)'\)", text)


def check_list(file, names, beside):
    """names, as the list in file has them, beside what lies there."""
    several = [n for n in LISTED.findall(file.read_text())
               if n in names] if file.is_file() else []
    if several != sorted(set(several)):
        yield f"{file}:1: not sorted, or a name twice"
    for name in sorted(set(beside) - set(names)):
        yield f"{file}:1: {name} is not listed, so it is not built"


def check_lists(root):
    """Files that are not built; meson itself says which are missing."""
    sources = sorted((root / "src").rglob("*.c"))
    folders = sorted({f.parent for f in sources})
    found = list(check_list(
        root / "src/meson.build", list_in(root / "src/meson.build"),
        [f.relative_to(root / "src").as_posix() for f in folders]))
    for folder in folders:
        file = folder / "meson.build"
        found += check_list(file, list_in(file),
                            [f.name for f in sources if f.parent == folder])
    tests = [f.stem.removeprefix("test-")
             for f in (root / "tests/unit").glob("test-*.c")]
    file = root / "tests/meson.build"
    found += check_list(file, list_in(file), tests)
    return [line.removeprefix(f"{root}/") for line in found]


# ---- what derives ----

DERIVES = re.compile(r"\b(?:json_pretty|resource_tsv)_?\w*\(")


def check_derives(root):
    """Files that write what is kept, and of which no mark is made: a later
    program would not know its own bytes from theirs."""
    meson = root / "src/meson.build"
    listed = meson.read_text() if meson.is_file() else ""
    for floor in ("api", "content"):
        for file in sorted((root / "src" / floor).rglob("*.c")):
            if (f"'{floor}/{file.name}'" not in listed
                    and DERIVES.search(without_comments(file.read_text()))):
                yield (f"src/{floor}/{file.name}:1: it derives, and is not in "
                       "src/meson.build's list of what does")


def violations(root):
    """All of them, as lines to print; and how many files were read."""
    found, n_files = [], 0
    for top in ("include", "src", "tests/unit"):
        for file in sorted((root / top).rglob("*.[ch]")):
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8", errors="replace")
            text = text.replace("\\\n", "  ") if "#include \\" in text else text
            # A test looks at its module from outside: any floor, any vendor.
            if top == "tests/unit":
                checks = [check_calls(text, BANNED)]
            else:
                checks = [
                    check_calls(text, BANNED_IN_PROGRAM),
                    check_includes(root, path, text),
                    check_programs(path, text),
                ]
            checks.append(check_length(text))
            for check in checks:
                found += [f"{path}:{n}: {what}" for n, what in check]
            n_files += 1
    for check in (check_drags, check_public, check_circles, check_shares,
                  check_lists, check_symbols, check_waits, check_derives):
        found += check(root)
    return found, n_files


CLEAN = {
    "include/base/mem.h": "#include <stddef.h>\n",
    "include/base/map.h": "#include <uthash.h>\n",
    "include/wire/http.h": '#include "base/mem.h"\n',
    "include/store/cache.h": '#include "base/mem.h"\n',
    "include/content/documents.h": '#include "store/cache.h"\n',
    "include/model/model.h": '#include "base/mem.h"\n'
    "struct model_kernel {\n\tvoid (*entry)(void *arg);\n\tvoid *arg;\n};\n",
    "include/fs/session.h": '#include "model/model.h"\n',
    "src/model/node.h": '#include "content/documents.h"\n',
    "src/model/node.c": '#include "model/node.h"\n#include "base/map.h"\n'
    "const struct provider provider_plain = {0};\n",
    "src/model/wiring.c": "static int f(void)\n{\n\treturn provider_plain.x;\n}\n",
    "src/fs/ops.h": '#include "model/model.h"\n#include <fuse_lowlevel.h>\n',
    "src/fs/ops.c": "static void op_read(void)\n{\n\tinval_after();\n}\n",
    "src/fs/inval.c": "static void take(void)\n{\n\tcond_wait();\n}\n"
    "static void inval_main(void)\n{\n\ttake();\n}\n"
    "static void queue(void)\n{\n\tcond_signal();\n}\n"
    "void inval_after(void)\n{\n\tqueue();\n}\n"
    "void inval_entry(void)\n{\n\tqueue();\n}\n",
    "src/fs/session.c": "static void session_kernel(struct model_kernel *k)\n"
    "{\n\t*k = (struct model_kernel){inval_entry};\n}\n",
    "src/base/json.c": "#include <cjson/cJSON.h>\n",
    "src/wire/http.c": '#include "wire/http.h"\n# include <curl/curl.h>\n',
    "src/store/cache_db.c": '#include "cache_private.h"\n#include <sqlite3.h>\n'
    "int cache_open(void)\n{\n\treturn cache_get();\n}\n",
    "src/store/cache.c": "int cache_get(void)\n{\n\treturn cache_open();\n}\n"
    "static int flight_join(void)\n{\n\treturn 0;\n}\n",
    "src/store/cache_private.h": '#include "store/cache.h"\n',
    "src/store/flight.c": "int flight_join(void)\n{\n\treturn cache_get();\n}\n",
    "src/clone/refs.c": "int clone_refs(void)\n{\n\treturn clone_fetch();\n}\n",
    "src/clone/fetch.c": "int clone_fetch(void)\n{\n\treturn clone_refs();\n}\n",
    "src/content/documents.c":
        '#include "wire/http.h"\n#include "store/cache.h"\n',
    "src/cmd/mount.c": '#include "wire/http.h"\n#include "fs/session.h"\n'
    '/* #include <curl/curl.h> strcpy(a, b) */\n'
    '// sprintf(x)\nstatic const char *s = "gets(x)"; int my_strcpy(int);\n',
    "tests/unit/test-http.c": '#include <curl/curl.h>\n#include "fs/ops.h"\n'
    'int git(void) { return system("git init") + flight_land(); }\n',
}

# what is wrong: (the file, its text, what must be said of it)
WRONG = {
    "upwards": (
        "src/base/mem.c", '#include "wire/http.h"\n', "1: base/ includes"),
    "upwards from a header": (
        "include/model/model.h", '#include "fs/session.h"\n',
        "which is above it"),
    "upwards in angle brackets": (
        "src/base/mem.c", "#include <model/model.h>\n", "which is above it"),
    "wire sees store": (
        "src/wire/link.c", '#include "store/cache.h"\n', "never meet"),
    "store sees wire": (
        "src/store/pack.h", '#include "wire/http.h"\n', "never meet"),
    "model sees store": (
        "src/model/problems.c", '#include "store/cache.h"\n',
        "past the floors"),
    "fs sees content": (
        "src/fs/inval.c", '#include "content/documents.h"\n',
        "past the floors"),
    "fs sees what a header drags in": (
        "include/model/model.h", '#include "content/documents.h"\n',
        "drags in"),
    "content sees clone": (
        "src/content/documents.c", '#include "clone/fetch.h"\n', "does not exist"),
    "another floor's private header, not to be seen at all": (
        "src/wire/link.c", '#include "store/cache_private.h"\n', "never meet"),
    "another floor's private header": (
        "src/content/documents.c", '#include "store/cache_private.h"\n',
        "store/'s own"),
    "a public header for nobody": (
        "include/store/pack.h", "int x;\n", "only its own floor"),
    "a circle": (
        "src/store/cache.c", "int cache_get(void)\n{\n\treturn flight_join() "
        "+ cache_open();\n}\n", "a circle: src/store/cache needs flight_join"),
    "a circle of data": (
        "src/store/cache.c", "const struct x cache_get = {\n\tflight_join, "
        "cache_open,\n};\n",
        "a circle: src/store/cache needs flight_join"),
    "a function that nobody calls": (
        "src/store/cache_sums.c", "int cache_sums(void)\n{\n\treturn 0;\n}\n",
        "cache_sums: nobody uses it"),
    "data that nobody uses": (
        "src/store/cache_sums.c", "const int cache_sums[] = {0};\n",
        "cache_sums: nobody uses it"),
    "a function that only its file calls": (
        "src/store/cache_sums.c", "int cache_sums(void)\n{\n\treturn 0;\n}\n"
        "static int f(void)\n{\n\treturn cache_sums();\n}\n", "static"),
    "another module's prefix": (
        "src/cmd/config.c", "int flight_land(void)\n{\n\treturn 0;\n}\n"
        "static int f(void)\n{\n\treturn flight_land();\n}\n",
        "flight_land has not"),
    "a constant of another struct": (
        "src/model/node.c", '#include "base/map.h"\n'
        "const struct vtable provider_plain = {0};\n",
        "provider_plain has not"),
    "a file that is not built": (
        "src/wire/meson.build", "sources += files(\n)\n", "http.c is not listed"),
    "a list that is not sorted": (
        "src/store/meson.build", "sources += files(\n  'cache_db.c',\n"
        "  'cache.c',\n  'flight.c',\n)\n", "not sorted"),
    "a folder that is not built": (
        "src/meson.build", "foreach folder : [\n    'base',\n    'clone',\n"
        "    'cmd',\n    'content',\n    'fs',\n    'model',\n    'store',\n"
        "  ]\nendforeach\n", "wire is not listed"),
    "a test that is not built": (
        "tests/meson.build", "\n", "http is not listed"),
    "a request that waits for the kernel": (
        "src/fs/ops.c", "static void flush(void)\n{\n\tcond_wait_until();\n}\n"
        "static void op_read(void)\n{\n\tinval_after();\n\tflush();\n}\n",
        "a request waits: flush calls cond_wait_until"),
    "telling the kernel waits": (
        "src/fs/inval.c", "static void queue(void)\n{\n\tcond_wait();\n}\n"
        "void inval_entry(void)\n{\n\tqueue();\n}\n"
        "void inval_after(void)\n{\n}\n",
        "a request waits: inval_entry calls queue calls cond_wait"),
    "a model that can wait for the kernel": (
        "include/model/model.h", "struct model_kernel {\n\tvoid (*entry)(void "
        "*arg);\n\tvoid (*flush)(void *arg);\n\tvoid *arg;\n};\n",
        "struct model_kernel has flush"),
    "around the floors": (
        "src/wire/link.c", '#include "../store/cache_private.h"\n', "around"),
    "a missing header": (
        "src/wire/link.c", '#include "wire/nothing.h"\n', "does not exist"),
    "a floor that is none": (
        "src/misc/util.c", "int x;\n", "is on no floor"),
    "a header of no floor": (
        "src/wire/link.c", '#include "misc/util.h"\n', "on no floor"),
    "an include by macro": (
        "src/wire/link.c", "#include HEADER\n", "name the file"),
    "an include over two lines": (
        "src/wire/link.c", '#include \\\n"store/cache.h"\n', "never meet"),
    "after a comment": (
        "src/wire/link.c", '/* x */ #include "store/cache.h"\n', "never meet"),
    "curl": ("src/wire/link.c", "#include <curl/easy.h>\n", "curl only"),
    "curl in a test's reach of cmd": (
        "src/cmd/status.c", "#include <curl/curl.h>\n", "curl only"),
    "another file that starts ssh": (
        "src/wire/link.c", 'static const char *const argv[] = {"ssh", "-V"};\n',
        "OpenSSH's programs only in"),
    "sqlite": ("src/store/pack.c", "#include <sqlite3.h>\n", "SQLite only"),
    "libgit2": ("src/store/pack.c", "#include <git2.h>\n", "libgit2 only"),
    "libgit2's parts": (
        "src/clone/clone.c", "#include <git2/odb.h>\n", "libgit2 only"),
    "cjson": (
        "src/content/source.c", "#include <cjson/cJSON.h>\n", "cJSON only"),
    "fuse": (
        "src/model/model.c", "#include <fuse_lowlevel.h>\n", "FUSE only"),
    "fuse in a folder": (
        "src/model/dirs/rows.c", "#include <fuse3/fuse.h>\n", "FUSE only"),
    "pthread": ("src/store/pack.c", "#include <pthread.h>\n", "threads only"),
    "threads.h": ("src/base/log.c", "#include <threads.h>\n", "threads only"),
    "uthash": ("src/model/model.c", "#include <uthash.h>\n", "uthash only"),
    "utlist": ("src/model/model.c", '#include "utlist.h"\n', "uthash only"),
    "nettle": ("src/setup/account.c", "#include <nettle/sha1.h>\n", "nettle only"),
    "syslog": ("src/cmd/daemon.c", "#include <syslog.h>\n", "syslog only"),
    "too long": ("src/wire/link.c", "\n" * 801, "801 lines"),
    "too large a floor": (
        "src/wire/tables.c", None, "more than a quarter"),
    "too long, a test": ("tests/unit/test-link.c", "\n" * 801, "801 lines"),
} | {
    name: ("src/wire/link.c", f"\nstatic void f(void)\n{{\n\t{name} (a);\n}}\n",
           f"link.c:4: {name}() is banned")
    for name in BANNED_IN_PROGRAM
} | {
    "what derives": (
        "src/content/documents.c", "static void f(void)\n{\n\tjson_pretty();\n}\n",
        "it derives"),
    "banned in a test": (
        "tests/unit/test-link.c", "\tstrcpy(a, b);\n", "strcpy() is banned"),
}


def lists_of(files):
    """The meson.build files that list all of them."""
    lists = {"src/meson.build": set(), "tests/meson.build": set()}
    for path in files:
        folder, name = path.rsplit("/", 1)
        if path.startswith("src/") and name.endswith(".c"):
            lists["src/meson.build"].add(folder.removeprefix("src/"))
            lists.setdefault(f"{folder}/meson.build", set()).add(name)
        elif name.startswith("test-"):
            lists["tests/meson.build"].add(name[len("test-"):-2])
    return {path: "".join(f"  '{name}',\n" for name in sorted(names))
            for path, names in lists.items()}


def write_tree(root, files):
    checks.write_tree(root, lists_of(files) | files)


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        write_tree(root, CLEAN)
        found, n_files = violations(root)
        if found or n_files != len(CLEAN):
            failures.append(f"a clean tree of {n_files}: {found}")
    for what, (path, text, said) in WRONG.items():
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            files = {path: text}
            if text is None:
                # Of many files, none too long.
                files = {path.replace(".c", f"{i}.c"): "\n" * 800
                         for i in range(13)}
                path = path.rsplit("/", 1)[0]
            write_tree(root, CLEAN | files)
            found, _ = violations(root)
            by = "fs/" if said == "drags in" else path.rsplit(".", 1)[0]
            if not found or said not in found[0] or by not in found[0] or (
                    len(found) > 1 and said != "drags in"):
                failures.append(f"{what}: expected \"{said}\", got {found}")
    return checks.told(failures, len(WRONG) + 1)


if __name__ == "__main__":
    sys.exit(checks.run(sys.argv[1:], __doc__, violations, self_test))
