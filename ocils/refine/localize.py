"""Where the bug may be: statements of the target, most suspicious first.

Each statement's lines form a hole. A statement's suspicion is Ochiai's coefficient over the tests
that reach the target: executed / sqrt(all red × all that executed it), where a red test that was
ended (a hang, a crash) and left no coverage counts for every line.

Not covered: bugs outside the target; statements that no test ran are kept, last.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.judging import Coverage, TestId
from ocils.domain.python import tree_of
from ocils.domain.target import EditTarget, Hole


class Suspect(Value, frozen=True):
    """A statement's lines and its suspicion, from 0 (no test ran it) to 1 (only red tests did)."""

    hole: Hole
    suspicion: float


_UNSEEN = 0.02  # a statement no test ran is unlikely, not impossible: a branch may be missed


def suspects(
    target: EditTarget, source: str, coverage: Coverage, red: Sequence[TestId]
) -> tuple[Suspect, ...]:
    """Return the target's statements, the most suspicious first, ties in text order.

    ``source`` is the target's text, dedented; ``red`` the failing tests that are to turn green.
    """
    lines_of = {each.test: frozenset(each.lines) for each in coverage.tests}
    reds = [lines_of.get(test) for test in red]
    greens = [lines for test, lines in lines_of.items() if test not in set(red)]
    found = []
    for hole in holes(source, target.first_line):
        span = range(hole.first, hole.last + 1)
        failed = sum(lines is None or any(n in lines for n in span) for lines in reds)
        passed = sum(any(n in lines for n in span) for lines in greens)
        score = failed / math.sqrt(len(reds) * (failed + passed)) if failed else 0.0
        found.append(Suspect(hole, max(score, _UNSEEN)))
    return tuple(sorted(found, key=lambda s: -s.suspicion))


def holes(source: str, first_line: int) -> tuple[Hole, ...]:
    """Return the line ranges of the target's statements; of a compound one only its header.

    ``source`` starts at file line ``first_line``. Docstrings are left out. Text that this Python
    cannot parse gives one hole a line that is not blank.
    """
    module = tree_of(source)
    if module is None:
        lines = source.split("\n")
        return tuple(
            Hole(first_line + n, first_line + n) for n, line in enumerate(lines) if line.strip()
        )
    found: set[Hole] = set()
    for node in ast.walk(module):
        if not isinstance(node, ast.stmt) or _is_docstring(node):
            continue
        last = node.end_lineno or node.lineno
        body = getattr(node, "body", None) or getattr(node, "cases", None)
        if body:
            first_inside = body[0].lineno if hasattr(body[0], "lineno") else node.lineno + 1
            last = max(node.lineno, min(last, first_inside - 1))
        found.add(Hole(first_line + node.lineno - 1, first_line + last - 1))
    return tuple(sorted(found, key=lambda h: h.first))


def body_line(source: str, target: EditTarget) -> int:
    """Return the file line of the target's first statement behind signature and docstring.

    Where there is none but a docstring, that is the line behind it.
    """
    module = tree_of(source)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            code = [each for each in node.body if not _is_docstring(each)]
            last = node.end_lineno or node.lineno
            return target.first_line - 1 + (code[0].lineno if code else last + 1)
    return target.first_line + 1


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
