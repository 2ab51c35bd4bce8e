"""Shares, intervals and curves out of tasks' outcomes; pure.

Not covered: how they are written (``report``, ``plot``).
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

from ocils.bench.solve import Solved
from ocils.domain.base import Value

SECONDS = (5.0, 10.0, 20.0, 60.0)
_Z = 1.959964  # of a 95 % interval
_DRAWS = 4000


class Share(Value, frozen=True, omit_defaults=False):
    """``count`` of ``of``, and Wilson's 95 % interval of the share that it stands for."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing is 0."""
        return self.count / self.of if self.of else 0.0


class Summary(Value, frozen=True, omit_defaults=False):
    """What a measurement amounts to.

    ``within`` maps numbers of candidates to the share of tasks that were green by then, ``turns``
    numbers of turns, ``seconds`` numbers of seconds. ``visible`` is the share that was green by the
    tests that the search saw, ``plausible`` how many of those all tests rejected. ``judging_share``
    is seconds waiting for verdicts over seconds generating and scoring; None when nothing was.
    ``one_test`` tasks had nothing to hold out.
    """

    tasks: int
    within: dict[int, Share]
    turns: dict[int, Share]
    seconds: dict[int, Share]
    visible: Share
    plausible: Share
    same: int
    suspicious: int
    unjudged: int
    one_test: int
    judged: int
    median_seconds_to_green: float | None
    judging_share: float | None
    judging_seconds: float
    generating_seconds: float
    confirming_seconds: float

    @property
    def green(self) -> Share:
        """The share that was green within all candidates."""
        return self.within[max(self.within)]

    @property
    def pass_at_1(self) -> Share:
        """The share whose first candidate was green."""
        return self.within[1]


def share(count: int, of: int) -> Share:
    """Return a share with Wilson's interval."""
    if not of:
        return Share(0, 0, 0.0, 1.0)
    p = count / of
    square = _Z * _Z / of
    middle = (p + square / 2) / (1 + square)
    half = _Z * math.sqrt(p * (1 - p) / of + square / (4 * of)) / (1 + square)
    return Share(count, of, round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4))


def counts(most: int) -> tuple[int, ...]:
    """Return the numbers of candidates that are reported: powers of two up to ``most``, and it."""
    powers = [2**n for n in range(most.bit_length()) if 2**n < most]
    return (*powers, max(1, most))


def summary(results: Sequence[Solved], candidates: int) -> Summary:
    """Count what came of tasks that were given ``candidates`` candidates each."""
    of = len(results)
    green = [each for each in results if each.outcome == "green"]
    offered = [each for each in results if each.outcome in ("green", "plausible")]
    turns = sorted({1, 2, max((each.turn for each in green), default=1)})
    judging = sum(each.judging for each in results)
    generating = sum(each.generating for each in results)
    return Summary(
        tasks=of,
        within={k: share(sum(each.at <= k for each in green), of) for k in counts(candidates)},
        turns={n: share(sum(each.turn <= n for each in green), of) for n in turns},
        seconds={int(s): share(sum(each.seconds <= s for each in green), of) for s in SECONDS},
        visible=share(len(offered), of),
        plausible=share(len(offered) - len(green), len(offered)),
        same=sum(each.same for each in green),
        suspicious=sum(each.outcome == "suspicious" for each in results),
        unjudged=sum(each.outcome == "unjudged" for each in results),
        one_test=sum(each.tests == 1 for each in results),
        judged=sum(each.judged for each in results),
        median_seconds_to_green=(
            round(statistics.median(each.seconds for each in green), 1) if green else None
        ),
        judging_share=round(judging / generating, 3) if generating else None,
        judging_seconds=round(judging, 1),
        generating_seconds=round(generating, 1),
        confirming_seconds=round(sum(each.confirming for each in results), 1),
    )


class Difference(Value, frozen=True, omit_defaults=False):
    """How much larger one share is than another on the same tasks, with a 95 % bootstrap interval.

    ``won`` tasks only the first mended, ``lost`` only the second.
    """

    value: float
    low: float
    high: float
    won: int
    lost: int
    of: int


def difference(one: Sequence[Solved], other: Sequence[Solved], within: int) -> Difference:
    """Compare two measurements task by task; a task that only one of them has is left out."""
    theirs = {each.task: _green(each, within) for each in other}
    pairs = [(_green(each, within), theirs[each.task]) for each in one if each.task in theirs]
    gains = [int(a) - int(b) for a, b in pairs]
    if not gains:
        return Difference(0.0, -1.0, 1.0, 0, 0, 0)
    drawing = random.Random(0)  # noqa: S311 - the same interval each time
    means = sorted(sum(drawing.choices(gains, k=len(gains))) / len(gains) for _ in range(_DRAWS))
    return Difference(
        round(sum(gains) / len(gains), 4),
        round(means[int(0.025 * _DRAWS)], 4),
        round(means[int(0.975 * _DRAWS)], 4),
        sum(gain > 0 for gain in gains),
        sum(gain < 0 for gain in gains),
        len(gains),
    )


def _green(each: Solved, within: int) -> bool:
    return each.outcome == "green" and each.at <= within
