"""From a cursor to an edit target.

Not covered: columns. A line belongs to one function at most, so only the line counts.
"""

from __future__ import annotations

import re

from tree_sitter import Node

from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.target import EditTarget
from ocils.domain.text import Span
from ocils.source.functions import around, target_of, target_of_piece, targets, unsound, whole_of
from ocils.source.isolate import Piece, is_blank, piece_at, width
from ocils.source.tree import SourceTree


def locate(tree: SourceTree, offset: int) -> EditTarget:
    """Return the innermost function that the byte at ``offset`` belongs to.

    Decorators, signature, docstring and body belong to it, as do the blank and comment lines that
    trail it and the comment right above it. Offsets beyond the text count as its ends.

    Raises ``TargetNotFound`` where there is no function, and ``SyntaxBroken`` where its text cannot
    be parsed; an error elsewhere in the file is no hindrance.
    """
    line = tree.line_of(min(max(offset, 0), len(tree.text)))
    line = _meant(tree, line)
    if line:
        node = _function_at(tree, line)
        if node is not None and not unsound(tree, node):
            return target_of(tree, node, 0, around(tree, node))
        if tree.broken:
            piece = piece_at(tree, line)
            if piece is not None and not piece.error_line:
                return target_of_piece(tree, piece)
            if piece is not None or node is not None:
                raise _broken(tree, piece, line)
            if any(_touches(tree, e, line) for e in tree.errors()):
                raise _broken(tree, None, line)
    raise _nothing_at(tree, tree.line_of(min(max(offset, 0), len(tree.text))))


def _touches(tree: SourceTree, error: Span, line: int) -> bool:
    return tree.line_of(error.start) <= line <= tree.line_of(max(error.start, error.end - 1))


def _broken(tree: SourceTree, piece: Piece | None, line: int) -> SyntaxBroken:
    at, what = line, "syntax error"
    if piece is not None:
        at, what = piece.error_line, piece.problem or what
    else:
        near = [tree.line_of(e.start) for e in tree.errors()]
        at = min(near, key=lambda n: abs(n - line), default=line)
    name = tree.document.path.rpartition("/")[2]
    return SyntaxBroken(f"{name} line {at}: {what}", mend="mend the syntax first, then try again")


def _nothing_at(tree: SourceTree, line: int) -> TargetNotFound:
    name = tree.document.path.rpartition("/")[2]
    known = targets(tree)
    if not known:
        return TargetNotFound(
            f"no function at line {line}: {name} has none",
            mend="write the function's signature first, then put the cursor into it",
        )
    near = min(known, key=lambda t: max(t.first_line - line, line - t.last_line))
    return TargetNotFound(
        f"no function at line {line}; the nearest is {near.name} at line {near.first_line}",
        mend=f"put the cursor into it, or name it: {name}::{near.name}",
    )


def _meant(tree: SourceTree, line: int) -> int:
    """Return the code line whose function a cursor on ``line`` means; 0 when it means none."""
    text = tree.line_text(line)
    if not is_blank(text) or _in_string(tree, line):
        return line
    before = _code_line(tree, line, -1)
    after = _code_line(tree, line, +1)
    comment = bool(text.strip())
    if comment and after and _directly_above(tree, line, after):
        return after
    if text.strip(b"\r\n"):
        inner = _deepest(tree, before, width(text))
        if inner:
            return inner
    if (
        not comment
        and before
        and (line == before + 1 or not after or _only_comments(tree, before, line))
    ):
        return _deepest(tree, before, 1 << 30) or before
    # Between two lines of one function, whatever the indentation, the cursor is in that function.
    shared = _function_at(tree, before) if before and after else None
    while shared is not None and shared.end_point.row + 1 < after:
        shared = _enclosing(shared)
    return _first_line(shared) if shared is not None else 0


def _deepest(tree: SourceTree, line: int, column: int) -> int:
    """Return the first line of the innermost function around ``line`` left of ``column``, or 0."""
    node = _function_at(tree, line) if line else None
    while node is not None:
        first = _first_line(node)
        if width(tree.line_text(first)) < column:
            return first
        node = _enclosing(node)
    if tree.broken and line:
        piece = piece_at(tree, line)
        if piece is not None and width(tree.line_text(piece.first)) < column:
            return piece.first
    return 0


def _only_comments(tree: SourceTree, before: int, line: int) -> bool:
    """Tell whether the line right above is a comment that trails the function of ``before``."""
    above = tree.line_text(line - 1)
    return line > 1 and bool(above.strip()) and bool(_deepest(tree, before, width(above)))


def _directly_above(tree: SourceTree, line: int, after: int) -> bool:
    if not re.match(rb"\s*(@|def\b|async\s+def\b)", tree.line_text(after)):
        return False
    column = width(tree.line_text(after))
    return all(
        tree.line_text(n).strip() and width(tree.line_text(n)) == column for n in range(line, after)
    )


def _code_line(tree: SourceTree, line: int, step: int) -> int:
    number = line + step
    while 1 <= number <= len(tree.starts):
        if not is_blank(tree.line_text(number)):
            return number
        number += step
    return 0


def _in_string(tree: SourceTree, line: int) -> bool:
    start = tree.starts[line - 1]
    node: Node | None = tree.root.descendant_for_byte_range(start, start)
    while node is not None:
        if node.type == "string":
            return node.start_byte < start
        node = node.parent
    return False


def _function_at(tree: SourceTree, line: int) -> Node | None:
    """Return the innermost function whose lines, decorators included, hold ``line``."""
    text = tree.line_text(line)
    start = tree.starts[line - 1] + len(text) - len(text.lstrip())
    node = tree.root.descendant_for_byte_range(start, min(start + 1, len(tree.text)))
    while node is not None:
        if node.type == "function_definition":
            return node
        if node.type == "decorated_definition":
            inner = node.child_by_field_name("definition")
            if inner is not None and inner.type == "function_definition":
                return inner
        node = node.parent
    return None


def _enclosing(node: Node) -> Node | None:
    above = node.parent
    while above is not None and above.type != "function_definition":
        above = above.parent
    return above


def _first_line(node: Node) -> int:
    return whole_of(node).start_point.row + 1
