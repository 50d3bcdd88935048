"""The contract of the service: what its document says of every operation that reads, as far as the local Bitbucket has it.

The document in a small form is contract.json, and contract.py holds the server to it. Where the whole document is (SHARED, or
beside the project) that form is compared with it, and a checker that reads all of it is run besides.
"""
import os
import subprocess
import sys

import pytest

from contract import HERE, PULL, REPO, RUN, Contract

TOP = os.path.dirname(os.path.dirname(HERE))
SHARED = os.environ.get("SHARED", os.path.join(TOP, "..", "shared"))
OPENAPI = os.path.join(SHARED, "bitbucket", "openapi-2026-10.json")
CHECKER = os.path.join(SHARED, "tools", "conform.py")
PLACES = [("acme", "widgets"), ("edge", "hard"), ("edge", "empty"), ("edge", "refs"), ("edge", "runs"),
          ("ada-lindqvist", "widgets")]
# What a client that reads cannot do without.
CORE = {"/user/workspaces", "/workspaces/{workspace}", "/repositories/{workspace}", REPO, REPO + "/refs/branches",
        REPO + "/refs/branches/{name}", REPO + "/refs/tags", REPO + "/commits", REPO + "/commit/{commit}",
        REPO + "/src/{commit}/{path}", REPO + "/diff/{spec}", REPO + "/diffstat/{spec}", REPO + "/pullrequests", PULL,
        PULL + "/comments", PULL + "/activity", PULL + "/commits", PULL + "/diff", PULL + "/diffstat", REPO + "/pipelines",
        RUN, RUN + "/steps"}


@pytest.mark.parametrize("ws,repo", PLACES)
def test_conformance(bb, ws, repo):
    contract, is_first = Contract(bb, ws, repo), (ws, repo) == PLACES[0]
    assert contract.run("" if is_first else REPO) == []
    if is_first:
        assert CORE - contract.asked == set()
        assert len(contract.asked) > 90


def test_a_wrong_server_is_found(bb):
    """The checker finds what it is for: a type, a time, a status, a list that repeats."""
    bb.update_repo("acme", "widgets", {"size": "odd", "updated_on": "yesterday"})
    said = "\n".join(Contract(bb, "acme", "widgets").run(REPO))
    assert ".size is 'odd', no integer" in said and ".updated_on is 'yesterday', no time" in said
    fault = bb.fault("GET .*/branch-restrictions$", "status", status=418)
    assert any("418 is not documented" in line for line in Contract(bb, "acme", "website").run(REPO + "/b"))
    fault.remove()


# -- where the whole document is

def by_the_document():
    """Nothing to run in a clone by itself: a test that is not there is not skipped."""
    return PLACES if os.path.exists(OPENAPI) and os.path.exists(CHECKER) else []


if by_the_document():
    @pytest.mark.parametrize("ws,repo", by_the_document())
    def test_conformance_by_the_document(bb, ws, repo):
        a = bb.accounts["ada"]
        done = subprocess.run([sys.executable, CHECKER, "--openapi", OPENAPI, "--url", bb.api_url, "--ws", ws, "--repo", repo,
                               "--user", a.email, "--token", a.token], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout

    def test_the_small_form_is_of_that_document():
        made = subprocess.run([os.path.join(HERE, "contract-from"), OPENAPI], check=True, capture_output=True, text=True).stdout
        with open(os.path.join(HERE, "contract.json"), encoding="utf-8") as f:
            assert f.read() == made
