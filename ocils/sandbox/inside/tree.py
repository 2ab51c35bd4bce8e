"""The slot's own copy of the workspace: filled, edited for one candidate, and put back.

Judged files belong to one user, data and folders to another, the candidate's, because real suites
write, chmod and delete. Between candidates everything is compared with what was put there: inode,
ctime (nobody can set it) and mode of all, and the bytes of what the candidate may write, since a
shared mapping changes bytes without moving ctime. What differs is written again from memory.

Not covered: extended attributes; two names of one inode (they become two files); a judged file that
is swapped by renaming its folder and swapped back before the run ends.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import Iterator, Sequence

from .entries import Entry, Identity, identity
from .owners import CANDIDATE, SOURCES, acting_as, owner_of
from .scratch import remove

SECOND = 10**9


class Tree:
    """The workspace below ``root``, which is a tmpfs of the candidate's."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, Identity] = {}
        self._folders: dict[str, tuple[int, int, frozenset[str]]] = {}
        self._edited: set[str] = set()
        self._added: set[str] = set()
        self._clock = 0
        # Mount points below the root (the workspace's own environment) are not ours to touch.
        self._foreign = frozenset(os.listdir(root))

    def paths(self) -> list[str]:
        """Return the relative paths of everything that the host sent."""
        return list(self._entries)

    def fill(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        """Put ``entries`` and take ``gone`` away; the first call fills an empty tree.

        The bytecode of every folder that holds a changed source is dropped, since old bytecode is
        taken for fresh when time and size agree.
        """
        for path in sorted(gone, reverse=True):
            self._drop(path)
        for entry in sorted(entries, key=lambda each: each.path):
            self._drop_bytecode(entry.path)
            known = self._entries.get(entry.path)
            if known is not None and known.kind == entry.kind == "folder":
                self._entries[entry.path] = entry
                continue
            if known is not None:
                self._drop(entry.path)
            self._entries[entry.path] = entry
            self._put(entry, entry.data, entry.mtime)
        self._settle()

    def write(self, files: dict[str, bytes]) -> None:
        """Put one candidate's ``files``, each with a modification time of its own."""
        self._clock += 1
        for path, data in files.items():
            known = self._entries.get(path)
            entry = known or Entry(path, "file", 0o644, self._clock * SECOND, "")
            with acting_as(CANDIDATE):
                os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
            self._put(entry, data, entry.mtime + self._clock * SECOND)
            self._files[path] = identity(f"{self.root}/{path}")
            (self._edited if known else self._added).add(path)

    def restore(self) -> list[str]:
        """Put back what the candidate changed; returns the judged files that it tampered with."""
        found: set[str] = set()
        touched: set[str] = set()
        with acting_as(CANDIDATE):
            self._walk(found, touched)
            for path in self._folders:
                if not os.path.isdir(self._absolute(path)):
                    os.makedirs(self._absolute(path))
        touched |= self._files.keys() - found
        touched -= self._added
        tampered = sorted(each for each in touched if owner_of(each) == SOURCES)
        for path in touched | self._edited:
            entry = self._entries[path]
            self._put(entry, entry.data, entry.mtime)
            self._files[path] = identity(f"{self.root}/{path}")
        for path in self._added:
            if os.path.isdir(os.path.dirname(f"{self.root}/{path}")):
                self._unlink(path)
            self._files.pop(path, None)
        self._edited.clear()
        self._added.clear()
        with acting_as(CANDIDATE):
            for path, (mtime, mode, _) in self._folders.items():
                place = self._absolute(path)
                now = os.stat(place)
                if now.st_uid != CANDIDATE:
                    continue
                if now.st_mode != mode:
                    os.chmod(place, stat.S_IMODE(mode))
                if now.st_mtime_ns != mtime:
                    os.utime(place, ns=(mtime, mtime))
        return tampered

    def harvest(self) -> list[tuple[str, bytes, int]]:
        """Read the bytecode that a run of the original left: path, bytes, mtime."""
        harvest = []
        with acting_as(CANDIDATE):
            for folder in self._folders:
                place = os.path.join(self._absolute(folder), "__pycache__")
                if f"{folder}/__pycache__" in self._folders or not os.path.isdir(place):
                    continue
                for name in os.listdir(place):
                    path = f"{place}/{name}"
                    found = os.lstat(path)
                    if not name.endswith(".pyc") or not stat.S_ISREG(found.st_mode):
                        continue
                    with open(path, "rb") as file:
                        data = file.read()
                    relative = os.path.relpath(path, self.root)
                    harvest.append((relative, data, found.st_mtime_ns))
        return harvest

    def adopt(self, harvest: Sequence[tuple[str, bytes, int]]) -> None:
        """Keep bytecode in the tree from now on; the candidates can read it and not write it."""
        for path, data, mtime in harvest:
            folder = os.path.dirname(path)
            if folder not in self._entries:
                self._entries[folder] = Entry(folder, "folder", 0o755, mtime, "")
                with self._open_folder(os.path.dirname(folder)), acting_as(SOURCES):
                    os.mkdir(f"{self.root}/{folder}", 0o755)
            entry = Entry(path, "file", 0o644, mtime, "", data)
            self._entries[path] = entry
            self._put(entry, data, mtime)
        self._settle()

    def bytecode(self) -> list[tuple[str, bytes, int]]:
        """Return what was adopted, for another slot."""
        return [
            (each.path, each.data, each.mtime)
            for each in self._entries.values()
            if each.path.endswith(".pyc")
        ]

    def _absolute(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    @contextmanager
    def _open_folder(self, path: str) -> Iterator[None]:
        """Let both users write into the folder at ``path`` for a moment."""
        place = self._absolute(path)
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

    def _put(self, entry: Entry, data: bytes, mtime: int) -> None:
        place = f"{self.root}/{entry.path}"
        if entry.kind == "folder":
            with self._open_folder(os.path.dirname(entry.path)), acting_as(CANDIDATE):
                if not os.path.isdir(place):
                    os.mkdir(place)
            return
        user = owner_of(entry.path) if entry.kind == "file" else CANDIDATE
        with self._open_folder(os.path.dirname(entry.path)):
            known = self._stat(place)
            if known is not None and (known.st_uid != user or not stat.S_ISREG(known.st_mode)):
                with acting_as(known.st_uid if known.st_uid == SOURCES else CANDIDATE):
                    remove(place)
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

    @staticmethod
    def _stat(place: str) -> os.stat_result | None:
        try:
            return os.lstat(place)
        except FileNotFoundError:
            return None

    def _unlink(self, path: str) -> None:
        place = f"{self.root}/{path}"
        known = self._stat(place)
        if known is None:
            return
        owner = SOURCES if known.st_uid == SOURCES else CANDIDATE
        with self._open_folder(os.path.dirname(path)), acting_as(owner):
            remove(place)

    def _drop(self, path: str) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._drop_bytecode(path)
            self._unlink(path)

    def _drop_bytecode(self, path: str) -> None:
        """Forget the bytecode of a source's folder; the next run of the original writes it anew."""
        folder = f"{os.path.dirname(path)}/__pycache__".lstrip("/")
        if not path.endswith(".py") or folder not in self._entries:
            return
        for each in [p for p in self._entries if p.startswith(folder + "/")]:
            del self._entries[each]
        del self._entries[folder]
        self._unlink(folder)

    def _settle(self) -> None:
        """Set modes and times of folders, and remember what everything looks like."""
        folders = [each for each in self._entries.values() if each.kind == "folder"]
        for entry in sorted(folders, key=lambda each: each.path, reverse=True):
            place = f"{self.root}/{entry.path}"
            owner = os.stat(place).st_uid
            if owner in (CANDIDATE, SOURCES):
                with acting_as(owner):
                    os.chmod(place, entry.mode)
                    os.utime(place, ns=(entry.mtime, entry.mtime))
        self._files = {
            each.path: identity(f"{self.root}/{each.path}")
            for each in self._entries.values()
            if each.kind != "folder"
        }
        self._folders = {}
        for path in ["", *(each.path for each in folders)]:
            found = os.stat(self._absolute(path))
            names = frozenset(os.listdir(self._absolute(path)))
            self._folders[path] = (found.st_mtime_ns, found.st_mode, names)

    def _walk(self, found: set[str], touched: set[str]) -> None:
        """Look at everything in the tree as the candidate; strangers are removed on the way."""
        todo = [""]
        while todo:
            folder = todo.pop()
            place = self._absolute(folder)
            _, mode, names = self._folders[folder]
            now = os.stat(place)
            if now.st_mode != mode and now.st_uid == CANDIDATE:
                os.chmod(place, stat.S_IMODE(mode))
            with os.scandir(place) as entries:
                present = list(entries)
            for entry in present:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path in self._files:
                    found.add(path)
                    if self._differs(path, entry):
                        touched.add(path)
                elif path in self._folders:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(path)
                    else:
                        remove(entry.path)
                elif entry.name not in names and not (not folder and entry.name in self._foreign):
                    remove(entry.path)

    def _differs(self, path: str, entry: os.DirEntry[str]) -> bool:
        now = entry.stat(follow_symlinks=False)
        if (now.st_ino, now.st_ctime_ns, now.st_mode) != self._files[path]:
            return True
        if now.st_uid != CANDIDATE or not stat.S_ISREG(now.st_mode) or path in self._edited:
            return False
        with open(entry.path, "rb") as file:
            return file.read() != self._entries[path].data
