"""Real projects with suites of their own, fetched and installed for a measurement.

Each gets a folder with its unpacked source and a ``.venv`` that has it installed in place, as its
own contributors would have it. Everything comes from the package index, pinned by version and hash.

Not covered: projects that must be compiled, or that have no suite in their source archive.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.errors import UsageError

LIST = Path("tests", "bench", "projects.toml")


def place() -> Path:
    """Where the projects are put: below no other project, whose pytest settings would be found."""
    return Path(platformdirs.user_cache_dir("ocils")).resolve() / "real"


class Sample(Value, frozen=True):
    """One function of the file at ``path``, and a test file that runs it; drawn by lot."""

    tests: str
    path: str
    function: str


class Project(Value, frozen=True):
    """One project; ``leave_out`` are test files or folders that are not run, relative to its root.

    ``sample`` is what a single verdict is timed on. ``trained`` tells that the bundled model learnt from
    it, so that nothing is to be concluded about the model there.
    """

    name: str
    version: str
    sha256: str
    licence: str
    install: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    sample: Sample | None = None
    trained: bool = False


def projects(checkout: Path) -> tuple[Project, ...]:
    """Read the list of a checkout."""
    table = tomllib.loads((checkout / LIST).read_text())
    return msgspec.convert(table["project"], tuple[Project, ...])


async def prepare(project: Project, folder: Path) -> Path:
    """Fetch, unpack and install ``project`` into ``folder`` unless it is there; return its root.

    Raises ``UsageError`` when the index cannot be reached or gives something else.
    """
    return await asyncio.to_thread(_prepare, project, folder)


def _prepare(project: Project, folder: Path) -> Path:
    root = folder / f"{project.name}-{project.version}"
    done = root / ".venv" / "ocils-ready"
    wanted = " ".join(project.install)
    if done.is_file() and done.read_text() == wanted:
        _put_back(project, folder, root)
        return root
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(_fetch(project, folder)) as file:
        top = file.getnames()[0].partition("/")[0]
        file.extractall(folder, filter="data")
    if (folder / top) != root and not root.exists():
        (folder / top).rename(root)
    _call(sys.executable, "-m", "venv", str(root / ".venv"))
    python = str(root / ".venv" / "bin" / "python")
    _call(python, "-m", "pip", "install", "-q", "-e", str(root), "pytest", *project.install)
    done.write_text(wanted)
    return root


def _put_back(project: Project, folder: Path, root: Path) -> None:
    """Write again what differs from the archive: a measurement that was killed leaves its mutant."""
    with tarfile.open(_archive(project, folder) or _fetch(project, folder)) as file:
        for member in file:
            path = root / member.name.partition("/")[2]
            if not member.isfile() or path.suffix != ".py":
                continue
            content = file.extractfile(member)
            data = content.read() if content is not None else b""
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def _fetch(project: Project, folder: Path) -> Path:
    wanted = f"{project.name}=={project.version}"
    options = ("-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder))
    _call(sys.executable, "-m", "pip", "download", *options, wanted)
    archive = _archive(project, folder)
    if archive is None:
        raise UsageError(f"the archive of {wanted} has another hash")
    return archive


def _archive(project: Project, folder: Path) -> Path | None:
    for archive in folder.glob("*.tar.gz"):
        if hashlib.sha256(archive.read_bytes()).hexdigest() == project.sha256:
            return archive
    return None


def _call(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, check=False)
    if run.returncode:
        last = (run.stderr.decode(errors="replace").strip().splitlines() or ["no reason"])[-1]
        raise UsageError(f"{' '.join(command[1:4])} fails: {last}")
