"""Operators exchanged, dropped, regrouped; conditions negated.

Not covered: De Morgan's rewritings and other changes that mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.text import Span
from ocils.source.edits.scope import Change, Scope, change, named, text_of

_COMPARISONS = {
    b"<": (b"<=", b">", b">=", b"==", b"!="),
    b"<=": (b"<", b">=", b">", b"==", b"!="),
    b">": (b">=", b"<", b"<=", b"==", b"!="),
    b">=": (b">", b"<=", b"<", b"==", b"!="),
    b"==": (b"!=", b">=", b"<=", b">", b"<", b"in", b"is"),
    b"!=": (b"==", b"<", b">", b"<=", b">=", b"not in", b"is not"),
    b"is": (b"is not", b"==", b"!="),
    b"is not": (b"is", b"!=", b"=="),
    b"in": (b"not in", b"==", b"!="),
    b"not in": (b"in", b"!=", b"=="),
}
_ARITHMETIC = {
    b"+": (b"-", b"*", b"/", b"//", b"%"),
    b"-": (b"+", b"*", b"/", b"//", b"%"),
    b"*": (b"+", b"/", b"**", b"//", b"-"),
    b"/": (b"//", b"*", b"%", b"-"),
    b"//": (b"/", b"%", b"*", b"-"),
    b"%": (b"//", b"/", b"*", b"+"),
    b"**": (b"*", b"//", b"+"),
    b"<<": (b">>",),
    b">>": (b"<<",),
    b"&": (b"|", b"^"),
    b"|": (b"&", b"^"),
    b"^": (b"&", b"|"),
    b"@": (b"*",),
}
_AUGMENTED = {
    b"+=": (b"-=", b"=", b"*=", b"|="),
    b"-=": (b"+=", b"=", b"//=", b"*="),
    b"*=": (b"+=", b"/=", b"=", b"**=", b"//="),
    b"/=": (b"//=", b"*=", b"=", b"-="),
    b"//=": (b"/=", b"*=", b"%=", b"=", b"-="),
    b"%=": (b"//=", b"=", b"-="),
    b"**=": (b"*=",),
    b"|=": (b"&=", b"^=", b"=", b"+="),
    b"&=": (b"|=", b"^=", b"="),
    b"^=": (b"|=", b"&=", b"="),
    b"<<=": (b">>=",),
    b">>=": (b"<<=",),
}


def comparisons(node: Node, scope: Scope) -> Iterator[Change]:
    """Exchange a comparison for another; swap the sides of ``in``; drop a link of a chain."""
    del scope
    if node.type != "comparison_operator":
        return
    operators = node.children_by_field_name("operators")
    for operator in operators:
        old = b" ".join(text_of(operator).split())
        for rank, new in enumerate(_COMPARISONS.get(old, ())):
            yield change(operator, new, f"{old.decode()} to {new.decode()}", rank * 0.6)
    operands = named(node)
    if len(operators) == 1 and len(operands) == 2 and text_of(operators[0]) in (b"in", b"not in"):
        left, right = operands
        text = text_of(right) + b" " + text_of(operators[0]) + b" " + text_of(left)
        yield change(node, text, "sides swapped", 6)
    if len(operators) > 1 and len(operands) > 2:
        first = Span(node.start_byte, operands[1].start_byte)
        yield Change(first, b"", "first comparison dropped", 7)
        yield Change(Span(operands[-2].end_byte, node.end_byte), b"", "last comparison dropped", 7)


def truth(node: Node, scope: Scope) -> Iterator[Change]:
    """Compare with None what is only tested, and the other way round."""
    del scope
    if node.type == "comparison_operator" and len(node.children) == 3:
        left, operator, right = node.children
        if right.type == "none" and text_of(operator) in (b"is not", b"is"):
            bare = text_of(left)
            yield change(
                node, bare if text_of(operator) == b"is not" else b"not " + bare, "truth", 6
            )
    elif is_condition(node) and node.type in ("identifier", "attribute", "call"):
        yield change(node, text_of(node) + b" is not None", "is not None", 6)
        yield change(node, text_of(node) + b" is None", "is None", 6.5)


def arithmetic(node: Node, scope: Scope) -> Iterator[Change]:
    """Exchange an arithmetic operator, drop a side, swap the sides, or group otherwise."""
    del scope
    if node.type != "binary_operator":
        return
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None or operator is None:
        return
    sign = text_of(operator)
    for rank, new in enumerate(_ARITHMETIC.get(sign, ())):
        yield change(operator, new, f"{sign.decode()} to {new.decode()}", 0.5 + rank)
    plain = right.type in ("integer", "float")
    yield _only(node, left, "right side dropped", 2 if plain else 4)
    yield _only(node, right, "left side dropped", 5)
    if sign in (b"-", b"/", b"//", b"%", b"**", b"+", b"<<", b">>"):
        swapped = _grouped(right) + b" " + sign + b" " + _grouped(left)
        yield change(node, swapped, "sides swapped", 3 if sign != b"+" else 5)
    yield from _regroup(node, left, operator, right)


_WHOLE = frozenset(
    {
        "identifier",
        "call",
        "attribute",
        "subscript",
        "integer",
        "float",
        "string",
        "parenthesized_expression",
    }
)
"""What needs no parentheses wherever it stands."""


def _only(node: Node, side: Node, note: str, cost: float) -> Change:
    """Keep one side of ``node`` alone, without parentheses that were there for both."""
    around = node.parent
    if around is None or around.type != "parenthesized_expression" or side.type not in _WHOLE:
        return change(node, text_of(side), note, cost)
    # "return(a - 1)" must not become "returna".
    before, after = around.prev_sibling, around.next_sibling
    joined = [before] if before is not None and before.end_byte == around.start_byte else []
    joined += [after] if after is not None and after.start_byte == around.end_byte else []
    if any(each.type.isalpha() for each in joined):
        around = node
    return change(around, text_of(side), note, cost)


def _regroup(node: Node, left: Node, operator: Node, right: Node) -> Iterator[Change]:
    kind = node.type
    if right.type == kind:
        first, rest = right.child_by_field_name("left"), right.child_by_field_name("operator")
        last = right.child_by_field_name("right")
        if first is not None and rest is not None and last is not None:
            group = b"(" + text_of(left) + b" " + text_of(operator) + b" " + text_of(first) + b")"
            text = group + b" " + text_of(rest) + b" " + text_of(last)
            yield change(node, text, "grouped otherwise", 4)
    if left.type == kind:
        first, rest = left.child_by_field_name("left"), left.child_by_field_name("operator")
        last = left.child_by_field_name("right")
        if first is not None and rest is not None and last is not None:
            group = b"(" + text_of(last) + b" " + text_of(operator) + b" " + text_of(right) + b")"
            text = text_of(first) + b" " + text_of(rest) + b" " + group
            yield change(node, text, "grouped otherwise", 4)
    for side in (left, right):
        if side.type == "parenthesized_expression" and named(side):
            yield change(side, text_of(named(side)[0]), "parentheses dropped", 4)


def _grouped(node: Node) -> bytes:
    text = text_of(node)
    return b"(" + text + b")" if node.type in ("binary_operator", "boolean_operator") else text


def assignments(node: Node, scope: Scope) -> Iterator[Change]:
    """Exchange the operator of an assignment; swap its sides."""
    del scope
    if node.type == "augmented_assignment":
        operator = node.child_by_field_name("operator")
        if operator is not None:
            old = text_of(operator)
            for rank, new in enumerate(_AUGMENTED.get(old, ())):
                yield change(operator, new, f"{old.decode()} to {new.decode()}", 0.5 + rank)
    elif node.type == "assignment" and node.child_by_field_name("type") is None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        equals = next((c for c in node.children if c.type == "="), None)
        if left is None or right is None or equals is None:
            return
        if left.type in ("identifier", "attribute", "subscript"):
            yield change(equals, b"+=", "= to +=", 3)
            yield change(equals, b"-=", "= to -=", 5)
            if right.type in ("identifier", "attribute", "subscript"):
                text = text_of(right) + b" = " + text_of(left)
                yield change(node, text, "sides swapped", 6)


def booleans(node: Node, scope: Scope) -> Iterator[Change]:
    """Exchange and/or, drop a side, negate a side, drop ``not``, group otherwise."""
    del scope
    if node.type == "not_operator":
        argument = node.child_by_field_name("argument")
        if argument is not None:
            yield change(node, text_of(argument), "not dropped", 0.5)
        return
    if node.type != "boolean_operator":
        return
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None or operator is None:
        return
    new = b"or" if text_of(operator) == b"and" else b"and"
    yield change(operator, new, f"{text_of(operator).decode()} to {new.decode()}", 0.3)
    yield _only(node, left, "right side dropped", 3)
    yield _only(node, right, "left side dropped", 3)
    for side in (left, right):
        if side.type not in ("not_operator", "comparison_operator"):
            yield change(side, negated(side), "negated", 2.5)
    yield from _regroup(node, left, operator, right)


def negations(node: Node, scope: Scope) -> Iterator[Change]:
    """Negate a condition, or a value that is returned."""
    del scope
    if node.type == "not_operator" or not is_condition(node):
        return
    single = node.type == "comparison_operator" and len(node.children) == 3
    if not single and node.type not in ("true", "false"):
        yield change(node, negated(node), "negated", 1)


def negated(node: Node) -> bytes:
    """Return the text of ``not node``."""
    text = text_of(node)
    loose = ("boolean_operator", "conditional_expression", "named_expression", "lambda")
    return b"not (" + text + b")" if node.type in loose else b"not " + text


def is_condition(node: Node) -> bool:
    """Tell whether the node decides an if, a while, an assert, a filter, or is a returned value."""
    above = node.parent
    if above is None or not node.is_named or node.type in ("block", "comment"):
        return False
    if above.type in ("if_statement", "elif_clause", "while_statement"):
        return above.child_by_field_name("condition") == node
    if above.type == "conditional_expression":
        return len(named(above)) == 3 and named(above)[1] == node
    if above.type in ("if_clause", "assert_statement"):
        return named(above)[0] == node
    values = ("call", "identifier", "attribute", "subscript", "boolean_operator")
    return above.type == "return_statement" and node.type in values


def signs(node: Node, scope: Scope) -> Iterator[Change]:
    """Drop a sign."""
    del scope
    if node.type == "unary_operator":
        argument = node.child_by_field_name("argument")
        if argument is not None:
            yield change(node, text_of(argument), "sign dropped", 1.5)
