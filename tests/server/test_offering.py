"""A proposal is put to the user by what their editor can do, and nothing is applied without a yes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from .conftest import Rig, Table
from .editor import plain
from .script import OTHER, RIGHT, WRONG

VIEW = {"client": {"proposalView": True, "sessions": True, "unheard": 1}}
OFFERED = "would be green"


@pytest.fixture
async def asking(rig: Rig) -> Table:
    """An editor that knows nothing but the protocol."""
    rig.proposal = "ask"
    return await rig.connect()


@pytest.fixture
async def viewing(rig: Rig) -> Table:
    """An editor with its own view of proposals."""
    rig.proposal = "ask"
    return await rig.connect(options=VIEW)


async def refine(table: Table) -> str:
    uri = table.editor.open(table.code)
    assert await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    return uri


async def proposed(table: Table, count: int = 1) -> Any:
    found = await table.editor.until(
        lambda: len(table.editor.told("ocils/proposal")) >= count, "a proposal"
    )
    assert found
    await table.editor.until(
        lambda: table.editor.kinds().count("end") >= count, "the run has ended by then"
    )
    return table.editor.told("ocils/proposal")[-1]


# -- a question with buttons -----------------------------------------------------------------------


async def test_a_yes_applies(asking: Table) -> None:
    uri = await refine(asking)
    await asking.editor.until(lambda: asking.editor.said("mended"), "mended")
    (question,) = asking.editor.asked
    assert OFFERED in question.message
    assert [a.title for a in question.actions or ()] == ["Apply", "Show attempts", "Reject"]
    assert "cents >= FREE" in asking.editor.buffers[uri].text


async def test_a_no_changes_nothing_and_forgets(asking: Table) -> None:
    asking.editor.choice = "Reject"
    uri = await refine(asking)
    await asking.editor.until(lambda: any("was rejected" in t for t in asking.editor.logged), "no")
    assert asking.editor.edits == []
    titles = [a["title"] for a in await asking.editor.actions(uri, asking.editor.at(uri, "if c"))]
    assert not any("verified" in title for title in titles)


async def test_no_answer_leaves_a_code_action(asking: Table) -> None:
    asking.editor.choice = None
    uri = await refine(asking)
    await asking.editor.until(lambda: asking.editor.said("the code action"), "said")
    assert asking.editor.edits == []
    place = asking.editor.at(uri, "if cents")
    actions = {a["title"]: a["command"] for a in await asking.editor.actions(uri, place)}
    apply = actions["Apply the verified edit of delivery"]
    assert "Reject the verified edit of delivery" in actions
    await asking.editor.run(apply["command"], *apply["arguments"])
    await asking.editor.until(lambda: asking.editor.said("mended"), "mended")
    assert "cents >= FREE" in asking.editor.buffers[uri].text


async def test_a_no_by_code_action(asking: Table) -> None:
    asking.editor.choice = None
    uri = await refine(asking)
    await asking.editor.until(lambda: asking.editor.said("the code action"), "said")
    await asking.editor.run("ocils.rejectKept", {"uri": uri, "name": "delivery"})
    await asking.editor.run("ocils.applyKept", {"uri": uri, "name": "delivery"})
    await asking.editor.until(lambda: asking.editor.said("no edit of `delivery` is kept"), "gone")


@pytest.mark.parametrize("shows", [True, False])
async def test_showing_attempts_and_then_yes(rig: Rig, own_folders: Path, shows: bool) -> None:
    rig.proposal = "ask"
    table = await rig.connect(show=shows)
    editor = table.editor
    editor.choice = "Show attempts"
    await refine(table)
    if shows:
        await editor.until(lambda: editor.shown, "the attempts")
        shown = Path(editor.shown[0].uri.removeprefix("file://"))
        text = await asyncio.to_thread(shown.read_text)
        assert str(own_folders) in editor.shown[0].uri
    else:
        await editor.until(lambda: any("# 1." in t for t in editor.logged), "the attempts")
        text = next(t for t in editor.logged if "# 1." in t)
    editor.choice = "Apply"
    assert "+    return 0 if cents > 1 else DELIVERY" in text
    assert "#    fails: tests/test_pricing.py::" in text
    await editor.until(lambda: editor.said("mended"), "mended")


# -- an edit that asks -----------------------------------------------------------------------------


@pytest.mark.parametrize("confirms", [True, False])
async def test_change_annotations(rig: Rig, confirms: bool) -> None:
    rig.proposal = "ask"
    table = await rig.connect(annotations=True)
    editor = table.editor
    editor.confirms = confirms
    uri = await refine(table)
    said = "mended" if confirms else "was not applied"
    await editor.until(lambda: editor.said(said), said)
    (sent,) = editor.edits
    (annotation,) = (sent.edit.change_annotations or {}).values()
    assert annotation.needs_confirmation
    assert OFFERED in (annotation.description or "")
    assert editor.asked == []
    assert ("cents >= FREE" in editor.buffers[uri].text) == confirms


# -- the client's own view -------------------------------------------------------------------------


async def test_a_client_that_draws_it_is_told_everything(viewing: Table) -> None:
    uri = await refine(viewing)
    shown = await proposed(viewing)
    (file,) = shown["files"]
    assert (shown["uri"], shown["target"], file["uri"]) == (uri, "delivery", uri)
    assert file["before"] == viewing.editor.buffers[uri].text
    assert file["after"] == file["before"].replace("cents > FREE", "cents >= FREE")
    assert file["version"] == 1
    assert shown["verdict"]["outcome"] == "passed"
    assert shown["verdict"]["passed"] == shown["verdict"]["total"] > 0
    assert shown["mended"] == ["tests/test_pricing.py::test_delivery_is_free_at_the_limit"]
    assert shown["suspicious"] == []
    assert shown["again"] is False
    assert OFFERED in shown["summary"]
    assert viewing.editor.edits == []
    assert viewing.editor.asked == []
    await viewing.editor.run("ocils.apply", {"proposal": shown["proposal"]})
    await viewing.editor.until(lambda: viewing.editor.told("ocils/proposalEnded"), "ended")
    (ended,) = viewing.editor.told("ocils/proposalEnded")
    assert (ended["proposal"], ended["outcome"]) == (shown["proposal"], "applied")
    assert viewing.editor.buffers[uri].text == file["after"]
    await viewing.editor.run("ocils.apply", {"proposal": shown["proposal"]})
    await viewing.editor.until(lambda: viewing.editor.said("no longer there"), "told")


async def test_what_is_shown_is_what_applying_would_do_now(rig: Rig, viewing: Table) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(_: Any, edits: Any) -> None:
        if edits and not go.is_set():
            reached.set()
            await go.wait()

    rig.judge.gate = gate
    uri = await refine(viewing)
    await reached.wait()
    viewing.editor.type(uri, 0, 0, "# typed meanwhile 👩\n")
    go.set()
    shown = await proposed(viewing)
    (file,) = shown["files"]
    assert file["before"] == viewing.editor.buffers[uri].text
    assert file["after"].startswith("# typed meanwhile 👩\n")
    assert file["after"].count("cents >= FREE") == 1
    assert file["version"] == 2
    await viewing.editor.run("ocils.apply", {"proposal": shown["proposal"]})
    await viewing.editor.until(lambda: viewing.editor.told("ocils/proposalEnded"), "ended")
    assert "again on what you typed" in viewing.editor.told("ocils/proposalEnded")[0]["message"]
    assert viewing.editor.buffers[uri].text == file["after"]


async def test_a_text_that_changed_keeps_it_and_it_can_be_applied_later(viewing: Table) -> None:
    uri = await refine(viewing)
    shown = await proposed(viewing)
    viewing.editor.replace(uri, "return DELIVERY\n", "return DELIVERY  # mine\n")
    await viewing.editor.run("ocils.apply", {"proposal": shown["proposal"]})
    await viewing.editor.until(lambda: viewing.editor.told("ocils/proposalEnded"), "kept")
    assert viewing.editor.told("ocils/proposalEnded")[0]["outcome"] == "kept"
    assert viewing.editor.edits == []
    viewing.editor.replace(uri, "  # mine", "")
    await viewing.editor.run("ocils.apply", {"proposal": shown["proposal"]})
    await viewing.editor.until(
        lambda: len(viewing.editor.told("ocils/proposalEnded")) == 2, "applied"
    )
    assert viewing.editor.told("ocils/proposalEnded")[1]["outcome"] == "applied"
    # It is theirs to say, with buttons of their own: not said a second time by us.
    assert not viewing.editor.said("mended")


async def test_a_new_run_replaces_a_proposal(viewing: Table) -> None:
    await refine(viewing)
    first = await proposed(viewing)
    uri = next(iter(viewing.editor.buffers))
    await viewing.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await viewing.editor.until(lambda: viewing.editor.told("ocils/proposalEnded"), "replaced")
    (ended,) = viewing.editor.told("ocils/proposalEnded")
    assert (ended["proposal"], ended["outcome"]) == (first["proposal"], "replaced")


# -- a no with a reason ----------------------------------------------------------------------------


async def test_a_reason_goes_to_the_model_and_the_same_edit_does_not_come_back(
    rig: Rig, viewing: Table
) -> None:
    rig.replies[:] = [[WRONG], [RIGHT]]
    uri = await refine(viewing)
    first = await proposed(viewing)
    assert rig.engine is not None
    # The engine is still the same one: its third answer repeats the rejected edit beside another.
    rig.engine._replies += [(RIGHT, OTHER)]
    started = await viewing.editor.run(
        "ocils.reject", {"proposal": first["proposal"], "reason": "write `not cents` instead"}
    )
    assert started["task"]
    second = await proposed(viewing, 2)
    assert second["session"] == first["session"]
    assert second["proposal"] != first["proposal"]
    assert "if not cents or cents >= FREE" in second["files"][0]["after"]
    prompt: Any = rig.engine.asked[-1]
    said = [message.content for message in prompt.messages]
    assert "write `not cents` instead" in said[1]
    assert "rejects it: write `not cents` instead" in said[-1]
    assert "cents >= FREE_DELIVERY_FROM" in said[-2]
    assert viewing.editor.told("ocils/proposalEnded")[0]["outcome"] == "rejected"
    assert viewing.editor.buffers[uri].text == first["files"][0]["before"]
    # It is one session: its attempts and the words are all there.
    answer = await viewing.editor.ask("ocils/attempts", {"session": first["session"]})
    attempts = plain(answer)["attempts"]
    assert [a["verdict"]["outcome"] for a in attempts].count("passed") >= 2
    assert any("write `not cents`" in a["feedback"] for a in attempts)


async def test_a_hint_lets_an_exhausted_session_go_on(rig: Rig, viewing: Table) -> None:
    rig.replies[:] = [[WRONG]]
    viewing.editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams(settings={"refine": {"turns": 1}})
    )
    await refine(viewing)
    await viewing.editor.until(lambda: viewing.editor.said("is not mended"), "exhausted")
    ended = next(e for e in viewing.editor.told("ocils/session") if e["kind"] == "ended")
    assert ended["outcome"] == "exhausted"
    assert rig.engine is not None
    rig.engine._replies += [(RIGHT,)]
    await viewing.editor.run(
        "ocils.feedback", {"session": ended["session"], "text": "mind the limit itself"}
    )
    shown = await proposed(viewing, 1)
    assert shown["session"] == ended["session"]
    prompt: Any = rig.engine.asked[-1]
    assert "says: mind the limit itself" in prompt.messages[1].content


@pytest.mark.parametrize(
    ("command", "argument", "text"),
    [
        ("ocils.apply", {"proposal": "nonsense"}, "no longer there"),
        ("ocils.reject", {"proposal": "nonsense"}, "no longer there"),
        ("ocils.reject", {}, "missing required field `proposal`"),
        ("ocils.feedback", {"session": "nonsense", "text": "x"}, "no session 'nonsense'"),
        ("ocils.feedback", {"session": "nonsense", "text": "  "}, "the hint is empty"),
        ("ocils.refineUntilGreen", {"test": "/nowhere::x"}, "no test of an opened folder"),
    ],
)
async def test_what_is_asked_wrongly_is_told_once(
    viewing: Table, own_folders: Path, command: str, argument: Any, text: str
) -> None:
    assert await viewing.editor.run(command, argument) is None
    await viewing.editor.until(lambda: viewing.editor.messages, "a message")
    ((_, message),) = viewing.editor.messages
    assert text.lower() in message.lower()


# -- sessions --------------------------------------------------------------------------------------


async def test_a_session_is_told_as_it_goes(viewing: Table) -> None:
    uri = await refine(viewing)
    await proposed(viewing)
    events = viewing.editor.told("ocils/session")
    assert [e["kind"] for e in events] == ["started", "judged", "judged", "ended"]
    assert {(e["target"], e["uri"]) for e in events} == {("delivery", uri)}
    first, second = events[1:3]
    assert (first["turn"], first["count"], first["verdict"]["outcome"]) == (1, 1, "failed")
    assert first["failing"]
    assert "+    return 0 if cents > 1 else DELIVERY" in first["diff"]
    assert (second["turn"], second["verdict"]["outcome"]) == (2, "passed")
    assert "@@ -" in second["diff"]
    assert events[-1]["outcome"] == "green"


async def test_sessions_are_listed_live_and_from_records(rig: Rig, own_folders: Path) -> None:
    rig.record = True
    table = await rig.connect()
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    live = plain(await table.editor.ask("ocils/sessions", {}))["sessions"]
    (session,) = live
    assert (session["target"], session["outcome"], session["candidates"]) == (
        "delivery",
        "green",
        2,
    )
    # Another server knows it from the record; the text moved on, so that it shows what was written.
    other = await rig.connect()
    (recorded,) = plain(await other.editor.ask("ocils/sessions", {"count": 5}))["sessions"]
    assert (recorded["session"], recorded["outcome"]) == (session["session"], "recorded")
    answer = plain(await other.editor.ask("ocils/attempts", {"session": session["session"]}))
    assert len(answer["attempts"]) == 2
    assert "return 0 if cents > 1" in answer["attempts"][0]["diff"]
    assert await other.editor.ask("ocils/attempts", {"session": "../../etc/passwd"}) is None
    await other.editor.until(lambda: other.editor.said("no session"), "told")
