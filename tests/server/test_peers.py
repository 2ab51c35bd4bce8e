"""What users of other tools complain of, each as a test that ocils has to pass.

The names say where: the project, and the number of the open thread where there is one. These need
neither container nor model; ``tests/e2e/test_peers.py`` has those that do.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types

from ocils.domain.judging import CaseResult, Passed, Plan, TestId
from ocils.domain.text import Edit
from ocils.server.convert import Encoding

from .conftest import Rig, Table
from .editor import Editor
from .naive import ENCODINGS
from .script import RIGHT


async def held(rig: Rig, table: Table) -> tuple[str, asyncio.Event]:
    """Refine, and stop where the first candidate is judged."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(_: Plan, edits: tuple[Edit, ...]) -> None:
        if edits and not go.is_set():
            reached.set()
            await go.wait()

    rig.judge.gate = gate
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await reached.wait()
    return uri, go


# -- cancel ----------------------------------------------------------------------------------------


async def test_lsp_ai_ignores_cancel(rig: Rig, table: Table) -> None:
    """Here it ends the work, and the progress with it; nothing comes afterwards."""
    uri, _ = await held(rig, table)
    before = table.editor.buffers[uri].text
    table.editor.cancel_progress()
    await table.editor.ended()
    assert (await table.editor.run("ocils.status"))["running"] == []
    judged = len(rig.judge.calls)
    await asyncio.sleep(0.2)
    assert len(rig.judge.calls) == judged
    assert table.editor.buffers[uri].text == before


async def test_vscode_254851_a_run_that_hangs_can_be_left(rig: Rig) -> None:
    """A model that never answers: cancel works, and so does the next run."""
    rig.engine_seconds = 3600.0
    table = await rig.connect()
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: rig.engine is not None and rig.engine.asked, "generating")
    await table.editor.run("ocils.cancel")
    await table.editor.ended()
    assert await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("1 of 9 tests fail"), "the next run")


async def test_lsp_ai_one_malformed_notification_ends_its_loop(table: Table) -> None:
    protocol: Any = table.editor.client.protocol
    protocol.notify("textDocument/didChange", {"textDocument": 3, "contentChanges": "x"})
    protocol.notify("ocils/abortRunTest", ["nonsense"])
    uri = table.editor.open(table.code)
    assert await table.editor.actions(uri, table.editor.at(uri, "total = 0"))


# -- stale edits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("manner", ["strict", "sly"])
async def test_vscode_languageserver_node_557_an_edit_without_its_version(
    rig: Rig, manner: Any
) -> None:
    """An edit carries its version; where a client does not look, the server compared before."""
    table = await rig.connect(Editor(manner=manner))
    uri, go = await held(rig, table)
    table.editor.type(uri, 0, 0, "# one\n# two\n# three\n")
    typed = table.editor.buffers[uri].text
    go.set()
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    expected = typed.replace("cents > FREE", "cents >= FREE")
    assert table.editor.buffers[uri].text == expected
    (change,) = table.editor.edits[-1].edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 2


@pytest.mark.parametrize("manner", ["strict", "sly"])
async def test_vscode_languageserver_node_1756_typing_races_the_version_check(
    rig: Rig, manner: Any
) -> None:
    """The client refuses the stale edit, and Neovim says that it did not: it is sent again."""
    table = await rig.connect(Editor(manner=manner))
    uri = table.editor.open(table.code, version=3)
    once = iter([True])

    def type_now() -> None:
        if next(once, False):
            table.editor.type(uri, 0, 0, "# typed in between\n")

    table.editor.before_edit = type_now
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    text = table.editor.buffers[uri].text
    assert text.startswith("# typed in between\n")
    assert text.count("cents >= FREE") == 1
    assert len(table.editor.edits) == 2


async def test_micro_agent_overwrites_the_file_on_every_try(rig: Rig, table: Table) -> None:
    """Nothing touches buffer or disk until a candidate has passed and been confirmed."""
    uri, go = await held(rig, table)
    on_disk, typed = rig.read("shop/pricing.py"), table.editor.buffers[uri].text
    assert table.editor.edits == []
    go.set()
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert len(table.editor.edits) == 1
    assert rig.read("shop/pricing.py") == on_disk
    assert table.editor.buffers[uri].text != typed


# -- Unicode ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_lsp_ai_takes_a_position_for_an_index_of_characters(
    rig: Rig, encoding: Encoding
) -> None:
    """A position right behind pictures is in the function that stands there, however it is counted."""
    table = await rig.connect(Editor(encoding=encoding))
    uri = table.editor.open(table.code)
    table.editor.type(
        uri, 0, 0, "x = '👩\u200d👩\u200d👧𝕏'; first = lambda: 0\ndef 漢(): return 1\n"
    )
    text = table.editor.buffers[uri].text
    for name in ("漢", "delivery"):
        at = table.editor.place(uri, text.index(f"def {name}") + len(f"def {name}"))
        titles = [action["title"] for action in await table.editor.actions(uri, at)]
        assert f"Refine {name} until green" in titles, titles


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_llm_ls_50_desync_and_crash_on_unicode(rig: Rig, encoding: Encoding) -> None:
    """The same line is typed into and edited; lsp-ai takes a position for a character's index."""
    head = "if '👩\u200d👧 e\u0301 𝕏' and cents == 0 or"
    rig.write("shop/pricing.py", rig.read("shop/pricing.py").replace("if cents == 0 or", head))
    rig.replies[:] = [[RIGHT.replace("if cents == 0 or", head)]]
    table = await rig.connect(Editor(encoding=encoding))
    editor = table.editor
    uri = editor.open(table.code)
    for _ in range(3):
        editor.replace(uri, "👩\u200d👧", "é👩\u200d👧")
        editor.replace(uri, "é👩\u200d👧", "👩\u200d👧")
    before = editor.buffers[uri].text
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await editor.until(lambda: editor.said("mended"), "mended")
    assert editor.buffers[uri].text == before.replace("cents > FREE", "cents >= FREE")
    opened = table.server.desk.documents.find(uri)
    assert opened is not None
    assert opened.document.data.decode() == editor.buffers[uri].text


# -- false green -----------------------------------------------------------------------------------


async def test_vscode_copilot_release_7740_no_tests_reported_is_no_success(
    rig: Rig, table: Table
) -> None:
    """A judge that says "passed" of nothing, as a runner does that collected nothing."""
    rig.judge.answer = lambda _, __: Passed((), 0.1)
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("no tests were found"), "said")
    assert table.editor.edits == []


async def test_vscode_copilot_release_6382_fewer_tests_than_before_is_no_success(
    rig: Rig, table: Table
) -> None:
    """A candidate after which the fresh run reports one test less: it is not confirmed."""

    def fewer(plan: Plan, edits: tuple[Edit, ...]) -> Passed | None:
        if not (edits and plan.fresh):
            return None
        names = ["delivery_is_free_at_the_limit", "delivery_of_nothing"]
        cases = [CaseResult(TestId(f"tests/test_pricing.py::test_{n}"), "passed") for n in names]
        return Passed(tuple(cases), 0.1)

    rig.judge.answer = fewer
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("is not mended"), "refused")
    assert table.editor.edits == []
