"""What is typed during a run: the edit moves along, is confirmed again, or is kept and said to be."""

from __future__ import annotations

from lsprotocol import types

from .conftest import Rig, Table
from .editor import Editor
from .refinement import hold, refine


async def test_a_target_that_moved_is_found_and_confirmed_again(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, edits=True)
    uri = table.editor.open(table.code)
    await refine(table)
    await reached.wait()
    table.editor.type(uri, 0, 0, "# a new line 👩\n")
    go.set()
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert table.editor.said("again on what you typed")
    text = table.editor.buffers[uri].text
    assert text.startswith("# a new line 👩\n")
    assert "cents >= FREE" in text
    (edit,) = table.editor.edits
    (change,) = edit.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 2
    # The last judgements were of the present text, in fresh containers.
    assert all(plan.fresh for plan, _ in rig.judge.calls[-3:])


async def test_a_target_whose_own_text_changed_is_left_alone(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, edits=True)
    uri = table.editor.open(table.code)
    await refine(table)
    await reached.wait()
    table.editor.replace(uri, "    return DELIVERY\n", "    return DELIVERY  # mine\n")
    typed = table.editor.buffers[uri].text
    go.set()
    await table.editor.until(lambda: table.editor.said("not applied"), "kept")
    assert table.editor.said("was changed during the run")
    assert table.editor.edits == []
    assert table.editor.buffers[uri].text == typed
    # Undone, the kept edit can be had.
    table.editor.replace(uri, "  # mine", "")
    actions = await table.editor.actions(uri, table.editor.at(uri, "return DELIVERY"))
    (kept,) = [a for a in actions if a["title"].startswith("Apply the verified edit")]
    await table.editor.run(kept["command"]["command"], *kept["command"]["arguments"])
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text


async def test_a_changed_test_makes_it_confirm_again_and_refuse(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, edits=True)
    table.editor.open(table.code)
    tests = table.editor.open(table.tests)
    await refine(table)
    await reached.wait()
    table.editor.replace(tests, "delivery(5000) == 0", "delivery(5000) == 7")
    go.set()
    await table.editor.until(lambda: table.editor.said("not applied"), "kept")
    assert table.editor.said("no longer holds")
    assert table.editor.edits == []


async def test_a_removed_target_is_said(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, edits=True)
    uri = table.editor.open(table.code)
    await refine(table)
    await reached.wait()
    table.editor.replace(uri, "def delivery(", "def renamed(")
    go.set()
    await table.editor.until(lambda: table.editor.said("`delivery` is no longer there"), "gone")
    assert table.editor.edits == []


async def test_version_0_on_the_wrong_text_is_noticed(rig: Rig) -> None:
    """Neovim applies an edit with version 0 to whatever is there; the user must hear of it."""
    table = await rig.connect(Editor(manner="sly"))
    uri = table.editor.open(table.code, version=0)
    table.editor.before_edit = lambda: table.editor.type(uri, 0, 0, "# typed in between\n")
    await refine(table)
    await table.editor.until(lambda: table.editor.said("not the one that was judged"), "noticed")


async def test_typing_behind_an_applied_edit_is_no_failure(table: Table) -> None:
    uri = table.editor.open(table.code)
    table.editor.after_edit = lambda: table.editor.type(uri, 0, 0, "# typed behind\n")
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text
