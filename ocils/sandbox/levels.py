"""At which levels a workspace's candidates were judged, and why not at the fastest, for people.

Not covered: choosing a level (``inside/suite.py``, ``inside/swap.py``).
"""

from __future__ import annotations

from collections import Counter

from msgspec import structs

from ocils.domain.judging import Level, Unjudged, Verdict

NAMES: dict[Level, str] = {
    "L2": "in a collected suite",
    "L1": "with pytest loaded",
    "L0": "in a new process",
}


class Levels:
    """Counts; ``why_not_l2`` is the last candidate's reason, "" when it was judged at L2."""

    def __init__(self) -> None:
        self.why_not_l2 = ""
        self._counts: Counter[Level] = Counter()
        self._reasons: Counter[str] = Counter()

    def note(self, level: Level, why_not_l2: str) -> None:
        """Take in one candidate."""
        self.why_not_l2 = why_not_l2
        self._counts[level] += 1
        if why_not_l2:
            self._reasons[why_not_l2] += 1

    def told(self) -> str:
        """Say it in a line, with the most frequent reason; nothing before the first candidate."""
        if not self._counts:
            return ""
        counts = [f"{self._counts[each]} {NAMES[each]} ({each})" for each in NAMES]
        return ", ".join(text for text in counts if not text.startswith("0 "))

    def reasons(self) -> tuple[str, ...]:
        """Say why not at L2, the most frequent reasons first."""
        return tuple(f"{n} not at L2: {why}" for why, n in self._reasons.most_common(3))


def with_level(verdict: Verdict, level: Level) -> Verdict:
    """Write ``level`` into a verdict that has one."""
    return verdict if isinstance(verdict, Unjudged) else structs.replace(verdict, level=level)
