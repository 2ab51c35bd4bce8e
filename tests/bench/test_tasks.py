"""Tasks are proved, searched with half of their tests, and scored on all; a run resumes and goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.bench.blinkers import BlinkeredSandbox, Clock
from ocils.bench.halves import visible
from ocils.bench.journal import Journal
from ocils.bench.proof import Proof, prove
from ocils.bench.run import measure
from ocils.bench.solve import Solved, solve
from ocils.bench.task import Source, Task, Unreadable, Unusable, workspace_of
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import (
    Broken,
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
from ocils.domain.model import Manifest
from ocils.domain.session import Limits
from ocils.domain.text import Edit, Span
from ocils.engine.nothing import MANIFESTS, NoModel
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.sandbox.scripted import ScriptedSandbox, Trial

LIMITS = Limits(turns=9, candidates=120, seconds=60.0)
BROKEN = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
CASES = {TestId(f"t.py::t[{n}]"): given for n, given in enumerate([(0, 0), (2, 2), (3, 1), (0, 5), (1, 9), (4, 4)])}  # fmt: skip
"""Six tests; on the broken program the first is green."""


def a_task(name: str = "add", broken: str = BROKEN, right: str = RIGHT) -> Task:
    return Task(
        name,
        workspace_of("/w", {"m.py": broken, "t.py": f"# {name}\n"}),
        "m.py",
        "add",
        solution=workspace_of("/w", {"m.py": right, "t.py": f"# {name}\n"}),
    )


class World:
    """A judge that runs ``add`` in this process, and says what was asked of it."""

    def __init__(self, *tasks: Task) -> None:
        self.tasks = {task.id: task for task in tasks or (a_task(),)}
        self.texts: dict[str, str] = {}
        for task in self.tasks.values():
            for snapshot in filter(None, (task.original, task.solution)):
                document = snapshot.document("m.py")
                assert document is not None
                self.texts[snapshot.hash] = document.data.decode()
        self.special: Callable[[Trial], Verdict | None] = lambda _: None
        self.sandbox = ScriptedSandbox(self.judged, width=2)
        self.ports = Ports(NoModel(MANIFESTS["rules"]), self.sandbox, NoSessions())

    def judged(self, trial: Trial) -> Verdict:
        if (said := self.special(trial)) is not None:
            return said
        scope: dict[str, Callable[[int, int], object]] = {}
        exec(trial.text or self.texts[trial.snapshot], scope)
        cases = []
        for test in trial.plan.tests or CASES:
            one, two = CASES[test]
            try:
                good = scope["add"](one, two) == one + two
            except Exception:
                good = False
            cases.append(CaseResult(test, "passed" if good else "failed", 0.001, "", "" if good else "assertion"))  # fmt: skip
            if trial.plan.stop_early and not good:
                break
        lines = Coverage(tuple(TestLines(case.test, (1, 2)) for case in cases))
        return (Passed if all(c.passed for c in cases) else Failed)(tuple(cases), 0.01, lines)

    @property
    def source(self) -> Source:
        def read(name: str) -> Task:
            if name == "unreadable":
                raise Unreadable("it is cut short")
            return self.tasks[name]

        return Source("own", tuple(self.tasks), read, "digest")

    async def solved(self, name: str = "add", seed: int = 0) -> Solved:
        task = self.tasks[name]
        proof = await prove(task, self.sandbox, CancelToken())
        assert isinstance(proof, Proof)
        found = await solve(task, proof, self.ports, LIMITS, seed, 1, CancelToken())
        assert found is not None
        return found

    async def run(
        self, journal: Journal | None = None, *, jobs: int = 1, names: tuple[str, ...] = ()
    ) -> list[Solved | Unusable]:
        steps = measure(
            self.source,
            names or tuple(self.tasks),
            self.ports,
            journal or Journal(None, "", {}),
            CancelToken(),
            limits=LIMITS,
            jobs=jobs,
        )
        return [each async for each in steps if not isinstance(each, str)]


async def proof_of(world: World) -> Proof:
    proof = await prove(world.tasks["add"], world.sandbox, CancelToken())
    assert isinstance(proof, Proof)
    return proof


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


def proof_with(red: int, green: int, hung: int = 0) -> Proof:
    tests = tuple(TestId(f"t.py::t{n}") for n in range(red + green))
    return Proof("p", "w", tests, tests[:red], tests[:hung])


@pytest.mark.parametrize(("red", "green"), [(1, 0), (1, 1), (1, 9), (5, 0), (6, 7)])
def test_half_of_the_tests_are_shown_and_one_of_them_is_red(red: int, green: int) -> None:
    proof = proof_with(red, green)
    for seed in range(20):
        shown = visible(proof, seed)
        assert len(set(shown) & set(proof.red)) == -(-red // 2)
        assert len(shown) == -(-red // 2) + -(-green // 2)
        assert list(shown) == sorted(shown, key=proof.tests.index)
    assert len({visible(proof, seed) for seed in range(20)}) > (red + green > 2)


def test_the_same_seed_shows_the_same_half() -> None:
    assert visible(proof_with(6, 7), 3) == visible(proof_with(6, 7), 3)


def test_of_tests_that_never_end_few_are_shown_and_not_alone() -> None:
    for seed in range(20):
        proof = proof_with(8, 2, hung=7)
        shown = set(visible(proof, seed))
        assert len(shown & set(proof.hung)) <= 2
        assert shown & (set(proof.red) - set(proof.hung))


def test_what_a_benchmark_holds_out_is_held_out() -> None:
    tests = tuple(map(TestId, ("t.py::test_a", "t.py::test_b[1]", "t.py::test_plus_1")))
    proof = Proof("p", "w", tests, tests[1:])
    assert visible(proof, 0, "test_plus") == tests[:2]
    only_plus = Proof("p", "w", tests, tests[2:])
    assert tests[2] in visible(only_plus, 0, "test_plus")


def test_a_named_red_test_is_shown_whatever_the_lot() -> None:
    proof = proof_with(8, 4)
    for seed in range(10):
        shown = visible(proof, seed, shown=(proof.red[5],))
        assert set(shown) & set(proof.red) == {proof.red[5]}


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


async def test_a_run_goes_on_past_every_kind_of_broken_task(tmp_path: Path) -> None:
    gone = Task("gone", workspace_of("/w", {"m.py": BROKEN}), "other.py", "add", solution=workspace_of("/w", {"m.py": RIGHT}))  # fmt: skip
    nameless = Task("nameless", workspace_of("/w", {"m.py": BROKEN + "#\n"}), "m.py", "sub", solution=workspace_of("/w", {"m.py": RIGHT}))  # fmt: skip
    world = World(gone, nameless, a_task("green", broken=RIGHT), a_task("add"))
    world.tasks = {"unreadable": gone, **world.tasks}
    found = {each.task: each for each in await world.run(jobs=2)}
    assert found["unreadable"] == Unusable("unreadable", "it is cut short")
    assert found["gone"] == Unusable("gone", "there is no other.py")
    assert isinstance(found["nameless"], Unusable)
    assert "sub" in found["nameless"].why
    assert found["green"] == Unusable("green", "the original passes its tests already")
    assert isinstance(found["add"], Solved)
    assert len(found) == 5


async def test_a_machine_that_cannot_judge_ends_the_run() -> None:
    world = World()
    sandbox = ScriptedSandbox(world.judged, unavailable=SandboxUnavailable("no engine"))
    world.ports = Ports(world.ports.engine, sandbox, NoSessions())
    with pytest.raises(SandboxUnavailable, match="no engine"):
        await world.run()


async def test_a_measurement_goes_on_where_it_was_and_proofs_serve_every_model(
    tmp_path: Path,
) -> None:
    names = ("one", "two", "add")
    world = World(*(a_task(name) for name in names))
    key = {"model": "a"}
    first = await world.run(Journal(tmp_path / "j", "own-a", key), names=names[:2])
    with next((tmp_path / "j").glob("own-a-*.jsonl")).open("ab") as file:
        file.write(b'{"result":{"type":"Solved","tas')  # the machine went down here
    again = World(*(a_task(name) for name in names))
    whole = await again.run(Journal(tmp_path / "j", "own-a", key))
    assert whole[:2] == first
    assert [each.task for each in whole] == list(names)
    # Only the third was looked at.
    known = {t.hash for n in names[:2] for t in (again.tasks[n].original,)}
    assert not known & {trial.snapshot for trial in again.sandbox.trials}
    # Another model begins anew, but does not prove again.
    other = World(*(a_task(name) for name in names))
    await other.run(Journal(tmp_path / "j", "own-b", {"model": "b"}))
    originals = [t for t in other.sandbox.trials if not t.changed and t.plan.probe is None and not t.plan.fresh]  # fmt: skip
    assert originals == []


async def test_what_is_cancelled_is_neither_reported_nor_kept(tmp_path: Path) -> None:
    world = World(a_task("one"), a_task("two"))
    cancel = CancelToken()
    journal = Journal(tmp_path / "j", "own", {})

    def special(trial: Trial) -> Verdict | None:
        if trial.changed:
            cancel.cancel()
        return None

    world.special = special
    steps = measure(world.source, ("one", "two"), world.ports, journal, cancel, limits=LIMITS)
    assert [each async for each in steps] == ["one"]
    assert Journal(tmp_path / "j", "own", {}).result("one") is None
