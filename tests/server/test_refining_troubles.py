"""What can go wrong in a run: one message each, and the server lives."""

from __future__ import annotations

import pytest
from lsprotocol import types

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Frame, Plan, TimedOut, Unjudged, Verdict
from ocils.domain.text import Edit
from ocils.sandbox.scripted import ScriptedSandbox

from .conftest import Rig, Table
from .refinement import refine


async def test_the_judge_is_not_there(rig: Rig) -> None:
    problem = SandboxUnavailable("the Docker engine is not running", mend="start it: dockerd")
    sandbox = ScriptedSandbox(lambda _: TimedOut(1.0), unavailable=problem)
    rig.judge = sandbox  # type: ignore[assignment]  # both are sandboxes
    table = await rig.connect()
    table.editor.open(table.code)
    await refine(table)
    await table.editor.ended()
    await table.editor.until(lambda: table.editor.said("Docker engine is not running"), "said")
    (message,) = table.editor.messages
    assert message == (
        types.MessageType.Error,
        "The Docker engine is not running; start it: dockerd",
    )


async def test_the_judge_is_lost_in_the_middle(rig: Rig, table: Table) -> None:
    def lost(_: Plan, edits: tuple[Edit, ...]) -> Verdict | None:
        if edits:
            raise SandboxUnavailable("the Docker engine went away", mend="start it again")
        return None

    rig.judge.answer = lost
    table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("went away; start it again"), "said")
    await table.editor.ended()
    assert len(table.editor.messages) == 1
    assert table.editor.edits == []


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Broken("No module named 'shop.x'", "import", (), (), "shop.x"), "cannot be collected"),
        (Broken("nothing was collected", "empty"), "no tests were found"),
        (TimedOut(600.0), "did not end"),
        (Unjudged("isolation", "the network"), "fails only because"),
    ],
)
async def test_a_baseline_that_cannot_be_had(
    rig: Rig, table: Table, verdict: Verdict, text: str
) -> None:
    rig.judge.answer = lambda _, __: verdict
    table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said(text), text)
    assert len(table.editor.messages) == 1
    assert table.editor.edits == []


async def test_a_test_file_that_does_not_parse_is_marked(rig: Rig, table: Table) -> None:
    tests = table.editor.open(table.tests)
    frame = Frame(table.tests, 3, "<module>")
    rig.judge.answer = lambda _, __: Broken("SyntaxError: oops", "syntax", (frame,))
    await table.editor.run("ocils.runTests", {"uri": tests})
    await table.editor.until(lambda: table.editor.marks(tests) == [(3, "SyntaxError: oops")], "it")


async def test_a_bug_is_one_short_message_and_the_server_lives(rig: Rig, table: Table) -> None:
    def bug(_: Plan, __: tuple[Edit, ...]) -> Verdict | None:
        raise ZeroDivisionError("planted")

    rig.judge.answer = bug
    uri = table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("A bug in ocils"), "said")
    assert not any("Traceback" in text for _, text in table.editor.messages)
    await table.editor.ended()
    await refine(table)
    await table.editor.ended(2)
    assert len(table.editor.messages) == 1  # the same bug is told once
    rig.judge.answer = lambda _, __: None
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "the server lives")
    assert "cents >= FREE" in table.editor.buffers[uri].text
