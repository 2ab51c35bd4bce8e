"""``ocils bench tasks`` and ``ocils bench compare``: from options to what is shown and written.

Not covered: the options (``cli_bench``), measuring (``run``), counting (``score``).
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ocils.bench import plot, report
from ocils.bench.figure import House
from ocils.bench.journal import Journal
from ocils.bench.readers.recognised import source_of
from ocils.bench.run import measure
from ocils.bench.solve import Solved
from ocils.bench.task import Source, Unusable
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.session import Limits
from ocils.ports import Ports

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
        root = _real(folder)
        source = source_of(arguments.path, root, arguments.format)
        return await measured(source, house.ports(root), cancel, arguments, arguments.path.name)


def configure(house: ConfigurableHouse, arguments: argparse.Namespace) -> None:
    """Choose the model and the interpreter that were asked for."""
    name = _BUNDLED if arguments.model == "bundled" else arguments.model
    house.choose(name)
    if arguments.python:
        house.configure({"model": {"name": name}, "sandbox": {"python": arguments.python}})


async def measured(
    source: Source,
    ports: Ports,
    cancel: CancelToken,
    arguments: argparse.Namespace,
    data: str,
) -> int:
    """Measure the chosen tasks of a source, show how it goes, and write what came of it."""
    names = chosen(source.ids, arguments.only, arguments.limit)
    limits = Limits(
        turns=arguments.turns, candidates=arguments.candidates, seconds=arguments.seconds
    )
    jobs = max(1, arguments.jobs or ports.sandbox.width)
    arm = Path(arguments.model).name
    key = {
        "model": ports.engine.identity,
        "seed": arguments.seed,
        "limits": limits,
        "data": source.digest,
        "format": source.format,
        "python": arguments.python,
    }
    journal = Journal(arguments.journal, f"{source.format.replace('/', '-')}-{arm}", key)
    results: list[Solved] = []
    unusable: list[Unusable] = []
    run = measure(
        source, names, ports, journal, cancel, limits=limits, seed=arguments.seed, jobs=jobs
    )
    console = Console(stderr=True)
    with _progress(console) as progress:
        bar = progress.add_task(f"{data}, {arm}", total=len(names))
        async with aclosing(run) as steps:
            async for step in steps:
                if isinstance(step, str):
                    progress.update(bar, description=step)
                    continue
                if isinstance(step, Solved):
                    results.append(step)
                else:
                    unusable.append(step)
                progress.advance(bar)
                green = sum(each.outcome == "green" for each in results)
                progress.update(bar, description=f"{green} of {len(results)} green")
                _tell(step, progress.console, as_json=arguments.json)
    if cancel.cancelled:
        kept = "the journal goes on from here" if arguments.journal else "nothing was kept"
        console.print(f"stopped; {kept}", highlight=False)
        return 1
    machine, cores = report.machine()
    conditions = report.Conditions(
        arm=arm,
        model=ports.engine.identity,
        format=source.format,
        data=data,
        digest=source.digest,
        count=len(names),
        seed=arguments.seed,
        limits=limits,
        jobs=jobs,
        isolation=ports.sandbox.isolation,
        versions=report.versions(),
        machine=machine,
        cores=cores,
    )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = report.made(today, conditions, results, unusable)
    if arguments.out:
        report.write(made, arguments.out.with_suffix(".json"))
    _show([made], arguments.out, Console(stderr=arguments.json))
    return 0 if results else 1


def compare(arguments: argparse.Namespace) -> int:
    """Set measurements side by side."""
    reports = [report.read(path) for path in arguments.reports]
    first = reports[0].conditions
    for path, each in zip(arguments.reports, reports, strict=True):
        if each.conditions.comparable != first.comparable:
            raise UsageError(
                f"{path} measured something else than {arguments.reports[0]}",
                mend="compare measurements of the same data, seed and limits",
            )
    _show(reports, arguments.out, Console())
    return 0


def chosen(ids: tuple[str, ...], only: str, limit: int) -> tuple[str, ...]:
    """Return the tasks that were asked for, in their own order; evenly drawn when limited."""
    wanted = tuple(filter(None, only.split(",")))
    if missing := [name for name in wanted if name not in ids]:
        raise UsageError(f"there is no task {missing[0]}", mend=f"say one of {', '.join(ids[:5])}…")
    names = tuple(name for name in ids if name in wanted) if wanted else ids
    if not limit or limit >= len(names):
        return names
    return tuple(names[len(names) * number // limit] for number in range(limit))


def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _show(reports: list[report.Report], out: Path | None, console: Console) -> None:
    text = report.markdown(reports)
    if out is not None:
        out.with_suffix(".md").write_text(text)
        out.with_suffix(".svg").write_text(plot.svg(reports))
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _tell(step: Solved | Unusable, console: Console, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(report.line(step) + "\n")
        sys.stdout.flush()
        return
    if isinstance(step, Unusable):
        text = f"{'not counted':>11}  {step.task}: {step.why}"
    else:
        at = f"at {step.at}" if step.at else ""
        text = f"{step.outcome:>11}  {step.task}  {at} of {step.judged}, {step.seconds:.1f} s"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
