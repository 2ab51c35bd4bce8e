"""Whose hands the supervisor uses: it becomes the owner of the sources to write them, and the
candidate to delete and to kill.

PID 1 keeps two capabilities, SETUID and SETGID. Without CAP_DAC_OVERRIDE, CAP_CHOWN and CAP_KILL a
mistake in it can do no more than one of those two users could.

Not covered: more than one candidate at a time.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import Iterator, List, Sequence

SOURCES = 61001
CANDIDATE = 61002
COLLECTOR = 61003
"""The real and saved user of a collected suite, which acts as the candidate: so it can become one
without a capability, and a candidate can neither trace nor signal it."""

JUDGED = (".py", ".pyi", ".pyx", ".toml", ".cfg", ".ini", ".pth", ".pyc")


PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4

_also: List[str] = []


def judge_also(suffixes: Sequence[str]) -> None:
    """Take files that end so for judged ones too: another language's sources."""
    _also[:] = suffixes


def owner_of(path: str) -> int:
    """Return who owns the file at ``path`` (relative to the root): judged files are not the candidate's."""
    judged = path.endswith(JUDGED) or path.startswith(".git/") or path.endswith(tuple(_also))
    return SOURCES if judged else CANDIDATE


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Do file work as ``user``: effective ids only, so it can be undone."""
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def close_to_others() -> None:
    """Close this process's memory, descriptors and environment below /proc to whoever is not root."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_closed() -> bool:
    """Whether ``close_to_others`` was called, and is still in force."""
    return bool(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
