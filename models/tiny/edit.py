"""One edit of a function's text: a value, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """Replace text[start:end], a span of one line, by `new`."""

    start: int
    end: int
    new: str
    kind: str

    def apply(self, text: str) -> str:
        """The text with this edit made."""
        return text[: self.start] + self.new + text[self.end :]
