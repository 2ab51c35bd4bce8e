"""Statements dropped, moved, indented, exchanged; what is returned.

Not covered: statements that are missing altogether; filling a hole is a model's work.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.text import Span
from ocils.source.edits.scope import Change, Scope, change, named, text_of

COMPOUND = (
    "if_statement",
    "for_statement",
    "while_statement",
    "try_statement",
    "with_statement",
    "match_statement",
)
_JUMPS = {
    "break_statement": (b"continue", b"pass", b"return"),
    "continue_statement": (b"break", b"pass", b"return"),
    "pass_statement": (b"continue", b"break", b"return"),
}


def is_statement(node: Node) -> bool:
    """Tell whether the node is a statement of a block."""
    above = node.parent
    return above is not None and above.type == "block" and node.is_named and node.type != "comment"


def jumps(node: Node, scope: Scope) -> Iterator[Change]:
    """break, continue, pass and return for one another; if, elif and while; return and yield."""
    for rank, new in enumerate(_JUMPS.get(node.type, ())):
        yield change(node, new, f"{text_of(node).decode()} to {new.decode()}", 1 + rank, whole=True)
    first = node.children[0] if node.children else None
    if first is None or first.start_byte != node.start_byte:
        return
    if node.type == "if_statement":
        yield change(first, b"while", "if to while", 4, whole=True)
        if node.prev_named_sibling is not None and node.prev_named_sibling.type == "if_statement":
            yield change(first, b"elif", "if to elif", 1.5, whole=True)
    elif node.type == "elif_clause":
        yield change(first, b"if", "elif to if", 1.5, whole=True)
        condition = node.child_by_field_name("condition")
        if condition is not None:
            span = Span(node.start_byte, condition.end_byte)
            yield Change(span, b"else", "elif to else", 5, whole=True)
    elif node.type == "while_statement":
        yield change(first, b"if", "while to if", 3, whole=True)
    elif node.type == "yield":
        if node.parent is not None and node.parent.type == "expression_statement":
            yield change(first, b"return", "yield to return", 3, whole=True)
        if not scope.is_async and not any(c.type == "from" for c in node.children):
            yield change(first, b"yield from", "yield from", 3)
    elif node.type == "return_statement":
        yield change(first, b"yield", "return to yield", 3.5, whole=True)


def returns(node: Node, scope: Scope) -> Iterator[Change]:
    """Another value returned, a value returned that was only computed, raised instead of returned."""
    # An asynchronous generator may not return a value, which only the whole function tells.
    whole = scope.is_async
    if node.type == "return_statement":
        value = named(node)[0] if named(node) else None
        old = text_of(value) if value is not None else b""
        guesses = [*scope.variables[:10], *(scope.me + b"." + f for f in scope.fields[:3])]
        for rank, name in enumerate(guesses):
            if name != old and (value is None or value.type != "identifier"):
                yield change(
                    node, b"return " + name, f"return {name.decode()}", 4.5 + rank * 0.4, whole
                )
        for rank, text in enumerate((b"None", b"True", b"False", b"0", b"[]", b"1", b'""', b"{}")):
            if text != old:
                yield change(
                    node, b"return " + text, f"return {text.decode()}", 6 + rank * 0.5, whole
                )
        if value is not None:
            yield change(node, old, "return dropped", 6, whole)
            if value.type == "call" and (b"Error" in old or b"Exception" in old):
                yield change(node, b"raise " + old, "raised", 2, whole)
        return
    if node.type != "expression_statement" or len(named(node)) != 1:
        return
    inner = named(node)[0]
    if inner.type in ("call", "identifier", "comparison_operator", "binary_operator", "await"):
        text = text_of(inner)
        yield change(node, b"return " + text, "returned", 3, whole)
        cost = 2 if b"Error(" in text or b"Exception(" in text else 8
        yield change(node, b"raise " + text, "raised", cost, whole)
        owner = _owner(inner)
        if owner:
            yield change(node, owner + b" = " + text, "result kept", 3, whole)
    elif inner.type == "assignment":
        right = inner.child_by_field_name("right")
        if right is not None:
            yield change(node, b"return " + text_of(right), "returned", 4.5, whole)


def _owner(call: Node) -> bytes:
    function = call.child_by_field_name("function") if call.type == "call" else None
    owner = function.child_by_field_name("object") if function is not None else None
    kinds = ("identifier", "attribute", "subscript")
    return text_of(owner) if owner is not None and owner.type in kinds else b""


def deletions(node: Node, scope: Scope) -> Iterator[Change]:
    """A statement dropped; a guard dropped from around its body."""
    if not is_statement(node) or node.parent is None or _is_docstring(node):
        return
    size = node.end_point.row - node.start_point.row + 1
    alone = len([n for n in named(node.parent) if not _is_docstring(n)]) == 1
    if node.type not in COMPOUND or size <= 4:
        cost = 3 if node.type not in COMPOUND else 5
        if alone:
            yield change(node, b"pass", "dropped", cost + 1, whole=True)
        else:
            yield Change(_lines(node, scope), b"", "dropped", cost, whole=True)
    body = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    if node.type not in COMPOUND or body is None or size > 12 or not named(body):
        return
    if body.start_point.row > node.start_point.row and node.end_byte == body.end_byte:
        inner = Span(_line_start(scope, body.start_byte), body.end_byte)
        delta = body.start_point.column - node.start_point.column
        shifted = _shift(scope.source[inner.start : inner.end], -delta, b"")
        span = Span(_line_start(scope, node.start_byte), node.end_byte)
        yield Change(span, shifted, "guard dropped", 6, whole=True)


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and bool(node.children)
        and (node.children[0].type == "string")
    )


def moves(node: Node, scope: Scope) -> Iterator[Change]:
    """A statement swapped with the next one, or moved into or out of a block."""
    if not is_statement(node) or _is_docstring(node) or not _own_lines(node, scope):
        return
    size = node.end_point.row - node.start_point.row + 1
    if size > 12:
        return
    lines = _lines(node, scope)
    text = scope.source[lines.start : lines.end]
    after = node.next_named_sibling
    if after is not None and is_statement(after) and _own_lines(after, scope):
        other = _lines(after, scope)
        both = scope.source[other.start : other.end]
        if lines.end == other.start and after.end_point.row - after.start_point.row < 8:
            both += b"" if both.endswith(b"\n") else b"\n"
            yield Change(Span(lines.start, other.end), both + text, "moved down", 3.5, whole=True)
    column = node.start_point.column
    for outer in _outer_columns(node):
        if after is None:
            yield Change(lines, _shift(text, outer - column, b""), "moved out", 2, whole=True)
    before = node.prev_named_sibling
    if before is not None and before.type in COMPOUND:
        for depth in _inner_indents(before, scope):
            lead = depth[column:] if len(depth) > column else b""
            if lead:
                yield Change(lines, _shift(text, 0, lead), "moved in", 2.5, whole=True)


def _own_lines(node: Node, scope: Scope) -> bool:
    """Tell whether nothing else stands on the statement's lines, comments aside."""
    start = _line_start(scope, node.start_byte)
    end = scope.source.find(b"\n", node.end_byte)
    rest = scope.source[node.end_byte : end if end >= 0 else None].strip()
    return not scope.source[start : node.start_byte].strip() and (not rest or rest[:1] == b"#")


def _line_start(scope: Scope, offset: int) -> int:
    return scope.source.rfind(b"\n", 0, offset) + 1


def _lines(node: Node, scope: Scope) -> Span:
    """Return the span of the statement's whole lines, newline included."""
    end = scope.source.find(b"\n", node.end_byte)
    return Span(_line_start(scope, node.start_byte), end + 1 if end >= 0 else len(scope.source))


def _outer_columns(node: Node) -> list[int]:
    """Return the columns of the blocks around the statement's own, up to the function's."""
    found: list[int] = []
    above = node.parent.parent if node.parent is not None else None
    while above is not None and above.type != "function_definition":
        if above.type in COMPOUND and above.start_point.column not in found:
            found.append(above.start_point.column)
            if above.next_named_sibling is not None:
                break
        above = above.parent
    return found[:3]


def _inner_indents(node: Node, scope: Scope) -> list[bytes]:
    """Return the indentation of the blocks that end where ``node`` ends, the outermost first."""
    found: list[bytes] = []
    last: Node | None = node
    while last is not None:
        if last.type == "block" and named(last):
            start = named(last)[-1].start_byte
            lead = scope.source[_line_start(scope, start) : start]
            if not lead.strip():
                found.append(lead)
        last = named(last)[-1] if named(last) else None
    return found[:3]


def _shift(text: bytes, columns: int, lead: bytes) -> bytes:
    """Take ``-columns`` bytes off each line's indentation, or put ``lead`` in front of each line."""
    shifted = []
    for line in text.split(b"\n"):
        if not line.strip():
            shifted.append(line)
        elif columns < 0:
            blank = len(line) - len(line.lstrip(b" \t"))
            shifted.append(line[min(-columns, blank) :])
        else:
            shifted.append(lead + line)
    return b"\n".join(shifted)
