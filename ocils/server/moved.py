"""Where lines and bytes of an older text are in a newer one, or that they are gone.

Not covered: lines that were cut here and pasted there across other unchanged ones; they count as
gone. Functions are found again by name instead (``ocils.source.target.relocate``).
"""

from __future__ import annotations

import difflib
from bisect import bisect_right

from ocils.domain.text import Span


class Moved:
    """The way from ``old`` to ``new``, by whole lines, as Python ends them."""

    __slots__ = ("_blocks", "_new", "_old", "new", "old")

    def __init__(self, old: bytes, new: bytes) -> None:
        self.old = old
        self.new = new
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
        self._blocks = [] if old == new else _matching(before, after)
        self._old = _starts(before)
        self._new = _starts(after)

    def line(self, number: int) -> int | None:
        """Return where the 1-based line is now, None when it was changed or removed."""
        if self.old == self.new:
            return number
        for start, there, size in self._blocks:
            if start <= number - 1 < start + size:
                return number - start + there
        return None

    def lines(self, first: int, last: int) -> tuple[int, int] | None:
        """Return where the lines from ``first`` to ``last`` are, None unless all are unchanged."""
        moved = [self.line(number) for number in range(first, last + 1)]
        if not moved or moved[0] is None or moved[-1] is None:
            return None
        return (
            (moved[0], moved[-1]) if moved == list(range(moved[0], moved[0] + len(moved))) else None
        )

    def span(self, span: Span) -> Span | None:
        """Return where the bytes are, None unless every line that they touch is unchanged.

        An insertion at a line's very start may also lean on the line before it.
        """
        if self.old == self.new:
            return span
        first = bisect_right(self._old, span.start)
        last = max(first, bisect_right(self._old, span.end - 1 if len(span) else span.end))
        found = self.lines(first, last)
        if found is not None:
            shift = self._new[found[0] - 1] - self._old[first - 1]
            return Span(span.start + shift, span.end + shift)
        if not len(span) and first > 1 and self._old[first - 1] == span.start:
            before = self.line(first - 1)
            if before is not None:
                return Span(self._new[before], self._new[before])
        return None


def _starts(lines: list[bytes]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts


def _matching(before: list[bytes], after: list[bytes]) -> list[tuple[int, int, int]]:
    """Return the blocks of equal lines; equal heads and tails are taken off first, for speed."""
    short = min(len(before), len(after))
    head = next((i for i in range(short) if before[i] != after[i]), short)
    rest = short - head
    tail = next((i for i in range(rest) if before[-1 - i] != after[-1 - i]), rest)
    matcher = difflib.SequenceMatcher(
        None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False
    )
    middle = [(a + head, b + head, n) for a, b, n in matcher.get_matching_blocks() if n]
    end = (len(before) - tail, len(after) - tail, tail)
    return [block for block in ((0, 0, head), *middle, end) if block[2]]
