"""What every handler and every run needs, in one place, and how the user is spoken to.

Not covered: doing anything with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

from lsprotocol import types

from ocils.domain.base import Value
from ocils.languages import shelf
from ocils.ports import Ports, Workspace
from ocils.server.boundary import Boundary
from ocils.server.diagnostics import Findings
from ocils.server.documents import OpenDocuments
from ocils.server.explorer import Explorer
from ocils.server.house import House
from ocils.server.memory import Offers, Sessions
from ocils.server.protocol import ClientFlags, NotificationName, pack
from ocils.server.runs import Run, Runs
from ocils.server.status import StatusTeller

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

log = logging.getLogger("ocils.server")

# What marks a project's own folder, for files of an opened folder that has no such mark above them.
_MARKERS = ("pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git")


class Desk:
    """One client's documents, findings, runs, sessions, and proposals that wait."""

    def __init__(self, server: LanguageServer, house: House) -> None:
        self.server = server
        self.house = house
        self.flags = ClientFlags()
        self.boundary = Boundary(self)
        self.documents = OpenDocuments()
        self.findings = Findings(self._publish)
        self.offers = Offers()
        self.sessions = Sessions()
        self.status = StatusTeller(self)
        self.runs = Runs(self.status.changed)
        self.explorer = Explorer(self)
        self._making = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Show the user a message, and leave it in the log."""
        self.server.window_show_message(types.ShowMessageParams(kind, text))
        self.note(text, kind)

    def note(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Leave a line in the editor's log."""
        self.server.window_log_message(types.LogMessageParams(kind, text))

    def tell(self, name: NotificationName, value: Value) -> None:
        """Send one of our own notifications."""
        self.server.protocol.notify(name.value, pack(value))

    def launch(
        self,
        owner: str,
        title: str,
        uri: str,
        work: Callable[[Run], Awaitable[None]],
        *,
        replace: bool = False,
    ) -> Run:
        """Start a run whose errors end at the boundary. Raises ``UsageError`` as ``Runs.start``."""

        async def guarded(run: Run) -> None:
            with self.boundary(f"{title[:1].lower()}{title[1:]}"):
                await work(run)

        return self.runs.start(owner, title, uri, guarded, replace=replace)

    def spawn(self, what: str, work: Coroutine[object, object, None]) -> None:
        """Do something beside everything else, such as waiting for an answer; ended by ``close``."""

        async def guarded() -> None:
            with self.boundary(what):
                await work

        task = asyncio.create_task(guarded(), name=f"ocils {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what was spawned."""
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.status.close()
        self.explorer.close()

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
        return here if _is_marked(beside, path) else self.house.workspace(folder)

    async def ports(self, root: str, path: str = "") -> Ports:
        """Return a workspace's ports for the language of ``path``, made in a thread.

        Raises ``OcilsError``. The first time CTranslate2 and Docker are imported, and typing must not
        wait for that.
        """
        async with self._making:
            ports = await asyncio.to_thread(self.house.ports, root, path)
        self.status.learn(ports)
        return ports

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


def _is_marked(folder: str, path: str) -> bool:
    """Tell whether a folder holds a project file of the language of the file at ``path``."""
    from pathlib import Path

    known = shelf.language(shelf.language_of(path))
    markers = _MARKERS if known is None else (*known.markers, ".git")
    return any(Path(folder, marker).exists() for marker in markers)


def key(path: str, name: str) -> str:
    """Return how a target is known among runs, findings and kept proposals."""
    return f"{path}::{name}"
