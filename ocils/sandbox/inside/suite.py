"""The collected suite of a slot, as the supervisor sees it: started, asked, distrusted, ended.

At most one is kept. Which files it collected and from which tree is its ``key``; for a key that was
refused, and for a file whose candidates were refused a few times, no new attempt is made.

Not covered: what it does inside (``collected.py``), when it is worth having (the host says).
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Callable

from . import processes
from .frames import Host, Message
from .owners import COLLECTOR
from .trial import candidates_pipe, send_order

PATIENCE = 8
"""Candidates of one file that are refused in a row before its edits are no longer tried."""

SECONDS = 60.0


class Suite:
    """Starts with nothing collected."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._line: socket.socket | None = None
        self._key = ""
        self._pid = 0
        self._manners: object = None
        self._sent: set[str] = set()
        self._refused: dict[str, str] = {}
        self._refusals: dict[str, int] = {}

    def line_for(self, key: str, path: str) -> tuple[socket.socket | None, str]:
        """Return the line to the suite of ``key``, or None and why there is none ("" : not yet)."""
        why = self._refused.get(key, "")
        if self._refusals.get(path, 0) >= PATIENCE:
            why = why or f"edits of {path} were refused before"
        if why or self._line is None or key != self._key:
            return None, why
        return self._line, ""

    def start(
        self,
        zygote: socket.socket,
        key: str,
        order: Message,
        seconds: float,
        clean: Callable[[], str],
    ) -> str:
        """Collect, as a fork of the zygote; returns why it cannot be used, or nothing.

        ``clean`` puts the slot back and says what collecting left behind. "cancelled" is said when
        the host cancelled meanwhile.
        """
        self.end()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, output_end = candidates_pipe()
        try:
            send_order(zygote, b"collect", order, [theirs.detach(), output_end])
            self._pid = int(json.loads(zygote.recv(1 << 16))["pid"])
            why = self._await(ours, output, time.monotonic() + min(seconds, SECONDS))
        except (OSError, ValueError, KeyError) as problem:
            why = f"the suite was lost: {problem}"
        os.close(output)
        self._line = ours
        self._key = key
        self._manners = processes.manners(self._pid)
        why = why or clean()
        if why:
            self.end()
            if why != "cancelled":
                self._refused[key] = why
            clean()
        return why

    def with_original(self, path: str, text: str) -> Message:
        """Return what to add to an order: the original text, when it was not sent before."""
        if path in self._sent:
            return {}
        self._sent.add(path)
        return {"original": text}

    def refuse(self, path: str) -> None:
        """Note that a candidate of the file at ``path`` could not be judged here."""
        self._refusals[path] = self._refusals.get(path, 0) + 1

    def accept(self, path: str) -> None:
        """Note that one could."""
        self._refusals.pop(path, None)

    def check(self) -> None:
        """After a candidate: end the suite when it is gone or was meddled with."""
        if self._line is not None and processes.manners(self._pid) != self._manners:
            self.end()

    def end(self) -> None:
        """End the suite, if there is one."""
        if self._line is None:
            return
        self._line.close()
        self._line = None
        self._sent.clear()
        processes.end_all(COLLECTOR)

    def forget(self) -> None:
        """End it, and drop what was learnt: the tree or the zygote is another one."""
        self.end()
        self._refused.clear()
        self._refusals.clear()

    def _await(self, line: socket.socket, output: int, until: float) -> str:
        """Wait until it is ready; what it prints meanwhile is thrown away."""
        waiting = [line.fileno(), output]
        while time.monotonic() < until:
            ready = self._host.wait(waiting, until)
            command = self._host.poll()
            if command is not None and command["op"] == "cancel":
                return "cancelled"
            if output in ready and not os.read(output, 1 << 16):
                waiting.remove(output)
            if line.fileno() in ready:
                data = line.recv(1 << 16)
                if not data:
                    return "the suite ended while it was collected"
                return str(json.loads(data).get("refused", ""))
        return "collecting took too long"
