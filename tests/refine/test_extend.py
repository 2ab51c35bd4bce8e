"""Extend: what is kept, what is gone on from, and that it reaches what a line does not."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.events import ProposalReady, TurnStarted
from ocils.domain.judging import CaseResult, Frame, TestId
from ocils.domain.model import Chat, Infill, StrategyName
from ocils.domain.session import Limits
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Span, apply_edits
from ocils.refine.localize import Suspect
from ocils.refine.schedule import schedule
from ocils.refine.trusted import doubtful_line, extensions
from tests.refine.conftest import CHATTY, RIGHT, TINY, Scene, end_of, events_of

TEXT = '''def f(values):
    """Say what."""
    total = 0
    for value in values:
        if value:
            total += value
    first = total
    second = first
    third = second
    return third'''
TARGET = EditTarget("/w/a.py", "f", "function", Span(0, 1), Span(0, 1), "", 11, 20, "h")
EXTENDS = msgspec.structs.replace(CHATTY, strategies=("extend",))
FILLS = msgspec.structs.replace(TINY, strategies=("extend",))

# Two lines are wrong, so that no edit of one mends it.
TWO_SLIPS = (
    "def clamp(x, low, high):\n"
    "    if x < low:\n"
    "        return high\n"
    "    if x > high:\n"
    "        return low\n"
    "    return x\n"
)


def heads(doubtful: int) -> list[int]:
    return [each.keep for each in extensions(TEXT, TARGET, doubtful)]


def test_the_longest_head_comes_first_and_the_last_keeps_nothing_of_the_body() -> None:
    kept = heads(20)
    assert kept == sorted(set(kept), reverse=True)
    assert kept[0] == 9  # all but the last statement
    assert kept[-1] == 2  # signature and docstring
    assert len(kept) == 4  # about the square root of eight statements, and the first


def test_nothing_behind_the_doubtful_place_is_kept_and_its_tail_begins_there() -> None:
    made = extensions(TEXT, TARGET, 16)  # "total += value"
    assert made[0].keep == 5
    assert all(each.tail.startswith("    first = total\n") for each in made)
    assert made[0].head.endswith("        if value:\n")
    assert made[-1].head == 'def f(values):\n    """Say what."""\n'


def failed(*lines: int) -> CaseResult:
    frames = tuple(Frame("/w/a.py", line, "f") for line in lines)
    return CaseResult(TestId("t::a"), "failed", frames=frames)


@pytest.mark.parametrize(
    ("red", "moved", "suspects", "line"),
    [
        ([failed(14, 16)], 0, [], 16),
        ([failed(17), failed(14)], 0, [], 14),
        ([failed(99)], 0, [], 20),
        ([failed(17)], 2, [], 15),
        ([], 0, [Suspect(Hole(13, 13), 0.5), Suspect(Hole(17, 17), 0.5)], 17),
        ([], 0, [Suspect(Hole(13, 13), 0.9), Suspect(Hole(17, 17), 0.3)], 13),
        ([failed(14)], 0, [Suspect(Hole(17, 17), 1.0)], 14),
        ([], 0, [], 20),
    ],
)
def test_what_ran_before_the_failure_is_trusted(
    red: list[CaseResult], moved: int, suspects: list[Suspect], line: int
) -> None:
    assert doubtful_line(red, TARGET, 10, moved, suspects) == line


async def test_a_model_that_chats_goes_on_from_the_head() -> None:
    scene = Scene(TWO_SLIPS)
    rest = RIGHT.split("\n", 1)[1]
    scene.replies([[], [], [f"{rest}```\nDone."], [f"{rest}```\nDone."]], EXTENDS)
    events = await events_of(scene)
    asked = [prompt for prompt in scene.engine.asked if isinstance(prompt, Chat)]
    assert asked[-1].opening.startswith("```python\ndef clamp(x, low, high):\n")
    assert end_of(events).outcome == "green"
    (proposal,) = [e.proposal for e in events if isinstance(e, ProposalReady)]
    assert apply_edits(scene.document, proposal.edits).data.decode() == RIGHT
    assert proposal.candidate.strategy == "extend"
    openings = [len(prompt.opening) for prompt in asked]
    assert openings == sorted(openings, reverse=True), "each turn begins earlier"


async def test_a_model_that_begins_anew_is_taken_at_its_word() -> None:
    scene = Scene(TWO_SLIPS)
    scene.replies([[f"```\n\nLet me write it all.\n\n```python\n{RIGHT}```"]] * 3, EXTENDS)
    assert end_of(await events_of(scene)).outcome == "green"


async def test_a_model_that_fills_holes_fills_one_to_the_end() -> None:
    scene = Scene(TWO_SLIPS)
    lines = RIGHT.rstrip("\n").split("\n")
    scene.replies([["\n" + "\n".join(lines[keep:])] for keep in (4, 2, 1)], FILLS)
    events = await events_of(scene)
    assert end_of(events).outcome == "green"
    for prompt in scene.engine.asked:
        assert isinstance(prompt, Infill)
        assert prompt.suffix == ""
    holes = [event.hole for event in events if isinstance(event, TurnStarted)]
    assert all(hole is not None and hole.last == 6 for hole in holes)


async def test_an_attempt_that_came_further_is_gone_on_from() -> None:
    scene = Scene(TWO_SLIPS)
    # Right below, and still wrong above: three of four cases pass, where two did.
    further = TWO_SLIPS.replace("return high\n    if", "return low\n    if")
    both = msgspec.structs.replace(CHATTY, strategies=("rewrite", "extend"))
    scene.replies([[f"```python\n{further}```"], [], [], []], both)
    scene.limits = Limits(turns=2, candidates=9, seconds=30)
    await events_of(scene)
    talk = scene.engine.asked[1]
    assert isinstance(talk, Chat)
    assert "        return low\n    if" in talk.opening


async def test_nothing_of_a_stub_is_kept() -> None:
    scene = Scene("def clamp(x, low, high):\n    ...\n")
    scene.replies([["\n    return x"]] * 3, FILLS)
    events = await events_of(scene)
    assert [e for e in events if isinstance(e, TurnStarted)] == []


def test_it_comes_after_what_is_cheaper() -> None:
    every: tuple[StrategyName, ...] = ("edit", "infill", "rewrite", "extend")
    assert schedule(every, "repair", learnt=True)[-1] == "extend"
    assert "extend" not in schedule(every, "repair", learnt=False)
    assert "extend" not in schedule(("edit", "infill"), "repair", learnt=True)
