"""A task is proved: its original is red, its solution green, and what else is not counted says why."""

from __future__ import annotations

import re

import pytest

from ocils.bench.proof import prove
from ocils.bench.task import Task, Unusable
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    Broken,
    CaseResult,
    Failed,
    Killed,
    Passed,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.sandbox.scripted import Trial

from .world import BROKEN, CASES, RIGHT, World, a_task, proof_of


async def test_a_task_holds_when_its_original_is_red_and_its_solution_green() -> None:
    proof = await proof_of(World())
    assert proof.tests == tuple(CASES)
    assert proof.red == tuple(CASES)[1:]


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (a_task(broken=RIGHT), "the original passes its tests already"),
        (a_task(right=BROKEN), r"its solution is red: t.py::t\[1\]"),
    ],
)
async def test_a_task_that_does_not_hold_is_not_counted(task: Task, why: str) -> None:
    world = World(task)
    found = await prove(task, world.sandbox, CancelToken())
    assert isinstance(found, Unusable)
    assert re.search(why, found.why)


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Broken("no module x", "import"), "no module x"),
        (Killed("memory", "2 GiB"), "it was ended: memory 2 GiB"),
        (TimedOut(3.0, TestId("t.py::t[1]")), r"not done after 3 s (t.py::t[1] was on)"),
        (Unjudged("the container was lost"), "the container was lost"),
        (Failed((), 0.1), "passes no test"),
    ],
)
async def test_a_solution_that_cannot_be_judged_says_why(verdict: Verdict, why: str) -> None:
    world = World()
    world.special = lambda _: verdict
    found = await prove(world.tasks["add"], world.sandbox, CancelToken())
    assert isinstance(found, Unusable)
    assert why in found.why


async def test_tests_that_never_end_or_kill_are_red_and_the_rest_is_looked_at() -> None:
    world = World()
    original = world.tasks["add"].original.hash

    def special(trial: Trial) -> Verdict | None:
        if trial.snapshot != original:
            return None
        done: list[CaseResult] = []
        for test in trial.plan.tests:
            if test == "t.py::t[2]":
                return TimedOut(trial.plan.quiet, test, tuple(done))
            if test == "t.py::t[4]":
                return Killed("memory", "2 GiB", (*done, CaseResult(test, "failed", kind="memory")))
            done.append(CaseResult(test, "passed"))
        return Passed(tuple(done), 0.1)

    world.special = special
    proof = await proof_of(world)
    assert proof.red == ("t.py::t[2]", "t.py::t[4]")
    assert proof.hung == ("t.py::t[2]",)


async def test_an_original_that_cannot_be_collected_is_not_counted() -> None:
    world = World()
    original = world.tasks["add"].original.hash
    world.special = lambda t: Broken("bad", "syntax") if t.snapshot == original else None
    assert await world.run() == [Unusable("add", "the original cannot be judged: bad")]
