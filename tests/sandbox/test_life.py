"""The life of containers: started, lost, replaced, and never left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import docker
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Killed, Passed, Plan
from ocils.sandbox.owner import LABEL, current_owner, is_dead, sweep
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP
from .yard import Yard, replace

pytestmark = pytest.mark.docker

HOST = """
import asyncio, sys
from ocils.domain.cancel import CancelToken
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

async def main() -> None:
    root, python = sys.argv[1:3]
    snapshot = await DiskWorkspace(root).snapshot()
    sandbox = DockerSandbox(root, python=python, width=1)
    await sandbox.warm(snapshot, CancelToken())
    print("warm", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def containers_of(owner: str) -> list[str]:
    """Return the containers that carry ``owner``'s label."""
    client = docker.from_env()
    found = client.api.containers(all=True, filters={"label": f"{LABEL}={owner}"})
    client.close()
    return [str(each["Id"]) for each in found]


def are_gone(owner: str, *, within: float) -> bool:
    """Wait until ``owner`` has no container any more."""
    until = time.monotonic() + within
    while containers_of(owner):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def owner_of(pid: int) -> str:
    """Return the label's value for another process of this machine."""
    place = current_owner().rsplit(":", 2)[0]
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{place}:{pid}:{start}"


async def test_closing_removes_every_container(tmp_path: Path, environment: str) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    before = set(containers_of(current_owner()))
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    assert len(set(containers_of(current_owner())) - before) == 1
    task = asyncio.create_task(
        yard.judge(replace(yard.snapshot, "shop.py", "while True: pass\n"), Plan(seconds=60))
    )
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await yard.sandbox.close()
    verdict = await task
    assert isinstance(verdict, Killed)
    assert verdict.why == "cancelled"
    assert time.monotonic() - started < 5
    assert not set(containers_of(current_owner())) - before


async def test_a_cancelled_warming_returns_at_once_and_leaves_nothing(
    tmp_path: Path, environment: str
) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    before = set(containers_of(current_owner()))
    cancel = CancelToken()
    task = asyncio.create_task(yard.sandbox.warm(yard.snapshot, cancel))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    cancel.cancel()
    await task
    assert time.monotonic() - started < 1
    assert isinstance(await yard.judge(), Passed)
    await yard.sandbox.close()
    assert not set(containers_of(current_owner())) - before


async def test_a_killed_host_leaves_no_container_after_five_seconds(
    tmp_path: Path, environment: str
) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(yard.root), environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"warm\n"
    owner = owner_of(process.pid)
    assert len(containers_of(owner)) == 1
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert are_gone(owner, within=5)


async def test_a_silent_host_is_taken_for_dead(tmp_path: Path, environment: str) -> None:
    """The daemon may die and leave the container's input open: then only silence tells."""
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(yard.root), environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"warm\n"
    owner = owner_of(process.pid)
    process.send_signal(signal.SIGSTOP)
    gone = are_gone(owner, within=8)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert gone


async def test_a_slot_that_is_lost_in_mid_run_is_replaced(tmp_path: Path, environment: str) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    try:
        before = set(containers_of(current_owner()))
        await yard.sandbox.warm(yard.snapshot, CancelToken())
        mine = set(containers_of(current_owner())) - before
        slow = "import time\ntime.sleep(1)\ndef price(a, p):\n    return a * (100 - p) / 100\n"
        task = asyncio.create_task(yard.judge(replace(yard.snapshot, "shop.py", slow)))
        await asyncio.sleep(0.5)
        client = docker.from_env()
        for each in mine:
            client.containers.get(each).kill()
        client.close()
        assert isinstance(await task, Passed)
    finally:
        await yard.sandbox.close()


async def test_an_idle_slot_that_is_lost_is_replaced(tmp_path: Path, environment: str) -> None:
    yard = await Yard.of(tmp_path / "w", SHOP, environment)
    try:
        before = set(containers_of(current_owner()))
        await yard.sandbox.warm(yard.snapshot, CancelToken())
        client = docker.from_env()
        for each in set(containers_of(current_owner())) - before:
            client.containers.get(each).kill()
        client.close()
        assert isinstance(await yard.judge(), Passed)
    finally:
        await yard.sandbox.close()


async def test_a_zygote_that_is_killed_while_it_starts_is_started_again(
    tmp_path: Path, environment: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(environment).parents[1], copy, symlinks=True)
    (site,) = copy.glob("lib/*/site-packages")
    thrice = (
        "import os; n = len([f for f in os.listdir('/tmp') if f.startswith('killed')]);"
        " n == 3 or (open(f'/tmp/killed{n}', 'w').close(), os.kill(os.getpid(), 9))"
    )
    (site / "killed.pth").write_text(thrice)
    yard = await Yard.of(tmp_path / "work", SHOP, str(copy / "bin" / "python"))
    try:
        assert isinstance(await yard.judge(), Passed)
        (site / "killed.pth").write_text("import os; os.kill(os.getpid(), 9)")
        await yard.sandbox.close()
        yard = await Yard.of(tmp_path / "work", SHOP, str(copy / "bin" / "python"))
        with pytest.raises(SandboxUnavailable, match="does not start"):
            await yard.judge()
    finally:
        await yard.sandbox.close()


def test_a_sweep_takes_the_containers_of_the_dead_only() -> None:
    mine = current_owner()
    assert not is_dead(mine)
    *place, pid, start = mine.split(":")
    reused = ":".join([*place, pid, str(int(start) + 1)])
    assert is_dead(reused)
    assert not is_dead(":".join(["another-boot", *place[1:], pid, "1"]))
    client = docker.from_env()
    try:
        image = client.api.import_image_from_data(b"\0" * 10240, repository="ocils-sandbox-test")
        tag = image.split('"status":"')[1].split('"')[0]
        dead = client.containers.create(tag, "x", labels={LABEL: reused})
        living = client.containers.create(tag, "x", labels={LABEL: mine})
        assert sweep(client) >= 1
        left = {each["Id"] for each in client.api.containers(all=True, filters={"label": LABEL})}
        assert dead.id not in left
        assert living.id in left
        living.remove()
        client.images.remove("ocils-sandbox-test")
    finally:
        client.close()


async def test_a_sandbox_of_the_home_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    environ = {**os.environ, "HOME": str(tmp_path / "home")}
    for root in (tmp_path, tmp_path / "home"):
        sandbox = DockerSandbox(str(root), environ=environ)
        snapshot = await DiskWorkspace(str(root)).snapshot()
        with pytest.raises(SandboxUnavailable):
            await sandbox.warm(snapshot, CancelToken())
        await sandbox.close()
