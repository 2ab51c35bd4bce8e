"""A tree that was edited is the tree of the edited text, and an edit is cheap."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from ocils.domain.text import Document
from ocils.source.target import SourceTree, targets
from ocils.source.tree import changed_range, walk


def document(text: str) -> Document:
    return Document("/w/pkg/mod.py", text.encode(), 1)


def tree_of(text: str) -> SourceTree:
    return SourceTree.of(document(text))


PIECES = [
    "def f():\n",
    "    ",
    "\t",
    "\n",
    "\r\n",
    "return 1",
    "(",
    ")",
    '"""',
    "'",
    "x",
    " = ",
    "class A:\n",
    "#",
    "é",
    "😀",
    ":",
    "if x:\n",
    "@d\n",
    "async ",
    ",",
    "else:\n",
    "\r",
]
CODE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def shape(tree: SourceTree) -> list[tuple[str, int, int]]:
    return [(n.type, n.start_byte, n.end_byte) for n in walk(tree.root)]


@settings(max_examples=300, deadline=None)
@given(CODE, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10), CODE), max_size=6))
def test_an_edited_tree_is_the_tree_of_the_edited_text(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    tree = tree_of(text)
    for at, size, new in edits:
        text = text[:at] + new + text[at + size :]
        tree = tree.edited(document(text))
        fresh = tree_of(text)
        assert tree.broken == fresh.broken
        assert shape(tree) == shape(fresh)
        assert tree.errors() == fresh.errors()
        assert targets(tree) == targets(fresh)


def test_edits_of_a_real_file_give_the_same_tree() -> None:
    text = long_file(40)
    tree = tree_of(text)
    draw = random.Random(7)
    for _ in range(150):
        at = draw.randrange(len(text))
        size = draw.choice([0, 0, 1, 3, 30])
        text = text[:at] + draw.choice(PIECES) + text[at + size :]
        tree = tree.edited(document(text))
        assert shape(tree) == shape(tree_of(text))


@given(
    st.binary(max_size=30), st.binary(max_size=10), st.binary(max_size=10), st.binary(max_size=30)
)
def test_changed_range(head: bytes, one: bytes, other: bytes, tail: bytes) -> None:
    old, new = head + one + tail, head + other + tail
    start, old_end, new_end = changed_range(old, new)
    assert 0 <= start <= old_end <= len(old)
    assert old[:start] + new[start:new_end] + old[old_end:] == new


def long_file(functions: int) -> str:
    return "import os\n\n\n" + "".join(
        f"class C{n}:\n    '''Doc.'''\n\n    def m(self, a, b):\n        x = a + b\n        if x > {n}:\n"
        "            return foo(x)\n        return [i for i in range(b)]\n\n\n"
        for n in range(functions)
    )


def test_a_keystroke_in_a_long_file_is_cheap() -> None:
    text = long_file(1000).encode()
    assert text.count(b"\n") > 10_000
    tree = SourceTree.of(Document("/w/a.py", text))
    draw = random.Random(3)
    times = []
    for number in range(200):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice([b"x", b"(", b" ", b"\n", b":"]) + text[at:]
        if number % 3 == 2:
            text = text[:at] + text[at + 1 :]
        start = time.perf_counter()
        tree = tree.edited(Document("/w/a.py", text, number))
        times.append(time.perf_counter() - start)
    times.sort()
    print(f"keystroke: median {times[100] * 1e3:.2f} ms, p99 {times[197] * 1e3:.2f} ms")
    # The aim is 5 ms at the 99th percentile; tests run on busy machines, so the median is held.
    assert times[100] < 0.005
