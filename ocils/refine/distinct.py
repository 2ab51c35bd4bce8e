"""Telling candidates apart by their syntax tree, so that no behaviour is judged twice.

Not covered: equivalence beyond the tree (``x + 1`` and ``1 + x`` are two).
"""

from __future__ import annotations

import ast
import textwrap

from ocils.domain.python import tree_of
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, apply_edits


def new_target_text(document: Document, target: EditTarget, edits: tuple[Edit, ...]) -> str:
    """Return the target's text after ``edits``, indentation kept, first line's included.

    Lines appended to the target's end belong to it. What is put before it (an import, a helper)
    does not, and shifts it; ``texts_around`` returns that.
    """
    new = apply_edits(document, edits)
    mine = [edit for edit in edits if edit.path == document.path]
    tail = _tail(document, target)

    def growth(some: list[Edit]) -> int:
        return sum(len(e.text.encode(document.encoding)) - len(e.span) for e in some)

    shift = growth([e for e in mine if e.span.end <= target.span.start])
    later = growth(
        [e for e in mine if e.span.start > tail or (e.span.start == tail and len(e.span))]
    )
    start, end = target.span.start + shift, len(new.data) - (len(document.data) - tail) - later
    text = new.data[start:end].decode(document.encoding, "replace")
    return target.indent + text.rstrip("\r\n")


def texts_around(target: EditTarget, edits: tuple[Edit, ...]) -> tuple[str, ...]:
    """Return what ``edits`` put before the target or into other files, in a fixed order."""
    return tuple(
        sorted(e.text for e in edits if e.path != target.path or e.span.end <= target.span.start)
    )


def lines_before(document: Document, target: EditTarget, edits: tuple[Edit, ...]) -> int:
    """Return by how many lines ``edits`` move the target down."""
    before = [e for e in edits if e.path == document.path and e.span.end <= target.span.start]
    return sum(
        e.text.count("\n") - document.data.count(b"\n", e.span.start, e.span.end) for e in before
    )


def _tail(document: Document, target: EditTarget) -> int:
    """Return the offset behind the newline that ends the target's last line."""
    data, end = document.data, target.span.end
    if data[end : end + 2] == b"\r\n":
        return end + 2
    return end + 1 if data[end : end + 1] in (b"\n", b"\r") else end


def parses(text: str) -> bool:
    """Tell whether this Python can parse a function's ``text``; indentation counts."""
    return tree_of(dedented(text)) is not None


def normal_form(text: str) -> str:
    """Return a form of a function's ``text`` in which layout and comments do not count.

    Text that this Python cannot parse (the workspace may use a newer one) is compared as it is,
    white space at line ends aside.
    """
    tree = tree_of(dedented(text))
    if tree is not None:
        return ast.dump(tree)
    return "\n".join(line.rstrip() for line in dedented(text).split("\n"))


def dedented(text: str) -> str:
    """Return ``text`` at column 0, with plain newlines."""
    return textwrap.dedent(text.replace("\r\n", "\n"))
