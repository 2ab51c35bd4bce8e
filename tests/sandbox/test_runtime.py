"""What is mounted and what never is; which interpreter a workspace has. No container needed."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest

import ocils.sandbox.inside
from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.host import host_runtime
from ocils.sandbox.image import build_tar
from ocils.sandbox.interpreter import read_interpreter
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
    library = tmp_path / "home/.pythons/3.12/lib/python3.12"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    return real


def runtime(tmp_path: Path, python: Path | None = None) -> HostRuntime:
    """Plan for ``home/work`` below ``tmp_path``."""
    root = tmp_path / "home/work"
    root.mkdir(parents=True, exist_ok=True)
    environ = {"HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", "SECRET": "x"}
    return host_runtime(str(root), str(python or ""), environ)


def test_an_interpreter_is_described_without_starting_it(tmp_path: Path, base: Path) -> None:
    short = tmp_path / "home/.pythons/short"
    short.symlink_to("3.12")
    venv = tmp_path / "home/work/.venv"
    python = fake_python(venv, short / "bin/python3.12", home=short / "bin")
    site = venv / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (tmp_path / "lib1").mkdir()
    (site / "a.pth").write_text(f"# note\nimport os; os.abort()\n{tmp_path}/lib1\n{tmp_path}/no\n")
    found = read_interpreter(str(python), str(tmp_path / "home"))
    assert found.python == str(python)
    assert found.environment == str(venv)
    assert found.base == str(base)
    assert str(short) in found.prefixes
    assert str(base.parent.parent) in found.prefixes
    assert found.roots == (str(tmp_path / "lib1"),)


def test_a_link_among_other_things_brings_its_folder_and_nothing_above(
    tmp_path: Path, base: Path
) -> None:
    """``~/.local/bin/python3.12`` is a link of uv's; ``~/.local`` also holds keyrings."""
    shelf = tmp_path / "home/.local/bin"
    shelf.mkdir(parents=True)
    (shelf / "python3.12").symlink_to(base)
    python = fake_python(tmp_path / "env", shelf / "python3.12", home=shelf)
    places = [each for each, _ in runtime(tmp_path, python).mounts]
    assert [each for each in places if "/home/.local" in each] == [str(shelf)]
    assert str(base.parent.parent) in places


def test_a_conda_prefix_is_an_environment_without_a_configuration(tmp_path: Path) -> None:
    prefix = tmp_path / "home/miniconda3/envs/shop"
    for each in ("bin", "conda-meta", "lib/python3.12/site-packages"):
        (prefix / each).mkdir(parents=True)
    (prefix / "bin/python3.12").touch()
    (prefix / "bin/python").symlink_to("python3.12")
    (tmp_path / "more").mkdir()
    (prefix / "lib/python3.12/site-packages/a.pth").write_text(f"{tmp_path}/more\n")
    found = read_interpreter(str(prefix / "bin/python"), str(tmp_path / "home"))
    assert found.environment == str(prefix)
    assert found.base == str(prefix / "bin/python3.12")
    assert found.prefixes == (str(prefix),)
    assert found.roots == (f"{tmp_path}/more",)


@pytest.mark.parametrize(("system", "sees"), [("true", True), ("false", False)])
def test_an_environment_may_see_the_users_own_packages(
    tmp_path: Path, base: Path, system: str, sees: bool
) -> None:
    python = fake_python(tmp_path / "env", base, home=base.parent)
    with (tmp_path / "env/pyvenv.cfg").open("a") as file:
        file.write(f"include-system-site-packages = {system}\n")
    own = tmp_path / "home/.local/lib/python3.12/site-packages"
    own.mkdir(parents=True)
    (tmp_path / "more").mkdir()
    (own / "a.pth").write_text(f"{tmp_path}/more\n")
    found = read_interpreter(str(python), str(tmp_path / "home"))
    assert (str(own.parent) in found.prefixes) is sees
    assert (f"{tmp_path}/more" in found.roots) is sees


def test_an_environment_in_the_workspace_opens_no_private_folder(
    tmp_path: Path, base: Path
) -> None:
    """A repository can bring an environment, and with it any ``.pth`` file and any ``home``."""
    keys = tmp_path / "home/.keys"
    (keys / "bin").mkdir(parents=True)
    python = fake_python(tmp_path / "home/work/.venv", base, home=keys / "bin")
    site = tmp_path / "home/work/.venv/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (tmp_path / "home/shared").mkdir()
    (site / "a.pth").write_text(f"{keys}\n{tmp_path}/home/shared\n")
    plan = runtime(tmp_path, python)
    assert not any(source.startswith(str(keys)) for _, source in plan.mounts)
    assert any(str(keys) in each for each in plan.refused)
    assert f"{tmp_path}/home/shared" in dict(plan.mounts)


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
