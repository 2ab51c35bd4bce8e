"""Mending one planted bug after another: outcomes, the journal, the record, the demo's words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ocils.bench.demo import demo, drawn_from
from ocils.bench.measure import bench_mutants
from ocils.bench.mend import (
    Conditions,
    Mended,
    Record,
    mend,
    read_record,
    write_record,
)
from ocils.bench.mutants import Mutant, mutants_of
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    CaseResult,
    Coverage,
    Failed,
    Passed,
    TestId,
    TestLines,
    Verdict,
)
from ocils.domain.model import Manifest
from ocils.domain.session import Limits, Session
from ocils.domain.text import Snapshot
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.workspace.disk import DiskWorkspace

TEST = TestId("test_m.py::test_f")
LINES = Coverage((TestLines(TEST, (1, 2)),))
GREEN = Passed((CaseResult(TEST, "passed"),), 0.1, LINES)
RED = Failed((CaseResult(TEST, "failed", message="assert 1 == 3"),), 0.1, LINES)
LIMITS = Limits(turns=3, candidates=50, seconds=20.0)
EDITS_ONLY = Manifest("slips", "none", "Apache-2.0", 512, False, ("edit",))


class Forgetful:
    """The recorder of a user who wants no records."""

    def record(self, session: Session) -> None:
        pass


class World:
    """A workspace of one function, ``a + b``, whose one test passes for exactly that."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        (root / "m.py").write_text("def f(a, b):\n    return a + b\n")
        self.workspace = DiskWorkspace(str(root))
        self.sandbox = ScriptedSandbox(self.judged)
        self.engine = ScriptedEngine(EDITS_ONLY)
        self.ports = Ports(self.engine, self.sandbox, Forgetful())
        self.clean = ""
        self.caught = True

    def judged(self, trial: Trial) -> Verdict:
        if trial.text:
            return GREEN if "return a + b" in trial.text else RED
        return GREEN if trial.snapshot == self.clean or not self.caught else RED

    async def snapshot(self) -> Snapshot:
        clean = await self.workspace.snapshot()
        self.clean = clean.hash
        return clean

    async def minus(self) -> tuple[Mutant, Snapshot]:
        clean = await self.snapshot()
        (mutant,) = [m for m in mutants_of(clean) if m.operator == "arithmetic"]
        return mutant, clean


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "w")


async def outcome(world: World, limits: Limits = LIMITS) -> Mended:
    mutant, clean = await world.minus()
    run = mend(mutant, clean, world.workspace, world.ports, limits, CancelToken())
    last = [each async for each in run][-1]
    assert isinstance(last, Mended)
    return last


async def test_a_bug_is_mended_and_told_from_the_original(world: World) -> None:
    mended = await outcome(world)
    assert mended.outcome == "mended"
    assert mended.same_as_original
    assert mended.candidates > 0
    assert mended.how.startswith("edit: ")
    assert (mended.path, mended.function, mended.operator) == ("m.py", "f", "arithmetic")


async def test_nothing_is_written(world: World) -> None:
    before = {path: path.read_bytes() for path in world.root.rglob("*")}
    await outcome(world)
    assert {path: path.read_bytes() for path in world.root.rglob("*")} == before


async def test_limits_that_are_too_tight_leave_it_unmended(world: World) -> None:
    mended = await outcome(world, Limits(turns=1, candidates=0, seconds=5.0))
    assert mended.outcome == "not mended"


async def test_a_bug_that_no_test_notices_is_told_apart(world: World) -> None:
    world.caught = False
    assert (await outcome(world)).outcome == "not red"


async def test_a_measurement_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    await world.snapshot()
    journal, record = tmp_path / "journal.jsonl", tmp_path / "record.json"

    async def measured(limit: int) -> list[Mended]:
        found = bench_mutants(
            world.workspace,
            world.ports,
            CancelToken(),
            limit=limit,
            limits=LIMITS,
            journal=journal,
            record=record,
        )
        return [each async for each in found if isinstance(each, Mended)]

    first = await measured(2)
    asked = len(world.sandbox.trials)
    with journal.open("ab") as file:
        file.write(b'{"mutant":"cut sho')  # the machine went down here
    again = await measured(2)
    assert again == first
    # Only the tests were asked which mutants they catch; no candidate was judged a second time.
    assert all("return a + b" not in trial.text for trial in world.sandbox.trials[asked:])
    written = read_record(record)
    assert written is not None
    assert written.outcomes == tuple(first)
    assert written.conditions == Conditions("slips@scripted", LIMITS, 0, "script (nothing runs)")


def test_a_record_has_one_outcome_a_line(tmp_path: Path) -> None:
    outcomes = tuple(Mended(f"{n}", "m.py", "f", "boolean", "mended") for n in range(3))
    record = Record("2026-01-02", Conditions("m", LIMITS, 0, "none"), outcomes)
    write_record(tmp_path / "r.json", record)
    assert (tmp_path / "r.json").read_text().count('"mutant"') == 3
    assert len((tmp_path / "r.json").read_text().splitlines()) == 5
    assert read_record(tmp_path / "r.json") == record
    assert record.mended == 3


def test_no_record_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text("{")
    assert read_record(tmp_path / "bad.json") is None


async def shown(world: World, record: Record | None, seed: int = 3) -> tuple[bool, str]:
    await world.snapshot()
    text = io.StringIO()
    ended = await demo(
        world.workspace,
        world.ports,
        CancelToken(),
        Console(file=text, width=100),
        seed=seed,
        record=record,
        limits=LIMITS,
    )
    return ended, text.getvalue()


async def test_the_demo_shows_bug_verdicts_and_winner(world: World) -> None:
    ended, text = await shown(world, None)
    assert ended
    assert "seed 3 (make demo SEED=3 draws the same again)" in text
    assert "-    return a + b" in text
    assert "baseline: 1 tests, 1 red" in text
    assert "assert 1 == 3" in text
    assert "confirming in fresh containers" in text
    assert "+    return a + b" in text
    assert "candidate" in text
    assert "has not been measured here" in text
    assert "\x1b" not in text


async def test_the_demo_draws_the_same_for_the_same_seed(world: World) -> None:
    _, one = await shown(world, None)
    _, two = await shown(world, None)
    bug = [line for line in one.splitlines() if line.startswith("the bug")]
    assert bug == [line for line in two.splitlines() if line.startswith("the bug")]


async def test_the_demo_quotes_the_measurement_and_its_distance(world: World) -> None:
    clean = await world.snapshot()
    outcomes = tuple(
        Mended(m.id, "m.py", "f", m.operator, "mended" if n % 2 else "not mended")
        for n, m in enumerate(mutants_of(clean)[:4])
    )
    same = Record("2026-01-02", Conditions("slips@scripted", LIMITS, 0, "x"), outcomes)
    ended, text = await shown(world, same)
    assert ended
    assert "of 4 such bugs, 2 were mended (50%)" in text
    assert "another one" not in text
    other = Record("2026-01-02", Conditions("old@1", LIMITS, 0, "x"), outcomes)
    _, text = await shown(world, other)
    assert "measured 2026-01-02 with old@1" in text
    assert "this run's model is another one: slips@scripted" in text


async def test_the_demo_draws_among_the_measured_bugs(world: World) -> None:
    clean = await world.snapshot()
    one = mutants_of(clean)[0]
    outcomes = (Mended(one.id, "m.py", "f", one.operator, "mended"),)
    record = Record("2026-01-02", Conditions("m", LIMITS, 0, "x"), outcomes)
    assert drawn_from(clean, record) == (one,)
    assert len(drawn_from(clean, None)) > 4


async def test_the_demo_says_so_when_nothing_is_mended(world: World) -> None:
    world.sandbox = ScriptedSandbox(lambda _: RED)
    world.ports = Ports(world.engine, world.sandbox, Forgetful())
    ended, text = await shown(world, None)
    assert not ended
    assert text.count("the bug:") == 5
    assert "none of 5 bugs was mended" in text


async def test_bugs_that_no_test_notices_do_not_count_as_tries(world: World) -> None:
    world.caught = False
    ended, text = await shown(world, None)
    assert not ended
    assert "do not notice this one" in text
    assert "none of 0 bugs was mended" in text
