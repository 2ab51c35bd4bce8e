"""Every process that this one has started, however deep: found, ended, reaped.

Used where there is no container and so no PID 1: orphans come to the nearest ancestor that asked
for them. Only descendants are ever signalled, by number.

Not covered: a process that gains other rights (a set-user-id program).
"""

from __future__ import annotations

import ctypes
import os
import signal
import time

from .running import Run

PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 500


def adopt() -> None:
    """Let orphans below come to this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def living() -> list[int]:
    """Return the descendants that are not zombies."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                # The name in brackets may hold anything; state and parent come behind it.
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def reap(run: Run | None = None) -> None:
    """Collect what has ended; the status of ``run``'s own process is noted in it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if run is not None and pid == run.pid:
            run.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def end_all(run: Run | None = None) -> bool:
    """Kill until none is left; False when some would not die."""
    for _ in range(ROUNDS):
        found = living()
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        reap(run)
        if not found:
            return True
        time.sleep(0.002)
    return False
