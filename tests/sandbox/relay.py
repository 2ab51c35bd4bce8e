"""A socket in front of the engine's, which can be cut: an engine that dies, without killing it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

ENGINE = "/var/run/docker.sock"
ANSWERED = 0.02
"""Seconds that the engine has for a request that is to be broken: less than it needs."""


class Relay:
    """Passes bytes between ``path`` and the engine until it is cut; then nobody answers there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._breaks: list[tuple[bytes, bool]] = []

    def break_at(self, words: str, *, passed: bool, times: int = 1) -> None:
        """Break the connection at the next requests that hold ``words``; ``passed``: the engine gets them."""
        self._breaks += [(words.encode(), passed)] * times

    @property
    def unbroken(self) -> int:
        """How many requests are still to be broken."""
        return len(self._breaks)

    async def start(self) -> None:
        """Answer from now on."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def cut(self) -> None:
        """Break every connection, and take none any more."""
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.path.unlink(missing_ok=True)

    async def drop(self, number: int) -> None:
        """Break one of the connections; others may be made at once."""
        tasks = sorted(self._tasks, key=id)
        if tasks:
            task = tasks[number % len(tasks)]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there_reader, there_writer = await asyncio.open_unix_connection(ENGINE)
        pipes = [
            asyncio.create_task(self._ask(reader, there_writer, task)),
            asyncio.create_task(_copy(there_reader, writer)),
        ]
        try:
            await asyncio.wait(pipes)
        except asyncio.CancelledError:
            pass  # cut
        finally:
            for each in pipes:
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # cut once more
                await asyncio.wait(pipes)
            for each_writer in (writer, there_writer):
                each_writer.transport.abort()
            self._tasks.discard(task)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: asyncio.Task[None]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                found = next((each for each in self._breaks if each[0] in data), None)
                if found is None or found[1]:
                    writer.write(data)
                    await writer.drain()
                if found is not None:
                    self._breaks.remove(found)
                    await asyncio.sleep(ANSWERED)
                    whole.cancel()
            if writer.can_write_eof():
                writer.write_eof()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
