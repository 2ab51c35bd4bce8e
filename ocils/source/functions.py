"""The functions of a file as edit targets.

Not covered: lambdas and classes (they are not targets), cursors (``cursor.py``).
"""

from __future__ import annotations

import re

from tree_sitter import Node, Query, QueryCursor

from ocils.domain.target import EditTarget
from ocils.domain.text import Span, digest
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON
from ocils.source import queried
from ocils.source.isolate import Piece, node_of, pieces
from ocils.source.tree import SourceTree, language


def targets(tree: SourceTree) -> tuple[EditTarget, ...]:
    """Return every function and method in text order, nested ones too; broken ones are left out."""
    known = tree.memo.get("targets")
    if known is None and (grammar := queried.grammar_of(tree)) is not None:
        known = queried.targets(tree, grammar)
        tree.memo["targets"] = known
    if known is None:
        found = {t.span.start: t for t in _sound(tree)}
        if tree.broken:
            for piece in pieces(tree):
                if not piece.error_line:
                    target = target_of_piece(tree, piece)
                    found.setdefault(target.span.start, target)
        known = tuple(found[start] for start in sorted(found))
        tree.memo["targets"] = known
    assert isinstance(known, tuple)
    return known


def _sound(tree: SourceTree) -> list[EditTarget]:
    query = Query(language(), "[(function_definition) (class_definition)] @scope")
    nodes = QueryCursor(query).captures(tree.root).get("scope", [])
    nodes.sort(key=lambda n: (n.start_byte, -n.end_byte))
    outer: list[tuple[Node, str]] = []
    found: list[EditTarget] = []
    for node in nodes:
        while outer and outer[-1][0].end_byte <= node.start_byte:
            outer.pop()
        name = name_of(tree, node)
        if node.type == "function_definition" and not unsound(tree, node):
            found.append(target_of(tree, node, 0, [*outer, (node, name)]))
        outer.append((node, name))
    return found


def unsound(tree: SourceTree, node: Node) -> bool:
    """Tell whether a syntax error lies in a function, or around it so that its node is doubtful."""
    if not tree.broken:
        return False
    start = whole_of(node).start_byte
    if tree.text[tree.starts[tree.line_of(start) - 1] : start].strip():
        return True
    if node.has_error or not node.child_by_field_name("name"):
        return True
    above = node.parent
    while above is not None:
        if above.is_error:
            return True
        above = above.parent
    return False


def around(tree: SourceTree, node: Node) -> list[tuple[Node, str]]:
    """Return the functions and classes around a function and itself, outermost first."""
    found: list[tuple[Node, str]] = []
    at: Node | None = node
    while at is not None:
        if at.type in ("function_definition", "class_definition"):
            found.append((at, name_of(tree, at)))
        at = at.parent
    return found[::-1]


def name_of(tree: SourceTree, node: Node, shift: int = 0) -> str:
    """Return the name of a function or class; ``shift`` is added to the node's offsets."""
    name = node.child_by_field_name("name")
    if name is None:
        return "?"
    return tree.decode(Span(name.start_byte + shift, name.end_byte + shift))


def whole_of(node: Node) -> Node:
    """Return the function with its decorators."""
    above = node.parent
    return above if above is not None and above.type == "decorated_definition" else node


def target_of(
    tree: SourceTree, node: Node, shift: int, scopes: list[tuple[Node, str]]
) -> EditTarget:
    """Return the edit target of a function's node; ``scopes`` ends with the function itself.

    ``shift`` is added to the node's offsets.
    """
    outer = scopes[-2][0].type if len(scopes) > 1 else ""
    names = [name for _, name in scopes]
    in_tests = all(s.type == "class_definition" and _tests(s, n) for s, n in scopes[:-1])
    return _build(tree, node, shift, names, outer == "class_definition", in_tests)


def target_of_piece(tree: SourceTree, piece: Piece) -> EditTarget:
    """Return the edit target of a function that was cut out of a broken file."""
    node, shift = node_of(tree, piece)
    if node.type == "decorated_definition":
        inner = node.child_by_field_name("definition")
        assert inner is not None
        node = inner
    names = [*piece.scopes, piece.name]
    in_tests = all(name.startswith("Test") for name in piece.scopes)
    return _build(tree, node, shift, names, piece.in_class, in_tests)


def _build(
    tree: SourceTree, node: Node, shift: int, names: list[str], in_class: bool, in_tests: bool
) -> EditTarget:
    start, end = whole_of(node).start_byte + shift, node.end_byte + shift
    body = node.child_by_field_name("body")
    block = Span(end, end) if body is None else Span(body.start_byte + shift, body.end_byte + shift)
    first = tree.line_of(start)
    before = tree.text[tree.starts[first - 1] : start]
    document = tree.document
    return EditTarget(
        path=document.path,
        name=".".join(names),
        kind="method" if in_class else "function",
        span=Span(start, end),
        body=block,
        indent=before.decode("ascii", "replace") if not before.strip() else "",
        first_line=first,
        last_line=tree.line_of(end - 1),
        hash=digest(document.data[start:end]),
        version=document.version,
        is_async=bool(node.children) and node.children[0].type == "async",
        is_test=in_tests and names[-1].startswith("test") and is_test_file(document.path),
    )


def is_test_file(path: str) -> bool:
    """Tell whether pytest would collect the file by its name, or another language's runner."""
    if not path.endswith(".py") and (name := shelf.language_of(path)) != PYTHON:
        # Of an absolute path only the end belongs to the workspace for certain.
        near = "/".join(path.rsplit("/", 2)[-2:]) if path.startswith("/") else path
        return shelf.is_test_of(near, name)
    return bool(re.fullmatch(r"test_.*\.py|.*_test\.py", path.rpartition("/")[2]))


def _tests(node: Node, name: str) -> bool:
    bases = node.child_by_field_name("superclasses")
    return name.startswith("Test") or (
        bases is not None and bases.text is not None and b"TestCase" in bases.text
    )
