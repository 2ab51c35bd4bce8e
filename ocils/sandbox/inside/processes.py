"""Ending every process of the candidate (or of the collector), without a fork and without CAP_KILL.

A fork bomb may hold every process number that the container has, so nothing here starts one: PID 1
becomes the candidate for one ``kill(-1)``, which spares PID 1 itself.

Not covered: processes of other users; the candidate cannot become one (no capabilities,
no-new-privileges, ``nosuid`` mounts).
"""

from __future__ import annotations

import os
import signal
import time

from .owners import CANDIDATE

ROUNDS = 2000
"""A round takes about a millisecond; a fork bomb of 128 processes needs a handful."""


def alive(user: int = CANDIDATE) -> int:
    """Count the user's processes that are not zombies."""
    count = 0
    mark = f"\nUid:\t{user}\t"
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            with open(f"/proc/{name}/status") as file:
                status = file.read()
        except OSError:
            continue
        if mark in status and "\nState:\tZ" not in status:
            count += 1
    return count


def end_all(user: int = CANDIDATE) -> bool:
    """Kill until none is left; False when some would not die."""
    for _ in range(ROUNDS):
        if not alive(user):
            return True
        os.setresuid(user, user, 0)
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.setresuid(0, 0, 0)
        time.sleep(0.0005)
    return False


def manners(pid: int) -> tuple[int, int, frozenset[int]] | None:
    """Return what a candidate could change of a process that acts as the same user; None when gone."""
    try:
        return (
            os.getpriority(os.PRIO_PROCESS, pid),
            os.sched_getscheduler(pid),
            frozenset(os.sched_getaffinity(pid)),
        )
    except OSError:
        return None


def reap(but: int) -> None:
    """Collect what was re-parented to PID 1; the zygote (``but``) is left for its own wait."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == but:
            return
        os.waitpid(ended.si_pid, 0)


def out_of_memory_kills() -> int:
    """Count how often the kernel killed something in this container for memory (cgroup v1 or v2)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                for line in file:
                    name, _, value = line.partition(" ")
                    if name == "oom_kill":
                        return int(value)
        except OSError:
            continue
    return 0


def output_size(pid: int) -> int:
    """Return how many bytes the candidate's standard output and error hold, when they are files.

    pytest captures into unlinked files; their size is only to be had through the process.
    """
    total = 0
    for number in (1, 2):
        try:
            total += os.stat(f"/proc/{pid}/fd/{number}").st_size
        except OSError:
            continue
    return total
