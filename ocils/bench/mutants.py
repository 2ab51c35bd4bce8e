"""Seeds bugs: every small mistake that ``operators`` knows, put into a file's functions one by one.

The outcome depends on the file's bytes and the seed alone. Each mutant parses, and is another
program than the original. Whether the tests notice is asked elsewhere (``caught``).

Not covered: files in other encodings than UTF-8, code outside functions, test files.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from pathlib import PurePosixPath
from typing import NamedTuple

from ocils.bench.operators import Change, Text, constant, expression, statement
from ocils.domain.base import Value
from ocils.domain.python import parse_python
from ocils.domain.text import Document, Edit, Snapshot, Span, digest

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(Value, frozen=True):
    """One planted bug: ``edit`` makes it, in the function of that qualified name, on that line.

    ``id`` names it among all mutants of the same bytes, whatever the seed and wherever they lie.
    """

    id: str
    path: str
    function: str
    edit: Edit
    operator: str
    line: int


def mutants(document: Document, seed: int = 0, within: str = "") -> tuple[Mutant, ...]:
    """Return every mutant of a file's functions, in text order.

    ``seed`` chooses which other names stand in for a name; everything else does not vary.
    ``within`` is a folder: the ids then do not depend on where it is. A file that does not parse
    has no mutants.
    """
    try:
        tree = parse_python(document.data)
        document.data.decode()
    except (SyntaxError, ValueError):
        return ()
    text = Text(document.data)
    name = document.path.removeprefix(f"{within}/") if within else document.path
    original = digest(document.data)
    found = []
    for qualified, function, place in _placed(tree, document.data):
        known = {ast.dump(function)}
        drawing = random.Random(f"{seed} {qualified}")  # noqa: S311 - a drawing, not a secret
        for change in sorted(set(_changes(text, function, drawing))):
            program = place.program(document.data, change)
            if program is None or program in known:
                continue
            known.add(program)
            told = f"{name} {change.start} {change.end} {change.text} {original}"
            found.append(
                Mutant(
                    digest(told.encode())[:12],
                    document.path,
                    qualified,
                    Edit(document.path, Span(change.start, change.end), change.text),
                    change.operator,
                    document.data.count(b"\n", 0, change.start) + 1,
                )
            )
    return tuple(found)


def mutants_of(snapshot: Snapshot, seed: int = 0) -> tuple[Mutant, ...]:
    """Return the mutants of all of a workspace's Python files but its tests, file by file."""
    found: list[Mutant] = []
    for entry in snapshot.entries:
        path = PurePosixPath(entry.path)
        test = path.name.startswith("test_") or path.name.endswith("_test.py")
        set_up = path.name in ("conftest.py", "setup.py", "noxfile.py")
        if entry.kind != "file" or path.suffix != ".py" or test or set_up:
            continue
        if any(part in ("test", "tests") or part.startswith(".") for part in path.parts[:-1]):
            continue
        found += mutants(Document(f"{snapshot.root}/{entry.path}", entry.data), seed, snapshot.root)
    return tuple(found)


def spread(found: Iterable[Mutant], limit: int, seed: int = 0) -> tuple[Mutant, ...]:
    """Draw ``limit`` of the mutants, evenly over functions and, within them, over operators."""
    drawing = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    by_function: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in found:
        by_function[mutant.path, mutant.function].append(mutant)
    queues = [_one_operator_after_another(group, drawing) for group in by_function.values()]
    drawn: list[Mutant] = []
    while len(drawn) < limit and any(queues):
        drawing.shuffle(queues)
        drawn += [queue.pop(0) for queue in queues if queue]
    return tuple(drawn[:limit])


def _one_operator_after_another(group: list[Mutant], drawing: random.Random) -> list[Mutant]:
    by_operator: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in group:
        by_operator[mutant.operator].append(mutant)
    for same in by_operator.values():
        drawing.shuffle(same)
    ordered = []
    while any(by_operator.values()):
        names = drawing.sample(sorted(by_operator), len(by_operator))
        ordered += [by_operator[name].pop() for name in names if by_operator[name]]
    return ordered


class _Place(NamedTuple):
    """A function's place: which one of the top-level statement from byte ``start`` to ``end``."""

    start: int
    end: int
    number: int

    def program(self, data: bytes, change: Change) -> str | None:
        """What the function is with ``change``, whatever its layout; None for no Python.

        Only the top-level statement around it is parsed: the file would take many times as long.
        """
        text = data[self.start : change.start] + change.text.encode() + data[change.end : self.end]
        try:
            tree = parse_python(text)
            # Parsing alone lets "return" outside of a function and "None = 1" pass.
            compile(tree, "mutant", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return None
        found = next(islice(_functions(tree), self.number, None), None)
        return None if found is None else ast.dump(found[1])


def _placed(tree: ast.Module, data: bytes) -> Iterator[tuple[str, _Function, _Place]]:
    starts = list(accumulate((len(line) for line in data.splitlines(keepends=True)), initial=0))
    for node in tree.body:
        lines = [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]
        start, end = starts[min(lines) - 1], starts[node.end_lineno or node.lineno]
        inside = ast.Module([node], [])
        for number, (qualified, function) in enumerate(_functions(inside)):
            yield qualified, function, _Place(start, end, number)


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Function):
            yield prefix + node.name, node
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _functions(node, prefix)


def _changes(text: Text, function: _Function, drawing: random.Random) -> Iterator[Change]:
    nodes = list(_own_nodes(function))
    for node in nodes:
        if isinstance(node, ast.stmt):
            yield from statement(text, node)
        elif isinstance(node, ast.expr):
            yield from expression(text, node)
    for default in [*function.args.defaults, *filter(None, function.args.kw_defaults)]:
        if isinstance(default, ast.Constant):
            for change in constant(text, default):
                yield change._replace(operator="wrong default")
    yield from _wrong_names(text, function, nodes, drawing)


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without its docstring and the functions inside it."""
    todo: list[ast.AST] = list(function.body)
    if ast.get_docstring(function, clean=False) is not None:
        del todo[0]
    while todo:
        node = todo.pop(0)
        yield node
        # Literal text in an f-string has no quotes of its own, and before 3.12 no true position.
        if isinstance(node, _Function | ast.ClassDef | ast.JoinedStr):
            continue
        todo[:0] = ast.iter_child_nodes(node)


def _wrong_names(
    text: Text, function: _Function, nodes: list[ast.AST], drawing: random.Random
) -> Iterator[Change]:
    """Another of the function's own names, or of an object's attributes that it uses."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = {argument.arg for argument in arguments} - {"self", "cls"}
    names |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    called = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    fields: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        if isinstance(node, ast.Attribute) and id(node) not in called:
            fields[ast.dump(node.value)].add(node.attr)
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in names:
                others = sorted(names - {name})
                for other in drawing.sample(others, min(1, len(others))):
                    yield text.put(node, other, "wrong variable")
            case ast.Attribute(attr=name, value=value) if id(node) not in called:
                others = sorted(fields[ast.dump(value)] - {name})
                for other in drawing.sample(others, min(1, len(others))):
                    yield text.put(node, f"{text.of(value)}.{other}", "wrong attribute")
