"""A remote engine on a scripted server, for the tests of the one against the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Chat, Infill, InfillFormat, Manifest, Message, Reply, Sampling
from ocils.engine.remote.connection import Address
from ocils.engine.remote.engine import RemoteEngine
from ocils.engine.remote.http import Request
from ocils.record.redact import Veil

from .scripted_http import ScriptedServer, events, text

FORM = InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "<was>", "lines")
FILLS = Manifest("fills", "llama", "none", 512, True, ("infill", "edit"), FORM, stop=("<eot>",))
HOLE = Infill("\ndef f(x):", "\n    return y", "\n    y = 0", max_lines=2)
TALK = Chat((Message("user", "Repair it."),))
ONE, TWO = Sampling(1, 20, 0.0), Sampling(2, 20, 0.8, seed=7)


@asynccontextmanager
async def engine_on(
    server: ScriptedServer, manifest: Manifest = FILLS, *, model: str = "m", **more: object
) -> AsyncIterator[RemoteEngine]:
    settings = {"seconds": 20.0, "retries": 0, "loopback": True, **more}
    own = bool(settings.pop("own_infill", False))
    address = Address(server.url, **settings)  # type: ignore[arg-type]
    engine = RemoteEngine(manifest, address, model, "there", Veil(), own_infill=own)
    try:
        yield engine
    finally:
        await engine.close()


async def drawn(
    engine: RemoteEngine, prompt: Chat | Infill = HOLE, sampling: Sampling = ONE
) -> list[Reply]:
    return [reply async for reply in engine.generate(prompt, sampling, CancelToken())]


async def forever(_: Request, writer: asyncio.StreamWriter) -> None:
    """An answer that begins and never ends."""
    writer.write(events(text("y"), done=False))
    while True:
        await writer.drain()
        writer.write(b"data: " + b'{"choices": []}' + b"\n\n")
        await asyncio.sleep(0.01)
