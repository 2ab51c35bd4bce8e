"""Operands and conditions put back from the names in scope.

Not covered: whole expressions that nothing in the function resembles.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ocils.source.edits.operators import is_condition
from ocils.source.edits.scope import (
    Change,
    Scope,
    change,
    is_callee,
    is_variable,
    text_of,
    within_type,
)

_LOOSE = ("conditional_expression", "lambda", "named_expression")


def operands(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``x + y``, ``x * y``, ``x - y`` with the first names in scope."""
    above = node.parent
    kinds = ("identifier", "attribute", "call", "subscript", "string", "integer")
    if node.type not in kinds or above is None or is_callee(node) or within_type(node):
        return
    if node.type == "identifier" and not is_variable(node):
        return
    if above.type in ("assignment", "augmented_assignment"):
        if above.child_by_field_name("right") != node:
            return
    elif above.type not in ("return_statement", "argument_list", "comparison_operator"):
        return
    text = text_of(node)
    signs = (b"*", b"+") if node.type == "string" else (b"+", b"-", b"*")
    names = [v for v in scope.variables if v != text and v not in scope.calls][:4]
    for rank, name in enumerate(names):
        for step, sign in enumerate(signs):
            new = text + b" " + sign + b" " + name
            cost = 7.5 + rank * 0.5 + step * 0.2
            yield change(node, new, f"{sign.decode()} {name.decode()}", cost)


def conditions(node: Node, scope: Scope) -> Iterator[Change]:
    """A condition gets a second one: a name, its opposite, or that it is not None."""
    if not is_condition(node) or node.type in _LOOSE:
        return
    if node.parent is None or node.parent.type == "return_statement":
        return
    text = text_of(node)
    loose = b"(" + text + b")" if node.type == "boolean_operator" else text
    names = [v for v in scope.variables if v not in scope.calls]
    for rank, name in enumerate(n for n in names[:4] if n != text):
        for step, term in enumerate((name, b"not " + name, name + b" is not None")):
            for turn, word in enumerate((b"and", b"or")):
                new = loose + b" " + word + b" " + term
                cost = 7 + rank * 0.5 + step * 0.3 + turn * 0.2
                yield change(node, new, f"{word.decode()} {term.decode()}", cost)
