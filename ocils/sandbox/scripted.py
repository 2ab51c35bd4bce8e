"""A sandbox that plays a script: the port without containers, for tests and for demonstrations.

Not covered: running anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import CaseResult, Killed, Plan, Verdict
from ocils.domain.text import Edit, Snapshot
from ocils.sandbox.changes import changed_files


class Trial(Value, frozen=True):
    """One call of ``judge``: which snapshot, the changed files (relative path, new text), how."""

    snapshot: str
    changed: tuple[tuple[str, str], ...]
    plan: Plan

    @property
    def text(self) -> str:
        """The changed files' new text, joined; empty for the original."""
        return "\n".join(text for _, text in self.changed)


Script: TypeAlias = Callable[[Trial], Verdict]


class ScriptedSandbox:
    """Answers each trial by calling ``script``; the ``Sandbox`` port.

    ``seconds`` is how long a verdict takes; ``seen`` is played for each of its cases in that time.
    ``unavailable`` is raised by ``warm`` and ``judge`` when given. ``trials`` holds what was asked,
    in order, ``warmed`` the snapshots' hashes, ``closed`` whether ``close`` was called.
    """

    def __init__(
        self,
        script: Script,
        *,
        width: int = 1,
        seconds: float = 0.0,
        unavailable: SandboxUnavailable | None = None,
    ) -> None:
        self.trials: list[Trial] = []
        self.warmed: list[str] = []
        self.closed = False
        self._script = script
        self._width = width
        self._seconds = seconds
        self._unavailable = unavailable
        self._gate = asyncio.Semaphore(width)

    @classmethod
    def of_table(
        cls,
        table: Mapping[str, Verdict],
        otherwise: Verdict,
        *,
        width: int = 1,
        seconds: float = 0.0,
    ) -> ScriptedSandbox:
        """Answer by the changed files' whole new text ("" is the original), else ``otherwise``."""
        return cls(lambda trial: table.get(trial.text, otherwise), width=width, seconds=seconds)

    @property
    def width(self) -> int:
        """How many candidates are judged at once."""
        return self._width

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people."""
        return "script (nothing runs)"

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Note the snapshot."""
        if self._unavailable is not None:
            raise self._unavailable
        if not cancel.cancelled:
            self.warmed.append(snapshot.hash)

    async def judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        """Ask the script; a flipped ``cancel`` gives ``Killed("cancelled")`` at once."""
        if self._unavailable is not None:
            raise self._unavailable
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def flip() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(stop.set)

        changed = tuple(
            (path, data.decode("utf-8", "replace"))
            for path, data in changed_files(snapshot, edits).items()
        )
        with cancel.watch(flip):
            async with self._gate:
                if cancel.cancelled:
                    return Killed("cancelled")
                trial = Trial(snapshot.hash, changed, plan)
                self.trials.append(trial)
                verdict = self._script(trial)
                for case in verdict.cases:
                    await self._pause(stop, self._seconds / len(verdict.cases))
                    if stop.is_set():
                        return Killed("cancelled")
                    if seen is not None:
                        seen(case)
                if not verdict.cases:
                    await self._pause(stop, self._seconds)
                return Killed("cancelled") if stop.is_set() else verdict

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    @staticmethod
    async def _pause(stop: asyncio.Event, seconds: float) -> None:
        # Also a verdict that takes no time lets others run, as a real one would.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds or 0.0001)
