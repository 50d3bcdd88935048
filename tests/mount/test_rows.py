"""Every row of the resource table alike: what it shows, what it costs, and how it fails.

Adding a row here is adding a line to ROWS. All lines share the mounts of the module: each row is cold in each of them, because
no test looks at another's row.
"""
import base64
import errno
import json
import os
import re
import subprocess
import urllib.request
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

import pytest

from conftest import api, await_true
from harness import DATA, Bitbucket, Mounts
from test_review import run_out

R = "/repositories/acme/widgets"
W = "/workspaces/acme"
PROD = W + "/projects/PROD"

PULL_LIST = "/pullrequests?pagelen=50&fields=%2Bvalues.reviewers,%2Bvalues.participants&sort=-created_on&q=state%3D"

ADMIN, PIPELINE, PULLS = "admin:repository:bitbucket", "read:pipeline:bitbucket", "read:pullrequest:bitbucket"
WEBHOOK, PROJECT, SNIPPET, RUNNER = ("read:webhook:bitbucket", "read:project:bitbucket", "read:snippet:bitbucket",
                                     "read:runner:bitbucket")

PERSON = "nickname name uuid account_id"
DEFAULT_REVIEWER = "nickname name from uuid account_id"
GROUP_PERMISSION, USER_PERMISSION = "group permission name", "user permission name uuid"
DEPLOY_KEY = "id label comment added last_used key"
HOOK = "url active description created secret uuid events"
RUNNERS = "name status labels version updated created uuid"
VARIABLE = "key secured value uuid"
COMMENT = "id author created updated parent deleted text"
PULL = "id state author updated created source destination reviewers approved changes_requested comments tasks draft jira builds url title"
REMARK = "id author created updated file line parent state url text"
COMMIT = "hash date author jira builds url title"
STATUS = "key state name ref created updated url description"


@dataclass
class Row:
    path: str               # in the mount; {…} stands for the id of what has that name, see there()
    get: str                # what is asked for, below the API
    scope: str = ""         # without which it is refused; "": the account "reader" has it
    columns: str = ""       # of a collection
    files: tuple = ()       # of an object; the .json is the answer itself
    item: str = ""          # a file in the directory of an item, which costs nothing more
    text: bool = False      # a plain file: the bytes of the answer

    def __str__(self):
        return self.path

    @property
    def names(self):
        return (self.path,) if self.text else tuple(f"{self.path}/{n}" for n in self.files or ("index.json", "index.tsv"))


ROWS = [
    # a repository
    Row("acme/widgets/commits", R + "/commits?pagelen=100", "", COMMIT, item="info"),
    Row("acme/widgets/pullrequests", R + PULL_LIST + "%22OPEN%22", PULLS, PULL),
    # without the scope what leads there is refused already
    Row("acme/widgets/pullrequests/7/activity", R + "/pullrequests/7/activity?pagelen=50", "",
        "date event author state comment file text"),
    Row("acme/widgets/pullrequests/7/comments", R + "/pullrequests/7/comments?pagelen=100", "", REMARK),
    Row("acme/widgets/pullrequests/7/commits", R + "/pullrequests/7/commits?pagelen=100", "", COMMIT),
    Row("acme/widgets/pullrequests/7/statuses", R + "/pullrequests/7/statuses?pagelen=100", "", STATUS),
    Row("acme/widgets/pullrequests/7/tasks", R + "/pullrequests/7/tasks?pagelen=100", "",
        "id state author created updated resolved resolved_by comment url text"),
    Row("acme/widgets/pullrequests/declined", R + PULL_LIST + "%22DECLINED%22", PULLS, PULL, item="info"),
    Row("acme/widgets/pullrequests/merged", R + PULL_LIST + "%22MERGED%22", PULLS, PULL, item="info"),
    Row("acme/widgets/pullrequests/superseded", R + PULL_LIST + "%22SUPERSEDED%22", PULLS, PULL, item="info"),
    Row("acme/widgets/pipelines", R + "/pipelines?pagelen=100&sort=-created_on", PIPELINE,
        "number state result duration trigger target commit creator created completed url", item="info"),
    Row("acme/widgets/downloads", R + "/downloads?pagelen=100", "", "name size created downloads user"),
    Row("acme/widgets/environments", R + "/environments?pagelen=100", PIPELINE, "name type rank slug lock hidden uuid",
        item="info"),
    # After these, whose names it has when they are at hand.
    Row("acme/widgets/deployments", R + "/deployments?pagelen=100", PIPELINE,
        "number state status environment release commit started completed updated uuid url", item="info"),
    Row("acme/widgets/environments/Staging/variables",
        R + "/deployments_config/environments/{environments/Staging}/variables?pagelen=100", PIPELINE, VARIABLE),
    Row("acme/widgets/network/forks", R + "/forks?pagelen=100&sort=created_on", "",
        "full_name owner private created updated url description"),
    Row("acme/widgets/network/watchers", R + "/watchers?pagelen=100", "", PERSON),
    # its settings
    Row("acme/widgets/settings/branch-restrictions", R + "/branch-restrictions?pagelen=100", ADMIN,
        "id kind match branch value users groups"),
    Row("acme/widgets/settings/branching-model", R + "/branching-model", "", files=("branching-model.json", "info")),
    Row("acme/widgets/settings/branching-model-settings", R + "/branching-model/settings", ADMIN,
        files=("branching-model-settings.json", "info")),
    Row("acme/widgets/settings/default-reviewers", R + "/default-reviewers?pagelen=100", PULLS, PERSON),
    Row("acme/widgets/settings/deploy-keys", R + "/deploy-keys?pagelen=100", ADMIN, DEPLOY_KEY),
    Row("acme/widgets/settings/effective-branching-model", R + "/effective-branching-model", "",
        files=("effective-branching-model.json", "info")),
    Row("acme/widgets/settings/effective-default-reviewers", R + "/effective-default-reviewers?pagelen=100", PULLS,
        DEFAULT_REVIEWER),
    Row("acme/widgets/settings/hooks", R + "/hooks?pagelen=100", WEBHOOK, HOOK),
    Row("acme/widgets/settings/override-settings", R + "/override-settings", ADMIN,
        files=("info", "override-settings.json")),
    Row("acme/widgets/settings/permissions/groups", R + "/permissions-config/groups?pagelen=100", "", GROUP_PERMISSION),
    Row("acme/widgets/settings/permissions/users", R + "/permissions-config/users?pagelen=100", "", USER_PERMISSION),
    Row("acme/widgets/settings/pipelines", R + "/pipelines_config", ADMIN, files=("info", "pipelines-config.json")),
    Row("acme/widgets/settings/pipelines/caches", R + "/pipelines-config/caches?pagelen=100", PIPELINE,
        "name size created path pipeline uuid"),
    Row("acme/widgets/settings/pipelines/runners", R + "/pipelines-config/runners?pagelen=100", RUNNER, RUNNERS),
    Row("acme/widgets/settings/pipelines/schedules", R + "/pipelines_config/schedules?pagelen=100", PIPELINE,
        "uuid enabled cron target selector created updated", item="info"),
    Row("acme/widgets/settings/pipelines/ssh/key-pair", R + "/pipelines_config/ssh/key_pair", PIPELINE,
        files=("info", "public_key")),
    Row("acme/widgets/settings/pipelines/ssh/known-hosts", R + "/pipelines_config/ssh/known_hosts?pagelen=100", PIPELINE,
        "hostname type sha256 md5 key uuid"),
    Row("acme/widgets/settings/pipelines/variables", R + "/pipelines_config/variables?pagelen=100", PIPELINE, VARIABLE),
    # a workspace
    Row("acme/.workspace", W, "", files=("workspace.json",)),
    Row("acme/.workspace/gpg/public-key", W + "/settings/gpg/public-key", "", text=True),
    Row("acme/.workspace/hooks", W + "/hooks?pagelen=100", WEBHOOK, HOOK),
    Row("acme/.workspace/members", W + "/members?pagelen=100", "", "nickname name added last_accessed uuid account_id"),
    Row("acme/.workspace/my-pullrequests", W + "/pullrequests/{me}?pagelen=50&fields=%2Bvalues.reviewers&sort=-created_on"
        "&q=state%3D%22OPEN%22", PULLS,
        "repository id state updated created source destination reviewers comments tasks draft jira url title"),
    Row("acme/.workspace/my-repository-permissions", "/user/workspaces/acme/permissions/repositories?pagelen=100", "",
        "repository user permission name uuid"),
    Row("acme/.workspace/permissions", W + "/permissions?pagelen=100", "", "user permission name added uuid"),
    Row("acme/.workspace/pipelines/runners", W + "/pipelines-config/runners?pagelen=100", RUNNER, RUNNERS),
    Row("acme/.workspace/pipelines/variables", W + "/pipelines-config/variables?pagelen=100", PIPELINE, VARIABLE),
    Row("acme/.workspace/projects", W + "/projects?pagelen=100", PROJECT, "key name private updated created url description",
        item="info"),
    Row("acme/.workspace/projects/PROD/settings/branching-model", PROD + "/branching-model", "",
        files=("branching-model.json", "info")),
    Row("acme/.workspace/projects/PROD/settings/branching-model-settings", PROD + "/branching-model/settings",
        "admin:project:bitbucket", files=("branching-model-settings.json", "info")),
    Row("acme/.workspace/projects/PROD/settings/default-reviewers", PROD + "/default-reviewers?pagelen=100", PULLS,
        DEFAULT_REVIEWER),
    Row("acme/.workspace/projects/PROD/settings/deploy-keys", PROD + "/deploy-keys?pagelen=100", "admin:project:bitbucket",
        DEPLOY_KEY),
    Row("acme/.workspace/projects/PROD/settings/permissions/groups", PROD + "/permissions-config/groups?pagelen=100",
        PROJECT, GROUP_PERMISSION),
    Row("acme/.workspace/projects/PROD/settings/permissions/users", PROD + "/permissions-config/users?pagelen=100", PROJECT,
        USER_PERMISSION),
    Row("acme/.workspace/repository-permissions", W + "/permissions/repositories?pagelen=100", "",
        "repository user permission name uuid"),
    Row("acme/.workspace/snippets", "/snippets/acme?pagelen=100", SNIPPET,
        "id private owner creator updated created url title", item="info"),
    # the account
    Row(".bitbucketfs/account/emails", "/user/emails?pagelen=100", "", "email primary confirmed"),
    Row(".bitbucketfs/account/gpg-keys", "/users/{me}/gpg-keys?pagelen=100", "read:gpg-key:bitbucket",
        "key_id name fingerprint created added last_used expires"),
    Row(".bitbucketfs/account/ssh-keys", "/users/{me}/ssh-keys?pagelen=100", "read:ssh-key:bitbucket",
        "label comment fingerprint created last_used expires uuid key"),
]

# Of what grows for ever the indexes alone are listed, or the newest ten. All can be entered by name.
UNLISTED = ("commits", "merged", "declined", "superseded")
LISTED = 10

# What a repository is set up with once more, where the values are as odd as they can be, and most lists longer than a page.
HARD = [replace(r, path=r.path.replace("acme/widgets", "edge/files"), get=r.get.replace("acme/widgets", "edge/files"))
        for r in ROWS if re.match("acme/widgets/(settings|deployments|environments)", r.path) and r.columns and "{" not in r.get]

every_row = pytest.mark.parametrize("row", ROWS, ids=str)
PRIVILEGES = {"type": "error", "error": {"message": "Your credentials lack one or more required privilege scopes.",
                                         "detail": {"required": ["the:scope"], "granted": ["other"]}}}
NOT_THERE = {"type": "error", "error": {"message": "Resource not found"}}


# ---- the service's own answers, asked for without the program


def ask(bb, target, account="ada"):
    a = bb.accounts[account]
    word = base64.b64encode(f"{a.email}:{a.token}".encode()).decode()
    request = urllib.request.Request(target, headers={"Authorization": "Basic " + word})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def there(bb, row):
    """The row's request with the ids filled in, as the service and the program write it."""
    def fill(m):
        if m[1] == "me":
            found = json.loads(ask(bb, bb.api_url + "/user"))["uuid"]
        else:
            place, _, name = m[1].rpartition("/")
            found = next(i["uuid"] for i in items(bb, f"{R}/{place}?pagelen=100") if i.get("name") == name)
        return quote(found, safe="")
    return re.sub(r"{([^}]+)}", fill, row.get)


def items(bb, target):
    """All items of a list, page after page; None of what is none."""
    found, number, url = [], 1, bb.api_url + target
    while url:
        page = json.loads(ask(bb, url))
        if not isinstance(page.get("values"), list):
            return None
        found += [v for v in page["values"] if v]       # somebody who was deleted may be null
        url = page.get("next")
        if not url and page["values"] and page.get("size", 0) > len(found):
            number += 1
            url = f"{bb.api_url}{target}&page={number}"
    return found


def n_pages(bb, row):
    """How many requests its answer takes."""
    m = re.search(r"pagelen=(\d+)", row.get)
    return max(1, -(-len(items(bb, there(bb, row))) // int(m[1]))) if m else 1


# ---- mounts that the tests share


class Seen:
    """A mount with what leads to the rows already looked at."""

    def __init__(self, bb, mounts, cache, **more):
        self.bb, self.m = bb, mounts(cache=cache, **more)
        self.m.ls(), self.m.ls("acme"), self.m.read(".bitbucketfs/user.json")

    def arrive(self, row):
        """Before the row itself: the names on the way to it may cost something."""
        os.stat(self.m / (os.path.dirname(row.path) if row.text else row.path))
        return self.bb.log.mark()

    def asked(self, mark):
        return [line.removeprefix("GET /2.0") for line in api(self.bb, mark)]


@pytest.fixture(scope="module")
def service():
    with Bitbucket(DATA, data="tests") as bb:
        yield bb


@pytest.fixture(scope="module")
def mounts(service, tmp_path_factory):
    made = Mounts(service, tmp_path_factory.mktemp("rows"))
    yield made
    service.faults.clear()
    service.online()
    made.take_down()


def is_below(row):
    """In the directory of another row's item: the other row has been asked for before this one is cold."""
    return any(r.item and row.path.startswith(r.path + "/") for r in ROWS)


def seen(name, **more):
    """A mount, or rather two, of which a test gets the one where its row is cold."""
    @pytest.fixture(scope="module", name=name + "_both")
    def both(service, mounts):
        return {below: Seen(service, mounts, f"{name}-{below}", **more) for below in (False, True)}

    @pytest.fixture(name=name)
    def one(request, row):
        return request.getfixturevalue(name + "_both")[is_below(row)]
    return both, one


cold_both, cold = seen("cold")
long_both, long = seen("long")
read_both, read = seen("read")
none_both, none = seen("none")
denied_both, denied = seen("denied")
broken_both, broken = seen("broken")


@pytest.fixture(scope="module")
def reader(service, mounts):
    return Seen(service, mounts, "reader", account="reader")


@pytest.fixture(scope="module")
def limited(service, mounts):
    return Seen(service, mounts, "limited")


@pytest.fixture(scope="module")
def known(service, mounts):
    """A cache with every row in it, a day old, and the bytes that were read then."""
    before = Seen(service, mounts, "known")
    for row in ROWS:
        before.m.read(row.names[0])
    # An index has the builds that are at hand: of all that was looked at.
    contents = {name: before.m.read(name, "rb") for row in ROWS for name in row.names}
    for row in ROWS:
        if not row.text:
            before.m.ls(row.path)
    before.m.unmount()
    return contents


@pytest.fixture(scope="module")
def old(service, mounts, known):
    """Everything of it ran out long ago."""
    m = mounts(cache="known")
    m.unmount()
    run_out(m, ago=30 * 24 * 3600)
    return mounts(cache="known")


@pytest.fixture(scope="module")
def away(service, mounts, known):
    service.offline()
    try:
        return mounts(cache="known")
    finally:
        service.online()


@pytest.fixture
def offline(service, away):
    service.offline()
    yield away
    service.online()


@pytest.fixture
def outdated(service, old):
    """What comes instead of it is nonsense."""
    fault = service.fault(r"/2\.0/(?!user$)", "garbage")
    yield old
    fault.remove()


# ---- what it shows and costs


def check_contents(bb, m, row):
    target = there(bb, row)
    if row.text:
        assert m.read(row.path, "rb") == ask(bb, bb.api_url + target)
        return
    if row.files:
        body = json.loads(ask(bb, bb.api_url + target))
        for name in row.files:
            if name.endswith(".json"):
                assert json.loads(m.read(f"{row.path}/{name}")) == body
        return
    every = items(bb, target)
    lines = m.read(row.path + "/index.tsv").split("\n")
    if " destination " in row.columns:    # pull requests
        every.sort(key=lambda i: i["updated_on"], reverse=True)
    assert json.loads(m.read(row.path + "/index.json")) == every
    assert lines[0] == row.columns.replace(" ", "\t")
    assert len(lines) == 1 + len(every) + 1 and lines[-1] == ""
    assert {line.count("\t") for line in lines[:-1]} == {lines[0].count("\t")}
    assert every or row in HARD, "the service has none: nothing was shown"
    assert m.ls(row.path)


@every_row
def test_ls_costs_its_pages_and_then_nothing(cold, row):
    if row.text:
        pytest.skip("a plain file")
    cold.arrive(row)
    target, pages = there(cold.bb, row), n_pages(cold.bb, row)
    mark = cold.bb.log.mark()
    names = cold.m.ls(row.path)
    asked = cold.asked(mark)
    if row.files:
        # Names alone cost nothing; the answer is asked for when a file is looked at.
        assert asked == []
        cold.m.read(row.names[0], "rb")
        assert cold.asked(mark) == [target]
    else:
        assert len(asked) == pages and unquote(asked[0]) == unquote(target)
    assert set(os.path.basename(n) for n in row.names) <= set(names)
    mark = cold.bb.log.mark()
    cold.m.ls(row.path)
    for name in row.names:
        assert os.stat(cold.m / name).st_size == len(cold.m.read(name, "rb"))
    if row.item:
        directories = [n for n in names if n != "by-branch" and os.path.isdir(cold.m / f"{row.path}/{n}")]
        assert directories or row.path.split("/")[-1] in UNLISTED
        for n in directories:
            assert cold.m.read(f"{row.path}/{n}/{row.item}")
    assert cold.asked(mark) == []
    check_contents(cold.bb, cold.m, row)


@pytest.mark.parametrize("row", HARD, ids=str)
def test_hard_values_and_many_pages(cold, row):
    cold.arrive(row)
    every, pages = items(cold.bb, row.get), n_pages(cold.bb, row)
    mark = cold.bb.log.mark()
    names = set(cold.m.ls(row.path)) - {"index.tsv", "index.json", "more"}
    assert len(cold.asked(mark)) == pages
    if row.path.endswith("/deployments"):
        assert names <= {str(i["number"]) for i in every} and len(names) == LISTED
        names = {str(i["number"]) for i in every}
    if row.item:
        for name in names:
            assert os.stat(cold.m / f"{row.path}/{name}/{row.item}").st_size == len(cold.m.read(f"{row.path}/{name}/{row.item}", "rb"))
    assert len(cold.asked(mark)) == pages
    assert len(names) == (len(every) if row.item else 0), "nobody is lost whose name is another's"
    check_contents(cold.bb, cold.m, row)


@every_row
def test_ls_l_is_one_answer(long, row):
    long.arrive(row)
    pages, mark = n_pages(long.bb, row), long.bb.log.mark()
    for _ in range(2):
        subprocess.run(["ls", "-l", long.m / row.path], check=True, stdout=subprocess.DEVNULL)
        assert len(long.asked(mark)) == pages


@every_row
def test_cat_is_one_answer(read, row):
    read.arrive(row)
    target, pages, mark = there(read.bb, row), n_pages(read.bb, row), read.bb.log.mark()
    for name in row.names + row.names[::-1]:
        read.m.read(name, "rb")
    asked = read.asked(mark)
    assert len(asked) == pages and unquote(asked[0]) == unquote(target)


@every_row
def test_offline_are_the_same_bytes(offline, known, row):
    for name in row.names:
        assert offline.read(name, "rb") == known[name]
    if not row.text:
        assert set(os.path.basename(n) for n in row.names) <= set(offline.ls(row.path))


# ---- how it fails


def fails(m, row, number):
    for name in row.names:
        with pytest.raises(OSError) as e:
            m.read(name)
        assert e.value.errno == number, errno.errorcode[e.value.errno]
    if not row.text and not row.files:
        with pytest.raises(OSError):
            m.ls(row.path)


def says(m, row, words):
    return await_true(lambda: [line for line in m.errors().split("\n") if row.path in line and words in line],
                      f"a line of {row.path} with {words}")


@pytest.mark.parametrize("row", [r for r in ROWS if r.scope], ids=str)
def test_a_missing_scope_is_said(reader, row):
    if is_below(row):
        pytest.skip("what leads there is refused already")
    fails(reader.m, row, errno.EACCES)
    says(reader.m, row, row.scope)


@every_row
def test_a_scope_that_went_is_said(denied, row):
    denied.arrive(row)
    fault = denied.bb.fault(re.escape(there(denied.bb, row)) + "$", "status", status=403, body=json.dumps(PRIVILEGES))
    fails(denied.m, row, errno.EACCES)
    assert fault.hits == 1, "remembered"
    fault.remove()
    says(denied.m, row, "the:scope")


@every_row
def test_what_is_not_there_is_not_there(none, row):
    none.arrive(row)
    fault = none.bb.fault(re.escape(there(none.bb, row)) + "$", "status", status=404, body=json.dumps(NOT_THERE))
    fails(none.m, row, errno.ENOENT)
    assert fault.hits == 1, "remembered"
    fault.remove()


@pytest.mark.parametrize("row", [r for r in ROWS if not r.text], ids=str)
def test_nonsense_is_an_error_and_not_kept(broken, row):
    broken.arrive(row)
    fault = broken.bb.fault(re.escape(there(broken.bb, row)) + "$", "garbage")
    fails(broken.m, row, errno.EIO)
    assert fault.hits
    fault.remove()


@every_row
def test_nonsense_takes_nothing_that_was_there(outdated, known, row):
    for name in row.names:
        assert outdated.read(name, "rb") == known[name]


def test_too_many_requests_are_said(limited):
    """One is enough: after it nothing is asked for a while."""
    rows = [r for r in ROWS if not r.item]      # the others were asked for on the way
    for row in rows:
        limited.arrive(row)
    fault = limited.bb.fault(r"/2\.0/", "status", status=429, body="Rate limit for this resource has been exceeded",
                             headers={"Content-Type": "text/plain", "Retry-After": "60"})
    for row in rows:
        fails(limited.m, row, errno.EDQUOT)
    assert fault.hits == 1
    fault.remove()
