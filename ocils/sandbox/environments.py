"""Which Python a workspace's tests run with, found by reading files; nothing is started.

The project's own environment goes before the one that is active in the shell: an editor is often
started from a shell of another project. A file that names an environment goes before a folder that
merely lies there. ``TABLE`` is the whole order.

Not covered: environments that only a tool's code can name (tox, nox, PEP 582, plugins of hatch).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ocils.domain.base import Value
from ocils.sandbox import project_tools as tools
from ocils.sandbox.interpreter import is_prefix
from ocils.sandbox.project_tools import Look

FOLDERS = (".venv", "venv", "env", ".env")
PYTHONS = ("python", "python3")


class Found(Value, frozen=True):
    """An interpreter and why it was chosen.

    ``missed`` says which environments are named somewhere and cannot be used, for ``ocils doctor``.
    """

    python: str
    why: str
    missed: tuple[str, ...] = ()


class Claim(NamedTuple):
    """Where an environment (or an interpreter) should be, and what says so."""

    where: str
    why: str


def find_environment(
    root: str, environ: Mapping[str, str] | None = None, running: str = sys.executable
) -> Found:
    """Return the first usable interpreter of ``TABLE``; there always is one, the ``running`` one."""
    look = Look.at(root, os.environ if environ is None else environ, running)
    missed: list[str] = []
    for finder in TABLE:
        for claim in finder(look):
            python = usable(claim.where)
            if python:
                return Found(python, claim.why, tuple(missed))
            if os.path.lexists(claim.where):
                missed.append(f"{claim.why}: no interpreter that can be used in {claim.where}")
            elif finder not in QUIET:
                missed.append(f"{claim.why}: there is no {claim.where}")
    return Found(running, "the Python that ocils runs on; nothing else was found")


def usable(where: str) -> str:
    """Return the interpreter at ``where`` (an environment's folder or itself), or nothing.

    A folder counts when it looks like an environment or an installation; a script is a shim and
    says nothing of where the interpreter is.
    """
    if os.path.isdir(where):
        if not is_prefix(where):
            return ""
        for name in PYTHONS:
            python = f"{where}/bin/{name}"
            if _is_interpreter(python):
                return python
        return ""
    return where if _is_interpreter(where) else ""


def has_module(python: str, name: str) -> bool:
    """Tell by its files whether the interpreter's own packages hold ``name`` (a package or module)."""
    prefix = os.path.dirname(os.path.dirname(python))
    folders = [f"{prefix}/lib/python3*/{kind}" for kind in ("site-packages", "dist-packages")]
    if prefix == "/usr":
        folders += ["/usr/lib/python3/dist-packages", "/usr/local/lib/python3*/dist-packages"]
    return any(
        (site / name).is_dir() or (site / f"{name}.py").is_file()
        for folder in folders
        for site in Path("/").glob(folder.lstrip("/"))
    )


def _is_interpreter(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return os.path.isfile(path) and file.read(2) != b"#!"
    except OSError:
        return False


def _uv(look: Look) -> Iterator[Claim]:
    name = look.environ.get("UV_PROJECT_ENVIRONMENT", "")
    if name and look.has("pyproject.toml"):
        yield Claim(os.path.normpath(os.path.join(look.root, name)), "UV_PROJECT_ENVIRONMENT")


def _pdm(look: Look) -> Iterator[Claim]:
    if path := look.line(".pdm-python"):
        yield Claim(os.path.normpath(os.path.join(look.root, path)), ".pdm-python")


def _folders(look: Look) -> Iterator[Claim]:
    for name in FOLDERS:
        if os.path.isdir(f"{look.root}/{name}") or os.path.islink(f"{look.root}/{name}"):
            yield Claim(f"{look.root}/{name}", f"{name} in the workspace")


def _poetry(look: Look) -> Iterator[Claim]:
    for folder in tools.poetry(look):
        yield Claim(folder, "the environment that poetry made for this project")


def _pipenv(look: Look) -> Iterator[Claim]:
    for folder in tools.pipenv(look):
        yield Claim(folder, "the environment that pipenv made for this project")


def _hatch(look: Look) -> Iterator[Claim]:
    # Tests may have an environment of their own; it is the one that holds pytest.
    folders = sorted(tools.hatch(look), key=lambda each: not has_module(f"{each}/bin/python", "pytest"))  # fmt: skip
    for folder in folders:
        yield Claim(folder, "an environment that hatch made for this project")


def _conda_named(look: Look) -> Iterator[Claim]:
    for file, folder in tools.conda(look):
        yield Claim(folder, f"the conda environment that {file} names")


def _pyenv_named(look: Look) -> Iterator[Claim]:
    if found := tools.python_version_file(look):
        file, names = found
        for name in names:
            yield Claim(tools.pyenv_version(look, name), f"{file} names {name} (pyenv)")


def _active(look: Look) -> Iterator[Claim]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := look.environ.get(variable, ""):
            yield Claim(os.path.normpath(folder), f"active in the shell ({variable})")
    for name in filter(None, look.environ.get("PYENV_VERSION", "").split(":")):
        yield Claim(tools.pyenv_version(look, name), "active in the shell (PYENV_VERSION)")


def _running(look: Look) -> Iterator[Claim]:
    """Without an environment: ocils's own Python when it has pytest, else the one on the path."""
    if has_module(look.running, "pytest"):
        yield Claim(look.running, "the Python that ocils runs on; the workspace has none")
    for name in tools.pyenv_global(look):
        yield Claim(tools.pyenv_version(look, name), "pyenv's global version")
    for folder in look.environ.get("PATH", os.defpath).split(":"):
        for each in ("python3", "python"):
            if folder.startswith("/") and _is_interpreter(f"{folder}/{each}"):
                yield Claim(f"{folder}/{each}", f"{each} on the path; the workspace has none")


TABLE: tuple[Callable[[Look], Iterator[Claim]], ...] = (
    _uv,  # the shell's word on where this project's environment is
    _pdm,  # a file in the workspace that holds the interpreter's path
    _folders,  # what venv, virtualenv, uv, poetry and pdm make by default or by a setting
    _poetry,
    _pipenv,
    _hatch,
    _conda_named,
    _pyenv_named,  # last of the project's own: a version rather than an environment, often
    _active,
    _running,
)

QUIET = (_pyenv_named, _active, _running)
"""Whose claims are no promise: many a file names a version that this machine does not have."""
