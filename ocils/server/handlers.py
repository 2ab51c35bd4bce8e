"""What happens on each message: unpack, call one plain function, pack, within the one boundary.

Not covered: which message leads here (``app.py``).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

import msgspec
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from ocils.domain.errors import InvalidSettings, OcilsError
from ocils.server import protocol
from ocils.server.actions import code_actions, code_lenses
from ocils.server.boundary import Boundary
from ocils.server.convert import Encoding, uri_of
from ocils.server.desk import Desk, log

_CLOSING = 10.0  # seconds for containers and the model at the end
_WATCHED = ("**/*.py", "**/pyproject.toml", "**/pytest.ini", "**/setup.cfg", "**/tox.ini")
# Settings of the section that are about the client itself: where the server is, how it is drawn.
_CLIENTS_OWN = frozenset(
    {"client", "path", "interpreter", "importStrategy", "trace", "codeLens", "notifications"}
)
_SOON = 0.5  # seconds from the start to importing the loop


class Handlers:
    """One client's handlers. None of them raises."""

    def __init__(self, desk: Desk, boundary: Boundary) -> None:
        self._desk = desk
        self.boundary = boundary
        self._options: object = None
        self._closed = False

    # -- life ------------------------------------------------------------------------------------

    def initialize(self, params: types.InitializeParams) -> None:
        """Learn how the client counts, which folders it has opened, and the user's settings."""
        with self.boundary("starting"):
            chosen = self._desk.server.workspace.position_encoding
            self._desk.documents.encoding = _encoding(chosen)
            folders = [folder.uri for folder in params.workspace_folders or ()]
            if not folders and params.root_uri:
                folders = [params.root_uri]
            if not folders and params.root_path:
                folders = [uri_of(params.root_path)]
            for uri in folders:
                self._desk.documents.add_folder(uri)
            self._options, flags = _parted(params.initialization_options)
            self._desk.flags = parse_flags(flags)

    def initialized(self, _: types.InitializedParams) -> None:
        """Take over the settings that came with the start; only now may the client hear of typos."""
        with self.boundary("reading the settings"):
            self._configure(self._options)
        self._desk.status.ready()
        self._desk.spawn("asking to be told of changes", self._register())
        # Imported once the editor is up, so that nobody waits for it: not at start, not at a command.
        asyncio.get_running_loop().call_later(_SOON, _preload)

    async def _register(self) -> None:
        """Ask a client that can be asked to tell of changed files and settings."""
        workspace = self._desk.server.client_capabilities.workspace
        wanted: list[types.Registration] = []
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is not None and watching.dynamic_registration:
            watchers = [types.FileSystemWatcher(pattern) for pattern in _WATCHED]
            options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
            wanted.append(
                types.Registration("ocils-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            )
        settings = workspace.did_change_configuration if workspace is not None else None
        if settings is not None and settings.dynamic_registration:
            wanted.append(
                types.Registration(
                    "ocils-settings",
                    types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                    types.DidChangeConfigurationRegistrationOptions(section=protocol.SOURCE),
                )
            )
        if wanted:
            with suppress(JsonRpcException):
                await self._desk.server.client_register_capability_async(
                    types.RegistrationParams(wanted)
                )

    def did_change_files(self, params: types.DidChangeWatchedFilesParams) -> None:
        """Drop what was said of files that changed on disk; a snapshot is always read anew."""
        with self.boundary("following the files"):
            for change in params.changes:
                try:
                    path = self._desk.documents.path(change.uri)
                except OcilsError:
                    continue
                if self._desk.documents.at(path) is None:
                    # What is open is followed change by change, and its buffer counts, not the file.
                    self._desk.findings.forget(path)
                self._desk.explorer.touched(path)

    async def did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Take over changed settings; ask for them when the client sends none."""
        with self.boundary("reading the settings"):
            settings: object = params.settings
            capabilities = self._desk.server.client_capabilities.workspace
            if not settings and capabilities is not None and capabilities.configuration:
                item = types.ConfigurationItem(section=protocol.SOURCE)
                answer = await self._desk.server.workspace_configuration_async(
                    types.ConfigurationParams([item])
                )
                settings = answer[0] if answer else None
            self._configure(settings)

    def did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Follow the folders that the client opens and closes."""
        with self.boundary("following the folders"):
            for folder in params.event.removed:
                self._desk.documents.remove_folder(folder.uri)
            for folder in params.event.added:
                self._desk.documents.add_folder(folder.uri)

    async def close(self) -> None:
        """Cancel what runs, end the containers, release the model; the second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with self.boundary("stopping"):
            await self._desk.runs.close()
            await self._desk.close()
            try:
                await asyncio.wait_for(self._desk.house.close(), _CLOSING)
            except TimeoutError:
                # A container ends by itself when nobody holds its line; we need not see it happen.
                log.warning("containers or the model were still being ended when the server left")

    # -- documents -------------------------------------------------------------------------------

    def did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take over a document."""
        with self.boundary("opening a document"):
            opened = self._desk.documents.open(params.text_document)
            if opened is not None:
                self._desk.explorer.touched(opened.document.path)

    def did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Follow a document's text, and drop the findings that it makes stale."""
        with self.boundary("following your changes"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is not None:
                version = params.text_document.version
                self._desk.findings.edited(opened.change(version, params.content_changes))
                self._desk.explorer.touched(opened.document.path)

    def did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        with self.boundary("closing a document"):
            self._desk.documents.close(params.text_document.uri)

    def code_actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Answer ``textDocument/codeAction``."""
        with self.boundary("listing code actions"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is None:
                return []
            path = opened.document.path
            kept = self._desk.offers.names(path)
            findings = self._desk.findings.at(path)
            return code_actions(opened, params, findings, kept=kept, tags=self._knows_tags())
        return []

    def code_lenses(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        """Answer ``textDocument/codeLens``."""
        with self.boundary("listing code lenses"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is None:
                return []
            return code_lenses(opened, self._desk.findings.about(opened.document.path, opened.uri))
        return []

    # -- plain parts -----------------------------------------------------------------------------

    def _configure(self, settings: object) -> None:
        settings, _ = _parted(settings)
        if settings is None or settings == {} or settings == []:
            return
        if not isinstance(settings, dict):
            raise InvalidSettings(
                "the editor's settings for ocils are not an object",
                mend='pass {"model": ..., "sandbox": ..., "refine": ...}',
            )
        before = self._desk.house.settings
        self._desk.house.configure(_snaked(settings))
        if self._desk.house.settings != before:
            self._desk.status.forget()

    def _knows_tags(self) -> bool:
        documents = self._desk.server.client_capabilities.text_document
        actions = documents.code_action if documents is not None else None
        return actions is not None and actions.tag_support is not None


def _parted(options: object) -> tuple[object, object]:
    """Return the settings in what a client sent, and its word on itself.

    Both ``{"ocils": {...}, "client": {...}}`` and the settings with ``client`` among them are known.
    """
    if not isinstance(options, dict):
        return options, None
    rest = {name: value for name, value in options.items() if name != "client"}
    client = options.get("client")
    if set(rest) == {protocol.SOURCE}:
        inner = rest[protocol.SOURCE]
        if not isinstance(inner, dict):
            return inner, client
        rest, client = dict(inner), client or inner.get("client")
    return {name: value for name, value in rest.items() if name not in _CLIENTS_OWN}, client


def parse_flags(client: object) -> protocol.ClientFlags:
    """Return what a client draws by itself; what we do not know of it is passed over."""
    if not isinstance(client, dict):
        return protocol.ClientFlags()
    known = {field.encode_name for field in msgspec.structs.fields(protocol.ClientFlags)}
    given = {name: value for name, value in client.items() if name in known}
    return msgspec.convert(given, protocol.ClientFlags)


def _snaked(table: dict[Any, Any]) -> dict[str, object]:
    """Return a table with its names as our settings have them: ``idleSeconds`` is ``idle_seconds``."""
    return {
        re.sub(r"(?<=[a-z])([A-Z])", lambda m: "_" + m[1].lower(), str(name)): (
            _snaked(value) if isinstance(value, dict) else value
        )
        for name, value in table.items()
    }


def _encoding(chosen: object) -> Encoding:
    text = str(chosen.value if isinstance(chosen, types.PositionEncodingKind) else chosen)
    if text == "utf-8":
        return "utf-8"
    return "utf-32" if text == "utf-32" else "utf-16"


def _preload() -> None:
    import ocils.server.flows  # noqa: F401  # importing it is all that is wanted
