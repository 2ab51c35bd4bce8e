"""What the command line says when a task is beyond the model."""

from __future__ import annotations

import io

from rich.console import Console

from ocils.console import Narrator
from tests.refine.conftest import Scene, events_of


async def test_the_models_to_get_and_the_command_are_printed_whole() -> None:
    scene = Scene("def clamp(x, low, high):\n    raise NotImplementedError\n")
    printed = io.StringIO()
    with Narrator(Console(file=printed, width=60)) as narrator:
        for event in await events_of(scene):
            narrator.tell(event)
    last = printed.getvalue().strip().splitlines()[-1]
    assert "`clamp` is not mended" in last
    assert "does not write functions from prose" in last
    assert "run `ocils model pull qwen2.5-coder-1.5b-instruct`" in last
    assert "then `ocils model use`" in last
