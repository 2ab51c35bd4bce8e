"""What is mounted and what never is; which interpreter a workspace has. No container needed."""

from __future__ import annotations

import ast
import os
import socket
import sys
from pathlib import Path

import pytest

import ocils.sandbox.inside
from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.host import host_runtime
from ocils.sandbox.image import build_tar
from ocils.sandbox.interpreter import find_python, read_interpreter
from ocils.sandbox.runtime import HostRuntime


def fake_python(folder: Path, target: Path, *, home: Path | None = None) -> Path:
    """Make an interpreter by a link, with a ``pyvenv.cfg`` when it has a home."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(target)
    if home is not None:
        (folder / "pyvenv.cfg").write_text(f"home = {home}\nversion = 3.12.1\n")
    return folder / "bin/python"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Make something that looks like an installed Python, in a home."""
    real = tmp_path / "home/.pythons/3.12/bin/python3.12"
    real.parent.mkdir(parents=True)
    real.touch(mode=0o755)
    return real


def runtime(tmp_path: Path, python: Path | None = None) -> HostRuntime:
    """Plan for ``home/work`` below ``tmp_path``."""
    root = tmp_path / "home/work"
    root.mkdir(parents=True, exist_ok=True)
    environ = {"HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", "SECRET": "x"}
    return host_runtime(str(root), str(python) if python else None, environ)


def test_the_workspaces_own_environment_comes_first(tmp_path: Path, base: Path) -> None:
    work = tmp_path / "home/work"
    active = fake_python(tmp_path / "active", base, home=base.parent)
    environ = {"VIRTUAL_ENV": str(tmp_path / "active")}
    assert find_python(str(work), environ) == str(active)
    assert find_python(str(work), {}) == sys.executable
    own = fake_python(work / ".venv", base, home=base.parent)
    assert find_python(str(work), environ) == str(own)


def test_an_environment_that_dangles_is_not_taken(tmp_path: Path) -> None:
    fake_python(tmp_path / ".venv", tmp_path / "nowhere", home=tmp_path)
    assert find_python(str(tmp_path), {}) == sys.executable


def test_an_interpreter_is_described_without_starting_it(tmp_path: Path, base: Path) -> None:
    short = tmp_path / "home/.pythons/short"
    short.symlink_to("3.12")
    venv = tmp_path / "home/work/.venv"
    python = fake_python(venv, short / "bin/python3.12", home=short / "bin")
    site = venv / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (tmp_path / "lib1").mkdir()
    (site / "a.pth").write_text(f"# note\nimport os; os.abort()\n{tmp_path}/lib1\n{tmp_path}/no\n")
    found = read_interpreter(str(python))
    assert found.python == str(python)
    assert found.environment == str(venv)
    assert found.base == str(base)
    assert str(short) in found.prefixes
    assert str(base.parent.parent) in found.prefixes
    assert found.roots == (str(tmp_path / "lib1"),)


def test_everything_is_mounted_that_the_interpreter_reads(tmp_path: Path, base: Path) -> None:
    python = fake_python(tmp_path / "home/work/.venv", base, home=base.parent)
    plan = runtime(tmp_path, python)
    places = dict(plan.mounts)
    assert places[f"{tmp_path}/home/work/.venv"] == f"{tmp_path}/home/work/.venv"
    assert f"{tmp_path}/home/.pythons/3.12" in places
    assert "/usr/bin" in places
    assert plan.environment_inside == f"{tmp_path}/home/work/.venv"


def test_no_home_root_or_ancestor_is_ever_mounted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    # An interpreter whose prefix is the home itself, and roots that hold the workspace.
    (home / "bin").mkdir()
    python = home / "bin/python3"
    python.touch()
    site = home / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (site / "a.pth").write_text(f"/\n{home}\n{tmp_path}\n{home}/work\n{home}/work/src\n")
    plan = runtime(tmp_path, python)
    for place, source in plan.mounts:
        for forbidden in (str(home), str(home / "work")):
            assert not (forbidden + "/").startswith(source.rstrip("/") + "/"), (place, source)
    assert any("home folder" in each for each in plan.refused)


def test_a_folder_that_holds_a_socket_is_not_mounted(tmp_path: Path, base: Path) -> None:
    python = fake_python(tmp_path / "env", base, home=base.parent)
    site = tmp_path / "env/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    for name in ("plain", "live"):
        (tmp_path / name / "deep").mkdir(parents=True)
    (site / "a.pth").write_text(f"{tmp_path}/plain\n{tmp_path}/live\n")
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket is at most 107 bytes long, so it is bound from beside it.
        here = os.open(tmp_path / "live/deep", os.O_RDONLY)
        server.bind(str(tmp_path / "live/deep/s"))
        os.close(here)
        plan = runtime(tmp_path, python)
    assert f"{tmp_path}/plain" in dict(plan.mounts)
    assert f"{tmp_path}/live" not in dict(plan.mounts)
    assert any("socket" in each for each in plan.refused)


def test_only_harmless_variables_go_in(tmp_path: Path, base: Path) -> None:
    plan = runtime(tmp_path, fake_python(tmp_path / "env", base, home=base.parent))
    environ = dict(plan.environ)
    assert environ["LANG"] == "C.UTF-8"
    assert environ["OPENBLAS_NUM_THREADS"] == "1"
    assert "SECRET" not in environ


def test_a_missing_interpreter_is_said(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no interpreter"):
        runtime(tmp_path, tmp_path / "nowhere/python")


def test_the_image_is_the_same_bytes_each_time() -> None:
    assert build_tar("/home/a") == build_tar("/home/a")
    assert build_tar("/home/a") != build_tar("/home/b")


@pytest.mark.parametrize(
    "path", sorted(Path(ocils.sandbox.inside.__path__[0]).glob("*.py")), ids=lambda path: path.name
)
def test_what_runs_inside_can_be_read_by_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
