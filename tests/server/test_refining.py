"""A whole run as an editor sees it: action, progress, edit, findings, and everything in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Frame, Plan, TimedOut, Unjudged, Verdict
from ocils.domain.text import Edit
from ocils.sandbox.scripted import ScriptedSandbox
from ocils.server.convert import Encoding

from .conftest import Rig, Table
from .editor import Editor
from .script import RIGHT, WRONG

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


# -- the document changes during the run ---------------------------------------------------------


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


# -- findings are cleared --------------------------------------------------------------------------


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


# -- tests, and refining from a test ---------------------------------------------------------------


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


async def test_refining_a_test_refines_what_it_tests(table: Table) -> None:
    uri = table.editor.open(table.code)
    tests = table.editor.open(table.tests)
    name = "test_delivery_is_free_at_the_limit"
    await table.editor.run("ocils.refineUntilGreen", {"uri": tests, "name": name})
    await table.editor.until(lambda: table.editor.said("`delivery` mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text


# -- what can go wrong -----------------------------------------------------------------------------


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


def _value(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)
