"""The server: what it registers, and how it is served on stdin and stdout or on a port.

Not covered: what happens on each message (``handlers.py``).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from threading import Event, Thread, Timer
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from ocils import __version__
from ocils.server.boundary import Boundary
from ocils.server.commands import Commands
from ocils.server.desk import Desk
from ocils.server.handlers import Handlers
from ocils.server.house import House
from ocils.server.protocol import CommandName

_CHUNK = 65536
_LINGER = 10.0  # seconds that threads have to end in, once everything else has ended


class _Protocol(LanguageServerProtocol):
    """pygls' protocol without its own documents (``documents.py`` says why), and with an ``exit``
    that ends the loop instead of the process, so that containers are ended first."""

    def __init__(self, server: LanguageServer, converter: Any) -> None:
        super().__init__(server, converter)
        self.stop = Event()

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; a request that cannot be read is answered, so that nobody waits for it."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: object) -> Generator[Any, Any, None]:
        self.stop.set()
        yield from ()

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Iterator[Any]:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: types.DidChangeTextDocumentParams
    ) -> Iterator[Any]:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(
        self, params: types.DidCloseTextDocumentParams
    ) -> Iterator[Any]:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None


class OcilsServer(LanguageServer):
    """A language server for one client; ``close`` ends what it started."""

    protocol: _Protocol

    def __init__(self, house: House) -> None:
        super().__init__("ocils", __version__, protocol_cls=_Protocol)
        self.desk = Desk(self, house)
        boundary = Boundary(self.desk)
        self.handlers = Handlers(self.desk, boundary)
        self.commands = Commands(self.desk, boundary)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Leave what pygls could not handle (a malformed message) in the log; never a pop-up."""
        logging.getLogger("ocils.server").error("%s: %s", getattr(source, "__name__", ""), error)

    async def close(self) -> None:
        """Cancel what runs, end the containers, release the model."""
        await self.handlers.close()


def make_server(house: House) -> OcilsServer:
    """Return a server with everything registered, for one client."""
    for name in ("pygls", "pygls.protocol", "pygls.server", "pygls.feature_manager"):
        # At INFO pygls writes whole messages into its log, the user's code included.
        logging.getLogger(name).setLevel(logging.WARNING)
    server = OcilsServer(house)
    handlers = server.handlers
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite]
    _feature(server, types.INITIALIZE, handlers.initialize)
    _feature(server, types.INITIALIZED, handlers.initialized)
    _feature(server, types.WORKSPACE_DID_CHANGE_CONFIGURATION, handlers.did_change_configuration)
    _feature(server, types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, handlers.did_change_folders)
    _feature(server, types.TEXT_DOCUMENT_DID_OPEN, handlers.did_open)
    _feature(server, types.TEXT_DOCUMENT_DID_CHANGE, handlers.did_change)
    _feature(server, types.TEXT_DOCUMENT_DID_CLOSE, handlers.did_close)
    _feature(
        server,
        types.TEXT_DOCUMENT_CODE_ACTION,
        handlers.code_actions,
        types.CodeActionOptions(code_action_kinds=kinds, resolve_provider=False),
    )
    _feature(
        server,
        types.TEXT_DOCUMENT_CODE_LENS,
        handlers.code_lenses,
        types.CodeLensOptions(resolve_provider=False),
    )
    _feature(server, types.SHUTDOWN, _shutdown(handlers))
    _command(server, CommandName.REFINE, server.commands.refine)
    _command(server, CommandName.GENERATE, server.commands.generate)
    _command(server, CommandName.RUN_TESTS, server.commands.run_tests)
    _command(server, CommandName.APPLY_KEPT, server.commands.apply_kept)
    _command(server, CommandName.CANCEL, server.commands.cancel)
    _command(server, CommandName.STATUS, server.commands.status)
    return server


def serve_stdio(house: House) -> None:
    """Serve one client on stdin and stdout until it leaves or a signal ends us.

    Stray output of libraries goes to standard error: stdout belongs to the protocol.
    """
    sys.stdout.flush()
    mine = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    async def serve() -> None:
        reader = asyncio.StreamReader()
        _pump(0, reader)
        await serve_streams(make_server(house), reader, StdoutWriter(mine))

    _run(serve)


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


def _shutdown(handlers: Handlers) -> Callable[[Any], Any]:
    async def shutdown(_: Any) -> None:
        await handlers.close()

    return shutdown


def _feature(
    server: OcilsServer, method: str, handler: Callable[[Any], Any], options: Any = None
) -> None:
    """Register a handler. pygls marks what it registers, which a bound method does not allow."""
    if asyncio.iscoroutinefunction(handler):

        async def later(params: Any) -> Any:
            return await handler(params)

        server.feature(method, options)(later)
    else:

        def at_once(params: Any) -> Any:
            return handler(params)

        server.feature(method, options)(at_once)


def _command(server: OcilsServer, name: CommandName, handler: Callable[..., object]) -> None:
    # The annotation must be Any: pygls takes a first parameter of type object for a wish to be
    # handed the server.
    def answer(*arguments: Any) -> object:
        return handler(*arguments)

    server.command(name.value)(answer)
