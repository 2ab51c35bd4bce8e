"""The report's records: one JSON line each, with the run's nonce and a running number.

Not covered: code in this interpreter that looks for the nonce through frames or ``gc`` and forges
records (the syntax gate marks it); what the records say (``reporter.py`` and ``unittest_runner.py`` write the same kinds).
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from .originals import Originals

# Bound now: a test that patches ``os.write`` must not silence the report.
_write = os.write
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Records:
    """Writes to the descriptor ``report``; ``order`` holds the nonce."""

    def __init__(self, report: int, order: dict[str, Any]) -> None:
        self._report = report
        self._nonce: str = order["nonce"]
        self._number = 0
        # A line of a live probe may be told from another thread, in the middle of a record.
        self._lock = threading.Lock()
        self._originals = Originals()

    def _send(self, **record: Any) -> None:
        if record["t"] == "done":
            record["replaced"] = self._originals.replaced()
        with self._lock:
            record["n"] = self._nonce
            record["i"] = self._number
            self._number += 1
            data = memoryview((_encode(record) + "\n").encode("ascii"))
            while data:
                data = data[_write(self._report, data) :]

    def _tell(self, line: int) -> None:
        """Say that ``line`` of the probed region runs for the first time in this test."""
        self._send(t="line", line=line)
