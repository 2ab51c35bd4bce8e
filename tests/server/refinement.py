"""A run as a test asks for it, and the judge held at one of its calls."""

from __future__ import annotations

import asyncio
from typing import Any

from ocils.domain.judging import Plan
from ocils.domain.text import Edit

from .conftest import Rig, Table

ACTION = "Refine delivery until green"


async def refine(table: Table, name: str = "delivery", **more: Any) -> Any:
    uri = next(iter(table.editor.buffers), None) or table.editor.open(table.code)
    return await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": name, **more})


def hold(rig: Rig, *, fresh: bool | None = None, edits: bool | None = None) -> Any:
    """Stop the judge at the first call of a kind; return what to wait for and what to set."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(plan: Plan, changes: tuple[Edit, ...]) -> None:
        right = (fresh is None or plan.fresh == fresh) and (edits is None or bool(changes) == edits)
        if right and not go.is_set():
            reached.set()
            await go.wait()

    rig.judge.gate = gate
    return reached, go
