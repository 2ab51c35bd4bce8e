"""From a cursor to an edit target.

What a cursor means is decided by lines, in one way for sound and for broken texts; only how the
functions around a line are found differs (``views.py``).

Not covered: columns. A line belongs to one function at most, so only the line counts.
"""

from __future__ import annotations

import re

from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.target import EditTarget
from ocils.source import queried
from ocils.source.functions import targets
from ocils.source.isolate import DEF, complaint_at, definition_name, is_blank, width
from ocils.source.tree import SourceTree
from ocils.source.views import ByIndentation, ByTree, Place, View


def locate(tree: SourceTree, offset: int) -> EditTarget:
    """Return the innermost function that the byte at ``offset`` belongs to.

    Decorators, signature, docstring and body belong to it, as do the blank and comment lines that
    trail it and the comment right above it. Offsets beyond the text count as its ends.

    Raises ``TargetNotFound`` where there is no function, and ``SyntaxBroken`` where its text cannot
    be parsed; an error elsewhere in the file is no hindrance.
    """
    if queried.grammar_of(tree) is not None:
        return queried.locate(tree, targets(tree), offset)
    view: View = ByIndentation(tree) if tree.doubtful else ByTree(tree)
    line = tree.line_of(min(max(offset, 0), len(tree.text)))
    place = _meant(tree, view, line)
    if place is not None:
        return view.target(place)
    if tree.doubtful and (problem := complaint_at(tree, line)) is not None:
        name = tree.document.path.rpartition("/")[2]
        raise SyntaxBroken(
            f"{name} line {problem[0]}: {problem[1]}", mend="mend the syntax first, then try again"
        )
    raise _nothing_at(tree, line)


def _nothing_at(tree: SourceTree, line: int) -> TargetNotFound:
    file = tree.document.path.rpartition("/")[2]
    near = _nearest(tree, line)
    if not near:
        return TargetNotFound(
            f"no function at line {line}: {file} has none",
            mend="write the function's signature first, then put the cursor into it",
        )
    name = definition_name(tree, near)
    return TargetNotFound(
        f"no function at line {line}; the nearest is {name} at line {near}",
        mend=f"put the cursor into it, or name it: {file}::{name}",
    )


def _nearest(tree: SourceTree, line: int) -> int:
    """Return the line of the nearest ``def``, 0 when there is none."""
    total = len(tree.starts)
    for distance in range(total):
        for number in (line + distance, line - distance):
            if 1 <= number <= total and DEF.match(tree.line_text(number)):
                return number
    return 0


def _meant(tree: SourceTree, view: View, line: int) -> Place | None:
    """Return the function that a cursor on ``line`` means, or None."""
    text = tree.line_text(line)
    if not is_blank(text) or view.in_string(line):
        return next(iter(view.around(line)), None)
    before = _code_line(tree, line, -1)
    after = _code_line(tree, line, +1)
    comment = bool(text.strip())
    if comment and after and _directly_above(tree, line, after):
        return next(iter(view.around(after)), None)
    if text.strip(b"\r\n"):
        inner = _deepest(tree, view, before, width(text))
        if inner is not None:
            return inner
    if (
        not comment
        and before
        and (line == before + 1 or not after or _trails(tree, view, before, line))
    ):
        return next(iter(view.around(before)), None)
    # Between two lines of one function, whatever the indentation, the cursor is in that function.
    around = view.around(before) if before and after else []
    return next((place for place in around if place.last >= after), None)


def _deepest(tree: SourceTree, view: View, line: int, column: int) -> Place | None:
    """Return the innermost function around ``line`` that begins left of ``column``, or None."""
    around = view.around(line) if line else []
    return next((p for p in around if width(tree.line_text(p.first)) < column), None)


def _trails(tree: SourceTree, view: View, before: int, line: int) -> bool:
    """Tell whether the line right above is a comment that trails the function of ``before``."""
    above = tree.line_text(line - 1)
    return bool(above.strip()) and _deepest(tree, view, before, width(above)) is not None


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
