"""Line coverage before Python 3.12 at almost no cost: the region's statements are compiled with a note.

Each statement of the region gets a call in front of it that puts its first line into a set. Line
numbers stay what they are. Only the code object that an import makes is changed: no file, and no
bytecode on disk.

Not covered: files that pytest rewrites (tests, ``conftest.py``) and code that does not come through
the import system; ``lines.Planted`` falls back to a trace function for them.
"""

from __future__ import annotations

import ast
import builtins
import os
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any, Callable

NAME = "__ocils_ran__"
BODIES = ("body", "orelse", "finalbody")


class _Planter(ast.NodeTransformer):
    """Puts the notes into one syntax tree."""

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._last = last

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.stmt) and not self._reaches(node):
            return node
        super().generic_visit(node)
        for name in BODIES:
            body = getattr(node, name, None)
            # A lambda and a conditional expression have a body that is no list.
            if isinstance(body, list):
                setattr(node, name, self._noted(node, body, docstring=name == "body"))
        return node

    def _reaches(self, node: ast.stmt) -> bool:
        """Whether a statement has lines of the region; a decorator has no statements in it."""
        return node.lineno <= self._last and (node.end_lineno or node.lineno) >= self._first

    def _noted(self, node: ast.AST, body: list[Any], *, docstring: bool) -> list[Any]:
        noted: list[Any] = []
        for at, each in enumerate(body):
            first = at == 0 and docstring and _may_hold_docstring(node) and _is_text(each)
            if not first and self._first <= each.lineno <= self._last and not _is_future(each):
                note = ast.Expr(
                    ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(each.lineno)], [])
                )
                noted.append(ast.fix_missing_locations(ast.copy_location(note, each)))
            noted.append(each)
        return noted


def _may_hold_docstring(node: ast.AST) -> bool:
    return isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_future(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def compiled(source: str | bytes, path: str, first: int, last: int, flags: int = 0) -> CodeType:
    """Compile ``source`` with notes in lines ``first`` to ``last``. Raises ``SyntaxError``.

    ``flags``: the module's future features, where ``source`` is a part of it.
    """
    parsed = compile(source, path, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    tree = _Planter(first, last).visit(parsed)
    code: CodeType = compile(tree, path, "exec", flags, dont_inherit=True)
    return code


def plant(
    path: str, first: int, last: int, note: Callable[[int], None], planted: Callable[[], None]
) -> None:
    """From now on, importing the file at ``path`` notes its lines; ``planted`` is called then."""
    setattr(builtins, NAME, note)
    usual = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        place = loader.get_filename(fullname)
        if place != path and os.path.realpath(place) != path:
            return usual(loader, fullname)
        code = compiled(loader.get_data(place), place, first, last)
        planted()
        return code

    setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010 - types know methods as fixed
