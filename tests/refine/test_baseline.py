"""What the original's own run leads to: hangs, slow tests, and ends before any search."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.errors import SandboxUnavailable, StaleTarget
from ocils.domain.events import (
    BaselineJudged,
    TurnStarted,
)
from ocils.domain.judging import (
    Broken,
    Failed,
    Killed,
    Passed,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Limits
from ocils.engine.scripted import ScriptedEngine
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from tests.refine.conftest import (
    BUGGY,
    CASES,
    RIGHT,
    TINY,
    Scene,
    end_of,
    events_of,
    judged,
)


async def test_a_program_that_never_ends_can_be_mended() -> None:
    right = BUGGY.replace("return high", "return low", 1)
    hangs = Scene(right.replace("if x < low", "if x < high"))
    below = TestId("t.py::below")

    def script(trial: Trial) -> Verdict:
        if "x < high" not in (trial.text or hangs.text):
            return judged(trial.text, trial.plan)
        rest = tuple(TestId(t) for t in CASES if t != below)
        if not trial.plan.tests or below in trial.plan.tests:
            return TimedOut(1.0, below, (), rest)
        return judged(RIGHT, trial.plan)

    hangs.sandbox = ScriptedSandbox(script)
    hangs.engine = ScriptedEngine(TINY, likelihood=lambda *_: 0.0)
    events = await events_of(hangs)
    baseline = next(e.baseline for e in events if isinstance(e, BaselineJudged))
    assert baseline.red == (below,)
    assert len(baseline.cases) == len(CASES)
    assert end_of(events).outcome == "green", end_of(events).message
    original = next(t.plan for t in hangs.sandbox.trials if t.plan.fresh and not t.changed)
    assert below not in original.tests


@pytest.mark.parametrize(
    ("verdict", "outcome", "said"),
    [
        (Broken("no module named clamp", "import", missing_module="clamp"), "broken", "clamp"),
        (Broken("invalid syntax (t.py, line 3)", "syntax"), "broken", "t.py, line 3"),
        (Broken("nothing was collected", "empty"), "no_tests", "no tests"),
        (TimedOut(600.0), "timeout", "600 s"),
        (Unjudged("isolation", "no network"), "unjudged", "no network"),
        (Killed("memory"), "unjudged", "memory"),
    ],
)
async def test_a_baseline_that_cannot_be_had_ends_in_one_sentence(
    scene: Scene, verdict: Verdict, outcome: str, said: str
) -> None:
    scene.sandbox = ScriptedSandbox(lambda _: verdict)
    events = await events_of(scene)
    end = end_of(events)
    assert end.outcome == outcome
    assert said in end.message
    assert "\n" not in end.message
    assert not any(isinstance(e, TurnStarted) for e in events)


def original(*, kind: str = "", reach: bool = True, red: bool = True) -> ScriptedSandbox:
    def script(trial: Trial) -> Verdict:
        verdict = judged(BUGGY if red else RIGHT, trial.plan)
        assert isinstance(verdict, Passed | Failed)
        coverage = verdict.coverage
        if not reach and coverage:
            tests = tuple(msgspec.structs.replace(t, lines=()) for t in coverage.tests)
            coverage = msgspec.structs.replace(coverage, tests=tests)
        cases = tuple(
            case if case.passed else msgspec.structs.replace(case, kind=kind)
            for case in verdict.cases
        )
        return msgspec.structs.replace(verdict, cases=cases, coverage=coverage)

    return ScriptedSandbox(script)


@pytest.mark.parametrize(
    ("sandbox", "outcome", "said"),
    [
        (original(red=False), "already_green", "pass already"),
        (original(reach=False), "no_tests", "none of the 4 tests runs `clamp`"),
        (original(kind="isolation"), "unjudged", "without network"),
    ],
)
async def test_nothing_to_do_is_said_before_a_token_is_spent(
    scene: Scene, sandbox: ScriptedSandbox, outcome: str, said: str
) -> None:
    scene.sandbox = sandbox
    end = end_of(await events_of(scene))
    assert end.outcome == outcome
    assert said in end.message
    assert scene.engine.asked == ()


async def test_no_engine_is_the_users_to_mend(scene: Scene) -> None:
    gone = SandboxUnavailable("the engine does not run", mend="start it")
    scene.sandbox = ScriptedSandbox(scene.script, unavailable=gone)
    with pytest.raises(SandboxUnavailable, match="start it"):
        await events_of(scene)


async def test_a_target_outside_the_snapshot_is_stale(scene: Scene) -> None:
    scene.target = msgspec.structs.replace(scene.target, path="/elsewhere/x.py")
    with pytest.raises(StaleTarget):
        await events_of(scene)


async def test_red_tests_before_a_hang_stay_goals() -> None:
    """`above` is red by its assertion, then `inside` hangs: ending the hang alone is not green."""
    wrong = BUGGY.replace("return high\n    if", "return low\n    if").replace(
        "    return x", "    while x: pass"
    )
    wrong = wrong.replace("        return high\n    while", "        return low\n    while")
    inside, above = TestId("t.py::inside"), TestId("t.py::above")

    def script(trial: Trial) -> Verdict:
        text = trial.text or wrong
        ends = text.replace("while x: pass", "pass")
        asked = trial.plan.tests or tuple(TestId(case) for case in CASES)
        if text == ends or inside not in asked:
            return judged(ends, trial.plan)
        if asked == (inside,):
            return TimedOut(20.0, inside)
        others = tuple(test for test in asked if test != inside)
        before = judged(ends, msgspec.structs.replace(trial.plan, tests=others))
        assert isinstance(before, Passed | Failed)
        return TimedOut(6.1, inside, before.cases, (), before.coverage)

    fresh = Scene(wrong)
    fresh.sandbox = ScriptedSandbox(script, width=2)
    fresh.limits = Limits(turns=2, candidates=10, seconds=30)
    events = await events_of(fresh)
    baseline = next(e.baseline for e in events if isinstance(e, BaselineJudged))
    assert set(baseline.red) == {inside, above}
    assert above in baseline.reaching
    assert inside not in baseline.reaching, "nobody told what the hung test runs"
    assert baseline.stuck == (inside,)


async def test_a_slow_test_is_not_taken_for_a_hang(scene: Scene) -> None:
    slow = TestId("t.py::inside")

    def script(trial: Trial) -> Verdict:
        verdict = scene.script(trial)
        assert isinstance(verdict, Passed | Failed)
        if trial.plan.quiet and not trial.plan.tests:
            ended = tuple(case for case in verdict.cases if case.test != slow)
            return TimedOut(7.0, slow, ended, (), verdict.coverage)
        return verdict

    scene.sandbox = ScriptedSandbox(script, width=2)
    events = await events_of(scene)
    baseline = next(e.baseline for e in events if isinstance(e, BaselineJudged))
    assert slow not in baseline.red
    assert end_of(events).outcome == "green"
