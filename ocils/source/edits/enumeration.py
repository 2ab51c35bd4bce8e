"""All families over all nodes of the asked lines, checked, told apart, in order.

Not covered: which edit is right. The order is a rule of thumb; a model's likelihood is better.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from tree_sitter import Node, Point

from ocils.domain.base import Value
from ocils.domain.errors import StaleTarget
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Document, Edit, Span
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, Language
from ocils.source.edits import (
    added,
    borrowed,
    calls,
    constants,
    expressions,
    names,
    operators,
    restored,
    statements,
)
from ocils.source.edits.scope import Change, Scope, scope_of
from ocils.source.edits.tabled import edits_of, lines_after, tabled
from ocils.source.edits.units import Unit, compiles, dump, silliness, unit_of
from ocils.source.lines import agreement, decode, split
from ocils.source.splice import replace_rows
from ocils.source.tree import SourceTree, line_starts, parse, walk

Family = Callable[[Node, Scope], Iterator[Change]]

MOST = 400
"""More edits than this are never returned; the costliest are left out."""


class SmallEdit(Value, frozen=True):
    """One small edit: ``lines`` (full, without newlines) go where the file's ``hole`` is.

    ``edits`` say the same in the fewest bytes. ``note`` names the change in a few words. ``cost``
    grows the rarer the bug is that such an edit undoes, whatever the code (0 to about 8).
    """

    hole: Hole
    lines: tuple[str, ...]
    edits: tuple[Edit, ...]
    note: str
    cost: float = 0.0


def families() -> tuple[Family, ...]:
    """Return every family of small edits."""
    return (
        operators.comparisons,
        operators.booleans,
        operators.negations,
        operators.arithmetic,
        operators.assignments,
        operators.signs,
        operators.truth,
        constants.truth_values,
        constants.integers,
        constants.floats,
        constants.strings,
        constants.containers,
        names.variables,
        names.attributes,
        names.callees,
        expressions.offsets,
        expressions.sign_flips,
        expressions.subscripts,
        expressions.slices,
        expressions.branches,
        expressions.order,
        expressions.filters,
        calls.arguments,
        calls.more_arguments,
        calls.unwrap,
        calls.wrap,
        restored.conditions,
        restored.operands,
        borrowed.exchanged,
        borrowed.beside,
        borrowed.conditions,
        borrowed.arguments,
        borrowed.methods,
        statements.jumps,
        statements.returns,
        statements.deletions,
        statements.moves,
        added.added,
        added.opened,
    )


def small_edits(
    document: Document, target: EditTarget, lines: Sequence[int], most: int = MOST
) -> tuple[SmallEdit, ...]:
    """Return small syntax-tree edits of the target that touch ``lines`` (1-based, of the file).

    All parse, all differ from the text and from one another as syntax trees; the order is the same
    for the same text, likely ones first; at most ``most``. A target that does not parse has none.
    Those of a language that comes as data differ as texts, and some may not parse.

    Raises ``StaleTarget`` when the target is not in the document.
    """
    name = shelf.language_of(document.path, document.language)
    if name != PYTHON and (known := shelf.language(name)) is not None:
        return _tabled_edits(document, target, known, lines, most)
    subject = _Subject.of(document, target)
    if subject is None:
        return ()
    rows = frozenset(n - target.first_line for n in lines)
    found = sorted(subject.changes(rows), key=lambda c: (c[0].cost, c[0].span.start, c[0].text))
    edits: list[SmallEdit] = []
    seen: set[tuple[int, str]] = set(subject.own_keys())
    for each, unit in found:
        if len(edits) >= most:
            break
        new = subject.source[: each.span.start] + each.text + subject.source[each.span.end :]
        key = subject.key(each, unit, new)
        if key is None or key in seen:
            continue
        edit = subject.small_edit(new.decode("utf-8", "surrogateescape"), each)
        if edit is None:
            continue
        seen.add(key)
        edits.append(edit)
    return tuple(edits)


def _tabled_edits(
    document: Document, target: EditTarget, known: Language, lines: Sequence[int], most: int
) -> tuple[SmallEdit, ...]:
    if target.span.end > len(document.data):
        raise StaleTarget(f"{target.name} ends behind the end of the text")
    if known.grammar is None or known.edits is None:
        return ()
    tree = SourceTree.of(document)
    found = sorted(
        tabled(tree, target, known.edits, lines), key=lambda e: (e.cost, e.span.start, e.text)
    )
    edits: list[SmallEdit] = []
    seen: set[tuple[Hole, tuple[str, ...]]] = set()
    for each in found:
        if len(edits) >= most:
            break
        hole, new = lines_after(tree, each)
        old = tuple(tree.decode(Span(s, s + len(tree.line_text(n)))) for n, s in _rows(tree, hole))
        if new != old and (hole, new) not in seen:
            seen.add((hole, new))
            edits.append(SmallEdit(hole, new, edits_of(tree, each), each.note, each.cost))
    return tuple(edits)


def _rows(tree: SourceTree, hole: Hole) -> Iterator[tuple[int, int]]:
    return ((line, tree.starts[line - 1]) for line in range(hole.first, hole.last + 1))


class _Subject:
    """A target's lines as UTF-8, their tree, and what is needed to check a change of them."""

    def __init__(
        self, document: Document, target: EditTarget, text: str, starts: list[int], function: Node
    ) -> None:
        self.source = text.encode("utf-8", "surrogateescape")
        self._document = document
        self._target = target
        self._starts = starts
        self._old = text.split("\n")
        self._wrap = "if 1:\n{}" if target.indent else "{}"
        self._strict = compiles(self._wrap.format(text))
        self._function = function
        self._rows = line_starts(self.source)
        self._own: dict[Unit, str | None] = {}
        self._scope = scope_of(function, self.source, *_surroundings(document, target))

    @classmethod
    def of(cls, document: Document, target: EditTarget) -> _Subject | None:
        starts, size = line_starts(document.data), len(document.data)
        if target.span.end > size or target.last_line > len(starts):
            raise StaleTarget(f"{target.name} ends behind the end of the text")
        first = starts[target.first_line - 1]
        end = starts[target.last_line] if target.last_line < len(starts) else size
        text = "\n".join(split(decode(document, Span(first, end)))).rstrip("\n")
        root = parse(text.encode("utf-8", "surrogateescape")).root_node
        function = next((n for n in walk(root) if n.type == "function_definition"), None)
        if root.has_error or function is None:
            return None
        return cls(document, target, text, starts, function)

    def changes(self, rows: frozenset[int]) -> Iterator[tuple[Change, Unit | None]]:
        """Yield the raw changes that touch ``rows`` (0-based), each with its unit."""
        every = families()
        whole = self._function.parent
        top = (
            whole if whole is not None and whole.type == "decorated_definition" else self._function
        )
        stack: list[tuple[Node, Unit | None]] = [(top, None)]
        while stack:
            node, outer = stack.pop()
            if rows.isdisjoint(range(node.start_point.row, node.end_point.row + 1)):
                continue
            unit = unit_of(node, outer)
            for family in every:
                for each in family(node, self._scope):
                    if self._touches(each.span, rows):
                        yield each, unit
            if node.type not in ("string", "comment", "type"):
                stack.extend((child, unit) for child in reversed(node.children))

    def _touches(self, span: Span, rows: frozenset[int]) -> bool:
        first = bisect_right(self._rows, span.start) - 1
        last = bisect_right(self._rows, max(span.start, span.end - 1)) - 1
        return not rows.isdisjoint(range(first, last + 1))

    def own_keys(self) -> Iterator[tuple[int, str]]:
        """Yield the keys of the text as it is, units aside; they are added when first met."""
        whole = dump(self._wrap.format("\n".join(self._old)))
        if whole is not None:
            yield -1, whole

    def key(self, each: Change, unit: Unit | None, new: bytes) -> tuple[int, str] | None:
        """Return what tells the changed syntax tree from others, None when there is none."""
        span = unit.span if unit is not None else Span(0, 0)
        if each.whole or unit is None or each.span.start < span.start or each.span.end > span.end:
            text = self._wrap.format(new.decode("utf-8", "surrogateescape"))
            if self._strict and not compiles(text):
                return None
            tree = dump(text)
            return (-1, tree) if tree is not None else None
        if unit not in self._own:
            self._own[unit] = unit.dump(self.source[span.start : span.end])
        grown = len(each.text) - len(each.span)
        tree, own = unit.dump(new[span.start : span.end + grown]), self._own[unit]
        if tree is None or tree == own or silliness(tree) > silliness(own or ""):
            return None
        return span.start, tree

    def small_edit(self, new: str, each: Change) -> SmallEdit | None:
        """Return the edit that makes the target's lines ``new``, or None when they are."""
        now = new.rstrip("\n").split("\n")
        head = agreement(self._old, now)
        tail = agreement(self._old[head:][::-1], now[head:][::-1])
        if head == len(self._old) == len(now):
            return None
        # What is put between two lines is seen as a change of the one before: its likelihood to
        # stand alone says whether something is missing.
        if head and head + tail == len(self._old):
            head -= 1
        first = self._target.first_line
        hole = Hole(first + head, first + len(self._old) - tail - 1)
        lines = tuple(now[head : len(now) - tail])
        edits = replace_rows(self._document, self._starts, hole, lines)
        return SmallEdit(hole, lines, edits, each.note, each.cost) if edits else None


def _surroundings(document: Document, target: EditTarget) -> tuple[Node, Node | None]:
    """Return the file's root as UTF-8 and the class around the target."""
    text = "\n".join(split(decode(document, Span(0, len(document.data)))))
    module = parse(text.encode("utf-8", "surrogateescape")).root_node
    if target.kind != "method":
        return module, None
    at = Point(target.first_line - 1, len(target.indent))
    node: Node | None = module.descendant_for_point_range(at, at)
    while node is not None and node.type != "class_definition":
        node = node.parent
    return module, node
