"""The agreement's comparison, on verdicts made by hand, and on a workspace with a real plain run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from ocils.bench.agreement import Ground, drawn, first_lines
from ocils.bench.agreement_run import Surveyed, noted, read, report
from ocils.bench.compared import Compared, different
from ocils.bench.plain.run import Plain, plain
from ocils.bench.real import Project, projects
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import CaseResult, Failed, Killed, Passed, TestId, TimedOut, Verdict
from ocils.domain.text import Document
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.workspace.disk import DiskWorkspace

CHECKOUT = Path(__file__).parents[2]
ONE, TWO = TestId("test_a.py::test_one"), TestId("test_a.py::test_two")


def case(test: TestId, outcome: str) -> CaseResult:
    return CaseResult(test, outcome)  # type: ignore[arg-type]


def test_the_same_outcomes_agree() -> None:
    verdict = Failed((case(ONE, "passed"), case(TWO, "failed")), 0.1)
    run = Plain(1.0, status=1, outcomes={ONE: "passed", TWO: "failed"})
    assert different(verdict, run, (ONE, TWO)) == ()


def test_another_outcome_and_a_missing_report_are_told() -> None:
    verdict = Failed((case(ONE, "passed"),), 0.1)
    run = Plain(1.0, status=1, outcomes={ONE: "failed", TWO: "failed"})
    assert different(verdict, run, (ONE, TWO)) == (
        (ONE, "passed", "failed"),
        (TWO, "", "failed"),
    )


def test_functions_are_found_by_the_line_of_their_first_decorator() -> None:
    text = b"import functools\n\n@functools.cache\ndef one():\n    def inner():\n        pass\n\nclass A:\n    def two(self):\n        pass\n"
    assert first_lines(Document("/w/a.py", text)) == {
        "one": 3,
        "one.inner": 5,
        "A.two": 9,
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "w"
    shutil.copytree(CHECKOUT / "tests" / "workspaces" / "basket", root)
    # The plain run takes the workspace's own interpreter.
    (root / ".venv" / "bin").mkdir(parents=True)
    # Not a link: Python 3.14 does not find an environment's packages through one from elsewhere.
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


async def test_a_plain_run_notes_outcomes_and_what_each_file_ran(workspace: Path) -> None:
    run = await plain(workspace, sys.executable, [], 60, follow=True)
    assert run.status == 1  # the workspace has one red test
    assert set(run.outcomes.values()) == {"passed", "failed"}
    assert set(run.collected) == set(run.outcomes)
    ran = {path for places in run.entered.values() for path, _ in places}
    assert "shop/pricing.py" in ran


async def test_a_failed_sub_test_is_not_forgotten_by_a_plain_run(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "import unittest\n\n\nclass TestA(unittest.TestCase):\n    def test_a(self):\n"
        "        with self.subTest():\n            assert False\n"
    )
    run = await plain(tmp_path, sys.executable, [], 60)
    assert run.outcomes == {"test_a.py::TestA::test_a": "failed"}


async def test_a_plain_run_that_never_ends_is_ended(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a():\n    while True: pass\n")
    run = await plain(tmp_path, sys.executable, [], 2)
    assert run.timed_out
    assert run.status is None


def always_green(trial: Trial) -> Verdict:
    """A judge that lies: what the agreement is there to find."""
    return Passed(tuple(CaseResult(each, "passed") for each in trial.plan.tests), 0.01, level="L2")


def sources(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*.py")}


async def test_a_judge_that_lies_is_found_out(workspace: Path) -> None:
    project = Project("basket", "1", "", "MIT")
    ground = Ground(project, DiskWorkspace(str(workspace)), ScriptedSandbox(always_green))
    before = sources(workspace)
    grounds = await ground.survey(CancelToken())
    mutants = drawn(await DiskWorkspace(str(workspace)).snapshot(), 8)
    found = [each async for each in ground.compare(mutants, grounds, CancelToken())]
    assert any(each.false_green for each in found)
    assert not any(each.agrees for each in found if each.host == "failed")
    assert sources(workspace) == before
    text = report(found, [Surveyed("basket", grounds.apart)])
    assert f"- false greens: {sum(each.false_green for each in found)}\n" in text
    assert "## Disagreements" in text


async def test_a_plain_run_that_is_only_slow_comes_to_its_end(workspace: Path) -> None:
    """What pytest writes of a failure may take longer than the tests; that is no disagreement."""
    project = Project("basket", "1", "", "MIT")
    disk = DiskWorkspace(str(workspace))
    # Nobody starts pytest in the first limit.
    ground = Ground(project, disk, ScriptedSandbox(always_green), floor=0.02, longer=3000)
    grounds = await ground.survey(CancelToken())
    tests = {file: (ids, 0.0) for file, (ids, _) in grounds.tests.items()}
    grounds = msgspec.structs.replace(grounds, tests=tests)
    mutants = drawn(await disk.snapshot(), 2)
    found = [each async for each in ground.compare(mutants, grounds, CancelToken())]
    assert found
    assert {each.host for each in found} <= {"passed", "failed"}


async def test_a_warm_run_that_is_only_slow_is_judged_again(workspace: Path) -> None:
    def hurried(trial: Trial) -> Verdict:
        if trial.plan.seconds < 60:
            return TimedOut(trial.plan.seconds, None)
        return always_green(trial)

    project = Project("basket", "1", "", "MIT")
    disk = DiskWorkspace(str(workspace))
    grounds = await Ground(project, disk, ScriptedSandbox(always_green)).survey(CancelToken())
    ground = Ground(project, disk, ScriptedSandbox(hurried), floor=30)
    mutants = drawn(await disk.snapshot(), 1)
    found = [each async for each in ground.compare(mutants, grounds, CancelToken())]
    assert [each.warm for each in found] == ["passed"]


def test_a_report_of_agreement_has_no_list_of_disagreements() -> None:
    one = Compared("p", "m", "a.py", "f", "off by one", 3, "L2", "failed", "failed", 0.1, 1.0)
    text = report([one], [])
    assert "- false greens: 0\n" in text
    assert "## Disagreements" not in text


async def test_what_was_broken_off_is_not_compared(workspace: Path) -> None:
    cancel = CancelToken()

    def interrupted(trial: Trial) -> Verdict:
        cancel.cancel()
        return Killed("cancelled")

    project = Project("basket", "1", "", "MIT")
    disk = DiskWorkspace(str(workspace))
    grounds = await Ground(project, disk, ScriptedSandbox(always_green)).survey(CancelToken())
    ground = Ground(project, disk, ScriptedSandbox(interrupted))
    mutants = drawn(await disk.snapshot(), 2)
    assert [each async for each in ground.compare(mutants, grounds, cancel)] == []


def test_notes_stay_when_the_report_is_written_again() -> None:
    old = noted("# Agreement\n- old\n", "# x\n\n## Notes\n\nWhy.\n")
    assert old == "# Agreement\n- old\n\n## Notes\n\nWhy.\n"
    assert noted("# Agreement\n- new\n", old) == old.replace("old", "new")
    assert noted("# Agreement\n", "") == "# Agreement\n"


def test_a_time_limit_on_one_side_is_measured_again(tmp_path: Path) -> None:
    def one(mutant: str, warm: str, host: str) -> bytes:
        made = Compared("p", mutant, "a.py", "f", "o", 3, "L2", warm, host, 0.1, 1.0)
        return msgspec.json.encode(made) + b"\n"

    journal = tmp_path / "p.jsonl"
    lines = [
        one("a", "timed out", "failed"),
        one("b", "timed out", "timed out"),
        one("c", "passed", "failed"),
        one("d", "failed", "timed out"),
        one("d", "failed", "failed"),
        b'{"cut short',
    ]
    journal.write_bytes(b"".join(lines))
    assert [(each.mutant, each.host) for each in read(journal)] == [
        ("b", "timed out"),
        ("c", "failed"),
        ("d", "failed"),
    ]


def test_every_listed_project_is_pinned() -> None:
    for project in projects(CHECKOUT):
        assert len(project.sha256) == 64
        assert project.licence
