"""Whether forks of this process would share anything but memory that is copied.

An open file's offset, a shared mapping, a second thread, a timer: a candidate that uses one would be
felt by the next, or would miss what a fork does not copy. What pytest itself opens is given anew to
each fork (``renew``).

Not covered: locks that native libraries hold.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
from typing import Dict, FrozenSet, List, NamedTuple, Tuple

COPIED = 1 << 20


class Held(NamedTuple):
    """What the process held before it ran anything of the workspace's."""

    files: FrozenSet[int]
    shared: FrozenSet[str]
    output: Tuple[int, int]


def held() -> Held:
    """Take what is there now for harmless."""
    found = os.fstat(1)
    return Held(frozenset(_files()), frozenset(_shared()), (found.st_dev, found.st_ino))


def why_not(before: Held) -> str:
    """Say why this process must not be forked from again and again, or nothing."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "collecting started threads"
    if _has_children() or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss:
        return "collecting ran other processes"
    if set(_shared()) - before.shared:
        return "collecting made shared memory"
    if any(signal.getitimer(each)[0] for each in (signal.ITIMER_REAL, signal.ITIMER_PROF)):
        return "collecting set a timer"
    for number, where in _files().items():
        if number not in before.files and _kind(number, where, before) == "theirs":
            return f"collecting opened {where}"
    return ""


def renew(before: Held, output: int) -> None:
    """In a fork: give it files of its own for those that it shares with its siblings.

    ``output`` takes the place of what stood for the standard output; it stays open.
    """
    for number, where in _files().items():
        if number in before.files and number > 2:
            continue
        kind = _kind(number, where, before)
        if kind == "output":
            os.dup2(output, number, inheritable=number < 3)
        elif kind == "temporary":
            _copy(number)


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _files() -> Dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that listed the folder
    return found


def _shared() -> List[str]:
    with open("/proc/self/maps") as file:
        return [line for line in file if line.split(" ", 2)[1] == "rw-s"]


def _kind(number: int, where: str, before: Held) -> str:
    if where == "/dev/null":
        return "nothing"
    found = os.fstat(number)
    if (found.st_dev, found.st_ino) == before.output:
        return "output"
    # pytest captures into nameless files.
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_size <= COPIED:
        return "temporary"
    return "theirs"


def _copy(number: int) -> None:
    """Put a file of this process's own, with the same content, in the place of a nameless one."""
    data = os.pread(number, COPIED, 0)
    offset = os.lseek(number, 0, os.SEEK_CUR)
    inheritable = os.get_inheritable(number)
    copy = os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(copy, data)
    os.lseek(copy, offset, os.SEEK_SET)
    os.dup2(copy, number, inheritable=inheritable)
    os.close(copy)
