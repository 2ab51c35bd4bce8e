"""A program in a terminal: what is typed are bytes to it, what is seen are bytes from it.

Not covered: where on the screen something stands; control sequences are kept as they come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import queue
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping

_PATIENCE = 60.0  # seconds
_QUIET = 0.3  # seconds without a word: the screen is at rest


class Screen:
    """A terminal; end it with ``close``, after the programs in it."""

    def __init__(self, rows: int = 30, columns: int = 100) -> None:
        self._outside, self._inside = pty.openpty()
        fcntl.ioctl(self._inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._programs: list[subprocess.Popen[bytes]] = []
        self._told: queue.Queue[tuple[float, bytes]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, *command: str, env: Mapping[str, str]) -> None:
        """Start a program in the terminal."""
        inside = self._inside
        self._programs.append(
            subprocess.Popen(
                command,
                env={**env, "TERM": "xterm-256color"},
                stdin=inside,
                stdout=inside,
                stderr=inside,
                process_group=0,
            )
        )

    def press(self, keys: str, words: str = "") -> float:
        """Type keys on a screen at rest; return the milliseconds until it was told the words."""
        self.rest()
        pressed = time.perf_counter()
        return (self._type(keys, words)[0] - pressed) * 1000

    def read(self, keys: str, words: str) -> str:
        """Type keys; return what was told up to the words, and then until the screen was at rest."""
        self.rest()
        return (self._type(keys, words)[1] + self.rest()).decode(errors="replace")

    def wait_for(self, words: str) -> None:
        """Wait until the words are told."""
        self._type("", words)

    def rest(self) -> bytes:
        """Wait until nothing is told any more; return what was told meanwhile."""
        seen = b""
        with contextlib.suppress(queue.Empty):
            while True:
                seen += self._told.get(timeout=_QUIET)[1]
        return seen

    def _type(self, keys: str, words: str) -> tuple[float, bytes]:
        os.write(self._outside, keys.encode())
        came, seen = time.perf_counter(), b""
        while words.encode() not in seen:
            try:
                came, told = self._told.get(timeout=_PATIENCE)
            except queue.Empty:
                raise AssertionError(f"never on the screen: {words!r}; {seen!r}") from None
            seen += told
        return came, seen

    def close(self) -> None:
        """Wait for the programs to end, the impatient way if need be."""
        for each in self._programs:
            try:
                each.wait(20)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        os.close(self._inside)
        self._reader.join(20)
        os.close(self._outside)

    def _read(self) -> None:
        """Keep what the terminal is told, and when; a full terminal would stop its programs."""
        with contextlib.suppress(OSError):
            while told := os.read(self._outside, 65536):
                self._told.put((time.perf_counter(), told))


def wait(holds: Callable[[], object], what: str) -> None:
    """Wait for something."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
