"""Makes training a good guest on a shared Linux machine. Elsewhere it does nothing.

It does not cover memory limits, nor more than two threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path


def keep_memory() -> None:
    """Stop glibc from giving large buffers back after every step, which costs most of the time."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(-4, 0)
            library.mallopt(-1, 2**31 - 1)


def give_back() -> None:
    """Return what is free all the same; called seldom, or the heap grows into gigabytes."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)


class Guest:
    """How many threads to use now: two that wait for each other crawl when one core is taken."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.before = self.others()

    def others(self) -> tuple[float, float]:
        """(now, seconds of processor time that ordinary, not niced, processes have used)."""
        path = Path("/proc/stat")
        if not path.exists():
            return time.monotonic(), 0.0
        fields = path.read_text().split("\n", 1)[0].split()
        return time.monotonic(), (int(fields[1]) + int(fields[3])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """One core less for every half core that others used since the last call."""
        now, used = self.others()
        then, had = self.before
        self.before = now, used
        busy = (used - had) / max(now - then, 0.05)
        return max(1, self.most - round(busy + 0.15))
