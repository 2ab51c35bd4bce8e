"""A workspace on this machine's disk, frozen into snapshots. Nothing here ever writes.

Not covered: watching for changes; extended attributes, owners and hard links, which a snapshot has
no place for.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ocils.domain.errors import UsageError
from ocils.domain.text import Document, Entry, Snapshot, snapshot_hash
from ocils.workspace.paths import relative_to_root
from ocils.workspace.walk import LARGEST_FILE, Found, left_out, walk

_SECOND = 1_000_000_000
_Key = tuple[int, int, int, int, int]


class DiskWorkspace:
    """The ``Workspace`` port over the folder ``root``.

    What was read once is kept (at most a snapshot's 256 MiB) and not read again while the file's
    inode, size, mode and times stay the same. Snapshots may be asked for concurrently; they are
    taken one after another, each in a thread.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        if not Path(self._root).is_dir():
            raise UsageError(f"{root} is not a folder", mend="give the workspace's folder")
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_Key, Entry]] = {}
        self._typed: dict[str, Entry] = {}
        self._last: Snapshot | None = None

    @property
    def root(self) -> str:
        """The workspace's absolute, resolved root."""
        return self._root

    async def snapshot(self, buffers: Sequence[Document] = ()) -> Snapshot:
        """Freeze what is on disk, overlaid with ``buffers`` (unsaved text, absolute paths).

        A buffer whose bytes are those on disk changes nothing. A buffer that lies outside the
        workspace, or in a part that is left out, is named in ``left_out``. Raises ``Unsupported``
        when the folder is far too large to be a workspace.
        """
        return await asyncio.to_thread(self._freeze, tuple(buffers))

    def _freeze(self, buffers: tuple[Document, ...]) -> Snapshot:
        with self._lock:
            walked = walk(self._root)
            missed = list(walked.left_out)
            entries = self._read_all(walked.found, missed)
            opened = [
                path
                for buffer in buffers
                if (path := self._overlay(entries, buffer, walked.hidden, missed))
            ]
            self._typed.update((path, entries[path]) for path in opened)
            ordered = tuple(sorted(entries.values(), key=lambda entry: entry.path))
            # Unchanged entries are the same objects, so this comparison reads no bytes.
            known = self._last is not None and self._last.entries == ordered
            digest = self._last.hash if known and self._last else snapshot_hash(ordered)
            self._last = Snapshot(
                self._root, ordered, digest, tuple(sorted(set(opened))), tuple(sorted(missed))
            )
            return self._last

    def _read_all(self, found: Sequence[Found], missed: list[str]) -> dict[str, Entry]:
        """Return entries by path, read where they are not known; what is gone is not among them."""
        fresh: dict[str, tuple[_Key, Entry]] = {}
        for each in found:
            key = (each.inode, each.size, each.mode, each.mtime_ns, each.ctime_ns)
            known = self._read.get(each.path)
            if known is not None and known[0] == key and known[1].kind == each.kind:
                fresh[each.path] = known
                continue
            try:
                entry, key = self._read_one(each, key)
            except FileNotFoundError:
                continue
            except OSError as error:
                missed.append(left_out(each.path, (error.strerror or "unreadable").lower()))
                continue
            fresh[each.path] = (key, entry)
        self._read = fresh
        return {path: entry for path, (_, entry) in fresh.items()}

    def _read_one(self, found: Found, key: _Key) -> tuple[Entry, _Key]:
        path = f"{self._root}/{found.path}"
        if found.kind == "folder":
            return Entry(found.path, "folder", found.mode, found.mtime_ns), key
        if found.kind == "link":
            text = str(Path(path).readlink())
            return Entry(found.path, "link", found.mode, found.mtime_ns, link=text), key
        # The name may have come to mean a link or a FIFO since the walk: neither may hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            for _ in range(3):
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    raise OSError(0, "no longer a file")
                file.seek(0)
                data = file.read(LARGEST_FILE)
                after = os.fstat(descriptor)
                if _key(before) == _key(after) and len(data) == after.st_size:
                    break
        entry = Entry(found.path, "file", stat.S_IMODE(after.st_mode), after.st_mtime_ns, data)
        return entry, _key(after)

    def _overlay(
        self,
        entries: dict[str, Entry],
        buffer: Document,
        hidden: frozenset[str],
        missed: list[str],
    ) -> str:
        """Lay ``buffer`` over ``entries``; the answer is its path, "" when nothing changed."""
        path = relative_to_root(self._root, buffer.path)
        if path is not None and path in entries and entries[path].kind == "link":
            path = relative_to_root(self._root, os.path.realpath(f"{self._root}/{path}"))
        if path is None:
            missed.append(left_out(buffer.path, "open, but outside the workspace"))
            return ""
        parents = path.split("/")[:-1]
        above = ["/".join(parents[: n + 1]) for n in range(len(parents))]
        if not hidden.isdisjoint(above):
            missed.append(left_out(path, "open, but in a folder that is left out"))
            return ""
        old = entries.get(path)
        if any(p in entries and entries[p].kind != "folder" for p in above) or (
            old is not None and old.kind != "file"
        ):
            missed.append(left_out(path, "open, but something else has this name on disk"))
            return ""
        if old is not None and old.data == buffer.data:
            return ""
        typed = self._typed.get(path)
        mode = old.mode if old else 0o644
        if typed is not None and typed.data == buffer.data and typed.mode == mode:
            entries[path] = typed
        else:
            # Bytecode is matched by whole seconds and size: a changed text needs a later second
            # than the one on disk, or than the buffer had before.
            floor = max(old.mtime_ns if old else 0, typed.mtime_ns if typed else 0)
            later = max(time.time_ns(), floor + _SECOND)
            entries[path] = Entry(path, "file", mode, later, buffer.data)
        for folder in above:
            entries.setdefault(folder, Entry(folder, "folder", 0o755, entries[path].mtime_ns))
        return path


def _key(status: os.stat_result) -> _Key:
    return (
        status.st_ino,
        status.st_size,
        stat.S_IMODE(status.st_mode),
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
