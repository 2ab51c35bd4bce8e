"""One bug judged both ways: what each said, and whether that is the same.

Not covered: how the runs are made (``agreement.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

from ocils.bench.plain.run import Plain
from ocils.domain.base import Value
from ocils.domain.judging import Broken, Failed, Killed, Passed, TestId, TimedOut, Verdict

GOOD = ("passed", "xfailed", "xpassed")
"""Outcomes that count as green for a test that was asked for; a skip does not."""


class Compared(Value, frozen=True):
    """One mutant, judged both ways.

    ``warm`` and ``host`` are what came of it: "passed", "failed", "broken", "timed out", "killed",
    "unjudged". ``different`` lists the tests with another outcome: (test, warm, host), "" for not
    reported. ``false_green``: the warm verdict is Passed, and the host saw anything else.
    ``drawn`` holds what two further plain runs said where the first one disagreed, when they do not
    agree among themselves: the mutant, or the project, draws lots.
    """

    project: str
    mutant: str
    path: str
    function: str
    operator: str
    tests: int
    level: str
    warm: str
    host: str
    warm_seconds: float
    host_seconds: float
    different: tuple[tuple[str, str, str], ...] = ()
    drawn: tuple[str, ...] = ()

    @property
    def false_green(self) -> bool:
        """Whether a green was given that is none."""
        return self.warm == "passed" and self.host != "passed" and not self.drawn

    @property
    def agrees(self) -> bool:
        """Whether both ways say the same, test by test.

        Without a report, ends come in several words for one thing: what breaks pytest itself ends
        the one way and not the other, and what eats memory meets a container's limit first.
        """
        if self.warm == self.host:
            return not self.different
        return {self.warm, self.host} in ({"broken", "killed"}, {"killed", "timed out"})


def different(
    verdict: Verdict, run: Plain, ids: Iterable[TestId]
) -> tuple[tuple[str, str, str], ...]:
    """List the tests whose outcomes differ, where both ways came to an end of their own."""
    if not isinstance(verdict, Passed | Failed) or run.status is None:
        return ()
    warm = {case.test: case.outcome for case in verdict.cases}
    found = []
    for test in ids:
        one, two = str(warm.get(test, "")), run.outcomes.get(test, "")
        if one != two:
            found.append((str(test), one, two))
    return tuple(found)


def name_of(verdict: Verdict) -> str:
    """Name a warm verdict in one word or two."""
    match verdict:
        case Passed():
            return "passed"
        case Failed():
            return "failed"
        case Broken():
            return "broken"
        case TimedOut():
            return "timed out"
        case Killed():
            return "killed"
        case _:
            return "unjudged"


def plain_name(run: Plain, ids: Iterable[TestId]) -> str:
    """Name what came of a plain run, for the tests that were asked for, in the same words."""
    if run.timed_out:
        return "timed out"
    if run.status is None:
        return "killed"
    if run.status not in (0, 1) or any(test not in run.collected for test in ids):
        return "broken"
    return "passed" if all(run.outcomes.get(test) in GOOD for test in ids) else "failed"
