"""New code into a document: the smallest edits that keep all of the file's habits.

Newlines, tabs or spaces, the byte order mark, a missing newline at the end and the encoding stay as
they are. Imports are in ``imports.py``.

Not covered: applying edits (``domain.text.apply_edits``), and lines longer than anybody wants.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tree_sitter import Node

from ocils.domain.errors import StaleTarget
from ocils.domain.python import compile_python
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Document, Edit, Span, apply_edits
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON
from ocils.source.imports import add_import
from ocils.source.isolate import complaint_at, enclosing, piece_of
from ocils.source.lines import codec_of, decode, dedent, encodable, minimal, newline_of, split
from ocils.source.rewritten import replace_plainly
from ocils.source.tree import SourceTree, line_starts, parse, walk

__all__ = ["add_import", "minimal_edits", "new_errors", "replace_lines", "replace_target"]


def replace_target(document: Document, target: EditTarget, source: str) -> tuple[Edit, ...]:
    """Return the edits that make ``source`` the target's text.

    ``source`` may have any indentation and any newlines; it gets the target's. Indentation with
    spaces becomes tabs in a file of tabs, and the other way round. A source without decorators
    keeps the target's. Lines within strings stay as they are, except a docstring's and those that
    the target has already. A blank source is no change.

    Raises ``StaleTarget`` when the target is not in the document, ``Unsupported`` when the file's
    encoding lacks a character.
    """
    if target.span.end > len(document.data):
        raise StaleTarget(f"{target.name} ends behind the end of the text")
    old = decode(document, target.span)
    lines = _plain(source)
    if not lines:
        return ()
    if shelf.language_of(document.path, document.language) != PYTHON:
        return replace_plainly(document, target, "\n".join(lines))
    kept = _decorators(old, target.indent) if not lines[0].startswith("@") else []
    inside, docstring = _string_lines(lines)
    present = set(split(old))
    rule = _Indentation(lines, split(target.indent + old), target.indent)
    shaped: list[str] = []
    for number, line in enumerate(lines):
        if number in inside:
            shaped.append(_in_string(line, target.indent, present, number in docstring, rule))
        else:
            shaped.append(rule.apply(line))
    text = newline_of(document).join([*kept, *shaped]).removeprefix(target.indent)
    return minimal(document, target.span, text)


def _plain(source: str) -> list[str]:
    """Return the source's lines at column 0, without blank lines at either end."""
    lines = split(source)
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    if not lines:
        return []
    lines[-1] = lines[-1].rstrip()
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(" \t"))]
    return split(dedent("\n".join(lines), indent))


def _decorators(old: str, indent: str) -> list[str]:
    root = parse(dedent(old, indent).encode("utf-8", "surrogateescape")).root_node
    node = next((n for n in root.children if n.type == "decorated_definition"), None)
    inner = node.child_by_field_name("definition") if node is not None else None
    if inner is None:
        return []
    lines = split(old)[: inner.start_point.row]
    return [indent + lines[0], *lines[1:]]


def _string_lines(lines: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return which lines begin inside a string, and which of these inside a docstring."""
    inside: set[int] = set()
    docstring: set[int] = set()
    root = parse("\n".join(lines).encode("utf-8", "surrogateescape")).root_node
    for node in walk(root):
        if node.type == "string" and node.end_point.row > node.start_point.row:
            rows = range(node.start_point.row + 1, node.end_point.row + 1)
            inside.update(rows)
            if node.parent is not None and node.parent.type == "expression_statement":
                docstring.update(rows)
    return inside, docstring


def _in_string(
    line: str, indent: str, present: set[str], docstring: bool, rule: _Indentation
) -> str:
    if indent + line in present:
        return indent + line
    if line in present or not docstring:
        return line
    return rule.apply(line)


class _Indentation:
    """How leading white space of the source becomes the file's: unit for unit."""

    def __init__(self, lines: Sequence[str], old: Sequence[str], indent: str) -> None:
        self._indent = indent
        self._theirs = _unit(lines)
        self._ours = _unit(old) or ("\t" if "\t" in indent else "")
        if not self._ours:
            self._ours = "    " if indent and "\t" in self._theirs else self._theirs

    def apply(self, line: str) -> str:
        bare = line.lstrip(" \t")
        if not bare:
            return ""
        lead = line[: len(line) - len(bare)]
        if self._theirs and self._theirs != self._ours:
            count = 0
            while lead.startswith(self._theirs):
                lead = lead.removeprefix(self._theirs)
                count += 1
            lead = self._ours * count + lead
        return self._indent + lead + bare


def _unit(lines: Sequence[str]) -> str:
    """Return what a function's body is indented by, "" when it has no lines of its own."""
    root = parse("\n".join(lines).encode("utf-8", "surrogateescape")).root_node
    function = next((n for n in walk(root) if n.type == "function_definition"), None)
    body = function.child_by_field_name("body") if function is not None else None
    if function is None or body is None or body.start_point.row == function.start_point.row:
        return ""
    line = lines[body.start_point.row]
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    around = lines[function.start_point.row]
    outer = around[: len(around) - len(around.lstrip(" \t"))]
    return lead.removeprefix(outer)


def replace_lines(
    document: Document, hole: Hole, lines: Sequence[str], indent: str = ""
) -> tuple[Edit, ...]:
    """Return the edits that put ``lines`` in the place of the hole's lines.

    Each line that is not blank gets ``indent`` in front, and all get the file's newline. No lines
    at all delete the hole's. Raises ``StaleTarget`` when the hole is not in the document.
    """
    return replace_rows(document, line_starts(document.data), hole, lines, indent)


def replace_rows(
    document: Document, starts: Sequence[int], hole: Hole, lines: Sequence[str], indent: str = ""
) -> tuple[Edit, ...]:
    """Do what ``replace_lines`` does, given the offset of each line's first byte."""
    size = len(document.data)
    if not 1 <= hole.first <= len(starts) + 1 or not hole.first - 1 <= hole.last <= len(starts):
        raise StaleTarget(f"{document.path} has no lines {hole.first} to {hole.last}")
    start = starts[hole.first - 1] if hole.first <= len(starts) else size
    end = starts[hole.last] if hole.last < len(starts) else size
    end = max(start, end)
    newline = newline_of(document)
    given = [part for line in lines for part in split(line.removesuffix("\n").removesuffix("\r"))]
    text = "".join((indent + x if x.strip() else "") + newline for x in given)
    ends_open = size > 0 and document.data[-1:] not in (b"\n", b"\r")
    if end == size and ends_open and starts[-1] < size:
        if start == size:
            text = newline + text.removesuffix(newline) if given else ""
        elif given:
            text = text.removesuffix(newline)
        elif hole.first > 1:
            # The last line goes with the newline before it: the file still ends without one.
            start -= len(newline) if document.data[:start].endswith(newline.encode()) else 1
    return minimal(document, Span(start, end), text)


def minimal_edits(old: Document, new: bytes) -> tuple[Edit, ...]:
    """Return the smallest edits that turn ``old`` into the text ``new`` (of the same encoding)."""
    text = new.decode(codec_of(old), "surrogateescape")
    return minimal(old, Span(0, len(old.data)), text)


def new_errors(document: Document, edits: tuple[Edit, ...]) -> tuple[Span, ...]:
    """Return the syntax errors that the edits add, as spans in the new text; () is good news.

    tree-sitter finds most, and all that is looked for in another language. Python's own compiler is asked about the changed top-level statements:
    it also knows that ``return`` belongs into a function and ``break`` into a loop. What it refused
    before the edits is not held against them. In a file that was broken before, only the functions
    that the edits touch are asked about, and only if they were sound.

    Raises what ``apply_edits`` raises, and ``Unsupported`` for characters the encoding lacks.
    """
    for edit in edits:
        encodable(document, edit.text)
    changed = apply_edits(document, edits)
    mine = sorted((e for e in edits if e.path == document.path), key=lambda e: e.span.start)
    before, after = SourceTree.of(document), SourceTree.of(changed)
    if after.broken and not before.broken:
        return after.errors()
    if before.language != PYTHON:
        return after.errors() if len(after.errors()) > len(before.errors()) else ()
    old_spans, new_spans = _touched_spans(mine, document)
    # Error recovery draws its regions anew with every edit; only what the edits touch compares.
    check = _complaints if before.broken else _refused
    return check(after, new_spans) if not check(before, old_spans) else ()


def _complaints(tree: SourceTree, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return the lines with syntax errors in the functions or statements around ``spans``."""
    found: list[Span] = []
    for span in spans:
        # Where something was deleted, the line before still belongs to what it was deleted from.
        line = tree.line_of(span.start if len(span) else max(0, span.start - 1))
        around = enclosing(tree, line)
        if around:
            bad = piece_of(tree, around[-1][1]).error_line
        else:
            bad = (complaint_at(tree, line) or (0, ""))[0]
        if bad:
            start = tree.starts[bad - 1]
            found.append(Span(start, start + len(tree.line_text(bad))))
    return tuple(dict.fromkeys(found))


def _touched_spans(
    edits: Sequence[Edit], document: Document
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    shift = 0
    old: list[Span] = []
    new: list[Span] = []
    for edit in edits:
        size = len(edit.text.encode(codec_of(document)))
        old.append(edit.span)
        new.append(Span(edit.span.start + shift, edit.span.start + shift + size))
        shift += size - len(edit.span)
    return tuple(old), tuple(new)


def _refused(tree: SourceTree, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return where Python's compiler refuses the top-level statements around ``spans``."""
    found: list[Span] = []
    for node in _statements(tree.root, spans):
        line = _compiler_line(tree.text[node.start_byte : node.end_byte])
        if line:
            number = node.start_point.row + line
            start = tree.starts[min(number, len(tree.starts)) - 1]
            found.append(Span(start, start + len(tree.line_text(number))))
    return tuple(found)


def _statements(root: Node, spans: Sequence[Span]) -> list[Node]:
    nodes = [n for n in root.children if n.is_named and n.type != "comment"]
    touched = [any(n.start_byte <= s.end and s.start <= n.end_byte for s in spans) for n in nodes]
    return [n for n, yes in zip(nodes, touched, strict=True) if yes]


def _compiler_line(text: bytes) -> int:
    """Return the line that the compiler complains about, 0 when it does not."""
    source = re.sub(r"\r\n?", "\n", text.decode("utf-8", "replace"))
    try:
        compile_python(source)
    except SyntaxError as problem:
        return min(max(1, problem.lineno or 1), source.count("\n") + 1)
    except (ValueError, RecursionError, MemoryError):
        return 0
    return 0
