"""A language client of the smallest kind, so that the server is measured as editors see it.

Speaks framed JSON over a child's standard streams. Not covered: requests of the server (they are
answered with null), notifications (read and dropped), errors (raised as they are).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Client:
    """A running ``python -m ocils serve`` and the talk with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._reading = asyncio.create_task(self._read())
        self._last = 0

    async def ask(self, method: str, parameters: object) -> object:
        """Send a request and return its result. Raises ``RuntimeError`` with the server's error."""
        self._last += 1
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = answer
        await self._send({"id": self._last, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 60)

    async def tell(self, method: str, parameters: object) -> None:
        """Send a notification."""
        await self._send({"method": method, "params": parameters})

    async def start(self, root: str) -> None:
        """Go through the handshake for a workspace at ``root``."""
        folder = {"uri": f"file://{root}", "name": "bench"}
        await self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": {"general": {"positionEncodings": ["utf-8", "utf-16"]}},
            },
        )
        await self.tell("initialized", {})

    async def stop(self) -> None:
        """End the server as the protocol asks, and by force when it does not listen."""
        try:
            await asyncio.wait_for(self.ask("shutdown", None), 5)
            await self.tell("exit", None)
            await asyncio.wait_for(self._process.wait(), 5)
        except (TimeoutError, ConnectionError, RuntimeError):
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _send(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None  # it was opened as a pipe
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process.stdout is not None  # it was opened as a pipe
        try:
            while True:
                head = await self._process.stdout.readuntil(b"\r\n\r\n")
                size = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                message = json.loads(await self._process.stdout.readexactly(size))
                if "method" in message:
                    if "id" in message:
                        await self._send({"id": message["id"], "result": None})
                    continue
                answer = self._waiting.pop(message["id"])
                if "error" in message:
                    answer.set_exception(RuntimeError(str(message["error"])))
                else:
                    answer.set_result(message.get("result"))
        except asyncio.IncompleteReadError:
            for answer in self._waiting.values():
                answer.set_exception(ConnectionError("the server ended"))
            self._waiting.clear()


@asynccontextmanager
async def server() -> AsyncGenerator[Client, None]:
    """Start ``python -m ocils serve`` with this interpreter; end it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ocils",
        "serve",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    client = Client(process)
    try:
        yield client
    finally:
        await client.stop()
