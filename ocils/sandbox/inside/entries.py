"""What the host sends into the tree: files, links and folders.

Not covered: owners of their own, extended attributes, devices, sockets and FIFOs.
"""

from __future__ import annotations

import os
from typing import Tuple

Identity = Tuple[int, int, int]
"""Inode, ctime in nanoseconds, mode."""


class Entry:
    """One file, link or folder as the host sent it; ``path`` is relative to the root."""

    __slots__ = ("data", "kind", "link", "mode", "mtime", "path")

    def __init__(
        self, path: str, kind: str, mode: int, mtime: int, link: str, data: bytes = b""
    ) -> None:
        self.path = path
        self.kind = kind
        self.link = link
        self.mtime = mtime
        self.data = data
        # Readable for both users, never set-id, never writable for others.
        self.mode = (mode | 0o444) & 0o755 | (0o111 if mode & 0o100 else 0)
        if kind == "folder":
            self.mode |= 0o755


def identity(path: str) -> Identity:
    """Return what cannot stay the same when the file at ``path`` was touched."""
    found = os.lstat(path)
    return (found.st_ino, found.st_ctime_ns, found.st_mode)
