"""The C library's allocator, set up for large buffers that come and go at every step.

Three things cost more than the computing itself at eight candidates of a thousand tokens. Large
buffers are mapped and unmapped each time. Threads other than the first have heaps of their own, of
64 MiB at most, which are unmapped whenever they fall empty, whatever is set: so one heap is for all.
And a heap of gigabytes in pages of 4 KiB is slow to get and to find one's way in: it is asked for in
pages of 2 MiB, where the system has them on request (``allocator_gain``, ``turn2_first_token``).

Not covered: other C libraries than glibc, which have no such trap.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8
_MADV_HUGEPAGE = 14
_HUGE = 2 * 1024 * 1024


class Heap:
    """The process's heap under these settings. Used from one thread at a time."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        self._libc = libc

    def trim(self) -> None:
        """Give memory that is free back to the system."""
        self._libc.malloc_trim(0)

    def widen(self, size: int) -> None:
        """Let the heap have ``size`` bytes to be used soon, in large pages where there are any.

        They take no memory before they are written to. A heap that cannot grow so far stays as it
        is: what is too much then fails where it is used, as without this.
        """
        block = self._libc.malloc(size)
        if not block:
            return
        self._libc.free(block)
        start, end = -(-block // _HUGE) * _HUGE, min(block + size, self._libc.sbrk(0))
        # Behind the heap's end there is nothing, or memory that is somebody else's.
        if start < end:
            self._libc.madvise(start, end - start, _MADV_HUGEPAGE)


def one_heap() -> None:
    """Let all threads share one heap; to be called before there is a second thread.

    A thread that has a heap of its own by then keeps it. Nothing else changes.
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_ARENA_MAX, 1)


def tuned_heap() -> Heap | None:
    """Keep large buffers on the heap from now on, and return it; None of another C library.

    What is freed goes back to the system only by ``Heap.trim``.
    """
    if (libc := _glibc()) is None:
        return None
    libc.mallopt(_M_ARENA_MAX, 1)
    libc.mallopt(_M_MMAP_MAX, 0)
    # Never: the largest number would still be reached, by 8 candidates of a 0.5B model.
    libc.mallopt(_M_TRIM_THRESHOLD, -1)
    return Heap(libc)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.malloc_trim.argtypes = [ctypes.c_size_t]  # musl has none: AttributeError
        libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
        libc.sbrk.argtypes, libc.sbrk.restype = [ctypes.c_ssize_t], ctypes.c_void_p
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    except (OSError, AttributeError):
        return None
    return libc
