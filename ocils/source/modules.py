"""What a module defines and imports, and where the workspace has an imported module.

Modules are found as Python would find them from the workspace's root, from ``src``, and from the
folders above the importing file.

Not covered: installed packages, namespace packages without files, ``sys.path`` changed at run time.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.text import Document, Snapshot, Span
from ocils.source.imports import Import, imports_in
from ocils.source.tree import SourceTree

_SCOPES = ("function_definition", "class_definition")
_NESTING = (
    "if_statement",
    "elif_clause",
    "else_clause",
    "try_statement",
    "except_clause",
    "finally_clause",
    "with_statement",
    "block",
)


class Definition(Value, frozen=True):
    """Something defined in a module: ``name`` is qualified, ``path`` relative to the root."""

    path: str
    name: str
    kind: str
    first_line: int


class Module:
    """One file: its definitions by qualified name, its assignments and imports by bound name."""

    def __init__(self, path: str, tree: SourceTree) -> None:
        self.path = path
        self.tree = tree
        self.definitions: dict[str, Node] = {}
        self.assignments: dict[str, Node] = {}
        self.imports: dict[str, Import] = {}
        self.import_nodes: dict[str, Node] = {}
        self.stars: list[str] = []
        for node in top_level(tree.root):
            self._note(node)

    def _note(self, node: Node) -> None:
        for each in imports_in(node):
            if each.name == "*":
                self.stars.append(each.module)
            else:
                self.imports[each.binds] = each
                self.import_nodes[each.binds] = node
        inner = definition_of(node)
        if inner is not None:
            self._define(inner, "")
        elif node.type == "expression_statement" and node.children[0].type == "assignment":
            left = node.children[0].child_by_field_name("left")
            if left is not None and left.type == "identifier":
                self.assignments[self.text(left)] = node

    def _define(self, node: Node, prefix: str) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        qualified = prefix + self.text(name)
        # An overload's implementation comes last, and so does the definition that counts.
        self.definitions[qualified] = node
        body = node.child_by_field_name("body")
        if node.type == "class_definition" and body is not None:
            for child in top_level(body):
                inner = definition_of(child)
                if inner is not None:
                    self._define(inner, qualified + ".")

    def text(self, node: Node) -> str:
        """Return a node's text in the file's own encoding."""
        return self.tree.decode(Span(node.start_byte, node.end_byte))


def definition_of(node: Node) -> Node | None:
    """Return the function or class that a statement defines, decorated or not, or None."""
    if node.type == "decorated_definition":
        return node.child_by_field_name("definition")
    return node if node.type in _SCOPES else None


def top_level(root: Node) -> Iterator[Node]:
    """Yield the statements of a block in text order, also those under if, try and with."""
    stack = list(reversed(root.named_children))
    while stack:
        node = stack.pop()
        if node.type in _NESTING:
            stack.extend(reversed(node.named_children))
        else:
            yield node


class Modules:
    """The modules of a snapshot, parsed when they are first asked for."""

    def __init__(self, snapshot: Snapshot, document: Document) -> None:
        self._snapshot = snapshot
        self._known: dict[str, Module | None] = {}
        path = snapshot.relative(document.path)
        self.home = Module(path, SourceTree.of(document))
        self._known[path] = self.home

    def at(self, path: str) -> Module | None:
        """Return the module in the file at ``path`` (relative to the root), or None."""
        if path not in self._known:
            document = self._snapshot.document(path)
            self._known[path] = None if document is None else Module(path, SourceTree.of(document))
        return self._known[path]

    def named(self, dotted: str, importer: str) -> Module | None:
        """Return the module called ``dotted`` (leading dots: relative) as ``importer`` would see it."""
        for path in _paths(dotted, importer):
            if self._snapshot.find(path) is not None:
                return self.at(path)
        return None

    def resolve(self, module: Module, name: str, depth: int = 6) -> tuple[Module, str] | None:
        """Return the module and qualified name that ``name`` (dotted) means in ``module``.

        Follows imports, re-exports and star imports through the workspace; None when the trail
        leaves it.
        """
        if depth == 0:
            return None
        if name in module.definitions or name in module.assignments:
            return module, name
        head, _, rest = name.partition(".")
        imported = module.imports.get(head)
        if imported is not None:
            return self._follow(module, imported, rest, depth)
        if not rest:
            for star in module.stars:
                other = self.named(star, module.path)
                found = self.resolve(other, name, depth - 1) if other is not None else None
                if found is not None:
                    return found
        return None

    def _follow(
        self, module: Module, imported: Import, rest: str, depth: int
    ) -> tuple[Module, str] | None:
        if not imported.name:
            dotted = imported.module if imported.alias else imported.module.partition(".")[0]
            parts = rest.split(".") if rest else []
            # Of ``import a.b`` the module a.b is reached by its dots.
            while parts and self.named(f"{dotted}.{parts[0]}", module.path) is not None:
                dotted = f"{dotted}.{parts.pop(0)}"
            other = self.named(dotted, module.path)
            return self.resolve(other, ".".join(parts), depth - 1) if other and parts else None
        other = self.named(imported.module, module.path)
        wanted = imported.name + ("." + rest if rest else "")
        found = self.resolve(other, wanted, depth - 1) if other is not None else None
        if found is not None:
            return found
        glue = "" if imported.module.endswith(".") else "."
        inner = self.named(f"{imported.module}{glue}{imported.name}", module.path)
        return self.resolve(inner, rest, depth - 1) if inner is not None and rest else None


def _paths(dotted: str, importer: str) -> Iterator[str]:
    bare = dotted.lstrip(".")
    level = len(dotted) - len(bare)
    folder = posixpath.dirname(importer)
    bases = [folder]
    if level:
        for _ in range(level - 1):
            bases = [posixpath.dirname(bases[0])]
    else:
        while bases[-1]:
            bases.append(posixpath.dirname(bases[-1]))
        bases = ["", "src", "lib", *bases]
    inside = bare.replace(".", "/")
    for base in dict.fromkeys(bases):
        path = "/".join(p for p in (base, inside) if p)
        if inside:
            yield path + ".py"
        yield path + "/__init__.py" if path else "__init__.py"
