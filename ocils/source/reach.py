"""What a function calls, and the text of the tests that reach it.

Not covered: calls through variables, attributes of objects whose class cannot be read off.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from ocils.domain.judging import TestId
from ocils.domain.target import EditTarget
from ocils.domain.text import digest
from ocils.source.excerpts import whole_text
from ocils.source.modules import Module, Modules, definition_of
from ocils.source.tree import parse, walk


def node_at(module: Module, target: EditTarget) -> Node | None:
    """Return the function's node of an edit target, or None when it is not there.

    In a broken file, where the tree may lack it, its lines are parsed with nothing around them.
    """
    found = _function_at(module.tree.root, target)
    if (
        found is not None
        or digest(module.tree.document.data[target.span.start : target.span.end]) != target.hash
    ):
        return found
    starts, text = module.tree.starts, module.tree.text
    first = starts[target.first_line - 1]
    end = starts[target.last_line] if target.last_line < len(starts) else len(text)
    alone = re.sub(rb"[^\n]", b" ", text[:first]) + text[first:end]
    return _function_at(parse(alone).root_node, target)


def _function_at(root: Node, target: EditTarget) -> Node | None:
    node = root.descendant_for_byte_range(target.span.start, target.span.start + 1)
    while node is not None and node.start_byte == target.span.start:
        inner = definition_of(node)
        if inner is not None and inner.end_byte == target.span.end:
            return inner
        node = node.parent
    return None


def names_used(module: Module, node: Node) -> list[str]:
    """Return the dotted names that a function uses, called ones first, each once."""
    called: dict[str, None] = {}
    read: dict[str, None] = {}
    for each in walk(node):
        above = each.parent
        if each.type not in ("identifier", "attribute") or above is None:
            continue
        if above.type == "attribute" and above.child_by_field_name("object") != each:
            continue
        if above.type == "keyword_argument" and above.child_by_field_name("name") == each:
            continue
        if each.type == "attribute" and not _dotted(each):
            continue
        name = "".join(module.text(each).split())
        is_call = above.type == "call" and above.child_by_field_name("function") == each
        (called if is_call or above.type == "decorator" else read)[name] = None
    return list(dict.fromkeys([*called, *read]))


def _dotted(node: Node) -> bool:
    while node.type == "attribute":
        inner = node.child_by_field_name("object")
        if inner is None:
            return False
        node = inner
    return node.type == "identifier"


def definitions_used(
    modules: Modules, module: Module, node: Node, target: str
) -> Iterator[tuple[Module, str]]:
    """Yield the module and qualified name of what a function uses, the target itself aside.

    ``self.x()`` is looked for in the class and its bases; names of the same file come first.
    """
    owner = target.rpartition(".")[0]
    near: dict[tuple[str, str], tuple[Module, str]] = {}
    far: dict[tuple[str, str], tuple[Module, str]] = {}
    for name in names_used(module, node):
        head, _, rest = name.partition(".")
        found: tuple[Module, str] | None = None
        if head in ("self", "cls") and rest:
            found = in_class(modules, module, owner, rest.partition(".")[0])
        elif name == "super" and owner:
            found = _overridden(modules, module, owner, target.rpartition(".")[2])
        else:
            found = modules.resolve(module, name)
            while found is None and "." in name:
                name = name.rpartition(".")[0]
                found = modules.resolve(module, name)
        if found is not None and not (found[0] is module and found[1] == target):
            (near if found[0] is module else far)[found[0].path, found[1]] = found
    yield from near.values()
    yield from far.values()


def in_class(
    modules: Modules, module: Module, owner: str, name: str, depth: int = 4
) -> tuple[Module, str] | None:
    """Return where a class or one of its bases defines ``name``."""
    if f"{owner}.{name}" in module.definitions:
        return module, f"{owner}.{name}"
    for base in _bases(modules, module, owner) if depth else ():
        found = in_class(modules, *base, name, depth - 1)
        if found is not None:
            return found
    return None


def _overridden(
    modules: Modules, module: Module, owner: str, name: str
) -> tuple[Module, str] | None:
    for base in _bases(modules, module, owner):
        found = in_class(modules, *base, name)
        if found is not None:
            return found
    return None


def _bases(modules: Modules, module: Module, owner: str) -> Iterator[tuple[Module, str]]:
    node = module.definitions.get(owner)
    held = node.child_by_field_name("superclasses") if node is not None else None
    for base in held.named_children if held is not None else ():
        if base.type in ("identifier", "attribute"):
            found = modules.resolve(module, "".join(module.text(base).split()))
            if found is not None:
                yield found


def test_functions(modules: Modules, tests: Sequence[TestId]) -> Iterator[tuple[Module, str]]:
    """Yield each test function once, in the order of ``tests``: its module and qualified name."""
    # Parameters may hold anything, "::" included; the name ends at the first bracket.
    for plain in dict.fromkeys(test.partition("[")[0] for test in tests):
        path, _, rest = plain.partition("::")
        name = rest.replace("::", ".")
        module = modules.at(path)
        if module is not None and name:
            owner, _, last = name.rpartition(".")
            found = in_class(modules, module, owner, last) if owner else (module, name)
            if found is not None and found[1] in found[0].definitions:
                yield found


# The name reads like a test to pytest wherever it is imported; this says that it is none.
test_functions.__test__ = False  # type: ignore[attr-defined]


def fixtures_used(modules: Modules, module: Module, node: Node) -> Iterator[tuple[Module, str]]:
    """Yield the fixtures that a test function asks for, from its file and the conftests above it."""
    held = node.child_by_field_name("parameters")
    names = [module.text(n) for n in walk(held) if n.type == "identifier"] if held else []
    folder = posixpath.dirname(module.path)
    places = [module]
    while True:
        conftest = modules.at(f"{folder}/conftest.py" if folder else "conftest.py")
        if conftest is not None and conftest is not module:
            places.append(conftest)
        if not folder:
            break
        folder = posixpath.dirname(folder)
    for name in dict.fromkeys(names):
        for place in places:
            found = [q for q, n in place.definitions.items() if _is_fixture(place, q, n, name)]
            if found:
                yield place, found[-1]
                break


def _is_fixture(module: Module, qualified: str, node: Node, name: str) -> bool:
    if node.type != "function_definition" or node.parent is None:
        return False
    decorated = node.parent.type == "decorated_definition"
    text = whole_text(module, node) if decorated else ""
    head = text.partition("def ")[0]
    renamed = f'name="{name}"' in head or f"name='{name}'" in head
    return "fixture" in head and (qualified.rpartition(".")[2] == name or renamed)


def preparations(module: Module, name: str) -> Iterator[str]:
    """Yield the set-up methods of a test's class."""
    owner = name.rpartition(".")[0]
    for method in ("setUp", "setup_method", "setUpClass", "setup_class"):
        if owner and f"{owner}.{method}" in module.definitions:
            yield f"{owner}.{method}"


def used_imports(module: Module, names: Sequence[str]) -> list[str]:
    """Return import statements for what ``names`` (dotted) begin with, in text order.

    Of a statement that imports several names only the used ones are kept.
    """
    heads = {name.partition(".")[0] for name in names}
    found = [
        (module.import_nodes[bound].start_byte, each.statement())
        for bound, each in module.imports.items()
        if bound in heads
    ]
    return [statement for _, statement in sorted(found)] + [
        f"from {star} import *" for star in module.stars
    ]
