"""Warm slots in the course of a day: idle, out of date, asleep, cut off; the verdict stays right."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Failed, Passed, Plan
from ocils.sandbox.owner import LABEL, current_owner
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP, TESTS, Maker
from .relay import Relay
from .test_life import owner_of
from .yard import GOOD, Yard, assert_unhurt, body, replace

pytestmark = pytest.mark.docker


def mine(owner: str = "") -> set[str]:
    """Return the containers of ``owner``, of this process by default."""
    client = docker.from_env()
    label = {"label": f"{LABEL}={owner or current_owner()}"}
    found = client.api.containers(all=True, filters=label)
    client.close()
    return {str(each["Id"]) for each in found}


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``holds``."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end, "it never came to be"
        await asyncio.sleep(0.1)


async def test_idle_containers_are_ended_and_come_again(tmp_path: Path, environment: str) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    yard.sandbox = DockerSandbox(str(yard.root), python=environment, width=1, idle_seconds=0.5)
    before = mine()
    try:
        slow = "import time\ntime.sleep(1.5)\n" + GOOD
        assert isinstance(await yard.judge(replace(yard.snapshot, "shop.py", slow)), Passed)
        await until(lambda: mine() <= before)
        assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS), Passed)
    finally:
        await yard.sandbox.close()


DEPENDENCY = {
    "shop.py": "import dep\ndef price(amount, percent):\n    return dep.NUMBER\n",
    "test_shop.py": "from shop import price\ndef test_two():\n    assert price(1, 1) == 2\n",
}


def install(python: str, number: int) -> None:
    """Install version ``number`` of a package as an installer would."""
    (site,) = Path(python).parents[1].glob("lib/python3*/site-packages")
    for old in site.glob("dep-*.dist-info"):
        (old / "RECORD").unlink()
        old.rmdir()
    (site / "dep.py").write_text(f"NUMBER = {number}\n")
    os.utime(site / "dep.py", (number, number))
    (site / f"dep-{number}.dist-info").mkdir()
    (site / f"dep-{number}.dist-info" / "RECORD").write_text(f"dep.py,,{number}\n")


async def test_what_was_installed_meanwhile_is_what_is_judged(
    tmp_path: Path, environment: str
) -> None:
    shutil.copytree(Path(environment).parents[1], tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env/bin/python")
    install(python, 1)
    yard = await Yard.of(tmp_path / "w", DEPENDENCY, python)
    try:
        assert isinstance(await yard.judge(), Failed)
        # Warm now, with the dependency imported before the fork.
        assert isinstance(await yard.judge(), Failed)
        first = mine()
        install(python, 2)
        await asyncio.sleep(1.1)
        assert isinstance(await yard.judge(), Passed)
        assert not first & mine()
        second = mine()
        await asyncio.sleep(1.1)
        assert isinstance(await yard.judge(), Passed)
        assert mine() == second, "what has not changed stays warm"
    finally:
        await yard.sandbox.close()


async def test_a_conftest_that_changes_is_the_one_that_counts(make: Maker) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef number():\n    return {}\n"
    tests = "def test_two(number):\n    assert number == 2\n"
    yard = await make({"conftest.py": conftest.format(1), "test_it.py": tests})
    assert isinstance(await yard.judge(), Failed)
    (yard.root / "conftest.py").write_text(conftest.format(2))
    yard.snapshot = await DiskWorkspace(str(yard.root)).snapshot()
    for _ in range(2):
        assert isinstance(await yard.judge(), Passed)


async def test_an_engine_that_dies_in_mid_run_is_said_and_comes_back(
    tmp_path: Path, environment: str
) -> None:
    relay = Relay(tmp_path / "engine.sock")
    await relay.start()
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    environ = {**os.environ, "DOCKER_HOST": f"unix://{relay.path}"}
    yard.sandbox = DockerSandbox(str(yard.root), python=environment, width=2, environ=environ)
    before = mine()
    try:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
        slow = "import time\ntime.sleep(30)\n" + GOOD
        tasks = [
            asyncio.create_task(
                yard.judge(replace(yard.snapshot, "shop.py", slow), Plan(seconds=40))
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0.7)
        await relay.cut()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(answer, SandboxUnavailable), answer
        with pytest.raises(SandboxUnavailable):
            await yard.judge()
        await until(lambda: mine() <= before)
        await relay.start()
        assert isinstance(await yard.judge(), Passed)
        assert isinstance(await yard.try_text("shop.py", body("pass"), *TESTS), Failed)
    finally:
        await yard.sandbox.close()
        await relay.cut()
    await until(lambda: mine() <= before)


async def test_an_engine_that_was_restarted_between_two_runs_is_not_noticed(
    tmp_path: Path, environment: str
) -> None:
    """Every container is gone at once; more slots than there are attempts."""
    yard = await Yard.of(tmp_path / "w", SHOP, environment, width=2)
    before = mine()
    try:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
        client = docker.from_env()
        for each in mine() - before:
            client.containers.get(each).kill()
        client.close()
        for _ in range(3):
            assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS), Passed)
    finally:
        await yard.sandbox.close()
    assert mine() <= before


async def test_a_sandbox_that_is_closed_while_its_second_slot_starts_leaves_nothing(
    tmp_path: Path, environment: str
) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment, width=2)
    before = mine()
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    await yard.sandbox.close()
    await until(lambda: mine() <= before)


async def test_the_second_slot_gets_ready_by_itself(tmp_path: Path, environment: str) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment, width=2)
    before = mine()
    try:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
        assert len(mine() - before) >= 1
        await until(lambda: len(mine() - before) == yard.sandbox.width)
        assert isinstance(await yard.judge(), Passed)
        assert len(mine() - before) == yard.sandbox.width
    finally:
        await yard.sandbox.close()
    assert mine() <= before


async def test_a_container_that_is_paused_for_a_while_goes_on(make: Maker) -> None:
    yard = await make(SHOP)
    before = mine()
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    (container,) = mine() - before
    slow = "import time\ntime.sleep(1)\n" + GOOD
    task = asyncio.create_task(yard.judge(replace(yard.snapshot, "shop.py", slow)))
    await asyncio.sleep(0.3)
    client = docker.from_env()
    client.containers.get(container).pause()
    await asyncio.sleep(1)
    client.containers.get(container).unpause()
    client.close()
    assert isinstance(await task, Passed)
    await assert_unhurt(yard)


SLEEPER = """
import asyncio, sys
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Plan
from ocils.domain.text import Edit, Span
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

async def main() -> None:
    root, python = sys.argv[1:3]
    snapshot = await DiskWorkspace(root).snapshot()
    sandbox = DockerSandbox(root, python=python, width=1)
    await sandbox.warm(snapshot, CancelToken())
    print("warm", flush=True)
    text = "import time\\ntime.sleep(1.5)\\n" + {good!r}
    document = snapshot.document("shop.py")
    edit = Edit(document.path, Span(0, len(document.data)), text)
    verdict = await sandbox.judge(snapshot, (edit,), Plan(seconds=20), CancelToken())
    print(type(verdict).__name__, flush=True)
    await sandbox.close()

asyncio.run(main())
"""


async def test_a_machine_that_slept_judges_again_and_says_nothing(
    tmp_path: Path, environment: str
) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    code = SLEEPER.replace("{good!r}", repr(GOOD))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(yard.root), environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"warm\n"
        owner = owner_of(process.pid)
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        await until(lambda: not mine(owner))
        process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"Passed\n"
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_full_workspace_does_not_reach_the_next(make: Maker) -> None:
    yard = await make(SHOP)
    code = """
import itertools
for number in itertools.count():
    with open(f"fill{number}", "wb") as file:
        file.write(bytes(16 << 20))
"""
    verdict = await yard.try_text("shop.py", body(code), TESTS[0])
    assert isinstance(verdict, Failed), verdict
    assert "No space left on device" in verdict.cases[0].message
    await assert_unhurt(yard)
