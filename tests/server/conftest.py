"""A server in this process, on a real connection, over the shipped fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from ocils.engine.scripted import ScriptedEngine
from ocils.sandbox.packages.scripted import ScriptedPackages
from ocils.server.app import OcilsServer, make_server
from ocils.server.serving import serve_streams
from ocils.settings import EditorSettings, UserSettings
from ocils.wiring import House

from .editor import Editor
from .judge import InProcessJudge
from .script import CHAT, RIGHT, WRONG


class Table:
    """Everything of one test: the editor, the server, the fakes, the workspace."""

    def __init__(self, root: Path, editor: Editor, server: OcilsServer, house: House) -> None:
        self.root = root
        self.editor = editor
        self.server = server
        self.house = house
        self.code = str(root / "shop/pricing.py")
        self.tests = str(root / "tests/test_pricing.py")


Connect = Callable[..., Any]


class Rig:
    """Connects editors to servers and takes everything down again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.judge = InProcessJudge()
        self.replies: list[list[str]] = [[WRONG], [RIGHT]]
        self.engine_seconds = 0.0
        self.proposal: Literal["ask", "apply"] = "apply"
        self.record = False
        self.packages = ScriptedPackages()
        self.sandboxes = 0
        self.engine: ScriptedEngine | None = None
        self._ends: list[Callable[[], Any]] = []

    def read(self, name: str) -> str:
        """Return what is on disk."""
        return (self.root / name).read_bytes().decode()

    def write(self, name: str, text: str) -> None:
        """Put a file on disk."""
        (self.root / name).write_bytes(text.encode())

    async def connect(self, editor: Editor | None = None, **start: Any) -> Table:
        """Start a server and an editor that talks to it."""
        editor = editor or Editor()

        def engine(_: UserSettings) -> ScriptedEngine:
            self.engine = ScriptedEngine(CHAT, self.replies, seconds=self.engine_seconds)
            return self.engine

        def sandbox(*_: object) -> InProcessJudge:
            self.sandboxes += 1
            return self.judge

        settings = UserSettings(record=self.record, editor=EditorSettings(self.proposal))
        given: House | None = start.pop("house", None)
        house = given or House(
            settings, engine=engine, sandbox=sandbox, packages=lambda _, __: self.packages
        )
        server = make_server(house)
        served: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve_streams(server, reader, writer)
            finally:
                writer.close()
                served.set_result(None)

        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        await editor.client.start_tcp("127.0.0.1", port)
        root = start.pop("root", str(self.root))
        await editor.start(root, **start)

        async def end() -> None:
            writer: Any = editor.client.protocol.writer
            writer.close()
            await asyncio.wait_for(served, 20)
            client: Any = editor.client
            await client.stop()
            listener.close()
            await listener.wait_closed()

        self._ends.append(end)
        return Table(self.root, editor, server, house)

    async def close(self) -> None:
        while self._ends:
            await self._ends.pop()()


@pytest.fixture
async def rig(workspace: Callable[[str], Path]) -> AsyncIterator[Rig]:
    """A rig over a copy of the basket."""
    rig = Rig(workspace("basket"))
    yield rig
    await rig.close()


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, sessions and caches of this test's own; return where they lie."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "xdg" / name.lower()))
    return tmp_path / "xdg"


@pytest.fixture
async def table(rig: Rig) -> Table:
    """A connected editor over a copy of the basket."""
    return await rig.connect()
