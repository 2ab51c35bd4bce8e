"""Frames between the host and the supervisor: four bytes of length (big endian), then JSON.

A frame may announce raw bytes that follow it; the receiver asks for them with ``raw``. The host
says something at least every second; a supervisor that hears nothing for ``silence`` seconds, or
whose input ends, exits, and with PID 1 goes the whole container.

Not covered: the eight-byte headers that Docker adds on its way (``slot.py``).
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any, Dict, Sequence

Message = Dict[str, Any]

HEADER = struct.Struct(">I")
CHUNK = 1 << 20


def pack(message: Message, raw: bytes = b"") -> bytes:
    """Return ``message`` as a frame, followed by ``raw``."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(body)) + body + raw


def unpack(buffer: bytearray) -> Message | None:
    """Take one frame off the front of ``buffer``, or return None while it is incomplete."""
    if len(buffer) < HEADER.size:
        return None
    end = HEADER.size + HEADER.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    message: Message = json.loads(bytes(buffer[HEADER.size : end]))
    del buffer[:end]
    return message


class Host:
    """The other end, seen from PID 1."""

    def __init__(self, source: int, sink: int, silence: float) -> None:
        self._source = source
        self._sink = sink
        self._silence = silence
        self._heard = time.monotonic()
        self._buffer = bytearray()

    def wait(self, others: Sequence[int], until: float | None = None) -> list[int]:
        """Wait for the host, for one of ``others``, or until the monotonic time ``until``.

        Returns those of ``others`` that can be read. Ends the process when the host is gone.
        """
        now = time.monotonic()
        limit = self._heard + self._silence
        if until is not None:
            limit = min(limit, until)
        ready = select.select([self._source, *others], [], [], max(0.0, limit - now))[0]
        if self._source in ready:
            data = os.read(self._source, CHUNK)
            if not data:
                os._exit(0)
            self._heard = time.monotonic()
            self._buffer += data
        elif time.monotonic() > self._heard + self._silence:
            os._exit(0)
        return [each for each in ready if each != self._source]

    def poll(self) -> Message | None:
        """Return the next command that has arrived, or None; pings are swallowed here."""
        while True:
            message = unpack(self._buffer)
            if message is None or message.get("op") != "ping":
                return message

    def receive(self) -> Message:
        """Wait for the next command."""
        while True:
            message = self.poll()
            if message is not None:
                return message
            self.wait(())

    def raw(self, size: int) -> bytes:
        """Wait for the ``size`` raw bytes that the last command announced."""
        while len(self._buffer) < size:
            self.wait(())
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def send(self, message: Message, raw: bytes = b"") -> None:
        """Send ``message``; a host that does not read for ``silence`` seconds is taken for gone."""
        data = memoryview(pack(message, raw))
        while data:
            if not select.select([], [self._sink], [], self._silence)[1]:
                os._exit(0)
            data = data[os.write(self._sink, data[:65536]) :]
