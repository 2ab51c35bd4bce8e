"""Text as bytes: spans, edits, documents, and the frozen view of a workspace.

Every offset in ocils is a byte offset into ``Document.data``. Editors' positions (UTF-8, UTF-16 or
UTF-32 code units) exist only in ``server/convert.py``. Paths are absolute, normalised and POSIX;
an editor's URI, whose spelling differs from client to client, is turned into a path at the edge.

Not covered: reading files (``workspace/``), finding functions (``source/``).
"""

from __future__ import annotations

import hashlib
import tokenize
from bisect import bisect_left
from typing import Literal

from ocils.domain.base import Value
from ocils.domain.errors import OverlappingEdits, StaleTarget


def digest(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def declared_encoding(data: bytes) -> str:
    """Return the encoding that a Python source declares in its first two lines; else UTF-8.

    A byte order mark stays part of the data, so the codec is never one that strips or adds it.
    """
    if data.isascii():
        return "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(iter(data.splitlines(keepends=True)).__next__)
    except SyntaxError:
        return "utf-8"
    return "utf-8" if encoding == "utf-8-sig" else encoding


class Span(Value, frozen=True):
    """A half-open range of bytes, ``start`` included, ``end`` excluded."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def contains(self, offset: int) -> bool:
        """Tell whether ``offset`` lies inside or at either end."""
        return self.start <= offset <= self.end


class Edit(Value, frozen=True):
    """Replace ``span`` of the file at ``path`` by ``text``, final in indentation and newlines."""

    path: str
    span: Span
    text: str


class Document(Value, frozen=True):
    """One text file as the user sees it: an unsaved buffer, or what is on disk.

    ``version`` is the editor's version of the buffer, None for a file that is not open.
    ``encoding`` is a Python codec name; a byte order mark is part of ``data``.
    """

    path: str
    data: bytes
    version: int | None = None
    language: str = "python"
    encoding: str = "utf-8"

    @property
    def hash(self) -> str:
        """The SHA-256 of the bytes."""
        return digest(self.data)


def apply_edits(document: Document, edits: tuple[Edit, ...]) -> Document:
    """Return ``document`` with those of ``edits`` that name its path applied.

    Spans refer to the document before any edit. Raises ``OverlappingEdits`` when two spans overlap
    and ``StaleTarget`` when one lies outside the document.
    """
    mine = sorted((e for e in edits if e.path == document.path), key=lambda e: e.span.start)
    pieces: list[bytes] = []
    at = 0
    for edit in mine:
        if edit.span.start < at:
            raise OverlappingEdits(
                f"two edits of {document.path} overlap at byte {edit.span.start}"
            )
        if edit.span.end > len(document.data) or edit.span.end < edit.span.start:
            raise StaleTarget(f"an edit of {document.path} ends behind the end of the text")
        pieces += [document.data[at : edit.span.start], edit.text.encode(document.encoding)]
        at = edit.span.end
    pieces.append(document.data[at:])
    return Document(
        document.path, b"".join(pieces), document.version, document.language, document.encoding
    )


class Entry(Value, frozen=True):
    """One file, link or folder of a snapshot; ``path`` is relative to the root, POSIX.

    ``mode`` holds the permission bits, ``mtime_ns`` the modification time. ``data`` is empty for
    folders and links; ``link`` is a link's text.
    """

    path: str
    kind: Literal["file", "link", "folder"]
    mode: int
    mtime_ns: int
    data: bytes = b""
    link: str = ""


class Snapshot(Value, frozen=True):
    """A workspace, frozen: what is on disk, overlaid with unsaved buffers.

    ``root`` is absolute. ``entries`` are sorted by path. ``open`` holds the paths (relative) whose
    bytes come from an unsaved buffer. ``left_out`` names what was not taken and why
    ("data/big.bin: 80 MiB"). ``hash`` covers paths, modes and bytes, not times.
    """

    root: str
    entries: tuple[Entry, ...]
    hash: str
    open: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def find(self, path: str) -> Entry | None:
        """Return the entry at ``path``, relative to the root or absolute, or None."""
        relative = self.relative(path)
        at = bisect_left(self.entries, relative, key=lambda e: e.path)
        if at < len(self.entries) and self.entries[at].path == relative:
            return self.entries[at]
        return None

    def document(self, path: str) -> Document | None:
        """Return the file at ``path`` as a document, or None."""
        entry = self.find(path)
        if entry is None or entry.kind != "file":
            return None
        encoding = declared_encoding(entry.data)
        return Document(f"{self.root}/{entry.path}", entry.data, encoding=encoding)

    def relative(self, path: str) -> str:
        """Return ``path`` relative to the root; a path that is already relative stays as it is."""
        return path.removeprefix(self.root + "/")


def snapshot_hash(entries: tuple[Entry, ...]) -> str:
    """Hash paths, kinds, modes and bytes, in order; times are left out."""
    total = hashlib.sha256()
    for entry in entries:
        head = f"{entry.path}\0{entry.kind}\0{entry.mode:o}\0{entry.link}\0{len(entry.data)}\0"
        total.update(head.encode("utf-8", "surrogateescape"))
        total.update(entry.data)
    return total.hexdigest()
