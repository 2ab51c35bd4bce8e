"""The judge of one workspace: slots, kept warm, and throw-away containers for fresh plans.

A slot is brought to the snapshot of whatever it judges next, so a changed workspace needs no
restart; only the files that differ are sent. The first run of the original primes: it tells which
third-party modules to import before forking, and leaves bytecode that all slots then share.

Not covered: the ``image`` and ``process`` runtimes, level L2, remote engines, ending idle slots.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import docker

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import CaseResult, Killed, Plan, Unjudged, Verdict
from ocils.domain.text import Edit, Snapshot
from ocils.sandbox.changes import changed_files
from ocils.sandbox.engine import connect
from ocils.sandbox.image import ensure_image
from ocils.sandbox.line import SlotLost
from ocils.sandbox.owner import sweep
from ocils.sandbox.report import Report
from ocils.sandbox.runtime import Runtime, host_runtime
from ocils.sandbox.slot import Priming, Slot

P = ParamSpec("P")
R = TypeVar("R")

BEAT_SECONDS = 0.7
ATTEMPTS = 2


class DockerSandbox:
    """Judges candidates of the workspace at ``root`` in containers; the ``Sandbox`` port.

    Starts nothing until first used. ``python`` overrides the workspace's own interpreter, ``width``
    is at most the number of cores, ``memory_mib`` is each container's limit.
    """

    def __init__(
        self,
        root: str,
        *,
        python: str | None = None,
        width: int | None = None,
        memory_mib: int = 2048,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        cores = len(os.sched_getaffinity(0))
        self._width = max(1, min(width or cores, cores))
        self._root = root
        self._python = python
        self._memory_mib = memory_mib
        self._environ = dict(os.environ if environ is None else environ)
        self._gate = asyncio.Semaphore(self._width)
        self._warming = asyncio.Lock()
        self._threads = ThreadPoolExecutor(2 * self._width + 2, thread_name_prefix="ocils-slot")
        self._lock = threading.Lock()
        self._engine: tuple[docker.DockerClient, Runtime, str] | None = None
        self._version = ""
        self._free: list[Slot] = []
        self._slots: set[Slot] = set()
        self._priming: Priming | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: set[CancelToken] = set()
        self._closing = threading.Event()
        self._beat: threading.Thread | None = None

    @property
    def width(self) -> int:
        """How many candidates are judged at once."""
        return self._width

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people."""
        engine = f", docker {self._version}" if self._version else ""
        return f"container (host runtime{engine})"

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Fill every slot with ``snapshot``; raises ``SandboxUnavailable``."""
        async with self._warming:
            taken: list[Slot] = []

            async def one() -> None:
                async with self._gate:
                    if not cancel.cancelled:
                        taken.append(await self._in_thread(self._take, snapshot, False))
                        await everyone.wait()

            everyone = asyncio.Barrier(self._width)
            tasks = [asyncio.create_task(one()) for _ in range(self._width)]
            try:
                await asyncio.gather(*tasks)
            except (SlotLost, asyncio.BrokenBarrierError) as error:
                raise SandboxUnavailable(f"the container was lost: {error}") from error
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with self._lock:
                    self._free += taken

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

        def forward(case: CaseResult) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(deliver, case)

        def settle(verdict: Verdict) -> None:
            if not answer.done():
                answer.set_result(verdict)

        def flip() -> None:
            stop.cancel()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, Killed("cancelled"))

        job = _Job(
            snapshot,
            files,
            plan,
            stop,
            forward,
            settle,
        )
        task = loop.create_task(self._work(job))
        self._tasks.add(task)
        self._stops.add(stop)
        task.add_done_callback(lambda done: self._done(done, stop, answer))
        with cancel.watch(flip):
            try:
                return await answer
            finally:
                if not answer.done() or answer.cancelled():
                    stop.cancel()

    async def close(self) -> None:
        """End what is being judged and remove every container of this workspace."""
        self._closing.set()
        for stop in tuple(self._stops):
            stop.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=5)
        with self._lock:
            slots, self._slots, self._free = self._slots, set(), []
        await asyncio.gather(*(self._in_thread(slot.close) for slot in slots))
        if self._beat is not None:
            await self._in_thread(self._beat.join)
        if self._engine is not None:
            self._engine[0].close()
            self._engine = None
        self._threads.shutdown(wait=False)

    def _done(
        self, task: asyncio.Task[None], stop: CancelToken, answer: asyncio.Future[Verdict]
    ) -> None:
        self._tasks.discard(task)
        self._stops.discard(stop)
        error = None if task.cancelled() else task.exception()
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(Killed("cancelled"))

    async def _work(self, job: _Job) -> None:
        """Judge one candidate, and a second time when its slot is lost under it."""
        async with self._gate:
            lost = ""
            for _ in range(ATTEMPTS):
                if job.stop.cancelled:
                    return
                slot = None
                try:
                    slot = await self._in_thread(self._take, job.snapshot, job.plan.fresh)
                    await self._judge_in(slot, job)
                except SlotLost as error:
                    lost = str(error)
                    if slot is not None:
                        await self._in_thread(self._discard, slot)
                else:
                    return
            job.settle(Unjudged("the container was lost", lost))

    async def _judge_in(self, slot: Slot, job: _Job) -> None:
        original = not job.files and not job.plan.fresh
        unknown = self._priming is None or self._priming.snapshot != job.snapshot.hash
        harvest = original and unknown
        nonce = secrets.token_hex(16)
        edited = tuple(f"{job.snapshot.root}/{path}" for path in job.files)
        report = Report(nonce, job.plan, edited)
        outcome = await self._in_thread(
            slot.run, job.plan, job.files, report, nonce, job.seen, job.stop, harvest=harvest
        )
        job.settle(report.verdict(outcome.end))
        if job.plan.fresh or not outcome.clean:
            await self._in_thread(self._discard, slot)
            return
        if harvest and not outcome.end.ended_for:
            try:
                self._priming = await self._in_thread(slot.learn, report.modules)
            except (SlotLost, SandboxUnavailable):
                # The verdict stands; only this slot is of no more use.
                await self._in_thread(self._discard, slot)
                return
        with self._lock:
            self._free.append(slot)

    def _take(self, snapshot: Snapshot, fresh: bool) -> Slot:
        """Return a slot that holds ``snapshot`` and has a zygote; blocks."""
        slot = None if fresh else self._choose(snapshot)
        slot = slot or self._start(snapshot)
        try:
            if slot.snapshot is None or slot.snapshot.hash != snapshot.hash:
                slot.fill(snapshot)
            if slot.level is None:
                slot.start_zygote(warm=not fresh)
            priming = self._priming
            if priming is not None and priming is not slot.primed and not fresh:
                slot.prime(priming)
        except BaseException:
            self._discard(slot)
            raise
        return slot

    def _choose(self, snapshot: Snapshot) -> Slot | None:
        with self._lock:
            same = [s for s in self._free if s.snapshot and s.snapshot.hash == snapshot.hash]
            found = (same or self._free)[-1:]
            for slot in found:
                self._free.remove(slot)
            return found[0] if found else None

    def _start(self, snapshot: Snapshot) -> Slot:
        client, runtime, image = self._prepare()
        size = sum(len(each.data) for each in snapshot.entries)
        slot = Slot(client, runtime, image, self._memory_mib, size)
        with self._lock:
            self._slots.add(slot)
        if self._closing.is_set():
            self._discard(slot)
            raise SandboxUnavailable("the sandbox is being closed")
        return slot

    def _prepare(self) -> tuple[docker.DockerClient, Runtime, str]:
        """Connect, sweep, plan the mounts and have the image, once."""
        with self._lock:
            if self._engine is None:
                runtime = host_runtime(self._root, self._python, self._environ)
                client = connect()
                self._version = str(client.version().get("Version", ""))
                sweep(client)
                self._engine = (client, runtime, ensure_image(client, runtime.home))
                self._beat = threading.Thread(target=self._keep_alive, daemon=True)
                self._beat.start()
            return self._engine

    def _keep_alive(self) -> None:
        """Tell every supervisor that we live: they exit after a few seconds of silence."""
        while not self._closing.wait(BEAT_SECONDS):
            with self._lock:
                slots = tuple(self._slots)
            for slot in slots:
                slot.ping()

    def _discard(self, slot: Slot) -> None:
        with self._lock:
            self._slots.discard(slot)
            if slot in self._free:
                self._free.remove(slot)
        slot.close()

    async def _in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))


class _Job:
    """One candidate on its way through the pool."""

    __slots__ = ("files", "plan", "seen", "settle", "snapshot", "stop")

    def __init__(
        self,
        snapshot: Snapshot,
        files: dict[str, bytes],
        plan: Plan,
        stop: CancelToken,
        seen: Callable[[CaseResult], None],
        settle: Callable[[Verdict], None],
    ) -> None:
        self.snapshot = snapshot
        self.files = files
        self.plan = plan
        self.stop = stop
        self.seen = seen
        self.settle = settle
