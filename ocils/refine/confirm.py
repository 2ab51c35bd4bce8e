"""Running a green candidate again, fresh, against everything (decision 3).

Not covered: what the runs mean (``green.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Baseline, Plan, TestId, Verdict
from ocils.domain.session import Candidate
from ocils.domain.text import Edit, Snapshot
from ocils.ports import Sandbox
from ocils.refine.green import Confirmed, Denied, compare

_SEEDS = (0, 1)


class Confirmation:
    """Confirms candidates of one session; the original's fresh run is made once and shared.

    Mutable: it owns that run's task.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        baseline: Baseline,
        goals: Sequence[TestId],
        paths: tuple[str, ...],
        sandbox: Sandbox,
        cancel: CancelToken,
    ) -> None:
        self._snapshot = snapshot
        self._baseline = baseline
        self._goals = goals
        self._paths = paths
        self._sandbox = sandbox
        self._cancel = cancel
        self._seconds = 30.0 + 10.0 * baseline.seconds
        self._original: asyncio.Task[Verdict] | None = None

    async def confirm(self, candidate: Candidate) -> Confirmed | Denied:
        """Run the original once and the candidate under two hash seeds, and compare."""
        if self._original is None:
            self._original = asyncio.create_task(self._run((), 0, self._tests_that_end()))
        first, second = [self._run(candidate.edits, seed, ()) for seed in _SEEDS]
        original, *runs = await asyncio.gather(asyncio.shield(self._original), first, second)
        return compare(self._goals, self._baseline, original, runs)

    async def close(self) -> None:
        """End the original's run if it still goes on."""
        if self._original is not None and not self._original.done():
            self._original.cancel()
            await asyncio.wait([self._original])

    def _tests_that_end(self) -> tuple[TestId, ...]:
        """Name the tests for the original only when some never end; else run the plain suite."""
        cases = self._baseline.cases
        if all(case.kind != "timeout" for case in cases):
            return ()
        return tuple(case.test for case in cases if case.kind != "timeout")

    async def _run(self, edits: tuple[Edit, ...], seed: int, tests: tuple[TestId, ...]) -> Verdict:
        paths = () if tests else self._paths
        plan = Plan(tests=tests, paths=paths, seconds=self._seconds, fresh=True, seed=seed)
        return await self._sandbox.judge(self._snapshot, edits, plan, self._cancel)
