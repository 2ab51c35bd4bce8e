"""How the original fares, hangs included.

A test that never ends is the very bug that someone may want repaired, so it must not hide the
rest: when no test has ended for a while the run is ended, the test that was on is noted as red,
and the tests behind it are run without it.

Not covered: flaky tests, which only a second baseline shows (``green.py``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from ocils.domain.cancel import CancelToken
from ocils.domain.events import CaseFinished, Event, TestsDiscovered
from ocils.domain.judging import (
    Baseline,
    CaseResult,
    Coverage,
    Failed,
    Passed,
    Plan,
    Probe,
    TestLines,
    TimedOut,
    Verdict,
)
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox

_HANGS = 3  # more tests than this that never end, and the suite itself is at fault
_QUIET = 10.0  # seconds without a test ending before the first hang is declared

Found: TypeAlias = Event | Baseline | Verdict


async def judge_original(
    snapshot: Snapshot,
    target: EditTarget | None,
    sandbox: Sandbox,
    cancel: CancelToken,
    *,
    paths: tuple[str, ...] = (),
    seconds: float = 600.0,
) -> AsyncGenerator[Found, None]:
    """Yield progress events, and last a ``Baseline``, or the ``Verdict`` that prevented one."""
    probe = Probe(target.path, target.first_line, target.last_line) if target else None
    plan = Plan(paths=paths, seconds=seconds, probe=probe, quiet=_QUIET)
    cases: dict[str, CaseResult] = {}
    lines: list[TestLines] = []
    collection: set[int] = set()
    spent = 0.0
    for _ in range(_HANGS + 1):
        verdict: Verdict | None = None
        async with aclosing(_watched(snapshot, plan, sandbox, cancel, len(cases))) as steps:
            async for found in steps:
                if isinstance(found, Event):
                    yield found
                else:
                    verdict = found
        if isinstance(verdict, Passed | Failed):
            cases.update((case.test, case) for case in verdict.cases)
            spent += verdict.seconds
            if verdict.coverage:
                lines += verdict.coverage.tests
                collection.update(verdict.coverage.collection)
            yield _baseline(cases, spent, Coverage(tuple(lines), tuple(sorted(collection))))
            return
        if not isinstance(verdict, TimedOut) or verdict.running is None:
            yield verdict if verdict is not None else TimedOut(seconds)
            return
        hung = verdict.running
        cases.update((case.test, case) for case in verdict.cases)
        cases[hung] = CaseResult(hung, "failed", 0.0, "it never ends", "timeout")
        if not verdict.rest:
            yield _baseline(cases, spent, Coverage(tuple(lines), tuple(sorted(collection))))
            return
        slowest = max((case.seconds for case in verdict.cases), default=0.0)
        plan = Plan(
            tests=verdict.rest,
            seconds=seconds,
            probe=probe,
            quiet=max(2.0, min(_QUIET, 5 * slowest)),
        )
    yield TimedOut(seconds, hung, tuple(cases.values()))


def _baseline(cases: dict[str, CaseResult], seconds: float, coverage: Coverage) -> Baseline:
    every = tuple(cases.values())
    hung = {case.test for case in every if case.kind == "timeout"}
    reached = {each.test for each in coverage.tests if each.lines} | hung
    return Baseline(
        cases=every,
        seconds=seconds,
        red=tuple(c.test for c in every if c.outcome in ("failed", "error")),
        reaching=tuple(c.test for c in every if c.test in reached),
        coverage=coverage,
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
