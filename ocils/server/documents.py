"""The documents that are open in the editor, kept up change by change, each with its syntax tree.

pygls keeps documents of its own; they are not used: it splits lines where neither the protocol nor
Python does, and copies the whole text line by line at every keystroke.

Not covered: files that are not open (``ocils.workspace``), other languages' syntax.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from lsprotocol import types

from ocils.domain.errors import OcilsError, UsageError
from ocils.domain.text import Document, Span
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
    """One open document. ``tree`` is None unless it is Python."""

    __slots__ = ("document", "encoding", "lines", "tree", "uri")

    def __init__(self, uri: str, document: Document, encoding: Encoding) -> None:
        self.uri = uri
        self.encoding = encoding
        self.document = document
        self.lines = Lines(document, encoding)
        self.tree = SourceTree.of(document) if document.language == "python" else None

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
    """All open documents, by path; ``encoding`` is how the client counts."""

    def __init__(self) -> None:
        self.encoding: Encoding = "utf-16"
        self._open: dict[str, OpenDocument] = {}
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
        """Return the path of ``uri`` with the links in its folders followed.

        Two spellings of one file are one document. Raises ``Unsupported``.
        """
        folder, name = os.path.split(path_of(uri))
        return f"{os.path.realpath(folder).rstrip('/')}/{name}"

    def uri(self, path: str) -> str:
        """Return how the client spells ``path``: as it opened it, or through its folder."""
        known = self._open.get(path)
        if known is not None:
            return known.uri
        folder = self.folder_of(path)
        if folder is not None:
            path = self._folders[folder] + path[len(folder) :]
        return uri_of(path)

    def open(self, item: types.TextDocumentItem) -> OpenDocument | None:
        """Take over a document; None for one that is no file on this disk (``untitled:``)."""
        try:
            path = self.path(item.uri)
        except OcilsError:
            return None
        language = "python" if _is_python(item.language_id, path) else item.language_id
        encoding = codec(item.text[:400]) if language == "python" else "utf-8"
        encoding = encoding if _fits(item.text, encoding) else "utf-8"
        document = Document(path, encode(item.text, encoding), item.version, language, encoding)
        self._open[path] = OpenDocument(item.uri, document, self.encoding)
        return self._open[path]

    def close(self, uri: str) -> None:
        """Forget a document; what is on disk counts from now on."""
        try:
            self._open.pop(self.path(uri), None)
        except OcilsError:
            return

    def find(self, uri: str) -> OpenDocument | None:
        """Return the open document of ``uri``, or None."""
        try:
            return self._open.get(self.path(uri))
        except OcilsError:
            return None

    def at(self, path: str) -> OpenDocument | None:
        """Return the open document at ``path``, or None."""
        return self._open.get(path)

    def get(self, uri: str) -> OpenDocument:
        """Return the open document of ``uri``. Raises ``Unsupported`` or ``UsageError``."""
        path = self.path(uri)
        if path not in self._open:
            raise UsageError(f"{path} is not open", mend="open it in your editor, then try again")
        return self._open[path]

    def all(self) -> Iterable[OpenDocument]:
        """Return every open document."""
        return tuple(self._open.values())

    def buffers(self, root: str) -> tuple[Document, ...]:
        """Return the open documents under ``root``, to be laid over what is on disk."""
        prefix = root.rstrip("/") + "/"
        return tuple(o.document for o in self._open.values() if o.document.path.startswith(prefix))


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


def _is_python(language: str, path: str) -> bool:
    return language == "python" or path.endswith((".py", ".pyi"))


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
