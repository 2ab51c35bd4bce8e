"""Statements that may be missing: guards, returns, jumps, counts, what a neighbour block does too.

Each goes behind a line, so that the line's own likelihood to stand alone says whether one is missing.

Not covered: statements that say something new; filling a hole is a model's work.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.text import Span
from ocils.source.edits.scope import Change, Scope, change, named, text_of

_ENDS = ("return_statement", "raise_statement", "break_statement", "continue_statement")
_SIMPLE = ("expression_statement", "return_statement", "delete_statement", "assert_statement")
_LOOPS = ("for_statement", "while_statement")
_EMPTY = (b"[]", b"list()", b"set()", b"{}", b"dict()", b"deque()")
_COPIED = 60  # bytes of a statement that is copied, at most
_MOST_COPIES = 10


def opened(node: Node, scope: Scope) -> Iterator[Change]:
    """A statement put behind a header, at the start of its block."""
    for block in node.children:
        first = named(block)[0] if block.type == "block" and named(block) else None
        at = _line_start(scope, first.start_byte) - 1 if first is not None else 0
        if first is not None and at > node.start_byte and not _indent(first, scope).strip():
            yield from _put(at, _indent(first, scope), _openings(first, scope))


def added(node: Node, scope: Scope) -> Iterator[Change]:
    """A statement put behind another one, or in the place of ``pass``."""
    block = node.parent
    if block is None or block.type != "block" or not node.type.endswith("_statement"):
        return
    indent, last = _indent(node, scope), node == named(block)[-1]
    if node.type in _ENDS or indent.strip():
        return
    if node.type == "pass_statement":
        for text, cost in dict.fromkeys(_followers(node, scope, last=last)):
            if b"\n" not in text:
                yield change(node, text, "with " + _short(text), cost - 2, whole=True)
        return
    at = scope.source.find(b"\n", node.end_byte)
    at = at if at >= 0 else len(scope.source)
    if scope.source[node.end_byte : at].strip()[:1] in (b"", b"#"):
        yield from _put(at, indent, _followers(node, scope, last=last))


def _indent(node: Node, scope: Scope) -> bytes:
    return scope.source[_line_start(scope, node.start_byte) : node.start_byte]


def _put(at: int, indent: bytes, found: Iterator[tuple[bytes, float]]) -> Iterator[Change]:
    for text, cost in dict.fromkeys(found):
        lines = b"".join(b"\n" + indent + line for line in text.split(b"\n"))
        note = "with " + _short(text)
        yield Change(Span(at, at), lines, note, cost, whole=True)


def _openings(node: Node, scope: Scope) -> Iterator[tuple[bytes, float]]:
    """What a block may lack at its start: a guard."""
    above = _above(node)
    if above in (*_LOOPS, "function_definition"):
        yield from _guards(node, scope)
    if above == "function_definition":
        for rank, name in enumerate(scope.parameters[:4]):
            if scope.me and name not in scope.fields:
                yield scope.me + b"." + name + b" = " + name, 8.5 + rank * 0.3


def _followers(node: Node, scope: Scope, *, last: bool) -> Iterator[tuple[bytes, float]]:
    """What may be missing behind a statement."""
    above, function = _above(node), _function(node)
    loop = _in_loop(node)
    if last and loop and above not in _LOOPS:
        yield b"break", 7.5
        yield b"continue", 8.0
    if last and function is not None:
        at_end = above == "function_definition"
        for rank, name in enumerate(scope.variables[:8]):
            yield b"return " + name, (6.5 if at_end else 8.5) + rank * 0.3
        yield from ((text, 8.0) for text in _returned(function)[:3])
    names = [name for name in scope.variables[:8] if name not in scope.calls]
    for rank, name in enumerate(names):
        if loop:
            yield name + b" += 1", 8.0 + rank * 0.3
            yield name + b" -= 1", 8.5 + rank * 0.3
    if scope.me:
        for rank, name in enumerate(n for n in names if n in scope.fields):
            yield scope.me + b"." + name + b" = " + name, 6.5 + rank * 0.2
    if function is not None:
        yield from _collected(function, names, node)
        yield from ((text, 8.0 + rank * 0.2) for rank, text in enumerate(_copies(function, node)))
    if above in (*_LOOPS, "function_definition") and not last:
        yield from _guards(node, scope)


def _guards(node: Node, scope: Scope) -> Iterator[tuple[bytes, float]]:
    function = _function(node)
    exits = _returned(function)[:2] if function is not None else []
    exits = [*exits, b"return"] if b"return" not in exits else exits
    if _in_loop(node):
        exits = [b"continue", b"break", *exits[:1]]
    step = _step(node, scope)
    for rank, name in enumerate(n for n in scope.variables[:5] if n not in scope.calls):
        for turn, test in enumerate((b"not " + name, name + b" is None", name)):
            for far, leave in enumerate(exits):
                text = b"if " + test + b":\n" + step + leave
                yield text, 8.5 + rank * 0.4 + turn * 0.4 + far * 0.4


def _collected(function: Node, names: list[bytes], node: Node) -> Iterator[tuple[bytes, float]]:
    """Something put into a collection that the function starts empty."""
    for target, value in _assigned(function):
        if value not in _EMPTY or text_of(node).startswith(target + b" ="):
            continue
        call = b".add" if value == b"set()" else b".append"
        if value in (b"{}", b"dict()"):
            continue
        for rank, name in enumerate(n for n in names if n != target):
            yield target + call + b"(" + name + b")", 7.5 + rank * 0.3


def _assigned(function: Node) -> Iterator[tuple[bytes, bytes]]:
    for statement in _statements(function):
        inner = named(statement)[0] if named(statement) else None
        if inner is not None and inner.type == "assignment":
            left, right = inner.child_by_field_name("left"), inner.child_by_field_name("right")
            if left is not None and right is not None and left.type in ("identifier", "attribute"):
                yield text_of(left), text_of(right)


def _copies(function: Node, node: Node) -> list[bytes]:
    """Other simple statements of the function, those of other blocks alone."""
    texts: dict[bytes, None] = {}
    beside = {text_of(each) for each in named(node.parent)} if node.parent is not None else set()
    for statement in _statements(function):
        text = text_of(statement)
        plain = statement.type == "expression_statement" and b"\n" not in text
        if (
            plain
            and len(text) <= _COPIED
            and text not in beside
            and not text.startswith((b'"', b"'"))
        ):
            texts[text] = None
    return list(texts)[:_MOST_COPIES]


def _returned(function: Node) -> list[bytes]:
    found = [
        text_of(each)
        for each in _statements(function)
        if each.type == "return_statement" and len(text_of(each)) <= 20
    ]
    return [text for text in dict.fromkeys(found) if b"\n" not in text]


def _statements(node: Node) -> Iterator[Node]:
    """The simple statements of a function, those of functions inside it left out."""
    for child in node.children:
        if child.type in (*_SIMPLE, *_ENDS):
            yield child
        elif child.type not in ("function_definition", "class_definition", "lambda"):
            yield from _statements(child)


def _function(node: Node) -> Node | None:
    above = node.parent
    while above is not None and above.type != "function_definition":
        above = above.parent
    return above


def _above(node: Node) -> str:
    """The kind of what the statement's block belongs to."""
    block = node.parent
    return block.parent.type if block is not None and block.parent is not None else ""


def _in_loop(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type != "function_definition":
        if above.type in _LOOPS:
            return True
        above = above.parent
    return False


def _step(node: Node, scope: Scope) -> bytes:
    """One step of indentation, as the file has it."""
    function = _function(node)
    body = function.child_by_field_name("body") if function is not None else None
    first = named(body)[0] if body is not None and named(body) else None
    if function is None or first is None:
        return b"    "
    start = _line_start(scope, first.start_byte)
    inner = scope.source[start : first.start_byte]
    outer = scope.source[_line_start(scope, function.start_byte) : function.start_byte]
    outer = outer[: len(outer) - len(outer.lstrip(b" \t"))]
    step = inner[len(outer) :]
    return step if step and not step.strip() else b"    "


def _line_start(scope: Scope, offset: int) -> int:
    return scope.source.rfind(b"\n", 0, offset) + 1


def _short(text: bytes) -> str:
    shown = b" ".join(text.split()).decode("utf-8", "replace")
    return shown if len(shown) <= 40 else shown[:38] + "…"
