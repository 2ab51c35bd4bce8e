"""The documents that are open in the editor, kept up change by change, each with its syntax tree.

pygls keeps documents of its own; they are not used: it splits lines where neither the protocol nor
Python does, and copies the whole text line by line at every keystroke.

Not covered: files that are not open (``ocils.workspace``), the syntax of languages that have no
manifest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from lsprotocol import types

from ocils.domain.errors import OcilsError, UsageError
from ocils.domain.text import Document, Span
from ocils.languages import shelf
from ocils.server.convert import Encoding, Lines, path_of, uri_of
from ocils.source.tree import SourceTree, changed_range

_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


class Change:
    """One change of a document, in lines: those from ``first`` to ``last`` became ``count`` ones.

    Lines are 0-based and belong to the text before the change.
    """

    __slots__ = ("count", "first", "last", "path")

    def __init__(self, path: str, first: int, last: int, count: int) -> None:
        self.path = path
        self.first = first
        self.last = last
        self.count = count


class OpenDocument:
    """One open document. ``tree`` is None unless it is in a language that can be edited."""

    __slots__ = ("document", "encoding", "lines", "tree", "uri")

    def __init__(self, uri: str, document: Document, encoding: Encoding) -> None:
        self.uri = uri
        self.encoding = encoding
        self.document = document
        self.lines = Lines(document, encoding)
        self.tree = SourceTree.of(document) if shelf.is_editable(document.language) else None

    def change(
        self, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]
    ) -> list[Change]:
        """Take over the editor's changes, in order; return the lines that they touched."""
        touched: list[Change] = []
        for change in changes:
            new = self._encoded(change.text)
            lines, data = self.lines, self.document.data
            if isinstance(change, types.TextDocumentContentChangePartial):
                span = lines.span(change.range)
            else:
                # The whole text was sent: only what differs has been touched.
                start, old_end, new_end = changed_range(data, new)
                span, new = Span(start, old_end), new[start:new_end]
            touched.append(_touched(lines, span, new, self.document.path))
            self._set(data[: span.start] + new + data[span.end :], version)
        if self.tree is not None:
            self.tree = self.tree.edited(self.document)
        return touched

    def _encoded(self, text: str) -> bytes:
        old = self.document
        if old.encoding != "utf-8" and not _fits(text, old.encoding):
            # The editor could not save this text either; until then positions must stay right.
            data = encode(old.data.decode(old.encoding, "replace"), "utf-8")
            self._replace(data, old.version, "utf-8")
        return encode(text, self.document.encoding)

    def _set(self, data: bytes, version: int) -> None:
        old = self.document
        encoding = old.encoding
        if old.language == "python":
            encoding = codec(data[:400].decode(old.encoding, "replace"))
        if encoding != old.encoding:
            text = data.decode(old.encoding, "replace")
            encoding = encoding if _fits(text, encoding) else "utf-8"
            data = encode(text, encoding)
        self._replace(data, version, encoding)

    def _replace(self, data: bytes, version: int | None, encoding: str) -> None:
        old = self.document
        self.document = Document(old.path, data, version, old.language, encoding)
        self.lines = Lines(self.document, self.encoding)


class OpenDocuments:
    """All open documents; ``encoding`` is how the client counts.

    A document is known by its URI, as the client knows it, and found by its path. A file that is
    open twice, under its own name and through a link, is two buffers of one file: the one that was
    touched last speaks for it, and ``unambiguous`` complains while their texts differ.
    """

    def __init__(self) -> None:
        self.encoding: Encoding = "utf-16"
        self._at: dict[str, list[OpenDocument]] = {}
        self._uris: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add_folder(self, uri: str) -> None:
        """Remember a workspace folder; one that is not on this disk is left out."""
        try:
            spelled = path_of(uri)
        except OcilsError:
            return
        self._folders[os.path.realpath(spelled)] = spelled

    def remove_folder(self, uri: str) -> None:
        """Forget a workspace folder."""
        try:
            self._folders.pop(os.path.realpath(path_of(uri)), None)
        except OcilsError:
            return

    @property
    def folders(self) -> tuple[str, ...]:
        """The workspace folders, resolved."""
        return tuple(self._folders)

    def folder_of(self, path: str) -> str | None:
        """Return the innermost workspace folder that holds ``path``."""
        holding = [f for f in self._folders if path.startswith(f.rstrip("/") + "/")]
        return max(holding, key=len, default=None)

    def path(self, uri: str) -> str:
        """Return the path of ``uri`` with links followed. Raises ``Unsupported``.

        Two spellings of one file are one path.
        """
        known = self._uris.get(uri)
        return known if known is not None else os.path.realpath(path_of(uri))

    def uri(self, path: str) -> str:
        """Return how the client spells ``path``: as it opened it, or through its folder."""
        known = self.at(path)
        if known is not None:
            return known.uri
        folder = self.folder_of(path)
        if folder is not None:
            path = self._folders[folder] + path[len(folder) :]
        return uri_of(path)

    def open(self, item: types.TextDocumentItem) -> OpenDocument | None:
        """Take over a document; None for one that is no file on this disk (``untitled:``)."""
        if item.uri in self._uris:
            self.close(item.uri)
        try:
            path = self.path(item.uri)
        except OcilsError:
            return None
        language = shelf.language_called(item.language_id, path) or item.language_id
        encoding = codec(item.text[:400]) if language == "python" else "utf-8"
        encoding = encoding if _fits(item.text, encoding) else "utf-8"
        document = Document(path, encode(item.text, encoding), item.version, language, encoding)
        opened = OpenDocument(item.uri, document, self.encoding)
        self._uris[item.uri] = path
        self._at.setdefault(path, []).append(opened)
        return opened

    def close(self, uri: str) -> None:
        """Forget a document; what is on disk counts from now on."""
        opened = self.find(uri)
        if opened is None or (opened.uri != uri and len(self._at[opened.document.path]) > 1):
            return
        path = opened.document.path
        self._uris.pop(opened.uri, None)
        self._at[path].remove(opened)
        if not self._at[path]:
            del self._at[path]

    def find(self, uri: str) -> OpenDocument | None:
        """Return the open document of ``uri``, or None; it speaks for its file from now on."""
        try:
            path = self.path(uri)
        except OcilsError:
            return None
        same = self._at.get(path)
        if not same:
            return None
        for opened in same:
            if opened.uri == uri and opened is not same[-1]:
                same.remove(opened)
                same.append(opened)
                break
        return same[-1]

    def at(self, path: str) -> OpenDocument | None:
        """Return the open document at ``path``, or None."""
        same = self._at.get(path)
        return same[-1] if same else None

    def get(self, uri: str) -> OpenDocument:
        """Return the open document of ``uri``. Raises ``Unsupported`` or ``UsageError``."""
        opened = self.find(uri)
        if opened is None:
            raise UsageError(
                f"{self.path(uri)} is not open", mend="open it in your editor, then try again"
            )
        return opened

    def all(self) -> Iterable[OpenDocument]:
        """Return every open document, one a file."""
        return tuple(same[-1] for same in self._at.values())

    def buffers(self, root: str) -> tuple[Document, ...]:
        """Return the open documents under ``root``, to be laid over what is on disk."""
        prefix = root.rstrip("/") + "/"
        return tuple(o.document for o in self.all() if o.document.path.startswith(prefix))

    def unambiguous(self, root: str) -> None:
        """Raise ``UsageError`` when a file under ``root`` is open twice with two texts."""
        prefix = root.rstrip("/") + "/"
        for path, same in self._at.items():
            if path.startswith(prefix) and len({opened.document.data for opened in same}) > 1:
                names = " and ".join(sorted(path_of(opened.uri) for opened in same))
                raise UsageError(
                    f"one file is open twice, as {names}, with different texts",
                    mend="save one of them and reload or close the other",
                )


def codec(head: str) -> str:
    """Return the codec that a Python source declares in its first two lines, else UTF-8.

    An unknown one, or one whose ASCII characters are not one byte each, counts as UTF-8: the text
    is a buffer, and Python itself will complain.
    """
    for line in head.split("\n", 2)[:2]:
        found = _COOKIE.match(line)
        if found:
            name = found[1].lower().replace("_", "-")
            if name.startswith(("utf", "iso-2022", "iso2022", "hz")):
                return "utf-8"
            return found[1] if _fits("aZ_09#", name) and "a".encode(name) == b"a" else "utf-8"
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return "utf-8"


def encode(text: str, encoding: str) -> bytes:
    """Encode; half a surrogate pair, which UTF-8 cannot hold, becomes "?", still one character."""
    return text.encode(encoding, "replace")


def _fits(text: str, encoding: str) -> bool:
    if encoding == "utf-8":
        return True
    try:
        text.encode(encoding)
    except (LookupError, UnicodeError):
        return False
    return True


def _touched(before: Lines, span: Span, new: bytes, path: str) -> Change:
    first = before.position(span.start).line
    last = before.position(span.end).line
    count = new.count(b"\n") + new.count(b"\r") - new.count(b"\r\n") + 1
    return Change(path, first, last, count)
