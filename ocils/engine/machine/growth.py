"""How far loading has come, seen from outside: by how much this process has grown.

CTranslate2 reads a model in one call that says nothing until its end.

Not covered: systems without ``/proc``, where nobody is told anything on the way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.1  # seconds
_STEP = 0.05
_MOST = 0.99  # the end is said by whoever knows


@contextmanager
def watch_growth(size: int, tell: Callable[[float], None]) -> Iterator[None]:
    """Call ``tell`` with the share of ``size`` bytes that were read so far, from another thread.

    Nothing is told of what takes less than a moment. The thread is gone when the block is left.
    """
    before = _resident()
    if not size or not before:
        yield
        return
    done = threading.Event()

    def look() -> None:
        told = 0.0
        while not done.wait(_PAUSE):
            share = min(_MOST, (_resident() - before) / size)
            if share >= told + _STEP:
                told = share
                tell(share)

    thread = threading.Thread(target=look, name="ocils-loading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _resident() -> int:
    """Return the bytes of this process that are in memory; 0 where nobody says."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
