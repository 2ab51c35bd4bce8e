"""Packages of the corpus with the tests of their source archives, unpacked where they can be run.

`suites.toml` names them; versions and use are those of `corpus.toml`. One environment serves all:
pytest and what the suites need, and the packages' own wheels for their metadata. The unpacked code
stands first on the path. A package whose archive cannot be fetched is left out, and said so.

It does not cover packages that must be compiled, and it runs nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from corpus import listed, wheel_of

HERE = Path(__file__).parent
BACKENDS = ("setuptools<81", "setuptools-scm", "wheel", "hatchling", "hatch-vcs", "flit-core",
            "poetry-core", "pdm-backend", "pytest")  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """One package: where its code and its tests are below its root, and what the tests need."""

    name: str
    version: str
    held: bool
    code: tuple[str, ...]
    tests: tuple[str, ...]
    install: tuple[str, ...]


def suites() -> list[Suite]:
    """All that are listed, in the list's order."""
    pinned = {package["name"]: package for package in listed("package")}
    table = tomllib.loads((HERE / "suites.toml").read_text())["suite"]
    found = []
    for row in table:
        package = pinned[row["name"]]
        held = package.get("use") == "held"
        parts = (row["code"], row["tests"], row.get("install", []))
        found.append(Suite(row["name"], package["version"], held, *map(tuple, parts)))
    return found


def python_of(work: Path) -> Path:
    """The interpreter of the environment that all suites share, made when it is not there."""
    folder = work / "suites" / "venv"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "-q", *BACKENDS]
        subprocess.run(command, check=True)
        (folder / "ready").touch()
    return python


def prepare(work: Path, suite: Suite) -> Path | None:
    """The unpacked package, ready for pytest; None where it cannot be had."""
    root = work / "suites" / suite.name
    if (root / "pytest.ini").exists():
        return root
    python = str(python_of(work))
    archive = fetch(work / "suites" / "archives", suite, python)
    if archive is None:
        return None
    wheel = wheel_of(work / "dl", suite.name, suite.version)
    quiet = [python, "-m", "pip", "install", "-q"]
    if wheel is not None and subprocess.run([*quiet, "--no-deps", str(wheel)]).returncode:
        return None
    # What cannot be had here only costs the tests that need it.
    for name in suite.install:
        subprocess.run([*quiet, "--only-binary=:all:", name], capture_output=True)
    unpack(archive, root)
    tests = " ".join(suite.tests)
    path = " ".join(suite.code)
    (root / "pytest.ini").write_text(
        f"[pytest]\ntestpaths = {tests}\npythonpath = {path}\naddopts = -p no:cacheprovider\n"
        "python_files = test_*.py *_test.py test*.py\n"
    )
    return root


def fetch(folder: Path, suite: Suite, python: str) -> Path | None:
    """The pinned source archive, through pip."""
    place = folder / suite.name
    place.mkdir(parents=True, exist_ok=True)
    command = [python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=:all:"]
    command += ["-d", str(place), f"{suite.name}=={suite.version}"]
    # pip asks the archive for its metadata: quick with the backends that are here, slow without.
    for quicker in (["--no-build-isolation"], []):
        if not any(place.iterdir()):
            subprocess.run([*command, *quicker], capture_output=True)
    return next(iter(sorted(place.iterdir())), None)


def unpack(archive: Path, root: Path) -> None:
    """Put what is inside the archive's only folder at `root`."""
    part = root.with_suffix(".part")
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as file:
            file.extractall(part)  # noqa: S202 - archives that pip fetched, pinned
    else:
        with tarfile.open(archive) as file:
            file.extractall(part, filter="data")
    next(path for path in part.iterdir() if path.is_dir()).rename(root)
    # Suites are run by what stands in pytest.ini alone.
    for name in ("pyproject.toml", "setup.cfg", "tox.ini"):
        (root / name).unlink(missing_ok=True)
