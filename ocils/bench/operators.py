"""Bugs as people make them: what may be written wrong at one node of a function's syntax tree.

Each rule yields ``Change``s, byte ranges of the file with another text, named after the mistake.
A change may turn out to be no bug, or not even Python: ``mutants`` parses the outcome, and the
workspace's tests have the last word.

Not covered: mistakes across functions, missing branches that need new code, wrong imports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

_COMPARE: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}

_ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("//", "*")),
    ast.FloorDiv: ("//", ("/", "%")),
    ast.Mod: ("%", ("//",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}

_SIBLINGS = (
    ("strip", "lstrip", "rstrip"),
    ("startswith", "endswith"),
    ("append", "extend"),
    ("add", "discard"),
    ("find", "rfind"),
    ("upper", "lower"),
    ("ljust", "rjust"),
    ("keys", "values", "items"),
    ("partition", "rpartition"),
    ("split", "rsplit"),
    ("removeprefix", "removesuffix"),
    ("isdigit", "isalpha", "isalnum"),
    ("match", "search", "fullmatch"),
    ("min", "max"),
    ("any", "all"),
    ("floor", "ceil"),
    ("sorted", "list"),
    ("union", "intersection"),
    ("appendleft", "append"),
    ("popleft", "pop"),
)

_ORDER_MATTERS = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift, ast.Pow)


_Node: TypeAlias = ast.expr | ast.stmt | ast.keyword


class Change(NamedTuple):
    """Bytes ``start`` to ``end`` of the file become ``text``; ``operator`` names the mistake."""

    start: int
    end: int
    text: str
    operator: str


class Text:
    """A file's bytes, addressed by syntax nodes: ``ast`` counts lines, and bytes within a line."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._lines = [0]
        # ``ast`` does not count a byte order mark, which belongs to the first line.
        mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        for line in data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._lines[0] = mark

    def start(self, node: _Node) -> int:
        """The offset of a node's first byte."""
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: _Node) -> int:
        """The offset behind a node's last byte."""
        return self._lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def of(self, node: _Node) -> str:
        """A node's text."""
        return self.data[self.start(node) : self.end(node)].decode()

    def put(self, node: ast.expr | ast.stmt, text: str, operator: str) -> Change:
        """Another text in a node's place."""
        return Change(self.start(node), self.end(node), text, operator)

    def between(
        self, left: ast.expr, right: ast.expr, sign: str, news: Sequence[str], operator: str
    ) -> Iterator[Change]:
        """Other signs in the place of the one sign between two expressions."""
        start, end = self.end(left), self.start(right)
        found = list(re.finditer(sign.encode(), self.data[start:end]))
        if len(found) == 1:
            first, last = found[0].span()
            for new in news:
                yield Change(start + first, start + last, new, operator)

    def swap(self, one: ast.expr, two: ast.expr, operator: str) -> Iterator[Change]:
        """Two expressions in each other's place, when they are not the same."""
        start, end = self.start(one), self.end(two)
        middle = self.data[self.end(one) : self.start(two)].decode()
        if self.of(one) != self.of(two):
            yield Change(start, end, f"{self.of(two)}{middle}{self.of(one)}", operator)


def expression(text: Text, node: ast.expr) -> Iterator[Change]:
    """The mistakes that one expression invites."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=rights):
            for op, (one, two) in zip(ops, pairwise([left, *rights]), strict=True):
                sign, news = _COMPARE[type(op)]
                yield from text.between(one, two, sign, news, "comparison")
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in _ARITHMETIC:
                sign, news = _ARITHMETIC[type(op)]
                yield from text.between(left, right, re.escape(sign), news, "arithmetic")
            if isinstance(op, _ORDER_MATTERS):
                yield from text.swap(left, right, "swapped operands")
            by_one = isinstance(right, ast.Constant) and right.value == 1
            yield text.put(node, text.of(left), "off by one" if by_one else "dropped operand")
        case ast.BoolOp(op=op, values=values):
            was, new = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            yield from text.between(values[0], values[1], was, [new], "boolean")
            for gone in range(len(values)):
                rest = [text.of(value) for i, value in enumerate(values) if i != gone]
                yield text.put(node, f" {was} ".join(rest), "dropped condition")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield text.put(node, text.of(operand), "dropped not")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield text.put(node, text.of(operand), "dropped sign")
        case ast.IfExp(body=body, orelse=orelse):
            yield text.put(
                node, f"{text.of(orelse)} if {text.of(node.test)} else {text.of(body)}", "branches"
            )
            yield text.put(node, text.of(body), "dropped condition")
        case ast.Call():
            yield from _call(text, node)
        case ast.Subscript(value=value, slice=ast.Slice() as index):
            yield from _slice(text, value, node, index)
        case ast.Subscript(slice=ast.Name(id=name) as index):
            # A name that is likely to be a number; the key of a dictionary is not one less.
            if len(name) == 1 or name in ("index", "number", "position", "row", "column"):
                yield text.put(index, f"{name} - 1", "off by one")
                yield text.put(index, f"{name} + 1", "off by one")
        case ast.Tuple(elts=[one, two], ctx=ast.Load()):
            yield from text.swap(one, two, "swapped items")
        case ast.Constant():
            yield from constant(text, node)


def constant(text: Text, node: ast.Constant) -> Iterator[Change]:
    """Another value of the same kind."""
    match node.value:
        case bool(value):
            yield text.put(node, str(not value), "constant")
        case int(value):
            yield text.put(node, str(value + 1), "off by one")
            if value > 0:
                yield text.put(node, str(value - 1), "off by one")
            if value >= 10:
                yield text.put(node, str(value // 10), "constant")
        case float(value):
            yield text.put(node, repr(value * 2), "constant")
            yield text.put(node, repr(1 - value), "constant")
        case str(value) if value and text.of(node)[:1] in "'\"" and text.of(node)[:3] != '"""':
            quote = text.of(node)[0]
            yield text.put(node, f"{quote}{quote}", "constant")
            if value.isalpha():
                yield text.put(node, f"{quote}{value.swapcase()}{quote}", "constant")
            elif len(value) == 1:
                new = "," if value != "," else ";"
                yield text.put(node, f"{quote}{new}{quote}", "constant")


def _call(text: Text, node: ast.Call) -> Iterator[Change]:
    func, args = node.func, node.args
    if isinstance(func, ast.Attribute):
        start = text.end(func) - len(func.attr.encode())
        for sibling in _siblings(func.attr):
            yield Change(start, text.end(func), sibling, "wrong method")
        yield text.put(node, text.of(func.value), "missing call")
    elif isinstance(func, ast.Name):
        for sibling in _siblings(func.id):
            yield text.put(func, sibling, "wrong function")
        if len(args) == 1:
            yield text.put(node, text.of(args[0]), "missing call")
    for one, two in pairwise(args):
        yield from text.swap(one, two, "swapped arguments")
    if isinstance(func, ast.Name) and func.id == "range" and args:
        end = text.of(args[min(len(args) - 1, 1)])
        yield text.put(args[min(len(args) - 1, 1)], f"{end} - 1", "off by one")
        yield text.put(args[min(len(args) - 1, 1)], f"{end} + 1", "off by one")
    # A comma belongs to the argument behind it: what is first stays.
    everything: list[ast.expr | ast.keyword] = [*args, *node.keywords]
    for before, gone in pairwise(everything):
        yield Change(text.end(before), text.end(gone), "", "missing argument")


def _slice(text: Text, value: ast.expr, node: ast.expr, index: ast.Slice) -> Iterator[Change]:
    lower = text.of(index.lower) if index.lower else ""
    upper = text.of(index.upper) if index.upper else ""
    step = f":{text.of(index.step)}" if index.step else ""
    for low, high in (
        (upper, lower),
        (lower, ""),
        ("", upper),
        (lower, f"{upper} - 1"),
        (lower, f"{upper} + 1"),
        (f"{lower} + 1", upper),
    ):
        whole = not low.startswith(" ") and not high.startswith(" ")
        if whole and (low, high) != (lower, upper):
            yield text.put(node, f"{text.of(value)}[{low}:{high}{step}]", "slice bounds")


def _siblings(name: str) -> Iterator[str]:
    for family in _SIBLINGS:
        if name in family:
            yield from (other for other in family if other != name)


def statement(text: Text, node: ast.stmt) -> Iterator[Change]:
    """The mistakes that one statement invites, beyond those of its expressions."""
    match node:
        case ast.If(test=test) | ast.While(test=test):
            if not isinstance(test, ast.UnaryOp | ast.Compare):
                yield text.put(test, f"not ({text.of(test)})", "negated condition")
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and value.value is None):
                yield text.put(value, "None", "wrong return")
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Break() | ast.Continue():
            yield text.put(node, "pass", "missing statement")
        case ast.AugAssign(target=target, op=op, value=value):
            yield text.put(node, "pass", "missing statement")
            sign = _ARITHMETIC.get(type(op))
            if sign:
                was = re.escape(f"{sign[0]}=")
                news = [f"{new}=" for new in sign[1]]
                yield from text.between(target, value, was, [*news, "="], "wrong assignment")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target], value=value):
            yield text.put(node, "pass", "missing statement")
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            # Only where the name has a value already does the function still run without this.
            if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)):
                yield text.put(node, "pass", "missing statement")
