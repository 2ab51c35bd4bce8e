"""What is said of an engine that is there, is not, or will not have us."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from docker.errors import NotFound

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.engine import Engine, engine_status


@pytest.mark.docker
def test_an_engine_that_runs_has_a_version() -> None:
    status = engine_status()
    assert status.reachable
    assert status.info is not None
    assert status.info.version in str(status.info)
    assert not status.problem


@pytest.mark.docker
def test_the_engine_is_asked_over_one_connection_again_and_again() -> None:
    engine = Engine(os.environ)
    try:
        held = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(9):
            with pytest.raises(NotFound):
                engine.client.containers.get(f"no-such-container-{number}")
        assert len(list(Path("/proc/self/fd").iterdir())) == held
    finally:
        engine.close()


def test_no_engine_at_the_address_is_said_with_a_mend(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    status = engine_status(environ)
    assert not status.reachable
    assert status.problem
    assert "start" in status.mend or "install" in status.mend
    with pytest.raises(SandboxUnavailable):
        Engine(environ)


def test_an_address_that_is_none_is_said(tmp_path: Path) -> None:
    status = engine_status({"DOCKER_HOST": "nonsense://x"})
    assert not status.reachable
    assert status.problem


def test_permission_denied_is_told_apart(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user here")
    path = tmp_path / "d.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o600)
        os.seteuid(65534)
        try:
            status = engine_status({"DOCKER_HOST": f"unix://{path}"})
        finally:
            os.seteuid(0)
    assert not status.reachable
    assert "permission denied" in status.problem
    assert "docker group" in status.mend
