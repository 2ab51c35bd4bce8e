"""Cancelling in every phase, by every way; two runs; a client that leaves in the middle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from ocils.domain.judging import Plan
from ocils.domain.text import Edit

from .conftest import Rig, Table

PHASES: dict[str, Callable[[Plan, tuple[Edit, ...]], bool]] = {
    "baseline": lambda plan, edits: not plan.fresh and not edits,
    "judging": lambda plan, edits: not plan.fresh and bool(edits),
    "confirming": lambda plan, edits: plan.fresh,
}


def stop_at(rig: Rig, phase: str) -> tuple[asyncio.Event, asyncio.Event]:
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(plan: Plan, edits: tuple[Edit, ...]) -> None:
        if PHASES[phase](plan, edits):
            reached.set()
            await go.wait()

    rig.judge.gate = gate
    return reached, go


async def by_the_button(table: Table, _: str) -> None:
    table.editor.cancel_progress()


async def by_the_command(table: Table, task: str) -> None:
    assert await table.editor.run("ocils.cancel", {"task": task}) == 1


async def by_the_document(table: Table, _: str) -> None:
    uri = next(iter(table.editor.buffers))
    assert await table.editor.run("ocils.cancel", {"uri": uri}) == 1


async def by_cancelling_all(table: Table, _: str) -> None:
    assert await table.editor.run("ocils.cancel") == 1


@pytest.mark.parametrize("how", [by_the_button, by_the_command, by_the_document, by_cancelling_all])
@pytest.mark.parametrize("phase", list(PHASES))
async def test_cancel_ends_it_within_a_second_and_changes_nothing(
    rig: Rig, table: Table, phase: str, how: Any
) -> None:
    reached, _ = stop_at(rig, phase)
    editor = table.editor
    uri = editor.open(table.code)
    before = editor.buffers[uri].text
    started = await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await asyncio.wait_for(reached.wait(), 20)
    began = time.monotonic()
    await how(table, started["task"])
    await editor.ended()
    assert time.monotonic() - began < 5  # a second on a quiet machine; the e2e tests measure
    assert editor.kinds().count("end") == 1
    assert _message(editor.progress[-1][1].value) == "cancelled"
    assert editor.edits == []
    assert editor.buffers[uri].text == before
    assert editor.messages == []
    await editor.until(lambda: any("cancelled" in text for text in editor.logged), "logged")
    assert (await editor.run("ocils.status"))["running"] == []
    assert rig.engine is not None


async def test_cancel_while_the_model_writes(rig: Rig) -> None:
    rig.engine_seconds = 600.0
    table = await rig.connect()
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: rig.engine is not None and rig.engine.asked, "generating")
    await table.editor.run("ocils.cancel")
    await table.editor.ended()
    assert table.editor.edits == []


async def test_a_judge_that_does_not_listen_is_left_behind(rig: Rig, table: Table) -> None:
    async def deaf(_: Plan, __: tuple[Edit, ...]) -> None:
        await asyncio.sleep(0)

    rig.judge.gate = deaf
    warm = rig.judge.warm

    async def stuck(*arguments: Any) -> None:
        await warm(*arguments)
        await asyncio.sleep(600)

    setattr(rig.judge, "warm", stuck)  # noqa: B010  # mypy refuses the plain assignment
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: "begin" in table.editor.kinds(), "begun")
    await table.editor.run("ocils.cancel")
    await table.editor.ended()
    assert (await table.editor.run("ocils.status"))["running"] == []


async def test_cancelling_nothing_says_so(table: Table) -> None:
    assert await table.editor.run("ocils.cancel") == 0
    await table.editor.until(lambda: table.editor.said("Nothing is running"), "said")
    table.editor.client.window_work_done_progress_cancel(
        types.WorkDoneProgressCancelParams("no-such-token")
    )
    assert await table.editor.run("ocils.status")


async def test_a_second_run_on_the_same_target_is_refused_or_replaces_it(
    rig: Rig, table: Table
) -> None:
    reached, go = stop_at(rig, "judging")
    editor = table.editor
    uri = editor.open(table.code)
    argument = {"uri": uri, "name": "delivery"}
    first = await editor.run("ocils.refineUntilGreen", argument)
    await asyncio.wait_for(reached.wait(), 20)
    assert await editor.run("ocils.refineUntilGreen", argument) is None
    await editor.until(lambda: editor.said("still running"), "refused")
    second = await editor.run("ocils.refineUntilGreen", {**argument, "replace": True})
    assert second["task"] != first["task"]
    await editor.ended()
    go.set()
    await editor.until(lambda: editor.said("mended"), "the second one ends")
    await editor.ended(2)
    assert len(editor.edits) == 1


async def test_two_targets_of_one_file_run_side_by_side(rig: Rig) -> None:
    broken = rig.read("shop/pricing.py").replace("raise ValueError", "raise TypeError")
    rig.write("shop/pricing.py", broken)
    right = "```python\ndef discounted(cents, percent):\n    if not 0 <= percent <= 100:\n"
    right += '        raise ValueError("a discount is between 0 and 100 percent")\n'
    right += "    return cents - cents * percent // 100\n```"
    delivery = rig.replies[1][0]
    # Whichever asks first gets the reply that names its function.
    rig.replies = [[right, delivery]] * 6
    table = await rig.connect()
    editor = table.editor
    uri = editor.open(table.code)
    for name in ("delivery", "discounted"):
        assert await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": name})
    await editor.ended(2)
    text = editor.buffers[uri].text
    assert editor.said("`delivery` mended"), editor.messages
    assert editor.said("`discounted` mended"), editor.messages
    assert "cents >= FREE" in text
    assert "raise ValueError" in text


@pytest.mark.parametrize("phase", list(PHASES))
async def test_shutdown_in_the_middle_ends_everything(rig: Rig, table: Table, phase: str) -> None:
    reached, _ = stop_at(rig, phase)
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await asyncio.wait_for(reached.wait(), 20)
    await asyncio.wait_for(table.editor.client.shutdown_async(None), 20)
    await table.editor.ended()
    assert rig.judge.closed
    assert rig.engine is not None
    assert rig.engine.closed
    assert table.editor.edits == []
    table.editor.client.exit(None)


async def test_a_client_that_vanishes_ends_everything(rig: Rig, table: Table) -> None:
    reached, _ = stop_at(rig, "judging")
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await asyncio.wait_for(reached.wait(), 20)
    await rig.close()
    assert rig.judge.closed
    assert rig.engine is not None
    assert rig.engine.closed


def _message(value: Any) -> Any:
    return value["message"] if isinstance(value, dict) else value.message
