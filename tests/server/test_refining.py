"""A whole run as an editor sees it: action, progress, edit; in every text, by editors that lack much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types

from ocils.server.convert import Encoding

from .conftest import Rig, Table
from .editor import Editor
from .refinement import ACTION, hold, refine
from .script import RIGHT


async def test_from_the_cursor_to_a_verified_edit(rig: Rig, table: Table) -> None:
    editor = table.editor
    uri = editor.open(table.code)
    before = editor.buffers[uri].text
    actions = await editor.actions(uri, editor.at(uri, "if cents == 0"))
    (action,) = [a for a in actions if a["title"] == ACTION]
    assert action["kind"] == "refactor.rewrite"
    assert action["tags"] == [1]
    command = action["command"]
    started = await editor.run(command["command"], *command["arguments"])
    assert started["target"] == "delivery"
    assert started["task"]
    await editor.ended()
    await editor.until(lambda: editor.said("mended"), "the message")

    kinds = editor.kinds()
    assert kinds[:2] == ["create", "begin"]
    assert kinds.count("begin") == kinds.count("end") == 1
    assert kinds[-1] == "end"
    begin = editor.progress[1][1].value
    assert _value(begin, "cancellable") is True
    assert "delivery" in _value(begin, "title")

    after = editor.buffers[uri].text
    assert after == before.replace("cents > FREE", "cents >= FREE")
    (sent,) = editor.edits
    assert sent.edit.changes is None
    (change,) = sent.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 1
    # Only one small edit, never the whole file.
    assert sum(len(e.new_text) for e in change.edits if isinstance(e, types.TextEdit)) <= 2
    assert editor.marks(uri) == []
    assert rig.read("shop/pricing.py") == before  # the editor's, not ours, to write


async def test_progress_says_what_is_happening(rig: Rig, table: Table) -> None:
    reached, go = hold(rig, fresh=True)
    await refine(table)
    await reached.wait()
    await asyncio.sleep(0.3)
    go.set()
    await table.editor.ended()
    reports = [p.value for kind, p in table.editor.progress if kind == "report"]
    said = " | ".join(_value(r, "message") for r in reports)
    assert "confirming" in said
    percentages = [_value(r, "percentage") for r in reports]
    assert percentages == sorted(percentages)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_text_outside_the_bmp_moves_nothing(rig: Rig, encoding: Encoding) -> None:
    text = rig.read("shop/pricing.py").replace("if cents == 0 or", "if '👩𝕏' and cents == 0 or")
    rig.write("shop/pricing.py", "# 👩‍👩‍👧 é\n" + text)
    rig.replies = [[RIGHT.replace("if cents == 0 or", "if '👩𝕏' and cents == 0 or")]]
    table = await rig.connect(Editor(encoding=encoding))
    uri = table.editor.open(table.code)
    before = table.editor.buffers[uri].text
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert table.editor.buffers[uri].text == before.replace("cents > FREE", "cents >= FREE")


async def test_crlf_stays(rig: Rig) -> None:
    rig.write("shop/pricing.py", rig.read("shop/pricing.py").replace("\n", "\r\n"))
    table = await rig.connect()
    uri = table.editor.open(table.code)
    before = table.editor.buffers[uri].text
    assert "\r\n" in before
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert table.editor.buffers[uri].text == before.replace("cents > FREE", "cents >= FREE")


async def test_an_unsaved_buffer_is_what_is_judged(table: Table) -> None:
    uri = table.editor.open(table.code)
    table.editor.replace(uri, "cents > FREE", "cents >= FREE")
    await refine(table)
    await table.editor.until(lambda: table.editor.said("pass already"), "already green")
    assert table.editor.edits == []


async def test_an_editor_that_takes_no_edits_is_told(rig: Rig) -> None:
    table = await rig.connect(apply_edit=False)
    table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("does not take edits"), "told")


async def test_an_editor_that_takes_edits_and_says_neither_before_nor_after(rig: Rig) -> None:
    """Vim's ALE: no capability, and no answer to ``workspace/applyEdit``."""
    table = await rig.connect(apply_edit=False, options={"client": {"applyEdit": True}})
    table.editor.answers.clear()
    uri = table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text
    table.editor.answers.set()


async def test_an_editor_without_progress_gets_the_edit_all_the_same(rig: Rig) -> None:
    table = await rig.connect(progress=False)
    uri = table.editor.open(table.code)
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert table.editor.progress == []
    assert "cents >= FREE" in table.editor.buffers[uri].text


async def test_refining_a_test_refines_what_it_tests(table: Table) -> None:
    uri = table.editor.open(table.code)
    tests = table.editor.open(table.tests)
    name = "test_delivery_is_free_at_the_limit"
    await table.editor.run("ocils.refineUntilGreen", {"uri": tests, "name": name})
    await table.editor.until(lambda: table.editor.said("`delivery` mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text


def _value(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)
