"""A model's rewrite of a function in a language that comes as data: found in its reply, put in place.

Not covered: helpers and imports that a reply brings along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit
from ocils.languages import shelf
from ocils.source.lines import decode, dedent, minimal, newline_of, split
from ocils.source.queried import grammar_of
from ocils.source.queried import targets as every
from ocils.source.tree import SourceTree, walk


def function_in(blocks: Sequence[str], target: EditTarget, language: str) -> str | None:
    """Return the text of the target's function in the first block that holds it, or None.

    A single function of another name is not taken: it may be a helper.
    """
    known = shelf.language(language)
    if known is None or known.grammar is None:
        return None
    name = target.name.rpartition(".")[2]
    path = "/reply" + known.suffixes[0]
    for block in blocks:
        for text in (block, known.grammar.method.replace("{}", block)):
            tree = SourceTree.of(Document(path, text.encode()))
            fitting = [t for t in every(tree, known.grammar) if t.name.rpartition(".")[2] == name]
            if fitting:
                # A model that repeats itself means its last word.
                return dedent(
                    fitting[-1].indent + tree.decode(fitting[-1].span), fitting[-1].indent
                )
    return None


def replace_plainly(document: Document, target: EditTarget, source: str) -> tuple[Edit, ...]:
    """Return the edits that make ``source`` (at column 0) the target's text, with its indentation.

    What the target began with and the source does not (``export``) is kept. Lines that begin within
    a string over several lines stay as they are.
    """
    tree = SourceTree.of(Document(document.path, source.encode()))
    grammar = grammar_of(tree)
    old = decode(document, target.span)
    text = source.strip("\r\n")
    if grammar is not None and grammar.prefix:
        had, has = re.match(grammar.prefix, old), re.match(grammar.prefix, text)
        text = (had[0] if had and not has else "") + text
    strings = grammar.strings if grammar is not None else ()
    inside = {
        row
        for node in walk(tree.root)
        if node.type in strings
        for row in range(node.start_point.row + 1, node.end_point.row + 1)
    }
    lines = [
        line if not number or number in inside or not line.strip() else target.indent + line
        for number, line in enumerate(split(text))
    ]
    return minimal(document, target.span, newline_of(document).join(lines)) if text else ()
