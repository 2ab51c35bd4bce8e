"""Telling candidates apart by their syntax tree, so that no behaviour is judged twice.

Not covered: equivalence beyond the tree (``x + 1`` and ``1 + x`` are two).
"""

from __future__ import annotations

import ast
import textwrap

from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, apply_edits
from ocils.refine.syntax import tree_of


def new_target_text(document: Document, target: EditTarget, edits: tuple[Edit, ...]) -> str:
    """Return the target's text after ``edits``, indentation kept, first line's included.

    Edits before the target (an added import) shift it; edits behind it do not.
    """
    new = apply_edits(document, edits)
    shift = sum(
        len(e.text.encode(document.encoding)) - len(e.span)
        for e in edits
        if e.path == document.path and e.span.end <= target.span.start
    )
    behind = len(document.data) - target.span.end
    later = sum(
        len(e.text.encode(document.encoding)) - len(e.span)
        for e in edits
        if e.path == document.path and e.span.start >= target.span.end
    )
    start, end = target.span.start + shift, len(new.data) - behind - later
    return target.indent + new.data[start:end].decode(document.encoding, "replace")


def parses(text: str) -> bool:
    """Tell whether this Python can parse a function's ``text``; indentation counts."""
    return tree_of(_dedented(text)) is not None


def normal_form(text: str) -> str:
    """Return a form of a function's ``text`` in which layout and comments do not count.

    Text that this Python cannot parse (the workspace may use a newer one) is compared as it is,
    white space at line ends aside.
    """
    tree = tree_of(_dedented(text))
    if tree is not None:
        return ast.dump(tree)
    return "\n".join(line.rstrip() for line in _dedented(text).split("\n"))


def _dedented(text: str) -> str:
    return textwrap.dedent(text.replace("\r\n", "\n"))
