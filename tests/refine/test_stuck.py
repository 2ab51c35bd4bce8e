"""Tests of the original that never end, or that end the run of all: looked at alone, then goals."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.events import BaselineJudged, Preparing
from ocils.domain.judging import (
    Baseline,
    CaseResult,
    Coverage,
    Failed,
    Killed,
    Passed,
    Plan,
    TestId,
    TestLines,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Candidate
from ocils.domain.text import Edit, Span
from ocils.refine.apart import Apart
from ocils.refine.baseline import judge_original
from ocils.refine.confirm import Confirmation
from ocils.refine.green import Confirmed
from ocils.refine.outcome import of_run
from ocils.sandbox.scripted import Script, ScriptedSandbox, Trial
from tests.refine.conftest import CASES, PATH, Scene, end_of, events_of

ABOVE, INSIDE = TestId("t.py::above"), TestId("t.py::inside")


def stuck(test: TestId, scene: Scene, *lines: int, why: str = "memory") -> Script:
    """Judge as the scene does, but that the original's ``test`` ends the run, having run ``lines``."""

    def script(trial: Trial) -> Verdict:
        asked = trial.plan.tests or tuple(TestId(case) for case in CASES)
        if trial.changed or test not in asked:
            return scene.script(trial)
        before, rest = asked[: asked.index(test)], asked[asked.index(test) + 1 :]
        cases: tuple[CaseResult, ...] = ()
        ran: tuple[TestLines, ...] = (TestLines(test, lines),) if lines and not rest else ()
        if before:
            plan = msgspec.structs.replace(trial.plan, tests=before)
            verdict = scene.script(msgspec.structs.replace(trial, plan=plan))
            assert isinstance(verdict, Passed | Failed)
            cases = verdict.cases
            ran = verdict.coverage.tests if verdict.coverage else ()
        last = CaseResult(test, "failed", message="it was on", kind="killed")
        if why == "timeout":
            return TimedOut(trial.plan.seconds, test, (*cases, last), rest, Coverage(ran))
        return Killed("memory", "all of it", (*cases, last), "", test, rest, Coverage(ran))

    return script


async def baseline_of(scene: Scene) -> Baseline:
    events = await events_of(scene)
    assert end_of(events).outcome == "green", end_of(events).message
    return next(each.baseline for each in events if isinstance(each, BaselineJudged))


async def test_a_test_that_ends_the_run_hides_nothing(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(stuck(ABOVE, scene), width=2)
    baseline = await baseline_of(scene)
    assert {case.test for case in baseline.cases} == set(CASES)
    assert ABOVE in baseline.red
    assert baseline.stuck == (ABOVE,)
    assert ABOVE not in baseline.reaching, "others that reach the target are red, and known to"
    trials = [trial for trial in scene.sandbox.trials if trial.plan.fresh]
    assert all(ABOVE not in (trial.plan.tests or CASES) for trial in trials if not trial.changed)


async def test_what_is_known_to_reach_the_target_is_a_goal_like_others(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(stuck(ABOVE, scene, 2, 4), width=2)
    baseline = await baseline_of(scene)
    assert ABOVE in baseline.reaching
    confirming = [t for t in scene.sandbox.trials if t.plan.fresh and t.changed]
    assert confirming
    assert all(ABOVE in (trial.plan.tests or CASES) for trial in confirming)


@pytest.mark.parametrize("why", ["memory", "timeout"])
async def test_it_is_said_what_is_looked_at_and_why(scene: Scene, why: str) -> None:
    scene.sandbox = ScriptedSandbox(stuck(ABOVE, scene, why=why), width=2)
    said = [each.stage for each in await events_of(scene) if isinstance(each, Preparing)]
    word = "takes long" if why == "timeout" else "ended the run"
    assert f"running above by itself: it {word}" in said


async def test_a_wait_for_it_alone_is_explained(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(stuck(INSIDE, scene), width=2)
    said = [each.stage for each in await events_of(scene) if isinstance(each, Preparing)]
    assert "waiting for inside, which is run by itself" in said


def apart(sandbox: ScriptedSandbox, scene: Scene) -> Apart:
    return Apart(scene.snapshot, sandbox, CancelToken(), None)


async def test_the_first_one_gets_more_patience_than_those_behind_it(scene: Scene) -> None:
    sandbox = ScriptedSandbox(lambda trial: TimedOut(trial.plan.seconds, trial.plan.tests[0]))
    async with apart(sandbox, scene) as alone:
        alone.look_at(ABOVE)
        alone.look_at(INSIDE)
        seconds = [
            answer.seconds async for _, answer in alone.answers() if isinstance(answer, TimedOut)
        ]
    assert seconds[0] > seconds[1] >= 1


async def test_a_slow_test_costs_those_behind_it_no_patience(scene: Scene) -> None:
    def script(trial: Trial) -> Verdict:
        test = trial.plan.tests[0]
        return Passed((), 7.0) if test == ABOVE else TimedOut(trial.plan.seconds, test)

    sandbox = ScriptedSandbox(script)
    async with apart(sandbox, scene) as alone:
        for test in (ABOVE, INSIDE):
            alone.look_at(test)
        _ = [each async for each in alone.answers()]
    plans: list[Plan] = [trial.plan for trial in sandbox.trials]
    assert plans[0].seconds == plans[1].seconds


@pytest.mark.parametrize("ends", [True, False])
async def test_three_convince(scene: Scene, ends: bool) -> None:
    def script(trial: Trial) -> Verdict:
        return Passed((), 7.0) if ends else TimedOut(trial.plan.seconds, trial.plan.tests[0])

    async with apart(ScriptedSandbox(script), scene) as alone:
        for number in range(3):
            assert not alone.convinced
            alone.look_at(TestId(f"t.py::{number}"))
            _ = [each async for each in alone.answers()]
        assert alone.convinced is not ends


async def test_leaving_ends_what_still_runs(scene: Scene) -> None:
    sandbox = ScriptedSandbox(lambda trial: Passed((), 7.0), seconds=600)
    async with asyncio.timeout(60), apart(sandbox, scene) as alone:
        alone.look_at(ABOVE)
        await asyncio.sleep(0)


async def test_a_sandbox_that_cannot_judge_it_alone_takes_back_nothing(scene: Scene) -> None:
    usual = stuck(ABOVE, scene)

    def script(trial: Trial) -> Verdict:
        if trial.plan.tests == (ABOVE,) and not trial.changed:
            return Unjudged("the container was lost")
        return usual(trial)

    scene.sandbox = ScriptedSandbox(script, width=2)
    baseline = await baseline_of(scene)
    assert ABOVE in baseline.red
    assert baseline.stuck == (ABOVE,)


MANY = tuple(TestId(f"t.py::many{number}") for number in range(40))
FINE = (TestId("t.py::fine0"), TestId("t.py::fine1"))


def endless(trial: Trial) -> Verdict:
    """Every one of ``MANY`` never ends; of a candidate's, all tests pass but those that it names."""
    asked = trial.plan.tests or (*MANY, *FINE)
    if trial.changed:
        cases = tuple(
            CaseResult(test, "failed" if f"{test.partition('::')[2]} " in trial.text else "passed")
            for test in asked
        )
        return Failed(cases, 0.1) if any(not case.passed for case in cases) else Passed(cases, 0.1)
    at = next((at for at, test in enumerate(asked) if test in MANY), None)
    if at is None:
        return Passed(tuple(CaseResult(test, "passed") for test in asked), 0.1)
    told = trial.plan.probe is not None and trial.plan.probe.live
    lines = (TestLines(asked[at], (2,)),) if told else ()
    last = CaseResult(asked[at], "failed", kind="timeout")
    return TimedOut(trial.plan.quiet, asked[at], (last,), asked[at + 1 :], Coverage(lines))


async def endless_baseline(scene: Scene, sandbox: ScriptedSandbox) -> Baseline:
    steps = judge_original(scene.snapshot, scene.target, sandbox, CancelToken())
    (found,) = [each async for each in steps if isinstance(each, Baseline)]
    return found


async def test_where_too_many_are_stuck_the_rest_is_left_and_said_to_be(scene: Scene) -> None:
    sandbox = ScriptedSandbox(endless, width=2)
    baseline = await endless_baseline(scene, sandbox)
    heard = tuple(case.test for case in baseline.cases)
    assert len(heard) > 10
    assert (*heard, *baseline.unheard) == (*MANY, *FINE)
    assert set(baseline.stuck) == set(baseline.reaching) == set(heard), "their lines are told"
    assert baseline.cases[-1].message == "it had not ended after 2 s, like others before it"
    assert "were not run" in of_run(baseline, None).message


@pytest.mark.parametrize("why", ["timeout", "signal"])
async def test_a_runner_may_say_nothing_of_what_was_on(scene: Scene, why: str) -> None:
    """Where whole files are run, only their names are known."""

    def script(trial: Trial) -> Verdict:
        asked = trial.plan.tests or MANY[:6]
        if why == "timeout":
            return TimedOut(trial.plan.quiet, asked[0], (), asked[1:])
        return Killed("signal", "signal 11", running=asked[0], rest=asked[1:])

    baseline = await endless_baseline(scene, ScriptedSandbox(script, width=2))
    assert {case.test for case in baseline.cases} == set(baseline.red) == set(MANY[:6])
    assert {case.kind for case in baseline.cases} == {"timeout" if why == "timeout" else "killed"}


@pytest.mark.parametrize(
    ("breaks", "green"), [("", True), ("fine1 ", False), ("many3 ", False), ("many39 ", False)]
)
async def test_a_candidate_must_pass_what_was_not_run_before(
    scene: Scene, breaks: str, green: bool
) -> None:
    sandbox = ScriptedSandbox(endless, width=2)
    baseline = await endless_baseline(scene, sandbox)
    goals = baseline.stuck
    edit = Edit(PATH, Span(0, 0), f"# {breaks}\n")
    candidate = Candidate("c", (edit,), 0.0, "edit")
    confirmation = Confirmation(scene.snapshot, baseline, goals, (), sandbox, CancelToken())
    answer = await confirmation.confirm(candidate)
    assert isinstance(answer, Confirmed) is green, answer
