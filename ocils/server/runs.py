"""What is running: one run a target at a time, different targets side by side, each cancellable.

Not covered: what a run does (``flows.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError

_GRACE = 2.0  # seconds a run has to end by itself after its token was flipped


class Run:
    """One run under way. ``owner`` is what it works on; ``changed`` is called when it says something."""

    def __init__(self, owner: str, title: str, uri: str, changed: Callable[[], None]) -> None:
        self.id = uuid4().hex[:12]
        self.owner = owner
        self.title = title
        self.uri = uri
        self.token = CancelToken()
        self._message = "starting"
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    @property
    def message(self) -> str:
        """What it said last."""
        return self._message

    def say(self, message: str) -> None:
        """Say what is being done now."""
        self._message = message
        self._changed()

    def start(self, work: Callable[[Run], Awaitable[None]]) -> asyncio.Task[None]:
        """Begin; must be called on the event loop."""

        async def whole() -> None:
            await work(self)

        self._task = asyncio.create_task(whole(), name=f"ocils {self.title}")
        return self._task

    def cancel(self) -> None:
        """Ask the run to stop; one that does not listen is ended two seconds later."""
        if self.token.cancelled:
            return
        self.token.cancel()
        if self._task is not None and not self._task.done():
            asyncio.get_running_loop().call_later(_GRACE, self._task.cancel)

    async def wait(self) -> None:
        """Wait until the run has ended, however."""
        if self._task is not None:
            await asyncio.wait([self._task])


class Runs:
    """All runs under way; ``changed`` is called when one starts, says something or ends."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._runs: dict[str, Run] = {}
        self._changed = changed

    def start(
        self,
        owner: str,
        title: str,
        uri: str,
        work: Callable[[Run], Awaitable[None]],
        *,
        replace: bool = False,
    ) -> Run:
        """Start ``work`` on ``owner`` and return at once.

        Raises ``UsageError`` when something runs on it already; with ``replace`` that is cancelled,
        and the new run begins when it has ended.
        """
        before = next((r for r in self._runs.values() if r.owner == owner), None)
        if before is not None and not replace:
            raise UsageError(
                f"{before.title} is still running ({before.message})",
                mend="wait for it, or cancel it first",
            )
        run = Run(owner, title, uri, self._changed)

        async def whole(run: Run) -> None:
            try:
                if before is not None:
                    before.cancel()
                    await before.wait()
                if not run.token.cancelled:
                    await work(run)
            finally:
                self._runs.pop(run.id, None)
                self._changed()

        self._runs[run.id] = run
        run.start(whole)
        self._changed()
        return run

    def claim(self, run: Run, owner: str) -> None:
        """Let ``run`` work on ``owner``, which it has only now found out.

        Raises ``UsageError`` when another one does already.
        """
        other = next((r for r in self._runs.values() if r.owner == owner and r is not run), None)
        if other is not None:
            raise UsageError(
                f"{other.title} is still running ({other.message})",
                mend="wait for it, or cancel it first",
            )
        run.owner = owner

    def leave(self, run: Run) -> None:
        """Let others work on what ``run`` worked on: it has only to end."""
        self._runs.pop(run.id, None)
        self._changed()

    def all(self) -> tuple[Run, ...]:
        """Return the runs under way, oldest first."""
        return tuple(self._runs.values())

    def cancel(self, task: str | None = None, uri: str | None = None) -> int:
        """Cancel the run of that id, those of that document, or all; return how many."""
        chosen = [
            run
            for run in self._runs.values()
            if (task is None or run.id == task) and (uri is None or run.uri == uri)
        ]
        for run in chosen:
            run.cancel()
        return len(chosen)

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        runs = self.all()
        self.cancel()
        await asyncio.gather(*(run.wait() for run in runs))
