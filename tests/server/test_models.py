"""What an editor shows of the model: what is beyond it, and where code goes."""

from __future__ import annotations

from typing import Any

import msgspec
from lsprotocol import types

from ocils.domain.model import InfillFormat
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Engine
from ocils.settings import EditorSettings, RefineSettings, RemoteSettings, UserSettings
from ocils.wiring import House

from .conftest import Rig, Table
from .script import CHAT

FORM = InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "", "lines")
FILLS = msgspec.structs.replace(
    CHAT, name="fills", chat=False, strategies=("infill",), infill=FORM, context=4096
)


class Elsewhere(ScriptedEngine):
    """A scripted engine that says that code goes to a server."""

    sends = "code leaves this machine, to gpu.example"


async def connected(rig: Rig, engine: Engine, settings: UserSettings) -> Table:
    house = House(
        settings,
        engine=lambda _: engine,
        sandbox=lambda *_: rig.judge,
        packages=lambda *_: rig.packages,
    )
    return await rig.connect(house=house)


async def test_what_is_beyond_the_model_comes_with_what_to_get(rig: Rig) -> None:
    text = rig.read("shop/pricing.py")
    body = text[text.index("    if cents == 0 or cents") : text.index("\n\n\ndef total")]
    rig.write("shop/pricing.py", text.replace(body, "    raise NotImplementedError"))
    settings = UserSettings(record=False, refine=RefineSettings(turns=2))
    table = await connected(rig, ScriptedEngine(FILLS), settings)
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.generate", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("is not mended"), "the message")
    assert table.editor.said("does not write functions from prose")
    assert table.editor.said("`ocils model pull qwen2.5-coder")

    def notes() -> list[types.Diagnostic]:
        found = table.editor.diagnostics.get(uri)
        return [d for d in found.diagnostics if "not mended" in d.message] if found else []

    await table.editor.until(notes, "a note at the function")
    assert "ocils model pull qwen2.5-coder" in notes()[0].message


async def test_a_search_that_sends_code_says_so_in_its_title_and_status(rig: Rig) -> None:
    remote = RemoteSettings(url="https://gpu.example/v1", model="big")
    settings = UserSettings(record=False, remote=remote, editor=EditorSettings("apply"))
    table = await connected(rig, Elsewhere(CHAT, rig.replies), settings)
    editor = table.editor
    status: Any = await editor.run("ocils.status")
    assert status["model"] == "big (code leaves this machine, to gpu.example)"
    uri = editor.open(table.code)
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await editor.ended()
    begin: Any = editor.progress[1][1].value
    title = begin["title"] if isinstance(begin, dict) else begin.title
    assert "(code leaves this machine, to gpu.example)" in title
    status = await editor.run("ocils.status")
    assert status["model"] == "scripted@scripted (code leaves this machine, to gpu.example)"
