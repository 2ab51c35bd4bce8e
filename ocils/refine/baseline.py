"""How the original fares, hangs included.

A test that never ends is the very bug that someone may want repaired, so it must not hide the
rest: when no test has ended for a while the run is ended, and the test that was on is run alone,
with more patience. One that is only slow is taken like any other; one that does not end is noted
as red, and the tests behind it are run without it.

Not covered: flaky tests, which only a second baseline shows (``green.py``); which lines a test that
never ends had run.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from ocils.domain.cancel import CancelToken
from ocils.domain.events import CaseFinished, Event, Preparing, TestsDiscovered
from ocils.domain.judging import (
    Baseline,
    CaseResult,
    Coverage,
    Failed,
    Killed,
    Passed,
    Plan,
    Probe,
    TestId,
    TestLines,
    TimedOut,
    Verdict,
)
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox

_HANGS = 3  # more tests than this that never end, and the suite itself is at fault
_QUIET = 6.0  # seconds without a test ending before the one that is on is looked at alone
_ALONE = 20.0  # seconds that it gets then

Found: TypeAlias = Event | Baseline | Verdict


async def judge_original(
    snapshot: Snapshot,
    target: EditTarget | None,
    sandbox: Sandbox,
    cancel: CancelToken,
    *,
    paths: tuple[str, ...] = (),
    tests: tuple[TestId, ...] = (),
    seconds: float = 600.0,
) -> AsyncGenerator[Found, None]:
    """Yield progress events, and last a ``Baseline``, or the ``Verdict`` that prevented one.

    ``tests`` are the only ones to run; every one that ``paths`` hold when there are none.
    """
    probe = Probe(target.path, target.first_line, target.last_line) if target else None
    plan = Plan(tests=tests, paths=paths, seconds=seconds, probe=probe, quiet=_QUIET)
    heard = _Heard(probed=probe is not None)
    hangs = 0
    while True:
        verdict: Verdict = TimedOut(seconds)
        async with aclosing(_watched(snapshot, plan, sandbox, cancel, heard.count)) as steps:
            async for found in steps:
                if isinstance(found, Event):
                    yield found
                else:
                    verdict = found
        heard.take(verdict, plan.quiet)
        if isinstance(verdict, Passed | Failed):
            break
        if not isinstance(verdict, TimedOut) or verdict.running is None or hangs > _HANGS:
            yield verdict
            return
        hung = verdict.running
        yield Preparing(f"running {hung.rpartition('::')[2]} by itself: it takes long")
        alone = Plan(tests=(hung,), seconds=_ALONE, probe=probe)
        answer = await sandbox.judge(snapshot, (), alone, cancel)
        heard.take(answer, _ALONE)
        if isinstance(answer, Killed) and answer.why == "cancelled":
            yield answer
            return
        if not isinstance(answer, Passed | Failed):
            hangs += 1
            heard.hang(hung)
        if not verdict.rest:
            break
        plan = Plan(tests=verdict.rest, seconds=seconds, probe=probe, quiet=_QUIET)
    yield heard.baseline()


class _Heard:
    """What the runs of the original said, together. Mutable, used by one task."""

    def __init__(self, *, probed: bool) -> None:
        self._probed = probed
        self._covered = False
        self._cases: dict[str, CaseResult] = {}
        self._lines: list[TestLines] = []
        self._collection: set[int] = set()
        self._seconds = 0.0

    @property
    def count(self) -> int:
        """How many tests have ended, one way or another."""
        return len(self._cases)

    def take(self, verdict: Verdict, quiet: float) -> None:
        """Take in a run; of one that was ended for its silence, not the silence itself."""
        self._cases.update((case.test, case) for case in verdict.cases)
        if not isinstance(verdict, Passed | Failed | TimedOut):
            return
        silence = quiet if isinstance(verdict, TimedOut) else 0.0
        self._seconds += max(verdict.seconds - silence, sum(case.seconds for case in verdict.cases))
        if verdict.coverage is not None:
            self._covered = True
            self._lines += verdict.coverage.tests
            self._collection.update(verdict.coverage.collection)

    def hang(self, test: TestId) -> None:
        """Note a test that does not end."""
        self._cases[test] = CaseResult(test, "failed", 0.0, "it never ends", "timeout")

    def baseline(self) -> Baseline:
        """Return what it amounts to.

        What a hung test ran is not known: it counts as reaching the target only when no other red
        test does, so that a test which hangs for its own reasons does not become the goal. Where
        nothing is known of any test (its runner records no coverage) every one may reach the target.
        """
        every = tuple(self._cases.values())
        red = tuple(c.test for c in every if c.outcome in ("failed", "error"))
        reached = {each.test for each in self._lines if each.lines}
        if not reached.intersection(red):
            reached |= {case.test for case in every if case.kind == "timeout"}
        if self._probed and not self._covered:
            reached = {case.test for case in every}
        return Baseline(
            cases=every,
            seconds=self._seconds,
            red=red,
            reaching=tuple(c.test for c in every if c.test in reached),
            coverage=Coverage(tuple(self._lines), tuple(sorted(self._collection))),
        )


async def _watched(
    snapshot: Snapshot, plan: Plan, sandbox: Sandbox, cancel: CancelToken, before: int
) -> AsyncGenerator[Event | Verdict, None]:
    """Judge the original and yield each test as it ends, then the verdict."""
    steps: asyncio.Queue[CaseResult | None] = asyncio.Queue()
    running = asyncio.create_task(sandbox.judge(snapshot, (), plan, cancel, steps.put_nowait))
    running.add_done_callback(_ended(steps))
    done = before
    total = before + len(plan.tests)
    try:
        while (case := await steps.get()) is not None:
            done += 1
            yield CaseFinished(case, done, max(total, done))
        verdict = await running
        if isinstance(verdict, Passed | Failed) and not plan.tests:
            yield TestsDiscovered(len(verdict.cases))
        yield verdict
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _ended(steps: asyncio.Queue[CaseResult | None]) -> Callable[[object], None]:
    return lambda _: steps.put_nowait(None)


def time_limit(baseline: Baseline, tests: int, seconds: float) -> float:
    """Return the wall-clock limit, in seconds, for a candidate on tests that took ``seconds``.

    A few times what the original took, and its share of starting and collecting; programs that
    loop for ever dominate a search, so this stays tight.
    """
    running = sum(case.seconds for case in baseline.cases)
    starting = max(0.0, baseline.seconds - running)
    share = min(1.0, 0.25 + tests / max(1, len(baseline.cases)))
    return math.ceil(10 * (1.5 + 2 * starting * share + 5 * seconds)) / 10
