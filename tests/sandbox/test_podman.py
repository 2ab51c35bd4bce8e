"""The same containers by Podman, whose service speaks Docker's language with an accent.

Skipped where there is no podman: the set-up does not install it, since it takes longer than its tests.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Failed, Passed
from ocils.sandbox.engine import Engine
from ocils.sandbox.owner import LABEL
from ocils.sandbox.pool import DockerSandbox
from ocils.sandbox.runtime import Choice
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP, TESTS
from .foreign import import_image, python_root
from .yard import GOOD, Yard, body, lay_out

pytestmark = pytest.mark.skipif(shutil.which("podman") is None, reason="there is no podman here")

CONFIGURATION = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
RUNTIME
"""


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a Podman service with a store of its own; gives the variables that name it."""
    folder = tmp_path_factory.mktemp("podman")
    # crun cannot start a container on version 1 of control groups.
    old = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
    runtime = 'runtime = "runc"' if old and shutil.which("runc") else ""
    (folder / "containers.conf").write_text(CONFIGURATION.replace("RUNTIME", runtime))
    environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
    command = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run"]
    command += ["--storage-driver", "overlay"]
    path = folder / "s"
    service = subprocess.Popen(
        [*command, "system", "service", "--time", "0", f"unix://{path}"],
        env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 30
        while not path.exists() and time.monotonic() < until:
            assert service.poll() is None
            time.sleep(0.05)
        yield {**os.environ, "DOCKER_HOST": f"unix://{path}"}
    finally:
        service.terminate()
        service.wait()
        subprocess.run(
            [*command, "rmi", "--all", "--force"], env=environ, capture_output=True, check=False
        )


@pytest_asyncio.fixture
async def yard(tmp_path: Path, podman: dict[str, str], environment: str) -> AsyncIterator[Yard]:
    made = await _yard(tmp_path / "work", Choice(python=environment), podman)
    yield made
    await made.sandbox.close()


async def _yard(root: Path, choice: Choice, environ: dict[str, str]) -> Yard:
    lay_out(root, SHOP)
    snapshot = await DiskWorkspace(str(root)).snapshot()
    sandbox = DockerSandbox(str(root), choice=choice, width=1, memory_mib=512, environ=environ)
    return Yard(root, sandbox, snapshot)


async def test_the_host_runtime_judges(yard: Yard) -> None:
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    assert tuple(each.test for each in verdict.cases) == TESTS
    for code in ("x = 1", "open('new', 'w').write('x')", "import os; os.unlink('tests/data.txt')"):
        assert isinstance(await yard.try_text("shop.py", body(code), *TESTS), Failed)
        assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS), Passed)
    assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS, fresh=True, seed=1), Passed)
    assert "podman" in yard.sandbox.isolation


async def test_the_image_runtime_judges(
    tmp_path: Path, podman: dict[str, str], environment: str
) -> None:
    engine = Engine(podman)
    image = import_image(
        engine.client, python_root(environment), "ocils-test", "ENV PYTHONPATH=/opt/packages"
    )
    dockerfile = tmp_path / "image/Dockerfile"
    lay_out(dockerfile.parent, {"Dockerfile": f"FROM {image}\nENV NUMBER=1\n"})
    try:
        for choice in (Choice("image", image=image), Choice("image", image=str(dockerfile))):
            yard = await _yard(tmp_path / "work", choice, podman)
            try:
                assert isinstance(await yard.judge(), Passed)
                assert isinstance(await yard.try_text("shop.py", body("x = 1")), Failed)
            finally:
                await yard.sandbox.close()
    finally:
        engine.close()


HOST = """
import asyncio, sys
from ocils.domain.cancel import CancelToken
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

async def main() -> None:
    root, python = sys.argv[1:3]
    snapshot = await DiskWorkspace(root).snapshot()
    await DockerSandbox(root, python=python, width=1).warm(snapshot, CancelToken())
    print("warm", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_host_leaves_no_container(
    tmp_path: Path, podman: dict[str, str], environment: str
) -> None:
    """Podman does not end a container with the client that was attached; the silence does."""
    lay_out(tmp_path / "work", SHOP)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(tmp_path / "work"), environment,
        env=podman, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"warm\n"
    process.kill()
    await process.wait()
    engine = Engine(podman)
    try:
        until = time.monotonic() + 20
        while engine.client.api.containers(all=True, filters={"label": LABEL}):
            assert time.monotonic() < until
            await asyncio.sleep(0.2)
    finally:
        engine.close()


async def test_warming_twice_starts_one(yard: Yard, podman: dict[str, str]) -> None:
    for _ in range(2):
        await yard.sandbox.warm(yard.snapshot, CancelToken())
    engine = Engine(podman)
    try:
        assert len(engine.client.api.containers(filters={"label": LABEL})) == 1
    finally:
        engine.close()
