"""Tests that a class has from its bases, read from the sources: for the tree of tests before any run.

Pure. Not covered: bases that are made while the program runs, that come from installed packages, or
from ``import *``; these tests appear with the first run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ocils.domain.base import Value
from ocils.domain.python import parse_python
from ocils.domain.text import Document, Snapshot
from ocils.server.tested import imports_of, modules_named

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


class ClassTest(Value, frozen=True):
    """A test of a class: ``classes`` outermost first; ``line`` (0-based) is the class's own."""

    classes: tuple[str, ...]
    name: str
    line: int


def tests_of_classes(document: Document, snapshot: Snapshot) -> tuple[ClassTest, ...]:
    """Return the tests that the file's classes have, their own and inherited, in text order."""
    bases = _Bases(snapshot)
    module = bases.parse(document)
    return tuple(bases.tests(document, module, module.body, ()))


class _Bases:
    """Looks classes up through the snapshot, each file parsed once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._parsed: dict[str, ast.Module] = {}

    def parse(self, document: Document) -> ast.Module:
        """Return the file's tree, an empty one where it is no Python."""
        if document.path not in self._parsed:
            try:
                module = parse_python(document.data)
            except (SyntaxError, ValueError, RecursionError):
                module = ast.Module([], [])
            self._parsed[document.path] = module
        return self._parsed[document.path]

    def tests(
        self,
        document: Document,
        module: ast.Module,
        body: list[ast.stmt],
        above: tuple[str, ...],
    ) -> Iterator[ClassTest]:
        """Yield the tests of the classes in ``body`` and in these."""
        for node in body:
            if not isinstance(node, ast.ClassDef):
                continue
            classes = (*above, node.name)
            line = [*self._line(document, module, node, set())]
            known = {name: found for each in reversed(line) for name, found in _members(each)}
            cases = any(_is_test_case(base) for each in line for base in each.bases)
            refused = "__init__" in known and not cases
            if (node.name.startswith("Test") or cases) and not refused and _is_wanted(known):
                for name, found in known.items():
                    if name.startswith("test") and isinstance(found, _Function):
                        yield ClassTest(classes, name, node.lineno - 1)
                yield from self.tests(document, module, node.body, classes)

    def _line(
        self, document: Document, module: ast.Module, node: ast.ClassDef, seen: set[ast.ClassDef]
    ) -> Iterator[ast.ClassDef]:
        """Yield a class and those it inherits from, the nearest first."""
        if node in seen:
            return
        seen.add(node)
        yield node
        for base in node.bases:
            found = self._find(document, module, ast.unparse(base))
            if found is not None:
                yield from self._line(*found, seen)

    def _find(
        self, document: Document, module: ast.Module, name: str
    ) -> tuple[Document, ast.Module, ast.ClassDef] | None:
        """Return the class that a file means by a name, and where it is."""
        if (here := _class_in(module, name)) is not None:
            return document, module, here
        head, _, rest = name.partition(".")
        for alias, origins in imports_of(module):
            for origin in origins if alias == head else ():
                dotted = f"{origin}.{rest}" if rest else origin
                for path, names in modules_named(dotted, self._snapshot):
                    other = self._snapshot.document(path)
                    if other is None or path == document.path:
                        continue
                    tree = self.parse(other)
                    if (there := _class_in(tree, names)) is not None:
                        return other, tree, there
        return None


def _class_in(module: ast.Module, name: str) -> ast.ClassDef | None:
    body: list[ast.stmt] = module.body
    found: ast.ClassDef | None = None
    for part in name.split("."):
        # Of several definitions the last one counts, as when the module is run.
        fitting = [n for n in body if isinstance(n, ast.ClassDef) and n.name == part]
        if not fitting:
            return None
        found = fitting[-1]
        body = found.body
    return found


def _members(node: ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    for each in node.body:
        if isinstance(each, (*_Function, ast.ClassDef)):
            yield each.name, each
        elif isinstance(each, ast.Assign):
            for target in each.targets:
                if isinstance(target, ast.Name):
                    yield target.id, each


def _is_test_case(base: ast.expr) -> bool:
    return ast.unparse(base).rpartition(".")[2].endswith("TestCase")


def _is_wanted(known: dict[str, ast.stmt]) -> bool:
    match known.get("__test__"):
        case ast.Assign(value=ast.Constant(value=False)):
            return False
    return True
