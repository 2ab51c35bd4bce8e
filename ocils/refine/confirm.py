"""Running green candidates again, fresh, against everything (decision 3).

``Confirmation`` makes the runs for one candidate; ``Confirmations`` picks which green is next while
the search goes on.

Not covered: what the runs mean (``green.py``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.events import Confirming, Event, Refuted
from ocils.domain.judging import Baseline, Failed, Passed, Plan, TestId, Verdict
from ocils.domain.session import Candidate, Judged
from ocils.domain.text import Edit, Snapshot
from ocils.ports import Sandbox
from ocils.refine.green import Confirmed, Denied, compare

_SEEDS = (0, 1)
_WORTH = 1.0  # how much cheaper a green must be to be confirmed after another one was
_MOST = 6  # greens confirmed in a session: each costs two fresh runs, and the first a third


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
        goals = set(self._goals)
        # What was not run before is to pass too: nobody knows that it was red.
        tests = self._tests_that_end(goals, self._baseline.unheard)
        first, second = [self._run(candidate.edits, seed, tests) for seed in _SEEDS]
        original, *runs = await asyncio.gather(self._fresh_original(), first, second)
        if not isinstance(original, Passed | Failed):
            # A mishap of that one run must not speak against this candidate and all that follow.
            self._original = None
            original = await self._fresh_original()
        return compare(self._goals, self._baseline, original, runs)

    async def _fresh_original(self) -> Verdict:
        if self._original is None:
            tests = self._tests_that_end(set())
            if not tests and self._all_stuck():
                # Naming no tests would run them all, and none of them ends: there is nothing to learn.
                return Passed((), 0.0)
            self._original = asyncio.create_task(self._run((), 0, tests))
        return await asyncio.shield(self._original)

    async def close(self) -> None:
        """End the original's run if it still goes on."""
        if self._original is not None and not self._original.done():
            self._original.cancel()
            await asyncio.wait([self._original])

    def _tests_that_end(
        self, wanted: set[TestId], more: tuple[TestId, ...] = ()
    ) -> tuple[TestId, ...]:
        """Name the tests only when some are stuck and not ``wanted``; else run the plain suite."""
        stuck = set(self._baseline.stuck) - wanted
        ended = (case.test for case in self._baseline.cases if case.test not in stuck)
        return (*ended, *more) if stuck else ()

    def _all_stuck(self) -> bool:
        cases = self._baseline.cases
        return bool(cases) and {case.test for case in cases} == set(self._baseline.stuck)

    async def _run(self, edits: tuple[Edit, ...], seed: int, tests: tuple[TestId, ...]) -> Verdict:
        paths = () if tests else self._paths
        plan = Plan(tests=tests, paths=paths, seconds=self._seconds, fresh=True, seed=seed)
        return await self._sandbox.judge(self._snapshot, edits, plan, self._cancel)


class Confirmations:
    """The greens of one session on their way to being offered: one at a time, cheapest first.

    Once one is confirmed, only a cheaper one is worth more runs. Mutable, used by one task.
    """

    def __init__(
        self, confirmation: Confirmation, greens: list[Judged], cost: Callable[[Judged], float]
    ) -> None:
        self.confirmed: list[tuple[Judged, Confirmed]] = []
        self.running: asyncio.Task[tuple[Judged, Confirmed | Denied]] | None = None
        self._confirmation = confirmation
        self._greens = greens
        self._cost = cost
        self.refuted = 0
        self._tried: set[str] = set()

    def cheapest(self) -> tuple[Judged, Confirmed] | None:
        """Return the confirmed green to offer, or None."""
        return min(self.confirmed, key=lambda pair: self._cost(pair[0]), default=None)

    def advance(self) -> list[Event]:
        """Take in a confirmation that ended, and begin the next when none is running."""
        events: list[Event] = []
        if self.running is not None and self.running.done():
            judged, answer = self.running.result()
            self.running = None
            if isinstance(answer, Confirmed):
                self.confirmed.append((judged, answer))
            else:
                self.refuted += 1
                events.append(Refuted(judged.candidate, answer.why))
        if self.running is None and (green := self._next()) is not None:
            self._tried.add(green.candidate.id)
            self.running = asyncio.create_task(self._confirm(green))
            events.append(Confirming(green.candidate))
        return events

    async def settle(self) -> AsyncGenerator[Event, None]:
        """Wait for what is running, and for every green that is still worth it."""
        for event in self.advance():
            yield event
        while self.running is not None:
            await asyncio.wait([self.running])
            for event in self.advance():
                yield event

    async def close(self) -> None:
        """End what is running."""
        if self.running is not None and not self.running.done():
            self.running.cancel()
            await asyncio.wait([self.running])
        await self._confirmation.close()

    def _next(self) -> Judged | None:
        left = [green for green in self._greens if green.candidate.id not in self._tried]
        if not left or len(self._tried) >= _MOST:
            return None
        judged = min(left, key=self._cost)
        known = self.cheapest()
        best = self._cost(known[0]) if known else math.inf
        return judged if self._cost(judged) < best - _WORTH else None

    async def _confirm(self, judged: Judged) -> tuple[Judged, Confirmed | Denied]:
        return judged, await self._confirmation.confirm(judged.candidate)
