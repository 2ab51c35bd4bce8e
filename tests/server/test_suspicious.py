"""A suspicious proposal is told and kept; only the user brings it into the editor."""

from __future__ import annotations

import asyncio

from .conftest import Rig
from .script import RIGHT

ODD = RIGHT.replace("    return DELIVERY", "    import gc\n    return DELIVERY")


async def test_a_suspicious_edit_is_not_applied_by_itself_but_on_demand(rig: Rig) -> None:
    rig.replies = [[ODD]]
    table = await rig.connect()
    editor = table.editor
    editor.choice = None
    uri = editor.open(table.code)
    before = editor.buffers[uri].text
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await editor.ended()
    await editor.until(lambda: editor.said("uses `gc`"), "the warning")
    await asyncio.sleep(0)
    assert editor.edits == []
    assert editor.buffers[uri].text == before
    actions = await editor.actions(uri, editor.at(uri, "if cents == 0"))
    (action,) = [each for each in actions if each["title"].startswith("Apply")]
    command = action["command"]
    await editor.run(command["command"], *command["arguments"])
    await editor.until(lambda: "import gc" in editor.buffers[uri].text, "the edit")
