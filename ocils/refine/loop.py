"""The loop: baseline, turns of candidates and verdicts, confirmation, proposal.

``refine`` and ``run_tests`` yield events and end with exactly one of Finished, Blocked and
Cancelled. Closing the generator or flipping the token stops the engine and the sandbox.

Not covered: applying a proposal (``server/``, ``cli``), choosing a target (``source/``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, StaleTarget, Unsupported
from ocils.domain.events import (
    BaselineJudged,
    Blocked,
    Cancelled,
    Event,
    Finished,
    Preparing,
    ProposalReady,
    TurnStarted,
)
from ocils.domain.judging import Baseline
from ocils.domain.session import Judged, Session, Turn
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.ports import Ports
from ocils.refine import needs, outcome
from ocils.refine.attempts import Attempts, Judge
from ocils.refine.baseline import judge_original
from ocils.refine.confirm import Confirmation, Confirmations
from ocils.refine.localize import suspects
from ocils.refine.propose import cost_of, others_than, propose, tests_of, unexecuted_lines
from ocils.refine.rank import furthest
from ocils.refine.rivals import compare_rivals
from ocils.refine.strategies import Batch, Search
from ocils.refine.talk import room_of
from ocils.refine.turning import Turning
from ocils.refine.unisolated import told
from ocils.source.context import gather
from ocils.source.stub import is_stub


async def refine(
    session: Session,
    snapshot: Snapshot,
    ports: Ports,
    cancel: CancelToken,
    paths: tuple[str, ...] = (),
) -> AsyncGenerator[Event, None]:
    """Search for an edit of ``session.target`` that turns its red tests green.

    A session that has turns already goes on: nothing of them is tried again (``resume.py``).
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
                    yield told(event, ports.sandbox.isolation)
                    if isinstance(event, Finished | Blocked):
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
    yield told(Preparing("starting the sandbox"), ports.sandbox.isolation)
    await ports.sandbox.warm(snapshot, cancel)
    yield Preparing("running the tests")
    original = judge_original(snapshot, target, ports.sandbox, cancel, paths=paths)
    async with aclosing(original) as found:
        async for each in found:
            if cancel.cancelled:
                yield Cancelled(None, None)
                return
            if isinstance(each, Baseline):
                yield BaselineJudged(each)
                yield told(outcome.of_run(each, target), ports.sandbox.isolation)
            else:
                yield each if isinstance(each, Event) else needs.unusable(each, snapshot)


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
        self._deadline = math.inf
        self._confirmations: Confirmations | None = None
        self._lacking = needs.Lacking(snapshot)

    async def close(self) -> None:
        """End what still runs in the background."""
        if self._confirmations is not None:
            await self._confirmations.close()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the run's events; the last one is Finished unless the token flips."""
        target = self.session.target
        document = self._snapshot.document(target.path)
        if document is None:
            raise StaleTarget(f"{target.path} is not part of the workspace {self._snapshot.root}")
        try:
            document.data.decode(document.encoding)
        except UnicodeDecodeError as problem:
            raise Unsupported(
                f"{target.path} is not written in {document.encoding}",
                mend="save it as UTF-8, or declare its encoding in the first line",
            ) from problem
        # The model loads while the tests run: both take about a second.
        loading = asyncio.create_task(self._ports.engine.load())
        try:
            baseline: Baseline | None = None
            async with aclosing(self._baseline()) as found:
                async for each in found:
                    if isinstance(each, Baseline):
                        baseline = each
                    else:
                        yield each
            if baseline is None:
                return
            yield BaselineJudged(baseline)
            self._lacking = needs.Lacking(self._snapshot, baseline)
            nothing = outcome.nothing_to_do(baseline, target)
            if (end := self._lacking.first(nothing, self.session, document) or nothing) is not None:
                yield end
                return
            if sends := self._ports.engine.sends:
                yield Preparing(f"asking the server for its model: {sends}")
            elif not loading.done():
                yield Preparing("loading the model")
            await loading
        finally:
            loading.cancel()
            # Waiting for it in a group keeps a failure nobody asked about from being reported twice.
            await asyncio.gather(loading, return_exceptions=True)
        async with aclosing(self._search(document, baseline)) as events:
            async for event in events:
                yield event

    async def _baseline(self) -> AsyncGenerator[Event | Baseline, None]:
        """Judge the original; a baseline that cannot be had ends in Finished."""
        sandbox = self._ports.sandbox
        yield Preparing("starting the sandbox")
        await sandbox.warm(self._snapshot, self._cancel)
        yield Preparing("running the tests as they are")
        target = self.session.target
        original = judge_original(self._snapshot, target, sandbox, self._cancel, paths=self._paths)
        async with aclosing(original) as found:
            async for each in found:
                if isinstance(each, Event | Baseline):
                    yield each
                else:
                    yield needs.unusable(each, self._snapshot, self.session)

    async def _search(self, document: Document, baseline: Baseline) -> AsyncGenerator[Event, None]:
        session, limits = self.session, self.session.limits
        engine, sandbox, target = self._ports.engine, self._ports.sandbox, session.target
        self._deadline = time.monotonic() + limits.seconds
        goals = outcome.goals(baseline)
        red = tuple(case for case in baseline.cases if case.test in set(goals))
        limit = room_of(engine.manifest, limits.tokens)
        context = gather(self._snapshot, document, target, goals, engine.count_tokens, limit)
        if session.task == "repair" and is_stub(context.source):
            # Whatever it was asked as: there is nothing in it to be repaired.
            self.session = session = msgspec.structs.replace(session, task="implement")
        search = Search(
            document,
            context,
            suspects(target, context.source, baseline.coverage, goals),
            engine,
            limits,
            task=session.task,
            red=red,
            seed=session.seed,
            cancel=self._cancel,
        )
        search.recall(session, needs.held(session, self._snapshot))
        judge = Judge(self._snapshot, baseline, goals, sandbox, self._cancel)
        confirmation = Confirmation(
            self._snapshot, baseline, goals, self._paths, sandbox, self._cancel
        )
        self._confirmations = confirmations = Confirmations(
            confirmation, self.attempts.greens, lambda green: cost_of(green, document, target)
        )
        turning = Turning(
            judge,
            confirmations,
            self.attempts,
            self._over,
            self._deadline,
            limits.candidates,
            sandbox.width,
        )
        before = len(session.turns)  # a session that goes on counts on
        for number in range(before + 1, before + limits.turns + 1):
            if self._over() or (batch := await search.next_turn()) is None:
                break
            yield TurnStarted(number, batch.strategy, batch.hole)
            turn: list[Judged] = []
            failed: EnvironmentProblem | None = None
            try:
                async with aclosing(turning.play(batch, turn)) as events:
                    async for event in events:
                        yield event
            except EnvironmentProblem as problem:
                # A model that fails in the middle does not take back what was found before.
                failed = problem
            self._keep(number, batch, turn, search)
            # A turn that had a green is not followed by another before that green is settled.
            async with aclosing(confirmations.settle()) as events:
                async for event in events:
                    yield event
            if confirmations.confirmed:
                break
            if failed is not None:
                raise failed
            if self._lacking.take(turn) and (blocked := self._lacking.blocked(self.session)):
                yield blocked
                return
        if not confirmations.confirmed and self.attempts.suspicious:
            # The last resort: nothing honest was found, and a person is to decide.
            self.attempts.greens += self.attempts.suspicious
            async with aclosing(confirmations.settle()) as events:
                async for event in events:
                    yield event
        if (best := confirmations.cheapest()) is None:
            refuted = confirmations.refuted
            # Without a single candidate the replies were perhaps nothing but installs.
            asked = () if self.attempts.count else search.installs
            yield self._lacking.blocked(self.session, asked) or outcome.exhausted(
                self.attempts, refuted, engine.manifest, self.session, limits, context.language
            )
            return
        judged, confirmed = best
        others = others_than(judged, self.attempts.greens)
        place = (document, self._snapshot, target, sandbox, self._cancel)
        unexecuted, rivals = await asyncio.gather(
            unexecuted_lines(judged, confirmed, *place),
            compare_rivals(judged.candidate, others, tests_of(judged, confirmed), *place),
        )
        proposal = propose(*best, self._snapshot, target, unexecuted, rivals)
        yield ProposalReady(proposal)
        yield outcome.found(proposal, self.session, self.attempts.best)

    def _keep(self, number: int, batch: Batch, turn: list[Judged], search: Search) -> None:
        """Append the turn to the session, teach the search, and record."""
        best = furthest(turn)
        said = search.learn(best) if best else None
        turns = (*self.session.turns, Turn(number, batch.strategy, batch.prompt, tuple(turn), said))
        self.session = msgspec.structs.replace(self.session, turns=turns)
        self._ports.recorder.record(self.session)

    def _over(self) -> bool:
        limits = self.session.limits
        spent = self.attempts.count >= limits.candidates or time.monotonic() >= self._deadline
        return spent or self._cancel.cancelled
