"""The service's git processes.

It runs in threads of the process that reads in a mount. While Python starts a child it blocks all signals in that thread,
and to a thread that blocks it a SIGCHLD is not one that is ignored by default: the kernel wakes another thread of the
process for it. One that waits for a FUSE daemon then gets EINTR from os.listdir() and the like, as after Ctrl-C. On a
busy machine short children end before their parent goes on, so a child waits until it has been let go.
"""
import os
import subprocess

GATE = 'read -r go <"/dev/fd/$0"; exec "$@"'


def start(command, **options):
    """As subprocess.Popen."""
    gate, key = os.pipe()
    try:
        return subprocess.Popen(["sh", "-c", GATE, str(gate), *command], pass_fds=(gate,), **options)
    finally:
        os.close(gate)
        os.close(key)


def run(command, data=None, **options):
    """As subprocess.run with pipes: its output."""
    process = start(command, stdin=subprocess.DEVNULL if data is None else subprocess.PIPE, stdout=subprocess.PIPE, **options)
    out, words = process.communicate(data)
    return subprocess.CompletedProcess(command, process.returncode, out, words)
