"""What git's server is made to do that it would not by itself: to lie about filters and wants, to hide a capability.

A lie changes the request on its way to git, so that what is answered is a pack as git makes it, of other objects:

    "blobs"   the filter is not heeded: everything comes
    "trees"   the filter leaves the trees out too
    "limit"   blobs below the limit of blob:limit are left out too
    "half"    of several wants every second one is left out
    "empty"   a good pack, of no object

Or a function of the list of the request's lines (bytes; None: a flush, b"" a delimiter) that returns another one.
"""
import re

from .git_http import inflate

OBJECT_INFO = b"0010object-info\n"
UNKNOWN = b"ERR unknown command 'object-info'\n"


def lines_of(body):
    at, lines = 0, []
    while at + 4 <= len(body):
        n = int(body[at:at + 4], 16)
        lines.append(None if n == 0 else b"" if n < 4 else body[at + 4:at + n])
        at += max(n, 4)
    return lines


def body_of(lines):
    return b"".join(b"0000" if line is None else b"%04x" % (len(line) + 4) + line if line else b"0001" for line in lines)


def filtered(change):
    """change: of the filter's bytes; None: no filter."""
    def lie(lines):
        told = []
        for line in lines:
            if line and line.startswith(b"filter "):
                changed = change(line[7:].rstrip(b"\n"))
                line = b"filter " + changed + b"\n" if changed else b""
                if not changed:
                    continue
            told.append(line)
        return told
    return lie


def half(lines):
    told, n = [], 0
    for line in lines:
        if line and line.startswith(b"want "):
            n += 1
            if n % 2 == 0:
                continue
        told.append(line)
    return told


def empty(lines):
    """As if all that is wanted was there already."""
    haves = [b"have " + line.split()[1] + b"\n" for line in lines if line and line.startswith(b"want ")]
    at = next((i for i, line in enumerate(lines) if line and line.rstrip() == b"done"), len(lines) - 1)
    return lines[:at] + haves + lines[at:]


LIES = {"blobs": filtered(lambda f: None), "trees": filtered(lambda f: b"tree:0"),
        "limit": filtered(lambda f: re.sub(rb"blob:limit=\w+", b"blob:none", f)), "half": half, "empty": empty}


def told(lie, headers, body):
    """(headers, body) of a request as git gets it."""
    if not lie or not body:
        return headers, body
    try:
        lines = lines_of(inflate(body, headers.get("Content-Encoding")))
    except ValueError:
        return headers, body
    return ({k: headers.get(k, "") for k in ("Content-Type", "Git-Protocol")},
            body_of((LIES[lie] if isinstance(lie, str) else lie)(lines)))


def hidden(chunks):
    """An advertisement without object-info, which git of some versions always offers."""
    yield b"".join(chunks).replace(OBJECT_INFO, b"")
