"""What a part of the bench needs to run by itself: its arguments, the program, a local Bitbucket with its mounts, a table."""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "mount")]


def arguments(doc, runs=None, binaries="store"):
    """For argparse; runs: how many by default; binaries: "append" takes several."""
    args = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--binary", action=binaries, help="the program (default: $BITBUCKETFS or build/src/bitbucketfs)")
    if runs:
        args.add_argument("--runs", type=int, default=runs)
    return args


def choose(binary):
    """Before the harness is imported, which looks for the program; None: the one that it finds."""
    if binary:
        os.environ["BITBUCKETFS"] = os.path.abspath(binary)


@contextlib.contextmanager
def service(**options):
    """A local Bitbucket and what mounts it, in a place that goes with them."""
    import harness
    place = pathlib.Path(tempfile.mkdtemp(prefix="bitbucketfs-bench-", dir="/var/tmp"))
    with harness.Bitbucket(harness.DATA, **options) as bb:
        mounts = harness.Mounts(bb, place)
        try:
            yield bb, mounts
        finally:
            mounts.take_down()
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def bench(runs=1, **options):
    """A bench of tests/bench/run, whose table is shown at the end."""
    loader = importlib.machinery.SourceFileLoader("bench_run", os.path.join(HERE, "run"))
    run = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(run)
    with service(data="tests", **options) as (bb, mounts):
        made = run.Bench(bb, mounts, run.Table(), runs)
        yield made
    made.table.show()
