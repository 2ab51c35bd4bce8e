"""The C library's allocator, set up for buffers that come and go at every step.

Measured at eight candidates of 1,024 tokens and more: several times as fast (``allocator_gain``).

Not covered: other C libraries than glibc, which have no such trap.
"""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_MAX = -4
_M_TRIM_THRESHOLD = -1


def tuned_libc() -> ctypes.CDLL | None:
    """Keep large buffers on the heap: glibc would map and unmap them at every step (4 × slower)."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.malloc_trim  # noqa: B018 (musl has none; asking for it raises AttributeError)
    except (OSError, AttributeError):
        return None
    return libc
