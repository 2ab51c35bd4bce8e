"""Writing and removing below the slot's root, each thing with the hands of its owner.

PID 1 has no right to other people's files: it becomes the owner of the sources, or the candidate,
for as long as the work on one path takes. No process of the candidate is alive meanwhile.

Not covered: what belongs where (``tree.py``).
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import Iterator

from .entries import Entry
from .owners import CANDIDATE, SOURCES, acting_as, owner_of
from .scratch import remove


class Hands:
    """Works on paths relative to ``root``."""

    def __init__(self, root: str) -> None:
        self.root = root

    def absolute(self, path: str) -> str:
        """Return where ``path`` is; the root itself is the empty path."""
        return f"{self.root}/{path}" if path else self.root

    @contextmanager
    def open_folder(self, path: str) -> Iterator[None]:
        """Let both users write into the folder at ``path`` for a moment."""
        place = self.absolute(path)
        found = os.stat(place)
        if found.st_uid == SOURCES:
            yield
            return
        owner = CANDIDATE if found.st_uid == CANDIDATE else 0
        with acting_as(owner):
            os.chmod(place, 0o777)
        try:
            yield
        finally:
            with acting_as(owner):
                os.chmod(place, stat.S_IMODE(found.st_mode))

    def put(self, entry: Entry, data: bytes, mtime: int) -> None:
        """Write ``entry`` with ``data`` and ``mtime``, whatever is in its place."""
        place = self.absolute(entry.path)
        if entry.kind == "folder":
            with self.open_folder(os.path.dirname(entry.path)), acting_as(CANDIDATE):
                if not os.path.isdir(place):
                    os.mkdir(place)
            return
        user = owner_of(entry.path) if entry.kind == "file" else CANDIDATE
        with self.open_folder(os.path.dirname(entry.path)):
            known = look(place)
            ours = known is not None and known.st_uid == user and stat.S_ISREG(known.st_mode)
            if known is not None and not (ours and entry.kind == "file"):
                clear(place)
            with acting_as(user):
                if entry.kind == "link":
                    os.symlink(entry.link, place)
                    os.utime(place, ns=(mtime, mtime), follow_symlinks=False)
                    return
                number = os.open(
                    place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
                )
                try:
                    view = memoryview(data)
                    while view:
                        view = view[os.write(number, view) :]
                    os.fchmod(number, entry.mode)
                    os.utime(number, ns=(mtime, mtime))
                finally:
                    os.close(number)

    def make_sealed(self, path: str) -> None:
        """Make a folder at ``path`` that the candidate can read and not write."""
        with self.open_folder(os.path.dirname(path)), acting_as(SOURCES):
            os.mkdir(self.absolute(path), 0o755)

    def unlink(self, path: str) -> None:
        """Remove what is at ``path``, if anything is."""
        place = self.absolute(path)
        if look(place) is not None:
            with self.open_folder(os.path.dirname(path)):
                clear(place)


def look(place: str) -> os.stat_result | None:
    """Return what is at ``place``, links not followed, or None."""
    try:
        return os.lstat(place)
    except FileNotFoundError:
        return None


def clear(place: str) -> None:
    """Remove ``place`` for good, also where both users own parts of it.

    The folder that it is in must be writable for its owner.
    """
    found = os.lstat(place)
    with acting_as(SOURCES if found.st_uid == SOURCES else CANDIDATE):
        try:
            remove(place)
        except PermissionError:
            mixed = True
        else:
            mixed = False
    if mixed and stat.S_ISDIR(found.st_mode):
        _clear_mixed(place, found.st_uid)


def _clear_mixed(folder: str, owner: int) -> None:
    """Remove a folder of ``owner`` that holds folders of the other user: each empties its own."""
    with acting_as(owner):
        os.chmod(folder, 0o777)
        names = os.listdir(folder)
    for name in names:
        clear(f"{folder}/{name}")
    above = os.stat(os.path.dirname(folder)).st_uid
    with acting_as(owner if above not in (SOURCES, CANDIDATE) else above):
        os.rmdir(folder)
