"""Where an added import goes.

The order of a file is kept: ``__future__``, standard library, other packages, relative imports.

Not covered: imports inside functions, and sorting what is already there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.text import Document, Edit, Span
from ocils.source.lines import encodable, newline_of
from ocils.source.tree import SourceTree, parse

_IMPORTS = ("import_statement", "import_from_statement", "future_import_statement")


class Import(Value, frozen=True):
    """One imported thing: ``import module as alias`` or ``from module import name as alias``.

    ``module`` keeps its leading dots. ``name`` is "" for a plain import and ``*`` for a star.
    """

    module: str
    name: str = ""
    alias: str = ""

    @property
    def binds(self) -> str:
        """The name that the file gets."""
        return self.alias or self.name or self.module.partition(".")[0]

    def statement(self) -> str:
        """The import as a statement of its own."""
        tail = f" as {self.alias}" if self.alias else ""
        if self.name:
            return f"from {self.module} import {self.name}{tail}"
        return f"import {self.module}{tail}"


def imports_in(node: Node) -> tuple[Import, ...]:
    """Return what an import statement imports; other statements import nothing."""
    if node.type not in _IMPORTS:
        return ()
    module = node.child_by_field_name("module_name")
    found: list[Import] = []
    if node.type == "import_statement":
        source = ""
    elif node.type == "future_import_statement":
        source = "__future__"
    else:
        source = "" if module is None else _text(module).replace(" ", "")
    for child in node.children_by_field_name("name"):
        name, alias = child, ""
        if child.type == "aliased_import":
            inner, given = child.child_by_field_name("name"), child.child_by_field_name("alias")
            if inner is None or given is None:
                continue
            name, alias = inner, _text(given)
        text = _text(name).replace(" ", "")
        found.append(Import(source, text, alias) if source else Import(text, "", alias))
    if any(c.type == "wildcard_import" for c in node.children):
        found.append(Import(source, "*"))
    return tuple(found)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def add_import(document: Document, statement: str) -> tuple[Edit, ...]:
    """Return the edits that add an import statement at the top of the file; () when it is there.

    Of ``from a import b, c`` only what is missing is added, on a line of its own behind the last
    import of its kind; without imports it goes behind the docstring. A statement that is not one
    import changes nothing. Raises ``Unsupported`` for characters that the encoding lacks.
    """
    wanted = [
        i for n in parse(statement.strip().encode()).root_node.children for i in imports_in(n)
    ]
    tree = SourceTree.of(document)
    present = {i for n in tree.root.children for i in imports_in(n)}
    stars = {i.module for i in present if i.name == "*"}
    missing = [
        i for i in dict.fromkeys(wanted) if i not in present and not (i.name and i.module in stars)
    ]
    if not missing:
        return ()
    newline = newline_of(document)
    line = newline.join(_statements(missing))
    at, text = _place(tree, missing[0], line, newline)
    return (Edit(document.path, Span(at, at), encodable(document, text)),)


def _statements(missing: Sequence[Import]) -> list[str]:
    plain = [i.statement() for i in missing if not i.name]
    by_module: dict[str, list[str]] = {}
    for each in missing:
        if each.name:
            named = each.name + (f" as {each.alias}" if each.alias else "")
            by_module.setdefault(each.module, []).append(named)
    return plain + [f"from {m} import {', '.join(names)}" for m, names in by_module.items()]


def _rank(module: str) -> int:
    """Return the group of a module: future, standard library, other packages, relative."""
    if module == "__future__":
        return 0
    if module.startswith("."):
        return 3
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2


def _place(tree: SourceTree, new: Import, line: str, newline: str) -> tuple[int, str]:
    """Return where to insert and what, newlines included."""
    rank = _rank(new.module)
    ranked: list[tuple[int, Node]] = []
    for node in tree.root.children:
        if node.type in ("function_definition", "class_definition", "decorated_definition"):
            break
        if node.type in _IMPORTS and imports_in(node):
            ranked.append((_rank(imports_in(node)[0].module), node))
    below = [(r, n) for r, n in ranked if r <= rank]
    if below:
        best = max(r for r, _ in below)
        anchor = [n for r, n in below if r == best][-1]
        return _after(tree, anchor, line if best == rank else newline + line, newline)
    if ranked:
        first_rank, first = ranked[0]
        gap = newline if first_rank != rank else ""
        return tree.starts[first.start_point.row], line + newline + gap
    return _at_top(tree, line, newline)


def _after(tree: SourceTree, anchor: Node, line: str, newline: str) -> tuple[int, str]:
    number = anchor.end_point.row + 1
    if number < len(tree.starts):
        return tree.starts[number], line + newline
    return len(tree.text), newline + line


def _at_top(tree: SourceTree, line: str, newline: str) -> tuple[int, str]:
    children = [n for n in tree.root.children if n.type != "comment"]
    if children and _is_docstring(children[0]):
        rest = children[1:]
        at, text = _after(tree, children[0], newline + line, newline)
        followed = bool(rest) and rest[0].start_point.row > children[0].end_point.row + 1
        return at, text + ("" if followed or not rest else newline)
    number = _header_lines(tree)
    at = tree.starts[number] if number < len(tree.starts) else len(tree.text)
    definition = bool(children) and children[0].type.endswith("definition")
    gap = newline * (2 if definition else 1) if children else ""
    if number and at == len(tree.text) and not tree.text.endswith((b"\n", b"\r")):
        return at, newline + line
    return at, line + newline + gap


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and len(node.children) == 1
        and node.children[0].type in ("string", "concatenated_string")
    )


def _header_lines(tree: SourceTree) -> int:
    """Return how many lines at the top are a shebang, an encoding, or a comment set apart."""
    number = 0
    while number < len(tree.starts) and tree.line_text(number + 1).startswith(b"#"):
        number += 1
    if number < len(tree.starts) and number and not tree.line_text(number + 1).strip():
        return number + 1
    fixed = 0
    for line in range(1, min(number, 2) + 1):
        text = tree.line_text(line)
        if text.startswith(b"#!") or b"coding" in text:
            fixed = line
    return fixed
