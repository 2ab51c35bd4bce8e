"""Tests of the original that are looked at by themselves, beside the run of the others.

A test that seems to hang may only be slow, and one that was on when the process ended may have had
bad company: alone, and with more patience, it is heard once more, its lines told as they run.

Not covered: what the answers mean (``baseline.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Failed, Passed, Plan, Probe, TestId, Verdict
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox

_ENOUGH = 3  # tests that are stuck alone, and the next one that seems to be is taken to be
_SECONDS = 20.0  # that the first one gets
_LATER = 4.0  # that the next get once one is known to be stuck: most are at the same place


class Apart:
    """Runs tests alone, each as soon as there is room. Mutable, used by one task.

    Use as a context manager: leaving it ends what still runs.
    """

    def __init__(
        self, snapshot: Snapshot, sandbox: Sandbox, cancel: CancelToken, probe: Probe | None
    ) -> None:
        self._snapshot = snapshot
        self._sandbox = sandbox
        self._cancel = cancel
        self._probe = probe
        self._running: dict[TestId, asyncio.Task[Verdict]] = {}
        self._stuck = 0
        # The run of the others goes on beside it, where there is room for two.
        self._room = asyncio.Semaphore(max(1, sandbox.width - 1))

    async def __aenter__(self) -> Apart:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    @property
    def convinced(self) -> bool:
        """Whether so many were stuck alone that another one need not be looked at."""
        return self._stuck >= _ENOUGH

    def look_at(self, test: TestId) -> None:
        """Begin to run ``test`` by itself, as soon as there is room."""
        self._running[test] = asyncio.create_task(self._alone(test))

    async def _alone(self, test: TestId) -> Verdict:
        async with self._room:
            seconds = _LATER if self._stuck else _SECONDS
            plan = Plan(tests=(test,), seconds=seconds, probe=self._probe)
            verdict = await self._sandbox.judge(self._snapshot, (), plan, self._cancel)
        if not isinstance(verdict, Passed | Failed):
            self._stuck += 1
        return verdict

    @property
    def left(self) -> tuple[TestId, ...]:
        """The tests that have not answered yet."""
        return tuple(test for test, task in self._running.items() if not task.done())

    async def answers(self) -> AsyncGenerator[tuple[TestId, Verdict], None]:
        """Yield each test and how it fared alone, in the order in which they were stuck."""
        for test, task in self._running.items():
            yield test, await task
