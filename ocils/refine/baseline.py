"""How the original fares, with tests that never end or that end the run.

Such a test is the very bug that someone may want repaired, so it must not hide the rest. When no
test has ended for a while, or the process was ended (memory, a signal, ``os._exit``), the test that
was on is run alone (``apart.py``), and those behind it without it, at the same time. Where many are
stuck, patience ends, and what is left is not run: every candidate must pass it (``green.py``).

Not covered: flaky tests, which only a second baseline shows (``green.py``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.events import CaseFinished, Event, Preparing, TestsDiscovered
from ocils.domain.judging import (
    Baseline,
    Broken,
    CaseResult,
    Coverage,
    Failed,
    FailureClass,
    Killed,
    Passed,
    Plan,
    Probe,
    TestId,
    TestLines,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox
from ocils.refine.apart import Apart

_QUIET = 6.0  # seconds without a test ending before the one that is on is looked at alone
_SHORT = 2.0  # the same once so many are stuck that the next is taken to be
_PATIENCE = 30.0  # seconds for those; what is left then is not run
_ENDING = 1.0  # seconds that one which ends the run costs, about

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
    live = msgspec.structs.replace(probe, live=True) if probe else None
    plan = Plan(tests=tests, paths=paths, seconds=seconds, probe=probe, quiet=_QUIET)
    heard = _Heard(probed=probe is not None)
    patience = _PATIENCE
    async with Apart(snapshot, sandbox, cancel, live) as apart:
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
            stuck = verdict if isinstance(verdict, TimedOut | Killed) else None
            if stuck is None or _cancelled(stuck) or (test := stuck.running) is None:
                yield verdict
                return
            if plan.quiet == _SHORT:
                heard.take_as_stuck(test, stuck, plan.quiet)
                patience -= plan.quiet if isinstance(stuck, TimedOut) else _ENDING
            else:
                apart.look_at(test)
                what = "takes long" if isinstance(stuck, TimedOut) else "ended the run"
                yield Preparing(f"running {test.rpartition('::')[2]} by itself: it {what}")
            if not stuck.rest or patience <= 0:
                heard.unheard = stuck.rest
                break
            plan = Plan(tests=stuck.rest, seconds=seconds, probe=probe, quiet=_QUIET)
            if apart.convinced:
                plan = msgspec.structs.replace(plan, probe=live, quiet=_SHORT)
        if left := apart.left:
            yield Preparing(f"waiting for {left[0].rpartition('::')[2]}, which is run by itself")
        async for test, answer in apart.answers():
            if _cancelled(answer):
                yield answer
                return
            heard.take_alone(test, answer)
    yield heard.baseline()


def _cancelled(verdict: Verdict) -> bool:
    return isinstance(verdict, Killed) and verdict.why == "cancelled"


class _Heard:
    """What the runs of the original said, together. Mutable, used by one task."""

    def __init__(self, *, probed: bool) -> None:
        self._probed = probed
        self._covered = False
        self._cases: dict[str, CaseResult] = {}
        self._lines: list[TestLines] = []
        self._collection: set[int] = set()
        self._seconds = 0.0
        self._stuck: list[TestId] = []
        self.unheard: tuple[TestId, ...] = ()

    @property
    def count(self) -> int:
        """How many tests have ended, one way or another."""
        return len(self._cases)

    def take(self, verdict: Verdict, quiet: float) -> None:
        """Take in a run; of one that was ended for its silence, not the silence itself."""
        self._cases.update((case.test, case) for case in verdict.cases)
        if isinstance(verdict, Broken | Unjudged):
            return
        lasted = sum(case.seconds for case in verdict.cases)
        if not isinstance(verdict, Killed):
            silence = quiet if isinstance(verdict, TimedOut) else 0.0
            lasted = max(verdict.seconds - silence, lasted)
        self._seconds += lasted
        if verdict.coverage is not None:
            self._covered = True
            self._lines += verdict.coverage.tests
            self._collection.update(verdict.coverage.collection)

    def take_alone(self, test: TestId, verdict: Verdict) -> None:
        """Take in the run of a test that was stuck among the others."""
        self.take(verdict, verdict.seconds if isinstance(verdict, TimedOut) else 0.0)
        if isinstance(verdict, Passed | Failed):
            return
        if isinstance(verdict, TimedOut):
            self._note(test, "timeout", f"it had not ended after {verdict.seconds:.0f} s")
        else:
            self._note(test, "killed", "it ended the run")

    def take_as_stuck(self, test: TestId, verdict: TimedOut | Killed, seconds: float) -> None:
        """Take a test for stuck that was on when a run was ended, as others before it were."""
        if isinstance(verdict, TimedOut):
            why = f"it had not ended after {seconds:.0f} s, like others before it"
            self._note(test, "timeout", why)
        else:
            self._note(test, "killed", "it ended the run")

    def _note(self, test: TestId, kind: FailureClass, why: str) -> None:
        self._stuck.append(test)
        known = self._cases.get(test)
        # What its own run said of it tells more than that it was ended.
        if kind == "timeout" or known is None or known.passed:
            self._cases[test] = CaseResult(test, "failed", 0.0, why, kind)

    def baseline(self) -> Baseline:
        """Return what it amounts to.

        Of a stuck test, what it ran may not be known: then it counts as reaching the target only when
        no other red test does, so that one which is stuck for its own reasons does not become the
        goal. Where nothing is known of any test (its runner records no coverage) all may reach it.
        """
        every = tuple(self._cases.values())
        red = tuple(c.test for c in every if c.outcome in ("failed", "error"))
        reached = {each.test for each in self._lines if each.lines}
        if not reached.intersection(red):
            reached |= set(self._stuck)
        if self._probed and not self._covered:
            reached = {case.test for case in every}
        return Baseline(
            cases=every,
            seconds=self._seconds,
            red=red,
            reaching=tuple(c.test for c in every if c.test in reached),
            coverage=Coverage(tuple(self._lines), tuple(sorted(self._collection))),
            stuck=tuple(self._stuck),
            unheard=self.unheard,
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
