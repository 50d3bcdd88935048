"""The histories of the repositories that read like real ones."""
from . import data_review, gitrepo
from .gitrepo import EPOCH, Importer

PEOPLE = {
    "ada": "Ada Lindqvist <ada@example.com>", "ben": "Ben Okafor <ben@example.com>",
    "chen": "Chen Wei <chen@example.com>", "dana": "Dana Petrova <dana@example.com>",
    "gone": "Old Colleague <old@example.net>", "erik": "Erik Østergård <erik@example.com>", "bot": "renovate[bot] <bot@example.com>",
}
DAY = 86400

MAIN_C = """#include <stdio.h>
#include <stdlib.h>

#include "widget.h"

int main(int argc, char **argv)
{
	struct widget *w = widget_new(argc > 1 ? argv[1] : "plain");

	if (!w) {
		perror("widgets");
		return EXIT_FAILURE;
	}
	widget_print(w, stdout);
	widget_free(w);
	return EXIT_SUCCESS;
}
"""
WIDGET_H = """#ifndef WIDGET_H
#define WIDGET_H

#include <stdio.h>

struct widget;

struct widget *widget_new(const char *name);
void widget_free(struct widget *w);
void widget_print(const struct widget *w, FILE *out);

#endif
"""
WIDGET_C = """#include "widget.h"

#include <stdlib.h>
#include <string.h>

struct widget {
	char *name;
	int colour;
};

struct widget *widget_new(const char *name)
{
	struct widget *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->name = strdup(name);
	if (!w->name) {
		free(w);
		return NULL;
	}
	return w;
}

void widget_free(struct widget *w)
{
	if (!w)
		return;
	free(w->name);
	free(w);
}

void widget_print(const struct widget *w, FILE *out)
{
	fprintf(out, "widget %s\\n", w->name);
}
"""
MAKEFILE = """CFLAGS ?= -O2 -Wall -Wextra

widgets: src/main.o src/widget.o
	$(CC) $(LDFLAGS) -o $@ $^

check: widgets
	sh tests/run.sh

clean:
	rm -f widgets src/*.o

.PHONY: check clean
"""
PIPELINE = """image: gcc:14

pipelines:
  default:
    - step:
        name: Build
        script:
          - make
    - step:
        name: Test
        script:
          - make check
"""
README = """# widgets

Makes widgets, one at a time.

    make
    ./widgets round
"""

# (day, who, message, files) on main; data for branches, tags and pull requests follows.
WIDGETS = [
    (2, "ada", "Begin", {"README.md": "# widgets\n"}),
    (3, "ada", "Add the program\n\nIt prints one widget and ends.",
     {"src/main.c": MAIN_C, "src/widget.h": WIDGET_H, "src/widget.c": WIDGET_C, ".gitignore": "*.o\n/widgets\n"}),
    (4, "ben", "Build with make", {"Makefile": MAKEFILE.replace("check: widgets\n\tsh tests/run.sh\n\n", "")}),
    (9, "chen", "Add a test", {"tests/run.sh": ("exec", b"#!/bin/sh\nset -e\n./widgets round | grep -q round\n"),
                              "Makefile": MAKEFILE}),
    (15, "ada", "Say how to use it", {"README.md": README}),
    (22, "dana", "docs: begin the guide", {"docs/guide.md": "# Guide\n\nA widget has a name.\n",
                                          "docs/index.md": "* [Guide](guide.md)\n"}),
    (40, "ben", "Build in the pipeline", {"bitbucket-pipelines.yml": PIPELINE}),
    (58, "chen", "src: refuse an empty name\n\nAn empty name printed an empty widget.",
     {"src/widget.c": WIDGET_C.replace("\tstruct widget *w = calloc(1, sizeof(*w));\n\n\tif (!w)",
                                       "\tstruct widget *w;\n\n\tif (!*name)\n\t\treturn NULL;\n\tw = calloc(1, sizeof(*w));\n\tif (!w)")}),
    (91, "ada", "LICENSE: choose MIT", {"LICENSE": "MIT License\n\nCopyright (c) 2026 Acme\n"}),
    (120, "dana", "docs: explain colours", {"docs/colours.md": "# Colours\n\n| colour | number |\n|---|---|\n| red | 1 |\n"
                                           "| grün | 2 |\n", "docs/guide.md": "# Guide\n\nA widget has a name and a"
                                           " [colour](colours.md).\n"}),
    (180, "gone", "Makefile: install", {"Makefile": MAKEFILE + "\ninstall: widgets\n\tinstall -D widgets $(DESTDIR)/usr/bin/widgets\n"}),
    (260, "ben", "docs: link to the latest guide", {"docs/latest": ("symlink", "guide.md")}),
]


def widgets(git_dir):
    gitrepo.init(git_dir)
    imp, marks = Importer(git_dir), []
    for day, who, message, files in WIDGETS:
        marks.append(imp.commit("main", message, PEOPLE[who], EPOCH + day * DAY, files))
    merged = imp.commit("feature/quiet", "Add --quiet", PEOPLE["ben"], EPOCH + 262 * DAY,
                        {"src/quiet.c": "int quiet;\n"}, parent=marks[-1])
    top = imp.commit("main", "Merged in feature/quiet (pull request #2)\n\nAdd --quiet\n\nApproved-by: Ada Lindqvist",
                     PEOPLE["ada"], EPOCH + 264 * DAY, {"src/quiet.c": "int quiet;\n"}, parent=marks[-1], merge=merged)
    top = imp.commit("main", "src: print the colour", PEOPLE["chen"], EPOCH + 300 * DAY,
                     {"src/widget.c": WIDGET_C.replace('"widget %s\\n", w->name', '"widget %s (%d)\\n", w->name, w->colour')})
    one = imp.commit("feature/colours", "src: let the caller choose a colour", PEOPLE["chen"], EPOCH + 301 * DAY,
                     {"src/colour.c": "int colour_of(const char *name) { return *name; }\n"}, parent=top)
    imp.commit("feature/colours", "docs: say so", PEOPLE["chen"], EPOCH + 302 * DAY,
               {"docs/colours.md": "# Colours\n\nChoose one with `--colour`.\n", "src/old name.c": "/* renamed */\n"}, parent=one)
    imp.commit("bugfix/leak", "src: free the name", PEOPLE["dana"], EPOCH + 303 * DAY,
               {"src/widget.c": WIDGET_C.replace("\tfree(w);\n}\n\nvoid widget_print", "\tfree(w); /* all of it */\n}\n\nvoid widget_print")},
               parent=top)
    imp.commit("release/1.x", "Prepare 1.1", PEOPLE["ada"], EPOCH + 200 * DAY, {"VERSION": "1.1\n"}, parent=marks[8])
    imp.commit("experiment/rust", "Try another language", PEOPLE["ben"], EPOCH + 150 * DAY,
               {"src/main.rs": "fn main() {}\n", "src/main.c": None}, parent=marks[8])
    imp.tag("v0.1", marks[3])
    imp.tag("v1.0", marks[8], "widgets 1.0\n\nThe first that others may use.", PEOPLE["ada"], EPOCH + 92 * DAY)
    imp.tag("v1.1", marks[10], "widgets 1.1", PEOPLE["ada"], EPOCH + 201 * DAY)
    imp.tag("nightly/2026-10-01", marks[11])
    data_review.more(imp, PEOPLE, marks, top)
    data_review.close(imp)


def widgets_fork(git_dir):
    """What widgets is, and work that is nowhere else."""
    widgets(git_dir)
    imp = Importer(git_dir)
    data_review.in_a_fork(imp, PEOPLE)
    imp.close()


def simple(commits, branches=()):
    """A history of one line, each commit (day, who, message, files), with branches at its tip, or with commits of their own
    (name, commit …)."""
    def make(git_dir):
        gitrepo.init(git_dir)
        imp, mark = Importer(git_dir), None
        for day, who, message, files in commits:
            mark = imp.commit("main", message, PEOPLE[who], EPOCH + day * DAY, files)
        for branch in branches:
            if isinstance(branch, str):
                imp.branch(branch, mark)
                continue
            tip = mark
            for day, who, message, files in branch[1:]:
                tip = imp.commit(branch[0], message, PEOPLE[who], EPOCH + day * DAY, files, parent=tip)
        imp.close()
    return make


def tiny(git_dir):
    """What most of a thousand repositories have: one commit, two open branches, one that was merged."""
    gitrepo.init(git_dir)
    imp = Importer(git_dir)
    first = imp.commit("main", "Begin", PEOPLE["ben"], EPOCH + 10 * DAY, {
        "README.md": "# A small service\n\nSee the wiki.\n", "src/main.py": "print('hello')\n", "Dockerfile": "FROM debian:12\n"})
    imp.commit("feature/one", "LAB-1: greet by name", PEOPLE["ada"], EPOCH + 11 * DAY, {"src/main.py": "print('hello, you')\n"}, parent=first)
    imp.commit("fix/two", "Pin the image", PEOPLE["chen"], EPOCH + 12 * DAY, {"Dockerfile": "FROM debian:12.9\n"}, parent=first)
    done = imp.commit(data_review.SCRATCH, "LAB-2: ignore caches", PEOPLE["ben"], EPOCH + 13 * DAY, {".gitignore": "*.pyc\n"}, parent=first)
    merged = imp.commit("integration", "Merged in feature/done (pull request #1)\n\nLAB-2: ignore caches\n", PEOPLE["chen"],
                        EPOCH + 14 * DAY, {".gitignore": "*.pyc\n"}, parent=first, merge=done)
    data_review.keep(imp, "done", done)
    data_review.keep(imp, "done/merged", merged)
    data_review.close(imp)


website = simple([
    (5, "dana", "Begin the site", {"index.html": "<!doctype html>\n<title>Acme</title>\n<h1>Acme</h1>\n",
                                   "css/site.css": "body { font: 16px/1.5 sans-serif }\n", "README.md": "# website\n"}),
    (30, "dana", "Add the shop", {"shop/index.html": "<!doctype html>\n<title>Shop</title>\n", "js/cart.js":
                                  "export function total(items) {\n  return items.reduce((a, i) => a + i.price, 0);\n}\n"}),
    (140, "ben", "package.json: pin what we use", {"package.json": '{\n  "name": "website",\n  "private": true\n}\n'}),
    (290, "dana", "css: dark mode", {"css/site.css": "body { font: 16px/1.5 sans-serif }\n@media (prefers-color-scheme:"
                                     " dark) { body { background: #111; color: #eee } }\n"}),
], ["staging", "feature/search"])
infra = simple([
    (8, "ben", "Describe the network", {"network.tf": 'resource "network" "main" {\n  cidr = "10.0.0.0/16"\n}\n',
                                        "README.md": "# infra\n\nEverything that runs somewhere.\n"}),
    (77, "ben", "Two machines for the shop", {"modules/shop/main.tf": 'variable "count" {\n  default = 2\n}\n',
                                              "scripts/apply.sh": ("exec", b"#!/bin/sh\nexec terraform apply \"$@\"\n")}),
    (211, "chen", "Three machines for the shop", {"modules/shop/main.tf": 'variable "count" {\n  default = 3\n}\n'}),
], ["production", ("ops/OPS-7-machines", (240, "ben", "OPS-7: four machines for the shop", {"modules/shop/main.tf": 'variable "count" {\n  default = 4\n}\n'}))])
billing = simple([
    (12, "chen", "Begin", {"billing/__init__.py": "", "billing/invoice.py": "def total(lines):\n    return sum(l.net + l.tax"
                           " for l in lines)\n", "pyproject.toml": '[project]\nname = "billing"\nversion = "2.3.0"\n'}),
    (101, "chen", "Round once, at the end", {"billing/invoice.py": "def total(lines):\n    return round(sum(l.net + l.tax for"
                                             " l in lines), 2)\n", "tests/test_invoice.py": "def test_empty():\n    assert"
                                             " True\n"}),
    (305, "ada", "Reverse charge for the EU", {"billing/vat.py": "REVERSE = {'AT', 'DE', 'FR', 'SE'}\n"}),
], [("feature/BILL-21-dunning", (306, "chen", "BILL-21: remind after 14 days", {"billing/dunning.py": "DAYS = 14\n"}),
     (307, "chen", "BILL-21: and after 28", {"billing/dunning.py": "DAYS = (14, 28)\n"})),
    ("fix/BILL-30-rounding", (307, "ada", "Round half to even\n\nBILL-30, reported in SHOP-118", {"billing/invoice.py": "from decimal import ROUND_HALF_EVEN\n"}))])
handbook = simple([
    (1, "ada", "How we work", {"README.md": "# Handbook\n", "onboarding.md": "# Your first week\n\n1. Mount Bitbucket.\n"}),
    (250, "dana", "Holidays", {"holidays.md": "# Holidays\n\nTake them.\n"}),
], [("sabbatical", (260, "dana", "Say what a sabbatical is", {"sabbatical.md": "# Sabbatical\n\nAsk early.\n"}))])
firmware = simple([
    (20, "gone", "Import from the old server", {"boot.S": ".global _start\n_start:\n\tb main\n", "main.c": "int main(void)\n{\n"
                                                "\tfor (;;)\n\t\t;\n}\n", "Makefile": "all: firmware.bin\n"}),
    (270, "chen", "Blink", {"led.c": "void blink(void) {}\n", "led.h": "void blink(void);\n"}),
], ["hw/rev-b"])
dotfiles = simple([
    (33, "ada", "Begin", {".vimrc": "set number\n", ".bashrc": "alias ll='ls -l'\n", "install": ("exec", b"#!/bin/sh\nexit 0\n")}),
    (222, "ada", "vim: spell", {".vimrc": "set number spell\n"}),
])
libtiny = simple([
    (3, "gone", "First", {"tiny.h": "#define TINY 1\n", "README.md": "# libtiny\n\nSmall on purpose.\n"}),
    (190, "gone", "Second", {"tiny.h": "#define TINY 2\n", "examples/use.c": '#include "../tiny.h"\n'}),
])
secret = simple([(3, "gone", "Nobody may see this", {"secret.txt": "no\n"})])
monolith = simple([
    (4, "ben", "Begin the monolith", {"README.md": "# monolith\n", **{
        f"services/{s}/{n}.go": f"package {s}\n\n// {n} of {s}.\n" for s in ("auth", "cart", "mail", "pay", "search", "users")
        for n in ("handler", "model", "store", "main", "client")}}),
    (160, "chen", "Add a service", {"services/geo/main.go": "package geo\n"}),
])
