"""Environments where tools put them, in real containers: below a closed home, behind links, conda's."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.domain.judging import Passed
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .foreign import LEFT_OUT, VERSION
from .yard import Yard, lay_out

pytestmark = pytest.mark.docker

TEXT = """
    import os, sys
    def test_prefix():
        assert sys.prefix == PREFIX
        assert os.environ["HOME"] == HOME
        os.listdir(HOME)
"""

Judge = Callable[[Path], Awaitable[None]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a home that nobody else may enter, as many systems do."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest_asyncio.fixture
async def judge(tmp_path: Path, home: Path) -> AsyncIterator[Judge]:
    """Judge a test that expects the prefix that is given, with nothing but the home to find it by."""
    made: list[DockerSandbox] = []

    async def run(prefix: Path) -> None:
        root = home / "work"
        text = TEXT.replace("PREFIX", repr(str(prefix))).replace("HOME)", f"{str(home)!r})")
        lay_out(root, {"test_x.py": text.replace("== HOME", f"== {str(home)!r}")})
        environ = {**os.environ, "HOME": str(home)}
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "PYENV_VERSION"):
            environ.pop(name, None)
        sandbox = DockerSandbox(str(root), width=1, memory_mib=512, environ=environ)
        made.append(sandbox)
        yard = Yard(root, sandbox, await DiskWorkspace(str(root)).snapshot())
        verdict = await yard.judge()
        assert isinstance(verdict, Passed), verdict

    yield run
    for each in made:
        await each.close()


def packages_of(environment: str) -> Path:
    return next(Path(environment).parent.parent.glob("lib/*/site-packages"))


def installation(folder: Path) -> Path:
    """Install this machine's Python at another place, without packages; returns the program."""
    base = Path(sys.base_prefix)
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / VERSION
    shutil.copy(os.path.realpath(base / "bin" / VERSION), program)
    library = folder / "lib" / VERSION
    shutil.copytree(
        base / "lib" / VERSION,
        library,
        ignore=shutil.ignore_patterns(*LEFT_OUT, "dist-packages", "config-*"),
    )
    for each in (base / "lib").glob("libpython*"):
        shutil.copy(each, folder / "lib")
    return program


def venv(folder: Path, program: Path, packages: Path) -> Path:
    """Make an environment on ``program`` that has ``packages``."""
    site = folder / "lib" / VERSION / "site-packages"
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(program)
    (folder / "pyvenv.cfg").write_text(f"home = {program.parent}\n")
    for each in packages.iterdir():
        (site / each.name).symlink_to(each)
    (site / "real.pth").write_text(f"{packages}\n")
    return folder


async def test_poetrys_environment_below_a_closed_home(
    home: Path, environment: str, judge: Judge
) -> None:
    from .test_runtime_environments import shelved

    lay_out(home / "work", {"pyproject.toml": '[tool.poetry]\nname = "shop"\n'})
    shelf = home / ".cache/pypoetry/virtualenvs"
    base = Path(sys.base_prefix) / "bin" / VERSION
    await judge(
        venv(shelf / f"shop-{shelved(home / 'work')}-py3.11", base, packages_of(environment))
    )


async def test_uvs_own_python_behind_two_kinds_of_links(
    home: Path, environment: str, judge: Judge
) -> None:
    """``.venv`` → ``~/.local/bin`` → a folder named for the minor version → the real one."""
    store = home / ".local/share/uv/python"
    installation(store / "cpython-3.11.7-linux-x86_64-gnu")
    (store / "cpython-3.11-linux-x86_64-gnu").symlink_to("cpython-3.11.7-linux-x86_64-gnu")
    short = store / "cpython-3.11-linux-x86_64-gnu/bin" / VERSION
    link = home / ".local/bin" / VERSION
    link.parent.mkdir(parents=True)
    link.symlink_to(short)
    await judge(venv(home / "work/.venv", link, packages_of(environment)))


async def test_a_conda_environment(home: Path, environment: str, judge: Judge) -> None:
    prefix = home / "miniconda3/envs/shop"
    program = installation(prefix)
    (prefix / "bin/python").symlink_to(program.name)
    (prefix / "conda-meta").mkdir()
    # Where this Python looks for packages is decided by who built it.
    for place in ("lib", "local/lib"):
        for kind in ("site-packages", "dist-packages"):
            folder = prefix / place / VERSION / kind
            folder.mkdir(parents=True)
            (folder / "packages.pth").write_text(f"{packages_of(environment)}\n")
    lay_out(home / "work", {"environment.yml": "name: shop\n"})
    await judge(prefix)
