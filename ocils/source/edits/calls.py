"""Calls unwrapped, wrapped, and with other arguments.

Not covered: arguments that are nowhere in scope, apart from well-known defaults.
"""

from __future__ import annotations

from collections.abc import Iterator

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

# What a function is often called with besides its first argument.
_USUAL = {
    b"sorted": (b"reverse=True", b"key=len"),
    b"sort": (b"reverse=True",),
    b"get": (b"0", b"None", b"[]", b'""', b"{}"),
    b"pop": (b"0", b"None"),
    b"enumerate": (b"1", b"start=1"),
    b"round": (b"2", b"1"),
    b"max": (b"default=0", b"0"),
    b"min": (b"default=0",),
    b"sum": (b"0",),
    b"next": (b"None",),
    b"getattr": (b"None",),
    b"setdefault": (b"[]", b"0", b"{}"),
    b"split": (b'","', b'" "', b"1"),
    b"replace": (b"1", b'""'),
    b"int": (b"2", b"16"),
    b"zip": (b"strict=True",),
    b"strip": (b'" "',),
    b"open": (b'"w"', b'"rb"'),
}
_WRAPS = (b"len", b"sorted", b"list", b"set", b"abs", b"int", b"str", b"sum", b"reversed", b"max")
_MORE_WRAPS = (b"min", b"tuple", b"float", b"bool", b"dict", b"enumerate", b"round", b"any", b"all")
_METHODS = (b"items", b"values", b"keys", b"strip", b"lower", b"copy", b"split", b"upper")


def arguments(node: Node, scope: Scope) -> Iterator[Change]:
    """Arguments swapped, dropped, added from the names in scope or from what is usual."""
    del scope
    if node.type != "argument_list" or node.parent is None or node.parent.type != "call":
        return
    items = named(node)
    positional = [n for n in items if n.type not in ("keyword_argument", "dictionary_splat")]
    if 2 <= len(positional) <= 5:
        for at, one in enumerate(positional):
            for far, other in enumerate(positional[at + 1 :]):
                middle = text_of(node)[
                    one.end_byte - node.start_byte : other.start_byte - node.start_byte
                ]
                text = text_of(other) + middle + text_of(one)
                span = Span(one.start_byte, other.end_byte)
                yield Change(span, text, "arguments swapped", 1 + far)
    for number, item in enumerate(items):
        keyword = item.type == "keyword_argument"
        note = f"{_short(text_of(item))} dropped"
        if number:
            span = Span(items[number - 1].end_byte, item.end_byte)
        elif len(items) > 1:
            span = Span(item.start_byte, items[1].start_byte)
        else:
            span = Span(item.start_byte, item.end_byte)
        yield Change(span, b"", note, 2.5 if keyword or len(items) > 1 else 5)


def more_arguments(node: Node, scope: Scope) -> Iterator[Change]:
    """One more argument: what the function usually takes, or a name in scope."""
    if node.type != "argument_list" or node.parent is None or node.parent.type != "call":
        return
    function = node.parent.child_by_field_name("function")
    items = named(node)
    if function is None or any(n.type == "generator_expression" for n in items):
        return
    name = text_of(function).rpartition(b".")[2]
    present = {text_of(n) for n in items}
    extra = [(text, 2.0 + rank * 0.5) for rank, text in enumerate(_USUAL.get(name, ()))]
    if name == b"range" and len(items) == 1:
        yield Change(Span(items[0].start_byte, items[0].start_byte), b"1, ", "from 1", 1.5)
    if name == b"range" and len(items) == 2:
        extra += [(b"-1", 3), (b"2", 4)]
    if name not in _USUAL and name not in _WRAPS and name not in _MORE_WRAPS:
        names = [v for v in scope.variables if v not in present and v not in scope.calls]
        extra += [(text, 4.5 + rank * 0.6) for rank, text in enumerate(names[:5])]
        fields = [scope.me + b"." + f for f in scope.fields[:3]]
        extra += [(text, 6.5 + rank * 0.6) for rank, text in enumerate(fields)]
    positional = [n for n in items if n.type not in ("keyword_argument", "dictionary_splat")]
    keywords = {n.partition(b"=")[0] for n in present if b"=" in n}
    for text, cost in extra:
        keyword = b"=" in text
        if text in present or (keyword and text.partition(b"=")[0] in keywords):
            continue
        glue = b", " if items else b""
        last = items if keyword else positional
        end = last[-1].end_byte if last else node.start_byte + 1
        new = glue + text if last or not items else text + b", "
        yield Change(Span(end, end), new, f"with {_short(text)}", cost)
        if positional and cost >= 4.5:
            start = items[0].start_byte
            yield Change(Span(start, start), text + b", ", f"with {_short(text)} first", cost + 1)


def unwrap(node: Node, scope: Scope) -> Iterator[Change]:
    """``f(x)`` becomes ``x``, ``x.f(y)`` becomes ``x`` or ``y``."""
    del scope
    if node.type != "call":
        return
    function, held = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or held is None:
        return
    items = named(held) if held.type == "argument_list" else []
    plain = [
        n for n in items if n.type not in ("keyword_argument", "dictionary_splat", "list_splat")
    ]
    short = _short(text_of(function))
    if plain and len(items) <= 2:
        text = text_of(plain[0])
        if plain[0].type in ("binary_operator", "boolean_operator", "comparison_operator"):
            above = node.parent
            if above is not None and above.type.endswith(("_operator", "attribute")):
                text = b"(" + text + b")"
        yield change(node, text, f"{short} unwrapped", 2.5)
    if function.type == "attribute":
        owner = function.child_by_field_name("object")
        if owner is not None and text_of(owner) not in (b"math", b"self", b"re", b"os", b"np"):
            yield change(node, text_of(owner), f"{short} dropped", 2.5)
    if not items and function.type in ("identifier", "attribute"):
        yield change(node, text_of(function), "not called", 6)


def wrap(node: Node, scope: Scope) -> Iterator[Change]:
    """``x`` becomes ``f(x)``, for functions called nearby and simple builtins, or ``x.f()``."""
    cost = _wrap_cost(node)
    if cost is None:
        return
    text = text_of(node)
    simple = node.type in ("identifier", "attribute", "subscript", "call")
    called = [c for c in scope.calls if c not in _WRAPS and c not in _MORE_WRAPS][:3]
    names = [*(c for c in scope.calls if c in _WRAPS or c in _MORE_WRAPS), *_WRAPS, *called]
    for rank, name in enumerate(dict.fromkeys([*names, *_MORE_WRAPS])):
        if not text.startswith(name + b"("):
            new = name + (text if node.type == "generator_expression" else b"(" + text + b")")
            yield change(node, new, f"{name.decode()} of {_short(text)}", cost + rank * 0.3)
    if simple:
        loop = node.parent is not None and node.parent.type in ("for_statement", "for_in_clause")
        for rank, name in enumerate(_METHODS if not loop else _METHODS[:3]):
            new = text + b"." + name + b"()"
            note = f"{_short(text)}.{name.decode()}()"
            yield change(node, new, note, (2 if loop else cost + 1) + rank * 0.3)
        if node.type in ("identifier", "attribute"):
            yield change(node, text + b"()", f"{_short(text)} called", cost + 1)
        if node.type == "call" and scope.is_async:
            yield change(node, b"await " + text, "await", 4)


def _wrap_cost(node: Node) -> float | None:
    above = node.parent
    kinds = (
        "identifier",
        "attribute",
        "subscript",
        "call",
        "binary_operator",
        "list_comprehension",
        "generator_expression",
    )
    if node.type not in kinds or above is None or is_callee(node) or within_type(node):
        return None
    if node.type == "identifier" and not is_variable(node):
        return None
    if above.type in ("return_statement", "yield"):
        return 3.5
    if above.type in ("assignment", "for_statement", "for_in_clause", "augmented_assignment"):
        return 4.5 if above.child_by_field_name("right") == node else None
    if above.type == "argument_list":
        return 5.5
    inner = ("comparison_operator", "binary_operator", "keyword_argument", "pair")
    if above.type in inner or above.type.endswith("_comprehension"):
        return 5.5
    if above.type in ("generator_expression", "tuple", "list", "expression_list"):
        return 6.5
    return None


def _short(text: bytes) -> str:
    shown = b" ".join(text.split()).decode("utf-8", "replace")
    return shown if len(shown) <= 20 else shown[:18] + "…"
