"""The proof behind a swap of code, without pytest and without a container.

Every trap is sprung in a fork of this process: what happens while modules are imported is watched,
the edited code is swapped or refused, and where it was swapped the tests are called.
"""

# A fork goes where its candidate would be.

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from ocils.sandbox.inside import forkable
from ocils.sandbox.inside.entered import Entered
from ocils.sandbox.inside.onebody import Refused
from ocils.sandbox.inside.swap import Live

from .traps import KEPT_BACK, SWAPPED, Trap

ELSEWHERE = ("frozen", "left_file")
"""Refused by the collected suite itself, not by the swap."""

NEEDS_PYTEST = ("fixtures", "unittested", "output", "random", "reloaded", "subprocess")


def in_a_fork(act: Callable[[], object]) -> Any:
    """Return what ``act`` returned in a fork of this process, as JSON can hold it."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.freeze()  # what was there before belongs to nobody's workspace
            sys.dont_write_bytecode = True
            said: object
            try:
                said = act()
            except Exception as problem:
                said = f"{type(problem).__name__}: {problem}"
            os.write(theirs, json.dumps(said).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        data = file.read()
    os.waitpid(pid, 0)
    return json.loads(data)


class Stage:
    """A folder whose module is imported, edited and swapped; lives in a fork."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        os.chdir(root)
        sys.path.insert(0, self.root)
        self.held = forkable.held()
        self.entered = Entered(self.root)
        self.entered.start()

    def load(self, path: str) -> ModuleType:
        """Import the file at ``path`` as a test runner would, without rewriting it."""
        spec = importlib.util.spec_from_file_location("loaded_here", f"{self.root}/{path}")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def swap(self, path: str, text: str, made: Iterable[FunctionType] = ()) -> str:
        """Stop watching and swap; returns why not, or nothing."""
        self.entered.stop()
        why = self.entered.trouble or forkable.why_not(self.held)
        if why:
            return why
        self.live = Live(self.root, self.entered, made)
        place = f"{self.root}/{path}"
        self.live.prepare(place, Path(place).read_bytes())
        try:
            self.edited = self.live.swap(place, text.encode())
        except Refused as refused:
            return str(refused)
        return ""


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))


def spring(root: Path, trap: Trap) -> tuple[str, list[bool]]:
    """Spring ``trap``; why it was not swapped, and which tests passed where it was."""
    stage = Stage(root)
    tests = stage.load(f"tests/test_{trap.name}.py")
    why = stage.swap(trap.path, trap.text)
    if why or trap.name in NEEDS_PYTEST:
        return why, []
    found = []
    for name, test in vars(tests).items():
        if name.startswith("test_") and isinstance(test, FunctionType):
            try:
                test()
                found.append(True)
            except Exception:
                found.append(False)
    return why, found


@pytest.mark.parametrize("trap", SWAPPED, ids=lambda trap: trap.name)
def test_a_swap_tells_the_truth(tmp_path: Path, trap: Trap) -> None:
    lay(tmp_path, {"traps/__init__.py": "", **trap.files})
    why, passed = in_a_fork(lambda: spring(tmp_path, trap))
    assert why == ""
    assert trap.name in NEEDS_PYTEST or (passed and all(passed) == trap.passed)


@pytest.mark.parametrize(
    "trap", [each for each in KEPT_BACK if each.name not in ELSEWHERE], ids=lambda trap: trap.name
)
def test_what_a_swap_would_get_wrong_is_refused(tmp_path: Path, trap: Trap) -> None:
    lay(tmp_path, {"traps/__init__.py": "", **trap.files})
    why, _ = in_a_fork(lambda: spring(tmp_path, trap))
    assert why
    assert trap.why in why


LOADER = """
import importlib.machinery, importlib.util, sys
class Own(importlib.machinery.SourceFileLoader):
    pass
loader = KIND("m", "PLACE/m.py")
spec = importlib.util.spec_from_loader("m", loader)
m = importlib.util.module_from_spec(spec)
REGISTERED
loader.exec_module(m)
"""


@pytest.mark.parametrize(
    ("kind", "registered", "why"),
    [
        ("Own", "sys.modules['m'] = m", "it was loaded by Own"),
        ("Own", "", "it was loaded in an unusual way"),
        ("importlib.machinery.SourceFileLoader", "", "it was loaded in an unusual way"),
        ("importlib.machinery.SourceFileLoader", "sys.modules['m'] = m", ""),
        ("Own", "sys.modules['m'] = m; del m.__spec__", "it was loaded by NoneType"),
    ],
)
def test_only_what_the_plain_importer_loaded_is_swapped(
    tmp_path: Path, kind: str, registered: str, why: str
) -> None:
    text = LOADER.replace("KIND", kind).replace("REGISTERED", registered)
    lay(
        tmp_path,
        {"m.py": "def f():\n    return 1\n", "loads.py": text.replace("PLACE", str(tmp_path))},
    )

    def act() -> tuple[str, int]:
        stage = Stage(tmp_path)
        loads = stage.load("loads.py")
        said = stage.swap("m.py", "def f():\n    return 2\n")
        return said, loads.m.f()

    said, value = in_a_fork(act)
    assert said == why
    assert value == (1 if why else 2)
