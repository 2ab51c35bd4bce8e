"""Asks the tests which mutants they catch: each is judged as an edit of one clean snapshot.

Not covered: mutants that hang or that keep the tests from being collected. They are caught too, but
show little about mending, and cost much.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from ocils.bench.mutants import Mutant
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Failed, Passed, Plan, TestId
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox

_PATIENCE = 5.0  # times the clean run's seconds; a mutant that takes longer is as good as hanging


class Caught(Value, frozen=True):
    """A mutant and the first test that fails for it."""

    mutant: Mutant
    test: TestId


async def keep_caught(
    mutants: Iterable[Mutant], snapshot: Snapshot, sandbox: Sandbox, cancel: CancelToken
) -> AsyncGenerator[Caught, None]:
    """Yield those of ``mutants``, in order, that turn a test of the clean ``snapshot`` red.

    As many are judged at once as the sandbox is wide. Raises ``UsageError`` when the clean
    snapshot is not green itself.
    """
    await sandbox.warm(snapshot, cancel)
    clean = await sandbox.judge(snapshot, (), Plan(), cancel)
    if not isinstance(clean, Passed):
        raise UsageError(
            f"the tests of {snapshot.root} are not green without a mutant",
            mend="make them pass first: a red test would catch every mutant",
        )
    tests = tuple(case.test for case in clean.cases if case.outcome != "skipped")
    plan = Plan(tests=tests, seconds=max(3.0, _PATIENCE * clean.seconds), stop_early=True)

    async def judged(mutant: Mutant) -> Caught | None:
        verdict = await sandbox.judge(snapshot, (mutant.edit,), plan, cancel)
        if not isinstance(verdict, Failed):
            return None
        red = next((case.test for case in verdict.cases if not case.passed), None)
        return Caught(mutant, red) if red is not None else None

    waiting: Iterator[Mutant] = iter(mutants)
    running: list[asyncio.Task[Caught | None]] = []
    try:
        while not cancel.cancelled:
            while len(running) <= sandbox.width and (following := next(waiting, None)) is not None:
                running.append(asyncio.create_task(judged(following)))
            if not running:
                return
            if (caught := await running.pop(0)) is not None:
                yield caught
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
