"""A one-way street from the model's thread to the event loop.

Not covered: telling the thread to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Items that one thread puts in and one coroutine takes out; made inside a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()

    def put(self, item: Item) -> None:
        """Hand over ``item``; for any thread."""
        self._put(item)

    def release(self) -> None:
        """End the street for its reader, at once, whatever the thread still does; for any thread."""
        self._put(None)

    def end_with(self, work: Future[None]) -> None:
        """End the street as ``work`` ended: with its exception, or quietly."""
        self._put(work.exception())

    async def items(self) -> AsyncIterator[Item]:
        """Yield what comes until the end; raises what the work raised."""
        while (item := await self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _put(self, item: Item | BaseException | None) -> None:
        # A loop that is closed has no reader any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
