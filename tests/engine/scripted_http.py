"""A server that answers what a test tells it to, byte for byte; nothing in it knows the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ocils.engine.remote.http import Request, read_request

Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class ScriptedServer:
    """Plays ``answers`` one after the other, the last one again and again; remembers the requests."""

    def __init__(self, *answers: bytes | Answer) -> None:
        self._answers = answers
        self._work: set[asyncio.Task[None]] = set()
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.url = ""

    @property
    def bodies(self) -> list[dict[str, object]]:
        return [json.loads(request.body) for request in self.requests if request.body]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._work.add(task)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                request = await read_request(reader)
                answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
                self.requests.append(request)
                self.asked.set()
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(request, writer)
        finally:
            self.hung_up.set()
            self._work.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)


@asynccontextmanager
async def serving(*answers: bytes | Answer) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(*answers)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield scripted
    finally:
        server.close()
        await scripted.close()


def response(
    body: bytes, kind: str = "application/json", status: str = "200 OK", **more: str
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def whole(value: object) -> bytes:
    """An answer in one piece."""
    return response(json.dumps(value).encode())


def events(*values: object, done: bool = True) -> bytes:
    """A stream of events; a string stands for itself."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    if done:
        texts.append("[DONE]")
    return response("".join(f"data: {text}\n\n" for text in texts).encode(), "text/event-stream")


def text(
    said: str, row: int = 0, finish: str | None = None, logprob: float | None = None
) -> dict[str, object]:
    """A part of a completion."""
    choice: dict[str, object] = {"index": row, "text": said, "finish_reason": finish}
    if logprob is not None:
        choice["logprobs"] = {"token_logprobs": [logprob]}
    return {"choices": [choice]}


def talk(said: str, row: int = 0, finish: str | None = None) -> dict[str, object]:
    """A part of a chat reply."""
    return {"choices": [{"index": row, "delta": {"content": said}, "finish_reason": finish}]}
