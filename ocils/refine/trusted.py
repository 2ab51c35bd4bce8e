"""The prefix of a function that is kept while the rest is written anew: *extend*. Pure.

StepCoder's curriculum of completion, turned round: it begins with the longest prefix that can be
trusted, and each turn begins earlier. Trusted is what ran before the failure: what stands before
the innermost failing line, else before the last suspicious statement. The text is the original's, or
that of an attempt which came further.

Not covered: prompts, and what becomes of a reply (``extending.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.judging import CaseResult
from ocils.domain.target import EditTarget
from ocils.refine.localize import Suspect, body_line, holes


class Extension(Value, frozen=True):
    """A text (dedented), how many of its lines are kept, and how many stand up to the doubtful place.

    What follows the doubtful place is ``tail``: a reply that comes back to it has said what it had
    to say.
    """

    text: str
    keep: int
    upto: int

    @property
    def head(self) -> str:
        """The kept lines, the last one ended."""
        return "".join(f"{line}\n" for line in self.text.split("\n")[: self.keep])

    @property
    def tail(self) -> str:
        """The lines behind the doubtful place, the last one ended; may be empty."""
        return "".join(f"{line}\n" for line in self.text.split("\n")[self.upto :])


def extensions(text: str, target: EditTarget, doubtful: int) -> tuple[Extension, ...]:
    """Return the prefixes to go on from, the longest first.

    ``doubtful`` is a file line, as if ``text`` began at the target's first. About the square root
    of the number of statements before it are taken, evenly, down to none of the body.
    """
    first = target.first_line
    start = body_line(text, target)
    found = [hole for hole in holes(text, first) if start <= hole.first <= max(doubtful, start)]
    if not found:
        return ()
    upto = found[-1].last - first + 1
    starts = sorted({hole.first for hole in found})
    stages = math.isqrt(len(starts) - 1) + 1
    picked = [
        starts[-1 - round(at * (len(starts) - 1) / max(1, stages))] for at in range(stages + 1)
    ]
    return tuple(Extension(text, line - first, upto) for line in sorted(set(picked), reverse=True))


def doubtful_line(
    red: Sequence[CaseResult],
    target: EditTarget,
    lines: int,
    moved: int = 0,
    suspects: Sequence[Suspect] = (),
) -> int:
    """Return the first file line that cannot be trusted: where it failed, else the most suspicious.

    ``lines`` is how many the text has, ``moved`` by how many it stands lower than in the original.
    The earliest of several failures counts, and of the suspicious statements (at least half as much
    as the most suspicious one) the last: the longest prefix comes first.
    """
    last = target.first_line + lines - 1
    failed = []
    for case in red:
        inside = [
            frame.line - moved
            for frame in case.frames
            if frame.path == target.path and target.first_line < frame.line - moved <= last
        ]
        if not case.passed and inside:
            failed.append(inside[-1])
    if failed:
        return min(failed)
    worst = max((suspect.suspicion for suspect in suspects), default=0.0)
    return max((s.hole.first for s in suspects if s.suspicion >= worst / 2), default=last)
