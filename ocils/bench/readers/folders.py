"""Folders of small programs: QuixBugs-like and exercism-like.

QuixBugs-like: ``python_programs`` and ``correct_python_programs`` hold one file a program;
``python_testcases`` its tests, or ``json_testcases`` lines of arguments and result.
exercism-like: one folder an exercise, with a stub, its tests and ``.meta/example.py``; the exercises
lie in the folder itself, in ``practice``, or in ``exercises/practice``.

Not covered: exercises that ask for a class or for several functions: ocils writes one at a time.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

from ocils.bench.readers.asserts import parsed
from ocils.bench.task import Source, Task, Unreadable, digest_of, workspace_of
from ocils.domain.errors import UsageError

_PROGRAMS, _CORRECT = "python_programs", "correct_python_programs"
_CASES, _JSON = "python_testcases", "json_testcases"
_SHARED = ("node.py", "load_testdata.py")
_CONFTEST = "import pytest\n\npytest.use_correct = False\npytest.run_slow = False\n"
_BY_JSON = """\
import json
from pathlib import Path

import pytest
from {folder}.{name} import {name}

LINES = Path(__file__).parent.parent.joinpath("{json}", "{name}.json").read_text().splitlines()


@pytest.mark.parametrize(("given", "expected"), [json.loads(line) for line in LINES])
def test_{name}(given, expected):
    result = {name}(*given)
    if isinstance(expected, list) and not isinstance(result, (list, tuple)):
        result = list(result)
    assert result == expected
"""


def looks_like_quixbugs(folder: Path) -> bool:
    """Tell whether a folder holds programs in pairs, broken and correct."""
    return (folder / _PROGRAMS).is_dir() and (folder / _CORRECT).is_dir()


def read_quixbugs(folder: Path, root: str) -> Source:
    """Return the tasks of a QuixBugs-like folder. Raises ``UsageError`` when it holds none."""
    names = tuple(
        path.stem
        for path in sorted((folder / _CORRECT).glob("*.py"))
        if (folder / _PROGRAMS / path.name).is_file()
        and path.name not in _SHARED
        and not path.stem.endswith("_test")
        and path.stem != "__init__"
    )
    if not names:
        raise UsageError(f"{folder} holds no pairs of programs")

    def read(name: str) -> Task:
        return _quixbug(folder, name, root)

    return Source("quixbugs", names, read, _digest(folder, (_PROGRAMS, _CORRECT, _CASES, _JSON)))


def _quixbug(folder: Path, name: str, root: str) -> Task:
    broken, correct = _read(folder / _PROGRAMS, name), _read(folder / _CORRECT, name)
    files: dict[str, bytes | str] = {"conftest.py": _CONFTEST}
    for place in (_PROGRAMS, _CASES):
        for shared in _SHARED:
            if (path := folder / place / shared).is_file():
                files[f"{place}/{shared}"] = path.read_bytes()
    if (cases := folder / _JSON / f"{name}.json").is_file():
        files[f"{_JSON}/{name}.json"] = cases.read_bytes()
    if (tests := folder / _CASES / f"test_{name}.py").is_file():
        files[f"{_CASES}/test_{name}.py"] = tests.read_bytes()
    elif cases.is_file():
        for line in cases.read_text().splitlines():
            json.loads(line)
        files[f"{_CASES}/test_{name}.py"] = _BY_JSON.format(folder=_PROGRAMS, name=name, json=_JSON)
    else:
        raise Unreadable(f"there is neither {_CASES}/test_{name}.py nor {_JSON}/{name}.json")
    program = f"{_PROGRAMS}/{name}.py"
    _defines(broken, name)
    return Task(
        name,
        workspace_of(root, {**files, program: broken}),
        program,
        name,
        "repair",
        workspace_of(root, {**files, program: correct}),
    )


def exercises_of(folder: Path) -> tuple[Path, ...]:
    """Return the exercises' folders, sorted; none when the folder holds no exercises."""
    for place in (folder / "exercises" / "practice", folder / "practice", folder):
        if place.is_dir():
            found = sorted(p for p in place.iterdir() if (p / ".meta" / "config.json").is_file())
            if found:
                return tuple(found)
    return ()


def read_exercism(folder: Path, root: str) -> Source:
    """Return the tasks of an exercism-like folder. Raises ``UsageError`` when it holds none."""
    folders = {path.name: path for path in exercises_of(folder)}
    if not folders:
        raise UsageError(f"{folder} holds no exercises")

    def read(name: str) -> Task:
        return _exercise(folders[name], root)

    place = next(iter(folders.values())).parent
    return Source("exercism", tuple(folders), read, _digest(place, tuple(folders)))


def _exercise(folder: Path, root: str) -> Task:
    try:
        listed = json.loads((folder / ".meta" / "config.json").read_text())["files"]
        names = {kind: [str(n) for n in listed.get(kind, [])] for kind in ("solution", "test", "example", "editor")}  # fmt: skip
    except (KeyError, AttributeError, TypeError) as problem:
        raise Unreadable("its configuration lists no files") from problem
    if len(names["solution"]) != 1 or len(names["example"]) != 1 or not names["test"]:
        raise Unreadable("it is not one file with one example and tests")
    path = names["solution"][0]
    stub, example = (folder / path).read_bytes(), (folder / names["example"][0]).read_bytes()
    nodes = parsed(stub.decode()).body
    functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    if any(isinstance(node, ast.ClassDef) for node in nodes) or len(functions) != 1:
        raise Unreadable("it asks for a class or for several functions, and ocils writes one")
    rest: dict[str, bytes | str] = {
        name: (folder / name).read_bytes() for name in (*names["test"], *names["editor"])
    }
    return Task(
        folder.name,
        workspace_of(root, {**rest, path: stub}),
        path,
        functions[0],
        "implement",
        workspace_of(root, {**rest, path: example}),
        tuple(names["test"]),
    )


def _read(folder: Path, name: str) -> bytes:
    data = (folder / f"{name}.py").read_bytes()
    data.decode()  # what is not UTF-8 is the item's own fault
    return data


def _defines(data: bytes, name: str) -> None:
    found = {n.name for n in parsed(data.decode()).body if isinstance(n, ast.FunctionDef)}
    if name not in found:
        raise Unreadable(f"the program defines no function {name}")


def _digest(folder: Path, parts: tuple[str, ...]) -> str:
    """Return the hash of the files below the folders that tasks are read from."""
    paths = sorted(p for part in parts for p in (folder / part).rglob("*") if p.is_file())
    return digest_of(
        piece
        for path in paths
        for piece in (str(path.relative_to(folder)).encode(), path.read_bytes())
    )
