"""The real server, the real model, a real container: a failing test becomes a verified edit."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Served, Start

pytestmark = [pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(400)]

NAME = "test_delivery_is_free_at_the_limit"


def host_pytest(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the workspace's tests plainly, as its owner would."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def save(served: Served, uri: str, path: Path) -> None:
    path.write_bytes(served.editor.buffers[uri].text.encode())


def containers(served: Served) -> list[str]:
    """Return the containers that this server's process has started, running or not."""
    asked = subprocess.run(
        ["docker", "ps", "--all", "--format", '{{.ID}} {{.Label "ocils.owner"}}'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # The label names the boot, the namespace, the process and its start.
    return [line for line in asked.stdout.splitlines() if f":{served.process.pid}:" in line]


async def test_action_progress_edit_green(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    code = root / "shop/pricing.py"
    served = await start(root)
    editor = served.editor
    uri = editor.open(str(code))
    tests = editor.open(str(root / "tests/test_pricing.py"))
    before = editor.buffers[uri].text
    assert host_pytest(root).returncode == 1

    actions = await editor.actions(uri, editor.at(uri, "if cents == 0"))
    (action,) = [a for a in actions if a["title"] == "Refine delivery until green"]
    command = action["command"]
    began = time.monotonic()
    await editor.run(command["command"], *command["arguments"])
    assert time.monotonic() - began < 5  # it starts a task and returns at once
    await editor.until(lambda: editor.marks(uri) and editor.marks(tests), "findings")
    marks = [*editor.diagnostics[uri].diagnostics, *editor.diagnostics[tests].diagnostics]
    assert {m.code for m in marks} == {f"tests/test_pricing.py::{NAME}"}
    (assertion,) = editor.diagnostics[tests].diagnostics
    row = editor.buffers[tests].text.splitlines()[assertion.range.start.line]
    assert row.strip() == "assert delivery(5000) == 0"
    assert "490 == 0" in assertion.message

    await editor.until(lambda: editor.said("mended"), "the edit")
    await editor.ended()
    after = editor.buffers[uri].text
    assert after != before
    changed = [
        (a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b
    ]
    assert len(changed) == 1
    assert editor.marks(uri) == []
    assert editor.marks(tests) == []
    # Nothing was written for the user; when they save, their own pytest agrees.
    assert code.read_text() == before
    save(served, uri, code)
    assert host_pytest(root).returncode == 0
    await editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await editor.until(lambda: editor.said("all 9 tests pass"), "green")
    said = [_value(p.value, "message") for kind, p in editor.progress if kind == "report"]
    assert any("judging" in text or "turn" in text for text in said), said
    assert b"Traceback" not in served.stderr


@pytest.mark.parametrize("phase", ["preparing", "judging"])
async def test_cancel_is_felt(start: Start, workspace: Callable[[str], Path], phase: str) -> None:
    root = workspace("basket")
    code = root / "shop/pricing.py"
    # Nothing can mend this one, so that there is something to cancel.
    tests = root / "tests/test_pricing.py"
    tests.write_text(tests.read_text().replace("delivery(4999) == 490", "delivery(4999) == 7.25"))
    served = await start(root, options={"refine": {"candidates": 5000, "turns": 500}})
    editor = served.editor
    uri = editor.open(str(code))
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    if phase == "judging":
        await editor.until(lambda: _reported(served, "judging"), "judging")
    else:
        await editor.until(lambda: "begin" in editor.kinds(), "begun")
    began = time.monotonic()
    editor.cancel_progress()
    await editor.ended()
    took = time.monotonic() - began
    assert took < 5, took  # a second on a quiet machine; the bench measures it
    assert editor.edits == []
    assert editor.messages == []
    assert (await editor.run("ocils.status"))["running"] == []


async def test_a_killed_server_leaves_no_container(
    start: Start, workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    served = await start(root)
    editor = served.editor
    uri = editor.open(str(root / "shop/pricing.py"))
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await editor.until(lambda: _reported(served, "red"), "the baseline")
    assert containers(served)
    os.kill(served.process.pid, signal.SIGKILL)
    await served.process.wait()
    assert await none_left(served) == []


async def none_left(served: Served) -> list[str]:
    """Return the containers that are still there after a while.

    Five seconds on a quiet machine; one under load may need more, and one that stays is the mistake.
    """
    for _ in range(30):
        if not containers(served):
            break
        await asyncio.sleep(1)
    return containers(served)


async def shut_down(start: Start, served: Served) -> None:
    await start.stop(served)


async def terminate(_: Start, served: Served) -> None:
    served.process.terminate()


async def hang_up(_: Start, served: Served) -> None:
    assert served.process.stdin is not None
    served.process.stdin.close()


@pytest.mark.parametrize("leave", [shut_down, terminate, hang_up])
async def test_leaving_in_the_middle_leaves_no_container(
    start: Start, workspace: Callable[[str], Path], leave: Any
) -> None:
    root = workspace("basket")
    served = await start(root)
    editor = served.editor
    uri = editor.open(str(root / "shop/pricing.py"))
    await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await editor.until(lambda: _reported(served, "red"), "the baseline")
    assert containers(served)
    await leave(start, served)
    assert await asyncio.wait_for(served.process.wait(), 60) == 0
    assert await none_left(served) == []
    assert b"Traceback" not in served.stderr


def _reported(served: Served, text: str) -> bool:
    return any(
        text in str(_value(p.value, "message"))
        for kind, p in served.editor.progress
        if kind == "report"
    )


def _value(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)
