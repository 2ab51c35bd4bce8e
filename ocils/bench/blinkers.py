"""The ports as a measured search sees them: some tests hidden, every wait timed.

The search is the product's own; only what it is given differs. Verdicts of candidates wait while a
confirmation runs, so that what is offered depends on the seed and not on how busy the machine is.

Not covered: which tests are hidden (``halves``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

from msgspec import structs

from ocils.bench.delegating import Delegating
from ocils.bench.proof import Proof
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import CaseResult, Passed, Plan, TestId, Verdict
from ocils.domain.model import Infill, Prompt, Reply, Sampling
from ocils.domain.text import Edit, Snapshot
from ocils.ports import Engine, Sandbox

_GRACE = 0.02  # seconds: a turn of the event loop, and to spare
_HUNG_SECONDS = 3.0  # for a test that the proof already found never to end


class Clock:
    """How many seconds at least one of several overlapping waits was on. Used by one event loop."""

    def __init__(self) -> None:
        self._waits = 0
        self._since = 0.0
        self._seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time inside the block."""
        if not self._waits:
            self._since = time.monotonic()
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                self._seconds += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        """The seconds so far, a wait that is still on included."""
        return self._seconds + (time.monotonic() - self._since if self._waits else 0.0)


class BlinkeredSandbox:
    """The ``Sandbox`` port over another, of whose tests only ``visible`` are there.

    ``width`` candidates are judged at once. Closing it closes nothing: the other serves on.
    """

    def __init__(
        self, inner: Sandbox, proof: Proof, visible: tuple[TestId, ...], width: int
    ) -> None:
        self.judging, self.confirming, self.baseline = Clock(), Clock(), Clock()
        self._inner = inner
        self._visible = visible
        self._hung = set(proof.hung)
        self._patience = proof.patience
        self._width = width
        self._passed = False
        self._confirmations = 0
        self._calm = asyncio.Event()
        self._calm.set()

    @property
    def width(self) -> int:
        """How many candidates are judged at once."""
        return self._width

    @property
    def isolation(self) -> str:
        """What runs the candidates."""
        return self._inner.isolation

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Do nothing: filling every slot would take those of other tasks away."""

    async def judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        """Judge by the visible tests alone."""
        if not plan.tests:
            plan = structs.replace(plan, tests=self._visible, paths=())
        if plan.fresh:
            return await self._confirmed(snapshot, edits, plan, cancel, seen)
        if not edits:
            with self.baseline.running():
                return await self._inner.judge(snapshot, edits, self._patient(plan), cancel, seen)
        if self._passed:
            # Whoever passed is about to be confirmed: the next candidate waits for that.
            await asyncio.sleep(_GRACE)
        await self._calm.wait()
        with self.judging.running():
            verdict = await self._inner.judge(snapshot, edits, plan, cancel, seen)
        self._passed = isinstance(verdict, Passed)
        return verdict

    async def close(self) -> None:
        """Do nothing."""

    async def _confirmed(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None,
    ) -> Verdict:
        self._confirmations += 1
        self._calm.clear()
        try:
            with self.confirming.running():
                return await self._inner.judge(snapshot, edits, plan, cancel, seen)
        finally:
            self._confirmations -= 1
            if not self._confirmations:
                self._calm.set()

    def _patient(self, plan: Plan) -> Plan:
        """Cut the patience with tests that are known never to end."""
        if not self._hung.intersection(plan.tests):
            return plan
        quiet = min(plan.quiet, self._patience) if plan.quiet else 0.0
        alone = self._hung.issuperset(plan.tests) and not plan.quiet
        seconds = min(plan.seconds, max(_HUNG_SECONDS, self._patience)) if alone else plan.seconds
        return structs.replace(plan, quiet=quiet, seconds=seconds)


class TimedEngine(Delegating):
    """Another engine, timed. ``generating`` is what it took."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.generating = Clock()

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield the other's replies; only waiting for one is counted."""
        async with aclosing(super().generate(prompt, sampling, cancel)) as replies:
            while True:
                with self.generating.running():
                    reply = await anext(replies, None)
                if reply is None:
                    return
                yield reply

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return the other's scores."""
        with self.generating.running():
            return await super().score(prompts, cancel)

    async def screen(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return the other's guesses."""
        with self.generating.running():
            return await super().screen(prompts, cancel)
