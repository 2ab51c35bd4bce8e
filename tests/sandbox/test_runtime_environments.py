"""Which interpreter is chosen and why: every tool's layout, made of files, and nothing started."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.sandbox.environments import Found, find_environment, has_module, usable


def venv(folder: Path, *packages: str) -> Path:
    """Make what looks like a virtual environment; returns its interpreter."""
    site = folder / "lib/python3.12/site-packages"
    for each in (folder / "bin", site, *(site / package for package in packages)):
        each.mkdir(parents=True, exist_ok=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "bin/python").write_bytes(b"\x7fELF")
    return folder / "bin/python"


def conda(folder: Path) -> Path:
    """Make what looks like a conda environment: no ``pyvenv.cfg``."""
    for each in ("bin", "conda-meta"):
        (folder / each).mkdir(parents=True)
    (folder / "bin/python").write_bytes(b"\x7fELF")
    return folder / "bin/python"


def installed(folder: Path) -> Path:
    """Make what looks like a Python of pyenv's."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib/python3.12").mkdir(parents=True)
    (folder / "lib/python3.12/os.py").touch()
    (folder / "bin/python").write_bytes(b"\x7fELF")
    return folder / "bin/python"


def shelved(path: Path) -> str:
    """Return what tools put behind an environment's name for a path, computed once more."""
    return base64.urlsafe_b64encode(hashlib.sha256(str(path).encode()).digest())[:8].decode()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "home/My Work"
    folder.mkdir(parents=True)
    return folder


Find = Callable[..., Found]


@pytest.fixture
def find(tmp_path: Path, work: Path) -> Find:
    def found(**environ: str) -> Found:
        return find_environment(str(work), {"HOME": str(tmp_path / "home"), "PATH": "", **environ})

    return found


def test_nothing_found_is_the_running_one(find: Find) -> None:
    found = find()
    assert found.python == sys.executable
    assert "ocils runs on" in found.why
    assert has_module(sys.executable, "pytest")
    assert not has_module(sys.executable, "no_such_package")


@pytest.mark.parametrize("name", [".venv", "venv", "env", ".env"])
@pytest.mark.parametrize("make", [venv, conda])
def test_a_folder_of_the_workspace(
    work: Path, find: Find, name: str, make: Callable[[Path], Path]
) -> None:
    python = make(work / name)
    assert find() == Found(str(python), f"{name} in the workspace")


def test_the_projects_own_goes_before_the_shells(tmp_path: Path, work: Path, find: Find) -> None:
    shell = venv(tmp_path / "shell")
    found = find(VIRTUAL_ENV=str(tmp_path / "shell"))
    assert (found.python, found.why) == (str(shell), "active in the shell (VIRTUAL_ENV)")
    own = venv(work / ".venv")
    assert find(VIRTUAL_ENV=str(tmp_path / "shell")).python == str(own)


def test_an_environment_that_dangles_is_passed_over_and_said(work: Path, find: Find) -> None:
    python = venv(work / ".venv")
    python.unlink()
    python.symlink_to(work / "nowhere")
    found = find()
    assert found.python == sys.executable
    assert len(found.missed) == 1
    assert ".venv in the workspace" in found.missed[0]


def test_a_linked_environment_keeps_its_place(tmp_path: Path, work: Path, find: Find) -> None:
    venv(tmp_path / "elsewhere")
    (work / ".venv").symlink_to(tmp_path / "elsewhere")
    assert find().python == f"{work}/.venv/bin/python"


def test_uv_is_told_by_a_variable(tmp_path: Path, work: Path, find: Find) -> None:
    venv(work / ".venv")
    python = venv(tmp_path / "uv")
    (work / "pyproject.toml").touch()
    found = find(UV_PROJECT_ENVIRONMENT=str(tmp_path / "uv"))
    assert (found.python, found.why) == (str(python), "UV_PROJECT_ENVIRONMENT")
    assert find(UV_PROJECT_ENVIRONMENT="inside").python == f"{work}/.venv/bin/python"
    assert find(UV_PROJECT_ENVIRONMENT=".venv").why == "UV_PROJECT_ENVIRONMENT"


def test_pdm_keeps_a_path(tmp_path: Path, work: Path, find: Find) -> None:
    python = venv(tmp_path / "pdm")
    (work / ".pdm-python").write_text(f"{python}\n")
    assert find() == Found(str(python), ".pdm-python")
    (work / ".pdm-python").write_text(f"{tmp_path}/gone/bin/python\n")
    found = find()
    assert found.python == sys.executable
    assert "gone/bin/python" in found.missed[0]


POETRY = '[tool.poetry]\nname = "My.Shop"\n'


def test_poetry_names_by_project_and_path(tmp_path: Path, work: Path, find: Find) -> None:
    (work / "pyproject.toml").write_text(POETRY)
    shelf = tmp_path / "home/.cache/pypoetry/virtualenvs"
    base = f"my-shop-{shelved(work)}"
    older = venv(shelf / f"{base}-py3.9")
    newer = venv(shelf / f"{base}-py3.12")
    venv(shelf / f"my-shop-{shelved(tmp_path)}-py3.13")
    found = find()
    assert found.python == str(newer)
    assert "poetry" in found.why
    (shelf / "envs.toml").write_text(f'[{base}]\nminor = "3.9"\npatch = "3.9.1"\n')
    assert find().python == str(older)


@pytest.mark.parametrize(
    ("file", "text", "environ", "shelf"),
    [
        ("", "", {"POETRY_VIRTUALENVS_PATH": "{home}/v"}, "v"),
        ("", "", {"POETRY_CACHE_DIR": "{home}/c"}, "c/virtualenvs"),
        ("", "", {"XDG_CACHE_HOME": "{home}/x"}, "x/pypoetry/virtualenvs"),
        (".config/pypoetry/config.toml", '[virtualenvs]\npath = "~/y"\n', {}, "y"),
        (".config/pypoetry/config.toml", 'cache-dir = "{home}/z"\n', {}, "z/virtualenvs"),
        ("My Work/poetry.toml", '[virtualenvs]\npath = "{project-dir}/own"\n', {}, "My Work/own"),
    ],
)
def test_poetrys_shelf_can_be_set(
    tmp_path: Path,
    work: Path,
    find: Find,
    file: str,
    text: str,
    environ: dict[str, str],
    shelf: str,
) -> None:
    home = tmp_path / "home"
    (work / "pyproject.toml").write_text('[project]\nname = "a"\n')
    (work / "poetry.lock").touch()
    if file:
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text.replace("{home}", str(home)))
    python = venv(home / shelf / f"a-{shelved(work)}-py3.11")
    set_here = {name: value.replace("{home}", str(home)) for name, value in environ.items()}
    assert find(**set_here).python == str(python)


def test_a_lock_without_its_environment_is_said(work: Path, find: Find) -> None:
    (work / "pyproject.toml").write_text(POETRY)
    (work / "poetry.lock").touch()
    assert any("poetry" in each for each in find().missed)


def test_pipenv_names_by_folder_and_pipfile(tmp_path: Path, work: Path, find: Find) -> None:
    (work / "Pipfile").touch()
    assert "pipenv" in find().missed[0]
    name = f"My_Work-{shelved(work / 'Pipfile')}"
    python = venv(tmp_path / "home/.local/share/virtualenvs" / name)
    assert find().python == str(python)
    shelf = venv(tmp_path / "shelf" / name)
    assert find(WORKON_HOME=str(tmp_path / "shelf")).python == str(shelf)
    custom = venv(tmp_path / "shelf/mine")
    environ = {"WORKON_HOME": str(tmp_path / "shelf"), "PIPENV_CUSTOM_VENV_NAME": "mine"}
    assert find(**environ).python == str(custom)


def test_a_venv_file_names_an_environment(tmp_path: Path, work: Path, find: Find) -> None:
    python = venv(tmp_path / "home/.local/share/virtualenvs/other")
    (work / ".venv").write_text("other\n")
    assert find().python == str(python)
    near = venv(work / "deep/env")
    (work / ".venv").write_text("./deep/env\n")
    assert find().python == str(near)


def test_hatch_prefers_the_environment_that_has_pytest(
    tmp_path: Path, work: Path, find: Find
) -> None:
    (work / "pyproject.toml").write_text('[project]\nname = "My_Shop"\n[tool.hatch.envs.x]\n')
    folder = tmp_path / "home/.local/share/hatch/env/virtual/my-shop" / shelved(work)
    assert "hatch" in find().missed[0]
    default = venv(folder / "my-shop")
    assert find().python == str(default)
    tests = venv(folder / "hatch-test.py3.12", "pytest")
    assert find().python == str(tests)


@pytest.mark.parametrize("shelf", ["miniconda3", "anaconda3", "miniforge3", "micromamba"])
def test_conda_is_named_by_its_file(tmp_path: Path, work: Path, find: Find, shelf: str) -> None:
    (work / "environment.yml").write_text(
        "channels:\n  - x\nname: 'shop' # ours\ndependencies:\n  - name: no\n"
    )
    assert "environment.yml" in find().missed[0]
    python = conda(tmp_path / "home" / shelf / "envs/shop")
    found = find()
    assert found == Found(str(python), "the conda environment that environment.yml names")


def test_condas_own_list_and_variables_count(tmp_path: Path, work: Path, find: Find) -> None:
    (work / "environment.yaml").write_text("name: shop\n")
    listed = conda(tmp_path / "listed/shop")
    (tmp_path / "home/.conda").mkdir()
    (tmp_path / "home/.conda/environments.txt").write_text(
        f"{tmp_path}/x\n{tmp_path}/listed/shop\n"
    )
    assert find().python == str(listed)
    variable = conda(tmp_path / "variable/shop")
    assert find(CONDA_ENVS_PATH=f"{tmp_path}/variable").python == str(variable)


def test_an_active_conda_environment(tmp_path: Path, find: Find) -> None:
    python = conda(tmp_path / "active")
    found = find(CONDA_PREFIX=str(tmp_path / "active"))
    assert (found.python, found.why) == (str(python), "active in the shell (CONDA_PREFIX)")


def test_pyenv_is_named_by_a_file_upwards(tmp_path: Path, work: Path, find: Find) -> None:
    versions = tmp_path / "home/.pyenv/versions"
    (tmp_path / "home/.python-version").write_text("# ours\n3.12\n")
    assert find().missed == ()
    installed(versions / "3.12.9")
    newest = installed(versions / "3.12.10")
    installed(versions / "3.13.1")
    assert find().python == str(newest)
    named = venv(versions / "shop")
    (work / ".python-version").write_text("system\nshop 3.12\n")
    found = find()
    assert found.python == str(named)
    assert "names shop" in found.why
    rooted = venv(tmp_path / "root/versions/shop")
    assert find(PYENV_ROOT=str(tmp_path / "root")).python == str(rooted)
    (work / ".python-version").unlink()
    assert find(PYENV_VERSION="3.13.1").python == str(newest)
    (tmp_path / "home/.python-version").unlink()
    assert find(PYENV_VERSION="3.13.1").python == f"{versions}/3.13.1/bin/python"


def test_a_shim_is_not_an_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python"
    shim.write_text("#!/bin/sh\nexec pyenv python\n")
    assert usable(str(shim)) == ""
    assert usable(str(tmp_path)) == ""
    assert usable(str(tmp_path / "nothing")) == ""
    assert usable(os.path.realpath(sys.executable)) == os.path.realpath(sys.executable)


def test_without_pytest_ocilss_own_python_is_the_last(tmp_path: Path, work: Path) -> None:
    """Installed by itself (pipx), ocils has an environment that knows nothing of the project."""
    alone = venv(tmp_path / "pipx")
    system = installed(tmp_path / "usr")
    (tmp_path / "usr/bin/python3").symlink_to("python")
    environ = {"HOME": str(tmp_path / "home"), "PATH": f":bin:{tmp_path}/no:{tmp_path}/usr/bin"}
    found = find_environment(str(work), environ, str(alone))
    assert found.python == f"{system}3"
    assert found.why == "python3 on the path; the workspace has none"
    venv(tmp_path / "pipx", "pytest")
    assert find_environment(str(work), environ, str(alone)).python == str(alone)
    bare = {"HOME": str(tmp_path / "home"), "PATH": ""}
    empty = venv(tmp_path / "empty")
    assert find_environment(str(work), bare, str(empty)).python == str(empty)
