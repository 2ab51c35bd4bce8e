"""The statement or header that an expression stands in, which can be parsed on its own.

Checking one statement costs a tenth of checking its function.
Not covered: changes that go beyond it; for these the whole function is parsed.
"""

from __future__ import annotations

import ast
import re

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.python import compile_python, parse_python
from ocils.domain.text import Span

_HEADERS = {
    "if_statement": "{}\n pass",
    "while_statement": "{}\n pass",
    "for_statement": "{}\n pass",
    "with_statement": "{}\n pass",
    "function_definition": "{}\n pass",
    "class_definition": "{}\n pass",
    "elif_clause": "if 1: pass\n{}\n pass",
    "except_clause": "try: pass\n{}\n pass",
    "except_group_clause": "try: pass\n{}\n pass",
    "match_statement": "{}\n case _: pass",
    "case_clause": "match 1:\n {}\n  pass",
    "decorator": "{}\ndef f(): pass",
}
_NAME = r"Name\(id='\w+', ctx=Load\(\)\)"
_TERM = rf"({_NAME}|Attribute\(value={_NAME}, attr='\w+', ctx=Load\(\)\))"
_SILLY = re.compile(
    rf"Compare\(left={_TERM}, ops=\[\w+\(\)\], comparators=\[\1\]\)"
    rf"|BoolOp\(op=\w+\(\), values=\[{_TERM}, \2\]\)"
    rf"|BinOp\(left={_TERM}, op=(?:Sub|Div|FloorDiv|Mod|BitAnd|BitOr|BitXor)\(\), right=\3\)"
    r"|Assign\(targets=\[Name\(id='(\w+)', ctx=Store\(\)\)\], value=Name\(id='\4', ctx=Load\(\)\)\)"
    r"|op=(?:Mult|Div|FloorDiv|Pow)\(\), (?:right|value)=Constant\(value=1\)"
    r"|op=(?:Add|Sub|BitOr|BitXor|LShift|RShift)\(\), (?:right|value)=Constant\(value=0\)"
)


class Unit(Value, frozen=True):
    """A statement's span, a header's without its block; ``frame`` makes it a text that parses."""

    span: Span
    frame: str

    def dump(self, source: bytes) -> str | None:
        """Return the syntax tree of ``source`` as this unit's text, or None when it has none."""
        return dump(self.frame.format(source.decode("utf-8", "surrogateescape").rstrip()))


def unit_of(node: Node, outer: Unit | None) -> Unit | None:
    """Return the unit that ``node`` opens, else the one around it."""
    above = node.parent
    if node.type in _HEADERS:
        body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
        blocks = [c for c in node.children if c.type == "block"]
        body = body or (blocks[0] if blocks else None)
        end = body.start_byte if body is not None else node.end_byte
        return Unit(Span(node.start_byte, end), _HEADERS[node.type])
    if above is not None and above.type in ("block", "module") and node.is_named:
        if node.type.endswith("_statement") and node.type != "try_statement":
            return Unit(Span(node.start_byte, node.end_byte), "{}")
        return None
    return outer


def dump(text: str) -> str | None:
    """Return the syntax tree as text, without positions, or None when the text does not parse."""
    try:
        return ast.dump(parse_python(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def compiles(text: str) -> bool:
    """Tell whether Python's compiler takes the text."""
    try:
        compile_python(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def silliness(tree: str) -> int:
    """Count where a dumped tree compares, combines or assigns a name with itself, or reckons in vain.

    No fix does; ``x * 1`` and ``x + 0`` turn up green where the other side should have been dropped.
    """
    return sum(1 for _ in _SILLY.finditer(tree))
