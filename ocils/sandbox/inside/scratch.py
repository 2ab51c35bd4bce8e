"""What a candidate may leave outside the tree: temporary files, its home, System V objects.

Not covered: kernel objects that need a descriptor (they end with the process).
"""

from __future__ import annotations

import ctypes
import os

from .owners import CANDIDATE, acting_as


def remove(path: str) -> None:
    """Delete ``path`` as the current user, however deep it is and whatever its modes are."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    # Sub-folders are moved up into the top one, so that neither path length nor recursion ends it.
    todo: list[str] = [path]
    moved = 0
    while todo:
        folder = todo.pop()
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
            elif folder == path:
                todo.append(entry.path)
            else:
                os.chmod(entry.path, 0o700)
                moved += 1
                place = f"{path}/\x01{moved}"
                os.rename(entry.path, place)
                todo.append(place)
        if folder != path:
            os.rmdir(folder)
    os.rmdir(path)


def remove_shared_objects(libc: ctypes.CDLL) -> None:
    """Remove every System V segment, semaphore set and queue of this container."""
    for kind in ("shm", "sem", "msg"):
        try:
            with open(f"/proc/sysvipc/{kind}") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            number = int(line.split()[1])
            if kind == "sem":
                libc.semctl(number, 0, 0)
            elif kind == "shm":
                libc.shmctl(number, 0, None)
            else:
                libc.msgctl(number, 0, None)


class Scratch:
    """Folders that anyone may write, and what was in them when the slot was ready."""

    def __init__(self, folders: list[str], libc: ctypes.CDLL) -> None:
        self._folders = [each for each in folders if os.path.isdir(each)]
        self._libc = libc
        self._kept: dict[str, frozenset[str]] = {}
        self.left: list[str] = []

    def remember(self) -> None:
        """Take what is there now for the clean state."""
        self._kept = {each: frozenset(os.listdir(each)) for each in self._folders}

    def restore(self) -> bool:
        """Remove what came since; False when something would not go."""
        self.left = []
        with acting_as(CANDIDATE):
            for folder, kept in self._kept.items():
                for name in os.listdir(folder):
                    if name not in kept:
                        self.left.append(f"{folder}/{name}")
                        remove(f"{folder}/{name}")
            remove_shared_objects(self._libc)
        return all(frozenset(os.listdir(each)) == kept for each, kept in self._kept.items())
