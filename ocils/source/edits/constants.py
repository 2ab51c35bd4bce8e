"""Literals exchanged: numbers, truth values, strings, empty containers.

Not covered: f-strings, docstrings, and numbers that no rule of thumb reaches.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ocils.source.edits.scope import Change, Scope, change, text_of

_MODES = (b"r", b"w", b"a", b"rb", b"wb", b"x")
_PUNCTUATION = b",.;:-_/ |*#"
_EMPTY = {
    b"[]": (b"{}", b"set()", b"None", b"()"),
    b"{}": (b"[]", b"set()", b"None"),
    b"()": (b"[]", b"None"),
    b"set()": (b"[]", b"{}"),
    b"dict()": (b"[]", b"set()"),
    b"list()": (b"{}", b"set()"),
}


def integers(node: Node, scope: Scope) -> Iterator[Change]:
    """One more, one less, 0, 1, the other sign, other integers of the function, as a float."""
    if node.type != "integer":
        return
    try:
        value = int(text_of(node).decode(), 0)
    except ValueError:
        return
    above = node.parent
    minus = above is not None and above.type == "unary_operator"
    near = [value + 1, value - 1, 1 - value if value in (0, 1) else 0, 1]
    if not minus:
        near.append(-value)
    near += [value * 10, 2]
    if value % 10 == 0:
        near.append(value // 10)
    if value % 2 == 0:
        near.append(value // 2)
    near.append(value * 2)
    rank = 0
    for number in dict.fromkeys(near):
        # Behind a sign, -1 becomes -0 or --1 otherwise; the sign has an edit of its own.
        if number != value and not (minus and number < 0) and abs(number) < 10**15:
            yield change(node, str(number).encode(), f"{value} to {number}", 1 + rank * 0.8)
            rank += 1
    for other in scope.integers[:6]:
        if other != text_of(node):
            yield change(node, other, f"{value} to {other.decode()}", 4)
    if not _is_index(node):
        yield change(node, f"{value}.0".encode(), "as a float", 7)


def _is_index(node: Node) -> bool:
    above = node.parent
    return above is not None and above.type in ("subscript", "slice")


def floats(node: Node, scope: Scope) -> Iterator[Change]:
    """An integer instead, ten times more or less, 0.0, 1.0, one more, one less, the other sign."""
    del scope
    if node.type != "float":
        return
    try:
        value = float(text_of(node))
    except ValueError:
        return
    if value == int(value):
        yield change(node, str(int(value)).encode(), "as an integer", 3)
    near = (value + 1, value - 1, 0.0, 1.0, -value, 1 - value, value * 10, value / 10, value * 2)
    for rank, number in enumerate(dict.fromkeys(near)):
        text = f"{number:.12g}"
        text = text if "." in text or "e" in text else text + ".0"
        if number != value:
            yield change(node, text.encode(), f"{value} to {text}", 2.5 + rank * 0.6)


def truth_values(node: Node, scope: Scope) -> Iterator[Change]:
    """True, False and None for one another."""
    del scope
    others = {
        "true": (b"False", b"None"),
        "false": (b"True", b"None"),
        "none": (b"False", b"True", b"0", b"[]", b'""', b"{}"),
    }
    for rank, new in enumerate(others.get(node.type, ())):
        base = 0.5 if node.type != "none" else 4
        yield change(node, new, f"{text_of(node).decode()} to {new.decode()}", base + rank * 2)


def strings(node: Node, scope: Scope) -> Iterator[Change]:
    """Other strings of the function, the empty one, a blank, another mode of opening."""
    if not _is_plain(node):
        return
    text = text_of(node)
    for rank, other in enumerate([s for s in scope.strings if s != text][:8]):
        yield change(node, other, f"{_short(text)} to {_short(other)}", 3 + rank * 0.4)
    quote = text[-1:]
    content = text[text.find(quote) + 1 : -1]
    guesses = [b"", b" "] if content.strip() or content == b"\\n" else [b" ", b"", b",", b"\\n"]
    if content in _MODES:
        guesses = [*(m for m in _MODES if m != content), b""]
    for rank, guess in enumerate(guesses):
        if guess != content:
            new = quote + guess + quote
            yield change(node, new, f"{_short(text)} to {_short(new)}", 5 + rank * 0.5)
    if len(content) == 1 and content in _PUNCTUATION:
        for rank, mark in enumerate(_PUNCTUATION):
            new = quote + bytes((mark,)) + quote
            if bytes((mark,)) != content:
                yield change(node, new, f"{_short(text)} to {_short(new)}", 7 + rank * 0.3)
    for rank, other in enumerate([s for s in scope.elsewhere if s != text][:6]):
        yield change(node, other, f"{_short(text)} to {_short(other)}", 7 + rank * 0.4)
    if content.strip() != content and content.strip():
        yield change(node, quote + content.strip() + quote, "blanks off", 4.5)
    for recased in (content.lower(), content.upper()):
        if recased != content and len(content) < 30 and content.isalpha():
            yield change(node, quote + recased + quote, "other case", 7)


def _is_plain(node: Node) -> bool:
    if node.type != "string" or node.start_point.row != node.end_point.row:
        return False
    above = node.parent
    if above is not None and above.type in ("expression_statement", "concatenated_string"):
        return False
    text = text_of(node)
    if text[:1] not in (b'"', b"'") or text.startswith((b'"""', b"'''")):
        return False
    return all(c.type != "interpolation" for c in node.children)


def _short(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return shown if len(shown) <= 16 else shown[:12] + "…" + shown[-1]


def containers(node: Node, scope: Scope) -> Iterator[Change]:
    """One empty container for another; a list with one item for the item, and back."""
    del scope
    for rank, new in enumerate(_EMPTY.get(text_of(node), ())):
        if node.type in ("list", "dictionary", "tuple", "call"):
            yield change(node, new, f"{text_of(node).decode()} to {new.decode()}", 4.5 + rank)
    if node.type == "list" and len(node.named_children) == 1:
        yield change(node, text_of(node.named_children[0]), "list dropped", 6)
    swaps = {"list_comprehension": (b"[", b"{"), "set_comprehension": (b"{", b"[")}
    if node.type in swaps:
        new = swaps[node.type][1]
        closing = {b"{": b"}", b"[": b"]"}[new]
        yield change(node, new + text_of(node)[1:-1] + closing, "other comprehension", 7)
