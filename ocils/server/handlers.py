"""What happens on each message: unpack, call one plain function, pack, within the one boundary.

Not covered: which message leads here (``app.py``).
"""

from __future__ import annotations

import asyncio

from lsprotocol import types

from ocils.domain.errors import InvalidSettings
from ocils.server import protocol
from ocils.server.actions import code_actions, code_lenses
from ocils.server.boundary import Boundary
from ocils.server.convert import Encoding, uri_of
from ocils.server.desk import Desk, log

_CLOSING = 10.0  # seconds for containers and the model at the end
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
            self._options = params.initialization_options

    def initialized(self, _: types.InitializedParams) -> None:
        """Take over the settings that came with the start; only now may the client hear of typos."""
        with self.boundary("reading the settings"):
            self._configure(self._options)
        # Imported once the editor is up, so that nobody waits for it: not at start, not at a command.
        asyncio.get_running_loop().call_later(_SOON, _preload)

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
            try:
                await asyncio.wait_for(self._desk.house.close(), _CLOSING)
            except TimeoutError:
                # A container ends by itself when nobody holds its line; we need not see it happen.
                log.warning("containers or the model were still being ended when the server left")

    # -- documents -------------------------------------------------------------------------------

    def did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take over a document."""
        with self.boundary("opening a document"):
            self._desk.documents.open(params.text_document)

    def did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Follow a document's text, and drop the findings that it makes stale."""
        with self.boundary("following your changes"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is not None:
                version = params.text_document.version
                self._desk.findings.edited(opened.change(version, params.content_changes))

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
            kept = frozenset(
                found.proposal.target.name
                for found in self._desk.kept.values()
                if found.proposal.target.path == path
            )
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
        if isinstance(settings, dict) and set(settings) == {protocol.SOURCE}:
            settings = settings[protocol.SOURCE]
        if settings is None or settings == {} or settings == []:
            return
        if not isinstance(settings, dict):
            raise InvalidSettings(
                "the editor's settings for ocils are not an object",
                mend='pass {"model": ..., "sandbox": ..., "refine": ...}',
            )
        self._desk.house.configure(settings)

    def _knows_tags(self) -> bool:
        documents = self._desk.server.client_capabilities.text_document
        actions = documents.code_action if documents is not None else None
        return actions is not None and actions.tag_support is not None


def _encoding(chosen: object) -> Encoding:
    text = str(chosen.value if isinstance(chosen, types.PositionEncodingKind) else chosen)
    if text == "utf-8":
        return "utf-8"
    return "utf-32" if text == "utf-32" else "utf-16"


def _preload() -> None:
    import ocils.server.flows  # noqa: F401  # importing it is all that is wanted
