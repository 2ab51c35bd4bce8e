"""Where the tools of a Python project keep its environment: poetry, pipenv, hatch, conda, pyenv.

Each function reads the project's and the tool's files and computes the folder as the tool does; the
folder need not exist. Names are hashes of the project's path, so a moved project has none.

Not covered: settings given on a tool's command line; systems other than Linux.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ocils.domain.base import Value

SHELL_UNSAFE = re.compile(r'[ &$`!*@"()\[\]\\\r\n\t]')
CONDA_HOMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")


class Look(Value, frozen=True):
    """What the finders look at: the workspace's root, the home, the shell, ocils's own Python."""

    root: str
    home: str
    environ: Mapping[str, str]
    running: str

    @classmethod
    def at(cls, root: str, environ: Mapping[str, str], running: str) -> Look:
        """Look at ``root`` with the home and the variables of ``environ``."""
        home = environ.get("HOME") or os.path.expanduser("~")
        return cls(os.path.realpath(root), home, environ, running)

    def has(self, *names: str) -> bool:
        """Tell whether the workspace's root holds a file of one of these names."""
        return any(os.path.isfile(f"{self.root}/{name}") for name in names)

    def line(self, name: str) -> str:
        """Return the first line of a file of the root, stripped, or nothing."""
        return next(iter(_lines(f"{self.root}/{name}")), "").strip()

    def table(self, *names: str) -> dict[str, Any]:
        """Return the table at ``names`` of the workspace's ``pyproject.toml``, or an empty one."""
        return _table(f"{self.root}/pyproject.toml", *names)

    def data(self, name: str) -> str:
        """Return a folder for ``name`` among the user's data."""
        base = self.environ.get("XDG_DATA_HOME") or f"{self.home}/.local/share"
        return f"{base}/{name}"


def poetry(look: Look) -> Iterator[str]:
    """Yield the project's environments in poetry's cache, the one it would use first."""
    table = look.table("tool", "poetry")
    if not (table or look.has("poetry.lock")):
        return
    name = str(look.table("project").get("name") or table.get("name") or "non-package-mode")
    base = f"{_safe(_canonical(name))}-{_hashed(look.root)}"
    folder = _poetry_folder(look)
    chosen = _table(f"{folder}/envs.toml", base).get("minor")
    if isinstance(chosen, str):
        yield f"{folder}/{base}-py{chosen}"
    made = sorted(Path(folder).glob(f"{base}-py3.*"), key=lambda each: _version(each.name))
    yield from (str(each) for each in reversed(made))
    if not made and not chosen and look.has("poetry.lock"):
        yield f"{folder}/{base}-py3"


def _poetry_folder(look: Look) -> str:
    config = look.environ.get("XDG_CONFIG_HOME") or f"{look.home}/.config"
    cache = look.environ.get("XDG_CACHE_HOME") or f"{look.home}/.cache"
    files = (f"{look.root}/poetry.toml", f"{config}/pypoetry/config.toml")
    caches = [look.environ.get("POETRY_CACHE_DIR"), *(_table(f).get("cache-dir") for f in files)]
    cache_folder = next((str(each) for each in caches if each), f"{cache}/pypoetry")
    paths = [look.environ.get("POETRY_VIRTUALENVS_PATH")]
    paths += [_table(file, "virtualenvs").get("path") for file in files]
    path = next((str(each) for each in paths if each), "{cache-dir}/virtualenvs")
    path = path.replace("{cache-dir}", cache_folder).replace("{project-dir}", look.root)
    return os.path.join(look.root, re.sub("^~(?=/|$)", look.home, path))


def pipenv(look: Look) -> Iterator[str]:
    """Yield the project's environment as pipenv names it; a ``.venv`` file may name another."""
    shelf = look.environ.get("WORKON_HOME") or look.data("virtualenvs")
    shelf = re.sub("^~(?=/|$)", look.home, shelf)
    if os.path.isfile(f"{look.root}/.venv") and (name := look.line(".venv")):
        yield os.path.normpath(os.path.join(look.root if "/" in name else shelf, name))
    if look.has("Pipfile"):
        name = look.environ.get("PIPENV_CUSTOM_VENV_NAME", "")
        made = f"{_safe(os.path.basename(look.root))}-{_hashed(look.root + '/Pipfile')}"
        yield f"{shelf}/{name or made}"


def hatch(look: Look) -> Iterator[str]:
    """Yield the environments that hatch made for the project, the default one first."""
    if not (look.table("tool", "hatch") or look.has("hatch.toml")):
        return
    name = _canonical(str(look.table("project").get("name") or os.path.basename(look.root)))
    data = look.environ.get("HATCH_DATA_DIR") or look.data("hatch")
    folder = Path(data) / "env" / "virtual" / name / _hashed(look.root)
    yield str(folder / name) if (folder / name).is_dir() else str(folder)
    if folder.is_dir():
        yield from (str(each) for each in sorted(folder.iterdir()) if each.name != name)


def conda(look: Look) -> Iterator[tuple[str, str]]:
    """Yield the file that names a conda environment, and the folders where it may be."""
    for file in ("environment.yml", "environment.yaml"):
        for line in _lines(f"{look.root}/{file}"):
            key, _, value = line.partition(":")
            value = value.split(" #")[0].strip().strip("\"'")
            if key == "prefix" and value and os.path.isdir(value):
                yield file, value
            elif key == "name" and value:
                places = list(_conda_places(look, value))
                there = [each for each in places if os.path.isdir(each)]
                yield from ((file, each) for each in there or places[:1])


def _conda_places(look: Look, name: str) -> Iterator[str]:
    for variable in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        for each in filter(None, look.environ.get(variable, "").split(":")):
            yield f"{each}/{name}"
    # conda itself keeps a list of every environment that it made.
    for line in _lines(f"{look.home}/.conda/environments.txt"):
        if os.path.basename(line) == name:
            yield line
    roots = [look.environ.get("MAMBA_ROOT_PREFIX", "")]
    roots += [os.path.dirname(os.path.dirname(look.environ.get("CONDA_EXE", "")))]
    roots += [f"{look.home}/{each}" for each in CONDA_HOMES]
    roots += [f"/opt/{each}" for each in ("conda", *CONDA_HOMES[:3])]
    for root in filter(None, roots):
        yield f"{root}/envs/{name}"


def python_version_file(look: Look) -> tuple[str, tuple[str, ...]] | None:
    """Return the nearest ``.python-version``, upwards, and the names in it."""
    for folder in (Path(look.root), *Path(look.root).parents):
        lines = _lines(f"{folder}/.python-version")
        names = tuple(name for line in lines if not line.startswith("#") for name in line.split())
        if names:
            return f"{folder}/.python-version", tuple(n for n in names if n != "system")
    return None


def pyenv_global(look: Look) -> tuple[str, ...]:
    """Return the names of pyenv's global version."""
    lines = _lines(f"{_pyenv_root(look)}/version")
    return tuple(name for line in lines for name in line.split() if name != "system")


def pyenv_version(look: Look, name: str) -> str:
    """Return the folder of pyenv's version ``name``; "3.12" means the newest 3.12 that it has."""
    versions = Path(_pyenv_root(look)) / "versions"
    if not (versions / name).exists() and re.fullmatch(r"\d+(\.\d+)?", name):
        same = [each for each in versions.glob(f"{name}.*") if re.fullmatch(r"[\d.]+", each.name)]
        if same:
            return str(max(same, key=lambda each: _version(each.name)))
    return f"{versions}/{name}"


def _pyenv_root(look: Look) -> str:
    return look.environ.get("PYENV_ROOT") or f"{look.home}/.pyenv"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _safe(name: str) -> str:
    return SHELL_UNSAFE.sub("_", name)[:42]


def _hashed(path: str) -> str:
    """Return what poetry, pipenv and hatch all append: eight characters of the path's hash."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).decode()[:8]


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", name.rpartition("-py")[2]))


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _table(path: str, *names: str) -> dict[str, Any]:
    try:
        found: Any = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
