"""What layers.py and signs.py have in common: their command line, and the trees
that their own tests are made of."""

import pathlib
import sys


def write_tree(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def told(failures, n):
    """Of a self-test of n kinds: 0 or 1."""
    for failure in failures:
        print(failure)
    print(f"{n - len(failures)} of {n} found")
    return 1 if failures else 0


def run(arguments, usage, violations, self_test):
    """violations(root): the lines, and how many files were looked at. The status."""
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1 or arguments and arguments[0].startswith("-"):
        print(usage, file=sys.stderr)
        return 2
    root = pathlib.Path(__file__).resolve().parent.parent
    if arguments:
        root = pathlib.Path(arguments[0])
    found, n_files = violations(root)
    for line in found:
        print(line)
    if not n_files:
        print(f"{root}: nothing to read")
        return 1
    return 1 if found else 0
