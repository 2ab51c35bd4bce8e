"""Where the chosen model stands: what the engine says, what a pull says, or what a glance shows.

Not covered: telling anybody (``server/status.py``); models on a server, which have no state here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ocils.domain.errors import OcilsError
from ocils.domain.model_state import Absent, Downloading, Failed, ModelState, Unloaded
from ocils.settings import UserSettings


class ModelWatch:
    """Keeps the latest state, from whichever thread it comes; ``None``: there is nothing to say."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: ModelState | None = None
        self._glanced = False
        self._pulling = False
        self._engaged = False
        self._age = 0
        self._listener: Callable[[], None] = lambda: None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each change, from any thread; the last one counts."""
        self._listener = listener

    def state(self, settings: UserSettings, *, again: bool = False) -> ModelState | None:
        """Return the state; the first time after a change of settings this looks at the disk.

        ``again`` looks once more where nobody has said anything since: another process may have
        brought the model, or taken it away.
        """
        with self._lock:
            if self._state is None or (again and self._glanced):
                self._state, self._glanced = glance(settings), True
            return self._state

    @property
    def outdated(self) -> bool:
        """Whether an engine that was made earlier does not know what the disk has become."""
        with self._lock:
            return not self._engaged or isinstance(self._state, Absent | Failed)

    def reporter(self) -> Callable[[ModelState], None]:
        """Return what a new engine reports to; what older engines still say is passed over."""
        with self._lock:
            self._age += 1
            self._engaged = True
            age = self._age

        def report(state: ModelState) -> None:
            with self._lock:
                if age != self._age or self._pulling:
                    return
                self._state, self._glanced = state, False
            self._listener()

        return report

    def pulling(self, fraction: float) -> None:
        """Take in that the chosen model is on its way."""
        with self._lock:
            self._pulling, self._glanced, self._state = True, False, Downloading(fraction)
        self._listener()

    def renew(self) -> None:
        """Forget: other settings, or other files on the disk."""
        with self._lock:
            self._age += 1
            self._state, self._engaged, self._pulling = None, False, False
        self._listener()


def glance(settings: UserSettings) -> ModelState | None:
    """Return how the chosen model stands on the disk; reads heads, not weights."""
    from ocils.engine.models.store import find, fits
    from ocils.engine.nothing import MANIFESTS

    if settings.remote.url or settings.model.name in MANIFESTS:
        return None
    try:
        model = find(settings.model.name)
        if not (model.folder / "model.bin").is_file():
            return Absent()
        fits(model)
    except OcilsError as error:
        return Failed(error.message, error.mend)
    return Unloaded()
