"""The judge of one workspace: slots, kept warm, and throw-away containers for fresh plans.

A slot is brought to the snapshot of whatever it judges next, so a changed workspace needs no
restart; only the files that differ are sent. The first run of the original primes: it tells which
third-party modules to import before forking, and leaves bytecode that all slots then share.

Not covered: at which level a slot judges (``slot.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import CaseResult, Killed, Plan, Unjudged, Verdict
from ocils.domain.text import Edit, Snapshot
from ocils.languages.manifest import Runner
from ocils.sandbox.changes import changed_files
from ocils.sandbox.commanded import CommandedReport, ordered
from ocils.sandbox.commands import equipped
from ocils.sandbox.levels import Levels, with_level
from ocils.sandbox.line import SlotLost
from ocils.sandbox.report import Report
from ocils.sandbox.runtime import Choice
from ocils.sandbox.slot import Slot
from ocils.sandbox.slots import Slots

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 2
CLOSE_SECONDS = 5.0


class _Job(NamedTuple):
    """One candidate on its way; ``seen`` and ``settle`` may be called from any thread."""

    snapshot: Snapshot
    files: dict[str, bytes]
    plan: Plan
    stop: CancelToken
    seen: Callable[[CaseResult], None]
    settle: Callable[[Verdict], None]


class DockerSandbox:
    """Judges candidates of the workspace at ``root`` in containers; the ``Sandbox`` port.

    Starts nothing until first used. ``choice`` is the user's runtime; ``python``, a short way of
    it, overrides the workspace's own interpreter in the host runtime. ``width`` is at most the number of cores, ``memory_mib`` is each container's limit, ``environ`` is where
    the engine's address, the home and the locale come from. With a ``runner`` another language's
    tests are judged, by its command.
    """

    def __init__(
        self,
        root: str,
        *,
        python: str | None = None,
        choice: Choice | None = None,
        width: int | None = None,
        memory_mib: int = 2048,
        environ: Mapping[str, str] | None = None,
        idle_seconds: float = 600.0,
        runner: Runner | None = None,
    ) -> None:
        self._closed = False
        self.levels = Levels()
        cores = len(os.sched_getaffinity(0))
        self._width = max(1, min(width or cores, cores))
        self._choice = choice or Choice(python=python or "")
        environ = os.environ if environ is None else environ
        self._runner = runner
        self._program = ""
        if runner is not None:
            self._choice, self._program = equipped(self._choice, runner, root, environ)
        self._slots = Slots(
            root, self._choice, memory_mib, environ, idle_seconds, runner.judged if runner else None
        )
        self._gate = asyncio.Semaphore(self._width)
        self._warming = asyncio.Lock()
        self._threads = ThreadPoolExecutor(2 * self._width + 2, thread_name_prefix="ocils-slot")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: set[CancelToken] = set()
        self._warmers: set[asyncio.Task[None]] = set()

    @property
    def width(self) -> int:
        """How many candidates are judged at once."""
        return self._width

    @property
    def why_not_l2(self) -> str:
        """Why the last candidate was not judged in a collected suite; "" when it was."""
        return self.levels.why_not_l2

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people."""
        return self._slots.isolation or self._choice.isolation

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Fill every slot with ``snapshot``; raises ``SandboxUnavailable``.

        Returns when the first can judge; the others get ready meanwhile, or are started again by
        whoever needs them. A flipped ``cancel`` returns at once; what was being started is kept.
        """
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()

        def flip() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(stopped.set)

        async with self._warming:
            stop = loop.create_task(stopped.wait())
            tasks = [loop.create_task(self._warm_one(snapshot)) for _ in range(self._width)]
            for task in tasks:
                self._warmers.add(task)
                task.add_done_callback(self._warmed)
            with cancel.watch(flip):
                await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            first = next((each for each in tasks if each.done()), None)
            if cancel.cancelled or first is None or first.exception() is not None:
                for task in tasks:
                    task.cancel()
            if first is None or cancel.cancelled:
                return
            try:
                first.result()
            except SlotLost as error:
                raise SandboxUnavailable(f"a container was lost: {error}") from error

    async def judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        """Judge ``snapshot`` with ``edits``; see the port."""
        if cancel.cancelled:
            return Killed("cancelled")
        files = changed_files(snapshot, edits)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Verdict] = loop.create_future()
        stop = CancelToken()

        def deliver(case: CaseResult) -> None:
            if seen is not None and not answer.done():
                seen(case)

        def settle(verdict: Verdict) -> None:
            if not answer.done():
                answer.set_result(verdict)

        def forward(case: CaseResult) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(deliver, case)

        def flip() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, Killed("cancelled"))
            stop.cancel()

        task = loop.create_task(self._work(_Job(snapshot, files, plan, stop, forward, settle)))
        self._tasks.add(task)
        self._stops.add(stop)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._stops.discard(stop)
            error = None if task.cancelled() else task.exception()
            if error is not None and not answer.done():
                answer.set_exception(error)
            settle(Killed("cancelled"))

        task.add_done_callback(done)
        with cancel.watch(flip):
            try:
                return await answer
            except asyncio.CancelledError:
                stop.cancel()
                raise

    async def close(self) -> None:
        """End what is being judged and remove every container of this workspace; may be called twice."""
        if self._closed:
            return
        self._closed = True
        for stop in tuple(self._stops):
            stop.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=CLOSE_SECONDS)
        closing = asyncio.create_task(self._in_thread(self._slots.close))
        await asyncio.wait({closing, *self._warmers}, timeout=CLOSE_SECONDS)
        await closing
        self._threads.shutdown(wait=False)

    async def _warm_one(self, snapshot: Snapshot) -> None:
        async with self._gate:
            self._slots.give_back(await self._take_warm(snapshot))

    def _warmed(self, task: asyncio.Task[None]) -> None:
        self._warmers.discard(task)
        if not task.cancelled():
            task.exception()  # whoever needs that slot meets it again

    async def _take_warm(self, snapshot: Snapshot) -> Slot:
        """Take a warm slot; one that comes after its taker was cancelled is kept."""
        loop = asyncio.get_running_loop()
        coming = loop.run_in_executor(
            self._threads, lambda: self._slots.take(snapshot, fresh=False)
        )

        def keep(late: asyncio.Future[Slot]) -> None:
            if not late.cancelled() and late.exception() is None:
                self._slots.give_back(late.result())

        try:
            return await asyncio.shield(coming)
        except asyncio.CancelledError:
            coming.add_done_callback(keep)
            raise

    async def _work(self, job: _Job) -> None:
        """Judge one candidate, and a second time when its slot is lost under it."""
        lost = ""
        async with self._gate:
            for _ in range(ATTEMPTS):
                if job.stop.cancelled:
                    return
                try:
                    slot = await self._in_thread(
                        self._slots.take, job.snapshot, fresh=job.plan.fresh
                    )
                except SlotLost as error:
                    lost = str(error)
                    continue
                try:
                    keep = await self._judge_in(slot, job)
                except SlotLost as error:
                    lost = str(error)
                    keep = False
                if keep:
                    self._slots.give_back(slot)
                    return
                await self._in_thread(self._slots.discard, slot)
                if not lost:
                    return
        job.settle(Unjudged("the container was lost", lost))

    async def _judge_in(self, slot: Slot, job: _Job) -> bool:
        """Settle ``job`` in ``slot``; returns whether the slot can be used again."""
        original = not job.files and not job.plan.fresh
        harvest = original and self._slots.unknown(job.snapshot) and self._runner is None
        nonce = secrets.token_hex(16)
        edited = [f"{job.snapshot.root}/{path}" for path in job.files]
        report: Report | CommandedReport = Report(nonce, job.plan, edited)
        commands = None
        if self._runner is not None:
            asked = (job.plan, job.snapshot, tuple(job.files))
            report, commands = ordered(self._runner, self._program, *asked, nonce)
        outcome = await self._in_thread(
            slot.run,
            job.plan,
            job.files,
            report,
            nonce,
            job.seen,
            job.stop,
            harvest=harvest,
            commands=commands,
        )
        if job.files and not job.plan.fresh:
            self.levels.note(outcome.level, outcome.why_not_l2)
        job.settle(with_level(report.verdict(outcome.end), outcome.level))
        if job.plan.fresh or not outcome.clean:
            return False
        if harvest and not outcome.end.ended_for:
            try:
                await self._in_thread(self._slots.learn, slot, report.modules)
            except (SlotLost, SandboxUnavailable):
                # The verdict stands; only this slot is of no more use.
                return False
        return True

    async def _in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
