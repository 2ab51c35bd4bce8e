"""What is measured: a task, and the source that tasks are read from one at a time.

A task is a small workspace with a bug or a stub in it, the function that is to be mended, and, where
one is known, the same workspace as it should be. Which of its tests a search may see is decided
later (``halves``), by their ids alone.

Not covered: whether a task is what it claims to be (``check``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

import msgspec

from ocils.domain.base import Value
from ocils.domain.errors import OcilsError
from ocils.domain.judging import TestId
from ocils.domain.target import Task as Wanted
from ocils.domain.text import Entry, Snapshot, snapshot_hash

_EPOCH = 1_500_000_000
_SPREAD = 100_000_000


class Task(Value, frozen=True):
    """One thing to mend: ``function`` (qualified) of the file at ``path`` (relative) in ``original``.

    ``tests`` are the test files or folders that count, all when empty. Tests whose function's name
    begins with ``held_out`` are never shown to a search; when it is empty half of them are. Where
    ``strict`` is not set, tests that the solution itself does not pass are left aside: old projects
    on a new Python have such. ``shown`` are tests that a search always sees when they are red.
    ``passing`` are tests that the solution is known to pass, which then need no run; ``wider`` are
    those that what is offered must pass besides.
    """

    id: str
    original: Snapshot
    path: str
    function: str
    wanted: Wanted = "repair"
    solution: Snapshot | None = None
    tests: tuple[str, ...] = ()
    held_out: str = ""
    strict: bool = True
    shown: tuple[TestId, ...] = ()
    passing: tuple[TestId, ...] = ()
    wider: tuple[TestId, ...] = ()


class Unusable(Value, frozen=True, tag=True):
    """A task that is reported and not counted, and why."""

    task: str
    why: str


Item: TypeAlias = Task | Unusable


class Unreadable(ValueError):
    """One item is not what its format asks for; the others may be."""


class Source(NamedTuple):
    """Tasks by name, read when their turn comes, and the SHA-256 of what they are read from.

    ``read`` raises ``Unreadable`` for an item that is not what its format says.
    """

    format: str
    ids: tuple[str, ...]
    read: Callable[[str], Task]
    digest: str

    def item(self, name: str) -> Item:
        """Read one; what is wrong with it becomes a value."""
        try:
            return self.read(name)
        except (OcilsError, OSError, ValueError, RecursionError) as problem:
            return Unusable(name, str(problem) or type(problem).__name__)


def workspace_of(root: str, files: Mapping[str, bytes | str]) -> Snapshot:
    """Return the workspace at ``root`` that holds exactly ``files`` (by relative path).

    Bytecode is matched by size and time, and one slot judges task after task: so a file's time
    follows from its bytes, and never stays the same while they change.
    """
    entries: dict[str, Entry] = {}
    for path, text in files.items():
        data = text.encode() if isinstance(text, str) else text
        for folder in PurePosixPath(path).parents:
            if str(folder) != ".":
                entries[str(folder)] = Entry(str(folder), "folder", 0o755, _EPOCH * 10**9)
        entries[path] = Entry(path, "file", 0o644, _time_of(data), data)
    ordered = tuple(sorted(entries.values(), key=lambda entry: entry.path))
    return Snapshot(root, ordered, snapshot_hash(ordered))


def with_file(snapshot: Snapshot, path: str, data: bytes) -> Snapshot:
    """Return the same workspace with other bytes in one of its files."""
    entries = tuple(
        msgspec.structs.replace(each, data=data, mtime_ns=_time_of(data))
        if each.path == path
        else each
        for each in snapshot.entries
    )
    return msgspec.structs.replace(snapshot, entries=entries, hash=snapshot_hash(entries))


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 of several pieces, none of which can pass for part of another."""
    total = hashlib.sha256()
    for piece in pieces:
        total.update(f"{len(piece)} ".encode())
        total.update(piece)
    return total.hexdigest()


def _time_of(data: bytes) -> int:
    number = int.from_bytes(hashlib.sha256(data).digest()[:6], "big")
    return (_EPOCH + number % _SPREAD) * 10**9
