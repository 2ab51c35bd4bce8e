"""Shows that an edit lies inside the body of exactly one function, by comparing syntax trees.

Everything outside of that body is equal: what a decorator, a default, an annotation or a class says,
and everything that runs when the module is imported. Only the top-level statement that holds the edit
is parsed; the text before and after it is the same, letter by letter. Pure.

Not covered: whether the function ran already, and who holds on to its code (``swap.py``).
"""

from __future__ import annotations

import ast
from typing import Any, List, NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
KNOWN_DECORATORS = frozenset(
    {"abstractmethod", "asynccontextmanager", "classmethod", "contextmanager", "deleter", "final"}
    | {"getter", "override", "property", "setter", "staticmethod", "wraps"}
)
"""Decorators that keep the function itself and look at no more of it than its name and signature."""


class Refused(Exception):
    """The proof failed; the message says at which point."""


class Edited(NamedTuple):
    """The one function that differs: its name, and the line where its code object begins (1-based, in
    both texts). Lines after ``head``, the last before its body, moved by ``shift``. The statement of
    the module that holds it has the lines from ``first`` to ``last`` in the new text."""

    name: str
    line: int
    head: int
    shift: int
    first: int
    last: int


class Statement(NamedTuple):
    """A top-level statement's lines, both included, 1-based, decorators counted in."""

    first: int
    last: int


def statements(tree: ast.Module) -> List[Statement]:
    """Return where each top-level statement lies."""
    return [Statement(_first_line(each), each.end_lineno or each.lineno) for each in tree.body]


def find_edited(old: str, new: str, spans: List[Statement]) -> Edited:
    """Return the one function whose body differs. Raises ``Refused``.

    ``spans`` are the old text's ``statements``.
    """
    if any(each in text for each in "\r\f\ufeff" for text in (old, new)):
        raise Refused("line ends are not plain")
    before, after = old.split("\n"), new.split("\n")
    head = _common(before, after)
    room = min(len(before), len(after)) - head
    tail = min(room, _common(before[::-1], after[::-1]))
    shift = len(after) - len(before)
    last = max(head, len(before) - tail)
    held = [each for each in spans if each.first <= head and last <= each.last]
    if len(held) != 1:
        raise Refused("the edit is not inside one statement of the module")
    first, end = held[0]
    ours = _only("\n".join(before[first - 1 : end]))
    theirs = _only("\n".join(after[first - 1 : end + shift]))
    try:
        found = _differing(ours, theirs)
    except _Elsewhere:
        raise Refused("the edit is not inside a function's body") from None
    if len(found) != 1:
        raise Refused(f"{len(found)} functions differ" if found else "nothing differs")
    node = found[0]
    _check_decorators(node)
    head = max(node.lineno, node.body[0].lineno - 1)
    line = _first_line(node) + first - 1
    return Edited(node.name, line, head + first - 1, shift, first, end + shift)


class _Elsewhere(Exception):
    """Something differs here that is not in the body of a function below."""


def _common(one: List[str], other: List[str]) -> int:
    count = 0
    for left, right in zip(one, other):
        if left != right:
            break
        count += 1
    return count


def _only(text: str) -> ast.stmt:
    """Parse ``text``, which must be one statement and nothing else."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise Refused(f"it does not parse: {type(problem).__name__}") from None
    if len(tree.body) != 1:
        raise Refused("the edit adds or removes a statement of the module")
    return tree.body[0]


def _first_line(node: ast.stmt) -> int:
    lines = [int(each.lineno) for each in getattr(node, "decorator_list", ())]
    return min([node.lineno, *lines])


def _differing(old: object, new: object) -> List[ast.FunctionDef]:
    """Return the innermost functions (of the old tree) that hold every difference.

    Raises ``_Elsewhere``.
    """
    if type(old) is not type(new):
        raise _Elsewhere
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            raise _Elsewhere
        return [each for one, other in zip(old, new) for each in _differing(one, other)]
    if not isinstance(old, ast.AST):
        if old != new or repr(old) != repr(new):
            raise _Elsewhere
        return []
    found: List[ast.FunctionDef] = []
    for field in old._fields:
        one, other = getattr(old, field, None), getattr(new, field, None)
        if field == "body" and isinstance(old, FUNCTIONS):
            found += _in_body(old, new)
            continue
        inner = _differing(one, other)
        if isinstance(old, FUNCTIONS) and inner:
            raise _Elsewhere
        found += inner
    return found


def _in_body(old: Any, new: Any) -> List[ast.FunctionDef]:
    # A docstring is read at import, by doctest and by command lines.
    if ast.get_docstring(old, clean=False) != ast.get_docstring(new, clean=False):
        raise _Elsewhere
    try:
        found = _differing(old.body, new.body)
    except _Elsewhere:
        return [old]
    return found if len(found) < 2 else [old]


def _check_decorators(node: ast.FunctionDef) -> None:
    for each in node.decorator_list:
        called = each.func if isinstance(each, ast.Call) else each
        name = getattr(called, "attr", None) or getattr(called, "id", "")
        if name not in KNOWN_DECORATORS:
            raise Refused(f"its decorator {name or ast.dump(each)[:40]} is not one we know")
