"""``ocils bench tasks``, ``mutants``, ``projects`` and ``compare``: from options to what is measured.

Not covered: the options (``cli_bench``), measuring and showing (``measured``).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from rich.console import Console

from ocils.bench import report
from ocils.bench.figure import House
from ocils.bench.measured import Part, measured, show
from ocils.bench.planted import planted
from ocils.bench.pooled import pooled
from ocils.bench.readers.commits import (
    looks_like_bugsinpy,
    pairs_of_bugsinpy,
    pairs_of_toml,
    projects_of,
    read_pairs,
)
from ocils.bench.readers.mutated import ground_of, mutants_as_tasks
from ocils.bench.readers.recognised import source_of
from ocils.domain.cancel import CancelToken

_BUNDLED = "ocils-tiny"


class ConfigurableHouse(House, Protocol):
    """A house whose model and sandbox can be chosen."""

    def configure(self, table: object) -> None:
        """Lay settings over the user's."""
        ...

    def choose(self, name: str) -> None:
        """Use the model of that name in this process, whatever the settings say of a server."""
        ...


async def tasks(
    house: ConfigurableHouse, cancel: CancelToken, arguments: argparse.Namespace
) -> int:
    """Measure on a benchmark's file or folder."""
    configure(house, arguments)
    with tempfile.TemporaryDirectory(prefix="ocils-bench-") as folder:
        parts = _benchmark(house, arguments, _real(folder))
        return await measured(parts, cancel, arguments, arguments.path.name)


async def mutants(
    house: ConfigurableHouse, cancel: CancelToken, arguments: argparse.Namespace
) -> int:
    """Measure on bugs that are planted in a workspace."""
    configure(house, arguments)
    workspace = house.workspace(_real(str(arguments.path)))
    name = workspace.root.rpartition("/")[2]

    async def parts() -> AsyncGenerator[Part, None]:
        ports = house.ports(workspace.root)
        ground = await ground_of(name, await workspace.snapshot(), ports.sandbox, cancel)
        source = await mutants_as_tasks(
            ground,
            lambda _: ground.every,
            ports.sandbox,
            cancel,
            limit=arguments.limit,
            seed=arguments.seed,
            journal=arguments.journal,
        )
        yield Part(source, ports)

    return await measured(parts(), cancel, arguments, name)


async def projects(
    house: ConfigurableHouse, checkout: Path, cancel: CancelToken, arguments: argparse.Namespace
) -> int:
    """Measure on bugs that are planted in the listed outside projects."""
    configure(house, arguments)
    parts = planted(
        house,
        checkout,
        cancel,
        each=arguments.each,
        only=arguments.project,
        seed=arguments.seed,
        journal=arguments.journal,
    )
    return await measured(parts, cancel, arguments, "projects")


async def _benchmark(
    house: ConfigurableHouse, arguments: argparse.Namespace, root: str
) -> AsyncGenerator[Part, None]:
    """Yield what a benchmark's path holds; pairs of commits, project by project."""
    path: Path = arguments.path
    if arguments.clones and looks_like_bugsinpy(path):
        for name in projects_of(path):
            pairs = pairs_of_bugsinpy(path, arguments.clones, name)
            if pairs:
                place = environment_at(root, name, arguments.environments)
                yield Part(read_pairs(pairs, place), house.ports(place))
    elif path.suffix == ".toml":
        yield Part(read_pairs(pairs_of_toml(path), root), house.ports(root))
    else:
        yield Part(source_of(path, root, arguments.format), house.ports(root))


def environment_at(root: str, name: str, environments: Path | None) -> str:
    """Make a project's folder below ``root``; the environment of its name is its own there."""
    place = Path(root) / name
    place.mkdir(exist_ok=True)
    if environments is not None and (environments / name).is_dir():
        (place / ".venv").symlink_to((environments / name).resolve())
    return str(place)


def configure(house: ConfigurableHouse, arguments: argparse.Namespace) -> None:
    """Choose the model and the interpreter that were asked for."""
    name = _BUNDLED if arguments.model == "bundled" else arguments.model
    house.choose(name)
    if arguments.python:
        house.configure({"model": {"name": name}, "sandbox": {"python": arguments.python}})


def compare(arguments: argparse.Namespace) -> int:
    """Set measurements side by side; those of several data sets are taken together, arm by arm."""
    show(pooled([report.read(path) for path in arguments.reports]), arguments.out, Console())
    return 0


def _real(folder: str) -> str:
    return os.path.realpath(folder)
