"""Bugs planted in the listed outside projects: each judged by the tests that reach it.

A survey, which ``agreement`` makes too, tells the cheapest test file that runs a function, and which
tests come out the same each time; it is kept beside the journal.

Not covered: preparing the projects (``real``), the mutants (``readers/mutated``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from ocils.bench.agreement import first_lines
from ocils.bench.agreement_run import surveyed
from ocils.bench.figure import House
from ocils.bench.measured import Part
from ocils.bench.mutants import Mutant
from ocils.bench.readers.mutated import Ground, mutants_as_tasks
from ocils.bench.real import Project, place, prepare, projects
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import TestId


async def planted(
    house: House,
    checkout: Path,
    cancel: CancelToken,
    *,
    each: int,
    only: str = "",
    seed: int = 0,
    journal: Path | None = None,
) -> AsyncGenerator[Part, None]:
    """Yield every listed project with ``each`` mutants; of those named in ``only`` (by commas) alone.

    One that the bundled model learnt from has to be named.

    Raises ``UsageError`` for an unknown name.
    """
    wanted = set(filter(None, only.split(",")))
    listed = projects(checkout)
    if unknown := wanted - {project.name for project in listed}:
        raise UsageError(
            f"there is no project {min(unknown)}", mend="see tests/bench/projects.toml"
        )
    for project in listed:
        chosen = project.name in wanted if wanted else not project.trained
        if chosen and not cancel.cancelled:
            yield await _part(house, project, cancel, each, seed, journal)


async def _part(
    house: House,
    project: Project,
    cancel: CancelToken,
    each: int,
    seed: int,
    journal: Path | None,
) -> Part:
    root = await prepare(project, place())
    workspace = house.workspace(str(root))
    ports = house.ports(workspace.root)
    folder = journal or place() / "agreement"
    grounds = await surveyed(project, workspace, ports.sandbox, folder, cancel)
    clean = await workspace.snapshot()
    every = tuple(dict.fromkeys(t for ids, _ in grounds.tests.values() for t in ids))
    slowest = max((seconds for _, seconds in grounds.tests.values()), default=1.0)
    lines: dict[str, dict[str, int]] = {}

    def tests_of(mutant: Mutant) -> tuple[TestId, ...]:
        relative = clean.relative(mutant.path)
        document = clean.document(mutant.path)
        if relative not in lines and document is not None:
            lines[relative] = first_lines(document)
        file = grounds.files.get((relative, lines.get(relative, {}).get(mutant.function, 0)))
        return grounds.tests[file][0] if file else ()

    source = await mutants_as_tasks(
        Ground(project.name, clean, every, slowest),
        tests_of,
        ports.sandbox,
        cancel,
        limit=each,
        seed=seed,
        journal=journal,
    )
    return Part(source, ports)
