"""Interpreters that this machine has, found by their files, and environments made with them.

Not covered: interpreters in places of their own; pyenv's shims are scripts and are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

NAME = re.compile(r"python3\.(\d+)")


def without_registry(why: str) -> NoReturn:
    """Skip; fail where ``OCILS_REQUIRE`` names the registry."""
    if "registry" in os.environ.get("OCILS_REQUIRE", "").split(","):
        pytest.fail(f"registry is required here, and {why}", pytrace=False)
    pytest.skip(why)


def interpreters() -> dict[int, Path]:
    """Return interpreters by minor version, 8 and later; the running one goes first."""
    found: dict[int, Path] = {sys.version_info[1]: Path(os.path.realpath(sys.executable))}
    for path in _candidates():
        match = NAME.fullmatch(path.name)
        if match is None or int(match[1]) < 8 or not path.is_file():
            continue
        if path.read_bytes()[:4] == b"\x7fELF":
            found.setdefault(int(match[1]), path.resolve())
    return dict(sorted(found.items()))


def _candidates() -> Iterator[Path]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from sorted(Path(folder).glob("python3.*")) if folder else ()
    yield from sorted(Path("/usr/bin").glob("python3.*"))
    home = Path.home()
    roots = [
        Path(sys.base_prefix).parent,
        home / ".pyenv/versions",
        home / ".local/share/uv/python",
    ]
    if "PYENV_ROOT" in os.environ:
        roots.append(Path(os.environ["PYENV_ROOT"]) / "versions")
    for root in roots:
        yield from sorted(root.glob("*/bin/python3.*"), reverse=True)


def need(minor: int) -> Path:
    """Return the interpreter of version 3.``minor``; skips when there is none."""
    found = interpreters()
    if minor not in found:
        pytest.skip(f"there is no Python 3.{minor} on this machine")
    return found[minor]


def make_environment(folder: Path, base: Path, *packages: str) -> str:
    """Make a virtual environment with ``packages``; returns its interpreter, skips when it cannot.

    Without packages it holds nothing, not even pip.
    """
    python = folder / "bin" / "python"
    bare = () if packages else ("--without-pip",)
    commands = [[str(base), "-m", "venv", *bare, str(folder)]]
    if packages:
        commands.append([str(python), "-m", "pip", "install", "--quiet", *packages])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            why = f"no {' '.join(packages) or 'environment'} for {base.name}: {said}"
            pytest.skip(why) if command[2] == "venv" else without_registry(why)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    return str(python)
