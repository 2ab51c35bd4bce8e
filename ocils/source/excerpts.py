"""Definitions as a reader needs them: signature, docstring, and the body when it is short.

Not covered: which definitions, and how many tokens they may take (``context.py``).
"""

from __future__ import annotations

from tree_sitter import Node

from ocils.domain.text import Span
from ocils.source.functions import whole_of
from ocils.source.lines import dedent, split
from ocils.source.modules import Module, definition_of, top_level

SHORT = 14
"""A function of at most so many lines is shown whole."""


def dedented(module: Module, start: int, end: int) -> str:
    """Return the text between two offsets, its first line's indentation taken off, with ``\\n``."""
    tree = module.tree
    first = tree.starts[tree.line_of(start) - 1]
    before = tree.text[first:start]
    indent = before.decode("ascii", "replace") if not before.strip() else ""
    return dedent(tree.decode(Span(start, end)), indent)


def whole_text(module: Module, node: Node) -> str:
    """Return a definition's text with its decorators."""
    return dedented(module, whole_of(node).start_byte, node.end_byte)


def summary(module: Module, node: Node) -> str:
    """Return what a caller needs of a definition: a short function whole, else its outline."""
    if node.type == "class_definition":
        return class_outline(module, node)
    text = whole_text(module, node)
    return text if text.count("\n") < SHORT else signature(module, node)


def signature(module: Module, node: Node) -> str:
    """Return a function's decorators, signature and docstring, with ``...`` for the rest."""
    body = node.child_by_field_name("body")
    if body is None:
        return whole_text(module, node)
    start = whole_of(node).start_byte
    statements = [n for n in body.named_children if n.type != "comment"]
    doc = statements[0] if statements and is_docstring(statements[0]) else None
    head = dedented(module, start, doc.end_byte if doc is not None else _colon(node))
    if doc is None:
        return head + " ..."
    return (
        head
        if len(statements) == 1
        else head
        + "\n"
        + " " * max(1, body.start_point.column - whole_of(node).start_point.column)
        + "..."
    )


def _colon(node: Node) -> int:
    colons = [c for c in node.children if c.type == ":"]
    return colons[-1].end_byte if colons else node.end_byte


def is_docstring(node: Node) -> bool:
    """Tell whether a statement is nothing but a string."""
    return (
        node.type == "expression_statement"
        and len(node.children) == 1
        and node.children[0].type in ("string", "concatenated_string")
    )


def class_header(module: Module, node: Node, without: str = "") -> str:
    """Return a class's line, attributes, ``__init__`` outline and the fields that it sets.

    ``without`` names a method that is left out because it is shown elsewhere.
    """
    body = node.child_by_field_name("body")
    lines = [dedented(module, whole_of(node).start_byte, _colon(node))]
    for child in top_level(body) if body is not None else ():
        inner = definition_of(child)
        if inner is None and child.type == "expression_statement" and not is_docstring(child):
            lines.append(_indented(dedented(module, child.start_byte, child.end_byte), 4))
        elif inner is not None and inner.type == "function_definition":
            name = inner.child_by_field_name("name")
            if name is not None and module.text(name) == "__init__" != without:
                lines.append(_indented(_initialiser(module, inner), 4))
    return "\n".join(lines if len(lines) > 1 else [lines[0] + " ..."])


def _initialiser(module: Module, node: Node) -> str:
    text = whole_text(module, node)
    if text.count("\n") < SHORT:
        return text
    return signature(module, node)


def class_outline(module: Module, node: Node) -> str:
    """Return a class's header, its docstring, and the signatures of its public methods."""
    body = node.child_by_field_name("body")
    text = whole_text(module, node)
    if text.count("\n") < SHORT or body is None:
        return text
    lines = split(class_header(module, node))
    statements = [n for n in body.named_children if n.type != "comment"]
    if statements and is_docstring(statements[0]):
        doc = dedented(module, statements[0].start_byte, statements[0].end_byte)
        lines[1:1] = split(_indented(doc, 4))
    for child in top_level(body):
        inner = definition_of(child)
        name = inner.child_by_field_name("name") if inner is not None else None
        if inner is None or name is None or inner.type != "function_definition":
            continue
        if not module.text(name).startswith("_"):
            head = dedented(module, whole_of(inner).start_byte, _colon(inner))
            lines += split(_indented(head + " ...", 4))
    return "\n".join(lines)


def _indented(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line if line.strip() else line for line in split(text))


def elided(text: str, most: int) -> str:
    """Return a text of more than ``most`` lines without its middle."""
    lines = split(text)
    if len(lines) <= most:
        return text
    head = max(2, most * 2 // 3)
    tail = max(1, most - head - 1)
    lead = lines[head][: len(lines[head]) - len(lines[head].lstrip())]
    return "\n".join([*lines[:head], lead + "...", *lines[-tail:]])
