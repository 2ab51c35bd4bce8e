"""What the model is shown around a target in a language that comes as data: its imports and tests.

Not covered: the definitions that a target uses; finding them takes the language's own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ocils.domain.errors import StaleTarget
from ocils.domain.judging import TestId
from ocils.domain.target import Context, EditTarget, Excerpt
from ocils.domain.text import Document, Snapshot, digest
from ocils.source import queried
from ocils.source.excerpts import elided
from ocils.source.lines import dedent, split
from ocils.source.tree import SourceTree

_TEST_LINES = 40
_TESTS = 12


def gather_plainly(
    snapshot: Snapshot,
    document: Document,
    target: EditTarget,
    tests: Sequence[TestId],
    count_tokens: Callable[[str], int],
    limit: int,
) -> Context:
    """Return what to show of ``target``, at most ``limit`` tokens; the source is never cut.

    Raises ``StaleTarget`` when the target is not in the document.
    """
    if digest(document.data[target.span.start : target.span.end]) != target.hash:
        raise StaleTarget(f"{target.name} is no longer where it was", mend="ask again")
    tree = SourceTree.of(document)
    source = dedent(tree.decode(target.span), target.indent)
    left = limit - count_tokens(source)
    cut = False
    header: list[str] = []
    for line in _imports(tree):
        cost = count_tokens(line + "\n")
        if cost > left:
            cut = True
            break
        header.append(line)
        left -= cost
    shown: list[Excerpt] = []
    for excerpt in _tests(snapshot, tests):
        cost = count_tokens(f"{excerpt.path} {excerpt.title}\n{excerpt.text}\n")
        if cost > left:
            cut = True
            continue
        shown.append(excerpt)
        left -= cost
    return Context(target, source, "\n".join(header), (), tuple(shown), cut, tree.language)


def _imports(tree: SourceTree) -> Iterator[str]:
    grammar = queried.grammar_of(tree)
    if grammar is not None and grammar.imports:
        for each in queried.matches(tree, grammar.imports):
            yield " ".join(split(queried.text_of(tree, each["import"])))


def _tests(snapshot: Snapshot, tests: Sequence[TestId]) -> Iterator[Excerpt]:
    """Yield the text of the first tests, as far as they are found in the files."""
    known: dict[str, dict[str, str]] = {}
    for test in tests[:_TESTS]:
        path, _, name = test.partition("::")
        if path not in known:
            known[path] = _texts(snapshot, path)
        if name in known[path]:
            yield Excerpt(path, name, elided(known[path][name], _TEST_LINES))


def _texts(snapshot: Snapshot, path: str) -> dict[str, str]:
    document = snapshot.document(path)
    tree = SourceTree.of(document) if document is not None else None
    grammar = queried.grammar_of(tree) if tree is not None else None
    if tree is None or grammar is None:
        return {}
    return {
        " > ".join(each.names): dedent(tree.decode(each.span), _indent(tree, each.span.start))
        for each in queried.tests(tree, grammar)
    }


def _indent(tree: SourceTree, offset: int) -> str:
    line = tree.line_text(tree.line_of(offset)).decode("ascii", "replace")
    return line[: len(line) - len(line.lstrip())]
