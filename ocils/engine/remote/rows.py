"""The rows of a remote answer: pieces in, replies out. Pure.

Not covered: bytes and events (``answers.py``).
"""

from __future__ import annotations

import msgspec

from ocils.domain.model import Chat, Infill, Manifest, Prompt, Reply, Sampling
from ocils.engine.remote.answers import Piece, Rubbish
from ocils.engine.rows import Row

_LONGEST = 64  # characters a token; what is longer on the whole was not asked for
_GUESS = -0.25  # a token's log-probability where none is told: about what a model thinks of itself
_CHARACTERS_A_TOKEN = 3.5


class Rows:
    """Collects one answer's rows. Mutable, used by one task."""

    def __init__(self, prompt: Prompt, sampling: Sampling, count: int, manifest: Manifest) -> None:
        self.stops = tuple(filter(None, dict.fromkeys((*prompt.stop, *manifest.stop))))
        self._opening = prompt.opening if isinstance(prompt, Chat) else ""
        self._most = sampling.tokens * _LONGEST
        infill = manifest.infill
        ends = (*self.stops, *((infill.end,) if infill and isinstance(prompt, Infill) else ()))
        max_lines = prompt.max_lines if isinstance(prompt, Infill) else 0
        leading = infill is not None and infill.form == "lines"
        tail = prompt.old_tail if isinstance(prompt, Chat) else ""
        self._rows = [_Row(number, ends, max_lines, leading, tail) for number in range(count)]

    @property
    def seen(self) -> int:
        """How many rows there was anything of."""
        return sum(row.seen for row in self._rows)

    @property
    def unfinished(self) -> bool:
        """Whether a row began and did not end."""
        return any(row.seen and not row.done for row in self._rows)

    @property
    def complete(self) -> bool:
        """Whether every row has ended, so that nothing more is waited for."""
        return all(row.done for row in self._rows)

    def take(self, piece: Piece) -> Reply | None:
        """Take a piece; return the reply that it ends. Raises ``Rubbish`` for what nobody asked for."""
        if piece.row >= len(self._rows):
            raise Rubbish(
                f"a row of the number {piece.row}, where {len(self._rows)} were asked for"
            )
        row = self._rows[piece.row]
        if row.done:
            return None
        if row.size + len(piece.text) > self._most:
            raise Rubbish("more than anybody asked for")
        reply = row.take(piece)
        if reply is None or not self._opening:
            return reply
        # Some servers repeat what they were to go on from.
        return msgspec.structs.replace(reply, text=reply.text.removeprefix(self._opening))


class _Row:
    """One row; its stop rules are those of a model in this process, with pieces for tokens."""

    def __init__(
        self, number: int, stops: tuple[str, ...], max_lines: int, leading: bool, old_tail: str
    ) -> None:
        self._pieces: list[str] = []
        self._row = Row(number, self._text, stops, max_lines, leading, old_tail)
        self._told = True
        self.size = 0
        self.seen = False

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._row.finish is not None

    def take(self, piece: Piece) -> Reply | None:
        """Take a piece; return the reply that it ends."""
        self.seen = True
        if piece.text:
            self._pieces.append(piece.text)
            self.size += len(piece.text)
            self._told = self._told and piece.logprob is not None
            last = piece.finish == "length"
            self._row.take(len(self._pieces) - 1, piece.logprob or 0.0, False, last)
        if piece.finish and not self.done:
            # Most servers say why a reply ended in a last piece that holds no more text.
            self._pieces.append("")
            logprob = 0.0 if piece.text else piece.logprob or 0.0
            self._row.take(len(self._pieces) - 1, logprob, piece.finish == "stop", True)
        if not self.done:
            return None
        reply = self._row.reply()
        tokens = max(1, round(len(reply.text) / _CHARACTERS_A_TOKEN))
        if not self._told:
            return msgspec.structs.replace(reply, tokens=tokens, logprob=_GUESS * tokens)
        return msgspec.structs.replace(reply, tokens=tokens)

    def _text(self, numbers: list[int]) -> str:
        return "".join(self._pieces[number] for number in numbers)
