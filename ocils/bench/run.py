"""Many tasks, some at a time: each is read, proved, searched, and noted.

What is wrong with one task is its own outcome; what is wrong with the machine ends the run. One
sandbox serves all tasks of a root, so that a task costs no container: a slot is only brought to the
next task's files.

Not covered: reading (``readers/``), counting (``score``), showing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeAlias

from ocils.bench.journal import Journal, Result
from ocils.bench.proof import Proof, digest_of_task, prove
from ocils.bench.solve import solve
from ocils.bench.task import Source, Task, Unreadable, Unusable
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, OcilsError
from ocils.domain.session import Limits
from ocils.ports import Ports

Step: TypeAlias = Result | str
"""A task's outcome, or the name of one that was begun."""


async def measure(
    source: Source,
    names: tuple[str, ...],
    ports: Ports,
    journal: Journal,
    cancel: CancelToken,
    *,
    limits: Limits,
    seed: int = 0,
    jobs: int = 1,
) -> AsyncGenerator[Step, None]:
    """Yield each of the named tasks as it begins and as it ends, ``jobs`` at a time.

    What the journal holds is taken from there. With one job, a task's candidates are judged as many
    at once as the sandbox is wide; else one at a time, in their order. Raises ``EnvironmentProblem``.
    """
    waiting = iter(names)
    steps: asyncio.Queue[Step | None] = asyncio.Queue()
    width = ports.sandbox.width if jobs == 1 else 1
    lane = _Lane(source, ports, journal, cancel, limits, seed, width)

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(jobs):
                    group.create_task(lane.run(waiting, steps))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        finally:
            steps.put_nowait(None)

    running = asyncio.create_task(work())
    try:
        while (step := await steps.get()) is not None:
            yield step
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()


class _Lane:
    """What every lane works with."""

    def __init__(
        self,
        source: Source,
        ports: Ports,
        journal: Journal,
        cancel: CancelToken,
        limits: Limits,
        seed: int,
        width: int,
    ) -> None:
        self._source = source
        self._ports = ports
        self._journal = journal
        self._cancel = cancel
        self._limits = limits
        self._seed = seed
        self._width = width

    async def run(self, waiting: Iterator[str], steps: asyncio.Queue[Step | None]) -> None:
        """Take names until there are none left."""
        for name in waiting:
            if self._cancel.cancelled:
                return
            known = self._journal.result(name)
            if known is not None:
                steps.put_nowait(known)
                continue
            steps.put_nowait(name)
            result = await self._one(name)
            if result is None:  # cancelled meanwhile
                return
            self._journal.add(result)
            steps.put_nowait(result)

    async def _one(self, name: str) -> Result | None:
        task = await asyncio.to_thread(self._source.item, name)
        if isinstance(task, Unusable):
            return task
        try:
            proof = await self._proof(task)
            if proof is None or isinstance(proof, Unusable):
                return proof
            return await solve(
                task, proof, self._ports, self._limits, self._seed, self._width, self._cancel
            )
        except EnvironmentProblem:
            raise
        except (OcilsError, Unreadable) as problem:
            return Unusable(name, str(problem))

    async def _proof(self, task: Task) -> Proof | Unusable | None:
        workspace = digest_of_task(task)
        known = self._journal.proof(workspace)
        if known is None:
            known = await prove(task, self._ports.sandbox, self._cancel)
            if known is not None:
                self._journal.prove(workspace, known)
        return known
