"""Which attempt came furthest, and which of several greens to offer.

Not covered: whether a green is true (``green.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import assert_never

from ocils.domain.judging import Broken, Failed, Killed, Passed, TimedOut, Unjudged, Verdict
from ocils.domain.session import Candidate, Judged


def merit(verdict: Verdict) -> tuple[int, float]:
    """Order verdicts: the class first (passed, failed, ended, broken, unjudged), then how many passed.

    StepCoder's reward classes, with RLTF's pass ratio breaking ties; counts rather than ratios,
    because a run that stops early reports only what it reached.
    """
    match verdict:
        case Passed(cases=cases):
            return 5, float(len(cases))
        case Failed(cases=cases):
            ran = all(case.kind in ("", "assertion") for case in cases if not case.passed)
            return 4 if ran else 3, float(sum(case.passed for case in cases))
        case TimedOut(cases=cases) | Killed(cases=cases):
            return 2, float(sum(case.passed for case in cases))
        case Broken():
            return 1, 0.0
        case Unjudged():
            return 0, 0.0
        case _:
            assert_never(verdict)


def furthest(attempts: Iterable[Judged]) -> Judged | None:
    """Return the attempt that came furthest; the likelier of equals; None of none.

    A suspicious one comes last, whatever it reached: nothing is to be learnt from it.
    """
    return max(
        attempts,
        key=lambda j: (not j.suspicious, merit(j.verdict), j.candidate.logprob),
        default=None,
    )


def cost(candidate: Candidate, old: str, new: str) -> float:
    """Tell how far a green is from what one would expect; the smallest is offered.

    The number of changed words plus the negative log-probability of what was written: near to the
    original and likely. ``old`` and ``new`` are the target's texts.
    """
    before, after = old.split(), new.split()
    same = sum(
        block.size
        for block in difflib.SequenceMatcher(None, before, after, False).get_matching_blocks()
    )
    return len(before) + len(after) - 2 * same - candidate.logprob
