"""Judging candidates in two stages, and keeping what came of them.

First only the red tests that reach the target, stopping at the first that stays red; whoever
passes is judged on every test that reaches the target. Most candidates fall in the first stage,
which costs a few milliseconds of testing.

Not covered: confirmation (``confirm.py``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Baseline, Passed, Plan, TestId, Verdict
from ocils.domain.session import Candidate, Judged
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox
from ocils.refine.baseline import time_limit
from ocils.refine.rank import furthest
from ocils.source.suspicious import suspicions

_FIRST = 8  # red tests judged first: enough to refute, few enough to be quick


class Judge:
    """Judges candidates of one session against its goals."""

    def __init__(
        self,
        snapshot: Snapshot,
        baseline: Baseline,
        goals: Sequence[TestId],
        sandbox: Sandbox,
        cancel: CancelToken,
    ) -> None:
        self._snapshot = snapshot
        self._sandbox = sandbox
        self._cancel = cancel
        seconds = {case.test: case.seconds for case in baseline.cases}
        ordered = sorted(goals, key=lambda t: (seconds.get(t, 0.0) > 1.0, _file(t)))
        first = tuple(ordered[:_FIRST])
        kept = {c.test for c in baseline.cases if c.passed}
        rest = [t for t in baseline.reaching if t in kept]
        every = (*ordered, *rest)
        self._plans = tuple(
            Plan(
                tests=tests,
                seconds=time_limit(baseline, len(tests), sum(seconds.get(t, 0) for t in tests)),
                stop_early=True,
            )
            for tests in ((first, every) if set(first) != set(every) else (first,))
        )

    async def __call__(self, candidate: Candidate) -> Judged:
        """Return the verdict of the first stage that refutes, or of the last.

        Whoever passes goes through the syntax gate; nobody else needs to.
        """
        verdict: Verdict | None = None
        for plan in self._plans:
            verdict = await self._sandbox.judge(self._snapshot, candidate.edits, plan, self._cancel)
            if not isinstance(verdict, Passed):
                break
        assert verdict is not None, "there is always a first stage"
        reasons: tuple[str, ...] = ()
        if isinstance(verdict, Passed):
            reasons = suspicions(self._snapshot, candidate.edits)
        return Judged(candidate, verdict, reasons)


class Attempts:
    """What was judged in one session; mutable, used by one task."""

    def __init__(self) -> None:
        self.count = 0
        self.best: Judged | None = None
        self.greens: list[Judged] = []
        self.suspicious: list[Judged] = []

    def add(self, judged: Judged) -> None:
        """Count an attempt and remember it if it came furthest or is green.

        One that passed and looks suspicious is set apart: it is not green by itself.
        """
        self.count += 1
        if judged.suspicious:
            self.suspicious.append(judged)
        elif isinstance(judged.verdict, Passed):
            self.greens.append(judged)
        self.best = furthest(itertools.chain(filter(None, [self.best]), [judged]))


def _file(test: TestId) -> str:
    return test.split("::", 1)[0]
