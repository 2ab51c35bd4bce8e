"""Findings: they come with the baseline, move with the text, and go with the edit."""

from __future__ import annotations

from lsprotocol import types

from .conftest import Rig, Table
from .refinement import ACTION, hold, refine
from .script import WRONG


async def test_findings_come_with_the_baseline_and_go_with_the_edit(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, edits=True)
    editor = table.editor
    uri = editor.open(table.code)
    tests = editor.open(table.tests)
    await refine(table)
    await reached.wait()
    await editor.until(lambda: editor.marks(uri) and editor.marks(tests), "findings")
    (mark,) = editor.diagnostics[uri].diagnostics
    assert mark.source == "ocils"
    assert mark.code == "tests/test_pricing.py::test_delivery_is_free_at_the_limit"
    assert mark.severity == types.DiagnosticSeverity.Error
    assert "test_delivery_is_free_at_the_limit fails" in mark.message
    text = editor.buffers[uri].text.splitlines()
    assert text[mark.range.start.line].startswith("def delivery")
    (related,) = mark.related_information or ()
    assert related.location.uri == tests
    (assertion,) = editor.diagnostics[tests].diagnostics
    row = editor.buffers[tests].text.splitlines()[assertion.range.start.line]
    assert row.strip() == "assert delivery(5000) == 0"
    assert editor.diagnostics[tests].version == 1
    # The finding offers its own fix, in the target and in the test.
    for where, place in ((uri, mark.range.start), (tests, assertion.range.start)):
        fixes = await editor.actions(where, place, only=["quickfix"])
        assert [f["title"] for f in fixes] == [ACTION]
        assert fixes[0]["diagnostics"]
        assert fixes[0]["command"]["arguments"] == [{"uri": uri, "name": "delivery"}]
    # And a lens above the target.
    titles = {lens["command"]["title"] for lens in await editor.lenses(uri)}
    assert titles == {"Run", "Refine"}
    assert editor.lens_refreshes
    go.set()
    await editor.ended()
    await editor.until(lambda: not editor.marks(uri) and not editor.marks(tests), "cleared")


async def test_editing_the_target_clears_what_was_said_of_it_everywhere(table: Table) -> None:
    uri = table.editor.open(table.code)
    tests = table.editor.open(table.tests)
    await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.marks(uri) and table.editor.marks(tests), "two")
    table.editor.type(uri, 0, 0, "# above\n")
    table.editor.replace(uri, "if cents == 0 or", "if cents <= 0 or")
    await table.editor.until(lambda: not table.editor.marks(uri), "cleared in the target")
    await table.editor.until(lambda: not table.editor.marks(tests), "cleared in the test")


async def test_editing_elsewhere_keeps_them_and_moves_them(table: Table) -> None:
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.marks(uri), "a finding")
    line = table.editor.marks(uri)[0][0]
    table.editor.type(uri, 0, 0, "# above\n# above\n")
    place = types.Position(line - 1 + 2, 4)
    fixes = await table.editor.actions(uri, place, only=["quickfix"])
    assert len(fixes) == 1
    assert table.editor.marks(uri)


async def test_a_new_run_clears_and_a_green_one_leaves_nothing(table: Table) -> None:
    uri = table.editor.open(table.code)
    tests = table.editor.open(table.tests)
    await table.editor.run("ocils.runTests", {"uri": tests})
    await table.editor.until(lambda: table.editor.marks(tests), "a finding")
    table.editor.replace(uri, "cents > FREE", "cents >= FREE")
    await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: not table.editor.marks(tests), "cleared by another run")
    await table.editor.until(lambda: table.editor.said("tests pass"), "said")


async def test_exhausted_says_what_was_tried(rig: Rig) -> None:
    rig.replies = [[WRONG]]
    table = await rig.connect(options={"refine": {"turns": 1}})
    uri = table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("is not mended"), "said")
    await table.editor.until(
        lambda: any("not mended" in text for _, text in table.editor.marks(uri)), "a note"
    )
    note = next(d for d in table.editor.diagnostics[uri].diagnostics if "not mended" in d.message)
    assert note.severity == types.DiagnosticSeverity.Information
    assert "best attempt" in note.message
    assert table.editor.edits == []


async def test_running_one_test_marks_its_assertion(table: Table) -> None:
    tests = table.editor.open(table.tests)
    lenses = await table.editor.lenses(tests)
    assert len(lenses) == 18
    wanted = "test_delivery_is_free_at_the_limit"
    (run,) = [
        lens["command"]
        for lens in lenses
        if lens["command"]["title"] == "Run" and lens["command"]["arguments"][0]["name"] == wanted
    ]
    await table.editor.run(run["command"], *run["arguments"])
    await table.editor.until(lambda: table.editor.marks(tests), "a finding")
    (mark,) = table.editor.diagnostics[tests].diagnostics
    fixes = await table.editor.actions(tests, mark.range.start, only=["quickfix"])
    assert fixes[0]["command"]["arguments"][0]["name"] == wanted
