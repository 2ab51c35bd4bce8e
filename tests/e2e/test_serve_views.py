"""The test explorer and a proposal's own view, with the real model and a real container."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Served, Start, plain

pytestmark = [pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(400)]


async def test_the_test_explorer(start: Start, workspace: Callable[[str], Path]) -> None:
    """Discover, run, see one fail with its place, refine from it, see everything pass."""
    root = workspace("basket")
    served = await start(root, options={"client": {"testExplorer": True}})
    editor = served.editor
    found = plain(await editor.ask("ocils/discoverTests", {}))
    assert len([t for t in found["tests"] if t["kind"] == "test"]) == 9
    states = await explored(served)
    (red,) = [test for test, state in states.items() if state["tag"] == "failed"]
    assert red.endswith("::test_delivery_is_free_at_the_limit")
    assert "490 == 0" in states[red]["message"]
    line = states[red]["location"]["range"]["start"]["line"]
    row = (root / "tests/test_pricing.py").read_text().splitlines()[line]
    assert row.strip() == "assert delivery(5000) == 0"
    output = "".join(o["output"] for o in editor.told("ocils/appendOutputToRunTest"))
    assert "starting a container" in output
    await editor.run("ocils.refineUntilGreen", {"test": red})
    await editor.until(lambda: editor.said("`delivery` mended"), "the edit")
    states = await explored(served)
    assert {state["tag"] for state in states.values()} == {"passed"}


async def explored(served: Served) -> dict[str, Any]:
    """Run everything; return each test's last state."""
    editor = served.editor
    before = len(editor.told("ocils/endRunTests"))
    started = plain(await editor.ask("ocils/runTests", {}))
    await editor.until(lambda: len(editor.told("ocils/endRunTests")) > before, "the end")
    return {
        change["testId"]: change["state"]
        for change in editor.told("ocils/changeTestState")
        if change["run"] == started["run"]
    }


async def test_a_reject_never_brings_the_same_edit_again(
    start: Start, workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    served = await start(root, options={"client": {"proposalView": True}})
    editor = served.editor
    uri = editor.open(str(root / "shop/pricing.py"))
    before = editor.buffers[uri].text
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    seen: set[str] = set()
    for count in (1, 2):
        await editor.until(
            lambda n=count: (  # type: ignore[misc]
                len(editor.told("ocils/proposal")) == n or editor.said("is not mended")
            ),
            "a proposal",
        )
        if editor.said("is not mended"):
            break
        shown = editor.told("ocils/proposal")[-1]
        after = shown["files"][0]["after"]
        assert after not in seen
        seen.add(after)
        await editor.run("ocils.reject", {"proposal": shown["proposal"], "reason": "another one"})
    assert len(seen) == 2
    await editor.run("ocils.cancel")
    assert editor.buffers[uri].text == before
    assert editor.edits == []
