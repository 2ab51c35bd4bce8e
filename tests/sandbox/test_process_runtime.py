"""The ``process`` runtime: honest without being isolated, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Broken, Failed, Killed, Passed, Plan, Probe, TestId, TimedOut
from ocils.languages.shelf import recognise
from ocils.sandbox.pool import DockerSandbox
from ocils.sandbox.process import ProcessPlace, process_runtime
from ocils.sandbox.report import Report
from ocils.sandbox.runtime import Choice
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP, TESTS
from .yard import GOOD, Files, Yard, body, lay_out, replace

Alone = Callable[..., Awaitable[Yard]]


@pytest_asyncio.fixture
async def alone(tmp_path: Path, environment: str) -> AsyncIterator[Alone]:
    """Make yards without a container; nothing of theirs may be left at the end."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    environ = {**os.environ, "TMPDIR": str(shelf), "A_SECRET": "x"}
    made: list[Yard] = []

    async def of(files: Files, python: str = environment) -> Yard:
        root = tmp_path / "work"
        lay_out(root, files)
        snapshot = await DiskWorkspace(str(root)).snapshot()
        sandbox = DockerSandbox(
            str(root),
            choice=Choice("process", python=python),
            width=1,
            memory_mib=512,
            environ=environ,
        )
        made.append(Yard(root, sandbox, snapshot))
        return made[-1]

    yield of
    for each in made:
        await each.sandbox.close()
    assert list(shelf.iterdir()) == []


def held(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` with its bytes."""
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def running_with(argument: str) -> list[str]:
    """Return the processes that have ``argument`` on their command line."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            if argument.encode() in each.read_bytes().split(b"\0"):
                found.append(str(each))
    return found


async def test_verdicts_are_those_of_a_container(alone: Alone) -> None:
    yard = await alone(SHOP)
    before = held(yard.root)
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    assert tuple(each.test for each in verdict.cases) == TESTS
    assert isinstance(await yard.try_text("shop.py", GOOD), Passed)
    wrong = await yard.try_text("shop.py", body("x = 1"))
    assert isinstance(wrong, Failed)
    assert wrong.cases[0].frames[-1].path == f"{yard.root}/tests/test_shop.py"
    assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS, fresh=True, seed=1), Passed)
    assert held(yard.root) == before


async def test_it_is_said_that_there_is_no_isolation(alone: Alone) -> None:
    yard = await alone(SHOP)
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    assert "NO ISOLATION" in yard.sandbox.isolation


async def test_files_and_cores_have_their_limits_here_too(alone: Alone) -> None:
    yard = await alone(SHOP)
    look = "from resource import RLIMIT_CORE, RLIMIT_FSIZE, getrlimit\n"
    look += "assert getrlimit(RLIMIT_CORE) == (0, 0), getrlimit(RLIMIT_CORE)\n"
    look += "assert getrlimit(RLIMIT_FSIZE) == (512 << 20, 512 << 20)\n"
    assert isinstance(await yard.try_text("shop.py", look + GOOD, *TESTS), Passed)


async def test_what_a_candidate_leaves_is_gone_for_the_next(alone: Alone) -> None:
    text = """
        import os, tempfile
        from pathlib import Path

        def test_clean():
            assert not Path("left").exists()
            assert not Path("pack").is_symlink()
            assert Path("data.txt").read_text() == "data\\n"
            assert os.listdir(Path.home()) == []
            assert not any(each.startswith("left") for each in os.listdir(tempfile.gettempdir()))
            Path("left").mkdir()
            Path("left/x").write_text("x")
            Path("data.txt").write_text("other")
            Path("pack/__init__.py").unlink()
            Path("pack").rename("elsewhere")
            Path("pack").symlink_to("/")
            (Path.home() / "left").write_text("x")
            (Path(tempfile.gettempdir()) / "left").write_text("x")
    """
    yard = await alone(
        {"test_left.py": text, "data.txt": "data\n", "pack/__init__.py": "", "a.py": ""}
    )
    before = held(yard.root)
    plan = Plan(seconds=20)
    for number in range(3):
        verdict = await yard.judge(replace(yard.snapshot, "a.py", f"X = {number}\n"), plan)
        # It is green and has replaced a judged file: never a green verdict by itself.
        assert [each.outcome for each in verdict.cases] == ["passed"], verdict
        assert not isinstance(verdict, Passed)
    assert held(yard.root) == before


async def test_time_output_and_children_are_bounded(alone: Alone) -> None:
    yard = await alone(SHOP)
    marker = f"ocils-test-{os.getpid()}"
    hang = f"""
        import os, subprocess, sys, time
        def price(amount, percent):
            if os.fork() == 0:
                os.setsid()
                os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(99)", "{marker}"])
            time.sleep(99)
    """
    verdict = await yard.try_text("shop.py", hang, seconds=1.5)
    assert isinstance(verdict, TimedOut), verdict
    assert not running_with(marker)
    loud = 'import os\nwhile True:\n    os.write(1, b"x" * 65536)\n'
    # On a busy machine the limit on a file's size is felt before the look at the output is.
    assert isinstance(await yard.try_text("shop.py", loud), Killed | Broken)
    large = body("x = bytearray(2 << 30)")
    greedy = await yard.try_text("shop.py", large, TESTS[0])
    assert isinstance(greedy, Failed)
    assert greedy.cases[0].kind == "memory"
    assert isinstance(await yard.try_text("shop.py", GOOD), Passed)


async def test_a_cancel_is_felt(alone: Alone) -> None:
    yard = await alone(SHOP)
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    cancel = CancelToken()
    edits = replace(yard.snapshot, "shop.py", "import time\ntime.sleep(60)\n")
    task = asyncio.create_task(yard.judge(edits, cancel=cancel))
    await asyncio.sleep(0.5)
    cancel.cancel()
    assert await task == Killed("cancelled")
    assert isinstance(await yard.try_text("shop.py", GOOD), Passed)


async def test_an_early_exit_is_not_green(alone: Alone) -> None:
    yard = await alone(SHOP)
    for code in ("import os; os._exit(0)", "raise SystemExit(0)"):
        assert not isinstance(await yard.try_text("shop.py", f"{code}\n"), Passed)


async def test_the_environment_is_cleaned_and_the_workspaces_own_is_used(
    alone: Alone, environment: str, tmp_path: Path
) -> None:
    base = Path(environment).parent.parent
    venv = tmp_path / "work/.venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text((base / "pyvenv.cfg").read_text())
    (venv / "bin/python").symlink_to((base / "bin/python").readlink())
    site = venv / next(base.glob("lib/*/site-packages")).relative_to(base)
    site.mkdir(parents=True)
    (site / "p.pth").write_text(f"{next(base.glob('lib/*/site-packages'))}\n")
    text = """
        import os, sys
        def test_x():
            assert "A_SECRET" not in os.environ
            assert sys.prefix == WORK + "/.venv"
            assert os.path.exists(".venv/pyvenv.cfg")
            assert os.getcwd() == WORK
    """
    yard = await alone({"test_x.py": text.replace("WORK", repr(str(tmp_path / "work")))}, python="")
    for _ in range(2):
        verdict = await yard.judge()
        assert isinstance(verdict, Passed), verdict
    assert (venv / "pyvenv.cfg").is_file()


async def test_without_a_mount_namespace_paths_are_translated(
    tmp_path: Path, environment: str
) -> None:
    root = tmp_path / "work"
    where = "import os\nimport shop\ndef test_where():\n    shop.price(1, 1)\n    raise ValueError(os.getcwd())\n"
    lay_out(root, {**SHOP, "test_where.py": where})
    snapshot = await DiskWorkspace(str(root)).snapshot()
    runtime = process_runtime(str(root), Choice("process", python=environment), os.environ)
    slot = ProcessPlace(runtime, str(tmp_path), translate=True).start(512, 0)
    try:
        slot.fill(snapshot)
        slot.start_zygote()
        plan = Plan(
            tests=(TestId("test_where.py::test_where"),),
            seconds=20,
            probe=Probe(f"{root}/shop.py", 1, 2),
        )
        report = Report("nonce", plan, [])
        outcome = slot.run(plan, {}, report, "nonce", lambda case: None, CancelToken())
        verdict = report.verdict(outcome.end)
    finally:
        slot.close()
    assert isinstance(verdict, Failed), verdict
    (red,) = verdict.cases
    assert red.message == f"ValueError: {root}"
    assert red.frames[-1].path == f"{root}/test_where.py"
    assert verdict.coverage is not None
    assert {line for each in verdict.coverage.tests for line in each.lines} == {2}


@pytest.mark.node
async def test_another_languages_runner_goes_without_a_container_too(tmp_path: Path) -> None:
    root = tmp_path / "ledger"
    shutil.copytree(Path(__file__).parent.parent / "workspaces" / "ledger", root)
    runner = recognise("javascript", lambda name: (root / name).read_bytes())
    assert runner is not None
    snapshot = await DiskWorkspace(str(root)).snapshot()
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    sandbox = DockerSandbox(
        str(root),
        choice=Choice("process"),
        runner=runner,
        width=1,
        memory_mib=2048,
        environ=environ,
    )
    try:
        verdict = await sandbox.judge(snapshot, (), Plan(seconds=30), CancelToken())
    finally:
        await sandbox.close()
    assert isinstance(verdict, Failed), verdict
    assert [each.passed for each in verdict.cases].count(False) == 1


HOST = """
import asyncio, sys
from ocils.domain.cancel import CancelToken
from ocils.languages.shelf import recognise
from ocils.sandbox.pool import DockerSandbox
from ocils.sandbox.runtime import Choice
from ocils.workspace.disk import DiskWorkspace

async def main() -> None:
    root, python = sys.argv[1:3]
    snapshot = await DiskWorkspace(root).snapshot()
    sandbox = DockerSandbox(root, choice=Choice("process", python=python), width=1)
    await sandbox.warm(snapshot, CancelToken())
    print("warm", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_host_leaves_no_process_and_no_folder(
    tmp_path: Path, environment: str
) -> None:
    lay_out(tmp_path / "work", SHOP)
    (tmp_path / "shelf").mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(tmp_path / "work"), environment,
        env={**os.environ, "TMPDIR": str(tmp_path / "shelf")}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"warm\n"
    assert len(list((tmp_path / "shelf").iterdir())) == 1
    process.send_signal(signal.SIGKILL)
    await process.wait()
    until = time.monotonic() + 10
    while list((tmp_path / "shelf").iterdir()):
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
