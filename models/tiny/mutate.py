"""Single-line bugs for a Python function: where an edit fits, and what it writes.

`edits(text)` lists the edits that the syntax tree of a function (at column 0, ASCII) suggests:
each replaces a span of one line. The same edits serve twice: one of them breaks the right line to
make a training example, and all of them are the candidates when ranking is measured.

It does not cover: edits over several lines, edits inside f-strings (their positions are wrong in
Python 3.11), and it promises neither that an edited function parses (`parses` says so) nor that
it behaves differently.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from edit import Edit
from families import FAMILIES
from operators import visit

BUILTINS = frozenset(dir(builtins))


def parses(text: str) -> bool:
    """Whether Python can read a text."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class Finder:
    """Walks one function and collects its edits."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0]
        for line in text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.tree = ast.parse(text)
        self.found: list[Edit] = []
        names, calls, fields, methods, strings = set(), set(), set(), set(), set()
        own: set[str] = set()
        for node in self.nodes(self.tree):
            match node:
                case ast.Call(func=ast.Name(id=name)):
                    calls.add(name)
                case ast.Call(func=ast.Attribute(attr=name)):
                    methods.add(name)
                case ast.Name(id=name, ctx=ctx) if name not in BUILTINS:
                    names.add(name)
                    if isinstance(ctx, ast.Store):
                        own.add(name)
                case ast.arg(arg=name):
                    own.add(name)
                case ast.Attribute(attr=name):
                    fields.add(name)
                case ast.Constant(value=str(value)) if len(value) < 20 and "\n" not in value:
                    strings.add(repr(value))
        # Modules and constants from outside are seldom what a name is mistaken for.
        self.names, self.calls = sorted(own or names - calls), sorted(calls)
        self.fields, self.methods = sorted(fields - methods), sorted(methods)
        self.strings = sorted(strings)
        kinds = ast.Call | ast.BinOp | ast.Subscript | ast.Attribute | ast.Name
        parts = {self.source(n) for n in self.nodes(self.tree) if isinstance(n, kinds)}
        self.parts = sorted(part for part in parts if 0 < len(part) <= 24)

    def nodes(self, node: ast.AST) -> Iterator[ast.AST]:
        """Every node outside f-strings and annotations, whose edits break nothing."""
        yield node
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                    yield from self.nodes(child)

    def span(self, node: ast.AST) -> tuple[int, int] | None:
        """Where a node stands, when it stands on one line."""
        line, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if line is None or line != end:
            return None
        at = self.starts[line - 1]
        return at + node.col_offset, at + node.end_col_offset  # type: ignore[attr-defined]

    def source(self, node: ast.AST) -> str:
        """The text of a node of one line, or nothing."""
        span = self.span(node)
        return self.text[span[0] : span[1]] if span else ""

    def put(self, node: ast.AST, new: str, kind: str) -> None:
        """Replace a node's text."""
        span = self.span(node)
        if span and new and "\n" not in new and self.text[span[0] : span[1]] != new:
            self.found.append(Edit(*span, new, kind))

    def between(self, left: ast.AST, right: ast.AST, news: list[str], kind: str) -> None:
        """Replace the operator between two nodes of one line, whatever parentheses stand there."""
        one, two = self.span(left), self.span(right)
        if one is None or two is None or "\n" in self.text[one[1] : two[0]]:
            return
        gap = self.text[one[1] : two[0]]
        core = gap.strip(" ()")
        at = one[1] + gap.find(core)
        for new in news:
            if core and new != core:
                self.found.append(Edit(at, at + len(core), new, kind))

    def swap(self, one: ast.AST, two: ast.AST, kind: str) -> None:
        """Exchange two nodes of one line."""
        a, b = self.span(one), self.span(two)
        if a and b and a[1] <= b[0] and "\n" not in self.text[a[0] : b[1]]:
            new = self.text[b[0] : b[1]] + self.text[a[1] : b[0]] + self.text[a[0] : a[1]]
            if new != self.text[a[0] : b[1]]:
                self.found.append(Edit(a[0], b[1], new, kind))

    def drop_item(self, items: list[ast.expr], index: int, kind: str) -> None:
        """Take one of several comma-separated nodes out, with its comma."""
        span = self.span(items[index])
        if span is None:
            return
        rest = re.match(r"\s*,[ ]*", self.text[span[1] :])
        before = re.search(r",[ ]*$", self.text[: span[0]])
        if index + 1 < len(items) and rest and "\n" not in rest.group():
            self.found.append(Edit(span[0], span[1] + rest.end(), "", kind))
        elif index > 0 and before:
            self.found.append(Edit(before.start(), span[1], "", kind))
        elif len(items) == 1:
            self.found.append(Edit(*span, "", kind))

    def run(self) -> list[Edit]:
        """All edits, each once."""
        for node in self.nodes(self.tree):
            visit(self, node)
        self.lines()
        unique = {(e.start, e.end, e.new): e for e in self.found}
        return [e for e in unique.values() if "\n" not in self.text[e.start : e.end]]

    def lines(self) -> None:
        """Edits that need no tree: keywords and the depth of a line."""
        for number, line in enumerate(self.text.split("\n")):
            at, body = self.starts[number], line.lstrip()
            indent = len(line) - len(body)
            if number == 0 or not body or body[0] in "#@'\")]}":
                continue
            for old, new in (("elif ", "if "), ("if ", "elif "), ("break", "continue")):
                for a, b in ((old, new), (new, old)) if old == "break" else ((old, new),):
                    if body.startswith(a):
                        start = at + indent
                        self.found.append(Edit(start, start + len(a), b, "keyword"))
            if body.startswith("while "):
                self.found.append(Edit(at + indent, at + indent + 5, "if", "keyword"))
            step = "\t" if line.startswith("\t") else "    "
            if indent > len(step):
                self.found.append(Edit(at, at + len(step), "", "depth"))
            if body.startswith(("return", "break", "continue", "yield")) or " = " in body:
                self.found.append(Edit(at, at, step, "depth"))
            match = re.search(r" (or|and) [\w.]+:$", body)
            if match:
                start = at + indent + match.start()
                self.found.append(Edit(start, at + len(line) - 1, "", "condition"))

    def others(self, name: str, pool: list[str]) -> list[str]:
        """What a name may be mistaken for: its family first, then its neighbours."""
        family = [w for group in FAMILIES if name in group for w in group if w != name]
        return family + [w for w in pool if w != name and w not in family]


def edits(text: str) -> list[Edit]:
    """All edits of a function; empty when it cannot be read."""
    if not text.isascii() or not parses(text):
        return []
    return Finder(text).run()
