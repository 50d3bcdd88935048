"""python3 -m bitbucket: the local Bitbucket as a process of its own."""
import argparse
import json
import os
import shutil
import signal
import sys

from . import Bitbucket


def main():
    args = argparse.ArgumentParser(prog="bitbucket", description="A local Bitbucket on a loopback port.")
    args.add_argument("--root", required=True, help="directory for its repositories; used again when it is there")
    args.add_argument("--data", choices=("demo", "tests", "bench"), default="demo")
    args.add_argument("--port", type=int, default=0, help="0: any")
    args.add_argument("--ready-file", help="written, as JSON, when it serves")
    args.add_argument("--latency", type=float, default=0, metavar="MS", help="before each answer")
    args.add_argument("--bandwidth", type=float, metavar="BYTES/S")
    args.add_argument("--no-filter", action="store_true", help="git: do not offer partial clone")
    args.add_argument("--protocol", type=int, choices=(0, 2), default=2, help="git: the newest that is spoken")
    args.add_argument("--quota", type=int, help="requests per account and hour")
    a = args.parse_args()
    bb = Bitbucket(a.root, data=a.data, port=a.port, latency=a.latency / 1000, bandwidth=a.bandwidth,
                   filter=not a.no_filter, v2=a.protocol == 2, quota=a.quota)
    # Blocked before any thread is there, so that only sigwait below gets them.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        bb.start()
    except OSError as e:
        print(f"bitbucket: {e}", file=sys.stderr)
        return 1
    ready = json.dumps(bb.describe(), indent=1)
    if a.ready_file:
        with open(a.ready_file + ".new", "w") as f:
            f.write(ready + "\n")
        os.rename(a.ready_file + ".new", a.ready_file)
    else:
        print(ready, flush=True)
    signal.sigwait(signals)
    bb.stopping.set()
    if a.ready_file:
        os.unlink(a.ready_file)
    shutil.rmtree(bb._work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)            # at once: nobody waits for a connection that still sends
