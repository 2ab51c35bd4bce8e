"""One command's measurement, from its parts to its files: progress, journal, report.

Not covered: where the parts come from (``commands``), measuring (``run``), counting (``score``).
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from ocils.bench import plot, report
from ocils.bench.journal import Journal
from ocils.bench.run import measure
from ocils.bench.solve import Solved
from ocils.bench.task import Source, Unusable, digest_of
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.session import Limits
from ocils.ports import Ports


class Part(NamedTuple):
    """Some of what is measured: tasks, and the ports that serve them."""

    source: Source
    ports: Ports


async def measured(
    parts: AsyncGenerator[Part, None],
    cancel: CancelToken,
    arguments: argparse.Namespace,
    data: str,
) -> int:
    """Measure the chosen tasks of every part, show how it goes, and write what came of it."""
    limits = Limits(
        turns=arguments.turns, candidates=arguments.candidates, seconds=arguments.seconds
    )
    found = _Found()
    console = Console(stderr=True)
    async with aclosing(parts) as every:
        with _progress(console) as progress:
            bar = progress.add_task(data, total=None)
            async for part in every:
                shown = _Shown(progress, bar, as_json=arguments.json)
                await _measure(part, found, shown, limits, cancel, arguments)
                await part.ports.sandbox.close()
                if cancel.cancelled:
                    break
    if cancel.cancelled:
        kept = "the journal goes on from here" if arguments.journal else "nothing was kept"
        console.print(f"stopped; {kept}", highlight=False)
        return 1
    made = found.report(arguments, limits, data)
    if arguments.out:
        report.write(made, arguments.out.with_suffix(".json"))
    show([made], arguments.out, Console(stderr=arguments.json))
    return 0 if found.results else 1


class _Found:
    """What was measured so far. Mutable, used by one command."""

    def __init__(self) -> None:
        self.results: list[Solved] = []
        self.unusable: list[Unusable] = []
        self.digests: list[str] = []
        self.format = self.model = self.isolation = ""
        self.jobs = self.count = 0

    def report(self, arguments: argparse.Namespace, limits: Limits, data: str) -> report.Report:
        """Put everything together."""
        machine, cores = report.machine()
        conditions = report.Conditions(
            arm=_arm(arguments),
            model=self.model,
            format=self.format,
            data=data,
            digest=digest_of(map(str.encode, self.digests)),
            count=self.count,
            seed=arguments.seed,
            limits=limits,
            jobs=self.jobs,
            isolation=self.isolation,
            versions=report.versions(),
            machine=machine,
            cores=cores,
        )
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        return report.made(today, conditions, self.results, self.unusable)


class _Shown(NamedTuple):
    """Where a run is shown."""

    progress: Progress
    bar: TaskID
    as_json: bool

    def tell(self, step: Solved | Unusable, found: _Found) -> None:
        """Show an outcome, and how far the run is."""
        green = sum(each.outcome == "green" for each in found.results)
        self.progress.update(self.bar, advance=1, description=f"{green} of {len(found.results)} green")  # fmt: skip
        _tell(step, self.progress.console, as_json=self.as_json)


async def _measure(
    part: Part,
    found: _Found,
    shown: _Shown,
    limits: Limits,
    cancel: CancelToken,
    arguments: argparse.Namespace,
) -> None:
    source, ports = part
    names = chosen(source.ids, arguments.only, arguments.limit if source.format != "mutants" else 0)
    found.digests.append(source.digest)
    found.format, found.model = source.format, ports.engine.identity
    found.jobs = max(1, arguments.jobs or ports.sandbox.width)
    found.count += len(names)
    shown.progress.update(shown.bar, total=found.count)
    key = {
        "model": ports.engine.identity,
        "seed": arguments.seed,
        "limits": limits,
        "data": source.digest,
        "format": source.format,
        "python": arguments.python,
        "code": report.code(),
    }
    name = f"{source.format.replace('/', '-')}-{_arm(arguments)}"
    journal = Journal(arguments.journal, name, key)
    run = measure(
        source,
        names,
        ports,
        journal,
        cancel,
        limits=limits,
        seed=arguments.seed,
        jobs=found.jobs,
    )
    async with aclosing(run) as steps:
        async for step in steps:
            if isinstance(step, str):
                shown.progress.update(shown.bar, description=step)
            elif isinstance(step, Solved):
                found.results.append(step)
                shown.tell(step, found)
            else:
                found.unusable.append(step)
                shown.tell(step, found)
    found.isolation = ports.sandbox.isolation


def _arm(arguments: argparse.Namespace) -> str:
    return Path(arguments.model).name


def chosen(ids: tuple[str, ...], only: str, limit: int) -> tuple[str, ...]:
    """Return the tasks that were asked for, in their own order; evenly drawn when limited."""
    wanted = tuple(filter(None, only.split(",")))
    if missing := [name for name in wanted if name not in ids]:
        raise UsageError(f"there is no task {missing[0]}", mend=f"say one of {', '.join(ids[:5])}…")
    names = tuple(name for name in ids if name in wanted) if wanted else ids
    if not limit or limit >= len(names):
        return names
    return tuple(names[len(names) * number // limit] for number in range(limit))


def show(reports: list[report.Report], out: Path | None, console: Console) -> None:
    """Print measurements, and write the table and the plot where asked."""
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
