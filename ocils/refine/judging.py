"""Judging many candidates at once, in the order in which verdicts come.

Not covered: where candidates come from, what a verdict means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from ocils.domain.session import Candidate, Judged

Step: TypeAlias = Candidate | Judged
"""A candidate that went to the judge, or one that came back."""


async def judge_all(
    candidates: AsyncGenerator[Candidate, None],
    judge: Callable[[Candidate], Awaitable[Judged]],
    width: int,
) -> AsyncGenerator[Step, None]:
    """Yield each candidate as it starts and as it is judged, ``width`` at a time.

    Candidates are pulled one by one as workers get free, so that generation overlaps judging.
    Closing the iterator cancels what is under way. An error of the judge stops the workers and is
    raised here; one of the source is, once what was pulled before is judged.
    """
    steps: asyncio.Queue[Step | None] = asyncio.Queue()
    pull = asyncio.Lock()
    failed: list[Exception] = []

    async def work() -> None:
        while True:
            async with pull:
                if failed:
                    return
                try:
                    candidate = await anext(candidates, None)
                except Exception as error:
                    # What is with the judge already is worth waiting for.
                    failed.append(error)
                    return
            if candidate is None:
                return
            steps.put_nowait(candidate)
            steps.put_nowait(await judge(candidate))

    async def run() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, width)):
                    group.create_task(work())
        except ExceptionGroup as several:
            # The first error is the one to act on; the others are mostly its consequences.
            raise several.exceptions[0] from several
        else:
            if failed:
                raise failed[0]
        finally:
            steps.put_nowait(None)

    running = asyncio.create_task(run())
    try:
        while (step := await steps.get()) is not None:
            yield step
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            # Looking at the exception keeps asyncio from reporting it a second time.
            running.exception()
