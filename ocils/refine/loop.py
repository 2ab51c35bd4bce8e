"""The loop: baseline, turns of candidates and verdicts, confirmation, proposal.

``refine`` and ``run_tests`` yield events and end with exactly one of Finished, Blocked and
Cancelled. Closing the generator or flipping the token stops the engine and the sandbox.

Not covered: applying a proposal (``server/``, ``cli``), choosing a target (``source/``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import StaleTarget
from ocils.domain.events import (
    BaselineJudged,
    Cancelled,
    CandidateJudged,
    CandidateStarted,
    Confirming,
    Event,
    Finished,
    Preparing,
    ProposalReady,
    Refuted,
    TurnStarted,
)
from ocils.domain.judging import Baseline, TestId
from ocils.domain.session import Candidate, Judged, Session, Turn
from ocils.domain.target import Context, EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.ports import Ports
from ocils.refine import feedback, outcome
from ocils.refine.attempts import Attempts, Judge
from ocils.refine.baseline import judge_original
from ocils.refine.confirm import Confirmation
from ocils.refine.green import Confirmed, Denied
from ocils.refine.judging import judge_all
from ocils.refine.localize import suspects
from ocils.refine.propose import cost_of, propose, unexecuted_lines
from ocils.refine.strategies import Batch, Search
from ocils.source.context import gather

_CONFIRMATIONS = 6  # greens confirmed in a session at most: each costs two or three fresh runs


async def refine(
    session: Session,
    snapshot: Snapshot,
    ports: Ports,
    cancel: CancelToken,
    paths: tuple[str, ...] = (),
) -> AsyncGenerator[Event, None]:
    """Search for an edit of ``session.target`` that turns its red tests green.

    ``paths`` restricts which test files or folders count (relative); all when empty. Raises
    ``OcilsError`` for what the user can mend before or while it runs.
    """
    inner = CancelToken()
    run = _Run(session, snapshot, ports, inner, paths)
    with cancel.watch(inner.cancel):
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    if inner.cancelled:
                        break
                    yield event
                    if isinstance(event, Finished):
                        return
            yield Cancelled(run.attempts.best, run.session)
        finally:
            inner.cancel()
            await run.close()


async def run_tests(
    target: EditTarget | None,
    snapshot: Snapshot,
    ports: Ports,
    cancel: CancelToken,
    paths: tuple[str, ...] = (),
) -> AsyncGenerator[Event, None]:
    """Judge the original only: which tests are red, and which of them reach ``target``."""
    yield Preparing("starting a container")
    await ports.sandbox.warm(snapshot, cancel)
    yield Preparing("running the tests")
    async for found in judge_original(snapshot, target, ports.sandbox, cancel, paths=paths):
        if cancel.cancelled:
            yield Cancelled(None, None)
            return
        if isinstance(found, Baseline):
            yield BaselineJudged(found)
            yield outcome.of_run(found, target)
        elif isinstance(found, Event):
            yield found
        else:
            yield outcome.unusable(found)


class _Run:
    """One run of the loop: its session so far, its attempts, and what must be ended with it."""

    def __init__(
        self,
        session: Session,
        snapshot: Snapshot,
        ports: Ports,
        cancel: CancelToken,
        paths: tuple[str, ...],
    ) -> None:
        self.session = session
        self.attempts = Attempts()
        self._snapshot = snapshot
        self._ports = ports
        self._cancel = cancel
        self._paths = paths
        self._deadline = time.monotonic() + session.limits.seconds
        self._confirmation: Confirmation | None = None
        self._confirming: asyncio.Task[tuple[Judged, Confirmed | Denied]] | None = None
        self._confirmed: list[tuple[Judged, Confirmed]] = []
        self._tried: set[str] = set()
        self._cost: Callable[[Judged], float] = lambda judged: -judged.candidate.logprob

    async def close(self) -> None:
        """End what still runs in the background."""
        if self._confirming is not None and not self._confirming.done():
            self._confirming.cancel()
            await asyncio.wait([self._confirming])
        if self._confirmation is not None:
            await self._confirmation.close()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the run's events; the last one is Finished unless the token flips."""
        target = self.session.target
        document = self._snapshot.document(target.path)
        if document is None:
            raise StaleTarget(f"{target.path} is not part of the workspace {self._snapshot.root}")
        yield Preparing("starting a container")
        loading = asyncio.create_task(self._ports.engine.load())
        try:
            await self._ports.sandbox.warm(self._snapshot, self._cancel)
            yield Preparing("running the tests as they are")
            baseline: Baseline | None = None
            async for found in judge_original(
                self._snapshot, target, self._ports.sandbox, self._cancel, paths=self._paths
            ):
                if isinstance(found, Baseline):
                    baseline = found
                    yield BaselineJudged(found)
                elif isinstance(found, Event):
                    yield found
                else:
                    yield outcome.unusable(found)
                    return
            if baseline is None:
                return
            if (nothing := outcome.nothing_to_do(baseline, target)) is not None:
                yield nothing
                return
            yield Preparing("loading the model")
            await loading
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([loading])
        async with aclosing(self._search(document, baseline)) as events:
            async for event in events:
                yield event

    async def _search(self, document: Document, baseline: Baseline) -> AsyncGenerator[Event, None]:
        session, limits = self.session, self.session.limits
        self._deadline = time.monotonic() + limits.seconds
        goals = outcome.goals(baseline)
        red = tuple(case for case in baseline.cases if case.test in set(goals))
        context = self._context(document, goals)
        where = suspects(session.target, context.source, baseline.coverage, goals)
        engine, sandbox = self._ports.engine, self._ports.sandbox
        search = Search(
            document,
            context,
            where,
            engine,
            limits,
            task=session.task,
            failures=feedback.failures(red),
            seed=session.seed,
            cancel=self._cancel,
        )
        judge = Judge(self._snapshot, baseline, goals, sandbox, self._cancel)
        self._confirmation = Confirmation(
            self._snapshot, baseline, goals, self._paths, sandbox, self._cancel
        )
        self._cost = lambda judged: cost_of(judged, document, session.target)
        for number in range(1, limits.turns + 1):
            if self._over() or (batch := await search.next_turn()) is None:
                break
            yield TurnStarted(number, batch.strategy, batch.hole)
            turn: list[Judged] = []
            async with aclosing(self._turn(batch, judge, turn)) as events:
                async for event in events:
                    yield event
            self._keep(number, batch, turn, search)
            if self._confirmed:
                break
        async for event in self._last_confirmations():
            yield event
        if not self._confirmed:
            yield outcome.exhausted(self.attempts, engine.manifest, self.session, limits)
            return
        judged, confirmed = min(self._confirmed, key=lambda pair: self._cost(pair[0]))
        unexecuted = await unexecuted_lines(
            judged, confirmed, document, self._snapshot, session.target, sandbox, self._cancel
        )
        greens = self.attempts.greens
        proposal = propose(judged, confirmed, greens, self._snapshot, session.target, unexecuted)
        yield ProposalReady(proposal)
        yield Finished("green", outcome.green_message(proposal), self.session, self.attempts.best)

    async def _turn(
        self, batch: Batch, judge: Judge, turn: list[Judged]
    ) -> AsyncGenerator[Event, None]:
        """Judge a turn's candidates while a confirmation runs; stop when one is confirmed."""
        limits = self.session.limits
        steps = judge_all(batch.candidates, judge, self._ports.sandbox.width)
        async with aclosing(batch.candidates), aclosing(steps):
            upcoming = asyncio.ensure_future(anext(steps, None))
            try:
                while True:
                    waiting = {upcoming, *filter(None, [self._confirming])}
                    left = max(0.0, self._deadline - time.monotonic())
                    await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    for event in self._after_confirmation():
                        yield event
                    if self._confirmed or self._over() or self._cancel.cancelled:
                        return
                    if not upcoming.done():
                        continue
                    step = upcoming.result()
                    if step is None:
                        return
                    upcoming = asyncio.ensure_future(anext(steps, None))
                    if isinstance(step, Candidate):
                        yield CandidateStarted(step)
                        continue
                    turn.append(step)
                    self.attempts.add(step)
                    yield CandidateJudged(step, self.attempts.count, limits.candidates)
                    for event in self._start_confirmation():
                        yield event
                    if self._over():
                        return
            finally:
                upcoming.cancel()
                await asyncio.wait([upcoming])

    def _start_confirmation(self) -> list[Event]:
        """Begin to confirm the cheapest green not tried yet, when none is being confirmed.

        Once one is confirmed, only a cheaper one is worth three more fresh runs.
        """
        left = [j for j in self.attempts.greens if j.candidate.id not in self._tried]
        if not left or self._confirming or self._confirmation is None:
            return []
        judged = min(left, key=self._cost)
        known = min((self._cost(green) for green, _ in self._confirmed), default=math.inf)
        if self._cost(judged) >= known or len(self._tried) >= _CONFIRMATIONS:
            return []
        self._tried.add(judged.candidate.id)
        confirmation = self._confirmation

        async def confirm() -> tuple[Judged, Confirmed | Denied]:
            return judged, await confirmation.confirm(judged.candidate)

        self._confirming = asyncio.create_task(confirm())
        return [Confirming(judged.candidate)]

    def _after_confirmation(self) -> list[Event]:
        """Take in a confirmation that ended; begin the next one after a refusal."""
        if self._confirming is None or not self._confirming.done():
            return []
        judged, answer = self._confirming.result()
        self._confirming = None
        if isinstance(answer, Confirmed):
            self._confirmed.append((judged, answer))
            return []
        return [Refuted(judged.candidate, answer.why), *self._start_confirmation()]

    async def _last_confirmations(self) -> AsyncGenerator[Event, None]:
        """Wait for the confirmation under way, then try the greens that are worth it."""
        for event in self._start_confirmation():
            yield event
        while self._confirming is not None and not self._cancel.cancelled:
            await asyncio.wait([self._confirming])
            for event in self._after_confirmation():
                yield event
            for event in self._start_confirmation():
                yield event

    def _keep(self, number: int, batch: Batch, turn: list[Judged], search: Search) -> None:
        """Append the turn to the session, teach the search, and record."""
        best = max(turn, key=lambda j: j.candidate.logprob, default=None)
        said = search.learn(best, best.verdict) if best else None
        turns = (*self.session.turns, Turn(number, batch.strategy, batch.prompt, tuple(turn), said))
        self.session = msgspec.structs.replace(self.session, turns=turns)
        self._ports.recorder.record(self.session)

    def _over(self) -> bool:
        limits = self.session.limits
        return self.attempts.count >= limits.candidates or time.monotonic() >= self._deadline

    def _context(self, document: Document, goals: Sequence[TestId]) -> Context:
        engine, target = self._ports.engine, self.session.target
        return gather(
            self._snapshot, document, target, goals, engine.count_tokens, engine.manifest.context
        )
