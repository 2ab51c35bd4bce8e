"""``ocils serve-model`` as a process of its own, and something to ask it.

Not covered: what it should answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from typing import IO

from ocils.domain.model import Infill

CODE = '''def find_ranges(values, limit):
    """Return the start and end of every run of values that are at most limit."""
    ranges = []
    start = None
    for index, value in enumerate(values):
        if value <= limit:
            start = index
        elif start is not None:
            ranges.append((start, index))
    return ranges'''.splitlines()


def hole(line: int, was: str = "") -> Infill:
    head, tail = CODE[:line], CODE[line + 1 :]
    return Infill(
        "".join(f"\n{text}" for text in head), "".join(f"\n{text}" for text in tail), was, (), 3
    )


class Process:
    """``ocils serve-model`` in a process of its own."""

    def __init__(self, *arguments: str, errors: IO[str] | None = None, **environment: str) -> None:
        self.running = subprocess.Popen(
            [sys.executable, "-m", "ocils", "serve-model", "ocils-tiny", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        )
        assert self.running.stdout is not None
        self.said = self.running.stdout.readline().strip()
        assert self.said.startswith("serving "), self.running.wait(20)
        self.url = self.said.rpartition(" ")[2]
        self.port = int(self.url.rpartition(":")[2].partition("/")[0])

    def end(self) -> int:
        self.running.send_signal(signal.SIGTERM)
        with self.running:
            return self.running.wait(20)

    def wait_until(self, *, running: int) -> None:
        """Return when so many requests are under way; the test's own time limit ends it."""
        while self.ask("GET", "/health")[1]["running"] != running:
            time.sleep(0.02)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, object]]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = json.dumps(body) if body is not None else None
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(method, path, data, {"Content-Type": "application/json", **named})
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            line.close()
