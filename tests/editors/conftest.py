"""The extension as it is shipped, and a VS Code that has it installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .code_server import ROOT, CodeServer


@pytest.fixture(scope="session")
def vsix() -> Path:
    """Build the extension with the wheel in it, and return where it is."""
    built = subprocess.run(
        [str(ROOT / "editors/vscode/package")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """Return a program that is this checkout's ``ocils``, for the setting ``ocils.path``."""
    program = tmp_path / "ocils"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m ocils "$@" 2>>"{tmp_path}/ocils.log"\n'
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., str]:
    """Return a program over the shipped fakes, for the setting ``ocils.path``."""

    def program(**variables: str) -> str:
        made = tmp_path / "scripted"
        assigned = " ".join(f"{name}='{value}'" for name, value in variables.items())
        made.write_text(
            f'#!/bin/sh\n{assigned} exec "{sys.executable}" '
            f'"{ROOT}/tests/e2e/scripted_server.py" 0 2>>"{tmp_path}/ocils.log"\n'
        )
        made.chmod(0o755)
        return str(made)

    return program


@pytest.fixture
def code(tmp_path: Path, vsix: Path, launcher: Path) -> Iterator[Callable[..., CodeServer]]:
    """Start VS Codes with the extension installed; further arguments are settings."""
    started: list[CodeServer] = []

    def start(*, host: Path | None = None, trusting: bool = True, **settings: Any) -> CodeServer:
        """``host``: tests are run in the extension host, and leave what came of them there."""
        server = CodeServer(
            tmp_path / "code",
            {"ocils.path": str(launcher), **settings},
            host=host,
            trusting=trusting,
        )
        if host is None:
            server.install(vsix)
        started.append(server)
        return server.__enter__()

    yield start
    for each in started:
        each.close()
