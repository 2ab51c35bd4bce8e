"""Between the editor's world and ours: positions ↔ byte spans, URIs ↔ paths, edits.

Editors count UTF-8, UTF-16 or UTF-32 code units within a line; ocils counts bytes within a text.
Lines end at ``\\n``, ``\\r\\n`` or ``\\r``, as both the protocol and Python have it (and not, as
``str.splitlines`` has it, at form feeds and other separators, which Python files do contain).

Not covered: diagnostics (``verdicts.py`` draws them), following links (``documents.py``).
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from lsprotocol import types

from ocils.domain.errors import Unsupported
from ocils.domain.text import Document, Edit, Span

Encoding: TypeAlias = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Lines:
    """Where the lines of one document start; converts positions both ways.

    A position beyond the end of its line means the line's end, one beyond the last line the end of
    the text, and one inside a character that character's start: what editors mean by it.
    """

    __slots__ = ("document", "encoding", "starts")

    def __init__(self, document: Document, encoding: Encoding) -> None:
        self.document = document
        self.encoding = encoding
        data = document.data
        if b"\r" in data:
            self.starts = [0, *(m.end() for m in _LINE_END.finditer(data))]
        else:
            # Splitting and adding lengths up runs in C; a keystroke must not wait for 10,000 lines.
            lengths = [len(line) + 1 for line in data.split(b"\n")]
            self.starts = [0, *accumulate(lengths[:-1])]

    def line(self, number: int) -> bytes:
        """Return the 0-based line without its end; empty beyond the last one."""
        if not 0 <= number < len(self.starts):
            return b""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.document.data)
        return self.document.data[self.starts[number] : end].rstrip(b"\r\n")

    def offset(self, position: types.Position) -> int:
        """Return the byte that ``position`` stands before."""
        if position.line >= len(self.starts):
            return len(self.document.data)
        line = self.line(position.line)
        start = self.starts[position.line]
        if line.isascii():
            return start + min(position.character, len(line))
        units = 0
        size = 0
        for character in line.decode(self.document.encoding, "surrogateescape"):
            units += self._units(character)
            if units > position.character:
                break
            size += len(character.encode(self.document.encoding, "surrogateescape"))
        return start + size

    def position(self, offset: int) -> types.Position:
        """Return the position that stands before the byte at ``offset``."""
        offset = min(max(offset, 0), len(self.document.data))
        number = bisect_right(self.starts, offset) - 1
        line = self.line(number)
        head = line[: offset - self.starts[number]]
        if head.isascii():
            return types.Position(number, len(head))
        if self.encoding == "utf-8" and self.document.encoding == "utf-8":
            return types.Position(number, len(head))
        text = head.decode(self.document.encoding, "surrogateescape")
        return types.Position(number, sum(map(self._units, text)))

    def span(self, range_: types.Range) -> Span:
        """Return the bytes of a range; a range that runs backwards is turned round."""
        start, end = self.offset(range_.start), self.offset(range_.end)
        return Span(min(start, end), max(start, end))

    def range(self, span: Span) -> types.Range:
        """Return the range of a span."""
        return types.Range(self.position(span.start), self.position(span.end))

    def whole_line(self, number: int) -> types.Range:
        """Return the range of a 1-based line's text, without indentation and without its end.

        Lines beyond the ends count as the first or the last.
        """
        index = min(max(number - 1, 0), len(self.starts) - 1)
        line = self.line(index)
        start = self.starts[index]
        indent = len(line) - len(line.lstrip())
        return self.range(Span(start + indent, start + len(line.rstrip())))

    def _units(self, character: str) -> int:
        if self.encoding == "utf-8":
            # A byte that does not decode travels as one escape and is one byte.
            return len(character.encode("utf-8", "surrogateescape"))
        return 2 if self.encoding == "utf-16" and character > "\uffff" else 1


def path_of(uri: str) -> str:
    """Return the path of a ``file:`` URI, normalised, links not followed.

    Raises ``Unsupported`` for anything else, with a message for the user.
    """
    parts = urlsplit(uri)
    if parts.scheme == "untitled":
        raise Unsupported(
            "this document has no file yet", mend="save it into your project, then try again"
        )
    if parts.scheme.startswith("vscode-notebook") or uri.partition("#")[0].endswith(".ipynb"):
        raise Unsupported(
            "notebooks are not supported", mend="move the function into a Python file"
        )
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise Unsupported(
            f"documents of the kind '{parts.scheme or uri}' are not supported",
            mend="open the file from this machine's own disk",
        )
    # A "?" or "#" that a client left unescaped is part of the name: file URIs have no query.
    tail = f"?{parts.query}" if parts.query else ""
    tail += f"#{parts.fragment}" if parts.fragment else ""
    path = unquote(parts.path + tail, errors="surrogateescape")
    if not path.startswith("/") or "\0" in path:
        raise Unsupported(f"'{uri}' names no file", mend="use an absolute path")
    return "/" + posixpath.normpath(path).lstrip("/")


def uri_of(path: str) -> str:
    """Return the ``file:`` URI of an absolute path."""
    return "file://" + quote(path, safe="/~@!$&'()*+,;=", errors="surrogateescape")


def workspace_edit(
    edits: tuple[Edit, ...],
    documents: Mapping[str, Document],
    uris: Mapping[str, str],
    *,
    encoding: Encoding,
) -> types.WorkspaceEdit:
    """Return a versioned edit; ``documents`` are the texts that the spans refer to, by path.

    A file that is not open has no version; the protocol's null says so. The client must know
    ``documentChanges``; there is no fallback, since without versions a stale edit goes wrong.
    """
    changes: list[types.TextDocumentEdit] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        document = documents[path]
        lines = Lines(document, encoding)
        mine = sorted((e for e in edits if e.path == path), key=lambda e: e.span.start)
        changes.append(
            types.TextDocumentEdit(
                text_document=types.OptionalVersionedTextDocumentIdentifier(
                    uri=uris[path], version=document.version
                ),
                edits=[types.TextEdit(lines.range(edit.span), edit.text) for edit in mine],
            )
        )
    return types.WorkspaceEdit(document_changes=changes)


def annotated_edit(edit: types.WorkspaceEdit, label: str, description: str) -> types.WorkspaceEdit:
    """Return the same edit, to be confirmed by the user before the client applies it."""
    changes: list[types.TextDocumentEdit] = []
    for change in edit.document_changes or ():
        assert isinstance(change, types.TextDocumentEdit)
        edits = [
            types.AnnotatedTextEdit(annotation_id="ocils", range=e.range, new_text=e.new_text)
            for e in change.edits
            if isinstance(e, types.TextEdit)
        ]
        changes.append(types.TextDocumentEdit(change.text_document, list(edits)))
    annotation = types.ChangeAnnotation(label, needs_confirmation=True, description=description)
    return types.WorkspaceEdit(
        document_changes=list(changes), change_annotations={"ocils": annotation}
    )
