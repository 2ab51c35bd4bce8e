"""A document's syntax tree, kept up with keystrokes.

``SourceTree`` is a value: ``edited`` returns a new one that shares what did not change. Bytes,
lines and nodes all use byte offsets of ``Document.data``; lines are 1-based and end at ``\\n``,
``\\r\\n`` or ``\\r``, as Python counts them.

Not covered: finding functions (``target.py``), and the host's own parser of Python, which is
stricter than tree-sitter (``splice.new_errors`` asks both).
"""

from __future__ import annotations

import importlib
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Point, Tree

from ocils.domain.text import Document, Span
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, LanguageName
from ocils.source.lines import codec_of

__all__ = ["SourceTree", "language", "line_starts", "parsable", "parse", "walk"]


@cache
def language(name: LanguageName = PYTHON) -> Language:
    """Return a grammar; built on first use, so that importing costs nothing.

    What has no grammar of its own is read as Python.
    """
    known = shelf.language(name)
    if known is None or known.grammar is None:
        return Language(tree_sitter_python.language())
    return Language(importlib.import_module(known.grammar.module).language())


def parse(data: bytes, old: Tree | None = None, name: LanguageName = PYTHON) -> Tree:
    """Parse ``data``, reusing ``old`` (already told of the edit) where it still holds."""
    parser = Parser(language(name))
    return parser.parse(data) if old is None else parser.parse(data, old)


PATIENCE = 0.002
"""Seconds that a keystroke's parse may take before it is put off."""

_SMALL = 60_000
"""Bytes of a text that is parsed from scratch within a few milliseconds."""


def _parse_soon(data: bytes, old: Tree, name: LanguageName) -> Tree | None:
    """Parse ``data`` with the help of ``old``; None when it takes longer than ``PATIENCE``."""
    end = time.perf_counter() + PATIENCE
    try:
        # Only a parse that reads through a function asks whether it should go on.
        return Parser(language(name)).parse(
            lambda offset, _: data[offset : offset + 65536],
            old,
            progress_callback=lambda *_: time.perf_counter() > end,
        )
    except ValueError:
        return None


def parsable(document: Document) -> bytes:
    """Return the document's bytes as UTF-8 with ``\\n`` for lone ``\\r``, at unchanged offsets.

    tree-sitter reads UTF-8 only, and does not end lines at a lone carriage return. Characters of
    other encodings become as many ``x`` as they have bytes: a letter stays part of its name, and
    a trail byte that looks like a quote or a backslash (Shift JIS) does no harm.
    """
    data = document.data
    if not data.isascii() and (codec := codec_of(document)) not in ("utf-8", "utf8"):
        data = _as_ascii(data, codec)
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        data = re.sub(rb"\r(?!\n)", b"\n", data)
    return data


def _as_ascii(data: bytes, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
        pieces = [c.encode(encoding) for c in text]
    except UnicodeError:
        return data
    shadow = b"".join(p if p.isascii() and len(p) == 1 else b"x" * len(p) for p in pieces)
    return shadow if len(shadow) == len(data) else data


def line_starts(data: bytes) -> list[int]:
    """Return the offset of each line's first byte; a text without newlines has one line.

    The first line begins behind a byte order mark, which is no part of its indentation.
    """
    first = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    if b"\r" in data:
        return [first, *(m.end() for m in re.finditer(rb"\r\n|\n|\r", data))]
    # Splitting and adding lengths up runs in C, and a keystroke waits for this.
    return [first, *accumulate([len(line) + 1 for line in data.split(b"\n")][:-1])]


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it in text order."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(reversed(each.children))


class SourceTree:
    """A document and its syntax tree. Build with ``of``; after a change, ``edited``.

    A keystroke costs an incremental parse of at most ``PATIENCE`` seconds. Where recovering from an
    error takes longer, the parse is put off until somebody looks. And a text with errors is parsed
    afresh the first time that somebody looks: recovery depends on what was parsed before, and what
    is found must not depend on how the text came to be.
    """

    def __init__(
        self, document: Document, text: bytes, tree: Tree, fresh: bool, parsed: bool
    ) -> None:
        self.document = document
        self.language = shelf.language_of(document.path, document.language)
        self.text = text
        self._tree = tree
        self._fresh = fresh
        self._parsed = parsed
        self._starts: list[int] | None = None
        self._errors: tuple[Span, ...] | None = None
        self.memo: dict[str, object] = {}

    @classmethod
    def of(cls, document: Document) -> SourceTree:
        """Parse ``document`` from scratch."""
        text = parsable(document)
        name = shelf.language_of(document.path, document.language)
        return cls(document, text, parse(text, name=name), fresh=True, parsed=True)

    def edited(self, document: Document) -> SourceTree:
        """Return the tree of the changed document; the cost follows the change, not the file."""
        text = parsable(document)
        if text == self.text:
            return SourceTree(document, text, self._tree, self._fresh, self._parsed)
        start, old_end, new_end = changed_range(self.text, text)
        old = self._tree.copy()
        old.edit(
            start,
            old_end,
            new_end,
            _point(self.text, start),
            _point(self.text, old_end),
            _point(text, new_end),
        )
        tree = _parse_soon(text, old, self.language)
        if tree is None:
            return SourceTree(document, text, old, fresh=False, parsed=False)
        return SourceTree(document, text, tree, fresh=False, parsed=True)

    @property
    def root(self) -> Node:
        """The module's node."""
        if not self._parsed or (not self._fresh and self._tree.root_node.has_error):
            self._tree = parse(self.text, name=self.language)
            self._fresh = self._parsed = True
        return self._tree.root_node

    @property
    def broken(self) -> bool:
        """Whether there is any syntax error in the file."""
        return (self._tree.root_node if self._parsed else self.root).has_error

    @property
    def doubtful(self) -> bool:
        """Whether there is an error, or so much to parse that there may be one; always quick."""
        if not self._parsed and len(self.text) < _SMALL:
            return self.broken
        return not self._parsed or self._tree.root_node.has_error

    @property
    def starts(self) -> list[int]:
        """The offset of each line's first byte."""
        if self._starts is None:
            self._starts = line_starts(self.text)
        return self._starts

    def line_of(self, offset: int) -> int:
        """Return the 1-based line that ``offset`` is on."""
        return max(1, bisect_right(self.starts, offset))

    def line_text(self, line: int) -> bytes:
        """Return a 1-based line without its newline; empty beyond the ends."""
        if not 1 <= line <= len(self.starts):
            return b""
        start = self.starts[line - 1]
        end = self.starts[line] if line < len(self.starts) else len(self.text)
        return self.text[start:end].rstrip(b"\r\n")

    def errors(self) -> tuple[Span, ...]:
        """Return the smallest spans that hold the syntax errors, in text order."""
        if self._errors is None:
            self._errors = error_spans(self.root)
        return self._errors

    def decode(self, span: Span) -> str:
        """Return the document's text in ``span``; bytes that do not decode become U+FFFD."""
        return self.document.data[span.start : span.end].decode(codec_of(self.document), "replace")


def error_spans(root: Node) -> tuple[Span, ...]:
    """Return the spans of error and missing nodes below ``root``, in text order."""
    found: list[Span] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            found.append(Span(node.start_byte, node.end_byte))
        if node.has_error:
            stack.extend(reversed(node.children))
    return tuple(found)


def changed_range(old: bytes, new: bytes) -> tuple[int, int, int]:
    """Return start, old end and new end of the one range in which two texts differ.

    Both are compared by halves, in C: a loop over bytes would cost more than the parse.
    """
    short = min(len(old), len(new))
    head = _agree(short, lambda a, b: old[a:b] == new[a:b])
    # A character's bytes are changed as a whole, so that no edit starts or ends within one.
    while head > 0 and head < short and old[head] & 0xC0 == 0x80:
        head -= 1
    m, n = len(old), len(new)
    tail = _agree(short - head, lambda a, b: old[m - b : m - a] == new[n - b : n - a])
    while tail > 0 and old[m - tail] & 0xC0 == 0x80:
        tail -= 1
    return head, m - tail, n - tail


def _agree(length: int, same: Callable[[int, int], bool]) -> int:
    """Return the largest k ≤ length for which the first k agree; ``same(a, b)`` compares a range."""
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        if same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _point(text: bytes, offset: int) -> Point:
    last = text.rfind(b"\n", 0, offset)
    return Point(text.count(b"\n", 0, offset), offset - last - 1)
