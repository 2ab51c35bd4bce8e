"""One row of a generation: tokens in, text out, and when to stop. Pure.

Not covered: telling equal replies apart; that is the loop's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ocils.domain.model import Reply
from ocils.engine.in_step import rest_of

# Decoding a few tokens back gives the decoder what it needs to know about spaces and bytes.
_INCOMPLETE = "�"


class Part(NamedTuple):
    """More of a reply that is still being drawn: its text, and its tokens' log-probability."""

    row: int
    text: str
    logprob: float


class Row:
    """Collects the tokens of one reply.

    ``decode`` turns token ids into text. ``stop`` are strings that end the reply, left out of it.
    ``max_lines`` (0: any number) ends it after that many lines; in form "lines" every line starts
    with its newline (``leading``), else every line ends with it. Once the text runs in step with
    ``old_tail`` it ends, and the rest of the old tail is part of it.
    """

    def __init__(
        self,
        number: int,
        decode: Callable[[list[int]], str],
        stop: tuple[str, ...],
        max_lines: int,
        leading: bool,
        old_tail: str = "",
    ) -> None:
        self.finish: Literal["stop", "length", "cancelled"] | None = None
        self.number = number
        self._decode = decode
        self._stop = tuple(each for each in stop if each)
        self._newlines = max_lines + leading if max_lines else 0
        self._old_tail = old_tail
        self._ids: list[int] = []
        self._shown = 0
        self._base = 0
        self._text = ""
        self._logprob = 0.0
        self._count = 0
        self._told = 0
        self._told_logprob = 0.0

    @property
    def begun(self) -> bool:
        """Whether a part of it was told, which cannot be taken back."""
        return self._told > 0

    def take(self, token_id: int, logprob: float, is_end: bool, is_last: bool) -> bool:
        """Add a token; True when the reply is complete, ``finish`` then says why."""
        self._count += 1
        self._logprob += logprob
        if is_end:
            self.finish = "stop"
            return True
        self._ids.append(token_id)
        before = len(self._text)
        self._text += self._new_text()
        cut = self._cut(before)
        if cut is not None:
            self._text = self._text[:cut]
            self.finish = "stop"
        elif (whole := self._whole(before)) is not None:
            self._text = whole
            self.finish = "stop"
        elif is_last:
            self.finish = "length"
        return self.finish is not None

    def part(self) -> Part | None:
        """Return what is new since this was last asked; None where that may still be taken back."""
        held = (
            size
            for stop in self._stop
            for size in range(len(stop) - 1, 0, -1)
            if self._text.endswith(stop[:size])
        )
        end = len(self._text) - max(held, default=0)
        if end <= self._told:
            return None
        part = Part(self.number, self._text[self._told : end], self._logprob - self._told_logprob)
        self._told, self._told_logprob = end, self._logprob
        return part

    def reply(self) -> Reply:
        """The finished reply."""
        if self.finish is None:
            raise ValueError(f"row {self.number} is not finished")
        return Reply(self.number, self._text, self._logprob, self._count, self.finish)

    def _new_text(self) -> str:
        """Return what the newest token adds; "" while a character is still incomplete."""
        known = self._decode(self._ids[self._base : self._shown])
        text = self._decode(self._ids[self._base :])
        if len(text) <= len(known) or text.endswith(_INCOMPLETE):
            return ""
        self._base, self._shown = self._shown, len(self._ids)
        return text[len(known) :]

    def _whole(self, before: int) -> str | None:
        """Return the reply with the rest of the old tail, if its newest line is in step with it."""
        end = self._text.rfind("\n", before) + 1
        if not self._old_tail or not end:
            return None
        # A token may hold the end of a line and the start of the next, which has to agree too.
        begun = self._text[end:]
        rest = rest_of(self._text[:end], self._old_tail)
        return self._text[:end] + rest if rest is not None and rest.startswith(begun) else None

    def _cut(self, before: int) -> int | None:
        """Return where the text has to end, looking only at what can be new behind ``before``."""
        cuts = []
        for stop in self._stop:
            at = self._text.find(stop, max(0, before - len(stop) + 1))
            if at >= 0:
                cuts.append(at)
        if self._newlines and self._text.count("\n") >= self._newlines:
            at = -1
            for _ in range(self._newlines):
                at = self._text.index("\n", at + 1)
            cuts.append(at)
        return min(cuts, default=None)
