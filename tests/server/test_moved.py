"""Lines and bytes are found again, or known to be gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.text import Span
from ocils.server.moved import Moved

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "d\n", "e"]), max_size=12)


@given(LINES, LINES)
def test_a_line_that_is_found_is_the_same_line(old: list[str], new: list[str]) -> None:
    before, after = "".join(old).encode(), "".join(new).encode()
    moved = Moved(before, after)
    old_lines, new_lines = before.splitlines(True), after.splitlines(True)
    for number, line in enumerate(old_lines, 1):
        there = moved.line(number)
        if there is not None:
            assert new_lines[there - 1] == line


@given(LINES, LINES, st.integers(0, 20), st.integers(0, 20))
def test_bytes_that_are_found_are_the_same_bytes(
    old: list[str], new: list[str], start: int, length: int
) -> None:
    before, after = "".join(old).encode(), "".join(new).encode()
    start = min(start, len(before))
    span = Span(start, min(start + length, len(before)))
    there = Moved(before, after).span(span)
    if there is not None:
        assert after[there.start : there.end] == before[span.start : span.end]


def test_lines_below_an_insertion_move() -> None:
    moved = Moved(b"a\nb\nc\n", b"new\na\nb\nmore\nc\n")
    assert [moved.line(n) for n in (1, 2, 3)] == [2, 3, 5]
    assert moved.lines(1, 2) == (2, 3)
    assert moved.lines(2, 3) is None  # something came in between
    assert moved.span(Span(2, 4)) == Span(6, 8)


def test_a_changed_line_is_gone_and_its_neighbours_are_not() -> None:
    moved = Moved(b"a\nb\nc\n", b"a\nX\nc\n")
    assert [moved.line(n) for n in (1, 2, 3)] == [1, None, 3]
    assert moved.span(Span(1, 3)) is None


def test_an_insertion_may_lean_on_the_line_before() -> None:
    moved = Moved(b"import a\nx = 1\n", b"import a\ny = 2\n")
    assert moved.span(Span(9, 9)) == Span(9, 9)


def test_equal_texts_change_nothing() -> None:
    assert Moved(b"a", b"a").span(Span(0, 1)) == Span(0, 1)
    assert Moved(b"", b"").line(1) == 1
