"""The syntax gate: what a candidate newly uses that an honest repair of one function does not need.

Code that runs in the same interpreter as the asserts can always forge its way to green: an object
that equals everything, a frame walked up to pytest, an exit at the right moment. None of that is
seen at run time, and all of it looks odd on the page. So a candidate with a reason here is never
green by itself (``refine/``); a person decides.

Two kinds of rule. *Strict*: one use more than before is a reason (``os._exit``, a new ``__eq__``).
*Mild*: it is a reason only where the file did nothing of that kind before (writing files, starting
processes, sockets). Tests may use pytest.

Not covered: names that are put together at run time, code behind a C extension, values that are
wrong on purpose (that is what the tests are for).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from ocils.domain.text import Document, Edit, Snapshot, apply_edits
from ocils.languages import shelf
from ocils.source.dotted import Dotted, arguments, literal, text_of
from ocils.source.functions import is_test_file
from ocils.source.suspects import (
    ATTRIBUTES,
    CONFIGURATION,
    DUNDERS,
    MILD,
    STRICT,
    TEST_TOOLS,
    WATCHED_MODULES,
    WRITING_METHODS,
)
from ocils.source.tree import SourceTree, walk
from ocils.source.watched import new_watched

_MOST = 5


def suspicions(snapshot: Snapshot, edits: tuple[Edit, ...]) -> tuple[str, ...]:
    """Return why ``edits`` look dishonest, in words for people; nothing for almost every candidate."""
    found: list[str] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        name = path.rpartition("/")[2]
        if name in CONFIGURATION or name.endswith(".pth") or _configures(name):
            found.append(f"changes `{name}`, which decides how tests run")
        before = snapshot.document(path) or Document(path, b"")
        known = shelf.language(shelf.language_of(path))
        if known is not None and known.suspects is not None:
            tests = is_test_file(path) and bool(before.data)
            after = apply_edits(before, edits)
            found += new_watched(before, after, known.suspects, tests=tests)
        if not name.endswith((".py", ".pyi")):
            continue
        # A file that is new cannot make itself a test by its name.
        tests = is_test_file(path) and bool(before.data)
        found += new_uses(before, apply_edits(before, edits), tests=tests)
    return tuple(dict.fromkeys(found))[:_MOST]


def _configures(name: str) -> bool:
    """Tell whether a file decides how another language's tests run."""
    if name.endswith((".py", ".pyi")):
        return False
    known = (each.suspects for each in shelf.languages() if each.suspects is not None)
    return any(name in each.configuration for each in known)


def new_uses(before: Document, after: Document, *, tests: bool = False) -> tuple[str, ...]:
    """Return what ``after`` does that ``before`` did not; ``tests``: pytest and its like are fine."""
    old, new = _uses(before, tests), _uses(after, tests)
    found = []
    for (kind, said), count in new.items():
        strict = kind == "strict"
        new_kind = not any(each == kind for each, _ in old)
        if count > old[kind, said] if strict else new_kind:
            found.append(said)
    return tuple(dict.fromkeys(found))


def _uses(document: Document, tests: bool) -> Counter[tuple[str, str]]:
    """Count what is used: (group of the rule, reason)."""
    names = Dotted(SourceTree.of(document))
    found: Counter[tuple[str, str]] = Counter()
    for path in names.imports:
        found.update(_paths((path,), tests))
    for node in names.nodes:
        found.update(_node(names, node, tests))
    return found


def _node(names: Dotted, node: Node, tests: bool) -> Iterator[tuple[str, str]]:
    match node.type:
        case "identifier" if not _is_label(node):
            yield from _paths(names.of(node), tests)
        case "attribute":
            yield from _attribute(names, node, tests)
        case "call":
            yield from _paths(names.of(node), tests)
            yield from _call(names, node)
        case "subscript":
            yield from _paths(names.of(node), tests)
        case "string" | "concatenated_string":
            yield from _string(literal(node), tests)
        case "function_definition":
            name = text_of(node.child_by_field_name("name"))
            if name in DUNDERS:
                yield "strict", f"defines `{name}`"
        case "type_alias_statement":
            # ``type(x).__bool__ = y`` is read as one.
            for each in walk(node):
                if each.type == "attribute" and _name_in(each) in DUNDERS:
                    yield "strict", f"replaces `{text_of(each)}`"
        case "assignment" | "augmented_assignment" | "delete_statement":
            yield from _replaced(names, node)
        case "except_clause" if not tests and _hides(node):
            yield "strict", "keeps failed asserts from being seen"
        case "raise_statement":
            raised = {text_of(n) for n in node.named_children} | {
                text_of(n.child_by_field_name("function")) for n in node.named_children
            }
            if raised & {"KeyboardInterrupt", "GeneratorExit"}:
                yield "strict", "raises an interrupt, which ends the test run"


def _hides(clause: Node) -> bool:
    """Whether an ``except`` may swallow an assert of a test: one in a ``with`` block, or a callback's."""
    *caught, block = [each for each in clause.named_children if each.type != "comment"]
    if any(each.type == "raise_statement" for each in walk(block)):
        return False
    kinds = {text_of(each) for kind in caught for each in walk(kind) if each.type == "identifier"}
    if not caught or kinds & {"AssertionError", "BaseException"}:
        return True
    around = clause.parent
    waits = around is not None and any(each.type == "yield" for each in walk(around))
    return waits and "Exception" in kinds


def _paths(paths: tuple[str, ...], tests: bool) -> Iterator[tuple[str, str]]:
    for path in paths:
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            head = ".".join(parts[:count])
            if head in TEST_TOOLS and not tests:
                yield "strict", f"uses `{head}` outside of tests"
            elif head in STRICT:
                yield "strict", f"uses `{head}`: {STRICT[head]}"
            elif head in MILD:
                yield MILD[head], f"{MILD[head]} (`{head}`)"


def _attribute(names: Dotted, node: Node, tests: bool) -> Iterator[tuple[str, str]]:
    name = _name_in(node)
    if name in ATTRIBUTES:
        yield "strict", f"uses `.{name}`: {ATTRIBUTES[name]}"
    elif name in WRITING_METHODS:
        yield "writes or deletes files", f"writes or deletes files (`.{name}`)"
    yield from _paths(names.of(node), tests)
    found = node.child_by_field_name("object")
    if name == "__dict__" and found is not None:
        for path in set(names.of(found)) & WATCHED_MODULES:
            yield "strict", f"looks into `{path}` by a roundabout way"


def _call(names: Dotted, node: Node) -> Iterator[tuple[str, str]]:
    function = node.child_by_field_name("function")
    called = names.of(function) if function is not None else ()
    given = arguments(node)
    if "getattr" in called and given and not names.of(node):
        for path in set(names.of(given[0])) & WATCHED_MODULES:
            yield "strict", f"looks into `{path}` by a name that is computed"
    if {"__import__", "importlib.import_module"} & set(called) and not names.of(node):
        yield "strict", "imports a module by a name that is computed"
    if "setattr" in called and given and any(_is_module(p) for p in names.of(given[0])):
        yield "strict", f"replaces a part of `{text_of(given[0])}`"
    if {"open", "io.open", "codecs.open", "os.fdopen"} & set(called) and _writes(node):
        yield "writes or deletes files", "writes or deletes files (`open`)"


def _writes(call: Node) -> bool:
    """Whether an ``open`` may write: its mode says so, or cannot be read off the page."""
    given = arguments(call)
    mode: Node | None = given[1] if len(given) > 1 else None
    found = call.child_by_field_name("arguments")
    for each in found.named_children if found is not None else ():
        if each.type == "keyword_argument" and text_of(each.child_by_field_name("name")) == "mode":
            mode = each.child_by_field_name("value")
    if mode is None:
        return False
    text = literal(mode)
    return text is None or bool(set(text) & set("wax+"))


def _string(text: str | None, tests: bool) -> Iterator[tuple[str, str]]:
    if text is None:
        return
    if "PYTEST_CURRENT_TEST" in text or "PYTEST_VERSION" in text:
        yield "strict", "asks whether pytest is running"
    elif text in TEST_TOOLS and not tests:
        yield "strict", f"names `{text}` outside of tests"
    elif text in DUNDERS or text in ATTRIBUTES or text in ("_exit", "_getframe", "__builtins__"):
        yield "strict", f"names `{text}`"


def _replaced(names: Dotted, node: Node) -> Iterator[tuple[str, str]]:
    """Assigning to a part of an imported module, or giving a class a forging method."""
    left = node.child_by_field_name("left")
    targets = [left] if left is not None else []
    if node.type == "delete_statement":
        targets = list(node.named_children)
    for target in targets:
        if target.type == "identifier" and text_of(target) in DUNDERS:
            yield "strict", f"defines `{text_of(target)}`"
        if target.type != "attribute":
            continue
        if _name_in(target) in DUNDERS:
            yield "strict", f"replaces `{text_of(target)}`"
        found = target.child_by_field_name("object")
        if found is not None and any(_is_module(path) for path in names.of(found)):
            yield "strict", f"replaces `{text_of(target)}`"


def _name_in(attribute: Node) -> str:
    return text_of(attribute.child_by_field_name("attribute"))


def _is_module(path: str) -> bool:
    return path in WATCHED_MODULES or path.partition(".")[0] in TEST_TOOLS


def _is_label(node: Node) -> bool:
    """Whether an identifier only names an attribute, a keyword, or what is being defined."""
    above = node.parent
    if above is None:
        return False
    if above.type == "attribute":
        return above.child_by_field_name("attribute") == node
    if above.type in ("keyword_argument", "function_definition", "class_definition"):
        return above.child_by_field_name("name") == node
    return above.type in ("dotted_name", "aliased_import", "parameters", "lambda_parameters")
