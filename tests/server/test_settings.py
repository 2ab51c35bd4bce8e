"""The settings of an editor and of a repository: when they come, and which are refused."""

from __future__ import annotations

import asyncio

import pytest
from lsprotocol import types

from .conftest import Rig
from .menu import titles


async def test_settings_come_with_the_start(rig: Rig) -> None:
    table = await rig.connect(options={"ocils": {"refine": {"candidates": 7}}})
    await asyncio.sleep(0.1)
    assert table.house.settings.refine.candidates == 7
    table.editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams(settings={"ocils": {"refine": {"candidates": 9}}})
    )
    await table.editor.until(lambda: table.house.settings.refine.candidates == 9, "changed")
    # A client that sends nothing is asked.
    table.editor.settings = {"refine": {"candidates": 11}}
    table.editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams(settings=None)
    )
    await table.editor.until(lambda: table.house.settings.refine.candidates == 11, "asked")


@pytest.mark.parametrize(
    "options", [{"refin": {}}, {"refine": {"turns": "many"}}, "nonsense", {"ocils": 3}]
)
async def test_settings_with_a_typo_are_told_and_do_not_stop_the_server(
    rig: Rig, options: object
) -> None:
    table = await rig.connect(options=options)
    await table.editor.until(lambda: table.editor.said("settings"), "told")
    assert len(table.editor.messages) == 1
    uri = table.editor.open(table.code)
    assert len(await titles(table.editor, uri, "total = 0")) == 2


async def test_a_repository_may_not_choose_the_interpreter(rig: Rig) -> None:
    text = rig.read("pyproject.toml")
    rig.write("pyproject.toml", text + '\n[tool.ocils.sandbox]\npython = "/tmp/evil"\n')
    table = await rig.connect()
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("only you may set"), "told")
    assert table.editor.edits == []
    assert rig.judge.calls == []
