"""Functions of a file that has a syntax error somewhere else, found by indentation.

Error recovery may swallow sound functions together with the broken one. Here a function's lines
are cut out by their indentation and parsed on their own, so only an error within them counts.

Not covered: a ``def`` inside a multi-line string of a broken file is taken for a function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.python import parse_python
from ocils.domain.text import Span
from ocils.source.tree import SourceTree, error_spans, parse

DEF = re.compile(rb"(?P<indent>[ \t\f]*)(?:async[ \t]+)?def\b[ \t]*(?P<name>[^\s(:\[]*)")
_CLASS = re.compile(rb"(?P<indent>[ \t\f]*)class\b[ \t]*(?P<name>[^\s(:\[]*)")


class Piece(Value, frozen=True):
    """The lines of one function: 1-based, decorators included, and what went wrong in them.

    ``scopes`` are the names around it from the outside in; ``in_class`` tells what the innermost
    is. ``error_line`` is 0 when the lines parse on their own.
    """

    first: int
    last: int
    name: str
    scopes: tuple[str, ...]
    in_class: bool
    error_line: int = 0
    problem: str = ""


def width(line: bytes) -> int:
    """Return the column of the first character that is not white space; tabs go to the next 8th."""
    indent = line[: len(line) - len(line.lstrip(b" \t\f"))]
    return len(indent.replace(b"\f", b"").expandtabs(8))


def is_blank(line: bytes) -> bool:
    """Tell whether a line holds nothing but white space or a comment."""
    bare = line.strip()
    return not bare or bare.startswith(b"#")


def enclosing(tree: SourceTree, line: int) -> list[tuple[int, int, int]]:
    """Return the functions around ``line``, innermost first: first, ``def``'s and last line."""
    found: list[tuple[int, int, int]] = []
    text = tree.line_text(line)
    below = _definition_below(tree, line) if text.lstrip().startswith(b"@") else None
    number = below if below is not None else line
    start = tree.line_text(number)
    limit = 1 << 30 if is_blank(start) else width(start) + 1
    while number >= 1 and limit > 0:
        text = tree.line_text(number)
        if not is_blank(text):
            column = width(text)
            if DEF.match(text) and column < limit:
                first, last = _extent(tree, number)
                if first <= line <= last:
                    found.append((first, number, last))
            # A closing bracket may stand right under the ``def`` that it belongs to.
            limit = min(limit, column + _closing(text))
        number -= 1
    return found


def _closing(text: bytes) -> int:
    """Return 1 for a line that closes a bracket: it may stand right under its own ``def``."""
    return int(text.lstrip()[:1] in (b")", b"]"))


def _definition_below(tree: SourceTree, line: int) -> int | None:
    for number in range(line, min(line + 40, len(tree.starts)) + 1):
        text = tree.line_text(number)
        if DEF.match(text):
            return number
        if _CLASS.match(text):
            return None
    return None


def piece_of(tree: SourceTree, define: int) -> Piece:
    """Return the function whose ``def`` stands on line ``define``."""
    first, last = _extent(tree, define)
    scopes, in_class = _scopes(tree, first, width(tree.line_text(define)))
    error, problem = _check(tree, first, last)
    return Piece(first, last, _name(tree, define, DEF), scopes, in_class, error, problem)


def definition_name(tree: SourceTree, define: int) -> str:
    """Return the qualified name of the function whose ``def`` stands on line ``define``."""
    scopes, _ = _scopes(tree, define, width(tree.line_text(define)))
    return ".".join([*scopes, _name(tree, define, DEF)])


def _extent(tree: SourceTree, define: int) -> tuple[int, int]:
    """Return the first and last line of a function, judged by indentation."""
    column = width(tree.line_text(define))
    last = number = define
    while number < len(tree.starts):
        number += 1
        text = tree.line_text(number)
        if is_blank(text):
            continue
        if width(text) <= column and not _closing(text):
            break
        last = number
    first = define
    while first > 1 and tree.line_text(first - 1).lstrip().startswith(b"@"):
        if width(tree.line_text(first - 1)) != column:
            break
        first -= 1
    return first, last


def pieces(tree: SourceTree) -> Iterator[Piece]:
    """Yield every function of the file, in text order."""
    for number in range(1, len(tree.starts) + 1):
        if DEF.match(tree.line_text(number)):
            yield piece_of(tree, number)


def node_of(tree: SourceTree, piece: Piece) -> tuple[Node, int]:
    """Parse the piece alone; return its function's node and what to add to the node's offsets."""
    start = tree.starts[piece.first - 1]
    root = parse(_lines(tree, piece.first, piece.last)).root_node
    node = next(
        n for n in root.children if n.type in ("function_definition", "decorated_definition")
    )
    return node, start


def _lines(tree: SourceTree, first: int, last: int) -> bytes:
    end = tree.starts[last] if last < len(tree.starts) else len(tree.text)
    return tree.text[tree.starts[first - 1] : end]


def _scopes(tree: SourceTree, line: int, column: int) -> tuple[tuple[str, ...], bool]:
    names: list[str] = []
    in_class = False
    for number in range(line - 1, 0, -1):
        if column == 0:
            break
        text = tree.line_text(number)
        if is_blank(text) or width(text) >= column:
            continue
        column = width(text)
        for pattern in (DEF, _CLASS):
            if pattern.match(text):
                in_class = pattern is _CLASS if not names else in_class
                names.append(_name(tree, number, pattern))
    return tuple(reversed(names)), in_class


def _name(tree: SourceTree, line: int, pattern: re.Pattern[bytes]) -> str:
    start = tree.starts[line - 1]
    match = pattern.match(tree.line_text(line))
    assert match is not None
    return tree.decode(Span(start + match.start("name"), start + match.end("name")))


def _check(tree: SourceTree, first: int, last: int) -> tuple[int, str]:
    text = _lines(tree, first, last)
    root = parse(text).root_node
    kinds = [n.type for n in root.children if n.type != "comment"]
    if not root.has_error and kinds in (["function_definition"], ["decorated_definition"]):
        return 0, ""
    line, problem = complaint(text)
    if not line:
        errors = error_spans(root)
        line = 1 + (text.count(b"\n", 0, errors[0].start) if errors else 0)
    return first + line - 1, problem


def complaint_at(tree: SourceTree, line: int) -> tuple[int, str] | None:
    """Return the line and message of a syntax error in the top-level statement around ``line``."""
    first = line
    while first > 1 and not _opens(tree.line_text(first)):
        first -= 1
    last = line
    while last < len(tree.starts) and not _opens(tree.line_text(last + 1)):
        last += 1
    text = _lines(tree, first, last)
    errors = error_spans(parse(text).root_node)
    if not errors:
        return None
    at, problem = complaint(text)
    return first + (at or 1 + text.count(b"\n", 0, errors[0].start)) - 1, problem or "syntax error"


def _opens(text: bytes) -> bool:
    """Tell whether a line begins a top-level statement."""
    going_on = rb"[\s)\]}#]|(elif|else|except|finally)\b"
    return bool(text.strip()) and not re.match(going_on, text)


def complaint(text: bytes) -> tuple[int, str]:
    """Return the line and message of Python's own parser for a text, or 0 and ""; dedents it first."""
    lines = text.decode("utf-8", "replace").splitlines(keepends=True)
    indented = bool(lines) and lines[0][:1] in (" ", "\t")
    source = ("if 1:\n" if indented else "") + "".join(lines)
    try:
        parse_python(source)
    except SyntaxError as problem:
        line = (problem.lineno or 1) - int(indented)
        return max(1, min(line, len(lines))), problem.msg
    except (ValueError, RecursionError, MemoryError):
        return 0, ""
    return 0, ""
