"""A run over many tasks goes on past broken ones, and resumes where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.bench.journal import Journal
from ocils.bench.run import measure
from ocils.bench.solve import Solved
from ocils.bench.task import Task, Unusable, workspace_of
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Verdict
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.sandbox.scripted import ScriptedSandbox, Trial

from .world import BROKEN, LIMITS, RIGHT, World, a_task


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
