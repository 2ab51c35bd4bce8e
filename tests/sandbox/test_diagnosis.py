"""What the doctor says: what was chosen and why, what is refused, what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocils.ports import UNISOLATED
from ocils.sandbox.diagnosis import look_at_python, look_at_sandbox
from ocils.sandbox.engine import EngineInfo
from ocils.sandbox.runtime import Choice

from .foreign import behind_tcp
from .test_runtime_environments import venv


def environ_of(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "PATH": ""}


def test_the_interpreter_is_named_with_the_reason(tmp_path: Path) -> None:
    work = tmp_path / "home/work"
    python = venv(work / ".venv", "pytest", "pytest-8.3.1.dist-info")
    found = look_at_python(str(work), Choice(), environ_of(tmp_path))
    assert found.ok
    assert found.detail.endswith(str(python))
    assert found.notes == ("chosen: .venv in the workspace; pytest 8.3.1",)


def test_what_is_passed_over_and_refused_is_said(tmp_path: Path) -> None:
    work = tmp_path / "home/work"
    python = venv(work / "venv")
    venv(work / ".venv").unlink()
    site = next(python.parent.parent.glob("lib/*/site-packages"))
    (site / "a.pth").write_text(f"{tmp_path}/home\n")
    found = look_at_python(str(work), Choice(), environ_of(tmp_path))
    assert found.notes[0] == "chosen: venv in the workspace; no pytest: unittest judges"
    assert found.notes[1].startswith("passed over: .venv in the workspace")
    assert found.notes[2] == f"not mounted: {tmp_path}/home: it holds the home folder"


def test_a_missing_interpreter_has_a_mend(tmp_path: Path) -> None:
    found = look_at_python(str(tmp_path), Choice(python="/no/python"), environ_of(tmp_path))
    assert not found.ok
    assert "sandbox.python" in found.mend


def test_no_isolation_is_said_and_needs_no_engine(tmp_path: Path) -> None:
    gone = {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    found = look_at_sandbox(str(tmp_path), Choice("process"), "your setting", gone)
    assert found.ok
    assert UNISOLATED in found.detail
    assert not look_at_sandbox(str(tmp_path), Choice(), "the default", gone).ok


@pytest.mark.docker
def test_engine_and_address_are_said(tmp_path: Path) -> None:
    found = look_at_sandbox(str(tmp_path), Choice(), "the default", os.environ)
    assert found.ok
    assert found.detail.startswith("host runtime (the default)")
    assert "docker.sock" in found.notes[0]
    with behind_tcp("/var/run/docker.sock") as url:
        there = look_at_sandbox(str(tmp_path), Choice(), "the default", {"DOCKER_HOST": url})
    assert there.ok
    assert "DOCKER_HOST" in there.notes[0]
    assert "proves" in there.notes[-1]


@pytest.mark.docker
def test_an_image_that_is_not_there_is_said(tmp_path: Path) -> None:
    choice = Choice("image", image="ocils-test-none:1")
    found = look_at_sandbox(str(tmp_path), choice, "your setting", os.environ)
    assert not found.ok
    assert found.mend == "fetch it: docker pull ocils-test-none:1"
    assert not look_at_sandbox(str(tmp_path), Choice("image"), "your setting", os.environ).ok


def test_kinds_of_engines_are_told_apart() -> None:
    assert str(EngineInfo("docker", "1", "2")) == "docker 1 (cgroup v2)"
    rootless = EngineInfo("podman", "4", "1", rootless=True)
    assert str(rootless) == "podman 4 (cgroup v1, rootless, memory is not bounded)"
    assert EngineInfo("podman", "4", "2", rootless=True).bounds_memory
