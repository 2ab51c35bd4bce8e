"""The syntax gate of a language that comes as data: what its manifest watches, counted.

Not covered: names that are put together at run time, and what a name is bound to: a variable called
``process`` is taken for the process.
"""

from __future__ import annotations

from collections import Counter

from ocils.domain.text import Document
from ocils.languages.manifest import Suspects
from ocils.source.tree import SourceTree, walk


def new_watched(
    before: Document, after: Document, suspects: Suspects, *, tests: bool
) -> tuple[str, ...]:
    """Return what ``after`` does that ``before`` did not, in words for people."""
    old, new = _count(before, suspects, tests), _count(after, suspects, tests)
    return tuple(
        f"uses `{text}`: {why}"
        for (text, why), count in new.items()
        if count > old.get((text, why), 0)
    )


def _count(document: Document, suspects: Suspects, tests: bool) -> Counter[tuple[str, str]]:
    tree = SourceTree.of(document)
    found: Counter[tuple[str, str]] = Counter()
    watched = [each for each in suspects.watched if not (tests and each.in_tests)]
    for node in walk(tree.root):
        for each in watched:
            if node.is_named and node.type in each.kinds:
                text = (node.text or b"").decode("utf-8", "replace")
                if text in each.texts:
                    found[text, each.texts[text]] += 1
    return found
