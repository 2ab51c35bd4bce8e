"""Shows that an edit lies inside the body of exactly one function, by comparing syntax trees.

Everything outside of that body is equal: what a decorator, a default, an annotation or a class says,
and everything that runs when the module is imported. Only the statement of a module or a class that
holds the edit is parsed; the text before and after it is the same, letter by letter. Pure.

Not covered: whether the function ran already, and who holds on to its code (``swap.py``).
"""

from __future__ import annotations

import ast
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

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
    both texts). Lines after ``head``, the last before its body, moved by ``shift``. The statement that
    holds it has the lines from ``first`` to ``last`` in the new text; ``classes`` are the first lines
    of the classes around that statement, as they would be without decorators and bases."""

    name: str
    line: int
    head: int
    shift: int
    first: int
    last: int
    classes: Tuple[str, ...]


class Statement(NamedTuple):
    """A statement's lines, both included, 1-based, decorators counted in; a class's own statements,
    and how the class could begin."""

    first: int
    last: int
    inner: Tuple[Any, ...] = ()
    header: str = ""


def statements(tree: ast.AST, text: str) -> List[Statement]:
    """Return where each statement of a module or a class lies, those of its classes within."""
    return _statements(tree, text.split("\n"))


def _statements(tree: Any, lines: List[str]) -> List[Statement]:
    found = []
    for each in tree.body:
        inner: List[Statement] = []
        header = ""
        # What a class with parameters holds is compiled in a scope of theirs.
        if isinstance(each, ast.ClassDef) and not getattr(each, "type_params", None):
            indent = lines[each.lineno - 1].partition("class")[0]
            if not indent.strip() and _first_line(each.body[0]) > each.lineno:
                inner = _statements(each, lines)
                header = f"{indent}class {each.name}:"
        last = each.end_lineno or each.lineno
        found.append(Statement(_first_line(each), last, tuple(inner), header))
    return found


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
    held = _holding(spans, head, last)
    if held is None:
        raise Refused("the edit is not inside one statement of the module")
    classes: List[str] = []
    inner = _holding(held.inner, head, last)
    while inner is not None:
        classes.append(held.header)
        held, inner = inner, _holding(inner.inner, head, last)
    first, end = held.first, held.last
    ours = _only([*classes, *before[first - 1 : end]], len(classes))
    theirs = _only([*classes, *after[first - 1 : end + shift]], len(classes))
    try:
        found = _differing(ours, theirs)
    except _Elsewhere:
        raise Refused("the edit is not inside a function's body") from None
    if len(found) != 1:
        raise Refused(f"{len(found)} functions differ" if found else "nothing differs")
    node = found[0]
    _check_decorators(node)
    above = first - 1 - len(classes)
    line = _first_line(node) + above
    head = max(node.lineno, node.body[0].lineno - 1) + above
    return Edited(node.name, line, head, shift, first, end + shift, tuple(classes))


def _holding(spans: Sequence[Statement], head: int, last: int) -> Optional[Statement]:
    """Return the one statement that begins at ``head`` or before, and ends at ``last`` or after."""
    held = [each for each in spans if each.first <= head and last <= each.last]
    return held[0] if len(held) == 1 else None


class _Elsewhere(Exception):
    """Something differs here that is not in the body of a function below."""


def _common(one: List[str], other: List[str]) -> int:
    count = 0
    for left, right in zip(one, other):
        if left != right:
            break
        count += 1
    return count


def _only(lines: List[str], classes: int) -> ast.stmt:
    """Parse ``lines``, which must be one statement and nothing else, in so many classes."""
    try:
        tree: Any = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise Refused(f"it does not parse: {type(problem).__name__}") from None
    for _ in range(classes + 1):
        if len(tree.body) != 1:
            raise Refused("the edit adds or removes a statement of the module")
        tree = tree.body[0]
    found: ast.stmt = tree
    return found


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
