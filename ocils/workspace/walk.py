"""The walk over a workspace: what belongs to a snapshot, and what is left out and why.

Not covered: reading the files (``disk.py``).
"""

from __future__ import annotations

import os
import stat
from typing import Literal

from ocils.domain.base import Value
from ocils.domain.errors import Unsupported
from ocils.workspace.ignore import Rule, is_ignored, parse_rules

MIB = 1024 * 1024
LARGEST_FILE = 32 * MIB
LARGEST_SNAPSHOT = 256 * MIB
IGNORED_BULK = 8 * MIB
IGNORED_ENTRIES = 2_000
MOST_ENTRIES = 200_000

# A slot gets no ``.git``: it is often larger than the project, it may hold passwords (in the addresses
# of remotes) and hooks, and it is no part of what is edited. A version that setuptools_scm or the like
# writes was written when the project was installed. A test that itself runs ``git describe`` is red in
# the slot and green on the host; the original's run shows it red, before a candidate is judged.
_FOLDERS_LEFT_OUT = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "node_modules": "packages of another language",
}
# Their absence needs no explanation to anyone, so they are not listed.
_CACHES = frozenset(
    [
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".eggs",
        ".pytype",
        ".ipynb_checkpoints",
    ]
)
_EXTENSION_MODULES = (".so", ".pyd")


class Found(Value, frozen=True):
    """Something that may go into a snapshot, seen but not read: ``path`` is relative to the root."""

    path: str
    kind: Literal["file", "link", "folder"]
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int


class Walked(Value, frozen=True):
    """What a walk saw: entries in no order, what was left out and why, and the roots of that."""

    found: tuple[Found, ...]
    left_out: tuple[str, ...]
    hidden: frozenset[str]


def walk(root: str, most: int = MOST_ENTRIES) -> Walked:
    """Look through ``root``, the largest files left out, links not followed.

    What changes or vanishes meanwhile is taken as it is met. Raises ``Unsupported`` for a folder of
    more than ``most`` entries, which cannot be meant as a workspace.
    """
    walker = _Walker(root, most)
    walker.folder("", ())
    return walker.result()


class _Walker:
    def __init__(self, root: str, most: int) -> None:
        self._root = root
        self._most = most
        self._found: list[Found] = []
        self._left_out: list[str] = []
        self._hidden: set[str] = set()

    def result(self) -> Walked:
        kept = self._within_total()
        return Walked(tuple(kept), tuple(sorted(self._left_out)), frozenset(self._hidden))

    def folder(self, path: str, rules: tuple[Rule, ...]) -> None:
        """Take everything below the folder at ``path``; the walk keeps its own stack."""
        waiting = [(path, rules)]
        while waiting:
            path, rules = waiting.pop()
            try:
                with os.scandir(f"{self._root}/{path}") as listing:
                    children = list(listing)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._leave_out(path, _reason(error))
                continue
            names = {child.name for child in children}
            if ".gitignore" in names:
                rules += self._read_rules(f"{path}/.gitignore" if path else ".gitignore", path)
            if not path and ".git" in names:
                rules += self._read_rules(".git/info/exclude", "")
            for child in children:
                deeper = self._take(child, f"{path}/{child.name}" if path else child.name, rules)
                if deeper:
                    waiting.append((deeper, rules))
            if len(self._found) > self._most:
                raise Unsupported(
                    f"{self._root} holds more than {self._most:,} files",
                    mend="open the project's own folder as the workspace",
                )

    def _take(self, child: os.DirEntry[str], path: str, rules: tuple[Rule, ...]) -> str:
        """Take one child; the answer is its path when it is a folder to descend into, else ""."""
        if child.name in _CACHES:
            self._hidden.add(path)
            return ""
        try:
            status = child.stat(follow_symlinks=False)
        except FileNotFoundError:
            return ""
        except OSError as error:
            self._leave_out(path, _reason(error))
            return ""
        if stat.S_ISDIR(status.st_mode):
            if why := self._folder_left_out(child, path, rules):
                self._leave_out(path, why)
                return ""
            self._add(path, "folder", status)
            return path
        if stat.S_ISLNK(status.st_mode):
            self._add(path, "link", status)
        elif not stat.S_ISREG(status.st_mode):
            self._leave_out(path, _special(status.st_mode))
        elif status.st_size > LARGEST_FILE:
            self._leave_out(path, _size(status.st_size))
        elif self._is_ignored_bulk(path, status, rules):
            self._leave_out(path, f"{_size(status.st_size)}, ignored by git")
        else:
            self._add(path, "file", status)
        return ""

    def _folder_left_out(
        self, child: os.DirEntry[str], path: str, rules: tuple[Rule, ...]
    ) -> str | None:
        if why := _FOLDERS_LEFT_OUT.get(child.name):
            return why
        if os.path.lexists(f"{child.path}/pyvenv.cfg"):
            return "virtual environment"
        if is_ignored(path, True, rules) and _is_bulk(child.path):
            return "bulk that git ignores"
        return None

    def _is_ignored_bulk(self, path: str, status: os.stat_result, rules: tuple[Rule, ...]) -> bool:
        # Compiled extension modules are ignored by git and still what the tests import.
        return (
            status.st_size > IGNORED_BULK
            and not path.endswith(_EXTENSION_MODULES)
            and is_ignored(path, False, rules)
        )

    def _add(
        self, path: str, kind: Literal["file", "link", "folder"], status: os.stat_result
    ) -> None:
        self._found.append(
            Found(
                path,
                kind,
                stat.S_IMODE(status.st_mode),
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_ino,
                status.st_size,
            )
        )

    def _leave_out(self, path: str, why: str) -> None:
        self._hidden.add(path)
        self._left_out.append(left_out(path or ".", why))

    def _within_total(self) -> list[Found]:
        """Drop files until the rest fits; sources and small files are the last to go."""
        kept, total = [], 0
        for each in sorted(
            self._found, key=lambda f: (f.kind == "file", not f.path.endswith(".py"), f.size)
        ):
            if each.kind == "file":
                if total + each.size > LARGEST_SNAPSHOT:
                    self._leave_out(
                        each.path,
                        f"{_size(each.size)}, beyond {LARGEST_SNAPSHOT // MIB} MiB in all",
                    )
                    continue
                total += each.size
            kept.append(each)
        return kept

    def _read_rules(self, path: str, folder: str) -> tuple[Rule, ...]:
        try:
            descriptor = os.open(
                f"{self._root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            )
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return ()
                return parse_rules(file.read(MIB).decode("utf-8", "replace"), folder)
        except OSError:
            return ()


def left_out(path: str, why: str) -> str:
    """Say that ``path`` is not in a snapshot; a name that is not UTF-8 is shown escaped."""
    return f"{path}: {why}".encode("utf-8", "backslashreplace").decode()


def _is_bulk(folder: str) -> bool:
    """Tell whether the files below ``folder`` are many or large; stops as soon as it is certain."""
    size = count = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as listing:
                for child in listing:
                    count += 1
                    if child.is_dir(follow_symlinks=False):
                        waiting.append(child.path)
                    elif not child.name.endswith(_EXTENSION_MODULES):
                        size += child.stat(follow_symlinks=False).st_size
                    if size > IGNORED_BULK or count > IGNORED_ENTRIES:
                        return True
        except OSError:
            continue
    return False


def _special(mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISFIFO(mode):
        return "FIFO"
    return "device"


def _size(size: int) -> str:
    return f"{max(1, round(size / MIB))} MiB"


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
