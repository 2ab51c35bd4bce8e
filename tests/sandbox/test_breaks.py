"""Connections to the engine that break in the middle of a request, at each request of a start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Passed, Plan
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP
from .relay import Relay
from .test_slots import mine, until
from .yard import lay_out

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("words", ["/containers/create", "/attach", "/start", "/json"])
async def test_a_request_whose_connection_breaks_is_made_again(
    tmp_path: Path, environment: str, words: str, passed: bool, times: int
) -> None:
    lay_out(tmp_path / "work", SHOP)
    relay = Relay(tmp_path / "engine.sock")
    await relay.start()
    environ = {**os.environ, "DOCKER_HOST": f"unix://{relay.path}"}
    before = mine()
    sandbox = DockerSandbox(str(tmp_path / "work"), python=environment, width=1, environ=environ)
    snapshot = await DiskWorkspace(str(tmp_path / "work")).snapshot()
    try:
        await sandbox.warm(snapshot, CancelToken())
        first = mine() - before
        relay.break_at(words, passed=passed, times=times)
        # A fresh container is asked for.
        verdict = await sandbox.judge(snapshot, (), Plan(fresh=True, seconds=20), CancelToken())
        assert isinstance(verdict, Passed)
        assert relay.unbroken == 0
        await until(lambda: mine() <= before | first)
    finally:
        await sandbox.close()
        await relay.cut()
    await until(lambda: mine() <= before)
