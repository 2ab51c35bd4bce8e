"""``python -m ocils serve`` as a process of its own, and an editor that talks to it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

# The editor of the server's tests is ours too; pytest itself puts no folder on the path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.server.editor import Editor, plain  # the line above makes it importable

__all__ = ["Editor", "Served", "Start", "environment", "plain", "start"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment whose settings, sessions and caches are this test's own."""
    mine = {
        f"XDG_{name}_HOME": str(folder / "xdg" / name.lower())
        for name in ("CONFIG", "STATE", "CACHE", "DATA")
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "PYTEST_", "OCILS_"))}
    return {**kept, **mine, **more}


class Served:
    """An editor, and the server's process."""

    def __init__(self, editor: Editor, process: asyncio.subprocess.Process) -> None:
        self.editor = editor
        self.process = process
        self.stderr = bytearray()


class Start:
    """Starts servers and ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served: list[tuple[Served, asyncio.Task[None]]] = []

    async def __call__(
        self, root: Path | None, *, env: dict[str, str] | None = None, **start: Any
    ) -> Served:
        editor = start.pop("editor", None) or Editor()
        editor.patience = 150.0
        client: Any = editor.client
        await client.start_io(
            sys.executable,
            "-m",
            "ocils",
            "serve",
            env=environment(self._folder, **(env or {})),
            cwd=str(self._folder),
        )
        served = Served(editor, client._server)
        drain = asyncio.create_task(self._drain(served))
        self._served.append((served, drain))
        await editor.start(str(root) if root is not None else None, **start)
        return served

    async def _drain(self, served: Served) -> None:
        assert served.process.stderr is not None
        while data := await served.process.stderr.read(65536):
            served.stderr += data

    async def stop(self, served: Served) -> None:
        """Leave as an editor does, and wait for the process to end."""
        if served.process.returncode is None:
            client: Any = served.editor.client
            await asyncio.wait_for(client.shutdown_async(None), 30)
            client.exit(None)
        await asyncio.wait_for(served.process.wait(), 30)

    async def close(self) -> None:
        """End everything that was started."""
        for served, drain in self._served:
            try:
                await self.stop(served)
            finally:
                if served.process.returncode is None:
                    served.process.kill()
                    await served.process.wait()
                client: Any = served.editor.client
                await client.stop()
                await drain


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server and connects an editor to it."""
    start = Start(tmp_path)
    yield start
    await start.close()
