"""How the server is served: on stdin and stdout, or on a port; and how it ends.

Not covered: what it answers (``app.py``).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, Timer
from typing import Any

from pygls.io_ import StdoutWriter, run_async

from ocils.server.app import OcilsServer, make_server
from ocils.server.house import House

_CHUNK = 65536
_LINGER = 10.0  # seconds that threads have to end in, once everything else has ended


def serve_stdio(house: House) -> int:
    """Serve one client on stdin and stdout until it leaves or a signal ends us.

    Returns the exit code: 1 when the client said ``exit`` without ``shutdown``, as the protocol has
    it, else 0. Stray output of libraries goes to standard error: stdout belongs to the protocol.
    """
    sys.stdout.flush()
    mine = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    server = make_server(house)

    async def serve() -> None:
        reader = asyncio.StreamReader()
        _pump(0, reader)
        await serve_streams(server, reader, StdoutWriter(mine))

    _run(serve)
    return 0 if server.protocol.left_properly else 1


def serve_tcp(house: House, host: str, port: int) -> None:
    """Serve the first client that connects, for debugging; port 0 takes a free one.

    The address goes to standard error.
    """

    async def serve() -> None:
        first: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        first = asyncio.get_running_loop().create_future()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if first.done():
                writer.close()
            else:
                first.set_result((reader, writer))

        listener = await asyncio.start_server(connected, host, port)
        address = listener.sockets[0].getsockname()
        print(f"listening on {address[0]}:{address[1]}", file=sys.stderr, flush=True)  # noqa: T201
        reader, writer = await first
        await serve_streams(make_server(house), reader, writer)
        writer.close()
        listener.close()

    _run(serve)


async def serve_streams(server: OcilsServer, reader: asyncio.StreamReader, writer: Any) -> None:
    """Serve one client on a pair of streams until it leaves; then end what was started."""
    server.protocol.set_writer(writer)
    try:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await run_async(
                stop_event=server.protocol.stop,
                reader=reader,
                protocol=server.protocol,
                logger=logging.getLogger("pygls"),
                error_handler=server.report_server_error,
            )
    finally:
        await server.close()


def _run(serve: Callable[[], Any]) -> None:
    """Run until done; SIGTERM and SIGINT end it as a client's leaving would."""

    # What was imported stays; looking at all of it again and again would cost every keystroke.
    gc.freeze()

    async def whole() -> None:
        task = asyncio.ensure_future(serve())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            # A thread that waits for an engine that hangs would keep a server alive that nobody
            # wants; containers end by themselves once we are gone.
            last = Timer(_LINGER, os._exit, (0,))
            last.daemon = True
            last.start()

    asyncio.run(whole())


def _pump(descriptor: int, reader: asyncio.StreamReader) -> None:
    """Feed ``reader`` from a descriptor of any kind: pipe, socket, terminal or file.

    The thread is a daemon that reads without Python's buffers, so that a client which keeps its
    end open does not keep us from ending.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody listens any more
            while data := _read(descriptor):
                loop.call_soon_threadsafe(reader.feed_data, data)
            loop.call_soon_threadsafe(reader.feed_eof)

    Thread(target=read, name="ocils stdin", daemon=True).start()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""
