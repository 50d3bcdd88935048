"""The pictures and the numbers of README.md: made again, they are the same."""
import os
import re
import subprocess

from conftest import BINARY, TOP

PICTURES = os.path.join(TOP, "packaging", "pictures")


def text(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def test_the_session_is_as_the_picture_has_it(tmp_path):
    done = subprocess.run([os.path.join(PICTURES, "terminal"), BINARY, "--check"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plot_and_the_rows_are_of_the_table():
    done = subprocess.run([os.path.join(PICTURES, "bench"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in text("README.md").splitlines() if re.match(r"\|.*\d \|$", line)]
    assert len(rows) == 5 and set(rows) <= set(text("packaging", "PERFORMANCE.md").splitlines())


def test_what_the_page_shows_is_there():
    for page in ("README.md", "packaging/GUIDE.md", "packaging/PERFORMANCE.md"):
        named = re.findall(r"\]\(([\w./-]+)\)", text(page))
        assert named
        for name in named:
            assert os.path.exists(os.path.join(TOP, os.path.dirname(page), name)), (page, name)
