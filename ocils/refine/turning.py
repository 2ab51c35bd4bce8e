"""One turn: its candidates judged while a confirmation runs, until one is confirmed or time is up.

Not covered: which turn comes next, what is learnt from it (``loop.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from ocils.domain.events import CandidateJudged, CandidateStarted, Event
from ocils.domain.session import Candidate, Judged
from ocils.refine.attempts import Attempts, Judge
from ocils.refine.confirm import Confirmations
from ocils.refine.judging import judge_all
from ocils.refine.strategies import Batch


class Turning:
    """Plays the turns of one search. Mutable, used by one task.

    ``over`` says when the search is; ``deadline`` is on the monotonic clock, in seconds; ``most``
    candidates are judged at most, ``width`` at a time.
    """

    def __init__(
        self,
        judge: Judge,
        confirmations: Confirmations,
        attempts: Attempts,
        over: Callable[[], bool],
        deadline: float,
        most: int,
        width: int,
    ) -> None:
        self._judge = judge
        self._confirmations = confirmations
        self._attempts = attempts
        self._over = over
        self._deadline = deadline
        self._most = most
        self._width = width

    async def play(self, batch: Batch, turn: list[Judged]) -> AsyncGenerator[Event, None]:
        """Yield a turn's events, and put what was judged into ``turn``."""
        steps = judge_all(batch.candidates, self._judge, self._width)
        async with aclosing(batch.candidates), aclosing(steps):
            upcoming = asyncio.ensure_future(anext(steps, None))
            try:
                while not self._over() and not self._confirmations.confirmed:
                    waiting = {upcoming, *filter(None, [self._confirmations.running])}
                    left = max(0.0, self._deadline - time.monotonic())
                    await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    if upcoming.done():
                        step = upcoming.result()
                        if step is None:
                            return
                        upcoming = asyncio.ensure_future(anext(steps, None))
                        if isinstance(step, Candidate):
                            yield CandidateStarted(step)
                        else:
                            turn.append(step)
                            self._attempts.add(step)
                            yield CandidateJudged(step, self._attempts.count, self._most)
                    for event in self._confirmations.advance():
                        yield event
            finally:
                upcoming.cancel()
                await asyncio.wait([upcoming])
