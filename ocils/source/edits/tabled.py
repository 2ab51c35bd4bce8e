"""Small edits of a language that comes as data: its manifest's tables over the target's nodes.

Not covered: telling edits apart by what they mean (only by their text), and checking the syntax of
each: whoever takes one asks ``splice.new_errors``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Edit, Span
from ocils.languages.manifest import Edits
from ocils.source.queried import matches, text_of
from ocils.source.splice import replace_rows
from ocils.source.tree import SourceTree, walk

_NAMES = 6  # names in scope, and properties of the file, that one may be mistaken for
_SHORT = 20


class TabledEdit(Value, frozen=True):
    """An edit as the tables have it: ``text`` takes the place of ``span`` (bytes of the file)."""

    span: Span
    text: str
    note: str
    cost: float


def tabled(
    tree: SourceTree, target: EditTarget, table: Edits, lines: Sequence[int]
) -> Iterator[TabledEdit]:
    """Yield the edits of the target that touch ``lines`` (1-based, of the file), in no order."""
    node = tree.root.descendant_for_byte_range(target.span.start, target.span.end)
    if node is None:
        return
    inside = [n for n in walk(node) if _within(n, target)]
    rows = frozenset(lines)

    def touched(span: Span) -> bool:
        first, last = tree.line_of(span.start), tree.line_of(max(span.start, span.end - 1))
        return not rows.isdisjoint(range(first, last + 1))

    families = (
        _exchanged(tree, inside, table),
        _rewritten(tree, node, target, table),
        _numbers(tree, inside, table),
        _names(tree, inside, target, table),
        _properties(tree, inside, table),
        _literals(tree, inside, table),
        _swapped(tree, inside, table),
        _deleted(tree, inside, table),
    )
    for family in families:
        for each in family:
            if touched(each.span):
                yield each


def lines_after(tree: SourceTree, each: TabledEdit) -> tuple[Hole, tuple[str, ...]]:
    """Return the lines that an edit touches, and what they become; none where they are deleted."""
    first, last = tree.line_of(each.span.start), tree.line_of(max(each.span.start, each.span.end))
    start = tree.starts[first - 1]
    end = tree.starts[last - 1] + len(tree.line_text(last))
    head, tail = tree.decode(Span(start, each.span.start)), tree.decode(Span(each.span.end, end))
    text = head + each.text + tail
    return Hole(first, last), tuple(re.split(r"\r\n|\n|\r", text)) if text.strip() else ()


def edits_of(tree: SourceTree, each: TabledEdit) -> tuple[Edit, ...]:
    """Return an edit in the fewest bytes; a statement that is deleted takes its lines along."""
    hole, lines = lines_after(tree, each)
    if not lines:
        return replace_rows(tree.document, tree.starts, hole, ())
    return (Edit(tree.document.path, each.span, each.text),)


def _within(node: Node, target: EditTarget) -> bool:
    return target.span.start <= node.start_byte and node.end_byte <= target.span.end


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


def _change(tree: SourceTree, node: Node, text: str, cost: float, note: str = "") -> TabledEdit:
    return TabledEdit(
        _span(node), text, note or f"{_short(text_of(tree, node))} to {_short(text)}", cost
    )


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _SHORT else shown[: _SHORT - 2] + "…"


def _exchanged(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    for each in table.exchanges:
        for node in nodes:
            fits = node.type in each.kinds if each.kinds else not node.is_named
            above = node.parent.type if node.parent is not None else ""
            if not fits or (each.within and above not in each.within):
                continue
            for rank, text in enumerate(each.texts.get(text_of(tree, node), ())):
                yield _change(tree, node, text, each.cost + rank * each.step)


def _rewritten(
    tree: SourceTree, node: Node, target: EditTarget, table: Edits
) -> Iterator[TabledEdit]:
    for each in table.rewrites:
        for captured in matches(tree, each.query, node):
            if _within(captured["node"], target):
                texts = {name: text_of(tree, found) for name, found in captured.items()}
                text = _filled(each.text, texts)
                note = f"{_short(texts['node'])}: {each.note}"
                yield _change(tree, captured["node"], text, each.cost, note)


def _filled(template: str, texts: Mapping[str, str]) -> str:
    """Put what was captured into a template; braces around anything else are the language's own."""
    return re.sub(r"\{(\w+)\}", lambda found: texts.get(found[1], found[0]), template)


def _numbers(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    for node in nodes:
        if node.type not in table.numbers:
            continue
        text = text_of(tree, node)
        if re.fullmatch(r"\d{1,15}", text):
            value = int(text)
            near = [value + 1, value - 1, 1 - value if value in (0, 1) else 0, 1, -value]
            near += [value * 10, 2, value * 2]
            near += [value // 10] * (value % 10 == 0) + [value // 2] * (value % 2 == 0)
            found = [str(number) for number in dict.fromkeys(near) if number != value]
        elif re.fullmatch(r"\d*\.\d+", text):
            real = float(text)
            found = [f"{x:.12g}" for x in (real + 1, 1 - real, real * 10, real / 10, 0, 1, -real)]
        else:
            continue
        for rank, new in enumerate(found):
            yield _change(tree, node, new, 1 + rank * 0.8)


def _names(
    tree: SourceTree, nodes: Sequence[Node], target: EditTarget, table: Edits
) -> Iterator[TabledEdit]:
    used = [n for n in nodes if n.type in table.names]
    own = target.name.rpartition(".")[2]
    counts = Counter(text_of(tree, n) for n in used)
    common = [name for name in counts if name != own]
    common.sort(key=lambda name: -counts[name])
    for node in used:
        text = text_of(tree, node)
        others = [name for name in common if text not in (name, own)][:_NAMES]
        for rank, name in enumerate(others):
            yield _change(tree, node, name, 3.0 + rank * 0.5)


def _properties(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    everywhere = Counter(text_of(tree, n) for n in walk(tree.root) if n.type in table.properties)
    common = [name for name, _ in everywhere.most_common(2 * _NAMES)]
    for node in nodes:
        if node.type in table.properties:
            others = [name for name in common if name != text_of(tree, node)]
            for rank, name in enumerate(others):
                yield _change(tree, node, name, 4.5 + rank * 0.5)


def _literals(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    held = [n for n in nodes if n.type in table.literals]
    texts = list(dict.fromkeys(text_of(tree, n) for n in held))
    for node in held:
        text = text_of(tree, node)
        quote = text[:1]
        others = [each for each in texts if each != text][:_NAMES]
        others += [q for q in (quote * 2, f"{quote} {quote}") if q != text and q not in others]
        for rank, other in enumerate(others):
            yield _change(tree, node, other, 3.5 + rank * 0.5)


def _swapped(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    for node in nodes:
        items = [n for n in node.named_children if not n.is_extra]
        if node.type not in table.arguments or not 2 <= len(items) <= 5:
            continue
        for one, other in pairwise(items):
            between = tree.decode(Span(one.end_byte, other.start_byte))
            text = text_of(tree, other) + between + text_of(tree, one)
            span = Span(one.start_byte, other.end_byte)
            yield TabledEdit(span, text, "arguments swapped", 1.5)


def _deleted(tree: SourceTree, nodes: Sequence[Node], table: Edits) -> Iterator[TabledEdit]:
    for node in nodes:
        if node.type in table.statements:
            note = f"without {_short(text_of(tree, node))}"
            yield TabledEdit(_span(node), "", note, 5.0)
