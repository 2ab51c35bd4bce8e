"""One candidate's run, as the supervisor follows it.

Not covered: what the candidate reports (the host reads that).
"""

from __future__ import annotations

import time

from .frames import Message


class Run:
    """One candidate's run, as it goes."""

    def __init__(self, command: Message) -> None:
        self.started = time.monotonic()
        self.until = self.started + float(command["seconds"])
        self.quiet = float(command.get("quiet", 0))
        self.heard = self.started
        self.output_cap = int(command["output_cap"])
        self.report_cap = int(command["report_cap"])
        self.ended_for = ""
        self.status: int | None = None
        self.pid = 0
        self.reported = 0
        self.written = 0
        self.tail = bytearray()
        self.seconds = 0.0
        self.clean = True
        self.tampered: list[str] = []

    def hangs(self, now: float) -> bool:
        """Whether the run is over its time, or silent for longer than one test may take.

        Importing and collecting say nothing, and may take three times as long.
        """
        silence = self.quiet if self.reported else 3 * self.quiet
        return now >= self.until or (self.quiet > 0 and now - self.heard >= silence)
