"""One fork for one candidate: asked for on a line, followed until it has ended.

Its two pipes are looked into now and then rather than waited for: every record that wakes a reader up
costs the tests a tenth of a millisecond, and a batch of them is one frame to the host. A pipe that was
found half full is waited for, so that whoever writes much is not held up.

Not covered: putting the candidate's files in place and the slot back (``supervisor.py``).
"""

from __future__ import annotations

import array
import json
import os
import socket
import time

from . import processes
from .frames import Host, Message
from .owners import CANDIDATE, acting_as
from .running import Run

TICK = 0.1
LOOK = 0.02
"""Seconds between two looks into the pipes: how late the host may hear of a test that ended."""

MUCH = 1 << 15
KEPT_OUTPUT = 32 << 10


def send_order(line: socket.socket, word: bytes, order: Message, ends: list[int]) -> None:
    """Send ``order``, in a file of its own, and two descriptors; they are closed here."""
    request = os.memfd_create("request")
    with open(os.dup(request), "wb") as file:
        file.write(json.dumps(order).encode())
    numbers = array.array("i", [request, *ends])
    try:
        line.sendmsg([word], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())])
    finally:
        for each in numbers:
            os.close(each)


def candidates_pipe() -> tuple[int, int]:
    """Make a pipe that is the candidate's, else opening /dev/stdout is denied to it."""
    with acting_as(CANDIDATE):
        ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    return ours, theirs


class Trial:
    """One run on ``line``, the zygote's or a collected suite's."""

    def __init__(self, host: Host, line: socket.socket, run: Run) -> None:
        self._host = host
        self._line = line
        self._run = run
        self._report = self._output = -1

    def go(self, order: Message) -> bool:
        """Run to the end, and end every process of the candidate; True when the line was lost."""
        self._report, report_end = candidates_pipe()
        self._output, output_end = candidates_pipe()
        try:
            send_order(self._line, b"run", order, [report_end, output_end])
            lost = self._follow()
        except OSError:
            lost = True
        self._run.seconds = time.monotonic() - self._run.started
        self._run.clean = processes.end_all()
        self._drain()
        os.close(self._report)
        os.close(self._output)
        return lost

    def _follow(self) -> bool:
        """Watch until the candidate has ended; True when the line was lost."""
        run = self._run
        line = self._line.fileno()
        full: set[int] = set()
        look = run.started + TICK
        while run.status is None:
            until = min(run.until, time.monotonic() + LOOK)
            ready = self._host.wait([line, *full], until)
            command = self._host.poll()
            if command is not None and command["op"] == "cancel":
                self._end("cancelled")
            full = {pipe for pipe in (self._report, self._output) if self._read(pipe) >= MUCH}
            if line in ready:
                data = self._line.recv(1 << 20)
                if not data:
                    return True
                message = json.loads(data)
                run.pid = message.get("pid", run.pid)
                run.status = message.get("status")
            if run.status is None and time.monotonic() >= min(run.until, look):
                self._check()
                look = time.monotonic() + TICK
        return False

    def _check(self) -> None:
        run = self._run
        if run.hangs(time.monotonic()):
            self._end("timeout")
            run.until, run.quiet = time.monotonic() + 1, 0
        elif run.pid and not run.ended_for:
            with acting_as(CANDIDATE):
                size = processes.output_size(run.pid)
            if size > run.output_cap:
                self._end("output")

    def _end(self, why: str) -> None:
        self._run.ended_for = self._run.ended_for or why
        processes.end_all()

    def _read(self, pipe: int) -> int:
        """Take what is in ``pipe``, nothing at its end; returns how much it was."""
        run = self._run
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return 0
        if pipe == self._output:
            run.written += len(data)
            run.tail += data
            del run.tail[:-KEPT_OUTPUT]
            if run.written > run.output_cap:
                self._end("output")
        elif data:
            run.reported += len(data)
            run.heard = time.monotonic()
            if run.reported > run.report_cap:
                self._end("report")
            else:
                self._host.send({"op": "report", "data": data.decode("latin-1")})
        return len(data)

    def _drain(self) -> None:
        """Read what the candidate left in its pipes; no writer is alive any more."""
        for pipe in (self._report, self._output):
            before = -1
            while before != self._run.reported + self._run.written:
                before = self._run.reported + self._run.written
                self._read(pipe)
