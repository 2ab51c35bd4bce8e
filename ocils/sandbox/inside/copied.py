"""The ``process`` runtime's copy of the workspace: filled, edited for one candidate, and put back.

There is one user only, so the candidate can write everything here, and what it changed is found by
inode, ctime and mode and written again. Bytecode is a stranger and goes after every run.

Not covered: times of folders; what a candidate does to anything else of the user's.
"""

from __future__ import annotations

import os
import stat
from typing import Sequence

from .entries import Entry, Identity, identity
from .owners import SOURCES, owner_of
from .scratch import remove

SECOND = 10**9


class Copy:
    """The files below ``root``; ``foreign`` is a path there that is not ours to touch, or nothing."""

    def __init__(self, root: str, foreign: str) -> None:
        self.root = root
        self._foreign = foreign
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, Identity] = {}
        self._written: set[str] = set()
        self._clock = 0

    def fill(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        """Put ``entries`` and take ``gone`` away."""
        for path in sorted(gone, reverse=True):
            if self._entries.pop(path, None) is not None:
                self._files.pop(path, None)
                self._remove(path)
        for entry in sorted(entries, key=lambda each: each.path):
            self._entries[entry.path] = entry
            self._put(entry, entry.data, entry.mtime)

    def write(self, files: dict[str, bytes]) -> None:
        """Put one candidate's ``files``, each with a modification time of its own."""
        self._clock += 1
        self._written = set(files)
        for path, data in files.items():
            known = self._entries.get(path)
            entry = known or Entry(path, "file", 0o644, self._clock * SECOND, "")
            os.makedirs(os.path.dirname(self._at(path)), exist_ok=True)
            self._put(entry, data, entry.mtime + self._clock * SECOND)

    def restore(self) -> list[str]:
        """Put everything back; returns the judged files that were changed and are not the candidate's."""
        changed = [path for path in self._files if not self._is_same(path)]
        tampered = [each for each in changed if owner_of(each) == SOURCES]
        for path in self._written - self._entries.keys():
            self._files.pop(path, None)
        self._sweep()
        for path in sorted({*changed, *self._written} & self._entries.keys()):
            entry = self._entries[path]
            self._put(entry, entry.data, entry.mtime)
        self._written = set()
        return sorted(tampered)

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _is_same(self, path: str) -> bool:
        try:
            return identity(self._at(path)) == self._files[path]
        except OSError:
            return False

    def _remove(self, path: str) -> None:
        if os.path.lexists(self._at(path)):
            remove(self._at(path))

    def _put(self, entry: Entry, data: bytes, mtime: int) -> None:
        place = self._at(entry.path)
        if entry.kind == "folder":
            if os.path.islink(place) or not os.path.isdir(place):
                self._remove(entry.path)
                os.mkdir(place)
            return
        self._remove(entry.path)
        if entry.kind == "link":
            os.symlink(entry.link, place)
        else:
            with open(place, "xb") as file:
                file.write(data)
            os.chmod(place, entry.mode)
        os.utime(place, ns=(mtime, mtime), follow_symlinks=False)
        self._files[entry.path] = identity(place)

    def _sweep(self) -> None:
        """Remove what nobody sent, and bring folders back."""
        todo = [""]
        while todo:
            folder = todo.pop()
            place = self._at(folder) if folder else self.root
            os.chmod(place, stat.S_IMODE(os.stat(place).st_mode) | 0o700)
            with os.scandir(place) as found:
                entries = list(found)
            for each in entries:
                path = f"{folder}/{each.name}" if folder else each.name
                known = self._entries.get(path)
                is_folder = each.is_dir(follow_symlinks=False)
                if path == self._foreign:
                    continue
                if is_folder and (self._foreign.startswith(path + "/") or _is_folder(known)):
                    todo.append(path)
                elif known is None or _is_folder(known) or is_folder:
                    remove(each.path)
        for path in sorted(p for p, each in self._entries.items() if each.kind == "folder"):
            os.makedirs(self._at(path), exist_ok=True)


def _is_folder(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == "folder"
