"""A local Bitbucket for tests, demonstration and benchmarks: real HTTP, real git, faults and a log. See README.md."""
from .server import Bitbucket

__all__ = ["Bitbucket"]
