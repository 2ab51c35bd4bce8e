"""A task is searched with half of its tests and scored on all; what its seconds went into."""

from __future__ import annotations

import asyncio

from ocils.bench.blinkers import BlinkeredSandbox, Clock
from ocils.bench.halves import visible
from ocils.bench.solve import Solved, solve
from ocils.bench.task import Task
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import CaseResult, Coverage, Failed, Passed, Plan, TestId, Verdict
from ocils.domain.model import Manifest
from ocils.domain.text import Edit, Span
from ocils.engine.nothing import MANIFESTS, NoModel
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.sandbox.scripted import ScriptedSandbox, Trial

from .world import CASES, LIMITS, World, a_task, proof_of


async def test_a_bug_is_mended_by_what_is_visible_and_right_by_all() -> None:
    world = World()
    solved = await world.solved()
    assert (solved.outcome, solved.same) == ("green", True)
    assert 0 < solved.first <= solved.at <= solved.judged
    assert (solved.visible, solved.tests, solved.turn, solved.strategy) == (4, 6, 1, "edit")


async def test_the_search_never_hears_of_a_test_that_is_held_out() -> None:
    world = World()
    task, proof = world.tasks["add"], await proof_of(world)
    shown = set(visible(proof, 0))
    asked = len(world.sandbox.trials)
    await solve(task, proof, world.ports, LIMITS, 0, 1, CancelToken())
    searched, last = world.sandbox.trials[asked:-1], world.sandbox.trials[-1]
    assert all(trial.plan.tests for trial in searched)
    assert all(set(trial.plan.tests) <= shown for trial in searched)
    assert last.plan.tests == proof.tests
    assert last.changed


async def test_what_held_out_tests_reject_counts_as_red_and_is_told_apart() -> None:
    world = World()
    shown = set(visible(await proof_of(world), 0))

    def special(trial: Trial) -> Verdict | None:
        # By what the search can see, only one thing is right, and it is not.
        if trial.changed and set(trial.plan.tests) <= shown:
            good = "a * b" in trial.text
            cases = tuple(CaseResult(t, "passed" if good else "failed") for t in trial.plan.tests)
            return (Passed if good else Failed)(cases, 0.01)
        return None

    world.special = special
    solved = await world.solved()
    assert solved.outcome == "plausible"
    assert solved.at == solved.first > 0


async def test_wider_tests_have_the_last_word() -> None:
    task = a_task()
    wider = TestId("t.py::t[5]")
    some = tuple(CASES)[:3]
    known = Task(task.id, task.original, "m.py", "add", solution=task.solution, passing=some, wider=(wider,))  # fmt: skip
    world = World(known)
    assert (await world.solved()).outcome == "green"
    asked = world.sandbox.trials
    assert asked[-1].plan.tests == (*some, wider)
    # Tests that are known to pass need no run of the solution.
    assert task.solution is not None
    assert all(trial.snapshot != task.solution.hash for trial in asked)
    world.special = lambda t: Failed((), 0.1) if wider in t.plan.tests else None
    assert (await world.solved()).outcome == "plausible"


async def test_nothing_found_is_red_and_what_is_unjudged_says_why() -> None:
    world = World()
    world.special = lambda t: Failed((CaseResult(t.plan.tests[0], "failed"),), 0.1) if t.changed else None  # fmt: skip
    assert (await world.solved()).outcome == "red"

    def unreached(trial: Trial) -> Verdict | None:
        if trial.plan.probe is None:
            return None
        cases = tuple(CaseResult(test, "failed") for test in trial.plan.tests)
        return Failed(cases, 0.1, Coverage(()))

    world = World()
    world.special = unreached
    solved = await world.solved()
    assert solved.outcome == "unjudged"
    assert "none of the" in solved.why


async def test_the_same_seed_gives_the_same_candidates_in_the_same_order() -> None:
    async def asked(seed: int) -> tuple[list[str], Solved]:
        world = World()
        world.ports = Ports(NoModel(MANIFESTS["none"]), world.sandbox, NoSessions())
        solved = await world.solved(seed=seed)
        texts = [t.text for t in world.sandbox.trials if t.changed and not t.plan.fresh and not t.plan.probe]  # fmt: skip
        return texts, solved

    one, first = await asked(5)
    two, second = await asked(5)
    assert one == two
    assert (first.at, first.first, first.outcome) == (second.at, second.first, second.outcome)
    other, _ = await asked(6)
    assert other != one


async def test_seconds_are_told_apart() -> None:
    world = World()
    manifest = Manifest("slow", "none", "Apache-2.0", 512, False, ("rewrite",))
    engine = ScriptedEngine(manifest, [["no code"] * 2] * 3, seconds=0.05)
    world.ports = Ports(engine, ScriptedSandbox(world.judged, seconds=0.01), NoSessions())
    solved = await world.solved()
    assert solved.generating > 0
    assert solved.baseline > 0
    assert solved.judging == 0
    assert solved.seconds >= solved.generating


async def test_a_clock_counts_overlapping_waits_once() -> None:
    clock = Clock()

    async def wait(seconds: float) -> None:
        with clock.running():
            await asyncio.sleep(seconds)

    await asyncio.gather(*(wait(0.05) for _ in range(40)))
    assert 0.05 <= clock.seconds < 40 * 0.05


async def test_no_candidate_is_judged_while_a_confirmation_runs() -> None:
    world = World()
    proof = await proof_of(world)
    order: list[str] = []

    def special(trial: Trial) -> Verdict | None:
        order.append("fresh" if trial.plan.fresh else "warm")
        return Passed((), 0.0)

    world.special = special
    world.sandbox = ScriptedSandbox(world.judged, width=4, seconds=0.02)
    inner = BlinkeredSandbox(world.sandbox, proof, proof.tests, 4)
    edit = (Edit("/w/m.py", Span(0, 0), "\n"),)
    snapshot, cancel = world.tasks["add"].original, CancelToken()
    fresh = asyncio.create_task(inner.judge(snapshot, edit, Plan(fresh=True), cancel))
    await asyncio.sleep(0)
    warm = asyncio.create_task(inner.judge(snapshot, edit, Plan(), cancel))
    await asyncio.gather(fresh, warm)
    assert order == ["fresh", "warm"]
