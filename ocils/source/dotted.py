"""What the names of a file stand for: ``o._exit`` after ``import os as o`` is ``os._exit``.

Imports anywhere in the file, plain assignments of one name to another, star imports, ``getattr``
with a literal name, ``__import__``, ``import_module``, ``sys.modules[…]`` and ``vars(…)[…]`` are
followed. One name means one thing in the whole file: whatever it is bound to anywhere.

Not covered: names that are computed, passed as arguments, or put into containers.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from functools import cached_property

from tree_sitter import Node

from ocils.source.imports import imports_in
from ocils.source.tree import SourceTree, walk

_DEPTH = 40
_BUILTINS = frozenset([*dir(builtins), "exit", "quit", "__builtins__"])
_IMPORTERS = ("__import__", "importlib.import_module", "importlib.__import__")


class Dotted:
    """Resolves the expressions of one file; bindings are gathered once."""

    def __init__(self, tree: SourceTree) -> None:
        self._aliases: dict[str, set[str]] = {}
        self._bound: set[str] = set()
        self._stars: set[str] = set()
        self.nodes = tuple(walk(tree.root))
        for _ in range(2):  # a name may be given to another one before it is imported
            for node in self.nodes:
                self._bind(node)

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Every imported thing as a dotted path, as often as it is imported."""
        found = [each for node in self.nodes for each in imports_in(node)]
        return tuple(f"{e.module}.{e.name}" if e.name not in ("", "*") else e.module for e in found)

    def of(self, node: Node, depth: int = 0) -> tuple[str, ...]:
        """Return the dotted paths that an expression may stand for; a builtin is its bare name."""
        if depth > _DEPTH:
            return ()
        match node.type:
            case "identifier":
                return tuple(self._name(text_of(node)))
            case "attribute":
                name = node.child_by_field_name("attribute")
                return self._below(node.child_by_field_name("object"), text_of(name), depth)
            case "call":
                return self._call(node, depth)
            case "subscript":
                return self._item(node, depth)
            case "parenthesized_expression" if node.named_children:
                return self.of(node.named_children[0], depth + 1)
            case "named_expression":
                value = node.child_by_field_name("value")
                return self.of(value, depth + 1) if value is not None else ()
        return ()

    def _below(self, node: Node | None, name: str, depth: int) -> tuple[str, ...]:
        if node is None or not name:
            return ()
        return tuple(f"{each}.{name}" for each in self.of(node, depth + 1))

    def _name(self, name: str) -> Iterator[str]:
        if name in self._aliases:
            yield from sorted(self._aliases[name])
        elif name not in self._bound:
            if name in _BUILTINS:
                yield name
            for module in sorted(self._stars):
                yield f"{module}.{name}"

    def _call(self, node: Node, depth: int) -> tuple[str, ...]:
        function = node.child_by_field_name("function")
        called = self.of(function, depth + 1) if function is not None else ()
        given = arguments(node)
        if "getattr" in called and len(given) > 1:
            return self._below(given[0], literal(given[1]) or "", depth)
        if given and set(called) & set(_IMPORTERS):
            name = literal(given[0])
            return (name,) if name else ()
        if "vars" in called and given:
            return self._below(given[0], "__dict__", depth)
        return ()

    def _item(self, node: Node, depth: int) -> tuple[str, ...]:
        value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
        name = literal(index) if index is not None else None
        if value is None or not name:
            return ()
        found = self.of(value, depth + 1)
        modules = [name for each in found if each == "sys.modules"]
        places = [each.removesuffix("__dict__") for each in found if each.endswith(".__dict__")]
        return (*modules, *(place + name for place in places))

    def _bind(self, node: Node) -> None:
        for each in imports_in(node):
            if each.name == "*":
                self._stars.add(each.module)
            elif each.name:
                self._alias(each.binds, f"{each.module}.{each.name}")
            else:
                self._alias(each.binds, each.module if each.alias else each.binds)
        match node.type:
            case "assignment":
                self._assign(node.child_by_field_name("left"), node.child_by_field_name("right"))
            case "named_expression":
                self._assign(node.child_by_field_name("name"), node.child_by_field_name("value"))
            case "function_definition" | "class_definition" | "default_parameter":
                self._bound.add(text_of(node.child_by_field_name("name")))
            case "typed_default_parameter":
                self._bound.add(text_of(node.child_by_field_name("name")))
            case "parameters" | "lambda_parameters" | "typed_parameter" | "as_pattern_target":
                self._bind_all(node)
            case "for_statement" | "for_in_clause":
                left = node.child_by_field_name("left")
                if left is not None:
                    self._bind_all(left)

    def _assign(self, left: Node | None, right: Node | None) -> None:
        if left is None:
            return
        if left.type != "identifier" or right is None:
            self._bind_all(left)
            return
        name = text_of(left)
        # Only what leads to a module or a builtin is followed; the rest is a variable.
        if known := set(self.of(right)) - {name}:
            self._aliases.setdefault(name, set()).update(known)
        self._bound.add(name)

    def _bind_all(self, node: Node) -> None:
        if node.type == "identifier":
            self._bound.add(text_of(node))
        elif node.type not in ("attribute", "subscript"):
            self._bound.update(text_of(n) for n in node.named_children if n.type == "identifier")

    def _alias(self, name: str, path: str) -> None:
        self._aliases.setdefault(name, set()).add(path)


def arguments(call: Node) -> list[Node]:
    """Return a call's positional arguments."""
    found = call.child_by_field_name("arguments")
    if found is None:
        return []
    return [n for n in found.named_children if n.type not in ("keyword_argument", "comment")]


def literal(node: Node) -> str | None:
    """Return a plain string's text, adjacent and added strings joined; None for anything else."""
    if node.type in ("concatenated_string", "binary_operator"):
        signs = [n for n in node.children if not n.is_named]
        if any(n.type != "+" for n in signs):
            return None
        pieces = [literal(each) for each in node.named_children]
        return None if None in pieces else "".join(each or "" for each in pieces)
    if node.type != "string":
        return None
    inside = [n for n in node.named_children if n.type not in ("string_start", "string_end")]
    if any(n.type != "string_content" for n in inside):
        return None
    return "".join(text_of(n) for n in inside)


def text_of(node: Node | None) -> str:
    """Return a node's text; empty for none."""
    return ((node.text if node is not None else b"") or b"").decode("utf-8", "replace")
