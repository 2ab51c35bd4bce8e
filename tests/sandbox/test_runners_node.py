"""A JavaScript workspace judged for real by node's own test runner: honest verdicts, end to end.

Not covered: what is read from a report (``test_junit.py``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Failed, Killed, Passed, Plan, TestId, TimedOut, Verdict
from ocils.domain.text import Edit, Snapshot, Span
from ocils.languages.shelf import recognise
from ocils.sandbox.commands import find_program
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

LEDGER = Path(__file__).parent.parent / "workspaces" / "ledger"
RED = TestId("test/ledger.test.js::overdrawn > leaves out who has nothing")
KEPT = TestId("test/ledger.test.js::overdrawn > names who is below zero")
SLIP, RIGHT = "<= -limit", "< -limit"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.node,
]


class Ground:
    """The ledger, and the sandbox that judges it."""

    def __init__(self, root: Path, sandbox: DockerSandbox, snapshot: Snapshot) -> None:
        self.root = root
        self.sandbox = sandbox
        self.snapshot = snapshot

    async def judge(self, *edits: Edit, plan: Plan | None = None) -> Verdict:
        return await self.sandbox.judge(
            self.snapshot, edits, plan or Plan(seconds=30), CancelToken()
        )

    def put(self, path: str, old: str, new: str) -> Edit:
        document = self.snapshot.document(path)
        assert document is not None
        at = document.data.index(old.encode())
        return Edit(document.path, Span(at, at + len(old)), new)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    root = tmp_path_factory.mktemp("js") / "ledger"
    shutil.copytree(LEDGER, root)
    runner = recognise("javascript", lambda name: (root / name).read_bytes())
    assert runner is not None
    assert runner.name == "node"
    sandbox = DockerSandbox(str(root), runner=runner, width=1, memory_mib=1024)
    yield Ground(root, sandbox, await DiskWorkspace(str(root)).snapshot())
    await sandbox.close()


on_the_module = pytest.mark.asyncio(loop_scope="module")


@on_the_module
async def test_the_original_is_red_in_one_test(ledger: Ground) -> None:
    verdict = await ledger.judge()
    assert isinstance(verdict, Failed)
    assert verdict.level == "L0"
    assert len(verdict.cases) == 11
    (red,) = [case for case in verdict.cases if not case.passed]
    assert red.test == RED
    assert red.kind == "assertion"
    assert red.message.startswith("Expected values to be strictly deep-equal")
    assert red.frames[-1].path == f"{ledger.root}/test/ledger.test.js"


@on_the_module
async def test_a_repair_is_green_and_leaves_nothing(ledger: Ground) -> None:
    mended = ledger.put("src/ledger.js", SLIP, RIGHT)
    assert isinstance(await ledger.judge(mended), Passed)
    verdict = await ledger.judge(mended, plan=Plan(tests=(RED, KEPT), seconds=30))
    assert isinstance(verdict, Passed)
    assert [case.test for case in verdict.cases] == [RED, KEPT]
    assert isinstance(await ledger.judge(), Failed)


@on_the_module
async def test_only_the_wanted_tests_of_a_file_run(ledger: Ground) -> None:
    """A test beside them that never ends is no hindrance."""
    stuck = ledger.put("test/ledger.test.js", "const entries", "for (;;);\n  const entries")
    mended = ledger.put("src/ledger.js", SLIP, RIGHT)
    plan = Plan(tests=(RED,), seconds=30)
    assert isinstance(await ledger.judge(stuck, mended, plan=plan), Passed)


@on_the_module
async def test_a_hang_is_timed_out(ledger: Ground) -> None:
    stuck = ledger.put("src/ledger.js", "let sum = 0;", "for (;;);")
    verdict = await ledger.judge(stuck, plan=Plan(tests=(RED,), seconds=2))
    assert isinstance(verdict, TimedOut)
    assert verdict.running == "test/ledger.test.js"
    assert isinstance(await ledger.judge(), Failed)  # and the slot is fine


@on_the_module
async def test_a_syntax_error_is_broken(ledger: Ground) -> None:
    broken = ledger.put("src/ledger.js", "let sum = 0;", "let sum = ;")
    verdict = await ledger.judge(broken)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "syntax"
    assert verdict.why == "SyntaxError: Unexpected token ';'"


@on_the_module
async def test_a_missing_module_is_broken(ledger: Ground) -> None:
    verdict = await ledger.judge(ledger.put("src/ledger.js", "./money.js", "left-pad"))
    assert isinstance(verdict, Broken)
    assert verdict.kind == "import"
    assert "left-pad" in verdict.why


CHEATS = {
    "leaves at once": "process.exit(0);",
    "leaves when the tests are over": "process.on('exit', () => { process.exitCode = 0; });",
    "kills the runner": "process.kill(process.ppid, 'SIGKILL');",
    "kills everything": "try { process.kill(-1, 'SIGKILL'); } catch {}",
    "writes a report": """
        import { readFileSync, writeFileSync } from "node:fs";
        const line = readFileSync(`/proc/${process.ppid}/cmdline`, "utf8");
        const [, place] = /destination=(\\S+?\\.xml)/.exec(line);
        writeFileSync(place.replace("report", "other"), "<testsuites/>");
    """,
    "writes the tests anew": """
        import { writeFileSync } from "node:fs";
        writeFileSync(new URL("../test/money.test.js", import.meta.url), "");
    """,
    "takes the tests away": """
        import { rmSync } from "node:fs";
        rmSync(new URL("../test/money.test.js", import.meta.url));
    """,
}


@on_the_module
@pytest.mark.parametrize("cheat", CHEATS)
async def test_a_cheat_is_not_green(ledger: Ground, cheat: str) -> None:
    edit = ledger.put("src/ledger.js", "import { parse }", f"{CHEATS[cheat]}\nimport {{ parse }}")
    for tests in ((), (RED, KEPT)):
        verdict = await ledger.judge(edit, plan=Plan(tests=tests, seconds=20))
        assert not isinstance(verdict, Passed), verdict
    assert isinstance(await ledger.judge(), Failed)


@on_the_module
async def test_a_hang_is_cancelled(ledger: Ground) -> None:
    """The first file's tests end, and whoever hears of that cancels: the second file hangs."""
    stuck = ledger.put("src/money.js", "const sign", "for (;;);\n  const sign")
    cancel = CancelToken()
    verdict = await ledger.sandbox.judge(
        ledger.snapshot, (stuck,), Plan(seconds=150), cancel, lambda _: cancel.cancel()
    )
    assert verdict == Killed("cancelled")
    assert isinstance(await ledger.judge(), Failed)


def test_a_program_in_the_workspace_is_not_taken(tmp_path: Path) -> None:
    runner = recognise("javascript", lambda name: (LEDGER / name).read_bytes())
    assert runner is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "node").chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="node is not on the PATH"):
        find_program(runner, str(tmp_path), {"PATH": f"{tmp_path}/bin"})
    elsewhere = find_program(runner, str(tmp_path / "work"), {"PATH": f"{tmp_path}/bin"})
    assert elsewhere.path == f"{tmp_path}/bin/node"
    assert elsewhere.mounts == (str(tmp_path),)


def ocils(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = root.parent
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": f"{home}/config",
        "XDG_STATE_HOME": f"{home}/state",
        "XDG_CACHE_HOME": f"{home}/cache",
    }
    (home / "config" / "ocils").mkdir(parents=True, exist_ok=True)
    settings = '[model]\nname = "rules"\n[sandbox]\nslots = 1\n'
    (home / "config" / "ocils" / "settings.toml").write_text(settings)
    return subprocess.run(
        [sys.executable, "-m", "ocils", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bug_is_mended_from_the_command_line(workspace: Callable[[str], Path]) -> None:
    root = workspace("ledger")
    ran = ocils(root, "run", "src/ledger.js")
    assert ran.returncode == 1, ran.stderr
    assert "1 of 11 tests fail" in ran.stdout
    mended = ocils(root, "refine", "src/ledger.js::Ledger.overdrawn", "--apply", "--json")
    assert mended.returncode == 0, mended.stdout[-2000:] + mended.stderr
    events = [json.loads(line) for line in mended.stdout.splitlines()]
    assert events[-1]["outcome"] == "green"
    assert ocils(root, "run", "src/ledger.js").returncode == 0


def test_the_doctor_knows_the_runner(workspace: Callable[[str], Path]) -> None:
    root = workspace("ledger")
    assert f"{root}, tests run with node (" in ocils(root, "doctor", ".").stdout
    (root / "package.json").write_text('{"scripts": {"test": "vitest run"}}')
    assert "tests run with vitest" in ocils(root, "doctor", ".").stdout
    assert "tried by hand only" in ocils(root, "doctor", ".").stdout
    (root / "package.json").write_text("{}")
    said = ocils(root, "doctor", ".")
    assert said.returncode == 3
    assert "no test runner of JavaScript is recognised" in said.stdout
    assert "give package.json a test script" in said.stdout
