"""The line to a container: Docker's multiplexed, attached socket, as frames in both directions.

Not covered: reconnecting; a line that broke means a slot that is lost.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from ocils.sandbox.inside.frames import Message, pack, unpack

HEADER = struct.Struct(">BxxxI")
KEPT_ERRORS = 8 << 10
CHUNK = 1 << 20
SEND_SECONDS = 30.0
START_SECONDS = 30.0
"""How long starting, or any single answer, may take."""


class SlotLost(Exception):
    """The container is gone, or says nothing any more; the message holds what it said last."""


class Line:
    """Frames to and from PID 1 of a container. Sending is safe from any thread, hearing from one."""

    def __init__(self, container: Container) -> None:
        self._begin(
            container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        )

    def _begin(self, stream: Any) -> None:
        self._stream = stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        # Sends give up at some point, since a paused container reads nothing; hearing polls first.
        self._socket.settimeout(SEND_SECONDS)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._socket, select.POLLOUT)
        self._sending = threading.Lock()
        self._raw = bytearray()
        self._out = bytearray()
        self._errors = bytearray()

    @property
    def errors(self) -> str:
        """What the container wrote to its standard error, the end of it."""
        return bytes(self._errors).decode("utf-8", "replace")

    def send(self, message: Message, raw: bytes = b"") -> None:
        """Send a frame. Raises ``SlotLost``."""
        try:
            with self._sending:
                self._socket.sendall(pack(message, raw))
        except OSError as error:
            raise SlotLost(f"the container is gone: {error}") from error

    def ping(self) -> None:
        """Say that we live, unless a frame is being sent, which says it as well. Never raises."""
        if self._sending.acquire(blocking=False):
            try:
                if self._writable.poll(0):
                    self._socket.sendall(pack({"op": "ping"}))
            except OSError:
                return  # whoever uses the slot next learns it
            finally:
                self._sending.release()

    def is_lost(self) -> bool:
        """Tell whether the other end has closed the line. Only while nobody hears; never raises."""
        if self._unread() is not None:
            return False  # there is no peeking into TLS; whoever uses the slot next learns it
        try:
            return bool(self._readable.poll(0)) and not self._socket.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def hear(self, seconds: float) -> Message:
        """Return the next frame. Raises ``SlotLost`` at the end, or when none comes in time."""
        until = time.monotonic() + seconds
        while True:
            message = unpack(self._out)
            if message is not None:
                return message
            self._read(until)

    def raw(self, size: int, seconds: float) -> bytes:
        """Return the ``size`` raw bytes that the last frame announced."""
        until = time.monotonic() + seconds
        while len(self._out) < size:
            self._read(until)
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def close(self) -> None:
        """Close our end; PID 1 sees the end of its input and exits."""
        with contextlib.suppress(OSError):  # the other end was first
            self._socket.shutdown(socket.SHUT_RDWR)
        # docker-py keeps the response alive with the stream, and the response its connection.
        response = getattr(self._stream, "_response", None)
        if response is not None:
            response.close()
        self._stream.close()
        self._socket.close()

    def _read(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise SlotLost(f"the container says nothing; last: {self.errors[-500:]}")
        try:
            # TLS may have decrypted more than was asked for; the socket itself has nothing then.
            if not self._unread() and not self._readable.poll(left * 1000):
                return
            data = self._socket.recv(CHUNK)
        except (OSError, ValueError) as error:
            raise SlotLost(f"the container is gone: {error}") from error
        if not data:
            raise SlotLost(f"the container ended; last: {self.errors[-500:]}")
        self._take(data)

    def _unread(self) -> int | None:
        """Return how many bytes TLS holds back; None without TLS."""
        return self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else None

    def _take(self, data: bytes) -> None:
        self._raw += data
        while len(self._raw) >= HEADER.size:
            stream, size = HEADER.unpack_from(self._raw)
            end = HEADER.size + size
            if len(self._raw) < end:
                return
            if stream == 1:
                self._out += self._raw[HEADER.size : end]
            else:
                self._errors += self._raw[HEADER.size : end]
                del self._errors[:-KEPT_ERRORS]
            del self._raw[:end]


class LocalLine(Line):
    """The line to a process of this machine: a socket without headers; errors go to a file."""

    def __init__(self, near: socket.socket, errors: str) -> None:
        self._file = errors
        self._begin(near)

    @property
    def errors(self) -> str:
        """What the process wrote to its standard error, the end of it."""
        try:
            text = Path(self._file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return text[-KEPT_ERRORS:]

    def _take(self, data: bytes) -> None:
        self._out += data
