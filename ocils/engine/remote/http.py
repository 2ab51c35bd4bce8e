"""As much of HTTP/1.1 as a model's server needs: one request a connection, and who hung up.

A browser's pages must not use a server on their reader's machine: requests with an ``Origin`` are
refused, those to a name that is not this machine's (a rebound DNS name), and bodies that are not
declared as JSON, which a page may not send without asking first.

Not covered: TLS, keep-alive, bodies in chunks; put a proxy in front for those.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

from ocils.domain.base import Value
from ocils.domain.errors import OcilsError

_MOST_HEAD = 32 << 10
_MOST_BODY = 8 << 20
_PATIENCE = 30.0  # seconds for a request to arrive
_PULSE = 10.0  # seconds of silence before a comment says that it goes on


class Request(Value, frozen=True):
    """One request; header names in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class BadRequest(Exception):
    """The request is answered with ``status`` and this text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read a request. Raises ``BadRequest``; ``ConnectionError`` when nobody is there any more."""
    try:
        async with asyncio.timeout(_PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, version = (*first.split(" "), "", "", "")[:3]
            if len(head) > _MOST_HEAD or not version.startswith("HTTP/1."):
                raise BadRequest(400, "this is no request of HTTP/1.1")
            pairs = (line.partition(":") for line in lines if ":" in line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not length.isdecimal():
                raise BadRequest(411, "say how long the body is (Content-Length)")
            if int(length) > _MOST_BODY:
                raise BadRequest(413, f"a body of more than {_MOST_BODY >> 20} MiB")
            body = await reader.readexactly(int(length))
    except asyncio.LimitOverrunError as error:
        raise BadRequest(431, "the headers are too long") from error
    except TimeoutError as error:
        raise BadRequest(408, "the request did not arrive") from error
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError from error
    return Request(method, path.partition("?")[0], headers, body)


def check_origin(request: Request, *, loopback: bool) -> None:
    """Refuse what only a page in a browser sends. Raises ``BadRequest``."""
    if "origin" in request.headers:
        raise BadRequest(403, "pages in a browser are not served")
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if loopback and not (host in ("localhost", "[::1]") or host.startswith("127.")):
        raise BadRequest(403, f"this machine is not called {host[:60]!r}")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        raise BadRequest(415, "send JSON (Content-Type: application/json)")


async def hung_up(reader: asyncio.StreamReader) -> None:
    """Return when the other end has hung up; what it sends meanwhile is not looked at."""
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        return


async def send_json(writer: asyncio.StreamWriter, status: int, value: object) -> None:
    """Send a whole answer."""
    body = json.dumps(value).encode()
    head = _head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    writer.write(head + body)
    await writer.drain()


async def send_events(writer: asyncio.StreamWriter, events: AsyncIterator[object]) -> None:
    """Send events as they come, and signs of life between them.

    The head goes with the first, so that what goes wrong before still has a status of its own; what
    goes wrong later is an event.
    """
    begun = False
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait([coming], timeout=_PULSE)
            over = False
            text = b": it goes on\n\n"
            if coming.done():
                try:
                    event = coming.result()
                except OcilsError as problem:
                    if not begun:
                        raise
                    event, over = {"error": {"message": str(problem)}}, True
                text = b"data: " + (json.dumps(event).encode() if event else b"[DONE]") + b"\n\n"
                over = over or event is None
            if not begun:
                begun = True
                kind = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
                writer.write(_head(200, {**kind, "Cache-Control": "no-store"}))
            writer.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            if over:
                writer.write(b"0\r\n\r\n")
            await writer.drain()
            if over:
                return
            if coming.done():
                coming = asyncio.ensure_future(anext(events, None))
    finally:
        coming.cancel()
        await asyncio.wait([coming])


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in {**headers, "Connection": "close"}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
