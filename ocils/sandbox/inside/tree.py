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
from typing import Sequence

from .entries import Entry, Identity, identity
from .hands import Hands, clear
from .owners import CANDIDATE, SOURCES, acting_as, owner_of

SECOND = 10**9


class _Found:
    """What a look at the tree found: paths that are there, changed, strangers, or not to be trusted."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.touched: set[str] = set()
        self.strangers: list[str] = []
        self.folders: set[str] = set()
        self.odd: set[str] = set()


class Tree:
    """The workspace below ``root``, which is a tmpfs of the candidate's."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._hands = Hands(root)
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, Identity] = {}
        self._folders: dict[str, tuple[int, int, frozenset[str]]] = {}
        self._edited: set[str] = set()
        self._added: set[str] = set()
        self._sealed: dict[str, Identity] = {}
        self._empty: list[str] = []
        self._is_sealed = False
        self.tampered: list[str] = []
        self.left: list[str] = []
        self._clock = 0
        # Mount points below the root (the workspace's own environment) are not ours to touch.
        self._foreign = frozenset(os.listdir(root))

    def data(self, path: str) -> bytes:
        """Return what the host sent for the file at ``path``."""
        return self._entries[path].data

    def paths(self) -> list[str]:
        """Return the relative paths of everything that the host sent."""
        return list(self._entries)

    def fill(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        """Put ``entries`` and take ``gone`` away; the first call fills an empty tree.

        The bytecode of every folder that holds a changed source is dropped, since old bytecode is
        taken for fresh when time and size agree.
        """
        self._is_sealed = False
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
            self._hands.put(entry, entry.data, entry.mtime)
        self._settle()

    def write(self, files: dict[str, bytes]) -> None:
        """Put one candidate's ``files``, each with a modification time of its own."""
        self._clock += 1
        for path, data in files.items():
            known = self._entries.get(path)
            entry = known or Entry(path, "file", 0o644, self._clock * SECOND, "")
            with acting_as(CANDIDATE):
                os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
            self._hands.put(entry, data, entry.mtime + self._clock * SECOND)
            self._files[path] = identity(f"{self.root}/{path}")
            (self._edited if known else self._added).add(path)

    def restore(self) -> None:
        """Put back what the candidate changed.

        ``tampered`` then names the judged files that it replaced; when not even looking was
        possible it says so, because nothing is known then. Raises ``OSError`` when something would not go back.
        """
        self.tampered = ["the workspace, so that it cannot be looked at"]
        found = _Found()
        with acting_as(CANDIDATE):
            self._walk(found)
        lost = sorted(self._folders.keys() - found.folders)
        touched = (found.touched | self._files.keys() - found.present) - self._added
        self.left = [*touched, *found.strangers, *lost]
        judged = {each for each in touched if owner_of(each) == SOURCES}
        self.tampered = sorted(judged | found.odd | self._sealed.keys() & set(lost))
        for path in found.strangers:
            with self._hands.open_folder(os.path.dirname(path)):
                clear(self._hands.absolute(path))
        for path in lost:
            if path in self._sealed:
                self._hands.make_sealed(path)
            else:
                self._hands.put(Entry(path, "folder", 0o755, 0, ""), b"", 0)
        for path in touched | self._edited:
            entry = self._entries[path]
            self._hands.put(entry, entry.data, entry.mtime)
            self._files[path] = identity(f"{self.root}/{path}")
        for path in self._added:
            if os.path.isdir(os.path.dirname(f"{self.root}/{path}")):
                self._hands.unlink(path)
            self._files.pop(path, None)
        self._edited.clear()
        self._added.clear()
        self._restore_folders()

    def _restore_folders(self) -> None:
        with acting_as(CANDIDATE):
            for path, (mtime, mode, _) in self._folders.items():
                place = self._hands.absolute(path)
                now = os.stat(place)
                if now.st_uid != CANDIDATE:
                    continue
                if now.st_mode != mode:
                    os.chmod(place, stat.S_IMODE(mode))
                if now.st_mtime_ns != mtime:
                    os.utime(place, ns=(mtime, mtime))
        for path in self._sealed:
            self._sealed[path] = identity(self._hands.absolute(path))

    def seal(self) -> None:
        """Keep a candidate from leaving bytecode for sources that are imported later in its run."""
        if self._is_sealed:
            return
        self._is_sealed = True
        places = {os.path.dirname(path) for path in self._entries if path.endswith(".py")}
        for place in places:
            path = f"{place}/__pycache__".lstrip("/")
            if path not in self._entries and place in self._folders:
                self._entries[path] = Entry(path, "folder", 0o755, 0, "")
                self._hands.make_sealed(path)
                self._empty.append(path)
        if self._empty:
            self._settle()

    def unseal(self) -> None:
        """Let the next run of the original leave bytecode wherever there is none yet."""
        self._is_sealed = False
        for path in self._empty:
            if self._entries.pop(path, None) is not None:
                self._hands.unlink(path)
        if self._empty:
            self._empty = []
            self._settle()

    def harvest(self) -> list[tuple[str, bytes, int]]:
        """Read the bytecode that a run of the original left: path, bytes, mtime."""
        harvest = []
        with acting_as(CANDIDATE):
            for folder in self._folders:
                place = os.path.join(self._hands.absolute(folder), "__pycache__")
                if f"{folder}/__pycache__".lstrip("/") in self._folders or not os.path.isdir(place):
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
                self._hands.make_sealed(folder)
            entry = Entry(path, "file", 0o644, mtime, "", data)
            self._entries[path] = entry
            self._hands.put(entry, data, mtime)
        self._settle()

    def bytecode(self) -> list[tuple[str, bytes, int]]:
        """Return what was adopted, for another slot."""
        return [
            (each.path, each.data, each.mtime)
            for each in self._entries.values()
            if each.path.endswith(".pyc")
        ]

    def _drop(self, path: str) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._drop_bytecode(path)
            self._hands.unlink(path)

    def _drop_bytecode(self, path: str) -> None:
        """Forget the bytecode of a source's folder; the next run of the original writes it anew."""
        folder = f"{os.path.dirname(path)}/__pycache__".lstrip("/")
        if not path.endswith(".py") or folder not in self._entries:
            return
        for each in [p for p in self._entries if p.startswith(folder + "/")]:
            del self._entries[each]
        del self._entries[folder]
        self._hands.unlink(folder)

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
            found = os.stat(self._hands.absolute(path))
            names = frozenset(os.listdir(self._hands.absolute(path)))
            self._folders[path] = (found.st_mtime_ns, found.st_mode, names)
        self._sealed = {
            path: identity(self._hands.absolute(path))
            for path in self._folders
            if os.stat(self._hands.absolute(path)).st_uid == SOURCES
        }

    def _walk(self, found: _Found) -> None:
        """Look at everything in the tree as the candidate, and note what is not as it was."""
        todo = [""]
        while todo:
            folder = todo.pop()
            found.folders.add(folder)
            place = self._hands.absolute(folder)
            _, mode, names = self._folders[folder]
            now = os.stat(place)
            if now.st_mode != mode and now.st_uid == CANDIDATE:
                os.chmod(place, stat.S_IMODE(mode))
            with os.scandir(place) as entries:
                present = list(entries)
            for entry in present:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path in self._files:
                    found.present.add(path)
                    if self._differs(path, entry):
                        found.touched.add(path)
                elif path in self._folders:
                    if self._same_folder(path, entry, found):
                        todo.append(path)
                    else:
                        found.strangers.append(path)
                elif entry.name not in names and not (not folder and entry.name in self._foreign):
                    found.strangers.append(path)
                    if entry.name == "conftest.py":
                        found.odd.add(path)

    def _same_folder(self, path: str, entry: os.DirEntry[str], found: _Found) -> bool:
        if not entry.is_dir(follow_symlinks=False):
            return False
        if path not in self._sealed:
            return True
        if identity(entry.path) != self._sealed[path]:
            found.odd.add(path)
        return entry.stat().st_uid == SOURCES

    def _differs(self, path: str, entry: os.DirEntry[str]) -> bool:
        now = entry.stat(follow_symlinks=False)
        if (now.st_ino, now.st_ctime_ns, now.st_mode) != self._files[path]:
            return True
        if now.st_uid != CANDIDATE or not stat.S_ISREG(now.st_mode):
            return False
        if path in self._edited or path in self._added:
            return False  # it is written again, or goes, in any case
        with open(entry.path, "rb") as file:
            return file.read() != self._entries[path].data
