"""The server: what it registers, and where each message goes.

Not covered: what happens on each message (``handlers.py``, ``commands.py``, ``requests.py``), how the
server is started and ended (``serving.py``).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Generator, Iterator
from threading import Event
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from ocils import __version__
from ocils.server.commands import Commands
from ocils.server.desk import Desk
from ocils.server.handlers import Handlers
from ocils.server.house import House
from ocils.server.protocol import CommandName, RequestName
from ocils.server.requests import Requests

_OURS = "ocils/"


class _Protocol(LanguageServerProtocol):
    """pygls' protocol without its own documents (``documents.py`` says why), and with an ``exit``
    that ends the loop instead of the process, so that containers are ended first."""

    def __init__(self, server: LanguageServer, converter: Any) -> None:
        super().__init__(server, converter)
        self.stop = Event()
        self.left_properly = True
        self._asked_to_end = False

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; a request that cannot be read is answered, so that nobody waits for it."""
        if str(data.get("method", "")).startswith(_OURS):
            # Plain values: our own shapes are checked by ``protocol.unpack``.
            params, version = data.get("params"), str(data.get("jsonrpc"))
            if "id" in data:
                return JsonRPCRequestMessage(
                    id=data["id"], jsonrpc=version, method=data["method"], params=params
                )
            return JsonRPCNotification(jsonrpc=version, method=data["method"], params=params)
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *arguments: Any) -> Generator[Any, Any, None]:
        # Noted at once: what it starts takes a while, and "exit" may come before it is done.
        self._asked_to_end = True
        yield from super().lsp_shutdown(*arguments)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: object) -> Generator[Any, Any, None]:
        self.left_properly = self._asked_to_end
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
        self.handlers = Handlers(self.desk, self.desk.boundary)
        self.commands = Commands(self.desk, self.desk.boundary)
        self.requests = Requests(self.desk)

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
    _feature(server, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, handlers.did_change_files)
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
    for command, answer in _answers(server).items():
        _command(server, command, answer)
    for request, reply in _replies(server).items():
        _feature(server, request.value, reply)
    return server


def _answers(server: OcilsServer) -> dict[CommandName, Callable[..., object]]:
    commands = server.commands
    return {
        CommandName.REFINE: commands.refine,
        CommandName.GENERATE: commands.generate,
        CommandName.RUN_TESTS: commands.run_tests,
        CommandName.APPLY: commands.apply,
        CommandName.REJECT: commands.reject,
        CommandName.FEEDBACK: commands.feedback,
        CommandName.APPLY_KEPT: commands.apply_kept,
        CommandName.REJECT_KEPT: commands.reject_kept,
        CommandName.CANCEL: commands.cancel,
        CommandName.STATUS: commands.status,
        CommandName.PULL_MODEL: commands.pull_model,
    }


def _replies(server: OcilsServer) -> dict[RequestName, Callable[[Any], Any]]:
    requests = server.requests
    return {
        RequestName.DOCTOR: requests.doctor,
        RequestName.MODELS: requests.models,
        RequestName.SESSIONS: requests.sessions,
        RequestName.ATTEMPTS: requests.attempts,
        RequestName.DISCOVER: requests.discover,
        RequestName.RUN_TESTS: requests.run_tests,
        RequestName.ABORT: requests.abort,
    }


def _shutdown(handlers: Handlers) -> Callable[[Any], Any]:
    async def shutdown(_: Any) -> None:
        await handlers.close()

    return shutdown


def _feature(
    server: OcilsServer, method: str, handler: Callable[[Any], Any], options: Any = None
) -> None:
    """Register a handler. pygls marks what it registers, which a bound method does not allow."""
    if inspect.iscoroutinefunction(handler):

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
