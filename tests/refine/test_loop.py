"""The loop against the shipped fakes: what it finds, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.events import (
    BaselineJudged,
    Cancelled,
    CandidateJudged,
    CaseFinished,
    Confirming,
    Event,
    Finished,
    ProposalReady,
    Refuted,
    TurnStarted,
)
from ocils.domain.judging import (
    CaseResult,
    Failed,
    Passed,
    Plan,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Limits
from ocils.domain.text import Entry, Snapshot, apply_edits, snapshot_hash
from ocils.engine.nothing import MANIFESTS, NoModel
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.refine.loop import refine, run_tests
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.source.target import SourceTree, locate_name
from tests.refine.conftest import (
    BUGGY,
    CASES,
    CHATTY,
    PATH,
    RIGHT,
    ROOT,
    TINY,
    Scene,
    end_of,
    events_of,
    judged,
)


async def test_a_small_edit_turns_red_to_green_and_is_confirmed_afresh(scene: Scene) -> None:
    events = await events_of(scene)
    assert end_of(events).outcome == "green"
    proposal = next(e.proposal for e in events if isinstance(e, ProposalReady))
    assert apply_edits(scene.document, proposal.edits).data.decode() == RIGHT
    assert proposal.mended == (TestId("t.py::below"), TestId("t.py::far_below"))
    assert proposal.unexecuted == ()
    fresh = [t.plan for t in scene.sandbox.trials if t.plan.fresh]
    assert sorted(p.seed for p in fresh)[:3] == [0, 0, 1]
    assert all(not p.tests for p in fresh), "the confirmation runs the whole suite"


async def test_of_like_lines_the_one_only_red_tests_ran_is_tried_first(scene: Scene) -> None:
    scene.engine = ScriptedEngine(TINY, likelihood=lambda *_: 0.0)
    scene.sandbox = ScriptedSandbox(lambda trial: judged(BUGGY, trial.plan))
    first: dict[int, int] = {}
    for event in await events_of(scene):
        if isinstance(event, CandidateJudged):
            start = event.judged.candidate.edits[0].span.start
            first.setdefault(BUGGY.count("\n", 0, start) + 1, event.count)
    assert first[3] < first[5]


async def test_an_infill_finds_what_edits_cannot(scene: Scene) -> None:
    odd = Scene(
        BUGGY.replace("        return high\n    if", "        return len('abc') * 7\n    if")
    )
    only_infill = msgspec.structs.replace(TINY, strategies=("infill",))
    odd.replies([["\n        return low"]] * 9, only_infill)
    events = await events_of(odd)
    assert end_of(events).outcome == "green"
    assert {e.strategy for e in events if isinstance(e, TurnStarted)} == {"infill"}


async def test_a_model_that_chats_gets_feedback_and_tries_again(scene: Scene) -> None:
    wrong = "```python\ndef clamp(x, low, high):\n    return x\n```"
    right = f"Sorry.\n```python\n{RIGHT}```"
    scene.replies([[wrong], [right]], CHATTY)
    events = await events_of(scene)
    assert end_of(events).outcome == "green"
    second = scene.engine.asked[1]
    said = msgspec.json.encode(second).decode()
    assert "t.py::below failed" in said
    assert "return x" in said


async def test_green_when_warm_but_not_afresh_is_not_offered(scene: Scene) -> None:
    def script(trial: Trial) -> Verdict:
        if trial.plan.fresh and trial.changed:
            return judged(BUGGY, trial.plan)
        return judged(trial.text or BUGGY, trial.plan)

    scene.sandbox = ScriptedSandbox(script)
    events = await events_of(scene)
    assert end_of(events).outcome == "exhausted"
    assert any(isinstance(e, Refuted) for e in events)
    assert not any(isinstance(e, ProposalReady) for e in events)
    assert "not when run again" in end_of(events).message


async def test_where_no_test_ends_there_is_no_fresh_run_of_the_original(scene: Scene) -> None:
    """It would be a run of everything, which never ends, and no candidate could be confirmed."""
    endless = "def clamp(x, low, high):\n    while x < low:\n        high = high\n    return low\n"
    only = TestId("t.py::below")

    def script(trial: Trial) -> Verdict:
        if not trial.changed:
            return TimedOut(1.0, only)
        return Passed((CaseResult(only, "passed"),), 0.01)

    scene = Scene(endless)
    scene.sandbox = ScriptedSandbox(script)
    assert end_of(await events_of(scene)).outcome == "green"
    assert not any(trial.plan.fresh and not trial.changed for trial in scene.sandbox.trials)


async def test_two_seeds_must_agree(scene: Scene) -> None:
    def script(trial: Trial) -> Verdict:
        wrong = trial.plan.fresh and trial.plan.seed == 1
        return judged(BUGGY if wrong else trial.text or BUGGY, trial.plan)

    scene.sandbox = ScriptedSandbox(script)
    assert end_of(await events_of(scene)).outcome == "exhausted"


async def test_nothing_green_keeps_the_best_attempt_and_names_stronger_models(
    scene: Scene,
) -> None:
    def script(trial: Trial) -> Verdict:
        verdict = judged(BUGGY, trial.plan)
        return (
            verdict
            if not trial.changed
            else Failed((CaseResult(TestId("t.py::below"), "failed"),), 0.0)
        )

    scene.sandbox = ScriptedSandbox(script)
    scene.limits = Limits(turns=3, candidates=30, seconds=30)
    end = end_of(await events_of(scene))
    assert end.outcome == "exhausted"
    assert end.best is not None
    assert "ocils model pull qwen2.5-coder" in end.message
    assert end.session is not None
    assert 1 <= len(end.session.turns) <= 3


async def test_limits_hold(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(lambda trial: judged(BUGGY, trial.plan), width=2)
    scene.limits = Limits(turns=9, candidates=7, seconds=30)
    events = await events_of(scene)
    counts = [e.count for e in events if isinstance(e, CandidateJudged)]
    assert counts == list(range(1, 8))


async def test_seconds_end_a_search_whose_judge_is_slow(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(lambda trial: judged(BUGGY, trial.plan), seconds=0.2)
    scene.limits = Limits(turns=99, candidates=999, seconds=1)
    end = end_of(await asyncio.wait_for(events_of(scene), 30))
    assert end.outcome == "exhausted"


@pytest.mark.parametrize(
    "kind", [CaseFinished, BaselineJudged, TurnStarted, CandidateJudged, Confirming]
)
async def test_cancel_in_any_phase_ends_in_cancelled(scene: Scene, kind: type[Event]) -> None:
    scene.sandbox = ScriptedSandbox(scene.script, width=2, seconds=0.02)
    cancel = CancelToken()
    events: list[Event] = []
    async for event in refine(scene.session, scene.snapshot, scene.ports, cancel):
        events.append(event)
        if isinstance(event, kind):
            cancel.cancel()
    assert isinstance(events[-1], Cancelled)
    assert sum(isinstance(e, Finished | Cancelled) for e in events) == 1


@pytest.mark.parametrize("kind", [CaseFinished, TurnStarted, CandidateJudged, Confirming])
async def test_closing_the_generator_leaves_no_task(scene: Scene, kind: type[Event]) -> None:
    scene.sandbox = ScriptedSandbox(scene.script, width=2, seconds=0.05)
    before = asyncio.all_tasks()
    async with aclosing(refine(scene.session, scene.snapshot, scene.ports, CancelToken())) as run:
        async for event in run:
            if isinstance(event, kind):
                break
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_every_candidate_is_new_and_the_file_still_parses(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(lambda trial: judged(BUGGY, trial.plan))
    events = await events_of(scene)
    texts = [
        apply_edits(scene.document, e.judged.candidate.edits).data
        for e in events
        if isinstance(e, CandidateJudged)
    ]
    assert len(texts) == len(set(texts)) > 20
    for text in texts:
        compile(text, PATH, "exec")
        assert text != scene.document.data


async def test_run_tests_says_what_is_red(scene: Scene) -> None:
    run = run_tests(scene.target, scene.snapshot, scene.ports, CancelToken())
    events = [event async for event in run]
    end = end_of(events)
    assert end.message == "2 of 4 tests fail; 4 run `clamp`"
    baseline = next(e.baseline for e in events if isinstance(e, BaselineJudged))
    assert baseline.red == ("t.py::below", "t.py::far_below")


async def test_the_first_stage_judges_red_tests_only(scene: Scene) -> None:
    await events_of(scene)
    plans: list[Plan] = [t.plan for t in scene.sandbox.trials if t.changed and not t.plan.fresh]
    assert plans[0].tests == ("t.py::below", "t.py::far_below")
    assert plans[0].stop_early
    assert any(set(p.tests) == set(CASES) for p in plans)


@pytest.mark.parametrize("name", ["none", "rules"])
async def test_a_search_without_a_model_works_and_is_repeatable(scene: Scene, name: str) -> None:
    async def order(seed: int) -> list[str]:
        ports = Ports(NoModel(MANIFESTS[name]), ScriptedSandbox(scene.script), NoSessions())
        scene.limits = Limits(turns=30, candidates=900, seconds=60)
        session = msgspec.structs.replace(scene.session, seed=seed)
        run = refine(session, scene.snapshot, ports, CancelToken())
        events = [event async for event in run]
        assert end_of(events).outcome == "green"
        # How many more are judged while the first green is confirmed, time decides.
        events = events[: next(at for at, e in enumerate(events) if isinstance(e, Confirming))]
        return [e.judged.candidate.note for e in events if isinstance(e, CandidateJudged)]

    first = await order(1)
    assert await order(1) == first
    assert (await order(2) != first) == (name == "none")


async def test_a_mishap_of_the_originals_fresh_run_is_made_good(scene: Scene) -> None:
    lost: list[Trial] = []

    def script(trial: Trial) -> Verdict:
        if trial.plan.fresh and not trial.changed and not lost:
            lost.append(trial)
            return Unjudged("the container was lost")
        return scene.script(trial)

    scene.sandbox = ScriptedSandbox(script, width=2)
    assert end_of(await events_of(scene)).outcome == "green"
    assert lost


async def test_a_missing_last_line_can_be_added(scene: Scene) -> None:
    cut = RIGHT.replace("    return x\n", "")
    lacking = Scene(cut)
    lacking.replies([[f"```python\n{RIGHT}```"]], CHATTY)
    assert end_of(await events_of(lacking)).outcome == "green"


async def test_a_reply_the_file_cannot_hold_ends_nothing_but_itself() -> None:
    text = "# -*- coding: latin-1 -*-\n# caf\xe9\n" + BUGGY
    entries = (Entry("clamp.py", "file", 0o644, 1, text.encode("latin-1")),)
    scene = Scene(text)
    scene.snapshot = Snapshot(ROOT, entries, snapshot_hash(entries))
    document = scene.snapshot.document(PATH)
    assert document is not None
    scene.document, scene.target = document, locate_name(SourceTree.of(document), "clamp")
    arrow = RIGHT.replace("return low", "return low  # \u2192")
    scene.replies([[f"```python\n{arrow}```", f"```python\n{RIGHT}```"]], CHATTY)
    scene.sandbox = ScriptedSandbox(lambda trial: judged(trial.text or BUGGY, trial.plan))
    events = await events_of(scene)
    assert end_of(events).outcome == "green"
