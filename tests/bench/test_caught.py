"""Which mutants count: those that a test fails for, on a workspace that is green without them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.bench.caught import Caught, keep_caught
from ocils.bench.mutants import Mutant, mutants_of, spread
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Broken, CaseResult, Failed, Passed, TestId, TimedOut, Verdict
from ocils.domain.text import Entry, Snapshot
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.workspace.disk import DiskWorkspace

SOURCE = "def f(a, b):\n    return a + b\n"
CLEAN = Snapshot("/w", (Entry("m.py", "file", 0o644, 0, SOURCE.encode()),), "hash")
GREEN = Passed(
    (CaseResult(TestId("t.py::a"), "passed"), CaseResult(TestId("t.py::b"), "passed")), 2.0
)
RED = Failed(
    (CaseResult(TestId("t.py::a"), "passed"), CaseResult(TestId("t.py::b"), "failed")), 0.1
)


async def kept(script: Callable[[Trial], Verdict], width: int = 2) -> list[Caught]:
    sandbox = ScriptedSandbox(script, width=width)
    return [each async for each in keep_caught(mutants_of(CLEAN), CLEAN, sandbox, CancelToken())]


async def test_only_what_a_test_fails_for_is_kept() -> None:
    def script(trial: Trial) -> Verdict:
        return RED if "a - b" in trial.text else GREEN

    (caught,) = await kept(script)
    assert caught.mutant.edit.text == "-"
    assert caught.test == "t.py::b"


async def test_the_order_is_the_mutants_own() -> None:
    caught = await kept(lambda trial: RED if trial.text else GREEN, width=3)
    assert [each.mutant for each in caught] == list(mutants_of(CLEAN))


@pytest.mark.parametrize(
    "verdict", [TimedOut(9.0), Broken("no", "syntax"), Broken("no tests", "empty")]
)
async def test_what_hangs_or_cannot_be_collected_is_left_out(verdict: Verdict) -> None:
    assert await kept(lambda trial: verdict if trial.text else GREEN) == []


async def test_a_workspace_that_is_red_by_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="not green without a mutant"):
        await kept(lambda _: RED)


async def test_a_mutant_is_given_no_more_than_a_few_clean_runs_of_time() -> None:
    sandbox = ScriptedSandbox(lambda trial: RED if trial.text else GREEN)
    async for _ in keep_caught(mutants_of(CLEAN)[:1], CLEAN, sandbox, CancelToken()):
        pass
    plan = sandbox.trials[-1].plan
    assert plan.seconds == 5 * GREEN.seconds
    assert plan.stop_early
    assert plan.tests == ("t.py::a", "t.py::b")


async def test_cancelled_it_stops() -> None:
    cancel = CancelToken()
    sandbox = ScriptedSandbox(lambda trial: RED if trial.text else GREEN)
    found = 0
    async for _ in keep_caught(mutants_of(CLEAN), CLEAN, sandbox, cancel):
        found += 1
        cancel.cancel()
    assert found == 1
    assert len(sandbox.trials) < len(mutants_of(CLEAN))


@pytest.mark.docker
async def test_what_the_container_catches_is_red_on_the_host(
    workspace: Callable[[str], Path],
) -> None:
    from ocils.sandbox.pool import DockerSandbox

    root = workspace("kitty")
    clean = await DiskWorkspace(str(root)).snapshot()
    sandbox = DockerSandbox(clean.root)
    offered = spread(mutants_of(clean), 8)
    try:
        found = keep_caught(offered, clean, sandbox, CancelToken())
        caught = {each.mutant.id async for each in found}
    finally:
        await sandbox.close()
    truth = {mutant.id for mutant in offered if not green_on_host(root, mutant)}
    assert caught == truth
    assert len(caught) >= 4


def green_on_host(root: Path, mutant: Mutant) -> bool:
    path = Path(mutant.path)
    data = path.read_bytes()
    span = mutant.edit.span
    path.write_bytes(data[: span.start] + mutant.edit.text.encode() + data[span.end :])
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"],
            cwd=root,
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        path.write_bytes(data)
    return done.returncode == 0
