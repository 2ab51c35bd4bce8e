"""Expressions borrowed from elsewhere in the function: in another's place, beside it, or as a condition.

There are many of them and few are right, so they cost most and rely on a model's judgement.

Not covered: expressions that stand nowhere in the function; names alone (``names.py``).
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
    named,
    text_of,
    within_type,
)

_PLACES = (
    "argument_list",
    "return_statement",
    "assignment",
    "augmented_assignment",
    "comparison_operator",
    "binary_operator",
    "subscript",
    "for_statement",
    "for_in_clause",
    "keyword_argument",
    "yield",
    "expression_statement",
)
_WHOLE = ("identifier", "attribute", "call", "subscript", "binary_operator")
_PARTS = ("boolean_operator", "conditional_expression", "lambda", "named_expression")


def exchanged(node: Node, scope: Scope) -> Iterator[Change]:
    """An expression replaced by another one of the function, an expression by a name."""
    if not _is_value(node) or (node.parent and node.parent.type == "expression_statement"):
        return
    text = text_of(node)
    terms = [t for t in scope.terms if t != text][:8]
    for rank, term in enumerate(terms):
        grouped = b"(" + term + b")" if b" " in term and _is_tight(node) else term
        yield change(node, grouped, _note(text, term), 7 + rank * 0.25)
    if node.type in ("call", "subscript", "binary_operator", "attribute"):
        for rank, name in enumerate(n for n in scope.variables[:6] if n != text):
            yield change(node, name, _note(text, name), 6.5 + rank * 0.3)


def beside(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``x + y`` and the like, where y is an expression of the function."""
    above = node.parent
    if not _is_value(node) or node.type == "binary_operator" or above is None:
        return
    if above.type not in ("return_statement", "assignment", "argument_list", "comparison_operator"):
        return
    text = text_of(node)
    names = [n for n in scope.variables[:5] if n not in scope.calls]
    for rank, term in enumerate(t for t in (*names[4:], *scope.terms[:5]) if t != text):
        for step, sign in enumerate((b"+", b"-", b"*")):
            if b" " not in term:
                new = text + b" " + sign + b" " + term
                yield change(
                    node, new, f"{sign.decode()} {_short(term)}", 8.5 + rank * 0.3 + step * 0.3
                )
    for rank, name in enumerate(n for n in names[:3] if n != text and _is_name(node)):
        yield change(node, text + b"[" + name + b":]", f"from {_short(name)}", 8 + rank * 0.4)
        yield change(node, text + b"[:" + name + b"]", f"to {_short(name)}", 8 + rank * 0.4)
    for rank, name in enumerate(n for n in names[:3] if n != text):
        new = name + b" + " + text
        yield change(node, new, f"{_short(name)} + before", 8.5 + rank * 0.3)


def conditions(node: Node, scope: Scope) -> Iterator[Change]:
    """A condition gets a second one: another test of the function, or one of a name at hand."""
    above = node.parent
    if above is None or node.type in _PARTS[1:]:
        return
    returned = above.type == "return_statement" and node.type in (
        "comparison_operator",
        "not_operator",
        "boolean_operator",
        "call",
    )
    if not returned and not is_condition(node):
        return
    text = text_of(node)
    loose = b"(" + text + b")" if node.type == "boolean_operator" else text
    fields = [scope.me + b"." + field for field in scope.fields[:3]] if scope.me else []
    names = [v for v in scope.variables if v not in scope.calls][:5]
    tests = [t for t in scope.tests if t not in text and text not in t][:5]
    tests += [b"not " + t for t in tests[:2] if not t.startswith(b"not ")]
    sides = [text_of(n) for n in named(node)] if node.type == "comparison_operator" else []
    sides = [side for side in sides if side[:1].isalpha() and side not in (b"None", b"True")]
    tests = [*(side + b" is not None" for side in sides[:2]), *tests[:5], *sides[:1], *tests[5:]]
    tests += [b"not " + name for name in names[:3]]
    tests += [*fields, *(b"not " + f for f in fields)]
    tests += [*names[4:], *(n + b" is None" for n in names[:3]), *(n + b" > 0" for n in names[:2])]
    tests += [b"len(" + n + b") > 1" for n in names[:2]]
    for rank, test in enumerate(t for t in tests if t != text):
        for turn, word in enumerate((b"and", b"or")):
            new = loose + b" " + word + b" " + test
            yield change(
                node, new, f"{word.decode()} {_short(test)}", 7.5 + rank * 0.15 + turn * 0.3
            )
            if rank < 10:
                new = test + b" " + word + b" " + loose
                yield change(
                    node, new, f"{_short(test)} {word.decode()}", 8 + rank * 0.15 + turn * 0.3
                )


def arguments(node: Node, scope: Scope) -> Iterator[Change]:
    """One more argument at any place: names, expressions, ``name=name``, a class to check against."""
    if node.type != "argument_list" or node.parent is None or node.parent.type != "call":
        return
    function = node.parent.child_by_field_name("function")
    items = named(node)
    if function is None or any(n.type == "generator_expression" for n in items):
        return
    present = {text_of(n) for n in items}
    keywords = {text.partition(b"=")[0] for text in present if b"=" in text}
    positional = [n for n in items if n.type not in ("keyword_argument", "dictionary_splat")]
    name = text_of(function).rpartition(b".")[2]
    if name in (b"isinstance", b"issubclass") and len(positional) == 1:
        for rank, kind in enumerate((b"str", b"int", b"list", b"dict", b"tuple", *scope.classes)):
            yield _behind(positional[0], kind, 2.5 + rank * 0.4)
        return
    if items and not any(text.startswith(b"*") for text in present):
        for rank, text in enumerate(scope.splats):
            yield _behind(items[-1], text, 2.5 + rank)
    elif items and len(scope.splats) == 2 and text_of(items[-1]) == scope.splats[0]:
        yield _behind(items[-1], scope.splats[1], 2)
    pool = [v for v in scope.variables[:10] if v not in scope.calls]
    pool += [*scope.terms[:4], *((scope.me,) if scope.me else ())]
    for rank, text in enumerate(t for t in pool if t not in present):
        cost = 7 + rank * 0.25
        if positional:
            yield _behind(positional[-1], text, cost)
            start = positional[0]
            yield change(
                start, text + b", " + text_of(start), f"with {_short(text)} first", cost + 0.6
            )
            for item in positional[:-1][:2]:
                yield _behind(item, text, cost + 0.8)
        elif not items:
            yield change(node, b"(" + text + b")", f"with {_short(text)}", cost - 1)
    for rank, text in enumerate(v for v in scope.variables[:8] if v not in keywords and items):
        if text not in present:
            yield _behind(items[-1], text + b"=" + text, 7.5 + rank * 0.3)


def methods(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``x.m()`` or ``x.m(y)`` with the file's methods, ``f(x)`` with its functions."""
    if not _is_value(node) or node.type == "binary_operator" or within_type(node):
        return
    text = text_of(node)
    if (
        node.type == "call"
        and node.parent is not None
        and node.parent.type == "expression_statement"
    ):
        return
    for rank, method in enumerate(scope.methods[:16]):
        called = text + b"." + method
        yield change(node, called + b"()", f"{_short(called)}()", 8 + rank * 0.3)
        for name in [n for n in scope.variables[:2] if n != text]:
            yield change(
                node, called + b"(" + name + b")", f"{_short(called)}(…)", 8.5 + rank * 0.3
            )
    for rank, function in enumerate([*scope.calls[3:6], *scope.functions[:6]]):
        new = function + b"(" + text + b")"
        yield change(node, new, f"{_short(function)} of {_short(text)}", 7.5 + rank * 0.3)


def _behind(item: Node, text: bytes, cost: float) -> Change:
    return change(item, text_of(item) + b", " + text, f"with {_short(text)}", cost)


def _is_value(node: Node) -> bool:
    above = node.parent
    if node.type not in _WHOLE or above is None or above.type not in _PLACES or is_callee(node):
        return False
    if within_type(node) or (node.type == "identifier" and not is_variable(node)):
        return False
    if above.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return above.child_by_field_name("right") == node
    if above.type == "keyword_argument":
        return above.child_by_field_name("value") == node
    if above.type == "subscript":
        return above.child_by_field_name("value") != node
    return True


def _is_name(node: Node) -> bool:
    return node.type in ("identifier", "attribute")


def _is_tight(node: Node) -> bool:
    return node.parent is not None and node.parent.type in (
        "binary_operator",
        "comparison_operator",
    )


def _note(old: bytes, new: bytes) -> str:
    return f"{_short(old)} to {_short(new)}"


def _short(text: bytes) -> str:
    shown = b" ".join(text.split()).decode("utf-8", "replace")
    return shown if len(shown) <= 20 else shown[:18] + "…"
