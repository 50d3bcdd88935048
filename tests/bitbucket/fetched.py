"""What was fetched by git: the part of class Bitbucket that tells the kinds of what was wanted."""
import re
from collections import Counter
from urllib.parse import unquote

from . import gitrepo


class Fetching:
    """Needs what class Bitbucket has: log, git_dir, _repository."""

    def fetched(self, mark=0, match=None):
        """Every fetch since a mark, as a line: "1 commit, blob:none, depth 1", "12 blob", "1 tree, combine:tree:1+blob:limit=9",
        and every question for sizes: "3 sizes"."""
        return [self._told(e) for e in self.log.since(mark, match)
                if e["git"] and e["git"]["command"] in ("fetch", "object-info") and e["method"] == "POST"]

    def _told(self, entry):
        git = entry["git"]
        if git["command"] == "object-info":
            return "%d sizes" % len(git["oids"])
        workspace, slug = re.match(r"/([^/]+)/([^/]+?)(?:\.git)?/", entry["path"]).groups()
        where = self.git_dir(self._repository(unquote(workspace), unquote(slug)))
        kinds = gitrepo.git(where, "cat-file", "--batch-check=%(objecttype)", data="".join(w + "\n" for w in set(git["wants"])).encode())
        count = Counter(line.split()[-1] for line in kinds.decode().splitlines())
        words = [" ".join(f"{n} {kind}" for kind, n in sorted(count.items()))]
        words += [git["filter"]] if git["filter"] else []
        words += ["depth %s" % git["deepen"]] if git["deepen"] else []
        return ", ".join(words)
