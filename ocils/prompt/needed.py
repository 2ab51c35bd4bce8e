"""What a function needs of the code around it: imports, helpers and sibling methods, transitively.

Not covered: names that are looked up at run time (``globals()["f"]``), star imports.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

from ocils.domain.base import Value

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Code = tuple[str, ast.Module]


class Needed(Value, frozen=True):
    """Texts at column 0, in the order they were written."""

    imports: tuple[str, ...]
    helpers: tuple[str, ...]
    siblings: tuple[str, ...]


def by(target: _Function, home: _Code, others: Iterable[_Code] = ()) -> Needed:
    """Return what ``target`` of the module ``home`` needs of it, and else of ``others``."""
    code, module = home
    owner = _owner(module, target)
    wanted, own = names(target), attributes(target) if owner is not None else set()
    helpers: list[tuple[str, ast.stmt]] = []
    siblings: list[_Function] = []
    grown = True
    while grown:
        grown = False
        for method in owner.body if owner is not None else ():
            if not isinstance(method, _Function) or method is target or method in siblings:
                continue
            if method.name in own:
                siblings.append(method)
                wanted, own, grown = wanted | names(method), own | attributes(method), True
        for text, each in (home, *others):
            for node in each.body:
                if node in (target, owner) or any(node is had for _, had in helpers):
                    continue
                # What the target's own block defines goes before what another block does.
                new = bound(node) - {name for _, had in helpers for name in bound(had)}
                if new & wanted and not _has(node, target):
                    helpers.append((text, node))
                    wanted, grown = wanted | names(node), True
    order = {id(node): n for n, node in enumerate(n for _, m in (home, *others) for n in m.body)}
    helpers.sort(key=lambda pair: order[id(pair[1])])
    siblings.sort(key=lambda method: method.lineno)
    return Needed(
        tuple(dict.fromkeys(s for _, m in (home, *others) for s in _imports(m, wanted))),
        tuple(segment(text, node) for text, node in helpers),
        tuple(segment(code, method) for method in siblings),
    )


def names(node: ast.AST) -> set[str]:
    """Return the names that ``node`` reads, and those in annotations that are strings."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    for each in ast.walk(node):
        notes = [each.annotation] if isinstance(each, ast.arg | ast.AnnAssign) else []
        notes += [each.returns] if isinstance(each, _Function) else []
        for note in notes:
            if isinstance(note, ast.Constant) and isinstance(note.value, str):
                found |= set(
                    note.value.replace("[", " ").replace("]", " ").replace(".", " ").split()
                )
    return found


def attributes(node: ast.AST) -> set[str]:
    """Return the attributes that ``node`` reads of a plain name, such as ``self``."""
    return {
        n.attr
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }


def segment(code: str, node: ast.stmt) -> str:
    """Return the text of a statement with its decorators, at column 0."""
    first = min((d.lineno for d in getattr(node, "decorator_list", [])), default=node.lineno)
    return textwrap.dedent("\n".join(code.split("\n")[first - 1 : node.end_lineno]))


def _owner(module: ast.Module, target: _Function) -> ast.ClassDef | None:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and target in node.body:
            return node
    return None


def _has(node: ast.stmt, target: _Function) -> bool:
    return any(each is target for each in ast.walk(node))


def bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module defines; imports are looked at apart."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Assign(targets=targets):
            return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return {name}
    return set()


def _imports(module: ast.Module, wanted: set[str]) -> list[str]:
    """Return the module's imports of what is wanted, and of the future."""
    found = []
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            kept = [a for a in node.names if (a.asname or a.name.split(".")[0]) in wanted]
            if kept and isinstance(node, ast.Import):
                found += [ast.unparse(ast.Import([alias])) for alias in kept]
            elif kept and isinstance(node, ast.ImportFrom):
                found.append(ast.unparse(ast.ImportFrom(node.module, kept, node.level)))
    return found
