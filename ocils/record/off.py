"""Keeping nothing, for users who set ``record = false``."""

from __future__ import annotations

from ocils.domain.session import Session


class NoSessions:
    """A recorder that forgets; the ``Recorder`` port."""

    def record(self, session: Session) -> None:
        """Forget ``session``."""
