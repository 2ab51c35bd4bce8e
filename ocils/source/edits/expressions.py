"""Off by one, indices, slices, branches, order: the inside of expressions.

Not covered: calls (``calls.py``) and operators (``operators.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from ocils.domain.text import Span
from ocils.source.edits.scope import (
    Change,
    Scope,
    change,
    is_callee,
    is_variable,
    named,
    text_of,
    within_type,
)

_VALUES = ("identifier", "call", "subscript", "attribute")
_TIGHT = ("unary_operator", "attribute", "subscript", "await", "not_operator")


def offsets(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``x + 1`` and ``x - 1``, likeliest in indices, bounds and comparisons."""
    del scope
    cost = _offset_cost(node)
    if cost is None:
        return
    text = text_of(node)
    for rank, tail in enumerate((b" - 1", b" + 1")):
        new = text + tail
        if _needs_parentheses(node, tail):
            new = b"(" + new + b")"
        yield change(node, new, f"{_short(text)}{tail.decode()}", cost + rank * 0.1)


def _offset_cost(node: Node) -> float | None:
    above = node.parent
    if node.type not in _VALUES or above is None or is_callee(node) or within_type(node):
        return None
    if node.type == "identifier" and not is_variable(node):
        return None
    if above.type == "argument_list":
        call = above.parent
        function = call.child_by_field_name("function") if call is not None else None
        counts = function is not None and text_of(function) in (b"range", b"enumerate", b"islice")
        return 1 if counts else 5
    if above.type == "subscript":
        return 1.2 if above.child_by_field_name("value") != node else None
    if above.type == "unary_operator":
        return 6
    costs: dict[str, float] = {
        "slice": 1.2,
        "comparison_operator": 2.5,
        "return_statement": 3,
        "binary_operator": 4,
        "assignment": 4,
        "augmented_assignment": 4,
        "expression_list": 5,
        "conditional_expression": 6,
        "pair": 6,
        "tuple": 6,
        "list": 6,
        "list_comprehension": 6,
        "yield": 5,
    }
    if above.type in ("assignment", "augmented_assignment"):
        return costs[above.type] if above.child_by_field_name("right") == node else None
    return costs.get(above.type)


def _needs_parentheses(node: Node, tail: bytes) -> bool:
    above = node.parent
    if above is None or above.type in _TIGHT:
        return above is not None and above.type in ("unary_operator", "await", "attribute")
    if above.type != "binary_operator":
        return False
    operator = above.child_by_field_name("operator")
    sign = text_of(operator) if operator is not None else b""
    if sign not in (b"+", b"-"):
        return True
    return above.child_by_field_name("left") != node and sign == b"-" and bool(tail)


def _short(text: bytes) -> str:
    shown = b" ".join(text.split()).decode("utf-8", "replace")
    return shown if len(shown) <= 20 else shown[:18] + "…"


def sign_flips(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``-x`` where numbers are likely."""
    del scope
    above = node.parent
    if node.type not in (*_VALUES, "binary_operator") or above is None or is_callee(node):
        return
    costs = {
        "return_statement": 4,
        "assignment": 6,
        "argument_list": 6,
        "subscript": 5,
        "slice": 5,
        "conditional_expression": 5,
        "tuple": 5,
        "binary_operator": 7,
        "comparison_operator": 7,
    }
    if above.type not in costs or (node.type == "identifier" and not is_variable(node)):
        return
    if above.type == "subscript" and above.child_by_field_name("value") == node:
        return
    if above.type == "assignment" and above.child_by_field_name("right") != node:
        return
    text = text_of(node)
    new = b"-(" + text + b")" if node.type == "binary_operator" else b"-" + text
    yield change(node, new, f"-{_short(text)}", costs[above.type])


def subscripts(node: Node, scope: Scope) -> Iterator[Change]:
    """First for last item, an index for a slice and back, indices swapped, the index dropped."""
    del scope
    if node.type != "subscript" or within_type(node):
        return
    value, indices = node.child_by_field_name("value"), node.children_by_field_name("subscript")
    if value is None or not indices:
        return
    index = indices[0]
    text = text_of(index)
    if len(indices) == 1 and index.type != "slice":
        for old, new in ((b"0", b"-1"), (b"-1", b"0"), (b"1", b"-1"), (b"-1", b"-2")):
            if text == old:
                yield change(index, new, f"[{old.decode()}] to [{new.decode()}]", 1)
        yield change(index, text + b":", f"[{_short(text)}:]", 4.5)
        yield change(index, b":" + text, f"[:{_short(text)}]", 4.5)
        if not is_callee(node):
            yield change(node, text_of(value), "index dropped", 5)
    inner = value.children_by_field_name("subscript") if value.type == "subscript" else []
    if len(inner) == 1 and len(indices) == 1 and value.child_by_field_name("value") is not None:
        base = value.child_by_field_name("value")
        assert base is not None
        new = text_of(base) + b"[" + text + b"][" + text_of(inner[0]) + b"]"
        yield change(node, new, "indices swapped", 3)


def slices(node: Node, scope: Scope) -> Iterator[Change]:
    """Bounds dropped, added, moved to the other side; the step dropped or turned round."""
    if node.type != "slice":
        return
    parts: list[bytes] = [b""]
    for child in node.children:
        if child.type == ":":
            parts.append(b"")
        else:
            parts[-1] = text_of(child)
    start, stop, step = [*parts, b"", b""][:3]
    guesses: list[tuple[bytes, bytes, bytes, float]] = []
    if start:
        guesses.append((b"", stop, step, 2))
    if stop:
        guesses.append((start, b"", step, 2))
    if not start:
        guesses += [(b"1", stop, step, 2), (b"0", stop, step, 9)]
    if not stop:
        guesses += [(start, b"-1", step, 2), (start, b"1", step, 5), (start, b"2", step, 7)]
    if bool(start) != bool(stop):
        guesses.append((stop, start, step, 2))
    if start and stop:
        guesses.append((stop, start, step, 5))
    if step:
        guesses.append((start, stop, b"", 2))
    guesses += [(start, stop, b"-1", 3 if not start and not stop else 6), (start, stop, b"2", 6)]
    for rank, name in enumerate(scope.variables[:4]):
        if not start:
            guesses.append((name, stop, step, 6 + rank * 0.5))
        if not stop:
            guesses.append((start, name, step, 6 + rank * 0.5))
    for one, two, three, cost in guesses:
        new = one + b":" + two + (b":" + three if three else b"")
        yield change(node, new, f"[{_short(text_of(node))}] to [{_short(new)}]", cost)
    whole = node.parent
    if whole is not None and start and not stop and not step:
        yield change(node, start, f"[{_short(start)}]", 4)
    if whole is not None and stop and not start and not step:
        yield change(node, stop, f"[{_short(stop)}]", 4)


def branches(node: Node, scope: Scope) -> Iterator[Change]:
    """The branches of a conditional expression swapped, or one of them alone."""
    del scope
    if node.type != "conditional_expression" or len(named(node)) != 3:
        return
    yes, condition, no = named(node)
    swapped = text_of(no) + b" if " + text_of(condition) + b" else " + text_of(yes)
    yield change(node, swapped, "branches swapped", 1)
    yield change(node, text_of(yes), "first branch alone", 5)
    yield change(node, text_of(no), "last branch alone", 5)


def order(node: Node, scope: Scope) -> Iterator[Change]:
    """Neighbours swapped in a tuple, a list or a pattern; key and value swapped."""
    del scope
    if node.type == "pair":
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is not None and value is not None:
            swapped = text_of(value) + b": " + text_of(key)
            in_comprehension = node.parent is not None and node.parent.type.endswith(
                "comprehension"
            )
            yield change(node, swapped, "key and value swapped", 3 if in_comprehension else 7)
        return
    kinds = ("tuple", "expression_list", "pattern_list", "tuple_pattern", "list")
    items = named(node) if node.type in kinds else []
    if not 2 <= len(items) <= 5:
        return
    cost = 6 if node.type == "list" else 2
    for one, other in pairwise(items):
        between = text_of(node)[one.end_byte - node.start_byte : other.start_byte - node.start_byte]
        text = text_of(other) + between + text_of(one)
        yield Change(Span(one.start_byte, other.end_byte), text, "neighbours swapped", cost)


def filters(node: Node, scope: Scope) -> Iterator[Change]:
    """The filter of a comprehension dropped; ``await`` dropped."""
    del scope
    if node.type == "if_clause" and node.prev_sibling is not None:
        yield Change(Span(node.prev_sibling.end_byte, node.end_byte), b"", "filter dropped", 5)
    if node.type == "await" and named(node):
        yield change(node, text_of(named(node)[0]), "await dropped", 5)
