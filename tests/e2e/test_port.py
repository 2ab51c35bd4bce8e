"""The server on a port, for debugging; nothing but the process itself is real here."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.server.editor import Editor

from .conftest import environment


async def test_one_client_on_a_port(workspace: Callable[[str], Path], tmp_path: Path) -> None:
    root = workspace("basket")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ocils",
        "serve",
        "--tcp",
        "127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE,
        env=environment(tmp_path),
    )
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        assert found, line
        editor = Editor(encoding="utf-8")
        client: Any = editor.client
        await client.start_tcp("127.0.0.1", int(found[1]))
        result = await editor.start(str(root))
        assert result.capabilities.position_encoding == "utf-8"
        uri = editor.open(str(root / "shop/pricing.py"))
        actions = await editor.actions(uri, editor.at(uri, "if cents == 0"))
        assert actions[0]["title"] == "Refine delivery until green"
        await client.shutdown_async(None)
        client.exit(None)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        client.protocol.writer.close()
        await client.stop()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
