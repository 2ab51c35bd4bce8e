"""What the model is shown of the code around a target, the most useful first, within a limit.

Not covered: how it is written down (``prompt/``); what the tests did (``refine.feedback``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.errors import StaleTarget
from ocils.domain.judging import TestId
from ocils.domain.target import Context, EditTarget, Excerpt
from ocils.domain.text import Document, Snapshot
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON
from ocils.source.excerpts import class_header, elided, signature, summary, whole_text
from ocils.source.lines import dedent, split
from ocils.source.modules import Module, Modules
from ocils.source.plainly import gather_plainly
from ocils.source.reach import (
    definitions_used,
    fixtures_used,
    names_used,
    node_at,
    preparations,
    test_functions,
    used_imports,
)

_TEST_LINES = 40
_TESTS = 12


class _Piece(Value, frozen=True):
    """Something that may be shown: its texts from the fullest to the shortest."""

    path: str
    title: str
    texts: tuple[str, ...]
    is_test: bool


def gather(
    snapshot: Snapshot,
    document: Document,
    target: EditTarget,
    tests: Sequence[TestId],
    count_tokens: Callable[[str], int],
    limit: int,
) -> Context:
    """Return what to show of ``target``, at most ``limit`` tokens as ``count_tokens`` counts them.

    The source comes first and is never cut: when it alone is over the limit, nothing else is
    shown. Then the header, line by line, and tests and definitions by turns, each whole or in
    outline; the first of ``tests`` are taken for the most important. Titles are counted too. Paths
    in the excerpts are relative to the workspace's root.

    Of a language that comes as data the imports and the tests are shown.

    Raises ``StaleTarget`` when the target is not in the document.
    """
    if shelf.language_of(document.path, document.language) != PYTHON:
        return gather_plainly(snapshot, document, target, tests, count_tokens, limit)
    modules = Modules(snapshot, document)
    home = modules.home
    node = node_at(home, target)
    if node is None or target.span.end > len(document.data):
        raise StaleTarget(f"{target.name} is no longer where it was", mend="ask again")
    source = dedent(home.tree.decode(target.span), target.indent)
    left = limit - count_tokens(source)
    header, cut = _fit(_header(home, node, target), count_tokens, left)
    left -= count_tokens(header) if header else 0
    functions = list(islice(test_functions(modules, tests), _TESTS + 1))
    cut = cut or len(functions) > _TESTS
    shown: list[tuple[_Piece, str]] = []
    used = set(split(header))
    for piece in _by_turns(
        _definition_pieces(modules, home, node, target, used),
        _test_pieces(modules, functions[:_TESTS]),
    ):
        for text in piece.texts:
            cost = count_tokens(f"{piece.path} {piece.title}\n{text}\n")
            if cost <= left:
                shown.append((piece, text))
                left -= cost
                break
        else:
            cut = True
    excerpts = [Excerpt(p.path, p.title, text) for p, text in shown if not p.is_test]
    proofs = [Excerpt(p.path, p.title, text) for p, text in shown if p.is_test]
    cut = cut or any(text != p.texts[0] for p, text in shown)
    return Context(target, source, header, tuple(excerpts), tuple(proofs), cut)


def _header(home: Module, node: Node, target: EditTarget) -> list[str]:
    """Return the header's blocks: imports, constants, the class or function around ("" for none)."""
    names = names_used(home, node)
    owner, _, last = target.name.rpartition(".")
    around = ""
    if target.kind == "method" and owner in home.definitions:
        class_node = home.definitions[owner]
        around = class_header(home, class_node, last)
        held = class_node.child_by_field_name("superclasses")
        names = [*names, *(names_used(home, held) if held is not None else ())]
    elif owner in home.definitions:
        around = signature(home, home.definitions[owner])
    heads = dict.fromkeys(n.partition(".")[0] for n in names)
    constants = [home.assignments[n] for n in heads if n in home.assignments]
    constants.sort(key=lambda n: n.start_byte)
    imports = "\n".join(used_imports(home, names))
    return [imports, *(elided(dedent(home.text(n), ""), 8) for n in constants), around]


def _fit(blocks: Sequence[str], count_tokens: Callable[[str], int], left: int) -> tuple[str, bool]:
    """Return the blocks that fit, in their order; what is around is the most important of them."""
    kept: list[tuple[int, str]] = []
    cut = False
    room = left
    for number in [len(blocks) - 1, *range(len(blocks) - 1)]:
        text = blocks[number]
        while text and count_tokens(text + "\n") > room:
            text, cut = text.rpartition("\n")[0], True
        if text:
            kept.append((number, text))
            room -= count_tokens(text + "\n")
    return "\n".join(text for _, text in sorted(kept)), cut


def _definition_pieces(
    modules: Modules, home: Module, node: Node, target: EditTarget, used: set[str]
) -> Iterator[_Piece]:
    seen: set[tuple[str, str]] = {(home.path, target.name)}
    owner = target.name.rpartition(".")[0]
    for module, name in definitions_used(modules, home, node, target.name):
        if (module.path, name) in seen or (module is home and name == owner):
            continue
        seen.add((module.path, name))
        definition = module.definitions.get(name)
        if definition is None:
            text = elided(dedent(module.text(module.assignments[name]), ""), 8)
            if text.partition("\n")[0] not in used:
                yield _Piece(module.path, name, (text,), False)
            continue
        full = summary(module, definition)
        short = signature(module, definition)
        texts = tuple(dict.fromkeys((full, short)))
        if definition.type == "class_definition":
            texts = tuple(dict.fromkeys((full, class_header(module, definition), elided(full, 3))))
        yield _Piece(module.path, name, texts, False)


def _test_pieces(modules: Modules, tests: Sequence[tuple[Module, str]]) -> Iterator[_Piece]:
    """Yield the test functions, each followed by what it asks for and has not been shown yet."""
    seen: set[tuple[str, str]] = set()
    for module, name in tests:
        node = module.definitions[name]
        needed = [(module, p) for p in preparations(module, name)]
        needed += fixtures_used(modules, module, node)
        for place, each in [(module, name), *needed]:
            if (place.path, each) not in seen:
                seen.add((place.path, each))
                text = elided(whole_text(place, place.definitions[each]), _TEST_LINES)
                yield _Piece(place.path, each, tuple(_shorter(text)), True)


def _shorter(text: str) -> Iterator[str]:
    yield text
    for most in (20, 10):
        if text.count("\n") >= most:
            yield elided(text, most)


def _by_turns(definitions: Iterator[_Piece], tests: Iterator[_Piece]) -> Iterator[_Piece]:
    """Yield one test, then two definitions, and so on until both are at their end."""
    sources = [tests, definitions, definitions]
    while sources:
        for source in list(sources):
            piece = next(source, None)
            if piece is not None:
                yield piece
            else:
                sources = [s for s in sources if s is not source]
