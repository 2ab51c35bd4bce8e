"""``ocils/status``: what a status item shows, told when it changes and not more often than it is read.

Not covered: progress of a single run (``progress.py``).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, assert_never

from ocils import __version__
from ocils.domain.errors import OcilsError
from ocils.domain.model_state import (
    Absent,
    Downloading,
    Failed,
    Loading,
    ModelState,
    Ready,
    Unloaded,
    in_words,
)
from ocils.ports import Ports
from ocils.server.protocol import NotificationName
from ocils.server.shapes import ModelStateShape, RunningStatus, Status
from ocils.settings import UserSettings

if TYPE_CHECKING:
    from ocils.server.desk import Desk

_PAUSE = 0.2  # seconds between two notifications


def _shape_of(state: ModelState | None) -> ModelStateShape | None:
    match state:
        case None:
            return None
        case Absent():
            return ModelStateShape("absent", in_words(state))
        case Downloading(fraction=fraction):
            return ModelStateShape("downloading", in_words(state), fraction)
        case Loading(fraction=fraction):
            return ModelStateShape("loading", in_words(state), fraction)
        case Ready():
            return ModelStateShape("ready", in_words(state))
        case Unloaded():
            return ModelStateShape("unloaded", in_words(state))
        case Failed(mend=mend):
            return ModelStateShape("failed", in_words(state), mend=mend)
        case _:
            assert_never(state)


class StatusTeller:
    """Knows the server's state, and tells it to a client that wants to hear."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ready = False
        self._model = ""
        self._judge = ""
        self._problem: OcilsError | None = None
        self._last = 0.0
        self._told: Status | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """The start is over."""
        self._ready = True
        loop = asyncio.get_running_loop()

        def heard() -> None:
            # The model's state comes from its own thread, and may come after the loop's end.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.changed)

        self._desk.house.watch_model(heard)
        self.changed()

    def learn(self, ports: Ports) -> None:
        """Take in what the ports say of themselves; that they were made ends an earlier problem."""
        self._model, self._judge = ports.engine.identity, ports.sandbox.isolation
        if ports.engine.sends:
            self._model += f" ({ports.engine.sends})"
        self._problem = None
        self.changed()

    def fail(self, problem: OcilsError) -> None:
        """Remember why the last run could not be."""
        self._problem = problem
        self.changed()

    def forget(self) -> None:
        """The settings changed: what was known of model, judge and problem may not hold."""
        self._model = self._judge = ""
        self._problem = None
        self.changed()

    def now(self) -> Status:
        """Return the present state."""
        running = tuple(
            RunningStatus(run.id, run.title, run.uri, run.message) for run in self._desk.runs.all()
        )
        state: Literal["starting", "idle", "busy", "error"] = "idle" if self._ready else "starting"
        if self._problem is not None:
            state = "error"
        if running:
            state = "busy"
        problem = self._problem
        return Status(
            state,
            __version__,
            running,
            self._model or configured(self._desk.house.settings),
            self._judge,
            problem.message if problem is not None else "",
            problem.mend if problem is not None else "",
            _shape_of(self._desk.house.model_state()) if self._ready else None,
        )

    def changed(self) -> None:
        """Tell the client, now or soon; the latest state is never lost."""
        if not (self._desk.flags.status and self._ready):
            return
        # Whether something runs is seen at once; what it says can wait for the next glance.
        turned = self._told is None or self._told.state != self.now().state
        if self._timer is not None:
            if not turned:
                return
            self._timer.cancel()
        due = 0.0 if turned else max(0.0, self._last + _PAUSE - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(due, self._tell)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._timer = None
        self._last = time.monotonic()
        now = self.now()
        if now != self._told:
            self._told = now
            self._desk.tell(NotificationName.STATUS, now)


def configured(settings: UserSettings) -> str:
    """Return the chosen model before it has said anything of itself."""
    remote = settings.remote
    return f"{remote.model or 'a model'} ({remote.sends})" if remote.url else settings.model.name
