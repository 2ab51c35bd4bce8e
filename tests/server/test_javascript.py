"""JavaScript in the editor: what is offered there, and a bug that is mended for real.

Not covered: the search itself (``tests/sandbox/test_runners_node.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Passed, Plan
from ocils.domain.text import Document
from ocils.settings import ModelSettings, UserSettings
from ocils.wiring import House

from .conftest import Rig
from .editor import Editor


@pytest.fixture
async def ledger(workspace: Callable[[str], Path]) -> AsyncIterator[Rig]:
    """A rig over a copy of the ledger."""
    rig = Rig(workspace("ledger"))
    yield rig
    await rig.close()


async def test_actions_are_offered_in_a_function(ledger: Rig) -> None:
    editor = (await ledger.connect()).editor
    uri = editor.open(str(ledger.root / "src/ledger.js"))
    offered = await editor.actions(uri, editor.at(uri, "account === "))
    names = [each["title"] for each in offered]
    assert names == ["Refine Ledger.balance until green", "Run tests of Ledger.balance"]


async def test_nothing_is_offered_outside_of_functions(ledger: Rig) -> None:
    editor = (await ledger.connect()).editor
    uri = editor.open(str(ledger.root / "src/ledger.js"))
    assert await editor.actions(uri, editor.at(uri, "import")) == []


async def test_what_is_typed_is_followed(ledger: Rig) -> None:
    editor = (await ledger.connect()).editor
    uri = editor.open(str(ledger.root / "src/ledger.js"))
    editor.replace(uri, "balance(account) {", "total(account) {")
    offered = await editor.actions(uri, editor.at(uri, "account === "))
    assert offered[0]["title"] == "Refine Ledger.total until green"


@pytest.mark.docker
@pytest.mark.node
async def test_a_bug_is_mended_in_the_editor(ledger: Rig) -> None:
    settings = UserSettings(model=ModelSettings("rules"), record=False)
    editor = Editor()
    editor.patience = 90
    house = House(settings)
    await ledger.connect(editor, house=house)
    editor.choice = "Apply"
    try:
        uri = editor.open(str(ledger.root / "src/ledger.js"))
        offered = await editor.actions(uri, editor.at(uri, "accounts.filter"))
        command = next(a["command"] for a in offered if a["title"].startswith("Refine"))
        await editor.run(command["command"], *command["arguments"])
        await editor.until(lambda: editor.edits, "an edit")
        await editor.ended()
        # Which of several edits that mean the same wins is a matter of moments.
        root = str(ledger.root)
        mended = Document(f"{root}/src/ledger.js", editor.buffers[uri].text.encode())
        snapshot = await house.workspace(root).snapshot([mended])
        judge = house.ports(root, mended.path).sandbox
        verdict = await judge.judge(snapshot, (), Plan(seconds=30), CancelToken())
        assert isinstance(verdict, Passed), verdict
    finally:
        await house.close()
