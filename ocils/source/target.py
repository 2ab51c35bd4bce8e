"""From a cursor or a name to an edit target: the door to ``tree``, ``functions`` and ``cursor``.

Not covered: choosing among definitions of one name that ``if`` or ``try`` decide between when the
program runs; the last one is taken, overloads and property setters aside.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.errors import TargetNotFound
from ocils.domain.target import EditTarget
from ocils.domain.text import Span
from ocils.source import queried
from ocils.source.cursor import locate
from ocils.source.functions import targets
from ocils.source.lines import codec_of
from ocils.source.tree import SourceTree

__all__ = [
    "SourceTree",
    "TestName",
    "locate",
    "locate_name",
    "relocate",
    "targets",
    "test_ids",
]


class TestName(Value, frozen=True):
    """A test function: its node id without parameters, where its name stands, its 1-based line."""

    __test__ = False  # pytest would otherwise try to collect a class of this name

    test: str
    span: Span
    line: int


def test_ids(tree: SourceTree, relative_path: str) -> tuple[TestName, ...]:
    """Return the file's tests in text order, as ``relative_path::Class::test_name``.

    In a language that comes as data, as ``relative_path::group > name``.
    """
    if (grammar := queried.grammar_of(tree)) is not None:
        return tuple(
            TestName(f"{relative_path}::{' > '.join(e.names)}", e.name, tree.line_of(e.name.start))
            for e in queried.tests(tree, grammar)
        )
    found = []
    for target in targets(tree):
        if target.is_test:
            span = _name_span(tree, target)
            node_id = "::".join([relative_path, *target.name.split(".")])
            found.append(TestName(node_id, span, tree.line_of(span.start)))
    return tuple(found)


# The name reads like a test to pytest wherever it is imported; this says that it is none.
test_ids.__test__ = False  # type: ignore[attr-defined]


def _name_span(tree: SourceTree, target: EditTarget) -> Span:
    text = tree.document.data[target.span.start : target.body.start]
    name = target.name.rpartition(".")[2].encode(codec_of(tree.document), "replace")
    # A word's end is of no use here: to a pattern of bytes "é" is no letter.
    found = list(re.finditer(rb"\bdef\s+(" + re.escape(name) + rb")(?=[\s(\[\\])", text))
    if not found:
        return Span(target.span.start, target.span.start)
    return Span(target.span.start + found[-1].start(1), target.span.start + found[-1].end(1))


def locate_name(tree: SourceTree, name: str) -> EditTarget:
    """Return the function called ``name``: ``Class.method``, or its last parts when only one fits.

    ``Class::method`` and ``outer.<locals>.inner`` are understood. Of several definitions of one
    qualified name the last counts, except overloads and a property's setters and deleters.

    Raises ``TargetNotFound``: none (with near names) or several (with all of them).
    """
    wanted = name.replace("::", ".").replace(".<locals>", "").strip().strip(".")
    known = targets(tree)
    fitting = [t for t in known if t.name == wanted]
    if not fitting:
        fitting = [t for t in known if wanted and t.name.endswith("." + wanted)]
    names = list(dict.fromkeys(t.name for t in fitting))
    if len(names) > 1:
        places = ", ".join(f"{t.name} (line {t.first_line})" for t in fitting[:8])
        more = f" and {len(fitting) - 8} more" if len(fitting) > 8 else ""
        raise TargetNotFound(
            f"several functions are called {wanted}: {places}{more}", mend="give the full name"
        )
    if fitting:
        return _effective(tree, fitting)
    raise _no_such(tree, wanted, [t.name for t in known])


def _effective(tree: SourceTree, same: Sequence[EditTarget]) -> EditTarget:
    aside = re.compile(rb"@\s*[\w.]*\b(overload\b|setter\b|deleter\b)")
    plain = [t for t in same if not aside.match(tree.text, t.span.start)]
    return (plain or same)[-1]


def _no_such(tree: SourceTree, wanted: str, names: list[str]) -> TargetNotFound:
    file = tree.document.path.rpartition("/")[2]
    if not names:
        return TargetNotFound(f"no function called {wanted}: {file} has none at all")
    short = {n.rpartition(".")[2]: n for n in names}
    last = wanted.rpartition(".")[2]
    near = difflib.get_close_matches(wanted, names, n=3) + [
        short[s] for s in difflib.get_close_matches(last, list(short), n=3)
    ]
    offered = list(dict.fromkeys(near))[:4]
    if offered:
        return TargetNotFound(
            f"no function called {wanted} in {file}", mend="did you mean " + " or ".join(offered)
        )
    some = ", ".join(names[:8]) + (" and others" if len(names) > 8 else "")
    return TargetNotFound(f"no function called {wanted} in {file}", mend=f"it has {some}")


def relocate(tree: SourceTree, target: EditTarget) -> EditTarget | None:
    """Return the same function after the text moved, or None when its name is gone.

    Of several definitions of the name, one with the same text is taken, else the nearest.
    """
    same = [t for t in targets(tree) if t.name == target.name and t.kind == target.kind]
    if not same:
        return None
    return min(same, key=lambda t: (t.hash != target.hash, abs(t.span.start - target.span.start)))
