"""A benchmark's one test, taken apart: each assertion becomes a test of its own.

So that a search can be shown some of them and scored on all, and so that a verdict says which one
fails. What stands before an assertion is run before it again. A loop over literal lists is cut into
pieces.

Not covered: assertions that depend on what an earlier assertion changed; they stay correct only
where setting up again gives the same.
"""

from __future__ import annotations

import ast
import copy
import itertools

from ocils.bench.task import Unreadable
from ocils.domain.python import parse_python

_PIECES = 20  # of a long loop: each is a test, and each test costs


def taken_apart(source: str, module: str, entry: str) -> str:
    """Return a test file for ``entry`` of ``module`` out of a text that defines ``check``.

    Raises ``Unreadable`` where the text is no Python or defines no ``check``.
    """
    tree = parsed(source)
    check = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "check"), None
    )
    if check is None or len(check.args.args) != 1:
        raise Unreadable("the test defines no check(candidate)")
    helpers = [node for node in tree.body if node is not check and not _calls(node, "check")]
    name = check.args.args[0].arg
    # A name that is bound in a function is its own everywhere in it.
    given = parse_python(f"{name} = {entry}").body if name != entry else []
    tests = _tests([*given, *check.body], _asserting(helpers))
    return written(module, entry, helpers, tests)


def tests_of(asserts: list[str], before: str, module: str, entry: str) -> str:
    """Return a test file of assertions that are given one by one."""
    setup = parsed(before).body
    tests = [[*setup, *parsed(each).body] for each in asserts]
    return written(module, entry, [], tests)


def written(module: str, entry: str, helpers: list[ast.stmt], tests: list[list[ast.stmt]]) -> str:
    """Write a test file: the program's names, what the tests share, and the tests."""
    lines = [f"from {module} import *", f"from {module} import {entry}", ""]
    if entry.startswith(("test", "Test")):
        # It would be taken for a test itself.
        lines = [f"import {module}", f"the_{entry} = {module}.{entry}", ""]
        named = parse_python(f"{entry} = the_{entry}").body
        tests = [[*named, *body] for body in tests]
    lines += [ast.unparse(each) + "\n" for each in helpers]
    for number, body in enumerate(tests, 1):
        made = ast.FunctionDef(
            f"test_case_{number:03}",
            ast.arguments([], [], None, [], [], None, []),
            body,
            [],
            None,
            lineno=1,
            col_offset=0,
        )
        lines.append("\n" + ast.unparse(ast.fix_missing_locations(made)) + "\n")
    return "\n".join(lines)


def parsed(source: str) -> ast.Module:
    """Parse a text of a benchmark. Raises ``Unreadable``."""
    try:
        return parse_python(source)
    except (SyntaxError, ValueError, RecursionError) as problem:
        raise Unreadable(f"no Python: {problem}") from problem


def _calls(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id=called))):
            return called == name
    return False


def _asserting(helpers: list[ast.stmt]) -> set[str]:
    """Return the names of functions that assert something."""
    return {
        node.name
        for node in helpers
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Assert) for each in ast.walk(node))
    }


def _tests(body: list[ast.stmt], asserting: set[str]) -> list[list[ast.stmt]]:
    before: list[ast.stmt] = []
    found: list[list[ast.stmt]] = []
    for node in body:
        asserts = any(
            isinstance(each, ast.Assert)
            or (
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Name)
                and each.func.id in asserting
            )
            for each in ast.walk(node)
        )
        if asserts:
            found += [[*before, piece] for piece in _pieces(node, before)]
        else:
            before.append(node)
    return found or [before or [ast.Pass()]]


def _pieces(node: ast.stmt, before: list[ast.stmt]) -> list[ast.stmt]:
    """Cut a loop over literal lists into pieces; anything else is one piece."""
    if not isinstance(node, ast.For):
        return [node]
    lengths = [
        len(value.elts)
        for each in before
        if isinstance(each, ast.Assign) and isinstance(value := each.value, ast.List | ast.Tuple)
        for target in each.targets
        if isinstance(target, ast.Name)
        and any(isinstance(n, ast.Name) and n.id == target.id for n in ast.walk(node.iter))
    ]
    length = min(lengths, default=0)
    if length < 2:
        return [node]
    count = min(length, _PIECES)
    bounds = [length * number // count for number in range(count + 1)]
    pieces: list[ast.stmt] = []
    for start, end in itertools.pairwise(bounds):
        piece = copy.deepcopy(node)
        last = "" if end == length else end
        (line,) = parse_python(f"list(())[{start}:{last}]").body
        assert isinstance(line, ast.Expr)
        cut = line.value
        assert isinstance(cut, ast.Subscript)
        cut.value = ast.Call(ast.Name("list"), [piece.iter], [])
        piece.iter = cut
        pieces.append(piece)
    return pieces
