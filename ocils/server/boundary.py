"""Where errors end, and nowhere else.

Not covered: errors of the protocol itself (malformed messages), which ``app.py`` answers.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from lsprotocol import types

from ocils.domain.errors import EnvironmentProblem, OcilsError

if TYPE_CHECKING:
    from ocils.server.desk import Desk

log = logging.getLogger("ocils.server")


class Boundary:
    """The one place where errors end.

    What the user can mend becomes one message and one line in the log. Anything else is a bug: its
    traceback goes to standard error, where editors keep their servers' logs, and the user hears of
    each bug once. The server lives on either way.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._heard: set[str] = set()

    def __call__(self, what: str) -> _Guard:
        """Guard a block; ``what`` was being done, for the message."""
        return _Guard(self, what)

    def end(self, error: BaseException | None, what: str) -> bool:
        """Take in what left a guarded block; tell whether it ends here."""
        error = _leaf(error)
        if isinstance(error, OcilsError):
            if isinstance(error, EnvironmentProblem):
                self._desk.status.fail(error)
            text = str(error)
            self._desk.say(text[:1].upper() + text[1:], types.MessageType.Error)
            return True
        if not isinstance(error, Exception):
            # Nothing happened, or the loop is being cancelled or the process ended.
            return False
        log.error("a bug in ocils, while %s", what, exc_info=error)
        place = traceback.extract_tb(error.__traceback__)[-1]
        known = f"{type(error).__name__} {place.filename}:{place.lineno}"
        if known not in self._heard:
            self._heard.add(known)
            self._desk.say(
                f"A bug in ocils, while {what} ({type(error).__name__}: {error}); nothing was "
                "changed, and the server's log has the details",
                types.MessageType.Error,
            )
        return True


def _leaf(error: BaseException | None) -> BaseException | None:
    """Return the problem in a group that several tasks raised: one that the user can mend, if any."""
    while isinstance(error, BaseExceptionGroup):
        inner = error.exceptions
        error = next((e for e in inner if isinstance(_leaf(e), OcilsError)), inner[0])
    return error


class _Guard:
    def __init__(self, boundary: Boundary, what: str) -> None:
        self._boundary = boundary
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._boundary.end(error, self._what)
