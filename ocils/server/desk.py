"""What every handler and every run needs, in one place, and how the user is spoken to.

Not covered: doing anything with it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from ocils.domain.base import Value
from ocils.domain.judging import Baseline
from ocils.domain.session import Proposal
from ocils.domain.text import Snapshot
from ocils.ports import Ports, Workspace
from ocils.server.diagnostics import Findings
from ocils.server.documents import OpenDocuments
from ocils.server.house import House
from ocils.server.runs import Runs

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

log = logging.getLogger("ocils.server")

# What marks a project's own folder, for files of an opened folder that has no such mark above them.
_MARKERS = ("pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git")


class Found(Value, frozen=True):
    """A confirmed proposal and what it was judged against."""

    proposal: Proposal
    baseline: Baseline
    snapshot: Snapshot
    paths: tuple[str, ...]


class Desk:
    """One client's documents, findings, runs, and proposals that could not be applied yet."""

    def __init__(self, server: LanguageServer, house: House) -> None:
        self.server = server
        self.house = house
        self.documents = OpenDocuments()
        self.findings = Findings(self._publish)
        self.runs = Runs()
        self.kept: dict[str, Found] = {}
        self._making = asyncio.Lock()

    def say(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Show the user a message, and leave it in the log."""
        self.server.window_show_message(types.ShowMessageParams(kind, text))
        self.note(text, kind)

    def note(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Leave a line in the editor's log."""
        self.server.window_log_message(types.LogMessageParams(kind, text))

    def workspace_of(self, path: str) -> Workspace:
        """Return the workspace that a file belongs to.

        The nearest project above the file counts; for a file in an opened folder without any
        project file, that folder.
        """
        workspace = self.house.workspace(path)
        folder = self.documents.folder_of(path)
        beside = path.rpartition("/")[0]
        if folder is None or workspace.root != beside or folder == beside:
            return workspace
        here = self.house.workspace(beside)
        return here if _is_marked(beside) else self.house.workspace(folder)

    async def ports(self, root: str) -> Ports:
        """Return a workspace's ports, made in a thread. Raises ``OcilsError``.

        The first time CTranslate2 and Docker are imported, and typing must not wait for that.
        """
        async with self._making:
            return await asyncio.to_thread(self.house.ports, root)

    def refresh_lenses(self) -> None:
        """Ask the client to draw the code lenses anew, if it knows how."""
        workspace = self.server.client_capabilities.workspace
        lens = workspace.code_lens if workspace is not None else None
        if lens is not None and lens.refresh_support:
            self.server.workspace_code_lens_refresh(None)

    def _publish(self, path: str, diagnostics: list[types.Diagnostic]) -> None:
        opened = self.documents.at(path)
        self.server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=self.documents.uri(path),
                diagnostics=diagnostics,
                version=opened.document.version if opened is not None else None,
            )
        )


def _is_marked(folder: str) -> bool:
    from pathlib import Path

    return any(Path(folder, marker).exists() for marker in _MARKERS)


def key(path: str, name: str) -> str:
    """Return how a target is known among runs, findings and kept proposals."""
    return f"{path}::{name}"
