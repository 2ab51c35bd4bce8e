"""The house's rules, held by machine: who may import whom, what each room may take from outside.

``[tool.importlinter]`` holds the layers between our own rooms; the tables below hold the confinement
of everything else, down to the imports inside functions. Each rule is shown to bite: a copy of the
package with one forbidden line in it must be found out.

Not covered: what a module does once it runs, and modules named only at run time by a variable.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ocils"

ROOMS_OF: dict[str, frozenset[str]] = {
    "ctranslate2": frozenset({"engine"}),
    "docker": frozenset({"sandbox"}),
    "huggingface_hub": frozenset({"engine"}),
    "jinja2": frozenset({"engine"}),
    "lsprotocol": frozenset({"server"}),
    "msgspec": frozenset(
        {
            "bench",
            "cli",
            "domain",
            "engine",
            "languages",
            "prompt",
            "record",
            "refine",
            "sandbox",
            "server",
        }
        | {"settings", "wiring"}
    ),
    "numpy": frozenset({"engine"}),
    "openai": frozenset({"engine"}),
    "platformdirs": frozenset({"bench", "engine", "record", "settings", "wiring"}),
    "pygls": frozenset({"server"}),
    "requests": frozenset({"sandbox"}),  # docker-py raises its errors
    "rich": frozenset({"bench", "cli", "console"}),
    "tokenizers": frozenset({"engine"}),
    "torch": frozenset({"learn"}),
    "tree_sitter": frozenset({"source"}),
    "tree_sitter_javascript": frozenset({"source"}),
    "tree_sitter_python": frozenset({"source"}),
    "urllib3": frozenset({"sandbox"}),  # and so do the layers below it
}
"""Every third-party module and the rooms that may import it; what is not here, nobody may import."""

RUNS_INSIDE = PACKAGE / "sandbox" / "inside"
INSIDE_MAY_IMPORT = frozenset({"pytest", "_pytest", "pip"})
"""What runs in the container has the standard library and the workspace's own pytest and pip, no more."""

PURE_ROOMS = frozenset({"domain", "prompt", "source"})
IO_MODULES = frozenset(
    {"asyncio", "ctypes", "http", "io", "multiprocessing", "os", "pathlib", "shutil", "signal"}
    | {"socket", "ssl", "subprocess", "tempfile", "threading", "urllib"}
)
PURE_MAY_IMPORT = {
    "ocils/domain/cancel.py": {"threading"},  # the token is shared between threads on purpose
    "ocils/domain/python.py": {"threading"},  # Python itself is what threads disturb there
    "ocils/source/lines.py": {"os"},  # os.path.commonprefix compares texts and touches no file
}


def modules(package: Path) -> Iterator[Path]:
    return (path for path in sorted(package.rglob("*.py")) if "__pycache__" not in path.parts)


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every absolute import of a file with its line: statements anywhere, and literal calls."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(level=0, module=str(name)):
                yield node.lineno, name
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def complaints(package: Path) -> list[str]:
    """Every import that breaks a rule of the tables above, as "file:line: what"."""
    found = []
    for path in modules(package):
        where = path.relative_to(package.parent).as_posix()
        # The door has more than one file: cli.py and every cli_….py are one room.
        room = Path(where).parts[1].removesuffix(".py")
        room = "cli" if room.startswith("cli_") else room
        inside = "sandbox/inside/" in where
        allowed_here = PURE_MAY_IMPORT.get(where, set())
        for line, name in imported(ast.parse(path.read_bytes(), where)):
            top = name.partition(".")[0]
            if inside and top not in sys.stdlib_module_names | INSIDE_MAY_IMPORT:
                found.append(f"{where}:{line}: {name} is not there inside the container")
            elif top == "ocils" or inside:
                continue
            elif top in sys.stdlib_module_names:
                if room in PURE_ROOMS and top in IO_MODULES - allowed_here:
                    found.append(f"{where}:{line}: {name} does not belong in a pure room")
            elif room not in ROOMS_OF.get(top, frozenset()):
                found.append(f"{where}:{line}: {room} may not import {name}")
    return found


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    # The current folder goes first on the path: an editable install would otherwise let the linter
    # read the real package instead of the copy.
    code = (
        "import sys; sys.path.insert(0, '.'); sys.argv[1:] = ['--no-logo', '--no-cache'];"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package and of the rules, to break."""
    shutil.copytree(PACKAGE, tmp_path / "ocils", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(folder: Path, module: str, line: str) -> None:
    path = folder / "ocils" / module
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}\n\ndef planted() -> None:\n    {line}\n")


def test_the_layers_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("domain/text.py", "import ocils.ports"),
        ("prompt/__init__.py", "from ocils.source import target"),
        ("source/__init__.py", "import ocils.refine"),
        ("engine/__init__.py", "import ocils.sandbox"),
        ("record/__init__.py", "import ocils.refine"),
        ("refine/__init__.py", "import ocils.sandbox"),
        ("server/__init__.py", "import ocils.engine"),
        ("server/__init__.py", "import ocils.bench"),
        ("bench/__init__.py", "import ocils.wiring"),
        ("bench/__init__.py", "import ocils.settings"),
        ("server/__init__.py", "import ocils.apply"),
        ("cli.py", "import ocils.sandbox"),
        ("wiring/house.py", "import ocils.server"),
        ("attic.py", "import ocils.domain"),
    ],
)
def test_a_planted_import_breaks_the_layers(copied: Path, module: str, line: str) -> None:
    plant(copied, module, line)
    done = lint_imports(copied)
    assert done.returncode == 1
    assert "BROKEN" in done.stdout, done.stdout + done.stderr


def test_every_library_stays_in_its_room() -> None:
    assert complaints(PACKAGE) == []


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("refine/__init__.py", "import docker", "refine may not import docker"),
        ("source/__init__.py", "from lsprotocol import types", "source may not import lsprotocol"),
        ("engine/__init__.py", "import torch.nn", "engine may not import torch.nn"),
        ("server/__init__.py", "import tree_sitter", "server may not import tree_sitter"),
        ("server/__init__.py", "import rich", "server may not import rich"),
        ("domain/__init__.py", "import attrs", "domain may not import attrs"),
        ("cli.py", "__import__('pygls')", "cli may not import pygls"),
        ("prompt/__init__.py", "import os", "os does not belong in a pure room"),
        ("source/__init__.py", "from pathlib import Path", "pathlib does not belong"),
        ("sandbox/inside/planted.py", "import ocils.domain", "is not there inside the container"),
        ("sandbox/inside/planted.py", "import msgspec", "is not there inside the container"),
    ],
)
def test_a_planted_library_is_found(copied: Path, module: str, line: str, complaint: str) -> None:
    plant(copied, module, line)
    assert any(complaint in each for each in complaints(copied / "ocils"))


def test_what_runs_inside_is_old_python_too() -> None:
    """The workspace's interpreter runs it, and that may be a Python 3.8."""
    for path in modules(RUNS_INSIDE):
        ast.parse(path.read_bytes(), str(path), feature_version=(3, 8))


def test_nothing_at_module_level_is_rebound() -> None:
    """``global`` is how module-level state begins; what runs inside is one process's own story."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules(PACKAGE)
        if not path.is_relative_to(RUNS_INSIDE)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Global)
    ]
    assert found == []


WATCH = """
import importlib, sys, threading

NAMED = {"os.mkdir", "os.remove", "os.rename", "os.chmod", "os.putenv", "subprocess.Popen"}
PREFIXES = ("socket.", "os.fork", "os.system", "os.exec", "_thread.start", "signal.")
effects = []

def watch(event, arguments):
    if event == "open":
        if not (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
            return
    elif event not in NAMED and not event.startswith(PREFIXES):
        return
    # Only what our own module-level code does: what a library does on import is its own affair.
    frame = sys._getframe(1)
    while frame is not None and "importlib._bootstrap" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(OURS):
            effects.append(f"{frame.f_code.co_filename}:{frame.f_lineno}: {event}")
            return
        frame = frame.f_back

import ocils
OURS = ocils.__path__[0] + "/"

sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
effects += [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
if effects:
    sys.exit("importing had effects: " + "; ".join(effects))
"""


def importing(names: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # A path before the editable install's makes a copy of the package win.
    return subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", WATCH, *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_does_nothing() -> None:
    names = []
    for path in modules(PACKAGE):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    done = importing(names, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "effect",
    [
        "open('left_behind', 'w').close()",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['true'], check=False)",
    ],
)
def test_an_effect_of_importing_is_seen(copied: Path, effect: str) -> None:
    (copied / "ocils" / "planted.py").write_text(effect + "\n")
    done = importing(["ocils.planted"], copied)
    assert done.returncode == 1
    assert "importing had effects" in done.stderr
