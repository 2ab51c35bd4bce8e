"""Which functions a test calls by name: what *Refine* on a test may mean.

Pure. Not covered: calls through fixtures, ``self`` and other names that are bound while the program
runs; the user is asked to go to the function instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ocils.domain.python import parse_python
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.source.modules import Modules
from ocils.source.reach import definitions_used, node_at
from ocils.source.target import targets
from ocils.source.tree import SourceTree

_MOST = 8
_REACHED = 24


def called_by(test: EditTarget, document: Document, snapshot: Snapshot) -> tuple[EditTarget, ...]:
    """Return the workspace's functions that ``test`` calls, in the order of its text."""
    try:
        module = parse_python(document.data)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    imported = dict(imports_of(module))
    found: dict[tuple[str, str], EditTarget] = {}
    for name in _calls(module, test):
        head, _, rest = name.partition(".")
        for origin in imported.get(head, ()):
            full = f"{origin}.{rest}" if rest else origin
            target = _resolve(full, snapshot)
            if target is not None and not target.is_test:
                found.setdefault((target.path, target.name), target)
    return tuple(found.values())[:_MOST]


def reached(test: EditTarget, snapshot: Snapshot) -> tuple[EditTarget, ...]:
    """Return what ``test`` calls and what that calls in turn, the nearest first."""
    document = snapshot.document(test.path)
    if document is None:
        return ()
    found = {(t.path, t.name): t for t in called_by(test, document, snapshot)}
    waiting = list(found.values())
    while waiting and len(found) < _REACHED:
        for target in _used_by(waiting.pop(0), snapshot):
            if (target.path, target.name) not in found:
                found[target.path, target.name] = target
                waiting.append(target)
    return tuple(found.values())[:_REACHED]


def _used_by(target: EditTarget, snapshot: Snapshot) -> Iterator[EditTarget]:
    document = snapshot.document(target.path)
    if document is None:
        return
    modules = Modules(snapshot, document)
    node = node_at(modules.home, target)
    if node is None:
        return
    for module, name in definitions_used(modules, modules.home, node, target.name):
        for each in targets(module.tree):
            if each.name in (name, f"{name}.__init__") and not each.is_test:
                yield each


def imports_of(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each imported name and the dotted names that it may stand for."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, (alias.name,)) if alias.asname else (top, (top,))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                origin = f"{node.module}.{alias.name}" if node.module else alias.name
                yield alias.asname or alias.name, (origin,)


def _calls(module: ast.Module, test: EditTarget) -> Iterator[str]:
    """Yield the dotted names that are called within the test's lines, in text order."""
    calls = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and test.first_line <= node.lineno <= test.last_line
    ]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = _dotted(call.func)
        if name:
            yield name


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = _dotted(value)
            return f"{before}.{attribute}" if before else ""
        case ast.Call(func=function):
            # Basket().total() is a call of Basket.total.
            return _dotted(function)
    return ""


def _resolve(dotted: str, snapshot: Snapshot) -> EditTarget | None:
    """Return the function that ``package.module.Class.method`` names in the workspace."""
    for path, name in modules_named(dotted, snapshot):
        document = snapshot.document(path)
        if document is None:
            continue
        for target in targets(SourceTree.of(document)):
            if target.name == name:
                return target
    return None


def modules_named(dotted: str, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield the files that ``package.module.Class`` may be in, and what remains of the name."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        stem = "/".join(parts[:cut])
        endings = (f"{stem}.py", f"{stem}/__init__.py")
        fitting = [
            entry.path
            for entry in snapshot.entries
            if entry.kind == "file"
            and any(entry.path == end or entry.path.endswith("/" + end) for end in endings)
        ]
        for path in sorted(fitting, key=len):
            yield path, ".".join(parts[cut:])
