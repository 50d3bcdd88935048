"""The local Bitbucket is tested by itself: a test asks for `bb`, a fresh one over data built once. Nothing is mounted."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mount"))

from harness import DATA, Bitbucket  # noqa: E402


@pytest.fixture
def bb():
    with Bitbucket(DATA, data="tests") as service:
        yield service
